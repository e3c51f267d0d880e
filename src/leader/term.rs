//! The right to act as the leader: a fence that ends by itself.

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use futures::future::{Either, select};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    clock::after,
    error::{Error, ErrorKind},
};

/// The possible delay of Tokio's timers. A term ends this much earlier, so that waiters learn of its end in
/// time.
const TICK: Duration = Duration::from_millis(1);

/// The right to act as the leader, for a while: a fence to check at the moment of writing.
///
/// A term is valid until the renew deadline, counted on this machine's monotonic clock from the moment at
/// which the last successful renewal was *sent*. No other replica takes over before the longer lease
/// duration is over, so no two terms of one Lease are valid at once, however wrong the wall clocks are. A
/// term ends by itself, even if the campaign isn't polled or the API server doesn't answer. A term that has
/// ended is never valid again; the next one has another number.
///
/// A term is cheap to clone; all clones are the same term.
///
/// A term can't see the time for which the machine itself stands still, for instance while a virtual
/// machine is paused, nor writes that were sent while it was valid and arrive later. If that matters, write
/// its [`number`](Term::number) with the data, and let the storage refuse lower ones.
///
/// ```
/// use futures::StreamExt;
/// use kube_weir::{Election, Leadership, LeaseRef};
///
/// # kube_weir::testing::fixture::with_client(async |client| {
/// let mut campaign = Election::new(client, LeaseRef::new("default", "web"), "replica-a")?.campaign();
/// let Some(Ok(Leadership::Leading(term))) = campaign.next().await else { panic!() };
/// assert!(term.is_valid());
///
/// let written = term.guard(async { "written" }).await?;
/// assert_eq!(written, "written");
///
/// // Nobody polls the campaign, so nothing renews the Lease: what takes too long is cut off.
/// let cut = term.guard(std::future::pending::<()>()).await;
/// assert!(cut.unwrap_err().is_not_leading());
/// assert!(!term.is_valid());
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct Term(Arc<Inner>);

struct Inner {
    number: u32,
    holder: String,
    standing: watch::Sender<Standing>,
}

#[derive(Clone, Copy)]
struct Standing {
    deadline: Instant,
    over: bool,
    /// The term accepts no more work.
    closing: bool,
    guards: usize,
}

impl Standing {
    fn is_valid(&self) -> bool {
        !self.over && Instant::now() < self.deadline
    }
}

impl Term {
    /// Makes the term of a Lease that was requested at `sent` and then granted.
    pub(super) fn new(number: u32, holder: String, sent: Instant, renew: Duration) -> Self {
        let deadline = deadline(sent, renew);
        let standing = Standing { deadline, over: false, closing: false, guards: 0 };
        Self(Arc::new(Inner { number, holder, standing: watch::Sender::new(standing) }))
    }

    /// Returns the fencing number: the Lease's `leaseTransitions`. It is higher than the number of every
    /// earlier term, unless somebody deleted the Lease and no replica was left to remember it. The first
    /// number is 0.
    ///
    /// ```
    /// use kube_weir::{Election, Leadership, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let replica = || {
    ///     let lease = LeaseRef::new("default", "web");
    ///     Election::new(client.clone(), lease, "replica-a").map(Election::campaign)
    /// };
    /// let mut numbers = Vec::new();
    /// for _ in 0..2 {
    ///     let mut campaign = replica()?;
    ///     let Some(Ok(Leadership::Leading(term))) = campaign.next().await else { panic!() };
    ///     numbers.push(term.number());
    ///     campaign.release().await?;
    /// }
    /// assert_eq!(numbers, [0, 1]);
    /// # Ok(()) });
    /// ```
    pub fn number(&self) -> u32 {
        self.0.number
    }

    /// Returns the identity that leads by this term: [example](crate::Leadership).
    pub fn holder(&self) -> &str {
        &self.0.holder
    }

    /// Returns whether this replica leads by this term now: [example](Term). Ask again after each `.await`
    /// that comes before a write, or [guard](Term::guard) the work.
    pub fn is_valid(&self) -> bool {
        self.0.standing.borrow().is_valid()
    }

    /// Returns how long the term is valid if it is not renewed: the renew deadline at most.
    ///
    /// ```
    /// use kube_weir::{Election, Leadership, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// # let mut campaign = Election::new(client, LeaseRef::new("default", "web"), "a")?.campaign();
    /// let Some(Ok(Leadership::Leading(term))) = campaign.next().await else { panic!() };
    /// tokio::time::sleep(Duration::from_secs(4)).await;
    /// let left = term.remaining();
    /// assert!(left > Duration::from_secs(5) && left < Duration::from_secs(6), "of 10");
    /// # Ok(()) });
    /// ```
    pub fn remaining(&self) -> Duration {
        let standing = self.0.standing.borrow();
        let left = standing.deadline.saturating_duration_since(Instant::now());
        if standing.over { Duration::ZERO } else { left }
    }

    /// Waits until the term is over.
    ///
    /// The term ends at the renew deadline at the latest, or as soon as the Lease is known to be lost or is
    /// released. The future can outlive the term, as `take_until(term.expired())` needs it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Election, Leadership, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// # let mut campaign = Election::new(client, LeaseRef::new("default", "web"), "a")?.campaign();
    /// let Some(Ok(Leadership::Leading(term))) = campaign.next().await else { panic!() };
    /// let seconds = futures::stream::unfold((), |()| async {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     Some(((), ()))
    /// });
    /// // Nobody renews it, so it is over before 10 seconds are.
    /// assert_eq!(seconds.take_until(term.expired()).count().await, 9);
    /// assert!(!term.is_valid());
    /// # Ok(()) });
    /// ```
    pub fn expired(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let term = self.clone();
        async move {
            let mut standing = term.0.standing.subscribe();
            loop {
                let now = *standing.borrow_and_update();
                if !now.is_valid() {
                    return;
                }
                // The deadline may have moved when it is reached, so check again in any case.
                let _ = timeout_at(now.deadline, standing.changed()).await;
            }
        }
    }

    /// Runs work that only the leader may do, and cuts it off when the term ends.
    ///
    /// The Lease is not released while guarded work is under way: [`Campaign::release`] waits for this work
    /// and goes on renewing meanwhile. Work that is cut off is dropped at an `.await`: work without an
    /// `.await` in the right place should ask [`is_valid`](Term::is_valid) itself.
    ///
    /// # Errors
    ///
    /// [`is_not_leading`](Error::is_not_leading) if the term is over or being released before the work
    /// begins, or if it ends before the work does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the work.
    ///
    /// # Examples
    ///
    /// The example of [`Term`] shows work that is cut off. Here a shutdown waits for work:
    ///
    /// ```
    /// use kube_weir::{Election, Leadership, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// # let mut campaign = Election::new(client, LeaseRef::new("default", "web"), "a")?.campaign();
    /// let Some(Ok(Leadership::Leading(term))) = campaign.next().await else { panic!() };
    /// let work = tokio::spawn(term.guard(async {
    ///     tokio::time::sleep(Duration::from_secs(60)).await;
    ///     "written"
    /// }));
    /// tokio::task::yield_now().await;
    ///
    /// campaign.release().await?;
    /// assert!(work.is_finished());
    /// assert_eq!(work.await.unwrap()?, "written");
    /// # Ok(()) });
    /// ```
    ///
    /// [`Campaign::release`]: crate::Campaign::release
    pub fn guard<F: Future>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<F::Output, Error>> + use<F> {
        let term = self.clone();
        async move {
            // Created first, so dropped last: the work is dropped before the Lease is released.
            let _guard = Guard::of(&term)?;
            let expired = pin!(term.expired());
            let work = pin!(work);
            match select(expired, work).await {
                Either::Right((output, _)) => Ok(output),
                Either::Left(_) => Err(term.not_leading("ended before the work it guards")),
            }
        }
    }

    /// Returns whether the term is valid and accepts work.
    pub(super) fn is_open(&self) -> bool {
        let standing = self.0.standing.borrow();
        standing.is_valid() && !standing.closing
    }

    /// Returns whether both are clones of one term.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.0.standing.borrow().deadline
    }

    /// Extends the term after a renewal that was sent at `sent`. Returns false if that came too late: a
    /// term that was seen to be over stays over.
    pub(super) fn extend(&self, sent: Instant, renew: Duration) -> bool {
        self.0.standing.send_if_modified(|standing| {
            let valid = standing.is_valid();
            if valid {
                standing.deadline = standing.deadline.max(deadline(sent, renew));
            }
            valid
        })
    }

    /// Ends the term, whatever the clock says.
    pub(super) fn end(&self) {
        self.0.standing.send_modify(|standing| standing.over = true);
    }

    /// Accepts no more work.
    pub(super) fn close(&self) {
        self.0.standing.send_modify(|standing| standing.closing = true);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.0.standing.borrow().guards == 0
    }

    /// Waits until no guarded work is left.
    pub(super) async fn idle(&self) {
        let mut standing = self.0.standing.subscribe();
        // The sender is in `self`, so it can't be gone.
        let _ = standing.wait_for(|standing| standing.guards == 0).await;
    }

    fn not_leading(&self, why: &str) -> Error {
        Error::new(ErrorKind::NotLeading, format!("term {} {why}", self.0.number))
    }
}

fn deadline(sent: Instant, renew: Duration) -> Instant {
    after(sent, renew.saturating_sub(TICK))
}

/// A count of the work under way, until it is dropped.
struct Guard<'t>(&'t Term);

impl<'t> Guard<'t> {
    fn of(term: &'t Term) -> Result<Self, Error> {
        let let_in = term.0.standing.send_if_modified(|standing| {
            let open = standing.is_valid() && !standing.closing;
            standing.guards += usize::from(open);
            open
        });
        if let_in { Ok(Self(term)) } else { Err(term.not_leading("is over, or being given back")) }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.0.standing.send_if_modified(|standing| {
            standing.guards -= 1;
            standing.guards == 0
        });
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term")
            .field("number", &self.0.number)
            .field("holder", &self.0.holder)
            .field("remaining", &self.remaining())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt;
    use tokio::time::{advance, sleep};

    use super::*;

    const RENEW: Duration = Duration::from_secs(10);

    fn term() -> Term {
        Term::new(7, "a".to_owned(), Instant::now(), RENEW)
    }

    /// SEMANTICS: L4
    #[tokio::test(start_paused = true)]
    async fn it_expires_at_the_deadline_counted_from_the_send() {
        let sent = Instant::now();
        advance(Duration::from_millis(4321)).await; // the answer took its time
        let term = Term::new(7, "a".to_owned(), sent, RENEW);
        assert!(term.is_valid());
        assert!(term.remaining() < Duration::from_secs(6));
        let cut = term.guard(pending::<()>());
        let ((), cut) = futures::join!(term.expired(), cut);
        assert!(sent.elapsed() <= RENEW, "after {:?}", sent.elapsed());
        assert!(sent.elapsed() + 2 * TICK >= RENEW, "after {:?}", sent.elapsed());
        assert!(cut.unwrap_err().is_not_leading());
        assert!(!term.is_valid());
        assert_eq!(term.remaining(), Duration::ZERO);
    }

    /// SEMANTICS: L4
    #[tokio::test(start_paused = true)]
    async fn a_renewal_counts_from_its_own_send_and_never_revives() {
        let term = term();
        advance(Duration::from_secs(3)).await;
        let sent = Instant::now();
        advance(Duration::from_secs(5)).await;
        assert!(term.extend(sent, RENEW));
        // A renewal that was sent earlier and answered later shortens nothing.
        assert!(term.extend(sent.checked_sub(Duration::from_secs(1)).unwrap(), RENEW));
        term.expired().await;
        assert!(sent.elapsed() <= RENEW && sent.elapsed() + 2 * TICK >= RENEW);
        assert!(!term.extend(Instant::now(), RENEW));
        assert!(!term.is_valid());
    }

    /// SEMANTICS: L5
    #[tokio::test(start_paused = true)]
    async fn it_is_idle_once_the_last_work_ended_and_lets_no_more_in() {
        let term = term();
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(2));
        let begun = Instant::now();
        let work = [tokio::spawn(term.guard(sleep(short))), tokio::spawn(term.guard(sleep(long)))];
        tokio::task::yield_now().await;
        assert!(!term.is_idle());
        term.close();
        assert!(term.guard(async {}).await.unwrap_err().is_not_leading());
        assert!(term.is_valid(), "what is under way may go on");
        term.idle().await;
        assert!(begun.elapsed() >= long);
        for done in work {
            done.await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_dropped_has_ended() {
        let term = term();
        let mut work = Box::pin(term.guard(pending::<()>()));
        assert!((&mut work).now_or_never().is_none());
        assert!(!term.is_idle());
        drop(work);
        assert!(term.is_idle());
        assert_eq!(term.guard(async { 7 }).await.unwrap(), 7);
        assert!(term.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_told_at_once() {
        let term = term();
        let mut expired = Box::pin(term.expired());
        assert!((&mut expired).now_or_never().is_none());
        term.end();
        assert!(expired.now_or_never().is_some());
        assert!(term.guard(async {}).await.is_err());
        assert_eq!(term.remaining(), Duration::ZERO);
    }
}
