//! Rights of users, as roles and role bindings.

use std::time::Duration;

use kube::{
    Client,
    api::{Api, DeleteParams, DynamicObject, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::{
    Cluster, Error, User,
    instance::{Patience, answer},
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Longest wait until a change of rights takes effect; typically about 10 ms.
const EFFECT: Duration = Duration::from_secs(10);

/// Rights for a [`User`], granted by [`Cluster::grant`]: a role, in one namespace or in all.
///
/// Verbs are `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection` or `*`.
/// Resources are named as for kubectl, with their group: `pods`, `pods/status`, `widgets.example.com`,
/// `deployments.apps/scale`.
///
/// ```
/// use kube_weir::testing::cluster::Grant;
///
/// let read = Grant::in_namespace("shop")
///     .allow(["list", "watch"], ["pods", "ingresses.networking.k8s.io"])
///     .allow_named(["get", "update"], ["leases.coordination.k8s.io"], ["leader"]);
/// # drop(read);
/// ```
#[derive(Clone, Debug)]
#[must_use = "rights are given by `Cluster::grant`"]
pub struct Grant {
    namespace: Option<String>,
    rules: Vec<Rule>,
}

/// Granted rights, for [`Cluster::revoke`].
#[derive(Debug)]
pub struct Granted {
    user: String,
    namespace: Option<String>,
    /// Name of the role and of its binding.
    name: String,
    /// The granted rights, as `resourceAttributes` of a review.
    rights: Vec<Value>,
}

#[derive(Clone, Debug)]
struct Rule {
    verbs: Vec<String>,
    resources: Vec<Resource>,
    names: Vec<String>,
}

/// A resource as kubectl names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Resource {
    plural: String,
    group: String,
    subresource: String,
}

impl Grant {
    /// Returns a grant for one namespace, without rights so far.
    pub fn in_namespace(namespace: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), rules: Vec::new() }
    }

    /// Returns a grant for all namespaces and for cluster-scoped objects, without rights so far.
    pub fn cluster_wide() -> Self {
        Self { namespace: None, rules: Vec::new() }
    }

    /// Adds the right to all `verbs` on all `resources`: [example](Grant).
    pub fn allow<V, R>(
        self,
        verbs: impl IntoIterator<Item = V>,
        resources: impl IntoIterator<Item = R>,
    ) -> Self
    where
        V: Into<String>,
        R: AsRef<str>,
    {
        self.allow_named(verbs, resources, [""; 0])
    }

    /// Adds the right to all `verbs` on the objects of `resources` with one of `names`:
    /// [example](Grant). Without names it covers all objects.
    ///
    /// A list or watch is allowed by name only if it selects that name by `metadata.name`.
    pub fn allow_named<V, R, N>(
        mut self,
        verbs: impl IntoIterator<Item = V>,
        resources: impl IntoIterator<Item = R>,
        names: impl IntoIterator<Item = N>,
    ) -> Self
    where
        V: Into<String>,
        R: AsRef<str>,
        N: Into<String>,
    {
        self.rules.push(Rule {
            verbs: verbs.into_iter().map(Into::into).collect(),
            resources: resources.into_iter().map(|name| Resource::parse(name.as_ref())).collect(),
            names: names.into_iter().map(Into::into).collect(),
        });
        self
    }

    /// Returns all rights, as `resourceAttributes` of a review.
    fn rights(&self) -> Vec<Value> {
        let namespace = self.namespace.as_deref();
        self.rules.iter().flat_map(|rule| rule.rights(namespace)).collect()
    }
}

impl Cluster {
    /// Grants rights to a user, in addition to existing ones. When this returns, they have taken
    /// effect.
    ///
    /// # Errors
    ///
    /// If the API server refuses the role, for instance because the namespace does not exist, or if the
    /// role has no effect within 10 seconds.
    pub async fn grant(&self, user: &User, grant: Grant) -> Result<Granted, Error> {
        let rights = grant.rights();
        let name = format!("granted-{}", self.number());
        let granted =
            Granted { user: user.name().into(), namespace: grant.namespace, name, rights };
        let [role, binding] = granted.kinds();
        let rules: Vec<_> = grant.rules.iter().flat_map(Rule::policies).collect();
        let subject = json!({ "apiGroup": GROUP, "kind": "User", "name": granted.user });
        let reference = json!({ "apiGroup": GROUP, "kind": role, "name": granted.name });

        let client = self.client().await?;
        granted.create(&client, role, json!({ "rules": rules })).await?;
        let body = json!({ "roleRef": reference, "subjects": [subject] });
        granted.create(&client, binding, body).await?;
        granted.wait(&client, |allowed, _| allowed).await?;
        Ok(granted)
    }

    /// Revokes rights. When this returns, that has taken effect. Another grant may still include the
    /// same rights, and an open watch continues until it ends.
    ///
    /// # Errors
    ///
    /// If the API server does not answer, or if this has no effect within 10 seconds.
    pub async fn revoke(&self, granted: Granted) -> Result<(), Error> {
        let client = self.client().await?;
        let params = DeleteParams::default();
        for kind in granted.kinds() {
            let api = granted.api(&client, kind);
            match answer("delete a role", api.delete(&granted.name, &params)).await {
                // A restored cluster may not have the role.
                Err(error) if error.status().is_some_and(|status| status.code == 404) => {}
                outcome => drop(outcome?),
            }
        }
        // `RBAC: allowed by RoleBinding "granted-1/namespace" of ...`, or by another one.
        let ours = [format!("\"{}\"", granted.name), format!("\"{}/", granted.name)];
        let by_us = |reason: &str| ours.iter().any(|name| reason.contains(name));
        granted.wait(&client, |_, reason| !by_us(reason)).await
    }
}

impl Granted {
    /// Waits until the server's reviews of all rights are as expected. Its authorizer watches the
    /// roles, with a small delay.
    async fn wait(
        &self,
        client: &Client,
        expected: impl Fn(bool, &str) -> bool,
    ) -> Result<(), Error> {
        let kind = resource("authorization.k8s.io", "SubjectAccessReview");
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        let params = PostParams::default();
        for right in &self.rights {
            let mut review = DynamicObject::new("", &kind);
            review.metadata.name = None;
            review.data = json!({ "spec": { "user": self.user, "resourceAttributes": right } });
            let patience = Patience::new(EFFECT);
            loop {
                let answered = answer("review rights", api.create(&params, &review)).await?;
                let status = &answered.data["status"];
                let reason = status["reason"].as_str().unwrap_or_default();
                if expected(status["allowed"] == true, reason) {
                    break;
                }
                let missing = || format!("a change of the rights of {} had no effect", self.user);
                patience.again(missing).await?;
            }
        }
        Ok(())
    }

    async fn create(&self, client: &Client, kind: &str, body: Value) -> Result<(), Error> {
        let mut object = DynamicObject::new(&self.name, &resource(GROUP, kind));
        object.data = body;
        let api = self.api(client, kind);
        let what = format!("create a {kind}");
        answer(&what, api.create(&PostParams::default(), &object)).await.map(drop)
    }

    fn api(&self, client: &Client, kind: &str) -> Api<DynamicObject> {
        let kind = resource(GROUP, kind);
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
            None => Api::all_with(client.clone(), &kind),
        }
    }

    /// Returns the kinds of the role and of its binding.
    fn kinds(&self) -> [&'static str; 2] {
        match self.namespace {
            Some(_) => ["Role", "RoleBinding"],
            None => ["ClusterRole", "ClusterRoleBinding"],
        }
    }
}

impl Rule {
    /// Returns one rule of a role for each resource.
    fn policies(&self) -> impl Iterator<Item = Value> {
        self.resources.iter().map(|resource| {
            json!({
                "apiGroups": [resource.group],
                "resources": [resource.path()],
                "resourceNames": self.names,
                "verbs": self.verbs,
            })
        })
    }

    fn rights(&self, namespace: Option<&str>) -> Vec<Value> {
        let mut rights = Vec::new();
        for (resource, verb) in
            self.resources.iter().flat_map(|own| self.verbs.iter().map(move |verb| (own, verb)))
        {
            let right = json!({
                "verb": verb,
                "group": resource.group,
                "resource": resource.plural,
                "subresource": resource.subresource,
                "namespace": namespace.unwrap_or_default(),
            });
            if self.names.is_empty() {
                rights.push(right);
                continue;
            }
            rights.extend(self.names.iter().map(|name| {
                let mut right = right.clone();
                right["name"] = json!(name);
                right
            }));
        }
        rights
    }
}

impl Resource {
    fn parse(name: &str) -> Self {
        let (name, subresource) = name.split_once('/').unwrap_or((name, ""));
        let (plural, group) = name.split_once('.').unwrap_or((name, ""));
        let [plural, group, subresource] = [plural, group, subresource].map(str::to_owned);
        Self { plural, group, subresource }
    }

    fn path(&self) -> String {
        match self.subresource.as_str() {
            "" => self.plural.clone(),
            subresource => format!("{}/{subresource}", self.plural),
        }
    }
}

fn resource(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_named_as_for_kubectl() {
        let parts = |name: &str| {
            let resource = Resource::parse(name);
            (resource.plural.clone(), resource.group.clone(), resource.path())
        };
        let own = |plural: &str, group: &str, path: &str| {
            (plural.to_owned(), group.to_owned(), path.to_owned())
        };
        assert_eq!(parts("pods"), own("pods", "", "pods"));
        assert_eq!(parts("pods/status"), own("pods", "", "pods/status"));
        assert_eq!(parts("widgets.example.com"), own("widgets", "example.com", "widgets"));
        let scale = own("deployments", "apps", "deployments/scale");
        assert_eq!(parts("deployments.apps/scale"), scale);
    }

    #[test]
    fn each_verb_on_each_resource_and_name_is_a_right() {
        let grant = Grant::in_namespace("shop")
            .allow(["list", "watch"], ["pods", "services"])
            .allow_named(["get"], ["secrets"], ["a", "b"]);
        let rights = grant.rights();
        let names: Vec<_> = rights.iter().filter_map(|right| right["name"].as_str()).collect();
        assert_eq!((rights.len(), names), (6, vec!["a", "b"]));
        assert!(rights.iter().all(|right| right["namespace"] == "shop"));
        let grant = Grant::cluster_wide().allow(["list"], ["pods"]);
        assert_eq!(grant.rights()[0]["namespace"], "");
    }
}
