//! Ingresses of about 2.35 KB, 1.7 KB without managedFields.

use super::{
    metadata,
    random::{Random, unique},
    text::{escaped, fill, joined},
    words::{PARTS, STAGES, TEAMS},
};

const SPEC: &str = r#"{"ingressClassName":"haproxy","tls":[{"hosts":[<hosts>],"secretName":"<name>-tls"}],"rules":[<rules>]}"#;

const RULE: &str = r#"{"host":"<host>","http":{"paths":[<paths>]}}"#;

const PATH: &str = r#"{"path":"<path>","pathType":"Prefix","backend":{"service":{"name":"<name>-<part>","port":{"number":<port>}}}}"#;

const APPLIED: &str = r#"{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"annotations":{"cert-manager.io/cluster-issuer":"letsencrypt"},"name":"<name>","namespace":"<namespace>"},"spec":<spec>}
"#;

const INGRESS: &str = r#"{<metadata>,"annotations":{"cert-manager.io/cluster-issuer":"letsencrypt","haproxy.org/timeout-server":"30s","kubectl.kubernetes.io/last-applied-configuration":"<applied>"},"managedFields":[{"manager":"kubectl-client-side-apply","operation":"Update","apiVersion":"networking.k8s.io/v1","time":"<applied-at>","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{".":{},"f:cert-manager.io/cluster-issuer":{},"f:haproxy.org/timeout-server":{},"f:kubectl.kubernetes.io/last-applied-configuration":{}},"f:labels":{".":{},"f:app":{},"f:app.kubernetes.io/managed-by":{}}},"f:spec":{"f:ingressClassName":{},"f:rules":{},"f:tls":{}}}},{"manager":"haproxy-ingress","operation":"Update","apiVersion":"networking.k8s.io/v1","time":"<served-at>","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:loadBalancer":{"f:ingress":{}}}},"subresource":"status"}]},"spec":<spec>,"status":{"loadBalancer":{"ingress":[{"ip":"<ip>"}]}}}"#;

pub(super) fn ingresses(count: usize) -> Vec<String> {
    let mut random = Random::new(3);
    (0..count).map(|number| ingress(&mut random, number)).collect()
}

fn ingress(random: &mut Random, number: usize) -> String {
    let team = random.pick(TEAMS);
    let namespace = format!("{team}-{}", random.pick(STAGES));
    let name = format!("{team}-{}-{}", random.pick(PARTS), unique(number));
    let hosts: Vec<String> = (0..=random.below(10) / 8)
        .map(|n| match n {
            0 => format!("{name}.{namespace}.apps.example.com"),
            n => format!("{name}{n}.{namespace}.apps.example.com"),
        })
        .collect();
    let rules = joined(hosts.iter().map(|host| {
        let paths = joined((0..random.range(1, 2)).map(|n| {
            let path = ["/", "/api"][n];
            let port = (8080 + n).to_string();
            let values =
                [("path", path), ("name", &name), ("part", random.pick(PARTS)), ("port", &port)];
            fill(PATH, &values)
        }));
        fill(RULE, &[("host", host), ("paths", &paths)])
    }));
    let hosts = joined(hosts.iter().map(|host| format!("\"{host}\"")));
    let spec = fill(SPEC, &[("hosts", &hosts), ("name", &name), ("rules", &rules)]);
    let applied = fill(APPLIED, &[("name", &name), ("namespace", &namespace), ("spec", &spec)]);
    let metadata = metadata(
        random,
        number,
        &format!(r#""name":"{name}","namespace":"{namespace}""#),
        &format!(r#""app":"{name}","app.kubernetes.io/managed-by":"Helm""#),
        r#""generation":3,"#,
    );
    fill(
        INGRESS,
        &[
            ("metadata", &metadata),
            ("applied", &escaped(&applied)),
            ("applied-at", &random.time()),
            ("served-at", &random.time()),
            ("spec", &spec),
            ("ip", &random.ip()),
        ],
    )
}
