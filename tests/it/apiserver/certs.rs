//! The certificates and keys of one server.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

pub(super) const CA: &str = "ca.crt";
pub(super) const SERVER: (&str, &str) = ("server.crt", "server.key");
pub(super) const ADMIN: (&str, &str) = ("admin.crt", "admin.key");
/// The public and the private key of service account tokens.
pub(super) const TOKENS: (&str, &str) = ("tokens.pub", "tokens.key");

/// What the server's own certificate is good for. The last is the first address of the service
/// range, which the server checks for at start.
const SERVER_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "10.0.0.1"];

/// Writes all of them to `folder`, where the constants above name them.
pub(super) fn write(folder: &Path) {
    let write = |name: &str, pem: String| {
        fs::write(folder.join(name), pem).expect("cannot write a certificate");
    };

    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "ca");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = generate();
    write(CA, params.self_signed(&key).expect("the CA").pem());
    let ca = Issuer::new(params, key);

    let sign = |(certificate, key_file): (&str, &str), mut params: CertificateParams, usage| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = generate();
        let signed = params.signed_by(&key, &ca).expect("a certificate");
        write(certificate, signed.pem());
        write(key_file, key.serialize_pem());
    };

    let names = SERVER_NAMES.map(str::to_owned);
    let params = CertificateParams::new(names).expect("valid names");
    sign(SERVER, params, ExtendedKeyUsagePurpose::ServerAuth);

    // The group that may do anything, whatever RBAC says.
    let mut params = CertificateParams::default();
    let name = &mut params.distinguished_name;
    name.push(DnType::OrganizationName, "system:masters");
    name.push(DnType::CommonName, "admin");
    sign(ADMIN, params, ExtendedKeyUsagePurpose::ClientAuth);

    let key = generate();
    write(TOKENS.0, key.public_key_pem());
    write(TOKENS.1, key.serialize_pem());
}

fn generate() -> KeyPair {
    KeyPair::generate().expect("a key")
}
