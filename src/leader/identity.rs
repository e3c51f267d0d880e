//! By which name a replica stands for election.

use std::{
    env, fmt, fs,
    hash::{BuildHasher, RandomState},
};

/// The name by which a replica stands for election: what the Lease names as its holder.
///
/// No two replicas should have the same. Should they, they still don't lead at once: a replica
/// takes only what it wrote itself for its own.
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
    /// The name of this pod, if the environment variable `POD_NAME` has it by the [downward
    /// API](https://kubernetes.io/docs/concepts/workloads/pods/downward-api/); else the host's name
    /// with a random part, other in every process: [example](Identity).
    ///
    /// ```yaml
    /// env:
    ///   - name: POD_NAME
    ///     valueFrom: { fieldRef: { fieldPath: metadata.name } }
    /// ```
    ///
    /// A container that is started again in its pod has the name of the one before, and waits, as
    /// any other replica, until the Lease has run out.
    pub fn from_env() -> Self {
        let host = || {
            let told = fs::read_to_string("/proc/sys/kernel/hostname").ok();
            told.into_iter().chain(env::var("HOSTNAME").ok()).chain(env::var("COMPUTERNAME").ok())
        };
        Self::find(env::var("POD_NAME").ok(), host)
    }

    fn find<H: Iterator<Item = String>>(pod: Option<String>, host: impl FnOnce() -> H) -> Self {
        let told = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        if let Some(pod) = pod.and_then(told) {
            return Self(pod);
        }
        let host = host().find_map(told);
        let random = RandomState::new().hash_one(std::process::id());
        Self(format!("{}_{random:016x}", host.as_deref().unwrap_or("unknown")))
    }

    /// The name as the Lease has it: [example](Identity).
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
