//! A user of a cluster, and its credentials.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use k8s_openapi::ByteString;
use kube::{
    Client,
    config::{Config, KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

use super::{Error, certs::Signed};

/// A user of a [`Cluster`](super::Cluster), known to it by a client certificate.
///
/// Its [`kubeconfig`](User::kubeconfig) is for other programs; [`client`](User::client) and
/// [`config`](User::config) are for this one.
#[derive(Clone)]
pub struct User {
    name: String,
    kubeconfig: Kubeconfig,
    path: PathBuf,
}

impl User {
    /// Returns the name, as it stands in role bindings and in messages of the API server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a new client. It belongs to the Tokio runtime that calls this.
    ///
    /// # Errors
    ///
    /// If kube's client was built without TLS.
    pub async fn client(&self) -> Result<Client, Error> {
        Client::try_from(self.config().await?)
            .map_err(|cause| Error::client("cannot make a client", cause))
    }

    /// Returns the configuration of [`client`](User::client), for a client with other
    /// settings. It has no proxy, regardless of the environment.
    ///
    /// # Errors
    ///
    /// If kube refuses the kubeconfig, which is a bug of this module.
    pub async fn config(&self) -> Result<Config, Error> {
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(self.kubeconfig.clone(), &options).await;
        let mut config =
            config.map_err(|cause| Error::other("cannot use the kubeconfig").caused_by(cause))?;
        config.proxy_url = None; // taken from HTTPS_PROXY, even for a loopback address
        Ok(config)
    }

    /// Returns the path of a kubeconfig file, for another program. The file is self-contained, and is removed
    /// together with the cluster.
    pub fn kubeconfig(&self) -> &Path {
        &self.path
    }

    /// Writes the kubeconfig to `path`.
    pub(super) fn new(
        name: &str,
        signed: &Signed,
        authority: &str,
        port: u16,
        path: PathBuf,
    ) -> Result<Self, Error> {
        let base64 = |pem: &str| json!(ByteString(pem.as_bytes().to_vec()));
        let content = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": name } }],
            "clusters": [{ "name": "test", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority-data": base64(authority),
            }}],
            "users": [{ "name": name, "user": {
                "client-certificate-data": base64(&signed.certificate),
                "client-key-data": base64(&signed.key),
            }}],
        });
        // JSON is YAML too.
        fs::write(&path, format!("{content:#}\n"))
            .map_err(Error::io(format!("cannot write {}", path.display())))?;
        let kubeconfig = serde_json::from_value(content)
            .map_err(|cause| Error::other("cannot make a kubeconfig").caused_by(cause))?;
        Ok(Self { name: name.to_owned(), kubeconfig, path })
    }
}

impl fmt::Debug for User {
    /// Writes no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("kubeconfig", &self.path).finish()
    }
}
