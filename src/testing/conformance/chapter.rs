//! What happens in the life of a cluster.

use std::time::Duration;

use crate::testing::{Answer, Fault, On, Verb};

/// A part of a [`Life`](super::Life): something that happens to the server, or between it and the
/// stream, while objects come, change and go.
///
/// The first to look at is the one that a [`Violation`](super::Violation) names. It can be had
/// alone, but for [`Load`](Chapter::Load), without which there is nothing:
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
    /// A relist, after an `ERROR` event with 410, finds what is stored already.
    Relist,
    /// Watches send events twice, or begin with what they have sent before.
    Repeats,
    /// Watches end, are reset, or break off in the middle of an event.
    Disconnects,
    /// What the stream has not seen is compacted, and 410 is the answer, as an event and as a
    /// status.
    Compaction,
    /// A relist breaks off, or is interrupted by 410, while objects go.
    BrokenLists,
    /// Lists and watches are answered 403, 429, 500 and 503, and connections refused.
    Refusals,
    /// Something between answers in the place of the server: a page, JSON that is no list, a 502, or
    /// nothing at all.
    Imposters,
    /// An object can't be decoded, in a watch and in a list.
    Undecodable,
    /// A watch falls silent and stays open.
    Silence,
    /// Events about two objects come in the wrong order.
    OutOfOrder,
    /// `object` comes before `type`.
    ObjectFirst,
    /// Bookmarks come late, or never.
    Bookmarks,
    /// Answers and bodies are slow.
    SlowBodies,
    /// Everything that chapters before this one do, in an order drawn by lot, the same every time.
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

    /// What goes wrong in this chapter, one after the other: with which requests, and how often.
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
