//! A real kube-apiserver with its etcd, for tests that need more than the in-process server.
//!
//! The cluster is a `testing::cluster` of the library; this module builds the programs if needed, and
//! shares one cluster among all tests of a process. The cluster starts with the first test that requests it
//! and ends with the test process. Every test creates its own namespace and leaves it behind: this server has
//! no cleanup, and nothing survives it. Time is real: a paused clock would reach every deadline at once.
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
mod cluster;

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kube_weir::testing::cluster::{Backup, Error};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::timeout;

pub(crate) use cluster::{ADMIN, Cluster, Scope};

/// Longest wait for other tests to release the server.
const TURN: Duration = Duration::from_secs(600);

/// Returns the server of this test run, shared with concurrent tests. `None` means that there is no
/// server, which is already written to stderr; the test should return.
///
/// Call this once per test and clone the result: a second call waits behind any test that waits for
/// [`exclusive`], which in turn waits for the first call.
pub(crate) async fn server() -> Option<Shared> {
    let common = common().await?;
    loop {
        let whole = turn(Arc::clone(&common.whole).read_owned()).await;
        if *whole {
            return Some(Shared { common, _guard: Arc::new(whole) });
        }
        drop(whole);
        exclusive().await?; // starts both, for all tests
    }
}

/// Returns the server for exclusive use: for tests that stop it.
///
/// If a test leaves a program stopped or frozen, it is started again for the next test.
pub(crate) async fn exclusive() -> Option<Exclusive> {
    let common = common().await?;
    let whole = turn(Arc::clone(&common.whole).write_owned()).await;
    let mut server = Exclusive { common, whole };
    server.start_all().await;
    Some(server)
}

/// The server, shared by concurrent tests.
#[derive(Clone)]
pub(crate) struct Shared {
    common: &'static Common,
    _guard: Arc<OwnedRwLockReadGuard<bool>>,
}

/// The server, used by a single test.
pub(crate) struct Exclusive {
    common: &'static Common,
    whole: OwnedRwLockWriteGuard<bool>,
}

/// The server that all tests of this process share.
struct Common {
    cluster: Cluster,
    /// True while both programs run, as far as tests stop and start them.
    whole: Arc<RwLock<bool>>,
    /// The error of a failed start, so that later tests need not wait for it again.
    broken: OnceLock<String>,
}

impl Exclusive {
    pub(crate) async fn stop_apiserver(&mut self) {
        *self.whole = false;
        self.common.cluster.stop_apiserver().await.unwrap();
    }

    pub(crate) async fn kill_apiserver(&mut self) {
        *self.whole = false;
        self.common.cluster.kill_apiserver().await.unwrap();
    }

    pub(crate) async fn start_apiserver(&mut self) {
        self.common.started(self.common.cluster.start_apiserver().await);
    }

    /// Pauses the API server. Not async, because it takes almost no time.
    pub(crate) fn freeze_apiserver(&mut self) {
        *self.whole = false;
        let pause = self.common.cluster.pause_apiserver();
        block_in_place(|| Handle::current().block_on(pause)).unwrap();
    }

    pub(crate) fn thaw_apiserver(&mut self) {
        let resume = self.common.cluster.resume_apiserver();
        block_in_place(|| Handle::current().block_on(resume)).unwrap();
    }

    pub(crate) async fn stop_etcd(&mut self) {
        *self.whole = false;
        self.common.cluster.stop_etcd().await.unwrap();
    }

    pub(crate) async fn start_etcd(&mut self) {
        self.common.started(self.common.cluster.start_etcd().await);
    }

    pub(crate) async fn compact_etcd(&self) -> u64 {
        self.common.cluster.compact().await.unwrap()
    }

    /// Copies the data of etcd; both programs are restarted.
    pub(crate) async fn backup(&mut self) -> Backup {
        *self.whole = false;
        let backup = self.common.cluster.real().backup().await.unwrap();
        *self.whole = true;
        backup
    }

    /// Restores etcd from a backup; both programs are restarted.
    pub(crate) async fn restore(&mut self, backup: &Backup) {
        *self.whole = false;
        self.common.started(self.common.cluster.real().restore(backup).await);
        *self.whole = true;
    }

    async fn start_all(&mut self) {
        if let Some(why) = self.common.broken.get() {
            panic!("the server did not start for an earlier test: {why}");
        }
        self.start_etcd().await;
        self.start_apiserver().await;
        *self.whole = true;
    }
}

impl Common {
    fn started(&self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            let why = self.broken.get_or_init(|| format!("{error:?}"));
            panic!("{why}");
        }
    }
}

impl Deref for Shared {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.common.cluster
    }
}

impl Deref for Exclusive {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.common.cluster
    }
}

/// Reason why a test run has no server.
enum Lack {
    /// The programs are missing.
    Missing(String),
    /// The programs did not start.
    Broken(String),
}

/// Returns the server of this test run; the first call starts it.
async fn common() -> Option<&'static Common> {
    static COMMON: OnceCell<Result<Common, Lack>> = OnceCell::const_new();

    let started = COMMON.get_or_init(|| async {
        let cluster = match builder().await.map_err(Lack::Missing)?.start().await {
            Err(error) if error.is_missing() => Err(Lack::Missing(error.to_string())),
            outcome => outcome.map_err(|error| Lack::Broken(format!("{error:?}"))),
        };
        let (whole, broken) = (Arc::new(RwLock::new(true)), OnceLock::new());
        Ok(Common { cluster: Cluster::new(cluster?), whole, broken })
    });
    match started.await {
        Ok(common) => Some(common),
        Err(Lack::Broken(why)) => panic!("{why}"),
        Err(Lack::Missing(why)) => {
            skip(why);
            None
        }
    }
}

/// Returns settings with the folder of the programs, which are built if needed.
pub(crate) async fn builder() -> Result<kube_weir::testing::cluster::ClusterBuilder, String> {
    // Building takes minutes: don't block a thread that drives other tasks.
    let found = spawn_blocking(assets::find).await;
    let folder = found.expect("looking for the API server panicked")?;
    let builder = kube_weir::testing::cluster::Cluster::builder();
    Ok(match folder {
        Some(folder) => builder.assets(folder),
        None => builder,
    })
}

/// Returns whether tests that need more than Rust must not be skipped.
pub(crate) fn required() -> bool {
    std::env::var_os(assets::REQUIRE).is_some_and(|value| !value.is_empty())
}

/// Reports a skipped test where libtest does not capture it, or fails if skipping is not allowed.
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

/// Reports that this test is skipped because something is missing.
pub(crate) fn skipped(missing: &str) {
    let thread = std::thread::current(); // libtest names it after the test
    let test = thread.name().unwrap_or("a test");
    assets::say(&format!("SKIPPED {test}: no {missing}\n"));
}

/// Waits until the server is free, with a limit: two calls in one test wait for each other.
async fn turn<T>(lock: impl Future<Output = T>) -> T {
    timeout(TURN, lock)
        .await
        .expect("the server was not free in time: does a test ask for it twice?")
}
