//! A server in a process of its own, and the plainest client there can be.
//!
//! Owns both ends of the loopback connection, so that what is measured is the server and not a client library.

use crate::stage::root;
use anyhow::{Context as _, Result, bail};
use hardpoint_engine::jobs::{JobSettings, Jobs};
use hardpoint_engine::{Catalog, Decisions, Engine, Settings, Starter};
use hardpoint_server::ServerSettings;
use hardpoint_store::Store;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A running server and its folders.
pub(crate) struct Served {
    process: Child,
    address: String,
    token: String,
    _folder: TempDir,
}

impl Served {
    /// Serves copies of plugins: `(name, folder below the root)`. Its data lie on the disk that holds the build.
    pub(crate) fn start(plugins: &[(String, &str)]) -> Result<Self> {
        let folder = crate::jobs::folder()?;
        for (name, from) in plugins {
            copy(&root().join(from), &folder.path().join("plugins").join(name), name)?;
        }
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--be-a-server")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = process.stdout.take().context("the server has no output")?;
        let mut address = String::new();
        BufReader::new(said).read_line(&mut address)?;
        let token = fs::read_to_string(folder.path().join("data/token"))?.trim().to_owned();
        Ok(Self { process, address: address.trim().to_owned(), token, _folder: folder })
    }

    pub(crate) async fn connect(&self) -> Result<Client> {
        let socket = TcpStream::connect(&self.address).await?;
        socket.set_nodelay(true)?;
        let head = format!("Host: {}\r\nAuthorization: Bearer {}\r\n", self.address, self.token);
        Ok(Client { socket, head, buffer: Vec::new() })
    }

    /// Waits until every plugin is up, or is down for good.
    pub(crate) async fn settled(&self) -> Result<Vec<Value>> {
        let mut client = self.connect().await?;
        loop {
            let (_, body) = client.get("/v1/plugins").await?;
            let plugins: Vec<Value> = serde_json::from_slice(&body)?;
            if plugins.iter().all(|plugin| plugin["state"] != "LOADED") {
                return Ok(plugins);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Is the server: prints its address, and ends when its standard input does.
pub(crate) fn be_a_server(folder: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        let starter = Starter::open(&data)?;
        let (settings, store) = (Settings::default(), Store::open(&data)?);
        let decisions = Decisions::read(store.clone()).await?;
        let catalog = Catalog::read(&folder.join("plugins"))?;
        let (engine, running) = Engine::start(settings, &catalog, starter, decisions);
        let (jobs, turns) = Jobs::start(engine.clone(), store, JobSettings::default()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let settings = ServerSettings { data_dir: data, ..ServerSettings::default() };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until = async move { drop(stopped.await) };
        let doors = hardpoint_server::serve(engine.clone(), jobs.clone(), listener, settings, until);
        let serving = tokio::spawn(doors);
        wait_for_token(folder).await?;
        println!("{address}");
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        engine.drain();
        let _ = stop.send(());
        serving.await??;
        jobs.stop(std::time::Duration::ZERO).await;
        turns.await?;
        engine.stop().await;
        running.await?;
        Ok(())
    })
}

async fn wait_for_token(folder: &Path) -> Result<()> {
    for _ in 0..500 {
        if folder.join("data/token").exists() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    bail!("the server made no token")
}

fn copy(from: &Path, to: &Path, name: &str) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path: PathBuf = entry?.path();
        let (true, Some(file)) = (path.is_file(), path.file_name()) else { continue };
        let mut text = fs::read_to_string(&path)?;
        if file == "hardpoint.toml" {
            let rest = text.split_once('\n').map_or("", |(_, rest)| rest).to_owned();
            text = format!("name = \"{name}\"\n{rest}");
        }
        fs::write(to.join(file), text)?;
    }
    Ok(())
}

/// One connection that is kept open.
pub(crate) struct Client {
    socket: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>)> {
        self.request(format!("GET {path} HTTP/1.1\r\n{}\r\n", self.head).into_bytes()).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Result<(u16, Vec<u8>)> {
        let (head, length) = (&self.head, body.len());
        self.request(
            format!(
                "POST {path} HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .into_bytes(),
        )
        .await
    }

    async fn request(&mut self, request: Vec<u8>) -> Result<(u16, Vec<u8>)> {
        self.socket.write_all(&request).await?;
        loop {
            if let Some((status, from, length)) = head_of(&self.buffer)? {
                while self.buffer.len() < from + length {
                    self.read().await?;
                }
                let body = self.buffer.drain(..from + length).skip(from).collect();
                return Ok((status, body));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<()> {
        if self.socket.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// Status, where the body begins, and its length, once the whole head is there.
fn head_of(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default())?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Ok(Some((status, end + 4, length.context("an answer without content-length")?)))
}
