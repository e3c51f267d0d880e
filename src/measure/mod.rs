//! Figures about pipelines, for the metrics that `metrics.rs` names.
//!
//! Who measures has one of the structs here, made once, and calls a method of it. Without the feature
//! `metrics` the instruments in them are empty (`off.rs`), and nothing is left of the calls.

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
