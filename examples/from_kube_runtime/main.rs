//! A program with kube-runtime's `watcher` and `reflector`, migrated: which Ingresses have a host.
//!
//! ```sh
//! cargo run --example from_kube_runtime                # an API server in this process
//! cargo run --example from_kube_runtime -- --cluster   # your current kube context, until ctrl-c
//! ```
//!
//! | `before.rs` | here |
//! |---|---|
//! | `watcher(api, config).default_backoff()` | `watch(api)` |
//! | `Config::default().labels("!internal")` | `.labels("!internal")?` |
//! | `.modify(\|ingress\| ..)`, on decoded objects | `.filter_fields(..)?`, never decoded |
//! | `reflector::store()`, `.reflect(writer)` | `.index(&host)` |
//! | `hosts(..)`, and a scan of `store.state()` | `Index::path(..)?`, and `snapshot.by(&host).get(..)` |
//! | `known`: hosts of the version before | `change.touched(&host)` compares both versions |
//! | `Event::InitDone`: everything again after a relist | only the difference, as a change like any other |
//! | `Err(error)` between two events | `.log_errors()` |
//! | an output for each event | `.debounce(..)`: one for many events in quick succession |
//!
//! It needs `list` and `watch` on `ingresses.networking.k8s.io`, in all namespaces.

mod server;

use k8s_openapi::api::networking::v1::Ingress;
use kube_weir::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let host = Index::path("spec.rules[*].host")?;
    let changes = watch(Api::<Ingress>::all(client))
        .labels("!internal")?
        .filter_fields(["metadata.managedFields", "status"])?
        .index(&host)
        .debounce(Duration::from_millis(200))
        .log_errors();

    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        for key in change.touched(&host) {
            let found = change.snapshot().by(&host).get(&key);
            let names = found.map(|ingress| ObjectKey::of::<Ingress>(ingress).to_string());
            println!("{key} -> {{{}}}", names.collect::<Vec<_>>().join(", "));
        }
    }
    Ok(())
}
