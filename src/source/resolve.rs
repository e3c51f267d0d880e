//! Discovery: the version, kind, scope and verbs that a resource is served with.

use std::sync::Arc;

use kube::Resource;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::request::{ANSWER, Endpoint, RequestInfo, Verb};
use crate::{
    clock::after,
    error::{Error, ErrorKind},
    rfc1123::is_label,
};

/// How long a watch of one version waits for discovery before it starts without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The maximum length of a discovery answer: more than any server sends for one version of a group.
const LONGEST: usize = 8 << 20;

/// The maximum number of versions of a group in which the resource is looked up. Few groups have more than
/// four.
const MOST_VERSIONS: usize = 16;

/// A resource as the server has it; `None` means unknown.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) version: String,
    pub(super) kind: Option<String>,
    /// The kinds of the other resources of its version.
    pub(super) others: Arc<[String]>,
    pub(super) is_namespaced: Option<bool>,
    /// True if `watch` is among its verbs.
    pub(super) is_watchable: Option<bool>,
}

impl Resolved {
    /// Returns a resource with nothing known but its version.
    fn unknown(version: &str) -> Self {
        let version = version.to_owned();
        Self {
            version,
            kind: None,
            others: Arc::default(),
            is_namespaced: None,
            is_watchable: None,
        }
    }
}

/// The discovery answer that all collections of a watch share.
#[derive(Clone)]
pub(super) struct Resolver {
    /// The kind of a Rust type, whose resource needs no discovery.
    typed: Option<String>,
    /// The error if the resource can't be requested.
    refused: Option<Error>,
    found: Arc<Mutex<Option<Arc<Resolved>>>>,
}

impl Resolver {
    /// Returns a resolver that asks the API server.
    pub(super) fn asking() -> Self {
        Self { typed: None, refused: None, found: Arc::default() }
    }

    /// Returns a resolver for a Rust type, which has one kind and version.
    pub(super) fn of_type<K: Resource<DynamicType: Default>>() -> Self {
        let kind = K::kind(&K::DynamicType::default()).into_owned();
        Self { typed: Some(kind), refused: None, found: Arc::default() }
    }

    /// Returns a resolver that answers with this error.
    pub(super) fn refusing(self, error: Error) -> Self {
        Self { refused: Some(error), ..self }
    }

    /// Returns the resource found earlier, otherwise asks the server. Concurrent callers wait for one
    /// answer.
    ///
    /// # Errors
    ///
    /// A kind or a singular in place of a plural; a resource that is not served in any of the versions; a
    /// failed discovery if the version is open.
    pub(super) async fn resolved(&self, endpoint: &Endpoint) -> Result<Arc<Resolved>, Error> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let mut found = self.found.lock().await;
        if let Some(found) = &*found {
            return Ok(Arc::clone(found));
        }
        let resolved = match endpoint.resource.version() {
            Some(version) if self.typed.is_some() => {
                Resolved { kind: self.typed.clone(), ..Resolved::unknown(version) }
            }
            Some(version) => Box::pin(endpoint.of_version(version)).await?,
            None => Box::pin(endpoint.best_version()).await?,
        };
        Ok(Arc::clone(found.insert(Arc::new(resolved))))
    }

    /// Forgets the answer, because the resource is no longer served like that.
    pub(super) async fn forget(&self) {
        *self.found.lock().await = None;
    }
}

impl Endpoint {
    /// Discovers the resource in one version. A failure is no error: the list reports it.
    async fn of_version(&self, version: &str) -> Result<Resolved, Error> {
        let path = self.resource.root(version);
        let asked = self.discover::<Resources>(&path);
        let found = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(served)) => self.among(version, &served)?,
            _ => None,
        };
        Ok(found.unwrap_or_else(|| Resolved::unknown(version)))
    }

    /// Finds the first acceptable version in which the resource is served.
    async fn best_version(&self) -> Result<Resolved, Error> {
        for version in self.candidates().await? {
            let served: Resources = self.discover(&self.resource.root(&version)).await?;
            if let Some(found) = self.among(&version, &served)? {
                return Ok(found);
            }
        }
        let message = format!("discover {}: not served in any such version", self.resource);
        Err(Error::from_status(&message, 404, "", ""))
    }

    /// Returns the acceptable versions, the best first.
    async fn candidates(&self) -> Result<Vec<String>, Error> {
        let served: Vec<String> = match self.resource.group() {
            "" => self.discover::<CoreVersions>("/api").await?.versions,
            group => {
                let group: Group = self.discover(&format!("/apis/{group}")).await?;
                let preferred = group.preferred.into_iter();
                preferred.chain(group.versions).map(|own| own.version).collect()
            }
        };
        let wanted = self.resource.versions();
        let mut candidates = Vec::new();
        if wanted.is_empty() {
            // The versions become parts of paths.
            for version in served.into_iter().filter(|version| is_label(version)) {
                if candidates.len() < MOST_VERSIONS && !candidates.contains(&version) {
                    candidates.push(version);
                }
            }
        } else {
            candidates.extend(wanted.iter().filter(|own| served.contains(own)).cloned());
        }
        Ok(candidates)
    }

    /// Returns the resource, if a version has it.
    ///
    /// # Errors
    ///
    /// A kind, a singular or a short name in place of the plural.
    fn among(&self, version: &str, served: &Resources) -> Result<Option<Resolved>, Error> {
        let wanted = self.resource.plural();
        if let Some(found) = served.resources.iter().find(|own| own.name == wanted) {
            return Ok(Some(Resolved {
                version: version.to_owned(),
                kind: Some(found.kind.clone()).filter(|kind| !kind.is_empty()),
                others: served
                    .kinds()
                    .filter(|kind| *kind != found.kind)
                    .map(str::to_owned)
                    .collect(),
                is_namespaced: Some(found.namespaced),
                is_watchable: Some(&found.verbs)
                    .filter(|verbs| !verbs.is_empty())
                    .map(|verbs| verbs.iter().any(|verb| verb == "watch")),
            }));
        }
        let meant = served.resources.iter().find(|own| {
            is_label(&own.name)
                && (own.kind.eq_ignore_ascii_case(wanted)
                    || own.singular == wanted
                    || own.short_names.iter().flatten().any(|short| short == wanted))
        });
        meant.map_or(Ok(None), |meant| {
            let message = format!(
                "`{}` names no resource by its plural; {}/{} is meant",
                self.resource,
                self.resource.api_version(version),
                meant.name
            );
            Err(Error::new(ErrorKind::Resource, message))
        })
    }

    async fn discover<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let what = format!("discover {}", self.resource);
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(kube::core::request::Error::BuildRequest);
        let info = RequestInfo { verb: Verb::Discover, what, name: None };
        let mut incoming = self.open(info, request, ANSWER).await?;
        let until = after(Instant::now(), ANSWER);
        let found = serde_json::from_slice(incoming.up_to(LONGEST, until).await?);
        found.map_err(|_| incoming.broken("the answer is not a discovery document"))
    }
}

/// An `APIResourceList`.
#[derive(Deserialize)]
struct Resources {
    resources: Vec<Served>,
}

impl Resources {
    fn kinds(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(|own| &*own.kind)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    name: String,
    #[serde(default)]
    kind: String,
    #[serde(default, rename = "singularName")]
    singular: String,
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
    short_names: Option<Vec<String>>,
}

/// An `APIGroup`.
#[derive(Deserialize)]
struct Group {
    versions: Vec<Version>,
    #[serde(rename = "preferredVersion")]
    preferred: Option<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// An `APIVersions`.
#[derive(Deserialize)]
struct CoreVersions {
    versions: Vec<String>,
}
