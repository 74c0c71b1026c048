//! Interpreters and uv. Pure: the survey is the environments' own.

use super::Finding;
use hardpoint_env::{Candidate, Interpreter, Survey, Uv};
use serde_json::{Value, json};

pub(super) fn python(survey: &Survey) -> Finding {
    const NAME: &str = "python";
    let of = |candidate: &Candidate| match &candidate.answer {
        Ok(python) => json!({"path": candidate.path, "executable": python.executable,
            "version": python.version, "usable": candidate.usable}),
        Err(why) => json!({"path": candidate.path, "trouble": why, "usable": false}),
    };
    let facts: Vec<Value> = survey.interpreters.iter().map(of).collect();
    let facts = json!({"interpreters": facts, "named": survey.is_named});
    let usable: Vec<&Interpreter> = survey
        .interpreters
        .iter()
        .filter(|candidate| candidate.usable)
        .filter_map(|candidate| candidate.answer.as_ref().ok())
        .collect();
    let Some(default) = usable.first() else {
        let (what, remedy) = none(survey);
        return Finding::problem(NAME, what, remedy).with(facts);
    };
    let mut others: Vec<&str> = Vec::new();
    for python in &usable {
        if python.executable != default.executable && !others.contains(&python.version.as_str()) {
            others.push(&python.version);
        }
    }
    let others = if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
    let what = format!("Python {} at {}{others}", default.version, default.executable.display());
    Finding::ok(NAME, what).with(facts)
}

fn none(survey: &Survey) -> (String, String) {
    let tried: Vec<String> = survey
        .interpreters
        .iter()
        .map(|candidate| match &candidate.answer {
            Ok(python) => format!("{} is Python {}", candidate.path.display(), python.version),
            Err(why) => format!("{}: {why}", candidate.path.display()),
        })
        .collect();
    let remedy = if survey.is_named {
        "name a Python of version 3.9 or newer in HARDPOINT_PYTHON, or unset it"
    } else {
        "install Python 3.9 or newer and put it on PATH, or name it in HARDPOINT_PYTHON"
    };
    let tried = if tried.is_empty() { String::new() } else { format!(" ({})", tried.join(", ")) };
    (format!("no Python of version 3.9 or newer{tried}"), remedy.to_owned())
}

pub(super) fn uv(uv: &Uv) -> Finding {
    const NAME: &str = "uv";
    match uv {
        Uv::NotAProgram(path) => Finding::warning(
            NAME,
            format!(
                "HARDPOINT_UV names {}, which is no program: pip is used, which is slower",
                path.display()
            ),
            "name uv itself in HARDPOINT_UV, or unset it",
        )
        .with(json!({"path": path})),
        Uv::Found { path, version: Ok(version), own } => {
            let whose = if *own { ", installed by Hardpoint" } else { "" };
            let facts = json!({"path": path, "version": version, "own": own});
            Finding::ok(NAME, format!("uv {version} at {}{whose}", path.display())).with(facts)
        }
        Uv::Found { path, version: Err(why), own } => {
            let remedy = if *own {
                "remove `tools` from the data folder: uv is then installed anew"
            } else {
                "install uv anew, or take it off PATH: Hardpoint then installs its own"
            };
            let facts = json!({"path": path, "trouble": why, "own": own});
            Finding::warning(NAME, format!("{} {why}", path.display()), remedy).with(facts)
        }
        Uv::ToInstall => Finding::ok(NAME, "not there: it is installed when the first packages are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::doctor::Level;

    fn candidate(path: &str, version: Option<&str>, usable: bool) -> Candidate {
        let interpreter = |version: &str| Interpreter {
            executable: format!("/real{path}").into(),
            version: version.to_owned(),
            implementation: "cpython".to_owned(),
            platform: "linux".to_owned(),
            soabi: None,
        };
        let answer = version.map(interpreter).ok_or_else(|| "exited with code 1".to_owned());
        Candidate { path: path.into(), answer, usable }
    }

    #[test]
    fn the_first_usable_python_is_the_default() {
        let interpreters = vec![
            candidate("/old", Some("3.6.1"), false),
            candidate("/a", Some("3.11.7"), true),
            candidate("/broken", None, false),
            candidate("/b", Some("3.12.1"), true),
        ];
        let found = python(&Survey { interpreters, is_named: false, uv: Uv::ToInstall });
        assert_eq!((found.level, found.what.as_str()), (Level::Ok, "Python 3.11.7 at /real/a; also 3.12.1"));
    }

    #[test]
    fn without_a_usable_python_nothing_can_run() {
        let interpreters = vec![candidate("/old", Some("3.6.1"), false), candidate("/broken", None, false)];
        let found = python(&Survey { interpreters, is_named: true, uv: Uv::ToInstall });
        let expected =
            "no Python of version 3.9 or newer (/old is Python 3.6.1, /broken: exited with code 1)";
        assert_eq!((found.level, found.what.as_str()), (Level::Problem, expected));
        assert!(found.remedy.unwrap().contains("HARDPOINT_PYTHON"));
    }

    #[test]
    fn a_uv_that_does_not_work_is_a_warning_and_none_is_none() {
        let found = |version| Uv::Found { path: "/uv".into(), version, own: false };
        assert_eq!(uv(&found(Ok("0.9".to_owned()))).what, "uv 0.9 at /uv");
        assert_eq!(uv(&found(Err("exited with code 1".to_owned()))).level, Level::Warning);
        assert_eq!(uv(&Uv::NotAProgram("/uv".into())).level, Level::Warning);
        assert_eq!(uv(&Uv::ToInstall).level, Level::Ok);
    }
}
