//! The page of metrics, printed once and served.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{Running, SOON, example, output, text};

/// Returns the value of a series.
fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {page}")).parse().expect("a number")
}

#[tokio::test]
async fn a_page_shows_what_happened() {
    let output = output(example("metrics_prometheus")).await;
    let (page, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    // The script ends the watch, possibly at once, and refuses the next one.
    let (refused, ended): (Vec<&str>, Vec<&str>) =
        stderr.lines().partition(|line| line.contains("reason=\"Desynced\""));
    assert_eq!(refused.len(), 1, "{stderr}");
    assert!(
        ended.iter().all(|line| line.contains("the server ended the watch at once")),
        "{stderr}"
    );
    let of = |name: &str, more: &str| {
        value(page, &format!("kube_weir_{name}{{resource=\"v1/configmaps\"{more}}}"))
    };
    let is = |name: &str, more: &str, expected: f64| {
        assert!((of(name, more) - expected).abs() < 1e-9, "{name} {more}: {page}");
    };
    is("stores_synced", "", 1.);
    is("store_objects", "", 20.);
    is("store_index_entries", ",index=\"by-level\"", 20.);
    is("errors_total", ",reason=\"Desynced\"", 1.);
    is("lists_total", ",reason=\"Desynced\"", 1.);
    // 48 of 50 writes change something; far fewer batches are yielded.
    let (events, batches) =
        (of("events_total", ",type=\"apply\""), of("debounce_delivered_total", ""));
    assert!((25. ..=50.).contains(&events) && (2. ..15.).contains(&batches), "{events} {batches}");
    assert!(page.contains("# HELP kube_weir_store_objects objects in the store"), "{page}");
}

#[tokio::test]
async fn the_page_is_served() {
    let mut command = example("metrics_prometheus");
    command.args(["--serve", "127.0.0.1:0"]);
    let mut running = Running::start(command);
    let line = running.line().await;
    let address = line.strip_prefix("http://").and_then(|line| line.strip_suffix("/metrics"));
    let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
    let deadline = Instant::now() + SOON;
    loop {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = "GET /metrics HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        if answer.contains("kube_weir_store_objects{resource=\"v1/configmaps\"} 20\n") {
            return;
        }
        assert!(Instant::now() < deadline, "{answer}");
        sleep(Duration::from_millis(50)).await;
    }
}
