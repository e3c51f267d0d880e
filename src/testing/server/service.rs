//! The HTTP service of the server.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, future::BoxFuture};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, RETRY_AFTER, VARY},
    request::Parts,
};
use http_body_util::BodyExt;
use kube::core::Status;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tower::{BoxError, Service};

use crate::testing::server::{
    api_server::ApiServer,
    body::Body,
    damage::{self, Piece},
    discovery,
    fault::Fault,
    gzip::{self, Members},
    history::Key,
    list::{self, Page},
    query::Query,
    rights::{forbidden, forbidden_path},
    router::{self, Route, Target},
    shared::{Shared, State},
    status::{self, Outcome},
    verb::Verb,
    view::View,
    watch::{self, Watch},
    write::{Write, Written},
};

/// Time for which a list waits for a future version.
const PATIENCE: Duration = Duration::from_secs(3);

impl<B> Service<Request<B>> for ApiServer
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(serve(self.shared(), request))
    }
}

/// A request to answer.
struct Call<'a> {
    shared: &'a Arc<Shared>,
    query: &'a Query,
    headers: &'a HeaderMap,
    body: &'a [u8],
    /// The damage to the body of the answer.
    fault: Option<Fault>,
    /// True if lists and watches are encoded.
    gzip: bool,
}

async fn serve<B>(shared: Arc<Shared>, request: Request<B>) -> Result<Response<Body>, BoxError>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let (route, verb, fault) = receive(&mut shared.lock(), &parts, &query);
    match &fault {
        Some(Fault::Refused) => {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
        }
        Some(Fault::Status { code, retry_after }) => {
            return Ok(refusal(&status::scripted(*code, *retry_after)));
        }
        Some(Fault::Answer(answer)) => return Ok(answer.clone().respond().await),
        Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    let lost = fault == Some(Fault::Lost);
    let late = match &fault {
        Some(Fault::LateHead(late)) => Some(*late),
        _ => None,
    };
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    let gzip = shared.lock().gzip && gzip::is_accepted(&parts.headers);
    let headers = &parts.headers;
    let call = Call { shared: &shared, query: &query, headers, body: &body, fault, gzip };
    let answer = call.carry_out(parts.uri.path(), &route, verb).await;
    if let Some(late) = late {
        tokio::time::sleep(late).await;
    }
    if lost {
        return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
    }
    Ok(answer.unwrap_or_else(|status| refusal(&status)))
}

/// Logs a request and takes the fault that is due for it.
fn receive(
    state: &mut State,
    parts: &Parts,
    query: &Query,
) -> (Route, Option<Verb>, Option<Fault>) {
    let asked = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let asked = asked.strip_suffix('?').unwrap_or(asked).replace("?&", "?");
    state.log(format!("{} {asked}", parts.method));
    let route = router::route(&state.store.registry, parts.uri.path());
    let verb = match &route {
        Route::Target(target) => target.verb(&parts.method, query.is_set("watch")),
        _ => Some(Verb::Discovery),
    };
    let fault = verb.and_then(|verb| state.script.take(&route.request_info(verb, query)));
    (route, verb, fault)
}

impl Call<'_> {
    async fn carry_out(
        self,
        path: &str,
        route: &Route,
        verb: Option<Verb>,
    ) -> Outcome<Response<Body>> {
        let verb = verb.ok_or_else(status::method_not_allowed)?;
        let permitted = self.shared.lock().rights.permit(&route.request_info(verb, self.query));
        match route {
            Route::Target(target) if permitted => self.answer(target, verb).await,
            Route::Target(target) => Err(forbidden(target, verb)),
            _ if !permitted => Err(forbidden_path(path)),
            route => Ok(self.describe(route)),
        }
    }

    async fn answer(self, target: &Target, verb: Verb) -> Outcome<Response<Body>> {
        let view = self.view(target, verb)?;
        match verb {
            Verb::Get => self.get(target, &view),
            Verb::List => self.list(target, view).await,
            Verb::Watch => self.watch(target, view).await,
            _ => self.write(target, verb, view),
        }
    }

    /// Returns the client's view of objects; an error if the resource lacks the verb.
    fn view(&self, target: &Target, verb: Verb) -> Outcome<View> {
        let resource = &target.resource;
        let state = self.shared.lock();
        let registry = &state.store.registry;
        if !target.status && !registry.verbs(resource).any(|own| own == verb) {
            return Err(match verb {
                Verb::List | Verb::Watch => status::not_supported(resource, verb),
                _ => status::method_not_allowed(),
            });
        }
        let mut view = View::new(resource, self.header(&ACCEPT))?;
        if !registry.is_versioned(resource) {
            view = view.without_versions();
        }
        if let Some(Fault::Garble { name }) = &self.fault {
            view = view.garbling(name);
        }
        Ok(view)
    }

    fn get(self, target: &Target, view: &View) -> Outcome<Response<Body>> {
        let state = self.shared.lock();
        let key = Key {
            namespace: target.namespace.clone().unwrap_or_default(),
            name: target.name.clone().unwrap_or_default(),
        };
        let object = match self.fault {
            Some(Fault::Rewind { changes }) => {
                let before = state.store.revision().saturating_sub(changes);
                let mut then = state.store.objects_at(&target.resource, before, None);
                let found = then.find(|(own, _)| **own == key).map(|(_, object)| object.clone());
                found.ok_or_else(|| status::not_found(&target.resource, &key.name))?
            }
            _ => state.store.get(&target.resource, &key)?,
        };
        Ok(json(StatusCode::OK, Body::full(view.body(&object))))
    }

    async fn list(self, target: &Target, view: View) -> Outcome<Response<Body>> {
        let selection = list::selection(self.query, target.namespace.as_deref())?;
        if !view.is_versioned() {
            let page = Page::unversioned(&self.shared.lock().store, &target.resource, &selection);
            return Ok(self.page(page, view));
        }
        self.wait_for(list::awaited(self.query)?).await;
        let page = Page::take(&self.shared.lock().store, &target.resource, &selection, self.query)?;
        Ok(self.page(page, view))
    }

    async fn watch(self, target: &Target, view: View) -> Outcome<Response<Body>> {
        let selection = list::selection(self.query, target.namespace.as_deref())?;
        let awaited = watch::awaited(&self.shared.lock(), self.query)?;
        self.wait_for(awaited).await;
        let mut watch =
            Watch::open(self.shared, target.resource.clone(), selection, self.query, view)?;
        if let Some(Fault::Rewind { changes }) = self.fault {
            watch.rewind(self.shared, changes);
        }
        let pieces = watch.pieces(self.shared.clone());
        Ok(self.stream(pieces, Members::Each))
    }

    /// Waits until the server has reached a version, but at most [`PATIENCE`].
    async fn wait_for(&self, version: u64) {
        let deadline = Instant::now() + PATIENCE;
        let mut wake = self.shared.subscribe();
        loop {
            wake.borrow_and_update();
            // The lock must not be held across the wait.
            let reached = self.shared.lock().store.revision() >= version;
            if reached || timeout_at(deadline, wake.changed()).await.is_err() {
                return;
            }
        }
    }

    fn write(self, target: &Target, verb: Verb, view: View) -> Outcome<Response<Body>> {
        let answer = Write {
            verb,
            target,
            query: self.query,
            view: &view,
            content_type: self.header(&CONTENT_TYPE).unwrap_or_default(),
            body: self.body,
        }
        .perform(&mut self.shared.lock().store);
        self.shared.wake();
        match answer? {
            Written::Page(page) => Ok(self.page(page, view)),
            Written::Body(code, bytes) => {
                let code = StatusCode::from_u16(code).unwrap_or(StatusCode::OK);
                Ok(json(code, Body::full(bytes)))
            }
        }
    }

    fn page(mut self, page: Page, view: View) -> Response<Body> {
        self.fault = self.fault.filter(Fault::meets_lists);
        self.stream(page.pieces(view), Members::One)
    }

    fn stream(
        self,
        pieces: impl Stream<Item = Piece> + Send + 'static,
        members: Members,
    ) -> Response<Body> {
        let members = self.gzip.then_some(members);
        let mut response = json(StatusCode::OK, damage::body(pieces, self.fault.as_ref(), members));
        if members.is_some() {
            let headers = response.headers_mut();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        response
    }

    /// Answers requests to all paths except resources.
    fn describe(&self, route: &Route) -> Response<Body> {
        let state = self.shared.lock();
        let registry = &state.store.registry;
        let is_aggregated = self.header(&ACCEPT).is_some_and(|accept| {
            accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2")
        });
        let found = match route {
            Route::Health => return text(StatusCode::OK, "ok"),
            Route::Version => Some(discovery::version()),
            Route::Core if is_aggregated => Some(discovery::aggregated(registry, true)),
            Route::Core => Some(discovery::core()),
            Route::Groups if is_aggregated => Some(discovery::aggregated(registry, false)),
            Route::Groups => Some(discovery::groups(registry)),
            Route::Group(group) => discovery::group(registry, group),
            Route::Resources { group, version } => discovery::resources(registry, group, version),
            Route::Target(_) | Route::Nowhere => None,
        };
        match found {
            Some(value) => value_response(StatusCode::OK, &value),
            None => text(StatusCode::NOT_FOUND, "404 page not found\n"),
        }
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn refusal(status: &Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = value_response(code, &status::to_value(status));
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if seconds > 0 {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn value_response(code: StatusCode, value: &Value) -> Response<Body> {
    json(code, Body::full(value.to_string()))
}

fn json(code: StatusCode, body: Body) -> Response<Body> {
    response(code, "application/json", body)
}

fn text(code: StatusCode, text: &'static str) -> Response<Body> {
    response(code, "text/plain; charset=utf-8", Body::full(text))
}

fn response(code: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
