//! The resources of the server: built-in ones, and those of `CustomResourceDefinitions`.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::testing::server::verb::Verb;

/// The storage of `CustomResourceDefinitions`.
pub(super) const CRDS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// A resource in one of its versions.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    /// The kind of its lists.
    pub(super) list_kind: String,
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) short_names: Vec<String>,
    pub(super) namespaced: bool,
    /// True if the resource has `/status`, and `status` is written only there.
    pub(super) status: bool,
    /// True for custom resources: their items in lists have a kind, and an update needs a resourceVersion.
    pub(super) custom: bool,
    /// `plural.group`: shared by all versions of the resource, and used in messages.
    pub(super) storage: Arc<str>,
}

impl Resource {
    pub(super) fn new(
        group: &str,
        version: &str,
        kind: &str,
        plural: &str,
        namespaced: bool,
    ) -> Self {
        let storage =
            if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") };
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            list_kind: format!("{kind}List"),
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            short_names: Vec::new(),
            namespaced,
            status: false,
            custom: false,
            storage: storage.into(),
        }
    }

    pub(super) fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// Returns whether an update needs a resourceVersion, as for Leases and custom resources.
    pub(super) fn needs_version(&self) -> bool {
        self.custom || &*self.storage == CRDS || self.kind == "Lease"
    }
}

/// `v1` or `group/v1`.
pub(super) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// All served resources, in the order in which discovery shows them.
#[derive(Debug)]
pub(super) struct Registry {
    served: Vec<Arc<Resource>>,
    /// The verbs of resources that lack some, by storage.
    verbs: HashMap<Arc<str>, Vec<Verb>>,
    /// The resources whose answers have no resourceVersions, by storage.
    unversioned: HashSet<Arc<str>>,
}

/// All verbs of a resource, in the order of discovery.
const VERBS: [Verb; 8] = [
    Verb::Create,
    Verb::Delete,
    Verb::DeleteCollection,
    Verb::Get,
    Verb::List,
    Verb::Patch,
    Verb::Update,
    Verb::Watch,
];

impl Registry {
    /// Returns the registry of the kinds that most controllers use.
    pub(super) fn usual() -> Self {
        let served = USUAL
            .iter()
            .map(|&(group, version, kind, plural, short, namespaced, status)| {
                let mut resource = Resource::new(group, version, kind, plural, namespaced);
                resource.status = status;
                resource.short_names = short.iter().map(|&name| name.to_owned()).collect();
                Arc::new(resource)
            })
            .collect();
        Self { served, verbs: HashMap::new(), unversioned: HashSet::new() }
    }

    pub(super) fn served(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.served.iter()
    }

    /// Adds a resource; replaces one with the same path.
    pub(super) fn install(&mut self, resource: Resource) {
        self.served.retain(|one| {
            (&one.group, &one.version, &one.plural)
                != (&resource.group, &resource.version, &resource.plural)
        });
        self.served.push(Arc::new(resource));
    }

    /// Serves these versions of a resource, and no others.
    pub(super) fn replace(&mut self, storage: &str, versions: Vec<Resource>) {
        self.served.retain(|one| &*one.storage != storage);
        for version in versions {
            self.install(version);
        }
    }

    /// Limits the verbs of all versions of a resource.
    pub(super) fn set_verbs(&mut self, storage: &Arc<str>, verbs: &[Verb]) {
        self.verbs.insert(storage.clone(), verbs.to_vec());
    }

    /// Returns the verbs of a resource, in the order of discovery.
    pub(super) fn verbs(&self, resource: &Resource) -> impl Iterator<Item = Verb> {
        let own = self.verbs.get(&resource.storage);
        VERBS.into_iter().filter(move |verb| own.is_none_or(|own| own.contains(verb)))
    }

    /// Sets whether answers about a resource have resourceVersions.
    pub(super) fn set_versioned(&mut self, storage: &Arc<str>, versioned: bool) {
        if versioned {
            self.unversioned.remove(storage);
        } else {
            self.unversioned.insert(storage.clone());
        }
    }

    pub(super) fn is_versioned(&self, resource: &Resource) -> bool {
        !self.unversioned.contains(&resource.storage)
    }

    pub(super) fn by_path(
        &self,
        group: &str,
        version: &str,
        plural: &str,
    ) -> Option<Arc<Resource>> {
        self.find(|one| one.group == group && one.version == version && one.plural == plural)
    }

    pub(super) fn by_kind(&self, api_version: &str, kind: &str) -> Option<Arc<Resource>> {
        self.find(|one| one.kind == kind && one.api_version() == api_version)
    }

    /// Returns a resource by name: `ingresses`, `ingresses.networking.k8s.io` or
    /// `networking.k8s.io/v1/ingresses`.
    pub(super) fn by_name(&self, name: &str) -> Option<Arc<Resource>> {
        if let Some((api_version, plural)) = name.rsplit_once('/') {
            return self.find(|one| one.plural == plural && one.api_version() == api_version);
        }
        self.find(|one| &*one.storage == name).or_else(|| self.find(|one| one.plural == name))
    }

    fn find(&self, which: impl Fn(&Resource) -> bool) -> Option<Arc<Resource>> {
        self.served.iter().find(|one| which(one)).cloned()
    }
}

type Row =
    (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], bool, bool);

// group, version, kind, plural, short names, namespaced, has /status
const USUAL: &[Row] = &[
    ("", "v1", "ConfigMap", "configmaps", &["cm"], true, false),
    ("", "v1", "Endpoints", "endpoints", &["ep"], true, false),
    ("", "v1", "Event", "events", &["ev"], true, false),
    ("", "v1", "Namespace", "namespaces", &["ns"], false, true),
    ("", "v1", "Node", "nodes", &["no"], false, true),
    ("", "v1", "Pod", "pods", &["po"], true, true),
    ("", "v1", "Secret", "secrets", &[], true, false),
    ("", "v1", "ServiceAccount", "serviceaccounts", &["sa"], true, false),
    ("", "v1", "Service", "services", &["svc"], true, true),
    (
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &["crd", "crds"],
        false,
        true,
    ),
    ("apps", "v1", "DaemonSet", "daemonsets", &["ds"], true, true),
    ("apps", "v1", "Deployment", "deployments", &["deploy"], true, true),
    ("apps", "v1", "ReplicaSet", "replicasets", &["rs"], true, true),
    ("apps", "v1", "StatefulSet", "statefulsets", &["sts"], true, true),
    ("batch", "v1", "Job", "jobs", &[], true, true),
    ("coordination.k8s.io", "v1", "Lease", "leases", &[], true, false),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", &[], true, false),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", &["ing"], true, true),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", &[], false, false),
];
