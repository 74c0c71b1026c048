//! Refusals and failures as what a caller reads.

use super::answer::Subject;
use super::check::Misfit;
use super::status;
use crate::limits::STORE_RETRY_AFTER;
use crate::problem::{Code, FailedRun, Mistake, Problem};
use hardpoint_engine::{CallFailed, CallFailure, Refusal};
use hardpoint_model::{Category, JobError};
use hardpoint_wire::document::escaped;
use std::time::Duration;

/// When a caller who met a full queue should come back.
const BUSY: Duration = Duration::from_secs(1);

impl Subject {
    /// A request that could not be read.
    pub(super) fn problem(&self, problem: Problem) -> Box<FailedRun> {
        let error_type = match problem.code {
            Code::InvalidArgument => "InvalidArgument",
            Code::ArgumentsTooLarge => "ArgumentsTooLarge",
            _ => "InvalidRequest",
        };
        self.failed_run(problem, error_type, Category::UserInput)
    }

    /// A tool that is not there, or arguments that it does not take.
    pub(super) fn misfit(&self, misfit: Misfit) -> Box<FailedRun> {
        let mut run = self.failed_run(misfit.problem, misfit.error_type, Category::UserInput);
        run.fields_invalid = misfit.fields;
        run
    }

    pub(super) fn failed(&self, failure: CallFailure) -> Box<FailedRun> {
        match failure {
            CallFailure::Refused(refusal) => self.refused(&refusal),
            CallFailure::Failed(failed) => self.broke(*failed),
        }
    }

    pub(super) fn refused(&self, refusal: &Refusal) -> Box<FailedRun> {
        let code = status::of_refusal(refusal);
        let (error_type, category) = match refusal {
            Refusal::UnknownPlugin { .. } => ("PluginNotFound", Category::UserInput),
            Refusal::NotReady { .. } | Refusal::Disabled(_) => ("PluginUnavailable", Category::Transient),
            Refusal::NoRoom(_) => ("ResourceError", Category::Resource),
            Refusal::Busy(_) | Refusal::HostBusy => ("Busy", Category::Transient),
            Refusal::Stopping => ("HostStopping", Category::Transient),
            Refusal::Hook(_) => ("HookFailed", Category::Fatal),
            Refusal::Store(_) => ("StoreUnavailable", Category::Transient),
        };
        let mut run = self.failed_run(refused(refusal, code), error_type, category);
        if let Refusal::NoRoom(shortage) = refusal {
            run.resource_shortfall = Some(shortage.shortfall());
            run.retriable = shortage.retry_after().is_some();
        }
        run
    }

    fn broke(&self, failed: CallFailed) -> Box<FailedRun> {
        let CallFailed { error, exit_reason, took } = failed;
        let code = status::of_failed(&error, exit_reason.as_ref());
        let errors = error
            .fields_invalid
            .iter()
            .flatten()
            .map(|field| Mistake::at(format!("/args/{}", escaped(field)), error.message.clone()));
        let after = error.retry_after_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let busy = (code == Code::PluginBusy).then_some(BUSY);
        // What a plugin raises may be as short as a number: whose words these are is said before them.
        let detail = if error.message.contains(&self.plugin) {
            error.message.clone()
        } else {
            let JobError { error_type, message, .. } = &error;
            format!("plugin `{}`: tool `{}` failed: {error_type}: {message}", self.plugin, self.tool)
        };
        let problem = Problem::new(code, detail)
            .errors(errors.collect())
            .hint(self.hint(code))
            .retry_after(after.or(busy));
        let mut run = self.failed_run(problem, &error.error_type, error.category);
        run.error = error.message;
        run.retriable = error.retriable;
        run.original_exc_repr = error.original_exc_repr;
        run.retry_after_seconds = error.retry_after_seconds;
        run.fields_invalid = error.fields_invalid;
        run.resource_shortfall = error.resource_shortfall;
        run.plugin_instance_id = error.plugin_instance_id;
        run.occurred_at = error.occurred_at;
        run.traceback = error.traceback;
        run.execution_time_ms = Some(took.as_secs_f64() * 1000.0);
        run.exit_reason = exit_reason;
        run
    }

    fn hint(&self, code: Code) -> String {
        let plugin = &self.plugin;
        match code {
            Code::ToolTimeout => format!(
                "send a larger `timeout_seconds`, or raise it under `[limits]` in {plugin}/hardpoint.toml"
            ),
            Code::MemoryLimitExceeded => {
                format!("send less at once, or raise `memory_mb` under `[limits]` in {plugin}/hardpoint.toml")
            }
            Code::WorkerCrashed | Code::ToolFailed => {
                format!("`GET /v1/plugins/{plugin}/logs` shows what it printed")
            }
            _ => String::new(),
        }
    }

    pub(super) fn failed_run(
        &self,
        problem: Problem,
        error_type: &str,
        category: Category,
    ) -> Box<FailedRun> {
        Box::new(FailedRun {
            ok: false,
            error: problem.detail().to_owned(),
            error_type: error_type.to_owned(),
            category,
            retriable: category.is_retriable(),
            original_exc_repr: None,
            retry_after_seconds: None,
            fields_invalid: None,
            resource_shortfall: None,
            plugin_instance_id: None,
            occurred_at: None,
            plugin_id: self.plugin.clone(),
            tool_name: self.tool.clone(),
            processing_time_ms: self.processing_time_ms(),
            execution_time_ms: None,
            exit_reason: None,
            traceback: None,
            problem,
        })
    }
}

/// A refusal as a problem of this code.
pub(crate) fn refused(refusal: &Refusal, code: Code) -> Problem {
    let problem = Problem::new(code, refusal.to_string());
    match refusal {
        Refusal::NotReady { hint, retry_after, .. } => problem.hint(hint.clone()).retry_after(*retry_after),
        Refusal::Disabled(name) => problem.hint(format!("enable it: `POST /v1/plugins/{name}/enable`")),
        Refusal::NoRoom(shortage) => problem.hint(shortage.hint()).retry_after(shortage.retry_after()),
        Refusal::Busy(_) | Refusal::HostBusy => problem.hint("try again in a moment").retry_after(Some(BUSY)),
        Refusal::UnknownPlugin { .. } => problem.hint("`GET /v1/plugins` lists every plugin"),
        Refusal::Store(error) => problem.hint(error.hint()).retry_after(Some(STORE_RETRY_AFTER)),
        Refusal::Stopping | Refusal::Hook(_) => problem,
    }
}
