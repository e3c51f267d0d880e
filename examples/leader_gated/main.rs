//! Replicas of which one acts; nothing is lost when it gives up or dies.
//!
//! ```sh
//! cargo run --example leader_gated
//! cargo run --example leader_gated -- --cluster
//! ```
//!
//! Each replica watches the `ConfigMaps` of its own namespace all the time; `while_leading` passes the
//! changes only in the leading replica, which keeps a table of versions up to date.
//!
//! On a cluster it writes the Lease `kube-weir-leader-gated`, and needs `get`, `list`, `watch`,
//! `create` and `update` on leases, and `list` and `watch` on configmaps.

mod server;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, ResourceExt};
use kube_weir::{Election, Error, LeaseRef, prelude::*};

/// The table that the leader writes: here names and versions, in memory.
type Table = tokio::sync::watch::Sender<BTreeMap<String, String>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The demo runs three of these in one process; your program is one of them.
    server::replicas().await
}

/// Runs a replica until `stop`, and then gives the Lease back.
async fn replica(
    name: &str,
    client: Client,
    table: &Table,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let lease = LeaseRef::new(client.default_namespace(), "kube-weir-leader-gated");
    let election = Election::new(client.clone(), lease, name)?.timing(server::timing())?;
    let mut campaign = election.campaign();
    let configs = watch(Api::<ConfigMap>::default_namespaced(client))
        .index(())
        .while_leading(&campaign.watch());
    let work = configs.log_errors().for_each(async |(term, change)| {
        // The work ends with the term, so that it doesn't overlap with the next leader's.
        let written = term.guard(async { write(name, term.number(), &change, table) }).await;
        if let Err(cut) = written {
            println!("{name}: {cut}");
        }
    });
    let compete = async move {
        let news = campaign.by_ref().log_errors().take_until(stop);
        news.for_each(async |_| {}).await;
        println!("{name} gives up");
        campaign.release().await
    };
    tokio::select! {
        given_back = compete => given_back,
        () = work => Ok(()),
    }
}

fn write(name: &str, term: u32, change: &Change<ConfigMap>, table: &Table) {
    match change {
        Change::InitialSync(_) => {} // only `with_progress()`
        // At the start of each term the whole state, including changes while nobody led.
        Change::Synced(snapshot) => {
            let new: BTreeMap<_, _> = snapshot.iter().map(|config| entry(config)).collect();
            let old = table.send_replace(new.clone());
            let missed = new.iter().filter(|(name, version)| old.get(*name) != Some(version));
            let (all, missed) = (new.len(), missed.count());
            println!("{name} leads, term {term}: {all} there, {missed} not yet written");
        }
        Change::Live(batch) => table.send_modify(|table| {
            for delta in batch.deltas() {
                let (config, version) = entry(delta.object());
                println!("{name} writes {config}");
                match delta.after() {
                    Some(_) => table.insert(config, version),
                    None => table.remove(&config),
                };
            }
        }),
    }
}

fn entry(config: &ConfigMap) -> (String, String) {
    (config.name_any(), config.resource_version().unwrap_or_default())
}
