//! Code shared by the benchmarks.

pub(crate) mod canned;
pub(crate) mod child;
pub(crate) mod clients;
pub(crate) mod corpus;
pub(crate) mod measure;
pub(crate) mod report;
pub(crate) mod run;
