//! Each promise about environments, with real interpreters and real installers.

mod support;

use std::time::{Duration, Instant};

use hardpoint_env::{EnvError, EnvEvent, EnvStore, Requirements, Settings};

use support::{Place, ensure, lines, python, request, with_uv};

/// Settings with which neither an installer nor a package index can be reached.
fn cut_off(place: &Place) -> Settings {
    let python = support::real_python();
    Settings::from_process()
        .with("HARDPOINT_PYTHON", python)
        .with("PATH", "/nowhere")
        .with("HARDPOINT_UV", place.path().join("no-uv"))
        .with("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        .with("PIP_FIND_LINKS", "")
}

#[tokio::test]
async fn an_environment_without_requirements_starts_no_installer_and_is_quick() {
    let place = Place::new();
    let store = place.store(cut_off(&place));
    let (first, events) = ensure(&store, &request(&[])).await;
    let first = first.unwrap();
    assert!(first.built);
    assert!(lines(&events).is_empty(), "{events:?}");
    let EnvEvent::Ready { seconds, reused: false } = events[events.len() - 1] else { panic!("{events:?}") };
    assert!(seconds < 5.0, "{seconds} s");
    assert_eq!(python(&first, "import sys; print(sys.prefix != sys.base_prefix)"), "True");
    assert!(!place.path().join("data/tools/uv").exists());

    let (second, _) = ensure(&store, &request(&[])).await;
    assert_eq!(second.unwrap().python, first.python);
}

#[tokio::test]
async fn a_package_from_the_index_is_installed_once_and_reused_offline() {
    let place = Place::new();
    let (first, events) = ensure(&place.store(with_uv().await), &request(&["six>=1.16"])).await;
    let first = first.unwrap();
    assert!(first.built && !lines(&events).is_empty());
    assert_eq!(python(&first, "import six; print(six.PY3)"), "True");

    let started = Instant::now();
    let (second, events) = ensure(&place.store(cut_off(&place)), &request(&["six>=1.16"])).await;
    let second = second.unwrap();
    assert_eq!((second.built, &second.python), (false, &first.python));
    assert!(lines(&events).is_empty(), "{events:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn pip_steps_in_where_there_is_no_uv() {
    let place = Place::new();
    let settings = Settings::from_process().with("HARDPOINT_UV", place.path().join("no-uv"));
    let (environment, events) = ensure(&place.store(settings), &request(&[&place.wheel("small_one")])).await;
    assert_eq!(python(&environment.unwrap(), "import small_one; print(small_one.ANSWER)"), "42");
    assert!(lines(&events).iter().any(|line| line.contains("using pip")), "{events:?}");
}

#[tokio::test]
async fn pip_steps_in_where_uv_cannot_reach_the_index() {
    let place = Place::new();
    let uv = support::with_uv().await;
    let settings = uv.with("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple").with("UV_HTTP_RETRIES", "0");
    let (environment, events) = ensure(&place.store(settings), &request(&["six"])).await;
    assert_eq!(python(&environment.unwrap(), "import six; print(six.PY3)"), "True");
    assert!(lines(&events).iter().any(|line| line.contains("trying pip")), "{events:?}");
}

#[tokio::test]
async fn a_failed_installation_tells_the_lines_and_leaves_the_old_environment_working() {
    let place = Place::new();
    let store = place.store(with_uv().await);
    let wheel = place.wheel("small_two");
    let old = ensure(&store, &request(&[&wheel])).await.0.unwrap();

    std::fs::write(wheel.split_once("file://").unwrap().1, "no wheel any more").unwrap();
    let mut again = request(&[&wheel]);
    again.rebuild = true;
    let (failed, _) = ensure(&store, &again).await;
    let error = failed.unwrap_err();
    let EnvError::Install { command, tail, .. } = &error else { panic!("{error}") };
    assert!(command.contains("pip install") && !tail.is_empty() && tail.len() <= 30, "{error}");
    assert!(error.to_string().contains("plugin `echo`"), "{error}");
    assert!(!error.hint().is_empty());

    let (kept, _) = ensure(&store, &request(&[&wheel])).await;
    let kept = kept.unwrap();
    assert_eq!((kept.built, &kept.python), (false, &old.python));
    assert_eq!(python(&kept, "import small_two; print(small_two.ANSWER)"), "42");
    assert_eq!(place.builds().len(), 1, "{:?}", place.builds());
}

#[tokio::test]
async fn a_package_that_does_not_exist_has_a_remedy() {
    let place = Place::new();
    let store = place.store(with_uv().await);
    let error = ensure(&store, &request(&["six==99.99"])).await.0.unwrap_err();
    assert!(error.hint().contains("names and versions"), "{error}\n{}", error.hint());
    assert!(place.builds().is_empty());
}

#[tokio::test]
async fn a_rebuild_switches_while_the_old_path_stays_valid() {
    let place = Place::new();
    let store = place.store(Settings::from_process());
    let old = ensure(&store, &request(&[])).await.0.unwrap();
    let mut again = request(&[]);
    again.rebuild = true;
    let new = ensure(&store, &again).await.0.unwrap();
    assert_ne!(old.python, new.python);
    assert_eq!(python(&old, "print(1)"), "1");
    ensure(&store, &again).await.0.unwrap();
    assert_eq!(place.builds().len(), 2, "the build before the last is swept");
}

#[tokio::test]
async fn two_hosts_at_once_build_once() {
    let place = Place::new();
    let settings = with_uv().await;
    let wheel = place.wheel("small_three");
    // Two stores are two hosts: they share nothing but the disk.
    let (one, two) = (place.store(settings.clone()), place.store(settings));
    let wanted = request(&[&wheel]);
    let ((first, told_first), (second, told_second)) =
        tokio::join!(ensure(&one, &wanted), ensure(&two, &wanted));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.python, second.python);
    assert_ne!(first.built, second.built);
    let own = Some(std::process::id());
    let seen = told_first.iter().chain(&told_second).any(|event| *event == EnvEvent::Waiting { pid: own });
    assert!(seen, "{told_first:?} {told_second:?}");
}

#[tokio::test]
async fn a_lock_file_is_installed_as_it_is() {
    let place = Place::new();
    let mut wanted = request(&[]);
    wanted.requirements = Requirements::Lock(format!("# pinned\n{}\n", place.wheel("small_four")));
    let (environment, _) = ensure(&place.store(with_uv().await), &wanted).await;
    assert_eq!(python(&environment.unwrap(), "import small_four; print(small_four.ANSWER)"), "42");
}

#[tokio::test]
async fn a_missing_interpreter_names_what_was_found_and_the_remedy() {
    let place = Place::new();
    let broken = place.program("python3", "exit 127");
    std::os::unix::fs::symlink(support::real_python(), place.path().join("python")).unwrap();
    let settings =
        Settings::from_process().without("HARDPOINT_PYTHON").with("PATH", place.path().as_os_str());
    let mut wanted = request(&[]);
    wanted.requires = ">=3.99".to_owned();
    let error = ensure(&place.store(settings), &wanted).await.0.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("plugin `echo` needs Python >=3.99: found "), "{text}");
    assert!(text.contains(&format!(" at {}", place.path().join("python").display())), "{text}");
    assert!(text.contains(&format!("{} (exited with code 127)", broken.display())), "{text}");
    assert!(error.hint().contains("HARDPOINT_PYTHON"), "{}", error.hint());

    // The one that was named is the only one that is looked at.
    let named = Settings::from_process().with("HARDPOINT_PYTHON", "/nowhere/python");
    let text = ensure(&place.store(named), &request(&[])).await.0.unwrap_err().to_string();
    assert!(text.contains("found /nowhere/python (No such file"), "{text}");

    wanted.requires = "3.9".to_owned();
    let error = ensure(&place.store(Settings::from_process()), &wanted).await.0.unwrap_err();
    assert!(matches!(error, EnvError::Requires { .. }), "{error}");
}

#[tokio::test]
async fn a_dropped_build_leaves_no_process() {
    let place = Place::new();
    let pid = place.path().join("pid");
    let slow = place.program("slow-uv", &format!("sleep 300 & echo $! > {}; wait", pid.display()));
    let store = place.store(Settings::from_process().with("HARDPOINT_UV", slow));
    let wanted = request(&["six"]);
    let building = store.ensure(&wanted, |_| {});
    let begun = async {
        while !std::fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        result = building => panic!("{result:?}"),
        () = begun => {}
    }
    let pid = std::fs::read_to_string(&pid).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while support::runs(pid.trim()) {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn the_future_can_be_spawned() {
    fn spawnable<T: Send>(_: T) {}
    let place = Place::new();
    let store: EnvStore = place.store(Settings::from_process());
    let wanted = request(&[]);
    spawnable(store.ensure(&wanted, |_| {}));
}

#[tokio::test]
async fn an_environment_that_is_there_is_used_as_it_is() {
    let place = Place::new();
    let store = place.store(cut_off(&place));
    let venv = place.path().join("own");
    let made = std::process::Command::new(support::real_python())
        .args(["-I", "-m", "venv", "--without-pip"])
        .arg(&venv)
        .status();
    assert!(made.unwrap().success());
    for given in [venv.clone(), venv.join("bin/python")] {
        let mut wanted = request(&[]);
        wanted.given = Some(given);
        let (environment, events) = ensure(&store, &wanted).await;
        let environment = environment.unwrap();
        assert_eq!((environment.built, &environment.python), (false, &venv.join("bin/python")));
        assert_eq!(python(&environment, "import sys; print(sys.prefix)"), venv.display().to_string());
        assert!(lines(&events).is_empty() && place.builds().is_empty(), "{events:?}");
        assert_eq!(store.existing(&wanted).await, Some(environment));
    }
}

#[tokio::test]
async fn an_environment_that_cannot_be_used_is_told_with_its_remedy() {
    let place = Place::new();
    let store = place.store(cut_off(&place));
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let broken = place.program("broken", "echo no such luck >&2; exit 3");
    for (given, requires, said, remedy) in [
        (
            "/nowhere/env".into(),
            "",
            "cannot use the environment /nowhere/env: it is not there",
            "`python3 -m venv /nowhere/env`",
        ),
        (
            "/nowhere/env/bin/python".into(),
            "",
            "/nowhere/env/bin/python: it is not there",
            "`python3 -m venv /nowhere/env`",
        ),
        (
            "/usr/bin/python3.1".into(),
            "",
            "/usr/bin/python3.1: it is not there",
            "install the Python /usr/bin/python3.1",
        ),
        (empty, "", "there is no `bin/python` in it", "`environment` under `[python]`"),
        (broken, "", "its Python exited with code 3: no such luck", "-I -c 1"),
        (support::real_python().into(), ">=3.99", "needed is >=3.99", "`requires`"),
    ] {
        let mut wanted = request(&[]);
        (wanted.given, wanted.requires) = (Some(given), requires.to_owned());
        let error = ensure(&store, &wanted).await.0.unwrap_err();
        assert!(matches!(error, EnvError::Given { .. }), "{error}");
        assert!(
            error.to_string().contains(said) && error.hint().contains(remedy),
            "{error}\n{}",
            error.hint()
        );
        assert!(store.existing(&wanted).await.is_none());
    }
}
