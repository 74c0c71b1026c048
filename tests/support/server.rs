//! The real `hardpoint serve` on a free port with a data folder of its own, asked over HTTP as anybody would.
//! Environments are those that all tests share, so that none is built twice.

use super::{PATIENCE, repository, shared_data, test_plugins};
use hardpoint_store::Store;
use hardpoint_testkit::{left_by_host, soon, wait_until};
use reqwest::Method;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// How long a server may take until it listens, and until it has ended.
const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(45);

/// A server to be.
pub(crate) struct Serving {
    pub(crate) command: Command,
    folder: TempDir,
}

/// A running server. Dropping it kills it; [`Server::stop`] ends it in order and looks at what it left.
pub(crate) struct Server {
    child: Option<Child>,
    url: String,
    folder: TempDir,
    client: reqwest::Client,
    // A closed pipe would be an error of the server's.
    _stdout: BufReader<ChildStdout>,
}

/// What a request brought.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Serving {
    /// A server with these test plugins alone.
    pub(crate) fn of(plugins: &[&str]) -> Self {
        let serving = Self::empty();
        for plugin in plugins {
            let known = [test_plugins().join(plugin), repository().join("examples/plugins").join(plugin)];
            let folder = known.iter().find(|path| path.is_dir());
            let folder = folder.unwrap_or_else(|| panic!("there is no test plugin {plugin}"));
            symlink(folder, serving.plugins().join(plugin)).unwrap();
        }
        serving
    }

    /// A server with an empty plugins folder; [`Serving::plugins`] says where plugins are put.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["data", "plugins", "here"] {
            fs::create_dir(path(name)).unwrap();
        }
        for shared in ["envs", "tools"] {
            let target = shared_data().join(shared);
            fs::create_dir_all(&target).unwrap();
            symlink(target, path("data").join(shared)).unwrap();
        }
        Self::on(folder)
    }

    /// A server on folders that are there already.
    fn on(folder: TempDir) -> Self {
        let path = |name: &str| folder.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardpoint"));
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(path("data")).arg("--plugins-dir").arg(path("plugins"));
        command.current_dir(path("here")).env_remove("NOTIFY_SOCKET");
        pipes(&mut command, folder.path());
        Self { command, folder }
    }

    /// Run by another user, who may reach nothing of whoever runs the tests: what it needs is copied to its folders, or
    /// has been before.
    pub(crate) fn by_user(mut self, user: u32) -> Self {
        let folder = self.folder.path().to_owned();
        let program = folder.join("hardpoint");
        if !program.exists() {
            fs::copy(env!("CARGO_BIN_EXE_hardpoint"), &program).unwrap();
            for shared in ["envs", "tools"] {
                fs::remove_file(self.data().join(shared)).unwrap();
            }
            for plugin in fs::read_dir(self.plugins()).unwrap() {
                own_copy(&plugin.unwrap().path());
            }
            for path in [folder.clone(), self.data(), self.plugins(), folder.join("here")] {
                chown(path, Some(user), Some(user)).unwrap();
            }
        }
        let mut command = Command::new(program);
        command.args(self.command.get_args()).current_dir(folder.join("here"));
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        pipes(&mut command, &folder);
        command.uid(user).gid(user).env("HOME", folder);
        self.command = command;
        self
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// With its data in another folder, for example on a disk of its own.
    pub(crate) fn data_in(self, folder: &Path) -> Self {
        for shared in ["envs", "tools"] {
            symlink(shared_data().join(shared), folder.join(shared)).unwrap();
        }
        fs::remove_dir_all(self.data()).unwrap();
        symlink(folder, self.data()).unwrap();
        self
    }

    /// With a `hardpoint.yaml` in the server's current folder.
    pub(crate) fn config(self, yaml: &str) -> Self {
        fs::write(self.folder.path().join("here/hardpoint.yaml"), yaml).unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// With a copy of the files of a test plugin that can be changed.
    pub(crate) fn own(plugin: &str) -> Self {
        let serving = Self::of(&[plugin]);
        own_copy(&serving.plugins().join(plugin));
        serving
    }

    /// Starts it and waits until it says where it listens.
    pub(crate) fn start(mut self) -> Server {
        let mut child = self.command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, first_line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = told.send((line, stdout));
        });
        let first = first_line.recv_timeout(START);
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let server = |url: String, stdout| Server {
            child: Some(child),
            url,
            folder: std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()),
            client: reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .timeout(Duration::from_mins(2))
                .build()
                .unwrap(),
            _stdout: stdout,
        };
        let (line, stdout) = first.unwrap_or_else(|_| panic!("it never said that it listens\n{log}"));
        let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let server = server(url.clone().unwrap_or_default(), stdout);
        assert!(url.is_some(), "it does not listen: {line:?}\n{log}");
        server
    }
}

fn pipes(command: &mut Command, folder: &Path) {
    let log = File::create(folder.join("log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
}

/// Instead of a link to a plugin's folder the files in it.
fn own_copy(link: &Path) {
    let folder = fs::read_link(link).unwrap();
    fs::remove_file(link).unwrap();
    fs::create_dir(link).unwrap();
    for file in fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(file.path(), link.join(file.file_name())).unwrap();
    }
}

impl Server {
    /// A server with these test plugins alone.
    pub(crate) fn with(plugins: &[&str]) -> Self {
        Serving::of(plugins).start()
    }

    /// For example `http://127.0.0.1:40123`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// Its current folder.
    pub(crate) fn here(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The token that it made for the local user; empty when it made none.
    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.data().join("token")).unwrap_or_default().trim().to_owned()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None)
    }

    pub(crate) fn post(&self, path: &str, body: Option<&Value>) -> Reply {
        self.send(Method::POST, path, body)
    }

    /// One request with the local user's token.
    pub(crate) fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let request = self.client().request(method, format!("{}{path}", self.url)).bearer_auth(self.token());
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        reply(request)
    }

    /// For requests that are not everyday ones; see [`reply`].
    pub(crate) fn client(&self) -> reqwest::Client {
        self.client.clone()
    }

    /// The health of one plugin.
    pub(crate) fn health(&self, plugin: &str) -> Value {
        self.get(&format!("/v1/plugins/{plugin}/health")).json()
    }

    /// Waits until a plugin is in this state.
    #[track_caller]
    pub(crate) fn wait_for(&self, plugin: &str, state: &str) -> Value {
        let mut last = Value::Null;
        let came = soon(PATIENCE, || {
            last = self.health(plugin);
            last["state"] == state
        });
        assert!(came, "{plugin} did not become {state}: {last:#}\n{}", self.log());
        last
    }

    /// Sends a signal to the server's own process.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().unwrap());
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends it in order, and checks that it did so without a trace.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        let (status, log) = self.end();
        assert_eq!(status.code(), Some(0), "{log}");
        assert_database_is_sound(&self.data());
    }

    /// The same, and then a last look at its folders.
    #[track_caller]
    pub(crate) fn stop_and(self, look: impl FnOnce()) {
        // They go with what is dropped last.
        let serving = self.stopped();
        look();
        drop(serving);
    }

    /// Kills it; what has no shim any more outlives it.
    pub(crate) fn killed_with_survivors(mut self) -> Serving {
        self.signal(rustix::process::Signal::KILL);
        let _ = self.child.take().unwrap().wait();
        Serving::on(std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()))
    }

    /// Kills it without a warning: what is on its disk is all that is left. Another one can be started there.
    #[track_caller]
    pub(crate) fn killed(self) -> Serving {
        self.signal(rustix::process::Signal::KILL);
        self.left().1
    }

    /// Ends it in order. Another one can be started on its folders.
    #[track_caller]
    pub(crate) fn stopped(self) -> Serving {
        self.signal(rustix::process::Signal::TERM);
        let (status, serving) = self.left();
        assert_eq!(status.code(), Some(0));
        serving
    }

    /// Waits for its end; its status, and a server to be on its folders.
    #[track_caller]
    pub(crate) fn left(mut self) -> (ExitStatus, Serving) {
        let (status, _) = self.end();
        (status, Serving::on(std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())))
    }

    /// Waits for its end, and checks that nothing is left. Gives its status and its log.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        self.end()
    }

    #[track_caller]
    fn end(&mut self) -> (ExitStatus, String) {
        let mut child = self.child.take().unwrap();
        let host = child.id();
        let mut status = None;
        let ended = soon(STOP, || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        let log = self.log();
        if !ended {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it did not end within {STOP:?}\n{log}");
        }
        assert_server_left_nothing(host, &self.data());
        (status.unwrap(), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Nothing is left of a server: no process, no scratch folder, no note of where it listened.
#[track_caller]
pub(crate) fn assert_server_left_nothing(host: u32, data: &Path) {
    wait_until("nothing of the server was left", Duration::from_secs(5), || {
        left_by_host(host, data).is_empty()
    });
}

/// Whatever happened to a server in its life, what it has written fits together.
#[track_caller]
fn assert_database_is_sound(data: &Path) {
    let path = Store::path_in(data);
    if path.exists() {
        let report = Store::check(&path).unwrap();
        assert!(report.damage.is_empty() && report.faults.is_empty(), "{report:#?}");
    }
}

impl Reply {
    /// The body as the JSON document that it is.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e} in {} {:?}", self.status, self.text))
    }

    /// A field of its header; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Sends a request and waits for its answer. May be called from anywhere, a runtime included.
pub(crate) fn reply(request: reqwest::RequestBuilder) -> Reply {
    try_reply(request).unwrap()
}

/// The same where the answer may be lost, because the server ends.
pub(crate) fn try_reply(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let ask = async {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, text: response.text().await? })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::scope(|scope| scope.spawn(move || runtime.block_on(ask)).join().unwrap())
}

/// Runs a tool with these arguments: the status and the body of the answer.
pub(crate) fn run_tool(server: &Server, plugin: &str, tool: &str, args: &Value) -> (u16, Value) {
    let body = serde_json::json!({"args": args});
    let reply = server.post(&format!("/v1/plugins/{plugin}/tools/{tool}/run"), Some(&body));
    (reply.status, reply.json())
}
