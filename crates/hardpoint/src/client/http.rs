//! One request, one answer, bounded in size and time.

use super::Target;
use super::refused::Refused;
use crate::embedded::Failure;
use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response, Url, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take that waits for nobody.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer: 256 MiB of binary results as base64, and the rest of the document.
const ANSWER_BYTES_MAX: usize = 384 << 20;

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
enum Patience {
    /// The server answers at once.
    Short,
    /// The server may wait for so long before it answers.
    Besides(Duration),
}

/// A server that is asked.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    target: Target,
}

impl Client {
    pub(crate) fn new(target: Target) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("hardpoint/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Failure::host("the HTTP client could not be made", &e))?;
        Ok(Self { http, target })
    }

    /// The server that is asked.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Reads a document.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.document(self.request(Method::GET, path, query)).await
    }

    /// Sends a document, and reads the one that comes back. The server may take `wait` for it.
    pub(super) async fn post(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        wait: Duration,
    ) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path, query);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = self.answer(request, Patience::Besides(wait)).await?;
        Ok(answer.document)
    }

    /// Has something done that the server waits for, for at most `wait`. Whether it is over is the second value.
    pub(super) async fn settling(
        &self,
        path: &[&str],
        body: Option<&Value>,
        wait: Duration,
    ) -> Result<(Value, bool), Failure> {
        let seconds = wait.as_secs().to_string();
        let request = self.request(Method::POST, path, &[("wait_seconds", seconds.as_str())]);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = self.answer(request, Patience::Besides(wait)).await?;
        Ok((answer.document, answer.status != 202))
    }

    /// Changes something, and reads the document that comes back. The server may take `wait` for it.
    pub(super) async fn patch(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        change: &Value,
        wait: Duration,
    ) -> Result<Value, Failure> {
        let request = self.request(Method::PATCH, path, query).json(change);
        Ok(self.answer(request, Patience::Besides(wait)).await?.document)
    }

    async fn answer(&self, request: RequestBuilder, patience: Patience) -> Result<Answer, Failure> {
        let mut response = self.send(patience.applied_to(request)).await?;
        let status = response.status().as_u16();
        let body = self.read(&mut response).await?;
        match serde_json::from_slice(&body) {
            Ok(document) => Ok(Answer { status, document }),
            Err(_) => Err(self.stranger(status)),
        }
    }

    /// Sends a request that is made already, and reads the document that comes back.
    pub(super) async fn document(&self, request: RequestBuilder) -> Result<Value, Failure> {
        Ok(self.answer(request, Patience::Short).await?.document)
    }

    /// The same, when the server may wait for so long before it answers.
    pub(super) async fn document_besides(
        &self,
        request: RequestBuilder,
        wait: Duration,
    ) -> Result<Value, Failure> {
        Ok(self.answer(request, Patience::Besides(wait)).await?.document)
    }

    pub(super) fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let request = self.http.request(method, self.address(path, query));
        match &self.target.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Does something with a plugin, and waits for at most `wait` until it has settled. Whether it has is the
    /// second value.
    pub(crate) async fn verb(
        &self,
        plugin: &str,
        verb: &str,
        wait: Duration,
    ) -> Result<(Value, bool), Failure> {
        self.settling(&["v1", "plugins", plugin, verb], None, wait).await
    }

    /// The beginning of a good answer. A bad one is read, and becomes the failure that it tells of.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let mut response = request.send().await.map_err(|e| self.lost(&e))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.read(&mut response).await?;
        match serde_json::from_slice::<Value>(&body) {
            Ok(document) if document.get("detail").is_some_and(Value::is_string) => {
                Err(Failure::Refused(Box::new(Refused::of(status.as_u16(), document, &self.target))))
            }
            Ok(_) | Err(_) => Err(self.stranger(status.as_u16())),
        }
    }

    async fn read(&self, response: &mut Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(response, body.len()).await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The next piece of an answer, of which so much has been kept.
    pub(super) async fn chunk(&self, response: &mut Response, kept: usize) -> Result<Option<Bytes>, Failure> {
        match response.chunk().await {
            Ok(Some(chunk)) if kept + chunk.len() > ANSWER_BYTES_MAX => Err(Failure::Host {
                message: format!(
                    "the answer of {} is larger than {} MiB",
                    self.shown(),
                    ANSWER_BYTES_MAX >> 20
                ),
            }),
            Ok(chunk) => Ok(chunk),
            Err(e) => Err(self.lost(&e)),
        }
    }

    /// The server's address for people.
    pub(crate) fn shown(&self) -> &str {
        self.target.shown()
    }

    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.target.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    pub(super) fn lost(&self, error: &reqwest::Error) -> Failure {
        let url = self.shown();
        if error.is_connect() {
            return Failure::Unreachable {
                message: format!("no server answers at {url}"),
                hint: "start one with `hardpoint serve`, or name another one with `--server URL`".to_owned(),
            };
        }
        let (message, hint) = if error.is_timeout() {
            (format!("the server at {url} did not answer in time"), "look at the log of that server")
        } else {
            let causes = std::iter::successors(Some(error as &dyn std::error::Error), |cause| cause.source());
            let cause = causes.last().map_or_else(String::new, |cause| format!(": {cause}"));
            (
                format!("the connection to the server at {url} was lost{cause}"),
                "it may have been stopped: look whether it runs, and at its log",
            )
        };
        Failure::Unreachable { message, hint: hint.to_owned() }
    }

    pub(super) fn stranger(&self, status: u16) -> Failure {
        let url = self.shown();
        Failure::Unreachable {
            message: format!("what answers at {url} is no Hardpoint server (status {status})"),
            hint: "name the right one with `--server URL`, or start one with `hardpoint serve`".to_owned(),
        }
    }
}

/// A good answer.
struct Answer {
    status: u16,
    document: Value,
}

impl Patience {
    fn applied_to(self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Short => request.timeout(ANSWER_TIMEOUT),
            Self::Besides(wait) => request.timeout(wait.saturating_add(ANSWER_TIMEOUT)),
        }
    }
}

/// A document as the type that it should have.
pub(crate) fn typed<T: DeserializeOwned>(document: &Value) -> Result<T, Failure> {
    T::deserialize(document).map_err(|e| Failure::Host {
        message: format!("the server's answer cannot be understood: {e} (is it of another version?)"),
    })
}
