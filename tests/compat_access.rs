//! Tokens as clients of other hosts send them: the same tokens, the same scopes, under other names.

use crate::access::new_token;
use crate::support::{PATIENCE, Reply, Server, reply};
use hardpoint_testkit::wait_until;
use reqwest::Method;
use serde_json::json;

fn with_key(server: &Server, method: Method, path: &str, key: Option<&str>) -> Reply {
    let request = server.client().request(method, format!("{}{path}", server.url()));
    reply(match key {
        Some(key) => request.header("x-api-key", key),
        None => request,
    })
}

#[test]
fn a_token_counts_as_x_api_key_too_with_its_scope() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let reader = new_token(&server.data(), "reader", "read");
    let get = |path: &str, key: Option<&str>| with_key(&server, Method::GET, path, key);
    wait_until("the token is known", PATIENCE, || get("/v1/health", Some(&reader)).status == 200);
    for path in ["/v1/plugins", "/v1/plugins/", "/v1/jobs", "/v1/plugins/well/manifest"] {
        assert_eq!(get(path, Some(&server.token())).status, 200, "{path}");
        for wrong in [None, Some(""), Some("x")] {
            let refused = get(path, wrong);
            assert_eq!(refused.status, 401, "{path} {wrong:?}");
            assert!(refused.json()["detail"].is_string(), "{}", refused.text);
        }
        let in_address = format!("{path}?api_key={}", server.token());
        assert_eq!(get(&in_address, None).status, 401, "{path}: a token in an address is no token");
    }
    for path in ["/v1/plugins/well/reload", "/v1/plugins/reload-all", "/v1/plugins/well/tools/echo/run"] {
        let refused = with_key(&server, Method::POST, path, Some(&reader));
        assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("scope_missing")), "{path}");
    }
    // Of two tokens the one in the field of the standard counts.
    let both = server.client().get(format!("{}/v1/health", server.url()));
    let both = reply(both.bearer_auth("x").header("x-api-key", server.token()));
    assert_eq!((both.status, &both.json()["code"]), (401, &json!("token_unknown")));
    server.stop();
}
