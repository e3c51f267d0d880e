//! The certificates and keys of one cluster.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::Error;

pub(super) const CA: &str = "ca.crt";
pub(super) const SERVER: (&str, &str) = ("server.crt", "server.key");
/// The public and the private key of service account tokens.
pub(super) const TOKENS: (&str, &str) = ("tokens.pub", "tokens.key");

/// The names of the server. The last is the first address of the service range, which the server
/// requires at its start.
const SERVER_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "10.0.0.1"];

/// The CA of a cluster, which signs the certificates of its users.
#[derive(Debug)]
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The certificate as PEM.
    pub(super) pem: String,
}

/// A certificate and its key as PEM.
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    /// Creates a CA, and writes the files of the API server to `folder`.
    pub(super) fn new(folder: &Path) -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = generate()?;
        let pem = params.self_signed(&key).map_err(cannot_sign)?.pem();
        let authority = Self { issuer: Issuer::new(params, key), pem };

        let names = SERVER_NAMES.map(str::to_owned);
        let params = CertificateParams::new(names).map_err(cannot_sign)?;
        let server = authority.sign(params, ExtendedKeyUsagePurpose::ServerAuth)?;
        let tokens = generate()?;
        for (name, pem) in [
            (CA, &authority.pem),
            (SERVER.0, &server.certificate),
            (SERVER.1, &server.key),
            (TOKENS.0, &tokens.public_key_pem()),
            (TOKENS.1, &tokens.serialize_pem()),
        ] {
            fs::write(folder.join(name), pem).map_err(Error::io(format!("cannot write {name}")))?;
        }
        Ok(authority)
    }

    /// Signs a client certificate. The API server uses the common name as the name of the user
    /// and the organization as the group.
    pub(super) fn user(&self, name: &str, group: Option<&str>) -> Result<Signed, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Signed, Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = generate()?;
        let signed = params.signed_by(&key, &self.issuer).map_err(cannot_sign)?;
        Ok(Signed { certificate: signed.pem(), key: key.serialize_pem() })
    }
}

fn generate() -> Result<KeyPair, Error> {
    KeyPair::generate().map_err(|cause| Error::other("cannot make a key").caused_by(cause))
}

fn cannot_sign(cause: rcgen::Error) -> Error {
    Error::other("cannot make a certificate").caused_by(cause)
}
