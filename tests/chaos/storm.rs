//! Random faults.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    consumer::IS_RESTORED,
    proxy::{Fault, On},
    random::Random,
    soon,
    world::World,
    writers::Writers,
};

/// How long a server that is gone stays so, at the most.
const GONE: Duration = Duration::from_secs(2);

/// Longer than what a watch takes for death, at times.
const FROZEN: Duration = Duration::from_secs(12);

/// A blow to the server; each in its turn, since there are few.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Killed,
    Forgotten,
    Frozen,
    EtcdKilled,
    Stopped,
    Restored,
}

const BLOWS: [Blow; 6] =
    [Blow::Killed, Blow::Restored, Blow::Forgotten, Blow::Frozen, Blow::EtcdKilled, Blow::Stopped];

impl World {
    /// Lets writers write and everything go wrong, until it is time.
    pub(crate) async fn storm(&mut self, random: &mut Random, round: usize, until: Instant) {
        let half = Instant::now() + until.saturating_duration_since(Instant::now()) / 2;
        let mut writers = self.writers(random);
        self.faults(random, half).await;
        self.join_late();
        match BLOWS[round % BLOWS.len()] {
            Blow::Restored => {
                self.restore(writers).await;
                writers = self.writers(random);
            }
            blow => self.blow(blow, random).await,
        }
        self.faults(random, until).await;
        writers.stop().await;
    }

    fn writers(&self, random: &mut Random) -> Writers {
        Writers::start(self.straight.clone(), &self.namespaces, random, &self.writes)
    }

    /// Takes etcd back to before what everybody has seen. Nobody writes until that is noticed: where
    /// all that was lost is written again, nothing shows the loss.
    async fn restore(&mut self, writers: Writers) {
        *self.blows.entry(format!("{:?}", Blow::Restored)).or_default() += 1;
        let backup = self.cluster.backup().await;
        self.until_written(50).await;
        writers.stop().await;
        self.quiet().await;
        self.proxy.set(Fault::Cut, On::All);
        IS_RESTORED.store(true, Ordering::SeqCst);
        self.cluster.restore(&backup).await;
        self.quiet().await;
        IS_RESTORED.store(false, Ordering::SeqCst);
    }

    async fn until_written(&self, more: usize) {
        let enough = self.writes.load(Ordering::Relaxed) + more;
        let written = async {
            while self.writes.load(Ordering::Relaxed) < enough {
                sleep(Duration::from_millis(20)).await;
            }
        };
        soon("writes", written).await;
    }

    async fn faults(&self, random: &mut Random, until: Instant) {
        while Instant::now() < until {
            self.proxy.set(fault(random), *random.pick(&[On::Old, On::New, On::All, On::All]));
            sleep(random.up_to(Duration::from_secs(3))).await;
            if random.below(2) == 0 {
                self.proxy.set(Fault::None, On::All);
                sleep(random.up_to(Duration::from_secs(2))).await;
            }
        }
    }

    async fn blow(&mut self, blow: Blow, random: &mut Random) {
        *self.blows.entry(format!("{blow:?}")).or_default() += 1;
        match blow {
            Blow::Killed => {
                self.cluster.kill_apiserver().await;
                sleep(random.up_to(GONE)).await;
                self.cluster.start_apiserver().await;
            }
            Blow::Stopped => {
                self.cluster.stop_apiserver().await;
                sleep(random.up_to(GONE)).await;
                self.cluster.start_apiserver().await;
            }
            Blow::Frozen => {
                self.cluster.freeze_apiserver();
                sleep(random.up_to(FROZEN)).await;
                self.cluster.thaw_apiserver();
            }
            Blow::EtcdKilled => {
                self.cluster.stop_etcd().await;
                sleep(random.up_to(GONE)).await;
                self.cluster.start_etcd().await;
            }
            Blow::Restored => unreachable!("nobody may write meanwhile"),
            // The server forgets the events that happened while nobody was connected.
            Blow::Forgotten => {
                self.proxy.set(Fault::Cut, On::All);
                self.until_written(50).await;
                self.cluster.compact_etcd().await;
                self.cluster.stop_apiserver().await;
                self.cluster.start_apiserver().await;
            }
        }
    }
}

fn fault(random: &mut Random) -> Fault {
    match random.below(7) {
        0 => Fault::Delay(random.up_to(Duration::from_millis(500))),
        1 => Fault::Trickle,
        2 => Fault::Cut,
        3 => Fault::Reset,
        4 => Fault::Stall,
        // Often in the midst of the first page, or of what a watch begins with.
        5 => Fault::Break(random.below(60_000)),
        _ => Fault::Garble,
    }
}
