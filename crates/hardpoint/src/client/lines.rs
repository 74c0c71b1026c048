//! An answer that comes line by line.
//!
//! Owns taking lines out of chunks. Must not know what a line says.

use super::Client;
use crate::embedded::Failure;
use bytes::{Buf as _, Bytes};
use reqwest::Response;

/// The lines of one answer.
pub(super) struct Lines<'a> {
    client: &'a Client,
    response: Response,
    /// The beginning of the next line.
    pending: Vec<u8>,
    /// What was received after it.
    rest: Bytes,
}

impl<'a> Lines<'a> {
    pub(super) fn of(client: &'a Client, response: Response) -> Self {
        Self { client, response, pending: Vec::new(), rest: Bytes::new() }
    }

    /// The next line, without its end; `None` after the last. `kept`: how many bytes of earlier lines the caller
    /// still has.
    pub(super) async fn next(&mut self, kept: usize) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                self.pending.extend_from_slice(&self.rest.split_to(end));
                self.rest.advance(1);
                return Ok(Some(std::mem::take(&mut self.pending)));
            }
            self.pending.extend_from_slice(&std::mem::take(&mut self.rest));
            match self.client.chunk(&mut self.response, kept + self.pending.len()).await? {
                Some(chunk) => self.rest = chunk,
                None => return Ok(None),
            }
        }
    }
}
