//! Naming a resource without a Rust type.

use std::{fmt, str::FromStr};

use crate::error::{Error, Reason};

/// A resource by group, version and plural name, such as `networking.k8s.io/v1/ingresses`.
///
/// The core group has no name: `v1/pods`.
///
/// ```
/// use kube_weir::Gvr;
///
/// let ingresses = Gvr::parse("networking.k8s.io/v1/ingresses")?;
/// assert_eq!(ingresses.group(), "networking.k8s.io");
/// assert_eq!(Gvr::parse("v1/pods")?.to_string(), "v1/pods");
/// assert!(Gvr::parse("pods").is_err());
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gvr {
    group: String,
    version: String,
    plural: String,
}

impl Gvr {
    /// Reads `group/version/plural`, or `version/plural` for the core group.
    ///
    /// # Errors
    ///
    /// [`is_resource`](Error::is_resource) if the text has another number of parts, or a part that
    /// can't be one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let parts: Vec<&str> = text.split('/').collect();
        let (group, version, plural) = match parts[..] {
            [version, plural] => ("", version, plural),
            [group, version, plural] if !group.is_empty() => (group, version, plural),
            _ => {
                return Err(invalid(
                    text,
                    "expected group/version/plural, or v1/plural for the core group",
                ));
            }
        };
        let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !version.starts_with('v') || !version.chars().all(name) || version.len() < 2 {
            return Err(invalid(
                text,
                &format!("`{version}` is not a version such as v1 or v1beta1"),
            ));
        }
        if plural.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(invalid(
                text,
                &format!(
                    "`{plural}` looks like a kind; the plural resource name is needed, such as pods"
                ),
            ));
        }
        if plural.is_empty() || !plural.chars().all(name) {
            return Err(invalid(text, &format!("`{plural}` is not a plural resource name")));
        }
        if !group.chars().all(name) {
            return Err(invalid(text, &format!("`{group}` is not an API group")));
        }
        Ok(Self::known(group, version, plural))
    }

    /// One that is known to be valid.
    pub(crate) fn known(group: &str, version: &str, plural: &str) -> Self {
        Self { group: group.to_owned(), version: version.to_owned(), plural: plural.to_owned() }
    }

    /// The API group; `""` for the core group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The version, such as `v1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The plural resource name, such as `ingresses`.
    pub fn plural(&self) -> &str {
        &self.plural
    }

    /// `group/version`, or `version` for the core group: an object's `apiVersion`.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The collection's path, of all namespaces or of one.
    pub(crate) fn url(&self, namespace: Option<&str>) -> String {
        let Self { group, version, plural } = self;
        let root = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{plural}"),
            None => format!("{root}/{plural}"),
        }
    }
}

impl fmt::Display for Gvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api_version(), self.plural)
    }
}

impl FromStr for Gvr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

fn invalid(text: &str, why: &str) -> Error {
    Error::new(Reason::Resource, format!("invalid resource `{text}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: W3
    #[test]
    fn resources_are_named_by_plural() {
        let gvr = Gvr::parse("networking.k8s.io/v1/ingresses").unwrap();
        assert_eq!(gvr.url(None), "/apis/networking.k8s.io/v1/ingresses");
        assert_eq!(gvr.url(Some("a")), "/apis/networking.k8s.io/v1/namespaces/a/ingresses");
        assert_eq!(Gvr::parse("v1/pods").unwrap().url(Some("a")), "/api/v1/namespaces/a/pods");
        assert_eq!(gvr.api_version(), "networking.k8s.io/v1");
    }

    #[test]
    fn what_is_no_resource_says_why() {
        for (text, why) in [
            ("", "group/version/plural"),
            ("pods", "group/version/plural"),
            ("/v1/pods", "group/version/plural"),
            ("a/b/c/d", "group/version/plural"),
            ("v1/Pod", "looks like a kind"),
            ("apps/deployments", "not a version"),
            ("v1/", "not a plural"),
        ] {
            let error = Gvr::parse(text).unwrap_err();
            assert!(error.is_resource());
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
