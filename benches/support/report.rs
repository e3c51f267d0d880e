//! Tables for people, JSON for machines.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::run;

/// Folder of all results.
const DIRECTORY: &str = "target/bench";

/// Writes the results of a benchmark, with the parameters of the run, such as the number of objects.
pub(crate) fn write(name: &str, of: &Value, measured: &Value) {
    let report = json!({ "run": run::this(name, of), "measured": measured });
    let text = serde_json::to_string_pretty(&report).expect("a map of numbers");
    let path = path(name);
    if let Err(error) = fs::create_dir_all(DIRECTORY).and_then(|()| fs::write(&path, text)) {
        eprintln!("{} not written: {error}", path.display());
    }
}

/// Reads the results of a benchmark, or null.
pub(crate) fn read(name: &str) -> Value {
    let text = fs::read_to_string(path(name));
    text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{name}.json"))
}

/// Prints rows of cells as a Markdown table whose columns line up.
pub(crate) fn table(title: &str, head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join(" | ")
    };
    println!("\n{title}\n");
    println!("| {} |", line(&mut head.iter().copied()));
    println!(
        "|{}|",
        widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|")
    );
    for row in rows {
        println!("| {} |", line(&mut row.iter().map(String::as_str)));
    }
}

/// Formats a number with just enough digits for comparisons.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
