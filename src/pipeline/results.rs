//! Results of the tasks of a plan, before they are judged: of processes that ran here, from the cache, or of several shards.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cache::{Discarded, Lookup};
use crate::model::outcome::Timing;
use crate::model::task::{Plan, Status, StepId, TaskIx};
use crate::model::tool::{Tool, ToolId};
use crate::normalize::{Normalized, Parsed, Unparsable};
use crate::scan::{Ended, StepPiece, StepRun, StopReason};

/// Results of executing a plan, or a shard of it.
pub(super) struct Ran {
    /// Results of the steps that ran, in plan order.
    pub(super) runs: Vec<StepResult>,
    /// Cache lookup of each task.
    pub(super) lookups: Vec<Lookup>,
    /// Tasks without a result for reasons other than the end of their process.
    pub(super) noted: Vec<(TaskIx, Status)>,
    /// Reason for all tasks that turn out not to have run.
    pub(super) not_run: String,
}

/// Properties of the builds of a tool that cargo does not report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BuiltFor {
    /// Target triple, if known.
    pub(super) target: Option<String>,
    /// Conditions enabled by compiler flags, if known.
    pub(super) cfgs: Option<BTreeSet<String>>,
}

/// Files with the output of the processes of a tool, and the reason why some of it could not be stored.
pub(super) type KeptOutput = (Vec<PathBuf>, Option<String>);

/// Results of a step.
#[derive(Clone)]
pub(super) struct StepResult {
    pub(super) step: StepId,
    /// In the order of the tasks.
    pub(super) pieces: Vec<ResultPiece>,
    /// Timing of the step, without exit code and cache status.
    pub(super) timing: Timing,
}

/// Result of a process, or of all passes and attempts of one, for the tasks that it covered.
#[derive(Clone)]
pub(super) struct ResultPiece {
    pub(super) tasks: Vec<TaskIx>,
    pub(super) result: PieceResult,
    /// Raw exit code, or the negated signal number. `None` if nothing ran.
    pub(super) raw_exit: Option<i32>,
    /// True if the result was cached, so nothing ran.
    pub(super) is_recalled: bool,
}

/// Result of a process.
#[derive(Clone)]
pub(super) enum PieceResult {
    /// Its output could be read.
    Parsed(Box<Parsed>),
    /// It has no result, or nothing to do on this system.
    Without(Status),
    /// The program that it runs was not built. The result of the build decides what that means.
    NotBuilt,
}

/// Reason why a task was not run: another shard does.
pub(super) const OTHER_SHARD: &str = "part of another shard";

impl StepResult {
    pub(super) fn of(plan: &Plan, run: StepRun<Normalized>) -> Self {
        let StepRun { step, pieces, start, duration, slot, attempts, .. } = run;
        let tool = plan.step(step).tool;
        let piece = |StepPiece { tasks, ended, raw_exit, is_recalled, .. }| ResultPiece {
            tasks,
            result: PieceResult::of(plan, tool, ended),
            raw_exit,
            is_recalled,
        };
        let pieces = merge_passes(pieces, plan.graph.tool(tool)).into_iter().map(piece).collect();
        Self { step, pieces, timing: Timing { start, duration, slot, attempts, ..Timing::default() } }
    }
}

impl PieceResult {
    fn of(plan: &Plan, tool: ToolId, ended: Ended<Normalized>) -> Self {
        Self::Without(match ended {
            Ended::Judged(Ok(parsed)) => return Self::Parsed(Box::new(parsed)),
            Ended::NotBuilt => return Self::NotBuilt,
            Ended::Judged(Err(Unparsable(why))) => Status::Unparsable(why),
            Ended::TimedOut(running) => Status::TimedOut(format!("{}{running}", timed_out(plan, tool))),
            Ended::Replaced(program) => Status::InputChanged(format!(
                "another build replaced {program} while the tests ran; run again"
            )),
            Ended::Withheld(why) => Status::NotRun(why),
            Ended::Leaky => Status::Leaky,
            Ended::Crashed(how) => Status::Crashed(how),
            Ended::Missing(missing) => Status::Missing(missing.to_string()),
            Ended::Truncated(why) => Status::Unparsable(why.to_string()),
            Ended::Stopped(reason) => Status::NotRun(why(Some(reason))),
            Ended::Elsewhere(why) => Status::Skipped(why),
        })
    }
}

/// Returns the status of a task that ran and has no verdict because of its inputs.
pub(super) fn of_discarded(discarded: Discarded, stopped: Option<StopReason>) -> Status {
    match discarded {
        Discarded::Changed(what) => Status::InputChanged(format!("{what} changed during the run; run again")),
        Discarded::Unchecked => Status::NotRun(why(stopped)),
    }
}

/// Merges each second pass of a step of `tool`, and each retry, into the first one.
pub(super) fn merge_passes(pieces: Vec<StepPiece<Normalized>>, tool: &Tool) -> Vec<StepPiece<Normalized>> {
    let is_verdict =
        |next: &StepPiece<Normalized>| next.is_second && matches!(next.ended, Ended::Judged(Ok(_)));
    let mut merged = Vec::with_capacity(pieces.len());
    let mut pieces = pieces.into_iter().peekable();
    while let Some(mut piece) = pieces.next() {
        if piece.is_second && tool.tells_style_apart() && !is_verdict(&piece) {
            continue;
        }
        if let Ended::Judged(Ok(first)) = &mut piece.ended
            && let Some(StepPiece { ended: Ended::Judged(Ok(second)), raw_exit, .. }) =
                pieces.next_if(is_verdict)
        {
            *first = std::mem::take(first).and(second);
            piece.raw_exit = raw_exit;
        }
        if let Ended::Judged(Ok(first)) = &mut piece.ended {
            while let Some(StepPiece { ended, raw_exit, .. }) = pieces.next_if(|next| next.is_retry) {
                piece.raw_exit = raw_exit;
                if let Ended::Judged(Ok(next)) = ended {
                    *first = std::mem::take(first).retried(next);
                }
            }
        }
        merged.push(piece);
    }
    merged
}

/// Formats the reason for a timeout.
fn timed_out(plan: &Plan, tool: ToolId) -> String {
    let timeout = plan.graph.tool(tool).task_timeout(plan.policy.per_task_timeout).unwrap_or_default();
    format!("timed out after {}", humantime::format_duration(timeout))
}

pub(super) const FAILED_FAST: &str = "not run because a required tool failed (--fail-fast)";

pub(super) fn why(stopped: Option<StopReason>) -> String {
    match stopped {
        Some(StopReason::MaxDuration) => "the run reached --max-duration".to_owned(),
        Some(StopReason::Signal(signal)) => format!("the run was stopped by signal {signal}"),
        Some(StopReason::Bug) => "internal error in genti".to_owned(),
        None => "not started".to_owned(),
    }
}
