//! Runs the fuzz targets on generated data, so that ordinary tests find what a fuzzer finds in its first
//! seconds.
//!
//! The data is the same in every run, so a new failure is caused by the tested change.

use super::{
    conversation, discovery, document, lease, line, list, path, removal, resource, selector, status,
};

/// Number of runs of each target, except for slow ones.
const RUNS: u32 = 20_000;

/// Tokens of JSON, valid and invalid.
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

/// SEMANTICS: B4
#[test]
fn statuses() {
    let forbidden = r#"{"kind":"Status","status":"Failure","message":"pods \u001b[31mis (forbidden)","reason":"Forbidden","details":{"name":"n","retryAfterSeconds":7},"code":403}"#;
    let mut seeds: Vec<_> = ('\0'..'\u{5}').map(|choice| format!("{choice}{forbidden}")).collect();
    seeds.push("\0{\"message\":\"hunter2\",\"code\":410}".to_owned());
    seeds.push(format!("\u{4}{{\"kind\":\"Status\",\"message\":\"{}\"}}", "ы\u{202e}".repeat(300)));
    run(status, &seeds, &JSON);
}

/// SEMANTICS: W24, B6
#[test]
fn discoveries() {
    let things = r#"{"resources":[{"name":"things","singularName":"thing","kind":"Thing","namespaced":true,"verbs":["list","watch"],"shortNames":["th"]},{"name":"others","kind":"Other","namespaced":false}]}"#;
    let other = r#"{"resources":[{"name":"others","kind":"Things","namespaced":true,"verbs":[],"shortNames":null}]}"#;
    let group =
        r#"{"versions":[{"version":"v1"},{"version":"v2"}],"preferredVersion":{"version":"v2"}}"#;
    let core = r#"{"versions":["v1","v2"]}"#;
    let seeds = [
        format!("\0{things}"),
        format!("\0{other}"),
        format!("\u{1}{things}"),
        format!("\u{2}{group}\n{{\"resources\":[]}}\n{things}"),
        format!("\u{3}{group}\n{things}"),
        format!("\u{4}{core}\n{other}"),
    ];
    run(discovery, &seeds, &JSON);
}

/// SEMANTICS: B6, L6
#[test]
fn leases() {
    let found = |spec: &str| {
        format!(
            r#"{{"metadata":{{"name":"lease","namespace":"default","resourceVersion":"8"}},"spec":{{{spec}}}}}"#
        )
    };
    let own = found(
        r#""holderIdentity":"a","leaseTransitions":3,"leaseDurationSeconds":15,"acquireTime":"2023-11-14T22:13:20.123456Z","renewTime":"2023-11-14T22:13:20.123456Z""#,
    );
    let other =
        found(r#""holderIdentity":"b","leaseTransitions":2147483647,"leaseDurationSeconds":9"#);
    let mut seeds = Vec::new();
    for choice in ["\0\0", "\u{1}\0", "\u{2}\u{1}", "\0\u{2}", "\u{1}\u{3}", "\u{1}\u{4}"] {
        seeds.extend([&own, &other].map(|found| format!("{choice}{found}")));
    }
    run(lease, &seeds, &JSON);
}

#[test]
fn selectors() {
    let seeds = [
        "app=web,tier in (a, b),!legacy",
        "app!=web , x.io/n>4,n<6",
        "tier notin (,b),empty=",
        "app == web",
        "a.b=x,c.d['$']!=root",
        r"b[*].a==1,metadata.name=a\,b",
        r"a.b=\ x\ ",
    ];
    let tokens =
        [&PATH[..], &["=", "!=", ">", "<", " in (", "notin", "app", "empty", "\t"]].concat();
    run(selector, &seeds, &tokens);
}

#[test]
fn resources() {
    let seeds = ["v1/pods", "networking.k8s.io/v1/ingresses", "apps/v2,v1/deployments", "a?b#c%2F"];
    run(resource, &seeds, &["/", ".", "..", ",", "v1", "v2beta1", "%", " ", "A", "ж", "\n", "-"]);
}

/// SEMANTICS: W5, W11, W12, W13, S7
#[test]
fn conversations() {
    let list = b"4\x8e7\x8f\x86\x94\x8b\x92\x88\x93\x8c\x91";
    let page = b"4\x8e\x95\x90next\x8f\x87\x94\x8b\x91";
    let lines = b"4\x80\x86\x96\x8b\x85\xa6\x81\x87\x97\x8c\x85\xa8\x82\x88\x95\x8b\x85\x83\x98\x97\x99\x85";
    let streamed = b"4\x80\x8a\x93\x8b\x85\x83\x98\x94\x9a\x85\x82\x8a\x96\x8b\x85\xac";
    let gone = b"4\x84\x9b\x85";
    let seeds: Vec<Vec<u8>> = [
        [&b"\x08\0"[..], b"0", b"1\x01\x02", b"2\0\x01", b"7"],
        [b"\x09\x01", list, lines, gone, b"5\x06\x01\x9b"],
        [b"\x48\0", b"4\x9f", page, list, lines],
        [b"\x18\0", b"4\xa0", streamed, b"3", b"5\x08\x02\x9d"],
        [b"\xe9\0", b"5\x09\x00\x9c", b"2\x07\0", b"2\x0a\x01", b"1\x05\x06"],
        [b"\x80\0", b"4\xa1", b"0", b"0", b"0"],
        [b"\0\0", b"4\xa2", b"0", b"0", b"0"],
        [b"\x0c\x01", b"6\x20", b"0", b"2\x06\x01", b"4\x80\x89\x93\x8d\x85\xab"],
    ]
    .iter()
    .map(|parts| [parts[0], &parts[1..].join(&b'\n')].concat())
    .collect();
    let words: Vec<[u8; 1]> = (0x80..0xb0).map(|byte| [byte]).collect();
    run_times(400, conversation, &seeds, &words);
}

/// Runs a target on the seeds, and on seeds with a few random edits.
fn run(target: fn(&[u8]), seeds: &[impl AsRef<[u8]>], tokens: &[&str]) {
    run_times(RUNS, target, seeds, tokens);
}

fn run_times(
    times: u32,
    target: fn(&[u8]),
    seeds: &[impl AsRef<[u8]>],
    tokens: &[impl AsRef<[u8]>],
) {
    for seed in seeds {
        target(seed.as_ref());
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..times {
        let token = tokens[random.below(tokens.len())].as_ref();
        let mut data = seeds[random.below(seeds.len())].as_ref().to_vec();
        for _ in 0..=random.below(4) {
            let (from, to) = (random.below(data.len() + 1), random.below(data.len() + 1));
            let short = from.min(to)..from.max(to).min(from.min(to) + 8);
            match random.below(6) {
                0 => drop(data.drain(short)),
                1 => drop(data.splice(short, token.iter().copied())),
                2 | 3 => {
                    drop(data.splice(from..from, token.iter().copied()));
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

/// Input of a target; printed if the target panics.
struct Shown(Vec<u8>);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("on {}", self.0.escape_ascii());
        }
    }
}

/// A xorshift random number generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
