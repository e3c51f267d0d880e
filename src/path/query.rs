//! Paths that search, take several fields or elements, or have filters.
//!
//! Each segment maps a list of nodes to another list, in the order of RFC 9535, but without duplicates.
//! So the work is nearly linear in the nodes of the object times the segments, however often searches
//! overlap. Only filters are run by `serde_json_path`, after their steps were counted.

use serde_json::Value;
use serde_json_path::JsonPath;

use super::{
    node::{Node, Places, count_step},
    segment::{Filter, Measure, Segment, Selector, place_in},
    steps::{Allowance, Steps, TooMany},
};
use crate::tape::Tape;

/// A path that is not plain.
pub(crate) struct Query {
    /// The whole path, for the engine, if its filters read from the root.
    whole: Option<JsonPath>,
    allowance: Allowance,
}

/// The number of steps that a query may take for each node, besides one for each character of the path.
const STEPS: u64 = 64;

impl Query {
    /// Makes a query of these segments; `text` is their RFC 9535 notation. Returns `None` if the engine
    /// rejects it.
    pub(super) fn new(segments: &[Segment], text: &str) -> Option<Self> {
        let path = JsonPath::parse(text).ok()?;
        let whole = segments.iter().any(Segment::reads_root).then_some(path);
        let filters = segments.iter().flat_map(Segment::filters);
        let patterns = filters.map(|filter| filter.patterns).fold(0, u64::saturating_add);
        let allowance = Allowance { each: STEPS + text.len() as u64, patterns };
        Some(Self { whole, allowance })
    }

    /// Returns the values that the segments select, in order; without duplicates, unless the engine runs
    /// the whole path. Fails if the filters may take too many steps.
    pub(super) fn select<'v>(
        &self,
        segments: &[Segment],
        root: &'v Value,
    ) -> Result<Vec<&'v Value>, TooMany> {
        let mut steps = Steps::new(root, self.allowance);
        if let Some(path) = &self.whole {
            steps.follow(segments, root, Measure::Nothing)?;
            return Ok(path.query(root).all());
        }
        nodes(segments, root, &mut |filter, node| {
            steps.filter(filter, node)?;
            Ok(filter.test.query(node).all())
        })
    }
}

/// Returns the nodes that segments without filters select, in order and without duplicates.
pub(super) fn on_tape<'t>(segments: &[Segment], tape: Tape<'t>) -> Vec<Tape<'t>> {
    nodes(segments, tape, &mut |_, _| Ok(Vec::new())).unwrap_or_default()
}

/// Returns the nodes that segments select; no segment may read from the root. `filter` returns the
/// children of a node that a filter selects.
fn nodes<N: Node>(
    segments: &[Segment],
    root: N,
    filter: &mut impl FnMut(&Filter, N) -> Result<Vec<N>, TooMany>,
) -> Result<Vec<N>, TooMany> {
    let mut nodes = vec![root];
    for segment in segments {
        let is_union = segment.selectors.len() > 1;
        let mut found = Found { filter, nodes: Vec::new(), is_union, seen: N::Places::default() };
        let selectors: Vec<_> = segment.selectors.iter().map(numbered::<N>).collect();
        let mut searched = N::Places::default();
        for node in nodes {
            if segment.descends {
                found.search(&selectors, node, &mut searched)?;
            } else {
                found.children(&selectors, node)?;
            }
        }
        nodes = found.nodes;
    }
    Ok(nodes)
}

/// A selector, with its name in the form in which it is looked up.
type Numbered<'s, N> = (&'s Selector, Option<<N as Node>::Number>);

fn numbered<N: Node>(selector: &Selector) -> Numbered<'_, N> {
    match selector {
        Selector::Name(name) => (selector, Some(N::number(name))),
        _ => (selector, None),
    }
}

/// The nodes that one segment selects.
struct Found<'f, N: Node, F> {
    filter: &'f mut F,
    nodes: Vec<N>,
    /// True if several selectors may select the same child.
    is_union: bool,
    /// The nodes found so far, if this is a union.
    seen: N::Places,
}

impl<N: Node, F: FnMut(&Filter, N) -> Result<Vec<N>, TooMany>> Found<'_, N, F> {
    /// Adds the nodes that the selectors select in a node and everywhere below it; nodes that were
    /// already searched are skipped.
    fn search(
        &mut self,
        selectors: &[Numbered<'_, N>],
        node: N,
        searched: &mut N::Places,
    ) -> Result<(), TooMany> {
        if !node.is_container() || !searched.add(node) {
            return Ok(());
        }
        self.children(selectors, node)?;
        let mut outcome = Ok(());
        node.each_child(|child| {
            if outcome.is_ok() {
                outcome = self.search(selectors, child, searched);
            }
        });
        outcome
    }

    /// Adds the children of a node that the selectors select, without duplicates.
    fn children(&mut self, selectors: &[Numbered<'_, N>], node: N) -> Result<(), TooMany> {
        count_step();
        for (selector, number) in selectors {
            match selector {
                Selector::Name(name) => {
                    self.extend(number.and_then(|number| node.field(name, number)));
                }
                Selector::Any => node.each_child(|child| self.add(child)),
                Selector::Index(index) => {
                    let elements = node.elements();
                    self.extend(place_in(*index, elements.len()).map(|at| elements[at]));
                }
                Selector::Slice(slice) => {
                    let elements = node.elements();
                    self.extend(slice.places(elements.len()).map(|at| elements[at]));
                }
                Selector::Filter(filter) => {
                    let selected = (self.filter)(filter, node)?;
                    self.extend(selected);
                }
            }
        }
        Ok(())
    }

    fn extend(&mut self, children: impl IntoIterator<Item = N>) {
        children.into_iter().for_each(|child| self.add(child));
    }

    /// Adds a child. Nodes don't share children.
    fn add(&mut self, child: N) {
        if !self.is_union || self.seen.add(child) {
            count_step();
            self.nodes.push(child);
        }
    }
}
