//! The connection of a replica to the API server: slow, broken or silent as the test requests, with a
//! separate wall clock.

use std::{
    io,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use kube_weir::testing::ApiServer;
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tower::{BoxError, Service};

use crate::random::Random;

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// Treatment of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weather {
    /// Answered within 50 ms.
    Fair,
    /// Each direction takes up to 8 seconds: writes may be applied long after their timeout.
    Slow,
    /// Applied at once, but the answer takes up to 8 seconds.
    Late,
    /// No connection.
    Refused,
    /// Nothing passes before this is over, including open watches.
    Silent,
    /// Writes are applied and not answered; half of the time the client gets a connection error.
    Deaf,
    /// Answered with this HTTP status.
    Status(u16),
    /// Any of the above, chosen for each request.
    Changing,
}

/// The connection of a replica to the server. Clones share it.
#[derive(Clone)]
pub(crate) struct Link {
    server: ApiServer,
    weather: Arc<watch::Sender<Weather>>,
    random: Arc<Mutex<Random>>,
    /// Offset of the replica's wall clock.
    skew: SignedDuration,
    writes: Arc<Mutex<Vec<Write>>>,
    /// True to refuse watches, like a role without the verb.
    blind: bool,
}

/// A request that writes.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) sent: Instant,
    pub(crate) method: Method,
    pub(crate) lease: Value,
    pub(crate) status: Option<u16>,
}

impl Link {
    pub(crate) fn new(server: &ApiServer, seed: u64, skew: SignedDuration) -> Self {
        Self {
            server: server.clone(),
            weather: Arc::new(watch::Sender::new(Weather::Fair)),
            random: Arc::new(Mutex::new(Random::new(seed))),
            skew,
            writes: Arc::default(),
            blind: false,
        }
    }

    pub(crate) fn blind(self, blind: bool) -> Self {
        Self { blind, ..self }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Returns the writes so far.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.writes.lock().unwrap().clone()
    }

    fn up_to(&self, longest: Duration) -> Duration {
        self.random.lock().unwrap().up_to(longest)
    }

    /// Returns the treatment of a request.
    fn weather(&self) -> Weather {
        let weather = *self.weather.borrow();
        if weather != Weather::Changing {
            return weather;
        }
        let all = [
            Weather::Fair,
            Weather::Fair,
            Weather::Slow,
            Weather::Late,
            Weather::Refused,
            Weather::Silent,
            Weather::Deaf,
            Weather::Status(409),
            Weather::Status(500),
            Weather::Status(429),
        ];
        *self.random.lock().unwrap().pick(&all)
    }

    /// Returns the end of the silence.
    async fn heard(&self) {
        let mut weather = self.weather.subscribe();
        let _ = weather.wait_for(|weather| *weather != Weather::Silent).await;
    }

    async fn exchange(self, request: Request<Body>) -> Result<Answer, BoxError> {
        let weather = self.weather();
        let sent = Instant::now();
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let write = head.method != Method::GET;
        let note = write.then(|| {
            let mut writes = self.writes.lock().unwrap();
            let lease = serde_json::from_slice(&body).unwrap_or_default();
            writes.push(Write { sent, method: head.method.clone(), lease, status: None });
            writes.len() - 1
        });
        let watching = head.uri.query().is_some_and(|query| query.contains("watch="));
        if self.blind && watching {
            return Ok(status(403));
        }
        let (quick, slow) = (Duration::from_millis(50), Duration::from_secs(8));
        let (there, back) = match weather {
            Weather::Slow => (slow, slow),
            Weather::Late => (quick, slow),
            _ => (quick, quick),
        };
        match weather {
            Weather::Refused => {
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
            }
            Weather::Status(code) => return Ok(status(code)),
            Weather::Silent => self.heard().await,
            _ => {}
        }
        sleep(self.up_to(there)).await;
        let body = Full::new(Bytes::from(shifted(&body, self.skew)));
        let answer = self.server.clone().call(Request::from_parts(head, body)).await?;
        if let Some(note) = note {
            self.writes.lock().unwrap()[note].status = Some(answer.status().as_u16());
        }
        sleep(self.up_to(back)).await;
        if weather == Weather::Deaf && write {
            if self.up_to(Duration::from_secs(1)) > Duration::from_millis(500) {
                std::future::pending::<()>().await;
            }
            return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
        }
        let (head, body) = answer.into_parts();
        let frames = stream::unfold(body, |mut body| async { Some((body.frame().await?, body)) });
        let link = self.clone();
        let frames = frames.then(move |frame| {
            let link = link.clone();
            async move {
                link.heard().await;
                let frame = frame.map_err(BoxError::from)?;
                Ok(frame.map_data(|data| Bytes::from(shifted(&data, -link.skew))))
            }
        });
        Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
    }
}

impl Service<Request<Body>> for Link {
    type Response = Answer;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Answer, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // Run this as a task: a sent request is applied even if nobody waits for the answer.
        let done = tokio::spawn(self.clone().exchange(request));
        async { done.await? }.boxed()
    }
}

/// Returns the text with the times of Leases shifted: between the replica's wall clock and the server's.
fn shifted(text: &[u8], skew: SignedDuration) -> Vec<u8> {
    let mut text = str::from_utf8(text).expect("JSON").to_owned();
    for name in ["acquireTime", "renewTime"] {
        let key = format!("\"{name}\":\"");
        let mut from = 0;
        while let Some(at) = text[from..].find(&key) {
            let start = from + at + key.len();
            let end = start + text[start..].find('"').expect("JSON");
            let time: Timestamp = text[start..end].parse().expect("a time");
            let time = time.checked_add(skew).expect("a time");
            text.replace_range(start..end, &format!("{time:.6}"));
            from = start;
        }
    }
    text.into_bytes()
}

fn status(code: u16) -> Answer {
    let text = format!(
        r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","code":{code}}}"#
    );
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(code).body(body).expect("an answer")
}
