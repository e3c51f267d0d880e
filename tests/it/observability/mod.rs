//! Observability of pipelines: metrics, logs, `report`.

mod dashboards;
mod logged;
pub(crate) mod measured;
mod report;
mod stories;
