//! The guide: what to do, what not to do, what it costs, and how to test it.
//!
//! The [front page](crate) says what the stages are and which to choose. Here is what is learnt by
//! using them: [`patterns`] has the wrong way beside the right one, [`limitations`] what this
//! library doesn't do, [`performance`] what its parts cost and how that was measured, and
//! [`testing`] how to test a controller that is built on it, mostly without a cluster.

pub mod limitations;
pub mod patterns;
pub mod performance;
pub mod testing;
