//! The faults of each chapter.

use std::time::Duration;

use serde_json::json;

use crate::testing::{Answer, ApiServer, Fault, On, Verb, conformance::Chapter};

/// A fault, with its requests and the number of times that it happens.
#[derive(Clone)]
pub(super) struct Planned {
    pub(super) verb: Verb,
    skip: usize,
    times: usize,
    fault: Fault,
}

impl Planned {
    /// Adds the fault to the script of a server.
    pub(super) fn add_to(self, server: &ApiServer) {
        server.fault(On::verb(self.verb).skip(self.skip), self.times, self.fault);
    }
}

/// Returns the faults of a chapter in order.
pub(super) fn faults(chapter: Chapter) -> Vec<Planned> {
    let times = |verb, times, fault| Planned { verb, skip: 0, times, fault };
    let once = |verb, fault| times(verb, 1, fault);
    let both = |number, fault: Fault| {
        [Verb::Watch, Verb::List].map(|verb| times(verb, number, fault.clone()))
    };
    match chapter {
        Chapter::Load => vec![
            once(Verb::List, Fault::status(503)),
            once(Verb::List, Fault::Disconnect { after_events: 2 }),
        ],
        Chapter::Repeats => vec![
            once(Verb::Watch, Fault::Duplicate),
            once(Verb::Watch, Fault::Rewind { changes: 1 }),
        ],
        Chapter::Disconnects => vec![
            once(Verb::Watch, Fault::Disconnect { after_events: 1 }),
            once(Verb::Watch, Fault::Torn { after_events: 1 }),
            once(Verb::Watch, Fault::Cut { after_bytes: 50 }),
            once(Verb::Watch, Fault::Lost),
            once(Verb::Watch, Fault::End { after_events: 1 }),
            once(Verb::Watch, Fault::LateHead(Duration::from_secs(2))),
        ],
        Chapter::Compaction => vec![
            once(Verb::Watch, Fault::status(410)),
            once(Verb::Watch, Fault::ErrorEvent { code: 410, after_events: 1 }),
        ],
        Chapter::BrokenLists => vec![
            once(Verb::List, Fault::Disconnect { after_events: 2 }),
            once(Verb::List, Fault::Torn { after_events: 1 }),
            once(Verb::List, Fault::Cut { after_bytes: 300 }),
            Planned { skip: 1, ..once(Verb::List, Fault::status(410)) },
        ],
        Chapter::Refusals => {
            let mut all = Vec::new();
            all.extend(both(1, Fault::status(500)));
            all.extend(both(2, Fault::status(503)));
            all.extend(both(1, Fault::too_many_requests(Duration::from_secs(3))));
            all.extend(both(1, Fault::status(403)));
            all.extend(both(2, Fault::Refused));
            all
        }
        Chapter::Imposters => {
            let page = Answer::new(200).header("content-type", "text/html").chunk("<html></html>");
            let health = Answer::json(200, &json!({ "status": "ok" }));
            let mut all = Vec::new();
            all.extend(both(1, Fault::Answer(page)));
            all.extend(both(1, Fault::Answer(health)));
            all.extend(both(1, Fault::status(502)));
            all.push(once(Verb::Watch, Fault::End { after_events: 0 }));
            all
        }
        Chapter::Silence => vec![once(Verb::Watch, Fault::Stall { after_events: 1 })],
        Chapter::OutOfOrder => vec![once(Verb::Watch, Fault::OutOfOrder { after_events: 0 })],
        Chapter::ObjectFirst => vec![once(Verb::Watch, Fault::ObjectFirst)],
        Chapter::Bookmarks => vec![
            once(Verb::Watch, Fault::LateBookmarks(Duration::from_secs(20))),
            once(Verb::Watch, Fault::NoBookmarks),
        ],
        Chapter::SlowBodies => {
            let mut all = Vec::new();
            all.extend(both(1, Fault::Delay(Duration::from_secs(2))));
            let pause = Duration::from_millis(5);
            all.extend(both(1, Fault::Trickle { chunk: 7, pause }));
            all
        }
        Chapter::Changes | Chapter::Relist | Chapter::Undecodable | Chapter::Storm => Vec::new(),
    }
}
