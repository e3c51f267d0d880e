//! `Status` answers, worded like those of a real API server.

use std::time::Duration;

use kube::core::{
    Status,
    response::{StatusCause, StatusDetails, reason},
};
use serde_json::{Value, json};

use crate::testing::server::{resource::Resource, verb::Verb};

/// The outcome of a request: an answer, or the `Status` that refuses it.
pub(super) type Outcome<T> = Result<T, Box<Status>>;

/// Returns the `Status` for a body: with its kind, and with the `metadata` that Go always writes.
pub(super) fn to_value(status: &Status) -> Value {
    let mut body = serde_json::to_value(status).unwrap_or_else(|_| json!({}));
    body["kind"] = "Status".into();
    body["apiVersion"] = "v1".into();
    if body["metadata"].is_null() {
        body["metadata"] = json!({});
    }
    body
}

/// Returns the default reason of a code.
fn reason_of(code: u16) -> &'static str {
    match code {
        400 => reason::BAD_REQUEST,
        401 => reason::UNAUTHORIZED,
        403 => reason::FORBIDDEN,
        404 => reason::NOT_FOUND,
        405 => reason::METHOD_NOT_ALLOWED,
        406 => reason::NOT_ACCEPTABLE,
        409 => reason::CONFLICT,
        410 => reason::EXPIRED,
        413 => reason::REQUEST_ENTITY_TOO_LARGE,
        415 => reason::UNSUPPORTED_MEDIA_TYPE,
        422 => reason::INVALID,
        429 => reason::TOO_MANY_REQUESTS,
        500 => reason::INTERNAL_ERROR,
        503 => reason::SERVICE_UNAVAILABLE,
        504 => reason::TIMEOUT,
        _ => reason::UNKNOWN,
    }
}

/// Returns a failure without details.
pub(super) fn failure(code: u16, message: &str) -> Box<Status> {
    Status::failure(message, reason_of(code)).with_code(code).boxed()
}

/// Returns the `Status` of a scripted fault.
pub(super) fn scripted(code: u16, retry_after: Option<Duration>) -> Box<Status> {
    let mut status = failure(code, &format!("the script of the test answers {code}"));
    if let Some(after) = retry_after {
        let seconds = u32::try_from(after.as_secs()).unwrap_or(u32::MAX);
        status.details = Some(StatusDetails { retry_after_seconds: seconds, ..no_details() });
    }
    status
}

/// Returns a 400: the request itself is invalid.
pub(super) fn bad_request(message: &str) -> Box<Status> {
    failure(400, message)
}

/// Returns the 404 of a missing object of a known resource.
pub(super) fn not_found(resource: &Resource, name: &str) -> Box<Status> {
    let message = format!("{} \"{name}\" not found", resource.storage);
    about(resource, name, failure(404, &message))
}

/// Returns the 409 of a create.
pub(super) fn already_exists(resource: &Resource, name: &str) -> Box<Status> {
    let message = format!("{} \"{name}\" already exists", resource.storage);
    let mut status = about(resource, name, failure(409, &message));
    reason::ALREADY_EXISTS.clone_into(&mut status.reason);
    status
}

/// Returns the 409 of a write that is not based on the current object.
pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> Box<Status> {
    let message =
        format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.storage);
    about(resource, name, failure(409, &message))
}

/// Returns the 409 of an update from a stale resourceVersion.
pub(super) fn stale(resource: &Resource, name: &str) -> Box<Status> {
    conflict(
        resource,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )
}

/// Returns a 405: the resource doesn't have the verb.
pub(super) fn method_not_allowed() -> Box<Status> {
    failure(405, "the server does not allow this method on the requested resource")
}

/// Returns the 405 of a list or a watch of a resource without that verb.
pub(super) fn not_supported(resource: &Resource, verb: Verb) -> Box<Status> {
    let (verb, storage) = (verb.name(), &resource.storage);
    let message = format!("{verb} is not supported on resources of kind \"{storage}\"");
    about(resource, "", failure(405, &message))
}

/// Returns the 410 of a version from before the compaction horizon.
pub(super) fn too_old(version: u64, current: u64) -> Box<Status> {
    failure(410, &format!("too old resource version: {version} ({current})"))
}

/// Returns the 410 of a continue token, with a token that continues from the same key at the present.
pub(super) fn token_expired(fresh: String) -> Box<Status> {
    let mut status = failure(
        410,
        "The provided continue parameter is too old to display a consistent list result. You can start a new \
         list without the continue parameter, or use the continue token in this response to retrieve the \
         remainder of the results. Continuing with the provided token results in an inconsistent list - objects \
         that were created, modified, or deleted between the time the first chunk was returned and now may show \
         up in the list.",
    );
    status.metadata = Some(kube::core::ListMeta { continue_: Some(fresh), ..Default::default() });
    status
}

/// Returns the 504 of a future version.
pub(super) fn too_large(version: u64, current: u64) -> Box<Status> {
    let mut status = failure(
        504,
        &format!("Timeout: Too large resource version: {version}, current: {current}"),
    );
    status.details = Some(StatusDetails {
        causes: vec![StatusCause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: "Too large resource version".to_owned(),
            field: String::new(),
        }],
        retry_after_seconds: 1,
        ..no_details()
    });
    status
}

/// Returns a 422: the object, or the options, break a rule. `kind` is a Kind with its group, not a resource.
pub(super) fn invalid(group: &str, kind: &str, name: &str, field: &str, why: &str) -> Box<Status> {
    let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
    let mut status = failure(422, &format!("{qualified} \"{name}\" is invalid: {field}: {why}"));
    let cause = if why.starts_with("Forbidden") {
        "FieldValueForbidden"
    } else if why.starts_with("Required") {
        "FieldValueRequired"
    } else {
        "FieldValueInvalid"
    };
    status.details = Some(StatusDetails {
        name: name.to_owned(),
        group: group.to_owned(),
        kind: kind.to_owned(),
        causes: vec![StatusCause {
            reason: cause.to_owned(),
            message: why.to_owned(),
            field: field.to_owned(),
        }],
        ..no_details()
    });
    status
}

/// Returns the 422 of list and watch options.
pub(super) fn invalid_options(field: &str, why: &str) -> Box<Status> {
    invalid("meta.k8s.io", "ListOptions", "", field, why)
}

/// Returns the answer of a delete that removed the object.
pub(super) fn deleted(resource: &Resource, name: &str, uid: &str) -> Status {
    Status::success().with_details(StatusDetails {
        name: name.to_owned(),
        group: resource.group.clone(),
        kind: resource.plural.clone(),
        uid: uid.to_owned(),
        ..no_details()
    })
}

/// Adds the object of a failure, or only the resource if the name is empty.
pub(super) fn about(resource: &Resource, name: &str, mut status: Box<Status>) -> Box<Status> {
    status.details = Some(StatusDetails {
        name: name.to_owned(),
        group: resource.group.clone(),
        kind: resource.plural.clone(),
        ..status.details.unwrap_or_else(no_details)
    });
    status
}

/// Returns empty details.
pub(super) fn no_details() -> StatusDetails {
    StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: 0,
    }
}
