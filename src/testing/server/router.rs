//! Routes of requests: resource, object and verb.

use std::sync::Arc;

use http::Method;

use crate::testing::server::{
    on::RequestInfo,
    query::Query,
    resource::{Registry, Resource},
    verb::Verb,
};

/// The target of a path.
#[derive(Debug)]
pub(super) enum Route {
    Health,
    Version,
    /// `/api`
    Core,
    /// `/apis`
    Groups,
    /// `/apis/{group}`
    Group(String),
    /// `/api/v1` and `/apis/{group}/{version}`
    Resources {
        group: String,
        version: String,
    },
    Target(Target),
    /// No such path.
    Nowhere,
}

/// A resource, or one of its objects.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) resource: Arc<Resource>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    /// True if the path ends in `/status`.
    pub(super) status: bool,
}

impl Target {
    /// Returns the verb of a method, or `None` if the target does not allow the method.
    pub(super) fn verb(&self, method: &Method, watch: bool) -> Option<Verb> {
        let is_placed = self.namespace.is_some() == self.resource.namespaced;
        let verb = match (method.as_str(), self.name.is_some()) {
            ("GET", true) => Verb::Get,
            ("GET", false) if watch => Verb::Watch,
            ("GET", false) => Verb::List,
            ("POST", false) if is_placed => Verb::Create,
            ("PUT", true) => Verb::Update,
            ("PATCH", true) => Verb::Patch,
            ("DELETE", true) if !self.status => Verb::Delete,
            ("DELETE", false) if is_placed => Verb::DeleteCollection,
            _ => return None,
        };
        Some(verb)
    }
}

impl Route {
    /// Returns the parts of a request to this route that a matcher reads.
    pub(super) fn request_info<'a>(&'a self, verb: Verb, query: &'a Query) -> RequestInfo<'a> {
        let target = match self {
            Self::Target(target) => Some(target),
            _ => None,
        };
        RequestInfo {
            verb,
            storage: target.map_or("", |target| &*target.resource.storage),
            plural: target.map_or("", |target| target.resource.plural.as_str()),
            namespace: target.and_then(|target| target.namespace.as_deref()),
            namespaced: target.is_some_and(|target| target.resource.namespaced),
            query,
        }
    }
}

/// Returns the route of a path.
pub(super) fn route(registry: &Registry, path: &str) -> Route {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let found = match segments.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => Some(Route::Health),
        ["version"] => Some(Route::Version),
        ["api"] => Some(Route::Core),
        ["apis"] => Some(Route::Groups),
        ["apis", group] => Some(Route::Group((*group).to_owned())),
        ["api", version] => Some(resources("", version)),
        ["apis", group, version] => Some(resources(group, version)),
        ["api", version, rest @ ..] => target(registry, "", version, rest).map(Route::Target),
        ["apis", group, version, rest @ ..] => {
            target(registry, group, version, rest).map(Route::Target)
        }
        _ => None,
    };
    found.unwrap_or(Route::Nowhere)
}

fn resources(group: &str, version: &str) -> Route {
    Route::Resources { group: group.to_owned(), version: version.to_owned() }
}

fn target(registry: &Registry, group: &str, version: &str, rest: &[&str]) -> Option<Target> {
    // Namespaces are objects, too: `namespaces/x/status` is not a resource in a namespace.
    let (namespace, rest) = match rest {
        ["namespaces", _, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => {
            (Some((*namespace).to_owned()), rest)
        }
        _ => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some((*name).to_owned()), None),
        [plural, name, subresource] => (plural, Some((*name).to_owned()), Some(*subresource)),
        _ => return None,
    };
    let resource = registry.by_path(group, version, plural)?;
    let exists = match subresource {
        None => true,
        Some("status") => resource.status,
        Some(_) => false,
    };
    // Only a whole collection can be requested across namespaces.
    let is_placed =
        namespace.is_some() == resource.namespaced || (namespace.is_none() && name.is_none());
    (exists && is_placed).then_some(Target {
        resource,
        namespace,
        name,
        status: subresource.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> String {
        match route(&Registry::usual(), path) {
            Route::Target(target) => format!(
                "{} {:?} {:?} {}",
                target.resource.storage, target.namespace, target.name, target.status
            ),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn paths_lead_to_targets() {
        assert_eq!(found("/api/v1/pods"), "pods None None false");
        assert_eq!(
            found("/api/v1/namespaces/a/pods/b/status"),
            "pods Some(\"a\") Some(\"b\") true"
        );
        assert_eq!(found("/api/v1/namespaces/a"), "namespaces None Some(\"a\") false");
        assert_eq!(found("/api/v1/namespaces/a/status"), "namespaces None Some(\"a\") true");
        assert_eq!(
            found("/apis/networking.k8s.io/v1/namespaces/a/ingresses"),
            "ingresses.networking.k8s.io Some(\"a\") None false"
        );
        for nowhere in [
            "/",
            "/api/v1/pods/b",
            "/api/v1/namespaces/a/nodes/b",
            "/api/v1/nothings",
            "/apis/apps/v2/deployments",
            "/api/v1/namespaces/a/configmaps/b/status",
            "/api/v1/namespaces/a/pods/b/c/d",
        ] {
            assert_eq!(found(nowhere), "Nowhere", "{nowhere}");
        }
    }
}
