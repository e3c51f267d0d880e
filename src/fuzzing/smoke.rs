//! The targets on made-up data: what a fuzzer finds in its first seconds must not need one.
//!
//! The data is the same in every run, so that a failure is one of the change that is tested.

use super::{document, line, list, path, removal};

/// How often each target is run.
const RUNS: u32 = 20_000;

/// What the format is made of, and what goes wrong in it.
const JSON: [&str; 27] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "-1",
    "1.5e3",
    "1e999",
    "00",
    "\"a\"",
    "\"a\":",
    "{\"b\":1}",
    "\"metadata\":",
    "{\"name\":\"n\"}",
    "\"items\":",
    "\\u0061",
    "\\ud800",
    " ",
    "\t",
    "\u{1}",
    "ключ",
    "\"resourceVersion\":\"2\"",
];

const PATH: [&str; 32] = [
    ".",
    "..",
    "[",
    "]",
    "*",
    "?",
    "@",
    "$",
    "(",
    ")",
    "'",
    "\"",
    "\\",
    "{",
    "}",
    "a",
    "b",
    "c.d",
    ",",
    ":",
    "-1",
    "0",
    "[0]",
    "[*]",
    "['a']",
    "[?@.a]",
    "[?(@.b == 'x')]",
    " ",
    "==",
    "&&",
    "!",
    "ж",
];

/// SEMANTICS: P2, P3, P5
#[test]
fn paths() {
    let seeds = [
        "metadata.labels['app.kubernetes.io/name']",
        "$.a.b",
        "{.a.c[0:2]}",
        "a..b",
        "b[?(@.a == 1 && @.b)].a",
        "b[0,-1]['a','b']",
        "a.c[-1].b",
        "b[-4].a",
        "c\\.d.it\\'s",
        " spec.containers[*].image ",
    ];
    run(path, &seeds, &PATH);
}

/// SEMANTICS: P8
#[test]
fn removals() {
    let object = r#"{"a":{"b":[1,{"c":"x"}],"c":"\u0061"},"b":[{"a":1},{"b":2},[3]],"c":null}"#;
    let paths = ["a.b", "a.b[0]\tb[-1]", "b[*].a\ta.c", "*.b", "b[?@.a]\ta..c", "['a']\tb[1:]"];
    let seeds = paths.map(|paths| format!("{paths}\n{object}"));
    let tokens: Vec<&str> = JSON.into_iter().chain(PATH).collect();
    run(removal, &seeds, &tokens);
}

#[test]
fn documents() {
    let object = r#"{"kind":"K","metadata":{"name":"n","labels":{"a.b/c":"x"},"uid":"u"},"a":[{"b":1,"c":[]},"x"],"status":{"c":1.50}}"#;
    let seeds: Vec<_> = ('\0'..'\u{8}').map(|choice| format!("{choice}{object}")).collect();
    run(document, &seeds, &JSON);
}

#[test]
fn lists() {
    let body = r#"{"kind":"KList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"c"},"items":[{"metadata":{"name":"a"},"b":"}]"},{ "metadata" : {"name":"\"","uid":null} }] }"#;
    let frames = ["\0", "\u{1}\0", "\u{1}\u{7}", "\u{3}\u{40}\u{1}\u{10}"];
    let seeds = frames.map(|frames| format!("{frames}{body}"));
    run(list, &seeds, &JSON);
}

#[test]
fn lines() {
    let object = r#"{"metadata":{"name":"n","resourceVersion":"1"},"a":["}"]}"#;
    let mut seeds: Vec<_> = ["ADDED", "DELETED", "BOOKMARK", "ERROR"]
        .iter()
        .map(|kind| format!("\0{{\"type\":\"{kind}\",\"object\":{object}}}\r"))
        .collect();
    seeds
        .push(format!("\u{1} {{ \"object\" : {object}, \"new\" : [1], \"type\" : \"MODIFIED\" }}"));
    run(line, &seeds, &JSON);
}

/// Runs a target on the seeds, and on what becomes of them by a few edits.
fn run(target: fn(&[u8]), seeds: &[impl AsRef<[u8]>], tokens: &[&str]) {
    for seed in seeds {
        target(seed.as_ref());
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..RUNS {
        let mut data = seeds[random.below(seeds.len())].as_ref().to_vec();
        for _ in 0..=random.below(4) {
            let (from, to) = (random.below(data.len() + 1), random.below(data.len() + 1));
            let short = from.min(to)..from.max(to).min(from.min(to) + 8);
            match random.below(6) {
                0 => drop(data.drain(short)),
                1 => drop(data.splice(short, tokens[random.below(tokens.len())].bytes())),
                2 | 3 => {
                    drop(data.splice(from..from, tokens[random.below(tokens.len())].bytes()));
                }
                4 => {
                    let part = data[short].to_vec();
                    drop(data.splice(to..to, part));
                }
                _ => {
                    if let Some(byte) = data.get_mut(from) {
                        *byte ^= 1 << random.below(8);
                    }
                }
            }
        }
        let shown = Shown(data);
        target(&shown.0);
    }
}

/// Shows what a target failed on.
struct Shown(Vec<u8>);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("on {:?}", String::from_utf8_lossy(&self.0));
        }
    }
}

/// A xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
