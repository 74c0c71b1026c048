//! The API's own description, and a page to read and try it that needs nothing from elsewhere.
//!
//! Owns the page. Everything is made once, compressed once, and open to everybody: it says nothing about plugins.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::LazyLock;

/// Scripts and data from this server alone; the viewer sets styles of its own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hardpoint API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger.js"></script>
<script src="/docs/page.js"></script>
</body>
</html>
"#;

const PAGE_SCRIPT: &str = "SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#api',
  layout: 'BaseLayout',
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
";

/// A file that is served as it is.
struct Asset {
    kind: &'static str,
    plain: Bytes,
    packed: Bytes,
}

static OPENAPI: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("application/json", serde_json::to_vec(&crate::openapi::openapi()).unwrap_or_default())
});
static HTML: LazyLock<Asset> = LazyLock::new(|| Asset::new("text/html; charset=utf-8", PAGE.into()));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/javascript; charset=utf-8", PAGE_SCRIPT.into()));
static VIEWER_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/javascript; charset=utf-8", viewer("<script>", "</script>").into()));
static VIEWER_STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/css; charset=utf-8", viewer("<style>", "</style>").into()));

impl Asset {
    fn new(kind: &'static str, plain: Vec<u8>) -> Self {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let packed = gzip.write_all(&plain).and_then(|()| gzip.finish()).unwrap_or_default();
        Self { kind, plain: plain.into(), packed: packed.into() }
    }

    fn response(&self, asked: &HeaderMap) -> Response {
        let accepted = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let packed = !self.packed.is_empty() && accepted.flat_map(|value| value.split(',')).any(takes_gzip);
        let body = if packed { &self.packed } else { &self.plain };
        let mut response = body.clone().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if packed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

fn takes_gzip(coding: &str) -> bool {
    let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
    let refused = matches!(quality.replace(' ', "").as_str(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
    name.trim().eq_ignore_ascii_case("gzip") && !refused
}

/// The viewer's script or style sheet, out of the page that it comes in.
fn viewer(open: &str, close: &str) -> String {
    let page = aide::swagger::Swagger::new("").html();
    let inner = page.split_once(open).and_then(|(_, rest)| rest.split_once(close));
    inner.map(|(inner, _)| inner.to_owned()).unwrap_or_default()
}

pub(super) async fn openapi(headers: HeaderMap) -> Response {
    OPENAPI.response(&headers)
}

pub(super) async fn page(headers: HeaderMap) -> Response {
    HTML.response(&headers)
}

pub(super) async fn page_script(headers: HeaderMap) -> Response {
    SCRIPT.response(&headers)
}

pub(super) async fn viewer_script(headers: HeaderMap) -> Response {
    VIEWER_SCRIPT.response(&headers)
}

pub(super) async fn viewer_style(headers: HeaderMap) -> Response {
    VIEWER_STYLE.response(&headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_viewer_comes_out_of_its_page_whole() {
        assert!(viewer("<script>", "</script>").contains("SwaggerUIBundle"));
        assert!(viewer("<script>", "</script>").len() > 1_000_000);
        assert!(viewer("<style>", "</style>").contains(".swagger-ui"));
    }

    #[test]
    fn gzip_is_sent_to_whoever_takes_it() {
        let cases = [("gzip", true), (" GZIP;q=0.5", true), ("gzip; q=0", false), ("br", false), ("", false)];
        for (coding, expected) in cases {
            assert_eq!(takes_gzip(coding), expected, "{coding:?}");
        }
    }
}
