//! Owns starting a program and reading it to its end: own process group, no stdin, bounded lines, a
//! limit on time or on silence. Dropping the future kills the whole group. Knows no program by name.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::limits::{GROWTH_FILES_MAX, INSTALL_LOOK, LINE_BYTES_MAX, PIPE_DRAIN, TAIL_LINES_MAX};
use crate::settings::Settings;

/// When a program is stopped.
#[derive(Debug, Clone)]
pub(crate) enum Patience {
    /// After this time, whatever it does.
    Total(Duration),
    /// After this time without output and without growth below the folder.
    Idle(Duration, PathBuf),
}

/// A program to run.
pub(crate) struct Program<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Variables on top of the settings.
    pub(crate) variables: Vec<(&'static str, OsString)>,
    pub(crate) patience: Patience,
}

/// How a program ended.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) tail: Vec<String>,
}

impl Finished {
    pub(crate) fn ending(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended".to_owned(),
        }
    }
}

/// Why a program has no ending of its own.
pub(crate) enum RunError {
    Start(io::Error),
    /// It was stopped; its last lines.
    Stopped(Duration, Vec<String>),
}

impl<'a> Program<'a> {
    pub(crate) fn new(settings: &'a Settings, path: impl Into<PathBuf>, patience: Patience) -> Self {
        Self { settings, path: path.into(), arguments: Vec::new(), variables: Vec::new(), patience }
    }

    #[must_use]
    pub(crate) fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub(crate) fn var(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The command line for a message, without the passwords of addresses.
    pub(crate) fn command_line(&self) -> String {
        let words =
            std::iter::once(self.path.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(|word| without_password(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    /// Runs it to its end. Each line of stdout and stderr goes to `on_line` and into the tail.
    pub(crate) async fn run(&self, mut on_line: impl FnMut(&str)) -> Result<Finished, RunError> {
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .env_clear()
            .envs(self.settings.for_child())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(RunError::Start)?;
        // Declared after `child`, so dropped before it: the group is signalled while its leader is
        // not yet reaped, and its number can belong to nobody else.
        let mut group = Group(child.id());
        let (sender, mut lines) = mpsc::channel(64);
        let readers = [
            child.stdout.take().map(|pipe| tokio::spawn(read_lines(pipe, sender.clone()))),
            child.stderr.take().map(|pipe| tokio::spawn(read_lines(pipe, sender.clone()))),
        ];
        drop(sender);
        let _readers = AbortOnDrop(readers.into_iter().flatten().collect());
        let mut watch = Watch::new(&self.patience, child.id());
        let mut tail = VecDeque::new();
        let mut keep = |line: String| {
            on_line(&line);
            if tail.len() == TAIL_LINES_MAX {
                tail.pop_front();
            }
            tail.push_back(line);
        };
        let status = loop {
            tokio::select! {
                Some(line) = lines.recv() => {
                    watch.progress();
                    keep(line);
                }
                status = child.wait() => break status.map_err(RunError::Start)?,
                () = tokio::time::sleep(watch.next_look()) => {
                    if let Some(waited) = watch.expired() {
                        group.kill();
                        let _ = child.wait().await;
                        return Err(RunError::Stopped(waited, tail.into()));
                    }
                }
            }
        };
        group.0 = None;
        let drained = Instant::now() + PIPE_DRAIN;
        while let Ok(Some(line)) = tokio::time::timeout_at(drained.into(), lines.recv()).await {
            keep(line);
        }
        Ok(Finished { status, tail: tail.into() })
    }
}

/// The process group of a running child.
struct Group(Option<u32>);

impl Group {
    fn kill(&mut self) {
        let pid = self.0.take().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It fails only when every member is gone, which is what we want.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

struct AbortOnDrop(Vec<tokio::task::JoinHandle<()>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        for reader in &self.0 {
            reader.abort();
        }
    }
}

/// Sends each line, ended by a line feed or a carriage return, cut to its limit.
async fn read_lines(mut pipe: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut chunk = vec![0_u8; 8 * 1024];
    let mut line: Vec<u8> = Vec::new();
    loop {
        let read = pipe.read(&mut chunk).await.unwrap_or(0);
        for &byte in chunk.get(..read).unwrap_or_default() {
            if byte != b'\n' && byte != b'\r' {
                if line.len() < LINE_BYTES_MAX {
                    line.push(byte);
                }
            } else if !send(&mut line, &lines).await {
                return;
            }
        }
        if read == 0 {
            send(&mut line, &lines).await;
            return;
        }
    }
}

async fn send(line: &mut Vec<u8>, lines: &mpsc::Sender<String>) -> bool {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    text.is_empty() || lines.send(text).await.is_ok()
}

/// Notices that nothing happens any more.
struct Watch<'a> {
    patience: &'a Patience,
    pid: Option<u32>,
    since: Instant,
    grown: (u64, u64),
}

impl<'a> Watch<'a> {
    fn new(patience: &'a Patience, pid: Option<u32>) -> Self {
        Self { patience, pid, since: Instant::now(), grown: (0, 0) }
    }

    fn progress(&mut self) {
        if let Patience::Idle(..) = self.patience {
            self.since = Instant::now();
        }
    }

    fn next_look(&self) -> Duration {
        let (Patience::Total(limit) | Patience::Idle(limit, _)) = self.patience;
        limit.saturating_sub(self.since.elapsed()).min(INSTALL_LOOK)
    }

    fn expired(&mut self) -> Option<Duration> {
        let limit = match self.patience {
            Patience::Total(limit) => *limit,
            Patience::Idle(limit, folder) => {
                let grown = (size_below(folder), bytes_written(self.pid));
                if grown != self.grown {
                    self.grown = grown;
                    self.since = Instant::now();
                }
                *limit
            }
        };
        (self.since.elapsed() >= limit).then_some(limit)
    }
}

/// The bytes of the files below `folder`.
fn size_below(folder: &Path) -> u64 {
    let mut waiting = vec![folder.to_owned()];
    let (mut bytes, mut files) = (0_u64, 0_usize);
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            files += 1;
            if files > GROWTH_FILES_MAX {
                return bytes;
            }
            match entry.metadata() {
                Ok(data) if data.is_dir() => waiting.push(entry.path()),
                Ok(data) => bytes = bytes.saturating_add(data.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

/// What the program itself wrote so far, wherever: a download goes into the installer's cache.
/// Unknown on systems without `/proc`.
fn bytes_written(pid: Option<u32>) -> u64 {
    let text =
        pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/io")).ok()).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

/// `https://user:secret@host` as `https://***@host`.
fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => format!("{scheme}://***{}", rest.get(user.len()..).unwrap_or_default()),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_do_not_reach_messages() {
        for (word, expected) in [
            ("https://user:secret@index.example/simple", "https://***@index.example/simple"),
            ("https://index.example/@x", "https://index.example/@x"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_password(word), expected);
        }
    }

    fn shell(script: &str, patience: Patience, settings: &Settings) -> (bool, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let program = Program::new(settings, "/bin/sh", patience).args(["-c", script]);
        runtime.block_on(async {
            match program.run(|_| {}).await {
                Ok(finished) => (finished.status.success(), finished.tail),
                Err(RunError::Stopped(_, tail)) => (false, tail),
                Err(RunError::Start(error)) => panic!("{error}"),
            }
        })
    }

    #[test]
    fn lines_of_both_streams_are_read_cut_and_kept_to_the_last_thirty() {
        let settings = Settings::from_process();
        let script = "for i in $(seq 40); do echo line $i; done; printf 'a\\rb\\n' >&2; head -c 100000 /dev/zero | tr '\\0' x";
        let (good, tail) = shell(script, Patience::Total(Duration::from_secs(20)), &settings);
        assert!(good);
        assert_eq!(tail.len(), TAIL_LINES_MAX);
        assert!(tail.iter().any(|line| line.len() == LINE_BYTES_MAX));
    }

    #[test]
    fn silence_ends_a_program_and_everything_below_it() {
        let settings = Settings::from_process();
        let folder = tempfile::tempdir().unwrap();
        let script = format!("sleep 300 & echo $! > {0}/pid; echo started; wait", folder.path().display());
        let patience = Patience::Idle(Duration::from_millis(500), folder.path().to_owned());
        let (good, tail) = shell(&script, patience, &settings);
        assert!(!good);
        assert_eq!(tail, ["started"]);
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let running = || {
            std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
                .is_ok_and(|stat| !stat.contains(") Z "))
        };
        while running() {
            assert!(Instant::now() < deadline, "the grandchild {pid} is still there");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_program_that_grows_files_is_not_silent() {
        let settings = Settings::from_process();
        let folder = tempfile::tempdir().unwrap();
        let script =
            format!("for i in 1 2 3 4 5 6 7 8; do echo x >> {}/f; sleep 0.2; done", folder.path().display());
        let patience = Patience::Idle(Duration::from_millis(800), folder.path().to_owned());
        assert!(shell(&script, patience, &settings).0);
    }
}
