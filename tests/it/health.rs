//! Logs of an outage, and health.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube_weir::{
    EventStreamExt,
    testing::{Answer, End, Fault, On, Verb},
};
use tokio::time::{Instant, sleep};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::DefaultGuard,
};

use crate::{
    logs::Logs,
    wire::{
        DAY, HOUR, MINUTE, SECOND, bookmark, config, configs, drive, drive_changes, failure,
        server_with, warm_up_logs,
    },
};

/// Counts log lines by level and message.
struct Counted {
    lines: Arc<Mutex<Vec<(Level, String)>>>,
    // The drop order matters: each guard restores the previous subscriber.
    _guard: DefaultGuard,
    _spare: Logs,
}

async fn count() -> Counted {
    let spare = warm_up_logs().await;
    let lines = Arc::default();
    crate::logs::ask_always();
    let guard = tracing::subscriber::set_default(Counting(Arc::clone(&lines)));
    Counted { lines, _guard: guard, _spare: spare }
}

impl Counted {
    fn of(&self, level: Level) -> Vec<String> {
        let lines = self.lines.lock().expect("no panic");
        lines.iter().filter(|(own, _)| *own == level).map(|(_, text)| text.clone()).collect()
    }

    fn of_message(&self, level: Level, message: &str) -> usize {
        self.of(level).iter().filter(|text| text.contains(message)).count()
    }
}

struct Counting(Arc<Mutex<Vec<(Level, String)>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write;
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl Subscriber for Counting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("kube_weir")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().expect("no panic").push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// SEMANTICS: W29
#[tokio::test(start_paused = true)]
async fn an_outage_is_one_warning_and_its_end_one_line() {
    let on = || On::any().resource("configmaps");
    for (name, fault, code) in [
        ("refused", Fault::Refused, None),
        ("503", Fault::status(503), Some(503)),
        ("429", Fault::status(429), Some(429)),
        ("403", Fault::status(403), Some(403)),
        ("500", Fault::status(500), Some(500)),
        ("late", Fault::Answer(failure(500, "").late_head(20 * SECOND)), Some(500)),
        ("reset", Fault::Answer(Answer::new(200).end(End::Reset)), None),
        ("nothing", Fault::Answer(Answer::new(200)), None),
    ] {
        let logs = count().await;
        let server = server_with(&["a/x"]);
        let changes = configs(&server).index(());
        let store = changes.store();
        // The next failures are not logged again.
        let driven = drive_changes(changes.log_errors().map(Ok), store);
        driven.store.synced().await.unwrap();
        sleep(2 * SECOND).await;
        let connected = driven.store.status().connected.unwrap();
        server.fault(on(), usize::MAX, fault);
        server.end_watches(On::any(), End::Fin);
        let begun = Instant::now().into_std();
        sleep(HOUR).await;
        assert_eq!(logs.of(Level::WARN).len(), 1, "{name}: {:#?}", logs.of(Level::WARN));
        assert!(logs.of(Level::WARN)[0].contains("stream degraded"), "{name}");
        assert!(logs.of(Level::WARN)[0].contains("error="), "{name}: with the cause");
        assert_eq!(logs.of_message(Level::INFO, "stream recovered"), 0, "{name}");
        assert!(logs.of_message(Level::DEBUG, "stream still degraded") > 20, "{name}");
        let status = driven.store.status();
        let (error, since) = status.failing.unwrap();
        assert_eq!((error.status(), since - begun < MINUTE), (code, true), "{name}");
        assert!(status.connected.is_none() && status.is_synced, "{name}");
        assert!(status.last_word.unwrap() <= begun, "{name}");
        assert!(driven.store.healthy(3 * MINUTE).is_err(), "{name}");
        driven.store.healthy(2 * HOUR).unwrap();

        // Only bookmarks arrive.
        server.clear_faults();
        sleep(6 * MINUTE).await;
        assert_eq!(logs.of(Level::WARN).len(), 1, "{name}: {:#?}", logs.of(Level::WARN));
        assert_eq!(logs.of_message(Level::INFO, "stream recovered"), 1, "{name}");
        let status = driven.store.status();
        assert!(status.failing.is_none() && status.connected.unwrap() > connected, "{name}");
        driven.store.healthy(3 * MINUTE).unwrap();
    }
}

/// A watch that fails for a day while every list works counts as degraded all the time.
///
/// SEMANTICS: W29
#[tokio::test(start_paused = true)]
async fn a_list_between_is_no_recovery_of_the_watch() {
    let logs = count().await;
    let server = server_with(&["a/x"]);
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    server.fault(Verb::Watch, usize::MAX, Fault::status(500));
    server.end_watches(On::any(), End::Fin);
    sleep(DAY).await;
    let warnings = logs.of_message(Level::WARN, "stream degraded");
    assert!(warnings <= 3, "{warnings} warnings in a day");
    assert!(driven.store.status().failing.is_some());
}

/// SEMANTICS: W29
#[tokio::test(start_paused = true)]
async fn a_bookmark_ends_a_failure() {
    let logs = count().await;
    let server = server_with(&["a/x"]);
    let version = server.resource_version();
    let driven = drive(configs(&server));
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    server.fault(Verb::Watch, 2, Fault::status(503));
    // Within the second after which an open watch counts as connected.
    let answer = Answer::new(200).pause(SECOND / 2).chunk(format!("{}\n", bookmark(version)));
    server.fault(Verb::Watch, 1, Fault::Answer(answer.end(End::Never)));
    server.end_watches(On::any(), End::Fin);
    sleep(SECOND / 4).await;
    assert!(driven.store.status().failing.is_some());
    sleep(5 * SECOND).await;
    let status = driven.store.status();
    assert!(status.failing.is_none() && status.last_word.is_some(), "{status:?}");
    assert_eq!(logs.of_message(Level::INFO, "stream recovered"), 1);
}

/// A namespace fails for a long time, while another fails and recovers.
///
/// SEMANTICS: W29
#[tokio::test(start_paused = true)]
async fn the_outages_of_namespaces_are_one() {
    let logs = count().await;
    let server = server_with(&["a/x", "b/x"]);
    let driven = drive(configs(&server).namespaces(["a", "b"]));
    driven.store.synced().await.unwrap();
    sleep(2 * SECOND).await;
    server.forbid(On::any().namespace("a"));
    server.end_watches(On::any().namespace("a"), End::Fin);
    for round in 0..10 {
        sleep(MINUTE).await;
        server.fault(On::verb(Verb::Watch).namespace("b"), 1, Fault::status(503));
        server.end_watches(On::any().namespace("b"), End::Fin);
        server.apply(&config("b/x", &round.to_string())).unwrap();
    }
    sleep(MINUTE).await;
    assert_eq!(driven.data("b", "x").as_deref(), Some("9"));
    assert_eq!(logs.of_message(Level::WARN, "stream degraded"), 1);
    assert_eq!(logs.of_message(Level::INFO, "stream recovered"), 0);
    let (error, since) = driven.store.status().failing.unwrap();
    assert!(
        error.namespace() == Some("a") && Instant::from(since).elapsed() > 10 * MINUTE,
        "{error:?}"
    );
    let collections = driven.store.collections();
    assert!(collections[0].failing.is_some() && collections[1].failing.is_none());
    assert!(collections[1].connected.is_some());
    server.allow(On::any());
    sleep(6 * MINUTE).await;
    assert_eq!(logs.of_message(Level::INFO, "stream recovered"), 1);
}

/// Failures before the first sync are logged like later ones.
///
/// SEMANTICS: W29
#[tokio::test(start_paused = true)]
async fn an_outage_at_the_start_is_one_warning() {
    let logs = count().await;
    let server = server_with(&["a/x"]);
    server.fault(Verb::List, 20, Fault::status(500));
    let driven = drive(configs(&server));
    let status = driven.store.status();
    assert!(!status.is_synced && status.failing.is_none() && status.last_word.is_none());
    sleep(HOUR).await;
    assert!(driven.store.is_synced());
    assert_eq!(logs.of(Level::WARN).len(), 1, "{:#?}", logs.of(Level::WARN));
    assert_eq!(logs.of_message(Level::INFO, "stream recovered"), 1);
}
