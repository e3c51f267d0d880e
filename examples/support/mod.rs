//! Where an example finds its API server, and its log.

use std::future::Future;

use futures::{FutureExt, future::BoxFuture};
use kube::Client;
use kube_weir::testing::ApiServer;

/// A client, and when to end.
///
/// By default both are of an API server in this process: `script` fills it, and gives what happens
/// to its objects meanwhile. With the argument `--cluster` the client is that of the current kube
/// context, and the end is ctrl-c.
///
/// What `log_errors()` says goes to stderr.
pub(crate) async fn connect<S>(
    script: impl FnOnce(ApiServer) -> S,
) -> Result<(Client, BoxFuture<'static, ()>), kube::Error>
where
    S: Future<Output = ()> + Send + 'static,
{
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
    log.with_max_level(tracing_subscriber::filter::LevelFilter::WARN).init();
    if std::env::args().any(|argument| argument == "--cluster") {
        return Ok((Client::try_default().await?, tokio::signal::ctrl_c().map(drop).boxed()));
    }
    let server = ApiServer::new();
    Ok((server.client(), script(server).boxed()))
}
