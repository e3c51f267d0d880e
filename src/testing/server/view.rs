//! Views of stored objects: in the version of the request, whole or as metadata only.

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use crate::testing::server::{
    object,
    resource::Resource,
    status::{self, Outcome},
};

/// The form of an answer, as requested with `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
}

/// The view of one request.
#[derive(Debug, Clone)]
pub(super) struct View {
    form: Form,
    api_version: String,
    kind: String,
    list_kind: String,
    custom: bool,
    /// The name of an object to send garbled.
    garbled: Option<String>,
    /// True to send the metadata that only stored objects have.
    versioned: bool,
}

impl View {
    /// # Errors
    /// 406 if the client accepts no format of the server.
    pub(super) fn new(resource: &Resource, accept: Option<&str>) -> Outcome<Self> {
        let form = accept.map_or(Some(Form::Whole), |accept| accept.split(',').find_map(form_of));
        Ok(Self {
            form: form.ok_or_else(|| {
                status::failure(
                    406,
                    "only the following media types are accepted: application/json",
                )
            })?,
            api_version: resource.api_version(),
            kind: resource.kind.clone(),
            list_kind: resource.list_kind.clone(),
            custom: resource.custom,
            garbled: None,
            versioned: true,
        })
    }

    #[must_use]
    pub(super) fn garbling(mut self, name: &str) -> Self {
        self.garbled = Some(name.to_owned());
        self
    }

    /// Leaves out the metadata that only stored objects have.
    #[must_use]
    pub(super) fn without_versions(mut self) -> Self {
        self.versioned = false;
        self
    }

    pub(super) fn is_versioned(&self) -> bool {
        self.versioned
    }

    /// Returns an object as the body of an answer.
    pub(super) fn body(&self, object: &Value) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out, object, true);
        out.into()
    }

    /// Returns an object as an item of a list.
    pub(super) fn item(&self, object: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        // Items of built-in kinds have no kind.
        self.write(&mut out, object, self.custom || self.form == Form::Metadata);
        out
    }

    /// Returns the text of a list before its first item, and after the last one.
    pub(super) fn list(&self, metadata: &Value) -> (Vec<u8>, Vec<u8>) {
        let (kind, api_version) = match self.form {
            Form::Whole => (&*self.list_kind, self.api_version.as_str()),
            Form::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1"),
        };
        let (head, tail) = if self.custom && self.form == Form::Whole {
            // Lists of custom resources have their fields in alphabetical order.
            let head = format!(r#"{{"apiVersion":"{api_version}","items":["#);
            (head, format!("],\"kind\":\"{kind}\",\"metadata\":{metadata}}}\n"))
        } else {
            let head = format!(
                r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{metadata},"items":["#
            );
            (head, "]}\n".to_owned())
        };
        (head.into_bytes(), tail.into_bytes())
    }

    /// Returns a watch event about an object.
    pub(super) fn event(&self, kind: &str, object: &Value) -> Bytes {
        let mut out = format!(r#"{{"type":"{kind}","object":"#).into_bytes();
        self.write(&mut out, object, true);
        out.extend_from_slice(b"}\n");
        out.into()
    }

    /// Returns the event of an object that was deleted, or is no longer selected, since `revision`.
    pub(super) fn deleted(&self, object: &Value, revision: u64) -> Bytes {
        self.event("DELETED", &object::at_revision(object.clone(), revision))
    }

    pub(super) fn bookmark(&self, revision: u64, ends_initial_events: bool) -> Bytes {
        let mut metadata =
            json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if ends_initial_events {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        self.event("BOOKMARK", &json!({"metadata": metadata}))
    }

    fn write(&self, out: &mut Vec<u8>, object: &Value, with_types: bool) {
        let is_garbled =
            self.garbled.as_ref().is_some_and(|name| object["metadata"]["name"] == name.as_str());
        let changed = (is_garbled || !self.versioned).then(|| {
            let mut object = object.clone();
            if is_garbled {
                object["metadata"]["labels"] = 7.into();
            }
            if !self.versioned {
                for field in ["resourceVersion", "uid", "generation"] {
                    object::remove(&mut object["metadata"], field);
                }
            }
            object
        });
        let types = match self.form {
            _ if !with_types => None,
            Form::Whole => Some((self.api_version.as_str(), self.kind.as_str())),
            Form::Metadata => Some(("meta.k8s.io/v1", "PartialObjectMetadata")),
        };
        let shown = Shown { types, object: changed.as_ref().unwrap_or(object), form: self.form };
        // Writing maps with text keys to memory can't fail.
        let _ = serde_json::to_writer(out, &shown);
    }
}

fn form_of(media_type: &str) -> Option<Form> {
    let mut parts = media_type.split(';').map(str::trim);
    let json = matches!(parts.next()?, "application/json" | "application/*" | "*/*");
    let form = parts.find_map(|part| part.strip_prefix("as="));
    match form {
        _ if !json => None,
        None => Some(Form::Whole),
        Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Form::Metadata),
        Some(_) => None,
    }
}

/// Writes an object with a different `apiVersion` and `kind` than stored, without copying it.
struct Shown<'a> {
    types: Option<(&'a str, &'a str)>,
    object: &'a Value,
    form: Form,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((api_version, kind)) = self.types {
            map.serialize_entry("kind", kind)?;
            map.serialize_entry("apiVersion", api_version)?;
        }
        for (name, value) in self.object.as_object().into_iter().flatten() {
            let shown = match self.form {
                Form::Whole => name != "kind" && name != "apiVersion",
                Form::Metadata => name == "metadata",
            };
            if shown {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}
