//! One question to one short-lived process: what it answered, or why it said nothing of use.
//!
//! Owns the limits on its time, its memory and its output; whatever it started is gone when the answer is
//! there. Must not know what is asked.

use super::limits::{MEMORY_LOOK, OUTPUT_BYTES_MAX, PIPE_DRAIN, QUOTE_CHARS_MAX, STDERR_BYTES_MAX};
use crate::limits::PROBE_MEMORY_BYTES_MAX;
use hardpoint_process::{LaunchSpec, Launcher, Status, Tree, TreeEvent};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;
use std::io::PipeReader;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

/// What the line begins with that holds the answer. Everything else on stdout is somebody else's: a `.pth`
/// file that prints, a library with a banner.
pub(crate) const MARK: &str = "HARDPOINT-PROBE ";

/// A process to ask.
#[derive(Debug)]
pub(crate) struct Question {
    /// For `ps`: `ocr (packages)`.
    pub(crate) title: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) limit: Duration,
}

/// How it ended, with what it printed.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    /// The last [`OUTPUT_BYTES_MAX`] bytes.
    pub(crate) stdout: String,
    stderr: String,
    /// Whether the kernel enforced the memory limit, and by which version of control groups.
    pub(crate) cgroup_version: Option<u8>,
}

/// Why there is no answer. Its text fits behind the name of what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// It could not be started.
    Start(String),
    /// It took too long and was ended.
    Late(Duration),
    /// It took too much memory.
    Memory,
    /// It ended without an answer; its last words.
    Ended(Status, String),
    /// It ended well, but what it printed is no answer.
    Garbage,
    /// Somebody killed it together with its shim.
    Lost,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(why) => write!(f, "could not be started: {why}"),
            Self::Late(limit) => write!(f, "gave no answer within {} s", limit.as_secs_f64()),
            Self::Memory => {
                write!(f, "took more than {} GiB of memory", PROBE_MEMORY_BYTES_MAX >> 30)
            }
            Self::Ended(status, said) => f.write_str(&ending(*status, said)),
            Self::Garbage => f.write_str("printed something that is no answer"),
            Self::Lost => f.write_str("was killed from outside"),
        }
    }
}

impl Reply {
    /// The answer behind the mark, wherever it stands between other output.
    pub(crate) fn answer<T: DeserializeOwned>(&self) -> Result<T, Silence> {
        let marked = self.stdout.lines().rev().find_map(|line| line.strip_prefix(MARK));
        match (marked.map(serde_json::from_str), self.status) {
            (Some(Ok(answer)), _) => Ok(answer),
            (Some(Err(_)), _) | (None, Status::Code(0)) => Err(Silence::Garbage),
            (None, status) => Err(Silence::Ended(status, self.last_words())),
        }
    }

    /// How it ended, with its last words: `exited with code 9: no driver`.
    pub(crate) fn ending(&self) -> String {
        ending(self.status, &self.last_words())
    }

    /// The last line of stderr, else of stdout.
    fn last_words(&self) -> String {
        let last = |text: &str| text.lines().rev().find(|line| !line.trim().is_empty()).map(quote);
        last(&self.stderr).or_else(|| last(&self.stdout)).unwrap_or_default()
    }
}

fn ending(status: Status, said: &str) -> String {
    let ended = match status {
        Status::Code(code) => format!("exited with code {code}"),
        Status::Signal(signal) => format!("was killed by signal {signal}"),
    };
    if said.is_empty() { ended } else { format!("{ended}: {said}") }
}

/// Somebody else's words on one line, cut to their limit.
pub(crate) fn quote(words: &str) -> String {
    let mut line: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(QUOTE_CHARS_MAX) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The environment that a worker of this program would have, without the socket that only a worker has.
pub(crate) fn environment(program: &Path, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut env = hardpoint_supervisor::worker_environment(program, own);
    env.remove("HARDPOINT_FD");
    env
}

/// Asks, and waits until nothing of the process is left. Dropping the future ends it.
pub(crate) async fn ask(question: Question, launcher: &Launcher) -> Result<Reply, Silence> {
    let limit = question.limit;
    let started = launcher.launch(question.spec()).await;
    let mut tree = started.map_err(|error| Silence::Start(causes(&error)))?;
    let (mut stdout, mut stderr) = (Tail::new(OUTPUT_BYTES_MAX), Tail::new(STDERR_BYTES_MAX));
    let watched = {
        let (out, err) = tree.take_output().unzip();
        let reading = pin!(async {
            tokio::join!(stdout.fill(out), stderr.fill(err));
        });
        watch(&mut tree, reading, limit).await
    };
    let end = tree.end().await;
    let status = watched?;
    if end.memory.oom_kills > 0 {
        return Err(Silence::Memory);
    }
    let cgroup_version = end.cgroup_version;
    Ok(Reply { status, stdout: stdout.text(), stderr: stderr.text(), cgroup_version })
}

/// Reads and waits until the tree is gone and its pipes are empty, or a limit is reached.
async fn watch(
    tree: &mut Tree,
    mut reading: Pin<&mut impl Future<Output = ()>>,
    limit: Duration,
) -> Result<Status, Silence> {
    let deadline = Instant::now() + limit;
    let (mut read, mut status) = (false, None);
    loop {
        let look = deadline.min(Instant::now() + MEMORY_LOOK);
        tokio::select! {
            () = &mut reading, if !read => read = true,
            event = tree.next_event() => match event {
                TreeEvent::Exited(ended) => status = Some(ended),
                TreeEvent::Gone { .. } | TreeEvent::Lost => break,
            },
            () = tokio::time::sleep_until(look.into()) => {
                if Instant::now() >= deadline {
                    return Err(Silence::Late(limit));
                }
                if takes_too_much(tree) {
                    return Err(Silence::Memory);
                }
            }
        }
    }
    if !read {
        let _ = tokio::time::timeout(PIPE_DRAIN, reading).await;
    }
    status.ok_or(Silence::Lost)
}

fn takes_too_much(tree: &mut Tree) -> bool {
    !tree.memory().is_enforced_by_kernel() && tree.memory().sample().current_bytes > PROBE_MEMORY_BYTES_MAX
}

impl Question {
    fn spec(self) -> LaunchSpec {
        LaunchSpec {
            title: format!("hardpoint: {} (shim)", self.title),
            program: self.program,
            args: self.args,
            env: self.env,
            cwd: self.cwd,
            socket: None,
            memory_bytes_max: Some(PROBE_MEMORY_BYTES_MAX),
        }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The end of a stream of bytes.
struct Tail {
    bytes: Vec<u8>,
    limit: usize,
}

impl Tail {
    fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    async fn fill(&mut self, pipe: Option<PipeReader>) {
        let Some(mut pipe) = pipe.and_then(|pipe| Receiver::from_owned_fd(OwnedFd::from(pipe)).ok()) else {
            return;
        };
        let mut chunk = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
            self.push(chunk.get(..read).unwrap_or_default());
        }
    }

    /// Cuts only when twice the limit is there, so that a flood is not moved byte by byte.
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * self.limit {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.bytes.drain(..self.bytes.len().saturating_sub(self.limit));
    }

    fn text(mut self) -> String {
        self.cut();
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    impl Reply {
        pub(crate) fn of(status: Status, stdout: &str, stderr: &str) -> Self {
            Self { status, stdout: stdout.to_owned(), stderr: stderr.to_owned(), cgroup_version: None }
        }
    }

    #[test]
    fn an_answer_is_found_between_other_output() {
        let check = |stdout: &str, status, expected: Result<Value, Silence>| {
            assert_eq!(
                Reply::of(status, stdout, "a\nlast words\n\n").answer::<Value>(),
                expected,
                "{stdout}"
            );
        };
        let good = Status::Code(0);
        check("banner\nHARDPOINT-PROBE {\"a\":1}\nbye", good, Ok(json!({"a": 1})));
        check("HARDPOINT-PROBE {\"a\":1}\n", Status::Signal(11), Ok(json!({"a": 1})));
        check("HARDPOINT-PROBE {\"a\":", good, Err(Silence::Garbage));
        check("", good, Err(Silence::Garbage));
        let ended = Err(Silence::Ended(Status::Code(3), "last words".to_owned()));
        check("x HARDPOINT-PROBE {}", Status::Code(3), ended);
    }

    #[test]
    fn only_the_end_of_a_flood_is_kept() {
        let mut tail = Tail::new(4);
        for piece in ["abcdef", "g", "hijklmnop", "qr"] {
            tail.push(piece.as_bytes());
            assert!(tail.bytes.len() <= 8 + 9);
        }
        assert_eq!(tail.text(), "opqr");
    }

    #[test]
    fn other_peoples_words_are_one_short_line() {
        assert_eq!(quote("a\n  b\tc"), "a b c");
        assert_eq!(quote(&"ä".repeat(1000)).chars().count(), QUOTE_CHARS_MAX + 1);
    }
}
