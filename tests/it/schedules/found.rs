//! Regression tests: printed scripts that once failed.

use k8s_openapi::api::core::v1::ConfigMap;
use kube_weir::Document;

use super::{
    run,
    script::{
        Content::*, Namespaces::*, Pace::*, Place::*, Schedule, Select::*, Setup, Stages::*,
        Step::*, Trouble::*,
    },
};

/// A watch that resumed at an expired version.
#[test]
#[rustfmt::skip]
fn lost_history_is_listed() {
    run::<Document>(&Schedule {
        setup: Setup { streaming_list: true, page_size: 1, namespaces: Every, select: All, stages: Own, progress: false, pace: AtOnce, watch_timeout: 290 },
        steps: vec![
            Turn(1),
            Disconnect,
            Put(0, On(0)),
            Compact,
        ],
    });
}

/// Half a list that was treated as a part of the next list.
#[test]
#[rustfmt::skip]
fn half_a_list_leaves_nothing() {
    run::<ConfigMap>(&Schedule {
        setup: Setup { streaming_list: true, page_size: 1, namespaces: Every, select: All, stages: Own, progress: false, pace: AtOnce, watch_timeout: 290 },
        steps: vec![
            Watch(0, 1, Disconnected(1)),
            Put(6, On(0)),
            Turn(1),
            Delete(6),
        ],
    });
}

/// Listed objects that were stored already, and were deleted when the list started again.
#[test]
#[rustfmt::skip]
fn objects_of_half_a_list_are_not_kept() {
    run::<Document>(&Schedule {
        setup: Setup { streaming_list: false, page_size: 1, namespaces: Every, select: All, stages: Own, progress: false, pace: AtOnce, watch_timeout: 290 },
        steps: vec![
            Burst(5, 5),
            Watch(0, 1, Refused),
            Turn(1),
            List(0, 1, Silent(1)),
            Put(1, On(0)),
            Compact,
            Wait(8000),
            Burst(0, 2),
        ],
    });
}

/// Rights that are missing for a long time, and then a lost history: the delays between lists are long
/// then.
#[test]
#[rustfmt::skip]
fn a_history_may_be_lost_after_rights_were() {
    run::<Document>(&Schedule {
        setup: Setup { streaming_list: false, page_size: 3, namespaces: One, select: All, stages: Own, progress: true, pace: Capped(100, 300), watch_timeout: 45 },
        steps: vec![
            Burst(0, 3),
            Turn(15),
            Forbid(InB),
            Wait(8000),
            Disconnect,
            Disconnect,
            Turn(2),
            Renew(5, Off(0)),
            Wait(40),
            Delete(6),
            Wait(250),
            Watch(2, 1, Twice),
            Put(5, On(1)),
            Stall(1, 1500),
            Wait(8000),
            Wait(65000),
            Watch(2, 2, Unanswered),
            Wait(1),
            Disconnect,
            Restore(7, 60, 11),
            Wait(250),
            Leave(1),
            Burst(4, 7),
            Wait(1),
            Wait(1),
            Renew(6, Off(1)),
            Stall(2, 100),
            Turn(16),
            Watch(2, 2, Silent(1)),
            Allow(InB),
            Burst(6, 5),
            Watch(0, 2, Disconnected(0)),
            Put(7, Off(2)),
            Put(0, On(1)),
            Forbid(Anywhere),
            Forget,
            Renew(4, On(0)),
            Wait(250),
            Disconnect,
            Stall(1, 1500),
            Wait(1),
            Put(5, On(1)),
            Wait(1),
            Put(4, On(0)),
            Turn(13),
            Put(7, On(1)),
            Join(Interval(2000)),
            Turn(12),
            Put(7, Off(1)),
            Watch(0, 2, Refused),
            Wait(65000),
            Wait(1),
            Turn(21),
            Restore(6, 12, 6),
            Put(4, On(1)),
            Allow(Anywhere),
        ],
    });
}

/// A bookmark is pending when the server is restored, and the connection ends before it arrives.
#[test]
#[rustfmt::skip]
fn a_history_may_be_lost_while_a_bookmark_is_late() {
    run::<Document>(&Schedule {
        setup: Setup { streaming_list: false, page_size: 1, namespaces: Every, select: All, stages: Own, progress: false, pace: AtOnce, watch_timeout: 290 },
        steps: vec![
            Watch(0, 1, LateBookmarks(90000)),
            Put(0, On(0)),
            Wait(65000),
            Restore(1, 4, 3),
        ],
    });
}
