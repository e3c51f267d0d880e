//! What is logged, by [`tracing`](https://docs.rs/tracing). There is no code here.
//!
//! The target is the module, so `RUST_LOG=kube_weir=debug` shows how watches fare, and
//! `kube_weir::source=trace` each event too. No line has the content of an object. What is logged for
//! each event costs a comparison while nobody listens.
//!
//! | level | message | fields |
//! |---|---|---|
//! | WARN | stream degraded, retrying | `resource` `name` `namespace` `error` `reason` `trouble` |
//! | DEBUG | stream still degraded | `resource` `name` `namespace` `error` `reason` `trouble` |
//! | INFO | stream recovered | `resource` `name` `outage` `failures` |
//! | WARN | skipped an object that can't be decoded | `resource` `name` `error` `reason` |
//! | DEBUG | skipped another object that can't be decoded | `resource` `name` `error` `reason` |
//! | INFO | all objects can be decoded again | `resource` `name` |
//! | DEBUG | an error of a stream | `error` `reason` `kind` |
//! | WARN | an error of a stream that no store has logged | `error` `reason` `kind` |
//! | INFO | synced | `resource` `name` `objects` |
//! | INFO | optional kind is missing, treated as empty | `resource` `name` `reason` |
//! | DEBUG | list applied | `resource` `name` `objects` `changes` |
//! | DEBUG | list begins | `resource` `name` `namespace` `streaming` |
//! | DEBUG | list is complete | `resource` `name` `namespace` `objects` `resource_version` `duration` |
//! | DEBUG | no streaming list here, listing in pages | `resource` `name` `error` `reason` |
//! | DEBUG | listing again | `resource` `name` `error` `reason` `delay` |
//! | DEBUG | trying again | `resource` `name` `error` `reason` `delay` |
//! | DEBUG | watching | `resource` `name` `namespace` `resource_version` |
//! | DEBUG | the watch ended, resuming | `resource` `name` `namespace` `resource_version` `error` |
//! | TRACE | event | `resource` `name` `change` `object.namespace` `object.name` `resource_version` |
//! | INFO | world is synced | `kinds` `generation` |
//! | DEBUG | kinds were added to the world, or removed | `kinds` |
//! | DEBUG | listing instead of fetching one by one | `resource` `namespace` `objects` |
//! | DEBUG | fetching again | `resource` `object.namespace` `object.name` `error` `reason` `delay` |
//! | DEBUG | not fetched | `resource` `error` `reason` `duration` |
//! | TRACE | fetched | `resource` `object.namespace` `object.name` `duration` |
//! | INFO | leading | `lease` `identity` `number` |
//! | INFO | following | `lease` `identity` `leader` |
//! | WARN | no longer leading | `lease` `identity` `number` |
//! | TRACE | renewed | `lease` `identity` `number` `duration` |
//! | DEBUG | not renewed | `lease` `identity` `number` `duration` `error` `reason` `left` |
//! | WARN | not renewed, retrying | `lease` `identity` `error` `reason` |
//! | INFO | given back | `lease` `identity` |
//! | WARN | not given back, retrying | `lease` `identity` `error` `reason` |
//!
//! | field | what it is |
//! |---|---|
//! | `resource` | what is watched, as in [`StoreReport`](crate::StoreReport) |
//! | `name` | what [`Watch::named`](crate::Watch::named) says |
//! | `namespace` | that of one of several watches, or of a list; `""` for all of them |
//! | `object.namespace`, `object.name` | which object |
//! | `error`, `reason` | an [`Error`](crate::Error) and its [`reason`](crate::Error::reason) |
//! | `trouble` | the [kind of trouble](crate::Error::trouble) of a connection, or the reason |
//! | `outage`, `failures` | how long the stream was degraded, and how many failures there were |
//! | `kind` | which [kind of a world](crate::Error::of_kind) |
//! | `resource_version` | where a list or a watch is |
//! | `duration`, `delay`, `left` | how long it took; how long until the next try; how long a term is still valid |
//! | `lease`, `identity`, `leader` | the Lease, who competes for it, and who has it |
//! | `number` | that of the [`Term`](crate::Term) |
//!
//! `error` is named as kube names it, and `object.*` lies beside the `object.ref` and `object.reason` of
//! the spans of its `Controller`. kube's client has a span for each request, with `http.method`,
//! `http.url` and `http.status_code`.
