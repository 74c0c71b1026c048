//! A job with the fields that clients of other hosts look for, beside its own.
//!
//! Owns those fields. Where both have one of the same name, the native one stands (`status`, `error`).

use super::tool::{IMAGE_BASE64, IMAGE_BYTES, VIDEO_PATH};
use crate::app::App;
use crate::disk;
use crate::problem::Problem;
use hardpoint_model::job::{Job, JobId, JobStatus, Stage};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// A job, and what clients of other hosts look for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ShownJob {
    #[serde(flatten)]
    pub(crate) job: Job,
    #[serde(flatten)]
    compat: CompatJob,
}

/// What clients of other hosts look for.
#[derive(Debug, Serialize, JsonSchema)]
struct CompatJob {
    /// The plugin of its first stage.
    plugin: String,
    /// The same.
    plugin_id: String,
    /// The tool of its first stage.
    tool: String,
    /// The tools of all stages; only there when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<String>>,
    /// What it works on, as far as the names of its arguments say so.
    job_type: Option<JobType>,
    /// Where its result is; null until it is completed.
    result_url: Option<String>,
    /// Always null.
    #[schemars(with = "()")]
    summary: Option<()>,
    /// Why it failed, in one sentence.
    error_message: Option<String>,
    /// How far it is, in percent.
    #[schemars(range(min = 0, max = 100))]
    progress: f64,
    /// The tool that runs now.
    current_tool: Option<String>,
    /// How many stages it has.
    tools_total: usize,
    /// How many of them ended well.
    tools_completed: usize,
    /// When it was accepted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it last began or ended something.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
}

/// What a job works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobType {
    /// One tool that looks at an image.
    Image,
    /// Several that look at the same.
    ImageMulti,
    /// One tool that looks at a video.
    Video,
    /// Several that look at the same.
    VideoMulti,
}

/// What tools of this host usually call an image.
const IMAGE: &str = "image";

/// Whether one tool alone is given a binary `image`. Other jobs with such an argument may be about anything.
fn is_native_image(job: &Job) -> bool {
    let [only] = job.stages.as_slice() else { return false };
    only.args.get(IMAGE).is_some_and(|image| image.get("$bytes_length").is_some())
}

/// Whether a stage is given the image that a client of another host has handed in, under whatever name.
fn is_passed_image(stage: &Stage) -> bool {
    let passed: Value = json!({"$from": format!("/input/{IMAGE_BYTES}")});
    stage.args.values().any(|arg| *arg == passed)
}

impl JobType {
    pub(super) fn of(job: &Job) -> Option<Self> {
        let all = |names: &[&str]| {
            let is_given = |stage: &Stage| names.iter().any(|name| stage.args.contains_key(*name));
            !job.stages.is_empty() && job.stages.iter().all(is_given)
        };
        let several = job.stages.len() > 1;
        if all(&[VIDEO_PATH]) {
            Some(if several { Self::VideoMulti } else { Self::Video })
        } else if all(&[IMAGE_BYTES, IMAGE_BASE64])
            || is_native_image(job)
            || (several && job.stages.iter().all(is_passed_image))
        {
            Some(if several { Self::ImageMulti } else { Self::Image })
        } else {
            None
        }
    }
}

/// What somebody who cancelled a job is told, and everybody after.
pub(super) const CANCELLED: &str = "Cancelled by user";

/// Jobs as they are shown. Their progress is read at once.
pub(crate) async fn shown(app: &App, jobs: Vec<Job>) -> Result<Vec<ShownJob>, Problem> {
    let running = jobs.iter().filter(|job| job.status == JobStatus::Running);
    let running: Vec<JobId> = running.map(|job| job.job_id).collect();
    let told = if running.is_empty() {
        std::collections::BTreeMap::new()
    } else {
        app.jobs.progress(running).await.map_err(|e| disk::refused(&e))?
    };
    let show = |job: Job| {
        let of_stage = told.get(&job.job_id).copied();
        let compat = CompatJob::of(&job, of_stage);
        ShownJob { job, compat }
    };
    Ok(jobs.into_iter().map(show).collect())
}

impl CompatJob {
    fn of(job: &Job, told: Option<(u32, f64)>) -> Self {
        let first = job.stages.first();
        let plugin = first.map(|stage| stage.plugin.to_string()).unwrap_or_default();
        let tools: Vec<String> = job.stages.iter().map(|stage| stage.tool.clone()).collect();
        let running = job.stages.iter().position(|stage| !stage.status.is_terminal());
        let current = running.filter(|_| job.status == JobStatus::Running);
        let times = job.stages.iter().flat_map(|stage| [stage.started_at, stage.ended_at]);
        let times = times.chain([job.started_at, job.completed_at]).flatten();
        Self {
            plugin_id: plugin.clone(),
            plugin,
            tool: tools.first().cloned().unwrap_or_default(),
            job_type: JobType::of(job),
            result_url: (job.status == JobStatus::Completed)
                .then(|| format!("/v1/jobs/{}/result?mode=stream", job.job_id)),
            summary: None,
            error_message: error_message(job),
            progress: percent(job, current, told),
            current_tool: current.and_then(|at| tools.get(at).cloned()),
            tools_total: tools.len(),
            tools_completed: job.stages_executed(),
            tools: Some(tools).filter(|tools| tools.len() > 1),
            created_at: job.submitted_at,
            updated_at: times.max().unwrap_or(job.submitted_at),
        }
    }
}

pub(super) fn error_message(job: &Job) -> Option<String> {
    match job.status {
        JobStatus::Cancelled => Some(CANCELLED.to_owned()),
        JobStatus::Failed => job.error.as_ref().map(|error| error.message.clone()),
        JobStatus::Pending | JobStatus::Running | JobStatus::Completed => None,
    }
}

/// Stages count alike; of the one that runs counts what its tool has said.
fn percent(job: &Job, current: Option<usize>, told: Option<(u32, f64)>) -> f64 {
    if job.status == JobStatus::Completed {
        return 100.0;
    }
    let here =
        told.filter(|(stage, _)| usize::try_from(*stage).ok() == current).map_or(0.0, |(_, done)| done);
    let (done, all) = (count(job.stages_executed()), count(job.stages.len().max(1)));
    ((done + here) * 100.0 / all).clamp(0.0, 100.0)
}

/// A number of stages, of which there are few.
fn count(stages: usize) -> f64 {
    u32::try_from(stages).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::job::NewJob;
    use hardpoint_model::{Category, JobError};
    use serde_json::Map;

    fn job(args: &[Value]) -> Job {
        let stage = |args: &Value| {
            let args: Map<String, Value> = args.as_object().cloned().unwrap();
            NewJob::of_tool("p".parse().unwrap(), "t".to_owned(), args).job.stages.remove(0)
        };
        let mut job = NewJob::of_tool("p".parse().unwrap(), "t".to_owned(), Map::new()).job;
        job.stages = args.iter().map(stage).collect();
        job
    }

    #[test]
    fn the_names_of_its_arguments_say_what_a_job_works_on() {
        let of = |args: &[Value]| JobType::of(&job(args));
        assert_eq!(of(&[json!({"image_bytes": {"$bytes_length": 3}})]), Some(JobType::Image));
        assert_eq!(
            of(&[json!({"image_base64": "AA=="}), json!({"image_bytes": 1})]),
            Some(JobType::ImageMulti)
        );
        assert_eq!(of(&[json!({"video_path": "/a"})]), Some(JobType::Video));
        assert_eq!(
            of(&[json!({"video_path": "/a"}), json!({"video_path": "/a"})]),
            Some(JobType::VideoMulti)
        );
        assert_eq!(of(&[json!({"video_path": "/a"}), json!({"image_bytes": 1})]), None);
        assert_eq!(of(&[json!({"text": "a"})]), None);
        // Tools of this host have names of their own for it.
        assert_eq!(of(&[json!({"image": {"$bytes_length": 3}})]), Some(JobType::Image));
        assert_eq!(of(&[json!({"image": "a.png"})]), None);
        let passed = json!({"data": {"$from": "/input/image_bytes"}});
        assert_eq!(of(&[passed.clone(), passed]), Some(JobType::ImageMulti));
    }

    #[test]
    fn progress_counts_stages_and_what_the_running_one_has_said() {
        let mut job = job(&[json!({}), json!({})]);
        let percent = |job: &Job, told| CompatJob::of(job, told).progress;
        assert!((percent(&job, None) - 0.0).abs() < f64::EPSILON);
        job.status = JobStatus::Running;
        job.stages[0].status = JobStatus::Running;
        assert!((percent(&job, Some((0, 0.5))) - 25.0).abs() < f64::EPSILON);
        job.stages[0].status = JobStatus::Completed;
        // What the stage before said counts no more.
        assert!((percent(&job, Some((0, 0.5))) - 50.0).abs() < f64::EPSILON);
        assert!((percent(&job, Some((1, 0.5))) - 75.0).abs() < f64::EPSILON);
        job.status = JobStatus::Completed;
        assert!((percent(&job, None) - 100.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_job_that_ended_says_where_its_result_is_or_why_there_is_none() {
        let mut job = job(&[json!({})]);
        let told = |job: &Job| {
            let told = CompatJob::of(job, None);
            (told.result_url.is_some(), told.error_message)
        };
        assert_eq!(told(&job), (false, None));
        job.status = JobStatus::Completed;
        assert_eq!(told(&job), (true, None));
        job.status = JobStatus::Cancelled;
        assert_eq!(told(&job), (false, Some(CANCELLED.to_owned())));
        job.status = JobStatus::Failed;
        job.error = Some(JobError::new(Category::Fatal, "E", "it broke"));
        assert_eq!(told(&job), (false, Some("it broke".to_owned())));
    }
}
