//! From a world of Ingresses, Services, `EndpointSlices` and Secrets to the text of an `HAProxy`
//! configuration.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use k8s_openapi::{
    ByteString,
    api::{
        core::v1::{ConfigMap, Secret, Service},
        discovery::v1::{EndpointPort, EndpointSlice},
        networking::v1::{HTTPIngressPath, Ingress, ServiceBackendPort},
    },
};
use kube::ResourceExt;
use kube_weir::{Batch, Delta, Hits, Index, ObjectKey, Snapshot, World, WorldBatch};

/// The kinds from which the configuration is rendered.
pub(crate) type Kinds = (
    Snapshot<Ingress>,
    Snapshot<Service>,
    Snapshot<EndpointSlice>,
    Snapshot<Secret>,
    Snapshot<ConfigMap>,
);

/// Paths of the Service of an `EndpointSlice`.
pub(crate) const SERVICE: [&str; 2] =
    ["metadata.namespace", "metadata.labels['kubernetes.io/service-name']"];

/// A Service that gets requests, and its port as in the Ingress.
type Target = (ObjectKey, String);

/// A renderer of configurations, which reuses unchanged backends.
pub(crate) struct Renderer {
    /// The index of the `EndpointSlices` by [`SERVICE`].
    service: Index<EndpointSlice>,
    /// The text of each backend.
    backends: BTreeMap<Target, String>,
}

/// A rendered configuration.
pub(crate) struct Rendered {
    pub(crate) config: String,
    /// The certificates, each with its key, by the name of their file.
    pub(crate) certificates: BTreeMap<String, Vec<u8>>,
    pub(crate) backends: usize,
    /// Number of backends that were rendered again.
    pub(crate) anew: usize,
}

/// Addresses on which `HAProxy` listens, and the path of the certificates.
pub(crate) struct Listen<'a> {
    /// The socket by which a new process takes over the connections of the old one.
    pub(crate) control: &'a str,
    pub(crate) http: &'a str,
    pub(crate) https: &'a str,
    pub(crate) certificates: &'a str,
}

impl Renderer {
    pub(crate) fn new(service: Index<EndpointSlice>) -> Self {
        Self { service, backends: BTreeMap::new() }
    }

    /// Renders the configuration for a world. Backends that the batch has not touched are reused.
    pub(crate) fn render(
        &mut self,
        world: &World<Kinds>,
        batch: Option<&WorldBatch<Kinds>>,
        listen: &Listen<'_>,
    ) -> Rendered {
        let (ingresses, services, slices, secrets, settings) = world.kinds();
        if let Some(batch) = batch {
            let touched = touched(batch, &self.service);
            self.backends.retain(|(service, _), _| !touched.contains(service));
        } else {
            self.backends.clear();
        }

        let mut routes: Vec<_> = ingresses.iter().flat_map(|ingress| routes(ingress)).collect();
        // The first match counts: named hosts before any host, whole names before `*`, then
        // exact paths before prefixes, and the longest prefix first.
        routes.sort_by_key(|route| {
            let host = route.host.as_deref().unwrap_or("*");
            (host.starts_with('*'), Reverse((host.len(), route.exact, route.path.len())))
        });
        let targets: BTreeSet<_> = routes.iter().map(|route| &route.target).collect();
        self.backends.retain(|target, _| targets.contains(target));
        let mut anew = 0;
        for target in targets {
            if !self.backends.contains_key(target) {
                let slices = slices.by(&self.service).get(&target.0);
                self.backends.insert(target.clone(), backend(target, services, slices));
                anew += 1;
            }
        }

        let certificates = certificates(ingresses, secrets);
        let mut lines = vec![head(settings, listen.control)];
        lines.push(format!("frontend ingress\n    bind {}", listen.http));
        if !certificates.is_empty() {
            lines.push(format!("    bind {} ssl crt {}", listen.https, listen.certificates));
        }
        lines.push("    http-request set-var(txn.host) req.hdr(host),field(1,:),lower".into());
        lines.push("    http-request set-var(txn.path) path,concat(/)".into());
        lines.extend(routes.iter().map(|route| format!("    {route}")));
        lines.push("    default_backend none\n".into());
        lines.push("backend none\n    http-request return status 404\n".into());
        lines.extend(self.backends.values().cloned());
        let config = lines.join("\n");
        Rendered { config, certificates, backends: self.backends.len(), anew }
    }
}

/// Returns the Services whose backends a batch may have changed.
fn touched(batch: &WorldBatch<Kinds>, service: &Index<EndpointSlice>) -> BTreeSet<ObjectKey> {
    let (_, services, slices, _, _) = batch.kinds();
    let deltas = services.iter().flat_map(Batch::deltas);
    // The Services of the changed slices, before and after.
    let owners = slices.iter().flat_map(|slices| slices.touched(service));
    deltas.map(Delta::key).chain(owners.filter_map(|key| key.object_key())).collect()
}

/// A path of a host.
struct Route {
    host: Option<String>,
    path: String,
    /// True to match the whole path, not a prefix.
    exact: bool,
    target: Target,
}

fn routes(ingress: &Ingress) -> Vec<Route> {
    let namespace = ingress.namespace().unwrap_or_default();
    let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    let paths = rules.flat_map(|rule| {
        let paths = rule.http.iter().flat_map(|http| &http.paths);
        paths.map(|path| (rule.host.clone(), path))
    });
    let route = |(host, path): (Option<String>, &HTTPIngressPath)| {
        let service = path.backend.service.as_ref()?;
        let port = match service.port.as_ref()? {
            ServiceBackendPort { name: Some(name), .. } => name.clone(),
            ServiceBackendPort { number, .. } => (*number)?.to_string(),
        };
        Some(Route {
            host,
            path: path.path.clone().unwrap_or_else(|| "/".into()),
            exact: path.path_type == "Exact",
            target: (ObjectKey::new(&namespace, &service.name), port),
        })
    };
    paths.filter_map(route).filter(Route::is_safe).collect()
}

impl Route {
    /// Returns whether the strings can be written into a configuration: users choose them, and a
    /// space or a line break could inject any directive.
    fn is_safe(&self) -> bool {
        let is_safe = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%:@+*".contains(&byte);
            !text.is_empty() && text.bytes().all(plain)
        };
        self.host.as_deref().is_none_or(is_safe)
            && is_safe(&self.path)
            && is_safe(&name(&self.target))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "use_backend {} if ", name(&self.target))?;
        match self.host.as_deref().map(|host| (host, host.strip_prefix('*'))) {
            Some((_, Some(domain))) => write!(f, "{{ var(txn.host) -m end {domain} }} ")?,
            Some((host, None)) => write!(f, "{{ var(txn.host) -m str {host} }} ")?,
            None => {}
        }
        if self.exact {
            return write!(f, "{{ path -m str {} }}", self.path);
        }
        // With a trailing slash on both, `/a` is no prefix of `/ab`.
        write!(f, "{{ var(txn.path) -m beg {}/ }}", self.path.trim_end_matches('/'))
    }
}

fn name((service, port): &Target) -> String {
    format!("{}_{}_{port}", service.namespace(), service.name())
}

/// Renders the backend of a port: a server for each ready endpoint.
fn backend(
    target: &Target,
    services: &Snapshot<Service>,
    slices: Hits<'_, EndpointSlice>,
) -> String {
    let (service, port) = target;
    let mut lines = vec![format!("backend {}", name(target))];
    // An Ingress refers to a Service's port by name or number, a slice has only names.
    let ports = services.get(service).and_then(|service| {
        let spec = service.spec.as_ref()?;
        spec.ports
            .iter()
            .flatten()
            .find(|own| own.name.as_ref() == Some(port) || own.port.to_string() == *port)
    });
    let Some(found) = ports else {
        return format!("backend {}\n    http-request return status 503\n", name(target));
    };
    let port = found.name.clone().unwrap_or_default();
    let mut servers = BTreeSet::new();
    for slice in slices {
        let of_port = |own: &&EndpointPort| own.name.clone().unwrap_or_default() == port;
        let number = slice.ports.iter().flatten().find(of_port).and_then(|port| port.port);
        let Some(number) = number else { continue };
        for endpoint in &slice.endpoints {
            if endpoint.conditions.as_ref().and_then(|own| own.ready) != Some(false) {
                servers.extend(endpoint.addresses.iter().map(|ip| (ip.clone(), number)));
            }
        }
    }
    for (at, (address, number)) in servers.iter().enumerate() {
        let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        lines.push(format!("    server s{at} {address}:{number}"));
    }
    lines.join("\n") + "\n"
}

/// Returns the certificates of the Ingresses in the format of `HAProxy`: each in a file with its key.
fn certificates(
    ingresses: &Snapshot<Ingress>,
    secrets: &Snapshot<Secret>,
) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for ingress in ingresses {
        let namespace = ingress.namespace().unwrap_or_default();
        let tls = ingress.spec.iter().flat_map(|spec| spec.tls.iter().flatten());
        for name in tls.filter_map(|tls| tls.secret_name.as_deref()) {
            let secret = secrets.get((&namespace, name));
            let data = secret.and_then(|secret| secret.data.as_ref());
            let part = |key| data.and_then(|data| data.get(key)).map(|ByteString(bytes)| bytes);
            if let (Some(certificate), Some(key)) = (part("tls.crt"), part("tls.key")) {
                let pem = [certificate.as_slice(), b"\n", key].concat();
                files.insert(format!("{namespace}_{name}.pem"), pem);
            }
        }
    }
    files
}

/// Renders the global section, with the settings of the `ConfigMap`.
fn head(settings: &Snapshot<ConfigMap>, control: &str) -> String {
    let data = settings.iter().next().and_then(|map| map.data.as_ref());
    let number = |key: &str, default: u32| {
        data.and_then(|data| data.get(key)?.parse().ok()).unwrap_or(default)
    };
    format!(
        "\
global
    maxconn {}
    stats socket {control} mode 600 expose-fd listeners

defaults
    mode http
    timeout connect {}s
    timeout client {}s
    timeout server {}s
    option redispatch
    retry-on conn-failure empty-response response-timeout
    retries 3
",
        number("maxconn", 2000),
        number("timeout-connect", 2),
        number("timeout-client", 30),
        number("timeout-server", 30),
    )
}
