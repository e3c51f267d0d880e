//! The leader and its terms.

use std::future::pending;

use futures::StreamExt;
use jiff::SignedDuration;
use kube_weir::{
    Election, Identity, Leadership, LeaseRef, LeaseTiming,
    testing::{ApiServer, Fault, Verb},
};
use tokio::time::{Instant, advance, sleep};

use super::{
    LEASE, NEXT, RENEW, RETRY, Replica, SECOND, election, lease, link,
    link::{Link, Weather},
};

/// SEMANTICS: L1
#[tokio::test(start_paused = true)]
async fn wall_clocks_count_for_nothing() {
    let server = ApiServer::new();
    let hour = SignedDuration::from_hours(1);
    let early = Replica::start(Link::new(&server, 1, -hour), "early");
    early.leading().await;
    // By its own clock the Lease expired an hour ago, or is held for another hour.
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
        // A request without an answer takes its full timeout.
        assert!(begun.elapsed() <= RENEW / 2 + NEXT, "after {weather:?}: {:?}", begun.elapsed());
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

/// SEMANTICS: L3
#[tokio::test(start_paused = true)]
async fn a_replica_that_lost_the_lease_can_get_it_next() {
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
        // The term is valid while it is renewed.
        let long = term.guard(sleep(RENEW * 5));
        long.await.unwrap();
        replica.link.set(weather);
        if weather == Weather::Slow {
            sleep(SECOND * 8).await;
            replica.link.set(Weather::Refused);
        }
        let cut = term.guard(pending::<()>()).await;
        assert!(cut.unwrap_err().is_not_leading());
        // An applied renewal without an answer does not count for the leader.
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

    // When polled again, it yields the loss, and is a candidate like any other.
    advance(SECOND * 100).await;
    let lost = campaign.next().await;
    assert!(matches!(lost, Some(Ok(Leadership::Following { leader: None }))), "{lost:?}");
    let Some(Ok(Leadership::Leading(next))) = campaign.next().await else { panic!() };
    assert!(next.number() > term.number());
    assert!(!term.is_valid());

    // Without polls of the campaign the term ends in the same way.
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

    // Longer than a lease duration, so the Lease must be renewed meanwhile.
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

    // The release of a replica that doesn't lead succeeds, without anything to give back.
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

    // After the end of the term, the Lease still names this replica.
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
async fn invalid_input_is_refused_at_once() {
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
