//! Many who write, straight to the server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{TIERS, random::Random, soon};

/// Names that the objects of a namespace have.
const NAMES: usize = 60;

/// Longest wait for the answer to a write; a frozen server gives none.
const ANSWER: Duration = Duration::from_secs(2);

/// Writers that go on until they are told to stop.
pub(crate) struct Writers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    writes: Arc<AtomicUsize>,
}

impl Writers {
    pub(crate) fn start(
        clients: Vec<Client>,
        namespaces: &[String],
        random: &mut Random,
        writes: &Arc<AtomicUsize>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tasks = clients.into_iter().map(|client| {
            let random = Random::new(random.below(usize::MAX) as u64);
            let (namespaces, writes) = (namespaces.to_owned(), Arc::clone(writes));
            tokio::spawn(write(client, namespaces, random, writes, stopped.clone()))
        });
        let tasks = tasks.collect();
        Self { stop, tasks, writes: Arc::clone(writes) }
    }

    /// Lets them finish what they are at.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await.expect("a writer that goes on");
        }
        assert!(self.writes.load(Ordering::Relaxed) > 0, "nothing was written");
    }
}

async fn write(
    client: Client,
    namespaces: Vec<String>,
    mut random: Random,
    writes: Arc<AtomicUsize>,
    stopped: watch::Receiver<bool>,
) {
    while !*stopped.borrow() {
        let namespace = random.pick(&namespaces[..]);
        let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
        match timeout(ANSWER, write_one(&api, &mut random)).await {
            Ok(Ok(())) => {
                writes.fetch_add(1, Ordering::Relaxed);
                sleep(random.up_to(Duration::from_millis(20))).await;
            }
            // Another writer was faster.
            Ok(Err(kube::Error::Api(status))) if [404, 409].contains(&status.code) => {}
            // The server is gone, or busy with starting.
            Ok(Err(_)) | Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn write_one(api: &Api<ConfigMap>, random: &mut Random) -> kube::Result<()> {
    let name = name(random.below(NAMES));
    let tier = *random.pick(&TIERS);
    let object = config_map(&name, tier, random.below(4000));
    let create = PostParams::default();
    match random.below(10) {
        0..3 => api.create(&create, &object).await.map(drop),
        3..5 => api.delete(&name, &DeleteParams::default()).await.map(drop),
        // Gone and there again at once, with another uid.
        5 => {
            api.delete(&name, &DeleteParams::default()).await?;
            api.create(&create, &object).await.map(drop)
        }
        6 => {
            let tier = json!({ "metadata": { "labels": { "tier": null } } });
            api.patch(&name, &PatchParams::default(), &Patch::Merge(tier)).await.map(drop)
        }
        _ => {
            let patch = Patch::Merge(&object);
            api.patch(&name, &PatchParams::default(), &patch).await.map(drop)
        }
    }
}

/// Brings the namespaces to a state that is the same each time, but for uids and versions.
pub(crate) async fn settle(client: &Client, namespaces: &[String]) {
    for namespace in namespaces {
        let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
        let (delete, all) = (DeleteParams::default(), ListParams::default());
        soon("a delete of all", api.delete_collection(&delete, &all))
            .await
            .expect("a server that deletes");
        let writes = (0..NAMES).map(|number| {
            let object = config_map(&name(number), TIERS[number % TIERS.len()], 2000);
            let api = api.clone();
            async move { api.create(&PostParams::default(), &object).await.map(drop) }
        });
        let all = stream::iter(writes).buffer_unordered(8).try_collect::<()>();
        soon("the creates", all).await.expect("a server that takes writes");
    }
}

fn name(number: usize) -> String {
    format!("object-{number:03}")
}

fn config_map(name: &str, tier: &str, size: usize) -> ConfigMap {
    let metadata = json!({ "name": name, "labels": { "tier": tier } });
    let object = json!({ "metadata": metadata, "data": { "value": "x".repeat(size) } });
    serde_json::from_value(object).unwrap()
}
