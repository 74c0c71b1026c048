//! What every request passes on its way in, and every answer on its way out.
//!
//! Owns the order of the checks. Must not know what a route does.

use crate::access::Origin;
use crate::app::App;
use crate::compat;
use crate::extract::wants_socket;
use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX, PREFLIGHT_SECONDS};
use crate::problem::{Code, PROBLEM_JSON, Problem};
use crate::route::Route;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use std::borrow::Cow;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use tower_service::Service as _;

/// What becomes of a request that may come in.
enum Entry {
    /// Its route answers it.
    Come,
    /// A page asks whether it may call.
    Preflight,
}

/// Answers one request that came to `address`. Never fails; a panic behind it is answered too.
pub(crate) async fn answer(
    app: &App,
    router: Router,
    address: IpAddr,
    request: Request<Incoming>,
) -> Response<Body> {
    let route = Route::of(request.uri().path());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match enter(app, route, address, &request) {
        Ok(Entry::Come) => behind(router, request).await,
        Ok(Entry::Preflight) => preflight(),
        Err(problem) => problem.into_response(),
    };
    app.figures.answered(route, response.status());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        share(app, origin, headers);
    }
    response
}

/// The checks that cost least come first; nobody learns anything from an answer who has no token.
fn enter(app: &App, route: Route, address: IpAddr, request: &Request<Incoming>) -> Result<Entry, Problem> {
    let headers = request.headers();
    check_size(headers)?;
    let host = check_host(app, address, request)?;
    let own = check_origin(app, host, headers)?;
    let asks = request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && own == Origin::Allowed;
    if asks {
        return Ok(Entry::Preflight);
    }
    let Some(needed) = route.scope(request.method()) else { return Ok(Entry::Come) };
    let token = token(route, request)?;
    let known = app.keyring.find(&token).ok_or_else(|| {
        Problem::new(Code::TokenUnknown, "this server does not know the token")
            .hint("it may have been removed; the local user's is in the file `token` of the data folder")
    })?;
    app.rate.take(&known.name).map_err(|after| {
        let detail = format!("token `{}` has made too many requests", known.name);
        Problem::new(Code::RateLimited, detail).retry_after(Some(after))
    })?;
    if known.scope < needed {
        let detail = format!("token `{}` allows `{}`, and this needs `{needed}`", known.name, known.scope);
        return Err(Problem::new(Code::ScopeMissing, detail).hint("use a token with that scope"));
    }
    Ok(Entry::Come)
}

fn check_size(headers: &HeaderMap) -> Result<(), Problem> {
    let bytes = || headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    if headers.len() > HEADERS_MAX || bytes() > HEADER_BYTES_MAX {
        let detail = format!("a header may have {HEADERS_MAX} fields and {HEADER_BYTES_MAX} bytes");
        return Err(Problem::new(Code::HeadersTooLarge, detail).hint("send fewer or smaller fields"));
    }
    Ok(())
}

fn check_host<'a>(app: &App, address: IpAddr, request: &'a Request<Incoming>) -> Result<&'a str, Problem> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, second) = (hosts.next().map(HeaderValue::to_str), hosts.next());
    let (Some(Ok(host)), None) = (host, second) else {
        let detail = "a request needs one `Host` field that says which server it is for";
        return Err(Problem::new(Code::BadRequest, detail));
    };
    // A request line may name a server too; it must not name another one.
    let line = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let named = [Some(host), line].into_iter().flatten();
    for name in named {
        if !app.names.is_host(name, address) {
            let detail =
                format!("this server is not called `{}`", name.chars().take(100).collect::<String>());
            let hint = "use 127.0.0.1 or localhost, or list the name under `allowed_hosts` of the server";
            return Err(Problem::new(Code::HostNotAllowed, detail).hint(hint));
        }
    }
    Ok(host)
}

fn check_origin(app: &App, host: &str, headers: &HeaderMap) -> Result<Origin, Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(Origin::Here) };
    let own = origin.to_str().map_or(Origin::Foreign, |origin| app.names.origin(origin, host));
    match own {
        Origin::Here | Origin::Allowed => Ok(own),
        Origin::Foreign => {
            let detail = "the page that sent this is not from this server";
            let hint = "list its origin under `allowed_origins` of the server";
            Err(Problem::new(Code::OriginNotAllowed, detail).hint(hint))
        }
    }
}

/// A script of a page cannot set a field of the header when it asks for a WebSocket; it can name subprotocols, though,
/// of which a token may be one: `hardpoint, bearer.TOKEN`.
fn token<B>(route: Route, request: &Request<B>) -> Result<Cow<'_, str>, Problem> {
    let headers = request.headers();
    if headers.contains_key(header::AUTHORIZATION) {
        return bearer(headers).map(Cow::Borrowed);
    }
    if wants_socket(headers) {
        let named = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
        let mut named = named.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(','));
        if let Some(token) = named.find_map(|name| name.trim().strip_prefix("bearer.")) {
            return Ok(Cow::Borrowed(token));
        }
    }
    compat::key(route, request).map_or_else(|| bearer(headers).map(Cow::Borrowed), Ok)
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        let hint =
            "send `Authorization: Bearer TOKEN`; the local user's is in the file `token` of the data folder";
        Problem::new(Code::TokenMissing, "the request carries no bearer token").hint(hint)
    };
    let value =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}

/// The route's answer. What is not a problem document but should be, becomes one.
async fn behind<B>(mut router: Router, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let answered = AssertUnwindSafe(async { router.call(request).await }).catch_unwind().await;
    let response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::error!("a request ended in a panic: this is a bug");
            let hint = "the host's log says more; please report it";
            return Problem::new(Code::Internal, "the host could not answer").hint(hint).into_response();
        }
    };
    let (code, detail) = match response.status() {
        StatusCode::NOT_FOUND => (Code::UnknownRoute, "nothing is offered at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            (Code::MethodNotAllowed, "the field `Allow` lists those that it knows")
        }
        _ => return response,
    };
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON) {
        return response;
    }
    let mut problem = Problem::new(code, detail).hint("`/docs` shows every route").into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

fn preflight() -> Response<Body> {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    let fields = [
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "authorization, x-api-key, content-type, accept, idempotency-key, last-event-id",
            ),
        ),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_SECONDS)),
    ];
    headers.extend(fields);
    response
}

/// Lets a page of an allowed origin read the answer.
fn share(app: &App, origin: HeaderValue, headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let allowed = origin.to_str().is_ok_and(|origin| app.names.origin(origin, "") == Origin::Allowed);
    if allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("retry-after, allow, location"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    async fn broken() {
        panic!("a bug");
    }

    #[tokio::test]
    async fn what_has_no_answer_of_its_own_is_a_problem_document() {
        let cases =
            [("GET", "/bug", 500, None), ("POST", "/bug", 405, Some("GET,HEAD")), ("GET", "/", 404, None)];
        for (method, path, status, allow) in cases {
            let router = Router::new().route("/bug", get(broken));
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let response = behind(router, request).await;
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
            assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
            assert_eq!(response.headers().get("allow").map(|allow| allow.to_str().unwrap()), allow);
        }
    }
}
