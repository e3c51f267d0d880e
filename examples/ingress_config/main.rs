//! The core of an ingress controller: five kinds as one world, and a proxy's configuration, rendered
//! whenever any of them changes.
//!
//! ```sh
//! cargo run --example ingress_config                    # an API server in this process
//! cargo run --example ingress_config -- --cluster       # your current kube context, until ctrl-c
//! cargo run --example ingress_config -- --output DIR    # where to write haproxy.cfg and certificates
//! ```
//!
//! Each batch renders only the backends of the Services that it touched. The configuration is for
//! `HAProxy` 2.4 or later: `haproxy -c -f DIR/haproxy.cfg` checks it, and `haproxy -W -f ..` with a
//! `kill -USR2` after each batch serves it.

mod render;
mod script;
#[path = "../support/mod.rs"]
mod support;

use std::{
    io,
    path::{Path, PathBuf},
};

use kube_weir::prelude::*;
use tokio::time::Instant;

use render::{Kinds, Listen, Rendered, Renderer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let output = arguments.iter().position(|argument| argument == "--output");
    let output = output.and_then(|at| arguments.get(at + 1)).map(PathBuf::from);
    let output = output.unwrap_or_else(|| std::env::temp_dir().join("kube-weir-ingress"));
    let (client, end) = support::connect(script::begin).await?;

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
        on_change(&change, &mut renderer, &output)?;
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
    write(output, &result)?;

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

/// Writes the files of `HAProxy`; the configuration last, and atomically.
fn write(output: &Path, rendered: &Rendered) -> io::Result<()> {
    let folder = output.join("certificates");
    private_folder(&folder)?;
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        if !rendered.certificates.contains_key(&*entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    for (name, pem) in &rendered.certificates {
        std::fs::write(folder.join(name), pem)?;
    }
    let new = output.join("haproxy.cfg.new");
    std::fs::write(&new, &rendered.config)?;
    std::fs::rename(new, output.join("haproxy.cfg"))
}

/// Creates a folder that is private, because its files contain keys.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
