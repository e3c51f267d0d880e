//! `EndpointSlice`s of mostly few endpoints.

use super::{
    metadata,
    random::{Random, unique},
    text::{fill, joined},
    words::{PARTS, STAGES, TEAMS},
};

const ENDPOINT: &str = r#"{"addresses":["<ip>"],"conditions":{"ready":true,"serving":true,"terminating":false},"targetRef":{"kind":"Pod","namespace":"<namespace>","name":"<service>-<hash>-<suffix>","uid":"<uid>"},"nodeName":"<node>","zone":"eu-west-1<zone>"}"#;

const SLICE: &str = r#"{<metadata>,"annotations":{"endpoints.kubernetes.io/last-change-trigger-time":"<changed>"},"ownerReferences":[{"apiVersion":"v1","kind":"Service","name":"<service>","uid":"<owner>","controller":true,"blockOwnerDeletion":true}],"managedFields":[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"discovery.k8s.io/v1","time":"<changed>","fieldsType":"FieldsV1","fieldsV1":{"f:addressType":{},"f:endpoints":{},"f:metadata":{"f:annotations":{".":{},"f:endpoints.kubernetes.io/last-change-trigger-time":{}},"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:app.kubernetes.io/managed-by":{},"f:endpointslice.kubernetes.io/managed-by":{},"f:kubernetes.io/service-name":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"<owner>\"}":{}}},"f:ports":{}}}]},"addressType":"IPv4","endpoints":[<endpoints>],"ports":[{"name":"http","protocol":"TCP","port":8080},{"name":"metrics","protocol":"TCP","port":9090}]}"#;

pub(super) fn slices(count: usize) -> Vec<String> {
    let mut random = Random::new(2);
    (0..count).map(|number| slice(&mut random, number)).collect()
}

fn slice(random: &mut Random, number: usize) -> String {
    let team = random.pick(TEAMS);
    let namespace = format!("{team}-{}", random.pick(STAGES));
    let service = format!("{team}-{}-{}", random.pick(PARTS), random.suffix(3));
    let endpoints = match random.below(20) {
        0..15 => random.range(1, 4),
        15..18 => random.range(4, 12),
        18 => random.range(10, 30),
        _ => 100,
    };
    let hash = random.suffix(10);
    let endpoints = joined((0..endpoints).map(|_| {
        fill(
            ENDPOINT,
            &[
                ("ip", &random.ip()),
                ("namespace", &namespace),
                ("service", &service),
                ("hash", &hash),
                ("suffix", &random.suffix(5)),
                ("uid", &random.uid()),
                ("node", &random.node()),
                ("zone", random.pick(&["a", "b", "c"])),
            ],
        )
    }));
    let suffix = unique(number);
    let metadata = metadata(
        random,
        number,
        &format!(
            r#""name":"{service}-{suffix}","generateName":"{service}-","namespace":"{namespace}""#
        ),
        &format!(
            r#""app":"{service}","app.kubernetes.io/managed-by":"Helm","endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io","kubernetes.io/service-name":"{service}""#
        ),
        r#""generation":7,"#,
    );
    fill(
        SLICE,
        &[
            ("metadata", &metadata),
            ("changed", &random.time()),
            ("service", &service),
            ("owner", &random.uid()),
            ("endpoints", &endpoints),
        ],
    )
}
