//! A real kube-apiserver with its etcd, for the tests that a fake server cannot stand in for.
//!
//! One pair of processes serves the whole test run. It starts with the first test that asks for
//! it and ends with the test process, however that ends. Every test makes a namespace of its own
//! and leaves it behind: nothing cleans up in this server, and nothing survives it. Time is the
//! real one here: a paused clock would run into every deadline at once.
//!
//! ```ignore
//! #[tokio::test(flavor = "multi_thread")]
//! async fn sees_a_config_map() {
//!     let Some(cluster) = apiserver::server().await else { return };
//!     let namespace = cluster.namespace("config-map").await;
//!     let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
//! }
//! ```
//!
//! See `tests/apiserver/README.md` for where the two programs come from.

mod assets;
mod certs;
mod cluster;
mod control;
mod etcd;
mod process;
mod rbac;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OnceCell, OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use tokio::time::timeout;

pub(crate) use cluster::{ADMIN, Cluster};
use control::Pair;
pub(crate) use rbac::{Grant, Scope};

/// Longest wait for the other tests to let go of the server.
const TURN: Duration = Duration::from_secs(600);

/// The server of this test run, together with the other tests. `None`: there is none to be had,
/// which is already said on stderr, and the test has nothing to do but return.
///
/// Ask once in a test and clone the answer: a second call waits behind any test that waits for
/// [`exclusive`], which in turn waits for the first.
pub(crate) async fn server() -> Option<Shared> {
    let cluster = cluster().await?;
    loop {
        let pair = turn(Arc::clone(&cluster.pair).read_owned()).await;
        if pair.is_running() {
            let guard = Arc::new(pair);
            return Some(Shared { cluster, _guard: guard });
        }
        drop(pair);
        exclusive().await?; // starts both, for everybody
    }
}

/// The same server, while no other test uses it: for tests that stop it.
///
/// What a test leaves stopped is started again for the next one.
pub(crate) async fn exclusive() -> Option<Exclusive> {
    let cluster = cluster().await?;
    let mut pair = turn(Arc::clone(&cluster.pair).write_owned()).await;
    cluster.start_missing(&mut pair).await;
    Some(Exclusive { cluster, pair })
}

/// The server, used by many tests at once.
#[derive(Clone)]
pub(crate) struct Shared {
    cluster: Arc<Cluster>,
    _guard: Arc<OwnedRwLockReadGuard<Pair>>,
}

/// The server, used by this test alone. How to stop and start it is in `control.rs`.
pub(crate) struct Exclusive {
    cluster: Arc<Cluster>,
    pair: OwnedRwLockWriteGuard<Pair>,
}

impl Deref for Shared {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Deref for Exclusive {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// What this test run has: found or built once, by whichever test comes first.
async fn cluster() -> Option<Arc<Cluster>> {
    static CLUSTER: OnceCell<Result<Arc<Cluster>, String>> = OnceCell::const_new();

    let found = CLUSTER.get_or_init(|| async {
        // Building takes minutes: not on a thread that drives other tasks.
        let assets = tokio::task::spawn_blocking(assets::find)
            .await
            .expect("looking for the API server panicked")?;
        Ok(Arc::new(Cluster::new(assets)))
    });
    match found.await {
        Ok(cluster) => Some(Arc::clone(cluster)),
        Err(why) => {
            skip(why);
            None
        }
    }
}

/// Whether nothing that needs more than Rust may be skipped.
pub(crate) fn required() -> bool {
    std::env::var_os(assets::REQUIRE).is_some_and(|value| !value.is_empty())
}

/// Says that a test is skipped where libtest does not capture it, or fails if that is not allowed.
fn skip(why: &str) {
    static SAID: AtomicBool = AtomicBool::new(false);

    let how = format!(
        "no kube-apiserver to test against: {why}\n\
         Install Go (https://go.dev/dl) and run again: it is then built once for this machine. Or \
         let {} name a folder with `etcd` and `kube-apiserver`.\n",
        assets::FOLDER
    );
    assert!(!required(), "{} is set, but {how}", assets::REQUIRE);
    if !SAID.swap(true, Ordering::Relaxed) {
        assets::say(&format!("\nTests are SKIPPED: {how}"));
    }
    skipped("kube-apiserver");
}

/// Says that this test is skipped for want of something.
pub(crate) fn skipped(missing: &str) {
    let thread = std::thread::current(); // libtest names it after the test
    let test = thread.name().unwrap_or("a test");
    assets::say(&format!("SKIPPED {test}: no {missing}\n"));
}

/// Waits for the server to be free, but not for ever: two calls in one test wait for each other.
async fn turn<T>(lock: impl Future<Output = T>) -> T {
    timeout(TURN, lock)
        .await
        .expect("the server was not free in time: does a test ask for it twice?")
}
