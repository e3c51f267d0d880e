//! An in-process API server for tests of controllers: feature `testing`.
//!
//! Stages behind a watch can be tested with [`Events`], without a server; [`conformance`] checks
//! that a pipeline keeps the rules while its server fails; [`Manifests`] reads objects
//! from YAML files; [`fixture`] has sample objects, and runs doc tests.
//!
//! [`ApiServer`] is a [`tower::Service`] that answers like a Kubernetes API server, so a real
//! [`kube::Client`] and everything built on it run against it: no cluster, no network, no threads, and only
//! the time of [`tokio::time`], which a test can pause.
//!
//! ```
//! use futures::{StreamExt, TryStreamExt};
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::{Api, api::{WatchEvent, WatchParams}};
//! use kube_weir::testing::ApiServer;
//! use serde_json::json;
//!
//! # kube_weir::testing::fixture::run(async {
//! let server = ApiServer::new();
//! let settings: Api<ConfigMap> = Api::default_namespaced(server.client());
//!
//! // A test writes with the handle, or with a client.
//! server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}))?;
//! let list = settings.list(&Default::default()).await?;
//! assert_eq!(list.items.len(), 1);
//!
//! // Lists and watches show one history.
//! let version = list.metadata.resource_version.unwrap_or_default();
//! let mut events = settings.watch(&WatchParams::default(), &version).await?.boxed();
//! server.delete("configmaps", "default", "settings")?;
//! assert!(matches!(events.try_next().await?, Some(WatchEvent::Deleted(_))));
//!
//! // Requests fail when the test says so.
//! server.compact();
//! let mut events = settings.watch(&WatchParams::default(), &version).await?.boxed();
//! assert!(matches!(events.try_next().await?, Some(WatchEvent::Error(gone)) if gone.code == 410));
//! # Ok(()) });
//! ```
//!
//! # Supported requests
//!
//! | request | supported, as on a real server |
//! |---|---|
//! | list | pages that all show the moment of the first, continue tokens that expire, `resourceVersion` and its match, 504 for future versions |
//! | watch | from any remembered version, bookmarks, initial events with the bookmark that ends them, `timeoutSeconds`, objects that start or stop to match a selector |
//! | get, create, update, delete, delete collection | conflicts, generated names, uids, generations, finalizers, preconditions, dry runs, `/status` |
//! | patch | merge patches; server-side apply as a create or a merge |
//! | selectors | the whole grammar of label selectors; field selectors on every path |
//! | discovery | both forms; a `CustomResourceDefinition` adds its resource |
//! | `Accept`, `Accept-Encoding` | JSON, whole or as `PartialObjectMetadata`; [gzip](ApiServer::set_gzip) on request |
//!
//! # Faults
//!
//! [`ApiServer::fault`] makes requests fail: [`On`] selects the requests, by verb, resource, namespace
//! and query; [`Fault`] is the failure. Methods of the server cause the other failures.
//!
//! | place | faults |
//! |---|---|
//! | the request | [`Status`](Fault::Status), [`Refused`](Fault::Refused), [`Lost`](Fault::Lost), [`Delay`](Fault::Delay), [`LateHead`](Fault::LateHead) |
//! | the answer | [`Answer`]: any status, headers and bytes, in any time |
//! | the connection | [`Disconnect`](Fault::Disconnect), [`End`](Fault::End), [`Idle`](Fault::Idle), [`Cut`](Fault::Cut), [`Torn`](Fault::Torn), [`Stall`](Fault::Stall), [`Trickle`](Fault::Trickle) |
//! | the events | [`ErrorEvent`](Fault::ErrorEvent), [`Garble`](Fault::Garble), [`Duplicate`](Fault::Duplicate), [`Rewind`](Fault::Rewind), [`OutOfOrder`](Fault::OutOfOrder), [`ObjectFirst`](Fault::ObjectFirst) |
//! | the bookmarks | [`NoBookmarks`](Fault::NoBookmarks), [`LateBookmarks`](Fault::LateBookmarks) |
//! | open watches | [`disconnect`](ApiServer::disconnect), [`end_watches`](ApiServer::end_watches) |
//! | the history | [`compact`](ApiServer::compact), [`set_history_limit`](ApiServer::set_history_limit), [`restore`](ApiServer::restore) |
//! | rights | [`forbid`](ApiServer::forbid), [`allow`](ApiServer::allow) |
//! | abilities | [`set_streaming_lists`](ApiServer::set_streaming_lists), [`set_verbs`](ApiServer::set_verbs), [`set_versions`](ApiServer::set_versions) |
//! | kinds | a `CustomResourceDefinition` that is deleted, or stops serving a version: open watches end, and requests are answered 404 |
//!
//! # Unsupported features
//!
//! There is no admission, no schema and no controller: nothing collects garbage, fills in defaults, or
//! creates owned objects. Everything is allowed unless [forbidden](ApiServer::forbid). Strategic and JSON
//! patches are answered 415, and server-side apply keeps no `managedFields`. Code that depends on these
//! features must be tested on a real server.

#[cfg(all(feature = "cluster", unix))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "cluster", unix))))]
pub mod cluster;
pub mod conformance;
mod events;
pub mod fixture;
mod manifests;
mod server;

pub use self::{
    events::Events,
    manifests::Manifests,
    server::{Answer, ApiServer, Body, End, Error, Fault, On, Verb},
};
