//! `hardpoint token add|list|remove`: who may ask the server of this data folder.
//!
//! Owns words. The tokens are the server's: it looks at the file again, so that nothing has to be restarted.

use super::exit_code::Code;
use super::{Shared, terminal};
use crate::embedded::{Failure, Places};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use hardpoint_server::access::{Scope, Tokens, TokensError};
use owo_colors::OwoColorize as _;
use serde_json::json;
use std::fs;

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
The local user needs none: the server makes one in the data folder, and commands read it there. A running server \
knows a new token, and refuses a removed one, within a second.

Examples:
  hardpoint token add ci --scope run
  hardpoint token list
  hardpoint token remove ci")]
pub(super) enum Token {
    /// Make a token and print it: it is not shown again
    Add(Add),
    /// The names of all tokens, and what they allow
    List,
    /// Take a token back
    Remove(Remove),
}

/// A token to be.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// What it is called: who or what uses it
    name: String,
    /// What it allows; each includes those before it
    #[arg(long, value_enum, required = true)]
    scope: Vec<Allows>,
}

/// A token that goes.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// What it is called
    name: String,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Allows {
    /// Look at plugins, their health and logs
    Read,
    /// Call tools, too
    Run,
    /// Load, restart and disable plugins, too
    Admin,
}

impl From<Allows> for Scope {
    fn from(allows: Allows) -> Self {
        match allows {
            Allows::Read => Self::Read,
            Allows::Run => Self::Run,
            Allows::Admin => Self::Admin,
        }
    }
}

pub(super) fn run(token: Token, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let tokens = Tokens::open(&places.data).map_err(|e| failure(&e))?;
    match token {
        Token::Add(args) => add(&args, tokens, shared, places),
        Token::List => list(&tokens, shared),
        Token::Remove(args) => remove(&args, tokens, shared),
    }
}

fn add(args: &Add, mut tokens: Tokens, shared: &Shared, places: &Places) -> Result<Code, Failure> {
    let data = &places.data;
    fs::create_dir_all(data).map_err(|e| {
        Failure::request(
            format!("the data folder {} cannot be made: {e}", data.display()),
            "name another one with `--data-dir DIR`",
        )
    })?;
    let scopes: Vec<Scope> = args.scope.iter().copied().map(Scope::from).collect();
    let token = tokens.add(&args.name, &scopes).map_err(|e| failure(&e))?;
    if shared.json {
        terminal::print_json(&json!({"ok": true, "name": args.name, "scopes": scopes, "token": token}))?;
    } else {
        terminal::print(&token)?;
        let said = "it is not shown again; commands send what is in HARDPOINT_TOKEN";
        terminal::say(format!("{} {said}", "hint:".cyan().bold()));
    }
    Ok(Code::Ok)
}

fn list(tokens: &Tokens, shared: &Shared) -> Result<Code, Failure> {
    if shared.json {
        terminal::print_json(&tokens.list().collect::<Vec<_>>())?;
        return Ok(Code::Ok);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["NAME", "SCOPES", "MADE"]);
    for token in tokens.list() {
        let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
        table.add_row([token.name.clone(), scopes.join(", "), format!("{:.0}", token.created_at)]);
    }
    if tokens.is_empty() {
        terminal::say(
            "there is no token besides the local user's; `hardpoint token add NAME --scope read` makes one",
        );
    } else {
        terminal::print(table)?;
    }
    Ok(Code::Ok)
}

fn remove(args: &Remove, mut tokens: Tokens, shared: &Shared) -> Result<Code, Failure> {
    tokens.remove(&args.name).map_err(|e| failure(&e))?;
    if shared.json {
        terminal::print_json(&json!({"ok": true, "name": args.name}))?;
    } else {
        terminal::print(format!("removed `{}`", args.name))?;
    }
    Ok(Code::Ok)
}

/// What is wrong with a token, or with the files that hold them.
pub(super) fn failure(error: &TokensError) -> Failure {
    let hint = match error {
        TokensError::Unknown(_) => "`hardpoint token list` shows their names".to_owned(),
        other => other.hint(),
    };
    Failure::request(error.to_string(), hint)
}
