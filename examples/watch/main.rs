//! Watches any resource of any cluster, and prints what changes:
//!
//! ```sh
//! cargo run --example watch -- networking.k8s.io/v1/ingresses \
//!     --ignore metadata.managedFields --by host='spec.rules[*].host' --get-by host=example.com
//! cargo run --example watch -- --help
//! ```

mod options;
mod output;

use std::{fmt, io, pin::pin, process::ExitCode};

use clap::Parser;
use futures::{Stream, StreamExt, TryStreamExt};
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject},
    config::KubeConfigOptions,
    runtime::{
        WatchStreamExt,
        reflector::Lookup,
        watcher::{self, watcher},
    },
};
use kube_weir::{
    Change, Document, Error, EventStreamExt, SyncPolicy, Watch, WatchEvent, adapters::EventItem,
    watch_resource,
};
use serde::Serialize;
use tokio::{select, signal, time::Instant};

use crate::{
    options::{Options, Source},
    output::{Output, cause, with_sources},
};

/// A failure that ends the program early.
enum Failure {
    /// The options can't be used.
    Usage(String),
    /// The resource can't be listed.
    Sync(String),
    /// The output can't be written, for instance because its reader has closed the pipe.
    Output(io::Error),
}

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
    let client = connect(options).await?;
    let output = Output { format: options.format, lookups: options.lookups(), begun };
    match options.source {
        Source::Weir => {
            let watch = watch_resource(client, &options.resource)?;
            follow(select_objects(watch, options)?, options, &output).await
        }
        Source::Kube => follow(kube_watcher(client, options)?, options, &output).await,
    }
}

/// Prints items of any source, until the requested number is reached.
async fn follow<S, K>(events: S, options: &Options, output: &Output) -> Result<(), Failure>
where
    S: Stream<Item: EventItem<Object = K>>,
    K: Lookup + Serialize + 'static,
{
    let mut indexed = events
        .index(options.indexes()?)
        .sync_policy(SyncPolicy::default().deadline(options.sync_timeout));
    if options.progress {
        indexed = indexed.with_progress();
    }
    let store = indexed.store();
    let mut changes = pin!(indexed.debounce(options.debounce()));
    let mut synced = pin!(store.synced());
    let mut live = 0;
    loop {
        let item = select! {
            biased; // an error is printed before it ends the program
            item = changes.next() => item,
            Err(error) = &mut synced, if !store.is_synced() => return Err(Failure::sync(&error)),
        };
        match item {
            None => return Ok(()),
            // An invalid namespace, or an unknown resource.
            Some(Err(error)) if error.is_namespace() || error.is_resource() => {
                return Err(error.into());
            }
            Some(Err(error)) => output.error(&error)?,
            Some(Ok(change)) => {
                output.change(&change)?;
                live += u64::from(matches!(change, Change::Live(_)));
                let synced = options.exit_after_synced && matches!(change, Change::Synced(_));
                if synced || options.changes == Some(live) {
                    return Ok(());
                }
            }
        }
    }
}

async fn connect(options: &Options) -> Result<Client, Failure> {
    let unusable = |error: &dyn fmt::Display| Failure::Usage(format!("no cluster: {error}"));
    let mut config = if options.context.is_some() {
        let context = KubeConfigOptions { context: options.context.clone(), ..Default::default() };
        Config::from_kubeconfig(&context).await.map_err(|error| unusable(&error))?
    } else {
        Config::infer().await.map_err(|error| unusable(&error))?
    };
    // kube's watcher would hide 429, 503 and 504 for minutes behind the client's own retries.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| unusable(&error))
}

fn select_objects(
    mut watch: Watch<Document>,
    options: &Options,
) -> Result<Watch<Document>, Failure> {
    if let Some(labels) = &options.labels {
        watch = watch.labels(labels)?;
    }
    if let Some(fields) = &options.fields {
        watch = watch.fields(fields)?;
    }
    watch = match &options.namespaces[..] {
        [] if options.own_namespace => watch.own_namespace()?,
        [] => watch,
        namespaces => watch.namespaces(namespaces),
    };
    watch = options.matching.iter().try_fold(watch, Watch::matching)?;
    Ok(watch.filter_fields(options.ignored())?)
}

/// Returns the events of kube's watcher.
fn kube_watcher(
    client: Client,
    options: &Options,
) -> Result<impl Stream<Item = Result<WatchEvent<DynamicObject>, Error>>, Error> {
    let resource = &options.resource;
    // kube's watcher takes one version.
    let version = resource.version().unwrap_or("v1");
    let resource = ApiResource {
        group: resource.group().to_owned(),
        version: version.to_owned(),
        api_version: match resource.group() {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        },
        // No request contains the kind, so it needs no discovery.
        kind: String::new(),
        plural: resource.plural().to_owned(),
    };
    let api = match options.namespaces.first() {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None if options.own_namespace => Api::default_namespaced_with(client, &resource),
        None => Api::all_with(client, &resource),
    };
    let config = watcher::Config {
        label_selector: options.labels.clone(),
        field_selector: options.fields.clone(),
        ..watcher::Config::default()
    };
    let events = watcher(api, config).default_backoff();
    let mut events = events.map_ok(WatchEvent::from).map_err(Error::from).boxed();
    for selector in &options.matching {
        events = events.matching(selector)?.boxed();
    }
    events.filter_fields(options.ignored())
}

impl Failure {
    fn sync(error: &Error) -> Self {
        // The cause of a timeout, if known, is more useful than the timeout.
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref());
        Self::Sync(format!("{}: {}", cause(source.unwrap_or(error)), with_sources(error)))
    }

    fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => 2.into(),
            Self::Sync(_) => 3.into(),
            Self::Output(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Sync(message) => write!(f, "not synced: {message}"),
            Self::Output(error) => write!(f, "can't print: {error}"),
        }
    }
}

/// Converts errors of the setup; later errors are items.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
