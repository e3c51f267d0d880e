//! Random schedules of all that can go wrong, in virtual time.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::StreamExt;
use jiff::SignedDuration;
use kube_weir::{Campaign, Leadership, LeadershipWatch, LeaseTiming, Term, testing::ApiServer};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    SECOND, election,
    link::{Link, Weather},
    random::Random,
};

/// Everything that the replicas of one schedule did.
#[derive(Clone, Default)]
struct Board {
    terms: Arc<Mutex<Vec<Term>>>,
    /// Guarded work under way.
    working: Arc<AtomicUsize>,
}

impl Board {
    /// A term was given out: no other is valid, and it has the highest number.
    fn begin(&self, term: &Term) {
        let mut terms = self.terms.lock().unwrap();
        for other in &*terms {
            assert!(!(term.is_valid() && other.is_valid()), "two at once: {other:?}, {term:?}");
            assert!(other.number() < term.number(), "no fence: {other:?}, {term:?}");
        }
        terms.push(term.clone());
    }

    fn valid(&self) -> Vec<Term> {
        self.terms.lock().unwrap().iter().filter(|term| term.is_valid()).cloned().collect()
    }

    /// What a leader does: alone, at any moment.
    async fn work(self, term: Term) {
        let board = &self;
        let work = async {
            let _leave = Working::enter(&board.working);
            loop {
                let working = board.working.load(Ordering::SeqCst);
                assert_eq!(working, 1, "{term:?} is not alone");
                sleep(SECOND / 7).await;
            }
        };
        let cut: Result<(), _> = term.guard(work).await;
        assert!(cut.unwrap_err().is_not_leading());
    }
}

struct Working<'c>(&'c AtomicUsize);

impl<'c> Working<'c> {
    fn enter(working: &'c AtomicUsize) -> Self {
        working.fetch_add(1, Ordering::SeqCst);
        Self(working)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A process that competes.
struct Replica {
    identity: String,
    link: Link,
    timing: LeaseTiming,
    board: Board,
    control: watch::Sender<Control>,
    running: JoinHandle<()>,
    leadership: LeadershipWatch,
}

#[derive(Clone, Copy, PartialEq)]
enum Control {
    Run,
    /// Nothing is polled.
    Stall,
    Release,
}

impl Replica {
    fn start(identity: String, link: Link, timing: LeaseTiming, board: &Board) -> Self {
        let election = election(&link, &identity).timing(timing).unwrap();
        let campaign = election.campaign();
        let leadership = campaign.watch();
        let (control, controlled) = watch::channel(Control::Run);
        let running = tokio::spawn(run(campaign, controlled, board.clone()));
        Self { identity, link, timing, board: board.clone(), control, running, leadership }
    }

    /// Kills the process, if it runs, and starts another one.
    fn restart(&mut self, identity: String) {
        self.running.abort();
        *self = Self::start(identity, self.link.clone(), self.timing, &self.board);
    }
}

async fn run(mut campaign: Campaign, mut control: watch::Receiver<Control>, board: Board) {
    let mut work = tokio::task::JoinSet::new();
    loop {
        let now = *control.borrow_and_update();
        match now {
            Control::Stall => drop(control.changed().await),
            Control::Release => {
                let working = work.len();
                // Graceful: the work is told to end, and its end is waited for.
                tokio::spawn(async move {
                    sleep(SECOND * u32::try_from(working).unwrap_or(1)).await;
                    work.shutdown().await;
                });
                let _ = campaign.release().await;
                return;
            }
            Control::Run => tokio::select! {
                _ = control.changed() => {}
                item = campaign.next() => if let Some(Ok(Leadership::Leading(term))) = item {
                    board.begin(&term);
                    work.spawn(board.clone().work(term));
                },
            },
        }
        while let Some(done) = work.try_join_next() {
            done.unwrap();
        }
    }
}

/// One schedule; gives how long after the last fault there was a leader for good.
async fn schedule(seed: u64) -> std::time::Duration {
    let random = &mut Random::new(seed);
    let server = ApiServer::new();
    let board = Board::default();
    let timings = [
        LeaseTiming::default(),
        LeaseTiming::default(),
        LeaseTiming::default()
            .lease_duration(SECOND * 6)
            .renew_deadline(SECOND * 4)
            .retry_period(SECOND),
        LeaseTiming::default().lease_duration(SECOND * 20).renew_deadline(SECOND * 19),
    ];
    let mut born = 0;
    let mut name = |random: &mut Random| {
        born += 1;
        // Now and then two of one name: the sum of all carelessness.
        if random.below(10) == 0 { "twin".to_owned() } else { format!("replica-{born}") }
    };
    let mut replicas: Vec<Replica> = (0..2 + random.below(4))
        .map(|i| {
            let skew = SignedDuration::from_secs(i64::try_from(random.below(1200)).unwrap() - 600);
            let link = Link::new(&server, (seed << 8) | i as u64, skew);
            let link = link.blind(random.below(4) == 0);
            Replica::start(name(random), link, *random.pick(&timings), &board)
        })
        .collect();

    let end = Instant::now() + SECOND * 60 + random.up_to(SECOND * 30);
    while Instant::now() < end {
        let next = Instant::now() + random.up_to(SECOND * 5);
        let sick = random.below(replicas.len());
        match random.below(16) {
            0..=6 => {
                let weather = [
                    Weather::Slow,
                    Weather::Refused,
                    Weather::Silent,
                    Weather::Deaf,
                    Weather::Changing,
                    Weather::Status(409),
                    Weather::Status(503),
                ];
                replicas[sick].link.set(*random.pick(&weather));
            }
            7 => replicas.iter().for_each(|replica| replica.link.set(Weather::Refused)),
            8 => replicas.iter().for_each(|replica| replica.link.set(Weather::Fair)),
            9 => replicas[sick].link.set(Weather::Fair),
            10 => drop(replicas[sick].control.send_replace(Control::Stall)),
            11 => drop(replicas[sick].control.send_replace(Control::Run)),
            12 => drop(replicas[sick].control.send_replace(Control::Release)),
            13 => replicas[sick].running.abort(),
            14 => touch(&server, random),
            _ => {
                let identity = name(random);
                replicas[sick].restart(identity);
            }
        }
        observe(&board, &replicas, next).await;
    }

    for replica in &mut replicas {
        replica.link.set(Weather::Fair);
        replica.control.send_if_modified(|control| {
            let stalled = *control == Control::Stall;
            if stalled {
                *control = Control::Run;
            }
            stalled
        });
    }
    let competes = |replica: &Replica| {
        !replica.running.is_finished() && *replica.control.borrow() == Control::Run
    };
    if !replicas.iter().any(competes) {
        let identity = name(random);
        replicas[0].restart(identity);
    }
    // It is quiet when also the requests have ended that were under way.
    observe(&board, &replicas, Instant::now() + SECOND * 10).await;
    let quiet = Instant::now();
    let bound = SECOND * 20 + SECOND * 24 / 10 + SECOND / 2;
    let mut begun = quiet;
    let mut led = false;
    let end = quiet + bound + SECOND * 5;
    while Instant::now() < end {
        observe(&board, &replicas, Instant::now() + SECOND / 10).await;
        let leads = !board.valid().is_empty();
        if leads && !led {
            begun = Instant::now();
        }
        led = leads;
    }
    assert!(led, "nobody leads {:?} after all is well", quiet.elapsed());
    let waited = begun - quiet;
    assert!(waited <= bound, "nobody led for {waited:?}");
    for replica in replicas {
        if replica.running.is_finished() {
            let ended = replica.running.await;
            assert!(!ended.is_err_and(|error| error.is_panic()), "{} panicked", replica.identity);
        }
    }
    waited
}

/// Writes to the Lease what has nothing to do with the election.
fn touch(server: &ApiServer, random: &mut Random) {
    if let Ok(mut lease) = server.get("leases", "default", "lease") {
        lease["metadata"]["labels"] =
            serde_json::json!({ "chance": random.below(1000).to_string() });
        lease["apiVersion"] = "coordination.k8s.io/v1".into();
        lease["kind"] = "Lease".into();
        server.apply(&lease).unwrap();
    }
}

/// Lets time pass, and looks on.
async fn observe(board: &Board, replicas: &[Replica], until: Instant) {
    loop {
        let valid = board.valid();
        assert!(valid.len() <= 1, "two at once: {valid:?}");
        let leading: Vec<_> =
            replicas.iter().filter(|replica| replica.leadership.is_leading()).collect();
        assert!(leading.len() <= 1, "{} say that they lead", leading.len());
        for replica in replicas {
            // L7: whoever doesn't lead doesn't name itself.
            let leader = replica.leadership.leader();
            let own = leader.as_deref() == Some(&*replica.identity);
            assert_eq!(own, replica.leadership.is_leading(), "{leader:?}");
        }
        if Instant::now() >= until {
            return;
        }
        sleep(SECOND / 4).await;
    }
}

fn schedules(seeds: Range<u64>) {
    let mut longest = std::time::Duration::ZERO;
    for seed in seeds.clone() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(schedule(seed))
        }));
        longest = longest.max(outcome.unwrap_or_else(|_| panic!("seed {seed}")));
    }
    eprintln!("seeds {seeds:?}: a leader after {longest:?} at the latest");
}

/// SEMANTICS: L1, L2, L7
#[test]
fn never_two_leaders_and_never_none_for_long_1() {
    schedules(0..250);
}

/// SEMANTICS: L1, L2, L7
#[test]
fn never_two_leaders_and_never_none_for_long_2() {
    schedules(250..500);
}

/// SEMANTICS: L1, L2, L7
#[test]
fn never_two_leaders_and_never_none_for_long_3() {
    schedules(500..750);
}

/// SEMANTICS: L1, L2, L7
#[test]
fn never_two_leaders_and_never_none_for_long_4() {
    schedules(750..1000);
}
