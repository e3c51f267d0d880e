//! Scripts that found something once, as they were printed.

use k8s_openapi::api::core::v1::ConfigMap;
use kube_weir::Document;

use super::{
    run,
    script::{
        Content::*, Namespaces::*, Pace::*, Schedule, Select::*, Setup, Stages::*, Step::*,
        Trouble::*,
    },
};

/// A watch that went on from a version that is gone.
#[test]
#[rustfmt::skip]
fn what_was_forgotten_is_listed() {
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

/// Half a list that was taken for a part of the next one.
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

/// Objects that were listed as they are stored, and were gone when that list was begun anew.
#[test]
#[rustfmt::skip]
fn what_half_a_list_had_is_not_kept() {
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
