//! Testing a controller with the least powerful test that can fail.
//!
//! | tested | with | time |
//! |---|---|---|
//! | the output for a state | [a snapshot of fixtures](#a-state) | none |
//! | the reaction to a change | [a stream of events](#a-stream) | paused |
//! | requests, rights, failures | [an API server in the process](#a-server) | paused |
//! | a stream of your own | [the conformance suite](#a-stream-of-your-own) | paused |
//! | admission, defaults, garbage collection, other controllers | [a real API server](#a-real-server) | real |
//!
//! All but the last need the feature `testing`, in `dev-dependencies`, and no cluster; the last needs
//! the feature `cluster`:
//!
//! ```toml
//! [dev-dependencies]
//! kube-weir = { version = "0.1", features = ["testing"] }
//! tokio = { version = "1", features = ["full", "test-util"] }
//! ```
//!
//! # A state
//!
//! The core of most controllers is a function from the current state to the desired state. Let it take a
//! [`Snapshot`](crate::Snapshot) or a [`World`](crate::World), and its test needs no stream:
//!
//! ```
//! use k8s_openapi::api::networking::v1::Ingress;
//! use kube_weir::{Index, Snapshot};
//! use serde_json::{from_value, json};
//!
//! fn hosts(snapshot: &Snapshot<Ingress>, host: &Index<Ingress>) -> Vec<String> {
//!     snapshot.by(host).keys().iter().map(ToString::to_string).collect()
//! }
//!
//! let ingress: Ingress = from_value(json!({
//!     "metadata": { "namespace": "shop", "name": "web" },
//!     "spec": { "rules": [{ "host": "shop.example" }, { "host": "www.shop.example" }] },
//! }))?;
//! let host = Index::path("spec.rules[*].host")?;
//! let snapshot = Snapshot::from_objects(&host, [ingress])?;
//! assert_eq!(hosts(&snapshot, &host), ["shop.example", "www.shop.example"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`testing::Manifests`](crate::testing::Manifests) makes snapshots and worlds out of the YAML files that
//! most repositories have anyway. [`testing::fixture`](crate::testing::fixture) has sample objects, and a
//! server that has some.
//!
//! # A stream
//!
//! Every stage works on any stream of kube's events, including `stream::iter([..])`.
//! [`testing::Events`](crate::testing::Events) builds such a stream, with failures and pauses. With
//! `start_paused` Tokio's time jumps to the next timer as soon as no task can run, so a minute takes no
//! time and a debounce is exact:
//!
//! ```
//! use kube_weir::{prelude::*, testing::{Events, fixture::config_map}};
//! use tokio::time::Instant;
//!
//! // #[tokio::test(start_paused = true)]
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn a_storm_becomes_two_batches() {
//!     let mut events = Events::listed([config_map("settings", 1)]);
//!     for version in 2..12 {
//!         events = events.apply(config_map("settings", version)).wait(Duration::from_millis(10));
//!     }
//!     let begun = Instant::now();
//!     let changes = events
//!         .stay_open()
//!         .index(())
//!         .debounce(Duration::from_millis(200))
//!         .log_errors();
//!     let mut changes = pin!(changes);
//!
//!     assert!(matches!(changes.next().await, Some(Change::Synced(_))));
//!     assert!(matches!(changes.next().await, Some(Change::Live(_))));
//!     assert_eq!(begun.elapsed(), Duration::ZERO);
//!     let Some(Change::Live(rest)) = changes.next().await else { panic!() };
//!     assert_eq!(begun.elapsed(), Duration::from_millis(200));
//!     assert_eq!(rest.after().len(), 1);
//! }
//! # a_storm_becomes_two_batches();
//! ```
//!
//! Write your controller over `impl Stream<Item = Result<Change<K>, Error>>`: the test passes a mocked
//! stream, and `main` passes a watch. The example `mocked_stream` is such a test.
//!
//! All stages pay for their work with tokio's [budget](tokio::task::coop) of a task. A test that polls by
//! hand, for instance with `now_or_never`, is pending after about a thousand events until it yields: await
//! the next item instead, or poll in [`unconstrained`](tokio::task::coop::unconstrained).
//!
//! ## A world of mocked events
//!
//! A [world](mod@crate::worlds) takes everything that its kinds have ready, and publishes it as one world.
//! Mocked events are ready at once, so a list and the changes right after it are one item: `Synced`. A
//! pause ([`Events::wait`](crate::testing::Events::wait)) ends the ready events; later events are a batch
//! of their own. Kinds whose pauses end at the same moment share a batch:
//!
//! ```
//! use k8s_openapi::api::core::v1::{ConfigMap, Secret};
//! use kube_weir::{prelude::*, testing::{Events, fixture::object}};
//!
//! # kube_weir::testing::fixture::run(async {
//! let second = Duration::from_secs(1);
//! let configs = Events::<ConfigMap>::listed([object("web", "a")])
//!     .apply(object("web", "b")) // ready together with the list
//!     .wait(second)
//!     .apply(object("web", "c"));
//! let secrets = Events::<Secret>::listed([]).wait(second).apply(object("web", "tls"));
//! let changes = world((configs.index(()), secrets.index(())));
//!
//! let changes: Vec<_> = changes.log_errors().collect().await;
//! let [WorldChange::Synced(world), WorldChange::Live(batch)] = &changes[..] else { panic!() };
//! assert_eq!(world.kinds().0.len(), 2);
//! assert_eq!(batch.stats().created, 2); // `c` and `tls`
//! # Ok(()) });
//! ```
//!
//! # A server
//!
//! [`testing::ApiServer`](crate::testing::ApiServer) answers a real `kube::Client` without a network, and
//! fails when the test asks for it:
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube_weir::{prelude::*, testing::{ApiServer, Fault, Verb}};
//!
//! // #[tokio::test(start_paused = true)]
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn missing_rights_are_reported() -> Result<(), kube_weir::Error> {
//!     let server = ApiServer::new();
//!     server.fault(Verb::List, 3, Fault::status(403));
//!     let configs = watch(Api::<ConfigMap>::all(server.client()));
//!     let mut changes = pin!(configs.index(()));
//!
//!     // What does your controller report, and does it go on once it is allowed to?
//!     for _ in 0..3 {
//!         assert!(changes.next().await.unwrap().unwrap_err().is_forbidden());
//!     }
//!     assert!(changes.next().await.unwrap().is_ok());
//!     Ok(())
//! }
//! # missing_rights_are_reported().unwrap();
//! ```
//!
//! The [module](crate::testing) has tables of its answers and of its faults.
//!
//! # A stream of your own
//!
//! If you build a stage or wrap a pipeline, have it checked:
//! [`testing::conformance`](crate::testing::conformance) leads a server through everything that happens to
//! a cluster, from broken lists to silent connections, and compares the stream's items with the objects on
//! the server, after every step and in every snapshot.
//!
//! # A real server
//!
//! Some behavior must be tested on a real server. A kube-apiserver and an etcd are enough, without nodes.
//! With the feature `cluster`, [`testing::cluster`](crate::testing::cluster) starts both for a test, as
//! controller-runtime's envtest does in Go:
//!
//! ```no_run
//! # // Without the two programs a cluster does not start.
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube_weir::{prelude::*, testing::cluster::Cluster};
//!
//! // #[tokio::test]
//! # #[tokio::main(flavor = "current_thread")]
//! async fn the_store_survives_a_crash() -> Result<(), Box<dyn std::error::Error>> {
//!     let cluster = Cluster::start().await?;
//!     let configs = watch(Api::<ConfigMap>::all(cluster.client().await?));
//!     let pipeline = configs.index(());
//!     let store = pipeline.store();
//!     pipeline.spawn();
//!     store.synced().await?;
//!
//!     cluster.kill_apiserver().await?;
//!     cluster.start_apiserver().await?;
//!     assert!(store.is_synced());
//!     Ok(())
//! }
//! # the_store_survives_a_crash().unwrap();
//! ```
//!
//! Both programs are taken from the folder that `KUBEBUILDER_ASSETS` names, for instance a folder made by
//! [`setup-envtest`](https://pkg.go.dev/sigs.k8s.io/controller-runtime/tools/setup-envtest).
