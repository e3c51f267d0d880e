//! Changes that are yielded only while leading.

use std::{pin::pin, task::Poll};

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube_weir::{
    Change, Error, EventStreamExt, Leadership, WorldChange, testing::ApiServer, world,
};
use tokio::time::{advance, sleep};

use super::{LEASE, RENEW, SECOND, election, link, link::Weather};
use crate::support::{Feed, Poller, feed, forbidden, line, object};

type Changes = BoxStream<'static, Result<Change<ConfigMap>, Error>>;

/// A campaign to be polled by hand, with a stream that depends on it.
struct Gated {
    link: super::Link,
    campaign: kube_weir::Campaign,
    feed: Feed,
    changes: Poller<Changes>,
}

impl Gated {
    fn new() -> Self {
        let link = link(&ApiServer::new());
        let campaign = election(&link, "a").campaign();
        let (feed, events) = feed();
        let changes = events.index(()).while_leading(&campaign.watch());
        let changes = changes.map_ok(|(term, change)| {
            assert!(term.is_valid(), "{change:?} is of a term that is over");
            change
        });
        Self { link, campaign, feed, changes: Poller::new(changes.boxed()) }
    }

    async fn until_leading(&mut self) {
        while !matches!(self.campaign.next().await, Some(Ok(Leadership::Leading(_)))) {}
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_flows_before_and_all_of_it_then() {
    let mut gated = Gated::new();
    gated.feed.list([object("a/one", 1)]);
    gated.feed.apply("a/two", 2);
    assert!(gated.changes.lines().is_empty());
    gated.feed.fail(forbidden());
    assert_eq!(gated.changes.lines(), ["error Forbidden"], "failures are told to followers, too");

    assert!(matches!(gated.changes.poll(), Poll::Pending));
    gated.changes.wakes();
    gated.until_leading().await;
    assert!(gated.changes.wakes() > 0, "nobody woke it");
    assert_eq!(gated.changes.lines(), ["synced a/one@1 a/two@2"]);
    gated.feed.apply("a/one", 3);
    assert_eq!(gated.changes.lines(), ["live ~a/one@1->a/one@3"]);
}

#[tokio::test(start_paused = true)]
async fn a_leader_before_the_sync_gets_it_once() {
    let mut gated = Gated::new();
    gated.until_leading().await;
    assert!(gated.changes.lines().is_empty());
    gated.feed.list([object("a/one", 1)]);
    assert_eq!(gated.changes.lines(), ["synced a/one@1"]);
    gated.feed.apply("a/two", 2);
    assert_eq!(gated.changes.lines(), ["live +a/two@2"]);
}

#[tokio::test(start_paused = true)]
async fn changes_between_two_terms_are_in_the_state_of_the_next() {
    let mut gated = Gated::new();
    gated.feed.list([object("a/one", 1)]);
    gated.until_leading().await;
    assert_eq!(gated.changes.lines(), ["synced a/one@1"]);

    // Without polls of the campaign the term ends, too.
    advance(RENEW).await;
    gated.feed.apply("a/two", 2);
    gated.feed.delete("a/one", 3);
    assert!(gated.changes.lines().is_empty());
    gated.until_leading().await;
    assert_eq!(gated.changes.lines(), ["synced a/two@2"]);

    // An unseen loss and gain are two terms.
    gated.link.set(Weather::Refused);
    while !matches!(gated.campaign.next().await, Some(Ok(Leadership::Following { .. }))) {}
    gated.link.set(Weather::Fair);
    gated.until_leading().await;
    gated.feed.apply("a/three", 4);
    assert_eq!(gated.changes.lines(), ["synced a/two@2", "live +a/three@4"]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_changes_and_not_with_the_campaign() {
    let Gated { campaign, feed, mut changes, .. } = Gated::new();
    feed.list([object("a/one", 1)]);
    drop(campaign);
    assert!(changes.lines().is_empty());
    assert!(matches!(changes.poll(), Poll::Pending));
    drop(feed);
    assert!(matches!(changes.poll(), Poll::Ready(None)));
    assert!(matches!(changes.poll(), Poll::Ready(None)));
}

/// Between two replicas nothing is lost, and nothing is done by both.
#[tokio::test(start_paused = true)]
async fn the_next_leader_goes_on_where_the_last_one_stopped() {
    let server = ApiServer::new();
    let (done, mut work) = tokio::sync::mpsc::unbounded_channel();
    let replica = |identity: &'static str| {
        let link = link(&server);
        let campaign = election(&link, identity).campaign();
        let leadership = campaign.watch();
        let api = kube::Api::<ConfigMap>::default_namespaced(link.client());
        let changes = kube_weir::watch(api).index(()).while_leading(&leadership);
        let changes = changes.map_ok(|(_, change)| change);
        let done = done.clone();
        tokio::spawn(async move {
            let mut changes = pin!(changes);
            let mut campaign = pin!(campaign);
            loop {
                tokio::select! {
                    _ = campaign.next() => {}
                    Some(item) = changes.next() => done.send((identity, line(&item))).unwrap(),
                }
            }
        })
    };
    let write = |name: &str| {
        let object = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name },
        });
        server.apply(&object).unwrap();
    };
    let a = replica("a");
    sleep(SECOND).await;
    let b = replica("b");
    sleep(SECOND).await;
    write("one");
    sleep(SECOND).await;
    a.abort();
    write("two");
    sleep(LEASE * 2).await;
    write("three");
    sleep(SECOND).await;
    b.abort();
    let mut lines = Vec::new();
    while let Ok((identity, line)) = work.try_recv() {
        let names: Vec<_> = line.split(['@', ' ']).filter(|part| part.contains('/')).collect();
        lines.push(format!("{identity} {} {}", line.split(' ').next().unwrap(), names.join(" ")));
    }
    let expected = [
        "a synced ",
        "a live +default/one",
        "b synced default/one default/two",
        "b live +default/three",
    ];
    assert_eq!(lines, expected);
}

/// A follower's world is as fresh as the leader's, and is yielded completely when it becomes the leader.
#[tokio::test(start_paused = true)]
async fn a_world_flows_while_leading() {
    let mut campaign = election(&link(&ApiServer::new()), "a").campaign();
    let ((a, one), (b, two)) = (feed(), feed());
    let worlds = world((one.index(()), two.index(())));
    let mut changes = Poller::new(worlds.while_leading(&campaign.watch()));
    a.list([object("n/x", 1)]);
    b.list([]);
    b.apply("n/y", 2);
    assert!(changes.drain().is_empty());
    while !matches!(campaign.next().await, Some(Ok(Leadership::Leading(_)))) {}
    let items = changes.drain();
    let [Ok((first, WorldChange::Synced(world)))] = &items[..] else { panic!("{items:?}") };
    assert_eq!((world.kinds().0.len(), world.kinds().1.len()), (1, 1));
    a.apply("n/x", 3);
    let items = changes.drain();
    let [Ok((term, WorldChange::Live(batch)))] = &items[..] else { panic!("{items:?}") };
    assert_eq!((batch.stats().modified, term.number()), (1, first.number()));
}
