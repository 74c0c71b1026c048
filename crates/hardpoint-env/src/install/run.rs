//! Owns starting a program and reading it to its end: no stdin, bounded lines, a limit on time or on
//! silence. The program is a process tree of its own, so nothing it started outlives it, this future or
//! this process. Knows no program by name.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hardpoint_process::{LaunchSpec, Status, Tree, TreeEvent};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;

use super::patience::{Patience, Watch};
use crate::limits::{LINE_BYTES_MAX, LINE_QUEUE, PIPE_DRAIN, TAIL_LINES_MAX};
use crate::machine::Machine;

/// A program to run.
pub(crate) struct Program<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Variables on top of the machine's.
    pub(crate) variables: Vec<(&'static str, OsString)>,
    pub(crate) patience: Patience,
}

/// How a program ended.
pub(crate) struct Finished {
    pub(crate) status: Status,
    pub(crate) tail: Vec<String>,
}

impl Finished {
    pub(crate) fn is_success(&self) -> bool {
        self.status == Status::Code(0)
    }

    pub(crate) fn ending(&self) -> String {
        match self.status {
            Status::Code(code) => format!("exited with code {code}"),
            Status::Signal(signal) => format!("was killed by signal {signal}"),
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
    pub(crate) fn new(machine: &'a Machine, path: impl Into<PathBuf>, patience: Patience) -> Self {
        Self { machine, path: path.into(), arguments: Vec::new(), variables: Vec::new(), patience }
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
        let launched = self.machine.launcher.launch(self.spec().map_err(RunError::Start)?).await;
        let mut tree = launched.map_err(|error| RunError::Start(io::Error::other(error)))?;
        let (_readers, mut lines) = read_output(&mut tree);
        let mut watch = Watch::new(&self.patience, tree.pid());
        let mut tail = VecDeque::new();
        let mut keep = |line: String| {
            on_line(&line);
            if tail.len() == TAIL_LINES_MAX {
                tail.pop_front();
            }
            tail.push_back(line);
        };
        let mut status = None;
        loop {
            tokio::select! {
                Some(line) = lines.recv() => {
                    watch.progress();
                    keep(line);
                }
                event = tree.next_event() => match event {
                    TreeEvent::Exited(ended) => status = Some(ended),
                    TreeEvent::Gone { .. } | TreeEvent::Lost => break,
                },
                () = tokio::time::sleep(watch.next_look()) => {
                    if let Some(waited) = watch.expired() {
                        tree.end().await;
                        return Err(RunError::Stopped(waited, tail.into()));
                    }
                }
            }
        }
        tree.end().await;
        let drained = Instant::now() + PIPE_DRAIN;
        while let Ok(Some(line)) = tokio::time::timeout_at(drained.into(), lines.recv()).await {
            keep(line);
        }
        let status = status.ok_or_else(|| RunError::Start(io::Error::other("somebody killed its shim")))?;
        Ok(Finished { status, tail: tail.into() })
    }

    /// The whole environment is passed on: caches of installers stay where they are. Only the folder for
    /// temporary files is the tree's own.
    fn spec(&self) -> io::Result<LaunchSpec> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let inherited = self.machine.settings.for_child().filter_map(|(name, value)| {
            // No installer reads a variable that is not text.
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        });
        let mut env: BTreeMap<String, String> = inherited.collect();
        for (name, value) in &self.variables {
            env.insert((*name).to_owned(), text(value)?);
        }
        Ok(LaunchSpec {
            title: format!("hardpoint: {name} (shim)"),
            program: std::path::absolute(&self.path)?,
            args: self.arguments.iter().map(text).collect::<io::Result<_>>()?,
            env,
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            socket: None,
            memory_bytes_max: None,
        })
    }
}

fn text(word: &OsString) -> io::Result<String> {
    word.to_str().map(str::to_owned).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not UTF-8", word.to_string_lossy()))
    })
}

/// Lines of stdout and stderr, as they come; the readers end with the first value.
fn read_output(tree: &mut Tree) -> (AbortOnDrop, mpsc::Receiver<String>) {
    let (sender, lines) = mpsc::channel(LINE_QUEUE);
    let pipes = tree.take_output().into_iter().flat_map(|(out, err)| [out, err]);
    let open = |pipe: PipeReader| Receiver::from_owned_fd(OwnedFd::from(pipe)).ok();
    let readers = pipes.filter_map(open).map(|pipe| tokio::spawn(read_lines(pipe, sender.clone())));
    (AbortOnDrop(readers.collect()), lines)
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
    use crate::settings::Settings;
    use hardpoint_process::{Launcher, MemoryMode};

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

    /// The binary that integration tests have as `CARGO_BIN_EXE_hardpoint-shim`, built along with them.
    fn shim() -> PathBuf {
        let own = std::env::current_exe().unwrap();
        let shim = own.ancestors().nth(2).unwrap().join("hardpoint-shim");
        assert!(shim.exists(), "build it first: cargo build -p hardpoint-env");
        shim
    }

    fn shell(script: &str, patience: Patience) -> (bool, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let launcher = Launcher::new(shim(), scratch.path(), MemoryMode::Sampler).unwrap();
        let machine = Machine { launcher, settings: Settings::from_process() };
        let program = Program::new(&machine, "/bin/sh", patience).args(["-c", script]);
        runtime.block_on(async {
            match program.run(|_| {}).await {
                Ok(finished) => (finished.is_success(), finished.tail),
                Err(RunError::Stopped(_, tail)) => (false, tail),
                Err(RunError::Start(error)) => panic!("{error}"),
            }
        })
    }

    #[test]
    fn lines_of_both_streams_are_read_cut_and_kept_to_the_last_thirty() {
        let script = "for i in $(seq 40); do echo line $i; done; printf 'a\\rb\\n' >&2; head -c 100000 /dev/zero | tr '\\0' x";
        let (good, tail) = shell(script, Patience::Total(Duration::from_secs(20)));
        assert!(good);
        assert_eq!(tail.len(), TAIL_LINES_MAX);
        assert!(tail.iter().any(|line| line.len() == LINE_BYTES_MAX));
    }

    #[test]
    fn silence_ends_a_program_and_everything_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("sleep 300 & echo $! > {0}/pid; echo started; wait", folder.path().display());
        let patience = Patience::Idle(Duration::from_millis(500), folder.path().to_owned());
        let (good, tail) = shell(&script, patience);
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
        let folder = tempfile::tempdir().unwrap();
        let script =
            format!("for i in 1 2 3 4 5 6 7 8; do echo x >> {}/f; sleep 0.2; done", folder.path().display());
        let patience = Patience::Idle(Duration::from_millis(800), folder.path().to_owned());
        assert!(shell(&script, patience).0);
    }
}
