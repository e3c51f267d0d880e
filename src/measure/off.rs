//! Empty instruments, without the feature `metrics`.

#![allow(clippy::unused_self, reason = "as with the feature")]

use tokio::time::Instant;

use crate::origin::Origin;

#[derive(Clone, Debug, Default)]
pub(crate) struct Labels;

impl Labels {
    pub(crate) fn of(_: &Origin) -> Self {
        Self
    }

    pub(crate) fn lease(_: &str, _: &str) -> Self {
        Self
    }

    pub(crate) fn with(&self, _: &'static str, _: impl Sized) -> Self {
        Self
    }
}

macro_rules! instruments {
    ($($instrument:ident $method:ident($($arg:ty),*);)*) => {$(
        #[derive(Clone, Default)]
        pub(crate) struct $instrument {}

        impl $instrument {
            pub(crate) fn new(_: &'static str, _: &Labels) -> Self {
                Self {}
            }

            #[inline]
            pub(crate) fn $method(&self, $(_: $arg),*) {}
        }
    )*};
}

instruments! {
    Counter add(usize);
    Family count(&'static str, impl Sized);
    Timestamp now();
    Histogram since(Instant);
}

#[derive(Default)]
pub(crate) struct Share;

impl Share {
    pub(crate) fn new(_: &'static str, _: &Labels) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn set(&mut self, _: usize) {}
}

#[derive(Default)]
pub(crate) struct Shares;

impl Shares {
    pub(crate) fn new<V>(
        _: &'static str,
        _: &Labels,
        _: &'static str,
        _: impl Iterator<Item = V>,
    ) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn set(&mut self, _: impl Iterator<Item = usize>) {}
}
