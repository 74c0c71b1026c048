//! Tokens as other clients send them: `X-API-Key`, and for those that cannot set a field, `api_key` in the address.
//!
//! Owns the two names. Must not know whether a token is known.

use crate::extract::wants_socket;
use crate::route::Route;
use axum::http::{Request, Uri};
use std::borrow::Cow;

const FIELD: &str = "x-api-key";
const PARAMETER: &str = "api_key";

/// The token of a request without `Authorization`. One in an address counts where a page has no other way that its
/// clients know: addresses are what proxies write into their logs.
pub(crate) fn key<B>(route: Route, request: &Request<B>) -> Option<Cow<'_, str>> {
    if let Some(field) = request.headers().get(FIELD) {
        return field.to_str().ok().map(|key| Cow::Borrowed(key.trim()));
    }
    let of_old_sockets = matches!(route, Route::Frames | Route::JobSocket);
    (of_old_sockets && wants_socket(request.headers())).then(|| in_address(request.uri())).flatten()
}

fn in_address(uri: &Uri) -> Option<Cow<'_, str>> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(uri.query()?).ok()?;
    pairs.into_iter().find_map(|(name, key)| (name == PARAMETER).then_some(Cow::Owned(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, fields: &[(&str, &str)], expected: Option<&str>) {
        let mut request = Request::builder().uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let route = Route::of(request.uri().path());
        assert_eq!(key(route, &request).as_deref(), expected, "{path} {fields:?}");
    }

    #[test]
    fn a_key_in_an_address_counts_only_for_the_sockets_that_are_known_for_it() {
        let socket = [("upgrade", "websocket")];
        check("/v1/stream?plugin=a&api_key=b%20c", &socket, Some("b c"));
        check("/v1/ws/jobs/1?api_key=k", &socket, Some("k"));
        check("/v1/stream?api_key=k", &[], None);
        check("/v1/events?api_key=k", &socket, None);
        check("/v1/plugins?api_key=k", &[], None);
        check("/v1/plugins", &[("x-api-key", " k ")], Some("k"));
        check("/v1/stream?api_key=k", &[("upgrade", "websocket"), ("x-api-key", "field")], Some("field"));
    }
}
