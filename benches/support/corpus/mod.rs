//! Objects as a real API server writes them: keys in the order of the Go structs, no white space,
//! no `kind` and `apiVersion` in the items of a list. They are the same in every run.

mod config;
mod ingress;
mod pod;
mod random;
mod slice;
mod text;
mod words;

use bytes::Bytes;

pub(crate) use random::Random;

/// The first version of the listed objects; all versions have the same number of digits.
pub(crate) const LISTED: usize = 1_000_000_000;

/// The version of a list.
pub(crate) const LIST_VERSION: usize = 1_900_000_000;

/// The version of the first change after the list.
pub(crate) const CHANGED: usize = 2_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pod,
    EndpointSlice,
    Ingress,
    ConfigMap,
    Secret,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Pod, Self::EndpointSlice, Self::Ingress, Self::ConfigMap, Self::Secret];

    pub(crate) fn named(plural: &str) -> Self {
        let kind = Self::ALL.into_iter().find(|kind| kind.plural() == plural);
        kind.unwrap_or_else(|| panic!("no objects for {plural}"))
    }

    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::EndpointSlice => "EndpointSlice",
            Self::Ingress => "Ingress",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    pub(crate) fn group_and_version(self) -> (&'static str, &'static str) {
        match self {
            Self::Pod | Self::ConfigMap | Self::Secret => ("", "v1"),
            Self::EndpointSlice => ("discovery.k8s.io", "v1"),
            Self::Ingress => ("networking.k8s.io", "v1"),
        }
    }

    pub(crate) fn api_version(self) -> String {
        match self.group_and_version() {
            ("", version) => version.into(),
            (group, version) => format!("{group}/{version}"),
        }
    }

    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Pod => "pods",
            Self::EndpointSlice => "endpointslices",
            Self::Ingress => "ingresses",
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
        }
    }

    /// Returns the path of the collection.
    pub(crate) fn url(self) -> String {
        let root = if self.group_and_version().0.is_empty() { "api" } else { "apis" };
        format!("/{root}/{}/{}", self.api_version(), self.plural())
    }

    /// Returns the fields that a controller of this kind doesn't need.
    pub(crate) fn ignored(self) -> &'static [&'static str] {
        match self {
            Self::Pod => &["metadata.managedFields", "status"],
            _ => &["metadata.managedFields"],
        }
    }

    /// Returns the path by which a controller looks up this kind, beside the identity.
    pub(crate) fn looked_up_by(self) -> &'static str {
        match self {
            Self::Pod => "spec.nodeName",
            Self::EndpointSlice => "metadata.labels['kubernetes.io/service-name']",
            Self::Ingress => "spec.rules[*].host",
            Self::ConfigMap | Self::Secret => "metadata.labels['app.kubernetes.io/instance']",
        }
    }
}

/// Objects of one kind.
pub(crate) struct Corpus {
    pub(crate) kind: Kind,
    /// The objects as items of a list.
    pub(crate) items: Vec<String>,
}

impl Corpus {
    pub(crate) fn new(kind: Kind, count: usize) -> Self {
        let items = match kind {
            Kind::Pod => pod::pods(count),
            Kind::EndpointSlice => slice::slices(count),
            Kind::Ingress => ingress::ingresses(count),
            Kind::ConfigMap => config::config_maps(count),
            Kind::Secret => config::secrets(count),
        };
        Self { kind, items }
    }

    /// Returns the bytes of all objects in a list.
    pub(crate) fn bytes(&self) -> usize {
        self.items.iter().map(String::len).sum()
    }

    /// Returns the answers to a list in pages of at most this many objects. The token of a page
    /// is its number.
    pub(crate) fn pages(&self, size: usize) -> Vec<Bytes> {
        let count = self.items.len().div_ceil(size).max(1);
        (0..count)
            .map(|page| {
                let (start, end) = (page * size, self.items.len().min((page + 1) * size));
                let rest = match self.items.len() - end {
                    0 => String::new(),
                    rest => format!(r#","continue":"{}","remainingItemCount":{rest}"#, page + 1),
                };
                let (kind, api_version) = (self.kind.kind(), self.kind.api_version());
                let head = format!(
                    r#"{{"kind":"{kind}List","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{LIST_VERSION}"{rest}}},"items":["#
                );
                Bytes::from(head + &self.items[start..end].join(",") + "]}\n")
            })
            .collect()
    }

    /// Returns the pages of a list of metadata only.
    pub(crate) fn metadata_pages(&self, size: usize) -> Vec<Bytes> {
        let items = self.items.iter().map(|item| {
            let item: serde_json::Value = serde_json::from_str(item).expect("an object");
            serde_json::json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": item["metadata"],
            })
            .to_string()
        });
        let pages = Self { kind: self.kind, items: items.collect() }.pages(size);
        let (kind, api_version) = (self.kind.kind(), self.kind.api_version());
        let own = format!(r#"{{"kind":"{kind}List","apiVersion":"{api_version}""#);
        let head = r#"{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1""#;
        let page = |page: Bytes| [head.as_bytes(), &page[own.len()..]].concat().into();
        pages.into_iter().map(page).collect()
    }

    /// Returns the watch line of a modified object, whose version is set later.
    pub(crate) fn line(&self, object: usize) -> Line {
        let (kind, api_version) = (self.kind.kind(), self.kind.api_version());
        let item = &self.items[object][1..];
        let text = format!(
            r#"{{"type":"MODIFIED","object":{{"kind":"{kind}","apiVersion":"{api_version}",{item}}}"#
        ) + "\n";
        let version = position_of_version(&text);
        Line { text: text.into_bytes(), version }
    }

    /// Returns a number of changes, of one object after the other.
    pub(crate) fn changes(&self, count: usize) -> Vec<Bytes> {
        let line = |n: usize| self.line(n % self.items.len()).at(CHANGED + n).to_vec().into();
        (0..count).map(line).collect()
    }
}

/// A line of a watch.
pub(crate) struct Line {
    text: Vec<u8>,
    version: usize,
}

impl Line {
    /// Returns the line as a chunk of an HTTP/1.1 body.
    pub(crate) fn chunk(self) -> Self {
        let mut text = format!("{:x}\r\n", self.text.len()).into_bytes();
        let version = text.len() + self.version;
        text.extend_from_slice(&self.text);
        text.extend_from_slice(b"\r\n");
        Self { text, version }
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Returns the line with this version of the object.
    pub(crate) fn at(&mut self, version: usize) -> &[u8] {
        let digits = version.to_string();
        self.text[self.version..self.version + digits.len()].copy_from_slice(digits.as_bytes());
        &self.text
    }
}

fn position_of_version(json: &str) -> usize {
    const FIELD: &str = r#""resourceVersion":""#;
    json.find(FIELD).expect("each object has a version") + FIELD.len()
}

/// Beginning of all kinds: the fields of `metadata` up to the labels and annotations.
fn metadata(random: &mut Random, number: usize, names: &str, labels: &str, rest: &str) -> String {
    text::fill(
        r#""metadata":{<names>,"uid":"<uid>","resourceVersion":"<version>",<rest>"creationTimestamp":"<created>","labels":{<labels>}"#,
        &[
            ("names", names),
            ("uid", &random.uid()),
            ("version", &(LISTED + number).to_string()),
            ("rest", rest),
            ("created", &random.time()),
            ("labels", labels),
        ],
    )
}
