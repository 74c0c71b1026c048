//! `hardpoint pipeline graph NAME|FILE`: the stages as a drawing.
//!
//! Owns the two ways to draw. Must not know a server's answers beyond the definition in them.

use super::page::Saved;
use crate::cli::exit_code::Code;
use crate::cli::live::{Scene, patiently};
use crate::cli::terminal;
use crate::client::typed;
use crate::embedded::Failure;
use clap::Args;
use hardpoint_model::Pipeline;
use hardpoint_model::pipeline::Pass;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// What is drawn.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hardpoint pipeline graph faces
  hardpoint pipeline graph examples/pipelines/faces.yaml --mermaid > faces.mmd")]
pub(in crate::cli) struct Graph {
    /// Name of a saved pipeline, or a file that defines one
    pipeline: String,
    /// As a Mermaid flow chart
    #[arg(long)]
    mermaid: bool,
}

pub(super) async fn run(args: &Graph, scene: Scene<'_>) -> Result<Code, Failure> {
    let pipeline = definition(&args.pipeline, scene).await?;
    let drawing = if args.mermaid { mermaid(&pipeline) } else { text(&pipeline) };
    if scene.shared.json {
        terminal::print_json(&json!({"graph": drawing}))?;
    } else {
        terminal::print(drawing.trim_end())?;
    }
    Ok(Code::Ok)
}

/// A saved pipeline, or that of a file.
pub(super) async fn definition(named: &str, scene: Scene<'_>) -> Result<Pipeline, Failure> {
    if is_file(named) {
        return super::definition::read(Path::new(named));
    }
    let saved: Saved = typed(&patiently(scene.client()?.pipeline(named, None)).await?)?;
    Ok(saved.definition)
}

/// A name has no slash and no ending of a definition.
pub(super) fn is_file(named: &str) -> bool {
    let path = Path::new(named);
    let endings = ["yaml", "yml", "json"];
    named == super::definition::STDIN
        || named.contains('/')
        || path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

fn passed(pipeline: &Pipeline, index: usize) -> &'static str {
    match pipeline.stages.get(index) {
        Some(stage) if stage.args.is_some() => "arguments of its own",
        Some(_) if index == 0 => "the input",
        Some(_) | None => match pipeline.pass {
            Pass::Output => "the output",
            Pass::Merge => "everything so far",
        },
    }
}

fn text(pipeline: &Pipeline) -> String {
    let mut text = String::new();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let _ = writeln!(text, "     │ {}", passed(pipeline, index));
        let _ = writeln!(text, "     ▼");
        let _ = writeln!(text, "{:>3}  {}.{}", index + 1, stage.plugin, stage.tool);
        for (name, value) in &stage.config {
            let _ = writeln!(text, "     │   {name}: {}", crate::cli::show::cut(&value.to_string()));
        }
    }
    let _ = writeln!(text, "     │ {}", passed(pipeline, pipeline.stages.len()));
    text.push_str("     ▼\n     result\n");
    text
}

fn mermaid(pipeline: &Pipeline) -> String {
    let mut text = "flowchart TD\n    input([input])\n".to_owned();
    let mut before = "input".to_owned();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let node = format!("s{}", index + 1);
        let _ = writeln!(text, "    {node}[\"{}.{}\"]", stage.plugin, stage.tool);
        let _ = writeln!(text, "    {before} -->|{}| {node}", passed(pipeline, index));
        before = node;
    }
    let _ = writeln!(text, "    {before} --> result([result])");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use hardpoint_model::document::Format;

    fn pipeline() -> Pipeline {
        let text = r#"{"pass": "merge", "stages": [{"plugin": "scan", "tool": "load", "config": {"dpi": 300}},
            {"plugin": "ocr", "tool": "read"}, {"plugin": "mail", "tool": "send", "args": {}}]}"#;
        Pipeline::parse(text, "p", Format::Json).unwrap()
    }

    #[test]
    fn every_stage_is_drawn_with_what_is_passed_to_it() {
        let drawn = text(&pipeline());
        for part in [
            "  1  scan.load",
            "dpi: 300",
            "  2  ocr.read",
            "the input",
            "everything so far",
            "arguments of its own",
        ] {
            assert!(drawn.contains(part), "{part}\n{drawn}");
        }
        let drawn = mermaid(&pipeline());
        assert!(
            drawn.contains("s1 -->|everything so far| s2[") || drawn.contains("s1 -->|everything so far| s2")
        );
    }

    #[test]
    fn a_name_is_told_from_a_file() {
        for (named, expected) in [("faces", false), ("a.b", false), ("faces.yaml", true), ("x/faces", true)] {
            assert_eq!(is_file(named), expected, "{named}");
        }
    }
}
