//! The command line. It is checked completely before connecting.

use std::{collections::BTreeSet, time::Duration};

use clap::{Parser, ValueEnum};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::Lookup;
use kube_weir::{
    Debounce, Error, FieldFilter, FieldPath, FieldSelector, Gvr, Index, LabelSelector, ObjectKey,
    PathError, Snapshot,
};
use serde::Serialize;

/// Watches any resource of any cluster, and prints what changes.
///
/// Connects as kubectl does. Ends with 0 when it is done or interrupted, with 2 if the options
/// can't be used, and with 3 if the resource can't be listed for --sync-timeout.
#[derive(Debug, Parser)]
#[command(name = "watch")]
pub(crate) struct Options {
    /// The resource: group/version/plural, or v1/plural for the core group
    pub(crate) resource: Gvr,

    /// The kubeconfig's context, if not the current one
    #[arg(long)]
    pub(crate) context: Option<String>,
    /// Only this namespace; repeat it for several
    #[arg(long = "namespace", short = 'n', value_name = "NAMESPACE")]
    pub(crate) namespaces: Vec<String>,
    /// Only the namespace that this program runs in, or that the context names
    #[arg(long, conflicts_with = "namespaces")]
    pub(crate) own_namespace: bool,

    /// Only objects with these labels, selected by the server
    #[arg(long = "selector", short = 'l', value_name = "SELECTOR", value_parser = labels)]
    pub(crate) labels: Option<String>,
    /// Only objects with these fields, selected by the server, which knows few fields
    #[arg(long = "field-selector", value_name = "SELECTOR", value_parser = fields)]
    pub(crate) fields: Option<String>,
    /// Only objects that match, selected here, by any path; repeat it for more conditions
    #[arg(long = "match", value_name = "EXPR", value_parser = matching)]
    pub(crate) matching: Vec<FieldSelector>,
    /// Fields to drop; repeatable
    #[arg(long, value_name = "PATH", value_parser = ignore)]
    pub(crate) ignore: Vec<FieldFilter>,

    /// A part of the main index's keys, such as metadata.name; repeat it for a composite index
    #[arg(
        long,
        value_name = "PATH",
        value_parser = path,
        default_values = ["metadata.namespace", "metadata.name"]
    )]
    index_by: Vec<FieldPath>,
    /// A further index; repeatable
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path)]
    by: Vec<(String, FieldPath)>,
    /// Look these key parts up in the main index, at every item; the first parts are enough
    #[arg(long, value_name = "PART,...")]
    get: Vec<String>,
    /// Look a key up in a further index, at every item
    #[arg(long, value_name = "NAME=KEY", value_parser = named_key)]
    get_by: Vec<(String, String)>,

    /// The least time from one item to the next
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "500ms")]
    debounce: Duration,
    /// Hold changes back for as long as others follow within this time
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "debounce")]
    quiet: Option<Duration>,
    /// ... but not for longer than this, which is ten times as long unless set
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "quiet")]
    max_wait: Option<Duration>,

    /// Print the initial load while it arrives
    #[arg(long)]
    pub(crate) progress: bool,
    /// End after Synced
    #[arg(long)]
    pub(crate) exit_after_synced: bool,
    /// End after this number of Live items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) changes: Option<u64>,
    /// Give up if nothing arrives for this time before the sync
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub(crate) sync_timeout: Duration,

    /// The source of events: this library, or kube's watcher
    #[arg(long, default_value = "weir")]
    pub(crate) source: Source,
    /// How to print
    #[arg(long = "output", short = 'o', value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    Weir,
    Kube,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned, for people
    Table,
    /// JSON lines, for programs
    Json,
}

/// The name of the index that `--index-by` makes.
const MAIN: &str = "main";

/// A key to look up, and the index to look in.
pub(crate) struct Lookups(Vec<(String, Vec<String>)>);

impl Options {
    pub(crate) fn indexes<K: Serialize + 'static>(&self) -> Result<Vec<Index<K>>, Error> {
        let mut indexes = vec![Index::paths(self.index_by.clone())?.named(MAIN)];
        for (at, (name, path)) in self.by.iter().enumerate() {
            // The last index of a name counts.
            if self.by[at + 1..].iter().all(|(later, _)| later != name) {
                indexes.push(Index::path(path.clone())?.named(name.as_str()));
            }
        }
        Ok(indexes)
    }

    pub(crate) fn debounce(&self) -> Debounce {
        match (self.quiet, self.max_wait) {
            (None, _) => Debounce::interval(self.debounce),
            (Some(quiet), None) => Debounce::quiet(quiet).into(),
            (Some(quiet), Some(max_wait)) => Debounce::quiet(quiet).max_wait(max_wait).into(),
        }
    }

    pub(crate) fn ignored(&self) -> FieldFilter {
        self.ignore.iter().cloned().fold(FieldFilter::default(), FieldFilter::and)
    }

    /// Returns the keys to look up, if any.
    pub(crate) fn lookups(&self) -> Option<Lookups> {
        let main = self.get.iter().map(|key| {
            let parts = key.split(',').map(str::to_owned).collect();
            (MAIN.to_owned(), parts)
        });
        let named = self.get_by.iter().map(|(name, key)| (name.clone(), vec![key.clone()]));
        let lookups: Vec<_> = main.chain(named).collect();
        (!lookups.is_empty()).then_some(Lookups(lookups))
    }

    /// Checks the combination of the options.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.source == Source::Kube && self.namespaces.len() > 1 {
            return Err("kube's watcher has one namespace or all: give --namespace once".into());
        }
        // An empty snapshot returns the same errors as the real one.
        let check = || {
            let empty = Snapshot::<ConfigMap>::from_objects(self.indexes()?, [])?;
            self.lookups().map_or(Ok(()), |lookups| lookups.run(&empty).map(drop))
        };
        check().map_err(|error: Error| error.to_string())
    }
}

impl Lookups {
    /// Returns all found objects, each once.
    pub(crate) fn run<K: Lookup>(
        &self,
        snapshot: &Snapshot<K>,
    ) -> Result<BTreeSet<ObjectKey>, Error> {
        let mut found = BTreeSet::new();
        for (index, key) in &self.0 {
            let hits = snapshot.by_name(index)?.try_get(key)?;
            found.extend(hits.map(|object| ObjectKey::of::<K>(object)));
        }
        Ok(found)
    }
}

fn path(text: &str) -> Result<FieldPath, String> {
    FieldPath::parse(text).map_err(|error| pointed(&error))
}

fn matching(text: &str) -> Result<FieldSelector, String> {
    FieldSelector::parse(text).map_err(|error| pointed(&error))
}

fn ignore(text: &str) -> Result<FieldFilter, String> {
    FieldFilter::new([text]).map_err(|error| pointed(&error))
}

fn fields(text: &str) -> Result<String, String> {
    matching(text).map(|_| text.to_owned())
}

fn labels(text: &str) -> Result<String, String> {
    LabelSelector::parse(text).map(|_| text.to_owned()).map_err(|error| pointed(&error))
}

fn named_path(text: &str) -> Result<(String, FieldPath), String> {
    let (name, path) = named_key(text)?;
    if name == MAIN {
        return Err(format!("`{name}` is the name of the index that --index-by makes"));
    }
    Ok((name, self::path(&path)?))
}

fn named_key(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, rest)) if !name.is_empty() => Ok((name.to_owned(), rest.to_owned())),
        _ => Err("expected the name of an index and a `=`".into()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: SignedDuration =
        text.parse().map_err(|_| "expected a time such as 500ms, 2s or 1m30s")?;
    Duration::try_from(span).map_err(|_| "a time can't be negative".into())
}

/// Formats the error, with a `^` below its position.
fn pointed(error: &PathError) -> String {
    format!("{}\n\n  {}", error.hint(), error.caret().replace('\n', "\n  "))
}
