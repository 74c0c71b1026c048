//! Asking a server over HTTP, when it may be killed at any moment.
//!
//! Owns one rule: an answer counts once all of it was read; everything else is lost.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// No answer takes so long, except that of a server that died.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Where a server is, and how it knows its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) url: String,
    pub(super) token: String,
}

/// How a client says what it has seen already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    Query(u64),
    Header(u64),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// Status and document.
    Said(u16, Value),
    /// Nobody knows whether it was done.
    Lost,
}

/// Connections to one server.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    address: Address,
}

impl Http {
    pub(super) fn to(address: Address) -> Result<Self> {
        Ok(Self { client: reqwest::Client::builder().no_proxy().build()?, address })
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path).timeout(ANSWER_MAX)).await
    }

    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(Method::POST, path).timeout(ANSWER_MAX);
        answer(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Events after a number, as they happen, one a line.
    pub(super) async fn events(&self, since: Since, follow: bool) -> reqwest::Result<reqwest::Response> {
        let request = match since {
            Since::Query(number) => {
                self.request(Method::GET, &format!("/v1/events?since={number}&follow={follow}"))
            }
            Since::Header(number) => {
                let request = self.request(Method::GET, &format!("/v1/events?follow={follow}"));
                request.header("last-event-id", number)
            }
        };
        request.header("accept", "application/x-ndjson").send().await?.error_for_status()
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let Address { url, token } = &self.address;
        self.client.request(method, format!("{url}{path}")).bearer_auth(token)
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let ask = async {
        let response = request.send().await?;
        let status = response.status().as_u16();
        reqwest::Result::Ok((status, response.bytes().await?))
    };
    match ask.await {
        Ok((status, text)) => Answer::Said(status, serde_json::from_slice(&text).unwrap_or_default()),
        Err(_) => Answer::Lost,
    }
}
