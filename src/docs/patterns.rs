//! Patterns: the wrong way beside the right one.
//!
//! All code here runs. Code that shows the wrong way asserts its failure.
//!
//! 1. [Go on after an error](#go-on-after-an-error)
//! 2. [Poll the stream](#poll-the-stream)
//! 3. [Decide on one snapshot](#decide-on-one-snapshot)
//! 4. [Work on the touched keys](#work-on-the-touched-keys)
//! 5. [Be slow in the loop, not beside it](#be-slow-in-the-loop-not-beside-it)
//! 6. [Watch a kind once](#watch-a-kind-once)
//! 7. [Make one world of kinds that belong together](#make-one-world-of-kinds-that-belong-together)
//! 8. [Wait for your own writes](#wait-for-your-own-writes)
//! 9. [Ask for less](#ask-for-less)
//! 10. [Compare the fields you read](#compare-the-fields-you-read)
//! 11. [Ask the term at the moment of writing](#ask-the-term-at-the-moment-of-writing)
//! 12. [Campaign once ready](#campaign-once-ready)
//! 13. [Stop by dropping](#stop-by-dropping)
//!
//! # Go on after an error
//!
//! An `Err` item reports that something failed and is being retried. It is never the end of the stream.
//!
//! Wrong, because the first lost connection ends the controller:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube::runtime::watcher::Error::NoResourceVersion;
//! # use kube_weir::{prelude::*, testing::Events};
//! # kube_weir::testing::fixture::run(async {
//! # let events = || Events::<ConfigMap>::new().fail(NoResourceVersion).list([]);
//! let mut changes = events().index(());
//! # let mut seen = 0;
//! while let Some(Ok(change)) = changes.next().await {
//!     // … `let change = change?;` ends it, too
//! #   seen += 1;
//! }
//! # assert_eq!(seen, 0);
//! # Ok(()) });
//! ```
//!
//! Right: [`log_errors`](crate::EventStreamExt::log_errors) makes it a stream of changes only, or you look
//! at the error yourself:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube::runtime::watcher::Error::NoResourceVersion;
//! # use kube_weir::{prelude::*, testing::Events};
//! # kube_weir::testing::fixture::run(async {
//! # let events = || Events::<ConfigMap>::new().fail(NoResourceVersion).list([]);
//! let mut changes = events().index(()).log_errors();
//! # let mut seen = 0;
//! while let Some(change) = changes.next().await {
//!     // …
//! #   seen += 1;
//! }
//! # assert_eq!(seen, 1);
//!
//! let mut changes = events().index(());
//! # let mut seen = (0, 0);
//! while let Some(item) = changes.next().await {
//!     match item {
//!         Ok(change) => { /* … */
//! #           seen.0 += 1;
//!         }
//!         Err(error) if error.is_refusal() => { // somebody has to change something
//! #           unreachable!();
//!         }
//!         Err(error) => { // degraded, and retrying
//! #           seen.1 += 1;
//!         }
//!     }
//! }
//! # assert_eq!(seen, (1, 1));
//! # Ok(()) });
//! ```
//!
//! # Poll the stream
//!
//! Nothing runs in the background: a pipeline works while its stream is polled. So the task that polls the
//! stream must not wait for its store.
//!
//! Wrong, because nothing polls the stream during the wait:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::prelude::*;
//! # kube_weir::testing::fixture::with_client(async |client| {
//! let configs = watch(Api::<ConfigMap>::all(client)).index(());
//! let store = configs.store();
//! assert!(store.synced().await.is_err()); // after 30 seconds: not synced
//! # Ok(()) });
//! ```
//!
//! Right: [`spawn`](crate::EventStreamExt::spawn) the stream and keep the handle, or poll it and wait for
//! its own first item by [`first_synced`](crate::EventStreamExt::first_synced).
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::prelude::*;
//! # kube_weir::testing::fixture::with_client(async |client| {
//! let configs = watch(Api::<ConfigMap>::all(client.clone())).index(());
//! let store = configs.store();
//! configs.spawn();
//! assert_eq!(store.synced().await?.len(), 1);
//!
//! let mut configs = watch(Api::<ConfigMap>::all(client)).index(());
//! let snapshot = configs.first_synced().await?; // polls
//! # assert_eq!(snapshot.len(), 1);
//! # Ok(()) });
//! ```
//!
//! # Decide on one snapshot
//!
//! A [`Store`](crate::Store) shows the current state, which may change between two reads. A
//! [`Snapshot`](crate::Snapshot) never changes, and each batch has the snapshot that it belongs to.
//!
//! ```
//! # use k8s_openapi::api::core::v1::Service;
//! # use kube_weir::{Batch, Store};
//! /// Wrong: three reads at three moments. A counted object may be gone by the next read.
//! fn report(store: &Store<Service>) -> String {
//!     let count = store.snapshot().len();
//!     let web = store.snapshot().in_namespace("web").len();
//!     format!("{web} of {count}, and {}", store.get("web/api").is_some())
//! }
//!
//! /// Right: one moment, the moment of the change.
//! fn report_on(batch: &Batch<Service>) -> String {
//!     let snapshot = batch.after();
//!     let web = snapshot.in_namespace("web").len();
//!     format!("{web} of {}, and {}", snapshot.len(), snapshot.get("web/api").is_some())
//! }
//! ```
//!
//! Taking a snapshot costs a few nanoseconds, and keeping it costs the objects that have changed since. So
//! give snapshots away, to tasks, threads and requests; don't copy out of them.
//!
//! # Work on the touched keys
//!
//! Wrong, because the cost of each change is proportional to all objects: rendering the whole snapshot
//! again. Right: [`touched`](crate::Change::touched) returns the keys of an index whose content changed,
//! including keys that an object left, and all keys once the store is synced. The outputs of a controller
//! mostly have such a key: the host of a proxy's route, the Service of a backend, the owner of a child.
//!
//! ```
//! # use kube_weir::{prelude::*, testing::{Events, fixture::ingress}};
//! # use std::collections::BTreeMap;
//! # kube_weir::testing::fixture::run(async {
//! # let events = Events::listed([ingress("a", "one.example"), ingress("b", "two.example")])
//! #     .apply(ingress("b", "three.example"));
//! let host = Index::path("spec.rules[*].host")?;
//! let mut changes = events.index(&host).debounce(Duration::from_millis(500)).log_errors();
//! let mut routes = BTreeMap::new();
//! # let mut rendered = Vec::new();
//! while let Some(change) = changes.next().await {
//!     for key in change.touched(&host) {
//! #       rendered.push(key.to_string());
//!         match change.snapshot().by(&host).get(&key).len() {
//!             0 => drop(routes.remove(&key)),
//!             ingresses => drop(routes.insert(key, ingresses)),
//!         }
//!     }
//! }
//! # assert_eq!(rendered, ["one.example", "two.example", "three.example", "two.example"]);
//! # assert_eq!(routes.len(), 2);
//! # Ok(()) });
//! ```
//!
//! # Be slow in the loop, not beside it
//!
//! Do slow work (a reload, a write to a cloud) in the loop that takes the changes. Meanwhile nothing is
//! lost and nothing piles up: new changes become one net batch. A task for each batch gives this up: then
//! an older state may be the last one written.
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::{prelude::*, testing::fixture::settings};
//! # use tokio::time::sleep;
//! # kube_weir::testing::fixture::with_server(async |server| {
//! # let changes = watch(Api::<ConfigMap>::all(server.client())).index(());
//! # tokio::spawn(async move {
//! #     for write in 0..100 {
//! #         sleep(Duration::from_millis(100)).await;
//! #         server.apply(&settings(&write.to_string())).unwrap();
//! #     }
//! # });
//! # let end = sleep(Duration::from_secs(60));
//! # let mut written = Vec::new();
//! let mut changes = pin!(changes.debounce(Duration::from_millis(100)).log_errors().take_until(end));
//! while let Some(change) = changes.next().await {
//!     if let Change::Live(batch) = change {
//!         sleep(Duration::from_secs(3)).await; // a slow reload
//! #       written.push(batch.after().get("web/settings").unwrap().data.clone().unwrap());
//!     }
//! }
//! # // 100 writes, and the last write is the last one seen.
//! # assert!(written.len() < 10 && written.last().unwrap()["level"] == "99", "{written:?}");
//! # Ok(()) });
//! ```
//!
//! # Watch a kind once
//!
//! Wrong: a watch for each part of the program that needs the kind. Each watch is a connection, a list and
//! a copy of all objects. Right: one watch, and [`Store::changes`](crate::Store::changes) for each part,
//! with a debounce of its own. A consumer that lags delays no other, and costs an old version of each
//! object that changed meanwhile, however many events there were.
//!
//! ```
//! # use k8s_openapi::api::core::v1::Service;
//! # use kube_weir::prelude::*;
//! # kube_weir::testing::fixture::with_client(async |client| {
//! let services = watch(Api::<Service>::all(client)).index(());
//! let store = services.store();
//! services.spawn();
//!
//! let mut proxy = store.changes();
//! let mut report = pin!(store.changes().debounce(Duration::from_secs(60)));
//! # assert!(proxy.next().await.is_some() && report.next().await.is_some());
//! # Ok(()) });
//! ```
//!
//! Share a watch only between parts that read the whole index: a selector, a filter or a namespace applies
//! to all of them. Two parts that read a few of many objects each need a watch with a selector of its own.
//!
//! # Make one world of kinds that belong together
//!
//! Wrong: several streams in a `select!`, each with its own debounce. The first changes come before all
//! kinds are complete, so objects that are not loaded yet look deleted; and a rollout that touches four
//! kinds makes four batches. Right: [`world`](fn@crate::world). Its first item comes when all kinds are
//! complete, one debounce covers all of them, and each item has a snapshot of each kind. See [the
//! module](mod@crate::worlds).
//!
//! # Wait for your own writes
//!
//! A store shows the state that the watch has delivered, a moment behind your write. Wrong: sleeping, or
//! writing into your own copy. Right: pass the API server's answer to [`wait_for`](crate::Store::wait_for).
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube::api::PostParams;
//! # use kube_weir::{prelude::*, testing::fixture::object};
//! # kube_weir::testing::fixture::with_client(async |client| {
//! # let api = Api::<ConfigMap>::default_namespaced(client);
//! # let configs = watch(api.clone()).index(());
//! # let store = configs.store();
//! # configs.spawn();
//! let written = api.create(&PostParams::default(), &object("default", "a")).await?;
//! let snapshot = store.wait_for(&written).await?; // has this version or a later one
//! # assert!(snapshot.get("default/a").is_some());
//! # Ok(()) });
//! ```
//!
//! # Ask for less
//!
//! In the order of savings, largest first:
//!
//! 1. Namespaces and label selectors: objects that the server doesn't send cost nothing. Also
//!    [`fields`](crate::Watch::fields), if the kind supports the field.
//! 2. [`index_keys`](crate::Watch::index_keys) if few of many objects are read, for instance Secrets.
//! 3. [`filter_fields`](crate::Watch::filter_fields) on the [`Watch`](crate::Watch), before any other
//!    stage: fields are skipped in the text. On kube's `watcher` each object is built first and then built
//!    again without them. `metadata.managedFields` is often much of an object.
//! 4. [`Document`](crate::Document) instead of a Rust type: the least memory, and a path is read in a
//!    fraction of a microsecond; [`parse`](crate::Document::parse) returns the type when you need it.
//! 5. [`matching`](crate::Watch::matching): objects that don't match are sent, but not kept.
//!
//! # Compare the fields you read
//!
//! kube's `predicates::generation` and controller-runtime's `GenerationChangedPredicate` suppress an
//! update of the status by comparing `metadata.generation`. `ConfigMap`s, `Secret`s and some other
//! kinds have no generation: kube passes each of their events on, because its predicate can't be
//! evaluated, and controller-runtime, for which the generation is 0 before and after, loses their
//! changes. Changes of labels and annotations don't raise the generation either, so both lose these.
//! Nothing but a repeated resourceVersion is suppressed here, and each
//! [`Delta`](crate::Delta) has the old version and the new one. Compare what you read:
//!
//! ```
//! # use k8s_openapi::api::networking::v1::Ingress;
//! # use kube_weir::{Batch, Delta};
//! fn has_work(batch: &Batch<Ingress>) -> bool {
//!     batch.deltas().iter().any(|delta| match delta {
//!         Delta::Created(_) | Delta::Deleted(_) => true,
//!         Delta::Modified { before, after } => before.spec != after.spec,
//!     })
//! }
//! ```
//!
//! Or drop the fields you don't read: with `filter_fields` on `status` it is not kept. Its updates still
//! arrive, as a modification without a difference in your fields; the debounce merges them.
//!
//! # Ask the term at the moment of writing
//!
//! Wrong: asking once whether this replica leads, and then working. The work may hang for a minute and then
//! write beside the next leader. Right: [`guard`](crate::Term::guard) the work. It is cut off when the term
//! ends, and the term ends by its own clock before another replica can lead. For storage that can compare,
//! write the [`number`](crate::Term::number) with the data.
//!
//! ```
//! # use kube_weir::{Election, LeaseRef, prelude::*};
//! # use tokio::time::sleep;
//! # kube_weir::testing::fixture::with_client(async |client| {
//! # let mut campaign = Election::new(client, LeaseRef::new("default", "web"), "a")?.campaign();
//! # campaign.next().await;
//! let leadership = campaign.watch();
//! # let mut wrote = false;
//! if leadership.is_leading() {
//!     sleep(Duration::from_secs(60)).await; // hangs; another replica holds the Lease now
//!     // write …
//! #   wrote = true;
//! }
//! # assert!(wrote && !leadership.is_leading());
//!
//! # campaign.next().await; // it noticed
//! # campaign.next().await; // and leads again
//! let term = leadership.term().expect("leading again");
//! let work = async {
//!     sleep(Duration::from_secs(60)).await;
//!     // write …
//! #   unreachable!();
//! };
//! assert!(term.guard(work).await.unwrap_err().is_not_leading());
//! # Ok(()) });
//! ```
//!
//! [`while_leading`](crate::EventStreamExt::while_leading) goes last in a pipeline, and yields the term
//! with each change. A debounce behind it does not compile: it could yield a change after the term has
//! ended.
//!
//! # Campaign once ready
//!
//! A replica that is elected before it has listed holds the Lease and does nothing. A campaign competes
//! only while it is polled, so poll it once the store is synced:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::{Election, LeaseRef, prelude::*};
//! # kube_weir::testing::fixture::with_server(async |server| {
//! # let client = server.client();
//! let campaign = Election::new(client.clone(), LeaseRef::new("default", "web"), "replica-a")?.campaign();
//! let configs = watch(Api::<ConfigMap>::all(client)).index(());
//! let store = configs.store();
//! let mut changes = pin!(configs.while_leading(&campaign.watch()).log_errors());
//!
//! tokio::spawn(async move {
//!     store.synced().await?;
//!     campaign.log_errors().for_each(async |_| {}).await;
//!     Ok::<(), kube_weir::Error>(())
//! });
//! let Some((term, Change::Synced(_))) = changes.next().await else { panic!() };
//! # assert!(term.is_valid());
//! # let lists = |plural: &str| {
//! #     server.requests().iter().position(|own| own.contains(plural) && own.starts_with("GET"))
//! # };
//! # assert!(lists("configmaps") < lists("leases"));
//! # Ok(()) });
//! ```
//!
//! The store stays current while the replica follows: the stream is polled either way.
//!
//! # Stop by dropping
//!
//! A dropped stream has stopped: no task is left, and no callback comes later. In a loop, `take_until` ends
//! the stream at a signal, after the current item:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::prelude::*;
//! # use tokio::time::sleep;
//! # kube_weir::testing::fixture::with_client(async |client| {
//! # let stop = sleep(Duration::from_secs(1)); // like tokio::signal::ctrl_c()
//! let configs = watch(Api::<ConfigMap>::all(client)).index(());
//! let mut changes = pin!(configs.log_errors().take_until(stop));
//! while let Some(change) = changes.next().await {
//!     // …
//! }
//! // The watch is closed.
//! # Ok(()) });
//! ```
//!
//! A consumer that can't start again, for instance a loop that fails by `?` in its own work, drops the
//! pipeline with itself; its stores then report `ended`, and tasks that wait get
//! [`is_ended`](crate::Error::is_ended) instead of waiting forever.
