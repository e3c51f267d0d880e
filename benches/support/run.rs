//! Date, machine and command of a measurement.

use std::{env, fs, thread};

use serde_json::{Value, json};

/// Returns a description of this run of a benchmark, with its parameters.
pub(crate) fn this(name: &str, of: &Value) -> Value {
    json!({
        "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        "machine": machine(),
        "command": command(name),
        "of": of,
    })
}

fn command(name: &str) -> String {
    // Cargo adds `--bench`.
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [] => format!("cargo bench --bench {name}"),
        some => format!("cargo bench --bench {name} -- {}", some.join(" ")),
    }
}

/// Returns the processor, cores and memory of the machine, as reported by Linux.
fn machine() -> String {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches([':', ' ', '\t']).trim_end().to_owned())
    };
    let processor =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| env::consts::ARCH.into());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let kilobytes = field("/proc/meminfo", "MemTotal");
    let kilobytes = kilobytes.and_then(|text| text.strip_suffix(" kB")?.parse::<f64>().ok());
    let memory = kilobytes.map(|size| format!(", {:.0} GiB", size / f64::from(1 << 20)));
    format!("{processor}, {cores} cores{}", memory.unwrap_or_default())
}
