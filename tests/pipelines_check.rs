//! Pipelines that cannot work, refused by the real server before anything of them runs.

use crate::pipelines::{hand_in, ready, stage};
use crate::support::Server;
use serde_json::{Value, json};

#[test]
fn a_pipeline_that_cannot_work_is_refused_with_the_stages_and_the_field() {
    let server = ready(&["relay"]);
    let text = json!({"text": "a"});
    let cases = [
        (json!([stage("gone", &text)]), "/pipeline/stages/0/tool", "has no tool `gone`"),
        (json!([{"plugin": "nobody", "tool": "t"}]), "/pipeline/stages/0/plugin", "no plugin `nobody`"),
        (
            json!([stage("count", &text), stage("needs_text", &json!({}))]),
            "/pipeline/stages/1/tool",
            "stage 2 (relay.needs_text) takes `n` as string, and stage 1 (relay.count) returns it as integer",
        ),
        (
            json!([stage("count", &text), stage("needs_more", &json!({}))]),
            "/pipeline/stages/1/tool",
            "stage 2 (relay.needs_more) needs `language`, which stage 1 (relay.count) does not return",
        ),
        (
            json!([stage("shout", &json!({"text": "a", "volume": 3}))]),
            "/pipeline/stages/0/config/volume",
            "does not take `volume`",
        ),
        (
            json!([stage("shout", &json!({}))]),
            "/pipeline/stages/0/tool",
            "needs `text`, which is not in the input",
        ),
        (
            json!([own("shout", &json!({"text": {"$from": "/stages/0/text"}}))]),
            "/pipeline/stages/0/args/text",
            "stage 1 (relay.shout): `/stages/0/text` is stage 1 (relay.shout), which does not come before it",
        ),
        (
            json!([stage("count", &text), own("shout", &json!({"text": {"$from": "/stages/2"}}))]),
            "/pipeline/stages/1/args/text",
            "`/stages/2` would be stage 3, and there are 2, which does not come before it",
        ),
    ];
    refused_at(&server, &cases);
    let unknown = hand_in(&server, &json!({"pipeline": [{"plugin": "relay", "tool": "shout", "tol": 1}]}));
    assert_eq!(unknown.json()["errors"][0]["pointer"], "/pipeline/stages/0/tol", "{}", unknown.text);
    server.stop();
}

fn own(tool: &str, args: &Value) -> Value {
    json!({"plugin": "relay", "tool": tool, "args": args})
}

/// Each of these is refused at that place, with a remedy, and nothing of it was accepted.
#[track_caller]
fn refused_at(server: &Server, cases: &[(Value, &str, &str)]) {
    for (stages, pointer, words) in cases {
        let refused = hand_in(server, &json!({"pipeline": stages, "input": {}}));
        let problem = refused.json();
        assert_eq!((refused.status, &problem["code"]), (422, &json!("pipeline_invalid")), "{problem:#}");
        assert_eq!(problem["errors"][0]["pointer"], *pointer, "{problem:#}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem:#}");
        assert_eq!(problem["hint"], problem["errors"][0]["hint"], "{problem:#}");
        assert!(problem["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{problem:#}");
    }
    assert_eq!(server.get("/v1/jobs").json()["count"], 0);
}

#[test]
fn what_a_stage_is_given_and_cannot_take_is_found_before_anything_runs() {
    let server = ready(&["relay"]);
    let text = json!({"text": "a"});
    let after = |args: Value| json!([stage("count", &text), args]);
    let at = "/pipeline/stages/1/args/image";
    let weigh = |image: Value| after(own("weigh", &json!({"image": image})));
    let cases = [
        (
            json!([stage("begin", &json!({"text": "a", "size": "big"}))]),
            "/pipeline/stages/0/config/size",
            "stage 1 (relay.begin): `size` must be an integer, got string",
        ),
        (
            after(own("shout", &json!({"text": 5}))),
            "/pipeline/stages/1/args/text",
            "stage 2 (relay.shout): `text` must be a string, got integer",
        ),
        (
            after(own("needs_more", &json!({"n": 5}))),
            "/pipeline/stages/1/args",
            "stage 2 (relay.needs_more) needs `language`, which is not under its `args`",
        ),
        (
            weigh(json!({"$from": "/stages/0/picture"})),
            at,
            "`/stages/0/picture` is not there: stage 1 (relay.count) returns no `picture`",
        ),
        (
            weigh(json!({"$from": "/stages/0/n"})),
            at,
            "it takes `image` as bytes, and `/stages/0/n` is integer",
        ),
        (weigh(json!({"$from": "/stages/0"})), at, "it takes `image` as bytes, and `/stages/0` is object"),
        (
            weigh(json!({"$form": "/stages/0/n"})),
            "/pipeline/stages/1/args/image/$form",
            "unknown field `image.$form`",
        ),
        (weigh(json!("{$from: /stages/0/n}")), at, "`image` must be bytes, got string"),
        (weigh(json!([{"$from": "/stages/0/n"}])), at, "`image` must be bytes, and array is given"),
        (weigh(json!({"$bytes": "no base64"})), at, "`$bytes` must be standard base64"),
        (weigh(json!({"$from": "/document/gone"})), at, "which stage 1 (relay.count) does not return"),
        (
            weigh(json!({"$from": "/input/image"})),
            at,
            "stage 2 (relay.weigh): `/input/image` is not in the input",
        ),
    ];
    refused_at(&server, &cases);
    let check = json!({"stages": weigh(json!({"$from": "/input/image"}))});
    let checked = server.post("/v1/pipelines?check=true", Some(&check));
    assert_eq!(checked.status, 200, "what a run is given is not known yet: {}", checked.text);
    let hint = |image: Value| {
        let refused = hand_in(&server, &json!({"pipeline": weigh(image), "input": {}}));
        refused.json()["hint"].as_str().unwrap().to_owned()
    };
    for (image, words) in [
        (json!({"$form": "/stages/0/n"}), "did you mean `$from`?"),
        (json!("{$from: /stages/0/n}"), "without quotes around it"),
        (json!({"$from": "/input/image"}), "`--input image=VALUE`"),
        (json!({"$from": "/stages/0/picture"}), "it returns `n`"),
        (json!({"$from": "/stages/1"}), "`/stages/0` is stage 1, the only one before it"),
    ] {
        assert!(hint(image.clone()).contains(words), "{}", hint(image));
    }
    let several = json!([stage("begin", &json!({"size": "big"})), own("shout", &json!({"text": 5}))]);
    let refused = hand_in(&server, &json!({"pipeline": several, "input": {"text": "a"}})).json();
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(2), "{refused:#}");
    server.stop();
}
