//! Requests to the HTTP gateway of etcd.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::Error;

const ANSWER: Duration = Duration::from_secs(10);

/// Returns whether etcd has a leader and can write.
pub(super) async fn is_healthy(port: u16) -> bool {
    let answer = request(port, "GET", "/health", "").await;
    answer.is_ok_and(|answer| answer["health"] == "true")
}

/// Compacts at the current revision, and returns the revision.
pub(super) async fn compact(port: u16) -> Result<u64, Error> {
    let ask = async |path, body: Value| request(port, "POST", path, &body.to_string()).await;
    // The header of any answer has the revision; the key is a zero byte. Numbers of 64 bits
    // are strings in this JSON.
    let range = ask("/v3/kv/range", json!({ "key": "AA==" })).await?;
    let revision = range["header"]["revision"].as_str().and_then(|text| text.parse().ok());
    let revision: u64 = revision.ok_or_else(|| Error::other("etcd sent no revision"))?;
    let compaction = json!({ "revision": revision, "physical": true });
    ask("/v3/kv/compaction", compaction).await?;
    Ok(revision)
}

/// Sends a request as plain text. HTTP/1.0 has neither chunks nor persistent connections.
async fn request(port: u16, method: &str, path: &str, body: &str) -> Result<Value, Error> {
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
    let answer = answer
        .map_err(|_| Error::timeout(format!("etcd did not answer {path} in {ANSWER:?}")))?
        .map_err(Error::io(format!("etcd did not answer {path}")))?;
    let unexpected = || Error::other(format!("etcd answered {path} by {answer:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(unexpected)?;
    if head.split_whitespace().nth(1) != Some("200") {
        return Err(unexpected());
    }
    serde_json::from_str(body).map_err(|cause| unexpected().caused_by(cause))
}
