//! Draws the results of the other benchmarks.
//!
//! `cargo bench --bench figures -- FOLDER` reads the results of `live`, `store` and `snapshot` in
//! `target/bench`, writes one picture for each figure to the folder, and prints the README's table from the
//! results of `ratios`. It measures nothing itself, and draws nothing unless all results are present. With
//! `soak` after the folder it draws only the memory of the soak. Without a folder, as in a run of all
//! benchmarks, it does nothing.

#[allow(dead_code, reason = "each benchmark uses a part")]
#[path = "../support/mod.rs"]
mod support;

mod bars;
mod course;
mod lines;
mod svg;

use std::{fs, path::Path, process::ExitCode};

use serde_json::Value;

use bars::{Bars, Row};
use course::{Course, Samples};
use lines::{Lines, Series};
use support::report::{self, short, table};
use svg::{Caption, GO, KUBE, OTHER, OURS, grouped};

const MIB: f64 = 1_048_576.0;

/// The names of the clients in `live`, and in the figures.
const CLIENTS: [(&str, &str, &str); 6] = [
    ("weir Document", "weir Document", OURS),
    ("weir typed", "weir typed", OURS),
    ("kube dynamic, stripped", "kube dynamic", KUBE),
    ("kube typed, stripped", "kube typed", KUBE),
    ("client-go dynamic, stripped", "client-go dynamic", GO),
    ("client-go typed, stripped", "client-go typed", GO),
];

fn main() -> ExitCode {
    // Cargo passes `--bench`.
    let arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let arguments: Vec<_> = arguments.collect();
    let drawn = match &arguments[..] {
        [] => {
            println!("no folder to draw to: see `just figures`");
            return ExitCode::SUCCESS;
        }
        [folder] => draw(Path::new(folder)),
        [folder, what] if what == "soak" => draw_soak(Path::new(folder)),
        _ => Err("the arguments are a folder, and `soak` or nothing".to_owned()),
    };
    match drawn {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nothing drawn: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw(folder: &Path) -> Result<(), String> {
    let (live, store, snapshot) =
        (Measured::read("live"), Measured::read("store"), Measured::read("snapshot"));
    let figures = [
        ("memory", memory(&live)?),
        ("cpu", cpu(&live)?),
        ("events", events(&live)?),
        ("get", get(&store)?),
        ("publish", publish(&store, &snapshot)?),
    ];
    let headlines = headlines(&Measured::read("ratios"))?;
    for (name, figure) in figures {
        write(folder, name, &figure)?;
    }
    table("for the README", &["kube-weir has", "than", "measured"], &headlines);
    Ok(())
}

fn draw_soak(folder: &Path) -> Result<(), String> {
    write(folder, "soak", &soak(&Measured::read("soak"))?)
}

fn write(folder: &Path, name: &str, figure: &str) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let path = folder.join(format!("{name}.svg"));
    fs::write(&path, figure).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// The results of a benchmark.
struct Measured {
    name: &'static str,
    report: Value,
}

impl Measured {
    fn read(name: &'static str) -> Self {
        Self { name, report: report::read(name) }
    }

    fn at(&self, path: &[&str]) -> Result<&Value, String> {
        let found = path.iter().try_fold(&self.report, |value, key| value.get(key));
        found.filter(|value| !value.is_null()).ok_or_else(|| {
            let (file, name) = (report::path(self.name), self.name);
            let path = path.join(" / ");
            format!("no {path} in {}: run `cargo bench --bench {name}`", file.display())
        })
    }

    fn number(&self, path: &[&str]) -> Result<f64, String> {
        let value = self.at(path)?;
        value.as_f64().ok_or_else(|| format!("{value} is no number: {}", path.join(" / ")))
    }

    fn numbers(&self, path: &[&str]) -> Result<Vec<f64>, String> {
        let numbers = self.at(path)?.as_array().into_iter().flatten();
        Ok(numbers.filter_map(Value::as_f64).collect())
    }

    /// Returns the date, machine and command of the run.
    fn source(&self) -> Result<String, String> {
        let text = |name| Ok::<_, String>(self.at(&["run", name])?.as_str().unwrap_or_default());
        Ok(format!("{}, {}: {}", text("date")?, text("machine")?, text("command")?))
    }
}

fn memory(live: &Measured) -> Result<String, String> {
    let what = "Growth of the process until it is synced, per object. Less is better";
    clients(live, "memory", "Memory per object", what, "resident", (1e3, "KB per object"))
}

fn cpu(live: &Measured) -> Result<String, String> {
    let what = "CPU time of the process until it is synced, per object. Less is better";
    clients(live, "cpu", "CPU time per object", what, "sync_us", (1.0, "µs per object"))
}

fn events(live: &Measured) -> Result<String, String> {
    let what = "Changes processed when they arrive as fast as possible. More is better";
    let unit = (1e3, "thousand per second");
    clients(live, "events", "Events per second", what, "events_per_second", unit)
}

/// All clients, with each kind that is served to them.
fn clients(
    live: &Measured,
    name: &'static str,
    title: &'static str,
    what: &str,
    figure: &str,
    (unit_size, unit): (f64, &'static str),
) -> Result<String, String> {
    let kinds = [("pods", "Pods"), ("ingresses", "Ingresses")];
    let panels = kinds.map(|(kind, name)| {
        let objects = live.number(&["run", "of", kind, "objects"])?;
        let size = live.number(&["run", "of", kind, "bytes"])? / 1e3;
        Ok(format!("{} {name} of {size:.1} KB", grouped(objects)))
    });
    let rows = CLIENTS.map(|(client, name, colour)| {
        let value = |(kind, _)| Ok(live.number(&["measured", kind, client, figure])? / unit_size);
        let values = kinds.map(value).into_iter().collect::<Result<_, String>>()?;
        Ok(Row { name, colour, bold: colour == OURS, values })
    });
    let stripped = "All drop managedFields and the status of Pods, and list in pages of 500";
    let bars = Bars {
        caption: Caption {
            name,
            title,
            what: what.to_owned(),
            sources: vec![stripped.to_owned(), live.source()?],
        },
        unit,
        panels: panels.into_iter().collect::<Result<_, String>>()?,
        rows: rows.into_iter().collect::<Result<_, String>>()?,
    };
    Ok(bars.draw())
}

fn get(store: &Measured) -> Result<String, String> {
    let sizes = ["1000", "100000", "1000000"];
    let rows = [
        ("weir", "weir", "readers_idle_ns", OURS),
        ("weir", "weir, written to", "readers_written_ns", OURS),
        ("kube Store", "kube Store", "readers_idle_ns", KUBE),
        ("kube Store", "kube, written to", "readers_written_ns", KUBE),
    ];
    let rows = rows.map(|(own, name, figure, colour)| {
        let value = |size| store.number(&["measured", size, own, figure]);
        let values = sizes.map(value).into_iter().collect::<Result<_, String>>()?;
        Ok(Row { name, colour, bold: colour == OURS, values })
    });
    let bars = Bars {
        caption: Caption {
            name: "get",
            title: "Time of a lookup",
            what: "By identity, in two threads, without and with a third that publishes all the \
                   time. Less is better"
                .to_owned(),
            sources: vec![store.source()?],
        },
        unit: "ns per lookup",
        panels: ["1,000 objects", "100,000 objects", "1,000,000 objects"].map(Into::into).into(),
        rows: rows.into_iter().collect::<Result<_, String>>()?,
    };
    Ok(bars.draw())
}

fn publish(store: &Measured, snapshot: &Measured) -> Result<String, String> {
    let sizes = [1_000, 10_000, 100_000, 1_000_000];
    let series = [
        (snapshot, "std HashSet, cloned", "a hash table, cloned", OTHER),
        (store, "kube Store", "kube Store, no snapshot", KUBE),
        (store, "weir", "weir", OURS),
    ];
    let series = series.map(|(measured, own, name, colour)| {
        let time =
            |size: u32| measured.number(&["measured", &size.to_string(), own, "publish_1_us"]);
        let times = sizes.map(time).into_iter().collect::<Result<_, String>>()?;
        Ok(Series { name, colour, bold: colour == OURS, times })
    });
    let lines = Lines {
        caption: Caption {
            name: "publish",
            title: "Time to publish one change",
            what: "Until readers see the change, while one of them holds the previous state. Less is better"
                .to_owned(),
            sources: vec![store.source()?, snapshot.source()?],
        },
        of: "objects in the store",
        sizes: sizes.into(),
        series: series.into_iter().collect::<Result<_, String>>()?,
    };
    Ok(lines.draw())
}

/// Memory of a process while its watches meet faults.
fn soak(soak: &Measured) -> Result<String, String> {
    let series = [
        ("resident", "samples", "resident", OTHER),
        ("allocated", "samples", "allocated", OURS),
        ("in each quiet", "quiet", "allocated", KUBE),
    ];
    let series = series.map(|(name, part, figure, colour)| {
        let minutes = soak.numbers(&["measured", part, "seconds"])?.into_iter();
        let sizes = soak.numbers(&["measured", part, figure])?.into_iter();
        let points = minutes.map(|seconds| seconds / 60.0).zip(sizes.map(|size| size / MIB));
        Ok(Samples { name, colour, is_sparse: part == "quiet", points: points.collect() })
    });
    let seconds = soak.number(&["run", "of", "seconds"])?;
    let text = |name| Ok::<_, String>(soak.at(&["run", name])?.as_str().unwrap_or_default());
    let course = Course {
        caption: Caption {
            name: "soak",
            title: "Memory while everything fails",
            what: "Five watches and their tests, on a real API server that is cut off, killed \
                   and restored"
                .to_owned(),
            sources: vec![format!("{}, {}: just soak {seconds}", text("date")?, text("machine")?)],
        },
        series: series.into_iter().collect::<Result<_, String>>()?,
    };
    Ok(course.draw())
}

/// Returns the ratios that the README shows.
fn headlines(ratios: &Measured) -> Result<Vec<Vec<String>>, String> {
    let rows = ratios.at(&["measured"])?.as_array().into_iter().flatten();
    let headlines = rows.filter_map(|row| Some((row["headline"].as_str()?, row)));
    headlines
        .map(|(headline, row)| {
            let against = row["against"].as_str().unwrap_or_default();
            let measured = row["measured"]
                .as_f64()
                .ok_or_else(|| format!("not measured: {headline}: run `just bench-peers`"))?;
            let against = against.trim_end_matches(", stripped").to_owned();
            Ok(vec![headline.to_owned(), against, format!("{}x", short(measured))])
        })
        .collect()
}
