//! Lost history, and watches that end.

use crate::testing::server::{
    answer::End, api_server::ApiServer, error::Error, history::Happening, on::On,
};

impl ApiServer {
    /// Compacts the history: new lists, pages and watches from an older resourceVersion
    /// than the newest are answered 410. Open watches continue.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube_weir::{prelude::*, testing::ApiServer};
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let configs = watch(Api::<ConfigMap>::all(server.client()));
    /// let mut changes = configs.index(());
    /// changes.first_synced().await?;
    ///
    /// // Changes that the watch has not seen are compacted before it resumes.
    /// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
    /// server.compact();
    /// assert!(changes.next().await.unwrap().unwrap_err().is_desynced());
    /// assert_eq!(changes.next().await.unwrap()?.snapshot().len(), 1);
    /// # Ok(()) });
    /// ```
    pub fn compact(&self) {
        let mut state = self.state();
        let revision = state.store.revision();
        state.store.history.compact(revision);
    }

    /// Limits the number of remembered changes. Default: 100,000. Requests from an older
    /// version are answered 410, and so is an open watch that is too slow.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::{WatchEvent, WatchParams}};
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.set_history_limit(1);
    /// for name in ["a", "b", "c"] {
    ///     let metadata = json!({"name": name});
    ///     server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))?;
    /// }
    /// let configs = Api::<ConfigMap>::all(server.client());
    /// let mut events = configs.watch(&WatchParams::default(), "1").await?.boxed();
    /// let Some(Ok(WatchEvent::Error(gone))) = events.next().await else { panic!() };
    /// assert_eq!(gone.code, 410);
    /// # Ok(()) });
    /// ```
    pub fn set_history_limit(&self, changes: usize) {
        self.state().store.history.set_limit(changes);
    }

    /// Sends a
    /// [bookmark](https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks) to
    /// every open watch that allows them, behind all changes made so far. Without it, there is one
    /// every 60 seconds.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::{WatchEvent, WatchParams}};
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let configs = Api::<ConfigMap>::all(server.client());
    /// let mut events = configs.watch(&WatchParams::default(), "1").await?.boxed();
    /// // The watch is beyond this Node, which is of another kind.
    /// server.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}))?;
    /// server.bookmark();
    /// let Some(Ok(WatchEvent::Bookmark(bookmark))) = events.next().await else { panic!() };
    /// assert_eq!(bookmark.metadata.resource_version, "2");
    /// # Ok(()) });
    /// ```
    pub fn bookmark(&self) {
        self.signal(Happening::Bookmark);
    }

    /// Ends every open watch, without an error, after it has sent all changes so far: a server
    /// that shuts down. To end only some watches, or to break connections, see
    /// [`end_watches`](Self::end_watches).
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::{WatchEvent, WatchParams}};
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let configs = Api::<ConfigMap>::all(server.client());
    /// let mut events = configs.watch(&WatchParams::default(), "1").await?.boxed();
    /// server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}))?;
    /// server.disconnect();
    /// assert!(matches!(events.next().await, Some(Ok(WatchEvent::Added(_)))));
    /// assert!(events.next().await.is_none());
    /// # Ok(()) });
    /// ```
    pub fn disconnect(&self) {
        self.end_watches(On::any(), End::Fin);
    }

    /// Ends every open watch that matches with `end`, after it has sent all changes so far.
    ///
    /// This imitates a replaced proxy, or a broken connection. Use it also to end
    /// watches whose right was [revoked](Self::forbid): a real API server lets them continue. `skip` of
    /// [`On`] has no effect. Watches opened later are not affected.
    ///
    /// ```
    /// use futures::{FutureExt, StreamExt};
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::WatchParams};
    /// use kube_weir::testing::{ApiServer, End, On};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let watch = async |namespace: &str| {
    ///     let api = Api::<ConfigMap>::namespaced(server.client(), namespace);
    ///     Ok::<_, kube::Error>(api.watch(&WatchParams::default(), "1").await?.boxed())
    /// };
    /// let (mut a, mut b) = (watch("a").await?, watch("b").await?);
    /// server.end_watches(On::any().resource("configmaps").namespace("b"), End::Reset);
    /// assert!(b.next().await.is_some_and(|event| event.is_err()));
    /// assert!(a.next().now_or_never().is_none(), "still open");
    /// # Ok(()) });
    /// ```
    pub fn end_watches(&self, on: impl Into<On>, end: End) {
        self.signal(Happening::End(on.into(), end));
    }

    /// Resets the server to a resourceVersion, as if etcd had been restored from a backup of
    /// that moment: the objects of all resources, their `CustomResourceDefinitions`, and the count
    /// of resourceVersions are as they were then.
    ///
    /// Open watches end without an error, and the changes that they have not sent yet are lost. If a
    /// client continues from its old, now future resourceVersion, its watch is
    /// accepted and stays silent, without events and bookmarks, until the server is beyond that
    /// version again, and its list is refused after 3 seconds with a 504 whose cause is
    /// `ResourceVersionTooLarge`. New objects have new uids, never one of the lost future. The history
    /// before the backup stays readable: for a server that lost it, use [`compact`](Self::compact).
    ///
    /// # Errors
    ///
    /// If the server does not remember the state at that version, because it has not happened yet
    /// or is beyond the [limit](Self::set_history_limit).
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::{Api, api::{ListParams, WatchParams}};
    /// use kube_weir::testing::ApiServer;
    /// use serde_json::json;
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let write = |name: &str| {
    ///     let metadata = json!({"name": name});
    ///     server.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))
    /// };
    /// write("kept")?;
    /// let backup = server.resource_version();
    /// write("lost")?;
    /// let future = server.resource_version().to_string();
    /// server.restore(backup)?;
    ///
    /// let api = Api::<ConfigMap>::all(server.client());
    /// let list = api.list(&ListParams::default()).await?;
    /// assert_eq!(list.items.len(), 1);
    /// assert_eq!(list.metadata.resource_version, Some(backup.to_string()));
    ///
    /// // Lists of the future version are refused; watches are silent.
    /// assert!(api.list(&ListParams::default().at(&future)).await.is_err());
    /// let events = api.watch(&WatchParams::default().timeout(290), &future).await?;
    /// assert_eq!(events.count().await, 0);
    /// # Ok(()) });
    /// ```
    pub fn restore(&self, version: u64) -> Result<(), Error> {
        self.change(|store| Ok(store.restore(version)?))
    }
}
