//! The namespace that this program runs in.

use std::{fs, io, path::Path};

use kube::config::Kubeconfig;

use crate::error::{Error, ErrorKind};

/// The file with the namespace of a pod's service account.
/// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Returns the program's namespace, given the client's default namespace.
pub(crate) fn own(of_client: &str) -> Result<String, Error> {
    find(of_client, Path::new(SERVICE_ACCOUNT), || {
        let config = Kubeconfig::read().ok()?;
        let current = config.current_context?;
        let named = config.contexts.into_iter().find(|context| context.name == current)?;
        named.context?.namespace
    })
}

fn find(
    of_client: &str,
    file: &Path,
    of_context: impl FnOnce() -> Option<String>,
) -> Result<String, Error> {
    // The client was made for a context or a pod, and has `default` if that names no namespace.
    let of_client = of_client.trim();
    if !of_client.is_empty() && of_client != "default" {
        return Ok(of_client.to_owned());
    }
    let read = fs::read_to_string(file).and_then(|text| match text.trim() {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty")),
        text => Ok(text.to_owned()),
    });
    read.or_else(|cause| {
        // The client has `default` for a context that names it, and for a context without a namespace. The
        // kubeconfig distinguishes them; any other name in it is of another context.
        let named = of_context().filter(|namespace| namespace.trim() == "default");
        named.map(|namespace| namespace.trim().to_owned()).ok_or_else(|| {
            let message = format!(
                "the namespace of this program is unknown: the client's context names none, and {} can't be read",
                file.display()
            );
            Error::with_source(ErrorKind::Namespace, message, cause)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::env::temp_dir;

    use super::*;

    fn with_file(content: &str, test: impl FnOnce(&Path)) {
        let file = temp_dir().join(format!(
            "kube-weir-namespace-{}-{}",
            std::process::id(),
            content.len()
        ));
        fs::write(&file, content).unwrap();
        test(&file);
        fs::remove_file(&file).unwrap();
    }

    /// SEMANTICS: W2
    #[test]
    fn unknown_is_an_error_that_names_the_file() {
        let missing = Path::new("/nonexistent/kube-weir/namespace");
        let error = find("default", missing, || None).unwrap_err();
        assert!(error.is_namespace());
        assert!(error.to_string().contains("/nonexistent/kube-weir/namespace"), "{error}");
        with_file(" \n", |file| {
            assert!(find("default", file, || None).unwrap_err().is_namespace());
        });
    }

    /// SEMANTICS: W2
    #[test]
    fn the_file_is_trimmed() {
        with_file(" prod\n\n", |file| assert_eq!(find("default", file, || None).unwrap(), "prod"));
    }

    /// SEMANTICS: W2
    #[test]
    fn the_namespace_of_the_context_counts() {
        let missing = Path::new("/nonexistent/kube-weir/namespace");
        assert_eq!(find("team-a", missing, || None).unwrap(), "team-a");
        assert_eq!(find("default", missing, || Some("default".into())).unwrap(), "default");
        let of_another_context = || Some("team-b".into());
        assert!(find("default", missing, of_another_context).unwrap_err().is_namespace());
    }
}
