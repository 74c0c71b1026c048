//! What a worker gets of its host: four descriptors, an allowed environment, a folder of its own for
//! temporary files, a name that tells what it is. Nothing else.

use crate::support::{TestHost, request};
use serde_json::{Value, json};
use std::fs::File;
use std::time::Duration;

const STOP: Duration = Duration::from_secs(5);

async fn ask(host: &TestHost, plugin: &str, tool: &str) -> Value {
    let worker = host.worker(plugin).await;
    let answer = worker.call(request(tool, json!({}))).await.unwrap().unwrap();
    worker.stop(STOP).await;
    answer.result.value
}

#[tokio::test]
async fn no_descriptor_of_the_host_reaches_a_worker() {
    // A careless ancestor left this open for everybody who is executed.
    let careless = File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&careless, rustix::io::FdFlags::empty()).unwrap();
    let fds = ask(&TestHost::new(), "well", "fds").await;
    for fd in fds.as_array().unwrap() {
        let target = fd.as_str().unwrap().split(" -> ").nth(1).unwrap();
        let own =
            ["/dev/null", "pipe:", "socket:", "anon_inode:"].iter().any(|kind| target.starts_with(kind));
        assert!(own, "the worker inherited {fd}");
    }
    let sockets =
        fds.as_array().unwrap().iter().filter(|fd| fd.as_str().unwrap().contains("socket:")).count();
    assert_eq!(sockets, 1, "{fds}");
}

#[tokio::test]
async fn only_allowed_variables_reach_a_worker() {
    let host = TestHost::new();
    let mut spec = host.spec("well");
    spec.env.insert("OWN_SETTING".to_owned(), "yes".to_owned());
    let worker = host.start(spec).await.unwrap();
    let env = worker.call(request("env", json!({}))).await.unwrap().unwrap().result.value;
    worker.stop(STOP).await;
    assert_eq!(env["OWN_SETTING"], "yes");
    // Cargo sets these for a test; they are the host's business.
    for name in env.as_object().unwrap().keys() {
        assert!(!name.starts_with("CARGO"), "the worker sees {name}");
    }
    let temp = env["TMPDIR"].as_str().unwrap();
    assert!(temp.contains("scratch"), "{temp}");
    assert!(!std::path::Path::new(temp).exists(), "its temporary files went with it");
}

#[tokio::test]
async fn files_and_shared_memory_that_a_plugin_leaves_go_with_it() {
    let host = TestHost::new();
    for crash in [false, true] {
        let before = shared_memory();
        let worker = host.worker("leaves_files").await;
        let tool = if crash { "litter_and_crash" } else { "litter" };
        let ended = worker.call(request(tool, json!({}))).await;
        assert_eq!(ended.is_err(), crash);
        worker.stop(STOP).await;
        TestHost::assert_nothing_left();
        let left: Vec<String> = shared_memory().into_iter().filter(|name| !before.contains(name)).collect();
        assert_eq!(left, Vec::<String>::new(), "shared memory is left");
    }
}

fn shared_memory() -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").unwrap().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_worker_and_its_shim_tell_in_the_process_list_what_they_are() {
    let host = TestHost::new();
    let worker = host.worker("well").await;
    let line = |pid: u32| {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
    };
    assert_eq!(line(worker.pid()), "hardpoint: well");
    let shims = hardpoint_process::Process::own().children();
    assert!(shims.iter().any(|shim| line(shim.0).starts_with("hardpoint: well (shim)")), "{shims:?}");
    let cwd = std::fs::read_link(format!("/proc/{}/cwd", worker.pid())).unwrap();
    assert!(cwd.ends_with("tests/plugins/well"), "{}", cwd.display());
    worker.stop(STOP).await;
}
