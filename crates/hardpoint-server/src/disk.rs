//! What the store refuses, as what a caller reads.
//!
//! Owns the code of each kind of trouble. Must not know what was to be kept.

use crate::limits::STORE_RETRY_AFTER;
use crate::problem::{Code, Problem};
use hardpoint_store::StoreError;

/// The code of what the store refuses.
pub(crate) fn code_of(error: &StoreError) -> Code {
    match error {
        StoreError::Busy => Code::HostBusy,
        StoreError::Closed => Code::HostStopping,
        // What the host wrote does not fit what it had written.
        StoreError::Conflict(_) => Code::Internal,
        StoreError::Full
        | StoreError::ReadOnly(_)
        | StoreError::Locked
        | StoreError::Corrupt(_)
        | StoreError::Disk(_)
        | StoreError::TooNew(_)
        | StoreError::UnsafeSqlite(_)
        | StoreError::Other(_) => Code::StoreUnavailable,
    }
}

/// The disk did not do what was asked. Nothing of it was done.
pub(crate) fn refused(error: &StoreError) -> Problem {
    let code = code_of(error);
    if code == Code::Internal {
        tracing::error!("the store refused what the host wrote: this is a bug ({error})");
    }
    let after = matches!(code, Code::HostBusy | Code::StoreUnavailable).then_some(STORE_RETRY_AFTER);
    Problem::new(code, error.to_string()).hint(error.hint()).retry_after(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;

    #[test]
    fn what_the_disk_refuses_is_no_bug_of_the_host_and_says_when_to_come_back() {
        let cases = [
            (StoreError::Full, 503, "store_unavailable", true),
            (StoreError::ReadOnly("x".into()), 503, "store_unavailable", true),
            (StoreError::Locked, 503, "store_unavailable", true),
            (StoreError::Corrupt("x".into()), 503, "store_unavailable", true),
            (StoreError::Disk("x".into()), 503, "store_unavailable", true),
            (StoreError::Other("x".into()), 503, "store_unavailable", true),
            (StoreError::Busy, 503, "host_busy", true),
            (StoreError::Closed, 503, "host_stopping", false),
            (StoreError::Conflict("x".into()), 500, "internal", false),
        ];
        for (error, status, code, again) in cases {
            let problem = refused(&error);
            let text = problem.code.text();
            let response = problem.into_response();
            assert_eq!((response.status().as_u16(), text.as_str()), (status, code));
            assert_eq!(response.headers().contains_key("retry-after"), again, "{code}");
        }
    }
}
