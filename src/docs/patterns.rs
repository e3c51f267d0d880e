//! How to use it well: the wrong way beside the right one.
//!
//! All code here runs. Where it shows the wrong way, it asserts what goes wrong.
//!
//! 1. [Go on after an error](#go-on-after-an-error)
//! 2. [Have somebody poll](#have-somebody-poll)
//! 3. [Decide on one snapshot](#decide-on-one-snapshot)
//! 4. [Work on what was touched](#work-on-what-was-touched)
//! 5. [Be slow in the loop, not beside it](#be-slow-in-the-loop-not-beside-it)
//! 6. [Watch a kind once](#watch-a-kind-once)
//! 7. [Make one world of what belongs together](#make-one-world-of-what-belongs-together)
//! 8. [Wait for what you wrote](#wait-for-what-you-wrote)
//! 9. [Ask for less](#ask-for-less)
//! 10. [Tell updates apart by what you read](#tell-updates-apart-by-what-you-read)
//! 11. [Ask the term at the moment of writing](#ask-the-term-at-the-moment-of-writing)
//! 12. [Campaign once ready](#campaign-once-ready)
//! 13. [Stop by dropping](#stop-by-dropping)
//!
//! # Go on after an error
//!
//! An `Err` item is an observation: something failed, and is being retried. It is never the end.
//!
//! Wrong, because the first lost connection ends the controller:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube::runtime::watcher::Error::NoResourceVersion;
//! # use kube_weir::{Error, prelude::*, testing::Events};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
//! # let events = || Events::<ConfigMap>::new().fail(NoResourceVersion).list([]);
//! let mut changes = events().index(());
//! # let mut seen = 0;
//! while let Some(Ok(change)) = changes.next().await {
//!     // … and so does `let change = change?;`
//! #   seen += 1;
//! }
//! # assert_eq!(seen, 0);
//! # Ok(()) }
//! ```
//!
//! Right: [`log_errors`](crate::EventStreamExt::log_errors) makes it a stream of changes alone, or
//! you look at the error yourself:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube::runtime::watcher::Error::NoResourceVersion;
//! # use kube_weir::{Error, prelude::*, testing::Events};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
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
//! # Ok(()) }
//! ```
//!
//! # Have somebody poll
//!
//! Nothing runs behind your back: a pipeline works while its stream is polled. So whoever waits for
//! a store must not be the one who should poll.
//!
//! Wrong, because nobody polls while this waits:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::{prelude::*, testing::ApiServer};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube_weir::Error> {
//! # let client = ApiServer::new().client();
//! let configs = watch(Api::<ConfigMap>::all(client)).index(());
//! let store = configs.store();
//! assert!(store.synced().await.is_err()); // after 30 seconds: not synced
//! # Ok(()) }
//! ```
//!
//! Right: [`spawn`](crate::EventStreamExt::spawn) it and keep the handle, or poll it and wait for
//! its own first item by [`first_synced`](crate::EventStreamExt::first_synced).
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::{prelude::*, testing::ApiServer};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube_weir::Error> {
//! # let client = ApiServer::new().client();
//! let configs = watch(Api::<ConfigMap>::all(client.clone())).index(());
//! let store = configs.store();
//! configs.spawn();
//! assert_eq!(store.synced().await?.len(), 0);
//!
//! let mut configs = watch(Api::<ConfigMap>::all(client)).index(());
//! let snapshot = configs.first_synced().await?; // polls
//! # assert!(snapshot.is_empty());
//! # Ok(()) }
//! ```
//!
//! # Decide on one snapshot
//!
//! A [`Store`](crate::Store) shows what is there now, and now moves on between two looks. A
//! [`Snapshot`](crate::Snapshot) never changes; a batch brings the one it belongs to.
//!
//! ```
//! # use k8s_openapi::api::core::v1::Service;
//! # use kube_weir::{Batch, Store};
//! /// Wrong: three looks at three moments. What was counted may not be there any more.
//! fn report(store: &Store<Service>) -> String {
//!     let count = store.snapshot().len();
//!     let web = store.snapshot().in_namespace("web").len();
//!     format!("{web} of {count}, and {}", store.get("web/api").is_some())
//! }
//!
//! /// Right: one moment, that of the change.
//! fn report_on(batch: &Batch<Service>) -> String {
//!     let snapshot = batch.after();
//!     let web = snapshot.in_namespace("web").len();
//!     format!("{web} of {}, and {}", snapshot.len(), snapshot.get("web/api").is_some())
//! }
//! ```
//!
//! To take one is a few nanoseconds, and to keep one costs what has changed since. So give
//! snapshots away, to tasks, to threads, to requests; don't copy out of them.
//!
//! # Work on what was touched
//!
//! Wrong, because it is proportional to all objects at each change: rendering the whole snapshot
//! again. Right: [`touched`](crate::Change::touched) gives the keys of an index whose content is
//! another now, those that an object left too, and all keys once the store is synced. The outputs of a
//! controller mostly have such a key: the host of a proxy's route, the Service of a backend, the owner of a
//! child.
//!
//! ```
//! # use k8s_openapi::api::networking::v1::Ingress;
//! # use kube_weir::{prelude::*, testing::Events};
//! # use std::collections::BTreeMap;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube_weir::Error> {
//! # let ingress = |name: &str, host: &str| serde_json::from_value::<Ingress>(serde_json::json!({
//! #     "metadata": { "namespace": "default", "name": name }, "spec": { "rules": [{ "host": host }] },
//! # })).unwrap();
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
//! # Ok(()) }
//! ```
//!
//! # Be slow in the loop, not beside it
//!
//! Whatever takes its time (a reload, a write to a cloud) belongs into the loop that takes the
//! changes. While it runs, nothing is lost and nothing piles up: what comes meanwhile becomes one net
//! batch. One task for each batch gives that up. Then an older state may be the last to be
//! written.
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::{prelude::*, testing::ApiServer};
//! # use tokio::time::sleep;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube_weir::Error> {
//! # let server = ApiServer::new();
//! # let changes = watch(Api::<ConfigMap>::all(server.client())).index(());
//! # tokio::spawn(async move {
//! #     for write in 0..100 {
//! #         sleep(Duration::from_millis(100)).await;
//! #         server.apply(&serde_json::json!({
//! #             "apiVersion": "v1", "kind": "ConfigMap",
//! #             "metadata": { "name": "settings" }, "data": { "write": write.to_string() },
//! #         })).unwrap();
//! #     }
//! # });
//! # let end = sleep(Duration::from_secs(60));
//! # let mut written = Vec::new();
//! let mut changes = pin!(changes.debounce(Duration::from_millis(100)).log_errors().take_until(end));
//! while let Some(change) = changes.next().await {
//!     if let Change::Live(batch) = change {
//!         sleep(Duration::from_secs(3)).await; // a slow reload
//! #       written.push(batch.after().get("default/settings").unwrap().data.clone().unwrap());
//!     }
//! }
//! # // 100 writes, and the last one is the last one that was seen.
//! # assert!(written.len() < 10 && written.last().unwrap()["write"] == "99", "{written:?}");
//! # Ok(()) }
//! ```
//!
//! # Watch a kind once
//!
//! Wrong: a watch for each part of the program that is interested. Each is a connection, a list and
//! a copy of all objects. Right: one watch, and [`Store::changes`](crate::Store::changes) for each
//! part, with a debounce of its own. A consumer that lags delays nobody, and costs an old version
//! of each object that changed meanwhile, however many events there were.
//!
//! ```
//! # use k8s_openapi::api::core::v1::Service;
//! # use kube_weir::{prelude::*, testing::ApiServer};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube_weir::Error> {
//! # let client = ApiServer::new().client();
//! let services = watch(Api::<Service>::all(client)).index(());
//! let store = services.store();
//! services.spawn();
//!
//! let mut proxy = store.changes();
//! let mut report = pin!(store.changes().debounce(Duration::from_secs(60)));
//! # assert!(proxy.next().await.is_some() && report.next().await.is_some());
//! # Ok(()) }
//! ```
//!
//! Only those who read the whole index should share it: a selector, a filter or a namespace is one
//! for all of them. Two parts that read few of many each have a watch with a selector of its own.
//!
//! # Make one world of what belongs together
//!
//! Wrong: several streams by `select!`, each with its own debounce. The first changes come before
//! all kinds are complete, so things that are merely not loaded yet look deleted; and a rollout that
//! touches four kinds makes four batches. Right: [`world`](fn@crate::world). Its first item comes when
//! all kinds are complete, its debounce is one for all, and each item has a snapshot of each kind.
//! See [the module](mod@crate::worlds).
//!
//! # Wait for what you wrote
//!
//! A store shows what the watch has told, which is a moment behind what you wrote. Wrong: to sleep,
//! or to write into your own copy. Right: give the answer of the API server to
//! [`wait_for`](crate::Store::wait_for).
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube::api::PostParams;
//! # use kube_weir::{prelude::*, testing::ApiServer};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let api = Api::<ConfigMap>::namespaced(ApiServer::new().client(), "default");
//! # let configs = watch(api.clone()).index(());
//! # let store = configs.store();
//! # configs.spawn();
//! # let mut config = ConfigMap::default();
//! # config.metadata.name = Some("settings".into());
//! let written = api.create(&PostParams::default(), &config).await?;
//! let snapshot = store.wait_for(&written).await?; // has it, or what came after
//! # assert!(snapshot.get(("default", "settings")).is_some());
//! # Ok(()) }
//! ```
//!
//! # Ask for less
//!
//! From what saves most to what saves least:
//!
//! 1. Namespaces and label selectors: what the server doesn't send costs nothing.
//!    [`fields`](crate::Watch::fields) too, where the kind has the field.
//! 2. [`index_keys`](crate::Watch::index_keys) where few objects of many are read, as of Secrets.
//! 3. [`filter_fields`](crate::Watch::filter_fields) on the [`Watch`](crate::Watch), before anything
//!    else: fields are stepped over in the text. On kube's `watcher` each object is built first and
//!    then built again without them. `metadata.managedFields` is often much of an object.
//! 4. [`Document`](crate::Document) instead of a Rust type: the least memory, and a path is read in a
//!    fraction of a microsecond; [`parse`](crate::Document::parse) gives the type where it's wanted.
//! 5. [`matching`](crate::Watch::matching): what doesn't match is sent, but not kept.
//!
//! # Tell updates apart by what you read
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
//! Or drop what you don't read: with `filter_fields` on `status` it is not kept. Its updates still
//! arrive, as a modification in which nothing that you have differs; the debounce merges them.
//!
//! # Ask the term at the moment of writing
//!
//! Wrong: to ask once whether this replica leads, and then work. The work may hang for a minute and
//! then write beside the next leader. Right: [`guard`](crate::Term::guard) it. It is cut off when the
//! term ends, and the term ends by its own clock before anybody else can lead. For storage that can
//! compare, write the [`number`](crate::Term::number) with the data.
//!
//! ```
//! # use kube_weir::{Election, Leadership, LeaseRef, prelude::*, testing::ApiServer};
//! # use tokio::time::sleep;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube_weir::Error> {
//! # let client = ApiServer::new().client();
//! # let mut campaign = Election::new(client, LeaseRef::new("default", "web"), "a")?.campaign();
//! # campaign.next().await;
//! let leadership = campaign.watch();
//! # let mut wrote = false;
//! if leadership.is_leading() {
//!     sleep(Duration::from_secs(60)).await; // hangs; the Lease is somebody else's by now
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
//! # Ok(()) }
//! ```
//!
//! [`while_leading`](crate::EventStreamExt::while_leading) goes last in a pipeline, and yields the term
//! with each change. A debounce behind it does not compile: it could deliver a change when the term is over.
//!
//! # Campaign once ready
//!
//! A replica that is elected before it has listed holds the Lease and does nothing. A campaign stands for
//! election only while it is polled, so poll it once the store is synced:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::{Election, LeaseRef, prelude::*, testing::ApiServer};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube_weir::Error> {
//! # let server = ApiServer::new();
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
//! # Ok(()) }
//! ```
//!
//! The store stays current while the replica follows: the stream is polled either way.
//!
//! # Stop by dropping
//!
//! A stream that is dropped has stopped: no task is left, no callback comes later. In a loop,
//! `take_until` ends it at a signal, after the item that is being worked on:
//!
//! ```
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # use kube_weir::{prelude::*, testing::ApiServer};
//! # use tokio::time::sleep;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), kube_weir::Error> {
//! # let client = ApiServer::new().client();
//! # let stop = sleep(Duration::from_secs(1)); // as tokio::signal::ctrl_c()
//! let configs = watch(Api::<ConfigMap>::all(client)).index(());
//! let mut changes = pin!(configs.log_errors().take_until(stop));
//! while let Some(change) = changes.next().await {
//!     // …
//! }
//! // The watch is closed.
//! # Ok(()) }
//! ```
//!
//! A consumer that can't start again, as a loop that fails by `?` in its own work, drops the pipeline
//! with itself; its stores say `ended` then, and those who wait get
//! [`is_ended`](crate::Error::is_ended) instead of waiting for ever.
