//! Log lines, written with [`tracing`](https://docs.rs/tracing). This module has no code.
//!
//! The target is the module, so `RUST_LOG=kube_weir=debug` shows the state of watches, and
//! `kube_weir::source=trace` each event, too. No line has the content of an object. A log line for each
//! event costs only a comparison while it is not enabled.
//!
//! | level | message | fields | do |
//! |---|---|---|---|
//! | WARN | stream degraded, retrying | `resource` `name` `namespace` `error` `reason` `trouble` | if it lasts: look up its `reason` in the [symptoms](crate::docs::operate#symptoms) |
//! | DEBUG | stream still degraded | `resource` `name` `namespace` `error` `reason` `trouble` | as above; each failure after the first |
//! | INFO | stream recovered | `resource` `name` `outage` `failures` | nothing; the store is up to date again |
//! | WARN | skipped an object that can't be decoded | `resource` `name` `error` `reason` | repair the object, or the Rust type: [how](crate::docs::operate#an-object-that-cant-be-decoded) |
//! | DEBUG | skipped another object that can't be decoded | `resource` `name` `error` `reason` | as above; [`StoreReport::stale`](crate::StoreReport::stale) names all |
//! | INFO | all objects can be decoded again | `resource` `name` | nothing |
//! | DEBUG | an error of a stream | `error` `reason` `kind` | nothing; the store has logged it already |
//! | WARN | an error of a stream that no store has logged | `error` `reason` `kind` | look up its [`reason`](crate::ErrorKind) |
//! | INFO | synced | `resource` `name` `objects` | nothing; the program begins its work |
//! | INFO | optional kind is missing, treated as empty | `resource` `name` `reason` | nothing, or install the CRD |
//! | DEBUG | list applied | `resource` `name` `objects` `changes` | nothing; `changes` is small after a relist |
//! | DEBUG | list begins | `resource` `name` `namespace` `streaming` | nothing |
//! | DEBUG | list is complete | `resource` `name` `namespace` `objects` `resource_version` `duration` | compare `duration` with the time that you expect |
//! | DEBUG | no streaming list here, listing in pages | `resource` `name` `error` `reason` | nothing; the API server has no streaming lists |
//! | DEBUG | listing again | `resource` `name` `error` `reason` `delay` | if it is frequent: [lists again and again](crate::docs::operate#lists-again-and-again) |
//! | DEBUG | trying again | `resource` `name` `error` `reason` `delay` | nothing; the watch resumes after `delay` |
//! | DEBUG | watching | `resource` `name` `namespace` `resource_version` | nothing |
//! | DEBUG | the watch ended, resuming | `resource` `name` `namespace` `resource_version` `error` | nothing; without `error` the watch reached its timeout |
//! | TRACE | event | `resource` `name` `change` `object.namespace` `object.name` `resource_version` | nothing |
//! | INFO | world is synced | `kinds` `generation` | nothing; the program begins its work |
//! | DEBUG | kinds were added to the world, or removed | `kinds` | nothing |
//! | DEBUG | listing instead of fetching one by one | `resource` `namespace` `objects` | nothing |
//! | DEBUG | fetching again | `resource` `object.namespace` `object.name` `error` `reason` `delay` | nothing; if it is frequent, look up its `reason` |
//! | DEBUG | not fetched | `resource` `error` `reason` `duration` | look up its `reason` |
//! | TRACE | fetched | `resource` `object.namespace` `object.name` `duration` | nothing |
//! | INFO | leading | `lease` `identity` `number` | nothing |
//! | INFO | following | `lease` `identity` `leader` | nothing; `leader` names the replica that works |
//! | WARN | no longer leading | `lease` `identity` `number` | find the cause: [leadership](crate::docs::operate#leadership-changes-or-is-missing) |
//! | TRACE | renewed | `lease` `identity` `number` `duration` | nothing |
//! | DEBUG | not renewed | `lease` `identity` `number` `duration` `error` `reason` `left` | nothing; the next try is within `left` |
//! | WARN | not renewed, retrying | `lease` `identity` `error` `reason` | nothing, unless `reason` is `Forbidden`; the program is about to end |
//! | INFO | released | `lease` `identity` | nothing |
//! | WARN | not released, retrying | `lease` `identity` `error` `reason` | nothing; the others take over when the Lease expires |
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
