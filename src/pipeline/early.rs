//! Finds out during a run which findings are new, so that they can be shown as soon as their tool has finished.
//!
//! Only findings that are certain to be new are passed on ([`matching::surely_new`]). If a later tool reports in the same
//! namespace and might still change a finding, the finding waits until that tool has finished, or for the end of the run.
//! The outcome of the run is computed from scratch and does not depend on this.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::results::merge_passes;
use super::{ReadSources, numbers, variants};
use crate::cache::Lookup;
use crate::compare::identity::identify;
use crate::compare::matching;
use crate::compare::reach::Reach;
use crate::compare::suppressions::Suppressions;
use crate::model::event::Found;
use crate::model::finding::{Diagnostic, DiagnosticKey, Entry, Finding};
use crate::model::halt::Halt;
use crate::model::outcome::Compared;
use crate::model::path::RelPath;
use crate::model::sources::Sources;
use crate::model::task::Plan;
use crate::model::test_output::TestOutput;
use crate::model::text::Text;
use crate::model::tool::{Printer, Tool, ToolId};
use crate::model::workspace::Workspace;
use crate::normalize::Normalized;
use crate::scan::{Ended, StepRun};

/// Maximum number of findings of a tool that are remembered until its namespaces are complete. Findings of tools with more are
/// shown at the end.
const MOST: usize = 20_000;

/// The inputs of a comparison.
pub(super) struct Context<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    pub(super) suppressions: &'a Suppressions<'a>,
    pub(super) baseline: &'a BTreeMap<String, Vec<Entry>>,
    pub(super) read: &'a ReadSources<'a>,
    pub(super) exists: &'a (dyn Fn(&RelPath) -> bool + Sync),
    /// Maximum number of new findings that the run keeps per tool.
    pub(super) max_findings: usize,
    pub(super) halt: &'a dyn Halt,
}

/// Findings of the tools that have finished.
pub(super) struct Early<'a> {
    context: Context<'a>,
    /// The baseline without accepted numbers, which are compared at the end.
    baseline: Cow<'a, BTreeMap<String, Vec<Entry>>>,
    state: Mutex<State>,
}

struct State {
    /// For each tool, the number of steps that have not finished.
    left: Vec<usize>,
    /// For each tool, its findings; `None` if there are too many.
    diagnostics: Vec<Option<Vec<Diagnostic>>>,
    /// Output of failed tests, each with its tool, until their findings are passed on.
    test_outputs: Vec<(Text, TestOutput)>,
    /// Findings that were passed on.
    shown: BTreeSet<DiagnosticKey>,
    /// Findings to be passed on.
    found: Vec<Found>,
}

impl<'a> Early<'a> {
    /// Enters the cached results. `due` says which tasks will run.
    pub(super) fn new(context: Context<'a>, lookups: &[Lookup], due: &[bool]) -> Self {
        let graph = &context.plan.graph;
        let mut state = State {
            left: vec![0; graph.tools.len()],
            diagnostics: vec![Some(Vec::new()); graph.tools.len()],
            test_outputs: Vec::new(),
            shown: BTreeSet::new(),
            found: Vec::new(),
        };
        for step in context.plan.steps().map(|id| context.plan.step(id)) {
            state.left[step.tool.0 as usize] +=
                usize::from(step.tasks.iter().any(|task| due[task.0 as usize]));
        }
        let most = context.max_findings.min(MOST);
        for (task, lookup) in graph.tasks.iter().zip(lookups) {
            if let Lookup::Hit(parsed) = lookup {
                state.add(task.tool, parsed.diagnostics.iter().cloned(), most);
                let name = Text::from(&graph.tool(task.tool).name);
                state.test_outputs.extend(parsed.test_outputs.iter().map(|one| (name.clone(), one.clone())));
            }
        }
        let baseline = numbers::take(context.plan, context.baseline).1;
        let early = Self { context, baseline, state: Mutex::new(state) };
        let mut state = early.lock();
        for (id, _) in early.context.plan.graph.tools() {
            if state.is_done(id) {
                early.conclude(id, &mut state);
            }
        }
        drop(state);
        early
    }

    /// Enters the result of a step.
    pub(super) fn ended(&self, run: &StepRun<Normalized>) {
        let plan = self.context.plan;
        let tool = plan.step(run.step).tool;
        let pieces = merge_passes(self.context.workspace, plan, tool, run.pieces.clone());
        let said = pieces.into_iter().filter_map(|piece| match piece.ended {
            Ended::Judged(Ok(parsed)) => Some((parsed.diagnostics, parsed.test_outputs)),
            _ => None,
        });
        let (said, outputs): (Vec<_>, Vec<_>) = said.unzip();
        let said: Vec<_> = said.into_iter().flatten().collect();
        let name = Text::from(&plan.graph.tool(tool).name);
        let mut state = self.lock();
        state.test_outputs.extend(outputs.into_iter().flatten().map(|output| (name.clone(), output)));
        state.add(tool, said.into_iter(), self.context.max_findings.min(MOST));
        state.left[tool.0 as usize] = state.left[tool.0 as usize].saturating_sub(1);
        if state.is_done(tool) {
            self.conclude(tool, &mut state);
        }
    }

    /// Returns what was found since the last call.
    pub(super) fn take(&self) -> Vec<Found> {
        std::mem::take(&mut self.lock().found)
    }

    /// Passes on what is certain now that `tool` has finished.
    fn conclude(&self, tool: ToolId, state: &mut State) {
        let Context { workspace, plan, suppressions, read, exists, halt, .. } = self.context;
        let base = plan.graph.tool(tool).base();
        // Only the last variant knows which of them found what.
        if plan.graph.tools().any(|(id, other)| other.base() == base && !state.is_done(id)) {
            return;
        }
        let mut said: Vec<(Text, Diagnostic)> = Vec::new();
        for (id, other) in plan.graph.tools().filter(|(id, _)| state.is_done(*id)) {
            let of_tool = state.diagnostics[id.0 as usize].iter().flatten();
            let concerns =
                |one: &&Diagnostic| other.base() == base || may_report(plan.graph.tool(tool), &one.ns);
            said.extend(of_tool.filter(concerns).map(|one| (Text::from(&other.name), one.clone())));
        }
        if said.iter().all(|(_, one)| state.shown.contains(&one.key())) {
            return;
        }
        // Errors are ignored here: the file is read again at the end, and then the run fails.
        let sources = read(&mut said.iter().filter_map(|(_, one)| one.shown_at().path()));
        let sources = Arc::new(Sources(sources.unwrap_or_default()));
        let is_complete = |ns: &str| {
            let mut of_ns = plan.graph.tools().filter(|(_, tool)| may_report(tool, ns)).peekable();
            of_ns.peek().is_some()
                && of_ns.all(|(id, _)| state.is_done(id) && state.diagnostics[id.0 as usize].is_some())
        };
        let compare = |findings| {
            let reach = Files(exists);
            matching::surely_new(findings, suppressions, &self.baseline, &is_complete, &reach, halt)
        };
        // If the run is being cancelled, nothing more needs to be shown.
        let mark = |findings| {
            let mut findings =
                variants::mark(workspace, plan, findings, &|tool| tool.runs_on(std::env::consts::OS));
            // A tool that has not finished may still find the same in other variants.
            let open = findings.iter_mut().filter(|finding| !is_complete(&finding.diagnostic.ns));
            open.for_each(|finding| finding.seen_in = None);
            findings
        };
        let findings = identify(said, &sources, halt).map(mark).and_then(compare).unwrap_or_default();
        let is_news = |compared: &Compared| state.shown.insert(compared.finding.diagnostic.key());
        let mut by_tool: BTreeMap<ToolId, Vec<Compared>> = BTreeMap::new();
        for compared in findings.into_iter().filter(is_news) {
            by_tool.entry(self.reporter(&compared.finding, tool)).or_default().push(compared);
        }
        for (tool, findings) in by_tool {
            let of_tool = |(name, _): &(Text, TestOutput)| *name == plan.graph.tool(tool).name;
            let (test_outputs, rest) = std::mem::take(&mut state.test_outputs).into_iter().partition(of_tool);
            state.test_outputs = rest;
            state.found.push(Found { tool, findings, sources: Arc::clone(&sources), test_outputs });
        }
    }

    /// Returns the tool that reported `finding`: the `last` one that has finished, or else the first one. A finding may have waited for
    /// tools that did not report it.
    fn reporter(&self, finding: &Finding, last: ToolId) -> ToolId {
        let graph = &self.context.plan.graph;
        let reported = |id: ToolId| finding.tools.iter().any(|name| *name == graph.tool(id).name);
        let mut all = std::iter::once(last).chain(graph.tools().map(|(id, _)| id));
        all.find(|id| reported(*id)).unwrap_or(last)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_done(&self, tool: ToolId) -> bool {
        self.left[tool.0 as usize] == 0
    }

    /// Adds findings of `tool`, or forgets all of them if there are more than `most`.
    fn add(&mut self, tool: ToolId, said: impl Iterator<Item = Diagnostic>, most: usize) {
        let all = &mut self.diagnostics[tool.0 as usize];
        if let Some(known) = all {
            known.extend(said);
            if known.len() > most {
                *all = None;
            }
        }
    }
}

/// Returns whether `tool` may report findings in namespace `ns`. Cargo reports errors of rustc for all of its commands.
fn may_report(tool: &Tool, ns: &str) -> bool {
    let is_of_cargo = tool.parse.printer() == Printer::Cargo && ["cargo", "rustc"].contains(&ns);
    tool.namespaces.iter().any(|own| own == ns) || is_of_cargo
}

/// A [`Reach`] that only knows which files exist.
struct Files<'a>(&'a dyn Fn(&RelPath) -> bool);

impl Reach for Files<'_> {
    fn exists(&self, path: &RelPath) -> bool {
        (self.0)(path)
    }

    fn looked_at(&self, _: &str, _: &Entry) -> bool {
        false
    }
}
