//! What can be seen of pipelines from outside: metrics, logs, `explain`.

mod dashboards;
mod explain;
mod logged;
pub(crate) mod measured;
mod stories;
