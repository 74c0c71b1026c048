//! Jobs about images and videos, as clients of other hosts hand them in and look at them.

use crate::dialects::class_of;
use crate::support::{PATIENCE, Reply, Server, Serving, reply};
use hardpoint_testkit::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a PNG begins with, and what an MP4 does.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand more";
const MP4: &[u8] = b"\0\0\0\x20ftypisom and more";

fn form(server: &Server, path: &str, part: &str, bytes: &[u8]) -> Reply {
    let mut body =
        b"--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\npassed over\r\n--x\r\n".to_vec();
    body.extend(
        format!("Content-Disposition: form-data; name=\"{part}\"; filename=\"a.bin\"\r\n\r\n").bytes(),
    );
    body.extend(bytes.iter().chain(b"\r\n--x--\r\n"));
    let request = server.client().post(format!("{}{path}", server.url())).bearer_auth(server.token());
    reply(request.header("content-type", "multipart/form-data; boundary=x").body(body))
}

pub(crate) fn image(server: &Server, query: &str) -> Reply {
    form(server, &format!("/v1/image/submit?{query}"), "file", PNG)
}

pub(crate) fn video(server: &Server, query: &str) -> Reply {
    form(server, &format!("/v1/video/submit?{query}"), "file", MP4)
}

pub(crate) fn media() -> Server {
    let server = Server::with(&["forgesyte-media"]);
    server.wait_for("media", "INITIALIZED");
    server
}

#[track_caller]
pub(crate) fn id(accepted: &Reply) -> String {
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    accepted.json()["job_id"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn until(server: &Server, id: &str, status: &str) -> Value {
    let mut job = Value::Null;
    wait_until("the job got there", PATIENCE, || {
        job = server.get(&format!("/v1/jobs/{id}")).json();
        job["status"] == status
    });
    job
}

/// What it brought, as its `result_url` says it.
fn brought(server: &Server, id: &str) -> Value {
    let job = until(server, id, "completed");
    let reply = server.get(job["result_url"].as_str().unwrap());
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

#[test]
fn an_image_is_a_job_of_one_tool_or_of_several_that_see_the_same() {
    let server = media();
    let one = image(&server, "plugin_id=media&tool=detect");
    let accepted = one.json();
    assert_eq!(
        (&accepted["plugin"], &accepted["status"]),
        (&json!("media"), &json!("queued")),
        "{}",
        one.text
    );
    assert_eq!((&accepted["tool"], accepted.get("tools")), (&json!("detect"), None));
    assert!(accepted["submitted_at"].as_str().unwrap().ends_with('Z'));
    let seen = json!({"size": PNG.len(), "kinds": {"image_bytes": "bytes"}, "options": null});
    let one = id(&one);
    assert_eq!(brought(&server, &one), json!({"plugin_id": "media", "tool": "detect", "results": seen}));
    let job = server.get(&format!("/v1/jobs/{one}")).json();
    let told = ["job_type", "plugin_id", "tool", "progress", "summary", "error_message", "current_tool"]
        .map(|name| job[name].clone());
    let expected = json!(["image", "media", "detect", 100.0, null, null, null]);
    assert_eq!(json!(told), expected, "{job:#}");
    assert_eq!(
        (&job["tools_total"], &job["tools_completed"], job.get("tools")),
        (&json!(1), &json!(1), None)
    );
    assert_eq!(job["created_at"], job["submitted_at"]);
    // Without `mode` its own fields are there, too.
    let both = server.get(&format!("/v1/jobs/{one}/result")).json();
    assert_eq!((&both["result"], &both["results"], &both["status"]), (&seen, &seen, &json!("completed")));
    let several = image(&server, "plugin_id=media&tool=detect&tool=detect_fine");
    assert_eq!(several.json()["tools"], json!(["detect", "detect_fine"]), "{}", several.text);
    let several = id(&several);
    let fine = json!({"boxes": [[0, 0, 1, null]]});
    assert_eq!(
        brought(&server, &several),
        json!({"plugin_id": "media", "tools": {"detect": seen, "detect_fine": fine}})
    );
    let job = server.get(&format!("/v1/jobs/{several}")).json();
    assert_eq!((&job["job_type"], &job["tools"]), (&json!("image_multi"), &json!(["detect", "detect_fine"])));
    server.stop();
}

#[test]
fn a_tool_of_this_host_is_given_the_image_under_its_own_name_and_told_in_the_older_form() {
    let server = Serving::of(&["relay", "well"]).start();
    server.wait_for("relay", "INITIALIZED");
    server.wait_for("well", "INITIALIZED");
    let looked = |query: &str| {
        let id = id(&image(&server, query));
        let job = until(&server, &id, "completed");
        (job["job_type"].clone(), server.get(&format!("/v1/jobs/{id}/result")).json())
    };
    let (kind, told) = looked("plugin_id=relay&tool=weigh");
    assert_eq!(
        (&kind, &told["plugin_id"], &told["tool"]),
        (&json!("image"), &json!("relay"), &json!("weigh"))
    );
    assert_eq!(told["results"], told["result"], "{told:#}");
    let (kind, told) = looked("plugin_id=relay&tool=weigh&tool=keep");
    assert_eq!(
        (&kind, told["tools"].as_object().map(serde_json::Map::len)),
        (&json!("image_multi"), Some(2))
    );
    // Of a job of one tool, any other name does not say that it is about an image.
    let (kind, told) = looked("plugin_id=well&tool=echo_bytes");
    assert_eq!((&kind, told.get("results")), (&json!(null), None), "{told:#}");
    server.stop();
}

#[test]
fn a_tool_is_found_by_what_it_can_do_or_by_the_beginning_of_its_name() {
    let server = media();
    for (wanted, resolved) in [("detection", "detect"), ("fine_detection", "detect_fine"), ("ref", "refuse")]
    {
        let accepted = image(&server, &format!("plugin_id=media&logical_tool_id={wanted}"));
        let expected = json!([{"logical": wanted, "resolved": resolved}]);
        assert_eq!(accepted.json()["tools"], expected, "{}", accepted.text);
    }
    // Of those that have the capability, the one that takes a video.
    let accepted = video(&server, "plugin_id=media&logical_tool_id=detection");
    assert_eq!(accepted.json()["tools"], json!([{"logical": "detection", "resolved": "track"}]));
    assert_eq!(image(&server, "plugin_id=media&logical_tool_id=nothing").status, 400);
    server.stop();
}

#[test]
fn what_cannot_be_a_job_is_refused_before_it_is_one() {
    let serving = Serving::of(&["forgesyte-media", "import_error", "well"]);
    let server = serving.start();
    server.wait_for("media", "INITIALIZED");
    server.wait_for("well", "INITIALIZED");
    server.wait_for("import_error", "FAILED");
    for (query, status, code) in [
        ("plugin_id=nobody&tool=a", 400, "plugin_not_found"),
        ("plugin_id=media&tool=nothing", 400, "tool_not_found"),
        ("plugin_id=media", 400, "tools_unclear"),
        ("plugin_id=media&tool=detect&logical_tool_id=detection", 400, "tools_unclear"),
        ("plugin_id=media&tool=track", 400, "tool_unfit"),
        ("plugin_id=media&tool=say", 400, "tool_unfit"),
        ("plugin_id=import_error&tool=a", 503, "plugin_unavailable"),
        ("tool=detect", 422, "bad_query"),
    ] {
        let refused = image(&server, query);
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (status, &json!(code)),
            "{query}: {}",
            refused.text
        );
    }
    let submit = "/v1/image/submit?plugin_id=media&tool=detect";
    for (part, bytes, status, code) in [
        ("file", MP4, 400, "wrong_medium"),
        ("file", &b""[..], 400, "wrong_medium"),
        ("photo", PNG, 422, "bad_form"),
    ] {
        let refused = form(&server, submit, part, bytes);
        assert_eq!((refused.status, &refused.json()["code"]), (status, &json!(code)), "{}", refused.text);
    }
    assert_eq!(server.post(submit, Some(&json!({}))).status, 415);
    for path in ["submit?plugin_id=media&tool=track", "upload?plugin_id=media"] {
        let refused = form(&server, &format!("/v1/video/{path}"), "file", PNG);
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (400, &json!("wrong_medium")),
            "{}",
            refused.text
        );
    }
    assert_eq!(fs::read_dir(server.data().join("uploads")).unwrap().count(), 0, "nothing of them is kept");
    assert_eq!(server.get("/v1/jobs").json()["count"], 0);
    server.stop();
}

#[test]
fn a_plugin_that_wants_its_image_as_text_is_given_that_with_what_is_usual_beside_it() {
    let serving = Serving::empty();
    class_of(&serving, "forgesyte-media", "reader", "forgesyte", "fs_reader.plugin:Plugin");
    let server = serving.start();
    server.wait_for("reader", "INITIALIZED");
    let read = brought(&server, &id(&image(&server, "plugin_id=reader&tool=read")));
    let text = "iVBORw0KGgphbmQgbW9yZQ==";
    assert_eq!(read["results"]["given"], json!({"image_base64": text, "language": "eng", "psm": 6}));
    server.stop();
}

#[test]
fn a_video_is_a_file_for_its_tools_and_its_frames_come_together() {
    let server = media();
    let one = id(&video(&server, "plugin_id=media&tool=track"));
    let told = brought(&server, &one);
    assert_eq!((&told["job_id"], &told["status"]), (&json!(one), &json!("completed")), "{told:#}");
    assert_eq!((&told["total_frames"], &told["size"]), (&json!(3), &json!(MP4.len())));
    assert_eq!(told["frames"][0], json!({"frame_idx": 1, "boxes": [1]}));
    assert_eq!(server.get(&format!("/v1/jobs/{one}")).json()["job_type"], "video");
    // The two steps of a page: the file first, then the job.
    let kept = form(&server, "/v1/video/upload?plugin_id=media", "file", MP4).json();
    let path = kept["video_path"].as_str().unwrap();
    let job = |path: &str| {
        let body = json!({"plugin_id": "media", "video_path": path, "lockedTools": ["track", "pose"]});
        server.post("/v1/video/job", Some(&body))
    };
    let both = id(&job(path));
    let told = brought(&server, &both);
    assert_eq!(told["frames"].as_array().unwrap().len(), 4, "{told:#}");
    assert_eq!(told["frames"][1], json!({"frame_idx": 2, "track": {"boxes": [2]}, "pose": {"points": [2]}}));
    assert_eq!(server.get(&format!("/v1/jobs/{both}")).json()["job_type"], "video_multi");
    let token = server.data().join("token");
    for wrong in ["uploads/../token", "/etc/passwd", token.to_str().unwrap(), "uploads/x.mp4", "token", ""] {
        let refused = job(wrong);
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("wrong_medium")), "{wrong}");
    }
    server.stop();
}

#[test]
fn a_video_stays_as_long_as_a_job_wants_it_also_across_a_killed_host() {
    let server = media();
    let job = id(&video(&server, "plugin_id=media&tool=wait&tool=track"));
    wait_until("it runs", PATIENCE, || server.get(&format!("/v1/jobs/{job}")).json()["progress"] == 12.5);
    let of = |server: &Server| {
        let job = server.get(&format!("/v1/jobs/{job}")).json();
        job["stages"][0]["args"]["video_path"].as_str().unwrap().to_owned()
    };
    let kept = form(&server, "/v1/video/upload?plugin_id=media", "file", MP4).json();
    let unwanted = server.data().join(kept["video_path"].as_str().unwrap());
    let wanted = of(&server);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&unwanted), mode(unwanted.parent().unwrap())), (0o600, 0o700));
    let long_ago = SystemTime::now() - Duration::from_hours(2);
    for path in [unwanted.as_path(), Path::new(&wanted)] {
        fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    let server = server.killed().start();
    wait_until("what nobody wants is gone", PATIENCE, || !unwanted.exists());
    assert!(Path::new(&wanted).exists());
    fs::write(format!("{wanted}.go"), "").unwrap();
    assert_eq!(brought(&server, &job)["frames"].as_array().unwrap().len(), 3);
    server.stop();
}

#[test]
fn the_list_pages_by_skip_and_a_failed_job_says_why() {
    let server = media();
    let ids: Vec<String> = ["detect", "refuse", "detect"]
        .iter()
        .map(|tool| {
            let id = id(&image(&server, &format!("plugin_id=media&tool={tool}")));
            until(&server, &id, if *tool == "refuse" { "failed" } else { "completed" });
            id
        })
        .collect();
    let page = server.get("/v1/jobs?limit=1&skip=1").json();
    assert_eq!((&page["count"], page["jobs"].as_array().unwrap().len()), (&json!(3), 1));
    let failed = &page["jobs"][0];
    assert_eq!((&failed["job_id"], &failed["plugin"]), (&json!(ids[1]), &json!("media")), "{failed:#}");
    assert_eq!(
        (&failed["error_message"], &failed["result_url"]),
        (&json!("there is nothing to be seen"), &Value::Null)
    );
    assert_eq!((&failed["progress"], &failed["summary"]), (&json!(0.0), &Value::Null));
    assert!(failed["completed_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(server.get(&format!("/v1/jobs/{}/result?mode=stream", ids[1])).status, 404);
    let rest = server.get("/v1/jobs?limit=100&skip=2").json();
    assert_eq!(rest["jobs"][0]["job_id"], json!(ids[0]));
    assert_eq!(server.get("/v1/jobs?limit=0").status, 422);
    assert_eq!(server.get("/v1/jobs?skip=-1").status, 422);
    server.stop();
}

#[test]
fn a_job_is_cancelled_by_deleting_it_and_what_it_held_goes_on_for_others() {
    let server = media();
    let delete = |id: &str| server.send(Method::DELETE, &format!("/v1/jobs/{id}"), None);
    let running = id(&video(&server, "plugin_id=media&tool=wait"));
    wait_until("it said how far it is", PATIENCE, || {
        server.get(&format!("/v1/jobs/{running}")).json()["progress"] == 25.0
    });
    let job = until(&server, &running, "running");
    assert_eq!((&job["current_tool"], &job["tools_completed"]), (&json!("wait"), &json!(0)), "{job:#}");
    assert_eq!(server.get("/v1/jobs").json()["jobs"][0]["progress"], 25.0, "the list says the same");
    let waiting = id(&image(&server, "plugin_id=media&tool=detect"));
    let expected = json!({"job_id": waiting, "status": "failed", "error_message": "Cancelled by user"});
    assert_eq!(delete(&waiting).json(), expected);
    assert_eq!(until(&server, &waiting, "cancelled")["error_message"], "Cancelled by user");
    assert_eq!(delete(&running).status, 200);
    until(&server, &running, "cancelled");
    assert_eq!(delete(&running).status, 409);
    assert_eq!(delete("01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11").status, 404);
    assert_eq!(delete("x").status, 422);
    server.wait_for("media", "INITIALIZED");
    until(&server, &id(&image(&server, "plugin_id=media&tool=detect")), "completed");
    server.stop();
}
