//! The floors: the least that the same work costs without any of ours.
//!
//! Owns a bare interpreter that answers JSON over a socket pair, and copies of memory. Must not use the
//! supervisor, the wire or the launcher.

use crate::samples::Samples;
use crate::stage::Stage;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Reads frames of an 8-byte length and JSON, answers each with its own text.
const ANSWERER: &str = r#"
import json, socket
end, rest = socket.socket(fileno=0), b""
while data := end.recv(65536):
    rest, at, out = rest + data, 0, []
    while len(rest) >= at + 8:
        until = at + 8 + int.from_bytes(rest[at:at + 8], "big")
        if len(rest) < until:
            break
        asked = json.loads(rest[at + 8:until])
        text = json.dumps({"type": "result", "id": asked["id"], "execution_time_ms": 0.01,
                           "items": 0, "result": asked["args"]["text"]}).encode()
        out.append(len(text).to_bytes(8, "big") + text)
        at = until
    rest = rest[at:]
    end.sendall(b"".join(out))
"#;

/// A bare interpreter at the other end of a socket pair.
pub(crate) struct PingPong {
    socket: UnixStream,
    child: Child,
    buffer: Vec<u8>,
}

impl PingPong {
    pub(crate) fn start(stage: &Stage) -> Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let child =
            stage.bare_python().args(["-c", ANSWERER]).stdin(Stdio::from(OwnedFd::from(theirs))).spawn()?;
        Ok(Self { socket, child, buffer: Vec::new() })
    }

    /// One after the other, `count` times.
    pub(crate) fn round_trips(&mut self, text_bytes: usize, count: u32) -> Result<Samples> {
        let text = "x".repeat(text_bytes);
        let mut samples = Samples::default();
        for id in 0..count {
            let started = Instant::now();
            let frame = request(id, &text)?;
            self.socket.write_all(&frame)?;
            self.take_answer()?;
            samples.push(started.elapsed());
        }
        Ok(samples)
    }

    /// With `in_flight` of them on their way at any time: how long all `count` take.
    pub(crate) fn pipelined(&mut self, text_bytes: usize, count: u32, in_flight: u32) -> Result<Duration> {
        let text = "x".repeat(text_bytes);
        let started = Instant::now();
        let (mut sent, mut taken) = (0, 0);
        while taken < count {
            let mut batch = Vec::new();
            while sent < count && sent - taken < in_flight {
                batch.extend(request(sent, &text)?);
                sent += 1;
            }
            self.socket.write_all(&batch)?;
            self.take_answer()?;
            taken += 1;
            while self.has_answer() {
                self.take_answer()?;
                taken += 1;
            }
        }
        Ok(started.elapsed())
    }

    fn length(&self) -> Option<usize> {
        let prefix = self.buffer.first_chunk::<8>()?;
        usize::try_from(u64::from_be_bytes(*prefix)).ok()
    }

    fn has_answer(&self) -> bool {
        self.length().is_some_and(|length| self.buffer.len() >= 8 + length)
    }

    fn take_answer(&mut self) -> Result<Value> {
        let mut chunk = [0; 16 << 10];
        while !self.has_answer() {
            let read = self.socket.read(&mut chunk)?;
            anyhow::ensure!(read > 0, "the bare interpreter went away");
            self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
        let end = 8 + self.length().unwrap_or_default();
        let frame: Vec<u8> = self.buffer.drain(..end).collect();
        Ok(serde_json::from_slice(frame.get(8..).context("a frame without a length")?)?)
    }
}

impl Drop for PingPong {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same fields as a call of the protocol has.
fn request(id: u32, text: &str) -> Result<Vec<u8>> {
    let message = json!({
        "type": "call", "id": id, "tool": "echo", "args": {"text": text},
        "timeout_ms": 60_000, "credit": 64, "job": null,
    });
    let body = serde_json::to_vec(&message)?;
    let mut frame = u64::try_from(body.len())?.to_be_bytes().to_vec();
    frame.extend(body);
    Ok(frame)
}

/// `python -c pass`, from spawn to its end.
pub(crate) fn bare_start(stage: &Stage) -> Result<Duration> {
    time_to_end(stage.bare_python().args(["-c", "pass"]))
}

/// From spawn to its end.
pub(crate) fn time_to_end(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    let status = command.status()?;
    anyhow::ensure!(status.success(), "the bare interpreter fails");
    Ok(started.elapsed())
}

/// A bare interpreter that sleeps until it is killed, and says when it is there.
pub(crate) fn sleeper(stage: &Stage) -> Result<Child> {
    let code = "import sys, time; sys.stdout.write('.'); sys.stdout.flush(); time.sleep(600)";
    let mut child = stage.bare_python().args(["-c", code]).stdout(Stdio::piped()).spawn()?;
    let mut stdout = child.stdout.take().context("no stdout")?;
    stdout.read_exact(&mut [0])?;
    Ok(child)
}

/// Copies into memory that was not used before: each copy is kept until all are made.
pub(crate) fn copies(bytes: &[u8], count: u32) -> Samples {
    let mut kept = Vec::new();
    let mut samples = Samples::default();
    for _ in 0..count {
        let started = Instant::now();
        kept.push(std::hint::black_box(bytes.to_vec()));
        samples.push(started.elapsed());
    }
    samples
}
