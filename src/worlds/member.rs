//! A pipeline of a world.

use std::{
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
    kind_store::KindStore,
    view::{Polled, sealed::Sealed},
};
use crate::{
    adapters::{EventItem, HasStore, Indexed},
    change::Change,
    error::{Error, ErrorKind},
    origin::type_label,
    snapshot::Snapshot,
    store::{Changes, Store},
};

/// A stream of changes with its store, not yet debounced, from which a world is made: the result of
/// [`index`](crate::EventStreamExt::index) or [`Store::changes`].
///
/// This trait is sealed; use it in bounds of your own functions.
///
/// ```
/// use kube_weir::{Kinds, prelude::*, testing::Events, worlds::Pipeline};
///
/// fn numbered<P>(pipelines: impl IntoIterator<Item = P>) -> Kinds
/// where
///     P: Pipeline<Object = Document> + Send + 'static,
/// {
///     let pipelines = pipelines.into_iter().enumerate();
///     pipelines.fold(Kinds::new(), |kinds, (at, pipeline)| kinds.add(at.to_string(), pipeline))
/// }
///
/// # kube_weir::testing::fixture::run(async {
/// let pipelines = [(), ()].map(|indexes| Events::<Document>::listed([]).index(indexes));
/// let world = world(numbered(pipelines)).first_synced().await?;
/// assert_eq!(world.kinds().len(), 2);
/// # Ok(()) });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a kind of a world",
    label = "a kind of a world ends with `.index(..)`",
    note = "`.debounce(..)`, `.log_errors()` and the other stages go behind the world: \
            `world((pods.index(..), nodes.index(..))).debounce(..)`"
)]
pub trait Pipeline:
    Stream<Item = Result<Change<Self::Object>, Error>> + HasStore<Store = Store<Self::Object>> + Sealed
{
    /// The kind of object.
    type Object: Lookup + Send + Sync + 'static;
}

impl<S, K> Sealed for Indexed<S, K> {}

impl<S, K> Pipeline for Indexed<S, K>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup + Send + Sync + 'static,
{
    type Object = K;
}

impl<K> Sealed for Changes<K> {}

impl<K: Lookup + Send + Sync + 'static> Pipeline for Changes<K> {
    type Object = K;
}

/// A [`Pipeline`], named by its Rust type, or a pair of another name and a pipeline: see the example of
/// [`world`](fn@crate::world).
///
/// Use it in bounds; it can't be implemented elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a kind of a world",
    label = "a kind of a world ends with `.index(..)`",
    note = "`.debounce(..)`, `.log_errors()` and the other stages go behind the world: \
            `world((pods.index(..), nodes.index(..))).debounce(..)`"
)]
pub trait IntoMember {
    /// The kind of object.
    type Object;

    #[doc(hidden)]
    fn into_member(self, world_waker: &WorldWaker) -> Member<Self::Object>;
}

impl<P: Pipeline + Send + 'static> IntoMember for P {
    type Object = P::Object;

    fn into_member(self, world_waker: &WorldWaker) -> Member<P::Object> {
        Member::new(type_label::<P::Object>(), self, world_waker)
    }
}

impl<N: Into<Arc<str>>, P: Pipeline + Send + 'static> IntoMember for (N, P) {
    type Object = P::Object;

    fn into_member(self, world_waker: &WorldWaker) -> Member<P::Object> {
        Member::new(self.0.into(), self.1, world_waker)
    }
}

/// A pipeline and its last snapshot.
#[doc(hidden)]
pub struct Member<K> {
    pub(super) name: Arc<str>,
    pub(super) store: Store<K>,
    pub(super) snapshot: Snapshot<K>,
    /// `None` once the pipeline has ended.
    pipeline: Option<Pin<Box<Boxed<K>>>>,
    synced: bool,
    /// True if the snapshot is of a predecessor, which is shown until this pipeline is synced.
    inherited: bool,
    own_waker: Arc<MemberWaker>,
    waker: Waker,
}

type Boxed<K> = dyn Stream<Item = Result<Change<K>, Error>> + Send;

impl<K: Lookup + Send + Sync + 'static> Member<K> {
    pub(super) fn new(
        name: Arc<str>,
        pipeline: impl Pipeline<Object = K> + Send + 'static,
        world_waker: &WorldWaker,
    ) -> Self {
        let store = pipeline.reading_side();
        let own_waker = Arc::new(MemberWaker {
            woken: AtomicBool::new(true),
            world_waker: world_waker.clone(),
        });
        Self {
            name,
            // The pipeline's snapshot may already show changes that it yields only later.
            snapshot: store.snapshot().emptied(),
            store,
            pipeline: Some(Box::pin(pipeline)),
            synced: false,
            inherited: false,
            waker: Waker::from(Arc::clone(&own_waker)),
            own_waker,
        }
    }

    /// Takes the place of a pipeline of the same name.
    pub(super) fn succeed(mut self, other: &Self) -> Self {
        self.inherited = other.is_shown();
        self.snapshot = other.snapshot.clone();
        self
    }

    /// Returns whether the snapshot is complete.
    pub(super) fn is_shown(&self) -> bool {
        self.synced || self.inherited
    }

    pub(super) fn kind_store(&self) -> KindStore {
        KindStore::new(&self.name, &self.store)
    }
}

impl<K> Polled for Member<K> {
    fn is_woken(&self) -> bool {
        self.own_waker.woken.swap(false, Ordering::AcqRel)
    }

    fn again(&self) {
        self.own_waker.woken.store(true, Ordering::Release);
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
                let early =
                    || Error::new(ErrorKind::Ended, "the stream ended before it was synced");
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

/// A waker of the task that polls a world.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct WorldWaker(Arc<AtomicWaker>);

impl WorldWaker {
    pub(super) fn register(&self, waker: &Waker) {
        self.0.register(waker);
    }

    pub(super) fn wake(&self) {
        self.0.wake();
    }
}

/// A waker of one pipeline, which records that this pipeline woke the world.
struct MemberWaker {
    woken: AtomicBool,
    world_waker: WorldWaker,
}

impl Wake for MemberWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.world_waker.wake();
    }
}
