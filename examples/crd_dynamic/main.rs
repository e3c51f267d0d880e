//! A kind without a Rust type, whose `CustomResourceDefinition` may be installed later: the watch
//! waits for it, and starts by itself.
//!
//! ```sh
//! cargo run --example crd_dynamic                 # an API server in this process
//! cargo run --example crd_dynamic -- --cluster    # your current kube context, until ctrl-c
//! ```
//!
//! The kind is the `CronTab` of the [documentation]. The program needs `list` and `watch` on
//! `crontabs.stable.example.com`, in all namespaces.
//!
//! [documentation]: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/

mod server;

use kube_weir::prelude::*;
use serde::Deserialize;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let kind = Gvr::parse("stable.example.com/v1/crontabs")?;
    let schedule = FieldPath::parse("spec.cronSpec")?; // checked once, here
    let changes =
        watch_resource(client, kind.clone())?.index(()).debounce(Duration::from_millis(500));

    let mut changes = pin!(changes.take_until(end));
    while let Some(item) = changes.next().await {
        match item {
            Ok(Change::InitialSync(_)) => {} // only `with_progress()`
            Ok(Change::Synced(crontabs)) => {
                println!("{} crontabs", crontabs.len());
                for crontab in &crontabs {
                    println!("  {}", describe(crontab, &schedule));
                }
            }
            Ok(Change::Live(batch)) => {
                for delta in batch.deltas().iter().filter(|delta| is_news(delta)) {
                    let sign = match delta {
                        Delta::Created(_) => '+',
                        Delta::Modified { .. } => '~',
                        Delta::Deleted(_) => '-',
                    };
                    println!("{sign} {}", describe(delta.object(), &schedule));
                }
            }
            // An observation, like any error: the watch retries.
            Err(error) if error.is_not_installed() => println!("waiting for {kind}"),
            Err(error) => eprintln!("{error}"),
        }
    }
    Ok(())
}

/// Returns whether the `spec` changed: `Value` compares any content.
fn is_news(delta: &Delta<Document>) -> bool {
    let spec = |object: &Document| object.to_value()["spec"].take();
    delta.before().map(|old| spec(old)) != delta.after().map(|new| spec(new))
}

/// The fields that this program needs, of a kind with many more.
#[derive(Deserialize)]
struct CronTab {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    image: String,
    #[serde(default)]
    replicas: u32,
}

fn describe(crontab: &Document, schedule: &FieldPath) -> String {
    let name = crontab.name();
    let schedule = crontab.get(schedule).join(""); // one field: nothing else is decoded
    match crontab.parse() {
        Ok(CronTab { spec: Spec { image, replicas } }) => {
            format!("{name}: {schedule}, {replicas} of {image}")
        }
        Err(error) => format!("{name}: {schedule}, {error}"),
    }
}
