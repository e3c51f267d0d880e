//! Whole pipelines against the in-process API server, on random schedules of writes, failures and idle
//! times, in virtual time: at the end every consumer has the server's state, and has only seen states that
//! the server had.

mod found;
mod oracle;
mod pipeline;
mod script;

use std::{mem, time::Duration};

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube_weir::{
    Document, Error, Store,
    adapters::DebounceHandle,
    testing::{ApiServer, Fault, On, Verb},
};
use proptest::{prelude::*, test_runner::RngAlgorithm};
use serde_json::{Value, json};
use tokio::{
    task::{JoinHandle, yield_now},
    time::{Instant, sleep, timeout},
};

use self::{
    oracle::{Identity, Oracle, check_state, keys, state},
    pipeline::{Consumer, Watched, filter, paced, pipeline},
    script::{Content, Pace, Schedule, Setup, Stages, Step, Trouble, name, namespace, schedule},
};

/// Number of schedules for both kinds of objects together. `PROPTEST_CASES` overrides it, for each kind.
const SCHEDULES: u32 = 10_000;

/// Number of additional schedules with disorder.
const DISORDERS: u32 = 1000;

/// Longer than any stall of a script, or the wait for an answer and the longest delay after it.
const PATIENCE: Duration = Duration::from_secs(240);

fn config(schedules: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(schedules),
        failure_persistence: None,
        max_shrink_time: 120_000,
        // The default generator spends a quarter of the time on drawing numbers.
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(SCHEDULES / 2))]

    /// SEMANTICS: S1, S2, S7, S8, S9, I5, I6, I9, D4, D6, W5, W9
    #[test]
    fn documents_come_to_what_the_server_has(schedule in schedule(Kind::Document)) {
        run::<Document>(&schedule);
    }

    /// SEMANTICS: S1, S2, S7, S8, S9, I5, I6, I9, D4, D6, W5, W6, W9
    #[test]
    fn typed_objects_come_to_what_the_server_has(schedule in schedule(Kind::ConfigMap)) {
        run::<ConfigMap>(&schedule);
    }
}

proptest! {
    #![proptest_config(config(DISORDERS))]

    /// Events in the wrong order, or repeated after later versions, are yielded as received: a watch is
    /// trusted. They are yielded as batches that add up, and the next list corrects the state.
    ///
    /// SEMANTICS: S7, S8, I5, I6
    #[test]
    fn a_list_ends_all_disorder(schedule in schedule(Kind::Disorder)) {
        run::<Document>(&schedule);
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Document,
    ConfigMap,
    /// Returns documents, in any order.
    Disorder,
}

fn run<K: Watched>(schedule: &Schedule) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
        let mut scene = Scene::<K>::new(schedule).await;
        for step in &schedule.steps {
            scene.play(*step).await;
        }
        scene.finish().await;
    });
}

/// Everything that takes part in a schedule.
struct Scene<K> {
    server: ApiServer,
    oracle: Oracle,
    setup: Setup,
    store: Store<K>,
    flusher: Option<DebounceHandle>,
    flushed: bool,
    /// The consumers; the first is the pipeline itself.
    consumers: Vec<Consumer<K>>,
    waiting: JoinHandle<Result<usize, Error>>,
}

impl<K: Watched> Scene<K> {
    async fn new(schedule: &Schedule) -> Self {
        let setup = schedule.setup;
        let server = ApiServer::new();
        let watch = K::watch(server.client()).await;
        let (store, changes, flusher) = pipeline(watch, &setup);
        let garbled = schedule.steps.iter().filter_map(|step| match step.trouble()?.2 {
            Trouble::Garbled(id) => Some(identity(id)),
            _ => None,
        });
        let waiting = store.clone();
        Self {
            server,
            oracle: Oracle::new(setup, garbled.collect(), schedule.is_disordered()),
            setup,
            store,
            flusher,
            flushed: false,
            consumers: vec![Consumer::new(setup.pace, changes)],
            waiting: tokio::spawn(async move { waiting.synced().await.map(|all| all.len()) }),
        }
    }

    async fn play(&mut self, step: Step) {
        match step {
            Step::Put(id, content) => self.put(id, content),
            Step::Delete(id) => self.delete(id),
            Step::Renew(id, content) => {
                self.delete(id);
                self.put(id, content);
            }
            Step::Burst(first, count) => {
                for id in first..first + count {
                    self.put(id % script::OBJECTS, Content::On(id % 4));
                }
            }
            Step::Compact => self.server.compact(),
            Step::Forget => {
                self.server.set_history_limit(0);
                self.server.set_history_limit(usize::MAX);
            }
            Step::Disconnect => self.server.disconnect(),
            Step::Bookmark => self.server.bookmark(),
            Step::Streams(are_there) => self.server.set_streaming_lists(are_there),
            Step::List(..) | Step::Watch(..) => {
                let (on, times, trouble) = step.trouble().unwrap();
                self.server.fault(on, times, trouble.fault());
            }
            Step::Join(pace) => {
                let changes = paced(self.store.changes(), pace).0;
                self.consumers.push(Consumer::new(pace, changes));
            }
            Step::Leave(who) => {
                if who > 0 && who < self.consumers.len() {
                    let gone = self.consumers.remove(who);
                    gone.task.abort();
                    self.oracle.check_story(who, gone.pace, &gone.seen.lock().unwrap());
                }
            }
            Step::Stall(who, ms) => {
                if let Some(consumer) = self.consumers.get(who) {
                    *consumer.busy_until.lock().unwrap() =
                        Instant::now() + Duration::from_millis(ms);
                }
            }
            Step::Restore(writes, seconds, new) => self.restore(writes, seconds, new).await,
            Step::Forbid(place) => self.server.forbid(place.on()),
            Step::Allow(place) => self.server.allow(place.on()),
            Step::Flush => {
                self.flushed = true;
                self.flusher.iter().for_each(DebounceHandle::flush);
            }
            Step::Turn(turns) => {
                for _ in 0..turns {
                    yield_now().await;
                }
            }
            Step::Wait(ms) => sleep(Duration::from_millis(ms)).await,
        }
    }

    /// Restores the server while it is unreachable. The lost writes were seen in each of the namespaces,
    /// because otherwise a loss can't be detected for sure.
    async fn restore(&mut self, writes: u64, seconds: u64, new: u8) {
        if self.oracle.is_disordered {
            return;
        }
        self.server.clear_faults();
        self.server.allow(On::any());
        for id in script::WITNESSES {
            self.put(id, Content::On(2));
            self.put(id, Content::On(3));
        }
        self.until_seen(script::WITNESSES.into_iter()).await;
        self.server.fault(On::any(), usize::MAX, Fault::Refused);
        let now = self.server.resource_version();
        let backup = now.saturating_sub(writes + 2).max(1);
        if (backup..now - 2).any(|version| self.server.restore(version).is_ok()) {
            self.oracle.restored(self.server.objects("configmaps").unwrap());
        }
        self.server.disconnect();
        // Without access to a store only a lower version shows a loss.
        let new = if self.setup.stages == Stages::Any { 0 } else { new };
        for id in 0..new {
            self.put(id % script::OBJECTS, Content::On((id + 1) % 4));
        }
        sleep(Duration::from_secs(seconds)).await;
        self.server.clear_faults();
        // Otherwise the next writes might pass that version.
        self.until_seen((0..script::OBJECTS).chain(script::WITNESSES)).await;
    }

    /// Waits until the store has the watched objects of the server.
    async fn until_seen(&self, ids: impl Iterator<Item = u8> + Clone) {
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        let is_seen = |id: u8| {
            let identity = identity(id);
            let wanted = self.oracle.objects.get(&identity).map(version);
            let found = self.store.get(&identity);
            let found = found.and_then(|found| found.resource_version().map(|own| json!(own)));
            found == wanted
        };
        let seen = async {
            while !ids.clone().all(is_seen) {
                sleep(Duration::from_secs(1)).await;
            }
        };
        // A list may start 5 minutes after a failed one.
        let longest = Duration::from_secs(2 * self.setup.watch_timeout + 600) + PATIENCE;
        timeout(longest, seen).await.expect("what was written is seen");
    }

    fn put(&mut self, id: u8, content: Content) {
        let (on, number) = match content {
            Content::On(number) => ("yes", number),
            Content::Off(number) => ("no", number),
        };
        let mut object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "namespace": namespace(id), "name": name(id),
                "labels": { "on": on },
                "annotations": { "dropped": "}]\\\"{[" },
            },
            "data": { "on": on, "number": number.to_string() },
        });
        // Some objects have no key in one of the indexes.
        if number > 0 {
            object["metadata"]["labels"]["tier"] = (number / 2).to_string().into();
        }
        let stored = self.server.apply(&object).unwrap();
        self.oracle.wrote(&identity(id), Some(&stored));
    }

    fn delete(&mut self, id: u8) {
        if self.server.delete("configmaps", namespace(id), &name(id)).is_ok() {
            self.oracle.wrote(&identity(id), None);
        }
    }

    /// Waits until all failures have ended and all pending work is done.
    async fn settle(&self) {
        self.server.clear_faults();
        self.server.allow(On::any());
        if self.oracle.is_disordered {
            // Otherwise nothing would correct events in the wrong order.
            for namespace in ["a", "b"] {
                self.server.fault(
                    On::verb(Verb::Watch).namespace(namespace),
                    1,
                    Fault::status(410),
                );
            }
            self.server.fault(On::verb(Verb::Watch), 1, Fault::status(410));
        }
        self.server.disconnect();
        // A watch lasts up to twice its timeout.
        sleep(Duration::from_secs(2 * self.setup.watch_timeout) + PATIENCE).await;
    }

    async fn finish(mut self) {
        self.settle().await;
        self.mend().await;
        let report = self.store.report();
        assert_eq!((report.state, &report.stale[..]), ("synced", &[][..]));
        let mut objects = mem::take(&mut self.oracle.objects);
        let filter = filter();
        for object in objects.values_mut() {
            filter.remove(object);
        }
        let snapshot = self.store.snapshot();
        check_state(&snapshot, &objects);
        for index in &report.indexes {
            let counts = objects.values().map(|object| keys(&index.name, object).len());
            let absent = counts.clone().filter(|count| *count == 0).count();
            assert_eq!((index.entries, index.absent), (counts.sum(), absent), "{index:?}");
        }
        assert!(self.waiting.now_or_never().expect("it is synced").unwrap().is_ok());
        // The end of the pipeline ends all consumers.
        let late = self.store.changes();
        self.consumers.push(Consumer::new(Pace::AtOnce, late.boxed()));
        sleep(Duration::from_millis(1)).await;
        self.consumers[0].task.abort();
        for (who, consumer) in self.consumers.iter_mut().enumerate() {
            let ended = timeout(Duration::from_secs(1), &mut consumer.task).await;
            assert!(who == 0 || ended.is_ok_and(|ended| ended.is_ok()), "consumer {who} goes on");
            let seen = consumer.seen.lock().unwrap();
            let last = seen.iter().rev().find_map(|(_, item)| item.as_ref().ok()).unwrap();
            assert_eq!(state(last.snapshot()), state(&snapshot), "consumer {who}");
            let pace = if self.flushed && who == 0 { Pace::AtOnce } else { consumer.pace };
            let synced = self.oracle.check_story(who, pace, &seen);
            assert!(synced, "consumer {who} is not synced");
        }
    }

    /// An object whose last version was garbled is stale until the next version.
    async fn mend(&mut self) {
        let stale = self.store.report().stale;
        if stale.is_empty() {
            return;
        }
        for id in 0..script::OBJECTS {
            let (namespace, name) = identity(id);
            if stale.contains(&format!("{namespace}/{name}")) {
                assert!(self.oracle.is_doubtful(&identity(id)), "{name} is stale");
                self.put(id, Content::On(0));
                self.put(id, Content::On(1));
            }
        }
        self.settle().await;
    }
}

fn identity(id: u8) -> Identity {
    (namespace(id).to_owned(), name(id))
}
