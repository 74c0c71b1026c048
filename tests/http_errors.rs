//! Every odd request is answered with a problem document, and none with a bug's status.

use crate::support::{PATIENCE, Reply, Server, Serving, reply};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The document of a problem: its status stands in it, and its type ends in its code.
#[track_caller]
fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert_eq!(reply.header("content-type"), "application/problem+json", "{}", reply.text);
    let body = reply.json();
    let expected = json!([code, status, format!("/problems/{code}")]);
    assert_eq!(json!([body["code"], body["status"], body["type"]]), expected, "{body:#}");
    assert!(body["title"].is_string() && body["detail"].is_string(), "{body:#}");
    body
}

/// What came back to exactly these bytes: the status and the body.
fn raw(server: &Server, head: &str, body: &str) -> (u16, String) {
    let address = server.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = head.replace("HOST", address).replace("TOKEN", &server.token());
    // It may be cut off in the middle.
    let _ = write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[test]
fn unknown_routes_and_methods_are_told_apart() {
    let server = Serving::empty().start();
    for path in
        ["/", "/v1", "/v1/", "/v1/jobs/", "/v1/plugins/a/b", "/v1/plugins/a/tools/b", "/docs/x", "/../etc"]
    {
        problem(&server.get(path), 404, "unknown_route");
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/v1/plugins", "GET,HEAD"),
        (Method::PUT, "/v1/plugins/a/restart", "POST"),
        (Method::GET, "/v1/plugins/a/tools/b/run", "POST"),
        (Method::PUT, "/v1/jobs/a", "GET,HEAD,DELETE"),
        (Method::GET, "/v1/mcp", "POST"),
        (Method::OPTIONS, "/v1/health", "GET,HEAD"),
        (Method::TRACE, "/metrics", "GET,HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/docs", "GET,HEAD"),
    ] {
        let reply = server.send(method, path, None);
        problem(&reply, 405, "method_not_allowed");
        assert_eq!(reply.header("allow"), allowed, "{path}");
    }
    let head = server.send(Method::HEAD, "/v1/health", None);
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    server.stop();
}

#[test]
fn a_body_that_cannot_be_read_is_refused_with_the_place_that_is_wrong() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let send = |kind: Option<&str>, body: &str| {
        let url = format!("{}/v1/plugins/well/tools/echo/run", server.url());
        let request = server.client().post(url).bearer_auth(server.token()).body(body.to_owned());
        reply(match kind {
            Some(kind) => request.header("content-type", kind),
            None => request,
        })
    };
    let json = Some("application/json");
    problem(&send(None, "{}"), 415, "wrong_content_type");
    problem(&send(Some("text/plain"), "{}"), 415, "wrong_content_type");
    problem(&send(Some("multipart/form-data"), "{}"), 422, "bad_form");
    problem(&send(json, ""), 422, "bad_json");
    problem(&send(json, "{\"args\": {}"), 422, "bad_json");
    problem(&send(json, "{\"args\": {\"text\": \"\\ud800\"}}"), 422, "bad_json");
    problem(&send(json, &"[".repeat(200)), 422, "bad_json");
    let body = problem(&send(json, "{\"args\": 1}"), 422, "bad_body");
    assert_eq!(body["errors"][0]["pointer"], "/args");
    // What is not an argument is the caller's mistake, and still an answer of the run route.
    assert_eq!((&body["ok"], &body["plugin_id"]), (&json!(false), &json!("well")), "{body:#}");
    let body = problem(&send(json, "{\"args\": {\"text\": 1, \"tiems\": 2}}"), 422, "arguments_invalid");
    let pointers: Vec<&str> =
        body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/args/text", "/args/tiems"], "{body:#}");
    let good = send(Some("application/vnd.example+json; charset=utf-8"), "{\"args\": {\"text\": \"a\"}}");
    assert_eq!(good.status, 200, "{}", good.text);
    server.stop();
}

#[test]
fn a_body_is_as_large_as_it_may_be_and_no_larger() {
    let server = Serving::of(&["well"]).config("http: {body_mb_max: 1}\n").start();
    server.wait_for("well", "INITIALIZED");
    let send = |size: usize| {
        let text = "x".repeat(size);
        server.post("/v1/plugins/well/tools/echo/run", Some(&json!({"args": {"text": text}})))
    };
    assert_eq!(send((1 << 20) - 100).status, 200);
    problem(&send(1 << 20), 413, "body_too_large");
    // One that does not say how long it is, is measured as it comes.
    let chunk = format!("{:x}\r\n{}\r\n", 600_000, "x".repeat(600_000));
    let head = "POST /v1/plugins/well/tools/echo/run HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\
                Content-Type: application/json\r\nTransfer-Encoding: chunked";
    let (status, body) = raw(&server, head, &format!("{chunk}{chunk}0\r\n\r\n"));
    assert_eq!(status, 413, "{body}");
    server.stop();
}

#[test]
fn a_header_is_as_large_as_it_may_be_and_no_larger() {
    let server = Serving::empty().start();
    let client = server.client();
    let get = || client.get(format!("{}/v1/health", server.url())).bearer_auth(server.token());
    assert_eq!(reply(get().header("x-filler", "x".repeat(15_000))).status, 200);
    problem(&reply(get().header("x-filler", "x".repeat(20_000))), 431, "headers_too_large");
    let many = (0..70).fold(get(), |request, number| request.header(format!("x-{number}"), "1"));
    problem(&reply(many), 431, "headers_too_large");
    // Far more than that is not even read.
    let (status, _) =
        raw(&server, &format!("GET / HTTP/1.1\r\nHost: HOST\r\nX: {}", "x".repeat(1 << 20)), "");
    assert!(matches!(status, 0 | 431), "{status}");
    assert_eq!(reply(get()).status, 200);
    server.stop();
}

#[test]
fn what_is_no_http_harms_nobody() {
    let server = Serving::empty().start();
    for head in
        ["", "\0\0\0\0", "GET", "GET / HTTP/9.9", "POST /v1/plugins HTTP/1.1\r\nContent-Length: x\r\nHost: a"]
    {
        let (status, _) = raw(&server, head, "");
        assert!(matches!(status, 0 | 400..=499), "{head:?}: {status}");
    }
    let (status, body) = raw(&server, "GET /v1/health HTTP/1.1\r\nAuthorization: Bearer TOKEN", "");
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("`Host`"), "{body}");
    assert_eq!(server.get("/v1/health").status, 200);
    server.stop();
}

#[test]
fn names_that_cannot_be_decoded_or_are_strange_are_no_plugins() {
    let server = Server::with(&["well"]);
    problem(&server.get("/v1/plugins/%FF/health"), 400, "bad_path");
    for name in ["%00", "..%2F..%2Fetc", "a%20b", "%F0%9F%94%A5", &"x".repeat(5000)] {
        problem(&server.get(&format!("/v1/plugins/{name}/health")), 404, "unknown_plugin");
    }
    server.stop();
}
