//! A real kube-apiserver with its etcd, for the tests that a fake server cannot stand in for.
//!
//! The cluster is one of the library's `testing::cluster`; this module builds the programs if need
//! be, and shares one cluster among all tests of a process. It starts with the first test that asks
//! for it and ends with the test process, however that ends. Every test makes a namespace of its own
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

/// Longest wait for the other tests to let go of the server.
const TURN: Duration = Duration::from_secs(600);

/// Returns the server of this test run, which other tests use at the same time. `None` means that
/// there is none to be had, which is already written to stderr, and that the test has nothing to do
/// but return.
///
/// Ask once in a test and clone the answer: a second call waits behind any test that waits for
/// [`exclusive`], which in turn waits for the first.
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

/// Returns the same server, while no other test uses it: for tests that stop it.
///
/// A program that a test leaves stopped or frozen is started again for the next one.
pub(crate) async fn exclusive() -> Option<Exclusive> {
    let common = common().await?;
    let whole = turn(Arc::clone(&common.whole).write_owned()).await;
    let mut server = Exclusive { common, whole };
    server.start_all().await;
    Some(server)
}

/// The server, used by many tests at once.
#[derive(Clone)]
pub(crate) struct Shared {
    common: &'static Common,
    _guard: Arc<OwnedRwLockReadGuard<bool>>,
}

/// The server, used by one test alone.
pub(crate) struct Exclusive {
    common: &'static Common,
    whole: OwnedRwLockWriteGuard<bool>,
}

/// The server that all tests of this process have in common.
struct Common {
    cluster: Cluster,
    /// Set while both programs run, as far as tests stopped and started them.
    whole: Arc<RwLock<bool>>,
    /// Why a start failed: the next test need not wait for the same.
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

    /// Pauses the API server. Not asynchronous, because it takes no time to speak of.
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

    /// Takes etcd back to a backup; both programs are restarted.
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

/// Why a test run has no server.
enum Lack {
    /// The programs are not there.
    Missing(String),
    /// They did not start.
    Broken(String),
}

/// Returns the server of this test run, which the first test to ask for it starts.
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

/// Returns settings with the folder of the programs, which are built if need be.
pub(crate) async fn builder() -> Result<kube_weir::testing::cluster::ClusterBuilder, String> {
    // Building takes minutes: not on a thread that drives other tasks.
    let found = spawn_blocking(assets::find).await;
    let folder = found.expect("looking for the API server panicked")?;
    let builder = kube_weir::testing::cluster::Cluster::builder();
    Ok(match folder {
        Some(folder) => builder.assets(folder),
        None => builder,
    })
}

/// Returns whether nothing that needs more than Rust may be skipped.
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
