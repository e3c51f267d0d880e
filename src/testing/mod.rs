//! An API server in this process, to test controllers against: feature `testing`.
//!
//! What is behind a watch can be tested without a server, too, on [`Events`]; and [`conformance`]
//! checks whether a pipeline keeps the rules, whatever happens to its server.
//!
//! Fixtures are made of YAML files by [`Manifests`].
//!
//! [`ApiServer`] is a [`tower::Service`] that answers as a Kubernetes API server does, so that a real [`kube::Client`]
//! and all that is built on it run against it: no cluster, no network, no threads, and no time but
//! [`tokio::time`], which a test can pause.
//!
//! ```
//! use futures::{StreamExt, TryStreamExt};
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::{Api, api::{WatchEvent, WatchParams}};
//! use kube_weir::testing::ApiServer;
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
//! // Things go wrong when the test says so.
//! server.compact();
//! let mut events = settings.watch(&WatchParams::default(), &version).await?.boxed();
//! assert!(matches!(events.try_next().await?, Some(WatchEvent::Error(gone)) if gone.code == 410));
//! # Ok(())
//! # }
//! ```
//!
//! # What it answers
//!
//! | request | as a real server |
//! |---|---|
//! | list | pages that all show the moment of the first, continue tokens that expire, `resourceVersion` and its match, 504 for the future |
//! | watch | from any remembered version, bookmarks, initial events with the bookmark that ends them, `timeoutSeconds`, objects that come into and leave a selector |
//! | get, create, update, delete, delete collection | conflicts, generated names, uids, generations, finalizers, preconditions, dry runs, `/status` |
//! | patch | merge patches; server-side apply as a create or a merge |
//! | selectors | the whole grammar of label selectors; field selectors on every path |
//! | discovery | both forms; a `CustomResourceDefinition` adds its resource |
//! | `Accept` | JSON, whole or as `PartialObjectMetadata` |
//!
//! # What goes wrong
//!
//! [`ApiServer::fault`] makes it go wrong: which requests meet it is said by [`On`], and [`Fault`]
//! has what it is.
//!
//! | where | what |
//! |---|---|
//! | the request | [`Status`](Fault::Status), [`Refused`](Fault::Refused), [`Lost`](Fault::Lost), [`Delay`](Fault::Delay) |
//! | the connection | [`Disconnect`](Fault::Disconnect), [`Cut`](Fault::Cut), [`Torn`](Fault::Torn), [`Stall`](Fault::Stall), [`Trickle`](Fault::Trickle) |
//! | the events | [`ErrorEvent`](Fault::ErrorEvent), [`Garble`](Fault::Garble), [`Duplicate`](Fault::Duplicate), [`Rewind`](Fault::Rewind), [`OutOfOrder`](Fault::OutOfOrder), [`ObjectFirst`](Fault::ObjectFirst) |
//! | the bookmarks | [`NoBookmarks`](Fault::NoBookmarks), [`LateBookmarks`](Fault::LateBookmarks) |
//! | the history | [`compact`](ApiServer::compact), [`set_history_limit`](ApiServer::set_history_limit), [`disconnect`](ApiServer::disconnect) |
//!
//! # What it does not
//!
//! There is no admission, no schema, no authorization and no controller: nothing collects garbage, fills in defaults,
//! or creates the objects that others own. Strategic and JSON patches are answered 415, and server-side apply keeps no
//! `managedFields`. What must be right on a real server has to be tried on a real server.

mod body;
#[cfg(all(feature = "cluster", unix))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "cluster", unix))))]
pub mod cluster;
pub mod conformance;
mod crd;
mod damage;
mod discovery;
mod error;
mod events;
mod fault;
mod history;
mod list;
mod manifests;
mod object;
mod query;
mod resource;
mod router;
mod selectors;
mod server;
mod service;
mod status;
mod store;
mod view;
mod watch;
mod write;

pub use body::Body;
pub use error::Error;
pub use events::Events;
pub use fault::{Fault, On, Verb};
pub use manifests::Manifests;
pub use server::ApiServer;
