//! What jobs brought, in the form of other hosts: one tool's output, that of several by tool, or frames of a video.
//!
//! Owns those forms. Must not know where outputs are kept.

use super::shown::JobType;
use crate::app::App;
use crate::disk;
use crate::limits::RESULT_BYTES_MAX;
use crate::problem::{Code, Problem};
use hardpoint_model::job::Job;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Names under which frames have their number.
const FRAME_NUMBERS: [&str; 2] = ["frame_idx", "frame_index"];
const FRAMES: &str = "frames";
const TOTAL: &str = "total_frames";

/// What a tool brought, with its name.
type Output = (String, Value);

/// Whether the result of this job is told in the form of other hosts besides its own.
pub(crate) fn is_told(job: &Job) -> bool {
    JobType::of(job).is_some()
}

/// The result of a job that is completed.
pub(crate) async fn result(app: &App, job: &Job) -> Result<Map<String, Value>, Problem> {
    let mut outputs = Vec::new();
    for (number, stage) in (0_u32..).zip(&job.stages) {
        let found = app.jobs.output(job.job_id, number).await.map_err(|e| disk::refused(&e))?;
        let gone =
            || Problem::new(Code::NoResult, format!("the result of job {} is not kept any more", job.job_id));
        let document = found.ok_or_else(gone)?.into_json(RESULT_BYTES_MAX).map_err(|e| {
            Problem::new(Code::ResultNotSerializable, format!("the result cannot be sent as JSON: {e}"))
        })?;
        outputs.push((stage.tool.clone(), document));
    }
    let plugin = job.stages.first().map(|stage| stage.plugin.to_string()).unwrap_or_default();
    Ok(match JobType::of(job) {
        Some(JobType::Video) => of_video(&job.job_id.to_string(), outputs),
        Some(JobType::VideoMulti) => of_videos(&job.job_id.to_string(), outputs),
        Some(JobType::Image | JobType::ImageMulti) | None => of_image(&plugin, outputs),
    })
}

fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_image(plugin: &str, mut outputs: Vec<Output>) -> Map<String, Value> {
    if outputs.len() == 1
        && let Some((tool, results)) = outputs.pop()
    {
        return object([("plugin_id", json!(plugin)), ("tool", json!(tool)), ("results", results)]);
    }
    let tools: Map<String, Value> = outputs.into_iter().collect();
    object([("plugin_id", json!(plugin)), ("tools", Value::Object(tools))])
}

/// The tool's own object, with what every result of a video has.
fn of_video(job: &str, outputs: Vec<Output>) -> Map<String, Value> {
    let mut told = outputs.into_iter().next().map(|(_, output)| unwrapped(output)).unwrap_or_default();
    let frames = told.entry(FRAMES).or_insert_with(|| json!([]));
    let count = frames.as_array().map_or(0, Vec::len);
    told.entry(TOTAL).or_insert_with(|| json!(count));
    told.extend(object([("job_id", json!(job)), ("status", json!("completed"))]));
    told
}

/// The frames of all tools together, by number.
fn of_videos(job: &str, outputs: Vec<Output>) -> Map<String, Value> {
    let (mut merged, mut total) = (BTreeMap::<u64, Map<String, Value>>::new(), 0);
    for (tool, output) in outputs {
        let mut output = unwrapped(output);
        total = output.get(TOTAL).and_then(Value::as_u64).unwrap_or(0).max(total);
        let Some(Value::Array(frames)) = output.remove(FRAMES) else { continue };
        for (place, frame) in (0_u64..).zip(frames) {
            let (number, rest) = numbered(frame, place);
            merged.entry(number).or_default().insert(tool.clone(), rest);
        }
    }
    let frames: Vec<Value> = merged
        .into_iter()
        .map(|(number, tools)| {
            let mut frame = object([("frame_idx", json!(number))]);
            frame.extend(tools);
            Value::Object(frame)
        })
        .collect();
    let total = total.max(frames.len() as u64);
    object([
        ("job_id", json!(job)),
        ("status", json!("completed")),
        (TOTAL, json!(total)),
        (FRAMES, json!(frames)),
    ])
}

/// A frame's number, or else its place, and what else it has.
fn numbered(frame: Value, place: u64) -> (u64, Value) {
    let Value::Object(mut fields) = frame else { return (place, frame) };
    let numbers: Vec<Value> = FRAME_NUMBERS.iter().filter_map(|name| fields.remove(*name)).collect();
    let number = numbers.iter().find_map(Value::as_u64).unwrap_or(place);
    (number, Value::Object(fields))
}

/// The object that has the frames: some tools put it into another one, under `result`.
fn unwrapped(output: Value) -> Map<String, Value> {
    let Value::Object(mut fields) = output else { return object([("result", output)]) };
    let inner = fields.get("result").is_some_and(|inner| inner.get(FRAMES).is_some());
    if fields.contains_key(FRAMES) || !inner {
        return fields;
    }
    match fields.remove("result") {
        Some(Value::Object(inner)) => {
            fields.extend(inner);
            fields
        }
        Some(_) | None => fields,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(of: &[(&str, Value)]) -> Vec<Output> {
        of.iter().map(|(tool, output)| ((*tool).to_owned(), output.clone())).collect()
    }

    #[test]
    fn images_are_told_by_tool() {
        let one = Value::Object(of_image("p", outputs(&[("a", json!({"n": 1}))])));
        assert_eq!(one, json!({"plugin_id": "p", "tool": "a", "results": {"n": 1}}));
        let two = Value::Object(of_image("p", outputs(&[("a", json!({})), ("b", json!([1]))])));
        assert_eq!(two, json!({"plugin_id": "p", "tools": {"a": {}, "b": [1]}}));
    }

    #[test]
    fn a_video_is_told_flat_whether_its_frames_were_wrapped_or_not() {
        let of = |output: Value| Value::Object(of_video("j", outputs(&[("a", output)])));
        let expected = json!({"job_id": "j", "status": "completed", "total_frames": 2, "frames": [1, 2], "success": true});
        assert_eq!(of(json!({"frames": [1, 2], "success": true})), expected);
        assert_eq!(of(json!({"success": true, "result": {"frames": [1, 2]}})), expected);
        assert_eq!(of(json!({"total_frames": 9}))["total_frames"], 9);
        assert_eq!(of(json!({"total_frames": 9}))["frames"], json!([]));
    }

    #[test]
    fn frames_of_several_tools_are_merged_by_their_number_under_either_name() {
        let told = of_videos(
            "j",
            outputs(&[
                (
                    "a",
                    json!({"frames": [{"frame_idx": 1, "n": 1}, {"frame_idx": 3, "n": 3}], "total_frames": 4}),
                ),
                (
                    "b",
                    json!({"result": {"frames": [{"frame_index": 3, "m": 3}, {"frame_index": 2, "m": 2}]}}),
                ),
                ("c", json!({"frames": ["no number"]})),
            ]),
        );
        let expected = json!([
            {"frame_idx": 0, "c": "no number"},
            {"frame_idx": 1, "a": {"n": 1}},
            {"frame_idx": 2, "b": {"m": 2}},
            {"frame_idx": 3, "a": {"n": 3}, "b": {"m": 3}},
        ]);
        assert_eq!((&told["frames"], &told["total_frames"]), (&expected, &json!(4)));
    }
}
