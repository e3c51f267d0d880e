//! The tables of the page.

use kube_weir::{Document, FieldPath, Store};

/// Names of the columns, and paths of their values.
pub(crate) type Columns = &'static [(&'static str, &'static str)];

/// A table for each kind.
pub(crate) const TABLES: [(&str, &str, Columns); 3] = [
    (
        "deployments",
        "apps/v1/deployments",
        &[
            ("wanted", "spec.replicas"),
            ("ready", "status.readyReplicas"),
            ("images", "spec.template.spec.containers[*].image"),
        ],
    ),
    (
        "pods",
        "v1/pods",
        &[("app", "metadata.labels.app"), ("phase", "status.phase"), ("node", "spec.nodeName")],
    ),
    (
        "services",
        "v1/services",
        &[("type", "spec.type"), ("address", "spec.clusterIP"), ("ports", "spec.ports[*].port")],
    ),
];

/// A watched kind.
pub(crate) struct Watched {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) paths: Vec<FieldPath>,
    pub(crate) store: Store<Document>,
}
