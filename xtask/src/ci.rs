//! `cargo xtask ci`: every check a change must pass, one after the other, stopping at the first failure.

mod api_step;
mod python_steps;
mod reports;
mod rust_steps;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::tidy;

use reports::read_reports;
pub(crate) use reports::{End, Reports};

/// Without options every step runs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these steps, by name: `--only tidy` or `--only fmt,clippy`.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,
    /// Name the steps and stop.
    #[arg(long)]
    list: bool,
}

/// One check. It returns what the reader of the summary should know, for example what was skipped.
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn() -> Result<Vec<String>>,
}

const STEPS: [Step; 11] = [
    Step { name: "fmt", what: "Rust code is formatted", run: rust_steps::fmt },
    Step { name: "clippy", what: "Rust code passes the lints", run: rust_steps::clippy },
    Step { name: "tidy", what: "the project's own rules", run: tidy_step },
    Step { name: "test", what: "Rust tests, unit to end to end", run: rust_steps::test },
    Step { name: "doctest", what: "examples in the Rust documentation", run: rust_steps::doctest },
    Step { name: "pylint", what: "Python code passes ruff", run: python_steps::lint },
    Step { name: "pytypes", what: "Python code passes mypy --strict", run: python_steps::types },
    Step { name: "pytest", what: "Python tests on every interpreter", run: python_steps::test },
    Step { name: "apitest", what: "the HTTP API does what its description says", run: api_step::test },
    Step { name: "doc", what: "the Rust documentation builds", run: rust_steps::doc },
    Step { name: "requirements", what: "every promised test exists and passed", run: requirements_step },
];

struct Done {
    name: &'static str,
    took: Duration,
    notes: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let chosen = choose(&args.only)?;
    if args.list {
        for step in chosen {
            println!("{:<13} {}", step.name, step.what);
        }
        return Ok(());
    }
    let mut done = Vec::new();
    for (number, step) in chosen.iter().enumerate() {
        println!("\n== {} ({} of {}): {}", step.name, number + 1, chosen.len(), step.what);
        let started = Instant::now();
        match (step.run)() {
            Ok(notes) => {
                let took = started.elapsed();
                println!("-- {} passed in {:.1} s", step.name, took.as_secs_f64());
                done.push(Done { name: step.name, took, notes });
            }
            Err(error) => {
                summarise(&done, &chosen, Some((step.name, started.elapsed())));
                let name = step.name;
                bail!(
                    "step `{name}` failed: {error:#}\nhint: run it alone with `cargo xtask ci --only {name}`"
                );
            }
        }
    }
    summarise(&done, &chosen, None);
    Ok(())
}

fn choose(only: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = only.iter().find(|name| !STEPS.iter().any(|step| step.name == **name)) {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("there is no step `{unknown}`; there are {}", names.join(", "));
    }
    Ok(STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)).collect())
}

fn summarise(done: &[Done], chosen: &[&Step], failed: Option<(&str, Duration)>) {
    println!("\n{:<13} {:>9}  outcome", "step", "seconds");
    for step in done {
        println!("{:<13} {:>9.1}  passed", step.name, step.took.as_secs_f64());
    }
    if let Some((name, took)) = failed {
        println!("{name:<13} {:>9.1}  FAILED", took.as_secs_f64());
    }
    for step in chosen.iter().skip(done.len() + usize::from(failed.is_some())) {
        println!("{:<13} {:>9}  not run", step.name, "");
    }
    for (step, note) in done.iter().flat_map(|step| step.notes.iter().map(move |note| (step.name, note))) {
        println!("note ({step}): {note}");
    }
    println!();
}

fn tidy_step() -> Result<Vec<String>> {
    tidy::check_all()
}

/// After the tests: what the requirements table names has run and passed in this very run.
fn requirements_step() -> Result<Vec<String>> {
    tidy::check_requirements_ran(&read_reports()?)
}
