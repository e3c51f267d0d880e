//! The rules of `docs/SEMANTICS.md`: a test cites each rule, and each cited rule exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::architecture::sources;

/// Returns the id and the text of a rule, `**W5** A 410 ..`.
pub(crate) fn rule(text: &str) -> Option<(&str, &str)> {
    let (id, text) = text.strip_prefix("**")?.split_once("** ")?;
    is_id(id).then_some((id, text))
}

fn is_id(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|letter| letter.is_ascii_uppercase())
        && !chars.as_str().is_empty()
        && chars.all(|digit| digit.is_ascii_digit())
}

/// Returns the rules that a line of source code cites.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    let comment = line.trim_start().strip_prefix("//");
    let list = comment.and_then(|comment| comment.split_once("SEMANTICS: "));
    let ids = list.map(|(_, list)| list).unwrap_or_default().split(',').map(str::trim);
    ids.take_while(|id| is_id(id))
}

#[test]
fn each_rule_has_a_test_and_each_test_its_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/SEMANTICS.md")).unwrap();
    let ids = text.lines().filter_map(|line| rule(line.strip_prefix("* ")?)).map(|(id, _)| id);
    let ids: Vec<&str> = ids.collect();
    let rules: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(rules.len(), ids.len(), "a rule is there twice: {ids:?}");

    let mut places = BTreeMap::new();
    let files = ["src", "tests"].into_iter().flat_map(|folder| sources(&root.join(folder)));
    for path in files.filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let text = fs::read_to_string(&path).unwrap();
        for (line, number) in text.lines().zip(1..) {
            let place = format!("{}:{number}", path.strip_prefix(root).unwrap().display());
            places.extend(cited(line).map(|id| (id.to_owned(), place.clone())));
        }
    }
    let untested: Vec<_> = rules.iter().filter(|id| !places.contains_key(**id)).collect();
    let unknown: Vec<_> = places.iter().filter(|(id, _)| !rules.contains(&***id)).collect();
    assert!(
        untested.is_empty() && unknown.is_empty(),
        "rules without a test: {untested:?}; cited, but not in docs/SEMANTICS.md: {unknown:?}"
    );
    assert!(rules.len() > 50, "only {} rules were found", rules.len());
}

#[test]
fn rules_and_citations_are_found() {
    fn all(line: &str) -> Vec<&str> {
        cited(line).collect()
    }
    assert_eq!(rule("**W5** A 410"), Some(("W5", "A 410")));
    assert_eq!(rule("**One way** of"), None);
    assert_eq!(all(&["    /// SEMANTICS", ": I4, S7"].concat()), ["I4", "S7"]);
    assert_eq!(all(&["//! Wakes. SEMANTICS", ": D9, for every adaptor."].concat()), ["D9"]);
    assert_eq!(all(&["let text = \"SEMANTICS", ": D9\";"].concat()), [""; 0]);
}
