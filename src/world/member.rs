//! One pipeline of a world.

use std::{
    any::type_name,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::{Stream, task::AtomicWaker};
use kube::runtime::reflector::Lookup;

use super::{
    store::Reader,
    view::{Polled, sealed::Sealed},
};
use crate::{
    adapters::{EventItem, Indexed},
    change::Change,
    error::{Error, Reason},
    snapshot::Snapshot,
    store::{Changes, Store},
};

/// What a world is made of: a stream of changes with its store, not yet debounced, as
/// [`index`](crate::EventStreamExt::index) or [`Store::changes`] give it.
pub trait Pipeline: Stream<Item = Result<Change<Self::Object>, Error>> + Sealed {
    /// The kind of object.
    type Object: Lookup + Send + Sync + 'static;

    #[doc(hidden)]
    fn reading_side(&self) -> Store<Self::Object>;
}

impl<S, K> Sealed for Indexed<S, K> {}

impl<S, K> Pipeline for Indexed<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup + Send + Sync + 'static,
{
    type Object = K;

    fn reading_side(&self) -> Store<K> {
        self.store()
    }
}

impl<K> Sealed for Changes<K> {}

impl<K: Lookup + Send + Sync + 'static> Pipeline for Changes<K> {
    type Object = K;

    fn reading_side(&self) -> Store<K> {
        self.store()
    }
}

/// A [`Pipeline`], which is named by its Rust type, or a pair of another name and one.
pub trait IntoMember {
    /// The kind of object.
    type Object;

    #[doc(hidden)]
    fn into_member(self, bell: &Arc<AtomicWaker>) -> Member<Self::Object>;
}

impl<P: Pipeline + Send + 'static> IntoMember for P {
    type Object = P::Object;

    fn into_member(self, bell: &Arc<AtomicWaker>) -> Member<P::Object> {
        Member::new(type_label::<P::Object>(), self, bell)
    }
}

impl<N: Into<Arc<str>>, P: Pipeline + Send + 'static> IntoMember for (N, P) {
    type Object = P::Object;

    fn into_member(self, bell: &Arc<AtomicWaker>) -> Member<P::Object> {
        Member::new(self.0.into(), self.1, bell)
    }
}

/// The name of a kind that has no other: that of its type, without the path.
pub(super) fn type_label<K>() -> Arc<str> {
    let whole = type_name::<K>();
    let plain = whole.split('<').next().unwrap_or(whole);
    plain.rsplit("::").next().unwrap_or(plain).into()
}

/// A pipeline and what came of it.
#[doc(hidden)]
pub struct Member<K> {
    pub(super) name: Arc<str>,
    pub(super) store: Store<K>,
    pub(super) snapshot: Snapshot<K>,
    /// Until it ends.
    pipeline: Option<Pin<Box<Boxed<K>>>>,
    synced: bool,
    /// Whether the snapshot is that of a predecessor, which is shown until this is synced.
    inherited: bool,
    alarm: Arc<Alarm>,
    waker: Waker,
}

type Boxed<K> = dyn Stream<Item = Result<Change<K>, Error>> + Send;

impl<K: Lookup + Send + Sync + 'static> Member<K> {
    pub(super) fn new(
        name: Arc<str>,
        pipeline: impl Pipeline<Object = K> + Send + 'static,
        bell: &Arc<AtomicWaker>,
    ) -> Self {
        let store = pipeline.reading_side();
        let alarm = Arc::new(Alarm { rung: AtomicBool::new(true), bell: Arc::clone(bell) });
        Self {
            name,
            // That of the pipeline may show already what comes as a change only later.
            snapshot: store.snapshot().emptied(),
            store,
            pipeline: Some(Box::pin(pipeline)),
            synced: false,
            inherited: false,
            waker: Waker::from(Arc::clone(&alarm)),
            alarm,
        }
    }

    /// Takes the place of a pipeline of the same name.
    pub(super) fn succeed(mut self, other: &Self) -> Self {
        self.inherited = other.is_shown();
        self.snapshot = other.snapshot.clone();
        self
    }

    /// Whether the snapshot is a complete one.
    pub(super) fn is_shown(&self) -> bool {
        self.synced || self.inherited
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::new(&self.name, &self.store)
    }
}

impl<K> Polled for Member<K> {
    fn is_woken(&self) -> bool {
        self.alarm.rung.swap(false, Ordering::AcqRel)
    }

    fn again(&self) {
        self.alarm.rung.store(true, Ordering::Release);
    }

    fn poll(&mut self) -> Poll<Option<Result<(), Error>>> {
        let Some(pipeline) = &mut self.pipeline else { return Poll::Ready(None) };
        match pipeline.as_mut().poll_next(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(change))) => {
                self.synced |= !matches!(change, Change::InitialSync(_));
                self.inherited &= !self.synced;
                if !self.inherited {
                    self.snapshot = change.snapshot().clone();
                }
                Poll::Ready(Some(Ok(())))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.in_kind(&self.name)))),
            Poll::Ready(None) => {
                self.pipeline = None;
                let early = || Error::new(Reason::Ended, "the stream ended before it was synced");
                let error = (!self.synced).then(|| Err(early().in_kind(&self.name)));
                Poll::Ready(error)
            }
        }
    }

    fn is_synced(&self) -> bool {
        self.synced
    }

    fn is_ended(&self) -> bool {
        self.pipeline.is_none()
    }
}

/// Wakes the world for one of its pipelines, and says which.
struct Alarm {
    rung: AtomicBool,
    bell: Arc<AtomicWaker>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.bell.wake();
    }
}
