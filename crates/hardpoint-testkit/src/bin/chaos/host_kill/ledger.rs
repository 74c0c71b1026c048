//! What was asked and what was answered, over all servers.
//!
//! Owns the client's side of every promise. Must not know the database.

use super::http::Answer;
use super::work::Work;
use crate::random::Random;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Jobs that are of interest to somebody who picks one at random: the newest so many.
const RECENT: usize = 40;
/// Complaints that are kept; more say nothing new.
const FAULTS_MAX: usize = 50;

/// How far a wish to cancel a job came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    None,
    /// It was sent; nobody knows whether it was heard.
    Sent,
    /// It was acknowledged, at the latest then.
    Accepted(Timestamp),
}

/// One job that somebody wanted, asked for once or again and again under one key.
#[derive(Debug, Clone)]
pub(super) struct Submission {
    /// The number that its arguments carry.
    pub(super) tag: u64,
    pub(super) work: Work,
    pub(super) key: Option<String>,
    /// Answers that were lost.
    pub(super) lost: u32,
    /// The id that was acknowledged.
    pub(super) job: Option<String>,
    pub(super) cancel: Wish,
}

/// Everything that was asked.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    submissions: Vec<Submission>,
    pub(super) refused: u32,
    faults: Vec<String>,
}

impl Submission {
    /// The body of its request: the same every time that it is sent.
    pub(super) fn body(&self) -> Value {
        let Work { stages, priority } = &self.work;
        let mut body = match stages.as_slice() {
            [step] => {
                json!({"plugin_id": step.plugin, "tool_name": step.kind.tool(), "args": step.args(self.tag)})
            }
            several => {
                let stages = several.iter().map(|step| {
                    json!({"plugin": step.plugin, "tool": step.kind.tool(), "args": step.args(self.tag)})
                });
                json!({"pipeline": {"stages": stages.collect::<Vec<_>>()}, "input": {}})
            }
        };
        if let Some(body) = body.as_object_mut() {
            body.insert("priority".to_owned(), json!(priority));
            if let Some(key) = &self.key {
                body.insert("idempotency_key".to_owned(), json!(key));
            }
        }
        body
    }
}

impl Ledger {
    pub(super) fn submissions(&self) -> &[Submission] {
        &self.submissions
    }

    /// What a server did that none may do, as it was seen from outside.
    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }

    pub(super) fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// A job that is about to be handed in.
    pub(super) fn open(&mut self, work: Work, named: bool) -> Submission {
        let tag = self.submissions.len() as u64;
        let key = named.then(|| format!("order-{tag}"));
        let submission = Submission { tag, work, key, lost: 0, job: None, cancel: Wish::None };
        self.submissions.push(submission.clone());
        submission
    }

    /// What came of handing it in.
    pub(super) fn answered(&mut self, tag: u64, answer: &Answer) {
        let Some(submission) = self.submission(tag) else { return };
        match answer {
            Answer::Lost => submission.lost += 1,
            Answer::Said(202, body) => match (body["job_id"].as_str(), &submission.job) {
                (Some(id), None) => submission.job = Some(id.to_owned()),
                (Some(id), Some(known)) if id == known => {}
                (id, known) => {
                    let fault = format!("submission {tag} was accepted as {known:?} and then as {id:?}");
                    self.fault(fault);
                }
            },
            Answer::Said(503 | 429, _) => self.refused += 1,
            Answer::Said(status, body) => {
                let fault = format!("submission {tag} was answered with {status}: {body}");
                self.fault(fault);
            }
        }
    }

    pub(super) fn cancel_sent(&mut self, tag: u64) {
        self.wish(tag, Wish::Sent);
    }

    pub(super) fn cancel_answered(&mut self, tag: u64, answer: &Answer) {
        match answer {
            Answer::Said(200..300, _) => self.wish(tag, Wish::Accepted(Timestamp::now())),
            Answer::Said(409 | 503 | 429, _) | Answer::Lost => {}
            Answer::Said(status, body) => {
                self.fault(format!(
                    "the cancellation of submission {tag} was answered with {status}: {body}"
                ));
            }
        }
    }

    fn wish(&mut self, tag: u64, wish: Wish) {
        if let Some(submission) = self.submission(tag)
            // The first acknowledgement counts.
            && !matches!(submission.cancel, Wish::Accepted(_))
        {
            submission.cancel = submission.cancel.max(wish);
        }
    }

    fn submission(&mut self, tag: u64) -> Option<&mut Submission> {
        usize::try_from(tag).ok().and_then(|place| self.submissions.get_mut(place))
    }

    /// One of the newest jobs that were acknowledged: its number and its id.
    pub(super) fn recent(&self, random: &mut Random) -> Option<(u64, String)> {
        let known = |one: &Submission| one.job.clone().map(|job| (one.tag, job));
        let recent: Vec<_> = self.submissions.iter().rev().filter_map(known).take(RECENT).collect();
        pick(recent, random)
    }

    /// A submission with a key whose answer was lost, and that nobody knows the id of.
    pub(super) fn unanswered(&self, random: &mut Random) -> Option<Submission> {
        pick(self.all_unanswered(), random)
    }

    pub(super) fn all_unanswered(&self) -> Vec<Submission> {
        let open = |one: &&Submission| one.key.is_some() && one.job.is_none() && one.lost > 0;
        self.submissions.iter().filter(open).cloned().collect()
    }

    /// An acknowledged submission with a key: who sends it again must be told of the same job.
    pub(super) fn named(&self, random: &mut Random) -> Option<Submission> {
        let named = |one: &&Submission| one.key.is_some() && one.job.is_some();
        pick(self.submissions.iter().rev().filter(named).take(RECENT).cloned().collect(), random)
    }

    /// The submission that was acknowledged as this job.
    pub(super) fn tag_of(&self, job: &str) -> Option<u64> {
        self.submissions.iter().rev().find(|one| one.job.as_deref() == Some(job)).map(|one| one.tag)
    }

    /// Whether a submission goes on until somebody ends it.
    pub(super) fn hangs(&self, tag: u64) -> bool {
        let place = usize::try_from(tag).unwrap_or(usize::MAX);
        self.submissions.get(place).is_some_and(|one| one.work.hangs())
    }
}

fn pick<T>(mut of: Vec<T>, random: &mut Random) -> Option<T> {
    if of.is_empty() {
        return None;
    }
    let place = usize::try_from(random.below(of.len() as u64)).unwrap_or(0);
    Some(of.swap_remove(place))
}
