//! Two kinds as one world: Ingresses, and the Services that they route to. Each item shows both
//! kinds at one moment, and overlays show the state without an object.
//!
//! ```sh
//! cargo run --example world                 # an API server in this process
//! cargo run --example world -- --cluster    # your current kube context, until ctrl-c
//! ```
//!
//! It needs `list` and `watch` on `services` and `ingresses.networking.k8s.io`, in all namespaces.

mod server;

use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
use kube_weir::{Key, World, prelude::*};

type Kinds = (Snapshot<Ingress>, Snapshot<Service>);

const BACKEND: &str = "spec.rules[*].http.paths[*].backend.service.name";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let backend = Index::paths(["metadata.namespace", BACKEND])?; // a key for each Service
    let ingresses = watch(Api::<Ingress>::all(client.clone())).index(&backend);
    let services = watch(Api::<Service>::all(client)).index(());
    let changes = world((ingresses, services)).debounce(Duration::from_millis(500)).log_errors();

    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        match &change {
            WorldChange::InitialSync(_) => {} // only `with_progress()`
            WorldChange::Synced(world) => {
                let (ingresses, services) = world.kinds();
                println!("{} ingresses, {} services", ingresses.len(), services.len());
            }
            WorldChange::Live(batch) => {
                let stats = batch.stats(); // of both kinds
                println!("+{} ~{} -{}", stats.created, stats.modified, stats.deleted);
            }
        }
        print(change.world(), &backend);
    }
    Ok(())
}

fn print(world: &World<Kinds>, backend: &Index<Ingress>) {
    let missing = missing(world, backend);
    for service in &missing {
        println!("  {service} is routed to, and not there");
    }
    // The question of an admission webhook for deletions.
    for service in &world.kinds().1 {
        let service = ObjectKey::of::<Service>(service);
        let without = world.overlay().delete::<Service, _>(&service).build();
        if self::missing(&without, backend) == missing {
            println!("  {} could go", Key::new(service));
        }
    }
}

/// Returns the missing Services to which Ingresses route.
fn missing(world: &World<Kinds>, backend: &Index<Ingress>) -> Vec<Key> {
    let (ingresses, services) = world.kinds();
    let is_there = |key: &Key| key.object_key().is_some_and(|key| services.get(&key).is_some());
    ingresses.by(backend).keys().into_iter().filter(|key| !is_there(key)).collect()
}
