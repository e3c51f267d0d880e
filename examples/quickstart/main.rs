//! Overview of a pipeline, without a cluster:
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! The Ingresses come from an in-process API server, and a script changes them for about three
//! seconds. With `-- --cluster` they are those of your current kube context, until ctrl-c.

mod server;

use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube_weir::{Batch, ChangeStats, prelude::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let host = Index::path("spec.rules[*].host")?; // for lookups in snapshots and batches
    let ingresses = watch(Api::<Ingress>::all(client)) // lists, watches, recovers
        .labels("!internal")? // selected by the API server
        .filter_fields(["metadata.managedFields", "status"])? // never decoded
        .index(&host); // found by host, and always by namespace and name
    let store = ingresses.store(); // reads without a lock, in any task
    let changes = ingresses.debounce(Duration::from_millis(500)).log_errors();

    // A pipeline never fails, it retries; a wait for the sync returns the cause of a delay.
    tokio::spawn(async move {
        if let Err(error) = store.synced().await {
            eprintln!("still waiting: {error}");
        }
    });

    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        match change {
            Change::InitialSync(_) => {} // only `with_progress()`
            Change::Synced(snapshot) => on_synced(&snapshot, &host),
            Change::Live(batch) => on_live(&batch, &host),
        }
    }
    Ok(())
}

fn on_synced(snapshot: &Snapshot<Ingress>, host: &Index<Ingress>) {
    println!("Synced  {} ingresses", snapshot.len());
    println!("        {} in namespace docs", snapshot.in_namespace("docs").len());
    println!("        {} hosts", snapshot.by(host).keys().len());
}

fn on_live(batch: &Batch<Ingress>, host: &Index<Ingress>) {
    let ChangeStats { created, modified, deleted, .. } = batch.stats();
    println!("Live    +{created} ~{modified} -{deleted}");
    for delta in batch.deltas() {
        let sign = match delta {
            Delta::Created(_) => '+',
            Delta::Modified { .. } => '~',
            Delta::Deleted(_) => '-',
        };
        let ingress: &Ingress = delta.object();
        println!("        {sign} {}", ObjectKey::of(ingress));
    }
    // The input of a proxy: the hosts whose ingresses changed, and their current ingresses.
    for key in batch.touched(host) {
        let found = batch.after().by(host).get(&key);
        let names: Vec<_> = found.map(|ingress| ingress.name_any()).collect();
        println!("        {key} -> [{}]", names.join(", "));
    }
}
