//! What this library doesn't do, and where its promises end.
//!
//! # By design
//!
//! * **States, not histories.** It tells the difference between what was and what is. An object that
//!   was created and deleted within one debounce, or while the connection was lost, is not
//!   mentioned, and of ten updates in one window there is one `Modified`. That is the contract of
//!   Kubernetes itself ([level-based
//!   controllers](https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/controllers.md)):
//!   nobody may depend on seeing every event. For an audit, use audit logs.
//! * **No resync.** Informers can tell all objects again every so often. Nothing is lost here, so
//!   there is nothing to make up for. Who has to look at something outside of the cluster now and
//!   then takes a timer and a [`snapshot`](crate::Store::snapshot).
//! * **No work queue.** One loop takes one batch after the other. Retries with a delay for each object
//!   are what kube's `Controller` is for, which can be fed with what changed: see the example
//!   `with_controller`.
//! * **Read only.** Writing is `kube::Api`'s affair. [`wait_for`](crate::Store::wait_for) tells when a
//!   write has arrived.
//! * **Tokio only.** All time is [`tokio::time`], so that tests can stop it.
//! * **JSON only.** Neither CBOR nor protobuf is asked for. Watches ask for no compression: since 1.37
//!   the API server compresses each event by itself, which kube's client can't read.
//!
//! # What a world's moment is
//!
//! The snapshots of a [`World`](crate::World) are published together, and stay together. Each shows
//! its own kind at some resourceVersion; the watches of several kinds are not ordered among each
//! other by the API server, and nothing that a client does can change that. So a Service can be seen
//! a moment before the Ingress that was written first.
//! [`resource_versions`](crate::World::resource_versions) tells how far each is.
//!
//! # What the API server doesn't tell
//!
//! * **Deletions while disconnected** are found by the next list. Their [`Delta`](crate::Delta) has the
//!   last version that was seen, which need not be the last one that there was.
//! * **resourceVersions are compared as numbers**, as
//!   [KEP-5504](https://kep.k8s.io/5504) allows. With an aggregated API server that has others,
//!   [`wait_for`](crate::Store::wait_for) and [`Fetching`](crate::Fetching) know only whether two are
//!   the same.
//! * **A restored backup of etcd** is another history with the same numbers. It is found by versions
//!   that go back, by silence, and by what was written last after an outage: see
//!   [`Watch`](crate::Watch#restored-backups), also for the case that nothing shows.
//! * **Rights that are taken away** from a running watch show at its next request, which is after
//!   [`watch_timeout`](crate::Watch::watch_timeout) at the latest.
//!
//! # Several namespaces
//!
//! Each is a list and a watch of its own, behind one stream. Hundreds of them are hundreds of
//! connections' worth of streams: beyond some dozens, a watch of the whole cluster with a label
//! selector costs less. At most 16 lists wait for their first byte at once. A snapshot shows each
//! namespace at a version of its own.
//!
//! # Indexes
//!
//! * A full key gives its objects in order as they come. A prefix of a composite key has to sort what
//!   it found: *n* log *n* of the hits.
//! * An object with *a* values under one path and *b* under another has *a × b* keys in an index of
//!   both.
//! * Keys are strings. `80` and `"80"` are the same key, and numbers don't sort by their
//!   value, unless the index is [`numeric`](crate::Index::numeric).
//! * A closure must depend on the object alone.
//!
//! # `Document`
//!
//! The names of fields are kept once for the process, at most 2,032 of them; further ones are kept
//! with each object. [`to_json`](crate::Document::to_json) is compact, with the fields in their order
//! and numbers as they came; white space is not kept.
//!
//! # Keys and fetching
//!
//! A fetch is polled by those who wait for it, so a future of [`Fetching`](crate::Fetching) that is
//! kept but polled no more may hold up others until their deadline. Absence is what the watch says:
//! right after a write it may still be absent here, until [`wait_for`](crate::Store::wait_for) says
//! otherwise.
//!
//! # Leadership
//!
//! A [`Term`](crate::Term) can't see that the machine itself stood still, and can't call back a write
//! that was sent while it was valid and arrives later. Where that matters, its
//! [`number`](crate::Term::number) is written with the data and compared by the storage.
//!
//! # Memory of old snapshots
//!
//! A snapshot that is kept costs the objects that have been replaced since. One that is kept for ever
//! in a busy cluster ends as a second copy. Keep keys, not snapshots, in long-lived maps.
//!
//! # What is not there yet
//!
//! Derived collections (maps and joins that stay up to date), sharded watches by the server
//! (`shardSelector`, alpha in Kubernetes), and recording and replaying of event streams.
