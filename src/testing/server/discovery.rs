//! Discovery of groups, versions and resources.

use serde_json::{Value, json};

use crate::testing::server::{
    resource::{self, Registry, Resource},
    verb::Verb,
};

const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];

/// `/version`
pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": "35", "gitVersion": "v1.35.0", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "",
    })
}

/// `/api`
pub(super) fn core() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`
pub(super) fn groups(registry: &Registry) -> Value {
    let groups: Vec<Value> = group_names(registry)
        .into_iter()
        .filter(|group| !group.is_empty())
        .filter_map(|group| group_of(registry, group))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/{group}`
pub(super) fn group(registry: &Registry, name: &str) -> Option<Value> {
    let mut group = group_of(registry, name)?;
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    Some(group)
}

/// `/api/v1` and `/apis/{group}/{version}`
pub(super) fn resources(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for one in of_version(registry, group, version) {
        resources.push(json!({
            "name": one.plural, "singularName": one.singular, "namespaced": one.namespaced, "kind": one.kind,
            "verbs": verbs(registry, one), "shortNames": one.short_names,
        }));
        if one.status {
            resources.push(json!({
                "name": format!("{}/status", one.plural), "singularName": "", "namespaced": one.namespaced,
                "kind": one.kind, "verbs": STATUS_VERBS,
            }));
        }
    }
    let group_version = resource::api_version(group, version);
    (!resources.is_empty()).then(|| {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources})
    })
}

/// `/api` or `/apis` for clients that accept aggregated discovery.
pub(super) fn aggregated(registry: &Registry, core: bool) -> Value {
    let items: Vec<Value> = group_names(registry)
        .into_iter()
        .filter(|group| group.is_empty() == core)
        .map(|group| {
            let versions: Vec<Value> = versions(registry, group)
                .into_iter()
                .map(|version| {
                    let resources: Vec<Value> = of_version(registry, group, version)
                        .map(|one| aggregated_resource(registry, one))
                        .collect();
                    json!({"version": version, "freshness": "Current", "resources": resources})
                })
                .collect();
            json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    })
}

fn aggregated_resource(registry: &Registry, one: &Resource) -> Value {
    let kind = json!({"group": one.group, "version": one.version, "kind": one.kind});
    let subresources = if one.status {
        json!([{"subresource": "status", "responseKind": kind, "verbs": STATUS_VERBS}])
    } else {
        json!([])
    };
    json!({
        "resource": one.plural, "responseKind": kind, "singularResource": one.singular, "verbs": verbs(registry, one),
        "scope": if one.namespaced { "Namespaced" } else { "Cluster" },
        "shortNames": one.short_names, "subresources": subresources,
    })
}

fn verbs(registry: &Registry, resource: &Resource) -> Vec<&'static str> {
    registry.verbs(resource).map(Verb::name).collect()
}

fn group_of(registry: &Registry, group: &str) -> Option<Value> {
    let versions: Vec<Value> = versions(registry, group)
        .into_iter()
        .map(|version| json!({"groupVersion": resource::api_version(group, version), "version": version}))
        .collect();
    let preferred = versions.first()?.clone();
    Some(json!({"name": group, "versions": versions, "preferredVersion": preferred}))
}

fn group_names(registry: &Registry) -> Vec<&str> {
    unique(registry.served().map(|one| one.group.as_str()))
}

/// Returns the versions of a group, the preferred one first.
fn versions<'a>(registry: &'a Registry, group: &str) -> Vec<&'a str> {
    let mut versions =
        unique(registry.served().filter(|one| one.group == group).map(|one| one.version.as_str()));
    versions.sort_by_cached_key(|version| {
        std::cmp::Reverse(kube::core::Version::parse(version).priority())
    });
    versions
}

fn of_version<'a>(
    registry: &'a Registry,
    group: &str,
    version: &str,
) -> impl Iterator<Item = &'a Resource> {
    registry
        .served()
        .filter(move |one| one.group == group && one.version == version)
        .map(AsRef::as_ref)
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut unique = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}
