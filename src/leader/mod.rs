//! Electing a leader: one replica acts, the others are ready to.

mod campaign;
mod candidate;
mod election;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod identity;
mod leadership;
mod leases;
mod record;
mod term;
mod timing;
mod trace;

pub use self::{
    campaign::Campaign,
    election::{Election, LeaseRef},
    identity::Identity,
    leadership::{Leadership, LeadershipReport, LeadershipWatch},
    term::Term,
    timing::LeaseTiming,
};
