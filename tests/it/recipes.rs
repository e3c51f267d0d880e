//! Recipes named in CI, workflows and docs exist in the justfile.

use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the first word after each occurrence of a prefix, anywhere in a line.
fn words_after<'a>(text: &'a str, front: &str) -> Vec<&'a str> {
    text.split(front).skip(1).filter_map(|rest| rest.split([' ', '`', '\n', '*']).next()).collect()
}

#[test]
fn recipes_that_are_named_exist() {
    let justfile = read("justfile");
    let recipes: BTreeSet<_> = justfile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.contains(":="))
        .filter_map(|line| line.split([' ', ':']).next())
        .collect();

    let ci = read(".ci/run");
    let steps: Vec<_> = ci.lines().filter_map(|line| line.strip_prefix("step ")).collect();
    let mut named: Vec<_> = steps.iter().flat_map(|step| step.split(' ')).collect();
    assert!(named.contains(&"test") && named.contains(&"lint"), "{named:?}");
    let docs = ["CONTRIBUTING.md", "ARCHITECTURE.md", "benches/README.md", "Cargo.toml"].map(read);
    for text in &docs {
        named.extend(words_after(text, "`just "));
    }
    let workflows = ["ci", "nightly"].map(|name| read(&format!(".github/workflows/{name}.yml")));
    for text in &workflows {
        named.extend(words_after(text, "run: just "));
    }
    for name in named {
        assert!(recipes.contains(name), "the justfile has no {name}");
    }
    assert!(workflows[0].contains("run: .ci/run\n"), "the workflow is not what CI runs");
}
