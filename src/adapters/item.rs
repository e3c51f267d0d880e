//! Item types that the adaptors accept.

use kube::runtime::{reflector::Lookup, watcher::Event};

use super::subject::Subject;
use crate::{change::Change, error::Error, event::WatchEvent};

/// An item of an event stream: a [`WatchEvent`] or kube's [`Event`], in a `Result` with this crate's or
/// kube's error, or bare, as in a mocked stream.
///
/// The trait is sealed; use it in bounds of your own functions that accept any of these streams.
///
/// ```
/// use futures::Stream;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::runtime::watcher::{Config, watcher};
/// use kube_weir::{Error, adapters::{EventItem, Indexed}, prelude::*};
/// use kube_weir::testing::{Events, fixture::settings};
///
/// fn by_app<S>(events: S) -> Result<Indexed<S, ConfigMap>, Error>
/// where
///     S: Stream<Item: EventItem<Object = ConfigMap>>,
/// {
///     Ok(events.index(Index::path("metadata.labels.app")?))
/// }
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let ours = by_app(Events::listed([settings("debug")]))?;
/// let kubes = by_app(watcher(Api::all(client), Config::default()))?;
/// for snapshot in [pin!(ours).first_synced().await?, pin!(kubes).first_synced().await?] {
///     assert_eq!(snapshot.len(), 1);
/// }
/// # Ok(()) });
/// ```
///
/// A [`Watch`](crate::Watch) passed to such a function is reported, awaited and logged like a directly
/// indexed one. But only its own [`index`](crate::Watch::index) avoids decoding stored objects again in a
/// relist, and checks more when the API server comes back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no item of a stream of events",
    label = "the items are no events",
    note = "`filter_fields`, `matching` and `index` work on events, so they come first: \
            `watch(..).filter_fields(..).index(..).debounce(..)`",
    note = "an event is a `WatchEvent` or kube's `watcher::Event`, bare or in a `Result`"
)]
pub trait EventItem: sealed::Sealed {
    /// The kind of object.
    type Object;

    /// Converts the item for the adaptors.
    #[doc(hidden)]
    fn into_event(self) -> Result<WatchEvent<Self::Object>, Error>;
}

impl<K> EventItem for WatchEvent<K> {
    type Object = K;

    fn into_event(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<K> EventItem for Event<K> {
    type Object = K;

    fn into_event(self) -> Result<WatchEvent<K>, Error> {
        Ok(self.into())
    }
}

impl<K, E: Into<Error>> EventItem for Result<WatchEvent<K>, E> {
    type Object = K;

    fn into_event(self) -> Result<WatchEvent<K>, Error> {
        self.map_err(Into::into)
    }
}

impl<K, E: Into<Error>> EventItem for Result<Event<K>, E> {
    type Object = K;

    fn into_event(self) -> Result<WatchEvent<K>, Error> {
        self.map(Into::into).map_err(Into::into)
    }
}

/// An item of a change stream: `Result<Change<K>, Error>`, or a bare `Change<K>`, as after
/// [`log_errors`](crate::EventStreamExt::log_errors); or likewise with a
/// [`WorldChange`](crate::WorldChange).
///
/// The trait is sealed; use it in bounds of your own functions that accept any of these streams, of one kind
/// or, with [`Subject`](crate::adapters::Subject), of one kind or several.
///
/// ```
/// use futures::Stream;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube_weir::{adapters::{ChangeItem, Debounced, LogErrors, Subject}, prelude::*};
/// use kube_weir::{testing::Events, world};
///
/// fn settled<S, K>(changes: S) -> LogErrors<Debounced<S, K>>
/// where
///     S: Stream<Item: ChangeItem<Object = K>>,
///     K: Subject,
/// {
///     changes.debounce(Duration::from_secs(1)).log_errors()
/// }
///
/// # kube_weir::testing::fixture::run(async {
/// let configs = Events::<ConfigMap>::listed([]).index(());
/// assert!(settled(configs).first_synced().await?.is_empty());
/// let all = world((Events::<ConfigMap>::listed([]).index(()),));
/// assert!(settled(all).first_synced().await?.kinds().0.is_empty());
/// # Ok(()) });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no item of a stream of changes",
    label = "the items are no changes: call `.index(..)` first",
    note = "`debounce`, `while_leading` and `first_synced` work on changes, which `.index(..)` makes of events: \
            `watch(..).filter_fields(..).index(..).debounce(..)`"
)]
pub trait ChangeItem: sealed::Sealed {
    /// The kind of object, or the [`World`](crate::World).
    type Object: Subject;

    /// Converts the item for the adaptors.
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
    use super::{Change, Event, WatchEvent};

    pub trait Sealed {}
    impl<T, E> Sealed for Result<T, E> {}
    impl<K> Sealed for Event<K> {}
    impl<K> Sealed for WatchEvent<K> {}
    impl<K> Sealed for Change<K> {}
}
