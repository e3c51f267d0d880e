//! Overview of a pipeline, without a cluster:
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! The Ingresses come from an in-process API server, and a script changes them for about three
//! seconds. With `-- --cluster` they are those of your current kube context, until ctrl-c.

#[path = "support/mod.rs"]
mod support;

use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube_weir::{Batch, ChangeStats, prelude::*, testing::ApiServer};
use serde_json::json;
use tokio::time::sleep;

const INTERVAL: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = support::connect(script).await?;
    let host = Index::path("spec.rules[*].host")?; // for lookups in snapshots and batches
    let ingresses = watch(Api::<Ingress>::all(client)) // lists, watches, recovers
        .labels("!internal")? // selected by the API server
        .filter_fields(["metadata.managedFields", "status"])? // never decoded
        .index(&host); // found by host, and always by namespace and name
    let store = ingresses.store(); // reads without a lock, in any task
    let changes = ingresses.debounce(INTERVAL).log_errors();

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

/// Creates 36 Ingresses and one that the label selector excludes; returns a future that changes them.
fn script(server: ApiServer) -> impl Future<Output = ()> {
    for number in 1..=12 {
        for namespace in ["blog", "docs", "shop"] {
            let host = format!("{namespace}.example.com");
            put(&server, "public", namespace, &format!("web-{number:02}"), &host);
        }
    }
    put(&server, "internal", "docs", "admin", "admin.example.com");
    run(server)
}

async fn run(server: ApiServer) {
    let pause = INTERVAL + Duration::from_millis(100);
    sleep(pause).await;
    put(&server, "public", "blog", "feed", "feed.example.com");
    sleep(pause).await;
    put(&server, "public", "blog", "feed", "news.example.com");
    sleep(pause).await;
    server.delete("ingresses", "blog", "feed").expect("it is there");
    sleep(pause).await;

    println!("        (30 writes in 300 ms: the first goes out at once, the others as one)");
    for number in 1..=30 {
        let (name, host) = (format!("sale-{}", number % 3), format!("s{number}.example.com"));
        put(&server, "public", "shop", &name, &host);
        sleep(Duration::from_millis(10)).await;
    }
    sleep(pause).await;
}

fn put(server: &ApiServer, label: &str, namespace: &str, name: &str, host: &str) {
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": namespace, "name": name, "labels": { label: "" } },
        "spec": { "rules": [{ "host": host }] },
    });
    server.apply(&ingress).expect("a valid Ingress");
}
