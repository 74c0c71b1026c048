//! `POST /v1/mcp`: plugins as tools of the Model Context Protocol, with the counts and bounds of every other door.

use crate::support::{Reply, Server, Serving, reply, run_tool};
use serde_json::{Value, json};
use std::net::TcpListener;

fn ask(server: &Server, body: &Value) -> Reply {
    server.post("/v1/mcp", Some(body))
}

fn call(server: &Server, method: &str, params: &Value) -> Value {
    let answer = ask(server, &json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}));
    let body = answer.json();
    assert_eq!((answer.status, &body["jsonrpc"], &body["id"]), (200, &json!("2.0"), &json!(7)), "{body:#}");
    body
}

fn tool(server: &Server, plugin: &str, image: &str, options: &Value) -> Value {
    call(server, "tools/call", &json!({"name": plugin, "arguments": {"image": image, "options": options}}))
}

/// The document that a tool brought.
fn brought(answer: &Value) -> Value {
    let content = &answer["result"]["content"][0];
    assert_eq!(content["type"], "text", "{answer:#}");
    serde_json::from_str(content["text"].as_str().unwrap()).unwrap()
}

#[track_caller]
fn refused(answer: &Value, code: i32, message: &str) {
    assert_eq!(answer["error"]["code"], code, "{answer:#}");
    assert!(answer["error"]["message"].as_str().unwrap().contains(message), "{answer:#}");
}

fn ready(plugins: &[&str], names: &[&str]) -> Server {
    let server = Serving::of(plugins).start();
    for name in names {
        server.wait_for(name, "INITIALIZED");
    }
    server
}

#[test]
fn a_client_of_the_protocol_finds_the_plugins_that_take_calls_and_calls_their_tools() {
    // What takes no image cannot be called here, and is not offered.
    let plugins = ["forgesyte-plain", "forgesyte-space", "import_error", "py_loop"];
    let server = ready(&plugins, &["reporter", "space", "py_loop"]);
    server.wait_for("import_error", "FAILED");
    let hello = call(&server, "initialize", &json!({}));
    assert_eq!(hello["result"]["protocolVersion"], "2024-11-05");
    assert_eq!(hello["result"]["capabilities"], json!({"tools": {}}));
    assert_eq!(call(&server, "ping", &json!({}))["result"], json!({"status": "pong"}));
    let listed = call(&server, "tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["reporter", "space"]);
    assert_eq!(tools[0]["description"], "From the manifest.");
    assert_eq!(tools[0]["inputSchema"]["required"], json!(["image"]));
    let report =
        brought(&tool(&server, "reporter", "data:image/png;base64,AAEC", &json!({"tool": "report", "a": 1})));
    assert_eq!(report["kinds"], json!({"image_bytes": "bytes", "options": "dict"}));
    assert_eq!(report["shown"]["options"], json!({"tool": "report", "a": 1}));
    // The only tool of a plugin need not be named.
    assert_eq!(brought(&tool(&server, "space", "AAEC", &json!({})))["error"], Value::Null);
    assert_eq!(
        call(&server, "resources/list", &json!({}))["result"],
        json!({"resources": [], "nextCursor": null})
    );
    server.stop();
}

#[test]
fn what_is_wrong_with_a_call_has_its_code_and_what_has_no_id_has_no_answer() {
    let server = ready(&["well", "import_error"], &["well"]);
    server.wait_for("import_error", "FAILED");
    refused(&call(&server, "tools/nothing", &json!({})), -32601, "tools/nothing");
    refused(&call(&server, "resources/read", &json!({"uri": "a:b"})), -32602, "a:b");
    for (params, message) in [
        (json!({}), "`name` is missing"),
        (json!({"name": "nobody", "arguments": {"image": "AAEC"}}), "Plugin 'nobody' not found"),
        (json!({"name": "nobody", "arguments": {}}), "Plugin 'nobody' not found"),
        (json!({"name": "well", "arguments": {}}), "`image` is missing"),
        (json!({"name": "well", "arguments": {"image": "AAEC"}}), "`options.tool` is missing"),
        (
            json!({"name": "well", "arguments": {"image": "AAEC", "options": {"tool": "x"}}}),
            "Tool 'x' not found",
        ),
        (json!({"name": "well", "arguments": {"image": "!", "options": {"tool": "x"}}}), "not valid base64"),
        (json!({"name": "import_error", "arguments": {"image": "AAEC"}}), "Plugin is FAILED: "),
    ] {
        refused(&call(&server, "tools/call", &params), -32602, message);
    }
    let listed = ask(&server, &json!({"jsonrpc": "2.0", "id": "a", "method": "ping", "params": []})).json();
    assert_eq!((&listed["id"], &listed["error"]["code"]), (&json!("a"), &json!(-32602)), "{listed:#}");
    for body in [json!([]), json!({"jsonrpc": "1.0", "id": 1, "method": "ping"})] {
        let answer = ask(&server, &body);
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(-32600)), "{body}");
    }
    let request = server.client().post(format!("{}/v1/mcp", server.url())).bearer_auth(server.token());
    let broken = reply(request.header("content-type", "application/json").body("{"));
    assert_eq!((broken.status, &broken.json()["error"]["code"]), (400, &json!(-32700)));
    for method in ["ping", "notifications/initialized"] {
        let silent = ask(&server, &json!({"jsonrpc": "2.0", "method": method}));
        assert_eq!((silent.status, silent.text.as_str()), (204, ""));
    }
    assert_eq!(server.health("well")["error_count"], 0, "none of these was the plugin's");
    server.stop();
}

#[test]
fn no_address_is_fetched_for_whoever_asks() {
    let server = ready(&["well"], &["well"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for address in
        [format!("http://{address}/a.png"), format!("HTTPS://{address}/"), "file:///etc/passwd".to_owned()]
    {
        let answer = tool(&server, "well", &address, &json!({"tool": "echo_bytes"}));
        assert_eq!(answer["error"]["code"], -32602, "{answer:#}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody called");
    server.stop();
}

#[test]
fn calls_of_the_protocol_count_as_those_of_every_other_door() {
    let server = ready(&["well", "forgesyte-plain"], &["well", "reporter"]);
    // A native tool takes the image under its own name.
    let answer = tool(&server, "well", "AAEC", &json!({"tool": "echo_bytes"}));
    assert_eq!(brought(&answer), json!({"$bytes": "AAEC"}));
    let counts = |plugin: &str| {
        let health = server.health(plugin);
        (health["success_count"].clone(), health["error_count"].clone(), health["state"].clone())
    };
    assert_eq!(counts("well"), (json!(1), json!(0), json!("INITIALIZED")));
    run_tool(&server, "reporter", "report", &json!({"image_bytes": "AAEC"}));
    assert_eq!(counts("reporter").0, 1);
    brought(&tool(&server, "reporter", "AAEC", &json!({"tool": "report"})));
    assert_eq!(counts("reporter").0, 2);
    // Its tool `video` takes no image, and raises.
    let failed = tool(&server, "reporter", "AAEC", &json!({"tool": "video"}));
    refused(&failed, -32603, "Tool execution failed: ");
    assert_eq!(failed["error"]["data"]["error_type"], "TypeError", "{failed:#}");
    assert_eq!(counts("reporter").1, 1);
    let (status, _) = run_tool(&server, "reporter", "video", &json!({"image_bytes": "AAEC", "options": {}}));
    assert_eq!((status, counts("reporter").1), (400, json!(2)));
    server.stop();
}
