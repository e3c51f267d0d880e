//! Checks that the cost of an input grows linearly with its size.
//!
//! `cargo bench --bench bounds` runs each entry point on inputs of n, 2n and 4n parts, such as keys, fields
//! or bytes, and prints CPU time for a thousand parts, and its growth from n to 4n: 1.0 is linear, and 1.2 is
//! the bound. Then it prints the longest poll of a pipeline with an input of 1 MiB. It writes
//! `target/bench/bounds.json`. `cargo bench --bench bounds -- index` runs only the cases whose names contain
//! `index`, and writes nothing.

#[allow(dead_code, reason = "each benchmark uses a part")]
#[path = "../support/mod.rs"]
mod support;

mod cases;
mod polls;
mod served;

use serde_json::{Map, Value, json};

use support::{
    measure::{median, micros, thread_cpu},
    report::{self, short, table},
};

/// Number of runs of each case with each size.
const ROUNDS: usize = 7;

/// Maximum growth relative to linear.
const BOUND: f64 = 1.2;

/// Maximum time of a poll.
const LONGEST_POLL_MS: f64 = 10.0;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_run = |name: &str| only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let growth = growth(is_run);
    let polls = longest_polls(is_run);
    if only.is_none() {
        report::write(
            "bounds",
            &json!({ "rounds": ROUNDS }),
            &json!({ "growth": growth, "polls": polls }),
        );
    }
}

fn growth(is_run: impl Fn(&str) -> bool) -> Value {
    let mut measured = Map::new();
    let mut rows = Vec::new();
    for (name, n, prepare) in cases::CASES.into_iter().filter(|(name, ..)| is_run(name)) {
        eprintln!("{name}");
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        // Sizes take turns.
        for _ in 0..ROUNDS {
            for (times, size) in times.iter_mut().zip([n, 2 * n, 4 * n]) {
                let run = prepare(size);
                let begun = thread_cpu();
                run();
                times.push(1e3 * micros(thread_cpu().saturating_sub(begun), size));
            }
        }
        let [one, two, four] = times.map(median);
        let growth = four / one;
        let verdict = if growth <= BOUND { "yes" } else { "no" };
        let mut row = vec![name.to_owned(), n.to_string()];
        row.extend([one, two, four, growth].map(short));
        row.push(verdict.to_owned());
        rows.push(row);
        let of_case = json!({ "n": n, "us": [one, two, four], "growth": growth });
        measured.insert(name.to_owned(), of_case);
    }
    let head = ["input", "n", "n", "2n", "4n", "growth", "within 1.2"];
    table("bounds: CPU µs for a thousand parts of an input", &head, &rows);
    measured.into()
}

fn longest_polls(is_run: impl Fn(&str) -> bool) -> Value {
    let mut measured = Map::new();
    let mut rows = Vec::new();
    for (name, run) in polls::CASES.into_iter().filter(|(name, _)| is_run(name)) {
        eprintln!("{name}");
        let (mut longest, mut all) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let times = run();
            longest.push(1e3 * times.longest.as_secs_f64());
            all.push(1e3 * times.all.as_secs_f64());
        }
        let (longest, all) = (median(longest), median(all));
        let verdict = if longest <= LONGEST_POLL_MS { "yes" } else { "no" };
        rows.push(vec![name.to_owned(), short(all), short(longest), verdict.to_owned()]);
        measured.insert(name.to_owned(), json!({ "all_ms": all, "longest_ms": longest }));
    }
    let head = ["input, of 1 MiB if not said", "all polls", "longest", "within 10"];
    table("bounds: CPU ms of the polls of a pipeline, from the bytes to a snapshot", &head, &rows);
    measured.into()
}
