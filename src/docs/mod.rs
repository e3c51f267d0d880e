//! The guide: patterns, limitations, performance, testing and operation.
//!
//! The [front page](crate) describes the stages and helps to choose. The guide adds what users learn in
//! practice: [`patterns`] has the wrong way beside the right one, [`limitations`] the features and
//! guarantees that this library lacks, [`performance`] the costs of its parts and how they were measured,
//! [`testing`] how to test a controller that is built on it, mostly without a cluster, and [`operate`] how to
//! run one: symptoms and their causes, rights, probes, memory, load, upgrades.

pub mod limitations;
pub mod operate;
pub mod patterns;
pub mod performance;
pub mod testing;
