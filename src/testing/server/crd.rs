//! `CustomResourceDefinitions`: objects that add resources.

use serde_json::{Value, json};

use crate::testing::server::{
    resource::Resource,
    status::{self, Outcome},
};

/// Returns the versions that a `CustomResourceDefinition` serves.
pub(super) fn served(crd: &Value) -> Outcome<Vec<Resource>> {
    let text = |path: &str| crd.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let name = text("/metadata/name");
    let refuse = |field: &str, why: &str| {
        status::invalid("apiextensions.k8s.io", "CustomResourceDefinition", name, field, why)
    };
    let (group, plural, kind) =
        (text("/spec/group"), text("/spec/names/plural"), text("/spec/names/kind"));
    for (field, value) in
        [("spec.group", group), ("spec.names.plural", plural), ("spec.names.kind", kind)]
    {
        if value.is_empty() {
            return Err(refuse(field, "Required value"));
        }
    }
    if name != format!("{plural}.{group}") {
        let why = format!("Invalid value: \"{name}\": must be spec.names.plural+\".\"+spec.group");
        return Err(refuse("metadata.name", &why));
    }
    let namespaced = match text("/spec/scope") {
        "Namespaced" => true,
        "Cluster" => false,
        _ => return Err(refuse("spec.scope", "Required value")),
    };
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array);
    let served = versions.into_iter().flatten().filter(|one| one["served"] == true);
    Ok(served
        .filter_map(|one| {
            let mut resource =
                Resource::new(group, one["name"].as_str()?, kind, plural, namespaced);
            resource.custom = true;
            resource.status = one.pointer("/subresources/status").is_some();
            if let Some(singular) = crd.pointer("/spec/names/singular").and_then(Value::as_str) {
                singular.clone_into(&mut resource.singular);
            }
            if let Some(kind) = crd.pointer("/spec/names/listKind").and_then(Value::as_str) {
                kind.clone_into(&mut resource.list_kind);
            }
            let short = crd.pointer("/spec/names/shortNames").and_then(Value::as_array);
            resource.short_names = short
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect();
            Some(resource)
        })
        .collect())
}

/// Refuses a change of scope or kind, like a real server.
pub(super) fn check_immutable(current: &Value, next: &Value) -> Outcome<()> {
    for (field, path) in [("spec.scope", "/spec/scope"), ("spec.names.kind", "/spec/names/kind")] {
        let asked = next.pointer(path).unwrap_or(&Value::Null);
        if current.pointer(path) != Some(asked) {
            let name = next["metadata"]["name"].as_str().unwrap_or_default();
            let why = format!("Invalid value: {asked}: field is immutable");
            let (group, kind) = ("apiextensions.k8s.io", "CustomResourceDefinition");
            return Err(status::invalid(group, kind, name, field, &why));
        }
    }
    Ok(())
}

/// Writes the status that controllers of a real server write, and for which clients wait.
pub(super) fn establish(crd: &mut Value, now: &str) {
    let storage = crd
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|one| one["storage"] == true)
        .map_or(Value::Null, |one| one["name"].clone());
    let condition = |kind: &str, reason: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": now,
        })
    };
    crd["status"] = json!({
        "acceptedNames": crd["spec"]["names"],
        "conditions": [condition("NamesAccepted", "NoConflicts"), condition("Established", "InitialNamesAccepted")],
        "storedVersions": [storage],
    });
}
