//! Requests that write.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::testing::server::{
    history::{Key, Object},
    list::{self, Page},
    object::{self, Part},
    query::Query,
    resource::Resource,
    router::Target,
    status::{self, Outcome},
    store::{Deleted, Store, WriteOptions},
    verb::Verb,
    view::View,
};

/// A request that writes.
#[derive(Debug)]
pub(super) struct Write<'a> {
    pub(super) verb: Verb,
    pub(super) target: &'a Target,
    pub(super) query: &'a Query,
    pub(super) view: &'a View,
    pub(super) content_type: &'a str,
    pub(super) body: &'a [u8],
}

/// The outcome of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// A status code and a body.
    Body(u16, Bytes),
    /// The objects that were deleted.
    Page(Page),
}

impl Write<'_> {
    /// Performs the write.
    pub(super) fn perform(&self, store: &mut Store) -> Outcome<Written> {
        match self.verb {
            Verb::Create => self.create(store),
            Verb::Update => self.update(store),
            Verb::Patch => self.patch(store),
            Verb::Delete => self.delete(store),
            Verb::DeleteCollection => self.delete_collection(store),
            _ => Err(status::method_not_allowed()),
        }
    }

    fn create(&self, store: &mut Store) -> Outcome<Written> {
        let object = self.object()?;
        let namespace = self.target.namespace.as_deref().unwrap_or_default();
        let object =
            store.create(&self.target.resource, namespace, object, self.write_options())?;
        Ok(self.object_answer(201, &object))
    }

    fn update(&self, store: &mut Store) -> Outcome<Written> {
        let object = self.object()?;
        let key = self.key();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if name != key.name {
            return Err(status::bad_request(&format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                key.name
            )));
        }
        let object = store.update(&self.target.resource, &key, object, self.write_options())?;
        Ok(self.object_answer(200, &object))
    }

    fn patch(&self, store: &mut Store) -> Outcome<Written> {
        let resource = &self.target.resource;
        let key = self.key();
        let is_apply = match self.content_type {
            "application/merge-patch+json" => false,
            "application/apply-patch+yaml" | "application/apply-patch+json" => true,
            _ => {
                return Err(status::failure(
                    415,
                    "the body of the request was in an unknown format - accepted media types include: \
                     application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
        };
        if is_apply && self.query.get("fieldManager").is_none() {
            let why = "Required value: is required for apply patch";
            return Err(status::invalid("meta.k8s.io", "PatchOptions", "", "fieldManager", why));
        }
        let patch: Value = if is_apply { self.object()? } else { json_of(self.body)? };
        let current = match store.get(resource, &key) {
            Err(_) if is_apply && !self.target.status => {
                let mut object = patch;
                let metadata = object::metadata_of(&mut object)?;
                metadata.insert("name".to_owned(), key.name.clone().into());
                let object =
                    store.create(resource, &key.namespace, object, self.write_options())?;
                return Ok(self.object_answer(201, &object));
            }
            current => current?,
        };
        let mut object = (*current).clone();
        json_patch::merge(&mut object, &patch);
        let object = store.update(resource, &key, object, self.write_options())?;
        Ok(self.object_answer(200, &object))
    }

    fn delete(&self, store: &mut Store) -> Outcome<Written> {
        let resource = &self.target.resource;
        let key = self.key();
        let options = self.options()?;
        let current = store.get(resource, &key)?;
        let preconditions = &options["preconditions"];
        object::check_uid(resource, &current, preconditions["uid"].as_str().unwrap_or_default())?;
        if let Some(version) = preconditions["resourceVersion"].as_str()
            && current["metadata"]["resourceVersion"] != version
        {
            return Err(status::stale(resource, &key.name));
        }
        match store.delete(resource, &key, self.is_dry_run(&options))? {
            Deleted::Held(object) => Ok(self.object_answer(200, &object)),
            Deleted::Gone(object) => {
                let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
                let status = status::to_value(&status::deleted(resource, &key.name, uid));
                Ok(Written::Body(200, status.to_string().into()))
            }
        }
    }

    fn delete_collection(&self, store: &mut Store) -> Outcome<Written> {
        let resource = &self.target.resource;
        let selection = list::selection(self.query, self.target.namespace.as_deref())?;
        let dry_run = self.is_dry_run(&self.options()?);
        let keys: Vec<Key> = store
            .objects(resource)
            .filter(|(key, object)| selection.admits(key, object))
            .map(|(key, _)| key.clone())
            .collect();
        let mut deleted = Vec::new();
        for key in keys {
            let (Deleted::Held(object) | Deleted::Gone(object)) =
                store.delete(resource, &key, dry_run)?;
            deleted.push(object);
        }
        Ok(Written::Page(Page::of(deleted, store.revision())))
    }

    /// Returns the object in the body, which must be of the kind and in the namespace of the path.
    fn object(&self) -> Outcome<Value> {
        let resource = &self.target.resource;
        let mut object = json_of(self.body)?;
        set_types(resource, &mut object)?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        if !namespace.is_empty() && Some(namespace) != self.target.namespace.as_deref() {
            return Err(status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        Ok(object)
    }

    fn options(&self) -> Outcome<Value> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        json_of(self.body)
    }

    fn is_dry_run(&self, options: &Value) -> bool {
        self.query.get("dryRun").is_some()
            || options["dryRun"].as_array().is_some_and(|all| !all.is_empty())
    }

    fn write_options(&self) -> WriteOptions {
        let part = if self.target.status { Part::Status } else { Part::Main };
        WriteOptions { part, dry_run: self.is_dry_run(&Value::Null) }
    }

    fn key(&self) -> Key {
        Key {
            namespace: self.target.namespace.clone().unwrap_or_default(),
            name: self.target.name.clone().unwrap_or_default(),
        }
    }

    fn object_answer(&self, code: u16, object: &Object) -> Written {
        Written::Body(code, self.view.body(object))
    }
}

/// Sets the kind of an object without one; refuses an object of another kind.
fn set_types(resource: &Resource, object: &mut Value) -> Outcome<()> {
    if !object.is_object() {
        return Err(status::bad_request(
            "the object provided is unrecognized: it is not a JSON object",
        ));
    }
    for (field, expected) in
        [("apiVersion", resource.api_version()), ("kind", resource.kind.clone())]
    {
        let given = object[field].as_str().unwrap_or_default();
        if !given.is_empty() && given != expected {
            return Err(status::bad_request(&format!(
                "the {field} in the data ({given}) does not match the expected {field} ({expected})"
            )));
        }
        object[field] = expected.into();
    }
    Ok(())
}

fn json_of(body: &[u8]) -> Outcome<Value> {
    serde_json::from_slice(body).map_err(|error| {
        status::bad_request(&format!(
            "the object provided is unrecognized (must be of type JSON): {error}"
        ))
    })
}
