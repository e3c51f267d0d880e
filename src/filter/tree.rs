//! The paths of a filter, merged into a tree.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::path::{Segment, Step};

/// Paths of the values to remove (or to keep) as a tree, with a node for each plain step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// True if a path ends here: the value is removed, or kept.
    ends: bool,
    /// Set in the root if the paths are those to keep.
    keeps: bool,
    names: BTreeMap<Box<str>, Tree>,
    /// Boxed because most nodes have none, and there may be many nodes.
    other: Option<Box<Other>>,
}

/// Continuations of paths that don't start with a name.
#[derive(Clone, Debug, Default)]
struct Other {
    indexes: BTreeMap<i64, Tree>,
    any: Option<Tree>,
    /// The rest of each path whose next step is not plain. No path here has a filter.
    searches: Vec<Box<[Segment]>>,
}

/// A place in an object: the tree nodes that apply there.
#[derive(Clone, Debug)]
pub(crate) enum Place<'t> {
    One(Node<'t>),
    /// Several nodes, for instance at `a.b` with `a.b.c` and `a.*.d` in the tree.
    Many(Vec<Node<'t>>),
    /// A place where only the values that these nodes lead to are kept; without nodes, nothing is kept.
    Only(Vec<Node<'t>>),
}

/// The continuation of one or several paths from a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'t> {
    Plain(&'t Tree),
    /// The remaining segments of a path.
    Search(&'t [Segment]),
}

impl Tree {
    /// Makes a tree whose paths are those to keep.
    pub(super) fn keeping() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    pub(super) fn insert<'s>(&mut self, steps: impl IntoIterator<Item = &'s Step>) {
        steps.into_iter().fold(self, |node, step| node.child(step.clone())).ends = true;
    }

    /// Adds a path without filters.
    pub(super) fn insert_path(&mut self, mut segments: &[Segment]) {
        let mut node = self;
        while let Some((first, later)) = segments.split_first() {
            let Some(step) = first.step() else {
                return node.other.get_or_insert_default().searches.push(segments.into());
            };
            node = node.child(step);
            segments = later;
        }
        node.ends = true;
    }

    /// Returns the child for a step; adds it if needed.
    fn child(&mut self, step: Step) -> &mut Self {
        match step {
            Step::Name(name) => self.names.entry(name).or_default(),
            Step::Index(index) => {
                self.other.get_or_insert_default().indexes.entry(index).or_default()
            }
            Step::Any => self.other.get_or_insert_default().any.get_or_insert_default(),
        }
    }

    /// Returns a tree of the paths from `value` to each value that `is_found` accepts; `None` if there
    /// is none.
    pub(super) fn of_values(value: &Value, is_found: &impl Fn(&Value) -> bool) -> Option<Self> {
        let below = |value| {
            if is_found(value) {
                return Some(Self { ends: true, ..Self::default() });
            }
            Self::of_values(value, is_found)
        };
        let mut tree = Self::default();
        match value {
            Value::Object(fields) => {
                let found = fields.iter().filter_map(|(name, own)| Some((&**name, below(own)?)));
                tree.names = found.map(|(name, tree)| (name.into(), tree)).collect();
            }
            Value::Array(elements) => {
                let found = (0..).zip(elements).filter_map(|(at, own)| Some((at, below(own)?)));
                let indexes: BTreeMap<_, _> = found.collect();
                let any_found = !indexes.is_empty();
                tree.other = any_found.then(|| Box::new(Other { indexes, ..Other::default() }));
            }
            _ => {}
        }
        (!tree.is_empty()).then_some(tree)
    }

    /// Returns the place of the root of an object; `None` if there is nothing to remove.
    pub(super) fn root(&self) -> Option<Place<'_>> {
        if self.keeps {
            return (!self.ends).then(|| Place::Only(vec![Node::Plain(self)]));
        }
        (!self.is_empty()).then_some(Place::One(Node::Plain(self)))
    }

    /// Returns the place of the root of an object from which another tree may remove fields, too.
    pub(super) fn root_with<'t>(&'t self, other: Option<&'t Self>) -> Option<Place<'t>> {
        match other {
            Some(other) => Some(Place::Many(vec![Node::Plain(self), Node::Plain(other)])),
            None => self.root(),
        }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.other.is_none()
    }
}

impl<'t> Place<'t> {
    /// Returns whether the value at this place is removed.
    pub(crate) fn ends(&self) -> bool {
        match self {
            Place::Only(nodes) => nodes.is_empty(),
            _ => self.nodes().iter().any(Node::ends),
        }
    }

    /// Returns the place of a field; `None` if nothing of the field can be removed.
    pub(crate) fn field(&self, name: &str) -> Option<Place<'t>> {
        self.below(|node, found| {
            if let Node::Plain(tree) = node {
                found.plain(tree.names.get(name));
            }
            found.others(node, |segment| segment.may_select(name));
        })
    }

    /// Returns the place of an element. `len` is used only if [`counts_back`](Self::counts_back).
    pub(crate) fn element(&self, index: usize, len: usize) -> Option<Place<'t>> {
        let [from_start, all] = [index, len].map(|at| i64::try_from(at).unwrap_or(i64::MAX));
        let from_end = from_start - all;
        self.below(|node, found| {
            if let Some(Other { indexes, .. }) = node.other() {
                found.plain(indexes.get(&from_start));
                found.plain(indexes.get(&from_end).filter(|_| from_end < 0));
            }
            found.others(node, |segment| segment.may_select_index(index, len));
        })
    }

    /// Returns whether the elements that are removed depend on their indexes.
    pub(crate) fn has_indexes(&self) -> bool {
        self.nodes().iter().any(|node| {
            node.other().is_some_and(|other| !other.indexes.is_empty())
                || node.next().any(Segment::has_indexes)
        })
    }

    /// Returns whether a path counts elements from the end of the array.
    pub(crate) fn counts_back(&self) -> bool {
        self.nodes().iter().any(|node| {
            node.other().is_some_and(|other| other.indexes.range(..0).next().is_some())
                || node.next().any(Segment::counts_back)
        })
    }

    fn nodes(&self) -> &[Node<'t>] {
        match self {
            Place::One(node) => std::slice::from_ref(node),
            Place::Many(nodes) | Place::Only(nodes) => nodes,
        }
    }

    fn below(&self, find: impl Fn(Node<'t>, &mut Found<'t>)) -> Option<Place<'t>> {
        let mut found = Found(None);
        self.nodes().iter().for_each(|node| find(*node, &mut found));
        if !matches!(self, Place::Only(_)) {
            return found.0;
        }
        match found.0 {
            None => Some(Place::Only(Vec::new())),
            Some(place) if place.ends() => None,
            Some(place) => Some(Place::Only(place.nodes().to_vec())),
        }
    }
}

/// Nodes found below a place. Mostly there is only one, which costs no allocation.
struct Found<'t>(Option<Place<'t>>);

impl<'t> Found<'t> {
    #[inline]
    fn plain(&mut self, tree: Option<&'t Tree>) {
        if let Some(tree) = tree {
            self.add(Node::Plain(tree));
        }
    }

    /// Adds the continuations of paths by steps other than a name or an index, if these may select the
    /// child.
    #[inline]
    fn others(&mut self, node: Node<'t>, is_selected: impl Fn(&Segment) -> bool) {
        match node {
            Node::Search(search) => self.search(search, is_selected),
            Node::Plain(Tree { other: Some(other), .. }) => {
                self.plain(other.any.as_ref());
                other.searches.iter().for_each(|search| self.search(search, &is_selected));
            }
            Node::Plain(_) => {}
        }
    }

    fn search(&mut self, segments: &'t [Segment], is_selected: impl Fn(&Segment) -> bool) {
        let Some((first, rest)) = segments.split_first() else { return };
        if first.descends {
            self.add(Node::Search(segments));
        }
        if is_selected(first) {
            self.add(Node::Search(rest));
        }
    }

    fn add(&mut self, node: Node<'t>) {
        self.0 = Some(match self.0.take() {
            None => Place::One(node),
            Some(Place::One(first)) if first.is(node) => Place::One(first),
            Some(Place::One(first)) => Place::Many(vec![first, node]),
            Some(Place::Many(mut all) | Place::Only(mut all)) => {
                // Nodes of one path come in its order, so a node that is found twice comes twice in a
                // row.
                if !all.last().is_some_and(|last| last.is(node)) {
                    all.push(node);
                }
                Place::Many(all)
            }
        });
    }
}

impl<'t> Node<'t> {
    fn ends(&self) -> bool {
        match self {
            Self::Plain(tree) => tree.ends,
            Self::Search(search) => search.is_empty(),
        }
    }

    fn other(self) -> Option<&'t Other> {
        match self {
            Self::Plain(tree) => tree.other.as_deref(),
            Self::Search(_) => None,
        }
    }

    /// Returns the next segments of all paths here.
    fn next(self) -> impl Iterator<Item = &'t Segment> {
        let own = match self {
            Self::Plain(_) => None,
            Self::Search(search) => search.first(),
        };
        let searches = self.other().into_iter().flat_map(|other| &other.searches);
        own.into_iter().chain(searches.filter_map(|search| search.first()))
    }

    /// Returns whether both are the same position in the same path.
    fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Search(own), Self::Search(other)) => std::ptr::eq(own, other),
            _ => false,
        }
    }
}
