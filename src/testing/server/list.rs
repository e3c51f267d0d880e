//! Lists: pages that all show one moment of the history.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use futures::{Stream, stream};
use serde_json::{Value, json};

use crate::testing::server::{
    damage::Piece,
    history::{Key, Object},
    query::Query,
    resource::Resource,
    selectors::{self, FieldSelector, Selection},
    status::{self, Outcome},
    store::Store,
    view::View,
};

/// A page, taken at one moment.
#[derive(Debug)]
pub(super) struct Page {
    items: Vec<Object>,
    metadata: Value,
}

impl Page {
    /// Returns the requested page.
    ///
    /// # Errors
    /// 400 for unreadable options, 410 for versions and tokens from before the horizon, 422 for options
    /// that exclude each other, 504 for future versions.
    pub(super) fn take(
        store: &Store,
        resource: &Resource,
        selection: &Selection,
        query: &Query,
    ) -> Outcome<Self> {
        check_options(query)?;
        let limit = query.number("limit")?.filter(|limit| *limit > 0);
        let (revision, start) = moment(store, query, limit.is_some())?;
        let mut objects = store
            .objects_at(resource, revision, start.as_ref())
            .filter(|(key, object)| selection.admits(key, object));
        let take = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let page: Vec<_> = objects.by_ref().take(take).collect();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if objects.next().is_some()
            && let Some((last, _)) = page.last()
        {
            metadata["continue"] = token(Some(revision), last).into();
            if selection.is_plain() {
                metadata["remainingItemCount"] = (1 + objects.count()).into();
            }
        }
        let items = page.into_iter().map(|(_, object)| object.clone()).collect();
        Ok(Self { items, metadata })
    }

    /// Returns all selected objects as one page, without a resourceVersion.
    pub(super) fn unversioned(store: &Store, resource: &Resource, selection: &Selection) -> Self {
        let objects = store.objects(resource);
        let selected = objects.filter(|(key, object)| selection.admits(key, object));
        Self { items: selected.map(|(_, object)| object.clone()).collect(), metadata: json!({}) }
    }

    /// Returns the body, written while it is read.
    pub(super) fn pieces(self, view: View) -> impl Stream<Item = Piece> + Send {
        let (head, tail) = view.list(&self.metadata);
        let items = self.items.into_iter().enumerate().map(move |(at, object)| {
            let mut item = if at == 0 { Vec::new() } else { vec![b','] };
            item.append(&mut view.item(&object));
            Piece::Object(item.into())
        });
        let [head, tail] = [head, tail].map(|text| Piece::Other(text.into()));
        stream::iter([head].into_iter().chain(items).chain([tail]))
    }

    /// Returns all of these objects as one page.
    pub(super) fn of(items: Vec<Object>, revision: u64) -> Self {
        Self { items, metadata: json!({"resourceVersion": revision.to_string()}) }
    }
}

/// Reads the selectors of a request.
pub(super) fn selection(query: &Query, namespace: Option<&str>) -> Outcome<Selection> {
    Ok(Selection {
        namespace: namespace.map(str::to_owned),
        labels: selectors::labels(query.get("labelSelector").unwrap_or_default())?,
        fields: FieldSelector::parse(query.get("fieldSelector").unwrap_or_default())?,
    })
}

/// Returns the version that the server must reach before it can answer a list.
pub(super) fn awaited(query: &Query) -> Outcome<u64> {
    let version = query.number("resourceVersion")?;
    Ok(version.filter(|_| query.get("continue").is_none()).unwrap_or_default())
}

/// Returns the revision to show, and the key after which the page starts.
fn moment(store: &Store, query: &Query, limited: bool) -> Outcome<(u64, Option<Key>)> {
    let current = store.revision();
    let horizon = store.history.horizon();
    if let Some(text) = query.get("continue") {
        return match read_token(text)? {
            (Some(revision), start) if revision < horizon => {
                Err(status::token_expired(token(None, &start)))
            }
            (Some(revision), _) if revision > current => Err(status::too_large(revision, current)),
            (revision, start) => Ok((revision.unwrap_or(current), Some(start))),
        };
    }
    let version = query.number("resourceVersion")?.unwrap_or_default();
    if version > current {
        return Err(status::too_large(version, current));
    }
    // With a limit and no `resourceVersionMatch`, a version means exactly this version.
    let exact = match query.get("resourceVersionMatch") {
        Some(kind) => kind == "Exact",
        None => limited && version > 0,
    };
    match version {
        version if !exact => Ok((current.max(version), None)),
        version if version < horizon => Err(status::too_old(version, current)),
        version => Ok((version, None)),
    }
}

fn check_options(query: &Query) -> Outcome<()> {
    let field = "resourceVersionMatch";
    if query.get("sendInitialEvents").is_some() {
        return Err(status::invalid_options(
            "sendInitialEvents",
            "Forbidden: sendInitialEvents is forbidden for list",
        ));
    }
    let Some(kind) = query.get(field) else {
        return Ok(());
    };
    let version = query.get("resourceVersion");
    if version.is_none() {
        let why = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
        return Err(status::invalid_options(field, why));
    }
    if query.get("continue").is_some() {
        let why = "Forbidden: resourceVersionMatch is forbidden when continue is provided";
        return Err(status::invalid_options(field, why));
    }
    if kind == "Exact" && version == Some("0") {
        let why =
            "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
        return Err(status::invalid_options(field, why));
    }
    if !matches!(kind, "Exact" | "NotOlderThan") {
        let why = format!(
            "Unsupported value: \"{kind}\": supported values: \"\", \"Exact\", \"NotOlderThan\""
        );
        return Err(status::invalid_options(field, &why));
    }
    Ok(())
}

/// Returns a continue token in the form of a real server. Without a revision the list continues at the
/// present.
fn token(revision: Option<u64>, last: &Key) -> String {
    let revision = revision.map_or(json!(-1), Value::from);
    let start = format!("{}/{}\0", last.namespace, last.name);
    let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": start}).to_string();
    BASE64_URL_SAFE_NO_PAD.encode(token)
}

fn read_token(text: &str) -> Outcome<(Option<u64>, Key)> {
    let malformed = || status::bad_request("continue key is not valid");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
    let token: Value = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
    let start = token["start"].as_str().and_then(|start| start.strip_suffix('\0'));
    let (namespace, name) = start.and_then(|start| start.split_once('/')).ok_or_else(malformed)?;
    let key = Key { namespace: namespace.to_owned(), name: name.to_owned() };
    let revision = token["rv"].as_i64().ok_or_else(malformed)?;
    Ok((u64::try_from(revision).ok(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_need_no_escaping() {
        for name in ["a", "web~~~", "x.y-z", "ab??>>"] {
            let key = Key { namespace: "default".to_owned(), name: name.to_owned() };
            let text = token(Some(42), &key);
            assert!(
                text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)),
                "{text}"
            );
            assert_eq!(read_token(&text).expect("token"), (Some(42), key.clone()));
            assert_eq!(read_token(&token(None, &key)).expect("token"), (None, key));
        }
        for bad in ["x", "%%", "e30"] {
            assert_eq!(read_token(bad).expect_err("malformed").code, 400);
        }
    }
}
