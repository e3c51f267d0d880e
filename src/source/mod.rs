//! Watching: this crate's own list and watch, on kube's client.

mod backoff;
mod collections;
mod connection;
mod exchange;
mod fetch;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod gvr;
mod history;
mod incoming;
mod list;
mod list_watch;
mod namespace;
mod namespaces;
mod page;
mod paged;
mod query;
mod read;
mod request;
mod resolve;
mod resume;
mod status;
mod streamed;
mod target;
mod trace;
mod watch;

use std::sync::Arc;

use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

pub use self::{
    backoff::Backoff,
    gvr::Gvr,
    namespaces::{Namespaces, NamespacesHandle},
    watch::Watch,
};
pub(crate) use self::{
    backoff::Tries,
    exchange::Exchange,
    fetch::{Fetched, Fetcher},
    namespace::own as own_namespace,
    query::{Stored, Witness},
};
use self::{query::Query, request::Endpoint, resolve::Resolver};
use crate::{decode::Typed, document::Document, error::Error, text::given};

/// Watches a kind that has a Rust type, in the namespaces that the `Api` covers.
///
/// Nothing is requested before the stream is polled. The role needs the verbs `list` and `watch`. If memory
/// matters, [`watch_resource`] keeps these objects in a more compact form.
///
/// ```
/// use k8s_openapi::api::networking::v1::Ingress;
/// use kube_weir::prelude::*;
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let ingresses = watch(Api::<Ingress>::all(client))
///     .labels("app=shop")?
///     .filter_fields("metadata.managedFields")?
///     .index(());
/// let store = ingresses.store();
/// let mut changes = pin!(ingresses.debounce(Duration::from_millis(500)).log_errors());
///
/// changes.first_synced().await?;
/// assert_eq!(store.snapshot().len(), 1);
/// # Ok(()) });
/// ```
#[doc(alias(
    "informer",
    "watcher",
    "SharedInformer",
    "NewSharedInformer",
    "reflector",
    "ListWatch",
    "relist",
    "resync"
))]
pub fn watch<K>(api: Api<K>) -> Watch<K>
where
    K: Resource<DynamicType: Default> + DeserializeOwned,
{
    let resolver = Resolver::of_type::<K>();
    let found = request::resource_of(api.resource_url());
    let ((resource, namespace), resolver) = match found {
        Ok(found) => (found, resolver),
        Err(error) => {
            let own = &K::DynamicType::default();
            let resource = Gvr::known(&K::group(own), &K::version(own), &K::plural(own));
            ((resource, None), resolver.refusing(error))
        }
    };
    let endpoint = Endpoint::new(api.into_client(), resource);
    let endpoint = Endpoint { metadata_only: K::metadata_api(), ..endpoint };
    let watch = Watch::new(Query::new(endpoint, resolver, Arc::new(Typed::default())));
    match namespace {
        Some(namespace) => watch.namespace(namespace),
        None => watch,
    }
}

/// Watches a resource without a Rust type, in all namespaces: text such as
/// `networking.k8s.io/v1/ingresses`, a [`Gvr`], or kube's `ApiResource` or `GroupVersionResource`.
///
/// Nothing is requested before the stream is polled. Its first step is discovery, which distinguishes a
/// kind or a singular from a plural, finds the version if the [`Gvr`] leaves it open, and shows whether the
/// resource is namespaced and can be watched. For a resource of one version the stream waits at most 5
/// seconds for discovery, whose failure is no error. A resource that is not installed yet is no error of
/// this function either: the stream yields [`is_not_installed`](crate::Error::is_not_installed) and starts
/// by itself once the resource is installed.
///
/// If the API group has no such plural, but a kind, a singular or a short name like this, the first item is
/// an [`is_resource`](crate::Error::is_resource) error that names the right plural, and the stream ends.
///
/// # Errors
///
/// [`is_resource`](Error::is_resource) if the text is not a resource.
///
/// # Examples
///
/// ```
/// use kube_weir::prelude::*;
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let ingresses = watch_resource(client.clone(), "networking.k8s.io/ingresses")?;
/// let mut changes = pin!(ingresses.index(()).log_errors());
/// assert_eq!(changes.first_synced().await?.len(), 2);
///
/// let mut mistake = watch_resource(client, "networking.k8s.io/v1/ing")?
///     .index(());
/// let error = mistake.next().await.unwrap().unwrap_err();
/// assert!(error.to_string().contains("networking.k8s.io/v1/ingresses is meant"));
/// assert!(mistake.next().await.is_none());
/// # Ok(()) });
/// ```
#[doc(alias("dynamicinformer", "DynamicSharedInformerFactory", "dynamic informer"))]
pub fn watch_resource(
    client: Client,
    resource: impl TryInto<Gvr, Error: Into<Error>>,
) -> Result<Watch<Document>, Error> {
    given(resource).map(|resource| Watch::of_resource(client, resource))
}
