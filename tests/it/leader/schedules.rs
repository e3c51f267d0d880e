//! Random schedules of all failures, in virtual time.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
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
    NEXT, SECOND, election,
    link::{Link, Weather},
};
use crate::random::Random;

/// The longest lease duration of any replica.
const LONGEST: Duration = Duration::from_secs(20);

/// Record of everything that the replicas of a schedule did.
#[derive(Clone, Default)]
struct Board {
    terms: Arc<Mutex<Vec<Term>>>,
    /// Running guarded work.
    working: Arc<AtomicUsize>,
}

impl Board {
    /// Records a new term: no other term may be valid, and it must have the highest number.
    fn begin(&self, term: &Term) {
        let terms = self.terms.lock().unwrap().clone();
        for other in &terms {
            assert!(!(term.is_valid() && other.is_valid()), "two at once: {other:?}, {term:?}");
            assert!(other.number() < term.number(), "no fence: {other:?}, {term:?}");
        }
        self.terms.lock().unwrap().push(term.clone());
    }

    fn valid(&self) -> Vec<Term> {
        self.terms.lock().unwrap().iter().filter(|term| term.is_valid()).cloned().collect()
    }

    /// Does the work of a leader, which must be exclusive at any moment.
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

/// A competing process.
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
    /// Stalls the process: nothing is polled.
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
                // Graceful: ask the work to end, and wait for its end.
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

/// A schedule: the server, the replicas, and the random generator.
struct World {
    random: Random,
    server: ApiServer,
    board: Board,
    replicas: Vec<Replica>,
    born: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let server = ApiServer::new();
        let (random, board) = (Random::new(seed), Board::default());
        let mut world = Self { random, server, board, replicas: Vec::new(), born: 0 };
        let timings = [
            LeaseTiming::default(),
            LeaseTiming::default().renew_deadline(SECOND * 14),
            LeaseTiming::default()
                .lease_duration(SECOND * 6)
                .renew_deadline(SECOND * 5)
                .retry_period(SECOND),
            // With the smallest margin.
            LeaseTiming::default().lease_duration(LONGEST).renew_deadline(SECOND * 19),
        ];
        for i in 0..2 + world.random.below(4) {
            let minutes = i64::try_from(world.random.below(20)).unwrap() - 10;
            let seed = (seed << 8) | i as u64;
            let link = Link::new(&world.server, seed, SignedDuration::from_mins(minutes));
            let link = link.blind(world.random.below(4) == 0);
            let timing = *world.random.pick(&timings);
            let replica = Replica::start(world.name(), link, timing, &world.board);
            world.replicas.push(replica);
        }
        world
    }

    fn name(&mut self) -> String {
        self.born += 1;
        // Now and then two replicas have the same name, as a configuration mistake.
        let twin = self.random.below(10) == 0;
        if twin { "twin".to_owned() } else { format!("replica-{}", self.born) }
    }

    fn restart(&mut self, replica: usize) {
        let identity = self.name();
        self.replicas[replica].restart(identity);
    }

    fn all(&self, weather: Weather) {
        for replica in &self.replicas {
            replica.link.set(weather);
        }
    }

    /// Makes a random event happen.
    fn trouble(&mut self) {
        // Mostly to the leader: the other replicas have little to lose.
        let leader = self.replicas.iter().position(|replica| replica.leadership.is_leading());
        let sick = leader.filter(|_| self.random.below(3) > 0);
        let sick = sick.unwrap_or_else(|| self.random.below(self.replicas.len()));
        let control = |control| {
            // A replica that has begun to release does nothing else.
            self.replicas[sick].control.send_if_modified(|now| {
                let may = *now != Control::Release;
                *now = if may { control } else { *now };
                may
            });
        };
        match self.random.below(16) {
            0..=6 => {
                let weather = [
                    Weather::Late,
                    Weather::Late,
                    Weather::Slow,
                    Weather::Refused,
                    Weather::Silent,
                    Weather::Deaf,
                    Weather::Changing,
                    Weather::Status(409),
                    Weather::Status(503),
                ];
                if self.random.below(2) == 0 {
                    // So that another replica can take over.
                    self.all(Weather::Fair);
                }
                self.replicas[sick].link.set(*self.random.pick(&weather));
            }
            7 => self.all(Weather::Refused),
            8 => self.all(Weather::Fair),
            9 => self.replicas[sick].link.set(Weather::Fair),
            10 => control(Control::Stall),
            11 => control(Control::Run),
            12 => control(Control::Release),
            13 => self.replicas[sick].running.abort(),
            14 => self.touch(),
            _ => self.restart(sick),
        }
    }

    /// Writes fields to the Lease that are unrelated to the election.
    fn touch(&mut self) {
        if let Ok(mut lease) = self.server.get("leases", "default", "lease") {
            let label = self.random.below(1000).to_string();
            lease["metadata"]["labels"] = serde_json::json!({ "chance": label });
            lease["apiVersion"] = "coordination.k8s.io/v1".into();
            lease["kind"] = "Lease".into();
            self.server.apply(&lease).unwrap();
        }
    }

    /// Ends all faults, and ensures that a replica competes.
    fn heal(&mut self) {
        self.all(Weather::Fair);
        for replica in &self.replicas {
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
        if !self.replicas.iter().any(competes) {
            self.restart(0);
        }
    }

    /// Lets time pass, and checks the rules.
    async fn observe(&self, until: Instant) {
        loop {
            let valid = self.board.valid();
            assert!(valid.len() <= 1, "two at once: {valid:?}");
            let leading = |replica: &&Replica| replica.leadership.is_leading();
            let leading = self.replicas.iter().filter(leading).count();
            assert!(leading <= 1, "{leading} say that they lead");
            for replica in &self.replicas {
                // L7: a replica that doesn't lead doesn't name itself as the leader.
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
}

/// Returns the time from the last fault until there is a lasting leader.
async fn schedule(seed: u64) -> Duration {
    let mut world = World::new(seed);
    let end = Instant::now() + SECOND * 60 + world.random.up_to(SECOND * 30);
    while Instant::now() < end {
        let next = Instant::now() + world.random.up_to(SECOND * 5);
        world.trouble();
        world.observe(next).await;
    }
    world.heal();
    // The last fault includes pending requests.
    world.observe(Instant::now() + SECOND * 10).await;
    let quiet = Instant::now();
    let bound = LONGEST + NEXT + SECOND / 2;
    let (mut begun, mut led) = (quiet, false);
    while quiet.elapsed() < bound + SECOND * 5 {
        world.observe(Instant::now() + SECOND / 10).await;
        let leads = !world.board.valid().is_empty();
        if leads && !led {
            begun = Instant::now();
        }
        led = leads;
    }
    assert!(led, "nobody leads {:?} after all is well", quiet.elapsed());
    let waited = begun - quiet;
    assert!(waited <= bound, "nobody led for {waited:?}");
    for replica in world.replicas {
        if replica.running.is_finished() {
            let ended = replica.running.await;
            assert!(!ended.is_err_and(|error| error.is_panic()), "{} panicked", replica.identity);
        }
    }
    waited
}

fn schedules(seeds: Range<u64>) {
    let mut longest = Duration::ZERO;
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
