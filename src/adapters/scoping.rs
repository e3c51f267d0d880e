//! Adds a stage to the scope of a stream.

use crate::{
    event::{Collection, Scope, WatchEvent},
    stages::Stages,
};

/// Passes on each [`Scope`] with this stage added. If a stream has no scope, inserts one before its
/// first event.
#[derive(Debug)]
pub(super) struct Scoping<K> {
    is_begun: bool,
    /// The first event, while the inserted scope is sent before it.
    held: Option<WatchEvent<K>>,
}

impl<K> Scoping<K> {
    pub(super) fn new() -> Self {
        Self { is_begun: false, held: None }
    }

    /// Takes the event that is held behind a scope.
    pub(super) fn take_held(&mut self) -> Option<WatchEvent<K>> {
        self.held.take()
    }

    /// Returns the event to send now.
    pub(super) fn pass(
        &mut self,
        event: WatchEvent<K>,
        stage: impl FnOnce(Stages<K>) -> Stages<K>,
    ) -> WatchEvent<K> {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        match event {
            WatchEvent::Scope(scope) => WatchEvent::Scope(scope.then(stage)),
            event if is_first => {
                self.held = Some(event);
                WatchEvent::Scope(Scope::new([Collection::cluster()]).then(stage))
            }
            event => event,
        }
    }

    /// Returns the size hint, including a held event and a scope to insert.
    pub(super) fn size_hint(
        &self,
        (least, most): (usize, Option<usize>),
    ) -> (usize, Option<usize>) {
        let own = usize::from(self.held.is_some());
        let scope = usize::from(!self.is_begun);
        (least.saturating_add(own), most.and_then(|most| most.checked_add(own + scope)))
    }
}
