//! The paths of a filter, laid over each other.

use std::collections::BTreeMap;

use crate::path::{Step, place_in};

/// What to remove, or all that is not: plain paths laid over each other, a node for each step.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// A path ends here: what stands here goes, or stays.
    ends: bool,
    /// Of the root: the paths say what stays.
    keeps: bool,
    names: BTreeMap<Box<str>, Tree>,
    indexes: BTreeMap<i64, Tree>,
    any: Option<Box<Tree>>,
}

/// Where in an object we are, as the nodes of a tree that apply there.
#[derive(Clone, Debug)]
pub(super) enum Place<'t> {
    One(&'t Tree),
    /// For instance at `a.b`, with `a.b.c` and `a.*.d` in the tree.
    Many(Vec<&'t Tree>),
    /// Where only what these lead to stays: nothing, if there are none.
    Only(Vec<&'t Tree>),
}

impl Tree {
    /// One whose paths say what stays.
    pub(super) fn keeping() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    pub(super) fn insert<'s>(&mut self, steps: impl IntoIterator<Item = &'s Step>) {
        let mut node = self;
        for step in steps {
            node = match step {
                Step::Name(name) => node.names.entry(name.clone()).or_default(),
                Step::Index(index) => node.indexes.entry(*index).or_default(),
                Step::Any => node.any.get_or_insert_default(),
            };
        }
        node.ends = true;
    }

    /// Where an object starts; `None` if there is nothing to remove.
    pub(super) fn root(&self) -> Option<Place<'_>> {
        if self.keeps {
            return (!self.ends).then(|| Place::Only(vec![self]));
        }
        let empty = self.names.is_empty() && self.indexes.is_empty() && self.any.is_none();
        (!empty).then_some(Place::One(self))
    }
}

impl<'t> Place<'t> {
    /// Whether what stands here is removed.
    pub(super) fn ends(&self) -> bool {
        match self {
            Place::Only(nodes) => nodes.is_empty(),
            _ => self.nodes().iter().any(|node| node.ends),
        }
    }

    /// The place of a field, if anything in it or itself may be removed.
    pub(super) fn field(&self, name: &str) -> Option<Place<'t>> {
        self.below(|node, found| {
            found.extend(node.names.get(name));
            found.extend(node.any.as_deref());
        })
    }

    /// The place of an element. `len` is needed only if [`counts_back`](Self::counts_back).
    pub(super) fn element(&self, index: usize, len: usize) -> Option<Place<'t>> {
        self.below(|node, found| {
            found.extend(i64::try_from(index).ok().and_then(|index| node.indexes.get(&index)));
            let from_end = node.indexes.range(..0);
            found.extend(
                from_end.filter(|(at, _)| place_in(**at, len) == Some(index)).map(|(_, node)| node),
            );
            found.extend(node.any.as_deref());
        })
    }

    /// Whether what is removed depends on an element's place.
    pub(super) fn has_indexes(&self) -> bool {
        self.nodes().iter().any(|node| !node.indexes.is_empty())
    }

    /// Whether elements are counted from the end of an array here.
    pub(super) fn counts_back(&self) -> bool {
        self.nodes().iter().any(|node| node.indexes.range(..0).next().is_some())
    }

    fn nodes(&self) -> &[&'t Tree] {
        match self {
            Place::One(node) => std::slice::from_ref(node),
            Place::Many(nodes) | Place::Only(nodes) => nodes,
        }
    }

    fn below(&self, find: impl Fn(&'t Tree, &mut Found<'t>)) -> Option<Place<'t>> {
        let mut found = Found(None);
        self.nodes().iter().for_each(|node| find(node, &mut found));
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

/// Nodes found below a place; most often there is one, which costs no allocation.
struct Found<'t>(Option<Place<'t>>);

impl<'t> Extend<&'t Tree> for Found<'t> {
    fn extend<I: IntoIterator<Item = &'t Tree>>(&mut self, nodes: I) {
        for node in nodes {
            self.0 = Some(match self.0.take() {
                None => Place::One(node),
                Some(Place::One(first)) => Place::Many(vec![first, node]),
                Some(Place::Many(mut all) | Place::Only(mut all)) => {
                    all.push(node);
                    Place::Many(all)
                }
            });
        }
    }
}
