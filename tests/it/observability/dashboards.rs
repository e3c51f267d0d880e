//! The files in `docs/` for operators, compared with the existing metrics.

use std::{collections::BTreeSet, fs, path::Path};

use kube_weir::telemetry::{METRICS, MetricKind};
use serde_json::Value;

fn docs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the series that a text names.
fn used(text: &str) -> BTreeSet<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !word(c)).filter(|word| word.starts_with("kube_weir_")).collect()
}

/// Returns the existing series.
fn series() -> BTreeSet<String> {
    let of = |metric: &kube_weir::telemetry::Metric| match metric.kind {
        MetricKind::Histogram => {
            ["_bucket", "_sum", "_count"].map(|suffix| format!("{}{suffix}", metric.name)).to_vec()
        }
        _ => vec![metric.name.to_owned()],
    };
    METRICS.iter().flat_map(of).collect()
}

#[test]
fn dashboard_and_alerts_are_about_metrics_that_there_are() {
    let series = series();
    let (dashboard, alerts) = (docs("grafana.json"), docs("alerts.yaml"));
    let used: BTreeSet<&str> = used(&dashboard).into_iter().chain(used(&alerts)).collect();
    for own in &used {
        assert!(series.contains(*own), "{own} is no series");
    }
    // And conversely: every metric should be used.
    for metric in METRICS {
        assert!(
            used.iter().any(|own| own.starts_with(metric.name)),
            "{} is not shown",
            metric.name
        );
    }
}

#[test]
fn the_dashboard_is_one() {
    let dashboard: Value = serde_json::from_str(&docs("grafana.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 39));
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!(variables[0]["type"], "datasource");
    let panels = dashboard["panels"].as_array().unwrap();
    let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").collect();
    assert_eq!(rows.len(), 6, "{rows:?}");
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id twice: {panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(x < 24 && taken.insert((x, y)), "{} lies over another", panel["title"]);
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert!(!used(query).is_empty(), "{query}");
        }
    }
}
