//! A page that shows a world live, with server-sent events.
//!
//! ```sh
//! cargo run --example axum_sse                  # http://127.0.0.1:8377, until ctrl-c
//! cargo run --example axum_sse -- --port 0      # on any free port
//! cargo run --example axum_sse -- --cluster     # the own namespace of the current kube context
//! ```
//!
//! Each kind is watched once, by its own task. Each visitor is an additional consumer: a world of the
//! stores' `changes()`, debounced for this visitor. A visitor gets the whole state first, and then
//! only changes; a slow visitor gets fewer, larger batches, and holds up nobody.
//!
//! The page is `page.html`. On a cluster it writes nothing, and needs `list` and `watch` on the resources in
//! `TABLES`. Everyone who can open the port sees all data, so it is bound to this machine.

mod server;
mod tables;
mod visit;

use std::sync::Arc;

use axum::{Router, response::Html, routing::get};
use kube_weir::prelude::*;
use tokio::net::TcpListener;

use tables::{TABLES, Watched};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, end) = server::connect().await?;
    let mut kinds = Vec::new();
    for (name, resource, columns) in TABLES {
        let changes = watch_resource(client.clone(), resource)?
            .namespaces([client.default_namespace()])
            .filter_fields("metadata.managedFields")?
            .index(());
        let store = changes.store();
        changes.spawn(); // until the program ends
        kinds.push(Watched {
            name,
            columns: columns.iter().map(|(column, _)| *column).collect(),
            paths: columns
                .iter()
                .map(|(_, path)| FieldPath::parse(path))
                .collect::<Result<_, _>>()?,
            store,
        });
    }

    let page = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/events", get(visit::visit))
        .with_state(Arc::<[Watched]>::from(kinds));
    let listener = TcpListener::bind(("127.0.0.1", port()?)).await?;
    println!("http://{}", listener.local_addr()?);
    // The streams of the visitors never end, so don't wait for them.
    tokio::select! {
        served = axum::serve(listener, page) => served?,
        () = end => {}
    }
    Ok(())
}

fn port() -> Result<u16, std::num::ParseIntError> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--port").skip(1);
    arguments.next().map_or(Ok(8377), |port| port.parse())
}
