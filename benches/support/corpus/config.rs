//! `ConfigMap`s that hold a file, and Secrets that hold a certificate or a Helm release.

use super::{
    metadata,
    random::{Random, unique},
    text::{escaped, fill},
    words::{PARTS, STAGES, TEAMS, VARIABLES},
};

const CONFIG_MAP: &str = r#"{<metadata>,"annotations":{"meta.helm.sh/release-name":"<instance>","meta.helm.sh/release-namespace":"<namespace>"},"managedFields":[{"manager":"helm","operation":"Update","apiVersion":"v1","time":"<at>","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:config.yaml":{}},"f:metadata":{"f:annotations":{".":{},"f:meta.helm.sh/release-name":{},"f:meta.helm.sh/release-namespace":{}},"f:labels":{".":{},"f:app.kubernetes.io/instance":{},"f:app.kubernetes.io/managed-by":{}}}}}]},"data":{"config.yaml":"<file>"}}"#;

const ENTRY: &str = "<key>:\n  enabled: <enabled>\n  target: \"<target>.<namespace>.svc\"\n";

const SECRET: &str = r#"{<metadata>,"managedFields":[{"manager":"<manager>","operation":"Update","apiVersion":"v1","time":"<at>","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{}<fields>},"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/instance":{},"f:app.kubernetes.io/managed-by":{}}},"f:type":{}}}]},"data":{<data>},"type":"<type>"}"#;

pub(super) fn config_maps(count: usize) -> Vec<String> {
    let mut random = Random::new(4);
    (0..count).map(|number| config_map(&mut random, number)).collect()
}

pub(super) fn secrets(count: usize) -> Vec<String> {
    let mut random = Random::new(5);
    (0..count).map(|number| secret(&mut random, number)).collect()
}

/// Returns an instance, its namespace, and the metadata of one of its objects.
fn begin(random: &mut Random, number: usize, what: &str) -> (String, String, String) {
    let team = random.pick(TEAMS);
    let namespace = format!("{team}-{}", random.pick(STAGES));
    let instance = format!("{team}-{}-{}", random.pick(PARTS), random.suffix(3));
    let names =
        format!(r#""name":"{instance}-{what}-{}","namespace":"{namespace}""#, unique(number));
    let labels = format!(
        r#""app.kubernetes.io/instance":"{instance}","app.kubernetes.io/managed-by":"Helm""#
    );
    let metadata = metadata(random, number, &names, &labels, "");
    (instance, namespace, metadata)
}

fn config_map(random: &mut Random, number: usize) -> String {
    let (instance, namespace, metadata) = begin(random, number, "config");
    let mut file = String::new();
    for _ in 0..random.range(8, 60) {
        let key = random.pick(VARIABLES).to_lowercase();
        let enabled = if random.chance(50) { "true" } else { "false" };
        let target = random.pick(PARTS);
        let values =
            [("key", &*key), ("enabled", enabled), ("target", target), ("namespace", &namespace)];
        file += &fill(ENTRY, &values);
    }
    fill(
        CONFIG_MAP,
        &[
            ("metadata", &metadata),
            ("instance", &instance),
            ("namespace", &namespace),
            ("at", &random.time()),
            ("file", &escaped(&file)),
        ],
    )
}

fn secret(random: &mut Random, number: usize) -> String {
    let certificate = random.chance(60);
    let (_, _, metadata) = begin(random, number, if certificate { "tls" } else { "release" });
    let (manager, kind, fields, data) = if certificate {
        let (chain, key) = (base64(random, 3600), base64(random, 2272));
        let data = format!(r#""tls.crt":"{chain}","tls.key":"{key}""#);
        ("cert-manager", "kubernetes.io/tls", r#","f:tls.crt":{},"f:tls.key":{}"#, data)
    } else {
        let length = random.range(1000, 4000) * 4;
        let data = format!(r#""release":"{}""#, base64(random, length));
        ("helm", "helm.sh/release.v1", r#","f:release":{}"#, data)
    };
    fill(
        SECRET,
        &[
            ("metadata", &metadata),
            ("manager", manager),
            ("at", &random.time()),
            ("fields", fields),
            ("data", &data),
            ("type", kind),
        ],
    )
}

/// Returns random base64; the length is a multiple of 4.
fn base64(random: &mut Random, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..length).map(|_| char::from(ALPHABET[random.below(64)])).collect()
}
