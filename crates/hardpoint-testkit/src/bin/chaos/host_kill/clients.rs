//! Clients that ask for anything at any moment, as long as their server lives.
//!
//! Owns what is asked, and how often. Must not judge answers: the ledger does.

use super::http::{Answer, Http};
use super::ledger::{Ledger, Submission};
use super::work::{Kind, Step, Work};
use crate::random::Random;
use hardpoint_testkit::{MarkedProcess, marked_processes, parent_of};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The longest pause between two requests of a client.
const PAUSE: Duration = Duration::from_millis(40);
/// A client that goes away does so within this.
const GONE_AFTER: Duration = Duration::from_millis(6);
/// A job that hangs is cancelled so soon after it was handed in, mostly.
const CANCELLED_AFTER: Duration = Duration::from_millis(150);
const CANCELLED_PERCENT: u64 = 80;
/// How many submissions have a key.
const NAMED_PERCENT: u64 = 40;
/// How many requests are given up before their answer comes.
const LOST_PERCENT: u64 = 12;
/// How often its shim is killed instead of a worker, where that may be.
const SHIM_PERCENT: u64 = 50;

/// One thing to do.
#[derive(Debug, Clone, Copy)]
enum Act {
    Submit,
    SubmitAgain,
    Repeat,
    Cancel,
    CancelRunning,
    Reorder,
    Look,
    List,
    Call,
    KillWorker,
    Restart,
}

const ACTS: [(u64, Act); 11] = [
    (60, Act::Submit),
    (8, Act::SubmitAgain),
    (5, Act::Repeat),
    (6, Act::Cancel),
    (8, Act::CancelRunning),
    (6, Act::Reorder),
    (6, Act::Look),
    (3, Act::List),
    (5, Act::Call),
    (4, Act::KillWorker),
    (1, Act::Restart),
];

/// A client of one server.
pub(super) struct Client {
    pub(super) http: Http,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) random: Random,
    /// The process of the server.
    pub(super) host: u32,
    /// Whether shims are killed besides workers.
    pub(super) shims_too: bool,
}

impl Client {
    /// Until the server is dead.
    pub(super) async fn live(mut self, mut over: watch::Receiver<bool>) {
        while !*over.borrow() {
            if let Some(act) = self.random.weighted(&ACTS) {
                self.act(act).await;
            }
            let _ = tokio::time::timeout(self.random.within(PAUSE), over.changed()).await;
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Submit => self.submit().await,
            Act::SubmitAgain => {
                let lost = lock(&self.ledger).unanswered(&mut self.random);
                self.hand_in(lost).await;
            }
            Act::Repeat => {
                let known = lock(&self.ledger).named(&mut self.random);
                self.hand_in(known).await;
            }
            Act::Cancel => {
                if let Some((tag, job)) = self.recent() {
                    self.cancel(tag, &job).await;
                }
            }
            Act::CancelRunning => {
                if let Some((tag, job)) = self.running().await {
                    self.cancel(tag, &job).await;
                }
            }
            Act::Reorder => self.reorder().await,
            Act::Look => self.look().await,
            Act::List => self.expect(&[200], "/v1/jobs?limit=5", None).await,
            Act::Call => self.call().await,
            Act::KillWorker => self.kill_worker().await,
            Act::Restart => {
                let plugin = Step::draw(&mut self.random).plugin;
                let path = format!("/v1/plugins/{plugin}/restart?wait_seconds=0");
                self.expect(&[200, 202, 409], &path, Some(&Value::Null)).await;
            }
        }
    }

    async fn submit(&mut self) {
        let work = Work::draw(&mut self.random);
        let named = self.random.chance(NAMED_PERCENT);
        let hangs = work.hangs() && self.random.chance(CANCELLED_PERCENT);
        let submission = self.ledger().open(work, named);
        let tag = submission.tag;
        self.hand_in(Some(submission)).await;
        if hangs {
            tokio::time::sleep(self.random.within(CANCELLED_AFTER)).await;
            let job = self
                .ledger()
                .submissions()
                .get(usize::try_from(tag).unwrap_or(0))
                .and_then(|one| one.job.clone());
            if let Some(job) = job {
                self.cancel(tag, &job).await;
            }
        }
    }

    async fn hand_in(&mut self, submission: Option<Submission>) {
        let Some(submission) = submission else { return };
        let body = submission.body();
        let answer = self.post("/v1/jobs", Some(&body)).await;
        self.ledger().answered(submission.tag, &answer);
    }

    async fn cancel(&mut self, tag: u64, job: &str) {
        self.ledger().cancel_sent(tag);
        let answer = self.post(&format!("/v1/jobs/{job}/cancel"), None).await;
        self.ledger().cancel_answered(tag, &answer);
    }

    /// A job that runs, and that somebody has been told of.
    async fn running(&mut self) -> Option<(u64, String)> {
        let Answer::Said(200, page) = self.http.get("/v1/jobs?status=running").await else { return None };
        let jobs = page.get("jobs")?.as_array()?;
        let place = usize::try_from(self.random.below(jobs.len() as u64)).ok()?;
        let job = jobs.get(place)?.get("job_id")?.as_str()?;
        Some((self.ledger().tag_of(job)?, job.to_owned()))
    }

    async fn reorder(&mut self) {
        let Some((_, job)) = self.recent() else { return };
        let priority = json!({"priority": self.random.below(9)});
        self.expect(&[200, 409], &format!("/v1/jobs/{job}/reorder"), Some(&priority)).await;
    }

    /// What was acknowledged is there, always.
    async fn look(&mut self) {
        let Some((_, job)) = self.recent() else { return };
        if let Answer::Said(status, body) = self.http.get(&format!("/v1/jobs/{job}")).await
            && (status, body.get("job_id")) != (200, Some(&json!(job)))
        {
            self.ledger().fault(format!("job {job} was acknowledged, and then {status}: {body}"));
        }
    }

    /// A call that is no job.
    async fn call(&mut self) {
        let mut step = Step::draw(&mut self.random);
        if step.kind.hangs() {
            (step.kind, step.args) = (Kind::Quick, json!({}));
        }
        let path = format!("/v1/plugins/{}/tools/{}/run", step.plugin, step.kind.tool());
        self.post(&path, Some(&json!({"args": step.args(0)}))).await;
    }

    /// Ends a worker from outside, or its shim.
    async fn kill_worker(&mut self) {
        let Answer::Said(200, plugins) = self.http.get("/v1/plugins").await else { return };
        let plugin = plugins.get(usize::try_from(self.random.below(3)).unwrap_or(0));
        let pid =
            plugin.and_then(|plugin| plugin.get("pid")?.as_u64()).and_then(|pid| u32::try_from(pid).ok());
        let is_it = |one: &MarkedProcess| Some(one.process.0) == pid && one.is_of_host(self.host);
        let marked = marked_processes();
        let Some(worker) = marked.iter().find(|one| is_it(one)) else { return };
        let parent = parent_of(worker.process.0);
        let shim = marked.iter().find(|one| one.tree.is_none() && Some(one.process.0) == parent);
        let shim = shim.filter(|_| self.shims_too && self.random.chance(SHIM_PERCENT));
        let victim = shim.unwrap_or(worker).process.0;
        if let Some(victim) = i32::try_from(victim).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(victim, Signal::KILL);
        }
    }

    /// Posts, or gets without a body; any other answer is a fault.
    async fn expect(&mut self, good: &[u16], path: &str, body: Option<&Value>) {
        let answer = match body {
            Some(body) => self.http.post(path, Some(body).filter(|body| !body.is_null())).await,
            None => self.http.get(path).await,
        };
        if let Answer::Said(status, body) = answer
            && !good.contains(&status)
            && !matches!(status, 429 | 503)
        {
            self.ledger().fault(format!("{path} was answered with {status}: {body}"));
        }
    }

    /// Some do not wait for their answer.
    async fn post(&mut self, path: &str, body: Option<&Value>) -> Answer {
        let ask = self.http.post(path, body);
        if !self.random.chance(LOST_PERCENT) {
            return ask.await;
        }
        let patience = self.random.within(GONE_AFTER);
        tokio::time::timeout(patience, ask).await.unwrap_or(Answer::Lost)
    }

    fn recent(&mut self) -> Option<(u64, String)> {
        lock(&self.ledger).recent(&mut self.random)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }
}

/// Nobody panics with the ledger in hand; if somebody did, what is in it still counts.
pub(super) fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
