//! Matchers of requests, for faults, rights and signals.

use std::fmt::Display;

use crate::testing::server::{query::Query, verb::Verb};

/// A matcher of requests: by verb, resource, namespace and query parameters. A [`Verb`] can be used as a
/// matcher, too.
///
/// ```
/// use k8s_openapi::api::core::v1::Pod;
/// use kube::Api;
/// use kube_weir::testing::{ApiServer, Fault, On, Verb};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// server.fault(On::verb(Verb::List).resource("pods").namespace("a").skip(1), 1, Fault::status(503));
///
/// let list = async |namespace: &str| {
///     Api::<Pod>::namespaced(server.client(), namespace).list(&Default::default()).await.is_ok()
/// };
/// assert!(list("b").await, "of another namespace");
/// assert!(list("a").await, "skipped");
/// assert!(!list("a").await);
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct On {
    verb: Option<Verb>,
    resource: Option<String>,
    namespace: Option<String>,
    parameters: Vec<(String, Parameter)>,
    pub(super) skip: usize,
}

/// A condition on one query parameter.
#[derive(Debug, Clone)]
enum Parameter {
    Is(String),
    Present,
    Absent,
}

impl On {
    /// Matches every request, including discovery.
    ///
    /// ```
    /// use kube_weir::testing::{ApiServer, Fault, On};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(On::any(), 1, Fault::Refused);
    /// assert!(server.client().apiserver_version().await.is_err());
    /// # Ok(()) });
    /// ```
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches every request with this verb: [example](On).
    pub fn verb(verb: Verb) -> Self {
        Self { verb: Some(verb), ..Self::default() }
    }

    /// Matches only requests about this resource, by its plural name or as `plural.group`. Default:
    /// every resource. [Example](On).
    pub fn resource(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// Matches only requests in this namespace. Default: every namespace, and the requests about
    /// all namespaces at once. [Example](On).
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Matches only requests with this query parameter. An empty value matches requests without
    /// the parameter: an API server treats both the same. If called several times, all
    /// parameters must match. Default: any query.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube::{Api, api::ListParams};
    /// use kube_weir::testing::{ApiServer, Fault, On, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// server.fault(On::verb(Verb::List).query("labelSelector", "app=web"), 1, Fault::status(500));
    ///
    /// let pods = Api::<Pod>::all(server.client());
    /// assert!(pods.list(&ListParams::default()).await.is_ok());
    /// assert!(pods.list(&ListParams::default().labels("app=web")).await.is_err());
    /// # Ok(()) });
    /// ```
    pub fn query(self, name: &str, value: &str) -> Self {
        self.parameter(
            name,
            if value.is_empty() { Parameter::Absent } else { Parameter::Is(value.to_owned()) },
        )
    }

    /// Matches only requests at this `resourceVersion`: watches that start there, and lists that
    /// request it.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube::{Api, api::WatchParams};
    /// use kube_weir::testing::{ApiServer, Fault, On, Verb};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let server = ApiServer::new();
    /// // A watch can never resume at this version.
    /// let version = server.resource_version();
    /// server.fault(On::verb(Verb::Watch).version(version), usize::MAX, Fault::status(500));
    ///
    /// let pods = Api::<Pod>::all(server.client());
    /// assert!(pods.watch(&WatchParams::default(), &version.to_string()).await.is_err());
    /// assert!(pods.watch(&WatchParams::default(), "0").await.is_ok());
    /// # Ok(()) });
    /// ```
    pub fn version(self, version: impl Display) -> Self {
        self.query("resourceVersion", &version.to_string())
    }

    /// Matches only requests that do not continue a list: those without a continue token.
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::Pod;
    /// use kube::{Api, api::ListParams};
    /// use kube_weir::testing::{Fault, On, Verb};
    ///
    /// # kube_weir::testing::fixture::with_server(async |server| {
    /// server.fault(On::verb(Verb::List).next_page(), 1, Fault::status(410));
    /// server.fault(On::verb(Verb::List).first_page().skip(1), 1, Fault::status(503));
    ///
    /// let pods = Api::<Pod>::all(server.client());
    /// let first = ListParams::default().limit(1);
    /// let page = pods.list(&first).await?;
    /// let next = first.clone().continue_token(&page.metadata.continue_.unwrap());
    /// assert!(pods.list(&next).await.is_err());
    /// assert!(pods.list(&next).await.is_ok(), "it was to fail once");
    /// assert!(pods.list(&first).await.is_err());
    /// # Ok(()) });
    /// ```
    pub fn first_page(self) -> Self {
        self.parameter("continue", Parameter::Absent)
    }

    /// Matches only requests that continue a list: those with a continue token.
    /// [Example](Self::first_page).
    pub fn next_page(self) -> Self {
        self.parameter("continue", Parameter::Present)
    }

    /// Sets the number of matching requests that pass before the first fault. A request that gets another
    /// fault does not count. Default: 0. [Example](On).
    pub fn skip(mut self, requests: usize) -> Self {
        self.skip = requests;
        self
    }

    /// Returns the namespace that requests must be in, if there is one.
    pub(super) fn own_namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(super) fn matches(&self, request: &RequestInfo<'_>) -> bool {
        let is_resource = |name: &String| name == request.storage || name == request.plural;
        self.verb.is_none_or(|verb| verb == request.verb)
            && self.resource.as_ref().is_none_or(is_resource)
            && self.namespace.as_deref().is_none_or(|own| request.namespace == Some(own))
            && self
                .parameters
                .iter()
                .all(|(name, expected)| expected.matches(request.query.get(name)))
    }

    fn parameter(mut self, name: &str, expected: Parameter) -> Self {
        self.parameters.push((name.to_owned(), expected));
        self
    }
}

impl From<Verb> for On {
    fn from(verb: Verb) -> Self {
        Self::verb(verb)
    }
}

impl Parameter {
    fn matches(&self, value: Option<&str>) -> bool {
        match self {
            Self::Is(expected) => value == Some(expected),
            Self::Present => value.is_some(),
            Self::Absent => value.is_none(),
        }
    }
}

/// The parts of a request that [`On`] matches.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestInfo<'a> {
    pub(super) verb: Verb,
    /// `plural.group`.
    pub(super) storage: &'a str,
    pub(super) plural: &'a str,
    pub(super) namespace: Option<&'a str>,
    /// True if the resource is namespaced.
    pub(super) namespaced: bool,
    pub(super) query: &'a Query,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters_narrow_a_match() {
        let matches = |on: On, query: &str| {
            on.matches(&RequestInfo {
                verb: Verb::List,
                storage: "pods",
                plural: "pods",
                namespace: None,
                namespaced: true,
                query: &Query::parse(query),
            })
        };
        assert!(matches(On::any().version(7), "limit=1&resourceVersion=7"));
        assert!(!matches(On::any().version(7), "resourceVersion=70"));
        assert!(!matches(On::any().version("7"), ""));
        assert!(matches(On::any().query("resourceVersion", ""), "limit=1"));
        assert!(matches(On::any().query("resourceVersion", ""), "resourceVersion="));
        assert!(!matches(On::any().query("resourceVersion", ""), "resourceVersion=0"));
        assert!(matches(On::any().first_page(), "limit=1&continue="));
        assert!(!matches(On::any().first_page(), "continue=x"));
        assert!(matches(On::any().next_page(), "continue=x"));
        assert!(!matches(On::any().next_page(), "limit=1"));
        let both = On::verb(Verb::List).query("limit", "1").query("a", "b");
        assert!(matches(both.clone(), "a=b&limit=1"));
        assert!(!matches(both, "limit=1"));
    }
}
