//! The usual shape of objects of a kind, learned from earlier objects.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use crate::json::Scanner;

/// A tree of the fields of a kind, with the order in which they follow each other. Objects of a kind
/// have most fields in the same order. So one comparison of two words usually recognizes the next field,
/// and finds everything that is known about it.
#[derive(Debug)]
pub(super) struct Shape {
    nodes: Vec<Node>,
    /// Nodes by their parent and the number of the field's name.
    fields: HashMap<(At, usize), At, RandomState>,
}

/// The index of a node of the shape: a field of the objects, or the elements of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct At(u32);

/// A field, with all that is known about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) number: usize,
    /// The hash of the field's name.
    pub(super) hash: u64,
    pub(super) rule: Rule,
    pub(super) role: Role,
}

/// The part of a field that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Nothing,
    /// Something in the field is or may be removed.
    Part,
    All,
}

/// The role of a field in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The object itself.
    Object,
    Metadata,
    ApiVersion,
    Kind,
    /// This part of the object's identity.
    Identity(usize),
    Other,
}

/// The position before a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Before {
    /// The start of this object.
    First(At),
    Field(At),
    Unknown,
}

/// Nodes that may come next, the most recent first.
type Guesses = [Option<At>; 2];

#[derive(Debug)]
struct Node {
    field: Field,
    /// The name with quotes and colon.
    name: [u128; 2],
    /// The bits of the text to compare with `name`.
    mask: [u128; 2],
    len: usize,
    /// Fields that came after this one.
    after: Guesses,
    /// Fields that came first in this object.
    inside: Guesses,
}

/// The length, with quotes and colon, up to which a name can be guessed.
const LONGEST: usize = 32;

/// The maximum number of nodes.
const SIZE: usize = 1 << 12;

/// Stands for the elements of an array, instead of the number of a name.
const ELEMENTS: usize = usize::MAX;

impl Shape {
    pub(super) const ROOT: At = At(0);

    pub(super) fn field(&self, at: At) -> Field {
        self.node(at).field
    }

    /// Guesses the next field; if the guess is right, steps over the name and the colon and returns the
    /// node.
    #[inline]
    pub(super) fn guess(&self, before: Before, scan: &mut Scanner<'_>) -> Option<At> {
        let guesses = match before {
            Before::First(within) => &self.node(within).inside,
            Before::Field(field) => &self.node(field).after,
            Before::Unknown => return None,
        };
        let text = scan.words()?;
        let is = |at: &At| self.node(*at).is(text);
        let found = guesses[0].filter(is).or_else(|| guesses[1].filter(is))?;
        scan.jump(self.node(found).len);
        Some(found)
    }

    /// Returns the node of a field that was not guessed; adds it if there is room.
    pub(super) fn find(
        &mut self,
        within: At,
        before: Before,
        name: &str,
        number: usize,
        field: impl FnOnce() -> Field,
    ) -> Option<At> {
        let at = self.child(within, number, || Node::new(name.as_bytes(), field()))?;
        let guesses = match before {
            Before::First(within) => &mut self.node_mut(within).inside,
            Before::Field(field) => &mut self.node_mut(field).after,
            Before::Unknown => return Some(at),
        };
        if guesses[0] != Some(at) {
            *guesses = [Some(at), guesses[0]];
        }
        Some(at)
    }

    /// Returns the node for the elements of an array; adds it if there is room.
    pub(super) fn elements(&mut self, array: At) -> Option<At> {
        let field = self.field(array);
        self.child(array, ELEMENTS, || Node::new(b"", field))
    }

    fn child(&mut self, within: At, number: usize, new: impl FnOnce() -> Node) -> Option<At> {
        if let Some(at) = self.fields.get(&(within, number)) {
            return Some(*at);
        }
        let at = At(u32::try_from(self.nodes.len()).ok().filter(|_| self.nodes.len() < SIZE)?);
        self.nodes.push(new());
        self.fields.insert((within, number), at);
        Some(at)
    }

    #[inline]
    fn node(&self, At(at): At) -> &Node {
        &self.nodes[at as usize]
    }

    fn node_mut(&mut self, At(at): At) -> &mut Node {
        &mut self.nodes[at as usize]
    }
}

impl Default for Shape {
    fn default() -> Self {
        let object = Field { number: 0, hash: 0, rule: Rule::Part, role: Role::Object };
        Self { nodes: vec![Node::new(b"", object)], fields: HashMap::default() }
    }
}

impl Node {
    fn new(name: &[u8], field: Field) -> Self {
        let (mut text, mut mask) = ([0; LONGEST], [0; LONGEST]);
        let mut len = name.len() + 3;
        if name.is_empty() || len > LONGEST {
            // JSON has no zero bytes, so this never matches.
            (len, mask) = (0, [u8::MAX; LONGEST]);
        } else {
            text[0] = b'"';
            text[1..=name.len()].copy_from_slice(name);
            text[name.len() + 1..len].copy_from_slice(b"\":");
            mask[..len].fill(u8::MAX);
        }
        Self {
            field,
            name: words(&text),
            mask: words(&mask),
            len,
            after: [None; 2],
            inside: [None; 2],
        }
    }

    #[inline]
    fn is(&self, text: &[u8; LONGEST]) -> bool {
        let text = words(text);
        let [a, b] = [0, 1].map(|half| (text[half] ^ self.name[half]) & self.mask[half]);
        a | b == 0
    }
}

impl Role {
    /// Returns the role of a field of this name, in an object that has the role `self`.
    pub(super) fn of(self, name: &str) -> Self {
        match (self, name) {
            (Self::Object, "metadata") => Self::Metadata,
            (Self::Object, "apiVersion") => Self::ApiVersion,
            (Self::Object, "kind") => Self::Kind,
            (Self::Metadata, "name") => Self::Identity(0),
            (Self::Metadata, "namespace") => Self::Identity(1),
            (Self::Metadata, "uid") => Self::Identity(2),
            (Self::Metadata, "resourceVersion") => Self::Identity(3),
            _ => Self::Other,
        }
    }
}

#[inline]
fn words(bytes: &[u8; LONGEST]) -> [u128; 2] {
    let (words, _) = bytes.as_chunks();
    [0, 1].map(|half| u128::from_le_bytes(words[half]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Before = Before::First(Shape::ROOT);

    fn find(shape: &mut Shape, before: Before, name: &str, number: usize) -> Option<At> {
        let field = || Field { number, hash: 0, rule: Rule::Nothing, role: Role::Other };
        shape.find(Shape::ROOT, before, name, number, field)
    }

    #[test]
    fn what_came_before_is_guessed() {
        let mut shape = Shape::default();
        let text = br#""name":1,"uid" :2,"name":3                                "#;
        let name = find(&mut shape, FIRST, "name", 1).unwrap();
        let uid = find(&mut shape, Before::Field(name), "uid", 2).unwrap();
        let mut scan = Scanner::new(text, 0);
        assert_eq!(shape.guess(FIRST, &mut scan), Some(name));
        assert_eq!(scan.position(), 7);
        // Written in another way.
        let mut scan = Scanner::new(text, 9);
        assert_eq!(shape.guess(Before::Field(name), &mut scan), None);
        assert_eq!(scan.position(), 9);
        // The one before the last, too.
        assert_eq!(find(&mut shape, FIRST, "uid", 2), Some(uid));
        let mut scan = Scanner::new(text, 18);
        assert_eq!(shape.guess(FIRST, &mut scan), Some(name));
        // Too near to the end to be compared.
        assert_eq!(shape.guess(FIRST, &mut Scanner::new(&text[..20], 0)), None);
        assert_eq!(shape.guess(Before::Unknown, &mut Scanner::new(text, 0)), None);
    }

    #[test]
    fn names_that_are_too_long_are_found_only() {
        let mut shape = Shape::default();
        for len in [1, 28, 29, 30, 60] {
            let name = "x".repeat(len);
            let own = find(&mut shape, FIRST, &name, len).unwrap();
            let text = format!("\"{name}\":{}", " ".repeat(LONGEST));
            let guess = shape.guess(FIRST, &mut Scanner::new(text.as_bytes(), 0));
            assert_eq!(guess, (len < 30).then_some(own), "{len}");
            assert_eq!(shape.field(own).number, len);
        }
    }

    #[test]
    fn it_grows_no_further_than_it_may() {
        let mut shape = Shape::default();
        let name = |number: usize| number.to_string();
        let found =
            (0..2 * SIZE).filter_map(|number| find(&mut shape, FIRST, &name(number), number));
        assert_eq!(found.count(), SIZE - 1);
        assert!(shape.elements(Shape::ROOT).is_none());
    }
}
