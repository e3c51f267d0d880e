//! The little of etcd's HTTP gateway that the tests need.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ANSWER: Duration = Duration::from_secs(10);

/// Whether etcd has a leader and can write.
pub(super) async fn is_healthy(port: u16) -> bool {
    let answer = request(port, "GET", "/health", "").await;
    answer.is_ok_and(|answer| answer["health"] == "true")
}

/// Compacts at the current revision, which is returned.
pub(super) async fn compact(port: u16) -> u64 {
    let ask = async |path, body: Value| {
        let answer = request(port, "POST", path, &body.to_string()).await;
        answer.unwrap_or_else(|why| panic!("etcd {path}: {why}"))
    };
    // Any key will do (this is a zero byte): the header carries the revision. Numbers of 64 bits
    // are strings in this JSON.
    let range = ask("/v3/kv/range", json!({ "key": "AA==" })).await;
    let revision = range["header"]["revision"].as_str().expect("a revision");
    let revision: u64 = revision.parse().expect("a number");
    let compaction = json!({ "revision": revision, "physical": true });
    ask("/v3/kv/compaction", compaction).await;
    revision
}

/// One request by hand. HTTP/1.0 has neither chunks nor connections that stay open.
async fn request(port: u16, method: &str, path: &str, body: &str) -> Result<Value, String> {
    let exchange = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(ANSWER, exchange).await;
    let answer = answer.map_err(|_| format!("no answer in {ANSWER:?}"))?;
    let answer = answer.map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer cut off")?;
    let status = head.split_whitespace().nth(1);
    if status != Some("200") {
        return Err(answer);
    }
    serde_json::from_str(body).map_err(|error| format!("{error}: {answer}"))
}
