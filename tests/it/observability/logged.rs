//! Log lines, compared with the table in the docs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube_weir::{EventStreamExt, testing::ApiServer, watch};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use super::stories::{self, SECOND, configs, live, relisted, server_with};

/// Returns each message with its level and fields.
type Lines = BTreeMap<String, (String, BTreeSet<String>)>;

/// Returns the log lines of this crate, with the fields that ever had a value.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Lines>>);

struct Line {
    message: String,
    fields: BTreeSet<String>,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => drop(self.fields.insert(name.to_owned())),
        }
    }
}

impl Subscriber for Logged {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target.starts_with("kube_weir") && !target.starts_with("kube_weir::testing")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line { message: String::new(), fields: BTreeSet::new() };
        event.record(&mut line);
        let level = event.metadata().level().to_string();
        let mut all = self.0.lock().expect("no panic while logging");
        let entry = all.entry(line.message).or_insert((level, BTreeSet::new()));
        entry.1.extend(line.fields);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Returns the table in the docs.
fn documented() -> Lines {
    let text = include_str!("../../../src/logs.rs");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    let rows = rows.map(|row| row.split(" | ").map(|cell| cell.trim_end_matches(" |")).collect());
    let of_messages = rows.filter(|row: &Vec<&str>| row.len() == 4 && row[0] != "level");
    let table = of_messages.map(|row| {
        let fields = row[2].split(' ').map(|field| field.trim_matches('`').to_owned());
        (row[1].to_owned(), (row[0].to_owned(), fields.collect()))
    });
    table.collect()
}

#[tokio::test(start_paused = true)]
async fn the_table_is_what_is_logged() {
    crate::logs::ask_always();
    let logged = Logged::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    let server = server_with(&["x", "y"]);
    let mut configs = configs(&server);
    live(&server, &mut configs).await;
    relisted(&server, &mut configs).await;
    drop(configs);
    stories::streaming(&server).await;
    stories::worlds(&server).await;
    stories::fetched(&server).await;
    stories::listed(&server).await;
    stories::led(&server).await;
    stories::degraded(&server).await;

    let (logged, mut documented) = (logged.0.lock().unwrap().clone(), documented());
    assert!(documented.len() > 20, "{documented:#?}");
    for (message, (level, fields)) in logged {
        let row = documented.remove(&message);
        let (own_level, own_fields) =
            row.unwrap_or_else(|| panic!("`{message}` is not in the table"));
        assert_eq!(level, own_level, "{message}");
        assert!(fields.is_subset(&own_fields), "{message}: {fields:?}, and not {own_fields:?}");
        // The set of fields with a value depends on the events.
        let rest: Vec<_> = own_fields.difference(&fields).collect();
        assert!(
            rest.iter()
                .all(|field| ["name", "kind", "namespace", "error"].contains(&field.as_str())),
            "{message}: {rest:?}"
        );
    }
    assert!(documented.is_empty(), "never logged: {:?}", documented.keys());
}

/// SEMANTICS: W7
#[tokio::test(start_paused = true)]
async fn no_log_line_holds_a_secret_wherever_it_goes() {
    let logs = crate::logs::capture();
    let server = ApiServer::new();
    // The fetched Secrets have the values `c2VjcmV0` and `bmV3`.
    stories::fetched(&server).await;
    stories::listed(&server).await;
    let secrets =
        watch(Api::<Secret>::all(server.client())).index(kube_weir::Index::path("type").unwrap());
    let (store, mut changes) = (secrets.store(), pin!(secrets.debounce(SECOND).log_errors()));
    changes.first_synced().await.unwrap();
    for value in ["aHVudGVyMg==", "aHVudGVyMw=="] {
        server.apply(&crate::keys::secret("b/0", "shop", value)).unwrap();
        changes.next().await.unwrap();
    }
    tracing::info!(?store, "a store");
    let text = logs.text();
    assert!(text.contains("object.name=\"0\""), "events are logged: {text}");
    assert!(text.contains("message=fetched"), "fetches are logged: {text}");
    for value in ["c2VjcmV0", "bmV3", "aHVudGVy", "hunter", "secret\""] {
        assert!(!text.contains(value), "{value} is in {text}");
    }
    let report = serde_json::to_string(&store.report()).unwrap();
    assert!(report.contains("v1/secrets") && !report.contains("aHVudGVy"), "{report}");
}
