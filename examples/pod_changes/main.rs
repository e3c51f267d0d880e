//! Changes of Pods, like the calls of an informer's handlers, but merged: one net change per Pod.
//!
//! ```sh
//! cargo run --example pod_changes                 # an API server in this process
//! cargo run --example pod_changes -- --cluster    # your current kube context, until ctrl-c
//! ```
//!
//! It shows the namespace of the context, as kubectl does, and needs `list` and `watch` on `pods`.

mod server;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube_weir::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let changes = watch(Api::<Pod>::default_namespaced(client))
        .filter_fields("metadata.managedFields")?
        .index(())
        .debounce(Duration::from_millis(500))
        .log_errors();

    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        match change {
            Change::InitialSync(_) => {} // only `with_progress()`
            Change::Synced(pods) => println!("{} pods", pods.len()),
            Change::Live(batch) => batch.deltas().iter().for_each(print),
        }
    }
    Ok(())
}

fn print(delta: &Delta<Pod>) {
    let name = delta.object().name_any();
    match delta {
        Delta::Created(pod) => println!("+ {name}: {}", state(pod)),
        // The Pod was deleted and created anew: knowledge about the old one is obsolete.
        Delta::Modified { before, after } if before.uid() != after.uid() => {
            println!("* {name}: another Pod, {}", state(after));
        }
        Delta::Modified { before, after } if state(before) == state(after) => {}
        Delta::Modified { before, after } => {
            println!("~ {name}: {} -> {}", state(before), state(after));
        }
        Delta::Deleted(pod) => println!("- {name}: was {}", state(pod)),
    }
}

/// Returns the phase of a Pod, and the number of its ready containers.
fn state(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    let containers = status.and_then(|status| status.container_statuses.as_deref());
    let ready = containers.unwrap_or_default().iter().filter(|container| container.ready).count();
    format!("{phase}, {ready} ready")
}
