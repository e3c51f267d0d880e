//! The parts of a conformance run.

use std::time::Duration;

use crate::testing::{Answer, Fault, On, Verb};

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
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let alone = [Chapter::Load, Chapter::Compaction];
/// let others = Chapter::ALL.into_iter().filter(|chapter| !alone.contains(chapter));
/// others
///     .fold(Life::new(), Life::without)
///     .run(&ApiServer::new(), |client| watch(Api::<ConfigMap>::all(client)).index(()))
///     .await?;
/// # Ok(()) }
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

    /// Returns the faults of this chapter in order, with their requests and numbers.
    pub(super) fn faults(self) -> Vec<(On, usize, Fault)> {
        let once = |verb: Verb, fault| (On::from(verb), 1, fault);
        let both = |times, fault: Fault| {
            [Verb::Watch, Verb::List].map(|verb| (On::from(verb), times, fault.clone()))
        };
        match self {
            Self::Load => vec![
                once(Verb::List, Fault::status(503)),
                once(Verb::List, Fault::Disconnect { after_events: 2 }),
            ],
            Self::Repeats => vec![
                once(Verb::Watch, Fault::Duplicate),
                once(Verb::Watch, Fault::Rewind { changes: 1 }),
            ],
            Self::Disconnects => vec![
                once(Verb::Watch, Fault::Disconnect { after_events: 1 }),
                once(Verb::Watch, Fault::Torn { after_events: 1 }),
                once(Verb::Watch, Fault::Cut { after_bytes: 50 }),
                once(Verb::Watch, Fault::Lost),
                once(Verb::Watch, Fault::End { after_events: 1 }),
                once(Verb::Watch, Fault::LateHead(Duration::from_secs(2))),
            ],
            Self::Compaction => vec![
                once(Verb::Watch, Fault::status(410)),
                once(Verb::Watch, Fault::ErrorEvent { code: 410, after_events: 1 }),
            ],
            Self::BrokenLists => vec![
                once(Verb::List, Fault::Disconnect { after_events: 2 }),
                once(Verb::List, Fault::Torn { after_events: 1 }),
                once(Verb::List, Fault::Cut { after_bytes: 300 }),
                (On::verb(Verb::List).skip(1), 1, Fault::status(410)),
            ],
            Self::Refusals => {
                let mut all = Vec::new();
                all.extend(both(1, Fault::status(500)));
                all.extend(both(2, Fault::status(503)));
                all.extend(both(1, Fault::too_many_requests(Duration::from_secs(3))));
                all.extend(both(1, Fault::status(403)));
                all.extend(both(2, Fault::Refused));
                all
            }
            Self::Imposters => {
                let page =
                    Answer::new(200).header("content-type", "text/html").chunk("<html></html>");
                let health = Answer::json(200, &serde_json::json!({ "status": "ok" }));
                let mut all = Vec::new();
                all.extend(both(1, Fault::Answer(page)));
                all.extend(both(1, Fault::Answer(health)));
                all.extend(both(1, Fault::status(502)));
                all.push(once(Verb::Watch, Fault::End { after_events: 0 }));
                all
            }
            Self::Silence => vec![once(Verb::Watch, Fault::Stall { after_events: 1 })],
            Self::OutOfOrder => vec![once(Verb::Watch, Fault::OutOfOrder { after_events: 0 })],
            Self::ObjectFirst => vec![once(Verb::Watch, Fault::ObjectFirst)],
            Self::Bookmarks => vec![
                once(Verb::Watch, Fault::LateBookmarks(Duration::from_secs(20))),
                once(Verb::Watch, Fault::NoBookmarks),
            ],
            Self::SlowBodies => {
                let mut all = Vec::new();
                all.extend(both(1, Fault::Delay(Duration::from_secs(2))));
                let pause = Duration::from_millis(5);
                all.extend(both(1, Fault::Trickle { chunk: 7, pause }));
                all
            }
            Self::Changes | Self::Relist | Self::Undecodable | Self::Storm => Vec::new(),
        }
    }
}
