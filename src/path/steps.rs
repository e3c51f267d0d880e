//! Counting of the steps that the query engine would take for filters, before it runs.

use serde_json::Value;

use super::{
    node::count_step,
    segment::{Filter, Measure, Read, Route, Segment, Selector, place_in},
};

/// A query may take more steps in this object than allowed.
#[derive(Debug)]
pub(super) struct TooMany;

/// A counter for the steps of a query in one object. A step takes about as long as the lookup of a
/// field.
pub(super) struct Steps<'v> {
    root: &'v Value,
    allowance: Allowance,
    taken: u64,
    most: u64,
    is_measured: bool,
}

/// The number of steps that a query may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Steps for each node of the object and each piece of its strings.
    pub(super) each: u64,
    /// Additional steps for patterns, for each of these, up to [`PATTERNS`].
    pub(super) patterns: u64,
}

/// The number of steps that any query may take.
const FREE: u64 = 1 << 12;

/// The maximum of the additional steps for patterns, whose costs the path determines.
const PATTERNS: u64 = 1 << 22;

/// The number of bytes that the engine compares or counts in one step.
const BYTES_PER_STEP: usize = 16;

impl Measure {
    fn steps(self, value: &Value) -> u64 {
        match (self, value) {
            (Self::Nothing, _) => 0,
            (Self::Text(pattern), Value::String(text)) => pattern.saturating_add(text.len() as u64),
            (Self::Length, Value::String(_)) | (Self::All, _) => size(value),
            (Self::Text(_) | Self::Length, _) => 1,
        }
    }
}

impl<'v> Steps<'v> {
    pub(super) fn new(root: &'v Value, allowance: Allowance) -> Self {
        Self { root, allowance, taken: 0, most: FREE, is_measured: false }
    }

    /// Counts the steps of a filter that tests the children of a node.
    pub(super) fn filter(&mut self, filter: &Filter, node: &'v Value) -> Result<(), TooMany> {
        let tested = match node {
            Value::Object(fields) => fields.len() as u64,
            Value::Array(elements) => elements.len() as u64,
            _ => return Ok(()),
        };
        self.take(tested.saturating_mul(filter.steps))?;
        for read in filter.reads.iter().filter(|_| tested > 0) {
            if read.is_from_root() {
                let before = self.taken;
                self.read(read, node)?;
                let once = self.taken - before;
                self.take(once.saturating_mul(tested - 1))?;
            } else {
                children(node, |child| self.read(read, child))?;
            }
        }
        Ok(())
    }

    fn read(&mut self, read: &Read, node: &'v Value) -> Result<(), TooMany> {
        let start = |route: &Route| if route.from_root { self.root } else { node };
        match read {
            Read::Found(route, measure) => self.follow(&route.segments, start(route), *measure),
            Read::Compared(one, other) => {
                let found = |route| single(start(route), route);
                if let (Some(one), Some(other)) = (found(one), found(other)) {
                    return self.compare(one, other);
                }
                Ok(())
            }
        }
    }

    /// Counts the steps that the engine takes for a query of these segments, as if all filters in them
    /// passed.
    pub(super) fn follow(
        &mut self,
        segments: &[Segment],
        node: &'v Value,
        measure: Measure,
    ) -> Result<(), TooMany> {
        match segments.split_first() {
            Some((segment, rest)) => self.segment(segment, rest, node, measure, 0),
            None => self.take(measure.steps(node)),
        }
    }

    fn segment(
        &mut self,
        segment: &Segment,
        rest: &[Segment],
        node: &'v Value,
        measure: Measure,
        level: u64,
    ) -> Result<(), TooMany> {
        self.take(1)?;
        // The engine moves the nodes that it finds up by one level at a time.
        let found = 1 + level / 8;
        let go_on = |own: &mut Self, child| {
            own.take(found)?;
            own.follow(rest, child, measure)
        };
        for selector in &segment.selectors {
            match (selector, node) {
                (Selector::Name(name), Value::Object(fields)) => {
                    fields.get(&**name).map_or(Ok(()), |child| go_on(self, child))?;
                }
                (Selector::Index(index), Value::Array(elements)) => {
                    let place = place_in(*index, elements.len());
                    place.map_or(Ok(()), |at| go_on(self, &elements[at]))?;
                }
                (Selector::Slice(slice), Value::Array(elements)) => {
                    let mut places = slice.places(elements.len());
                    places.try_for_each(|at| go_on(self, &elements[at]))?;
                }
                (Selector::Any, _) => children(node, |child| go_on(self, child))?,
                (Selector::Filter(filter), _) => {
                    self.filter(filter, node)?;
                    children(node, |child| go_on(self, child))?;
                }
                _ => {}
            }
        }
        if !segment.descends {
            return Ok(());
        }
        children(node, |child| self.segment(segment, rest, child, measure, level + 1))
    }

    /// Counts the steps of a comparison, which ends with the smaller value.
    fn compare(&mut self, one: &Value, other: &Value) -> Result<(), TooMany> {
        match (one, other) {
            (Value::Object(fields), Value::Object(others)) if fields.len() == others.len() => {
                for ((name, field), other) in fields.iter().zip(others.values()) {
                    self.take(pieces(name))?;
                    self.compare(field, other)?;
                }
                Ok(())
            }
            (Value::Array(elements), Value::Array(others)) if elements.len() == others.len() => {
                let mut pairs = elements.iter().zip(others);
                pairs.try_for_each(|(one, other)| self.compare(one, other))
            }
            (Value::String(one), Value::String(other)) => self.take(pieces(one).min(pieces(other))),
            _ => self.take(1),
        }
    }

    fn take(&mut self, steps: u64) -> Result<(), TooMany> {
        count_step();
        self.taken = self.taken.saturating_add(steps);
        if self.taken > self.most && !self.is_measured {
            let Allowance { each, patterns } = self.allowance;
            let size = size(self.root);
            let patterns = size.saturating_mul(patterns).min(PATTERNS);
            self.most = FREE.saturating_add(size.saturating_mul(each)).saturating_add(patterns);
            self.is_measured = true;
        }
        if self.taken <= self.most { Ok(()) } else { Err(TooMany) }
    }
}

/// Calls a function for each field or element, until it fails.
fn children<'v>(
    node: &'v Value,
    child: impl FnMut(&'v Value) -> Result<(), TooMany>,
) -> Result<(), TooMany> {
    match node {
        Value::Object(fields) => fields.values().try_for_each(child),
        Value::Array(elements) => elements.iter().try_for_each(child),
        _ => Ok(()),
    }
}

/// Returns the node that a route selects; the route must be [single](Route::is_single).
fn single<'v>(start: &'v Value, route: &Route) -> Option<&'v Value> {
    let mut selectors = route.segments.iter().flat_map(|segment| &segment.selectors);
    selectors.try_fold(start, |node, selector| match selector {
        Selector::Name(name) => node.as_object()?.get(&**name),
        Selector::Index(index) => {
            let elements = node.as_array()?;
            elements.get(place_in(*index, elements.len())?)
        }
        _ => None,
    })
}

/// Returns the number of nodes in a value, plus that of the pieces of its strings and names.
fn size(value: &Value) -> u64 {
    match value {
        Value::Object(fields) => {
            1 + fields.iter().map(|(name, field)| pieces(name) - 1 + size(field)).sum::<u64>()
        }
        Value::Array(elements) => 1 + elements.iter().map(size).sum::<u64>(),
        Value::String(text) => pieces(text),
        _ => 1,
    }
}

fn pieces(text: &str) -> u64 {
    1 + (text.len() / BYTES_PER_STEP) as u64
}
