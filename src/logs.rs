//! Log lines, written with [`tracing`](https://docs.rs/tracing). This module has no code.
//!
//! The target is the module, so `RUST_LOG=kube_weir=debug` shows the state of watches, and
//! `kube_weir::source=trace` each event, too. No line has the content of an object. A log line for each
//! event costs only a comparison while it is not enabled.
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
//! | INFO | released | `lease` `identity` |
//! | WARN | not released, retrying | `lease` `identity` `error` `reason` |
//!
//! | field | value |
//! |---|---|
//! | `resource` | the watched resource, as in [`StoreReport`](crate::StoreReport) |
//! | `name` | the name given to [`Watch::named`](crate::Watch::named) |
//! | `namespace` | the namespace of a list, or of one of several watches; `""` for all namespaces |
//! | `object.namespace`, `object.name` | the identity of the object |
//! | `error`, `reason` | an [`Error`](crate::Error) and its [`reason`](crate::Error::reason) |
//! | `trouble` | the [kind of trouble](crate::Error::trouble) of a connection, or the reason |
//! | `outage`, `failures` | the duration of the degraded state, and the number of failures in it |
//! | `kind` | the [kind of a world](crate::Error::of_kind) |
//! | `resource_version` | the position of a list or a watch |
//! | `duration`, `delay`, `left` | the time taken; the time until the next try; the remaining validity of a term |
//! | `lease`, `identity`, `leader` | the Lease, the candidate for it, and its holder |
//! | `number` | the number of the [`Term`](crate::Term) |
//!
//! `error` has the same name as in kube, and `object.*` is next to the `object.ref` and `object.reason`
//! of the spans of its `Controller`. kube's client has a span for each request, with `http.method`,
//! `http.url` and `http.status_code`.
