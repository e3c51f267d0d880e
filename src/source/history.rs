//! Finding out whether the server still has the history that a watch has seen.

use super::{
    query::{Part, Query, Witness},
    resolve::Resolved,
    target::Target,
};
use crate::{
    document::ObjectMetaRef,
    json::{Fault, Scanner},
    resource_version::is_before,
    strain::NamespaceSelection,
};

/// The history of the server, compared with what a watch has seen.
pub(super) enum Verdict {
    /// Not another one, as far as a single request can show.
    Same,
    /// It is another one: etcd was restored from a backup.
    Lost,
    /// The object that the store has as its newest is not there. It was deleted since, which the watch
    /// must report before it is past this version; or it never was in this history.
    Doubtful(Doubt),
    /// The server gave no answer that shows anything.
    Unknown,
}

/// An object whose deletion must come.
pub(super) struct Doubt {
    witness: Witness,
    version: String,
}

impl Doubt {
    /// Returns whether the deletion of this object settles it.
    pub(super) fn is_settled_by(&self, namespace: &str, name: &str) -> bool {
        self.witness.namespace == namespace && self.witness.name == name
    }

    /// Returns whether the watch is past the moment of the deletion.
    pub(super) fn is_over_at(&self, version: &str) -> bool {
        !is_before(version, &self.version)
    }
}

/// Asks for one object: the newest that the store has, if there is one, or any.
///
/// A version below that of the watch shows a lost history. So does the newest object if it is there in
/// an older version, or in none. A failure shows nothing, so it is to be asked again.
pub(super) async fn compare<K>(
    query: &Query<K>,
    target: &Target,
    resolved: &Resolved,
    version: &str,
) -> Verdict {
    let witness = query.stored.as_ref().and_then(|own| own.newest(target.collection.namespace()));
    let place = match &witness {
        Some(witness) if !witness.namespace.is_empty() => {
            let name = witness.namespace.as_str().into();
            Target::of(&NamespaceSelection { name, labels: None, fields: None })
        }
        Some(_) => Target::cluster(),
        None => target.clone(),
    };
    let part = Part::One(witness.as_ref().map(|own| own.name.as_str()));
    let Ok(mut page) = query.page(&place, resolved, part).await else { return Verdict::Unknown };
    let mut found: Option<String> = None;
    loop {
        let read = |bytes: &[u8], _: &_| {
            let mut scanner = Scanner::new(bytes, 0);
            scanner.skip_value()?;
            let json = str::from_utf8(scanner.since(0)).map_err(|_| Fault::Malformed)?;
            let own = ObjectMetaRef::of(json).ok();
            let own = own.and_then(|own| own.resource_version).map(str::to_owned);
            Ok((own, scanner.position()))
        };
        match page.item(read).await {
            Ok(Some(own)) => found = own,
            Ok(None) => break,
            Err(_) => return Verdict::Unknown,
        }
    }
    let Some(at) = page.version() else { return Verdict::Unknown };
    if is_before(&at, version) {
        return Verdict::Lost;
    }
    match (witness, found) {
        (None, _) => Verdict::Same,
        (Some(witness), Some(own)) if own == witness.version || is_before(version, &own) => {
            Verdict::Same
        }
        (Some(_), Some(_)) => Verdict::Lost,
        (Some(witness), None) => Verdict::Doubtful(Doubt { witness, version: at }),
    }
}
