//! What came of a run: statuses, states, verdicts, and the one number that the shell sees.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde::Deserialize;

use super::blind_spot::BlindSpot;
use super::census::Totals;
use super::finding::{Entry, Finding, State};
use super::generated::Generated;
use super::path::RelPath;
use super::ratchet::Number;
use super::style::Migration;
use super::suppression::Suppression;
use super::task::{Plan, Status};
use super::text::Text;

/// Everything that a run found out, in the order of its plan.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was run.
    pub plan: Arc<Plan>,
    /// One entry a task of the graph.
    pub tasks: Vec<TaskOutcome>,
    /// One entry a batch, by rank.
    pub batches: Vec<Timing>,
    /// One entry a tool of the graph.
    pub tools: Vec<ToolOutcome>,
    /// Every finding with its state, sorted.
    pub findings: Vec<Compared>,
    /// What build scripts have generated, sorted.
    pub generated: Vec<Generated>,
    /// What the baseline has and the run has not, sorted.
    pub gone: Vec<Gone>,
    /// Every suppression of the configuration with what came of it, in order.
    pub suppressions: Vec<Suppressing>,
    /// The day by which it was judged which of them have expired; `None` where none ever does.
    pub as_of: Option<Date>,
    /// What there is to say of golden files beside the findings.
    pub goldens: Goldens,
    /// The numbers that may only get better, sorted by tool, then name.
    pub numbers: Vec<Number>,
    /// What no tool looks at, sorted; `None` if nobody looked for it.
    pub blind_spots: Option<Vec<BlindSpot>>,
    /// How it ended.
    pub end: End,
    /// How many processes ran at once at the most.
    pub parallel: usize,
}

/// Golden files that are to be written, and those that are of no use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goldens {
    /// The texts that are accepted, under `--bless`, where they are not those on disk.
    pub accepted: BTreeMap<RelPath, String>,
    /// Those that nothing prints any more, sorted; none unless the run left nothing out.
    pub orphans: Vec<RelPath>,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOutcome {
    /// Its own normalized verdict.
    pub status: Status,
    /// Whether it left something running that held its output open, which was complete all the same.
    pub is_leaky: bool,
    /// When and how it ran: the same for all tasks of a process.
    pub timing: Arc<Timing>,
}

/// When and how something ran: the part in which identical runs may differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Since the run began.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// Which of the parallel slots ran it.
    pub slot: u32,
    /// How many processes it took.
    pub attempts: u32,
    /// The exit code of the process or, negative, the signal that ended it.
    pub raw_exit: Option<i32>,
    /// Whether the result was known.
    pub cache: Cache,
}

/// Whether a result was known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// It was: nothing had to be run.
    Hit,
    /// It was not.
    #[default]
    Miss,
}

impl Cache {
    /// As written in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// A finding and how it relates to the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The finding.
    pub finding: Finding,
    /// [`State::New`], [`State::Unchanged`], [`State::Updated`] or [`State::Suppressed`].
    pub state: State,
    /// The entry that accepts it; `None` if it is new or suppressed.
    pub accepted: Option<Box<Accepted>>,
    /// The suppression that it is suppressed by, as an index into those of the configuration.
    pub suppressed_by: Option<usize>,
    /// On a new finding that has identical ones beside it: how many there are.
    pub identical: Option<Identical>,
}

/// The entry of the baseline that a finding was matched with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The number of the pass that matched them, counted from 1 as in the documentation.
    pub pass: u8,
    /// As the baseline has it.
    pub entry: Entry,
}

/// "1 of 3 identical is new".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identical {
    /// How many of them are new.
    pub new: usize,
    /// All with this id.
    pub total: usize,
}

/// A baseline entry that accepts nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its namespace.
    pub ns: Text,
    /// The entry.
    pub entry: Entry,
    /// [`State::Fixed`], [`State::Unknown`], or [`State::Suppressed`] if what it would accept is suppressed.
    pub state: State,
    /// If its code still stands and this run did not look at it, why.
    pub unseen: Option<String>,
}

/// A suppression and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressing {
    /// As configured.
    pub suppression: Suppression,
    /// How many findings it matches.
    pub matched: usize,
    /// Whether it holds.
    pub effect: Effect,
}

/// Whether a suppression holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It does.
    Active,
    /// It did, until its last day.
    Expired,
    /// It matches nothing, though all was looked at that it could be about.
    Unused,
}

impl Effect {
    /// As written in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Unused => "unused",
        }
    }
}

/// What a tool came to.
#[derive(Clone, Debug, Default)]
pub struct ToolOutcome {
    /// The first line that it prints of its version, if it was asked and answered.
    pub version: Option<String>,
    /// The revision of the database that it looked things up in, if it told.
    pub database: Option<String>,
    /// What it looked at, in numbers that it states.
    pub census: Totals,
    /// The command that applies the fixes which it proposes, if it is known.
    pub fix: Option<Vec<String>>,
    /// How it ended.
    pub verdict: Verdict,
    /// Findings that are not in the baseline.
    pub new: usize,
    /// Those of them that are there because the style edition changed.
    pub migration: Option<Migration>,
    /// Findings that are.
    pub unchanged: usize,
    /// Findings that are, with code that was edited since.
    pub updated: usize,
    /// Findings that are suppressed.
    pub suppressed: usize,
    /// Baseline entries of its namespaces that are gone.
    pub fixed: usize,
    /// Baseline entries of its namespaces that could not be judged.
    pub unknown: usize,
    /// Tasks with nothing to judge.
    pub skipped: usize,
    /// What got no verdict and why: a unit or a package, and the reason; sorted.
    pub incomplete: Vec<(String, String)>,
    /// Messages of the tool that are no findings and change no verdict, sorted.
    pub notices: Vec<String>,
    /// What passed and left something running that held its output open: units, or tests where the runner names them;
    /// sorted.
    pub leaky: Vec<String>,
    /// Where that is kept which its processes printed, if they left something without a verdict. No part of any artifact.
    pub kept: Vec<PathBuf>,
    /// Why not all of that could be kept.
    pub not_kept: Option<String>,
    /// If `genti.lock` has another version. No part of any artifact.
    pub other_version: Option<OtherVersion>,
}

/// What it means that a tool is at another version than the locked one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVersion {
    /// The locked version, as the tool told it.
    pub locked: String,
    /// How many of its new findings are of rules that the locked version did not have; `None` if it is not known which
    /// those are.
    pub by_new_rules: Option<usize>,
}

/// How a tool ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing new was found, and everything was looked at.
    #[default]
    Passed,
    /// Something new was found.
    Failed,
    /// Not everything was looked at.
    Incomplete,
    /// Nothing was looked at: the tool is not installed, nor did anybody ask for it. A gate is incomplete then.
    Missing,
    /// Nothing was looked at: no file of the whole workspace is one of the tool's. A gate is incomplete then.
    Empty,
}

impl Verdict {
    /// As written in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
            Self::Missing => "missing",
            Self::Empty => "empty",
        }
    }
}

/// What fails a run beside new findings. The default is that of `run`; a gate wants more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strict {
    /// A stale baseline entry or an orphaned golden file fails it.
    pub stale: bool,
    /// A required tool that is not installed, or has nothing to look at, makes it incomplete.
    pub absent: bool,
}

/// How a run ended: the process's exit code is a public interface. Where several hold, the first in the order
/// signal, bug, usage, artifacts, drift, incomplete, failed, passed wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// 0: every required tool looked at everything and found nothing new.
    Passed,
    /// 1: a required tool found something new, `check` a stale baseline entry or an orphaned golden file, or `verify`
    /// something that varies.
    Failed,
    /// 2: a mistake in the command line or the configuration.
    Usage,
    /// 3: a required tool has no verdict on something.
    Incomplete,
    /// 4: the artifacts could not be written.
    NotWritten,
    /// 5: what was run, or is to be, is not what is configured.
    Drift,
    /// 101: a bug in this program.
    Bug,
    /// 128 + n: signal n ended the run.
    Signal(i32),
}

impl End {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::NotWritten => 4,
            Self::Drift => 5,
            Self::Bug => 101,
            Self::Signal(signal) => 128_u8.saturating_add(signal.clamp(0, 127) as u8),
        }
    }

    /// As written in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Incomplete => "incomplete",
            Self::NotWritten => "not-written",
            Self::Drift => "drift",
            Self::Bug => "bug",
            Self::Signal(_) => "interrupted",
        }
    }
}
