//! The error type of this crate.

mod caught;
mod classify;
mod error;
mod kind;
mod path;
mod trouble;

pub(crate) use self::{
    caught::{caught, caught_in, poll_caught},
    classify::from_client,
    error::LONGEST,
};
pub use self::{error::Error, kind::ErrorKind, path::PathError};
