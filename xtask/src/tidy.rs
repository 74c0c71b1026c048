//! `cargo xtask tidy`: the rules of the project that no compiler and no linter checks.
//!
//! Every rule is a function from the files to a list of complaints; all complaints are shown at once.

mod comments;
mod edges;
mod lengths;
mod requirements;
mod versions;
mod words;

use anyhow::{Result, bail};

use crate::ci::Reports;
use crate::tree::{self, SourceFile};

/// Without options every rule is checked.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check only these rules, by name.
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    only: Vec<String>,
}

struct Rule {
    name: &'static str,
    check: fn(&[SourceFile]) -> Result<Vec<String>>,
}

const RULES: [Rule; 6] = [
    Rule { name: "edges", check: edges::check },
    Rule { name: "lengths", check: lengths::check },
    Rule { name: "comments", check: comments::check },
    Rule { name: "words", check: |files| Ok(words::check(files)) },
    Rule { name: "versions", check: versions::check },
    Rule { name: "requirements", check: requirements::check },
];

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(unknown) = args.only.iter().find(|name| !RULES.iter().any(|rule| rule.name == **name)) {
        let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        bail!("there is no rule `{unknown}`; there are {}", names.join(", "));
    }
    check_rules(&args.only)?;
    println!("tidy");
    Ok(())
}

/// All rules; the notes are empty because a rule has nothing to skip.
pub(crate) fn check_all() -> Result<Vec<String>> {
    check_rules(&[])?;
    Ok(Vec::new())
}

/// Whether the tests that the requirements table names ran and passed.
pub(crate) fn check_requirements_ran(reports: &Reports) -> Result<Vec<String>> {
    let outcome = requirements::check_ran(&tree::read_all()?, reports)?;
    complain(&outcome.complaints)?;
    Ok(vec![outcome.note])
}

fn check_rules(only: &[String]) -> Result<()> {
    let files = tree::read_all()?;
    let mut complaints = Vec::new();
    for rule in RULES.iter().filter(|rule| only.is_empty() || only.iter().any(|name| name == rule.name)) {
        let found = (rule.check)(&files)?;
        complaints.extend(found.into_iter().map(|complaint| format!("[{}] {complaint}", rule.name)));
    }
    complain(&complaints)
}

fn complain(complaints: &[String]) -> Result<()> {
    for complaint in complaints {
        eprintln!("{complaint}");
    }
    match complaints.len() {
        0 => Ok(()),
        1 => bail!("1 complaint"),
        many => bail!("{many} complaints"),
    }
}
