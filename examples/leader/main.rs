//! Only one replica works, and another takes over when it stops or dies:
//!
//! ```sh
//! cargo run --example leader -- default/example          # in several terminals
//! cargo run --example leader -- default/example me 6     # as `me`, with a Lease of 6 seconds
//! ```
//!
//! The Lease is created in the cluster of your current kube context. Ctrl-c gives it back; after
//! `kill -9` the other replicas wait until it has expired. It needs `get`, `create`, `update`, `list` and
//! `watch` on `leases.coordination.k8s.io`.

use std::process::ExitCode;

use kube::Client;
use kube_weir::{Election, Error, Identity, Leadership, LeaseRef, LeaseTiming, Term, prelude::*};
use tokio::{task::JoinSet, time::sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((namespace, name)) = arguments.first().and_then(|lease| lease.split_once('/')) else {
        eprintln!("usage: leader NAMESPACE/LEASE [IDENTITY [SECONDS]]");
        return Ok(ExitCode::from(2));
    };
    let identity = arguments.get(1).map_or_else(Identity::from_env, |name| name.as_str().into());
    let seconds = arguments.get(2).map_or(Ok(15), |seconds| seconds.parse())?;

    let client = Client::try_default().await?;
    let mut campaign = Election::new(client, LeaseRef::new(namespace, name), identity)?
        .timing(timing(Duration::from_secs(seconds)))?
        .campaign();
    let mut work = JoinSet::new();
    let mut stop = pin!(stop());
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(item) = campaign.next() => match item {
                Ok(Leadership::Leading(term)) => {
                    println!("leading {}", term.number());
                    work.spawn(lead(term));
                }
                Ok(Leadership::Following { leader }) => {
                    println!("following {}", leader.as_deref().unwrap_or("nobody"));
                }
                // An observation: the campaign continues.
                Err(error) => eprintln!("{error}"),
            },
        }
    }
    // The work ends first, then the Lease is given back.
    work.shutdown().await;
    campaign.release().await?;
    println!("released");
    Ok(ExitCode::SUCCESS)
}

/// Does the work of the leader, until the term ends.
async fn lead(term: Term) -> Result<(), Error> {
    let work = async {
        loop {
            // A real program writes here, with `term.number()` if the target can check it.
            sleep(Duration::from_secs(1)).await;
        }
    };
    term.guard(work).await
}

/// Returns a timing in the proportions of the defaults.
fn timing(lease_duration: Duration) -> LeaseTiming {
    LeaseTiming::default()
        .lease_duration(lease_duration)
        .renew_deadline(lease_duration * 10 / 15)
        .retry_period(lease_duration * 2 / 15)
}

/// Waits for ctrl-c, or for the signal of the kubelet.
async fn stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminated) = signal(SignalKind::terminate()) else { return };
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}
