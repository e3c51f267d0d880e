//! Metrics of pipelines, as listed in `telemetry.rs`.
//!
//! Each measured part has one of these structs, made once, and calls its methods. Without the feature
//! `metrics` the instruments in them are empty (`off.rs`), and the calls compile to nothing.

mod debounce;
mod fetching;
mod leader;
#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod on;
mod source;
mod store;

#[cfg(not(feature = "metrics"))]
use self::off as instrument;
#[cfg(feature = "metrics")]
use self::on as instrument;
pub(crate) use self::{
    debounce::Debounce,
    fetching::{Cached, Fetching},
    leader::Leader,
    source::{Lists, Request, Requests},
    store::Store,
};
