//! Elections on the in-process API server, in virtual time.

mod gate;
mod leases;
mod link;
mod schedules;
mod terms;

use std::time::Duration;

use futures::StreamExt;
use jiff::SignedDuration;
use kube_weir::{Campaign, Election, LeadershipWatch, LeaseRef, Term, testing::ApiServer};
use serde_json::Value;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};

use link::Link;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);
/// A retry period with its jitter, plus the time of requests without faults.
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

    /// Stops the replica, like kill -9.
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

    /// Returns the time at which the last applied renewal was sent.
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

/// Changes the Lease directly on the server.
fn edit(server: &ApiServer, change: impl FnOnce(&mut Value)) {
    let mut lease = lease(server);
    lease["apiVersion"] = "coordination.k8s.io/v1".into();
    lease["kind"] = "Lease".into();
    change(&mut lease);
    server.apply(&lease).unwrap();
}
