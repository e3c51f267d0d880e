//! Operation: rights, probes, memory, load, and what to do if a controller misbehaves.
//!
//! This page is for people who run a program that is built on this library. It assumes that the program
//! writes its [logs](crate::logs), exports its [metrics](crate::telemetry), and shows
//! [`Store::report`](crate::Store::report) on a debug page.
//!
//! * [Symptoms](#symptoms)
//! * [Rights](#rights)
//! * [Probes](#probes)
//! * [Memory and CPU](#memory-and-cpu)
//! * [Load on the API server](#load-on-the-api-server)
//! * [Logs, metrics, alerts](#logs-metrics-alerts)
//! * [Upgrades](#upgrades)
//! * [Stability](#stability)
//!
//! # Symptoms
//!
//! Metrics are named without their prefix `kube_weir_`. The `reason` is a label of metrics and a field of
//! log lines; [`ErrorKind`](crate::ErrorKind) has all reasons.
//!
//! | symptom | look at | cause | do |
//! |---|---|---|---|
//! | [never synced](#never-synced) | `stores - stores_synced`; the error of [`Store::synced`](crate::Store::synced) | a refusal, no connection, one of several kinds or namespaces, a stream that is not polled | the error names the cause |
//! | [stale, degraded](#stale-or-degraded) | `time() - last_contact_timestamp_seconds`; `state` and `silent_ms` of the report | an outage, a silent connection, a stream that is not polled | usually nothing: it retries by itself |
//! | forbidden | `errors_total{reason="Forbidden"}`; the log line `stream degraded, retrying` | the role lacks a verb, which the error names | grant the [rights](#rights); the retry follows within 30 seconds |
//! | unauthorized | `errors_total{reason="Unauthorized"}` | the token or certificate is missing, wrong or expired | renew the credentials |
//! | not installed | `errors_total{reason="NotInstalled"}` | the CRD is missing, or not served in this version | install the CRD, or make the kind [`optional`](crate::adapters::Indexed::optional) |
//! | [memory grows](#memory-grows) | `store_objects`, `store_index_entries`, `fetch_cached_bytes`; `bytes` of the report | more objects, an index with many keys, snapshots that are kept | select and filter; keep keys, not snapshots |
//! | too many keys | `errors_total{reason="TooManyKeys"}`; `overflowing` of the index in the report | an object has more keys than [`Index::max_keys`](crate::Index::max_keys), 10,000 by default, so it has none in this index | make the object smaller, or raise the limit; lookups miss it until then |
//! | [undecodable object](#an-object-that-cant-be-decoded) | `store_stale_objects`; `stale` of the report | the object doesn't fit its Rust type | repair the object or update the type |
//! | [lists again and again](#lists-again-and-again) | `lists_total` by `reason` | 410, a right to list without the right to watch, a proxy that breaks watches | see the reason |
//! | 429 | `errors_total{reason="Throttled"}`, `requests_total{code="429"}` | the API server is overloaded, or its flow control limits this client | give the service account a higher [priority level]; list less |
//! | [leadership changes, or is missing](#leadership-changes-or-is-missing) | `leader`, `leader_losses_total`, `leader_renew_failures_total` | a slow API server, a blocked task, missing rights | see below |
//! | [a store that nobody polls](#a-store-that-nobody-polls) | `last_contact_timestamp_seconds` stands still, and `errors_total` too | the program doesn't poll the stream | fix the program; a [liveness probe](#probes) restarts it |
//! | [deletes not seen](#deletes-not-seen) | the report's `resource_version`; the `uid` of the object | the change shows the net difference | compare states, don't count events |
//!
//! [priority level]: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
//!
//! ## Never synced
//!
//! [`Store::synced`](crate::Store::synced) returns an error after 30 seconds without progress; its text
//! names the cause and the collections that are missing. [`SyncPolicy`](crate::SyncPolicy) sets the time.
//! The stream goes on nevertheless.
//!
//! | error | cause |
//! |---|---|
//! | [`is_refusal`](crate::Error::is_refusal) | forbidden, unauthorized, not installed, not watchable, or a selector that the API server rejects |
//! | [`is_timeout`](crate::Error::is_timeout) with a source | the last failure, such as `refused` or `tls` |
//! | `nobody polls the stream that fills the store` | the program neither polls the stream nor spawns it |
//! | [`is_ended`](crate::Error::is_ended) | the stream was dropped, or panicked |
//!
//! A [`World`](crate::World) begins when all of its kinds are complete: the error of
//! [`WorldStore::synced`](crate::WorldStore::synced) names the kinds that are missing. With several
//! namespaces, [`SyncPolicy::partial`](crate::SyncPolicy::partial) lets the store begin without those that
//! can't be listed.
//!
//! ## Stale or degraded
//!
//! A degraded store keeps its objects and serves them. `last_error` of the report has the failure. Retries
//! continue for as long as the program runs, so no restart is needed. An idle watch receives a bookmark
//! about once a minute. A connection that broke silently is noticed after 305 seconds at most, with the
//! default [`watch_timeout`](crate::Watch::watch_timeout); with
//! [`max_silence`](crate::Watch::max_silence) it is noticed earlier.
//!
//! ## Memory grows
//!
//! Compare the growth with `store_objects`. If memory grows and the number of objects doesn't, the program
//! keeps old snapshots, deltas or objects, each of which holds the versions that were replaced since:
//! [why](super::limitations#memory-of-old-snapshots). A consumer that lags holds one old version of each
//! object that changed. [`keep_deleted`](crate::adapters::Indexed::keep_deleted) keeps 10,000 deleted
//! objects at most, unless it is set to more.
//!
//! ## An object that can't be decoded
//!
//! The store keeps the last good version of the object, or none; all other objects are unaffected. The
//! usual cause is a CRD whose schema has changed, or a Rust type that requires a field that the CRD makes
//! optional. Repair the object, make the field an `Option`, or use a [`Document`](crate::Document), which
//! holds any JSON object. A new version of the object is decoded as soon as it arrives.
//!
//! ## Lists again and again
//!
//! The label `reason` of `lists_total` has the failure that preceded the list:
//!
//! | reason | cause | do |
//! |---|---|---|
//! | `Initial` | the first list of each collection | nothing; if it rises, the program or its pipelines restart |
//! | `Desynced` | 410: the API server no longer has the version, or etcd was restored | now and then: nothing; often: poll the stream without pauses, see [patterns](super::patterns#be-slow-in-the-loop-not-beside-it) |
//! | `Forbidden` | lists are allowed, watches are not: after three rejected watches comes a list | grant `watch` |
//! | `NotInstalled` | the CRD was removed | install it, or remove the kind from the configuration |
//! | `Connection`, `Timeout` | lists that break off, or no watch for five minutes | look for a proxy with a time limit; raise [`list_patience`](crate::Watch::list_patience) if lists are slow |
//! | `Throttled` | lists are rejected, or no watch for five minutes | as for 429 |
//! | `Poll` | the kind is [polled](crate::Watch::poll) | nothing, or a longer interval |
//!
//! The delay between lists grows from 0.4 seconds to 30 seconds, and to 5 minutes if the watches are rejected.
//!
//! ## Leadership changes, or is missing
//!
//! | sign | cause | do |
//! |---|---|---|
//! | `no longer leading`, preceded by `not renewed` (DEBUG) | no renewal succeeded for the renew deadline, 10 seconds by default | look at `leader_renew_duration_seconds` and at the API server; choose a longer [`LeaseTiming`](crate::LeaseTiming) |
//! | `no longer leading` without it | nobody polled the campaign in time, for instance because a task blocks the runtime | [spawn](crate::EventStreamExt::spawn) the campaign; move blocking work off the runtime |
//! | `leader` is 0 everywhere, errors with `Forbidden` | the role lacks a verb on `leases` | grant the [rights](#rights) |
//! | nobody leads for some 17 seconds after a crash | the Lease must first expire: 15 seconds, and a retry period of up to 2.4 | end programs with [`Campaign::release`](crate::Campaign::release), which hands over at once |
//! | `leader` is 1 on two replicas | a replica hangs: the metric is as old as the last poll | its [`Term`](crate::Term) ends by its own clock; restart the replica |
//! | `leader` in the log names another program | two programs use one Lease | give each a Lease of its own |
//!
//! ## A store that nobody polls
//!
//! There is no background task: a pipeline works only while it is polled. A loop that waits for something
//! else meanwhile holds up its own pipeline. The store then keeps its state, reports no failure, and
//! `silent_ms` rises. [`Store::healthy`](crate::Store::healthy) reports the silence.
//!
//! ## Deletes not seen
//!
//! | case | what the program gets |
//! |---|---|
//! | an object is created and deleted within one debounce, or during an outage | nothing |
//! | an object is deleted and created anew in that time | one [`Modified`](crate::Delta::Modified), with two uids |
//! | an object is deleted during an outage | a [`Deleted`](crate::Delta::Deleted) after the next list or resume |
//! | a namespace or a CRD can no longer be read | no deletions: the objects stay, and the store is degraded; an [`optional`](crate::adapters::Indexed::optional) kind is emptied after 30 seconds without its CRD |
//! | an object has finalizers | a `Modified` with a `deletionTimestamp`; the deletion follows when they are gone |
//!
//! # Rights
//!
//! Rights are per kind. A `Role` in each namespace suffices for a watch of
//! [these namespaces](crate::Watch::namespaces); a watch of the whole cluster takes a `ClusterRole`.
//!
//! | feature | verbs |
//! |---|---|
//! | [`watch`](crate::watch()), [`watch_resource`](crate::watch_resource), [`index_keys`](crate::Watch::index_keys) | `list`, `watch` |
//! | [`poll`](crate::Watch::poll) | `list` |
//! | [`Fetching`](crate::Fetching) | `get`; also `list`, without which many objects are fetched one by one |
//! | [`watch_one`](crate::watch_one) | `list`, `watch`; may be limited by `resourceNames` |
//! | [`namespaces_labelled`](crate::Watch::namespaces_labelled) | also `list`, `watch` on `namespaces` |
//! | [`Election`](crate::Election) | `get`, `create`, `update` on `leases`; `list` and `watch` for speed |
//! | [`into_events`](crate::EventStreamExt::into_events), `matching`, `optional`, `wait_for` | none |
//!
//! [`watch_resource`](crate::watch_resource) also reads discovery (`/api`, `/apis`), which Kubernetes grants
//! to all authenticated users by the role `system:discovery`. The library writes nothing except Leases.
//!
//! A watch of one kind in all namespaces:
//!
//! ```yaml
//! apiVersion: rbac.authorization.k8s.io/v1
//! kind: ClusterRole
//! metadata: { name: ingress-reader }
//! rules:
//!   - apiGroups: [networking.k8s.io]
//!     resources: [ingresses]
//!     verbs: [list, watch]
//! ```
//!
//! Keys of Secrets, and their content on demand. RBAC can't limit `list` to metadata: a program with this role
//! may read every Secret, even if it asks for keys only.
//!
//! ```yaml
//! rules:
//!   - apiGroups: [""]
//!     resources: [secrets]
//!     verbs: [get, list, watch]
//! ```
//!
//! A single object, by its name:
//!
//! ```yaml
//! rules:
//!   - apiGroups: [""]
//!     resources: [configmaps]
//!     resourceNames: [settings]
//!     verbs: [list, watch]
//! ```
//!
//! The kind `configmaps` in the namespaces that have a label, in a `ClusterRole`:
//!
//! ```yaml
//! rules:
//!   - apiGroups: [""]
//!     resources: [namespaces, configmaps]
//!     verbs: [list, watch]
//! ```
//!
//! A leader, in a `Role` in the namespace of the Lease. `create` can't be limited by name:
//!
//! ```yaml
//! rules:
//!   - apiGroups: [coordination.k8s.io]
//!     resources: [leases]
//!     verbs: [create]
//!   - apiGroups: [coordination.k8s.io]
//!     resources: [leases]
//!     resourceNames: [web]
//!     verbs: [get, update, list, watch]
//! ```
//!
//! Without `list` and `watch` the campaign yields a forbidden error from time to time, and a follower notices a
//! release at its next read, after 2.4 seconds at most.
//!
//! # Probes
//!
//! * **Ready** is a program whose stores are synced. In an outage of the API server it stays ready, with the
//!   last state. If an old state is worse than none, use [`healthy`](crate::Store::healthy) with 180
//!   seconds for this probe. Wait for the sync before you [campaign](super::patterns#campaign-once-ready).
//! * **Alive** is a program whose pipelines run. A restart helps if a pipeline ended, or nobody polls it. It
//!   doesn't help if the API server fails: the new process would start with an empty store.
//!
//! The example `probes` serves both over HTTP.
//!
//! ```
//! use k8s_openapi::api::core::v1::Pod;
//! use kube_weir::{prelude::*, testing::{ApiServer, Fault, On}};
//!
//! /// Answers `/readyz`.
//! fn is_ready(pods: &Store<Pod>) -> bool {
//!     pods.is_synced()
//! }
//!
//! /// Answers `/livez`.
//! fn is_alive(pods: &Store<Pod>) -> bool {
//!     // Longer than the watch itself takes to notice a dead connection.
//!     match pods.healthy(Duration::from_secs(600)) {
//!         Ok(()) => true,
//!         Err(error) if error.is_ended() => false,
//!         // The API server is failing, or the program is still loading.
//!         Err(_) => pods.status().failing.is_some() || !pods.is_synced(),
//!     }
//! }
//!
//! # kube_weir::testing::fixture::run(async {
//! let server = ApiServer::new();
//! let pods = watch(Api::<Pod>::all(server.client())).index(());
//! let store = pods.store();
//! let running = pods.spawn();
//! assert!(!is_ready(&store) && is_alive(&store));
//! store.synced().await?;
//! assert!(is_ready(&store) && is_alive(&store));
//!
//! // The API server is away.
//! server.fault(On::any(), 1_000_000, Fault::Refused);
//! server.disconnect();
//! tokio::time::sleep(Duration::from_secs(900)).await;
//! assert!(store.healthy(Duration::from_secs(180)).is_err());
//! assert!(is_ready(&store) && is_alive(&store));
//!
//! // The pipeline has ended.
//! running.stop();
//! assert!(running.await.unwrap_err().is_ended());
//! assert!(!is_alive(&store));
//! # Ok(()) });
//! ```
//!
//! A pipeline that nobody polls fails the liveness probe, too:
//!
//! ```
//! # use k8s_openapi::api::core::v1::Pod;
//! # use kube_weir::prelude::*;
//! # kube_weir::testing::fixture::with_client(async |client| {
//! let mut pods = watch(Api::<Pod>::all(client)).index(());
//! let store = pods.store();
//! pods.first_synced().await?;
//! tokio::time::sleep(Duration::from_secs(900)).await; // nobody polls `pods`
//! assert!(store.healthy(Duration::from_secs(600)).unwrap_err().is_timeout());
//! assert!(store.status().failing.is_none());
//! # Ok(()) });
//! ```
//!
//! Let a `startupProbe` on `/readyz` limit the time of the first list, if anything should.
//!
//! # Memory and CPU
//!
//! | part | memory |
//! |---|---|
//! | objects | number × size in the table below |
//! | index entries | `store_index_entries` pairs of a key and an object, and each key's text once; an index of the namespace and the name costs nothing |
//! | a list in progress | less than 1 MB and its largest object |
//! | a relist in progress | at most 1.3 of the steady state |
//! | a consumer that lags, a snapshot that is kept | an old version of each object that changed since |
//! | [`Fetching`](crate::Fetching) | at most 1,000 objects, made from at most 16 MiB of JSON, by default |
//! | [`keep_deleted`](crate::adapters::Indexed::keep_deleted) | at most 10,000 objects by default |
//!
//! The sizes and times are measured on two cores of an AMD EPYC (see [performance](super::performance)), with
//! `managedFields` and the `status` of Pods dropped:
//!
//! | object, size of its JSON | as | memory | CPU until synced | events per second |
//! |---|---|---|---|---|
//! | Pod, 8.4 KB | [`Document`](crate::Document) | 2.24 KB | 12.5 µs | 49,200 |
//! | | Rust type | 26.0 KB | 48.1 µs | 19,600 |
//! | Ingress, 2.4 KB | `Document` | 1.91 KB | 5.99 µs | 105,000 |
//! | | Rust type | 4.59 KB | 12.7 µs | 52,400 |
//!
//! For instance, 20,000 Pods take 20,000 × 2.24 KB = 45 MB as `Document`s and 520 MB as a Rust type; their
//! list takes 0.25 seconds or 0.96 seconds of CPU. Your objects differ: measure one kind, and multiply. The
//! report's `bytes` has the size of all `Document`s of a store, without the indexes.
//!
//! # Load on the API server
//!
//! Each watch makes these requests for each of its namespaces, or once for the whole cluster:
//!
//! | when | request | default |
//! |---|---|---|
//! | start, [`watch_resource`](crate::watch_resource) only | discovery: `GET` of the group's version; without a version in its name, first of the group | none for a Rust type |
//! | start | `LIST` in pages | [500 objects](crate::Watch::page_size) each |
//! | start, with [`streaming_list`](crate::Watch::streaming_list) | one `WATCH` that begins with all objects, in place of the lists | off |
//! | always | one `WATCH`, renewed when it ends | ends after [150 to 300 seconds](crate::Watch::watch_timeout), at random |
//! | after a connection that broke | a `WATCH` from the last version | at once if it held for a second, else after the [backoff](crate::Backoff) |
//! | after an outage of 3 seconds | a `LIST` with `limit=1`, up to five: has etcd been [restored](crate::Watch#restored-backups)? | |
//! | after 410 | all pages anew | after the backoff |
//! | [`namespaces_labelled`](crate::Watch::namespaces_labelled) | one `LIST` and `WATCH` of `Namespace` metadata | |
//!
//! | limit | default |
//! |---|---|
//! | delay after a failure ([`Backoff`](crate::Backoff)) | 0.8 seconds, doubled up to 30 seconds, jittered down to half |
//! | after a refusal | 3 seconds, doubled up to 30 seconds |
//! | after `Retry-After` | at least as long, up to 5 minutes |
//! | time for a list to begin, and for each object | 60 seconds ([`list_patience`](crate::Watch::list_patience)) |
//! | time for a watch to end | its timeout and 5 seconds |
//! | lists of one watch that wait for their first byte at once | 16 |
//! | requests of a [`Fetching`](crate::Fetching) at once | 16, each call within 30 seconds |
//! | an election | the leader writes the Lease every 2 seconds; a follower reads it every 2 to 2.4 seconds, or less often if its watch works |
//!
//! The first requests of a watch:
//!
//! ```
//! use k8s_openapi::api::core::v1::Pod;
//! use kube_weir::{prelude::*, testing::ApiServer};
//!
//! # kube_weir::testing::fixture::run(async {
//! let server = ApiServer::new();
//! watch(Api::<Pod>::all(server.client())).index(()).spawn();
//! tokio::time::sleep(Duration::from_secs(60)).await;
//!
//! let requests = server.requests();
//! let [list, watch] = &requests[..] else { panic!() };
//! assert!(list.starts_with("GET /api/v1/pods?") && list.contains("limit=500"));
//! assert!(watch.contains("watch=true") && watch.contains("allowWatchBookmarks=true"));
//! # Ok(()) });
//! ```
//!
//! A relist reads all objects again: 20,000 Pods of 8.4 KB are 168 MB of JSON before compression. Selectors
//! ([`labels`](crate::Watch::labels), [`fields`](crate::Watch::fields)) reduce what the API server sends;
//! [`filter_fields`](crate::Watch::filter_fields) and [`matching`](crate::Watch::matching) don't.
//!
//! # Logs, metrics, alerts
//!
//! [`logs`](crate::logs) has a table of all log lines, with what to do about each;
//! [`telemetry`](crate::telemetry) has a table of all metrics. Alerts for Prometheus and a dashboard for
//! Grafana are in [`docs/`](https://github.com/kube-weir/kube-weir/tree/main/docs). At the level INFO a
//! program logs a line when a store syncs, degrades or recovers, and a line when leadership changes.
//!
//! | alert | section |
//! |---|---|
//! | `KubeWeirWatchStuck` | [stale](#stale-or-degraded), or [nobody polls](#a-store-that-nobody-polls) |
//! | `KubeWeirNotSynced` | [never synced](#never-synced) |
//! | `KubeWeirRefused` | [rights](#rights), or an API that is not installed |
//! | `KubeWeirStaleObjects` | [an object that can't be decoded](#an-object-that-cant-be-decoded) |
//! | `KubeWeirListsOften` | [lists again and again](#lists-again-and-again) |
//! | `KubeWeirConsumerSlow` | the consumer needs a longer [debounce](crate::Debounce), or [less work in its loop](super::patterns#be-slow-in-the-loop-not-beside-it) |
//! | `KubeWeirFetchesFail` | [symptoms](#symptoms), by the label `reason` |
//! | `KubeWeirNoLeader`, `KubeWeirTwoLeaders`, `KubeWeirLeaderLost` | [leadership](#leadership-changes-or-is-missing) |
//!
//! # Upgrades
//!
//! **Kubernetes.** Any API server since 1.17 is supported; the tests run against 1.37. When an API server is
//! replaced, its watches break off and resume at another; a list is needed only if the version is too
//! old there. Before an upgrade that removes a version of an API, give the resource [without a version or
//! with several](crate::Gvr), such as `autoscaling/v2,v1/horizontalpodautoscalers`: discovery then chooses one
//! that is served. A Rust type has one version, so build the program with a type of the new version first.
//! After a restore of etcd, read [restored backups](crate::Watch#restored-backups).
//!
//! **CRDs.** A new required field, or a field of another type, makes objects undecodable for a Rust type;
//! upgrade the program before the objects. A `Document` has no such dependency.
//!
//! **kube and k8s-openapi.** Both are part of the public API, so the program must use the same major version of
//! kube as this library: [the table](crate#compatibility-and-versioning). `cargo tree -d` shows whether two
//! are linked. A new major version of kube is followed within weeks by a breaking release of this crate. Your
//! program chooses the Kubernetes version of `k8s-openapi`.
//!
//! **This crate.** The [changelog](https://github.com/kube-weir/kube-weir/blob/main/CHANGELOG.md) lists all
//! changes. Before 1.0 the second number of the version counts breaking changes, and the third all others. A
//! deprecated item stays for one more minor version. Fixes are made for the newest release. Compare your
//! copies of the dashboard and the alerts with the new ones.
//!
//! **Rust.** The minimum version is 1.89, the same as kube's. Raising it is not a breaking change, and happens in
//! a minor version.
//!
//! Replicas of an old and a new version may compete for one Lease, and so may replicas in Go: the protocol is
//! that of client-go.
//!
//! # Stability
//!
//! All features are additive and off by default. A breaking change of any of them is a breaking release.
//!
//! | feature | use it in | what may change in any release |
//! |---|---|---|
//! | none | production | texts of errors and of log lines: match on [`ErrorKind`](crate::ErrorKind), to which kinds may be added |
//! | `metrics` | production | metrics may be added to [`METRICS`](crate::telemetry::METRICS), and values to labels |
//! | `testing` | `dev-dependencies` | the server's answers may come closer to those of a real API server |
//! | `cluster` | `dev-dependencies`, on Unix | the oldest kube-apiserver and etcd that it starts, 1.28 and 3.5 today |
