//! Metrics in Prometheus format.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::SystemTime,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube_weir::{
    Election, EventStreamExt, FetchConfig, LeaseRef,
    telemetry::{METRICS, MetricKind, MetricUnit, SECONDS},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::stories::{self, SECOND, configs, live, refused, relisted, server_with, undecodable};

/// Records the metrics of this thread, until it is dropped.
pub(crate) struct Scrape {
    handle: PrometheusHandle,
    _guard: metrics::LocalRecorderGuard<'static>,
}

impl Scrape {
    pub(crate) fn begin() -> Self {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS);
        // The recorder must outlive the guard; a test is short, so leak it.
        let recorder = Box::leak(Box::new(builder.expect("buckets").build_recorder()));
        Self { handle: recorder.handle(), _guard: metrics::set_default_local_recorder(recorder) }
    }

    /// Returns the page for Prometheus.
    pub(crate) fn page(&self) -> String {
        self.handle.render()
    }

    /// Returns each series and its value.
    fn series(&self) -> BTreeMap<String, f64> {
        let page = self.page();
        let lines = page.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let series = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            (series.to_owned(), value.parse().expect("a number"))
        });
        series.collect()
    }

    /// Returns the value of a series without the prefix `kube_weir_`; `$` stands for the labels of the
    /// tested watch.
    fn is(&self, series: &str, expected: f64) {
        let value = self.value(series);
        assert!((value - expected).abs() < 1e-9, "{series} is {value}, and not {expected}");
    }

    fn value(&self, series: &str) -> f64 {
        let series = series.replace('$', r#"resource="v1/configmaps",name="settings""#);
        let series = format!("kube_weir_{series}");
        let all = self.series();
        let name = series.split('{').next().unwrap_or_default();
        *all.get(&series).unwrap_or_else(|| {
            let near: Vec<_> = all.keys().filter(|own| own.starts_with(name)).collect();
            panic!("no {series} in {near:#?}")
        })
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lives() {
    let scrape = Scrape::begin();
    let server = server_with(&["x", "y"]);
    let mut configs = configs(&server);
    scrape.is("stores{$}", 1.);
    scrape.is("stores_synced{$}", 0.);
    let begun = now();
    live(&server, &mut configs).await;

    scrape.is("stores_synced{$}", 1.);
    scrape.is("store_objects{$}", 2.);
    scrape.is(r#"store_index_entries{$,index="identity"}"#, 2.);
    scrape.is(r#"store_index_entries{$,index="level"}"#, 2.);
    scrape.is("store_stale_objects{$}", 0.);
    scrape.is("store_publishes_total{$}", 4.);
    scrape.is(r#"events_total{$,type="listed"}"#, 2.);
    scrape.is(r#"events_total{$,type="apply"}"#, 2.);
    scrape.is(r#"events_total{$,type="delete"}"#, 1.);
    scrape.is(r#"lists_total{$,reason="Initial"}"#, 1.);
    scrape.is("list_duration_seconds_count{$}", 1.);
    scrape.is("watches{$}", 1.);
    scrape.is(r#"requests_total{$,verb="list",code="200"}"#, 1.);
    scrape.is(r#"requests_total{$,verb="watch",code="200"}"#, 1.);
    scrape.is(r#"request_duration_seconds_count{$,verb="list"}"#, 1.);
    // A list of two objects, and three events.
    let (list, events) =
        (r#"received_bytes_total{$,verb="list"}"#, r#"received_bytes_total{$,verb="watch"}"#);
    assert!((200. ..1500.).contains(&scrape.value(list)), "{}", scrape.value(list));
    assert!((300. ..2000.).contains(&scrape.value(events)), "{}", scrape.value(events));
    let contact = scrape.value("last_contact_timestamp_seconds{$}");
    assert!((begun..=now()).contains(&contact), "{contact}");

    drop(configs);
    for gauge in ["stores{$}", "stores_synced{$}", "store_objects{$}", "watches{$}"] {
        scrape.is(gauge, 0.);
    }
    scrape.is(r#"store_index_entries{$,index="level"}"#, 0.);
}

#[tokio::test(start_paused = true)]
async fn a_relist_and_an_object_that_is_not_decoded() {
    let scrape = Scrape::begin();
    let server = server_with(&["x", "y"]);
    let mut configs = configs(&server);
    live(&server, &mut configs).await;
    relisted(&server, &mut configs).await;
    scrape.is(r#"errors_total{$,reason="Desynced"}"#, 1.);
    scrape.is(r#"lists_total{$,reason="Desynced"}"#, 1.);
    scrape.is(r#"requests_total{$,verb="watch",code="410"}"#, 1.);
    scrape.is("list_duration_seconds_count{$}", 2.);
    scrape.is(r#"events_total{$,type="listed"}"#, 2.);
    scrape.is(r#"events_total{$,type="kept"}"#, 2.);
    scrape.is("watches{$}", 1.);

    undecodable(&server, &mut configs).await;
    scrape.is(r#"errors_total{$,reason="Undecodable"}"#, 1.);
    scrape.is("store_stale_objects{$}", 1.);
    scrape.is("store_objects{$}", 2.);
    server.disconnect();
    stories::silence(&mut configs, SECOND * 5).await;
    server.apply(&stories::config("x", "fatal")).unwrap();
    stories::next(&mut configs).await.unwrap();
    scrape.is("store_stale_objects{$}", 0.);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses() {
    let scrape = Scrape::begin();
    let server = server_with(&["x", "y"]);
    let mut configs = configs(&server);
    refused(&server, &mut configs).await;
    scrape.is(r#"errors_total{$,reason="Forbidden"}"#, 1.);
    scrape.is(r#"errors_total{$,reason="Connection"}"#, 1.);
    scrape.is(r#"requests_total{$,verb="list",code="403"}"#, 1.);
    scrape.is(r#"requests_total{$,verb="list",code="none"}"#, 1.);
    scrape.is(r#"requests_total{$,verb="list",code="200"}"#, 1.);
    // Attempts of one list, with jittered delays of 1.5 to 3 seconds, and 0.8 to 1.6.
    scrape.is(r#"lists_total{$,reason="Initial"}"#, 1.);
    let took = scrape.value("list_duration_seconds_sum{$}");
    assert!((2.3..5.).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn several_pipelines_add_up() {
    let scrape = Scrape::begin();
    let server = server_with(&["x", "y"]);
    let (mut one, mut two) = (configs(&server), configs(&server));
    one.first_synced().await.unwrap();
    two.first_synced().await.unwrap();
    scrape.is("stores{$}", 2.);
    scrape.is("store_objects{$}", 4.);
    drop(two);
    scrape.is("stores{$}", 1.);
    scrape.is("store_objects{$}", 2.);
}

#[tokio::test(start_paused = true)]
async fn a_debounce() {
    let scrape = Scrape::begin();
    stories::debounced().await;
    scrape.is(r#"debounce_received_total{resource="ConfigMap"}"#, 4.);
    scrape.is(r#"debounce_delivered_total{resource="ConfigMap"}"#, 2.);
    scrape.is(r#"debounce_delay_seconds_count{resource="ConfigMap"}"#, 2.);
    let held = scrape.value(r#"debounce_delay_seconds_sum{resource="ConfigMap"}"#);
    assert!((0.99..1.01).contains(&held), "{held}");
    // A stream that isn't ours makes no requests.
    assert!(!scrape.series().keys().any(|series| series.contains("requests")));
}

#[tokio::test(start_paused = true)]
async fn fetching() {
    let scrape = Scrape::begin();
    stories::fetched(&server_with(&[])).await;
    let is = |series: &str, expected| {
        scrape.is(&series.replace('@', r#"resource="v1/secrets""#), expected);
    };
    is(r#"fetch_reads_total{@,result="miss"}"#, 6.);
    is(r#"fetch_reads_total{@,result="hit"}"#, 1.);
    is(r#"fetch_reads_total{@,result="joined"}"#, 1.);
    is("fetch_retries_total{@}", 1.);
    is(r#"fetch_failures_total{@,reason="Forbidden"}"#, 1.);
    is("fetch_duration_seconds_count{@}", 6.);
    is(r#"fetch_dropped_total{@,reason="evicted"}"#, 1.);
    is(r#"fetch_dropped_total{@,reason="outdated"}"#, 1.);
    is(r#"fetch_dropped_total{@,reason="expired"}"#, 2.);
    is(r#"requests_total{@,verb="get",code="200"}"#, 5.);
    is(r#"requests_total{@,verb="get",code="500"}"#, 1.);
    is(r#"requests_total{@,verb="get",code="403"}"#, 1.);
    // Dropping the last handle removes everything.
    is("fetch_cached_objects{@}", 0.);
    is("fetch_cached_bytes{@}", 0.);
}

#[tokio::test(start_paused = true)]
async fn the_fields_that_are_kept() {
    let scrape = Scrape::begin();
    let server = server_with(&["x"]);
    let mut configs = configs(&server);
    let api = Api::<ConfigMap>::all(server.client());
    let kept = configs.store().fetching(api, FetchConfig::default());
    configs.first_synced().await.unwrap();
    kept.get(("a", "x")).await.unwrap().unwrap();
    let report = kept.report();
    assert_eq!(report.objects, 1);
    scrape.is(r#"fetch_cached_objects{resource="v1/configmaps"}"#, 1.);
    let bytes = scrape.value(r#"fetch_cached_bytes{resource="v1/configmaps"}"#);
    assert!((bytes - f64::from(u32::try_from(report.bytes).unwrap())).abs() < 0.5, "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn a_leader() {
    let scrape = Scrape::begin();
    let server = server_with(&[]);
    let lease = LeaseRef::new("default", "web");
    let mut campaign = Election::new(server.client(), lease, "me").unwrap().campaign();
    stories::next(&mut campaign).await.unwrap();
    stories::silence(&mut campaign, SECOND * 7).await;
    scrape.is(r#"leader{lease="default/web"}"#, 1.);
    scrape.is(r#"leader_terms_total{lease="default/web"}"#, 1.);
    scrape.is(r#"leader_renew_duration_seconds_count{lease="default/web"}"#, 3.);
    campaign.release().await.unwrap();
    scrape.is(r#"leader{lease="default/web"}"#, 0.);
    scrape.is(r#"leader_losses_total{lease="default/web"}"#, 0.);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_loses() {
    let scrape = Scrape::begin();
    stories::led(&server_with(&[])).await;
    scrape.is(r#"leader{lease="default/web"}"#, 0.);
    scrape.is(r#"leader_terms_total{lease="default/web"}"#, 2.);
    scrape.is(r#"leader_losses_total{lease="default/web"}"#, 1.);
    let failures =
        scrape.value(r#"leader_renew_failures_total{lease="default/web",reason="Other"}"#);
    assert!(failures >= 3., "{failures}");
}

/// Checks that the table has all metrics: names, types, labels and help.
#[tokio::test(start_paused = true)]
async fn the_table_matches_the_logs() {
    let scrape = Scrape::begin();
    let server = server_with(&["x", "y"]);
    let mut configs = configs(&server);
    refused(&server, &mut configs).await;
    drop(configs);
    stories::debounced().await;
    stories::fetched(&server).await;
    stories::led(&server).await;
    let page = scrape.handle.render();

    let mut told = BTreeMap::<&str, (Option<&str>, &str, BTreeSet<String>)>::new();
    let mut help = None;
    for line in page.lines().filter(|line| !line.is_empty()) {
        if let Some(line) = line.strip_prefix("# HELP ") {
            help = line.split_once(' ').map(|(_, help)| help);
        } else if let Some(line) = line.strip_prefix("# TYPE ") {
            let (name, kind) = line.split_once(' ').expect("a type");
            told.insert(name, (help.take(), kind, BTreeSet::new()));
        } else {
            let (series, _) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').expect("labels");
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix).filter(|own| told.contains_key(own)))
                .unwrap_or(name);
            let labels = labels.trim_end_matches('}').split("\",");
            let labels = labels.map(|label| label.split('=').next().unwrap_or_default().to_owned());
            let labels = labels.filter(|label| !["name", "le"].contains(&label.as_str()));
            told.get_mut(name).expect("a type before").2.extend(labels);
        }
    }
    for metric in METRICS {
        let (help, kind, labels) =
            told.remove(metric.name).unwrap_or_else(|| panic!("{} is never told", metric.name));
        assert_eq!(help, Some(metric.help), "{}", metric.name);
        assert_eq!(kind, format!("{:?}", metric.kind).to_lowercase(), "{}", metric.name);
        let wanted: BTreeSet<String> =
            metric.labels.iter().map(|&label| label.to_owned()).collect();
        assert_eq!(labels, wanted, "{}", metric.name);
    }
    assert!(told.is_empty(), "not in the table: {:?}", told.keys());
}

#[test]
fn names_are_as_prometheus_wants_them() {
    let mut names = BTreeSet::new();
    for metric in METRICS {
        let name = metric.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("kube_weir_"), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == MetricKind::Counter, "{name}");
        let bare = name.trim_end_matches("_total");
        assert_eq!(bare.ends_with("_seconds"), metric.unit == MetricUnit::Seconds, "{name}");
        assert_eq!(bare.ends_with("_bytes"), metric.unit == MetricUnit::Bytes, "{name}");
    }
    // The code uses no other names, including those that no story covers.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/measure");
    for file in fs::read_dir(source).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for name in text.split('"').filter(|text| text.starts_with("kube_weir_")) {
            assert!(names.contains(name), "{name}");
        }
    }
}
