//! A single HTTP request, for peers other than API servers.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Sends a request, and returns the status and the body of the answer.
pub(crate) async fn request(
    to: SocketAddr,
    host: &str,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(to).await?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    // With a content length the connection may stay open, whatever was requested.
    let mut answer = BufReader::new(stream);
    let (mut status, mut length, mut line) = (0, u64::MAX, String::new());
    while answer.read_line(&mut line).await? > 2 {
        let (name, value) = line.trim_end().split_once([' ', ':']).unwrap_or_default();
        if name.eq_ignore_ascii_case("HTTP/1.1") {
            status = value.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
        } else if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(length);
        }
        line.clear();
    }
    let mut body = String::new();
    answer.take(length).read_to_string(&mut body).await?;
    Ok((status, body))
}
