//! The election loop of one replica: following, leading, resigning.

use std::{pin::pin, time::Duration};

use futures::{
    StreamExt,
    future::{Either, select},
    stream::BoxStream,
};
use k8s_openapi::api::coordination::v1::Lease;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    election::{Election, LeaseRef},
    leases::{Leases, Refused},
    record::{Claim, ObservedLease, released, wall_clock},
    term::Term,
    timing::LeaseTiming,
    trace::Trace,
};
use crate::{clock::after, error::Error, event::WatchEvent, source::Tries};

/// A replica that stands for election, and its knowledge of the Lease.
pub(super) struct Candidate {
    leases: Leases,
    identity: String,
    timing: LeaseTiming,
    /// The watch of the Lease. It only speeds things up: reads find out the same.
    events: BoxStream<'static, Result<WatchEvent<Lease>, Error>>,
    stopped: watch::Receiver<bool>,
    observed: ObservedLease,
    /// The claims by which a Lease is ours: the newest, which is renewed while leading, and the one before,
    /// whose renewal may arrive late. A third claim can't arrive: the resourceVersion that guards it is
    /// outdated.
    claims: [Option<Claim>; 2],
    /// The attempt that got no answer, with the resourceVersion that guards it.
    attempt: Option<(Option<String>, Claim)>,
    /// The time of the next read of the Lease.
    read_at: Instant,
    /// The earliest time of the next attempt to take the Lease.
    patient_until: Instant,
    /// The reads and attempts refused in a row while following.
    refused_reads: Tries,
    refused_attempts: Tries,
    /// The time of the next renewal while leading.
    renew_at: Instant,
    /// The Lease may have another resourceVersion than the last one seen.
    outdated: bool,
    /// The leader reported last, if any was `reported`.
    leader: Option<String>,
    reported: bool,
    trace: Trace,
}

/// The outcome of [`Candidate::follow`].
pub(super) enum Following {
    Elected(Term),
    /// The leader changed: another one, or nobody.
    Leader(Option<String>),
    Failed(Error),
    Stopped,
}

/// The outcome of [`Candidate::lead`].
pub(super) enum Leading {
    Lost,
    Failed(Error),
    Stopped,
}

/// The reason why [`Candidate::wait`] ended.
enum Waited {
    /// The time is up.
    Over,
    /// The watch delivered something new.
    News,
    Failed(Error),
    Stopped,
}

/// Returns how much longer to wait after a failure: longer each time after a refusal, because somebody must
/// change something first, and not at all otherwise.
fn pause(refused: &mut Tries, error: &Error) -> Duration {
    if error.is_refusal() { refused.after(error) } else { Duration::ZERO }
}

impl Candidate {
    pub(super) fn new(election: Election, stopped: watch::Receiver<bool>) -> Self {
        let LeaseRef { namespace, name } = &election.lease;
        let trace = Trace::new(namespace, name, election.identity.as_str());
        let leases = Leases::new(election.client, election.lease);
        let now = Instant::now();
        Self {
            events: leases.events(),
            leases,
            identity: election.identity.as_str().to_owned(),
            timing: election.timing,
            stopped,
            observed: ObservedLease::default(),
            claims: [None, None],
            attempt: None,
            read_at: now,
            patient_until: now,
            refused_reads: Tries::default(),
            refused_attempts: Tries::default(),
            renew_at: now,
            outdated: true,
            leader: None,
            reported: false,
            trace,
        }
    }

    /// Waits until the Lease can be taken, and takes it.
    pub(super) async fn follow(&mut self) -> Following {
        loop {
            if *self.stopped.borrow() {
                return Following::Stopped;
            }
            if self.read_at <= Instant::now() {
                self.read_at = after(Instant::now(), self.timing.next_wait());
                if let Err(error) = self.read(self.patience()).await {
                    let pause = pause(&mut self.refused_reads, &error);
                    self.read_at = self.read_at.max(after(Instant::now(), pause));
                    return Following::Failed(error);
                }
                self.refused_reads.reset();
            }
            let held_until = self.observed.held_until().filter(|_| !self.is_ours());
            let from = held_until.unwrap_or(self.patient_until).max(self.patient_until);
            // An outdated Lease is read first: the write is guarded with its resourceVersion.
            if !self.outdated && from <= Instant::now() {
                if let Some(outcome) = self.try_acquire().await {
                    return outcome;
                }
                continue;
            }
            if self.has_new_leader() {
                return Following::Leader(self.leader.clone());
            }
            let until = if self.outdated { self.read_at } else { self.read_at.min(from) };
            match self.wait(until).await {
                Waited::Failed(error) => return Following::Failed(error),
                Waited::Stopped => return Following::Stopped,
                Waited::Over => {}
                Waited::News if self.outdated => self.read_at = Instant::now(),
                // The event is as good as a read, so the next read can wait. The attempt that was refused
                // may now succeed.
                Waited::News => {
                    self.read_at = after(Instant::now(), self.timing.next_wait());
                    self.patient_until = Instant::now();
                }
            }
        }
    }

    /// Tries to take the Lease. Returns `None` if that failed and the Lease must be read again.
    async fn try_acquire(&mut self) -> Option<Following> {
        let known = self.observed.lease();
        let version = known.and_then(|lease| lease.metadata.resource_version.clone());
        // An attempt without an answer may still arrive. The next attempt then makes the same claim, so
        // that either of them is recognized as ours.
        let claim = match self.attempt.take() {
            Some((same, claim)) if same == version => claim,
            _ => self.observed.claim(&self.identity),
        };
        let (acquired, duration) = (claim.acquired.clone(), self.timing.lease_duration);
        let lease = claim.renewed(acquired, known, self.leases.name(), duration);
        if self.claims[0].as_ref() != Some(&claim) {
            self.claims = [Some(claim.clone()), self.claims[0].take()];
        }
        let sent = Instant::now();
        // A refusal is no reason to hurry either.
        self.patient_until = after(sent, self.timing.next_wait());
        match self.leases.write(&lease, self.patience()).await {
            Ok(lease) => {
                self.refused_attempts.reset();
                self.observe(Some(lease));
                self.renew_at = after(sent, self.timing.retry_period);
                let term = Term::new(claim.number, claim.holder, sent, self.timing.renew_deadline);
                // A campaign that was not polled for long learns too late that it was elected.
                let elected = Some(term).filter(Term::is_valid);
                elected.inspect(|term| self.trace.elected(term)).map(Following::Elected)
            }
            Err(Refused::Outdated) => {
                self.outdated = true;
                self.read_at = Instant::now();
                None
            }
            Err(Refused::Failed(error)) => {
                self.attempt = Some((version, claim));
                self.outdated = true;
                let pause = pause(&mut self.refused_attempts, &error);
                self.patient_until = self.patient_until.max(after(sent, pause));
                self.read_at = self.patient_until;
                Some(Following::Failed(error))
            }
        }
    }

    /// Renews the Lease until that fails for too long or another replica takes it.
    pub(super) async fn lead(&mut self, term: &Term) -> Leading {
        loop {
            if !term.is_valid() {
                return self.lost(term);
            }
            if *self.stopped.borrow() {
                return Leading::Stopped;
            }
            if self.renew_at <= Instant::now() {
                match self.renew(term).await {
                    Ok(true) => continue,
                    Ok(false) => return self.lost(term),
                    Err(error) => return Leading::Failed(error),
                }
            }
            match self.wait(self.renew_at.min(term.deadline())).await {
                Waited::Failed(error) => return Leading::Failed(error),
                Waited::Stopped => return Leading::Stopped,
                Waited::News if !self.is_ours_or_gone() => return self.lost(term),
                // The Lease may be deleted; without it another replica would be elected.
                Waited::News if self.outdated => self.renew_at = Instant::now(),
                Waited::News | Waited::Over => {}
            }
        }
    }

    /// Renews the Lease once. Returns false if the Lease is lost or the renewal came too late.
    async fn renew(&mut self, term: &Term) -> Result<bool, Error> {
        let until = self.patience().min(term.deadline());
        let outdated = self.outdated;
        // The default, unless the renewal succeeds or should be retried at once. A renewal that took longer
        // has waited enough.
        self.renew_at = after(Instant::now(), self.timing.retry_period);
        if outdated {
            self.read(until).await?;
            if !self.is_ours_or_gone() {
                return Ok(false);
            }
        }
        let [Some(claim), _] = &self.claims else { return Ok(false) };
        let (known, duration) = (self.observed.lease(), self.timing.lease_duration);
        let lease = claim.renewed(wall_clock(), known, self.leases.name(), duration);
        let sent = Instant::now();
        let written = self.leases.write(&lease, until).await;
        let failure = match &written {
            Err(Refused::Failed(error)) => Some(error),
            Ok(_) | Err(Refused::Outdated) => None,
        };
        self.trace.renewed(term, sent, failure);
        match written {
            Ok(lease) => {
                self.observe(Some(lease));
                self.renew_at = after(sent, self.timing.retry_period);
                Ok(term.extend(sent, self.timing.renew_deadline))
            }
            Err(Refused::Outdated) => {
                // Somebody wrote to the Lease. A read shows whether the holder changed.
                self.outdated = true;
                let pause = if outdated { self.timing.retry_period / 8 } else { Duration::ZERO };
                self.renew_at = after(Instant::now(), pause);
                Ok(true)
            }
            Err(Refused::Failed(error)) => {
                self.outdated = true;
                Err(error)
            }
        }
    }

    fn lost(&mut self, term: &Term) -> Leading {
        term.end();
        // The stream yields the loss itself.
        (self.leader, self.reported) = (None, true);
        self.trace.lost(term);
        Leading::Lost
    }

    /// Releases the Lease once the guarded work has ended, and renews it until then.
    pub(super) async fn resign(&mut self, term: &Term) -> Result<(), Error> {
        while !term.is_idle() {
            if !term.is_valid() {
                // The work is cut off, but is dropped only when its task polls it.
                term.idle().await;
            } else if timeout_at(self.renew_at.min(term.deadline()), term.idle()).await.is_err()
                && self.renew_at <= Instant::now()
            {
                match self.renew(term).await {
                    Ok(true) => {}
                    Ok(false) => term.end(),
                    Err(error) => self.trace.renewal_failed(&error),
                }
            }
        }
        term.end();
        self.trace.resigned();
        let deadline = after(Instant::now(), self.timing.renew_deadline);
        loop {
            let next = after(Instant::now(), self.timing.retry_period);
            match self.release(self.patience()).await {
                Ok(()) => return Ok(()),
                Err(error) if next >= deadline => return Err(error),
                Err(error) => self.trace.release_failed(&error),
            }
            sleep_until(next).await;
        }
    }

    async fn release(&mut self, until: Instant) -> Result<(), Error> {
        loop {
            if self.outdated {
                self.read(until).await?;
            }
            let Some(lease) = self.observed.lease().filter(|_| self.is_ours()) else {
                return Ok(());
            };
            match self.leases.write(&released(lease), until).await {
                Ok(_) => {
                    self.trace.released();
                    return Ok(());
                }
                Err(refused) => {
                    self.outdated = true;
                    if let Refused::Failed(error) = refused {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Waits until `until`, or until there is something to report or do earlier.
    async fn wait(&mut self, until: Instant) -> Waited {
        // The wait ends on time, however many events arrive.
        while Instant::now() < until {
            let stopped = async {
                let _ = self.stopped.wait_for(|stopped| *stopped).await;
            };
            let event = match timeout_at(until, select(pin!(stopped), self.events.next())).await {
                Err(_) | Ok(Either::Right((None, _))) => return Waited::Over,
                Ok(Either::Left(_)) => return Waited::Stopped,
                Ok(Either::Right((Some(Err(error)), _))) => return Waited::Failed(error),
                Ok(Either::Right((Some(Ok(event)), _))) => event,
            };
            let news = match event {
                WatchEvent::Applied(lease) | WatchEvent::Listed(lease) => {
                    self.observed.observe_event(lease, self.timing.lease_duration)
                }
                WatchEvent::Deleted(_) | WatchEvent::Gone { .. } => None,
                _ => Some(false),
            };
            if news != Some(false) {
                self.outdated = news.is_none();
                return Waited::News;
            }
        }
        Waited::Over
    }

    async fn read(&mut self, until: Instant) -> Result<(), Error> {
        self.outdated = true;
        let lease = self.leases.get(until).await?;
        self.observe(lease);
        Ok(())
    }

    fn observe(&mut self, lease: Option<Lease>) {
        self.observed.observe(lease, self.timing.lease_duration);
        self.outdated = false;
    }

    /// Returns the time until which an answer is awaited.
    fn patience(&self) -> Instant {
        after(Instant::now(), self.timing.patience())
    }

    fn is_ours(&self) -> bool {
        let mut claims = self.claims.iter().flatten();
        self.observed.lease().is_some_and(|lease| claims.any(|claim| claim.matches(lease)))
    }

    fn is_ours_or_gone(&self) -> bool {
        self.observed.lease().is_none() || self.is_ours()
    }

    /// Returns whether a new leader is to be reported. This replica is never a new leader: it doesn't ask
    /// while it leads.
    fn has_new_leader(&mut self) -> bool {
        let other = self.observed.holder().filter(|holder| *holder != self.identity);
        if self.outdated || (self.reported && self.leader.as_deref() == other) {
            return false;
        }
        (self.leader, self.reported) = (other.map(str::to_owned), true);
        self.trace.follows(self.leader.as_deref());
        true
    }
}
