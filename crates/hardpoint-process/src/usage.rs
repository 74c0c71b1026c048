//! What a tree of processes uses at one moment: processor time and resident memory.
//!
//! Owns the figures and what follows from two of them. Reads the kernel's files: not for a runtime's threads.

use crate::proc::{Process, tree_of};
use std::time::{Duration, Instant};

/// The figures of one moment.
#[derive(Debug, Clone)]
pub struct TreeUsage {
    at: Instant,
    cpu: Duration,
    /// How long the root has lived.
    age: Duration,
    resident_bytes: u64,
    processes: Vec<u32>,
}

impl TreeUsage {
    /// Measures a process and everything below it. One that is gone uses nothing.
    pub fn of(root: Process) -> Self {
        let below = tree_of(root).into_iter().map(|(process, _)| process);
        let (cpu, age) = (Duration::ZERO, Duration::ZERO);
        let mut usage = Self { at: Instant::now(), cpu, age, resident_bytes: 0, processes: Vec::new() };
        for process in std::iter::once(root).chain(below) {
            usage.resident_bytes += process.resident_bytes();
            usage.cpu += process.cpu_time();
            usage.processes.push(process.0);
        }
        usage.age = root.age();
        usage
    }

    /// Resident memory; pages that processes share are counted for each of them.
    pub fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }

    /// When it was measured.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// Processor time since the processes began.
    pub fn cpu_time(&self) -> Duration {
        self.cpu
    }

    /// The processes that were measured, by number.
    pub fn processes(&self) -> &[u32] {
        &self.processes
    }

    /// Use of the processor since an earlier moment, or since the root's start; 100 is one core. Time of processes
    /// that ended in between is missing.
    pub fn cpu_percent_since(&self, before: Option<&Self>) -> f64 {
        let (cpu, time) = match before {
            Some(before) => (self.cpu.saturating_sub(before.cpu), self.at.duration_since(before.at)),
            None => (self.cpu, self.age),
        };
        if time.is_zero() { 0.0 } else { 100.0 * cpu.as_secs_f64() / time.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    #[test]
    fn a_peak_is_remembered_until_it_is_forgotten() {
        let script = "x = bytearray(64 << 20); del x; print(flush=True); input()";
        let (pipe, mut line) = (Stdio::piped, String::new());
        let mut python =
            Command::new("python3").args(["-c", script]).stdin(pipe()).stdout(pipe()).spawn().unwrap();
        BufReader::new(python.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let process = Process(python.id());
        let peak = process.peak_resident_bytes();
        process.forget_peak().unwrap();
        let (now, later) = (process.resident_bytes(), process.peak_resident_bytes());
        drop(python.stdin.take());
        python.wait().unwrap();
        assert!(peak > now + (60 << 20), "{peak} {now}");
        assert!(later < now + (4 << 20), "{later} {now}");
    }

    #[test]
    fn a_busy_child_and_its_memory_are_counted_with_their_parent() {
        let script = "x = bytearray(64 << 20)\nwhile True: pass";
        let python = ["python3", "-c", script];
        let mut shell = Command::new("sh")
            .args(["-c", "\"$@\" & wait", "sh"])
            .args(python)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let root = Process(shell.id());
        let until = Instant::now() + Duration::from_secs(10);
        // Processor time is counted in steps of 10 ms: two moments must be far enough apart.
        let apart = Duration::from_millis(300);
        let mut before = TreeUsage::of(root);
        let mut seen = false;
        while !seen && Instant::now() < until {
            if before.at.elapsed() > apart {
                let now = TreeUsage::of(root);
                seen = now.cpu_percent_since(Some(&before)) > 20.0 && now.resident_bytes() > 64 << 20;
                before = now;
            }
            std::thread::yield_now();
        }
        let group = rustix::process::Pid::from_child(&shell);
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
        shell.wait().unwrap();
        assert!(seen);
        let gone = TreeUsage::of(root);
        assert_eq!((gone.cpu_time(), root.peak_resident_bytes()), (Duration::ZERO, 0));
        assert!(TreeUsage::of(root).resident_bytes() == 0, "it is gone");
    }
}
