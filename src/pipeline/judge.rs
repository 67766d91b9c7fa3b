//! Turns the results of processes into the outcome of a run: statuses, findings, states, verdicts and exit status.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::against::Causing;
use super::conditions::Alike;
use super::golden::{self, Goldens};
use super::ledger::Ledger;
use super::new_lints::NewLints;
use super::results::{KeptOutput, Ran, StepResult, why};
use super::unseen::{Look, Unseen};
use super::{ReadSources, blind_spots, cap, compiled, empty, numbers, tested, variants};
use crate::cache::{Lookup, ResultCache};
use crate::compare::identity::identify;
use crate::compare::matching::{self, Matched};
use crate::compare::ratchet::Judged as JudgedNumbers;
use crate::compare::reach::Reach;
use crate::compare::suppressions::Suppressions;
use crate::model::blind_spot::BlindSpot;
use crate::model::finding::{Diagnostic, Entry, OWN_NAMESPACE, Place, Related, State, counts_for};
use crate::model::generated::split_out_dir;
use crate::model::halt::{Halt, Halted};
use crate::model::outcome::{
    self, Cache, Compared, End, Gone, Outcome, Strict, Timing, ToolOutcome, Verdict,
};
use crate::model::path::RelPath;
use crate::model::policy::BlindSpots;
use crate::model::ratchet::{Decimal, Number};
use crate::model::sources::Sources;
use crate::model::style::is_of_former_style;
use crate::model::task::{Exit, Output, Plan, Status, Step, TaskIx};
use crate::model::text::Text;
use crate::model::tool::{Tool, ToolId, Work};
use crate::model::workspace::Workspace;
use crate::normalize::{self, Input, Normalized, NotParsed, Parsed, Scrub};
use crate::scan::{BuildDirs, Env, Judged, Kept, Sieve, Sieves, Sift, StepRun, Stop, StopReason};
use crate::store::LockCopies;
use crate::workspace::{LoadError, inputs_of, links_to_dirs};

/// Creates the scrubber that makes text independent of this machine.
pub(super) fn scrub(workspace: &Workspace, env: &Env, build_dirs: &BuildDirs) -> Scrub {
    let home = env.get("HOME").map(Path::new);
    let temp = env.get("TMPDIR").map_or(Path::new("/tmp"), Path::new);
    let scrub = Scrub::new(workspace, home, temp).with_links(links_to_dirs(workspace));
    let scrub = build_dirs.all().into_iter().fold(scrub, |scrub, dir| scrub.with_target(dir));
    // Some tools resolve symbolic links before they print a path.
    let scrub = match workspace.root.canonicalize() {
        Ok(real) => scrub.with_root(&real),
        Err(_) => scrub,
    };
    // A repository that contains the home directory (for dotfiles) is not the repository of the workspace.
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

/// Context for reading the output of processes.
pub(super) struct Reader<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    pub(super) scrub: &'a Scrub,
    pub(super) read: &'a ReadSources<'a>,
    pub(super) goldens: &'a Goldens<'a>,
    /// Copies of the repository in which variants with a lock file are built.
    pub(super) copies: Option<&'a LockCopies>,
    /// Set only for `--fail-fast`.
    pub(super) is_new: Option<&'a IsNew<'a>>,
    pub(super) cache: &'a ResultCache<'a>,
    pub(super) stop: &'a Stop,
}

/// Selects the lines of long output that the [`normalizer`] needs.
pub(super) struct Sifter<'a> {
    pub(super) plan: &'a Plan,
    pub(super) scrub: &'a Scrub,
    pub(super) stop: &'a Stop,
}

impl<'a> Sift for Sifter<'a> {
    fn sieves(&self, step: &Step, exit: Exit) -> Sieves<'_> {
        let tool = self.plan.graph.tool(step.tool);
        let boxed = |mut sieve: normalize::Sieve<'a>| {
            let cuts_lines = sieve.cuts_lines();
            Sieve { keeps: Box::new(move |line| sieve.keeps(line)), cuts_lines }
        };
        Sieves {
            stdout: normalize::Sieve::of_stdout(tool, exit, self.scrub, self.stop).map(boxed),
            stderr: normalize::Sieve::of_stderr(tool, exit, self.scrub, self.stop).map(boxed),
        }
    }
}

/// Returns the function that reads the output of processes.
pub(super) fn normalizer<'a>(
    reader: Reader<'a>,
) -> impl Fn(&Step, &[TaskIx], &Output) -> Result<Judged<Normalized>, Halted> + Sync + 'a {
    move |step, tasks, output| {
        let Reader { workspace, plan, scrub, read, goldens, copies, is_new, cache, stop } = &reader;
        let units: Vec<_> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let tool = plan.graph.tool(step.tool);
        let packages = plan.build_of(tool).packages;
        let original = copies.filter(|_| tool.lock().is_some()).map(|copies| originals(copies, output));
        let output = original.as_ref().unwrap_or(output);
        let own = prints_from(tool).map(|dir| scrub.starting_in(dir));
        let scrub = own.as_ref().unwrap_or(scrub);
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
        if let Ok(parsed) = &mut result {
            cache.add_stale_results(tasks, output.exit, parsed);
        }
        let repeat = result.as_mut().is_ok_and(|parsed| cache.check_replays(step.tool, parsed, stop));
        if let Ok(parsed) = &mut result {
            look_at_generated(workspace, parsed);
            explain_generated(workspace, parsed);
            compiled::note(workspace, tool, *copies, parsed);
            // Ignore read errors here: the file is read again at the end, and then the run fails.
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
        // The second pass reports findings that are hidden in the first one.
        let is_clear = again || result.as_ref().is_ok_and(|parsed| parsed.gaps.is_empty());
        let finds_new =
            |is_new: &IsNew<'_>| result.as_ref().is_ok_and(|parsed| is_new(&tool.name, &parsed.diagnostics));
        let fails = !is_clear || is_new.is_some_and(finds_new);
        // The output of a failed compilation need not be kept, because the finding shows the error.
        let is_explained =
            |parsed: &Parsed| parsed.gaps.is_empty() || parsed.diagnostics.iter().any(|found| found.fatal);
        let is_kept = !again && !result.as_ref().is_ok_and(is_explained);
        let is_clean =
            result.as_ref().is_ok_and(|parsed| parsed.gaps.is_empty() && parsed.diagnostics.is_empty());
        let is_whole = result.as_ref().is_ok_and(|parsed| parsed.is_whole);
        let failed_tests = result.as_ref().map(|parsed| parsed.failed_tests.keys().cloned().collect());
        let failed_tests = failed_tests.unwrap_or_default();
        let tests_run = result.as_ref().map_or(0, |parsed| parsed.census.tests_run());
        Ok(Judged {
            result,
            is_clear,
            fails,
            is_clean,
            is_kept,
            programs,
            outputs,
            again,
            repeat,
            is_whole,
            failed_tests,
            tests_run,
        })
    }
}

/// Returns the `output` of a process in a copy of the repository, as if it had run in the repository.
fn originals(copies: &LockCopies, output: &Output) -> Output {
    let of = |text: &Vec<u8>| copies.originals(text).into_owned();
    Output { stdout: of(&output.stdout), stderr: of(&output.stderr), ..output.clone() }
}

/// Returns the directory from which the paths that `tool` prints are relative, unless it is the workspace root. Wherever cargo
/// starts, rustc prints paths of members relative to the root.
fn prints_from(tool: &Tool) -> Option<&RelPath> {
    tool.workspace().or(tool.dir.as_ref().filter(|_| tool.parse.work() != Work::Lint))
}

/// Reads the files that build scripts generated, while no build is running. Inconsistent ones make the package incomplete.
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
    // A package may be built twice, for the target and the host, with the same files.
    parsed.generated.sort();
    parsed.generated.dedup();
}

/// Adds the inputs of generated files to findings in them.
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

/// Returns true if one of the findings of a tool is new. Before the end of the run, only `--fail-fast` needs this.
pub(super) type IsNew<'a> = dyn Fn(&str, &[Diagnostic]) -> bool + Sync + 'a;

/// Returns true if at least one of `diagnostics` is new, no matter what else is found.
pub(super) fn is_new(
    tool: &str,
    diagnostics: &[&Diagnostic],
    suppressions: &Suppressions<'_>,
    baseline: &BTreeMap<String, Vec<Entry>>,
    read: &ReadSources<'_>,
    halt: &dyn Halt,
) -> bool {
    // Ignore read errors here: the file is read again at the end, and then the run fails.
    let sources = read(&mut diagnostics.iter().filter_map(|diagnostic| diagnostic.shown_at().path()));
    let sources = Sources(sources.unwrap_or_default());
    let diagnostics = diagnostics.iter().map(|diagnostic| (Text::from(tool), Diagnostic::clone(diagnostic)));
    // If the run is being cancelled, the result does not matter.
    let mut findings = identify(diagnostics.collect(), &sources, halt).unwrap_or_default();
    findings.retain(|finding| suppressions.of(finding).is_none());
    matching::has_surely_new(&findings, baseline)
}

/// Returns true if the cached results contain new findings of a required tool.
pub(super) fn has_failed(plan: &Plan, lookups: &[Lookup], is_new: &IsNew<'_>) -> bool {
    plan.graph.tasks.iter().zip(lookups).any(|(task, lookup)| {
        let tool = plan.graph.tool(task.tool);
        matches!(lookup, Lookup::Hit(parsed) if tool.required && is_new(&tool.name, &parsed.diagnostics))
    })
}

/// Inputs of an outcome other than the results of tasks.
pub(super) struct Case<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Arc<Plan>,
    pub(super) versions: Vec<Option<String>>,
    pub(super) suppressions: &'a Suppressions<'a>,
    /// The day that the report records.
    pub(super) as_of: Option<Date>,
    pub(super) baseline: &'a BTreeMap<String, Vec<Entry>>,
    pub(super) read: &'a ReadSources<'a>,
    pub(super) goldens: outcome::Goldens,
    /// Determines whether accepted code was not checked.
    pub(super) unseen: Unseen<'a>,
    /// Numbers from the artifacts of a finished run, by tool; `None` to take them from this run.
    pub(super) stated: Option<BTreeMap<String, BTreeMap<String, Decimal>>>,
    /// Blind spots; `None` if they were not determined.
    pub(super) blind_spots: Option<Vec<BlindSpot>>,
    /// Origin of the causes of findings.
    pub(super) causing: Causing<'a>,
    /// Lints that the locked versions of the tools do not have.
    pub(super) new_lints: &'a NewLints,
    /// Returns the reason why the run ended early, if it did.
    pub(super) stopped: &'a dyn Fn() -> Option<StopReason>,
    pub(super) strict: Strict,
    pub(super) parallel: usize,
    /// Maximum number of new findings to keep per tool.
    pub(super) max_findings: usize,
    /// Cancels the comparison.
    pub(super) halt: &'a dyn Halt,
}

/// Error from computing an outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undecided {
    /// A source file with findings can't be read.
    #[error(transparent)]
    Source(#[from] LoadError),
    /// The comparison was cancelled.
    #[error(transparent)]
    Halted(#[from] Halted),
}

/// Facts about the machine and the workspace that the results of a run depend on.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    /// Returns true if there is a file at a path.
    pub(super) exists: &'a dyn Fn(&RelPath) -> bool,
    /// Target triple of the default build, if it is known.
    pub(super) target: &'a dyn Fn() -> Option<String>,
    /// Manifests of the repository outside the workspace root.
    pub(super) beyond: &'a dyn Fn() -> Vec<RelPath>,
}

/// Computes the outcome from cached results and the results of processes.
pub(super) fn outcome(
    mut case: Case<'_>,
    ran: Ran,
    alike: Vec<Alike>,
    facts: Facts<'_>,
) -> Result<Outcome, Undecided> {
    let Case { workspace, plan, read, .. } = case;
    let Ran { runs, lookups, noted, not_run } = ran;
    let Facts { exists, target, beyond } = facts;
    let mut ledger = Ledger::new(workspace, plan, alike, not_run, exists);
    let mut batches = vec![Timing::default(); plan.batches.len()];
    // A process may report findings for tasks of another one, so mark all tasks that ran before entering results.
    for run in &runs {
        add(&mut batches[run.step.rank as usize], run);
        ledger.mark(run);
    }
    ledger.mark_known(&lookups);
    runs.into_iter().for_each(|run| ledger.enter(run));
    ledger.enter_known(lookups);
    ledger.enter_not_built();
    ledger.enter_noted(noted);
    numbers::require(&mut ledger, case.baseline);
    let of_tests = empty::judge(&mut ledger, &tested::Sources { read, target })?;
    if blind_spots::are_looked_for(plan) {
        let manifests = read(&mut blind_spots::manifests(workspace, plan).iter())?;
        let look = Look::new(&ledger, read, case.unseen);
        let spots = blind_spots::find(&ledger, &look, of_tests, &blind_spots::Around { manifests, beyond });
        look.finish()?;
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
    Ok(outcome)
}

/// Returns the files with the output of the processes of each tool, as seen from the root of the workspace.
pub(super) fn kept(workspace: &Workspace, plan: &Plan, runs: &mut [StepRun<Normalized>]) -> Vec<KeptOutput> {
    let mut kept = vec![(Vec::new(), None); plan.graph.tools.len()];
    for run in runs {
        let (files, error): &mut KeptOutput = &mut kept[plan.step(run.step).tool.0 as usize];
        let Kept { files: of_run, error: of_keeping } = std::mem::take(&mut run.kept);
        files.extend(of_run.into_iter().map(|path| seen_from(&workspace.root, path)));
        *error = error.take().or(of_keeping.map(|error| error.to_string()));
    }
    kept
}

/// Returns the outcome of a run that had no time to compare its findings: no task has a verdict.
pub(super) fn give_up(
    case: Case<'_>,
    alike: Vec<Alike>,
    exists: &dyn Fn(&RelPath) -> bool,
) -> Result<Outcome, Undecided> {
    let Case { workspace, plan, .. } = case;
    let ledger = Ledger::new(workspace, plan, alike, why((case.stopped)()), exists);
    conclude(case, ledger)
}

/// Computes states, verdicts and the exit status from the results of tasks.
pub(super) fn conclude(case: Case<'_>, mut ledger: Ledger<'_>) -> Result<Outcome, Undecided> {
    let Case { plan, versions, suppressions, baseline, read, goldens, unseen, stopped, strict, halt, .. } =
        case;
    let blind_spots = case.blind_spots;
    let diagnostics = std::mem::take(&mut ledger.diagnostics);
    let sources =
        Sources(read(&mut diagnostics.iter().filter_map(|(_, diagnostic)| diagnostic.shown_at().path()))?);
    let findings = identify(diagnostics, &sources, halt)?;
    drop(sources);
    let findings = variants::mark(case.workspace, plan, findings, &|tool| !ledger.is_elsewhere(tool));
    let (lines, baseline) = numbers::take(plan, baseline);
    let compare = |findings: Vec<_>, reach: &dyn Reach| {
        matching::compare(findings, suppressions, &baseline, reach, halt)
    };
    let look = Look::new(&ledger, read, unseen);
    let (mut matched, capped) = cap::compare(findings, case.max_findings, &plan.graph, &look, &compare)?;
    mark_disputed(&mut matched.findings, &look);
    look.finish()?;
    capped.iter().for_each(|(tool, reason)| ledger.note_all(*tool, reason));
    let mut tools = ledger.tools(versions.clone());
    let numbers = numbers::judge(&ledger, &tools, case.stated.as_ref(), lines);
    let numbers = enter_numbers(numbers, &mut matched, &mut ledger, suppressions);
    case.causing.set(&mut matched, &ledger, &versions, case.new_lints);
    let by_day = case.new_lints.record(&matched.findings, &mut tools);
    count(plan, &mut tools, &matched);
    for ((id, tool), outcome) in plan.graph.tools().zip(&mut tools) {
        outcome.skipped = ledger.skipped(id);
        outcome.fix = crate::plan::fix_command(case.workspace, plan, tool);
    }
    let suppressions = suppressions.judge(&matched.findings, |one| ledger.has_looked(one));
    let end = end(plan, &tools, &goldens.orphans, stopped(), strict);
    Ok(Outcome {
        plan: Arc::clone(plan),
        tasks: ledger.tasks,
        batches: vec![Timing::default(); plan.batches.len()],
        tools,
        suppressions,
        as_of: case.as_of.or(by_day),
        generated: sorted(ledger.generated),
        findings: matched.findings,
        gone: matched.gone,
        numbers,
        goldens,
        test_outputs: sorted(ledger.test_outputs),
        blind_spots,
        against: case.causing.against(),
        end,
        parallel: case.parallel,
        shard: None,
    })
}

/// Marks the fixes of compilers that a build of the same code does not propose. An import that the library does not use may be
/// used by its tests, for example.
fn mark_disputed(findings: &mut [Compared], look: &Look<'_>) {
    for compared in findings {
        let Diagnostic { ns, place, fix: Some(fix), .. } = &mut compared.finding.diagnostic else { continue };
        if matches!(&**ns, "clippy" | "rustc" | "rustdoc") {
            fix.is_disputed |= !look.is_agreed(ns, place, fix);
        }
    }
}

/// Adds the findings and stale entries that follow from numbers.
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

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

/// Returns `path` relative to `root`, if it is within.
fn seen_from(root: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix(root).map(Path::to_path_buf).unwrap_or(path)
}

/// Extends the timing of a batch, which lasts from the start of its first step to the end of its last.
fn add(batch: &mut Timing, run: &StepResult) {
    if run.pieces.is_empty() {
        return;
    }
    let Timing { start, duration, slot, attempts, .. } = run.timing;
    let is_first = batch.attempts == 0 && batch.duration == Duration::ZERO;
    let end = (start + duration).max(batch.start + batch.duration);
    batch.start = if is_first { start } else { batch.start.min(start) };
    batch.duration = end.saturating_sub(batch.start);
    batch.slot = slot;
    batch.attempts += attempts;
    batch.raw_exit =
        run.pieces.iter().filter_map(|piece| piece.raw_exit).max_by_key(|exit| exit.unsigned_abs());
}

/// Counts findings and stale entries by tool. What several tools report is counted once ([`counts_for`]), but each of these tools
/// fails.
fn count(plan: &Plan, tools: &mut [ToolOutcome], matched: &Matched) {
    let graph = &plan.graph;
    let is_required = |id: &ToolId| graph.tool(*id).required;
    let mut restyled = vec![BTreeSet::new(); tools.len()];
    for compared in &matched.findings {
        let all = graph.tools().filter(|(_, tool)| compared.finding.is_of(&tool.name)).map(|(id, _)| id);
        if compared.state == State::New && !compared.is_excused() {
            for id in all.clone() {
                let verdict = &mut tools[id.0 as usize].verdict;
                if *verdict == Verdict::Passed {
                    *verdict = Verdict::Failed;
                }
            }
        }
        let Some(id) = counts_for(all, is_required) else { continue };
        let outcome = &mut tools[id.0 as usize];
        match compared.state {
            State::New => {
                outcome.new += 1;
                outcome.excused += usize::from(compared.is_excused());
                let diagnostic = &compared.finding.diagnostic;
                let path = diagnostic.place.path().filter(|_| is_of_former_style(&diagnostic.related));
                if let Some(path) = path {
                    outcome.migration.get_or_insert_default().findings += 1;
                    restyled[id.0 as usize].insert(path);
                }
            }
            State::Updated => outcome.updated += 1,
            State::Suppressed => outcome.suppressed += 1,
            State::Noted => {}
            _ => outcome.unchanged += 1,
        }
    }
    for (outcome, restyled) in tools.iter_mut().zip(restyled) {
        if let Some(migration) = &mut outcome.migration {
            migration.files = restyled.len();
        }
    }
    for gone in &matched.gone {
        let all = graph.tools().filter(|(_, tool)| speaks_for(tool, gone)).map(|(id, _)| id);
        let Some(id) = counts_for(all, is_required) else { continue };
        match gone.state {
            State::Fixed => {
                tools[id.0 as usize].fixed += 1;
                tools[id.0 as usize].fixed_before += usize::from(gone.is_excused());
            }
            State::Unknown => tools[id.0 as usize].unknown += 1,
            _ => {}
        }
    }
}

/// Returns whether `gone` is an entry for findings of `tool`.
fn speaks_for(tool: &Tool, gone: &Gone) -> bool {
    match (gone.ns == OWN_NAMESPACE, gone.entry.rule == tested::EMPTY) {
        (true, true) => tested::runs_tests(tool),
        (true, false) => tool.name == Tool::BLIND_SPOTS,
        _ => tool.namespaces.iter().any(|ns| gone.ns == *ns),
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
        return End::Interrupted(signal);
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
    } else if required().any(|outcome| {
        outcome.new > outcome.excused || (strict.stale && outcome.fixed > outcome.fixed_before)
    }) || (strict.stale && golden::decide(plan, orphans))
    {
        End::Failed
    } else {
        End::Passed
    }
}
