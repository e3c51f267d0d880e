//! `leader_gated`: replicas take over in turn, and the table is complete at the end.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::{Running, example, output, text};
use crate::apiserver::{self, ADMIN};

#[tokio::test]
async fn each_leader_takes_over_what_the_one_before_left() {
    let ended = output(example("leader_gated")).await;
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!((ended.status.code(), stderr), (Some(0), ""));
    let mut lines = stdout.lines();
    let mut leader = "nobody";
    let mut terms = Vec::new();
    let mut missed = 0;
    let mut written = 0;
    let last = lines.next_back();
    for line in lines {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            [name, "leads,", "term", term, _, "there,", count, "not", "yet", "written"] => {
                leader = name;
                terms.push((name, term.trim_end_matches(':').parse::<u32>().expect("a number")));
                missed = count.parse::<u32>().expect("a number");
            }
            [name, "writes", _] => {
                assert_eq!(name, leader, "{stdout}");
                written += 1;
            }
            ["a", "gives", "up"] | ["b", "was", "killed"] => leader = "nobody",
            _ => panic!("{line}"),
        }
    }
    let holders: Vec<_> = terms.iter().map(|(name, _)| *name).collect();
    assert_eq!(holders, ["a", "b", "c"], "{stdout}");
    assert!(terms.is_sorted_by(|one, next| one.1 < next.1), "{stdout}");
    // Writes happened while the Lease of the dead replica expired.
    assert!(missed > 0, "{stdout}");
    assert!(written > 5, "{stdout}");
    assert_eq!(last, Some("All 5 are in the table, each in the version that it has"));
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_take_over_on_a_real_server() {
    let Some(cluster) = apiserver::server().await else { return };
    let api = Api::<ConfigMap>::default_namespaced(cluster.client().await);
    let write = async |number: &str| {
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "leader-gated" },
            "data": { "number": number },
        });
        let params = PatchParams::apply("leader-gated-test");
        api.patch("leader-gated", &params, &Patch::Apply(&config)).await.expect("written");
    };
    write("1").await;
    let mut command = example("leader_gated");
    command.arg("--cluster").env("KUBECONFIG", cluster.kubeconfig(ADMIN));
    let mut running = Running::start(command);

    let mut leaders = Vec::new();
    let last = loop {
        let line = running.line().await;
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            // Nobody leads now.
            ["b", "was", "killed"] => write("2").await,
            [name, "leads,", .., missed, "not", "yet", "written"] => {
                leaders.push((name.to_owned(), missed.to_owned()));
                if name == "c" {
                    running.interrupt().await;
                }
            }
            ["All", ..] => break line,
            _ => {}
        }
    };
    let expected = [("a", "1"), ("b", "0"), ("c", "1")];
    assert_eq!(leaders, expected.map(|(name, missed)| (name.to_owned(), missed.to_owned())));
    assert_eq!(last, "All 1 are in the table, each in the version that it has");
    let (code, logged) = running.end().await;
    assert_eq!(code, 0, "{logged}");
    // A busy server may drop a connection, which does not affect the assertions above.
    let is_interruption = |line: &str| {
        line.contains("connection to the API server") || line.contains("no answer for")
    };
    assert!(logged.lines().all(is_interruption), "{logged}");
    api.delete("leader-gated", &DeleteParams::default()).await.expect("deleted");
}
