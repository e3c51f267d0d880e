//! The name by which a replica stands for election.

use std::{
    env, fmt, fs,
    hash::{BuildHasher, RandomState},
};

/// The name by which a replica stands for election: the holder that the Lease names.
///
/// No two replicas should have the same identity. Two that do still don't lead at once: a replica
/// recognizes only a Lease that it wrote itself as its own.
///
/// ```
/// use kube_weir::Identity;
///
/// assert_eq!(Identity::from("replica-a").as_str(), "replica-a");
/// assert!(!Identity::from_env().as_str().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(String);

impl Identity {
    /// Returns the name of this pod, if the environment variable `POD_NAME` has it by the [downward
    /// API](https://kubernetes.io/docs/concepts/workloads/pods/downward-api/); otherwise the host's name
    /// with a random part, which differs in every process: [example](Identity).
    ///
    /// ```yaml
    /// env:
    ///   - name: POD_NAME
    ///     valueFrom: { fieldRef: { fieldPath: metadata.name } }
    /// ```
    ///
    /// A container that is restarted in its pod has the same name as before, and waits like any other
    /// replica until the Lease has expired.
    pub fn from_env() -> Self {
        let host = || {
            let kernel = fs::read_to_string("/proc/sys/kernel/hostname").ok();
            kernel.into_iter().chain(env::var("HOSTNAME").ok()).chain(env::var("COMPUTERNAME").ok())
        };
        Self::find(env::var("POD_NAME").ok(), host)
    }

    fn find<H: Iterator<Item = String>>(pod: Option<String>, host: impl FnOnce() -> H) -> Self {
        let non_blank = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        if let Some(pod) = pod.and_then(non_blank) {
            return Self(pod);
        }
        let host = host().find_map(non_blank);
        let random = RandomState::new().hash_one(std::process::id());
        Self(format!("{}_{random:016x}", host.as_deref().unwrap_or("unknown")))
    }

    /// Returns the name as the Lease has it: [example](Identity).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Identity {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl From<String> for Identity {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_comes_before_the_host() {
        let host = || ["\n".to_owned(), "node-1\n".to_owned()].into_iter();
        assert_eq!(Identity::find(Some(" web-0 \n".into()), host).as_str(), "web-0");
        let one = Identity::find(Some(String::new()), host);
        let other = Identity::find(None, host);
        assert!(one.as_str().starts_with("node-1_"), "{one}");
        assert_ne!(one, other, "nothing random");
        let nobody = Identity::find(None, std::iter::empty);
        assert!(nobody.as_str().starts_with("unknown_"), "{nobody}");
    }
}
