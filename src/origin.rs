//! What a pipeline's objects are, by the names that logs, metrics and `report` give it.

use std::{any::type_name, sync::Arc};

/// Where objects come from.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub(crate) resource: Arc<str>,
    /// Of one of several of the same resource.
    pub(crate) name: Option<Arc<str>>,
}

impl Origin {
    /// Objects of this resource.
    pub(crate) fn new(resource: impl Into<Arc<str>>) -> Self {
        Self { resource: resource.into(), name: None }
    }

    /// Objects of a stream that says no more than their Rust type.
    pub(crate) fn of_type<K>() -> Self {
        Self::new(type_label::<K>())
    }
}

/// The name of a type, without the path.
pub(crate) fn type_label<K>() -> Arc<str> {
    let whole = type_name::<K>();
    let plain = whole.split('<').next().unwrap_or(whole);
    plain.rsplit("::").next().unwrap_or(plain).into()
}
