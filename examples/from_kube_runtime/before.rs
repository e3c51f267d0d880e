//! The program before the migration, with kube-runtime alone. `main.rs` does the same with kube-weir.
//!
//! ```sh
//! cargo run --example from_kube_runtime_before     # your current kube context, until ctrl-c
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use futures::StreamExt;
use k8s_openapi::api::networking::v1::Ingress;
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        WatchStreamExt, reflector,
        watcher::{self, Event, watcher},
    },
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::try_default().await?;
    let (store, writer) = reflector::store::<Ingress>();
    let events =
        watcher(Api::<Ingress>::all(client), watcher::Config::default().labels("!internal"))
            .default_backoff()
            .modify(|ingress: &mut Ingress| {
                ingress.managed_fields_mut().clear();
                ingress.status = None;
            })
            .reflect(writer);

    let mut events = pin!(events.take_until(tokio::signal::ctrl_c()));
    // The hosts that each Ingress had: the store has only the new version.
    let mut known = BTreeMap::new();
    while let Some(event) = events.next().await {
        let mut touched = BTreeSet::new();
        match event {
            Ok(Event::Init | Event::InitApply(_)) => {}
            // After a relist, some are gone, and there was no event for them.
            Ok(Event::InitDone) => {
                let listed = store.state().into_iter();
                let now = listed.map(|ingress| (name(&ingress), hosts(&ingress))).collect();
                let before = std::mem::replace(&mut known, now);
                touched.extend(before.into_values().flatten());
                touched.extend(known.values().flatten().cloned());
            }
            Ok(Event::Apply(ingress)) => {
                let now = hosts(&ingress);
                touched.extend(now.iter().cloned());
                touched.extend(known.insert(name(&ingress), now).into_iter().flatten());
            }
            Ok(Event::Delete(ingress)) => {
                touched.extend(known.remove(&name(&ingress)).into_iter().flatten());
            }
            Err(error) => eprintln!("{error}"),
        }
        for host in touched {
            // Each lookup scans the whole store.
            let all = store.state();
            let found = all.iter().filter(|ingress| hosts(ingress).contains(&host));
            let names: BTreeSet<_> = found.map(|ingress| name(ingress)).collect();
            println!("{host} -> {{{}}}", Vec::from_iter(names).join(", "));
        }
    }
    Ok(())
}

fn name(ingress: &Ingress) -> String {
    format!("{}/{}", ingress.namespace().unwrap_or_default(), ingress.name_any())
}

fn hosts(ingress: &Ingress) -> BTreeSet<String> {
    let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    rules.filter_map(|rule| rule.host.clone()).collect()
}
