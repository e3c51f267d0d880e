//! What can be seen of pipelines from outside: metrics, logs, `report`.

mod dashboards;
mod logged;
pub(crate) mod measured;
mod report;
mod stories;
