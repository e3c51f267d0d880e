//! `snapshot_readers`: reads continue while batches arrive, and the first snapshot stays unchanged.

use super::{example, output, text};

#[tokio::test]
async fn readers_read_while_the_writer_writes() {
    let ended = output(example("snapshot_readers")).await;
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!((ended.status.code(), stderr), (Some(0), ""));
    let mut lines = stdout.lines();
    assert_eq!(lines.next(), Some("Synced: 60 Pods on 3 nodes"));
    assert_eq!(lines.next_back(), Some("Now: 58 Pods; the first snapshot still has 60"));

    let number = |word: &str| word[1..].parse::<u32>().expect("a number");
    let mut batches = Vec::new();
    let mut nodes = std::collections::BTreeMap::new();
    for line in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            [created, modified, deleted, "after", reads, "reads"] => {
                let reads = reads.parse::<u32>().expect("a number");
                batches.push((number(created), number(modified), number(deleted), reads));
            }
            [node, "has", count, "Pods"] => {
                nodes.insert(node, count);
            }
            _ => panic!("{line}"),
        }
    }
    assert!(batches.len() > 2, "{stdout}");
    assert_eq!(batches.iter().map(|batch| batch.0).sum::<u32>(), 20, "{stdout}");
    assert_eq!(batches.iter().map(|batch| batch.2).sum::<u32>(), 22, "{stdout}");
    assert!(batches.iter().all(|batch| batch.3 > 0), "{stdout}");
    assert_eq!(nodes, [("node-0", "0"), ("node-1", "29"), ("node-2", "29")].into());
}
