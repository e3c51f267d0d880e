//! Settings in a `ConfigMap` that take effect as soon as they change: one object, watched by its name.
//!
//! ```sh
//! cargo run --example configmap_one                 # an API server in this process
//! cargo run --example configmap_one -- --cluster    # your current kube context, until ctrl-c
//! ```
//!
//! The `ConfigMap` is `weir-settings` in the namespace of the context, with the keys `level` and
//! `workers`. It need not exist. The program needs `list` and `watch` on `configmaps`, for which
//! `resourceNames: ["weir-settings"]` is enough.

mod server;

use k8s_openapi::api::core::v1::ConfigMap;
use kube_weir::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let api = Api::<ConfigMap>::default_namespaced(client);
    let states = watch_one(api, "weir-settings").log_errors();

    let mut in_force = Settings::default();
    let mut states = pin!(states.take_until(end));
    // The first item is the current state, present or absent; then every change follows at once.
    while let Some(one) = states.next().await {
        let read = match &one {
            One::Present(map) => Settings::read(map),
            One::Absent => Ok(Settings::default()),
        };
        match read {
            Ok(settings) => {
                println!("{settings:?}");
                in_force = settings;
            }
            // Settings may contain mistakes, which nothing else rejects.
            Err(why) => println!("{in_force:?} stays: {why}"),
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Settings {
    level: String,
    workers: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { level: "info".into(), workers: 4 }
    }
}

impl Settings {
    fn read(map: &ConfigMap) -> Result<Self, String> {
        let mut settings = Self::default();
        for (key, value) in map.data.iter().flatten() {
            match key.as_str() {
                "level" => value.clone_into(&mut settings.level),
                "workers" => {
                    let workers = value.parse().map_err(|why| format!("workers: {why}"));
                    settings.workers = workers?;
                }
                other => return Err(format!("there is no setting `{other}`")),
            }
        }
        Ok(settings)
    }
}
