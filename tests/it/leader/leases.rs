//! Reads and writes of a Lease.

use futures::{FutureExt, StreamExt};
use http::Method;
use kube_weir::{
    Leadership, LeaseTiming,
    testing::{Answer, ApiServer, Fault, On, Verb},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{LEASE, NEXT, RENEW, Replica, SECOND, edit, election, lease, link, link::Weather};

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
    // A creation succeeds only if there is no Lease.
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

/// A server, or a proxy, answers each write with success and a Lease other than the written one: nobody
/// leads by that.
///
/// SEMANTICS: B6, L1
#[tokio::test(start_paused = true)]
async fn a_write_that_is_answered_with_something_else_is_not_done() {
    let own = |name: &str, holder: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "namespace": "default", "name": name, "resourceVersion": "7" },
            "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 0 },
        })
    };
    let huge = json!({ "metadata": { "name": "x".repeat(5 << 20) } });
    for answer in [
        own("lease", "z"),
        own("lease", "a"), // not acquired when it was written
        own("another", "a"),
        json!({}),
        json!({ "kind": "Status", "status": "Success" }),
        huge,
    ] {
        let server = ApiServer::new();
        for verb in [Verb::Create, Verb::Update] {
            let answer = Fault::Answer(Answer::json(201, &answer));
            server.fault(On::verb(verb).resource("leases"), usize::MAX, answer);
        }
        let replicas = ["a", "b"].map(|name| Replica::start(link(&server), name));
        sleep(SECOND * 60).await;
        for replica in &replicas {
            let short = answer.to_string().chars().take(100).collect::<String>();
            assert!(!replica.leadership.is_leading(), "{short}");
        }
        server.clear_faults();
        sleep(SECOND * 60).await;
        let leading = replicas.iter().filter(|replica| replica.leadership.is_leading()).count();
        assert_eq!(leading, 1);
    }
}

/// A proxy answers each renewal with the old Lease. The others see no renewal, and take over.
///
/// SEMANTICS: B6, L1
#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_answered_with_the_lease_before_is_not_done() {
    let server = ApiServer::new();
    let a = Replica::start(link(&server), "a");
    let term = a.leading().await;
    sleep(SECOND * 5).await;
    let before = Fault::Answer(Answer::json(200, &lease(&server)));
    server.fault(On::verb(Verb::Update).resource("leases"), usize::MAX, before);
    let begun = Instant::now();
    term.expired().await;
    assert!(begun.elapsed() <= RENEW, "{:?}", begun.elapsed());
    assert!(!a.leadership.is_leading());
}

/// SEMANTICS: B6
#[tokio::test(start_paused = true)]
async fn the_object_that_is_read_must_be_the_lease() {
    let server = ApiServer::new();
    let a = Replica::start(link(&server), "a");
    a.leading().await;
    let mut another = lease(&server);
    another["metadata"]["name"] = "another".into();
    another["spec"]["holderIdentity"] = "z".into();
    let answer = Fault::Answer(Answer::json(200, &another));
    server.fault(On::verb(Verb::Get).resource("leases"), usize::MAX, answer);
    let event = json!({ "type": "MODIFIED", "object": another });
    let answer = Answer::lines([event]).pause(SECOND * 30);
    server.fault(On::verb(Verb::Watch).resource("leases"), usize::MAX, Fault::Answer(answer));
    server.disconnect();
    sleep(SECOND * 120).await;
    assert!(a.leadership.is_leading(), "the Lease still names it");
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

        // The number continues as long as any replica remembers it.
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

/// The Lease as client-go writes and reads it.
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

/// SEMANTICS: W5
#[tokio::test(start_paused = true)]
async fn a_refused_election_backs_off_and_goes_on_once_it_is_granted() {
    for (verbs, start) in [
        (&[Verb::Get, Verb::List, Verb::Watch][..], "GET"),
        (&[Verb::Create, Verb::Update, Verb::Patch][..], "P"),
    ] {
        let server = ApiServer::new();
        for verb in verbs {
            server.fault(*verb, usize::MAX, Fault::status(403));
        }
        let mut campaign = election(&link(&server), "a").campaign();
        let mut errors = 0;
        let _ = timeout(SECOND * 600, async {
            while let Some(item) = campaign.next().await {
                errors += usize::from(item.is_err_and(|error| error.is_forbidden()));
            }
        })
        .await;
        let requests = server.take_requests();
        let asked = requests.iter().filter(|line| line.starts_with(start)).count();
        // At every 2 seconds there would be 300.
        assert!((10..100).contains(&asked), "{asked} of {start}");
        assert!(errors > 10, "it says so: {errors}");

        server.clear_faults();
        let led = timeout(SECOND * 31, async {
            while let Some(item) = campaign.next().await {
                if matches!(item, Ok(Leadership::Leading(_))) {
                    return;
                }
            }
        });
        led.await.expect("it leads");
    }
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
