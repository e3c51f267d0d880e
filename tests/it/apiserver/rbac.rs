//! Rights of the restricted users.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::cluster::{Cluster, answer};

/// Longest wait for the server to act on a change of rights; it takes some 10 ms.
const EFFECT: Duration = Duration::from_secs(10);

/// Where a right holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// In one namespace.
    Namespace(&'a str),
    /// In all namespaces, and for what is in none.
    Cluster,
}

/// Rights that were granted, to be taken back with [`Cluster::revoke`].
#[derive(Debug)]
#[must_use = "only needed to revoke the rights: say so with `let _ =`"]
pub(crate) struct Grant {
    user: String,
    namespace: Option<String>,
    name: String,
    /// `resourceAttributes` of all that is granted.
    rights: Vec<Value>,
}

impl Cluster {
    /// Lets `user` do `verbs` to `resources`, named as for kubectl: `pods`, `pods/status`,
    /// `widgets.example.com`. When this returns, the server lets them.
    pub(crate) async fn grant(
        &self,
        user: &str,
        scope: Scope<'_>,
        verbs: &[&str],
        resources: &[&str],
    ) -> Grant {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let namespace = match scope {
            Scope::Namespace(namespace) => Some(namespace.to_owned()),
            Scope::Cluster => None,
        };
        let [role, binding] = kinds(namespace.as_ref());
        let resources: Vec<_> = resources.iter().map(|name| Named::parse(name)).collect();
        let rules: Vec<_> = resources.iter().map(|named| named.rule(verbs)).collect();
        let subject = json!({ "apiGroup": GROUP, "kind": "User", "name": user });
        let reference = json!({ "apiGroup": GROUP, "kind": role, "name": name });
        let grant = Grant {
            user: user.to_owned(),
            rights: resources
                .iter()
                .flat_map(|named| verbs.iter().map(|verb| named.right(verb, namespace.as_ref())))
                .collect(),
            namespace,
            name,
        };

        let body = json!({ "rules": rules });
        self.create(&grant, role, body).await;
        let body = json!({ "roleRef": reference, "subjects": [subject] });
        self.create(&grant, binding, body).await;
        self.until(&grant, |allowed, _| allowed).await;
        grant
    }

    /// Takes rights back. When this returns, the server has noticed; other grants still hold.
    pub(crate) async fn revoke(&self, grant: Grant) {
        for kind in kinds(grant.namespace.as_ref()) {
            let api = self.rbac(&grant, kind).await;
            answer(kind, api.delete(&grant.name, &DeleteParams::default())).await;
        }
        // `RBAC: allowed by RoleBinding "test-1/namespace" of ...`, or of another grant.
        let ours = [format!("\"{}\"", grant.name), format!("\"{}/", grant.name)];
        let by_us = |reason: &str| ours.iter().any(|name| reason.contains(name));
        self.until(&grant, |_, reason| !by_us(reason)).await;
    }

    /// Asks the server about each right until the answer is as expected. Its authorizer follows
    /// the roles by a watch, a little behind.
    async fn until(&self, grant: &Grant, expected: impl Fn(bool, &str) -> bool) {
        let kind = resource("authorization.k8s.io", "SubjectAccessReview");
        let api: Api<DynamicObject> = Api::all_with(self.client().await, &kind);
        let deadline = Instant::now() + EFFECT;
        for right in &grant.rights {
            let mut review = DynamicObject::new("", &kind);
            review.metadata.name = None;
            review.data = json!({ "spec": { "user": grant.user, "resourceAttributes": right } });
            loop {
                let create = PostParams::default();
                let review = answer("a review", api.create(&create, &review)).await;
                let status = &review.data["status"];
                let reason = status["reason"].as_str().unwrap_or_default();
                if expected(status["allowed"] == true, reason) {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "no effect in {EFFECT:?} of {grant:?}: {status}"
                );
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn create(&self, grant: &Grant, kind: &str, body: Value) {
        let mut object = DynamicObject::new(&grant.name, &resource(GROUP, kind));
        object.data = body;
        let api = self.rbac(grant, kind).await;
        answer(kind, api.create(&PostParams::default(), &object)).await;
    }

    async fn rbac(&self, grant: &Grant, kind: &str) -> Api<DynamicObject> {
        let client = self.client().await;
        let kind = resource(GROUP, kind);
        match &grant.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &kind),
            None => Api::all_with(client, &kind),
        }
    }
}

const GROUP: &str = "rbac.authorization.k8s.io";

/// The role and the binding of a grant.
fn kinds(namespace: Option<&String>) -> [&'static str; 2] {
    match namespace {
        Some(_) => ["Role", "RoleBinding"],
        None => ["ClusterRole", "ClusterRoleBinding"],
    }
}

fn resource(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}

/// A resource as kubectl names it.
struct Named<'a> {
    plural: &'a str,
    group: &'a str,
    subresource: &'a str,
}

impl<'a> Named<'a> {
    fn parse(name: &'a str) -> Self {
        let (name, subresource) = name.split_once('/').unwrap_or((name, ""));
        let (plural, group) = name.split_once('.').unwrap_or((name, ""));
        Self { plural, group, subresource }
    }

    fn rule(&self, verbs: &[&str]) -> Value {
        let resource = match self.subresource {
            "" => self.plural.to_owned(),
            subresource => format!("{}/{subresource}", self.plural),
        };
        json!({ "apiGroups": [self.group], "resources": [resource], "verbs": verbs })
    }

    fn right(&self, verb: &str, namespace: Option<&String>) -> Value {
        json!({
            "verb": verb,
            "group": self.group,
            "resource": self.plural,
            "subresource": self.subresource,
            "namespace": namespace.map_or("", String::as_str),
        })
    }
}
