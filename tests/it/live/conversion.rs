//! A conversion webhook that fails while objects are watched in a version that needs it.

use std::sync::{Arc, Mutex};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use kube_weir::watch_resource;
use tokio::time::Instant;
use tracing::instrument::WithSubscriber;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::*;
use crate::apiserver::{ADMIN, server};

const GROUP: &str = "conversion.example.com";
const WATCH: Duration = Duration::from_secs(3);

/// The lines of this crate at INFO and above.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn with(&self, text: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("kube_weir") && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(format!("{} {}", event.metadata().level(), message.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Returns the definition: stored as `v1`, and converted by a webhook that does not exist, or without
/// conversion.
fn crd(is_broken: bool) -> CustomResourceDefinition {
    let version = |name: &str, storage| {
        let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        let schema = json!({ "openAPIV3Schema": schema });
        json!({ "name": name, "served": true, "storage": storage, "schema": schema })
    };
    let conversion = if is_broken {
        // Nothing listens on the port of discard.
        let webhook = json!({
            "clientConfig": { "url": "https://127.0.0.1:9/convert" },
            "conversionReviewVersions": ["v1"],
        });
        json!({ "strategy": "Webhook", "webhook": webhook })
    } else {
        json!({ "strategy": "None" })
    };
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("gears.{GROUP}") },
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": { "plural": "gears", "singular": "gear", "kind": "Gear" },
            "versions": [version("v1", true), version("v2", false)],
            "conversion": conversion,
        },
    });
    serde_json::from_value(crd).unwrap()
}

async fn convert(client: &Client, is_broken: bool) {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let (name, params) = (format!("gears.{GROUP}"), PatchParams::apply("kube-weir").force());
    soon("a patch", crds.patch(&name, &params, &Patch::Apply(crd(is_broken)))).await.unwrap();
}

/// Uses a client like that of `Client::try_default`, whose own retries would hide the failure.
///
/// SEMANTICS: W17, W13, W29
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_breaks_is_an_item_at_once_and_one_warning() {
    let Some(cluster) = server().await else {
        return;
    };
    let namespace = cluster.namespace("conversion").await;
    let client = cluster.client().await;
    cluster.install([crd(false)]).await.unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", "Gear"));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    custom::make_first(&api, &DynamicObject::new("a", &resource)).await;

    let config = cluster.config(ADMIN).await;
    assert!(config.default_retry, "as `Client::try_default` has it");
    let gvr = Gvr::parse(&format!("{GROUP}/v2/gears")).unwrap();
    let watch =
        watch_resource(Client::try_from(config).unwrap(), gvr).unwrap().namespace(&namespace);
    let watch = watch.watch_timeout(WATCH).index(());
    let store = watch.store();
    crate::logs::ask_always();
    let lines = Lines::default();
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let polled = watch.map(Ok).forward(sender).with_subscriber(lines.clone());
    let _polling = tokio::spawn(polled);
    let mut consumer = Consumer::of(receiver);
    consumer.synced().await;

    let begun = Instant::now();
    convert(&client, true).await;
    consumer.until("an item", |seen| !seen.errors.is_empty()).await;
    let noticed = begun.elapsed();
    // The open watch ends when the definition changes, at the latest with its timeout.
    assert!(noticed < 3 * WATCH, "{noticed:.1?}");
    custom::make_first(&api, &DynamicObject::new("b", &resource)).await;
    consumer.until("more items", |seen| seen.errors.len() > 3).await;
    assert_eq!(store.snapshot().len(), 1, "it keeps what it has");
    assert_eq!(lines.with("WARN stream degraded"), 1, "{lines:?}");
    assert_eq!(lines.with("INFO stream recovered"), 0, "{lines:?}");

    let begun = Instant::now();
    convert(&client, false).await;
    consumer.logged(&["+b"]).await;
    let recovered = begun.elapsed();
    let path = format!("/apis/{GROUP}/v2/namespaces/{namespace}/gears");
    assert_equal_to_list(&client, &path, &store).await;
    assert!(store.status().failing.is_none(), "{:?}", store.status());
    assert_eq!(lines.with("WARN"), 1, "{lines:?}");
    assert_eq!(lines.with("INFO stream recovered"), 1, "{lines:?}");
    let errors = consumer.seen().errors;
    assert!(errors.iter().any(|error| error.to_string().contains("conversion")), "{errors:#?}");
    let statuses: Vec<_> = errors.iter().map(kube_weir::Error::status).collect();
    say(&format!(
        "conversion: an item after {noticed:.1?}, recovered after {recovered:.1?}; failures: {statuses:?}"
    ));
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.lock().unwrap().fmt(f)
    }
}
