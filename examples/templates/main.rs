//! A configuration file from a template that reads Documents in place:
//!
//! ```sh
//! cargo run --example templates
//! ```
//!
//! The Ingresses come from an in-process API server, and a script changes them. With
//! `-- --cluster` they are those of your current kube context, until ctrl-c.

mod server;

use std::sync::Arc;

use kube_weir::prelude::*;
use minijinja::{
    Environment, context,
    value::{Enumerator, Object, Serde, Value},
};

const TEMPLATE: &str = "\
{% for ingress in ingresses -%}
# {{ ingress.metadata.namespace }}/{{ ingress.metadata.name }}
{% for rule in ingress.spec.rules -%}
{% for path in rule.http.paths -%}
{{ rule.host }}{{ path.path }} {{ path.backend.service.name }}:{{ path.backend.service.port.number }}
{% endfor %}{% endfor %}{% endfor %}";

/// An object in a template. Only the top-level fields that the template names are decoded.
#[derive(Debug)]
struct Lazy(Arc<Document>);

impl Object for Lazy {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        // A view is serialized directly into the engine's values, without another tree in between.
        self.0.view().get(key.as_str()?).map(|field| Value::from(Serde(field)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.0.view().fields().map(|(name, _)| Value::from(name.into_owned()));
        Enumerator::Values(names.collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut environment = Environment::new();
    environment.add_template("routes", TEMPLATE)?;

    let (client, end) = server::connect().await?;
    let changes = watch_resource(client, "networking.k8s.io/v1/ingresses")?
        .filter_fields(["metadata.managedFields", "status"])?
        .index(())
        .debounce(Duration::from_millis(300))
        .log_errors();

    let mut changes = pin!(changes.take_until(end));
    while let Some(change) = changes.next().await {
        println!("{}", render(&environment, change.snapshot())?);
    }
    Ok(())
}

fn render(
    environment: &Environment<'_>,
    snapshot: &Snapshot<Document>,
) -> Result<String, minijinja::Error> {
    let objects = snapshot.iter().map(|object| Value::from_object(Lazy(Arc::clone(object))));
    let ingresses: Vec<_> = objects.collect();
    environment.get_template("routes")?.render(context!(ingresses))
}
