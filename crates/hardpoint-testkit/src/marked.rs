//! Processes that hosts started: those of a tree by the mark in their environment, shims by their title.
//!
//! Zombies have neither: they are their parent's business.

use hardpoint_process::Process;
use std::fs;

/// The variable that marks every process of a tree.
const MARK: &str = "HARDPOINT_TREE=";
/// What the title of every shim begins with.
const SHIM_TITLE: &str = "hardpoint:";

/// A process that some host on this machine started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkedProcess {
    /// Its number.
    pub process: Process,
    /// Its tree, whose name begins with the number of its host; a shim has none.
    pub tree: Option<String>,
    /// Its command line.
    pub command: String,
}

impl MarkedProcess {
    /// Whether it belongs to a tree of the host with this process number. Nothing tells this of a shim.
    pub fn is_of_host(&self, host: u32) -> bool {
        self.tree.as_ref().is_some_and(|tree| tree.split('-').next() == Some(&host.to_string()))
    }
}

impl std::fmt::Display for MarkedProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tree = self.tree.as_deref().unwrap_or("(shim)");
        write!(f, "process {} of tree {tree}: {}", self.process.0, self.command)
    }
}

/// Every process on this machine that a host started.
pub fn marked_processes() -> Vec<MarkedProcess> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| look_at(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// The parent of a process, by number.
pub fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The command name stands in brackets and may contain anything: the fields follow the last one.
    stat.get(stat.rfind(')')? + 1..)?.split_whitespace().nth(1)?.parse().ok()
}

fn look_at(number: u32) -> Option<MarkedProcess> {
    let environ = fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
    let command = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
    // A worker with secrets lets nobody read its environment, and has its mark in its title.
    let mut entries = environ.split(|&byte| byte == 0).chain(command.split(|&byte| byte == 0));
    let mark = entries.find_map(|entry| entry.strip_prefix(MARK.as_bytes()));
    let tree = mark.map(|tree| String::from_utf8_lossy(tree).into_owned());
    let command = String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned();
    let is_ours = tree.is_some() || command.starts_with(SHIM_TITLE);
    is_ours.then_some(MarkedProcess { process: Process(number), tree, command })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_process_is_found_with_its_host_and_parent() {
        let mut child =
            std::process::Command::new("sleep").arg("60").env("HARDPOINT_TREE", "4711-3").spawn().unwrap();
        let of_host =
            |host| marked_processes().into_iter().filter(move |one| one.is_of_host(host)).collect::<Vec<_>>();
        crate::wait_until("the mark shows", std::time::Duration::from_secs(5), || of_host(4711).len() == 1);
        assert!(of_host(471).is_empty());
        let found = of_host(4711).remove(0);
        assert_eq!(found.process, Process(child.id()));
        assert_eq!(found.to_string(), format!("process {} of tree 4711-3: sleep 60", child.id()));
        assert_eq!(parent_of(child.id()), Some(std::process::id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(of_host(4711).is_empty());
    }
}
