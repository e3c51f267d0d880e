//! What is kept of an object: one pass over the bytes as they were received.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::Value;

use super::names::{self, Names};
use super::tree::{Place, Tree};
use crate::json::{Fault, MAX_DEPTH, Quoted, Scanner};

/// What to keep of an object's JSON: checked, without white space, and without fields that a later
/// one of the same name replaces.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Which bytes, in order.
    pub(crate) runs: Vec<Range<usize>>,
    /// How many bytes the runs have together.
    pub(crate) len: usize,
    /// Where the object ends.
    pub(crate) end: usize,
    /// `metadata.name`, `namespace`, `uid` and `resourceVersion`.
    pub(crate) identity: [Option<Found>; 4],
    /// There is an `apiVersion` or a `kind`.
    pub(crate) typed: bool,
    /// There is something in it of which only `serde_json` knows whether it decodes.
    pub(crate) doubtful: bool,
}

/// A string among the kept bytes.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) at: Range<usize>,
    /// The string itself, if it is written with escapes.
    pub(crate) unescaped: Option<String>,
}

/// Reads the object at the start of the bytes, but for what the tree names.
pub(super) fn of_object(bytes: &[u8], tree: &Tree) -> Result<Kept, Fault> {
    match Pass::new(bytes, None).run(tree) {
        Ok(kept) => Ok(kept),
        Err(Stop::Fault(fault)) => Err(fault),
        Err(Stop::Repeats) => {
            let replaced = names::replaced(bytes)?;
            Pass::new(bytes, Some(&replaced)).run(tree).map_err(|stop| match stop {
                Stop::Fault(fault) => fault,
                Stop::Repeats => Fault::Malformed,
            })
        }
    }
}

struct Pass<'s, 'r> {
    scan: Scanner<'s>,
    kept: Kept,
    /// Where the run begins that is not among the kept ones yet.
    from: usize,
    depth: usize,
    names: Names,
    /// Where fields begin that are replaced by later ones, once that is known.
    replaced: Option<&'r HashSet<usize>>,
}

enum Stop {
    Fault(Fault),
    /// A name repeats, or looks as if it did.
    Repeats,
}

/// Whose fields an object has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Object,
    Metadata,
    Inside,
}

/// The items of one container.
struct Items {
    any_kept: bool,
    /// Up to where to keep the text if the next one goes.
    mark: Mark,
}

/// What is kept up to a place.
#[derive(Clone, Copy)]
struct Mark {
    runs: usize,
    len: usize,
    from: usize,
    at: usize,
}

impl<'s, 'r> Pass<'s, 'r> {
    fn new(bytes: &'s [u8], replaced: Option<&'r HashSet<usize>>) -> Self {
        let scan = Scanner::new(bytes, 0);
        let kept = Kept { runs: Vec::with_capacity(8), ..Kept::default() };
        Self { scan, kept, from: 0, depth: 0, names: Names::new(), replaced }
    }

    fn run(mut self, tree: &Tree) -> Result<Kept, Stop> {
        self.scan.space();
        self.from = self.scan.position();
        self.object(Level::Object, tree.root().as_ref())?;
        self.kept.end = self.scan.position();
        self.keep_to(self.kept.end);
        Ok(self.kept)
    }

    fn value(&mut self, place: Option<&Place<'_>>) -> Result<(), Stop> {
        if place.is_none() && self.replaced.is_none() {
            return self.whole_value();
        }
        match self.scan.peek()? {
            b'{' => self.object(Level::Inside, place),
            b'[' => self.array(place),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<(), Stop> {
        self.kept.doubtful |= match self.scan.peek()? {
            b'"' => self.scan.string()?.halves,
            _ => self.scan.literal()?,
        };
        Ok(())
    }

    /// Steps over a value in which nothing is cut but white space.
    fn whole_value(&mut self) -> Result<(), Stop> {
        match self.scan.peek()? {
            b'{' => self.whole_object(),
            b'[' => self.whole_array(),
            _ => self.scalar(),
        }
    }

    fn whole_object(&mut self) -> Result<(), Stop> {
        if !self.enter(b'{', b'}')? {
            return Ok(());
        }
        let mut own = self.names.enter();
        loop {
            let name = self.scan.string()?;
            self.note(&mut own, name)?;
            self.colon()?;
            self.whole_value()?;
            if !self.comma(b'}')? {
                self.names.leave(&own);
                return Ok(());
            }
            self.advance();
        }
    }

    fn whole_array(&mut self) -> Result<(), Stop> {
        if !self.enter(b'[', b']')? {
            return Ok(());
        }
        loop {
            self.whole_value()?;
            if !self.comma(b']')? {
                return Ok(());
            }
            self.advance();
        }
    }

    fn object(&mut self, level: Level, place: Option<&Place<'_>>) -> Result<(), Stop> {
        if !self.enter(b'{', b'}')? {
            return Ok(());
        }
        let mut items = self.items();
        let mut own = self.names.enter();
        loop {
            let start = self.scan.position();
            let name = self.scan.string()?;
            self.colon()?;
            let place = match place {
                Some(place) => place.field(&self.scan.unescape(name)?),
                None => None,
            };
            if place.as_ref().is_some_and(Place::ends) || self.is_replaced(start) {
                self.cut(&items)?;
            } else {
                items.any_kept = true;
                self.note(&mut own, name)?;
                match level {
                    Level::Inside => self.value(place.as_ref())?,
                    level => self.outer_value(level, name, place.as_ref())?,
                }
            }
            if !self.next(&mut items, b'}')? {
                self.names.leave(&own);
                return Ok(());
            }
        }
    }

    fn array(&mut self, place: Option<&Place<'_>>) -> Result<(), Stop> {
        let len = match place {
            Some(place) if place.counts_back() => self.scan.count_elements(self.depth)?,
            _ => 0,
        };
        if !self.enter(b'[', b']')? {
            return Ok(());
        }
        let mut items = self.items();
        for index in 0.. {
            let place = place.and_then(|place| place.element(index, len));
            if place.as_ref().is_some_and(Place::ends) {
                self.cut(&items)?;
            } else {
                items.any_kept = true;
                self.value(place.as_ref())?;
            }
            if !self.next(&mut items, b']')? {
                break;
            }
        }
        Ok(())
    }

    /// Steps over the value of a field that may be part of the object's identity.
    fn outer_value(
        &mut self,
        level: Level,
        name: Quoted,
        place: Option<&Place<'_>>,
    ) -> Result<(), Stop> {
        let name = self.scan.unescape(name)?;
        let identity = match (level, &*name) {
            (Level::Object, "metadata") => return self.object(Level::Metadata, place),
            (Level::Object, "apiVersion" | "kind") => {
                self.kept.typed = true;
                return self.value(place);
            }
            (Level::Metadata, "name") => 0,
            (Level::Metadata, "namespace") => 1,
            (Level::Metadata, "uid") => 2,
            (Level::Metadata, "resourceVersion") => 3,
            _ => return self.value(place),
        };
        if self.scan.peek()? != b'"' {
            // The API server writes none of them as null, but serde would read it as missing.
            return Ok(self.scan.null()?);
        }
        let own = self.scan.string()?;
        let start = self.kept.len + own.start - self.from;
        let unescaped =
            if own.escaped { Some(self.scan.unescape(own)?.into_owned()) } else { None };
        self.kept.identity[identity] =
            Some(Found { at: start..start + own.end - own.start, unescaped });
        Ok(())
    }

    /// Steps into a container; `false` if it is empty and was stepped over.
    #[inline]
    fn enter(&mut self, open: u8, close: u8) -> Result<bool, Fault> {
        self.scan.eat(open)?;
        if self.depth == MAX_DEPTH {
            return Err(Fault::Malformed);
        }
        self.space();
        if self.scan.peek()? == close {
            self.scan.advance();
            return Ok(false);
        }
        self.depth += 1;
        Ok(true)
    }

    /// Steps from behind a name to the value.
    #[inline]
    fn colon(&mut self) -> Result<(), Fault> {
        self.space();
        self.scan.eat(b':')?;
        self.space();
        Ok(())
    }

    /// Steps from behind an item to the comma before the next one, or out of the container.
    #[inline]
    fn comma(&mut self, close: u8) -> Result<bool, Fault> {
        self.space();
        if self.scan.peek()? == b',' {
            return Ok(true);
        }
        self.scan.eat(close)?;
        self.depth -= 1;
        Ok(false)
    }

    /// Steps from a comma to what comes next.
    #[inline]
    fn advance(&mut self) {
        self.scan.advance();
        self.space();
    }

    /// Steps from behind an item to the next one, or out of the container.
    fn next(&mut self, items: &mut Items, close: u8) -> Result<bool, Fault> {
        if !self.comma(close)? {
            return Ok(false);
        }
        if items.any_kept {
            items.mark = self.mark();
            self.advance();
        } else {
            // All items so far were cut: so is the comma after them.
            self.scan.advance();
            self.scan.space();
            self.from = self.scan.position();
            items.mark = self.mark();
        }
        Ok(true)
    }

    /// Cuts the item whose value comes next, with the comma before it.
    #[cold]
    fn cut(&mut self, items: &Items) -> Result<(), Fault> {
        let Mark { runs, len, from, at } = items.mark;
        self.kept.runs.truncate(runs);
        self.kept.len = len;
        self.from = from;
        self.keep_to(at);
        self.scan.skip_value(self.depth)?;
        self.scan.space();
        self.from = self.scan.position();
        Ok(())
    }

    fn items(&self) -> Items {
        Items { any_kept: false, mark: self.mark() }
    }

    fn mark(&self) -> Mark {
        let Kept { runs, len, .. } = &self.kept;
        Mark { runs: runs.len(), len: *len, from: self.from, at: self.scan.position() }
    }

    /// Steps over white space and cuts it.
    #[inline]
    fn space(&mut self) {
        if self.scan.stands_before_space() {
            self.cut_space();
        }
    }

    #[cold]
    fn cut_space(&mut self) {
        self.keep_to(self.scan.position());
        self.scan.space();
        self.from = self.scan.position();
    }

    fn keep_to(&mut self, end: usize) {
        if self.from < end {
            self.kept.runs.push(self.from..end);
            self.kept.len += end - self.from;
            self.from = end;
        }
    }

    /// Looks at the name of a field that is kept.
    #[inline]
    fn note(&mut self, own: &mut names::Own, name: Quoted) -> Result<(), Stop> {
        let bytes = self.scan.bytes_of(name);
        // Some names mean something to serde_json.
        if name.odd || bytes.first() == Some(&b'$') {
            self.kept.doubtful = true;
        }
        if self.replaced.is_some() {
            return Ok(());
        }
        let repeats = if name.odd {
            // Written in the one way that is not odd, as others of the same name may be.
            let usual = Value::from(self.scan.unescape(name)?).to_string();
            self.names.add(own, &usual.as_bytes()[1..usual.len() - 1])
        } else {
            self.names.add(own, bytes)
        };
        if repeats { Err(Stop::Repeats) } else { Ok(()) }
    }

    #[inline]
    fn is_replaced(&self, field: usize) -> bool {
        self.replaced.is_some_and(|replaced| replaced.contains(&field))
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
