//! The store: the reading side of a pipeline, and its writer.

mod changes;
mod deleted;
mod list;
mod parts;
mod published;
mod report;
mod stale;
mod status;
mod store;
mod trace;
mod wait;
mod writer;

pub use self::{
    changes::Changes,
    deleted::KeepDeleted,
    report::StoreReport,
    status::{CollectionStatus, StoreStatus, SyncPolicy},
    store::Store,
    wait::Write,
};
pub(crate) use self::{
    status::SyncState,
    writer::{Applied, Failed, Writer},
};
