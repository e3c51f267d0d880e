//! Nodes of an object, in each form that a query can traverse.

use std::collections::HashSet;

use foldhash::quality::RandomState;
use serde_json::Value;

use crate::tape::{self, Tape, dictionary};

/// A value in an object.
pub(super) trait Node: Copy {
    type Places: Places<Self>;
    /// A name in the form in which it is looked up in objects.
    type Number: Copy;

    fn number(name: &str) -> Self::Number;

    fn is_container(self) -> bool;

    /// Returns the field of this name, if the node is an object that has one.
    fn field(self, name: &str, number: Self::Number) -> Option<Self>;

    /// Calls a function for each field or element, in order.
    fn each_child(self, child: impl FnMut(Self));

    /// Returns the elements, if the node is an array.
    fn elements(self) -> Vec<Self>;
}

/// A set of nodes of one object.
pub(super) trait Places<N>: Default {
    /// Adds a node, and returns whether it was not there before.
    fn add(&mut self, node: N) -> bool;
}

/// A set of values by their addresses.
pub(super) type Addresses = HashSet<*const Value, RandomState>;

impl Node for &Value {
    type Places = Addresses;
    type Number = ();

    fn number(_: &str) {}

    fn is_container(self) -> bool {
        self.is_object() || self.is_array()
    }

    fn field(self, name: &str, (): ()) -> Option<Self> {
        self.as_object()?.get(name)
    }

    fn each_child(self, child: impl FnMut(Self)) {
        match self {
            Value::Object(fields) => fields.values().for_each(child),
            Value::Array(elements) => elements.iter().for_each(child),
            _ => {}
        }
    }

    fn elements(self) -> Vec<Self> {
        self.as_array().into_iter().flatten().collect()
    }
}

impl Places<&Value> for Addresses {
    fn add(&mut self, node: &Value) -> bool {
        self.insert(std::ptr::from_ref(node))
    }
}

/// A set of positions on a tape, with a bit for each.
#[derive(Default)]
pub(super) struct Bits(Vec<u64>);

impl Node for Tape<'_> {
    type Places = Bits;
    type Number = Option<usize>;

    fn number(name: &str) -> Option<usize> {
        dictionary::number(name)
    }

    fn is_container(mut self) -> bool {
        matches!(self.next(), tape::Value::Object(_) | tape::Value::Array(_))
    }

    fn field(mut self, name: &str, number: Option<usize>) -> Option<Self> {
        self.seek_known(name, number).then_some(self)
    }

    fn each_child(mut self, mut child: impl FnMut(Self)) {
        let (end, has_names) = match self.next() {
            tape::Value::Object(end) => (end, true),
            tape::Value::Array(end) => (end, false),
            _ => return,
        };
        while self.is_before(end) {
            if has_names {
                self.name();
            }
            child(self);
            self.skip();
        }
    }

    fn elements(mut self) -> Vec<Self> {
        let mut elements = Vec::new();
        if let tape::Value::Array(end) = self.next() {
            while self.is_before(end) {
                elements.push(self);
                self.skip();
            }
        }
        elements
    }
}

impl Places<Tape<'_>> for Bits {
    fn add(&mut self, node: Tape<'_>) -> bool {
        let (word, bit) = (node.position() / 64, 1 << (node.position() % 64));
        while word >= self.0.len() {
            count_step();
            self.0.push(0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}

/// Counts a visited node.
pub(super) fn count_step() {
    #[cfg(test)]
    STEPS_TAKEN.set(STEPS_TAKEN.get() + 1);
}

#[cfg(test)]
thread_local! {
    /// The number of nodes visited in this thread.
    pub(crate) static STEPS_TAKEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
