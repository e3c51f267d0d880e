//! The core of an ingress controller: five kinds as one world, and a proxy's configuration, rendered
//! whenever any of them changes.
//!
//! ```sh
//! cargo run --example ingress_config                    # an API server in this process
//! cargo run --example ingress_config -- --cluster       # your current kube context, until ctrl-c
//! cargo run --example ingress_config -- --output DIR    # where to write haproxy.cfg and certificates
//! ```
//!
//! Each batch renders only the backends of the Services that it touched. `HAProxy` 2.4 or later checks the
//! result by `haproxy -c -f DIR/haproxy.cfg`, and serves it by `haproxy -W -f ..` and `kill -USR2`.

mod files;
mod render;
mod server;

use std::path::Path;

use kube_weir::prelude::*;
use tokio::time::Instant;

use render::{Kinds, Listen, Rendered, Renderer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let output = std::env::args_os().skip_while(|argument| argument != "--output").nth(1);
    let output = output.unwrap_or_else(|| std::env::temp_dir().join("kube-weir-ingress").into());
    let output = Path::new(&output);
    let (client, end) = server::connect().await?;

    let unused = FieldFilter::new(["metadata.managedFields", "metadata.annotations", "status"])?;
    let ingresses = watch(Api::all(client.clone())).filter_fields(unused.clone())?;
    let services = watch(Api::all(client.clone())).filter_fields(unused.clone())?;
    let slices = watch(Api::all(client.clone())).filter_fields(unused.clone())?;
    let secrets = watch(Api::all(client.clone())).fields("type=kubernetes.io/tls")?;
    let settings = watch(Api::all(client)).fields("metadata.name=haproxy")?;
    let service = Index::paths(render::SERVICE)?;
    let worlds = world((
        ingresses.index(()),
        services.index(()),
        slices.index(&service),
        secrets.filter_fields(unused)?.index(()),
        settings.index(()),
    ));
    let changes = worlds.debounce(Duration::from_millis(500)).log_errors();

    let mut renderer = Renderer::new(service);
    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        on_change(&change, &mut renderer, output)?;
    }
    println!("The last configuration is {}", output.join("haproxy.cfg").display());
    Ok(())
}

fn on_change(
    change: &WorldChange<Kinds>,
    renderer: &mut Renderer,
    output: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let (control, certificates) = (output.join("control.sock"), output.join("certificates"));
    let listen = Listen {
        control: &control.to_string_lossy(),
        http: "127.0.0.1:8080",
        https: "127.0.0.1:8443",
        certificates: &certificates.to_string_lossy(),
    };
    let began = Instant::now();
    let result = renderer.render(change.world(), change.batch(), &listen);
    let took = began.elapsed();
    files::write(output, &result)?;

    let (ingresses, services, slices, secrets, _) = change.world().kinds();
    match change.batch() {
        None => println!(
            "Synced  {} ingresses, {} services, {} slices, {} certificates",
            ingresses.len(),
            services.len(),
            slices.len(),
            secrets.len(),
        ),
        Some(batch) => {
            let stats = batch.stats();
            println!("Live    +{} ~{} -{}", stats.created, stats.modified, stats.deleted);
        }
    }
    let Rendered { backends, anew, config, .. } = result;
    println!("        {anew} of {backends} backends rendered, {} bytes, in {took:?}", config.len());
    Ok(())
}
