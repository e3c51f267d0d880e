//! Elections on the in-process API server, in virtual time.

mod gate;
mod link;
mod random;
mod schedules;

use std::{future::pending, time::Duration};

use futures::{FutureExt, StreamExt};
use http::Method;
use jiff::SignedDuration;
use kube_weir::{
    Campaign, Election, Identity, Leadership, LeadershipWatch, LeaseRef, LeaseTiming, Term,
    testing::{ApiServer, Fault, On, Verb},
};
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, advance, sleep, timeout},
};

use link::{Link, Weather};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);
/// A retry period with its jitter, and the time that requests take in fair weather.
const NEXT: Duration = Duration::from_millis(2400 + 300);

fn election(link: &Link, identity: &str) -> Election {
    Election::new(link.client(), LeaseRef::new("default", "lease"), identity).unwrap()
}

fn link(server: &ApiServer) -> Link {
    Link::new(server, 0, SignedDuration::ZERO)
}

/// A replica whose campaign is polled by a task, until it is killed or released.
struct Replica {
    link: Link,
    leadership: LeadershipWatch,
    polling: JoinHandle<()>,
    release: oneshot::Sender<()>,
}

impl Replica {
    fn start(link: Link, identity: &str) -> Self {
        let campaign = election(&link, identity).campaign();
        let leadership = campaign.watch();
        let (release, released) = oneshot::channel();
        let polling = tokio::spawn(poll(campaign, released));
        Self { link, leadership, polling, release }
    }

    /// As kill -9.
    async fn kill(self) {
        self.polling.abort();
        let _ = self.polling.await;
    }

    async fn release(self) {
        self.release.send(()).unwrap();
        self.polling.await.unwrap();
    }

    async fn leading(&self) -> Term {
        timeout(SECOND * 60, self.leadership.leading()).await.expect("in time").unwrap()
    }

    /// When the last renewal that was done was sent.
    fn renewed(&self) -> Instant {
        let writes = self.link.writes();
        writes.iter().rfind(|write| write.status == Some(200)).expect("a renewal").sent
    }
}

async fn poll(mut campaign: Campaign, mut release: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            stop = &mut release => {
                if stop.is_ok() {
                    campaign.release().await.unwrap();
                }
                return;
            }
            item = campaign.next() => drop(item.expect("it never ends")),
        }
    }
}

fn lease(server: &ApiServer) -> Value {
    server.get("leases", "default", "lease").unwrap()
}

/// Changes the Lease behind everybody's back.
fn edit(server: &ApiServer, change: impl FnOnce(&mut Value)) {
    let mut lease = lease(server);
    lease["apiVersion"] = "coordination.k8s.io/v1".into();
    lease["kind"] = "Lease".into();
    change(&mut lease);
    server.apply(&lease).unwrap();
}

/// SEMANTICS: L1
#[tokio::test(start_paused = true)]
async fn wall_clocks_count_for_nothing() {
    let server = ApiServer::new();
    let hour = SignedDuration::from_hours(1);
    let early = Replica::start(Link::new(&server, 1, -hour), "early");
    early.leading().await;
    // By its own clock the Lease ran out an hour ago, or is held for an hour to come.
    let late = Replica::start(Link::new(&server, 2, hour), "late");
    for _ in 0..600 {
        sleep(SECOND / 5).await;
        assert!(early.leadership.is_leading() && !late.leadership.is_leading());
    }
    let (last, begun) = (early.renewed(), Instant::now());
    early.kill().await;
    late.leading().await;
    assert!(last.elapsed() >= LEASE, "too early: {:?}", last.elapsed());
    assert!(begun.elapsed() <= LEASE + NEXT, "too late: {:?}", begun.elapsed());
}

/// SEMANTICS: L2
#[tokio::test(start_paused = true)]
async fn a_crashed_leader_is_replaced() {
    for blind in [false, true] {
        let server = ApiServer::new();
        let crashed = Replica::start(link(&server), "a");
        crashed.leading().await;
        let next = Replica::start(link(&server).blind(blind), "b");
        sleep(SECOND * 7).await;
        let last = crashed.renewed();
        crashed.kill().await;
        let term = next.leading().await;
        let waited = last.elapsed();
        assert!(waited >= LEASE && waited <= LEASE + NEXT, "blind: {blind}, after {waited:?}");
        assert_eq!(term.number(), 1);
    }
}

/// SEMANTICS: L3
#[tokio::test(start_paused = true)]
async fn it_campaigns_again_after_a_loss() {
    let server = ApiServer::new();
    let only = Replica::start(link(&server), "a");
    let mut numbers = vec![only.leading().await.number()];
    for weather in [Weather::Silent, Weather::Refused, Weather::Status(500), Weather::Deaf] {
        only.link.set(weather);
        sleep(RENEW).await;
        assert!(!only.leadership.is_leading(), "in {weather:?}");
        only.link.set(Weather::Fair);
        let begun = Instant::now();
        numbers.push(only.leading().await.number());
        // A request without an answer has its time.
        assert!(begun.elapsed() <= RENEW / 2 + NEXT, "after {weather:?}: {:?}", begun.elapsed());
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

/// SEMANTICS: L3
#[tokio::test(start_paused = true)]
async fn who_lost_the_lease_to_another_has_it_next() {
    let server = ApiServer::new();
    let (a, b) = (Replica::start(link(&server), "a"), Replica::start(link(&server), "b"));
    let first = tokio::select! { term = a.leading() => term, term = b.leading() => term };
    let (leader, other) = if first.holder() == "a" { (a, b) } else { (b, a) };
    leader.link.set(Weather::Silent);
    other.leading().await;
    leader.link.set(Weather::Fair);
    sleep(SECOND).await;
    assert_eq!(leader.leadership.leader(), other.leadership.leader());
    other.kill().await;
    assert_eq!(leader.leading().await.number(), 2);
}

/// SEMANTICS: L4
#[tokio::test(start_paused = true)]
async fn guarded_work_is_cut_off_at_the_renew_deadline() {
    for weather in [Weather::Silent, Weather::Deaf, Weather::Slow, Weather::Status(503)] {
        let server = ApiServer::new();
        let replica = Replica::start(link(&server), "a");
        let term = replica.leading().await;
        // It holds for as long as it is renewed.
        let long = term.guard(sleep(RENEW * 5));
        long.await.unwrap();
        replica.link.set(weather);
        if weather == Weather::Slow {
            sleep(SECOND * 8).await;
            replica.link.set(Weather::Refused);
        }
        let cut = term.guard(pending::<()>()).await;
        assert!(cut.unwrap_err().is_not_leading());
        // What was done without being answered is no renewal that the leader knows of.
        let waited = replica.renewed().elapsed();
        assert!(waited <= RENEW, "in {weather:?}: {waited:?} after the last renewal was sent");
        assert!(!term.is_valid());
    }
}

/// SEMANTICS: L4
#[tokio::test(start_paused = true)]
async fn nobody_need_poll_for_a_term_to_end() {
    let server = ApiServer::new();
    let mut campaign = election(&link(&server), "a").campaign();
    let leadership = campaign.watch();
    let Some(Ok(Leadership::Leading(term))) = campaign.next().await else { panic!() };
    let begun = Instant::now();
    assert!(term.guard(pending::<()>()).await.is_err());
    assert!(begun.elapsed() <= RENEW);
    assert!(!leadership.is_leading());
    assert_eq!(leadership.leader(), None);
    assert!(matches!(leadership.current(), Leadership::Following { leader: None }));

    // Polled again, it says so, and is a candidate as any other.
    advance(SECOND * 100).await;
    let lost = campaign.next().await;
    assert!(matches!(lost, Some(Ok(Leadership::Following { leader: None }))), "{lost:?}");
    let Some(Ok(Leadership::Leading(next))) = campaign.next().await else { panic!() };
    assert!(next.number() > term.number());
    assert!(!term.is_valid());

    // Without a campaign it ends the same way.
    drop(campaign);
    assert!(next.is_valid(), "work under way may go on");
    next.expired().await;
    assert!(!leadership.is_leading());
    assert!(leadership.leading().await.unwrap_err().is_ended());
}

/// SEMANTICS: L5
#[tokio::test(start_paused = true)]
async fn a_release_waits_for_guarded_work() {
    let server = ApiServer::new();
    let leader = Replica::start(link(&server), "a");
    let term = leader.leading().await;
    let next = Replica::start(link(&server), "b");
    sleep(SECOND).await;

    // Longer than a lease duration: it must be renewed meanwhile.
    let work = tokio::spawn(term.guard(async {
        sleep(LEASE * 2).await;
        Instant::now()
    }));
    tokio::task::yield_now().await;
    let (leadership, begun) = (leader.leadership.clone(), Instant::now());
    let release = tokio::spawn(leader.release());
    sleep(SECOND).await;
    assert!(!leadership.is_leading(), "no more work is given in");
    assert!(term.guard(async {}).await.unwrap_err().is_not_leading());
    assert!(term.is_valid());

    next.leading().await;
    let ended = work.await.unwrap().expect("not cut off");
    assert!(ended - begun >= LEASE * 2);
    assert!(ended.elapsed() <= RETRY, "taken over {:?} after the work", ended.elapsed());
    assert!(!term.is_valid());
    release.await.unwrap();
}

/// SEMANTICS: L5
#[tokio::test(start_paused = true)]
async fn a_release_is_noticed_at_once() {
    for (blind, within) in [(false, SECOND / 2), (true, NEXT)] {
        let server = ApiServer::new();
        let leader = Replica::start(link(&server), "a");
        leader.leading().await;
        let next = Replica::start(link(&server).blind(blind), "b");
        sleep(SECOND * 5).await;
        let begun = Instant::now();
        leader.release().await;
        next.leading().await;
        assert!(begun.elapsed() <= within, "blind: {blind}, after {:?}", begun.elapsed());
    }
}

/// SEMANTICS: L5
#[tokio::test(start_paused = true)]
async fn a_release_that_fails_says_so() {
    let server = ApiServer::new();
    let link = link(&server);
    let mut campaign = election(&link, "a").campaign();
    assert!(matches!(campaign.next().await, Some(Ok(Leadership::Leading(_)))));
    link.set(Weather::Status(503));
    let begun = Instant::now();
    assert_eq!(campaign.release().await.unwrap_err().reason(), "Other");
    assert!(begun.elapsed() <= RENEW + NEXT, "{:?}", begun.elapsed());

    // A failure on the way is none, nor is there anything to give back for who doesn't lead.
    link.set(Weather::Fair);
    let mut campaign = election(&link, "b").campaign();
    let leader = campaign.next().await;
    assert!(matches!(leader, Some(Ok(Leadership::Following { leader: Some(_) }))), "{leader:?}");
    campaign.release().await.unwrap();
    let mut campaign = election(&link, "c").campaign();
    while !matches!(campaign.next().await, Some(Ok(Leadership::Leading(_)))) {}
    server.fault(Verb::Update, 2, Fault::status(500));
    campaign.release().await.unwrap();
    assert_eq!(lease(&server)["spec"]["holderIdentity"], "");
}

/// SEMANTICS: L6
#[tokio::test(start_paused = true)]
async fn every_write_is_guarded() {
    let server = ApiServer::new();
    let a = Replica::start(link(&server), "a");
    a.leading().await;
    let b = Replica::start(link(&server), "b");
    a.link.set(Weather::Changing);
    sleep(SECOND * 100).await;
    a.link.set(Weather::Fair);
    b.link.set(Weather::Changing);
    sleep(SECOND * 100).await;
    let writes = [a.link.writes(), b.link.writes()].concat();
    assert!(writes.len() > 60, "{}", writes.len());
    for write in &writes {
        let version = &write.lease["metadata"]["resourceVersion"];
        assert_eq!(version.is_string(), write.method == Method::PUT, "{write:?}");
    }
    // A creation is guarded by there being none.
    assert_eq!(writes.iter().filter(|write| write.status == Some(201)).count(), 1);
}

/// SEMANTICS: L6
#[tokio::test(start_paused = true)]
async fn a_conflict_is_no_loss() {
    for blind in [false, true] {
        let server = ApiServer::new();
        let replica = Replica::start(link(&server).blind(blind), "a");
        let term = replica.leading().await;
        let guarded = tokio::spawn(term.guard(sleep(SECOND * 60)));
        for i in 0..200 {
            sleep(SECOND / 4).await;
            edit(&server, |lease| lease["metadata"]["labels"] = json!({ "i": i.to_string() }));
            if i % 10 == 0 {
                server.fault(On::verb(Verb::Update).resource("leases"), 1, Fault::status(409));
            }
        }
        sleep(SECOND * 15).await;
        guarded.await.unwrap().unwrap();
        assert!(term.is_valid());
        let found = lease(&server);
        assert_eq!(found["spec"]["leaseTransitions"], 0);
        assert_eq!(found["metadata"]["labels"]["i"], "199", "what others wrote stays");
    }
}

/// SEMANTICS: L6
#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_is_known_again() {
    let server = ApiServer::new();
    let link = link(&server);
    link.set(Weather::Deaf);
    let replica = Replica::start(link, "a");
    sleep(SECOND * 20).await;
    assert!(!replica.leadership.is_leading(), "it can't know");
    assert_eq!(lease(&server)["spec"]["holderIdentity"], "a");
    replica.link.set(Weather::Fair);
    let begun = Instant::now();
    replica.leading().await;
    assert!(begun.elapsed() <= RENEW / 2 + NEXT, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_goes_away_is_made_again() {
    for blind in [false, true] {
        let server = ApiServer::new();
        let a = Replica::start(link(&server).blind(blind), "a");
        let b = Replica::start(link(&server), "b");
        let first = tokio::select! { term = a.leading() => term, term = b.leading() => term };
        sleep(SECOND * 5).await;
        server.delete("leases", "default", "lease").unwrap();
        sleep(SECOND * 5).await;
        let leading = [&a, &b].map(|replica| replica.leadership.is_leading());
        assert_eq!(leading, [first.holder() == "a", first.holder() == "b"]);
        assert_eq!(lease(&server)["spec"]["holderIdentity"], first.holder());
        assert!(first.is_valid());

        // The number goes on, as long as anybody remembers it.
        edit(&server, |lease| lease["spec"]["leaseTransitions"] = json!(41));
        sleep(SECOND * 5).await;
        server.delete("leases", "default", "lease").unwrap();
        let next = tokio::select! { term = a.leading() => term, term = b.leading() => term };
        assert!(next.number() > 41, "{}", next.number());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_taken_by_hand_is_lost_at_once() {
    let server = ApiServer::new();
    let replica = Replica::start(link(&server), "a");
    let term = replica.leading().await;
    sleep(SECOND).await;
    edit(&server, |lease| lease["spec"]["holderIdentity"] = "somebody".into());
    let begun = Instant::now();
    term.expired().await;
    assert!(begun.elapsed() < SECOND / 2, "{:?}", begun.elapsed());
    sleep(SECOND).await;
    assert_eq!(replica.leadership.leader().as_deref(), Some("somebody"));
    replica.leading().await;
    assert!(begun.elapsed() >= LEASE);
}

/// SEMANTICS: L7
#[tokio::test(start_paused = true)]
async fn a_follower_names_the_leader_and_never_itself() {
    let server = ApiServer::new();
    let a = Replica::start(link(&server), "a");
    a.leading().await;
    let b = Replica::start(link(&server), "b");
    sleep(SECOND).await;
    let leader = |replica: &Replica| replica.leadership.leader();
    assert_eq!((leader(&a).as_deref(), leader(&b).as_deref()), (Some("a"), Some("a")));

    // Cut off, it is still named by the Lease.
    a.link.set(Weather::Silent);
    sleep(RENEW).await;
    assert_eq!(lease(&server)["spec"]["holderIdentity"], "a");
    assert_eq!((leader(&a), leader(&b).as_deref()), (None, Some("a")));
    sleep(LEASE).await;
    assert_eq!((leader(&a), leader(&b).as_deref()), (None, Some("b")));
    a.link.set(Weather::Fair);
    sleep(SECOND * 6).await;
    assert_eq!((leader(&a).as_deref(), leader(&b).as_deref()), (Some("b"), Some("b")));
}

/// SEMANTICS: L8
#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_at_once() {
    let server = ApiServer::new();
    let election = |namespace: &str, name: &str, identity: &str| {
        Election::new(server.client(), LeaseRef::new(namespace, name), identity)
    };
    let valid = || election("default", "a.b-c", "me").unwrap();
    valid().timing(LeaseTiming::default()).unwrap();
    let short = LeaseTiming::default().lease_duration(RENEW);
    assert!(valid().timing(short).unwrap_err().is_election());
    assert!(election("", "a", "me").unwrap_err().is_namespace());
    for name in ["", "A", "a/b", "a..b", "-a", "a,b", &"a".repeat(254)] {
        assert!(election("default", name, "me").unwrap_err().is_election(), "{name}");
    }
    assert!(election("default", "a", "").unwrap_err().is_election());
    Election::new(server.client(), LeaseRef::new("default", "a"), Identity::from_env()).unwrap();
}

/// What client-go writes, and reads.
#[tokio::test(start_paused = true)]
async fn the_lease_reads_as_that_of_client_go() {
    let server = ApiServer::new();
    let a = Replica::start(link(&server), "a");
    a.leading().await;
    let of = |spec: &Value| {
        let number = |field: &str| spec[field].as_i64().unwrap();
        let time = |field: &str| {
            let text = spec[field].as_str().unwrap().to_owned();
            assert_eq!(text.len(), "2026-01-01T00:00:00.000000Z".len(), "{text}");
            text
        };
        let (acquired, renewed) = (time("acquireTime"), time("renewTime"));
        let holder = spec["holderIdentity"].as_str().unwrap().to_owned();
        assert_eq!(spec.as_object().unwrap().len(), 5, "{spec}");
        (holder, number("leaseDurationSeconds"), number("leaseTransitions"), acquired, renewed)
    };
    let (holder, duration, transitions, acquired, renewed) = of(&lease(&server)["spec"]);
    assert_eq!((holder.as_str(), duration, transitions), ("a", 15, 0));
    assert_eq!(acquired, renewed);
    sleep(SECOND * 3).await;
    let (holder, duration, transitions, again, later) = of(&lease(&server)["spec"]);
    assert_eq!((holder.as_str(), duration, transitions), ("a", 15, 0));
    assert!(again == acquired && later > renewed);
    a.release().await;
    let (holder, duration, transitions, ..) = of(&lease(&server)["spec"]);
    assert_eq!((holder.as_str(), duration, transitions), ("", 1, 0));
    let b = Replica::start(link(&server), "b");
    b.leading().await;
    let (holder, duration, transitions, ..) = of(&lease(&server)["spec"]);
    assert_eq!((holder.as_str(), duration, transitions), ("b", 15, 1));
}

#[tokio::test(start_paused = true)]
async fn two_of_one_name_are_two() {
    let server = ApiServer::new();
    let a = Replica::start(link(&server), "same");
    a.leading().await;
    let b = Replica::start(link(&server), "same");
    for _ in 0..200 {
        sleep(SECOND / 4).await;
        assert!(a.leadership.is_leading() && !b.leadership.is_leading());
    }
    assert_eq!(b.leadership.leader(), None, "that would look as if it led itself");
    a.kill().await;
    assert_eq!(b.leading().await.number(), 1);
}

#[tokio::test(start_paused = true)]
async fn in_peace_there_are_few_requests() {
    let server = ApiServer::new();
    let a = Replica::start(link(&server), "a");
    a.leading().await;
    let b = Replica::start(link(&server), "b");
    sleep(SECOND * 10).await;
    server.take_requests();
    sleep(SECOND * 200).await;
    let requests = server.take_requests();
    let count = |start: &str| requests.iter().filter(|line| line.starts_with(start)).count();
    assert!((95..=105).contains(&count("PUT")), "{}", count("PUT"));
    assert!(requests.len() - count("PUT") < 10, "{requests:#?}");
    drop((a, b));
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_watch_it_asks() {
    let server = ApiServer::new();
    let link = link(&server).blind(true);
    let mut campaign = election(&link, "a").campaign();
    let (mut led, mut errors) = (0, 0);
    let _ = timeout(SECOND * 100, async {
        while let Some(item) = campaign.next().await {
            match item {
                Ok(Leadership::Leading(_)) => led += 1,
                Ok(Leadership::Following { .. }) => panic!("it was lost"),
                Err(error) => {
                    assert!(error.is_forbidden(), "{error}");
                    errors += 1;
                }
            }
        }
    })
    .await;
    assert_eq!(led, 1);
    assert!((1..30).contains(&errors), "{errors}");
    assert!(campaign.watch().is_leading());
}

#[tokio::test(start_paused = true)]
async fn it_keeps_to_what_the_holder_promised() {
    let server = ApiServer::new();
    let long = LeaseTiming::default().lease_duration(SECOND * 60).renew_deadline(SECOND * 50);
    let mut campaign = election(&link(&server), "a").timing(long).unwrap().campaign();
    let Some(Ok(Leadership::Leading(term))) = campaign.next().await else { panic!() };
    let other = Replica::start(link(&server), "b");
    sleep(SECOND * 45).await;
    assert!(term.is_valid() && !other.leadership.is_leading());
    other.leading().await;
    assert!(!term.is_valid());
    assert!(campaign.next().now_or_never().is_some(), "it says what became of it");
}
