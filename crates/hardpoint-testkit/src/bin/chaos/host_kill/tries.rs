//! The tries of one job: what the database says, held against what its plugins saw.
//!
//! Owns one promise: every try that ran was on disk before, ran once, and ran alone. Pure.

use super::witness::{Seen, Try};
use hardpoint_model::job::JobStatus;
use hardpoint_store::Tried;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What does not fit. The stages of a job run one after the other, so all its tries do.
pub(super) fn judge(tries: &[&Tried], seen: &Seen, cancelled: Option<&Timestamp>) -> Vec<String> {
    let mut faults = seen.overlaps.clone();
    faults.extend(tries.iter().filter_map(|tried| of_one(tried, seen)));
    for (earlier, later) in tries.iter().zip(tries.iter().skip(1)) {
        if earlier.ended.as_ref().is_some_and(|end| end.ended_at > later.began.started_at) {
            faults.push(format!("{} began before {} had ended", name(of(later)), name(of(earlier))));
        }
    }
    let known: BTreeSet<Try> = tries.iter().map(|tried| of(tried)).collect();
    for unknown in seen.begun.iter().filter(|begun| !known.contains(begun)) {
        faults.push(format!("{} was run, and the database does not know of it", name(*unknown)));
    }
    if let Some(late) = tries.iter().find(|tried| cancelled.is_some_and(|at| tried.began.started_at > *at)) {
        faults.push(format!("{} began after the cancellation was accepted", name(of(late))));
    }
    faults
}

fn of_one(tried: &Tried, seen: &Seen) -> Option<String> {
    let (which, began) = (of(tried), seen.begun.iter().filter(|begun| **begun == of(tried)).count());
    match &tried.ended {
        None => Some(format!("{} has not ended", name(which))),
        Some(end) if end.outcome == JobStatus::Completed && !seen.well.contains(&which) => {
            Some(format!("{} is completed, and its plugin knows nothing of it", name(which)))
        }
        Some(_) => (began > 1).then(|| format!("{} was run {began} times", name(which))),
    }
}

fn of(tried: &Tried) -> Try {
    (tried.began.stage, tried.began.number)
}

fn name((stage, number): Try) -> String {
    format!("try {number} of stage {stage}")
}
