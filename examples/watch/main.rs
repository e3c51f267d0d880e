//! Watches any resource of any cluster, and prints what changes:
//!
//! ```sh
//! cargo run --example watch -- networking.k8s.io/v1/ingresses \
//!     --ignore metadata.managedFields --by host='spec.rules[*].host' --get-by host=example.com
//! cargo run --example watch -- --help
//! ```

mod failure;
mod follow;
mod options;
mod output;
mod source;

use std::{io, process::ExitCode};

use clap::Parser;
use kube_weir::watch_resource;
use tokio::{select, signal, time::Instant};

use crate::{
    failure::Failure,
    follow::follow,
    options::{Options, Source},
    output::Output,
};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let ended = select! {
        ended = run(&options) => ended,
        _ = signal::ctrl_c() => Ok(()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // A closed pipe is no error, as for other programs.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.code()
        }
    }
}

async fn run(options: &Options) -> Result<(), Failure> {
    let begun = Instant::now();
    options.check().map_err(Failure::Usage)?;
    let client = source::connect(options).await?;
    let output = Output { format: options.format, lookups: options.lookups(), begun };
    match options.source {
        Source::Weir => {
            let watch = watch_resource(client, &options.resource)?;
            follow(source::select_objects(watch, options)?, options, &output).await
        }
        Source::Kube => follow(source::kube_watcher(client, options)?, options, &output).await,
    }
}
