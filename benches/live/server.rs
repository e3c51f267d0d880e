//! An API server on the loopback that answers with bytes made beforehand.

use std::{
    collections::HashMap,
    fmt::Write,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
};

use super::support::{
    canned::{is_watch, page, parameter},
    corpus::{CHANGED, Corpus, Line},
};

/// Bytes per write.
const WRITE: usize = 256 << 10;

/// Server of one collection and its objects, whole or as metadata only, in its own thread.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Bytes of the body of a watch.
    pub(crate) bytes_of_watch: usize,
    _runtime: Runtime,
}

type Pages = Arc<Vec<Bytes>>;

struct Shared {
    corpus: Corpus,
    /// Positions of the objects, by name.
    names: HashMap<String, usize>,
    /// Pages, by page size, and by whether they are metadata only.
    pages: Mutex<HashMap<(usize, bool), Pages>>,
    /// Watch lines of the objects. Clients run one after the other.
    lines: tokio::sync::Mutex<Vec<Line>>,
    /// Number of changes in a watch.
    events: usize,
    /// True if watches may send changes.
    open: watch::Sender<bool>,
}

impl Server {
    pub(crate) fn start(corpus: Corpus, events: usize) -> io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let open = watch::Sender::new(false);
        let count = corpus.items.len().min(events);
        let lines: Vec<_> = (0..count).map(|n| corpus.line(n).chunk()).collect();
        let bytes = lines.iter().map(Line::len).zip((0..count).rev());
        let bytes_of_watch = bytes.map(|(line, rest)| line * ((events + rest) / count)).sum();
        let (lines, pages) = (tokio::sync::Mutex::new(lines), Mutex::default());
        let names = corpus.items.iter().enumerate().map(|(at, item)| (name(item).to_owned(), at));
        let names = names.collect();
        let shared = Arc::new(Shared { corpus, names, pages, lines, events, open });
        // Prepare the default request of all clients, so that none waits for it.
        shared.pages(500, false);
        runtime.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, bytes_of_watch, _runtime: runtime })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Holds back the changes of watches, or sends them at full rate.
    pub(crate) fn open(&self, open: bool) {
        self.shared.open.send_replace(open);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((connection, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A client that is done closes the connection at any time.
            let _ = shared.serve(connection).await;
        });
    }
}

impl Shared {
    fn pages(&self, size: usize, metadata: bool) -> Pages {
        let mut pages = self.pages.lock().expect("no panic");
        let make =
            || if metadata { self.corpus.metadata_pages(size) } else { self.corpus.pages(size) };
        Arc::clone(pages.entry((size, metadata)).or_insert_with(|| Arc::new(make())))
    }

    /// Returns an object as the answer to a get.
    fn object(&self, path: &str) -> Option<String> {
        let (_, name) = path.rsplit_once('/')?;
        let item = &self.corpus.items[*self.names.get(name)?];
        let (kind, api_version) = (self.corpus.kind.kind(), self.corpus.kind.api_version());
        Some(format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}",{}"#, &item[1..]))
    }

    async fn serve(&self, mut connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut received = Vec::new();
        loop {
            // A GET has no body, only a head.
            let end = loop {
                if let Some(at) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                    break at + 4;
                }
                if connection.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
            };
            let head = String::from_utf8_lossy(&received[..end]).into_owned();
            received.drain(..end);
            let target = head.split(' ').nth(1).unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let metadata = head.contains("as=PartialObjectMetadata");
            if path != self.corpus.kind.url()
                && let Some(object) = self.object(path)
            {
                respond(&mut connection, "200 OK", object.as_bytes()).await?;
            } else if path != self.corpus.kind.url() {
                respond(&mut connection, "404 Not Found", &status(404, "NotFound")).await?;
            } else if parameter(query, "sendInitialEvents").is_some() {
                // Not every client can stream a list, so all of them get pages.
                let answer = status(422, "Invalid");
                respond(&mut connection, "422 Unprocessable Entity", &answer).await?;
            } else if is_watch(query) {
                return self.watch(connection).await;
            } else {
                let limit = parameter(query, "limit").and_then(|limit| limit.parse().ok());
                let pages = self
                    .pages(limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX >> 1), metadata);
                respond(&mut connection, "200 OK", &pages[page(query)]).await?;
            }
        }
    }

    async fn watch(&self, mut connection: TcpStream) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        connection.write_all(head.as_bytes()).await?;
        let mut lines = self.lines.lock().await;
        let count = lines.len();
        // The sender lives as long as the server.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        let mut buffer = Vec::with_capacity(WRITE * 2);
        for event in 0..self.events {
            buffer.extend_from_slice(lines[event % count].at(CHANGED + event));
            if buffer.len() >= WRITE || event + 1 == self.events {
                connection.write_all(&buffer).await?;
                buffer.clear();
            }
        }
        drop(lines);
        // Keep the idle connection open until the client closes it.
        connection.read_buf(&mut buffer).await.map(drop)
    }
}

async fn respond(connection: &mut TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n");
    let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body).await
}

fn name(item: &str) -> &str {
    const FIELD: &str = r#""name":""#;
    let start = item.find(FIELD).expect("each object has a name") + FIELD.len();
    item[start..].split('"').next().expect("a name")
}

fn status(code: u16, reason: &str) -> Vec<u8> {
    let text = format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"not served here","reason":"{reason}","code":{code}}}"#
    );
    text.into_bytes()
}
