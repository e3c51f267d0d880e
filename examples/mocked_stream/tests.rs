//! Assertions about the commands.

use futures::stream;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn a_host_is_served_as_long_as_any_ingress_has_it() {
    let [a, b] = ["a", "b"].map(|name| ingress(name, 1, "example.com"));
    let one = [Event::Init, Event::InitApply(a.clone()), Event::InitDone, Event::Apply(b.clone())];
    assert_eq!(
        commands(stream::iter(one.clone())).await,
        ["serve example.com", "reload example.com"]
    );
    let none = one.into_iter().chain([Event::Delete(a), Event::Delete(b)]);
    // Merged, because the last three events arrive at once.
    assert_eq!(commands(stream::iter(none)).await, ["serve example.com", "drop example.com"]);
}

#[tokio::test(start_paused = true)]
async fn a_minute_with_a_failure_and_a_relist() {
    let begun = Instant::now();
    assert_eq!(
        commands(events()).await,
        [
            "serve example.com",
            "serve shop.example.com",
            "reload example.com",
            "drop shop.example.com"
        ]
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(60));
}
