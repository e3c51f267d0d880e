//! Two replicas of which one acts; nothing is lost when it gives up or dies.
//!
//! ```sh
//! cargo run --example leader_gated
//! cargo run --example leader_gated -- --cluster
//! ```
//!
//! Both watch the `ConfigMaps` of their own namespace all the time; `while_leading` passes the
//! changes only in the leading replica, which keeps a table of versions up to date. First `a`
//! leads, then it gives the Lease back and `b` leads; when `b` is killed, another replica, `c`, takes over.
//! At the end the table is complete.
//!
//! On a cluster it writes the Lease `kube-weir-leader-gated`, and needs `get`, `list`, `watch`,
//! `create` and `update` on leases, and `list` and `watch` on configmaps.

#[path = "support/mod.rs"]
mod support;

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, ResourceExt, api::ListParams};
use kube_weir::{Campaign, Election, Error, LeaseRef, LeaseTiming, prelude::*, testing::ApiServer};
use serde_json::json;
use tokio::{
    sync::watch::Sender,
    time::{sleep, timeout},
};

/// The table that the leader writes: here names and versions, in memory.
type Table = Sender<BTreeMap<String, String>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = support::connect(script).await?;
    let end = tokio::spawn(end);
    let table = Arc::new(Table::default());
    let start =
        |name, patience| tokio::spawn(replica(name, client.clone(), Arc::clone(&table), patience));

    let first = start("a", Duration::from_secs(1));
    sleep(Duration::from_millis(200)).await;
    let second = start("b", Duration::MAX);
    first.await??;
    sleep(Duration::from_millis(500)).await;
    start("c", Duration::MAX);
    sleep(Duration::from_secs(1)).await;
    second.abort();
    assert!(second.await.is_err());
    println!("b was killed");
    end.await?;

    let there = Api::<ConfigMap>::default_namespaced(client).list(&ListParams::default()).await?;
    let there: BTreeMap<_, _> = there.iter().map(entry).collect();
    let mut written = table.subscribe();
    timeout(Duration::from_secs(5), written.wait_for(|table| *table == there)).await??;
    println!("All {} are in the table, each in the version that it has", there.len());
    Ok(())
}

/// Runs a replica that gives up after a while.
async fn replica(
    name: &str,
    client: Client,
    table: Arc<Table>,
    patience: Duration,
) -> Result<(), Error> {
    // Shorter than in production: the death of `b` is noticed after a lease duration.
    let timing = LeaseTiming::default()
        .lease_duration(Duration::from_secs(2))
        .renew_deadline(Duration::from_millis(1400))
        .retry_period(Duration::from_millis(300));
    let lease = LeaseRef::new(client.default_namespace(), "kube-weir-leader-gated");
    let campaign = Election::new(client.clone(), lease, name)?.timing(timing)?.campaign();

    let configs = watch(Api::<ConfigMap>::default_namespaced(client))
        .index(())
        .while_leading(&campaign.watch());
    let work = async {
        let mut changes = pin!(configs.log_errors());
        while let Some((term, change)) = changes.next().await {
            // The work ends with the term, so that it doesn't overlap with the next leader's.
            if let Err(cut) =
                term.guard(async { write(name, term.number(), &change, &table) }).await
            {
                println!("{name}: {cut}");
            }
        }
    };
    tokio::select! {
        given_back = compete(name, campaign, patience) => given_back,
        () = work => Ok(()),
    }
}

async fn compete(name: &str, mut campaign: Campaign, patience: Duration) -> Result<(), Error> {
    let mut over = pin!(sleep(patience));
    loop {
        tokio::select! {
            () = &mut over => {
                println!("{name} gives up");
                return campaign.release().await;
            }
            item = campaign.next() => if let Some(Err(error)) = item {
                eprintln!("{error}");
            }
        }
    }
}

fn write(name: &str, term: u32, change: &Change<ConfigMap>, table: &Table) {
    match change {
        Change::InitialSync(_) => {}
        // At the start of each term the whole state, including changes while nobody led.
        Change::Synced(snapshot) => {
            let new: BTreeMap<_, _> = snapshot.iter().map(|config| entry(config)).collect();
            let old = table.send_replace(new.clone());
            let missed =
                new.iter().filter(|(name, version)| old.get(*name) != Some(version)).count();
            println!("{name} leads, term {term}: {} there, {missed} not yet written", new.len());
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

/// Writes one of five `ConfigMaps` every 250 ms.
async fn script(server: ApiServer) {
    for number in 0..24 {
        let name = format!("config-{}", number % 5);
        server
            .apply(&json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name },
                "data": { "number": number.to_string() },
            }))
            .expect("a valid ConfigMap");
        sleep(Duration::from_millis(250)).await;
    }
}
