//! Output, for people or for programs.

use std::{
    error,
    io::{self, BufWriter, Write},
};

use kube::runtime::reflector::Lookup;
use kube_weir::{Batch, Change, ChangeStats, Delta, Error, ObjectKey};
use serde::Serialize;

use crate::options::{Format, Lookups};

/// Writes items to stdout, each as a line or a paragraph, flushed.
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) lookups: Option<Lookups>,
    pub(crate) begun: tokio::time::Instant,
}

#[derive(Serialize)]
struct Item {
    phase: &'static str,
    created: usize,
    modified: usize,
    deleted: usize,
    total: usize,
    changed: Vec<Changed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    get: Option<Vec<Found>>,
    elapsed_ms: u128,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    op: &'static str,
    namespace: String,
    name: String,
    uid: String,
    resource_version: String,
}

#[derive(Serialize)]
struct Found {
    namespace: String,
    name: String,
}

#[derive(Serialize)]
struct Failed {
    phase: &'static str,
    cause: &'static str,
    message: String,
}

impl Output {
    pub(crate) fn change<K: Lookup>(&self, change: &Change<K>) -> io::Result<()> {
        let phase = match change {
            Change::InitialSync(_) => "InitialSync",
            Change::Synced(_) => "Synced",
            Change::Live(_) => "Live",
        };
        let snapshot = change.snapshot();
        let ChangeStats { created, modified, deleted, .. } =
            change.batch().map(Batch::stats).unwrap_or_default();
        let deltas = change.batch().map(Batch::deltas).unwrap_or_default();
        let get = self.lookups.as_ref().map(|lookups| {
            // The lookups were checked with the options.
            let found = lookups.run(snapshot).unwrap_or_default();
            found.iter().map(Found::from).collect()
        });
        let item = Item {
            phase,
            created,
            modified,
            deleted,
            total: snapshot.len(),
            changed: deltas.iter().map(Changed::from).collect(),
            get,
            elapsed_ms: self.begun.elapsed().as_millis(),
        };
        self.print(&item, |out| item.table(out))
    }

    pub(crate) fn error(&self, error: &Error) -> io::Result<()> {
        let (cause, message) = (cause(error), with_sources(error));
        let item = Failed { phase: "Error", cause, message };
        let clock = clock(self.begun.elapsed().as_millis());
        self.print(&item, |out| writeln!(out, "{clock} Error        {cause}: {}", item.message))
    }

    /// Writes and flushes an item, so that a reader doesn't wait for the buffer.
    fn print(
        &self,
        item: &impl Serialize,
        table: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = BufWriter::new(io::stdout().lock());
        match self.format {
            Format::Table => table(&mut out)?,
            Format::Json => {
                serde_json::to_writer(&mut out, item)?;
                writeln!(out)?;
            }
        }
        out.flush()
    }
}

impl Item {
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { phase, created, modified, deleted, total, changed, get, elapsed_ms } = self;
        let (clock, counts) = (clock(*elapsed_ms), format!("+{created} ~{modified} -{deleted}"));
        writeln!(out, "{clock} {phase:<12} {counts:<16} {total} objects")?;
        for Changed { op, namespace, name, resource_version, .. } in changed {
            let object = qualified(namespace, name);
            writeln!(out, "{:9} {op:<12} {object:<40} {resource_version}", "")?;
        }
        let Some(found) = get else { return Ok(()) };
        let names: Vec<_> =
            found.iter().map(|object| qualified(&object.namespace, &object.name)).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        writeln!(out, "{:9} {:<12} {names}", "", "found")
    }
}

impl From<&ObjectKey> for Found {
    fn from(object: &ObjectKey) -> Self {
        Self { namespace: object.namespace().to_owned(), name: object.name().to_owned() }
    }
}

impl<K: Lookup> From<&Delta<K>> for Changed {
    fn from(delta: &Delta<K>) -> Self {
        let op = match delta {
            Delta::Created(_) => "created",
            Delta::Modified { .. } => "modified",
            Delta::Deleted(_) => "deleted",
        };
        let object = delta.object();
        let [namespace, name, uid, resource_version] =
            [object.namespace(), object.name(), object.uid(), object.resource_version()]
                .map(|text| text.unwrap_or_default().into_owned());
        Self { op, namespace, name, uid, resource_version }
    }
}

/// Returns the cause as one of a few words.
pub(crate) fn cause(error: &Error) -> &'static str {
    match error.reason() {
        known @ ("Forbidden" | "NotInstalled" | "Unauthorized" | "Timeout" | "Desynced"
        | "Undecodable" | "Connection") => known,
        _ => "Other",
    }
}

/// Returns the message and those of all sources, without repetitions.
pub(crate) fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error::Error::source(error);
    while let Some(error) = source {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        source = error.source();
    }
    text
}

fn clock(elapsed_ms: u128) -> String {
    format!("{:>5}.{:03}", elapsed_ms / 1000, elapsed_ms % 1000)
}

fn qualified(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}
