//! The in-process API server.
//!
//! A request enters at `service.rs`, which finds its route and its fault; `list.rs`, `watch.rs` and
//! `write.rs` answer it from `store.rs`, and `damage.rs` damages the body of the answer. `api_server.rs`
//! is the handle.

mod answer;
mod api_server;
mod body;
mod crd;
mod damage;
mod discovery;
mod error;
mod fault;
mod gzip;
mod history;
mod list;
mod object;
mod on;
mod outage;
mod query;
mod resource;
mod rights;
mod router;
mod rules;
mod script;
mod selectors;
mod service;
mod settings;
mod shared;
mod status;
mod store;
mod verb;
mod view;
mod watch;
mod write;

pub use self::{
    answer::{Answer, End},
    api_server::ApiServer,
    body::Body,
    error::Error,
    fault::Fault,
    on::On,
    verb::Verb,
};
