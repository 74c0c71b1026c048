//! A host that is killed while it builds leaves nothing that the next one stumbles over.

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Place, ensure, python, request, with_uv};

const DATA: &str = "HARDPOINT_ENV_TEST_DATA";
const WHEEL: &str = "HARDPOINT_ENV_TEST_WHEEL";

/// Not a test by itself: the host that is killed. It builds with the settings of its environment.
#[tokio::test]
#[ignore = "started by the test below"]
async fn a_host_that_builds() {
    let (Some(data), Ok(wheel)) = (std::env::var_os(DATA), std::env::var(WHEEL)) else { return };
    let store = hardpoint_env::EnvStore::open(data.as_ref(), support::launcher(data.as_ref())).unwrap();
    let _ = ensure(&store, &request(&[&wheel])).await;
}

#[tokio::test]
async fn a_killed_build_is_swept_and_built_again() {
    let place = Place::new();
    let settings = with_uv().await;
    let wheel = place.wheel("small_five");
    let pid = place.path().join("pid");
    // The real uv makes the environment; the installation of packages hangs, and is where the kill hits.
    let slow = place.program(
        "slow-uv",
        &format!(
            "if [ \"$1\" = venv ]; then exec {} \"$@\"; fi\necho $$ > {}\nexec sleep 300",
            support::uv_of(&settings),
            pid.display()
        ),
    );
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_host_that_builds"])
        .env(DATA, place.path().join("data"))
        .env(WHEEL, &wheel)
        .env("HARDPOINT_UV", slow)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
        assert!(Instant::now() < deadline && host.try_wait().unwrap().is_none(), "the build never began");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let pid = std::fs::read_to_string(&pid).unwrap();
    let gone = Instant::now() + Duration::from_secs(5);
    while support::runs(pid.trim()) {
        assert!(Instant::now() < gone, "the installer {pid} outlived its host");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let dead = place.builds();
    assert_eq!(dead.len(), 1);

    let (environment, _) = ensure(&place.store(settings), &request(&[&wheel])).await;
    let environment = environment.unwrap();
    assert!(environment.built);
    assert_eq!(python(&environment, "import small_five; print(small_five.ANSWER)"), "42");
    let left = place.builds();
    assert!(left.len() == 1 && left != dead, "{left:?}");
}
