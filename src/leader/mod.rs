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
mod report;
mod term;
mod timing;

pub use self::{
    campaign::Campaign,
    election::{Election, LeaseRef},
    identity::Identity,
    leadership::{ExplainLeadership, Leadership, LeadershipWatch},
    term::Term,
    timing::LeaseTiming,
};
