//! Whether a pipeline can work: its plugins and tools exist, it gives each what it takes, and what a stage returns fits
//! what the next one takes.
//!
//! Owns every mistake that can be found before anything runs. Only what is certain is a mistake: a schema that says
//! nothing fits everything, and a plugin that is not up yet is believed.

mod given;
mod passed;
mod schemas;
mod stage;

use crate::catalog::Catalog;
use crate::engine::Engine;
use hardpoint_model::PluginRef;
use hardpoint_model::pipeline::{Pass, Pipeline};
use stage::{Known, Plugin};
use std::collections::BTreeSet;

/// Something that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where in the definition: a JSON pointer, `/stages/1/tool`.
    pub pointer: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Where plugins are looked for.
pub(super) enum Plugins<'a> {
    /// On a host that runs them.
    Of(&'a Engine),
    /// In a folder: nothing is known of their tools.
    In(&'a Catalog),
}

/// A pipeline, and what its stages may refer to.
struct Whole<'a> {
    stages: Vec<Known<'a>>,
    pass: Pass,
    /// The names of what the run is given, where they are known.
    input: Option<&'a BTreeSet<String>>,
}

/// Everything that is certain to go wrong. `saved`: the names of saved pipelines. `input`: the names of what the run will
/// be given, where they are known.
pub(super) fn check(
    plugins: &Plugins<'_>,
    pipeline: &Pipeline,
    saved: &BTreeSet<String>,
    input: Option<&BTreeSet<String>>,
) -> Vec<Mistake> {
    let stages = pipeline.stages.iter().enumerate();
    let stages = stages.map(|(number, stage)| {
        let plugin = plugins.find(&stage.plugin);
        Known { number, stage, plugin }
    });
    let whole = Whole { stages: stages.collect(), pass: pipeline.pass, input };
    let mut mistakes = Vec::new();
    for known in &whole.stages {
        mistakes.extend(known.existence(plugins, saved));
        mistakes.extend(given::mistakes(known, &whole));
        mistakes.extend(passed::mistakes(known, &whole));
    }
    mistakes
}

/// What is certain to go wrong before any plugin of the folder was started, so that nothing is known of their tools.
pub fn check_installed(catalog: &Catalog, pipeline: &Pipeline, input: &BTreeSet<String>) -> Vec<Mistake> {
    check(&Plugins::In(catalog), pipeline, &BTreeSet::new(), Some(input))
}

impl Plugins<'_> {
    /// In a folder there are the default instances alone.
    fn find(&self, to: &PluginRef) -> Option<Plugin> {
        match self {
            Self::Of(engine) => engine.referred(to).ok().map(Plugin::Live),
            Self::In(catalog) => {
                let is_there = catalog.iter().any(|one| one.name() == to.instance.as_str());
                is_there.then_some(Plugin::Installed)
            }
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Of(engine) => engine.snapshot().plugins.keys().cloned().collect(),
            Self::In(catalog) => catalog.iter().map(|one| one.name().to_owned()).collect(),
        }
    }
}

impl Whole<'_> {
    fn before(&self, number: usize) -> &[Known<'_>] {
        self.stages.get(..number).unwrap_or_default()
    }
}
