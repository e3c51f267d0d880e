//! Paths that search, take several fields or elements, or have filters.
//!
//! Each segment makes a list of nodes of another one, in the order of RFC 9535, but each node once: the
//! work is near linear in the nodes of the object times the segments, however often a search finds what
//! another one found. Only filters are left to `serde_json_path`, and only where it is known ahead that
//! they take few steps.

use serde_json::Value;
use serde_json_path::JsonPath;

use super::{
    node::{Node, Places},
    segment::{Segment, Selector, place_in},
};

/// A path that is not plain.
pub(crate) struct Query {
    /// Runs all of the path, if its filters read from the root.
    whole: Option<JsonPath>,
    weight: Weight,
    /// How long its text is.
    len: usize,
}

/// How many steps a query takes at most: so many for each node of the value, and for each node around it
/// as often as `depths` says, and for each node of the object as often as `sizes` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    steps: u64,
    depths: u32,
    sizes: u32,
    /// Whether it looks at more than one field or element of each node.
    searches: bool,
}

/// So many steps are never too many.
const STEPS: u64 = 1 << 18;

impl Query {
    /// A query of these segments, of which this is the text; `None` if it is not one of RFC 9535.
    pub(super) fn new(segments: &[Segment], text: &str) -> Option<Self> {
        let path = JsonPath::parse(text).ok()?;
        let whole = segments.iter().any(Segment::reads_root).then_some(path);
        let weight = match whole {
            Some(_) => Weight::of(segments),
            None => Weight::of_filters(segments),
        };
        Some(Self { whole, weight, len: text.len() })
    }

    /// The values that the segments lead to, in order; none more than once, unless the engine runs all.
    /// `None` if that may take too many steps.
    pub(super) fn select<'v>(
        &self,
        segments: &[Segment],
        root: &'v Value,
    ) -> Option<Vec<&'v Value>> {
        if !self.weight.is_light(self.len, root) {
            return None;
        }
        match &self.whole {
            Some(path) => Some(path.query(root).all()),
            None => Some(nodes(segments, root)),
        }
    }
}

/// The nodes that segments lead to which don't read from the root: in order, none more than once.
pub(super) fn nodes<N: Node>(segments: &[Segment], root: N) -> Vec<N> {
    let mut nodes = vec![root];
    for segment in segments {
        let selectors: Vec<_> = segment.selectors.iter().map(numbered::<N>).collect();
        let mut found = Vec::new();
        let mut searched = N::Places::default();
        for node in nodes {
            if segment.descends {
                search(&selectors, node, &mut searched, &mut found);
            } else {
                children(&selectors, node, &mut found);
            }
        }
        nodes = found;
    }
    nodes
}

/// A selector, with what there is to know of its name.
type Numbered<'s, N> = (&'s Selector, Option<<N as Node>::Number>);

fn numbered<N: Node>(selector: &Selector) -> Numbered<'_, N> {
    match selector {
        Selector::Name(name) => (selector, Some(N::number(name))),
        _ => (selector, None),
    }
}

/// Adds the nodes that selectors take in a node and in all below it that were not searched before.
fn search<N: Node>(
    selectors: &[Numbered<'_, N>],
    node: N,
    searched: &mut N::Places,
    found: &mut Vec<N>,
) {
    if !node.is_container() || !searched.add(node) {
        return;
    }
    children(selectors, node, found);
    node.each_child(|child| search(selectors, child, searched, found));
}

/// Adds the children of a node that selectors take, each once.
fn children<N: Node>(selectors: &[Numbered<'_, N>], node: N, found: &mut Vec<N>) {
    #[cfg(test)]
    STEPS_TAKEN.set(STEPS_TAKEN.get() + 1);
    let before = found.len();
    for (selector, number) in selectors {
        match selector {
            Selector::Name(name) => {
                found.extend(number.and_then(|number| node.field(name, number)));
            }
            Selector::Any => node.each_child(|child| found.push(child)),
            Selector::Index(index) => {
                let elements = node.elements();
                found.extend(place_in(*index, elements.len()).map(|at| elements[at]));
            }
            Selector::Slice(slice) => {
                let elements = node.elements();
                found.extend(slice.places(elements.len()).map(|at| elements[at]));
            }
            Selector::Filter(filter) => node.filter(&filter.test, found),
        }
    }
    if selectors.len() > 1 {
        let mut seen = N::Places::default();
        let mut at = 0;
        found.retain(|node| {
            at += 1;
            at <= before || seen.add(*node)
        });
    }
}

#[cfg(test)]
thread_local! {
    /// How often the children of a node were looked at in this thread.
    pub(crate) static STEPS_TAKEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Weight {
    /// The weight of a query that an engine runs which knows no node twice for the same.
    pub(super) fn of(segments: &[Segment]) -> Self {
        let mut all = Self { steps: 1, ..Self::default() };
        let (mut copies, mut searches) = (1_u64, 0);
        for segment in segments {
            copies = copies.saturating_mul(segment.selectors.len() as u64);
            all.steps = all.steps.saturating_add(copies);
            searches += u32::from(segment.descends);
            all.searches |= !matches!(segment.step(), Some(step) if step.is_single());
            for filter in segment.filters() {
                let steps = filter.weight.steps.saturating_mul(copies);
                let depths = filter.weight.depths + searches;
                all.add(&Self { steps, depths, ..filter.weight });
            }
        }
        // The first search finds each node once.
        all.depths = all.depths.max(searches.saturating_sub(1));
        all
    }

    /// The weight of a query that begins at the root for each node that is tested.
    pub(super) fn at_root(self) -> Self {
        Self { sizes: self.sizes + u32::from(self.searches), ..self }
    }

    /// The weight of the filters alone, each of which tests a node once.
    fn of_filters(segments: &[Segment]) -> Self {
        let (mut all, mut searched) = (Self::default(), false);
        for segment in segments {
            searched |= segment.descends;
            for filter in segment.filters() {
                // What is tested may be in what is tested.
                let depths = filter.weight.depths + u32::from(searched && filter.weight.searches);
                all.add(&Self { depths, ..filter.weight });
            }
        }
        all
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.steps = self.steps.saturating_add(other.steps);
        self.depths = self.depths.max(other.depths);
        self.sizes = self.sizes.max(other.sizes);
        self.searches |= other.searches;
    }

    /// Whether a query takes few steps in a value, or so many for each node as its text is long.
    fn is_light(&self, len: usize, value: &Value) -> bool {
        let len = len as u64;
        if self.depths == 0 && self.sizes == 0 && self.steps <= len {
            return true;
        }
        let (size, depth) = measure(value);
        let around = depth.saturating_pow(self.depths);
        let steps = self.steps.saturating_mul(around);
        let steps = steps.saturating_mul(size.saturating_pow(self.sizes.saturating_add(1)));
        steps <= STEPS.max(size.saturating_mul(len))
    }
}

/// Returns how many nodes there are in a value, and how many are around the innermost ones.
fn measure(value: &Value) -> (u64, u64) {
    let add = |(size, depth): (u64, u64), below| {
        let (more, deeper) = measure(below);
        (size + more, depth.max(deeper + 1))
    };
    match value {
        Value::Object(fields) => fields.values().fold((1, 1), add),
        Value::Array(elements) => elements.iter().fold((1, 1), add),
        _ => (1, 1),
    }
}
