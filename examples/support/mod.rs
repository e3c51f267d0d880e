//! API server and log of an example.

use std::future::Future;

use futures::{FutureExt, future::BoxFuture};
use kube::Client;
use kube_weir::testing::ApiServer;

/// A client, and a future that ends the example.
pub(crate) type Connected = Result<(Client, BoxFuture<'static, ()>), kube::Error>;

/// Connects the example to an API server.
///
/// By default the server is in this process: `script` fills it, and returns a future that changes its objects and
/// ends the example. With the argument `--cluster` it is that of the current kube context, and ctrl-c
/// ends the example.
///
/// The logs of `log_errors()` go to stderr.
pub(crate) async fn connect<S>(script: impl FnOnce(ApiServer) -> S) -> Connected
where
    S: Future<Output = ()> + Send + 'static,
{
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr);
    let log = log.with_max_level(tracing_subscriber::filter::LevelFilter::WARN).finish();
    // Fails if the example has a log of its own.
    let _ = tracing::subscriber::set_global_default(log);
    if std::env::args().any(|argument| argument == "--cluster") {
        return Ok((Client::try_default().await?, tokio::signal::ctrl_c().map(drop).boxed()));
    }
    let server = ApiServer::new();
    Ok((server.client(), script(server).boxed()))
}
