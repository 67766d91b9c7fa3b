//! From what the processes left to the outcome of a run: statuses, findings, states, verdicts, the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::conditions::Alike;
use super::golden::{self, Goldens};
use super::ledger::{FAILED_FAST, Ledger, why};
use super::recall::{Fate, Recall};
use super::unseen::{Look, Unseen};
use super::{blind_spots, compiled, empty, numbers};
use crate::compare::identity::identify;
use crate::compare::matching::{self, Matched};
use crate::compare::ratchet::Judged as JudgedNumbers;
use crate::compare::suppressions::Suppressions;
use crate::model::blind_spot::BlindSpot;
use crate::model::finding::{Diagnostic, Entry, OWN_NAMESPACE, Place, Related, State};
use crate::model::generated::{Generated, split_out_dir};
use crate::model::halt::{Halt, Halted};
use crate::model::outcome::{
    self, Cache, Compared, End, Gone, Outcome, Strict, Timing, ToolOutcome, Verdict,
};
use crate::model::path::RelPath;
use crate::model::policy::BlindSpots;
use crate::model::ratchet::{Decimal, Number};
use crate::model::sources::Sources;
use crate::model::style::is_of_former_style;
use crate::model::task::{Output, Plan, Status, Step, TaskIx};
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;
use crate::normalize::{self, Input, NotParsed, Parsed, Scrub, Unparsable};
use crate::scan::{BuildDirs, Env, Judged, Kept, StepRun, Stop, StopReason};
use crate::workspace::{LoadError, inputs_of};

/// What one process came to, as normalized on the thread that ran it.
pub(super) type Normalized = Result<Parsed, Unparsable>;

/// How text is made independent of this machine.
pub(super) fn scrub(workspace: &Workspace, env: &Env, build_dirs: &BuildDirs) -> Scrub {
    let home = env.get("HOME").map(Path::new);
    let temp = env.get("TMPDIR").map_or(Path::new("/tmp"), Path::new);
    let scrub = Scrub::new(workspace, home, temp);
    let scrub = build_dirs.all().into_iter().fold(scrub, |scrub, dir| scrub.with_target(dir));
    // Some tools resolve symbolic links before they print a path.
    let scrub = match workspace.root.canonicalize() {
        Ok(real) => scrub.with_root(&real),
        Err(_) => scrub,
    };
    // Who keeps the home directory in a repository does not keep the workspace in that.
    let is_around_home = |top: &Path| home.is_some_and(|home| home.starts_with(top));
    let cargo_home = env.get("CARGO_HOME").map(PathBuf::from).or(home.map(|home| home.join(".cargo")));
    let roots = std::iter::once(workspace.root.clone()).chain(workspace.root.canonicalize());
    roots.fold(scrub, |scrub, root| {
        let top = crate::workspace::repository(&root).filter(|top| !is_around_home(top));
        match top.and_then(|top| RelPath::between(&root, top)) {
            Some(up) if up.is_outside() => scrub.with_repository(&root, &up, cargo_home.as_deref()),
            _ => scrub,
        }
    })
}

/// What is needed to read the output of processes.
pub(super) struct Reader<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    pub(super) scrub: Scrub,
    pub(super) read: &'a ReadSources<'a>,
    pub(super) goldens: &'a Goldens<'a>,
    /// Asked for `--fail-fast`.
    pub(super) is_new: Option<&'a IsNew<'a>>,
    pub(super) recall: &'a Recall<'a>,
    pub(super) stop: &'a Stop,
}

/// The function that reads the output of processes.
pub(super) fn normalizer<'a>(
    reader: Reader<'a>,
) -> impl Fn(&Step, &[TaskIx], &Output) -> Result<Judged<Normalized>, Halted> + Sync + 'a {
    move |step, tasks, output| {
        let Reader { workspace, plan, scrub, read, goldens, is_new, recall, stop } = &reader;
        let units: Vec<_> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let tool = plan.graph.tool(step.tool);
        let packages = &plan.packages;
        let input = Input { workspace, tool, units: &units, packages, output, scrub, halt: *stop };
        let parsed = match normalize::parse(&input) {
            Ok(parsed) => Ok(parsed),
            Err(NotParsed::Unparsable(why)) => Err(why),
            Err(NotParsed::Halted) => return Err(Halted),
        };
        let mut result = match units.first() {
            Some(unit) => parsed.and_then(|parsed| goldens.judge(tool, *unit, parsed)),
            None => parsed,
        };
        let repeat = result.as_mut().is_ok_and(|parsed| recall.review(step.tool, parsed, stop));
        if let Ok(parsed) = &mut result {
            look_at_generated(workspace, parsed);
            explain_generated(workspace, parsed);
            compiled::note(workspace, parsed);
            // What can't be read now can't be read in the end: then the run fails for that.
            let sources = read(&mut parsed.unsettled()).unwrap_or_default();
            parsed.settle(&sources, *stop)?;
        }
        let is_unclear = |parsed: &Parsed| {
            !tool.second_pass.is_empty() && parsed.hidden || tool.tells_style_apart() && parsed.is_restyled
        };
        let again = result.as_ref().is_ok_and(is_unclear);
        let take =
            |parsed: &mut Parsed| (std::mem::take(&mut parsed.programs), std::mem::take(&mut parsed.outputs));
        let (programs, outputs) = result.as_mut().map(take).unwrap_or_default();
        // What is hidden now, the second pass will tell.
        let is_clear = again || result.as_ref().is_ok_and(|parsed| parsed.gaps.is_empty());
        let finds_new =
            |is_new: &IsNew<'_>| result.as_ref().is_ok_and(|parsed| is_new(&tool.name, &parsed.diagnostics));
        let fails = !is_clear || is_new.is_some_and(finds_new);
        // A compile error is told with its place: there is no need to look further.
        let is_told =
            |parsed: &Parsed| parsed.gaps.is_empty() || parsed.diagnostics.iter().any(|found| found.fatal);
        let is_kept = !again && !result.as_ref().is_ok_and(is_told);
        let is_whole = result.as_ref().is_ok_and(|parsed| parsed.is_whole);
        Ok(Judged { result, is_clear, fails, is_kept, programs, outputs, again, repeat, is_whole })
    }
}

/// Looks at what build scripts have generated, while nobody builds: what is not as they say has no verdict.
fn look_at_generated(workspace: &Workspace, parsed: &mut Parsed) {
    for (package, dir) in std::mem::take(&mut parsed.out_dirs) {
        match crate::workspace::generated(workspace, package, &dir) {
            Ok(generated) => parsed.generated.extend(generated),
            Err(why) => {
                parsed.gaps.push(normalize::Gap {
                    package: Some(package),
                    path: None,
                    reason: why.to_string(),
                });
            }
        }
    }
    // Built twice, for the host as well, with the same result.
    parsed.generated.sort();
    parsed.generated.dedup();
}

/// Names what the generated files were made from that something was found in.
fn explain_generated(workspace: &Workspace, parsed: &mut Parsed) {
    let made_in = std::mem::take(&mut parsed.made_in);
    for found in &mut parsed.diagnostics {
        let Some((dir, below)) = found.place.path().and_then(split_out_dir) else { continue };
        let of_package = made_in.iter().filter(|(package, _)| workspace.package(*package).dir == dir);
        let inputs = of_package.map(|(package, out_dir)| inputs_of(workspace, *package, out_dir, &below));
        let inputs: BTreeSet<_> = inputs.flatten().collect();
        found.related.extend(inputs.into_iter().map(|path| Related {
            message: format!("generated from `{path}`"),
            place: Some(Place::File { path, range: None }),
        }));
    }
}

/// Whether something that a tool found is new. Asked only where it matters before the end, under `--fail-fast`.
pub(super) type IsNew<'a> = dyn Fn(&str, &[Diagnostic]) -> bool + Sync + 'a;

/// Whether one of `diagnostics` is new whatever else is found.
pub(super) fn is_new(
    tool: &str,
    diagnostics: &[Diagnostic],
    suppressions: &Suppressions<'_>,
    baseline: &BTreeMap<String, Vec<Entry>>,
    read: &ReadSources<'_>,
    halt: &dyn Halt,
) -> bool {
    // What can't be read now can't be read in the end: then the run fails for that.
    let sources = read(&mut diagnostics.iter().filter_map(|diagnostic| diagnostic.shown_at().path()));
    let sources = Sources(sources.unwrap_or_default());
    let diagnostics = diagnostics.iter().map(|diagnostic| (tool.to_owned(), diagnostic.clone()));
    // Of a run that is given up, nothing counts any more.
    let mut findings = identify(diagnostics.collect(), &sources, halt).unwrap_or_default();
    findings.retain(|finding| suppressions.of(finding).is_none());
    matching::has_surely_new(&findings, baseline)
}

/// Whether a required tool has failed, by what is known of its tasks.
pub(super) fn has_failed(plan: &Plan, fates: &[Fate], is_new: &IsNew<'_>) -> bool {
    plan.graph.tasks.iter().zip(fates).any(|(task, fate)| {
        let tool = plan.graph.tool(task.tool);
        matches!(fate, Fate::Found(parsed) if tool.required && is_new(&tool.name, &parsed.diagnostics))
    })
}

/// Reads the sources that findings are in.
pub(super) type ReadSources<'a> =
    dyn Fn(&mut dyn Iterator<Item = &RelPath>) -> Result<BTreeMap<RelPath, Vec<u8>>, LoadError> + Sync + 'a;

/// Everything that an outcome is made of, beside what is known of the tasks.
pub(super) struct Case<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) versions: Vec<Option<String>>,
    pub(super) suppressions: &'a Suppressions<'a>,
    pub(super) baseline: &'a BTreeMap<String, Vec<Entry>>,
    pub(super) read: &'a ReadSources<'a>,
    pub(super) goldens: outcome::Goldens,
    /// How it is found out that accepted code was not looked at.
    pub(super) unseen: Unseen<'a>,
    /// The numbers that another run has stated, by tool; `None` if it is this run that states them.
    pub(super) stated: Option<BTreeMap<String, BTreeMap<String, Decimal>>>,
    /// What no tool looks at; `None` if nobody looked for it.
    pub(super) blind_spots: Option<Vec<BlindSpot>>,
    /// Why the run has ended early, if it has by now.
    pub(super) stopped: &'a dyn Fn() -> Option<StopReason>,
    pub(super) strict: Strict,
    pub(super) parallel: usize,
    /// Ends the comparison early.
    pub(super) halt: &'a dyn Halt,
}

/// Why a run came to no outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undecided {
    /// A source that something was found in can't be read.
    #[error(transparent)]
    Source(#[from] LoadError),
    /// The comparison was given up.
    #[error(transparent)]
    Halted(#[from] Halted),
}

/// What has come of a plan.
pub(super) struct Ran {
    pub(super) runs: Vec<StepRun<Normalized>>,
    /// What was known of each task before.
    pub(super) fates: Vec<Fate>,
    /// The tasks that have no verdict because something changed while they ran, and what.
    pub(super) changed: BTreeMap<TaskIx, String>,
    /// The tasks that have no verdict because a tool has changed what others are built against.
    pub(super) moved: BTreeMap<TaskIx, Status>,
    pub(super) failed_fast: bool,
}

/// Puts it all together from what was known and what the processes left, unless the sources that findings are in can't be
/// read.
pub(super) fn outcome(
    mut case: Case<'_>,
    ran: Ran,
    alike: Vec<Alike>,
    exists: &dyn Fn(&RelPath) -> bool,
    target: &dyn Fn() -> Option<String>,
    beyond: &dyn Fn() -> Vec<RelPath>,
) -> Result<Outcome, Undecided> {
    let Case { workspace, plan, read, .. } = case;
    let Ran { runs, fates, changed, moved, failed_fast } = ran;
    let not_run = if failed_fast { FAILED_FAST.to_owned() } else { why((case.stopped)()) };
    let mut ledger = Ledger::new(workspace, plan, alike, not_run, exists);
    let mut batches = vec![Timing::default(); plan.batches.len()];
    // What a process found may be about the task of another one: first all that ran, then what came of it.
    for run in &runs {
        add(&mut batches[run.step.rank as usize], run);
        ledger.mark(run);
    }
    ledger.mark_known(&fates);
    let mut kept = vec![(Vec::new(), None); plan.graph.tools.len()];
    for mut run in runs {
        let (files, error) = &mut kept[plan.step(run.step).tool.0 as usize];
        let Kept { files: of_run, error: of_keeping } = std::mem::take(&mut run.kept);
        files.extend(of_run.into_iter().map(|path| seen_from(&workspace.root, path)));
        *error = error.take().or(of_keeping.map(|error| error.to_string()));
        ledger.enter(run);
    }
    ledger.enter_known(fates);
    ledger.enter_not_built();
    ledger.enter_changed(changed);
    ledger.enter_moved(moved);
    numbers::require(&mut ledger, case.baseline);
    let of_tests = empty::judge(&mut ledger, &empty::Sources { read, target })?;
    if blind_spots::are_looked_for(plan) {
        let manifests = read(&mut blind_spots::manifests(workspace, plan).iter())?;
        let spots = blind_spots::find(&ledger, of_tests, &blind_spots::Around { manifests, beyond });
        if plan.policy.blind_spots == BlindSpots::Deny && plan.is_full(workspace) {
            ledger.diagnostics.extend(blind_spots::findings(&spots));
        }
        case.blind_spots = Some(spots);
    }
    for (batch, timing) in plan.batches.iter().zip(&mut batches) {
        let mut tasks = batch.steps.iter().flat_map(|step| &step.tasks);
        let is_known = tasks.all(|task| ledger.tasks[task.0 as usize].timing.cache == Cache::Hit);
        timing.cache = if is_known { Cache::Hit } else { Cache::Miss };
    }
    let mut outcome = conclude(case, ledger)?;
    outcome.batches = batches;
    for (tool, kept) in outcome.tools.iter_mut().zip(kept) {
        (tool.kept, tool.not_kept) = kept;
    }
    Ok(outcome)
}

/// The outcome of a run whose findings are not compared, because there is no more time: no task has a verdict.
pub(super) fn give_up(
    case: Case<'_>,
    alike: Vec<Alike>,
    exists: &dyn Fn(&RelPath) -> bool,
) -> Result<Outcome, Undecided> {
    let Case { workspace, plan, .. } = case;
    let ledger = Ledger::new(workspace, plan, alike, why((case.stopped)()), exists);
    conclude(case, ledger)
}

/// From what is known of the tasks to states, verdicts and the end: compare and report.
pub(super) fn conclude(case: Case<'_>, mut ledger: Ledger<'_>) -> Result<Outcome, Undecided> {
    let Case { plan, versions, suppressions, baseline, read, goldens, unseen, stopped, strict, halt, .. } =
        case;
    let blind_spots = case.blind_spots;
    let diagnostics = std::mem::take(&mut ledger.diagnostics);
    let sources =
        Sources(read(&mut diagnostics.iter().filter_map(|(_, diagnostic)| diagnostic.shown_at().path()))?);
    let findings = identify(diagnostics, &sources, halt)?;
    drop(sources);
    let mut tools = ledger.tools(versions);
    let (numbers, baseline) = numbers::judge(&ledger, &tools, case.stated.as_ref(), baseline);
    let look = Look::new(&ledger, read, unseen);
    let mut matched = matching::compare(findings, suppressions, &baseline, &look, halt)?;
    look.finish()?;
    let numbers = enter_numbers(numbers, &mut matched, &mut ledger, suppressions);
    for ((id, tool), outcome) in plan.graph.tools().zip(&mut tools) {
        count(tool, outcome, &matched.findings, &matched.gone);
        outcome.skipped = ledger.skipped(id);
        outcome.fix = crate::plan::fix_command(case.workspace, plan, tool);
    }
    let as_of = suppressions.as_of();
    let suppressions = suppressions.judge(&matched.findings, |one| ledger.has_looked(one));
    let end = end(plan, &tools, &goldens.orphans, stopped(), strict);
    Ok(Outcome {
        plan: Arc::clone(plan),
        tasks: ledger.tasks,
        batches: vec![Timing::default(); plan.batches.len()],
        tools,
        suppressions,
        as_of,
        generated: sorted(ledger.generated),
        findings: matched.findings,
        gone: matched.gone,
        numbers,
        goldens,
        blind_spots,
        end,
        parallel: case.parallel,
    })
}

/// Puts what came of numbers beside the findings and the lines of the baseline.
fn enter_numbers(
    judged: JudgedNumbers,
    matched: &mut Matched,
    ledger: &mut Ledger<'_>,
    suppressions: &Suppressions<'_>,
) -> Vec<Number> {
    let JudgedNumbers { numbers, findings, gone } = judged;
    for mut compared in findings {
        ledger.raise_first(&compared.finding.tools, Status::Findings);
        compared.suppressed_by = suppressions.of(&compared.finding);
        if compared.suppressed_by.is_some() {
            compared.state = State::Suppressed;
        }
        matched.findings.push(compared);
    }
    matched.gone.extend(gone);
    matched.findings.sort_by(|a, b| a.finding.diagnostic.cmp(&b.finding.diagnostic));
    matched.gone.sort_by(|a, b| (&a.ns, &a.entry, a.state).cmp(&(&b.ns, &b.entry, b.state)));
    numbers
}

fn sorted(mut generated: Vec<Generated>) -> Vec<Generated> {
    generated.sort();
    generated
}

/// `path` as a user in `root` would name it.
fn seen_from(root: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix(root).map(Path::to_path_buf).unwrap_or(path)
}

/// A batch lasts from the start of its first step to the end of its last.
fn add(batch: &mut Timing, run: &StepRun<Normalized>) {
    if run.pieces.is_empty() {
        return;
    }
    let is_first = batch.attempts == 0 && batch.duration == Duration::ZERO;
    let end = (run.start + run.duration).max(batch.start + batch.duration);
    batch.start = if is_first { run.start } else { batch.start.min(run.start) };
    batch.duration = end.saturating_sub(batch.start);
    batch.slot = run.slot;
    batch.attempts += run.attempts;
    batch.raw_exit =
        run.pieces.iter().filter_map(|piece| piece.raw_exit).max_by_key(|exit| exit.unsigned_abs());
}

fn count(tool: &Tool, outcome: &mut ToolOutcome, findings: &[Compared], gone: &[Gone]) {
    let is_of_style = |compared: &Compared| is_of_former_style(&compared.finding.diagnostic.related);
    let mut restyled = BTreeSet::new();
    for compared in findings.iter().filter(|compared| compared.finding.tools.contains(&tool.name)) {
        match compared.state {
            State::New => {
                outcome.new += 1;
                if let Some(path) = compared.finding.diagnostic.place.path().filter(|_| is_of_style(compared))
                {
                    let migration = outcome.migration.get_or_insert_default();
                    migration.findings += 1;
                    restyled.insert(path);
                }
            }
            State::Updated => outcome.updated += 1,
            State::Suppressed => outcome.suppressed += 1,
            _ => outcome.unchanged += 1,
        }
    }
    if let Some(migration) = &mut outcome.migration {
        migration.files = restyled.len();
    }
    let speaks_for = |gone: &&Gone| match (gone.ns == OWN_NAMESPACE, gone.entry.rule == empty::EMPTY) {
        (true, true) => empty::runs_tests(tool),
        (true, false) => tool.name == Tool::BLIND_SPOTS,
        _ => tool.namespaces.contains(&gone.ns),
    };
    for gone in gone.iter().filter(speaks_for) {
        match gone.state {
            State::Fixed => outcome.fixed += 1,
            State::Unknown => outcome.unknown += 1,
            _ => {}
        }
    }
    if outcome.verdict == Verdict::Passed && outcome.new > 0 {
        outcome.verdict = Verdict::Failed;
    }
}

pub(super) fn end(
    plan: &Plan,
    tools: &[ToolOutcome],
    orphans: &[RelPath],
    stopped: Option<StopReason>,
    strict: Strict,
) -> End {
    if let Some(StopReason::Signal(signal)) = stopped {
        return End::Signal(signal);
    }
    let required =
        || plan.graph.tools.iter().zip(tools).filter(|(tool, _)| tool.required).map(|(_, outcome)| outcome);
    let is_open = |verdict| match verdict {
        Verdict::Incomplete => true,
        Verdict::Missing | Verdict::Empty => strict.absent,
        Verdict::Passed | Verdict::Failed => false,
    };
    if required().any(|outcome| is_open(outcome.verdict)) {
        End::Incomplete
    } else if required().any(|outcome| outcome.new > 0 || (strict.stale && outcome.fixed > 0))
        || (strict.stale && golden::decide(plan, orphans))
    {
        End::Failed
    } else {
        End::Passed
    }
}
