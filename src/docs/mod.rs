//! The guide: patterns, limitations, performance and testing.
//!
//! The [front page](crate) describes the stages and helps to choose. The guide adds what users learn in
//! practice: [`patterns`] has the wrong way beside the right one, [`limitations`] the features and
//! guarantees that this library lacks, [`performance`] the costs of its parts and how they were measured,
//! and [`testing`] how to test a controller that is built on it, mostly without a cluster.

pub mod limitations;
pub mod patterns;
pub mod performance;
pub mod testing;
