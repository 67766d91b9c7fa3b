//! The outcome of a run: statuses, states of findings, verdicts of tools, and the verdict on the run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde::Deserialize;

use super::blind_spot::BlindSpot;
use super::cause::{Against, Caused};
use super::census::{Group, TestNames, TestTimes, Totals};
use super::finding::{Entry, Finding, State};
use super::generated::Generated;
use super::grace::NoGrace;
use super::path::RelPath;
use super::ratchet::Number;
use super::style::Migration;
use super::suppression::Suppression;
use super::task::{Plan, Status};
use super::test_output::TestOutput;
use super::text::Text;

/// The complete outcome of a run, in the order of its plan.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The plan that was run.
    pub plan: Arc<Plan>,
    /// One entry per task of the graph.
    pub tasks: Vec<TaskOutcome>,
    /// One entry per batch, by rank.
    pub batches: Vec<Timing>,
    /// One entry per tool of the graph.
    pub tools: Vec<ToolOutcome>,
    /// Every finding with its state, sorted.
    pub findings: Vec<Compared>,
    /// Files that build scripts generated, sorted.
    pub generated: Vec<Generated>,
    /// Baseline entries that match no finding, sorted.
    pub gone: Vec<Gone>,
    /// Every suppression of the configuration with its effect, in order.
    pub suppressions: Vec<Suppressing>,
    /// The date used to decide whether suppressions and the grace of new lints have expired; `None` if nothing depends on it.
    pub as_of: Option<Date>,
    /// Golden files to write or remove.
    pub goldens: Goldens,
    /// Ratcheted numbers, sorted by tool, then name.
    pub numbers: Vec<Number>,
    /// Output of failed tests, with the name of the tool; sorted. Not part of any artifact.
    pub test_outputs: Vec<(Text, TestOutput)>,
    /// Blind spots, sorted; `None` if the run did not look for them.
    pub blind_spots: Option<Vec<BlindSpot>>,
    /// The commit with which the run was compared, if any.
    pub against: Option<Against>,
    /// The end of the run.
    pub end: End,
    /// Maximum number of processes that ran in parallel.
    pub parallel: usize,
    /// Content of `shard.jsonl`, if only a shard of the plan was run.
    pub shard: Option<Vec<u8>>,
}

/// Golden files to write, and orphaned ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goldens {
    /// Accepted texts that differ from the files, under `--bless`.
    pub accepted: BTreeMap<RelPath, String>,
    /// Golden files without a task that would compare them, sorted. Empty if the run left anything out.
    pub orphans: Vec<RelPath>,
}

/// The outcome of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOutcome {
    /// Status of the task.
    pub status: Status,
    /// True if it left a process running that held its output open, although the output was complete.
    pub is_leaky: bool,
    /// The tests that it ran, if it ran any and all of them are listed.
    pub tests: Option<Arc<TaskTests>>,
    /// The timing of its process, shared by all tasks of that process.
    pub timing: Arc<Timing>,
}

/// The tests of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskTests {
    /// Names by group. No group is empty.
    pub names: BTreeMap<Group, TestNames>,
    /// Times by group, as far as they are known. They may differ between identical runs.
    pub times: BTreeMap<Group, TestTimes>,
}

impl TaskTests {
    /// Returns the tests, or `None` if there are none.
    pub fn of(mut names: BTreeMap<Group, TestNames>, times: BTreeMap<Group, TestTimes>) -> Option<Arc<Self>> {
        names.retain(|_, names| !names.is_empty());
        (!names.is_empty()).then(|| Arc::new(Self { names, times }))
    }
}

/// Timing and other facts of an execution that may differ between identical runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Time from the start of the run.
    pub start: Duration,
    /// Duration of the execution.
    pub duration: Duration,
    /// Index of the parallel slot that ran it.
    pub slot: u32,
    /// Number of processes that were started.
    pub attempts: u32,
    /// The exit code of the process or, if negative, the signal that ended it.
    pub raw_exit: Option<i32>,
    /// Cache status of the result.
    pub cache: Cache,
}

/// Cache status of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// The result was cached, so nothing was run.
    Hit,
    /// The result was not cached.
    #[default]
    Miss,
}

impl Cache {
    /// Returns the name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// A finding compared with the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The finding.
    pub finding: Finding,
    /// [`State::New`], [`State::Unchanged`], [`State::Updated`], [`State::Suppressed`] or [`State::Noted`].
    pub state: State,
    /// The entry that accepts it; `None` if it is new or suppressed.
    pub accepted: Option<Box<Accepted>>,
    /// The entry that accepts it in other variants only; the finding is new then.
    pub elsewhere: Option<Box<Accepted>>,
    /// Index of the suppression in the configuration, if it is suppressed.
    pub suppressed_by: Option<usize>,
    /// Numbers of identical findings, if there are any and this one is new.
    pub identical: Option<Identical>,
    /// Its cause, if it is new and the run is compared with a base, or if its lint is new in the tool.
    pub cause: Option<Arc<Caused>>,
}

impl Compared {
    /// Creates a finding that no entry of the baseline and no suppression matches.
    pub fn new(finding: Finding, state: State) -> Self {
        Self {
            finding,
            state,
            accepted: None,
            elsewhere: None,
            suppressed_by: None,
            identical: None,
            cause: None,
        }
    }

    /// Returns true if it is new, but does not fail: something else than the change is known to have caused it, or its lint is new
    /// in the tool.
    pub fn is_excused(&self) -> bool {
        self.cause.as_ref().is_some_and(|caused| !caused.is_change())
    }
}

/// The baseline entry that a finding was matched with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The matching pass that found it, numbered from 1 as in the documentation.
    pub pass: u8,
    /// The entry in the baseline.
    pub entry: Entry,
    /// The variants that the entry lists once those are left out in which the finding is gone; `None` for all.
    pub in_variants: Option<Arc<[Text]>>,
}

/// Numbers of identical findings, as in "1 of 3 identical is new".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identical {
    /// Number of new ones.
    pub new: usize,
    /// Number of all findings with this id.
    pub total: usize,
}

/// A baseline entry that matches no finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Namespace of the entry.
    pub ns: Text,
    /// The baseline entry.
    pub entry: Entry,
    /// [`State::Fixed`], [`State::Unknown`], or [`State::Suppressed`] if the findings it would accept are
    /// suppressed.
    pub state: State,
    /// Reason why this run did not check its code, if the code still exists.
    pub unseen: Option<String>,
    /// The variants that the entry lists once those are left out that looked; `None` for all.
    pub in_variants: Option<Arc<[Text]>>,
    /// Its cause, if the finding is fixed and the run is compared with a base.
    pub cause: Option<Arc<Caused>>,
}

impl Gone {
    /// Returns true if the finding is fixed, but something else than the change is known to have caused it.
    pub fn is_excused(&self) -> bool {
        self.cause.as_ref().is_some_and(|caused| !caused.is_change())
    }
}

/// A suppression with its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressing {
    /// The suppression as configured.
    pub suppression: Suppression,
    /// Number of findings it matches.
    pub matched: usize,
    /// Effect in this run.
    pub effect: Effect,
}

/// Effect of a suppression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It suppresses findings, or could match code that was not checked.
    Active,
    /// Its expiry date has passed.
    Expired,
    /// It matches nothing, although everything it could apply to was checked.
    Unused,
}

impl Effect {
    /// Returns the name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Unused => "unused",
        }
    }
}

/// The outcome of a tool.
#[derive(Clone, Debug, Default)]
pub struct ToolOutcome {
    /// First line of the output of its version command, if that succeeded.
    pub version: Option<String>,
    /// Revision of the advisory database, if the tool states one.
    pub database: Option<String>,
    /// Numbers of items that it checked.
    pub census: Totals,
    /// The command that applies the proposed fixes, if it is known.
    pub fix: Option<Vec<String>>,
    /// Verdict on the tool.
    pub verdict: Verdict,
    /// Number of findings that are not in the baseline. A finding of several tools is counted for one of them.
    pub new: usize,
    /// Number of these findings that don't fail. Not part of any artifact, since it follows from the findings.
    pub excused: usize,
    /// New findings that a changed style edition causes.
    pub migration: Option<Migration>,
    /// Number of findings in the baseline.
    pub unchanged: usize,
    /// Number of findings in the baseline whose code was edited since.
    pub updated: usize,
    /// Number of suppressed findings.
    pub suppressed: usize,
    /// Number of baseline entries of its namespaces that are gone.
    pub fixed: usize,
    /// Number of these entries that the change did not fix.
    pub fixed_before: usize,
    /// Number of baseline entries of its namespaces that could not be checked.
    pub unknown: usize,
    /// Number of tasks with nothing to check.
    pub skipped: usize,
    /// Units and packages without a result, with the reason; sorted.
    pub incomplete: Vec<(String, String)>,
    /// Messages of the tool that are not findings and don't affect the verdict, sorted.
    pub notices: Vec<String>,
    /// Units (or tests, if the runner names them) that passed but left a process running that held their
    /// output open; sorted.
    pub leaky: Vec<String>,
    /// Files with the output of processes that did not give all results. Not part of any artifact.
    pub kept: Vec<PathBuf>,
    /// Reason why some of that output could not be stored.
    pub not_kept: Option<String>,
    /// Set if `genti.lock` has another version. Not part of any artifact.
    pub other_version: Option<OtherVersion>,
    /// Lints that the locked version does not have, if their findings don't fail and there are any.
    pub new_lints: Option<ExcusedLints>,
}

/// Lints of a tool that its locked version does not have, and that have findings which don't fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExcusedLints {
    /// The lints.
    pub rules: BTreeSet<Text>,
    /// Last day on which the findings don't fail; `None` if there is none.
    pub until: Option<Date>,
}

/// A tool whose version differs from the locked one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVersion {
    /// The locked version, as the tool printed it.
    pub locked: String,
    /// Number of new findings from rules that the locked version did not have; `None` if these rules are
    /// unknown.
    pub by_new_rules: Option<usize>,
    /// Reason why these findings fail, if they do.
    pub no_grace: Option<NoGrace>,
}

/// Verdict on a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Everything was checked, and there are no new findings.
    #[default]
    Passed,
    /// There are new findings.
    Failed,
    /// Not everything was checked.
    Incomplete,
    /// Nothing was checked, because the tool is not installed. It is not required either; in a gate this is
    /// incomplete.
    Missing,
    /// Nothing was checked, because no file in the whole workspace is relevant for the tool. In a gate this
    /// is incomplete.
    Empty,
}

impl Verdict {
    /// Returns the name in artifacts.
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

/// Further conditions that fail a run besides new findings. The default is that of `run`; `check` is
/// stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strict {
    /// Stale baseline entries and orphaned golden files fail the run.
    pub stale: bool,
    /// A required tool that is not installed, or has nothing to check, makes the run incomplete.
    pub absent: bool,
}

/// The verdict on a whole run. If several apply, the first one wins in the order interrupted, incomplete, failed,
/// passed. This layer does not know exit codes: `report/finished.rs` has those that artifacts record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every required tool checked everything and found nothing new.
    Passed,
    /// A required tool has new findings; or, in a gate, there are stale baseline entries or orphaned golden files.
    Failed,
    /// A required tool has no result for some of its units.
    Incomplete,
    /// This signal stopped the run.
    Interrupted(i32),
}
