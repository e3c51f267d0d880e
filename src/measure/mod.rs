//! Metrics of pipelines, as listed in `telemetry.rs`.
//!
//! Each measured part has one of these structs, made once, and calls its methods. Without the feature
//! `metrics` the instruments in them are empty (`off.rs`), and the calls compile to nothing.

mod debounce;
mod fetching;
#[cfg_attr(feature = "metrics", path = "on.rs")]
#[cfg_attr(not(feature = "metrics"), path = "off.rs")]
mod instrument;
mod leader;
mod source;
mod store;

use self::instrument::{Counter, Family, Histogram, Labels, Share, Shares, Timestamp};
pub(crate) use self::{
    debounce::Debounce,
    fetching::{Cached, Fetching},
    leader::Leader,
    source::{Lists, Request, Requests},
    store::Store,
};
