//! A campaign: the stream of who leads, which does all of it while it is polled.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use async_stream::stream;
use futures::{
    Stream, StreamExt,
    stream::{BoxStream, FusedStream},
};
use tokio::sync::watch;

use super::{
    candidate::{Candidate, Following, Leading},
    election::Election,
    leadership::{Leadership, LeadershipWatch},
};
use crate::error::Error;

/// The stream of [`Election::campaign`]: who leads, whenever that changes.
///
/// It does everything while it is polled: competing, renewing, noticing a loss, competing again. So
/// poll it in a task of its own, or beside the work with `select!`, and give the work a
/// [`watch`](Campaign::watch). If it isn't polled for long, no harm is done: the
/// [`Term`](crate::Term) ends by its own clock, and another replica takes over.
///
/// Failures are items, after each of which it goes on by itself. It never ends.
///
/// Dropping it stops the renewing and gives nothing back: the term runs out, and the others take
/// over when the Lease has. To hand over at once, [`release`](Campaign::release) it.
///
/// ```
/// use kube_weir::{Election, LeaseRef, prelude::*, testing::ApiServer};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), kube_weir::Error> {
/// # let client = ApiServer::new().client();
/// let lease = LeaseRef::new("default", "web");
/// let mut campaign = Election::new(client, lease, "replica-a")?.campaign();
/// let leadership = campaign.watch();
///
/// // In the place of a signal to stop.
/// let mut stop = pin!(tokio::time::sleep(Duration::from_secs(3600)));
/// loop {
///     tokio::select! {
///         () = &mut stop => break,
///         item = campaign.next() => if let Some(Err(error)) = item { eprintln!("{error}") },
///     }
/// }
/// assert!(leadership.is_leading(), "renewed for an hour");
/// campaign.release().await?;
/// # Ok(()) }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Campaign {
    told: BoxStream<'static, Result<Leadership, Error>>,
    watch: LeadershipWatch,
    stop: watch::Sender<bool>,
    ended: bool,
}

impl Campaign {
    pub(super) fn new(election: Election) -> Self {
        let (sender, receiver) = watch::channel(Leadership::Following { leader: None });
        let (stop, stopped) = watch::channel(false);
        let watch = LeadershipWatch::new(receiver);
        Self { told: run(election, sender, stopped).boxed(), watch, stop, ended: false }
    }

    /// An observer, for any task. Any number of them may be made, and outlive the campaign.
    ///
    /// ```
    /// use kube_weir::{Election, LeaseRef, prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let client = ApiServer::new().client();
    /// let lease = LeaseRef::new("default", "web");
    /// let campaign = Election::new(client, lease, "replica-a")?.campaign();
    /// let leadership = campaign.watch();
    /// tokio::spawn(campaign.log_errors().for_each(|_| async {}));
    ///
    /// assert_eq!(leadership.leading().await?.holder(), "replica-a");
    /// # Ok(()) }
    /// ```
    pub fn watch(&self) -> LeadershipWatch {
        self.watch.clone()
    }

    /// Ends the campaign and gives the Lease back, so that another replica can have it at once.
    ///
    /// Observers see at once that this replica leads no more, and the term lets no more work in.
    /// What it [guards](crate::Term::guard) already goes on, and is waited for while the Lease is
    /// still renewed; the Lease is given back when it has ended. So bound your work, or this, by
    /// the time that the pod has to stop.
    ///
    /// # Errors
    ///
    /// If the Lease could not be given back within a renew deadline. Then it runs out by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is dropping the campaign.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Election, LeaseRef, prelude::*, testing::ApiServer};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), kube_weir::Error> {
    /// # let server = ApiServer::new();
    /// let lease = LeaseRef::new("default", "web");
    /// let mut campaign = Election::new(server.client(), lease, "replica-a")?.campaign();
    /// let leadership = campaign.watch();
    /// campaign.next().await;
    /// assert!(leadership.is_leading());
    ///
    /// campaign.release().await?;
    /// assert!(!leadership.is_leading());
    /// let lease = server.get("leases", "default", "web").unwrap();
    /// assert_eq!(lease["spec"]["holderIdentity"], "");
    /// # Ok(()) }
    /// ```
    pub async fn release(mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let mut last = Ok(());
        while let Some(item) = self.told.next().await {
            last = item.map(drop);
        }
        last
    }
}

impl Stream for Campaign {
    type Item = Result<Leadership, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = self.told.poll_next_unpin(cx);
        self.ended = matches!(item, Poll::Ready(None));
        item
    }
}

impl FusedStream for Campaign {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl fmt::Debug for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Campaign").field("watch", &self.watch).finish_non_exhaustive()
    }
}

/// The life of a candidate, until it is stopped. The last item tells then whether the Lease could be
/// given back.
fn run(
    election: Election,
    told: watch::Sender<Leadership>,
    stopped: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Leadership, Error>> + Send {
    stream! {
        let mut candidate = Candidate::new(election, stopped);
        let tell = |leadership: Leadership| {
            told.send_replace(leadership.clone());
            Ok(leadership)
        };
        loop {
            let term = loop {
                match candidate.follow().await {
                    Following::Elected(term) => break term,
                    Following::Leader(leader) => yield tell(Leadership::Following { leader }),
                    Following::Failed(error) => yield Err(error),
                    Following::Stopped => return,
                }
            };
            yield tell(Leadership::Leading(term.clone()));
            loop {
                match candidate.lead(&term).await {
                    Leading::Lost => break,
                    Leading::Failed(error) => yield Err(error),
                    Leading::Stopped => {
                        // Observers first: they give no more work in.
                        term.close();
                        told.send_replace(Leadership::Following { leader: None });
                        match candidate.resign(&term).await {
                            Ok(()) => yield Ok(Leadership::Following { leader: None }),
                            Err(error) => yield Err(error),
                        }
                        return;
                    }
                }
            }
            yield tell(Leadership::Following { leader: None });
        }
    }
}
