//! The server's state at each moment, and whether a consumer's items are consistent with it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use kube::runtime::reflector::Lookup;
use kube_weir::{Batch, Change, ChangeStats, Delta, Key, Snapshot};
use serde_json::Value;

use super::{
    pipeline::{Seen, Watched, indexes},
    script::{Namespaces, Pace, Select, Setup},
};

/// Namespace and name.
pub(super) type Identity = (String, String);

/// Each object's resourceVersion.
type State = BTreeMap<Identity, u64>;

pub(super) struct Oracle {
    setup: Setup,
    /// The watched part of the server's objects.
    pub(super) objects: BTreeMap<Identity, Value>,
    /// Objects that may be stale for a while.
    doubtful: BTreeSet<Identity>,
    /// True if events may arrive in the wrong order.
    pub(super) is_disordered: bool,
    /// Set once the server was restored to an earlier state.
    is_restored: bool,
    /// The states so far of each list and watch, oldest first.
    histories: Vec<(Option<&'static str>, Vec<State>)>,
}

impl Oracle {
    pub(super) fn new(setup: Setup, doubtful: BTreeSet<Identity>, is_disordered: bool) -> Self {
        let about: &[Option<&str>] = match setup.namespaces {
            Namespaces::Every => &[None],
            Namespaces::One => &[Some("a")],
            Namespaces::Both => &[Some("a"), Some("b")],
        };
        let histories = about.iter().map(|about| (*about, vec![State::new()])).collect();
        Self {
            setup,
            objects: BTreeMap::new(),
            doubtful,
            is_disordered,
            is_restored: false,
            histories,
        }
    }

    /// Records that the server has written, or deleted, an object.
    pub(super) fn wrote(&mut self, identity: &Identity, object: Option<&Value>) {
        match object.filter(|object| self.selects((&identity.0, object))) {
            Some(object) => self.objects.insert(identity.clone(), object.clone()),
            None => self.objects.remove(identity),
        };
        self.note();
    }

    /// Returns whether objects of a namespace are watched.
    fn selects(&self, (namespace, object): (&str, &Value)) -> bool {
        let watched = self.setup.namespaces != Namespaces::One || namespace == "a";
        watched && (self.setup.select == Select::All || object["data"]["on"] == "yes")
    }

    /// Adds the current state to the histories.
    fn note(&mut self) {
        let versions = self.objects.iter().map(|(identity, object)| {
            let version = object["metadata"]["resourceVersion"].as_str().unwrap();
            (identity.clone(), version.parse().unwrap())
        });
        let state = self.sure(&versions.collect());
        for (about, history) in &mut self.histories {
            let state = part(&state, *about);
            if history.last() != Some(&state) {
                history.push(state);
            }
        }
    }

    /// Records that the server was restored to these objects. Changes of the lost history may be yielded
    /// again, in lower versions.
    pub(super) fn restored(&mut self, objects: Vec<Value>) {
        self.is_restored = true;
        self.objects.clear();
        for object in objects {
            let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
            if self.selects((&text("namespace"), &object)) {
                self.objects.insert((text("namespace"), text("name")), object);
            }
        }
        self.note();
    }

    pub(super) fn is_doubtful(&self, identity: &Identity) -> bool {
        self.doubtful.contains(identity)
    }

    /// Returns the state without the objects that may be stale.
    fn sure(&self, state: &State) -> State {
        let sure = state.iter().filter(|(identity, _)| !self.doubtful.contains(*identity));
        sure.map(|(identity, version)| (identity.clone(), *version)).collect()
    }

    /// Checks that a consumer's items are consistent: nothing is live before the sync, there is one sync,
    /// batches replay to the snapshots, nothing goes back in time, and live states existed on the server, in
    /// this order. Returns whether it saw the sync.
    pub(super) fn check_story<K: Lookup>(&self, who: usize, pace: Pace, seen: &[Seen<K>]) -> bool {
        let mut story = Story {
            oracle: self,
            progress: self.setup.progress && who == 0,
            replayed: State::new(),
            newest: State::new(),
            synced: false,
            places: vec![0; self.histories.len()],
        };
        for (at, (_, item)) in seen.iter().enumerate() {
            if let Ok(change) = item {
                story.tell(change, &format!("item {at} of consumer {who}"));
            }
        }
        if let Pace::Interval(ms) = pace {
            let live = seen.iter().filter(|(_, item)| matches!(item, Ok(Change::Live(_))));
            let times: Vec<_> = live.map(|(at, _)| *at).collect();
            let close = times.windows(2).find(|pair| (pair[1] - pair[0]).as_millis() < ms.into());
            assert!(close.is_none(), "consumer {who} got two within {ms} ms: {close:?}");
        }
        story.synced
    }
}

/// A consumer's state so far.
struct Story<'o> {
    oracle: &'o Oracle,
    /// True if it receives the initial load.
    progress: bool,
    replayed: State,
    /// Versions, including those of deleted objects.
    newest: State,
    synced: bool,
    /// The position in each of the histories.
    places: Vec<usize>,
}

impl Story<'_> {
    fn tell<K: Lookup>(&mut self, change: &Change<K>, item: &str) {
        let told = state(change.snapshot());
        match change {
            Change::InitialSync(batch) => {
                assert!(!self.synced && self.progress, "{item} is initial");
                self.replay(batch, item);
            }
            Change::Synced(_) => {
                assert!(!self.synced, "{item} is synced again");
                assert!(!self.progress || self.replayed == told, "{item} is news");
                self.synced = true;
                self.newest.clone_from(&told);
                self.replayed.clone_from(&told);
            }
            Change::Live(batch) => {
                assert!(self.synced, "{item} is live");
                self.replay(batch, item);
            }
        }
        assert_eq!(self.replayed, told, "{item} does not add up");
        if self.synced && !self.oracle.is_disordered {
            self.locate(&told, item);
        }
    }

    fn replay<K: Lookup>(&mut self, batch: &Batch<K>, item: &str) {
        assert_eq!(state(batch.before()), self.replayed, "{item} follows on something else");
        let mut counted = ChangeStats::default();
        for delta in batch.deltas() {
            let (identity, version) = versioned(&**delta.object());
            let old = match delta {
                Delta::Deleted(_) => self.replayed.remove(&identity),
                _ => self.replayed.insert(identity.clone(), version),
            };
            let told = delta.before().map(|old| versioned(&**old).1);
            assert_eq!(old, told, "{item} of {identity:?}");
            match delta {
                Delta::Created(_) => counted.created += 1,
                Delta::Modified { .. } => counted.modified += 1,
                Delta::Deleted(_) => counted.deleted += 1,
            }
            if delta.after().is_some() {
                let before = self.newest.insert(identity.clone(), version);
                let is_later = before < Some(version);
                let may_go_back = self.oracle.is_disordered || self.oracle.is_restored;
                assert!(is_later || may_go_back, "{item} takes {identity:?} back");
            }
        }
        assert_eq!(batch.stats(), counted, "{item}");
    }

    /// Advances in the histories to where the server had this state.
    fn locate(&mut self, told: &State, item: &str) {
        let sure = self.oracle.sure(told);
        for ((about, history), place) in self.oracle.histories.iter().zip(&mut self.places) {
            let part = part(&sure, *about);
            let found = history[*place..].iter().position(|own| *own == part);
            *place += found.unwrap_or_else(|| {
                panic!("{item} was never so: {part:?}, but {:#?}", &history[*place..])
            });
        }
    }
}

fn part(state: &State, namespace: Option<&str>) -> State {
    let part = state.iter().filter(|((own, _), _)| namespace.is_none_or(|it| own == it));
    part.map(|(identity, version)| (identity.clone(), *version)).collect()
}

pub(super) fn state<K: Lookup>(snapshot: &Snapshot<K>) -> State {
    snapshot.iter().map(|object| versioned(&**object)).collect()
}

fn versioned<K: Lookup>(object: &K) -> (Identity, u64) {
    let text = |part: Option<Cow<'_, str>>| part.unwrap_or_default().into_owned();
    let version = text(object.resource_version()).parse().unwrap();
    ((text(object.namespace()), text(object.name())), version)
}

/// Checks that a snapshot has these objects, and indexes them like a scan of all of them.
pub(super) fn check_state<K>(snapshot: &Snapshot<K>, objects: &BTreeMap<Identity, Value>)
where
    K: Watched,
{
    let found = snapshot.iter().map(|object| serde_json::to_value(&**object).unwrap().to_string());
    assert_eq!(
        found.collect::<Vec<_>>(),
        objects.values().map(Value::to_string).collect::<Vec<_>>()
    );
    for (identity, object) in objects {
        let found = snapshot.get(identity).unwrap();
        assert_eq!(versioned(&**found).1.to_string(), object["metadata"]["resourceVersion"]);
    }
    for index in indexes() {
        let view = snapshot.by(&index);
        let index = &*index.name();
        let wanted = indexed(index, objects);
        let mut whole = Vec::new();
        for (key, wanted) in &wanted {
            let hits = view.get(key).map(|object| versioned(&**object).0);
            assert_eq!(&hits.collect::<BTreeSet<_>>(), wanted, "{index} {key:?}");
            assert_eq!(view.get(key).count(), wanted.len(), "{index} {key:?}");
            if wanted.iter().any(|identity| keys(index, &objects[identity]).contains(key)) {
                whole.push(Key::new(key));
            }
        }
        assert_eq!(view.keys(), whole, "{index}");
        assert_eq!(view.get("nothing").count(), 0);
    }
}

/// Returns the objects under each key of an index, and under each prefix.
fn indexed(
    index: &str,
    objects: &BTreeMap<Identity, Value>,
) -> BTreeMap<Vec<String>, BTreeSet<Identity>> {
    let mut table: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (identity, object) in objects {
        for key in keys(index, object) {
            for parts in 1..=key.len() {
                table.entry(key[..parts].to_vec()).or_default().insert(identity.clone());
            }
        }
    }
    table
}

/// Returns the expected keys of an object.
pub(super) fn keys(index: &str, object: &Value) -> Vec<Vec<String>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let namespace = text(&object["metadata"]["namespace"]);
    let labels = object["metadata"]["labels"].as_object().unwrap();
    match index {
        "identity" => vec![vec![namespace, text(&object["metadata"]["name"])]],
        "tier" => labels.get("tier").map(|tier| vec![text(tier)]).into_iter().collect(),
        _ => labels.values().map(|label| vec![namespace.clone(), text(label)]).collect(),
    }
}
