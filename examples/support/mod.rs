//! API server and log of an example.

use std::future::Future;

use futures::{FutureExt, future::BoxFuture};
use kube::Client;
use kube_weir::testing::ApiServer;

/// Returns a client, and a future that ends the example.
///
/// By default both belong to an in-process API server: `script` fills it, and returns a future that changes
/// its objects. With the argument `--cluster` the client is that of the current kube
/// context, and ctrl-c ends the example.
///
/// The logs of `log_errors()` go to stderr.
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
