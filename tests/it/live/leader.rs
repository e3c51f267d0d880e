//! Processes that compete for a Lease, in Rust and in Go.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::apiserver::{ADMIN, Shared, server};
use crate::examples::example;
use crate::programs::built_in_go;

/// The shortest timing in client-go's proportions that works on a busy machine.
const LEASE: Duration = Duration::from_secs(6);
const RETRY: Duration = Duration::from_millis(800);
/// Additional time for processes and requests, beyond the protocol.
const BUSY: Duration = Duration::from_secs(4);

/// A competing process; killed when dropped.
struct Replica {
    identity: String,
    child: Child,
}

/// A line that a replica printed.
struct Said {
    who: String,
    line: String,
    at: Instant,
}

struct Replicas {
    cluster: Shared,
    namespace: String,
    said: mpsc::UnboundedReceiver<Said>,
    /// The last line of each replica. A follower may print the leader before the leader does.
    last: HashMap<String, String>,
    listen: mpsc::UnboundedSender<Said>,
    running: Vec<Replica>,
    started: usize,
}

impl Replicas {
    async fn new(cluster: Shared) -> Self {
        let namespace = cluster.namespace("leader").await;
        let (listen, said) = mpsc::unbounded_channel();
        let (last, running) = (HashMap::new(), Vec::new());
        Self { cluster, namespace, said, last, listen, running, started: 0 }
    }

    /// Starts the example as a user would.
    fn rust(&mut self) {
        let lease = format!("{}/lease", self.namespace);
        let identity = self.identity("rust");
        let mut command = example("leader");
        command.env("KUBECONFIG", self.cluster.kubeconfig(ADMIN));
        command.arg(lease).arg(&identity).arg(LEASE.as_secs().to_string());
        self.start(identity, command);
    }

    fn go(&mut self, program: &Path) {
        let identity = self.identity("go");
        let mut command = Command::new(program);
        command.arg("-kubeconfig").arg(self.cluster.kubeconfig(ADMIN));
        command.args(["-namespace", &self.namespace, "-lease", "lease", "-identity", &identity]);
        command.arg("-duration").arg(format!("{}s", LEASE.as_secs()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.kill_on_drop(true);
        self.start(identity, command);
    }

    fn identity(&mut self, language: &str) -> String {
        self.started += 1;
        format!("{language}-{}", self.started)
    }

    fn start(&mut self, identity: String, mut command: Command) {
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let (listen, who) = (self.listen.clone(), identity.clone());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = listen.send(Said { who: who.clone(), line, at: Instant::now() });
            }
        });
        self.running.push(Replica { identity, child });
    }

    /// Waits until a replica prints that it leads.
    async fn leader(&mut self) -> Said {
        self.until("a leader", |said| said.line.starts_with("leading")).await
    }

    /// Waits until all replicas know the leader.
    async fn all_follow(&mut self, leader: &str) {
        let expected = format!("following {leader}");
        let followers = self.running.iter().map(|replica| replica.identity.clone());
        let followers: Vec<_> = followers.filter(|who| who != leader).collect();
        while followers.iter().any(|who| self.last.get(who) != Some(&expected)) {
            self.until(&expected, |_| true).await;
        }
    }

    async fn until(&mut self, what: &str, found: impl Fn(&Said) -> bool) -> Said {
        let search = async {
            loop {
                let said = self.said.recv().await.expect("this end is kept");
                self.last.insert(said.who.clone(), said.line.clone());
                if found(&said) {
                    return said;
                }
            }
        };
        soon(what, search).await
    }

    /// Sends a signal, and waits for the end.
    async fn signal(&mut self, identity: &str, signal: &str) -> Instant {
        let at = self.running.iter().position(|replica| replica.identity == identity).unwrap();
        let mut replica = self.running.remove(at);
        let pid = replica.child.id().expect("it runs").to_string();
        let sent = Instant::now();
        let status = Command::new("kill").args([signal, &pid]).status().await.expect("kill");
        assert!(status.success());
        soon("its end", replica.child.wait()).await.unwrap();
        sent
    }

    async fn lease(&self) -> Lease {
        let api: Api<Lease> = Api::namespaced(self.cluster.client().await, &self.namespace);
        soon("the Lease", api.get("lease")).await.unwrap()
    }

    /// The leader gives the Lease back, and the next one leads within a retry period.
    async fn released(&mut self, leader: &str, within: Duration) -> Said {
        let sent = self.signal(leader, "-TERM").await;
        let next = self.leader().await;
        let waited = next.at - sent;
        say(&format!("{leader} gave the Lease back: {} leads after {waited:?}", next.who));
        assert!(waited <= within + BUSY, "{waited:?}");
        next
    }

    /// The leader is killed: the next one leads when the Lease has expired, and not before.
    async fn killed(&mut self, leader: &str, retry: Duration) -> Said {
        let sent = self.signal(leader, "-KILL").await;
        let next = self.leader().await;
        let waited = next.at - sent;
        say(&format!("{leader} was killed: {} leads after {waited:?}", next.who));
        // The last renewal was up to a retry period ago, on a busy machine slightly more.
        assert!(waited + RETRY * 2 >= LEASE, "{waited:?}");
        assert!(waited <= LEASE + retry + BUSY, "{waited:?}");
        next
    }
}

/// SEMANTICS: L2, L5
#[tokio::test(flavor = "multi_thread")]
async fn three_processes_replace_each_other() {
    let Some(cluster) = server().await else { return };
    let mut replicas = Replicas::new(cluster).await;
    for _ in 0..3 {
        replicas.rust();
    }
    let mut leader = replicas.leader().await;
    replicas.all_follow(&leader.who).await;
    let mut term = 0;
    for round in 0..20 {
        let next = if round % 2 == 0 {
            replicas.released(&leader.who, RETRY).await
        } else {
            replicas.killed(&leader.who, RETRY * 12 / 10).await
        };
        term += 1;
        assert_eq!(next.line, format!("leading {term}"));
        let spec = replicas.lease().await.spec.unwrap();
        assert_eq!(spec.holder_identity.as_deref(), Some(&*next.who));
        assert_eq!(spec.lease_transitions, Some(term));
        leader = next;
        replicas.rust();
        replicas.all_follow(&leader.who).await;
    }
}

/// SEMANTICS: L2, L5
#[tokio::test(flavor = "multi_thread")]
async fn rust_and_go_compete_for_one_lease() {
    let Some(cluster) = server().await else { return };
    let Some(go) = built_in_go("candidate", Path::new(".")).await else { return };
    let mut replicas = Replicas::new(cluster).await;
    // client-go waits up to 1 + 1.2 retry periods between two reads.
    let retry_of_go = RETRY * 22 / 10;
    replicas.rust();
    let mut leader = replicas.leader().await;
    for round in 0..4 {
        replicas.go(&go);
        replicas.all_follow(&leader.who).await;
        leader = match round % 2 {
            0 => replicas.released(&leader.who, retry_of_go).await,
            _ => replicas.killed(&leader.who, retry_of_go).await,
        };
        assert!(leader.who.starts_with("go-"), "{}", leader.who);
        replicas.rust();
        replicas.all_follow(&leader.who).await;
        leader = match round % 2 {
            0 => replicas.released(&leader.who, RETRY).await,
            _ => replicas.killed(&leader.who, RETRY).await,
        };
        assert!(leader.who.starts_with("rust-"), "{}", leader.who);
        let transitions = replicas.lease().await.spec.unwrap().lease_transitions;
        assert_eq!(transitions, Some(2 * (round + 1)));
        assert_eq!(leader.line, format!("leading {}", 2 * (round + 1)));
    }
}
