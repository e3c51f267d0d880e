//! What a replica does to lead, to go on leading, and to stop.

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
    record::{Claim, Sight, released, wall_clock},
    term::Term,
    timing::LeaseTiming,
    trace::Trace,
};
use crate::{clock::after, error::Error, event::WatchEvent, source::Tries};

/// One who stands for election, with what it knows.
pub(super) struct Candidate {
    leases: Leases,
    identity: String,
    timing: LeaseTiming,
    /// What a watch tells. It only makes things faster: reads find out the same.
    news: BoxStream<'static, Result<WatchEvent<Lease>, Error>>,
    stopped: watch::Receiver<bool>,
    sight: Sight,
    /// By which the Lease is ours if it says so: the newest, which is renewed while leading, and the
    /// one before, of which a renewal may come late. More can't come: it would be guarded by a
    /// resourceVersion that is past.
    claims: [Option<Claim>; 2],
    /// The attempt to which no answer came, with the resourceVersion that guards it.
    attempt: Option<(Option<String>, Claim)>,
    /// When the Lease is read again.
    read_at: Instant,
    /// No attempt to take it before that.
    patient_until: Instant,
    /// The reads and the attempts that were refused in a row, while following.
    refused_reads: Tries,
    refused_attempts: Tries,
    /// When it is renewed, while leading.
    renew_at: Instant,
    /// The Lease may have another resourceVersion than the one in sight.
    outdated: bool,
    /// Who was last told to lead, if anything was told.
    leader: Option<String>,
    told: bool,
    trace: Trace,
}

/// What comes of following.
pub(super) enum Following {
    Elected(Term),
    /// Another leader, or none.
    Leader(Option<String>),
    Failed(Error),
    Stopped,
}

/// What comes of leading.
pub(super) enum Leading {
    Lost,
    Failed(Error),
    Stopped,
}

/// What ends a wait.
enum Waited {
    /// It is time.
    Over,
    /// Something is known that wasn't.
    News,
    Failed(Error),
    Stopped,
}

/// Returns how much longer to wait after a failure: after a refusal, where somebody must first change
/// something, longer each time.
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
            news: leases.news(),
            leases,
            identity: election.identity.as_str().to_owned(),
            timing: election.timing,
            stopped,
            sight: Sight::default(),
            claims: [None, None],
            attempt: None,
            read_at: now,
            patient_until: now,
            refused_reads: Tries::default(),
            refused_attempts: Tries::default(),
            renew_at: now,
            outdated: true,
            leader: None,
            told: false,
            trace,
        }
    }

    /// Waits for an opportunity to lead, and takes it.
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
            let held_until = self.sight.held_until().filter(|_| !self.is_ours());
            let from = held_until.unwrap_or(self.patient_until).max(self.patient_until);
            // What is out of date is read first: it tells what to guard a write with.
            if !self.outdated && from <= Instant::now() {
                if let Some(outcome) = self.stand().await {
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
                // It is as good as a read, so the next one can wait. What was refused may be granted.
                Waited::News => {
                    self.read_at = after(Instant::now(), self.timing.next_wait());
                    self.patient_until = Instant::now();
                }
            }
        }
    }

    /// Tries to take the Lease. `None` if that led to nothing, and there is something to read.
    async fn stand(&mut self) -> Option<Following> {
        let known = self.sight.lease();
        let version = known.and_then(|lease| lease.metadata.resource_version.clone());
        // An attempt without an answer may be on its way yet: then the next one is the same, so that
        // whichever of them is done can be told for ours.
        let claim = match self.attempt.take() {
            Some((same, claim)) if same == version => claim,
            _ => self.sight.claim(&self.identity),
        };
        let (acquired, duration) = (claim.acquired.clone(), self.timing.lease_duration);
        let lease = claim.renewed(acquired, known, self.leases.name(), duration);
        if self.claims[0].as_ref() != Some(&claim) {
            self.claims = [Some(claim.clone()), self.claims[0].take()];
        }
        let sent = Instant::now();
        // Also a refusal is no reason to hurry.
        self.patient_until = after(sent, self.timing.next_wait());
        match self.leases.write(&lease, self.patience()).await {
            Ok(lease) => {
                self.refused_attempts.reset();
                self.see(Some(lease));
                self.renew_at = after(sent, self.timing.retry_period);
                let term = Term::new(claim.number, claim.holder, sent, self.timing.renew_deadline);
                // Whoever is not polled for long learns too late that it was elected.
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

    /// Renews the Lease until that fails for too long, or somebody else has it.
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
                // Perhaps it was deleted; without it somebody else would be elected.
                Waited::News if self.outdated => self.renew_at = Instant::now(),
                Waited::News | Waited::Over => {}
            }
        }
    }

    /// Renews the Lease once. False if it is lost, or that came too late.
    async fn renew(&mut self, term: &Term) -> Result<bool, Error> {
        let until = self.patience().min(term.deadline());
        let outdated = self.outdated;
        // Unless it goes well or there is reason to try at once. What took longer has waited enough.
        self.renew_at = after(Instant::now(), self.timing.retry_period);
        if outdated {
            self.read(until).await?;
            if !self.is_ours_or_gone() {
                return Ok(false);
            }
        }
        let [Some(claim), _] = &self.claims else { return Ok(false) };
        let (known, duration) = (self.sight.lease(), self.timing.lease_duration);
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
                self.see(Some(lease));
                self.renew_at = after(sent, self.timing.retry_period);
                Ok(term.extend(sent, self.timing.renew_deadline))
            }
            Err(Refused::Outdated) => {
                // Somebody wrote something. Whether that was about the holder a read will tell.
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
        // The stream tells that itself.
        (self.leader, self.told) = (None, true);
        self.trace.lost(term);
        Leading::Lost
    }

    /// Gives the Lease back once the guarded work has ended, and upholds it until then.
    pub(super) async fn resign(&mut self, term: &Term) -> Result<(), Error> {
        while !term.is_idle() {
            if !term.is_valid() {
                // Cut off, but not gone before somebody polls it.
                term.idle().await;
            } else if timeout_at(self.renew_at.min(term.deadline()), term.idle()).await.is_err()
                && self.renew_at <= Instant::now()
            {
                match self.renew(term).await {
                    Ok(true) => {}
                    Ok(false) => term.end(),
                    Err(error) => self.trace.upholds_not(&error),
                }
            }
        }
        term.end();
        self.trace.resigns();
        let deadline = after(Instant::now(), self.timing.renew_deadline);
        loop {
            let next = after(Instant::now(), self.timing.retry_period);
            match self.give_back(self.patience()).await {
                Ok(()) => return Ok(()),
                Err(error) if next >= deadline => return Err(error),
                Err(error) => self.trace.gave_not_back(&error),
            }
            sleep_until(next).await;
        }
    }

    async fn give_back(&mut self, until: Instant) -> Result<(), Error> {
        loop {
            if self.outdated {
                self.read(until).await?;
            }
            let Some(lease) = self.sight.lease().filter(|_| self.is_ours()) else { return Ok(()) };
            match self.leases.write(&released(lease), until).await {
                Ok(_) => {
                    self.trace.gave_back();
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

    /// Waits until it is time, or something is to be told or done before.
    async fn wait(&mut self, until: Instant) -> Waited {
        // However much is told, time goes on.
        while Instant::now() < until {
            let stopped = async {
                let _ = self.stopped.wait_for(|stopped| *stopped).await;
            };
            let event = match timeout_at(until, select(pin!(stopped), self.news.next())).await {
                Err(_) | Ok(Either::Right((None, _))) => return Waited::Over,
                Ok(Either::Left(_)) => return Waited::Stopped,
                Ok(Either::Right((Some(Err(error)), _))) => return Waited::Failed(error),
                Ok(Either::Right((Some(Ok(event)), _))) => event,
            };
            let news = match event {
                WatchEvent::Applied(lease) | WatchEvent::Listed(lease) => {
                    self.sight.hear(lease, self.timing.lease_duration)
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
        self.see(lease);
        Ok(())
    }

    fn see(&mut self, lease: Option<Lease>) {
        self.sight.see(lease, self.timing.lease_duration);
        self.outdated = false;
    }

    /// Until when an answer is awaited.
    fn patience(&self) -> Instant {
        after(Instant::now(), self.timing.patience())
    }

    fn is_ours(&self) -> bool {
        let mut claims = self.claims.iter().flatten();
        self.sight.lease().is_some_and(|lease| claims.any(|claim| claim.matches(lease)))
    }

    fn is_ours_or_gone(&self) -> bool {
        self.sight.lease().is_none() || self.is_ours()
    }

    /// Whether there is another leader to tell of. Never oneself: who leads would not ask.
    fn has_new_leader(&mut self) -> bool {
        let other = self.sight.holder().filter(|holder| *holder != self.identity);
        if self.outdated || (self.told && self.leader.as_deref() == other) {
            return false;
        }
        (self.leader, self.told) = (other.map(str::to_owned), true);
        self.trace.follows(self.leader.as_deref());
        true
    }
}
