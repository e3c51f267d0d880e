//! Objects from YAML files.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ffi::OsStr,
    fmt, fs, io, mem,
    path::{Path, PathBuf},
};

use kube::{
    Resource,
    core::{ApiResource, GroupVersionKind, TypeMeta},
    runtime::reflector::Lookup,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    document::Document,
    error::{Error, ErrorKind},
    index::Indexes,
    snapshot::Snapshot,
    worlds::{ByName, World},
};

/// The objects of a folder of manifests, as fixtures for tests and offline tools.
///
/// Files may have several documents, and a document may be a `List` of any kind. An unreadable document
/// is an error that names file and document, and never quotes the content.
///
/// ```
/// use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
/// use kube_weir::{Index, World, testing::Manifests};
///
/// let manifests = Manifests::parse("shop.yaml", "
/// apiVersion: v1
/// kind: Service
/// metadata: { namespace: shop, name: web }
/// ---
/// apiVersion: networking.k8s.io/v1
/// kind: Ingress
/// metadata: { namespace: shop, name: web }
/// spec: { rules: [{ host: shop.example }] }
/// ")?;
///
/// // Typed,
/// let host = Index::path("spec.rules[*].host")?;
/// let ingresses = manifests.snapshot::<Ingress>(&host)?;
/// let services = manifests.snapshot::<Service>(())?;
/// let world = World::from_kinds((ingresses, services));
/// assert!(world.kinds().0.by(&host).get_one("shop.example")?.is_some());
///
/// // or all kinds, by their plurals.
/// let world = manifests.world(|_plural| Ok(()))?;
/// assert_eq!(world.kind("services").unwrap().len(), 1);
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Manifests(Vec<Manifest>);

#[derive(Clone)]
struct Manifest {
    place: Place,
    types: TypeMeta,
    value: Value,
}

/// The place of an object.
#[derive(Clone)]
struct Place {
    file: PathBuf,
    /// Number of the document, from 1, not counting empty ones.
    document: usize,
    /// Number of the item in a list, from 1.
    item: Option<usize>,
}

impl Manifests {
    /// Reads a file, or all `.yaml`, `.yml` and `.json` files in a folder and those below it, in
    /// the order of their paths.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or as for [`parse`](Manifests::parse).
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::Manifests;
    ///
    /// # let folder = tempfile::TempDir::new()?;
    /// # let folder = folder.path();
    /// let text = "{ apiVersion: v1, kind: Service, metadata: { name: web } }";
    /// std::fs::write(folder.join("web.yaml"), text)?;
    /// assert_eq!(Manifests::read(folder)?.len(), 1);
    /// assert!(Manifests::read(folder.join("none.yaml")).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let mut manifests = Self::default();
        let path = path.as_ref();
        for file in files(path).map_err(|cause| unreadable(path, cause))? {
            let text = fs::read_to_string(&file).map_err(|cause| unreadable(&file, cause))?;
            manifests.add(&file, &text)?;
        }
        Ok(manifests)
    }

    /// Reads the text of one file, whose name is for errors.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if a document is not YAML, or not an object with
    /// `apiVersion`, `kind` and `metadata.name`, nor a list of such.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::testing::Manifests;
    ///
    /// let error = Manifests::parse("web.yaml", "{ apiVersion: v1, kind: Service }").unwrap_err();
    /// assert!(error.is_undecodable());
    /// assert_eq!(error.to_string(), "web.yaml, document 1: no metadata.name");
    /// ```
    pub fn parse(file: impl AsRef<Path>, yaml: &str) -> Result<Self, Error> {
        let mut manifests = Self::default();
        manifests.add(file.as_ref(), yaml)?;
        Ok(manifests)
    }

    /// Returns the objects of a kind that has a Rust type, in their order in the files. Objects of
    /// other kinds are skipped.
    ///
    /// # Errors
    ///
    /// [`is_undecodable`](Error::is_undecodable) if an object of this `apiVersion` and `kind` is no `K`.
    ///
    /// # Examples
    ///
    /// ```
    /// use k8s_openapi::api::core::v1::{Pod, Service};
    /// use kube_weir::testing::Manifests;
    ///
    /// let text = "{ apiVersion: v1, kind: Service, metadata: { name: web } }";
    /// let manifests = Manifests::parse("web.yaml", text)?;
    /// assert_eq!(manifests.objects::<Service>()?[0].metadata.name.as_deref(), Some("web"));
    /// assert!(manifests.objects::<Pod>()?.is_empty());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn objects<K>(&self) -> Result<Vec<K>, Error>
    where
        K: Resource<DynamicType: Default> + DeserializeOwned,
    {
        let known = K::DynamicType::default();
        let (api_version, kind) = (K::api_version(&known), K::kind(&known));
        let of_kind =
            |own: &&Manifest| own.types.api_version == api_version && own.types.kind == kind;
        let decode = |own: &Manifest| {
            K::deserialize(&own.value).map_err(|_| own.place.wrong(&format!("not a {kind}")))
        };
        self.0.iter().filter(of_kind).map(decode).collect()
    }

    /// Builds a snapshot of the [`objects`](Manifests::objects) of a kind: [example](Manifests). If
    /// several objects have one identity, the last one counts.
    ///
    /// # Errors
    ///
    /// Fails as [`objects`](Manifests::objects) does.
    pub fn snapshot<K>(&self, indexes: impl Indexes<K>) -> Result<Snapshot<K>, Error>
    where
        K: Lookup + Resource<DynamicType: Default> + DeserializeOwned,
    {
        Snapshot::from_objects(indexes, self.objects()?)
    }

    /// Builds a world of all objects, by the plurals of their kinds as guessed by kube, such as
    /// `ingresses`: [example](Manifests). The closure returns the indexes of each kind.
    ///
    /// # Errors
    ///
    /// The errors of the closure; [`is_resource`](Error::is_resource) if two kinds have the same plural;
    /// [`is_undecodable`](Error::is_undecodable) if an `apiVersion` is not valid.
    pub fn world<F, I>(&self, mut indexes: F) -> Result<World<ByName>, Error>
    where
        F: FnMut(&str) -> Result<I, Error>,
        I: Indexes<Document>,
    {
        let mut kinds: BTreeMap<String, (&TypeMeta, Vec<Document>)> = BTreeMap::new();
        for Manifest { place, types, value } in &self.0 {
            let document = Document::from_json(&value.to_string());
            let document = document.map_err(|_| place.wrong("not an object"))?;
            let gvk = GroupVersionKind::try_from(types);
            let gvk = gvk.map_err(|_| place.wrong("not a valid apiVersion"))?;
            match kinds.entry(ApiResource::from_gvk(&gvk).plural) {
                Entry::Vacant(entry) => drop(entry.insert((types, vec![document]))),
                Entry::Occupied(mut entry) if entry.get().0 == types => {
                    entry.get_mut().1.push(document);
                }
                Entry::Occupied(entry) => {
                    let why = format!(
                        "{place}: `{}` is there in {} and in {}",
                        entry.key(),
                        entry.get().0.api_version,
                        types.api_version
                    );
                    return Err(Error::new(ErrorKind::Resource, why));
                }
            }
        }
        let snapshots = kinds.into_iter().map(|(plural, (_, documents))| {
            let snapshot = Snapshot::from_objects(indexes(&plural)?, documents)?;
            Ok((plural, snapshot))
        });
        Ok(World::from_kinds(snapshots.collect::<Result<ByName, Error>>()?))
    }

    /// Returns the objects as JSON, for [`ApiServer::apply`](super::ApiServer::apply).
    ///
    /// ```
    /// use kube_weir::testing::{ApiServer, Manifests};
    ///
    /// let server = ApiServer::new();
    /// let text = "{ apiVersion: v1, kind: Service, metadata: { name: web } }";
    /// for object in Manifests::parse("web.yaml", text)?.values() {
    ///     server.apply(object)?;
    /// }
    /// assert!(server.get("services", "default", "web").is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|own| &own.value)
    }

    /// Returns the number of objects of all kinds. The items of a list count individually.
    ///
    /// ```
    /// use kube_weir::testing::Manifests;
    ///
    /// let list = "{ apiVersion: v1, kind: PodList, items: [
    ///     { metadata: { name: a } }, { metadata: { name: b } },
    /// ] }";
    /// assert_eq!(Manifests::parse("pods.yaml", list)?.len(), 2);
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no object.
    ///
    /// ```
    /// use kube_weir::testing::Manifests;
    ///
    /// assert!(Manifests::parse("empty.yaml", "# Nothing but a comment.")?.is_empty());
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, file: &Path, yaml: &str) -> Result<(), Error> {
        let mut bytes = yaml.as_bytes();
        for (at, document) in serde_saphyr::read::<_, Value>(&mut bytes).enumerate() {
            let place = Place { file: file.to_owned(), document: at + 1, item: None };
            let value = document.map_err(|cause| match cause.location() {
                Some(at) => place.wrong(&format!(
                    "not valid YAML at line {}, column {}",
                    at.line(),
                    at.column()
                )),
                None => place.wrong("not valid YAML"),
            })?;
            self.document(place, value)?;
        }
        Ok(())
    }

    fn document(&mut self, place: Place, mut value: Value) -> Result<(), Error> {
        let types = types(&value).ok_or_else(|| place.wrong("no apiVersion and kind"))?;
        let list = types.kind.strip_suffix("List");
        let items = list.and_then(|_| value.get_mut("items")?.as_array_mut()).map(mem::take);
        let (Some(of), Some(items)) = (list, items) else {
            if value["metadata"]["name"].as_str().is_none_or(str::is_empty) {
                return Err(place.wrong("no metadata.name"));
            }
            self.0.push(Manifest { place, types, value });
            return Ok(());
        };
        for (at, mut item) in items.into_iter().enumerate() {
            let place = Place { item: Some(at + 1), ..place.clone() };
            // The items of a typed list may omit their kind.
            if let Value::Object(fields) = &mut item
                && !of.is_empty()
            {
                fields.entry("apiVersion").or_insert_with(|| types.api_version.clone().into());
                fields.entry("kind").or_insert_with(|| of.into());
            }
            self.document(place, item)?;
        }
        Ok(())
    }
}

fn types(value: &Value) -> Option<TypeMeta> {
    let field = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some(TypeMeta { api_version: field("apiVersion")?, kind: field("kind")? })
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort_unstable();
    let is_manifest = |path: &Path| {
        let known = ["yaml", "yml", "json"].map(OsStr::new);
        path.is_dir() || path.extension().is_some_and(|own| known.contains(&own))
    };
    entries.retain(|path| is_manifest(path));
    let nested = entries.iter().map(|path| files(path)).collect::<io::Result<Vec<_>>>()?;
    Ok(nested.into_iter().flatten().collect())
}

fn unreadable(path: &Path, cause: io::Error) -> Error {
    Error::with_source(ErrorKind::Other, format!("{} can't be read", path.display()), cause)
}

impl Place {
    fn wrong(&self, why: &str) -> Error {
        Error::new(ErrorKind::Undecodable, format!("{self}: {why}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, document {}", self.file.display(), self.document)?;
        self.item.map_or(Ok(()), |item| write!(f, ", item {item}"))
    }
}

/// Writes only the places of the objects, because their content may be secret.
impl fmt::Debug for Manifests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|own| own.place.to_string())).finish()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};

    use super::*;

    const TWO: &str = "
# Nothing but a comment is no document.
---
apiVersion: v1
kind: Service
metadata: { namespace: a, name: web }
---
apiVersion: v1
kind: List
items:
- { apiVersion: v1, kind: Service, metadata: { namespace: b, name: web } }
- { apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: { namespace: a, name: web } }
---
---
apiVersion: networking.k8s.io/v1
kind: IngressList
items: [{ metadata: { namespace: b, name: web } }]
";

    fn error(yaml: &str) -> String {
        let error = Manifests::parse("x.yaml", yaml).unwrap_err();
        assert!(error.is_undecodable());
        error.to_string()
    }

    #[test]
    fn documents_and_lists_are_objects() {
        let manifests = Manifests::parse("two.yaml", TWO).unwrap();
        assert_eq!(manifests.len(), 4);
        assert_eq!(manifests.objects::<Service>().unwrap().len(), 2);
        let ingresses = manifests.snapshot::<Ingress>(());
        assert_eq!(ingresses.unwrap().in_namespace("b").len(), 1);
        let world = manifests.world(|_| Ok(())).unwrap();
        let counts: Vec<_> = world.kinds().iter().map(|(name, own)| (name, own.len())).collect();
        assert_eq!(counts, [("ingresses", 2), ("services", 2)]);
    }

    #[test]
    fn errors_say_where_and_quote_nothing() {
        let good = "apiVersion: v1\nkind: Service\nmetadata: { name: web }\n---\n";
        assert_eq!(
            error(&format!("{good}kind: [secret\n")).split(" at").next().unwrap(),
            "x.yaml, document 2: not valid YAML"
        );
        assert_eq!(error(&format!("{good}secret\n")), "x.yaml, document 2: no apiVersion and kind");
        assert_eq!(error("apiVersion: v1\nkind: A\n"), "x.yaml, document 1: no metadata.name");
        let list = "apiVersion: v1\nkind: List\nitems: [{ apiVersion: v1, kind: A, metadata: { name: a } }, { kind: B }]";
        assert_eq!(error(list), "x.yaml, document 1, item 2: no apiVersion and kind");
        let wrong = "apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { ports: secret }";
        let wrong = Manifests::parse("x.yaml", wrong).unwrap().objects::<Service>().unwrap_err();
        assert_eq!(wrong.to_string(), "x.yaml, document 1: not a Service");
        let twice = "{apiVersion: a/v1, kind: A, metadata: {name: x}}\n---\n{apiVersion: b/v1, kind: A, metadata: {name: x}}";
        let twice = Manifests::parse("x.yaml", twice).unwrap();
        let error = twice.world(|_| Ok(())).unwrap_err();
        assert!(error.is_resource());
        assert_eq!(error.to_string(), "x.yaml, document 2: `as` is there in a/v1 and in b/v1");
    }

    #[test]
    fn folders_are_read_in_order() {
        let folder = tempfile::TempDir::new().unwrap();
        let write = |name: &str, namespace: &str| {
            let text = format!(
                "{{apiVersion: v1, kind: Service, metadata: {{namespace: {namespace}, name: web}}}}"
            );
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (name, namespace) in [("b.yml", "n2"), ("a/z.json", "n1"), ("c.yaml", "n3")] {
            write(name, namespace);
        }
        write("README.md", "x");
        let manifests = Manifests::read(folder.path()).unwrap();
        let order =
            manifests.values().map(|value| value["metadata"]["namespace"].as_str().unwrap());
        assert_eq!(order.collect::<Vec<_>>(), ["n1", "n2", "n3"]);
        let error = Manifests::read(folder.path().join("none.yaml")).unwrap_err();
        assert!(error.to_string().ends_with("none.yaml can't be read"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
}
