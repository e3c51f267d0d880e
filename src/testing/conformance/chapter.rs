//! The parts of a conformance run.

/// A part of a [`Life`](super::Life): failures of the server, or between it and the
/// stream, while objects are created, modified and deleted.
///
/// A [`Violation`](super::Violation) names its chapter. To debug it, run that chapter
/// alone, together with [`Load`](Chapter::Load), which is always needed:
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kube::Api;
/// use kube_weir::{testing::{ApiServer, conformance::{Chapter, Life}}, watch};
///
/// # kube_weir::testing::fixture::run(async {
/// let alone = [Chapter::Load, Chapter::Compaction];
/// let others = Chapter::ALL.into_iter().filter(|chapter| !alone.contains(chapter));
/// others
///     .fold(Life::new(), Life::without)
///     .run(&ApiServer::new(), |client| watch(Api::<ConfigMap>::all(client)).index(()))
///     .await?;
/// # Ok(()) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Chapter {
    /// The first list fails, breaks off and is then complete.
    Load,
    /// Objects are created, modified, deleted and created anew, one at a time and all at once.
    Changes,
    /// A relist, after an `ERROR` event with 410, returns the stored objects.
    Relist,
    /// Watches send events twice, or begin with events that were already sent.
    Repeats,
    /// Watches end, are reset, or break off in the middle of an event.
    Disconnects,
    /// Changes that the stream has not seen are compacted, and the answer is 410, as an event and as a
    /// status.
    Compaction,
    /// A relist breaks off, or is interrupted by 410, while objects are deleted.
    BrokenLists,
    /// Lists and watches are answered 403, 429, 500 and 503, and connections refused.
    Refusals,
    /// A proxy answers in place of the server: with a page, JSON that is no list, a 502, or
    /// no answer at all.
    Imposters,
    /// An object can't be decoded, in a watch and in a list.
    Undecodable,
    /// A watch falls silent and stays open.
    Silence,
    /// Events about two objects arrive in the wrong order.
    OutOfOrder,
    /// `object` comes before `type`.
    ObjectFirst,
    /// Bookmarks are late or missing.
    Bookmarks,
    /// Answers and bodies are slow.
    SlowBodies,
    /// Everything that the chapters before this one do, in a random order that is the same in every run.
    Storm,
}

impl Chapter {
    /// All chapters, in their order: [example](Chapter).
    pub const ALL: [Self; 16] = [
        Self::Load,
        Self::Changes,
        Self::Relist,
        Self::Repeats,
        Self::Disconnects,
        Self::Compaction,
        Self::BrokenLists,
        Self::Refusals,
        Self::Imposters,
        Self::Undecodable,
        Self::Silence,
        Self::OutOfOrder,
        Self::ObjectFirst,
        Self::Bookmarks,
        Self::SlowBodies,
        Self::Storm,
    ];
}
