//! The inside of a host: engine and jobs on a store, put together in order and taken apart in order.
//!
//! Owns that order, which `serve` and `run` have in common. Must not know doors, signals or the terminal.
//!
//! ```text
//! engine -> store is there -> jobs        drain -> jobs.stop -> engine.stop
//! ```

use crate::failure::Failure;
use hardpoint_engine::jobs::{JobSettings, Jobs};
use hardpoint_engine::{Catalog, Decisions, Engine, Settings, Starter};
use hardpoint_store::Store;
use std::time::Duration;
use tokio::task::JoinHandle;

/// What a host is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) starter: Starter,
    pub(crate) catalog: Catalog,
    pub(crate) engine: Settings,
    pub(crate) decisions: Decisions,
    pub(crate) jobs: JobSettings,
}

/// A host that runs.
#[derive(Debug)]
pub(crate) struct Assembly {
    pub(crate) engine: Engine,
    pub(crate) jobs: Jobs,
    store: Store,
    engine_loop: JoinHandle<()>,
    jobs_loop: JoinHandle<()>,
}

impl Assembly {
    /// Begins to start the plugins of the catalog, and takes up the jobs of the store as soon as that is there.
    pub(crate) async fn start(
        parts: Parts,
        store: impl Future<Output = Result<Store, Failure>>,
    ) -> Result<Self, Failure> {
        let Parts { starter, catalog, engine, decisions, jobs } = parts;
        let (engine, engine_loop) = Engine::start(engine, &catalog, starter, decisions);
        let begun = async {
            let store = store.await?;
            let (jobs, jobs_loop) = Jobs::start(engine.clone(), store.clone(), jobs).await?;
            Ok((store, jobs, jobs_loop))
        };
        match begun.await {
            Ok((store, jobs, jobs_loop)) => Ok(Self { engine, jobs, store, engine_loop, jobs_loop }),
            Err(failure) => {
                engine.stop().await;
                let _ = engine_loop.await;
                Err(failure)
            }
        }
    }

    /// Lets what runs end for at most `drain`, `beside` meanwhile, and then ends every worker. What still runs then is
    /// taken up by the next host on this store, which is given back.
    pub(crate) async fn stop(self, drain: Duration, beside: impl Future<Output = ()>) -> Store {
        self.engine.drain();
        tokio::join!(beside, self.jobs.stop(drain));
        let _ = self.jobs_loop.await;
        tracing::info!("stopping: workers are ended");
        self.engine.stop().await;
        let _ = self.engine_loop.await;
        self.store
    }
}
