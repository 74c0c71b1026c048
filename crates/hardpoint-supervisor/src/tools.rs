//! The tools of a loaded plugin, and the check of arguments before they are sent.
//!
//! Owns compiled schemas, made once per worker. Runs on the caller's side, so that checking large
//! arguments never delays the worker's actor.

use hardpoint_model::schema::{self, FieldError, Validator};
use hardpoint_model::{Category, JobError};
use hardpoint_wire::{Payload, ToolInfo};
use serde_json::Value;
use std::collections::BTreeMap;

/// One tool.
#[derive(Debug)]
pub struct Tool {
    /// What the plugin says of it.
    pub info: ToolInfo,
    validator: Validator,
}

impl Tool {
    /// Everything that is wrong with these arguments.
    pub fn mistakes(&self, args: &Value) -> Vec<FieldError> {
        self.validator.check(args)
    }
}

/// All tools of a plugin, by name.
#[derive(Debug, Default)]
pub struct Tools {
    plugin: String,
    by_name: BTreeMap<String, Tool>,
}

impl Tools {
    /// `Err` with a sentence when a schema cannot be used or a name comes twice.
    pub(crate) fn compile(plugin: &str, infos: Vec<ToolInfo>) -> Result<Self, String> {
        let mut by_name = BTreeMap::new();
        for info in infos {
            let name = info.name.clone();
            let validator = schema::compile(&info.input_schema)
                .map_err(|e| format!("tool `{name}` has an input schema that cannot be used ({e})"))?;
            if by_name.insert(name.clone(), Tool { info, validator }).is_some() {
                return Err(format!("tool `{name}` is announced twice"));
            }
        }
        Ok(Self { plugin: plugin.to_owned(), by_name })
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Tool> {
        self.by_name.values()
    }

    /// The tool of this name.
    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name)
    }

    /// The tool of this name, or an error that names those there are.
    pub fn find(&self, name: &str) -> Result<&Tool, JobError> {
        self.get(name).ok_or_else(|| {
            let known: Vec<String> = self.by_name.keys().map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            };
            let message = format!("plugin `{}` has no tool `{name}`: {known}", self.plugin);
            JobError::new(Category::UserInput, "ToolNotFound", message).of_plugin(&self.plugin)
        })
    }

    /// Everything that is wrong with the arguments of a call, as one error.
    pub(crate) fn check(&self, tool: &str, args: &Payload) -> Result<&Tool, JobError> {
        let found = self.find(tool)?;
        let errors = found.validator.check(&args.value);
        if errors.is_empty() {
            return Ok(found);
        }
        let sentences: Vec<String> = errors
            .iter()
            .map(|error| match &error.hint {
                Some(hint) => format!("{}: {hint}", error.message),
                None => error.message.clone(),
            })
            .collect();
        let message = format!("`{}.{tool}` was given wrong arguments: {}", self.plugin, sentences.join("; "));
        let fields = errors.into_iter().map(|error| error.field).collect();
        Err(JobError::new(Category::UserInput, "InputError", message)
            .with_fields(fields)
            .of_plugin(&self.plugin))
    }
}
