//! Rights of the client, which a test revokes and grants.

use kube::core::Status;

use crate::testing::server::{api_server::ApiServer, on::On, router::Target, status, verb::Verb};

/// The user name of every client of the server, for messages.
const USER: &str = "system:serviceaccount:default:tested";

impl ApiServer {
    /// Revokes a right until it is [granted again](Self::allow): matching requests are answered 403, with
    /// RBAC's message. Default: everything is allowed.
    ///
    /// Rules add up, and the newest rule that matches a request decides. A right that is missing in
    /// one namespace is also missing for the request about all namespaces: RBAC grants that
    /// request only together with every namespace. `skip` of [`On`] has no effect.
    ///
    /// An open watch continues, as on a real server, which checks rights only at the start of a
    /// request; [`end_watches`](Self::end_watches) ends it. A client sees
    /// [`kube::Error::Api`] with the reason `Forbidden`, and [`watch`](crate::watch)
    /// [`is_forbidden`](crate::Error::is_forbidden).
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::Api;
    /// use kube_weir::testing::{ApiServer, On, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// let list = async |namespace: &str| {
    ///     Api::<ConfigMap>::namespaced(server.client(), namespace).list(&Default::default()).await
    /// };
    /// server.forbid(On::verb(Verb::List).namespace("b"));
    /// assert!(list("a").await.is_ok());
    /// let Err(kube::Error::Api(status)) = list("b").await else { panic!() };
    /// assert_eq!(
    ///     status.message,
    ///     "configmaps is forbidden: User \"system:serviceaccount:default:tested\" cannot list \
    ///      resource \"configmaps\" in API group \"\" in the namespace \"b\"",
    /// );
    /// server.allow(On::verb(Verb::List).namespace("b"));
    /// assert!(list("b").await.is_ok());
    /// # Ok(()) });
    /// ```
    pub fn forbid(&self, on: impl Into<On>) {
        self.state().rights.add(on.into(), false);
    }

    /// Grants a right again, or an exception from a [revoked](Self::forbid) right.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::Api;
    /// use kube_weir::testing::{ApiServer, On};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// // A Role in one namespace, and no ClusterRole.
    /// server.forbid(On::any().resource("configmaps"));
    /// server.allow(On::any().resource("configmaps").namespace("a"));
    ///
    /// let list = async |api: Api<ConfigMap>| api.list(&Default::default()).await;
    /// assert!(list(Api::namespaced(server.client(), "a")).await.is_ok());
    /// assert!(list(Api::namespaced(server.client(), "b")).await.is_err());
    /// assert!(list(Api::all(server.client())).await.is_err());
    ///
    /// server.allow(On::any());
    /// assert!(list(Api::all(server.client())).await.is_ok());
    /// # Ok(()) });
    /// ```
    pub fn allow(&self, on: impl Into<On>) {
        self.state().rights.add(on.into(), true);
    }
}

/// Returns the 403 of a request about a resource, with RBAC's message.
pub(super) fn forbidden(target: &Target, verb: Verb) -> Box<Status> {
    let resource = &*target.resource;
    let subresource = if target.status { "/status" } else { "" };
    let place = match &target.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let name = target.name.as_deref().unwrap_or_default();
    let object = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
    let message = format!(
        "{}{object} is forbidden: User \"{USER}\" cannot {} resource \"{}{subresource}\" in API group \"{}\" {place}",
        resource.storage,
        verb.name(),
        resource.plural,
        resource.group,
    );
    status::about(resource, name, status::failure(403, &message))
}

/// Returns the 403 of a request to a path that is not a resource.
pub(super) fn forbidden_path(path: &str) -> Box<Status> {
    let message = format!("forbidden: User \"{USER}\" cannot get path \"{path}\"");
    let mut refused = status::failure(403, &message);
    refused.details = Some(status::no_details());
    refused
}
