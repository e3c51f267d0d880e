//! The origin of a pipeline's objects, as named in logs, metrics and `report`.

use std::{any::type_name, sync::Arc};

/// The origin of objects: their resource.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub(crate) resource: Arc<str>,
    /// The name that distinguishes pipelines of the same resource.
    pub(crate) name: Option<Arc<str>>,
}

impl Origin {
    /// Makes the origin of objects of this resource.
    pub(crate) fn new(resource: impl Into<Arc<str>>) -> Self {
        Self { resource: resource.into(), name: None }
    }

    /// Makes the origin of objects of a stream of which only the Rust type is known.
    pub(crate) fn of_type<K>() -> Self {
        Self::new(type_label::<K>())
    }
}

/// Returns the name of a type, without its path.
pub(crate) fn type_label<K>() -> Arc<str> {
    let whole = type_name::<K>();
    let plain = whole.split('<').next().unwrap_or(whole);
    plain.rsplit("::").next().unwrap_or(plain).into()
}
