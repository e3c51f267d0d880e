//! What may flow into an adaptor.

use kube::runtime::{reflector::Lookup, watcher::Event};

use super::subject::Subject;
use crate::{change::Change, error::Error};

/// An item of an event stream: `Result<Event<K>, E>` with this crate's or kube's error, or a bare
/// `Event<K>`, as a mocked stream has it.
pub trait EventItem: sealed::Sealed {
    /// The kind of object.
    type Object;

    /// The item as the adaptors want it.
    #[doc(hidden)]
    fn into_event(self) -> Result<Event<Self::Object>, Error>;
}

impl<K, E: Into<Error>> EventItem for Result<Event<K>, E> {
    type Object = K;

    fn into_event(self) -> Result<Event<K>, Error> {
        self.map_err(Into::into)
    }
}

impl<K> EventItem for Event<K> {
    type Object = K;

    fn into_event(self) -> Result<Self, Error> {
        Ok(self)
    }
}

/// An item of a change stream: `Result<Change<K>, Error>`, or a bare `Change<K>`, as it is after
/// [`log_errors`](crate::EventStreamExt::log_errors); or the same of a
/// [`WorldChange`](crate::WorldChange).
pub trait ChangeItem: sealed::Sealed {
    /// The kind of object, or the [`World`](crate::World).
    type Object: Subject;

    /// The item as the adaptors want it.
    #[doc(hidden)]
    fn into_change(self) -> Result<<Self::Object as Subject>::Change, Error>;
}

impl<K: Lookup> ChangeItem for Result<Change<K>, Error> {
    type Object = K;

    fn into_change(self) -> Self {
        self
    }
}

impl<K: Lookup> ChangeItem for Change<K> {
    type Object = K;

    fn into_change(self) -> Result<Self, Error> {
        Ok(self)
    }
}

pub(crate) mod sealed {
    use super::{Change, Event};

    pub trait Sealed {}
    impl<T, E> Sealed for Result<T, E> {}
    impl<K> Sealed for Event<K> {}
    impl<K> Sealed for Change<K> {}
}
