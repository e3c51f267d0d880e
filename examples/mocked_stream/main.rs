//! Test of a controller without a cluster, and without waiting.
//!
//! ```sh
//! cargo test --example mocked_stream     # with assertions
//! cargo run --example mocked_stream      # the same, printed
//! ```
//!
//! `serve_hosts` takes any stream of events: `watch(api)` in production; here `stream::iter([..])`
//! if only the order matters, and `testing::Events` for tests of time and failures. Time is virtual,
//! so a debounce of an hour would be no slower.

#[cfg(test)]
mod tests;

use futures::Stream;
use k8s_openapi::api::networking::v1::Ingress;
use kube::runtime::watcher;
use kube_weir::{Error, adapters::EventItem, prelude::*, testing::Events};
use serde_json::json;

/// The controller: sends commands to a proxy: hosts to serve, to reload, and to drop.
async fn serve_hosts<S>(ingresses: S, mut send: impl FnMut(String)) -> Result<(), Error>
where
    S: Stream<Item: EventItem<Object = Ingress>>,
{
    let host = Index::path("spec.rules[*].host")?;
    let mut changes = pin!(ingresses.index(&host).debounce(Duration::from_secs(1)).log_errors());
    while let Some(change) = changes.next().await {
        match change {
            Change::InitialSync(_) => {} // only `with_progress()`
            Change::Synced(snapshot) => {
                for key in snapshot.by(&host).keys() {
                    send(format!("serve {key}"));
                }
            }
            Change::Live(batch) => {
                for key in batch.touched(&host) {
                    let found = [batch.before(), batch.after()]
                        .map(|snapshot| snapshot.by(&host).get(&key).len());
                    send(match found {
                        [0, _] => format!("serve {key}"),
                        [_, 0] => format!("drop {key}"),
                        _ => format!("reload {key}"),
                    });
                }
            }
        }
    }
    Ok(())
}

/// Returns the commands until the stream ends.
async fn commands<S>(ingresses: S) -> Vec<String>
where
    S: Stream<Item: EventItem<Object = Ingress>>,
{
    let mut commands = Vec::new();
    serve_hosts(ingresses, |line| commands.push(line)).await.expect("valid paths");
    commands
}

/// Returns the events of a minute.
fn events() -> Events<Ingress> {
    Events::listed([ingress("web", 1, "example.com")])
        .wait(Duration::from_secs(20))
        .apply(ingress("shop", 2, "shop.example.com")) // a lone change goes out at once,
        .apply(ingress("tmp", 3, "tmp.example.com"))
        .delete(ingress("tmp", 4, "tmp.example.com")) // what comes and goes at the next moment never,
        .wait(Duration::from_secs(20))
        .fail(watcher::Error::NoResourceVersion) // a failure ends nothing,
        .list([ingress("shop", 5, "example.com")]) // and a relist is what differs.
        .wait(Duration::from_secs(20))
}

fn ingress(name: &str, version: u32, host: &str) -> Ingress {
    let metadata = json!({ "name": name, "uid": name, "resourceVersion": version.to_string() });
    let ingress = json!({ "metadata": metadata, "spec": { "rules": [{ "host": host }] } });
    serde_json::from_value(ingress).expect("an Ingress")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for line in commands(events()).await {
        println!("{line}");
    }
}
