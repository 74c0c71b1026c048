//! Promise: a plugin that was written for another host costs hardly more per call than one for this host, and much
//! less than at its own.
//!
//! Owns the echo of each dialect and the original host of one of them. Must not know how a dialect works.

use crate::calls::warm_calls;
use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS_OF_CALLS, Rounds, Samples};
use crate::stage::{self, Flavour, Plugin, Stage, root};
use anyhow::{Context as _, Result, ensure};
use hardpoint_supervisor::CallRequest;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const TEXT_BYTES: usize = 1024;
/// Of the native plugin's time.
const RATIO_MAX: f64 = 1.2;

const NATIVE: Plugin = Plugin::Echo { dialect: "native", entry: "echo_native:Echo" };
const CJM: Plugin = Plugin::Echo { dialect: "cjm", entry: "echo_cjm:Echo" };
const FORGESYTE: Plugin = Plugin::Echo { dialect: "forgesyte", entry: "echo_forgesyte:Plugin" };

/// The same echo in each dialect, then the original host of one of them.
pub(crate) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let count = effort.times(2000);
    let mut rounds = [("native", NATIVE, "echo"), ("cjm", CJM, "execute"), ("forgesyte", FORGESYTE, "echo")]
        .map(|(dialect, plugin, tool)| (dialect, stage.start(plugin), tool, Rounds::default()));
    for _ in 0..ROUNDS_OF_CALLS {
        for (_, start, tool, rounds) in &mut rounds {
            rounds.keep(Flavour::CurrentThread.run(warm_calls(start.clone(), echo(tool), count))?);
        }
    }
    let [(_, _, _, native), foreign @ ..] = &rounds;
    let native = native.best().median();
    for (dialect, _, _, rounds) in foreign {
        let p50 = rounds.best().median();
        report.row(Row {
            what: format!("warm call, 1 KB, dialect {dialect}: p50"),
            bound: format!("≤ {RATIO_MAX} × the same in the native dialect"),
            floor: show(native),
            measured: show(p50),
            ratio: Some(p50.div_duration_f64(native)),
            met: Some(p50 <= native.mul_f64(RATIO_MAX)),
        });
    }
    beside_the_original(stage, effort, report);
    Ok(())
}

fn echo(tool: &str) -> CallRequest {
    CallRequest { tool: tool.to_owned(), ..stage::echo(TEXT_BYTES) }
}

/// The same source in the same environment, here and on the host that it was written for, turn by turn.
fn beside_the_original(stage: &Stage, effort: Effort, report: &mut Report) {
    let found = original(stage).and_then(|python| {
        let mut ours = Rounds::default();
        let mut theirs = [("", Rounds::default()), ("--no-records", Rounds::default())];
        for _ in 0..3 {
            let start = stage.start_with(&python, CJM);
            ours.keep(Flavour::CurrentThread.run(warm_calls(start, echo("execute"), effort.times(2000)))?);
            for (flag, rounds) in &mut theirs {
                rounds.keep(original_calls(&python, effort.times(200), flag)?);
            }
        }
        Ok((ours.best().median(), theirs.map(|(flag, rounds)| (flag, rounds.best().median()))))
    });
    let row = |kind: &str, floor, measured, ratio| Row {
        what: format!("execute, 1 KB, cjm-plugin-system 0.0.34{kind}: p50"),
        bound: "none: for comparison".to_owned(),
        floor,
        measured,
        ratio,
        met: None,
    };
    match found {
        Ok((ours, theirs)) => {
            for (flag, p50) in theirs {
                let kind = if flag.is_empty() { "" } else { ", its records of use switched off" };
                let floor = format!("{} (ours)", show(ours));
                report.row(row(kind, floor, show(p50), Some(p50.div_duration_f64(ours))));
            }
        }
        Err(reason) => report.row(row("", "–".to_owned(), format!("skipped: {reason:#}"), None)),
    }
}

fn original_calls(python: &Path, count: u32, flag: &str) -> Result<Samples> {
    let folder = tempfile::Builder::new().prefix("hardpoint-bench-cjm-").tempdir()?;
    let mut command = Command::new(python);
    command.arg(root().join("benches/cjm_calls.py")).arg("--folder").arg(folder.path());
    command.arg("--plugins").arg(root().join("benches/plugins/echoes"));
    command.args(["--calls", &count.to_string(), "--bytes", &TEXT_BYTES.to_string()]);
    command.args(Some(flag).filter(|flag| !flag.is_empty()));
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    ensure!(output.status.success(), "benches/cjm_calls.py ended with {}", output.status);
    // Plugins of the original share its standard output: the last line is the answer.
    let last = output.stdout.trim_ascii_end().rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let said: Value = serde_json::from_slice(last)?;
    let seconds = said.get("seconds").and_then(Value::as_array).context("it told no times")?;
    Ok(seconds.iter().filter_map(Value::as_f64).map(Duration::from_secs_f64).collect())
}

/// An interpreter that knows the original host; it needs Python 3.12.
fn original(stage: &Stage) -> Result<PathBuf> {
    let folder = root().join("target/bench-cjm");
    let python = folder.join("bin/python");
    let done = |command: &mut Command| {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    if done(Command::new(&python).args(["-c", "import cjm_plugin_system.core.manager"])) {
        return Ok(python);
    }
    let new_enough = ["-c", "import sys; sys.exit(sys.version_info < (3, 12))"];
    let candidates = [stage.python.clone(), "python3.12".into(), "python3.13".into(), "python3.14".into()];
    let base = candidates.into_iter().find(|python| done(Command::new(python).args(new_enough)));
    let base = base.context("cjm-plugin-system needs Python 3.12 or newer")?;
    ensure!(done(Command::new(&base).args(["-m", "venv"]).arg(&folder)), "no environment can be made");
    let wanted = root().join("benches/cjm-requirements.txt");
    let install = ["-m", "pip", "install", "--quiet", "-r"];
    ensure!(
        done(Command::new(&python).args(install).arg(&wanted)),
        "cjm-plugin-system cannot be installed; `target/bench-cjm/bin/python -m pip install -r benches/cjm-requirements.txt` says why"
    );
    Ok(python)
}
