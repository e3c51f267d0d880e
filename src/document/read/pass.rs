//! A single pass over an object.

use std::borrow::Cow;

use super::{
    duplicates::{self, Duplicates, Replaced},
    shape::{At, Before, Field, Role, Rule, Shape},
};
use crate::{
    filter::Place,
    json::{Fault, Quoted, Scanner, is_reserved},
    tape::{Writer, dictionary},
};

/// A checked object as a tape, without removed fields and without fields that a later field of the same
/// name replaces.
#[derive(Debug)]
pub(crate) struct ObjectTape {
    /// The object, followed by those strings of its identity that are written with escapes (here
    /// unescaped).
    pub(crate) tape: Box<str>,
    /// The ranges of `metadata.name`, `namespace`, `uid` and `resourceVersion` in `tape`; (0, 0) for a
    /// field that is missing.
    pub(crate) identity: [(u32, u32); 4],
    /// The end of the object in its JSON.
    pub(crate) end: usize,
    /// The start of the value of `kind` in the JSON, even if the field is removed.
    pub(crate) kind: Option<usize>,
}

/// The buffers of a reader, with the shape that it has learned.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    shape: Shape,
    out: Writer,
    duplicates: Duplicates,
}

pub(super) struct Pass<'s, 'm> {
    buffers: &'m mut Buffers,
    scan: Scanner<'s>,
    identity: [(u32, u32); 4],
    /// The fields of the identity that are written with escapes, unescaped.
    unescaped: [Option<String>; 4],
    /// The start of the value of the object's `kind`.
    kind: Option<usize>,
    /// True if the object was given types and may have none of its own.
    given: bool,
    /// The start of each field that a later one replaces; `None` before a repetition is found.
    replaced: Option<&'m Replaced>,
}

/// The reason why a pass ends before the object does.
pub(super) enum Stop {
    Fault(Fault),
    /// A name repeats or seems to, or an invalid value may be replaced by a later field.
    Duplicate,
    /// The object has types of its own.
    Typed,
}

/// A field that the shape doesn't have.
struct Other<'s> {
    /// The start of the field.
    start: usize,
    quoted: Quoted,
    name: Cow<'s, str>,
    number: Option<usize>,
    /// True if no field of the object has been kept so far.
    first: bool,
}

impl<'s, 'm> Pass<'s, 'm> {
    pub(super) fn new(
        buffers: &'m mut Buffers,
        bytes: &'s [u8],
        replaced: Option<&'m Replaced>,
    ) -> Self {
        buffers.out.clear();
        buffers.duplicates.clear();
        Self {
            buffers,
            scan: Scanner::new(bytes, 0),
            identity: Default::default(),
            unescaped: Default::default(),
            kind: None,
            given: false,
            replaced,
        }
    }

    pub(super) fn run(
        mut self,
        place: Option<&Place<'_>>,
        at: Option<At>,
        types: &[u8],
    ) -> Result<ObjectTape, Stop> {
        self.scan.space();
        self.scan.enter(b'{')?;
        self.given = !types.is_empty();
        let open = self.buffers.out.large_object();
        self.buffers.out.append(types);
        self.fields(at, place, Role::Object)?;
        self.buffers.out.close_large(open);
        let own = std::mem::take(&mut self.unescaped);
        for (place, own) in self.identity.iter_mut().zip(own) {
            let Some(own) = own else { continue };
            let start = self.buffers.out.position();
            self.buffers.out.append(own.as_bytes());
            *place = range(start, self.buffers.out.position());
        }
        let (start, end) = self.identity[0];
        let tape = self.buffers.out.finish().filter(|_| start < end).ok_or(Fault::Malformed)?;
        let (identity, kind, end) = (self.identity, self.kind, self.scan.position());
        Ok(ObjectTape { tape, identity, end, kind })
    }

    /// Writes a value to the tape. `at` is its node in the shape, if known.
    #[inline]
    fn value(&mut self, at: Option<At>, place: Option<&Place<'_>>) -> Result<(), Stop> {
        match self.scan.peek()? {
            b'"' => Ok(self.string()?),
            b'{' => {
                self.scan.enter(b'{')?;
                let open = self.buffers.out.object();
                self.fields(at, place, Role::Other)?;
                self.buffers.out.close(open);
                Ok(())
            }
            b'[' => self.array(at, place),
            _ => {
                let start = self.scan.position();
                self.scan.finite_literal()?;
                self.buffers.out.literal(self.scan.since(start));
                Ok(())
            }
        }
    }

    #[inline]
    fn string(&mut self) -> Result<(), Fault> {
        let own = self.scan.string()?;
        if own.escaped {
            return self.escaped(own);
        }
        self.buffers.out.string(self.scan.from(own.start), own.end - own.start);
        Ok(())
    }

    #[cold]
    fn escaped(&mut self, own: Quoted) -> Result<(), Fault> {
        if own.halves {
            self.scan.unescape(own)?;
        }
        self.buffers.out.escaped(self.scan.with_quotes(own));
        Ok(())
    }

    fn array(&mut self, at: Option<At>, place: Option<&Place<'_>>) -> Result<(), Stop> {
        let len = match place {
            Some(place) if place.counts_back() => self.scan.count_elements()?,
            _ => 0,
        };
        // If elements differ in what is removed, there is no node that fits them all.
        let at = match place {
            None => at,
            Some(place) if place.has_indexes() => None,
            Some(_) => at.and_then(|at| self.buffers.shape.elements(at)),
        };
        self.scan.enter(b'[')?;
        let open = self.buffers.out.array();
        let mut index = 0;
        while self.scan.next(index == 0, b']')? {
            let below = place.and_then(|place| place.element(index, len));
            if below.as_ref().is_some_and(Place::ends) {
                self.scan.skip_value()?;
            } else {
                self.value(at, below.as_ref())?;
            }
            index += 1;
        }
        self.scan.leave(b']')?;
        self.buffers.out.close(open);
        Ok(())
    }

    /// Writes the fields of the entered object to the tape, and steps out of the object.
    fn fields(
        &mut self,
        at: Option<At>,
        place: Option<&Place<'_>>,
        role: Role,
    ) -> Result<(), Stop> {
        let inside = self.buffers.out.position();
        let mut names = self.buffers.duplicates.enter();
        let (mut first, mut before) = (true, at.map_or(Before::Unknown, Before::First));
        while self.scan.next(first, b'}')? {
            first = false;
            let known = match self.buffers.shape.guess(before, &mut self.scan) {
                Some(known) => Some(known),
                None => self.field(at, before, place, role, inside, &mut names)?,
            };
            before = known.map_or(Before::Unknown, Before::Field);
            if let Some(known) = known {
                self.known(known, place, &mut names)?;
            }
        }
        self.buffers.duplicates.leave(&names);
        Ok(self.scan.leave(b'}')?)
    }

    /// Writes a field to the tape. Its name was stepped over.
    #[inline]
    fn known(
        &mut self,
        at: At,
        place: Option<&Place<'_>>,
        own: &mut duplicates::ObjectNames,
    ) -> Result<(), Stop> {
        let Field { number, hash, rule, role } = self.buffers.shape.field(at);
        self.scan.space();
        if role == Role::Kind {
            self.kind = Some(self.scan.position());
        }
        if rule == Rule::All {
            return Ok(self.scan.skip_value()?);
        }
        if self.buffers.duplicates.add(own, hash) {
            return Err(Stop::Duplicate);
        }
        self.buffers.out.name(number);
        let below = match rule {
            Rule::Part => place.and_then(|place| place.field(dictionary::name(number))),
            _ => None,
        };
        self.role(role, Some(at), below.as_ref())
    }

    /// Reads the name of the next field. If the shape has the field or learns it, returns its node. Else
    /// writes the field to the tape; `inside` is where the content of its object begins there.
    #[cold]
    fn field(
        &mut self,
        at: Option<At>,
        before: Before,
        place: Option<&Place<'_>>,
        role: Role,
        inside: usize,
        own: &mut duplicates::ObjectNames,
    ) -> Result<Option<At>, Stop> {
        let start = self.scan.position();
        let quoted = self.scan.string()?;
        self.scan.colon()?;
        let name = self.scan.unescape(quoted)?;
        let is_plain = !quoted.escaped && !is_reserved(&name);
        let number = if is_plain { dictionary::learn(&name) } else { None };
        if let Some(at) = at
            && let Some(number) = number
        {
            let field = || Field {
                number,
                hash: duplicates::hash(name.as_bytes()),
                rule: rule(place.and_then(|place| place.field(&name)).as_ref()),
                role: role.of(&name),
            };
            let known = self.buffers.shape.find(at, before, &name, number, field);
            if known.is_some() {
                return Ok(known);
            }
        }
        let first = self.buffers.out.position() == inside;
        self.other(Other { start, quoted, name, number, first }, place, role, own)?;
        Ok(None)
    }

    fn other(
        &mut self,
        Other { start, quoted, name, number, first }: Other<'s>,
        place: Option<&Place<'_>>,
        role: Role,
        own: &mut duplicates::ObjectNames,
    ) -> Result<(), Stop> {
        self.scan.space();
        let below = place.and_then(|place| place.field(&name));
        let replaced = self.replaced.is_some_and(|replaced| replaced.contains(&start));
        let role = role.of(&name);
        if role == Role::Kind && !replaced {
            self.kind = Some(self.scan.position());
        }
        if replaced || rule(below.as_ref()) == Rule::All {
            return Ok(self.scan.skip_value()?);
        }
        if self.replaced.is_none()
            && self.buffers.duplicates.add(own, duplicates::hash(name.as_bytes()))
        {
            return Err(Stop::Duplicate);
        }
        if first {
            self.scan.check_first(&name)?;
        }
        match number {
            Some(number) => self.buffers.out.name(number),
            None if quoted.escaped => self.buffers.out.escaped_name(self.scan.with_quotes(quoted)),
            None => self.buffers.out.other_name(name.as_bytes()),
        }
        self.role(role, None, below.as_ref())
    }

    /// Writes the value of a field that may be part of the object's identity.
    #[inline]
    fn role(&mut self, role: Role, at: Option<At>, place: Option<&Place<'_>>) -> Result<(), Stop> {
        match role {
            Role::Metadata => {
                if self.scan.peek()? != b'{' {
                    return Err(self.no_object());
                }
                self.scan.enter(b'{')?;
                let open = self.buffers.out.large_object();
                self.fields(at, place, Role::Metadata)?;
                self.buffers.out.close_large(open);
                Ok(())
            }
            Role::ApiVersion | Role::Kind if self.given => Err(Stop::Typed),
            Role::Identity(part) => self.identity(part),
            _ => self.value(at, place),
        }
    }

    fn identity(&mut self, part: usize) -> Result<(), Stop> {
        match self.scan.peek()? {
            b'"' => {}
            // The API server never writes null here, but serde would read it as a missing field.
            b'n' => return self.value(None, None),
            _ => return Err(self.no_object()),
        }
        let own = self.scan.string()?;
        if own.escaped {
            self.unescaped[part] = Some(self.scan.unescape(own)?.into_owned());
            return Ok(self.escaped(own)?);
        }
        let len = own.end - own.start;
        self.buffers.out.string(self.scan.from(own.start), len);
        let end = self.buffers.out.position();
        self.identity[part] = range(end - len, end);
        Ok(())
    }

    /// Returns the reason to stop at a value that no object has here: a later field may replace it, or
    /// else the object is malformed.
    #[cold]
    fn no_object(&self) -> Stop {
        if self.replaced.is_none() { Stop::Duplicate } else { Fault::Malformed.into() }
    }
}

fn rule(place: Option<&Place<'_>>) -> Rule {
    match place {
        None => Rule::Nothing,
        Some(place) if place.ends() => Rule::All,
        Some(_) => Rule::Part,
    }
}

/// Returns the range of a string on a tape. A tape whose positions don't fit is too long and never
/// finished.
fn range(start: usize, end: usize) -> (u32, u32) {
    let [start, end] = [start, end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
    (start, end)
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
