//! The stream of worlds.

use std::{
    collections::VecDeque,
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use arc_swap::ArcSwap;
use futures::{Stream, stream::FusedStream};
use tokio::sync::watch;

use super::{
    change::{WorldBatch, WorldChange},
    member::WorldWaker,
    store::{Status, WorldStore},
    view::{Members, View},
    world::{Moment, World},
};
use crate::{
    adapters::{HasStore, has_store::sealed},
    coop::{is_used_up, poll_turn},
    error::{Error, poll_caught},
};

/// The maximum number of items that are taken from one kind before the other kinds and then the executor
/// get their turn.
const RUN: usize = 64;

/// Combines several pipelines into one stream: a tuple of up to eight, or [`Kinds`](super::Kinds).
///
/// See [the module](mod@crate::worlds) for an introduction. In a tuple each pipeline is named by the Rust
/// type of its objects, or by a pair of a name and the pipeline. The pipelines have no debounce of their
/// own: their pending items become one change, and [`debounce`] applies to the whole world.
///
/// ```
/// use k8s_openapi::api::core::v1::{Secret, Service};
/// use kube_weir::{prelude::*, testing::{Events, fixture::object}};
///
/// # kube_weir::testing::fixture::run(async {
/// let services = Events::listed([object::<Service>("web", "shop")]).index(());
/// let secrets = Events::listed([object::<Secret>("web", "tls")]).index(());
///
/// let mut changes = world((services, ("certificates", secrets))).debounce(Duration::from_millis(500));
/// let world = changes.first_synced().await?;
/// let names: Vec<_> = world.resource_versions().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["Service".into(), "certificates".into()]);
/// # Ok(()) });
/// ```
///
/// [`debounce`]: crate::EventStreamExt::debounce
#[doc(alias("SharedInformerFactory", "informer factory", "join", "Owns"))]
pub fn world<T: IntoWorld>(kinds: T) -> Worlds<T::View> {
    let (members, world_waker) = kinds.into_members();
    Worlds::new(members, world_waker)
}

/// The kinds of a world: a tuple of up to eight [`IntoMember`](super::IntoMember)s, or
/// [`Kinds`](super::Kinds). See the examples of [`world`] and of [`Kinds`](super::Kinds).
///
/// Use it in bounds; it can't be implemented elsewhere.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the kinds of a world",
    label = "expected a tuple of pipelines, or `Kinds`",
    note = "one pipeline is a tuple too: `world((pods.index(..),))`"
)]
pub trait IntoWorld {
    /// The type of the world's state.
    type View: View;

    #[doc(hidden)]
    fn into_members(self) -> (<Self::View as View>::Members, WorldWaker);
}

/// A stream of changes of several kinds, each with the state of all of them; from [`world`].
///
/// It polls the pipelines that were woken, publishes their changes as one [`World`], and yields one net
/// change. No kind waits for another, except for the first item, which is yielded when all of them are
/// synced.
///
/// Errors name their kind: [`of_kind`](Error::of_kind). The stream ends when all pipelines have ended.
///
/// ```
/// use k8s_openapi::api::core::v1::{ConfigMap, Secret};
/// use kube_weir::prelude::*;
/// use kube_weir::testing::{ApiServer, Fault, On, Verb};
///
/// # kube_weir::testing::fixture::run(async {
/// let server = ApiServer::new();
/// server.fault(On::verb(Verb::List).resource("secrets"), 1, Fault::status(403));
/// let configs = watch(Api::<ConfigMap>::all(server.client())).index(());
/// let secrets = watch(Api::<Secret>::all(server.client())).index(());
/// let mut worlds = world((configs, secrets));
///
/// let error = worlds.next().await.unwrap().unwrap_err();
/// assert!(error.is_forbidden());
/// assert_eq!(error.of_kind(), Some("Secret"));
/// assert!(matches!(worlds.next().await, Some(Ok(WorldChange::Synced(_))))); // once it is allowed
/// # Ok(()) });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Worlds<V: View> {
    members: V::Members,
    world_waker: WorldWaker,
    published: World<V>,
    current: Arc<ArcSwap<Moment<V>>>,
    status: watch::Sender<Status>,
    phase: Phase,
    /// True if a kind changed since the last world was published.
    dirty: bool,
    /// The member that is polled first; it rotates.
    turn: usize,
    /// Pending errors: at most one of each kind.
    errors: VecDeque<Error>,
    /// An item that must wait for the one before it.
    next: Option<WorldChange<V>>,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before all kinds are synced. Changes are published at once only with `progress`.
    Loading {
        progress: bool,
    },
    Live,
}

impl<V: View> Worlds<V> {
    fn new(mut members: V::Members, world_waker: WorldWaker) -> Self {
        members.update();
        let published = World::new(0, members.names(true), members.view(true));
        let status = watch::Sender::default();
        status.send_modify(|status: &mut Status| status.kinds = members.kind_stores().into());
        Self {
            members,
            world_waker,
            current: Arc::new(ArcSwap::new(Arc::clone(&published.0))),
            published,
            status,
            phase: Phase::Loading { progress: false },
            dirty: false,
            turn: 0,
            errors: VecDeque::new(),
            next: None,
            ended: false,
        }
    }

    /// Returns the reading side: the current world, for any task. [`WorldStore`] has an example.
    pub fn store(&self) -> WorldStore<V> {
        WorldStore::new(Arc::clone(&self.current), self.status.subscribe())
    }

    /// Also yields the part loaded so far, as [`WorldChange::InitialSync`], and publishes it to the stores:
    /// each kind that is complete, and each kind that is itself
    /// [`with_progress`](crate::adapters::Indexed::with_progress). By default nothing is yielded before
    /// [`WorldChange::Synced`].
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::{Secret, Service};
    /// use kube_weir::{prelude::*, testing::{Events, fixture::object}};
    ///
    /// # kube_weir::testing::fixture::run(async {
    /// let services = Events::listed([object::<Service>("web", "shop")]).index(());
    /// let slow = Events::new().wait(Duration::from_secs(5)).list([object::<Secret>("web", "tls")]);
    /// let slow = slow.index(());
    /// let mut changes = world((services, slow)).with_progress().log_errors();
    ///
    /// let Some(WorldChange::InitialSync(batch)) = changes.next().await else { panic!() };
    /// let (services, secrets) = batch.after().kinds();
    /// assert_eq!((services.len(), secrets.len()), (1, 0));
    /// # Ok(()) });
    /// ```
    pub fn with_progress(mut self) -> Self {
        self.phase = Phase::Loading { progress: true };
        self
    }

    /// Takes the pending items of the woken pipelines. Returns whether there may be more.
    fn take_in(&mut self) -> bool {
        if self.members.update() {
            self.dirty = true;
            self.status.send_modify(|status| status.kinds = self.members.kind_stores().into());
            tracing::debug!(
                kinds = self.members.len(),
                "kinds were added to the world, or removed"
            );
        }
        let mut more = false;
        let count = self.members.len();
        let first = self.turn;
        self.turn = (first + 1) % count.max(1);
        for at in (first..first + count).map(|at| at % count) {
            if is_used_up() {
                // The remaining members come first in the next turn.
                self.turn = at;
                return true;
            }
            let member = self.members.at(at);
            if member.is_ended() || !member.is_woken() {
                continue;
            }
            let mut pending = false;
            for _ in 0..RUN {
                match member.poll() {
                    Poll::Ready(Some(Ok(()))) => {
                        self.dirty = true;
                        continue;
                    }
                    Poll::Ready(Some(Err(error))) => {
                        self.errors.push_back(error);
                        pending = member.is_ended();
                    }
                    Poll::Ready(None) | Poll::Pending => pending = true,
                }
                break;
            }
            if !pending {
                member.again();
                more = true;
            }
        }
        more
    }

    /// Publishes the new state to the stores, and returns the change.
    fn publish(&mut self) -> Option<WorldChange<V>> {
        let complete = (0..self.members.len()).all(|at| self.members.at(at).is_synced());
        match self.phase {
            Phase::Loading { progress } if complete => {
                self.phase = Phase::Live;
                let batch = self.swap(false).filter(|_| progress);
                if self.published.generation() == 0 {
                    // A new generation, because the world is complete now.
                    self.show(self.published.kinds().clone(), false);
                }
                self.status.send_modify(|status| status.synced = true);
                let kinds = self.members.len();
                tracing::info!(kinds, generation = self.published.generation(), "world is synced");
                let synced = WorldChange::Synced(self.published.clone());
                let Some(batch) = batch else { return Some(synced) };
                self.next = Some(synced);
                Some(WorldChange::InitialSync(batch))
            }
            Phase::Loading { progress } => {
                let wanted = progress && self.dirty;
                wanted.then(|| self.swap(true)).flatten().map(WorldChange::InitialSync)
            }
            Phase::Live => {
                let wanted = self.dirty;
                wanted.then(|| self.swap(false)).flatten().map(WorldChange::Live)
            }
        }
    }

    /// Publishes the state of all kinds if it changed.
    fn swap(&mut self, loading: bool) -> Option<WorldBatch<V>> {
        self.dirty = false;
        let view = self.members.view(loading);
        let net = V::net(self.published.kinds(), &view)?;
        let previous = self.show(view, loading);
        Some(WorldBatch::new(previous, self.published.clone(), net))
    }

    /// Publishes a state and returns the previous world.
    fn show(&mut self, view: V, loading: bool) -> World<V> {
        let generation = self.published.generation() + 1;
        let world = World::new(generation, self.members.names(loading), view);
        self.current.store(Arc::clone(&world.0));
        mem::replace(&mut self.published, world)
    }

    fn is_over(&mut self) -> bool {
        !self.members.is_open() && (0..self.members.len()).all(|at| self.members.at(at).is_ended())
    }
}

impl<V: View> Worlds<V> {
    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<WorldChange<V>, Error>>> {
        if let Some(change) = self.next.take() {
            return Poll::Ready(Some(Ok(change)));
        }
        if let Some(error) = self.errors.pop_front() {
            return Poll::Ready(Some(Err(error)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        ready!(poll_turn(cx));
        // Registered before the pipelines are polled, so that no wake is lost.
        self.world_waker.register(cx.waker());
        let more = self.take_in();
        if let Some(change) = self.publish() {
            return Poll::Ready(Some(Ok(change)));
        }
        if let Some(error) = self.errors.pop_front() {
            return Poll::Ready(Some(Err(error)));
        }
        if self.is_over() {
            self.ended = true;
            return Poll::Ready(None);
        }
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<V: View> sealed::Sealed for Worlds<V> {}

impl<V: View> HasStore for Worlds<V> {
    type Store = WorldStore<V>;

    fn reading_side(&self) -> WorldStore<V> {
        self.store()
    }
}

impl<V> Stream for Worlds<V>
where
    V: View<Members: Unpin> + Unpin,
{
    type Item = Result<WorldChange<V>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let poll = |mut stream: Pin<&mut Self>| stream.poll_run(cx);
        poll_caught(self, poll, |mut stream, _| {
            stream.ended = true;
            stream.errors.clear();
            stream.next = None;
        })
    }
}

impl<V> FusedStream for Worlds<V>
where
    V: View<Members: Unpin> + Unpin,
{
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<V: View> fmt::Debug for Worlds<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worlds")
            .field("kinds", &self.members.len())
            .field("synced", &(self.phase == Phase::Live))
            .field("generation", &self.published.generation())
            .finish_non_exhaustive()
    }
}
