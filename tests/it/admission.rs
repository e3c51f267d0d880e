//! A webhook's question to a world: what would be if this Ingress were let in? SEMANTICS O6.

use std::pin::pin;

use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
use kube::{Api, ResourceExt};
use kube_weir::{
    Error, EventStreamExt, Index, ObjectKey, Snapshot, World, WorldStore, testing::ApiServer,
    watch, world,
};
use serde_json::{Value, json};

type View = (Snapshot<Ingress>, Snapshot<Service>);

/// Returns the objections to an Ingress: hosts of other Ingresses, and missing services.
fn review(world: &World<View>, ingress: Ingress) -> Result<Vec<String>, Error> {
    let (namespace, name) = (ingress.namespace().unwrap_or_default(), ingress.name_any());
    let what_if = world.overlay().apply(ingress)?.build();
    let (ingresses, services) = what_if.kinds();
    // The object as the controller would see it; `None` if it isn't selected.
    let Some(ingress) = ingresses.get((&namespace, &name)) else { return Ok(Vec::new()) };
    let mut objections = Vec::new();
    let by_host = ingresses.by(&host());
    for host in by_host.keys_of(ingress) {
        for other in by_host.get(&host) {
            if !std::sync::Arc::ptr_eq(other, ingress) {
                let (namespace, name) = (other.namespace().unwrap_or_default(), other.name_any());
                objections.push(format!("{host} is taken by {namespace}/{name}"));
            }
        }
    }
    for name in ingresses.by(&service_name()).keys_of(ingress) {
        let service = ObjectKey::new(&namespace, name.to_string());
        if services.get(&service).is_none() {
            objections.push(format!("there is no service {service}"));
        }
    }
    Ok(objections)
}

fn host() -> Index<Ingress> {
    Index::path("spec.rules[*].host").unwrap()
}

fn service_name() -> Index<Ingress> {
    Index::path("spec.rules[*].http.paths[*].backend.service.name").unwrap()
}

fn ingress(identity: &str, class: &str, hosts: &[&str]) -> Value {
    let (namespace, name) = identity.split_once('/').unwrap();
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    let rule = |host: &&str| json!({ "host": host, "http": { "paths": paths } });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": namespace, "name": name },
        "spec": {
            "ingressClassName": class,
            "rules": hosts.iter().map(rule).collect::<Vec<_>>(),
        },
    })
}

fn service(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "namespace": namespace, "name": "web" },
    })
}

fn typed(value: Value) -> Ingress {
    serde_json::from_value(value).unwrap()
}

async fn watched(server: &ApiServer) -> WorldStore<View> {
    let ingresses = watch(Api::<Ingress>::all(server.client()))
        .matching("spec.ingressClassName=haproxy")
        .unwrap()
        .filter_fields(["spec.ingressClassName", "status"])
        .unwrap()
        .index((host(), service_name()));
    let services = watch(Api::<Service>::all(server.client())).index(());
    let worlds = world((ingresses, services));
    let store = worlds.store();
    let mut changes = pin!(worlds.log_errors());
    changes.first_synced().await.unwrap();
    store
}

/// SEMANTICS: O6
#[tokio::test(start_paused = true)]
async fn an_ingress_that_would_take_a_host_of_another_is_found_out() {
    let server = ApiServer::new();
    server.apply(&service("shop")).unwrap();
    server.apply(&service("blog")).unwrap();
    server.apply(&ingress("shop/web", "haproxy", &["example.com", "www.example.com"])).unwrap();
    server.apply(&ingress("old/web", "nginx", &["blog.example.com"])).unwrap();
    let store = watched(&server).await;
    let world = store.world();
    let ask = |value: Value| review(&world, typed(value)).unwrap();

    let taken = ask(ingress("blog/web", "haproxy", &["blog.example.com", "www.example.com"]));
    assert_eq!(taken, ["www.example.com is taken by shop/web"]);
    assert!(ask(ingress("blog/web", "haproxy", &["blog.example.com"])).is_empty());
    let dangling = ask(ingress("wiki/web", "haproxy", &["wiki.example.com"]));
    assert_eq!(dangling, ["there is no service wiki/web"]);

    // The owner of a host may keep it. The request for an update has the old resourceVersion.
    let mut update = world.kinds().0.get(("shop", "web")).unwrap().as_ref().clone();
    update.metadata.labels = Some([("tier".to_owned(), "front".to_owned())].into());
    update.spec.as_mut().unwrap().ingress_class_name = Some("haproxy".to_owned());
    assert!(review(&world, update).unwrap().is_empty());
    // Ingresses that the controller doesn't see are no conflict.
    assert!(ask(ingress("blog/web", "nginx", &["www.example.com"])).is_empty());

    // Several objects at once, as in a dry run of a whole release.
    let release = world
        .overlay()
        .delete::<Ingress, _>(("shop", "web"))
        .apply(serde_json::from_value::<Service>(service("wiki")).unwrap())
        .unwrap()
        .build();
    let moved = typed(ingress("wiki/web", "haproxy", &["www.example.com"]));
    assert!(review(&release, moved).unwrap().is_empty());
    let unnamed = json!({ "metadata": { "generateName": "web-" } });
    let error = review(&world, typed(unnamed)).unwrap_err();
    assert_eq!((error.of_kind(), error.is_undecodable()), (Some("Ingress"), true));
    assert_eq!((world.kinds().0.len(), world.kinds().1.len()), (1, 2), "nothing has happened");
}
