//! What a worker is: program, plugin, bounds. Filled in by whoever read the manifest.
//!
//! Plain data; owns nothing at run time.

use crate::ladder::Grace;
use crate::limits::{CALL_TIMEOUT, CALL_TIMEOUT_MAX, MEMORY_BYTES_MAX, STARTUP_TIMEOUT};
use crate::output::Captured;
use hardpoint_model::Secret;
use hardpoint_model::plugin_config::{Layers, UnknownKeys};
use hardpoint_wire::{PluginRef, ToolInfo};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The program that speaks the worker protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Absolute path.
    pub path: PathBuf,
    /// Arguments, without the program itself.
    pub args: Vec<String>,
}

/// How much a worker may take.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// From spawn until the plugin is validated.
    pub startup: Duration,
    /// Per call, when nothing more particular is known.
    pub call: Duration,
    /// Per call of one tool.
    pub tools: BTreeMap<String, Duration>,
    /// Memory of the whole process tree.
    pub memory_bytes: u64,
    /// Calls that run at once.
    pub concurrency: u32,
    /// The kill ladder's times.
    pub grace: Grace,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            startup: STARTUP_TIMEOUT,
            call: CALL_TIMEOUT,
            tools: BTreeMap::new(),
            memory_bytes: MEMORY_BYTES_MAX,
            concurrency: 1,
            grace: Grace::default(),
        }
    }
}

impl Bounds {
    /// Takes over the timeouts that tools declare for themselves, where the manifest says nothing.
    pub(crate) fn adopt(&mut self, tools: &[ToolInfo]) {
        for tool in tools {
            let declared = tool.timeout_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            if let Some(timeout) = declared.filter(|timeout| !timeout.is_zero()) {
                self.tools.entry(tool.name.clone()).or_insert(timeout.min(CALL_TIMEOUT_MAX));
            }
        }
    }
}

/// One worker to be.
#[derive(Debug, Clone)]
pub struct WorkerSpec {
    /// The program.
    pub program: Program,
    /// The plugin it loads.
    pub plugin: PluginRef,
    /// Environment variables on top of the allowed ones.
    pub env: BTreeMap<String, String>,
    /// Variables that nobody else may see, over `env`. They are handed over on the worker's own socket.
    pub secrets: BTreeMap<String, Secret>,
    /// What was said about its configuration: with the defaults of its schema it is given to `initialize`.
    pub config: Layers,
    /// What becomes of keys that the schema does not know.
    pub unknown_keys: UnknownKeys,
    /// How much it may take.
    pub bounds: Bounds,
    /// Where what it prints goes; one that is shared outlives the worker.
    pub output: Captured,
}

impl WorkerSpec {
    /// What `ps` shows.
    pub(crate) fn title(&self) -> String {
        format!("hardpoint: {}", self.plugin.instance)
    }
}
