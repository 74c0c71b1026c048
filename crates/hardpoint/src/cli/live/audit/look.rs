//! Asking a host everything that it says about its plugins, and the machine about their processes.

use super::rules::{Finding, agree, down, name_of, sound};
use crate::client::Client;
use crate::embedded::Failure;
use hardpoint_process::{Process, tree_of};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long an answer may take: each is read from a snapshot.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// How long a host may take to notice that a worker has ended.
const NOTICE_MAX: Duration = Duration::from_secs(1);
/// A name that no plugin has: capitals are not allowed.
const NOBODY: &str = "No-Such-Plugin";

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The plugins that were looked at.
    pub(super) plugins: Vec<Value>,
    pub(super) findings: Vec<Finding>,
    /// Plugins that are down, each with how.
    pub(super) down: Vec<(String, String)>,
    pub(super) requests: usize,
    pub(super) slowest: Duration,
    /// Whether processes could be looked at.
    pub(super) processes: bool,
}

/// Looks at all plugins, or at one.
pub(super) async fn look(client: &Client, only: Option<&str>) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    let list = seen.ask(client, &["v1", "plugins"]).await?;
    let Value::Array(list) = list else {
        seen.findings.push(Finding::of_host("list", "the list of plugins is no list"));
        return Ok(seen);
    };
    twice(&list, &mut seen.findings);
    let wanted: Vec<Value> =
        list.into_iter().filter(|one| only.is_none_or(|only| name_of(one) == only)).collect();
    if let (Some(only), true) = (only, wanted.is_empty()) {
        return Err(Failure::request(
            format!("the server has no plugin `{only}`"),
            "`hardpoint plugin health` lists those that it has",
        ));
    }
    for listed in &wanted {
        seen.plugin(client, listed).await?;
    }
    seen.nobody(client).await?;
    seen.processes(client, &wanted).await?;
    seen.plugins = wanted;
    Ok(seen)
}

impl Seen {
    async fn ask(&mut self, client: &Client, path: &[&str]) -> Result<Value, Failure> {
        let asked = Instant::now();
        let answer = client.get(path, &[]).await;
        let took = asked.elapsed();
        self.requests += 1;
        self.slowest = self.slowest.max(took);
        if took > ANSWER_MAX {
            let detail = format!("/{} took {} ms to answer", path.join("/"), took.as_millis());
            self.findings.push(Finding::of_host("slow", detail));
        }
        answer
    }

    async fn plugin(&mut self, client: &Client, listed: &Value) -> Result<(), Failure> {
        let name = name_of(listed);
        self.findings.extend(sound(listed));
        if let Some(how) = down(listed) {
            self.down.push((name.clone(), how));
        }
        let mut before = listed.clone();
        let mut place = "the list";
        for (path, here) in [
            (vec!["v1", "plugins", name.as_str(), "health"], "its health"),
            (vec!["v1", "plugins", name.as_str()], "its details"),
        ] {
            match self.ask(client, &path).await {
                Ok(document) => {
                    self.findings.extend(sound(&document));
                    self.findings.extend(agree(&before, &document, (place, here)));
                    (before, place) = (document, here);
                }
                Err(Failure::Refused(refused)) => {
                    let detail = format!("it is in the list, but {here} cannot be had: {}", refused.message);
                    self.findings.push(Finding::of(&name, "disagreement", detail));
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// A plugin that is not there is 404, and nothing else.
    async fn nobody(&mut self, client: &Client) -> Result<(), Failure> {
        let complaint = match self.ask(client, &["v1", "plugins", NOBODY, "health"]).await {
            Ok(_) => "has a health although there is none",
            Err(Failure::Refused(refused)) if refused.document.get("status") == Some(&Value::from(404)) => {
                return Ok(());
            }
            Err(Failure::Refused(_)) => "is refused with another status than 404",
            Err(other) => return Err(other),
        };
        self.findings
            .push(Finding::of_host("unknown_plugin", format!("a plugin that does not exist {complaint}")));
        Ok(())
    }

    /// Every worker is alive, a descendant of the host, and named after its plugin.
    async fn processes(&mut self, client: &Client, listed: &[Value]) -> Result<(), Failure> {
        let Some(host) = client.target().pid else { return Ok(()) };
        self.processes = true;
        let family: BTreeSet<u32> = tree_of(Process(host)).into_iter().map(|(child, _)| child.0).collect();
        let mut pids = BTreeSet::new();
        for document in listed {
            let name = name_of(document);
            let Some(pid) = pid_of(document) else { continue };
            if !pids.insert(pid) {
                let detail = format!("process {pid} is given as the worker of another plugin, too");
                self.findings.push(Finding::of(&name, "process", detail));
            }
            let Some(trouble) = trouble(&name, pid, &family) else { continue };
            if self.insists(client, &name, pid).await? {
                self.findings.push(Finding::of(&name, "process", trouble));
            }
        }
        Ok(())
    }

    /// Whether the host goes on to give this process as the plugin's worker. It may have ended just now, or
    /// since it was listed: the host has a second to notice.
    async fn insists(&mut self, client: &Client, name: &str, pid: u32) -> Result<bool, Failure> {
        let until = Instant::now() + NOTICE_MAX;
        loop {
            match self.ask(client, &["v1", "plugins", name, "health"]).await {
                Ok(now) if pid_of(&now) != Some(pid) => return Ok(false),
                Ok(_) => {}
                Err(Failure::Refused(_)) => return Ok(false),
                Err(other) => return Err(other),
            }
            if Instant::now() >= until {
                return Ok(true);
            }
            tokio::time::sleep(NOTICE_MAX / 20).await;
        }
    }
}

fn twice(list: &[Value], findings: &mut Vec<Finding>) {
    let mut names = BTreeSet::new();
    for name in list.iter().map(name_of).filter(|name| !names.insert(name.clone())) {
        findings.push(Finding::of(&name, "list", "it is in the list more than once"));
    }
}

fn pid_of(document: &Value) -> Option<u32> {
    u32::try_from(document.get("pid")?.as_u64()?).ok()
}

fn trouble(name: &str, pid: u32, family: &BTreeSet<u32>) -> Option<String> {
    if !Process(pid).is_alive() {
        return Some(format!("its worker is given as process {pid}, which is not alive"));
    }
    if !family.contains(&pid) {
        return Some(format!("its worker is given as process {pid}, which is no descendant of the host"));
    }
    let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&title);
    (!title.contains(name)).then(|| {
        let shown = title.split('\0').next().unwrap_or_default();
        format!("its worker, process {pid}, is not named after it: `{shown}`")
    })
}
