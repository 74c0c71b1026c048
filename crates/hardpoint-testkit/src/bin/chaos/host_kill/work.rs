//! The kinds of jobs that clients hand in.
//!
//! Owns the three plugins, the tools of each, and how a job of a kind may end. Must not know who hands it in.

use crate::random::Random;
use serde_json::{Value, json};
use std::time::Duration;

/// A plugin: its name, how many calls it runs at once.
pub(super) const PLUGINS: [(&str, u32); 3] = [("calm", 1), ("many", 4), ("wild", 1)];

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Quick,
    Slow,
    Doze,
    Sleep,
    Late,
    Progress,
    Large,
    Flaky,
    Fail(&'static str),
    Die(&'static str),
    Leave,
    /// Looks up, but does not end by itself.
    Hang,
    /// Neither looks up nor ends by itself.
    HangDeaf,
    /// Does not even let signals in.
    Spin,
}

/// How a job of a kind can end when nobody cancels it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Well, or not when its worker or its host dies.
    Any,
    /// Not well.
    Bad,
}

/// Kinds that any plugin is asked for.
const ORDINARY: [(u64, Kind); 14] = [
    (40, Kind::Quick),
    (12, Kind::Slow),
    (10, Kind::Doze),
    (3, Kind::Sleep),
    (1, Kind::Late),
    (10, Kind::Progress),
    (4, Kind::Large),
    (6, Kind::Flaky),
    (3, Kind::Fail("transient")),
    (2, Kind::Fail("resource")),
    (3, Kind::Fail("user_input")),
    (3, Kind::Leave),
    (4, Kind::Hang),
    (3, Kind::HangDeaf),
];

/// What only the wildest is asked for besides.
const WILD: [(u64, Kind); 5] = [
    (3, Kind::Die("signal")),
    (2, Kind::Die("exit")),
    (2, Kind::Die("memory")),
    (3, Kind::Fail("fatal")),
    (1, Kind::Spin),
];
/// How many of its jobs are of those.
const WILD_PERCENT: u64 = 20;

/// How many jobs are runs of several stages.
const RUN_PERCENT: u64 = 30;

/// A job to be, without the number that its submission gives it.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// One tool, or the stages of a run.
    pub(super) stages: Vec<Step>,
    pub(super) priority: i64,
}

/// One tool of one plugin.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) plugin: &'static str,
    pub(super) kind: Kind,
    pub(super) args: Value,
}

impl Work {
    pub(super) fn draw(random: &mut Random) -> Self {
        let stages = if random.chance(RUN_PERCENT) { 2 + random.below(3) } else { 1 };
        let stages = (0..stages).map(|_| Step::draw(random)).collect();
        Self { stages, priority: i64::try_from(random.below(5)).unwrap_or(0) - 2 }
    }

    /// Whether a stage of it goes on until somebody ends it.
    pub(super) fn hangs(&self) -> bool {
        self.stages.iter().any(|step| step.kind.hangs())
    }
}

impl Step {
    pub(super) fn draw(random: &mut Random) -> Self {
        let (plugin, _) = random.weighted(&PLUGINS.map(|plugin| (1, plugin))).unwrap_or(("calm", 1));
        let wild = plugin == "wild" && random.chance(WILD_PERCENT);
        let kind = random.weighted(if wild { &WILD[..] } else { &ORDINARY[..] }).unwrap_or(Kind::Quick);
        let mut seconds = |end| random.within(Duration::from_millis(end)).as_secs_f64();
        let args = match kind {
            Kind::Quick | Kind::Late | Kind::Flaky | Kind::Leave | Kind::Spin => json!({}),
            Kind::Slow | Kind::Doze | Kind::Sleep => json!({"seconds": seconds(200)}),
            Kind::Progress => json!({"steps": 1 + random.below(60)}),
            Kind::Large => json!({"kib": 1 + random.below(256)}),
            Kind::Fail(category) => json!({"category": category}),
            Kind::Die(how) => json!({"how": how}),
            Kind::Hang | Kind::HangDeaf => json!({"seconds": 600}),
        };
        Self { plugin, kind, args }
    }

    /// Its arguments, with the number of the submission.
    pub(super) fn args(&self, tag: u64) -> Value {
        let mut args = self.args.clone();
        if let Some(args) = args.as_object_mut() {
            args.insert("tag".to_owned(), json!(tag));
        }
        args
    }
}

impl Kind {
    pub(super) fn tool(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Slow | Self::Hang => "slow",
            Self::Doze => "doze",
            Self::Sleep | Self::HangDeaf => "sleep",
            Self::Late => "late",
            Self::Progress => "progress",
            Self::Large => "large",
            Self::Flaky => "flaky",
            Self::Fail(_) => "fail",
            Self::Die(_) => "die",
            Self::Leave => "leave",
            Self::Spin => "spin",
        }
    }

    /// Whether it goes on until somebody ends it.
    pub(super) fn hangs(self) -> bool {
        matches!(self, Self::Hang | Self::HangDeaf | Self::Spin)
    }

    pub(super) fn end(self) -> End {
        match self {
            Self::Quick
            | Self::Slow
            | Self::Doze
            | Self::Sleep
            | Self::Progress
            | Self::Large
            | Self::Flaky
            | Self::Leave => End::Any,
            Self::Late | Self::Fail(_) | Self::Die(_) | Self::Hang | Self::HangDeaf | Self::Spin => End::Bad,
        }
    }
}
