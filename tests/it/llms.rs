//! `docs/llms.txt` names items and signatures as the sources have them, and all items at the crate's root.

use std::{collections::BTreeSet, fs, path::Path};

use crate::architecture::sources;

/// Names of other crates, and of associated types.
const OUTSIDE: &[&str] = &[
    "Api",
    "ApiResource",
    "Arc",
    "AsRef",
    "BTreeSet",
    "Batches",
    "Client",
    "Controller",
    "Cow",
    "DeserializeOwned",
    "Duration",
    "Err",
    "Fn",
    "FnMut",
    "FnOnce",
    "Future",
    "GroupVersionResource",
    "Into",
    "IntoIterator",
    "Item",
    "Iterator",
    "Lookup",
    "None",
    "ObjectMeta",
    "ObjectRef",
    "Option",
    "Output",
    "RangeBounds",
    "Result",
    "Self",
    "Send",
    "State",
    "StreamExt",
    "String",
    "Sync",
    "TryInto",
    "Value",
    "Vec",
    "WatchStreamExt",
];

/// The public items of the sources.
#[derive(Default)]
struct Items {
    /// The declaration of each type: `struct Store`.
    types: BTreeSet<String>,
    /// Methods, variants and public fields: `Store::get`; a function without a type: `watch`.
    members: BTreeSet<String>,
    /// Functions with their arguments and result, without white space: `Store::is_synced(&self)->bool`.
    signatures: BTreeSet<String>,
}

impl Items {
    fn has_type(&self, name: &str) -> bool {
        ["struct", "enum", "trait", "type"]
            .iter()
            .any(|kind| self.types.contains(&format!("{kind} {name}")))
    }

    /// Adds the items of a file. The code is formatted, so indentation shows where an item ends.
    fn read(&mut self, text: &str) {
        let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        // The type, and whether all of its functions are public.
        let mut owner: Option<(String, bool)> = None;
        while let Some(line) = lines.next() {
            let declared = line.trim_start();
            for kind in ["struct", "enum", "trait", "type"] {
                if let Some(rest) = declared.strip_prefix(&format!("pub {kind} ")) {
                    self.types.insert(format!("{kind} {}", word(rest)));
                    if declared == line {
                        owner = Some((word(rest).to_owned(), kind == "trait"));
                    }
                }
            }
            if line.starts_with("impl") {
                let head = joined(line, &mut lines);
                owner = Some((implementor(&head), head.contains(" for ")));
            } else if line == "}" {
                owner = None;
            }
            let inner = line.strip_prefix("    ").filter(|rest| !rest.starts_with(' '));
            let (item, of) = match (inner, &owner) {
                (Some(inner), Some(owner)) => (inner, Some(owner)),
                (None, _) => (line, None),
                _ => continue,
            };
            let (is_public, item) = match item.strip_prefix("pub ") {
                Some(item) => (true, item),
                None => (of.is_some_and(|(_, is_trait)| *is_trait), item),
            };
            let front = of.map_or(String::new(), |(name, _)| format!("{name}::"));
            let item = ["async ", "const "]
                .iter()
                .fold(item, |item, word| item.strip_prefix(word).unwrap_or(item));
            if let Some(function) = item.strip_prefix("fn ").filter(|_| is_public) {
                let signature = joined(function, &mut lines);
                self.members.insert(format!("{front}{}", word(function)));
                self.signatures.insert(format!("{front}{}", bare(&signature)));
            } else if of.is_some() && (is_public || item.starts_with(char::is_uppercase)) {
                self.members.insert(format!("{front}{}", word(item)));
            }
        }
    }
}

/// Returns a head up to its body, from several lines.
fn joined<'t>(first: &'t str, lines: &mut impl Iterator<Item = &'t str>) -> String {
    let mut head = first.to_owned();
    while !head.contains('{') && !head.ends_with(';') {
        head = format!("{head} {}", lines.next().expect("a body").trim());
    }
    head.split('{').next().unwrap_or_default().trim_end_matches(';').to_owned()
}

/// Returns the type of `impl<K> Trait for Type<K> where ..`.
fn implementor(head: &str) -> String {
    let mut rest = head.strip_prefix("impl").unwrap_or(head).trim_start();
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.char_indices().find(|&(at, c)| {
            depth += i32::from(c == '<') - i32::from(c == '>' && !rest[..at].ends_with('-'));
            depth == 0
        });
        rest = &rest[end.map_or(0, |(at, _)| at + 1)..];
    }
    let rest = rest.split(" where ").next().unwrap_or_default();
    let name = rest.rsplit(" for ").next().unwrap_or_default().trim().trim_start_matches('&');
    let path = name.split(['<', ' ']).next().unwrap_or_default();
    path.rsplit("::").next().unwrap_or_default().to_owned()
}

/// Returns a signature without bounds and without white space.
fn bare(signature: &str) -> String {
    let signature = signature.split(" where ").next().unwrap_or_default();
    let bare: String = signature.split_whitespace().collect();
    let bare = bare.trim_end_matches(',').replace("(mutself", "(self");
    bare.replace(",)", ")").replace(",>", ">")
}

/// Returns the identifier at the start of a text.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Returns the identifiers in a text that are names of types: with an upper case letter first, and a lower
/// case letter.
fn types_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase))
}

fn items() -> Items {
    let mut items = Items::default();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        items.read(&fs::read_to_string(path).unwrap());
    }
    items
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/llms.txt")).unwrap()
}

/// Returns the code in backticks, without blocks of code, which doc tests compile.
fn spans(page: &str) -> Vec<String> {
    let prose: Vec<_> = page.split("```").step_by(2).collect();
    prose.iter().flat_map(|text| text.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Returns what is wrong with a span.
fn wrong(items: &Items, span: &str) -> Option<String> {
    let span = span.strip_prefix("kube_weir::").unwrap_or(span);
    if span.contains(['/', '"', '!']) || span.starts_with("use ") {
        return None;
    }
    // `Type::member`, with arguments or not, or a call such as `log_errors()`.
    let head = span.split(['(', '<']).next().unwrap_or_default();
    let (of, member) = head.rsplit_once("::").unwrap_or(("", head));
    let is_of_type = of.starts_with(char::is_uppercase);
    let is_there = if is_of_type {
        OUTSIDE.contains(&of) || items.members.contains(head)
    } else if span.contains('(') && head == word(span) && !head.is_empty() {
        let method = format!("::{member}");
        items.members.iter().any(|own| own == member || own.ends_with(&method))
    } else {
        true
    };
    if !is_there {
        return Some(format!("there is no {head}"));
    }
    // Arguments in full.
    if span.contains("->") || span.contains("self") {
        let signature = bare(span);
        if !items.signatures.contains(&signature) {
            return Some(format!("no function has the signature {signature}"));
        }
    }
    let known = |name: &&str| {
        let is_member = || items.members.iter().any(|own| own.ends_with(&format!("::{name}")));
        let is_variant = (is_of_type || span == *name) && is_member();
        items.has_type(name) || OUTSIDE.contains(name) || is_variant
    };
    types_in(span).find(|name| !known(name)).map(|name| format!("there is no type {name}"))
}

#[test]
fn the_page_for_language_models_names_what_there_is() {
    let (items, page) = (items(), page());
    let spans = spans(&page);
    assert!(spans.len() > 300, "only {} spans", spans.len());
    let wrong: Vec<_> = spans
        .iter()
        .filter_map(|span| wrong(&items, span).map(|why| format!("`{span}`: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_page_for_language_models_names_everything_at_the_root() {
    let lib = include_str!("../../src/lib.rs");
    let exports = lib.split("\npub use crate::{").nth(1).unwrap().split("\n};").next().unwrap();
    let words =
        exports.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    // The names of modules precede `::`.
    let exported: BTreeSet<_> =
        words.filter(|word| !exports.contains(&format!("\n    {word}::"))).collect();
    assert!(exported.contains("Watch") && exported.contains("watch_one"), "{exported:?}");
    let page = page();
    let spans = spans(&page);
    let named: BTreeSet<_> = spans
        .iter()
        .flat_map(|span| span.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    // `world` is a function and a module, too.
    let functions = ["watch", "watch_one", "watch_resource", "world"];
    for name in exported.into_iter().chain(functions) {
        assert!(named.contains(name), "docs/llms.txt doesn't name {name}");
    }
}

#[test]
fn the_page_for_language_models_links_to_pages_that_there_are() {
    let (items, page) = (items(), page());
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let links: Vec<_> = page.split("https://docs.rs/kube-weir/latest/kube_weir/").skip(1).collect();
    assert!(links.len() > 50, "only {} links", links.len());
    for link in links {
        let path = link.split(')').next().unwrap();
        let (module, file) = path.rsplit_once('/').unwrap_or(("", path));
        let place = src.join(module);
        assert!(place.is_dir() || place.with_extension("rs").is_file(), "{path}");
        if let Some(item) = file.strip_suffix(".html") {
            assert!(items.types.contains(&item.replacen('.', " ", 1)), "{path}");
        }
    }
}

#[test]
fn mistakes_on_the_page_are_found() {
    let items = items();
    for span in [
        "Store::get",
        "Store::is_synced(&self) -> bool",
        "Change::Synced",
        "StoreReport::stale",
        "log_errors()",
        "Result<Change<K>, Error>",
    ] {
        assert_eq!(wrong(&items, span), None, "{span}");
    }
    for span in [
        "Store::obtain",
        "Store::is_synced(&self) -> Option<bool>",
        "Change::Finished",
        "StoreReport::fresh",
        "log_mistakes()",
        "Result<Changing<K>, Error>",
        "Store::new(current: Arc<ArcSwap<Contents<K>>>) -> Self",
    ] {
        assert!(wrong(&items, span).is_some(), "{span}");
    }
}
