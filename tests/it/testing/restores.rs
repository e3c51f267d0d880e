//! Lost histories: servers that are restored from a backup.

use std::time::Duration;

use futures::StreamExt;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, VersionMatch, WatchParams},
    core::{ApiResource, GroupVersionKind},
};
use kube_weir::testing::ApiServer;
use serde_json::json;
use tokio::time::Instant;

use super::{Tested, code, config, configs, crd, filled, seen, watch};

#[tokio::test(start_paused = true)]
async fn a_restore_takes_everything_back() -> Tested {
    let server = filled(3);
    let lost = server.apply(&config("lost", "web"))?;
    let before = server.objects("configmaps")?[..3].to_vec();
    server.apply(&config("c0", "changed"))?;
    server.delete("configmaps", "default", "c1")?;
    server.apply(&config("c1", "again"))?;
    server.compact();
    server.restore(4)?;
    assert_eq!(server.objects("configmaps")?, before);
    assert_eq!(server.resource_version(), 4);

    // The counters of versions and uids continue: the first from the backup, the second from the lost
    // future.
    let new = server.apply(&config("lost", "web"))?;
    assert_eq!(new["metadata"]["resourceVersion"], lost["metadata"]["resourceVersion"]);
    assert_ne!(new["metadata"]["uid"], lost["metadata"]["uid"]);

    // The history before it can still be read and restored.
    let api = configs(&server);
    let mut events = watch(&api, WatchParams::default(), "4").await?;
    assert_eq!(seen(&mut events).await, ["+lost@5"]);
    server.restore(2)?;
    assert_eq!(api.list(&ListParams::default()).await?.items[0].name_any(), "c0");
    assert_eq!(server.objects("configmaps")?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_restore_needs_a_state_that_is_remembered() -> Tested {
    let server = filled(5);
    let code = |version| {
        let error = server.restore(version).expect_err("not remembered");
        error.status().map(|status| status.code)
    };
    assert_eq!(code(7), Some(504));
    assert_eq!(code(0), Some(410));
    server.set_history_limit(2);
    assert_eq!(code(3), Some(410));
    server.restore(4)?;
    server.restore(4)?;
    assert_eq!(server.objects("configmaps")?.len(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn watches_end_at_a_restore_and_the_future_is_silent() -> Tested {
    let server = filled(2);
    let api = configs(&server);
    let mut open = watch(&api, WatchParams::default(), "2").await?;
    assert_eq!(seen(&mut open).await, ["+c1@3"]);
    server.apply(&config("unsent", "web"))?;
    server.restore(2)?;
    // This replaces the lost writes, so the old position in the history is different.
    server.apply(&config("x", "web"))?;
    assert_eq!(seen(&mut open).await, ["end"]);

    let mut silent = watch(&api, WatchParams::default().timeout(290), "5").await?;
    for version in 4..=5 {
        assert_eq!(server.resource_version(), version - 1);
        server.apply(&config("x", &version.to_string()))?;
        server.bookmark();
        assert_eq!(seen(&mut silent).await, [""; 0]);
    }
    assert_eq!(seen(&mut silent).await, [""; 0]);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(seen(&mut silent).await, [""; 0], "no bookmark of its own at the asked version");
    server.apply(&config("x", "beyond"))?;
    server.bookmark();
    assert_eq!(seen(&mut silent).await, ["~x@6", "b@6"]);

    // A watch at a future version on an idle server ends without an event.
    let begun = Instant::now();
    let quiet = watch(&api, WatchParams::default().timeout(290), "9").await?;
    assert_eq!(quiet.count().await, 0);
    assert_eq!(begun.elapsed().as_secs(), 290);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn lists_of_the_future_are_refused() -> Tested {
    let server = filled(4);
    let api = configs(&server);
    server.restore(3)?;
    let future = ListParams::default().at("5");
    let not_older = future.clone().matching(VersionMatch::NotOlderThan);
    for params in [future.clone(), not_older, future.matching(VersionMatch::Exact)] {
        let begun = Instant::now();
        let refused = api.list(&params).await.expect_err("too large");
        assert_eq!(begun.elapsed().as_secs(), 3);
        let kube::Error::Api(status) = refused else { panic!("{refused}") };
        assert_eq!(status.code, 504);
        assert_eq!(status.details.ok_or("details")?.causes[0].reason, "ResourceVersionTooLarge");
    }
    // A streaming list waits as long, and then sends an error event.
    let begun = Instant::now();
    let mut events = watch(&api, WatchParams::streaming_lists(), "5").await?;
    assert_eq!(begun.elapsed().as_secs(), 3);
    assert_eq!(seen(&mut events).await, ["504 Timeout", "end"]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_restore_brings_back_the_kinds_of_its_time() -> Tested {
    let server = ApiServer::new();
    server.apply(&crd())?;
    let foo = json!({"apiVersion": "a.io/v1", "kind": "Foo", "metadata": {"name": "f"}});
    server.apply(&foo)?;
    let backup = server.resource_version();
    server.delete("customresourcedefinitions", "", "foos.a.io")?;
    let gvk = GroupVersionKind::gvk("a.io", "v1", "Foo");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "foos");
    let foos: Api<DynamicObject> = Api::all_with(server.client(), &resource);
    assert_eq!(code(foos.list(&ListParams::default()).await), 404);
    server.restore(backup)?;
    assert_eq!(foos.list(&ListParams::default()).await?.items.len(), 1);
    server.restore(1)?;
    assert_eq!(code(foos.list(&ListParams::default()).await), 404);
    Ok(())
}
