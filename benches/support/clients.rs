//! The clients in Rust, each as a stream of its consumer's items.

use std::{hash::Hash, time::Duration};

use futures::{StreamExt, future, stream::BoxStream};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Pod, Secret},
    discovery::v1::EndpointSlice,
    networking::v1::Ingress,
};
use kube::{
    Api, Client, Resource,
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{
        WatchStreamExt,
        reflector::{self, Lookup},
        watcher::{self, Event},
    },
};
use kube_weir::{Change, Document, EventStreamExt, Gvr, Index, Watch, watch, watch_resource};
use serde::{Serialize, de::DeserializeOwned};

use super::corpus::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    WeirDocument,
    WeirTyped,
    /// kube's default, with all fields.
    KubeDynamic,
    /// Without the fields that ours doesn't decode, dropped as early as kube-runtime allows.
    KubeDynamicStripped,
    KubeTypedStripped,
}

impl Way {
    pub(crate) const ALL: [Self; 5] = [
        Self::WeirDocument,
        Self::WeirTyped,
        Self::KubeDynamic,
        Self::KubeDynamicStripped,
        Self::KubeTypedStripped,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WeirDocument => "weir Document",
            Self::WeirTyped => "weir typed",
            Self::KubeDynamic => "kube dynamic",
            Self::KubeDynamicStripped => "kube dynamic, stripped",
            Self::KubeTypedStripped => "kube typed, stripped",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let way = Self::ALL.into_iter().find(|way| way.name() == name);
        way.unwrap_or_else(|| panic!("no client is called {name}"))
    }
}

/// An item of a consumer.
pub(crate) enum Seen {
    Synced {
        objects: usize,
    },
    /// Stored changes; true if the last change is among them.
    Live {
        last: bool,
    },
    /// A planned loss of the history.
    Desynced,
}

/// Options of a watch.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) kind: Kind,
    pub(crate) page_size: u32,
    /// True to keep a second index, if the client can.
    pub(crate) indexed: bool,
    /// True to debounce changes, if the client can.
    pub(crate) debounce: Option<Duration>,
    /// True if a failure of the watch is planned. Any other failure ends the benchmark.
    pub(crate) relists: bool,
    /// The version of the last change.
    pub(crate) last: String,
}

/// Starts a client.
pub(crate) fn open(way: Way, client: Client, options: Options) -> BoxStream<'static, Seen> {
    match (way, options.kind) {
        (Way::WeirDocument, kind) => {
            let (group, version) = kind.group_and_version();
            let resource = format!("{group}/{version}/{}", kind.plural());
            let resource = Gvr::parse(resource.trim_start_matches('/')).expect("a resource");
            let documents = watch_resource(client, resource).unwrap();
            weir(documents, options, Document::resource_version)
        }
        (Way::KubeDynamic | Way::KubeDynamicStripped, kind) => {
            let (group, version) = kind.group_and_version();
            let gvk = GroupVersionKind::gvk(group, version, kind.kind());
            let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural());
            let api = Api::<DynamicObject>::all_with(client, &resource);
            kube_runtime(api, resource, options, way == Way::KubeDynamicStripped)
        }
        (_, Kind::Pod) => typed::<Pod>(way, client, options),
        (_, Kind::EndpointSlice) => typed::<EndpointSlice>(way, client, options),
        (_, Kind::Ingress) => typed::<Ingress>(way, client, options),
        (_, Kind::ConfigMap) => typed::<ConfigMap>(way, client, options),
        (_, Kind::Secret) => typed::<Secret>(way, client, options),
    }
}

fn typed<K>(way: Way, client: Client, options: Options) -> BoxStream<'static, Seen>
where
    K: Resource<DynamicType = ()> + Strip + Serialize + DeserializeOwned,
    K: Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let api = Api::<K>::all(client);
    if way == Way::WeirTyped {
        weir(watch(api), options, |object| object.meta().resource_version.as_deref())
    } else {
        kube_runtime(api, (), options, true)
    }
}

fn weir<K>(
    watch: Watch<K>,
    options: Options,
    version: fn(&K) -> Option<&str>,
) -> BoxStream<'static, Seen>
where
    K: Lookup + Serialize + Send + Sync + 'static,
{
    let Options { kind, page_size, indexed, debounce, relists, last } = options;
    let watch = watch.page_size(page_size).filter_fields(kind.ignored()).expect("paths");
    let changes = if indexed {
        watch.index(Index::path(kind.looked_up_by()).expect("a path"))
    } else {
        watch.index(())
    };
    let changes = match debounce {
        Some(debounce) => changes.debounce(debounce).boxed(),
        None => changes.boxed(),
    };
    let seen = move |change: Result<Change<K>, _>| match change {
        Ok(Change::Synced(snapshot)) => Seen::Synced { objects: snapshot.len() },
        Ok(Change::InitialSync(batch) | Change::Live(batch)) => {
            let mut objects = batch.deltas().iter().filter_map(|delta| delta.after());
            Seen::Live { last: objects.any(|object| version(object) == Some(&last)) }
        }
        Err(_) if relists => Seen::Desynced,
        Err(error) => panic!("{error}"),
    };
    changes.map(seen).boxed()
}

fn kube_runtime<K>(
    api: Api<K>,
    resource: K::DynamicType,
    options: Options,
    strip: bool,
) -> BoxStream<'static, Seen>
where
    K: Resource + Strip + DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static,
    K::DynamicType: Clone + Eq + Hash + Send + Sync + Unpin,
{
    let Options { kind, page_size, relists, last, .. } = options;
    let writer = reflector::store::Writer::new(resource);
    let store = writer.as_reader();
    let config = watcher::Config::default().page_size(page_size);
    let events = watcher::watcher(api, config);
    let events = if strip {
        let ignored = kind.ignored();
        events.modify(move |object| object.strip(ignored)).boxed()
    } else {
        events.boxed()
    };
    let seen = move |event: Result<Event<K>, watcher::Error>| match event {
        Ok(Event::InitDone) => Some(Seen::Synced { objects: store.len() }),
        Ok(Event::Apply(object)) => {
            Some(Seen::Live { last: object.meta().resource_version.as_deref() == Some(&last) })
        }
        Ok(Event::Init | Event::InitApply(_) | Event::Delete(_)) => None,
        Err(_) if relists => Some(Seen::Desynced),
        Err(error) => panic!("{error}"),
    };
    events.reflect(writer).filter_map(move |event| future::ready(seen(event))).boxed()
}

/// Drops fields of a decoded object.
trait Strip: Resource {
    fn strip(&mut self, ignored: &[&str]) {
        self.meta_mut().managed_fields = None;
        if ignored.contains(&"status") {
            self.strip_status();
        }
    }

    fn strip_status(&mut self) {}
}

impl Strip for Pod {
    fn strip_status(&mut self) {
        self.status = None;
    }
}

impl Strip for DynamicObject {
    fn strip_status(&mut self) {
        if let Some(fields) = self.data.as_object_mut() {
            fields.remove("status");
        }
    }
}

impl Strip for EndpointSlice {}
impl Strip for Ingress {}
impl Strip for ConfigMap {}
impl Strip for Secret {}
