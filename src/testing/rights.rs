//! Rights of the client, which a test revokes and grants.

use crate::testing::{
    on::{On, RequestInfo},
    server::ApiServer,
};

/// The user name of every client of the server, for messages.
pub(super) const USER: &str = "system:serviceaccount:default:tested";

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
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
    /// # Ok(()) }
    /// ```
    pub fn forbid(&self, on: impl Into<On>) {
        self.state().rights.rules.push(Rule { on: on.into(), allowed: false });
    }

    /// Grants a right again, or an exception from a [revoked](Self::forbid) right.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::ConfigMap;
    /// use kube::Api;
    /// use kube_weir::testing::{ApiServer, On};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
    /// # Ok(()) }
    /// ```
    pub fn allow(&self, on: impl Into<On>) {
        self.state().rights.rules.push(Rule { on: on.into(), allowed: true });
    }
}

/// The rules, oldest first.
#[derive(Debug, Default)]
pub(super) struct Rights {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    on: On,
    allowed: bool,
}

impl Rights {
    pub(super) fn permit(&self, request: &RequestInfo<'_>) -> bool {
        let newest = |request: &RequestInfo<'_>| {
            let mut rules = self.rules.iter().rev();
            rules.find(|rule| rule.on.matches(request)).is_none_or(|rule| rule.allowed)
        };
        let is_across = request.namespaced && request.namespace.is_none();
        let mut namespaces = self.rules.iter().filter_map(|rule| rule.on.own_namespace());
        newest(request)
            && (!is_across
                || namespaces.all(|own| newest(&RequestInfo { namespace: Some(own), ..*request })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{on::Verb, query::Query};

    #[test]
    fn the_newest_rule_decides_and_all_namespaces_need_each_of_them() {
        let query = Query::default();
        let permits = |rules: &[(On, bool)], namespace| {
            let rules =
                rules.iter().map(|(on, allowed)| Rule { on: on.clone(), allowed: *allowed });
            let rights = Rights { rules: rules.collect() };
            rights.permit(&RequestInfo {
                verb: Verb::List,
                storage: "pods",
                plural: "pods",
                namespace,
                namespaced: true,
                query: &query,
            })
        };
        let b = || On::any().namespace("b");
        let mut rules = vec![(b(), false)];
        assert!(permits(&rules, Some("a")) && !permits(&rules, Some("b")));
        assert!(!permits(&rules, None), "without the right in b");
        rules.push((On::verb(Verb::List).namespace("b"), true));
        assert!(permits(&rules, Some("b")) && permits(&rules, None));
        rules.push((On::any(), false));
        rules.push((b(), true));
        assert!(permits(&rules, Some("b")) && !permits(&rules, Some("a")));
        assert!(!permits(&rules, None));
    }
}
