//! Objects of the demo, what changes there, and the fate of three replicas: first `a` leads, then it gives the
//! Lease back and `b` leads; when `b` is killed, `c` takes over. At the end the table is complete.

#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeMap, future::pending, sync::Arc};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube_weir::{LeaseTiming, prelude::*, testing::ApiServer};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{Table, entry, replica};

pub(crate) async fn replicas() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = support::connect(script).await?;
    let end = tokio::spawn(end);
    let table = Arc::new(Table::default());
    let start = |name, patience: Option<Duration>| {
        let (client, table) = (client.clone(), Arc::clone(&table));
        let stop = async move {
            match patience {
                Some(patience) => sleep(patience).await,
                None => pending().await,
            }
        };
        tokio::spawn(async move { replica(name, client, &table, stop).await })
    };

    let first = start("a", Some(Duration::from_secs(1)));
    sleep(Duration::from_millis(200)).await;
    let second = start("b", None);
    first.await??;
    sleep(Duration::from_millis(500)).await;
    start("c", None);
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

/// Shorter than in production, so that the death of `b` is noticed soon.
pub(crate) fn timing() -> LeaseTiming {
    LeaseTiming::default()
        .lease_duration(Duration::from_secs(2))
        .renew_deadline(Duration::from_millis(1400))
        .retry_period(Duration::from_millis(300))
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
