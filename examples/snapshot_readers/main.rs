//! Threads that read a store without a lock while it changes, and a snapshot that never changes.
//!
//! ```sh
//! cargo run --example snapshot_readers
//! cargo run --example snapshot_readers -- --cluster     # until ctrl-c
//! ```
//!
//! Three threads take snapshots of the Pods and look them up by node. Each snapshot is of one moment,
//! regardless of the watch; the first snapshot is kept, and doesn't change.

mod server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use k8s_openapi::api::core::v1::Pod;
use kube_weir::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let node = Index::path("spec.nodeName")?;
    let pods = watch(Api::<Pod>::all(client))
        .filter_fields(["metadata.managedFields", "status"])?
        .index(&node);
    let store = pods.store();
    let mut changes = pin!(pods.debounce(Duration::from_millis(300)).log_errors());
    let first = changes.first_synced().await?;
    println!("Synced: {} Pods on {} nodes", first.len(), first.by(&node).keys().len());

    let reads = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let readers = [(); 3].map(|()| {
        let (store, node) = (store.clone(), node.clone());
        let (reads, ended) = (Arc::clone(&reads), Arc::clone(&ended));
        thread::spawn(move || read(&store, &node, &reads, &ended))
    });

    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        let Some(batch) = change.batch() else { continue };
        let (stats, reads) = (batch.stats(), reads.swap(0, Ordering::Relaxed));
        println!("+{} ~{} -{} after {reads} reads", stats.created, stats.modified, stats.deleted);
        for key in batch.touched(&node) {
            println!("  {key} has {} Pods", batch.after().by(&node).get(&key).len());
        }
    }

    ended.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().map_err(|_| "a reader panicked")?;
    }
    println!("Now: {} Pods; the first snapshot still has {}", store.snapshot().len(), first.len());
    Ok(())
}

/// Looks up all Pods by their nodes, repeatedly.
fn read(store: &Store<Pod>, node: &Index<Pod>, reads: &AtomicU64, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        let snapshot = store.snapshot();
        let by_node = snapshot.by(node);
        let found: usize = by_node.keys().iter().map(|key| by_node.get(key).len()).sum();
        let waiting = snapshot.iter().filter(|pod| by_node.keys_of(pod).is_empty());
        assert_eq!(found + waiting.count(), snapshot.len(), "a snapshot of two moments");
        reads.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_micros(100));
    }
}
