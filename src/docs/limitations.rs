//! Limitations: features that this library leaves out, and the bounds of its guarantees.
//!
//! # By design
//!
//! * **States, not histories.** Changes are the difference between two states. An object that was created
//!   and deleted within one debounce, or while the connection was lost, is not mentioned, and ten updates
//!   in one window are one `Modified`. Kubernetes itself has this contract ([level-based
//!   controllers](https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/controllers.md)):
//!   no controller may depend on seeing every event. For an audit, use audit logs.
//! * **No resync.** Informers can deliver all objects again periodically. Nothing is lost here, so there is
//!   nothing to make up for. A controller that must check something outside of the cluster from time to
//!   time takes a timer and a [`snapshot`](crate::Store::snapshot).
//! * **No work queue.** One loop takes one batch after the other. For retries with a delay for each object,
//!   use kube's `Controller`, which can be fed with the changes: see the example `with_controller`.
//! * **Read only.** Write with `kube::Api`. [`wait_for`](crate::Store::wait_for) waits until a write has
//!   arrived.
//! * **Tokio only.** All time is [`tokio::time`], so that tests can pause it.
//! * **JSON only.** The library requests neither CBOR nor protobuf. Watches don't request compression:
//!   since 1.37 the API server compresses each event separately, which kube's client can't read.
//!
//! # The moment of a world
//!
//! The snapshots of a [`World`](crate::World) are published together, and stay together. Each shows its own
//! kind at some resourceVersion. The API server doesn't order the watches of several kinds, and no client
//! can change that. So a Service can be seen a moment before an Ingress that was written earlier.
//! [`resource_versions`](crate::World::resource_versions) returns the version of each kind.
//!
//! # What the API server doesn't report
//!
//! * **Deletions while disconnected** are found by the next list. Their [`Delta`](crate::Delta) has the
//!   last version that was seen, which need not be the object's last version.
//! * **resourceVersions are compared as numbers**, as [KEP-5504](https://kep.k8s.io/5504) allows. If an
//!   aggregated API server has other versions, [`wait_for`](crate::Store::wait_for) and
//!   [`Fetching`](crate::Fetching) know only whether two are equal.
//! * **A restored backup of etcd** is another history with the same numbers. It is detected by versions
//!   that go back, by silence, and by the last writes after an outage: see
//!   [`Watch`](crate::Watch#restored-backups), also for the case that nothing shows it.
//! * **Rights that are revoked** from a running watch show at its next request, after
//!   [`watch_timeout`](crate::Watch::watch_timeout) at the latest.
//!
//! # Several namespaces
//!
//! Each namespace has a list and a watch of its own, behind one stream. Hundreds of namespaces are hundreds
//! of HTTP streams: beyond some dozens, a watch of the whole cluster with a label selector costs less. At
//! most 16 lists wait for their first byte at once. A snapshot shows each namespace at a version of its
//! own.
//!
//! # Indexes
//!
//! * A full key yields its objects in order without sorting. A prefix of a composite key has to sort its
//!   hits: *n* log *n* of them.
//! * An object with *a* values under one path and *b* under another has *a × b* keys in an index of
//!   both.
//! * Keys are strings. `80` and `"80"` are the same key, and numbers don't sort by their
//!   value, unless the index is [`numeric`](crate::Index::numeric).
//! * A closure must depend on the object alone.
//!
//! # `Document`
//!
//! The names of fields are stored once for the process, at most 2,032 of them; further names are stored
//! with each object. [`to_json`](crate::Document::to_json) is compact, with fields and numbers in their
//! original order and form; white space is lost.
//!
//! # Keys and fetching
//!
//! The callers that wait for a fetch poll it, so a future of [`Fetching`](crate::Fetching) that is kept but
//! no longer polled may delay others until their deadline. The watch decides whether an object is absent:
//! right after a write it may still be absent here, until [`wait_for`](crate::Store::wait_for) returns.
//!
//! # Leadership
//!
//! A [`Term`](crate::Term) can't see that the machine itself stood still, and can't call back a write that
//! was sent while it was valid and arrives later. If that matters, write its
//! [`number`](crate::Term::number) with the data and let the storage compare it.
//!
//! # Memory of old snapshots
//!
//! A snapshot that is kept costs the memory of the objects that have been replaced since. In a busy
//! cluster, a snapshot that is kept forever becomes a second copy. Keep keys, not snapshots, in long-lived
//! maps.
//!
//! # Not implemented yet
//!
//! Derived collections (maps and joins that stay up to date), sharded watches by the server
//! (`shardSelector`, alpha in Kubernetes), and recording and replaying of event streams.
