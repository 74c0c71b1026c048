//! Engine and jobs in this process, on a folder of their own.
//!
//! Owns their start and their end, and the ways to hear of a job. Must not measure anything.

use super::disk;
use crate::stage::root;
use anyhow::{Context as _, Result, bail, ensure};
use hardpoint_engine::jobs::{Document, Followed, Following, JobSettings, Jobs, Submission, Work};
use hardpoint_engine::{Catalog, Decisions, Engine, Settings, Starter};
use hardpoint_model::PluginState;
use hardpoint_model::job::{EventKind, JobId, JobStatus};
use hardpoint_store::Store;
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// The plugin that does nothing, as often at once as its manifest says.
pub(super) const NOOP: &str = "noop";
/// The same under another name, with a single place.
pub(super) const PARKED: &str = "parked";
/// Jobs at once, over all plugins: no bound for these.
const RUNNING_MAX: usize = 1024;
/// The first start makes an environment.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// A host to be: its folder, with the plugins in it, and a database that may be filled before the start.
pub(super) struct Ground {
    folder: TempDir,
}

/// A host that lives.
pub(super) struct Host {
    pub(super) jobs: Jobs,
    engine: Engine,
    turns: JoinHandle<()>,
    loops: JoinHandle<()>,
}

impl Ground {
    pub(super) fn lay() -> Result<Self> {
        let (folder, from) = (disk::folder()?, root().join("benches/plugins/noop"));
        let manifest = fs::read_to_string(from.join("hardpoint.toml"))?;
        for (name, concurrency) in [(NOOP, "128"), (PARKED, "1")] {
            let to = folder.path().join("plugins").join(name);
            fs::create_dir_all(&to)?;
            fs::copy(from.join("plugin.py"), to.join("plugin.py"))?;
            let manifest = manifest.replace("\"noop\"", &format!("\"{name}\"")).replace("128", concurrency);
            fs::write(to.join("hardpoint.toml"), manifest)?;
        }
        fs::create_dir_all(folder.path().join("data"))?;
        Ok(Self { folder })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) async fn start(&self) -> Result<Host> {
        let starter = Starter::open(&self.data())?;
        let catalog = Catalog::read(&self.folder.path().join("plugins"))?;
        let store = Store::open(&self.data())?;
        let decisions = Decisions::read(store.clone()).await?;
        let (engine, loops) = Engine::start(Settings::default(), &catalog, starter, decisions);
        let settings = JobSettings { running_max: RUNNING_MAX, ..JobSettings::default() };
        let (jobs, turns) = Jobs::start(engine.clone(), store, settings).await?;
        for name in [NOOP, PARKED] {
            engine.until_settled(name, READY_WITHIN).await;
            let plugin = engine.plugin(name).map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
            let up = matches!(plugin.state(), PluginState::Initialized | PluginState::Running);
            ensure!(up, "plugin {name} is {:?}: {:?}", plugin.state(), plugin.reason());
        }
        Ok(Host { jobs, engine, turns, loops })
    }
}

impl Host {
    /// Hands in a job. When this returns, it is on disk.
    pub(super) async fn submit(&self, work: Work) -> Result<JobId> {
        submit(&self.jobs, work).await
    }

    /// The clock of the tool `now` when the job was in it, in nanoseconds.
    pub(super) async fn begun_ns(&self, job: JobId) -> Result<u64> {
        let output = self.jobs.output(job, 0).await?.with_context(|| format!("job {job} brought nothing"))?;
        output.value.as_u64().with_context(|| format!("job {job} brought {}", output.value))
    }

    /// Nothing that runs is waited for.
    pub(super) async fn stop(self) -> Result<()> {
        self.engine.drain();
        self.jobs.stop(Duration::ZERO).await;
        self.turns.await?;
        self.engine.stop().await;
        self.loops.await?;
        Ok(())
    }
}

pub(super) async fn submit(jobs: &Jobs, work: Work) -> Result<JobId> {
    Ok(jobs.submit(Submission { work, priority: 0, idempotency_key: None }).await?)
}

/// One tool without arguments.
pub(super) fn tool(plugin: &str, tool: &str) -> Result<Work> {
    Ok(Work::Tool { plugin: plugin.parse()?, tool: tool.to_owned(), args: Document::new() })
}

/// Waits for the next job to end, which must be well; its id.
pub(super) async fn next_end(events: &mut Following) -> Result<JobId> {
    loop {
        let Followed::Event(event) = events.next().await?.context("the host is stopping")? else { continue };
        if let EventKind::StateTransition { to, .. } = event.kind
            && to.is_terminal()
        {
            if to != JobStatus::Completed {
                bail!("job {} is {to}", event.job_id);
            }
            return Ok(event.job_id);
        }
    }
}

/// The runtime of a server.
pub(super) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// The clock that all processes of a machine share, in nanoseconds.
pub(super) fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
