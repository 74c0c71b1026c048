//! Which code, and so which status, a failed call has. Pure: one table, one test.

use crate::disk;
use crate::problem::Code;
use hardpoint_engine::Refusal;
use hardpoint_model::{Category, ExitReason, JobError};

/// The code of a call that was made and failed. 500 is not among them: whatever a plugin does, it is not a
/// fault of the host.
pub(super) fn of_failed(error: &JobError, exit: Option<&ExitReason>) -> Code {
    let of_host = error.is_of_host();
    match error.error_type.as_str() {
        "TimeoutError" => return Code::ToolTimeout,
        "MemoryLimitExceeded" | "OutOfMemory" => return Code::MemoryLimitExceeded,
        "ResultNotSerializable" => return Code::ResultNotSerializable,
        "ToolNotFound" if of_host => return Code::ToolNotFound,
        "ArgumentsTooLarge" if of_host => return Code::ArgumentsTooLarge,
        "WorkerBusy" if of_host => return Code::PluginBusy,
        _ => {}
    }
    match exit {
        // An operator stopped the plugin; it did nothing wrong.
        Some(ExitReason::OwnStop) => return Code::PluginUnavailable,
        Some(_) => return Code::WorkerCrashed,
        None => {}
    }
    match error.category {
        Category::UserInput if of_host => Code::ArgumentsInvalid,
        Category::UserInput => Code::InputRefused,
        Category::Transient | Category::Resource | Category::Fatal => Code::ToolFailed,
    }
}

/// The code of a call that was not made.
pub(crate) fn of_refusal(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::UnknownPlugin { .. } => Code::PluginNotFound,
        Refusal::NotReady { .. } => Code::PluginUnavailable,
        Refusal::Disabled(_) => Code::PluginDisabled,
        Refusal::NoRoom(_) => Code::ResourceShortage,
        Refusal::Busy(_) => Code::PluginBusy,
        Refusal::HostBusy => Code::HostBusy,
        Refusal::Stopping => Code::HostStopping,
        Refusal::Hook(_) => Code::HookFailed,
        Refusal::Store(error) => disk::code_of(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::PluginState;

    fn raised(category: Category, error_type: &str) -> JobError {
        let mut error = JobError::new(category, error_type, "m");
        error.original_exc_repr = Some("repr".to_owned());
        error
    }

    #[test]
    fn every_failure_of_a_call_has_its_status() {
        use Category::{Fatal, Resource, Transient, UserInput};
        let code = |code| Some(ExitReason::ExitCode { code });
        let deadline = Some(ExitReason::Deadline { tool: "t".into(), timeout_ms: 1 });
        let own = JobError::new;
        let cases = [
            (raised(UserInput, "ValueError"), None, 400),
            (raised(UserInput, "InputError"), None, 400),
            (raised(UserInput, "KeyError"), None, 400),
            (own(UserInput, "InputError", "m"), None, 422),
            (own(UserInput, "ToolNotFound", "m"), None, 400),
            (raised(Fatal, "ToolNotFound"), None, 502),
            (own(UserInput, "ArgumentsTooLarge", "m"), None, 413),
            (raised(Transient, "TimeoutError"), None, 408),
            (own(Transient, "TimeoutError", "m"), deadline, 408),
            (raised(Transient, "ConnectionError"), None, 502),
            (raised(Resource, "MemoryError"), None, 502),
            (raised(Fatal, "RuntimeError"), None, 502),
            (raised(Fatal, "SystemExit"), None, 502),
            (raised(Fatal, "KeyboardInterrupt"), None, 502),
            (raised(Fatal, "ResultNotSerializable"), None, 502),
            (own(Fatal, "ResultNotSerializable", "m"), None, 502),
            (own(Resource, "MemoryLimitExceeded", "m"), code(1), 502),
            (own(Resource, "OutOfMemory", "m"), code(1), 502),
            (own(Fatal, "WorkerCrashed", "m"), code(7), 502),
            (own(Fatal, "ProtocolViolation", "m"), code(1), 502),
            (own(Transient, "WorkerLost", "m"), Some(ExitReason::OwnStop), 503),
            (own(Transient, "WorkerLost", "m"), Some(ExitReason::ShimLost), 502),
            (own(Transient, "WorkerBusy", "m"), None, 429),
        ];
        for (error, exit, expected) in cases {
            assert_eq!(of_failed(&error, exit.as_ref()).status().as_u16(), expected, "{error:?}");
        }
    }

    #[test]
    fn every_refusal_has_its_status() {
        let not_ready = Refusal::NotReady {
            plugin: "p".into(),
            state: PluginState::Failed,
            reason: "r".into(),
            hint: String::new(),
            retry_after: None,
        };
        let cases = [
            (Refusal::UnknownPlugin { name: "x".into(), known: Vec::new() }, 400),
            (not_ready, 503),
            (Refusal::Disabled("p".into()), 503),
            (Refusal::Busy("p".into()), 429),
            (Refusal::HostBusy, 503),
            (Refusal::Stopping, 503),
            (Refusal::Store(hardpoint_store::StoreError::Full), 503),
        ];
        for (refusal, expected) in cases {
            assert_eq!(of_refusal(&refusal).status().as_u16(), expected, "{refusal:?}");
        }
    }
}
