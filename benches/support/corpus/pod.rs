//! Pods of about 8.3 KB, a third of them managedFields.

use super::{
    metadata,
    random::{Random, unique},
    text::{fill, joined},
    words::{PARTS, REGISTRIES, STAGES, TEAMS, VARIABLES},
};

const CONTAINER: &str = r#"{"name":"<name>","image":"<image>"<command>,"ports":[{"name":"http","containerPort":<port>,"protocol":"TCP"},{"name":"metrics","containerPort":9090,"protocol":"TCP"}],"env":[{"name":"POD_NAME","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}},{"name":"POD_NAMESPACE","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}}<env>],"resources":{"limits":{"cpu":"2","memory":"<memory>Mi"},"requests":{"cpu":"250m","memory":"<memory>Mi"}},"volumeMounts":[{"name":"config","readOnly":true,"mountPath":"/etc/<name>"},{"name":"tmp","mountPath":"/tmp"},{"name":"kube-api-access-x7k2p","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],"livenessProbe":{"httpGet":{"path":"/healthz","port":"http","scheme":"HTTP"},"initialDelaySeconds":10,"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},"readinessProbe":{"httpGet":{"path":"/readyz","port":"http","scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":5,"successThreshold":1,"failureThreshold":3},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","securityContext":{"capabilities":{"drop":["ALL"]},"runAsNonRoot":true,"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false}}"#;

const COMMAND: &str = r#","command":["/usr/bin/<name>"],"args":["--config=/etc/<name>/config.yaml","--log-level=info","--metrics-addr=:9090"]"#;

const MANAGED_CONTAINER: &str = r#""k:{\"name\":\"<name>\"}":{".":{},"f:args":{},"f:env":{".":{},"k:{\"name\":\"POD_NAME\"}":{".":{},"f:name":{},"f:valueFrom":{".":{},"f:fieldRef":{}}},"k:{\"name\":\"POD_NAMESPACE\"}":{".":{},"f:name":{},"f:valueFrom":{".":{},"f:fieldRef":{}}}<env>},"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{},"f:successThreshold":{},"f:timeoutSeconds":{}},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":9090,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:resources":{".":{},"f:limits":{".":{},"f:cpu":{},"f:memory":{}},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}},"f:securityContext":{".":{},"f:allowPrivilegeEscalation":{},"f:capabilities":{".":{},"f:drop":{}},"f:readOnlyRootFilesystem":{},"f:runAsNonRoot":{}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{},"f:volumeMounts":{".":{},"k:{\"mountPath\":\"/tmp\"}":{".":{},"f:mountPath":{},"f:name":{}}}}"#;

const SPEC: &str = r#"{"volumes":[{"name":"config","configMap":{"name":"<deployment>-config","defaultMode":420}},{"name":"tmp","emptyDir":{}},{"name":"kube-api-access-x7k2p","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}],"containers":[<containers>],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"<deployment>","serviceAccount":"<deployment>","nodeName":"<node>","securityContext":{"fsGroup":1000},"schedulerName":"default-scheduler","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}"#;

const LABELS: &str = r#""app":"<deployment>","app.kubernetes.io/instance":"<deployment>","app.kubernetes.io/managed-by":"Helm","app.kubernetes.io/name":"<deployment>","app.kubernetes.io/part-of":"<team>","helm.sh/chart":"<deployment>-1.4.2","pod-template-hash":"<hash>""#;

const STATUS: &str = r#"{"phase":"Running","conditions":[{"type":"PodReadyToStartContainers","status":"True","lastProbeTime":null,"lastTransitionTime":"<started>"},{"type":"Initialized","status":"True","lastProbeTime":null,"lastTransitionTime":"<started>"},{"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"<started>"},{"type":"ContainersReady","status":"True","lastProbeTime":null,"lastTransitionTime":"<started>"},{"type":"PodScheduled","status":"True","lastProbeTime":null,"lastTransitionTime":"<started>"}],"hostIP":"<host>","hostIPs":[{"ip":"<host>"}],"podIP":"<ip>","podIPs":[{"ip":"<ip>"}],"startTime":"<started>","containerStatuses":[<containers>],"qosClass":"Burstable"}"#;

const CONTAINER_STATUS: &str = r#"{"name":"<name>","state":{"running":{"startedAt":"<started>"}},"lastState":{},"ready":true,"restartCount":<restarts>,"image":"<image>","imageID":"<repository>@sha256:<digest>","containerID":"containerd://<id>","started":true,"volumeMounts":[{"name":"config","mountPath":"/etc/<name>","readOnly":true,"recursiveReadOnly":"Disabled"},{"name":"kube-api-access-x7k2p","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","readOnly":true,"recursiveReadOnly":"Disabled"}]}"#;

const POD: &str = r#"{<metadata>,"annotations":{"checksum/config":"<checksum>","cni.projectcalico.org/containerID":"<sandbox>","cni.projectcalico.org/podIP":"<ip>/32","cni.projectcalico.org/podIPs":"<ip>/32","prometheus.io/path":"/metrics","prometheus.io/port":"9090","prometheus.io/scrape":"true"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"<deployment>-<hash>","uid":"<owner>","controller":true,"blockOwnerDeletion":true}],"managedFields":[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"<started>","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:annotations":{".":{},"f:checksum/config":{},"f:prometheus.io/path":{},"f:prometheus.io/port":{},"f:prometheus.io/scrape":{}},"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:app.kubernetes.io/instance":{},"f:app.kubernetes.io/managed-by":{},"f:app.kubernetes.io/name":{},"f:helm.sh/chart":{},"f:pod-template-hash":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"<owner>\"}":{}}},"f:spec":{"f:containers":{<managed>},"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:serviceAccount":{},"f:serviceAccountName":{},"f:terminationGracePeriodSeconds":{},"f:volumes":{".":{},"k:{\"name\":\"config\"}":{".":{},"f:configMap":{".":{},"f:defaultMode":{},"f:name":{}},"f:name":{}}}}}},{"manager":"kubelet","operation":"Update","apiVersion":"v1","time":"<started>","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:conditions":{"k:{\"type\":\"ContainersReady\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Initialized\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}},"f:containerStatuses":{},"f:hostIP":{},"f:phase":{},"f:podIP":{},"f:podIPs":{".":{},"k:{\"ip\":\"<ip>\"}":{".":{},"f:ip":{}}},"f:startTime":{}}},"subresource":"status"}]},"spec":<spec>,"status":<status>}"#;

/// Pods of one Deployment differ little.
struct Deployment {
    team: &'static str,
    namespace: String,
    name: String,
    hash: String,
    owner: String,
    checksum: String,
    containers: Vec<Container>,
}

struct Container {
    name: &'static str,
    repository: String,
    image: String,
    digest: String,
    json: String,
    managed: String,
}

pub(super) fn pods(count: usize) -> Vec<String> {
    let mut random = Random::new(1);
    let mut pods = Vec::with_capacity(count);
    while pods.len() < count {
        let deployment = Deployment::new(&mut random);
        let replicas = match random.below(10) {
            0..4 => random.range(1, 3),
            4..8 => random.range(3, 12),
            _ => random.range(12, 60),
        };
        for number in pods.len()..count.min(pods.len() + replicas) {
            pods.push(deployment.pod(&mut random, number));
        }
    }
    pods
}

impl Deployment {
    fn new(random: &mut Random) -> Self {
        let team = random.pick(TEAMS);
        let part = random.pick(PARTS);
        let namespace = format!("{team}-{}", random.pick(STAGES));
        let name = format!("{team}-{part}-{}", random.suffix(3));
        let containers = match random.below(100) {
            0..92 => &[part][..],
            92..99 => &[part, "istio-proxy"],
            _ => &[part, "istio-proxy", "log-agent"],
        };
        let containers = containers.iter().map(|part| Container::new(random, part, &name, team));
        Self {
            team,
            containers: containers.collect(),
            namespace,
            name,
            hash: random.suffix(10),
            owner: random.uid(),
            checksum: random.hex(64),
        }
    }

    fn pod(&self, random: &mut Random, number: usize) -> String {
        let Self { name: deployment, hash, .. } = self;
        let (started, ip) = (random.time(), random.ip());
        let names = format!(
            r#""name":"{deployment}-{hash}-{}","generateName":"{deployment}-{hash}-","namespace":"{}""#,
            unique(number),
            self.namespace
        );
        let own = [("deployment", &**deployment), ("team", self.team), ("hash", hash)];
        let metadata = metadata(random, number, &names, &fill(LABELS, &own), "");
        let containers = joined(self.containers.iter().map(|container| container.json.clone()));
        let managed = joined(self.containers.iter().map(|container| container.managed.clone()));
        let statuses = joined(self.containers.iter().map(|own| own.status(random, &started)));
        let spec = fill(
            SPEC,
            &[("deployment", deployment), ("containers", &containers), ("node", &random.node())],
        );
        let status = fill(
            STATUS,
            &[
                ("started", &started),
                ("host", &random.ip()),
                ("ip", &ip),
                ("containers", &statuses),
            ],
        );
        fill(
            POD,
            &[
                ("metadata", &metadata),
                ("checksum", &self.checksum),
                ("sandbox", &random.hex(64)),
                ("ip", &ip),
                ("deployment", deployment),
                ("hash", hash),
                ("owner", &self.owner),
                ("started", &started),
                ("managed", &managed),
                ("spec", &spec),
                ("status", &status),
            ],
        )
    }
}

impl Container {
    fn new(random: &mut Random, name: &'static str, deployment: &str, team: &str) -> Self {
        let repository = format!("{}/{team}/{name}", random.pick(REGISTRIES));
        let image = format!(
            "{repository}:v{}.{}.{}",
            random.range(1, 9),
            random.below(40),
            random.below(20)
        );
        let mut env = String::new();
        let mut managed_env = String::new();
        let first = random.below(VARIABLES.len());
        for n in 0..random.range(0, 5) {
            let variable = VARIABLES[(first + n * 7) % VARIABLES.len()];
            let value = match random.below(5) {
                0 => format!(r#""value":"{}.{team}.svc.cluster.local:5432""#, random.pick(PARTS)),
                1 => format!(r#""value":"{}""#, random.below(100_000)),
                2 => format!(r#""value":"https://{}.example.com/{}""#, team, random.hex(12)),
                3 => format!(
                    r#""valueFrom":{{"secretKeyRef":{{"name":"{deployment}-secrets","key":"{}"}}}}"#,
                    variable.to_lowercase()
                ),
                _ => r#""value":"info""#.to_owned(),
            };
            env.push_str(&fill(
                r#",{"name":"<variable>",<value>}"#,
                &[("variable", variable), ("value", &value)],
            ));
            managed_env += &fill(
                r#","k:{\"name\":\"<variable>\"}":{".":{},"f:name":{},"f:value":{}}"#,
                &[("variable", variable)],
            );
        }
        let command =
            if random.chance(50) { fill(COMMAND, &[("name", name)]) } else { String::new() };
        let json = fill(
            CONTAINER,
            &[
                ("name", name),
                ("image", &image),
                ("command", &command),
                ("port", &(8080 + random.below(20)).to_string()),
                ("env", &env),
                ("memory", &(256 * random.range(1, 8)).to_string()),
            ],
        );
        let managed = fill(MANAGED_CONTAINER, &[("name", name), ("env", &managed_env)]);
        Self { name, repository, image, digest: random.hex(64), json, managed }
    }

    fn status(&self, random: &mut Random, started: &str) -> String {
        fill(
            CONTAINER_STATUS,
            &[
                ("name", self.name),
                ("started", started),
                ("restarts", &random.below(3).to_string()),
                ("image", &self.image),
                ("repository", &self.repository),
                ("digest", &self.digest),
                ("id", &random.hex(64)),
            ],
        )
    }
}
