//! `GET /v1/events` and `GET /v1/jobs/{id}/events`: from which number on, and which of them.
//!
//! Owns the query. Must not know how events are separated on the wire.

use super::failure::find;
use super::look::misfit;
use super::socket;
use super::stream::{self, Going, Wanted};
use crate::app::{App, Shared};
use crate::connection::Connection;
use crate::extract::{Asked, JobPath, Path, Upgrade};
use crate::limits::{EVENT_NUMBER_MAX, JOBS_FOLLOWED_MAX};
use crate::problem::{Code, Problem};
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use hardpoint_model::job::{Event, JobId};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// The words for what can happen.
const TYPES: [&str; 8] = [
    "STATE_TRANSITION",
    "PROGRESS_CHANGED",
    "RESOURCE_SNAPSHOT",
    "CANCEL_PHASE_CHANGED",
    "RETRY_STARTED",
    "BLOCK_REASON_CHANGED",
    "SEQUENCE_ADVANCED",
    PIPELINE_MESSAGE,
];

/// The type of what runs of pipelines say.
const PIPELINE_MESSAGE: &str = "PIPELINE_MESSAGE";

fn types_pattern() -> String {
    let word = TYPES.join("|");
    format!("^({word})(,({word})){{0,{}}}$", TYPES.len() - 1)
}

fn jobs_pattern() -> String {
    let id = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
    format!("^{id}(,{id}){{0,{}}}$", JOBS_FOLLOWED_MAX - 1)
}

/// Which events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Only events with a higher number; all that are kept when absent. `Last-Event-ID` overrules it.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64), skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// Only those of these jobs, with commas between their ids.
    #[schemars(regex(pattern = jobs_pattern()), skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    /// Only those of this plugin.
    #[schemars(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// Only those of these types, with commas between them.
    #[schemars(regex(pattern = types_pattern()), skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// Whether those that will happen are wanted too; true when absent.
    #[schemars(extend("default" = true), skip_serializing_if = "Option::is_none")]
    follow: Option<bool>,
}

/// Which events of a job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobEventsQuery {
    /// Only events with a higher number; all that are kept when absent. `Last-Event-ID` overrules it.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64), skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// Only those of these types, with commas between them.
    #[schemars(regex(pattern = types_pattern()), skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// Whether those that will happen are wanted too; true when absent.
    #[schemars(extend("default" = true), skip_serializing_if = "Option::is_none")]
    follow: Option<bool>,
}

/// `GET /v1/events`
pub(crate) async fn events(
    State(app): Shared,
    Extension(connection): Extension<Connection>,
    upgrade: Option<Upgrade>,
    query: Asked<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = query.0.and_then(|query| wanted(query, last_event_id(&headers)?));
    answer(&app, &connection, upgrade, wanted, &headers)
}

/// Which messages.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RealtimeQuery {
    /// Also those of events with a higher number; only those from now on when absent. `Last-Event-ID` overrules it.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64), skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// Only those of these jobs, with commas between them.
    #[schemars(regex(pattern = jobs_pattern()), skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    /// Whether those that will happen are wanted too; true when absent.
    #[schemars(extend("default" = true), skip_serializing_if = "Option::is_none")]
    follow: Option<bool>,
}

/// `GET /v1/realtime`
pub(crate) async fn realtime(
    State(app): Shared,
    Extension(connection): Extension<Connection>,
    upgrade: Option<Upgrade>,
    query: Asked<RealtimeQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = messages(&app, query.0, &headers);
    answer(&app, &connection, upgrade, wanted, &headers)
}

fn messages(
    app: &App,
    query: Result<RealtimeQuery, Problem>,
    headers: &HeaderMap,
) -> Result<Wanted, Problem> {
    let RealtimeQuery { since, job, follow } = query?;
    let seen = last_event_id(headers)?;
    let since = Some(since.unwrap_or_else(|| app.jobs.last_event()));
    let mut wanted = wanted(EventsQuery { since, job, follow, ..EventsQuery::default() }, seen)?;
    (wanted.types, wanted.bare) = (vec![PIPELINE_MESSAGE], true);
    Ok(wanted)
}

/// `GET /v1/jobs/{id}/events`
pub(crate) async fn job_events(
    State(app): Shared,
    Extension(connection): Extension<Connection>,
    path: Path<JobPath>,
    upgrade: Option<Upgrade>,
    query: Asked<JobEventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = of_job(&app, &path.0, query.0, &headers).await;
    answer(&app, &connection, upgrade, wanted, &headers)
}

async fn of_job(
    app: &App,
    path: &JobPath,
    query: Result<JobEventsQuery, Problem>,
    headers: &HeaderMap,
) -> Result<Wanted, Problem> {
    let JobEventsQuery { since, r#type, follow } = query?;
    let query = EventsQuery { since, r#type, follow, ..EventsQuery::default() };
    let mut wanted = wanted(query, last_event_id(headers)?)?;
    let job = find(app, path.job()?).await?;
    wanted.jobs = vec![job.job_id];
    wanted.until_over = true;
    // Of a job that is over nothing more will come, and its last event may have been seen.
    wanted.follow &= !job.status.is_terminal();
    Ok(wanted)
}

fn answer(
    app: &Arc<App>,
    connection: &Connection,
    upgrade: Option<Upgrade>,
    wanted: Result<Wanted, Problem>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let going = wanted.and_then(|wanted| Going::begin(app, connection.clone(), wanted));
    match upgrade {
        Some(upgrade) => Ok(socket::response(connection, upgrade, going)),
        None => going.map(|going| stream::response(going, stream::format(headers))),
    }
}

fn wanted(query: EventsQuery, seen: Option<u64>) -> Result<Wanted, Problem> {
    // Also where the header overrules it: what is not read must not be wrong either.
    if query.since.is_some_and(|since| since > EVENT_NUMBER_MAX) {
        return Err(misfit("since", &format!("`since` must be from 0 to {EVENT_NUMBER_MAX}")));
    }
    let jobs = query.job.as_deref().map_or(Ok(Vec::new()), jobs)?;
    let types = query.r#type.as_deref().map_or(Ok(Vec::new()), types)?;
    let follow = query.follow.unwrap_or(true);
    let since = seen.or(query.since).unwrap_or_default();
    Ok(Wanted { since, jobs, plugin: query.plugin, types, follow, until_over: false, bare: false })
}

fn jobs(text: &str) -> Result<Vec<JobId>, Problem> {
    let ids: Result<Vec<JobId>, _> = text.split(',').take(JOBS_FOLLOWED_MAX + 1).map(str::parse).collect();
    ids.ok().filter(|ids| ids.len() <= JOBS_FOLLOWED_MAX).ok_or_else(|| {
        let detail =
            format!("`job` must be ids of up to {JOBS_FOLLOWED_MAX} jobs, UUIDs, with commas between");
        misfit("job", &detail)
    })
}

fn types(text: &str) -> Result<Vec<&'static str>, Problem> {
    let mut found = Vec::new();
    for word in text.split(',') {
        match TYPES.into_iter().find(|known| *known == word) {
            Some(known) if found.len() < TYPES.len() => found.push(known),
            _ => {
                let words = TYPES.join(", ");
                return Err(misfit("type", &format!("`type` must be of {words}, with commas between")));
            }
        }
    }
    Ok(found)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(field) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let text = field.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = text.and_then(|text| text.parse().ok()).filter(|number| *number <= EVENT_NUMBER_MAX);
    number.map(Some).ok_or_else(|| {
        Problem::new(Code::BadHeader, "`Last-Event-ID` must be the number of an event").at("/last-event-id")
    })
}

impl Wanted {
    /// Whether an event is one of them.
    pub(super) fn has(&self, event: &Event) -> bool {
        let of_plugin = self.plugin.as_deref().is_none_or(|plugin| {
            let rest = event.plugin_instance_id.strip_prefix(plugin);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
        });
        of_plugin && (self.types.is_empty() || self.types.contains(&event.kind.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use hardpoint_model::Category;
    use hardpoint_model::job::{CancelPhase, EventKind, JobStatus, ResourceSnapshot};
    use hardpoint_model::pipeline::PipelineMessage;
    use jiff::Timestamp;

    fn read(query: &str) -> Result<Wanted, Problem> {
        wanted(serde_urlencoded::from_str(query).unwrap(), None)
    }

    fn event(plugin: &str, kind: EventKind) -> Event {
        let (job_id, plugin_instance_id) = (JobId::now(), plugin.to_owned());
        Event { number: 1, kind, job_id, plugin_instance_id, stage: 0, timestamp: Timestamp::now() }
    }

    #[test]
    fn every_kind_of_event_can_be_asked_for_by_its_word() {
        let to = JobStatus::Pending;
        let used = ResourceSnapshot { worker_pid: 1, ..ResourceSnapshot::default() };
        let kinds = [
            EventKind::StateTransition { from: None, to },
            EventKind::ProgressChanged { progress: 0.5, status_message: String::new() },
            EventKind::ResourceSnapshot { snapshot: used },
            EventKind::CancelPhaseChanged { from: None, to: CancelPhase::Cooperative },
            EventKind::RetryStarted {
                attempt: 1,
                exception_repr: String::new(),
                exception_category: Category::Transient,
            },
            EventKind::BlockReasonChanged { from: None, to: None },
            EventKind::SequenceAdvanced {
                prior_job_id: JobId::now(),
                prior_step_index: 0,
                prior_success: true,
            },
            EventKind::PipelineMessage(PipelineMessage::progress(JobId::now(), 1, 2, Timestamp::now())),
        ];
        for (kind, word) in kinds.into_iter().zip(TYPES) {
            let found = read(&format!("type={word}")).unwrap();
            assert!(found.has(&event("p", kind)), "{word}");
            assert_eq!(found.types, [word]);
        }
    }

    #[test]
    fn events_are_chosen_by_plugin_and_type() {
        let cases = [
            ("", true),
            ("plugin=ocr", true),
            ("plugin=ocr@fast", true),
            ("plugin=oc", false),
            ("plugin=ocr@f", false),
            ("type=STATE_TRANSITION,PROGRESS_CHANGED", true),
            ("type=RETRY_STARTED", false),
            ("plugin=ocr&type=RETRY_STARTED", false),
        ];
        let event = event("ocr@fast", EventKind::StateTransition { from: None, to: JobStatus::Pending });
        for (query, expected) in cases {
            assert_eq!(read(query).unwrap().has(&event), expected, "{query}");
        }
    }

    #[test]
    fn a_query_says_from_where_on_or_names_what_is_wrong() {
        assert_eq!(read("since=7").unwrap().since, 7);
        assert_eq!(read("").unwrap().since, 0);
        let ids = |count: usize| {
            let ids: Vec<String> = (0..count).map(|_| JobId::now().to_string()).collect();
            read(&format!("job={}", ids.join(","))).map(|wanted| wanted.jobs.len()).ok()
        };
        assert_eq!([ids(1), ids(2), ids(64), ids(65)], [Some(1), Some(2), Some(64), None]);
        assert!(read("").unwrap().follow && !read("follow=false").unwrap().follow);
        for (query, pointer) in [
            ("since=9007199254740992", "/since"),
            ("job=x", "/job"),
            ("job=", "/job"),
            ("job=01997f3e-5c1a-7cc0-9d3b-6f1f1f0f3b11,", "/job"),
            ("type=", "/type"),
            ("type=state_transition", "/type"),
        ] {
            let problem = serde_json::to_value(read(query).unwrap_err()).unwrap();
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
        }
    }

    #[test]
    fn what_was_seen_last_overrules_the_query() {
        let query = || serde_urlencoded::from_str("since=7").unwrap();
        assert_eq!(wanted(query(), Some(9)).unwrap().since, 9);
        let wrong = serde_urlencoded::from_str("since=9007199254740992").unwrap();
        assert!(wanted(wrong, Some(9)).is_err(), "a wrong number that is overruled");
        for (field, expected) in [
            ("0", Ok(Some(0))),
            ("42", Ok(Some(42))),
            ("", Err(())),
            ("-1", Err(())),
            ("+1", Err(())),
            ("x", Err(())),
            ("9007199254740992", Err(())),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LAST_EVENT_ID, HeaderValue::from_static(field));
            assert_eq!(last_event_id(&headers).map_err(drop), expected, "{field:?}");
        }
        assert_eq!(last_event_id(&HeaderMap::new()).map_err(drop), Ok(None));
    }
}
