//! Beginning one life: its manifest read anew, its start told step by step.
//!
//! Owns the words for steps and for failed starts. Must not know what follows from them.

use super::Shared;
use crate::catalog::{Installed, read_plugin};
use crate::core::{Beginning, Input, LifeId, StartFailed, Started};
use crate::start::{StartError, StartEvent, StartOrder};
use hardpoint_env::EnvEvent;
use hardpoint_model::{Diagnostics, PluginEvent};
use hardpoint_supervisor::Worker;
use std::path::Path;
use std::sync::Arc;

/// The manifest is read anew for each life, so that a mended one counts.
pub(super) async fn begin(
    shared: &Shared,
    life: &LifeId,
    beginning: Beginning,
) -> Result<Started<Worker>, StartFailed> {
    let Beginning { plugin, dir, output, config, own, unknown_keys, reload } = beginning;
    if !tokio::fs::try_exists(&dir).await.unwrap_or(true) {
        return Err(StartFailed::of_gone_folder(&life.plugin, &dir));
    }
    let installed = tokio::task::spawn_blocking(move || read_plugin(dir)).await;
    let installed: Arc<Installed> =
        Arc::new(installed.map_err(|_| StartFailed::plain("its manifest could not be read"))?);
    let _ = shared.inputs.send(Input::Read { life: life.clone(), installed: Arc::clone(&installed) }).await;
    let manifest =
        installed.manifest.as_ref().map_err(|mistakes| StartFailed::of_manifest(&life.plugin, mistakes))?;
    if manifest.name.as_str() != plugin {
        let text = format!("plugin `{}`: its manifest now calls it `{}`", life.plugin, manifest.name);
        let hint = format!("`hardpoint plugin load {}` takes it up under its new name", manifest.name);
        return Err(StartFailed { hint: Some(hint), ..StartFailed::plain(&text) });
    }
    let incarnation = life.incarnation;
    let order = StartOrder {
        installed: &installed,
        manifest,
        incarnation,
        output,
        config,
        own,
        unknown_keys,
        reload,
    };
    let tell = |event: StartEvent| {
        // A step that is not told is followed by another.
        let _ = shared.inputs.try_send(Input::Step { life: life.clone(), step: step(&event) });
    };
    let started = shared.starter.start(order, &tell).await;
    let (worker, times) = started.map_err(|error| StartFailed::of(&plugin, &life.plugin, error))?;
    Ok(Started { announced: worker.announced(), worker, times })
}

fn step(event: &StartEvent) -> String {
    match event {
        StartEvent::Probing => "looking at what it needs".to_owned(),
        StartEvent::Starting => "starting its worker".to_owned(),
        StartEvent::Environment(event) => match event {
            EnvEvent::Interpreter { version, .. } => format!("using Python {version}"),
            EnvEvent::Waiting { .. } => "waiting for another process that builds its environment".to_owned(),
            EnvEvent::Installing { what, .. } => format!("installing: {what}"),
            EnvEvent::Ready { .. } => "its environment is ready".to_owned(),
        },
    }
}

impl StartFailed {
    fn plain(reason: &str) -> Self {
        let event = PluginEvent::Broke;
        Self { event, reason: reason.to_owned(), hint: None, detail: None, exit: None, error: None }
    }

    fn of_gone_folder(plugin: &str, dir: &Path) -> Self {
        let hint = "put the folder back, then start the plugin again".to_owned();
        let text = format!("plugin `{plugin}`: its folder {} is gone", dir.display());
        Self { hint: Some(hint), ..Self::plain(&text) }
    }

    fn of_manifest(plugin: &str, diagnostics: &Diagnostics) -> Self {
        let reason = match diagnostics.items.as_slice() {
            [only] => format!("plugin `{plugin}`: its manifest has a mistake: {}", only.place_and_message()),
            [first, rest @ ..] => {
                let (count, first) = (rest.len() + 1, first.place_and_message());
                format!("plugin `{plugin}`: its manifest has {count} mistakes, the first: {first}")
            }
            [] => format!("plugin `{plugin}`: its manifest cannot be read"),
        };
        let hint =
            Some("correct hardpoint.toml, then start the plugin again; its log has every mistake".to_owned());
        Self { hint, detail: Some(diagnostics.to_string()), ..Self::plain(&reason) }
    }

    fn of(plugin: &str, instance: &str, error: StartError) -> Self {
        let (detail, exit) = match &error {
            StartError::Worker(failure) => {
                (failure.error.traceback.clone(), failure.exit.as_ref().map(|exit| exit.reason.clone()))
            }
            StartError::Lock(_)
            | StartError::Missing(_)
            | StartError::Environment(_)
            | StartError::Secrets(_) => (None, None),
        };
        let (event, reason, hint) = (error.event(), error.to_string(), error.hint(plugin, instance));
        Self { event, reason, hint, detail, exit, error: Some(Arc::new(error)) }
    }
}
