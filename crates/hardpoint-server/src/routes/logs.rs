//! `GET /v1/plugins/{name}/logs`: what a plugin said, and what the host said about it.
//!
//! Owns the query. The last lines are in memory: asking for them waits for no disk.

use super::plugins::find;
use crate::app::Shared;
use crate::extract::{Path, PluginPath, Query};
use crate::limits::{EVENT_NUMBER_MAX, LOG_LINES, LOG_LINES_MAX};
use crate::log_lines::{Follow, Form, Wanted, answer, check_contains, of_lines};
use crate::openapi::{Docs as _, reading};
use crate::problem::{Code, Problem};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use hardpoint_engine::logs::{LogFilter, Start};
use hardpoint_model::log::LogLevel;
use schemars::JsonSchema;
use serde::Deserialize;

/// How much of a log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsQuery {
    /// How many lines: the last ones, or with `since` the first ones after it.
    #[schemars(range(min = 1, max = 1000), extend("default" = LOG_LINES))]
    #[schemars(skip_serializing_if = "Option::is_none")]
    lines: Option<usize>,
    /// Only lines with a higher number. With `follow` all of them.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64), skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// Whether lines that will come are wanted too.
    #[schemars(extend("default" = false), skip_serializing_if = "Option::is_none")]
    follow: Option<bool>,
    /// Only lines that are at least so severe; what was printed is not.
    #[schemars(skip_serializing_if = "Option::is_none")]
    level: Option<LogLevel>,
    /// Only lines with this in their text.
    #[schemars(length(min = 1, max = 1000), skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
}

pub(super) async fn logs(
    State(app): Shared,
    path: Path<PluginPath>,
    query: Query<LogsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = query.0;
    query.check()?;
    let name = find(&app.engine, &path.0.name)?.name.clone();
    let form = Form::of(&headers, query.follow == Some(true));
    answer(&app, form, query.wanted(name)).await
}

impl LogsQuery {
    fn check(&self) -> Result<(), Problem> {
        let misfit = |name: &str, from: u64, to: u64| {
            let detail = format!("`{name}` must be from {from} to {to}");
            Err(Problem::new(Code::BadQuery, detail).at(format!("/{name}")))
        };
        if self.lines.is_some_and(|lines| !(1..=LOG_LINES_MAX).contains(&lines)) {
            return misfit("lines", 1, LOG_LINES_MAX as u64);
        }
        if self.since.is_some_and(|since| since > EVENT_NUMBER_MAX) {
            return misfit("since", 0, EVENT_NUMBER_MAX);
        }
        check_contains(self.contains.as_deref())
    }

    fn wanted(self, instance: String) -> Wanted {
        let Self { lines, since, follow, level, contains } = self;
        let (lines, follow) = (lines.unwrap_or(LOG_LINES), follow == Some(true));
        let (start, count) = match since {
            None => (Start::Last(lines), None),
            Some(number) => (Start::After(number), (!follow).then_some(lines)),
        };
        let filter = LogFilter { level, contains, ..LogFilter::default() };
        let follow = if follow { Follow::OnAndOn } else { Follow::No };
        Wanted { instances: vec![instance], filter, start, count, follow }
    }
}

pub(super) fn logs_docs(op: TransformOperation) -> TransformOperation {
    let op = reading(op, "getPluginLogs", "What a plugin said")
        .description("What it printed, what it logged and what the host says about it; oldest first.");
    of_lines(op).one_plugin().problems(&[Code::BadQuery, Code::HostBusy])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_asked_for_or_the_first_ones_after_a_number() {
        let read = |query: &str| serde_urlencoded::from_str::<LogsQuery>(query).unwrap();
        let cases = [
            ("", Start::Last(100), None),
            ("lines=7&follow=true", Start::Last(7), None),
            ("since=5", Start::After(5), Some(100)),
            ("since=5&lines=7", Start::After(5), Some(7)),
            ("since=5&lines=7&follow=true", Start::After(5), None),
        ];
        for (query, start, count) in cases {
            let wanted = read(query).wanted("p".to_owned());
            assert_eq!((wanted.start, wanted.count), (start, count), "{query}");
        }
        for (query, pointer) in [
            ("lines=0", "/lines"),
            ("lines=1001", "/lines"),
            ("since=9007199254740992", "/since"),
            ("contains=", "/contains"),
        ] {
            let problem = serde_json::to_value(read(query).check().unwrap_err()).unwrap();
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
        }
    }
}
