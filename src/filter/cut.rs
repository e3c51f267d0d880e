//! Removes fields from a value, and cuts them out of JSON text.

use std::borrow::Cow;

use serde_json::Value;

use super::tree::Place;
use crate::json::{Cursor, MAX_DEPTH, Malformed, ValueKind};

/// Removes the selected fields from a value that stands at `place`.
pub(super) fn from_value(value: &mut Value, place: &Place<'_>) {
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
pub(super) fn from_json<'j>(json: &'j str, place: &Place<'_>) -> Result<Cow<'j, str>, Malformed> {
    Cutter::new(json, false).run(place)
}

/// Does the same as [`from_json`], but overwrites the removed text with white space, so that the rest
/// keeps its position.
pub(super) fn blanked<'j>(json: &'j str, place: &Place<'_>) -> Result<Cow<'j, str>, Malformed> {
    Cutter::new(json, true).run(place)
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
    cursor: Cursor<'j>,
    /// Everything before this position has been copied or cut. Nothing is ever cut at 0.
    kept: usize,
    out: String,
    depth: usize,
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
        Self { json, cursor: Cursor::new(json), kept: 0, out: String::new(), depth: 0, blank }
    }

    fn run(mut self, place: &Place<'_>) -> Result<Cow<'j, str>, Malformed> {
        self.value(place)?;
        if self.kept == 0 {
            return Ok(Cow::Borrowed(self.json));
        }
        self.out.push_str(self.json.get(self.kept..).ok_or(Malformed)?);
        Ok(Cow::Owned(self.out))
    }

    /// Cuts the text from `kept` up to `end`.
    fn cut_to(&mut self, end: usize) -> Result<(), Malformed> {
        if self.blank {
            let cut = self.json.get(self.kept..end).ok_or(Malformed)?;
            self.out.extend(cut.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        self.kept = end;
        Ok(())
    }

    /// Steps over the value at the cursor. The recursion is limited by [`MAX_DEPTH`].
    fn value(&mut self, place: &Place<'_>) -> Result<(), Malformed> {
        let mut items = Items::default();
        self.depth += 1;
        match self.cursor.kind()? {
            ValueKind::Object | ValueKind::Array if self.depth > MAX_DEPTH => {
                return Err(Malformed);
            }
            ValueKind::Object => {
                self.cursor.enter_object()?;
                while let Some((start, name)) = self.cursor.next_field()? {
                    let below = place.field(&name.unescape()?);
                    self.item(&mut items, start, below)?;
                }
            }
            ValueKind::Array => {
                let counts_back = place.counts_back();
                let len = if counts_back { self.cursor.clone().count_elements()? } else { 0 };
                let mut index = 0;
                self.cursor.enter_array()?;
                while self.cursor.next_element()? {
                    let start = self.cursor.position();
                    self.item(&mut items, start, place.element(index, len))?;
                    index += 1;
                }
            }
            ValueKind::String | ValueKind::Literal => {
                self.cursor.skip_value()?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Steps over an item whose text begins at `start`, or cuts the item together with one of the commas
    /// beside it.
    fn item(
        &mut self,
        items: &mut Items,
        start: usize,
        place: Option<Place<'_>>,
    ) -> Result<(), Malformed> {
        if items.before.is_some() && !items.any_kept {
            // All items so far were cut, so the comma behind them is cut too.
            self.cut_to(start)?;
        }
        match place {
            Some(place) if place.ends() => {
                let from = items.before.filter(|_| items.any_kept).unwrap_or(start);
                self.out.push_str(self.json.get(self.kept..from).ok_or(Malformed)?);
                self.kept = from;
                self.cursor.skip_value()?;
                self.cut_to(self.cursor.position())?;
            }
            Some(place) => {
                items.any_kept = true;
                self.value(&place)?;
            }
            None => {
                items.any_kept = true;
                self.cursor.skip_value()?;
            }
        }
        items.before = Some(self.cursor.position());
        Ok(())
    }
}
