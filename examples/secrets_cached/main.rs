//! A controller that reads few of many Secrets: it stores the keys of all Secrets, and fetches those that it
//! reads. Fetched Secrets are cached for a while, and are never older than the watch.
//!
//! ```sh
//! cargo run --example secrets_cached                      # an API server in this process
//! cargo run --example secrets_cached -- --cluster APP     # your current kube context, until ctrl-c
//! ```
//!
//! It reads the Secrets with the label `app=APP`, of all namespaces, and needs `get`, `list` and
//! `watch` on `secrets`. It doesn't print their content.

mod server;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::ResourceExt;
use kube_weir::{Error, FetchConfig, Fetching, Key, prelude::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ours = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let ours = Key::new(ours.as_deref().unwrap_or("shop"));
    let (client, end) = server::connect().await?;
    let api = Api::<Secret>::all(client);
    let app = Index::path("metadata.labels.app")?;
    // The index needs only metadata, so only metadata is requested.
    let keys = watch(api.clone()).index_keys(&app)?;
    let store = keys.store();
    let secrets = store.fetching(api, FetchConfig::default());
    // The watch continues while this task waits for a fetch.
    keys.spawn();

    let changes = store.changes().debounce(Duration::from_millis(500)).log_errors();
    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        let is_ours = match &change {
            Change::InitialSync(_) => continue, // only `with_progress()`
            Change::Synced(keys) => {
                println!("{} secrets", keys.len());
                true
            }
            Change::Live(batch) => batch.touched(&app).contains(&ours),
        };
        if is_ours {
            read(&secrets, &app, &ours).await?;
        }
        let done = secrets.report();
        println!("so far {} fetched, {} found in the cache", done.gets, done.hits);
    }
    Ok(())
}

/// Reads the Secrets of an app; prints each, or the error of its fetch.
async fn read(secrets: &Fetching<Secret>, app: &Index<Document>, key: &Key) -> Result<(), Error> {
    for secret in secrets.by(app).get(key).await? {
        match secret {
            Ok(secret) => {
                let data = secret.data.iter().flatten();
                let sizes = data.map(|(key, ByteString(bytes))| format!("{key} {}", bytes.len()));
                let sizes: Vec<_> = sizes.collect();
                println!("  {}: bytes of {}", secret.name_any(), sizes.join(", "));
            }
            Err(error) => eprintln!("  {error}"),
        }
    }
    Ok(())
}
