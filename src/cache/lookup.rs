//! Looks up results: which tasks need not run, and which run although they have a result.
//!
//! A task with a result still runs
//!
//! - if a task that runs needs it, for what it leaves behind;
//! - if it needs a task that runs and whose results are cached, since that one has just left something new behind;
//! - if another target root of its package runs: several roots may reach one file, and which of them a finding belongs to is
//!   decided among the roots of one process.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::inputs::{ToolKey, Unbounded};
use super::misses::MissReason;
use super::record::{Discovered, StoredResult};
use super::sandboxed::RunningTest;
use super::{Next, ResultCache, ResultLog};
use crate::model::task::{Plan, Program, Task, TaskIx};
use crate::model::tool::{Caching, Per, ToolId};
use crate::model::workspace::Workspace;
use crate::normalize::{Normalized, Parsed};
use crate::scan::Recalled;

/// The answer of the cache for one task.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// There is no usable result, or the task has to run for another reason.
    Miss(MissReason),
    /// A result without findings and notices.
    Clean,
    /// A result with findings or notices.
    Hit(Box<Parsed>),
    /// Not looked up, because the task belongs to another shard.
    OtherShard,
}

impl Lookup {
    /// Returns true for a cached result.
    pub(crate) fn is_hit(&self) -> bool {
        matches!(self, Self::Clean | Self::Hit(_))
    }

    pub(crate) fn is_miss(&self) -> bool {
        matches!(self, Self::Miss(_))
    }

    /// The lookup of a task with this valid result.
    pub(super) fn of(parsed: Parsed) -> Self {
        if parsed == Parsed::default() { Self::Clean } else { Self::Hit(Box::new(parsed)) }
    }

    /// The lookup of a task that is in no cache.
    pub(crate) fn none() -> Self {
        Self::Miss(MissReason::NoResult)
    }

    /// The link that leads to too many files for this task to be cached.
    pub(crate) fn unbounded(&self) -> Option<&str> {
        match self {
            Self::Miss(MissReason::Unbounded(link)) => Some(link),
            _ => None,
        }
    }
}

impl ResultCache<'_> {
    /// Looks up every task.
    pub(crate) fn look_up(&self) -> Vec<Lookup> {
        let plan = self.context.plan;
        let state = self.lock();
        let tasks = 0..plan.graph.tasks.len() as u32;
        let lookup = |next: &mut Next, at| self.lookup(TaskIx(at), state.results.as_ref(), next);
        let mut lookups: Vec<_> = tasks.into_par_iter().map_init(Next::default, lookup).collect();
        drop(state);
        self.add_shared(&mut lookups);
        let is_cached =
            |tool: ToolId| self.keys[tool.0 as usize].is_ok() && plan.graph.tool(tool).is_cached();
        spread(plan, self.context.workspace, is_cached, &mut lookups);
        lookups
    }

    fn lookup(&self, task: TaskIx, results: Option<&ResultLog>, next: &mut Next) -> Lookup {
        let miss = Lookup::Miss;
        if !self.context.plan.is_here(task) {
            return Lookup::OtherShard;
        }
        let Task { tool: id, .. } = *self.context.plan.graph.task(task);
        let tool = self.context.plan.graph.tool(id);
        let Some(results) = results else { return miss(MissReason::Off) };
        if !tool.runs_on(std::env::consts::OS) {
            // The result may be of an earlier configuration, or of a directory that several systems share.
            return miss(MissReason::Elsewhere);
        }
        if !tool.is_cached() {
            return miss(MissReason::NotCached);
        }
        let key = match &self.keys[id.0 as usize] {
            Ok(key) => key,
            Err(why) => return miss(MissReason::Uncacheable(why.clone())),
        };
        if self.bless && tool.has_goldens() {
            return miss(MissReason::Blessed);
        }
        if tool.uses_executable() {
            return miss(MissReason::Program);
        }
        if tool.is_observed() && tool.starts_tests() {
            return miss(MissReason::Wrapped);
        }
        let key = match self.inputs.key(key, task, None) {
            Ok(key) => key,
            Err(Unbounded(link)) => return miss(MissReason::Unbounded(link.to_string())),
        };
        match results.get_next(&key, next) {
            Some(bytes) if StoredResult::is_clean(bytes) => Lookup::Clean,
            Some(bytes) => match self.decode(task, bytes) {
                Ok(_) if tool.is_observed() && results.get(&self.distrust_key(task, None)).is_some() => {
                    miss(MissReason::Distrusted)
                }
                Ok(_) if tool.is_observed() && self.is_checked_today(&key) => miss(MissReason::Checked),
                Ok(parsed) => Lookup::of(parsed),
                Err(reason) => miss(reason),
            },
            None if results.is_damaged(&key) => miss(MissReason::Damaged),
            None => miss(MissReason::NoResult),
        }
    }

    /// Returns the result, of those under one key, whose discovered inputs are unchanged.
    pub(super) fn decode(&self, task: TaskIx, bytes: &[u8]) -> Result<Parsed, MissReason> {
        self.usable(task, bytes)?.parsed(self.context.workspace).ok_or(MissReason::NoResult)
    }

    /// Like [`decode`](Self::decode), but returns the result as it is stored.
    pub(super) fn usable(&self, task: TaskIx, bytes: &[u8]) -> Result<StoredResult, MissReason> {
        // The result with the fewest changed inputs gives the best explanation.
        let mut least: Option<(usize, String)> = None;
        for record in StoredResult::decode_all(bytes).ok_or(MissReason::Damaged)? {
            let is_changed =
                |input: &&Discovered| !self.inputs.is_unchanged(input, &self.build_dirs, &self.all_files);
            let changed: Vec<_> = record.discovered.iter().filter(is_changed).collect();
            let Some(first) = changed.first() else {
                self.note_read(task, &record.discovered);
                return Ok(record);
            };
            if least.as_ref().is_none_or(|(count, _)| changed.len() < *count) {
                least = Some((changed.len(), describe(first)));
            }
        }
        Err(least.map_or(MissReason::NoResult, |(_, what)| MissReason::Read(what)))
    }

    /// Looks up a task that runs `program`, which this run has built. Without one, decides whether a process over `tasks`, which were
    /// looked up before, is observed.
    pub(crate) fn recall(&self, tasks: &[TaskIx], program: Option<&Program>) -> Recalled<Normalized> {
        let Some(&task) = tasks.first() else { return Recalled::Run };
        let id = self.context.plan.graph.task(task).tool;
        let Ok(key) = &self.keys[id.0 as usize] else { return Recalled::Run };
        match (self.context.plan.graph.tool(id).cache, program) {
            (Caching::Sandboxed { .. }, Some(program)) => self.recall_sandboxed(task, key, program),
            // The tests that it starts are looked up, and observed if they run.
            (Caching::Sandboxed { .. }, None) if self.context.plan.graph.tool(id).starts_tests() => {
                if self.lock().results.is_some() { Recalled::Observe } else { Recalled::Run }
            }
            (Caching::Sandboxed { .. }, None) => self.observe(tasks, key),
            (Caching::Established | Caching::Always, Some(program)) => {
                let result = self.recall_declared(task, key, program);
                result.map_or(Recalled::Run, |parsed| Recalled::Hit(Box::new(Ok(parsed))))
            }
            (Caching::Never | Caching::Established | Caching::Always, _) => Recalled::Run,
        }
    }

    /// Looks up a task whose key covers everything that it is declared to read.
    fn recall_declared(&self, task: TaskIx, key: &ToolKey, program: &Program) -> Option<Parsed> {
        let digest = self.inputs.outside.digest(&program.path).ok()??;
        let key = self.inputs.key(key, task, Some(digest)).ok()?;
        let mut state = self.lock();
        let bytes = state.results.as_ref()?.get_next(&key, &mut Next::default());
        let parsed = bytes.and_then(|bytes| self.decode(task, bytes).ok());
        if parsed.is_none() {
            state.programs.insert(task, RunningTest::new(key, Some(program)));
        }
        parsed
    }
}

/// Turns hits into misses where a task has to run because of another one. Tools with results that can be stored are `is_cached`.
fn spread(plan: &Plan, workspace: &Workspace, is_cached: impl Fn(ToolId) -> bool, lookups: &mut [Lookup]) {
    let graph = &plan.graph;
    let of = |tool: ToolId| {
        let start = graph.tasks.partition_point(|task| task.tool < tool);
        start..graph.tasks.partition_point(|task| task.tool <= tool)
    };
    // Tasks that don't run on this system leave nothing behind and need nothing.
    let order = graph.needs_first();
    let order: Vec<_> =
        order.into_iter().filter(|tool| graph.tool(*tool).runs_on(std::env::consts::OS)).collect();
    for &tool in &order {
        if graph.tool(tool).per == Per::TargetRoot {
            let package = |at: usize| graph.tasks[at].unit.package(workspace);
            let missed: BTreeSet<_> =
                of(tool).filter(|at| lookups[*at].is_miss()).filter_map(package).collect();
            let beside = |at: &usize| package(*at).is_some_and(|package| missed.contains(&package));
            add_misses(lookups, of(tool).filter(beside), &MissReason::Beside);
        }
        let is_here = |need: ToolId| graph.tool(need).runs_on(std::env::consts::OS);
        let runs = |need: &&ToolId| {
            is_cached(**need) && is_here(**need) && of(**need).any(|at| lookups[at].is_miss())
        };
        if let Some(need) = graph.needs[tool.0 as usize].iter().find(runs) {
            add_misses(lookups, of(tool), &MissReason::Behind(graph.tool(*need).name.clone()));
        }
    }
    for &tool in order.iter().rev() {
        if of(tool).any(|at| lookups[at].is_miss()) {
            for need in &graph.needs[tool.0 as usize] {
                add_misses(lookups, of(*need), &MissReason::NeededBy(graph.tool(tool).name.clone()));
            }
        }
    }
    // A step that exists only for others does not run if none of them does.
    for &tool in order.iter().rev().filter(|tool| graph.tool(**tool).on_demand) {
        if of(tool).all(|at| matches!(lookups[at], Lookup::OtherShard)) {
            continue;
        }
        let named = graph.tool(tool).is_one_of(&plan.selection.tools);
        let others = (0..).map(ToolId).zip(&graph.needs).filter(|(_, needs)| needs.contains(&tool));
        let mut others = others.map(|(other, _)| other).filter(|other| !of(*other).is_empty()).peekable();
        let runs = |other: ToolId| {
            graph.tool(other).runs_on(std::env::consts::OS) && of(other).any(|at| lookups[at].is_miss())
        };
        if !named && others.peek().is_some() && !others.any(runs) {
            let own: Vec<_> = of(tool).filter(|at| lookups[*at].is_miss()).collect();
            own.into_iter().for_each(|at| lookups[at] = Lookup::Clean);
        }
    }
}

/// Marks the hits among `tasks` as misses.
fn add_misses(lookups: &mut [Lookup], tasks: impl Iterator<Item = usize>, reason: &MissReason) {
    for at in tasks {
        if lookups[at].is_hit() {
            lookups[at] = Lookup::Miss(reason.clone());
        }
    }
}

/// Names a discovered input that changed.
fn describe(input: &Discovered) -> String {
    match input {
        Discovered::File(path, _) => format!("the file {path}, which it reads"),
        Discovered::Generated(path, _) => format!("the file {path}, which a build script generates"),
        Discovered::Variable(name, _) => format!("the variable {name}, which the build reads"),
        Discovered::Directory(path, _) => format!("a file in {path}, which a build script watches"),
        Discovered::Everything(_) => {
            "a file of the workspace (its sources include a file whose path can't be determined)".to_owned()
        }
        Discovered::Seen(path, None) => format!("{path}, which did not exist when it looked"),
        Discovered::Seen(path, Some(_)) => format!("{path}, which it looks at"),
        Discovered::Listed(path, _) => format!("the directory {path}, which it lists"),
        Discovered::Content(path, _) => format!("a file in {path}, which it looks into"),
        Discovered::Built(path, _) => format!("{path}, which was built for it"),
        Discovered::Until(_) => "the result is older than `max-age`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::{Policy, Selection};
    use crate::model::testing::{tool, workspace};
    use crate::model::tool::{Caching, Parse, Tool};
    use crate::model::variant::Variant;
    use crate::model::workspace::TargetKind;
    use crate::plan::{self, Facts};

    /// Plans `tools` over one package with a library and a binary. Returns which tasks run if those at the indices `misses` have
    /// no result.
    fn run(tools: Vec<Tool>, misses: &[usize]) -> Vec<usize> {
        let targets = [(TargetKind::Bin, "a/src/main.rs"), (TargetKind::Lib, "a/src/lib.rs")];
        let workspace = workspace(&[("a", &targets)], &["a/src/lib.rs", "a/src/main.rs"]);
        let plan = plan::plan(&workspace, tools, Selection::default(), Policy::default(), &Facts::default());
        let plan = plan.unwrap();
        let lookup = |at| match misses.contains(&at) {
            true => Lookup::Miss(MissReason::NoResult),
            false => Lookup::Clean,
        };
        let mut lookups: Vec<_> = (0..plan.graph.tasks.len()).map(lookup).collect();
        spread(&plan, &workspace, |tool| plan.graph.tool(tool).is_cached(), &mut lookups);
        (0..lookups.len()).filter(|at| lookups[*at].is_miss()).collect()
    }

    fn named(name: &str, needs: &[&str]) -> Tool {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        Tool { needs, ..tool(name, Parse::Lines, &[name]) }
    }

    #[test]
    fn nothing_runs_where_all_tasks_have_results() {
        assert_eq!(run(vec![named("first", &[]), named("second", &["first"])], &[]), [0; 0]);
    }

    #[test]
    fn a_tool_runs_with_the_one_that_it_needs_and_with_the_one_that_needs_it() {
        let tools = || vec![named("first", &[]), named("second", &["first"]), named("third", &[])];
        assert_eq!(run(tools(), &[0]), [0, 1], "behind");
        assert_eq!(run(tools(), &[1]), [0, 1], "needed");
        assert_eq!(run(tools(), &[2]), [2], "neither");
    }

    #[test]
    fn all_target_roots_of_a_package_run_together() {
        let roots = Tool { per: Per::TargetRoot, ..tool("fmt", Parse::Lines, &["fmt", "{files}"]) };
        assert_eq!(run(vec![roots], &[1]), [0, 1]);
    }

    #[test]
    fn a_step_for_others_runs_only_with_one_of_them() {
        let build = || Tool { on_demand: true, cache: Caching::Never, ..named("build", &[]) };
        assert_eq!(run(vec![build(), named("user", &["build"])], &[0]), [0; 0]);
        assert_eq!(run(vec![build(), named("user", &["build"])], &[1]), [0, 1]);
    }

    #[test]
    fn what_does_not_run_here_makes_nothing_else_run() {
        let variant = Variant { on: vec!["nowhere".to_owned()], ..Variant::default() };
        let elsewhere =
            |name: &str, needs: &[&str]| Tool { variant: Some(variant.clone().into()), ..named(name, needs) };
        let tools = vec![named("first", &[]), elsewhere("second", &["first"]), named("third", &["second"])];
        assert_eq!(run(tools, &[1]), [1]);
        let build = Tool { on_demand: true, cache: Caching::Never, ..named("build", &[]) };
        assert_eq!(run(vec![build, elsewhere("user", &["build"])], &[0, 1]), [1]);
    }
}
