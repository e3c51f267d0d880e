//! `leader_gated`: one replica after the other, and all is written in the end.

use super::{example, output, text};

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
    // While the Lease of the dead one ran out there were writes.
    assert!(missed > 0, "{stdout}");
    assert!(written > 5, "{stdout}");
    assert_eq!(last, Some("All 5 are in the table, each in the version that it has"));
}
