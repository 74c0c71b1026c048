//! Who may do what: tokens, scopes, names, origins, rates.

use crate::support::{Answer, Cli, PATIENCE, Reply, Server, Serving, reply};
use hardpoint_testkit::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

fn ask(server: &Server, method: Method, path: &str, token: Option<&str>) -> Reply {
    let request = server.client().request(method, format!("{}{path}", server.url()));
    reply(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
}

/// `hardpoint token …` on a data folder; what it printed.
fn token_command(data: &Path, args: &[&str]) -> Answer {
    let mut cli = Cli::new(&[&["token"], args].concat());
    cli.command.env("HARDPOINT_DATA_DIR", data);
    cli.run()
}

/// A new token of this scope, made while the server runs.
pub(crate) fn new_token(data: &Path, name: &str, scope: &str) -> String {
    let made = token_command(data, &["add", name, "--scope", scope]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    made.stdout.trim().to_owned()
}

#[test]
fn the_local_token_is_made_at_the_first_start_for_its_owner_alone_and_kept() {
    let serving = Serving::empty();
    let path = serving.data().join("token");
    let server = serving.start();
    let token = server.token();
    assert!(token.len() >= 43 && token.starts_with("hp_"), "{token}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ask(&server, Method::GET, "/v1/plugins", Some(&token)).status, 200);
    assert!(!server.log().contains(&token), "a secret is in the log");
    server.stop();
}

#[test]
fn without_a_token_or_with_a_wrong_one_nothing_is_told() {
    let server = Server::with(&["well"]);
    let token = server.token();
    let wrong = [
        None,
        Some(""),
        Some("x"),
        Some(&token[1..]),
        Some("hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ];
    for path in ["/v1/plugins", "/v1/plugins/well", "/v1/health", "/v1/ready", "/metrics", "/nowhere"] {
        for token in wrong {
            let reply = ask(&server, Method::GET, path, token);
            assert_eq!(reply.status, 401, "{path} {token:?}");
            assert!(reply.header("www-authenticate").starts_with("Bearer realm="), "{path}");
            assert!(!reply.text.contains("well"), "{}", reply.text);
        }
    }
    for value in [format!("Basic {token}"), token.clone(), format!("Bearer  {token} x")] {
        let request =
            server.client().get(format!("{}/v1/health", server.url())).header("authorization", &value);
        assert_eq!(reply(request).status, 401, "{value}");
    }
    server.stop();
}

#[test]
fn each_scope_allows_what_it_says_and_what_is_below_it() {
    let server = Server::with(&["well"]);
    server.wait_for("well", "INITIALIZED");
    let tokens = ["read", "run", "admin"].map(|scope| new_token(&server.data(), scope, scope));
    wait_until("the tokens are known", PATIENCE, || {
        tokens.iter().all(|token| ask(&server, Method::GET, "/v1/health", Some(token)).status == 200)
    });
    let run = |token: &str| {
        let url = format!("{}/v1/plugins/well/tools/echo/run", server.url());
        reply(server.client().post(url).bearer_auth(token).json(&json!({"args": {"text": "a"}}))).status
    };
    let enable = |token: &str| ask(&server, Method::POST, "/v1/plugins/well/enable", Some(token));
    let statuses: Vec<[u16; 2]> = tokens.iter().map(|token| [run(token), enable(token).status]).collect();
    assert_eq!(statuses, [[403, 403], [200, 403], [200, 200]]);
    let refused = enable(&tokens[0]).json();
    assert_eq!(refused["code"], "scope_missing");
    assert_eq!(refused["detail"], "token `read` allows `read`, and this needs `admin`");
    server.stop();
}

#[test]
fn a_token_that_is_removed_is_refused_within_a_second() {
    let server = Serving::empty().start();
    let token = new_token(&server.data(), "gone", "read");
    let status = || ask(&server, Method::GET, "/v1/health", Some(&token)).status;
    wait_until("the token is known", PATIENCE, || status() == 200);
    let text = fs::read_to_string(server.data().join("tokens.json")).unwrap();
    assert!(!text.contains(&token), "the token itself is kept: {text}");
    assert_eq!(token_command(&server.data(), &["remove", "gone"]).code, 0);
    wait_until("the token is refused", std::time::Duration::from_secs(1), || status() == 401);
    assert_eq!(server.get("/v1/health").status, 200, "others are still known");
    server.stop();
}

#[test]
fn a_token_file_that_others_can_read_stops_the_start() {
    for name in ["token", "tokens.json"] {
        let mut serving = Serving::empty();
        let path = serving.data().join(name);
        fs::write(&path, "{\"tokens\": []}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let answer = Answer::of(serving.command.stderr(Stdio::piped()).spawn().unwrap());
        assert_ne!(answer.code, 0);
        assert!(answer.stderr.contains("can be read by others (mode 644)"), "{}", answer.stderr);
        assert!(answer.stderr.contains("chmod 600"), "{}", answer.stderr);
    }
}

#[test]
fn an_address_that_others_can_reach_is_not_listened_on_before_somebody_has_a_token() {
    let mut serving = Serving::empty().env("HARDPOINT_LISTEN", "0.0.0.0:0");
    let args: Vec<_> = serving.command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let at = args.iter().position(|arg| arg == "127.0.0.1:0").unwrap();
    let mut open = std::process::Command::new(serving.command.get_program());
    open.args(&args[..at]).arg("0.0.0.0:0").args(&args[at + 1..]);
    open.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let answer = Answer::of(open.spawn().unwrap());
    assert_ne!(answer.code, 0);
    assert!(answer.stderr.contains("can be reached by others"), "{}", answer.stderr);
    assert!(answer.stderr.contains("hardpoint token add"), "{}", answer.stderr);
    new_token(&serving.data(), "ci", "read");
    serving.command = open;
    serving.command.stderr(Stdio::null());
    let server = serving.start();
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    let request =
        server.client().get(format!("http://127.0.0.1:{port}/v1/health")).bearer_auth(server.token());
    assert_eq!(reply(request).status, 200);
    server.stop();
}

#[test]
fn a_page_elsewhere_reaches_nothing_neither_by_name_nor_by_origin() {
    let config = "http: {allowed_hosts: [plugins.example], allowed_origins: ['https://panel.example']}\n";
    let server = Serving::empty().config(config).start();
    let own = server.url().to_owned();
    let host = own.trim_start_matches("http://").to_owned();
    let port = host.rsplit(':').next().unwrap();
    let get = |fields: &[(&str, &str)]| {
        let request = server.client().get(format!("{own}/v1/health")).bearer_auth(server.token());
        reply(fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    };
    for (name, expected) in [
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost", 200),
        (&format!("[::1]:{port}"), 200),
        ("plugins.example:443", 200),
    ] {
        assert_eq!(get(&[("host", name)]).status, expected, "{name}");
    }
    for (origin, expected) in [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:1", 403),
        (own.as_str(), 200),
        ("https://panel.example", 200),
    ] {
        let reply = get(&[("origin", origin)]);
        assert_eq!(reply.status, expected, "{origin}");
        let shared = reply.header("access-control-allow-origin");
        assert_eq!(shared, if origin.contains("panel") { origin } else { "" }, "{origin}");
    }
    // The open pages are not open to other names either.
    let docs = server.client().get(format!("{own}/docs")).header("host", "evil.example");
    assert_eq!(reply(docs).status, 421);
    server.stop();
}

#[test]
fn only_allowed_pages_are_told_that_they_may_call() {
    let server = Serving::empty().config("http: {allowed_origins: ['https://panel.example']}\n").start();
    let preflight = |origin: &str| {
        let url = format!("{}/v1/plugins", server.url());
        let request = server.client().request(Method::OPTIONS, url).header("origin", origin);
        reply(request.header("access-control-request-method", "POST"))
    };
    let allowed = preflight("https://panel.example");
    assert_eq!(
        (allowed.status, allowed.header("access-control-allow-origin")),
        (204, "https://panel.example")
    );
    assert!(allowed.header("access-control-allow-headers").contains("authorization, x-api-key"));
    assert!(allowed.header("access-control-allow-methods").contains("PATCH, DELETE"));
    let refused = preflight("https://evil.example");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, ""));
    server.stop();
}

#[test]
fn each_token_has_a_rate_of_its_own() {
    let server = Serving::empty().config("http: {requests_per_second: 5}\n").start();
    let other = new_token(&server.data(), "other", "read");
    let statuses: Vec<u16> = (0..30).map(|_| server.get("/v1/health").status).collect();
    assert_eq!(statuses[..10], [200; 10]);
    let refused = (0..20).map(|_| server.get("/v1/health")).find(|reply| reply.status == 429);
    let refused = refused.expect("the limit is reached");
    assert_eq!((refused.header("retry-after"), &refused.json()["code"]), ("1", &json!("rate_limited")));
    let body: Value = refused.json();
    assert_eq!(body["detail"], "token `(local)` has made too many requests");
    wait_until("the other token is let through", PATIENCE, || {
        ask(&server, Method::GET, "/v1/health", Some(&other)).status == 200
    });
    wait_until("the first is let through again", PATIENCE, || server.get("/v1/health").status == 200);
    server.stop();
}

#[test]
fn a_data_folder_keeps_its_token_from_one_server_to_the_next() {
    let folder = TempDir::new().unwrap();
    let first = hardpoint_server::access::local_token(folder.path()).unwrap();
    assert_eq!(hardpoint_server::access::local_token(folder.path()).unwrap(), first);
}
