//! Names of resources without a Rust type.

use std::{fmt, fmt::Write as _};

use kube::core::{ApiResource, GroupVersionResource};

use crate::{
    error::{Error, ErrorKind},
    rfc1123::{is_label, is_subdomain},
    text::has_text,
};

/// A resource by group, version and plural name, such as `networking.k8s.io/v1/ingresses`.
///
/// The core group has no name: `v1/pods`. Without a version (`networking.k8s.io/ingresses`) discovery finds
/// the version that the API server prefers; with several (`autoscaling/v2,v1/horizontalpodautoscalers`) it
/// finds the first one that is served. It finds the version anew when it is no longer served. A `Gvr`
/// itself requests nothing: the stream of [`watch_resource`](crate::watch_resource) finds out whether an
/// API server has the resource.
///
/// kube's [`GroupVersionResource`] and [`ApiResource`] convert to a `Gvr` by `try_into()`, and a `Gvr` of
/// exactly one version converts to a `GroupVersionResource`. It serializes as its text.
///
/// ```
/// use kube_weir::Gvr;
///
/// let ingresses = Gvr::parse("networking.k8s.io/v1/ingresses")?;
/// assert_eq!(ingresses.group(), "networking.k8s.io");
/// assert_eq!((ingresses.version(), ingresses.plural()), (Some("v1"), "ingresses"));
/// assert_eq!(Gvr::parse("v1/pods")?.to_string(), "v1/pods");
///
/// assert_eq!(Gvr::parse("networking.k8s.io/ingresses")?.version(), None);
/// let scalers = Gvr::parse("autoscaling/v2,v1/horizontalpodautoscalers")?;
/// assert_eq!(scalers.versions(), ["v2", "v1"]);
///
/// use k8s_openapi::api::core::v1::Pod;
/// use kube::core::{ApiResource, GroupVersionResource};
///
/// let pods = Gvr::try_from(ApiResource::erase::<Pod>(&()))?;
/// assert_eq!(pods, Gvr::parse("v1/pods")?);
/// let pods: GroupVersionResource = (&pods).try_into()?;
/// assert_eq!((&*pods.version, &*pods.resource), ("v1", "pods"));
/// assert!(GroupVersionResource::try_from(scalers).is_err(), "two versions");
/// # Ok::<(), kube_weir::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gvr {
    group: String,
    /// The acceptable versions, the best first. Empty: any.
    versions: Vec<String>,
    plural: String,
}

impl Gvr {
    /// Parses `group/version/plural`, `version/plural` for the core group, or `group/plural` for any served
    /// version. Commas separate several versions. `text.parse()` does the same.
    ///
    /// # Errors
    ///
    /// [`is_resource`](Error::is_resource) if the text has another number of parts, or an invalid part.
    ///
    /// # Examples
    ///
    /// ```
    /// use kube_weir::Gvr;
    ///
    /// let leases: Gvr = "coordination.k8s.io/v1/leases".parse()?;
    /// assert_eq!(leases, Gvr::parse("coordination.k8s.io/v1/leases")?);
    ///
    /// let error = Gvr::parse("v1/Pod").unwrap_err();
    /// assert!(error.is_resource());
    /// assert!(error.to_string().contains("the plural resource name is needed, such as pods"));
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let parts: Vec<&str> = text.split('/').collect();
        let (group, versions, plural) = match parts[..] {
            [versions, plural] if versions.split(',').all(is_version) => ("", versions, plural),
            [group, plural] if is_subdomain(group) => (group, "", plural),
            [group, versions, plural] if !group.is_empty() && !versions.is_empty() => {
                (group, versions, plural)
            }
            _ => {
                return Err(invalid(
                    text,
                    "expected group/version/plural, or v1/plural for the core group",
                ));
            }
        };
        let versions: Vec<_> = versions.split(',').filter(|_| !versions.is_empty()).collect();
        if let Some(version) = versions.iter().find(|version| !is_version(version)) {
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
        if !is_label(plural) {
            return Err(invalid(text, &format!("`{plural}` is not a plural resource name")));
        }
        if !group.is_empty() && !is_subdomain(group) {
            return Err(invalid(text, &format!("`{group}` is not an API group")));
        }
        let versions = versions.into_iter().map(str::to_owned).collect();
        Ok(Self { group: group.to_owned(), versions, plural: plural.to_owned() })
    }

    /// Returns the resource of unchecked parts.
    fn of_parts(group: &str, version: &str, plural: &str) -> Result<Self, Error> {
        let text = match group {
            "" => format!("{version}/{plural}"),
            group => format!("{group}/{version}/{plural}"),
        };
        let parsed = Self::parse(&text)?;
        // Slashes and commas in a part would change the other parts.
        let is_same = parsed.group == group && parsed.versions == [version];
        if is_same {
            Ok(parsed)
        } else {
            Err(invalid(&text, "a group, one version and a plural are needed"))
        }
    }

    /// Returns a resource that is known to be valid.
    pub(crate) fn known(group: &str, version: &str, plural: &str) -> Self {
        let versions = vec![version.to_owned()];
        Self { group: group.to_owned(), versions, plural: plural.to_owned() }
    }

    /// Returns the API group; `""` for the core group: [example](Gvr).
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Returns the version, such as `v1`, if it names exactly one: [example](Gvr).
    pub fn version(&self) -> Option<&str> {
        match &self.versions[..] {
            [version] => Some(version),
            _ => None,
        }
    }

    /// Returns the acceptable versions, the best first; empty if any version is: [example](Gvr).
    pub fn versions(&self) -> &[String] {
        &self.versions
    }

    /// Returns the plural resource name, such as `ingresses`: [example](Gvr).
    pub fn plural(&self) -> &str {
        &self.plural
    }

    /// Returns whether this may be a custom resource, whose definition names the kind of its lists.
    /// Kubernetes' own groups, and groups that it approves, follow its conventions.
    pub(crate) fn is_custom(&self) -> bool {
        self.group.contains('.') && !self.group.ends_with(".k8s.io")
    }

    /// Returns an object's `apiVersion` in one of the versions: `group/version`, or `version` for
    /// the core group.
    pub(crate) fn api_version(&self, version: &str) -> String {
        match self.group.as_str() {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        }
    }

    /// Returns the path of a version's resources.
    pub(crate) fn root(&self, version: &str) -> String {
        let base = if self.group.is_empty() { "/api" } else { "/apis" };
        format!("{base}/{}", self.api_version(version))
    }

    /// Returns the collection's path in a version, of all namespaces or of one.
    pub(crate) fn url(&self, version: &str, namespace: Option<&str>) -> String {
        let (root, plural) = (self.root(version), &self.plural);
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{}/{plural}", segment(namespace)),
            None => format!("{root}/{plural}"),
        }
    }
}

/// Returns a name as one segment of a path, whatever it contains: names also come from objects and servers.
pub(super) fn segment(name: &str) -> String {
    let is_dots = matches!(name, "." | "..");
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || b"-_~:@".contains(&byte) || (byte == b'.' && !is_dots)
    };
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        if is_plain(byte) {
            path.push(byte.into());
        } else {
            // Writing to a string never fails.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// Returns whether the text is a version: `v`, a digit, and no dot, which only groups have.
fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').unwrap_or_default();
    is_label(text) && number.starts_with(|c: char| c.is_ascii_digit())
}

impl fmt::Display for Gvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.group, &self.versions.join(",")] {
            if !part.is_empty() {
                write!(f, "{part}/")?;
            }
        }
        f.write_str(&self.plural)
    }
}

has_text!(Gvr, Error, "a resource, such as \"networking.k8s.io/v1/ingresses\"");

impl TryFrom<&GroupVersionResource> for Gvr {
    type Error = Error;

    fn try_from(own: &GroupVersionResource) -> Result<Self, Error> {
        Self::of_parts(&own.group, &own.version, &own.resource)
    }
}

impl TryFrom<GroupVersionResource> for Gvr {
    type Error = Error;

    fn try_from(own: GroupVersionResource) -> Result<Self, Error> {
        (&own).try_into()
    }
}

impl TryFrom<&ApiResource> for Gvr {
    type Error = Error;

    fn try_from(own: &ApiResource) -> Result<Self, Error> {
        Self::of_parts(&own.group, &own.version, &own.plural)
    }
}

impl TryFrom<ApiResource> for Gvr {
    type Error = Error;

    fn try_from(own: ApiResource) -> Result<Self, Error> {
        (&own).try_into()
    }
}

/// Fails unless the resource has exactly one version.
impl TryFrom<&Gvr> for GroupVersionResource {
    type Error = Error;

    fn try_from(own: &Gvr) -> Result<Self, Error> {
        let version = own.version().ok_or_else(|| {
            invalid(
                &own.to_string(),
                "exactly one version is needed here, as in apps/v1/deployments",
            )
        })?;
        Ok(Self::gvr(&own.group, version, &own.plural))
    }
}

impl TryFrom<Gvr> for GroupVersionResource {
    type Error = Error;

    fn try_from(own: Gvr) -> Result<Self, Error> {
        (&own).try_into()
    }
}

fn invalid(text: &str, why: &str) -> Error {
    Error::new(ErrorKind::Resource, format!("invalid resource `{text}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS: B8
    #[test]
    fn a_name_is_one_segment_of_a_path() {
        for (name, wanted) in [
            ("web-1.a", "web-1.a"),
            ("system:node", "system:node"),
            ("a?watch=1", "a%3Fwatch%3D1"),
            ("a/b", "a%2Fb"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("..a", "..a"),
            ("%2e", "%252e"),
            ("#\n ю", "%23%0A%20%D1%8E"),
        ] {
            assert_eq!(segment(name), wanted);
            let gvr = Gvr::parse("v1/pods").unwrap();
            let url = gvr.url("v1", Some(name));
            assert_eq!(url, format!("/api/v1/namespaces/{wanted}/pods"));
            assert!(url.parse::<http::Uri>().is_ok_and(|uri| uri.query().is_none()), "{url}");
        }
    }

    /// SEMANTICS: W3
    #[test]
    fn resources_are_named_by_plural() {
        let gvr = Gvr::parse("networking.k8s.io/v1/ingresses").unwrap();
        assert_eq!(gvr.url("v1", None), "/apis/networking.k8s.io/v1/ingresses");
        assert_eq!(gvr.url("v1", Some("a")), "/apis/networking.k8s.io/v1/namespaces/a/ingresses");
        assert_eq!(
            Gvr::parse("v1/pods").unwrap().url("v1", Some("a")),
            "/api/v1/namespaces/a/pods"
        );
        assert_eq!(gvr.api_version("v1"), "networking.k8s.io/v1");
    }

    /// SEMANTICS: W24
    #[test]
    fn a_version_may_be_left_open() {
        for (text, versions) in [
            ("apps/deployments", &[][..]),
            ("autoscaling/v2,v1/horizontalpodautoscalers", &["v2", "v1"]),
            ("v1/pods", &["v1"]),
            ("v1beta1.example.com/things", &[]),
        ] {
            let gvr = Gvr::parse(text).unwrap();
            assert_eq!(gvr.versions(), versions, "{text}");
            assert_eq!(gvr.to_string(), text);
            assert_eq!(Gvr::parse(&gvr.to_string()).unwrap(), gvr);
        }
    }

    /// SEMANTICS: B8
    #[test]
    fn kubes_names_of_resources_are_checked() {
        for (group, version, plural, is_one) in [
            ("", "v1", "pods", true),
            ("apps", "v1", "deployments", true),
            ("", "", "pods", false),
            ("apps", "", "deployments", false),
            ("", "apps/v1", "deployments", false),
            ("apps", "v1,v2", "deployments", false),
            ("", "v1", "pods/status", false),
            ("", "apps", "deployments", false),
            ("apps", "v1", "Deployment", false),
            ("", "v1", "..", false),
            ("", "v1", "pods?watch=1", false),
        ] {
            let of_kube = GroupVersionResource::gvr(group, version, plural);
            let found = Gvr::try_from(&of_kube);
            assert_eq!(found.is_ok(), is_one, "{of_kube:?}: {found:?}");
            if let Ok(own) = found {
                assert_eq!(GroupVersionResource::try_from(own).unwrap(), of_kube);
            }
        }
    }

    #[test]
    fn serialized_it_is_the_text() {
        for text in ["v1/pods", "apps/deployments", "autoscaling/v2,v1/horizontalpodautoscalers"] {
            let gvr = Gvr::parse(text).unwrap();
            let json = serde_json::to_value(&gvr).unwrap();
            assert_eq!(json, text);
            assert_eq!(serde_json::from_value::<Gvr>(json).unwrap(), gvr);
        }
        for (json, why) in
            [(r#""v1/Pod""#, "`Pod` looks like a kind"), ("7", "expected a resource, such as")]
        {
            let error = serde_json::from_str::<Gvr>(json).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_is_no_resource_says_why() {
        for (text, why) in [
            ("", "group/version/plural"),
            ("pods", "group/version/plural"),
            ("/v1/pods", "group/version/plural"),
            ("v1//pods", "group/version/plural"),
            ("apps//deployments", "group/version/plural"),
            ("a/b/c/d", "group/version/plural"),
            ("v1/Pod", "looks like a kind"),
            ("apps/v1,/deployments", "not a version"),
            ("Apps/deployments", "group/version/plural"),
            ("v1/", "not a plural"),
            ("v1/..", "not a plural"),
            ("v1/a.b", "not a plural"),
            ("../v1/pods", "not an API group"),
            ("../pods", "group/version/plural"),
            ("v1-/pods", "group/version/plural"),
        ] {
            let error = Gvr::parse(text).unwrap_err();
            assert!(error.is_resource());
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
