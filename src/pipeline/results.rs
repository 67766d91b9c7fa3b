//! Results of the tasks of a plan, before they are judged: of processes that ran here, from the cache, or of several shards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cache::{Discarded, Lookup};
use crate::model::digest::Digest;
use crate::model::outcome::Timing;
use crate::model::task::{Plan, Status, StepId, TaskIx};
use crate::model::tool::ToolId;
use crate::model::workspace::Workspace;
use crate::normalize::{Normalized, Parsed, Unparsable};
use crate::scan::{Ended, StepPiece, StepRun, StopReason, signal_name};

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
    /// Variables that change cargo's profiles, with digests of their values.
    pub(super) profiles: BTreeMap<String, Digest>,
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
    pub(super) fn of(workspace: &Workspace, plan: &Plan, run: StepRun<Normalized>) -> Self {
        let StepRun { step, pieces, start, duration, slot, attempts, .. } = run;
        let tool = plan.step(step).tool;
        let piece = |StepPiece { tasks, ended, raw_exit, is_recalled, .. }| ResultPiece {
            tasks,
            result: PieceResult::of(plan, tool, ended),
            raw_exit,
            is_recalled,
        };
        let pieces = merge_passes(workspace, plan, tool, pieces).into_iter().map(piece).collect();
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
        Discarded::Differs => Status::Incomplete(
            "a worker and this machine came to different results: the tool reads more than its declared inputs, or the worker is not \
             of the same platform"
                .to_owned(),
        ),
        Discarded::Doubted => Status::Incomplete(
            "only a worker has a result, and for another task of this tool, workers came to another result than this machine"
                .to_owned(),
        ),
    }
}

/// Merges each second pass of a step of tool `id`, and each retry, into the first one.
pub(super) fn merge_passes(
    workspace: &Workspace,
    plan: &Plan,
    id: ToolId,
    pieces: Vec<StepPiece<Normalized>>,
) -> Vec<StepPiece<Normalized>> {
    let tool = plan.graph.tool(id);
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
        let retries = std::iter::from_fn(|| pieces.next_if(|next| next.is_retry)).collect();
        merged.push(match tool.reruns() {
            true => last_attempt(workspace, plan, id, piece, retries),
            false => with_retries(piece, retries),
        });
    }
    merged
}

/// Merges `retries`, which ran only the failed tests of `piece`.
fn with_retries(
    mut piece: StepPiece<Normalized>,
    retries: Vec<StepPiece<Normalized>>,
) -> StepPiece<Normalized> {
    if let Ended::Judged(Ok(first)) = &mut piece.ended {
        for StepPiece { ended, raw_exit, .. } in retries {
            piece.raw_exit = raw_exit;
            if let Ended::Judged(Ok(next)) = ended {
                *first = std::mem::take(first).retried(next);
            }
        }
    }
    piece
}

/// Returns the last attempt with a result, or else the last one. What an earlier attempt reported and this one did not is flaky,
/// and so is everything that it covers if an earlier one had no result.
fn last_attempt(
    workspace: &Workspace,
    plan: &Plan,
    tool: ToolId,
    piece: StepPiece<Normalized>,
    retries: Vec<StepPiece<Normalized>>,
) -> StepPiece<Normalized> {
    let mut attempts: Vec<_> = std::iter::once(piece).chain(retries).collect();
    let has_result = |piece: &StepPiece<Normalized>| matches!(piece.ended, Ended::Judged(Ok(_)));
    let at = attempts.iter().rposition(has_result).unwrap_or(attempts.len() - 1);
    attempts.truncate(at + 1);
    let Some(mut last) = attempts.pop() else { unreachable!("there is at least one attempt") };
    if let Ended::Judged(Ok(parsed)) = &mut last.ended {
        let units: Vec<_> = last.tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        for attempt in attempts {
            let before = match PieceResult::of(plan, tool, attempt.ended) {
                PieceResult::Parsed(parsed) => Ok(*parsed),
                PieceResult::Without(status) => Err(status.reason().unwrap_or_default().to_owned()),
                PieceResult::NotBuilt => continue,
            };
            parsed.ran_again(workspace, plan.graph.tool(tool), &units, before);
        }
    }
    last
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
        Some(StopReason::Signal(signal)) => format!("the run was interrupted by {}", signal_name(signal)),
        Some(StopReason::Bug) => "internal error in genti".to_owned(),
        None => "not started".to_owned(),
    }
}
