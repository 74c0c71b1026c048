//! `hardpoint plugin restart|enable|disable|prefetch NAME`: doing something with a plugin of a running host.

use super::{Scene, page, patiently};
use crate::cli::exit_code::Code;
use crate::cli::terminal;
use crate::client::{Client, typed};
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::PluginState;
use hardpoint_model::health::{PluginDetail, PluginHealth};
use owo_colors::OwoColorize as _;
use serde_json::Value;
use std::time::Duration;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Verb {
    Load,
    Unload,
    Restart,
    Enable,
    Disable,
    Prefetch,
}

/// With which plugin, and how long it may take.
#[derive(Debug, Args)]
#[command(after_help = "\
It waits until the plugin has settled, for at most --wait seconds; 0 does not wait.

Exit codes: 0 it is done; 4 the plugin could not be started, or is not done in time; 6 no server answers.")]
pub(in crate::cli) struct One {
    /// Name of the plugin, or the id of an instance
    plugin: String,
    #[command(flatten)]
    settle: Settle,
}

/// How long it may take.
#[derive(Debug, Args)]
pub(in crate::cli) struct Settle {
    /// How long to wait until it is done
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=3600))]
    wait: u32,
}

impl Settle {
    /// How long that is.
    pub(in crate::cli) fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.wait))
    }
}

impl Verb {
    fn path(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Unload => "unload",
            Self::Restart => "restart",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Prefetch => "prefetch",
        }
    }

    /// Whether the plugin is to be ready afterwards.
    fn starts(self) -> bool {
        match self {
            Self::Load | Self::Restart => true,
            Self::Unload | Self::Enable | Self::Disable | Self::Prefetch => false,
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Load => "loaded",
            Self::Unload => "unloaded",
            Self::Restart => "restarted",
            Self::Enable => "enabled",
            Self::Disable => "disabled",
            Self::Prefetch => "prefetched",
        }
    }
}

/// A plugin with which it was done, or of which it goes on.
pub(super) struct Settled {
    pub(super) document: Value,
    pub(super) code: Code,
    plugin: PluginDetail,
    is_over: bool,
}

pub(in crate::cli) async fn run(verb: Verb, args: One, scene: Scene<'_>) -> Result<Code, Failure> {
    let client = scene.client()?;
    let done = patiently(settled(verb, &args.plugin, args.settle.patience(), &client)).await?;
    done.tell(verb, &args.settle, scene.shared.json)?;
    Ok(done.code)
}

/// Has it done with a plugin, or an instance of one.
pub(super) async fn settled(
    verb: Verb,
    name: &str,
    wait: Duration,
    client: &Client,
) -> Result<Settled, Failure> {
    let (document, settled) = client.verb(name, verb.path(), wait).await?;
    Settled::of(verb, document, settled, wait)
}

impl Settled {
    pub(super) fn of(verb: Verb, document: Value, settled: bool, wait: Duration) -> Result<Self, Failure> {
        let plugin: PluginDetail = typed(&document)?;
        let down = matches!(plugin.health.state, PluginState::Failed | PluginState::Unavailable);
        let code = match settled {
            true if verb.starts() && down => Code::Start,
            false if !wait.is_zero() => Code::Start,
            true | false => Code::Ok,
        };
        Ok(Self { document, code, plugin, is_over: settled })
    }

    pub(super) fn health(&self) -> &PluginHealth {
        &self.plugin.health
    }

    pub(super) fn tell(&self, verb: Verb, settle: &Settle, json: bool) -> Result<(), Failure> {
        let health = self.health();
        if json {
            return terminal::print_json(&self.document);
        }
        if !self.is_over {
            let (name, doing) = (&health.name, verb.path());
            let now = health.starting.as_deref().unwrap_or("it goes on");
            terminal::say(format!("{doing} of `{name}` is not done after {} s: {now}", settle.wait));
            terminal::say(format!(
                "{} see how far it is with `hardpoint plugin health {name} --watch`",
                "hint:".cyan().bold()
            ));
            return Ok(());
        }
        if self.code != Code::Ok {
            return terminal::print(page::one(health));
        }
        let name = health.name.bold();
        let worker = health.pid.map_or_else(String::new, |pid| format!(", process {pid}"));
        let state = super::state::painted(health.state);
        let incarnation = health.incarnation;
        terminal::print(format!("{name} is {}: {state}, incarnation {incarnation}{worker}", verb.done()))
    }
}
