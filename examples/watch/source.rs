//! Sources of events: this library, or kube's watcher.

use std::fmt;

use futures::{Stream, StreamExt, TryStreamExt};
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject},
    config::KubeConfigOptions,
    runtime::{
        WatchStreamExt,
        watcher::{self, watcher},
    },
};
use kube_weir::{Document, Error, EventStreamExt, Watch, WatchEvent};

use crate::{failure::Failure, options::Options};

/// Connects as kubectl does.
pub(crate) async fn connect(options: &Options) -> Result<Client, Failure> {
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

/// Restricts a watch to the objects and fields of the options.
pub(crate) fn select_objects(
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
pub(crate) fn kube_watcher(
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
