//! Removes fields from a value, and cuts them out of JSON text.

use std::borrow::Cow;

use serde::de::{Error as _, IgnoredAny};
use serde_json::Value;

use super::tree::Place;
use crate::json::{Fault, Scanner};

/// Removes the selected fields from a value that stands at `place`.
pub(crate) fn from_value(value: &mut Value, place: &Place<'_>) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| keep(value, place.field(name)));
        }
        Value::Array(elements) => {
            let len = elements.len();
            let mut index = 0;
            elements.retain_mut(|value| {
                let below = place.element(index, len);
                index += 1;
                keep(value, below)
            });
        }
        _ => {}
    }
}

/// Returns the text of a value at `place` without the selected fields; everything else is copied as
/// written.
pub(crate) fn from_json<'j>(json: &'j str, place: &Place<'_>) -> Result<Cow<'j, str>, Fault> {
    Cutter::new(json, false).run(place)
}

/// Does the same as [`from_json`], but overwrites the removed text with white space, so that the rest
/// keeps its position.
pub(crate) fn blanked<'j>(json: &'j str, place: &Place<'_>) -> Result<Cow<'j, str>, Fault> {
    Cutter::new(json, true).run(place)
}

/// Returns the error for a text that can't be cut.
pub(crate) fn malformed(json: &str) -> serde_json::Error {
    match serde_json::from_str::<IgnoredAny>(json) {
        Err(error) => error,
        Ok(_) => serde_json::Error::custom("JSON nested too deep or with a broken name"),
    }
}

fn keep(value: &mut Value, place: Option<Place<'_>>) -> bool {
    let Some(place) = place else { return true };
    if place.ends() {
        return false;
    }
    from_value(value, &place);
    true
}

/// A JSON text with the parts of it that are copied so far.
struct Cutter<'j> {
    json: &'j str,
    /// Everything before this position has been copied or cut. Nothing is ever cut at 0.
    kept: usize,
    out: String,
    /// True if white space replaces the removed text.
    blank: bool,
}

/// State of one container that is needed to remove the right commas.
#[derive(Default)]
struct Items {
    /// The end of the previous item.
    before: Option<usize>,
    any_kept: bool,
}

impl<'j> Cutter<'j> {
    fn new(json: &'j str, blank: bool) -> Self {
        Self { json, kept: 0, out: String::new(), blank }
    }

    fn run(mut self, place: &Place<'_>) -> Result<Cow<'j, str>, Fault> {
        self.value(&mut Scanner::of_text(self.json), place)?;
        if self.kept == 0 {
            return Ok(Cow::Borrowed(self.json));
        }
        self.out.push_str(&self.json[self.kept..]);
        Ok(Cow::Owned(self.out))
    }

    /// Cuts the text from `kept` up to `end`.
    fn cut_to(&mut self, end: usize) {
        if self.blank {
            let cut = self.json[self.kept..end].bytes();
            self.out.extend(cut.map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        self.kept = end;
    }

    /// Steps over a value. The scanner limits the recursion.
    fn value(&mut self, scan: &mut Scanner<'j>, place: &Place<'_>) -> Result<(), Fault> {
        let mut items = Items::default();
        match scan.peek()? {
            b'{' => scan.fields(|scan, name| {
                let below = place.field(&scan.unescape(name)?);
                self.item(scan, &mut items, name.start - 1, below)
            }),
            b'[' => {
                let len = if place.counts_back() { scan.count_elements()? } else { 0 };
                scan.elements(|scan, index| {
                    let start = scan.position();
                    self.item(scan, &mut items, start, place.element(index, len))
                })
            }
            _ => scan.skip_value(),
        }
    }

    /// Steps over an item whose text begins at `start`, or cuts the item together with one of the commas
    /// beside it.
    fn item(
        &mut self,
        scan: &mut Scanner<'j>,
        items: &mut Items,
        start: usize,
        place: Option<Place<'_>>,
    ) -> Result<(), Fault> {
        if items.before.is_some() && !items.any_kept {
            // All items so far were cut, so the comma behind them is cut too.
            self.cut_to(start);
        }
        match place {
            Some(place) if place.ends() => {
                let from = items.before.filter(|_| items.any_kept).unwrap_or(start);
                self.out.push_str(&self.json[self.kept..from]);
                self.kept = from;
                scan.skip_value()?;
                self.cut_to(scan.position());
            }
            Some(place) => {
                items.any_kept = true;
                self.value(scan, &place)?;
            }
            None => {
                items.any_kept = true;
                scan.skip_value()?;
            }
        }
        items.before = Some(scan.position());
        Ok(())
    }
}
