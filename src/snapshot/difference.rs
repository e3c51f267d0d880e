//! Differences between two states.

use std::{cmp::Ordering, ops::ControlFlow, sync::Arc};

use kube::runtime::reflector::Lookup;

use super::{
    Contents,
    identity::{is_same_version, order},
};

/// A difference at one identity: the object before, and the object after.
pub(crate) type Pair<'a, K> = (Option<&'a Arc<K>>, Option<&'a Arc<K>>);

impl<K: Lookup> Contents<K> {
    /// Returns whether anything differs from an `earlier` state. Mostly the first different slot decides.
    pub(crate) fn differs(&self, earlier: &Self) -> bool {
        let is_same = self.is_same_after(earlier);
        let told = self.heap.since(&earlier.heap, Arc::ptr_eq, |old, new| match (old, new) {
            (Some(old), Some(new)) if order(&**old, &**new).is_eq() => {
                if is_same(old, new) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(true)
                }
            }
            _ => ControlFlow::Break(false),
        });
        match told {
            ControlFlow::Continue(()) => false,
            ControlFlow::Break(told) => {
                told || self.len() != earlier.len() || !self.since(earlier).is_empty()
            }
        }
    }

    /// Returns a function that compares two objects of one identity, the first from an `earlier` state. If
    /// any version has been replaced by other content since, only pointer equality counts.
    fn is_same_after(&self, earlier: &Self) -> impl Fn(&Arc<K>, &Arc<K>) -> bool + use<K> {
        let by_version = self.histories == earlier.histories;
        move |old, new| Arc::ptr_eq(old, new) || (by_version && is_same_version(&**old, &**new))
    }

    /// Returns the differences from an `earlier` state, in order. A repeated version is no difference.
    pub(crate) fn since<'a>(&'a self, earlier: &'a Self) -> Vec<Pair<'a, K>> {
        let mut pairs: Vec<Pair<'a, K>> = Vec::new();
        let _: ControlFlow<()> = self.heap.since(&earlier.heap, Arc::ptr_eq, |old, new| {
            match (old, new) {
                (Some(gone), Some(come)) if order(&**gone, &**come).is_ne() => {
                    pairs.extend([(old, None), (None, new)]);
                }
                pair => pairs.push(pair),
            }
            ControlFlow::Continue(())
        });
        let one = |pair: &Pair<'a, K>| pair.1.or(pair.0);
        let by_identity = |a: &Pair<'a, K>, b: &Pair<'a, K>| match (one(a), one(b)) {
            (Some(a), Some(b)) => order(&**a, &**b),
            _ => Ordering::Equal,
        };
        pairs.sort_by(by_identity);
        // An object that moved between slots appears as a removal and an addition; merge the two.
        pairs.dedup_by(|later, earlier| {
            let same = by_identity(later, earlier).is_eq();
            if same {
                *earlier = (earlier.0.or(later.0), earlier.1.or(later.1));
            }
            same
        });
        let is_same = self.is_same_after(earlier);
        pairs.retain(
            |(old, new)| !matches!((old, new), (Some(old), Some(new)) if is_same(old, new)),
        );
        pairs
    }

    /// Returns the objects to put and the objects to take out to get to `objects`, which must be sorted, each
    /// identity once.
    pub(crate) fn until<'a>(
        &self,
        namespace: Option<&str>,
        objects: &'a [Arc<K>],
    ) -> (Vec<&'a Arc<K>>, Vec<Arc<K>>) {
        let (mut come, mut gone) = (Vec::new(), Vec::new());
        let mut objects = objects.iter().peekable();
        for stored in self.objects_in(namespace) {
            loop {
                let order = objects.peek().map(|next| {
                    let same = Arc::ptr_eq(next, stored);
                    if same { Ordering::Equal } else { order(&***next, &**stored) }
                });
                match order {
                    None | Some(Ordering::Greater) => gone.push(Arc::clone(stored)),
                    Some(Ordering::Less) => {
                        come.extend(objects.next());
                        continue;
                    }
                    Some(Ordering::Equal) => {
                        come.extend(objects.next().filter(|next| !Arc::ptr_eq(next, stored)));
                    }
                }
                break;
            }
        }
        come.extend(objects);
        (come, gone)
    }
}
