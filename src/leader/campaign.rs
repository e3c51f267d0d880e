//! The stream of leadership changes, which competes for the Lease while it is polled.

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

/// A stream that yields the current leader whenever that changes; from [`Election::campaign`].
///
/// It competes, renews, notices a loss and competes again while it is polled. So poll it in a task of its
/// own, or beside the work with `select!`, and give the work a [`watch`](Campaign::watch). If it isn't
/// polled for long, no harm is done: the [`Term`](crate::Term) ends by its own clock, and another replica
/// takes over.
///
/// Failures are items; the campaign goes on by itself after each of them. It never ends.
///
/// Dropping the campaign stops the renewals but doesn't release the Lease: the term runs out, and another
/// replica takes over once the Lease has expired. To hand over at once, [`release`](Campaign::release) it.
///
/// ```
/// use kube_weir::{Election, LeaseRef, prelude::*};
///
/// # kube_weir::testing::fixture::with_client(async |client| {
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
/// # Ok(()) });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Campaign {
    items: BoxStream<'static, Result<Leadership, Error>>,
    watch: LeadershipWatch,
    stop: watch::Sender<bool>,
    ended: bool,
}

impl Election {
    /// Returns the campaign, which competes as soon as it is polled. The [example](Election) has two of
    /// them.
    pub fn campaign(self) -> Campaign {
        let (sender, receiver) = watch::channel(Leadership::Following { leader: None });
        let (stop, stopped) = watch::channel(false);
        let watch = LeadershipWatch::new(receiver);
        Campaign { items: run(self, sender, stopped).boxed(), watch, stop, ended: false }
    }
}

impl Campaign {
    /// Returns an observer that any task can use. Any number of observers can be made, and they may outlive
    /// the campaign.
    ///
    /// ```
    /// use kube_weir::{Election, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_client(async |client| {
    /// let lease = LeaseRef::new("default", "web");
    /// let campaign = Election::new(client, lease, "replica-a")?.campaign();
    /// let leadership = campaign.watch();
    /// tokio::spawn(campaign.log_errors().for_each(|_| async {}));
    ///
    /// assert_eq!(leadership.leading().await?.holder(), "replica-a");
    /// # Ok(()) });
    /// ```
    pub fn watch(&self) -> LeadershipWatch {
        self.watch.clone()
    }

    /// Ends the campaign and releases the Lease, so that another replica can take it at once.
    ///
    /// Observers see at once that this replica no longer leads, and the term accepts no more work. Work
    /// that it already [guards](crate::Term::guard) goes on, and the Lease is renewed until this work has
    /// ended; then it is released. So limit the time of your work, or of this call, to the time that the
    /// pod has to stop.
    ///
    /// # Errors
    ///
    /// The last error if the Lease could not be released within a renew deadline. Then it expires by
    /// itself.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the campaign.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::{Election, LeaseRef, prelude::*};
    ///
    /// # kube_weir::testing::fixture::with_server(async |server| {
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
    /// # Ok(()) });
    /// ```
    pub async fn release(mut self) -> Result<(), Error> {
        self.stop.send_replace(true);
        let mut last = Ok(());
        while let Some(item) = self.items.next().await {
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
        let item = self.items.poll_next_unpin(cx);
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

/// Runs a candidate until it is stopped. The last item then says whether the Lease was released.
fn run(
    election: Election,
    sender: watch::Sender<Leadership>,
    stopped: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Leadership, Error>> + Send {
    stream! {
        let mut candidate = Candidate::new(election, stopped);
        let publish = |leadership: Leadership| {
            sender.send_replace(leadership.clone());
            Ok(leadership)
        };
        loop {
            let term = loop {
                match candidate.follow().await {
                    Following::Elected(term) => break term,
                    Following::Leader(leader) => yield publish(Leadership::Following { leader }),
                    Following::Failed(error) => yield Err(error),
                    Following::Stopped => return,
                }
            };
            yield publish(Leadership::Leading(term.clone()));
            loop {
                match candidate.lead(&term).await {
                    Leading::Lost => break,
                    Leading::Failed(error) => yield Err(error),
                    Leading::Stopped => {
                        // Observers first, so that they start no more work.
                        term.close();
                        sender.send_replace(Leadership::Following { leader: None });
                        match candidate.resign(&term).await {
                            Ok(()) => yield Ok(Leadership::Following { leader: None }),
                            Err(error) => yield Err(error),
                        }
                        return;
                    }
                }
            }
            yield publish(Leadership::Following { leader: None });
        }
    }
}
