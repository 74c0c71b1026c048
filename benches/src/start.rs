//! Promise 4: a worker starts about as fast as the interpreter alone.

use crate::floor::{bare_start, time_to_end};
use crate::report::{Report, Row, show};
use crate::samples::{Effort, ROUNDS, Rounds, Samples};
use crate::stage::{Flavour, Plugin, Stage};
use anyhow::Result;
use std::time::{Duration, Instant};

/// Parts of a start.
#[derive(Default)]
struct Parts {
    bare: Rounds,
    with_modules: Rounds,
    launch: Rounds,
    import: Rounds,
    whole: Rounds,
}

/// Spawn to ready, next to `python -c pass`; bytecode is there, as it is from the second start on.
pub(crate) fn measure(stage: &Stage, effort: Effort, report: &mut Report) -> Result<()> {
    let count = effort.times(20);
    let mut parts = Parts::default();
    start_once(stage)?;
    for _ in 0..ROUNDS {
        let (mut bare, mut with_modules) = (Samples::default(), Samples::default());
        let mut launch = Samples::default();
        let (mut import, mut whole) = (Samples::default(), Samples::default());
        for _ in 0..count {
            bare.push(bare_start(stage)?);
            with_modules.push(time_to_end(&mut stage.python_with_worker_modules())?);
            launch.push(launch_once(stage)?);
            let (took, imported) = start_once(stage)?;
            whole.push(took);
            import.push(imported);
        }
        parts.bare.keep(bare);
        parts.with_modules.keep(with_modules);
        parts.launch.keep(launch);
        parts.import.keep(import);
        parts.whole.keep(whole);
    }
    let Parts { bare, with_modules, launch, import, whole } = parts;
    let [bare, with_modules, launch, import, whole] =
        [bare, with_modules, launch, import, whole].map(|part| part.best().median());
    report.note(format!(
        "start: a launch through the shim takes {} until the program runs; a bare interpreter takes {} from \
         spawn to its end, and {} with the worker's own modules imported; importing the plugin takes {} (the \
         worker's own figure). The parts overlap and a ready worker has not ended, so they do not add up",
        show(launch),
        show(bare),
        show(with_modules),
        show(import),
    ));
    report.row(Row {
        what: "spawn to ready, trivial plugin".to_owned(),
        bound: "≤ 2.5 × `python3 -c pass`".to_owned(),
        floor: show(bare),
        measured: show(whole),
        ratio: Some(whole.div_duration_f64(bare)),
        met: Some(whole <= bare.mul_f64(2.5)),
    });
    Ok(())
}

/// Until ready, and the part of it that the worker took to import the plugin.
fn start_once(stage: &Stage) -> Result<(Duration, Duration)> {
    let start = stage.start(Plugin::Trivial);
    Flavour::MultiThread.run(async move {
        let started = Instant::now();
        let worker = start.worker().await?;
        let took = started.elapsed();
        let imported = Duration::try_from_secs_f64(worker.ready().import_ms / 1000.0)?;
        worker.kill().await;
        Ok((took, imported))
    })
}

/// Until the shim has started a program.
fn launch_once(stage: &Stage) -> Result<Duration> {
    let (spec, launcher) = (stage.bare_tree("import time; time.sleep(60)"), stage.launcher.clone());
    Flavour::MultiThread.run(async move {
        let started = Instant::now();
        let tree = launcher.launch(spec).await?;
        let took = started.elapsed();
        tree.end().await;
        Ok(took)
    })
}
