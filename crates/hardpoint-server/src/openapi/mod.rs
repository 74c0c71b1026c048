//! What is said about the API: `OpenAPI` 3.1, made from the types of the routes.
//!
//! Owns the words that all routes share. Must not know how a route answers.

mod operation;
mod run;

pub(crate) use operation::{Docs, changing, media, reading, running, schema_of, working};
pub(crate) use run::{run_docs, run_socket_docs};

use crate::routes;
use aide::openapi::{Info, License, SecurityScheme, Tag};
use aide::transform::TransformOpenApi;
use serde_json::Value;

/// The name of the security scheme.
const BEARER: &str = "bearer";

/// The `OpenAPI` document that the server offers at `/openapi.json`.
pub fn openapi() -> Value {
    serde_json::to_value(routes::documented().1).unwrap_or_default()
}

const DESCRIPTION: &str = "\
Runs plugins, each in a process of its own, and answers whatever they do.

Every request but those for this page carries `Authorization: Bearer TOKEN`. The local user's token is in the \
file `token` of the data folder and allows everything; others are made with scope `read`, `run` or `admin`, each \
of which includes those before it.

Every error is a problem document (RFC 9457) with a stable `code`. 500 means a bug of the host and nothing else: \
whatever a plugin does is 400, 408, 422, 429, 502 or 503. An unknown path is 404, and a known one with another \
method 405.";

/// The part of the document that belongs to no route.
pub(crate) fn about(api: TransformOpenApi) -> TransformOpenApi {
    let tag = |name: &str, text: &str| Tag {
        name: name.to_owned(),
        description: Some(text.to_owned()),
        ..Tag::default()
    };
    let bearer = SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: None,
        description: Some("The local user's token, or one that was made for you.".to_owned()),
        extensions: indexmap::IndexMap::new(),
    };
    api.info(Info {
        title: "Hardpoint".to_owned(),
        summary: Some("A crash-proof host for plugins".to_owned()),
        description: Some(DESCRIPTION.to_owned()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        license: Some(License {
            name: "MIT OR Apache-2.0".to_owned(),
            identifier: Some("MIT OR Apache-2.0".to_owned()),
            ..License::default()
        }),
        ..Info::default()
    })
    .tag(tag("plugins", "Looking at plugins, and starting and stopping them."))
    .tag(tag("tools", "Running what plugins offer."))
    .tag(tag("jobs", "Work that is kept: it runs when there is a place for it, and outlives the host."))
    .tag(tag("host", "The host itself."))
    .tag(tag("compat", "What clients of other hosts expect; see docs/reference/forgesyte.md."))
    .security_scheme(BEARER, bearer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// `HARDPOINT_UPDATE_DOCS=1 cargo test -p hardpoint-server` writes it anew.
    #[test]
    fn the_published_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openapi.json");
        let expected = format!("{}\n", serde_json::to_string_pretty(&openapi()).unwrap());
        if std::env::var_os("HARDPOINT_UPDATE_DOCS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == expected,
            "openapi.json is out of date: run HARDPOINT_UPDATE_DOCS=1 cargo test -p hardpoint-server"
        );
    }

    #[test]
    fn every_route_is_in_the_reference_with_its_scope() {
        let page = include_str!("../../../../docs/reference/http.md");
        for (path, item) in openapi()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let scope = operation["security"][0]["bearer"][0].as_str().unwrap();
                let start = format!("| `{} {path}", method.to_uppercase());
                let found = page
                    .lines()
                    .any(|line| line.starts_with(&start) && line.contains(&format!("` | {scope} |")));
                assert!(found, "docs/reference/http.md has no row {start} with scope {scope}");
            }
        }
    }

    #[test]
    fn every_operation_says_who_may_use_it_and_how_it_can_fail() {
        let api = openapi();
        let mut ids = std::collections::BTreeSet::new();
        for (path, item) in api["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let place = format!("{method} {path}");
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}");
                assert!(!operation["summary"].as_str().unwrap().is_empty(), "{place}");
                assert_eq!(operation["security"][0]["bearer"].as_array().unwrap().len(), 1, "{place}");
                for status in ["401", "403", "421", "429", "431"] {
                    assert!(operation["responses"][status].is_object(), "{place} lacks {status}");
                }
                assert_eq!(
                    path.contains('{'),
                    operation["responses"]["400"].is_object() && path.contains('{')
                );
            }
        }
        assert_eq!(ids.len(), 56);
    }
}
