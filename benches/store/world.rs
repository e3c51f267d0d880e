//! The objects of one size, and the lookups.

use kube_weir::Document;

use super::{stores::Candidate, support::corpus::Random};

/// Number of keys that are looked up, one after the other.
const PROBES: usize = 200_000;

/// Numbers of objects in a namespace, and with one label.
pub(crate) const NAMESPACE: usize = 10;
pub(crate) const APP: usize = 3;

pub(crate) struct World {
    pub(crate) size: usize,
    /// Numbers of all objects, in the order in which they are allocated.
    order: Vec<usize>,
    /// The keys to look up.
    pub(crate) probes: Vec<Probe>,
    /// Number of changes: each has a new version.
    version: usize,
    random: Random,
}

pub(crate) struct Probe {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// A label that few objects share.
    pub(crate) app: String,
}

impl World {
    pub(crate) fn new(size: usize) -> Self {
        let mut random = Random::new(7);
        let mut order: Vec<_> = (0..size).collect();
        random.shuffle(&mut order);
        let probes = order.iter().take(PROBES).map(|number| probe(*number)).collect();
        random.shuffle(&mut order);
        Self { size, order, probes, version: 1_000_000_000, random }
    }

    /// Returns all objects as a client receives them.
    pub(crate) fn objects(&self) -> impl Iterator<Item = String> {
        self.order.iter().map(|number| json(*number, self.version))
    }

    /// Returns new versions of a number of objects.
    pub(crate) fn batch<C: Candidate>(&mut self, size: usize) -> Vec<C::Change> {
        let changes = (0..size).map(|_| {
            self.version += 1;
            C::change(&json(self.random.below(self.size), self.version))
        });
        changes.collect()
    }

    /// Returns two new versions of a number of objects, first one of each, then the other: if published
    /// repeatedly in turn, each is a change.
    pub(crate) fn alternating<C: Candidate>(&mut self, objects: usize) -> Vec<C::Change> {
        let first = self.version + 1;
        self.version += 2;
        let changes = [first, self.version].into_iter().flat_map(|version| {
            let objects = self.order.iter().take(objects);
            objects.map(move |number| C::change(&json(*number, version)))
        });
        changes.collect()
    }

    /// Checks that the store returns correct results.
    pub(crate) fn check<C: Candidate>(&mut self, store: &mut C) {
        let reader = store.reader();
        let held = C::hold(&reader);
        assert_eq!(C::all(&held), self.size * 10, "each version has 10 digits");
        for probe in self.probes.iter().take(3) {
            assert!(C::get(&held, &C::key(probe)).is_some());
            assert_eq!(C::namespace(&held, &probe.namespace), NAMESPACE);
            assert!(C::app(&held, &probe.app).is_none_or(|found| found == APP));
        }
        self.version += 1;
        let json = json(self.order[0], self.version);
        store.publish(vec![C::change(&json)]);
        let held = C::hold(&reader);
        let found = C::get(&held, &C::key(&probe(self.order[0])));
        let document = Document::from_json(&json).expect("a document");
        assert_eq!(found.as_ref().and_then(C::version), document.resource_version());
    }
}

fn probe(number: usize) -> Probe {
    Probe {
        namespace: format!("team-{:06}", number / NAMESPACE),
        name: format!("web-{:08x}", number.wrapping_mul(0x9e37_79b1) % (1 << 32)),
        // The last namespace would have fewer objects.
        app: format!("app-{}", number / APP % 1_000_000),
    }
}

fn json(number: usize, version: usize) -> String {
    let Probe { namespace, name, app } = probe(number);
    format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","namespace":"{namespace}","uid":"5c1e7d2a-0b1f-4c3d-a5e6-{number:012x}","resourceVersion":"{version}","creationTimestamp":"2026-03-04T05:06:07Z","labels":{{"app":"{app}","app.kubernetes.io/managed-by":"Helm"}},"annotations":{{"meta.helm.sh/release-name":"{app}","meta.helm.sh/release-namespace":"{namespace}"}}}},"data":{{"config.yaml":"listen: 0.0.0.0:8080\nlog:\n  level: info\n  format: json\nupstream: {name}.{namespace}.svc.cluster.local\n"}}}}"#
    )
}
