//! The language of comments and documents: a sentence opens with its subject or its verb.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{architecture::sources, semantics::rule};

/// Words that open a clause without a subject, or stand for a noun of another sentence.
const OPENERS: &[&str] = &[
    "What", "Who", "Whom", "Whoever", "Whatever", "Of", "That", "Those", "Such", "Where",
    "Whether", "Which", "One", "By when", "The same", "As",
];

/// Verbs for people. Code logs, yields, publishes, reports or returns.
const TELL: &[&str] = &["tell", "tells", "told", "telling"];

/// The share of blocks that may open like this, in percent.
const MOST: usize = 2;

/// A comment, or a paragraph of a document.
struct Block {
    line: usize,
    text: String,
}

impl Block {
    /// Collects blocks from lines of prose, each with whether it begins a block.
    fn collect(lines: impl Iterator<Item = (usize, String, bool)>) -> Vec<Self> {
        let mut blocks: Vec<Self> = Vec::new();
        for (line, text, is_first) in lines {
            match blocks.last_mut() {
                Some(block) if !is_first => {
                    block.text.push(' ');
                    block.text.push_str(&text);
                }
                _ => blocks.push(Self { line, text }),
            }
        }
        blocks
    }

    fn opens_badly(&self) -> bool {
        let text = rule(&self.text).map_or(&*self.text, |(_, text)| text);
        let text = text.trim_start_matches(['*', '_', '[']);
        OPENERS.iter().any(|opener| {
            let rest = text.strip_prefix(opener);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    }

    fn sentence(&self) -> &str {
        self.text.split_inclusive(". ").next().unwrap_or_default().trim_end()
    }
}

/// Returns the text of a line that is a comment and nothing else.
fn comment(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix("//")?;
    let rest = rest.strip_prefix(['/', '!']).unwrap_or(rest);
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// Returns the comments of a source file, without the code in them.
fn comments(source: &str) -> Vec<Block> {
    let (mut is_code, mut is_open) = (false, false);
    let lines = source.lines().zip(1..).filter_map(|(line, number)| {
        let Some(text) = comment(line) else {
            (is_code, is_open) = (false, false);
            return None;
        };
        if text.starts_with("```") {
            (is_code, is_open) = (!is_code, true);
            return None;
        }
        if is_code || text.is_empty() {
            return None;
        }
        let is_first = !is_open;
        is_open = true;
        Some((number, text.to_owned(), is_first))
    });
    Block::collect(lines)
}

/// Returns the paragraphs and list items of a Markdown file, without code, headings and tables.
fn paragraphs(document: &str) -> Vec<Block> {
    let (mut is_code, mut is_open) = (false, false);
    let lines = document.lines().zip(1..).filter_map(|(line, number)| {
        let text = line.trim();
        let is_fence = text.starts_with("```");
        is_code ^= is_fence;
        if is_fence || is_code || text.is_empty() || text.starts_with(['#', '|']) {
            is_open = false;
            return None;
        }
        let marked = text.split_once(' ').filter(|(mark, _)| {
            let number = mark.strip_suffix('.').unwrap_or_default();
            ["*", "-"].contains(mark) || number.parse::<u32>().is_ok()
        });
        let is_first = !is_open || marked.is_some();
        is_open = true;
        Some((number, marked.map_or(text, |(_, text)| text).to_owned(), is_first))
    });
    Block::collect(lines)
}

/// Returns the Rust files of a folder: their paths, as shown in messages, and their text.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = sources(&root.join(folder)).into_iter();
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        (name, fs::read_to_string(&path).unwrap())
    };
    files.map(read).collect()
}

/// Returns the blocks that open badly, if their share is too large.
fn too_many(place: &str, files: &[(String, Vec<Block>)]) -> Option<String> {
    let total: usize = files.iter().map(|(_, blocks)| blocks.len()).sum();
    assert!(total > 0, "{place} has no prose");
    let blocks = files.iter().flat_map(|(name, blocks)| blocks.iter().map(move |own| (name, own)));
    let bad = blocks.filter(|(_, block)| block.opens_badly());
    let bad: Vec<_> =
        bad.map(|(name, block)| format!("{name}:{}: {}", block.line, block.sentence())).collect();
    (100 * bad.len() > MOST * total).then(|| {
        format!("{place}: {} of {total} blocks open badly:\n{}", bad.len(), bad.join("\n"))
    })
}

#[test]
fn comments_open_with_a_subject_or_a_verb() {
    let folders = ["src", "tests", "examples", "benches"].into_iter().filter_map(|folder| {
        let files = rust_files(folder).into_iter();
        let files: Vec<_> = files.map(|(name, text)| (name, comments(&text))).collect();
        too_many(folder, &files)
    });
    let folders: Vec<String> = folders.collect();
    assert!(folders.is_empty(), "{}", folders.join("\n"));
}

#[test]
fn documents_open_with_a_subject_or_a_verb() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of_folders = ["README.md", "benches/README.md", "examples/README.md"];
    let others = ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    let mut names: Vec<String> = of_folders.into_iter().chain(others).map(str::to_owned).collect();
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let docs = docs.map(|name| format!("docs/{}", name.display()));
    names.extend(docs.filter(|name| Path::new(name).extension().is_some_and(|end| end == "md")));
    let documents = names.into_iter().filter_map(|name| {
        let text = fs::read_to_string(root.join(&name)).unwrap();
        too_many(&name, &[(name.clone(), paragraphs(&text))])
    });
    let documents: Vec<String> = documents.collect();
    assert!(documents.is_empty(), "{}", documents.join("\n"));
}

#[test]
fn only_people_are_told() {
    let has_verb = |block: &Block| {
        let words = block.text.split(|c: char| !c.is_alphanumeric());
        words.map(str::to_lowercase).any(|word| TELL.contains(&&*word))
    };
    let mut bad = Vec::new();
    for (name, text) in rust_files("src") {
        let blocks = comments(&text).into_iter().filter(has_verb);
        bad.extend(blocks.map(|block| format!("{name}:{}: {}", block.line, block.text)));
    }
    assert!(bad.is_empty(), "log, yield, publish, report, return?\n{}", bad.join("\n"));
}

#[test]
fn blocks_and_their_openers_are_found() {
    // Lines of an array are no comments of this file.
    let source = [
        "//! What goes wrong. By chance.",
        "fn a() {",
        "    // One after the other,",
        "    // and not at once.",
        "    f(); // As there",
        "    /// Onerous.",
        "    ///",
        "    /// ```",
        "    /// // Which one?",
        "    /// ```",
        "    /// That is code.",
        "    struct A;",
        "    //// Of no kind",
        "}",
    ];
    let blocks = comments(&source.join("\n"));
    let found = |blocks: &[Block]| -> Vec<(usize, String, bool)> {
        let block = |own: &Block| (own.line, own.sentence().to_owned(), own.opens_badly());
        blocks.iter().map(block).collect()
    };
    assert_eq!(
        found(&blocks),
        [
            (1, "What goes wrong.".to_owned(), true),
            (3, "One after the other, and not at once.".to_owned(), true),
            (6, "Onerous.".to_owned(), false),
        ]
    );
    assert!(blocks[2].text.ends_with("That is code."));

    let document = "
# What it is
A weir
settles.
* **That** one
  goes on.
12. `One` of them
| Of | Which |
* **W5** By when

```
Such code
```
";
    let found = found(&paragraphs(document));
    let found: Vec<_> = found.iter().map(|(line, text, bad)| (*line, &**text, *bad)).collect();
    assert_eq!(
        found,
        [
            (3, "A weir settles.", false),
            (5, "**That** one goes on.", true),
            (7, "`One` of them", false),
            (9, "**W5** By when", true),
        ]
    );
}
