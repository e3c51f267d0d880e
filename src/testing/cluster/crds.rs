//! Installation of custom resources, which takes time.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Client, ResourceExt,
    api::{Api, DynamicObject, ListParams, Patch, PatchParams},
    core::{ApiResource, GroupVersion},
};

use super::{
    Cluster, Error,
    instance::{Patience, answer},
};

/// Longest wait until a new kind is served; typically about 200 ms.
const SERVED: Duration = Duration::from_secs(30);

impl Cluster {
    /// Applies custom resource definitions, and waits until each is established and each of its
    /// versions is served: objects can be created as soon as this returns.
    ///
    /// ```no_run
    /// # // Without the two programs a cluster does not start.
    /// use kube_weir::testing::{Manifests, cluster::Cluster};
    ///
    /// # async fn install(cluster: &Cluster) -> Result<(), Box<dyn std::error::Error>> {
    /// // From files, or from types that derive `CustomResource`: `[Widget::crd(), Gadget::crd()]`.
    /// cluster.install(Manifests::read("deploy/crds")?.objects()?).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If the API server refuses a definition, or its names, or does not serve it within 30 seconds.
    pub async fn install(
        &self,
        crds: impl IntoIterator<Item = CustomResourceDefinition>,
    ) -> Result<(), Error> {
        let client = self.client().await?;
        let api: Api<CustomResourceDefinition> = Api::all(client.clone());
        let crds: Vec<_> = crds.into_iter().collect();
        let params = PatchParams::apply("kube-weir").force();
        for crd in &crds {
            let name = crd.name_any();
            let what = format!("apply the CustomResourceDefinition {name}");
            answer(&what, api.patch(&name, &params, &Patch::Apply(crd))).await?;
        }
        for crd in &crds {
            wait_until_served(&client, &api, crd).await?;
        }
        Ok(())
    }
}

async fn wait_until_served(
    client: &Client,
    crds: &Api<CustomResourceDefinition>,
    crd: &CustomResourceDefinition,
) -> Result<(), Error> {
    let name = crd.name_any();
    let patience = Patience::new(SERVED);
    while !is_established(&answer("read a CustomResourceDefinition", crds.get(&name)).await?)? {
        patience.again(|| format!("{name} was not established")).await?;
    }
    let params = ListParams::default().limit(1);
    for version in crd.spec.versions.iter().filter(|version| version.served) {
        let kind = resource(crd, &version.name);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
        loop {
            match answer("list a new kind", api.list(&params)).await {
                Err(error) if error.status().is_some_and(|status| status.code == 404) => {}
                outcome => break drop(outcome?),
            }
            let missing = || format!("version {} of {name} was not served", version.name);
            patience.again(missing).await?;
        }
    }
    Ok(())
}

/// Returns whether a definition is established, or an error if its names are taken.
fn is_established(crd: &CustomResourceDefinition) -> Result<bool, Error> {
    let conditions = crd.status.iter().flat_map(|status| status.conditions.iter().flatten());
    for condition in conditions {
        match (condition.type_.as_str(), condition.status.as_str()) {
            ("Established", "True") => return Ok(true),
            ("NamesAccepted", "False") => {
                let reason = condition.message.as_deref().unwrap_or("names are taken");
                return Err(Error::other(format!("{} is not accepted: {reason}", crd.name_any())));
            }
            _ => {}
        }
    }
    Ok(false)
}

fn resource(crd: &CustomResourceDefinition, version: &str) -> ApiResource {
    let spec = &crd.spec;
    let group = GroupVersion::gv(&spec.group, version);
    let kind = group.with_kind(&spec.names.kind);
    ApiResource::from_gvk_with_plural(&kind, &spec.names.plural)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn names_that_are_taken_are_an_error() {
        let crd = |conditions: serde_json::Value| -> CustomResourceDefinition {
            from_value(json!({
                "metadata": { "name": "widgets.example.com" },
                "spec": {
                    "group": "example.com", "scope": "Namespaced", "versions": [],
                    "names": { "kind": "Widget", "plural": "widgets" },
                },
                "status": { "conditions": conditions },
            }))
            .unwrap()
        };
        assert!(!is_established(&crd(json!([]))).unwrap());
        let yes = json!([{ "type": "Established", "status": "True" }]);
        assert!(is_established(&crd(yes)).unwrap());
        let no = json!([{ "type": "NamesAccepted", "status": "False", "message": "taken" }]);
        let error = is_established(&crd(no)).unwrap_err();
        assert_eq!(error.to_string(), "widgets.example.com is not accepted: taken");
    }

    #[test]
    fn the_plural_is_that_of_the_definition() {
        let crd: CustomResourceDefinition = from_value(json!({
            "metadata": { "name": "oxen.example.com" },
            "spec": {
                "group": "example.com", "scope": "Cluster", "versions": [],
                "names": { "kind": "Ox", "plural": "oxen" },
            },
        }))
        .unwrap();
        let resource = resource(&crd, "v1beta1");
        assert_eq!((&*resource.plural, &*resource.api_version), ("oxen", "example.com/v1beta1"));
    }
}
