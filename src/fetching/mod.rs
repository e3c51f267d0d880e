//! Objects on demand, beside a store that has their keys.

mod cache;
mod config;
mod fetching;
mod flight;
mod inner;
mod lookup;
mod many;
mod report;

pub use self::{
    config::FetchConfig, fetching::Fetching, lookup::FetchingIndex, report::FetchingReport,
};
