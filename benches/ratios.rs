//! Compares the results of the other benchmarks with their targets.
//!
//! `cargo bench --bench ratios` reads the results of `ingest`, `memory`, `store` and `live` in
//! `target/bench`, prints one table and writes `target/bench/ratios.json`. It measures nothing
//! itself: rows of benchmarks that were not run are missing.

#[allow(dead_code, reason = "each benchmark uses a part")]
mod support;

use serde_json::{Value, json};

use support::report::{self, short, table};

const KUBE: &str = "kube dynamic";
const KUBE_STRIPPED: &str = "kube dynamic, stripped";
const KUBE_TYPED: &str = "kube typed, stripped";
const GO: &str = "client-go dynamic, stripped";
const DOCUMENT: &str = "weir Document";
const TYPED: &str = "weir typed";

fn main() {
    let measured = |name| report::read(name)["measured"].take();
    let figures = Figures {
        ingest: measured("ingest"),
        memory: measured("memory"),
        store: measured("store"),
        live: measured("live"),
    };
    let mut rows = figures.ingest_rows();
    rows.extend(figures.live_rows());
    rows.extend(figures.memory_rows());
    rows.extend(figures.store_rows());

    let missing = rows.iter().filter(|row| row.measured.is_nan()).count();
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    table("ratios", &["what", "against", "reach", "measured", "ok"], &cells);
    if missing > 0 {
        println!("\n{missing} not measured: run the other benchmarks first (`just bench-peers`)");
    }
    report::write("ratios", &Value::Null, &rows.iter().map(Row::json).collect());
}

/// A line of the table.
struct Row {
    what: String,
    against: &'static str,
    reach: Reach,
    measured: f64,
    /// The text of this row in the README, if it is shown there.
    headline: Option<&'static str>,
}

/// The target of a row.
#[derive(Clone, Copy)]
enum Reach {
    /// A number of times better than the peer.
    Times(f64),
    /// A maximum for our figure, in a unit.
    AtMost(f64, &'static str),
    /// A minimum for our figure, in a unit.
    AtLeast(f64, &'static str),
}

impl Row {
    fn headline(mut self, words: impl Into<Option<&'static str>>) -> Self {
        self.headline = words.into();
        self
    }

    fn is_ok(&self) -> bool {
        match self.reach {
            Reach::Times(least) | Reach::AtLeast(least, _) => self.measured >= least,
            Reach::AtMost(most, _) => self.measured <= most,
        }
    }

    fn cells(&self) -> Vec<String> {
        let (reach, unit) = match self.reach {
            Reach::Times(least) => (format!("{least}x"), "x"),
            Reach::AtMost(most, unit) => (format!("<= {most}{unit}"), unit),
            Reach::AtLeast(least, unit) => (format!(">= {least}{unit}"), unit),
        };
        let (measured, ok) = match self.measured {
            measured if measured.is_nan() => ("-".into(), "-"),
            measured => (short(measured) + unit, if self.is_ok() { "yes" } else { "no" }),
        };
        vec![self.what.clone(), self.against.to_owned(), reach, measured, ok.to_owned()]
    }

    fn json(&self) -> Value {
        let measured = Some(self.measured).filter(|measured| !measured.is_nan());
        json!({
            "what": self.what,
            "against": self.against,
            "measured": measured,
            "headline": self.headline,
            "ok": measured.map(|_| self.is_ok()),
        })
    }
}

struct Figures {
    ingest: Value,
    memory: Value,
    store: Value,
    live: Value,
}

fn figure(table: &Value, path: [&str; 3]) -> f64 {
    table[path[0]][path[1]][path[2]].as_f64().unwrap_or(f64::NAN)
}

/// Returns the peer's figure divided by ours.
fn less(table: &Value, kind: &str, ours: &str, peer: &str, name: &str) -> f64 {
    figure(table, [kind, peer, name]) / figure(table, [kind, ours, name])
}

fn times(what: &str, against: &'static str, reach: f64, measured: f64) -> Row {
    Row { what: what.to_owned(), against, reach: Reach::Times(reach), measured, headline: None }
}

fn own(what: impl Into<String>, reach: Reach, measured: f64) -> Row {
    Row { what: what.into(), against: "", reach, measured, headline: None }
}

impl Figures {
    fn ingest_rows(&self) -> Vec<Row> {
        let cpu = |ours, peer, name| less(&self.ingest, "pods", ours, peer, name);
        let kept = |ours, peer| less(&self.memory, "pods", ours, peer, "kept");
        vec![
            times("list page of Pods to store, CPU", KUBE, 20.0, cpu(DOCUMENT, KUBE, "list_us")),
            times("the same", KUBE_STRIPPED, 20.0, cpu(DOCUMENT, KUBE_STRIPPED, "list_us")),
            times("memory kept of Pods", KUBE, 14.0, kept(DOCUMENT, KUBE)),
            times("the same", KUBE_STRIPPED, 14.0, kept(DOCUMENT, KUBE_STRIPPED))
                .headline("less memory for Pods"),
            times("typed, CPU", KUBE_TYPED, 2.0, cpu(TYPED, KUBE_TYPED, "list_us")),
            times("typed, memory kept", KUBE_TYPED, 1.0, kept(TYPED, KUBE_TYPED)),
            times("Pod's watch line to snapshot", KUBE, 10.0, cpu(DOCUMENT, KUBE, "single_us"))
                .headline("less CPU from a Pod's change to the snapshot"),
            times("the same, at full rate", KUBE, 10.0, cpu(DOCUMENT, KUBE, "watch_us")),
            times("typed, one by one", KUBE_TYPED, 2.0, cpu(TYPED, KUBE_TYPED, "single_us")),
        ]
    }

    fn live_rows(&self) -> Vec<Row> {
        let cpu = |kind, peer| less(&self.live, kind, DOCUMENT, peer, "sync_us");
        let peak = |kind| less(&self.live, kind, DOCUMENT, KUBE_STRIPPED, "peak");
        let typed = |peer| less(&self.live, "pods", TYPED, peer, "sync_us");
        let rate = |ours| figure(&self.live, ["ingresses", ours, "events_per_second"]);
        vec![
            times("client at sync, Pods, CPU", GO, 50.0, cpu("pods", GO))
                .headline("less CPU until Pods are synced"),
            times("the same", KUBE_STRIPPED, 15.0, cpu("pods", KUBE_STRIPPED))
                .headline("less CPU until Pods are synced"),
            times("the same, typed", KUBE_TYPED, 2.0, typed(KUBE_TYPED))
                .headline("less CPU until typed Pods are synced"),
            times("client at sync, Ingresses, CPU", GO, 25.0, cpu("ingresses", GO)),
            times("the same", KUBE_STRIPPED, 6.0, cpu("ingresses", KUBE_STRIPPED)),
            times("client's peak memory, Pods", KUBE_STRIPPED, 12.0, peak("pods"))
                .headline("lower peak of the process's memory, Pods"),
            times("events per second, Ingresses", GO, 20.0, rate(DOCUMENT) / rate(GO))
                .headline("more events per second, Ingresses"),
            times("the same", KUBE_STRIPPED, 5.0, rate(DOCUMENT) / rate(KUBE_STRIPPED))
                .headline("more events per second, Ingresses"),
            own("the same", Reach::AtLeast(100_000.0, "/s"), rate(DOCUMENT)),
            own(
                "client at sync, Ingresses, CPU each",
                Reach::AtMost(5.0, " µs"),
                figure(&self.live, ["ingresses", DOCUMENT, "sync_us"]),
            ),
        ]
    }

    fn memory_rows(&self) -> Vec<Row> {
        let kept = |way| figure(&self.memory, ["ingresses", way, "kept"]) / 1e3;
        let transient = |way| figure(&self.memory, ["pods", way, "transient"]) / 1e6;
        // The largest of the Pods is 16 KB.
        let most = Reach::AtMost(1.016, " MB");
        vec![
            own("an Ingress kept", Reach::AtMost(1.9, " KB"), kept(DOCUMENT)),
            own("an Ingress kept, typed", Reach::AtMost(4.8, " KB"), kept(TYPED)),
            own("list of Pods in pages, transient", most, transient(DOCUMENT)),
            own("the same in one page", most, transient("weir Document, one page")),
            own(
                "peak of a relist / kept, Pods",
                Reach::AtMost(1.3, ""),
                figure(&self.memory, ["pods", DOCUMENT, "relist_peak"]),
            ),
        ]
    }

    fn store_rows(&self) -> Vec<Row> {
        const KUBE: &str = "kube Store";
        const READERS: [&str; 2] = ["readers_written_ns", "readers_written_cpu_ns"];
        let get = |size| {
            figure(&self.store, [size, KUBE, "get_held_ns"])
                / figure(&self.store, [size, "weir", "get_held_ns"])
        };
        let mut rows: Vec<_> = [
            ("1000", 6.0, None),
            ("100000", 2.5, Some("faster lookups in 100,000 objects")),
            ("1000000", 1.5, None),
        ]
        .map(|(size, reach, headline)| {
            let what = format!("get from a held snapshot, {size} objects");
            times(&what, KUBE, reach, get(size)).headline(headline)
        })
        .into();
        for (size, headline) in
            [("1000", Some("faster lookups in 1,000 objects that change")), ("100000", None)]
        {
            let ours = |name| figure(&self.store, [size, "weir", name]);
            let kube = figure(&self.store, [size, KUBE, READERS[0]]);
            let what = format!("2 readers and a writer, {size} objects");
            rows.push(times(&what, KUBE, 3.0, kube / ours(READERS[0])).headline(headline));
            rows.push(own(
                format!("{what}, CPU / idle"),
                Reach::AtMost(1.5, ""),
                ours(READERS[1]) / ours("readers_idle_cpu_ns"),
            ));
        }
        for (size, most) in [("10000", 1.0), ("100000", 2.0), ("1000000", 5.0)] {
            rows.push(own(
                format!("publish 1 change, {size} objects"),
                Reach::AtMost(most, " µs"),
                figure(&self.store, [size, "weir", "publish_1_us"]),
            ));
        }
        rows
    }
}
