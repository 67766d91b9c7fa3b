//! `cargo genti fix`: applies the fixes that tools propose.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use genti::disk;
use genti::fix::{self, Checked, Filter, Fixed, Left, MOST_PASSES, Proposals, Version, Workbench};
use genti::model::finding::{Entry, State};
use genti::model::outcome::{Outcome, Strict};
use genti::model::text::Text;
use genti::model::tool::{Parse, Tool, ToolId};
use genti::path::RelPath;
use genti::pipeline::{self, Fixes, Limit, Lockfile, Project, Request, Session};
use genti::plan::config::closest;
use genti::report::text::counted;
use genti::scan::{Pool, Stop, StopReason, signal_name};
use genti::store::{self, ArtifactDir, NotReplaced};
use genti::workspace::{self, Directories, Uncommitted};

use crate::args::FixArgs;
use crate::baseline::report_incomplete;
use crate::exit::{self, CliError, CliResult};
use crate::render::{Bar, GOOD, Shell, plural, visible_line};
use crate::session::{self, Reserved, Startup};
use crate::{fail, resolve, usage};

/// Maximum number of listed files of one kind. Further files are only counted.
const MOST: usize = 20;

/// Maximum number of attempts if files are changed while the tools run.
const MOST_TRIES: usize = 3;

pub(crate) fn main(args: &FixArgs, mut start: Startup, shell: &mut Shell) -> CliResult {
    let start = &mut start;
    session::note_ignored_levels(&start.env, shell);
    let mut request = session::request(&args.run, &[], Lockfile::Create, &start.env, shell)?;
    // Loading may create Cargo.lock.
    refuse_changes(args, &request, start, shell)?;
    let mut first = session::load(&request, &start.env, &Limit::of_run(start.at), shell)?;
    let filter = Filter {
        with_accepted: args.all,
        with_unsafe: args.unsafe_fixes,
        tools: request.selection.tools.clone(),
        rules: args.rule.clone(),
        paths: paths(args, &first.workspace.root, shell)?,
    };
    narrow(&mut request, &mut first, start, shell)?;
    session::enter(&first, &mut start.env, shell)?;
    let baseline = store::load_baseline(&first.workspace.root).map_err(|error| fail(shell, error.into()))?;
    // Without the lock of the directory, two commands might change the same file.
    let Reserved { parallel, stop, dir } = session::reserve(&mut first, start, shell)?;
    let no_cache = args.run.no_cache;
    let mut bench = Bench {
        request: &request,
        project: first,
        is_current: true,
        parallel,
        start,
        stop,
        dir: &dir,
        baseline: &baseline,
        filter: &filter,
        no_cache,
        last: None,
        rules: BTreeSet::new(),
        failed_to_write: false,
        shell,
    };
    let mut fixed = Fixed::default();
    let end = fix::run(&mut bench, &mut fixed);
    let Bench { project, last, rules, failed_to_write, shell, .. } = bench;
    if end.is_ok() {
        unmatched_rules(&filter, &rules, shell);
    }
    report(end, &project, &fixed, last, failed_to_write, &filter, shell)
}

/// Reports an environment problem, which leaves the run without a result.
fn unable(shell: &mut Shell, error: impl std::fmt::Display) -> CliError {
    shell.error(error);
    CliError::Incomplete
}

/// Refuses to change files whose former content could not be restored with git, in the same way as cargo does.
fn refuse_changes(args: &FixArgs, request: &Request, start: &Startup, shell: &mut Shell) -> CliResult {
    let located = pipeline::locate(&request.cwd, request.manifest_path.as_deref(), &start.env);
    let Directories { root, target_dir } = located.map_err(|error| fail(shell, error))?;
    let root = root.as_path();
    if args.allow_no_vcs || args.allow_dirty && args.allow_staged && has_version_control(root) {
        return Ok(());
    }
    if !has_version_control(root) {
        shell.error(
            "no version control found, so fixes could not be undone; to fix anyway, pass --allow-no-vcs",
        );
        return Err(CliError::Usage);
    }
    if workspace::repository(root).is_none() {
        return Ok(());
    }
    let uncommitted = workspace::uncommitted(root, &[&target_dir]).map_err(|error| usage(shell, error))?;
    let Uncommitted { mut dirty, mut staged } = uncommitted;
    if args.allow_dirty {
        dirty.clear();
    }
    if args.allow_staged {
        staged.clear();
    }
    let flags = [("--allow-dirty", &dirty), ("--allow-staged", &staged)];
    let flags: Vec<_> =
        flags.into_iter().filter(|(_, files)| !files.is_empty()).map(|(flag, _)| flag).collect();
    if flags.is_empty() {
        return Ok(());
    }
    shell.error(format_args!(
        "there are uncommitted changes, so fixes could not be undone; commit them, or pass {}",
        flags.join(" and ")
    ));
    let dirty = dirty.iter().map(|path| format!("{path} (dirty)"));
    list(dirty.chain(staged.iter().map(|path| format!("{path} (staged)"))), shell);
    Err(CliError::Usage)
}

/// Returns true if `root` is in a repository of git or another version control system that cargo knows.
fn has_version_control(root: &Path) -> bool {
    let is_top = |dir: &Path| {
        [".hg", ".jj", ".pijul", ".fslckout", "_FOSSIL_"].iter().any(|name| dir.join(name).exists())
    };
    workspace::repository(root).is_some() || root.ancestors().any(is_top)
}

/// Prints paths, the first ones in full.
fn list(paths: impl Iterator<Item = String>, shell: &mut Shell) {
    let all: Vec<_> = paths.collect();
    for path in all.iter().take(MOST) {
        shell.err(format_args!("  {}\n", visible_line(path)));
    }
    if all.len() > MOST {
        shell.err(format_args!("  and {} more\n", all.len() - MOST));
    }
}

/// Returns the paths on the command line, relative to the workspace root.
fn paths(args: &FixArgs, root: &Path, shell: &mut Shell) -> CliResult<Vec<RelPath>> {
    let cwd = std::env::current_dir().unwrap_or_default();
    let root = disk::real(root);
    let mut paths = Vec::new();
    for given in &args.paths {
        let found = cwd.join(given).canonicalize().ok();
        let path = match &found {
            None => Err("no such file or directory"),
            // A directory around the workspace contains all of it.
            Some(around) if root.starts_with(around) => Ok(RelPath::default()),
            Some(path) => {
                RelPath::between(&root, path).filter(|path| !path.is_outside()).ok_or("outside the workspace")
            }
        };
        let path = path.map_err(|why| {
            usage(shell, format_args!("{why}: `{}`", visible_line(&given.display().to_string())))
        })?;
        paths.push(path);
    }
    Ok(paths)
}

/// Limits `request` to the tools that propose fixes, and a compiler if others could break the code. Loads the project again if
/// the selection changes.
fn narrow(request: &mut Request, project: &mut Project, start: &Startup, shell: &mut Shell) -> CliResult {
    let is_asked_for =
        |tool: &Tool| request.selection.tools.is_empty() || tool.is_one_of(&request.selection.tools);
    let graph = &project.plan.graph;
    let fixing: Vec<_> =
        graph.tools().filter(|(_, tool)| tool.parse.proposes_fixes() && is_asked_for(tool)).collect();
    if fixing.is_empty() {
        shell.error("no selected tool proposes fixes");
        return Err(CliError::Usage);
    }
    let compiles = |tool: &Tool| tool.parse == Parse::RustcJson && tool.reports_all("rustc");
    let may_break = |tool: &Tool| matches!(tool.parse, Parse::TyposJson | Parse::Diff | Parse::Generator(_));
    let needs_compiler = fixing.iter().any(|(_, tool)| may_break(tool));
    let has_compiler = fixing.iter().any(|(_, tool)| compiles(tool));
    if !request.selection.tools.is_empty() {
        if needs_compiler && !has_compiler {
            let mut all = request.clone();
            all.selection.tools.clear();
            let all = session::load(&all, &start.env, &Limit::of_run(start.at), shell)?;
            let compilers = all.plan.graph.tools.iter().filter(|tool| compiles(tool));
            request.selection.tools.extend(compilers.map(|tool| tool.name.clone()));
            request.selection.tools.sort();
            *project = session::load(request, &start.env, &Limit::of_run(start.at), shell)?;
        }
        return Ok(());
    }
    let kept: BTreeSet<ToolId> =
        fixing.iter().flat_map(|(id, _)| graph.needs[id.0 as usize].iter().copied().chain([*id])).collect();
    let skipped: Vec<_> =
        graph.tools().filter(|(id, _)| !kept.contains(id)).map(|(_, tool)| tool.name.clone()).collect();
    if !skipped.is_empty() {
        request.selection.skip_tools.extend(skipped);
        request.selection.skip_tools.sort();
        request.selection.skip_tools.dedup();
        *project = session::load(request, &start.env, &Limit::of_run(start.at), shell)?;
    }
    Ok(())
}

/// The last run of the tools.
struct LastRun {
    outcome: Outcome,
    proposals: Proposals,
}

/// The workspace and its tools.
struct Bench<'a> {
    request: &'a Request,
    project: Project,
    /// True until the tools have run on what was loaded.
    is_current: bool,
    parallel: usize,
    start: &'a Startup,
    stop: &'static Stop,
    dir: &'a ArtifactDir,
    baseline: &'a BTreeMap<String, Vec<Entry>>,
    filter: &'a Filter,
    no_cache: bool,
    last: Option<LastRun>,
    /// Rules of all findings, also of those that are fixed by now.
    rules: BTreeSet<Text>,
    failed_to_write: bool,
    shell: &'a mut Shell,
}

impl Bench<'_> {
    fn run_once(&mut self) -> CliResult<Fixes> {
        let Startup { env, inherited, at } = self.start;
        if !std::mem::take(&mut self.is_current) {
            let build_dir = self.project.build_dir;
            let limit = Limit::of_run(*at).or(self.stop);
            let project = session::load(self.request, env, &limit, self.shell);
            self.project = project.map_err(|error| self.go_on().err().unwrap_or(error))?;
            self.project.build_dir = build_dir;
        }
        let results =
            session::open_results(&self.project.workspace.target_dir, env, self.no_cache, self.shell);
        let pool =
            Pool::new(inherited.clone(), env, self.parallel).map_err(|error| unable(self.shell, error))?;
        let own_program = std::env::current_exe().ok();
        let cache_dir = resolve::cache_dir(&self.project.workspace.target_dir, env);
        let session = Session {
            env,
            pool: &pool,
            stop: self.stop,
            parallel: self.parallel,
            fail_fast: false,
            started: *at,
            bless: false,
            strict: Strict::default(),
            shows_findings: false,
            outputs: Some(self.dir.outputs()),
            cache_dir: Some(&cache_dir),
            remote: None,
            own_program: own_program.as_deref(),
        };
        let mut bar = Bar::new(&self.project, self.shell);
        let on_event = &mut |event: genti::model::event::Event<'_>| bar.on(event, self.shell);
        let outcome = pipeline::run(&self.project, &session, results, self.baseline, on_event);
        drop(bar);
        let outcome = outcome.map_err(|error| unable(self.shell, error))?;
        self.go_on()?;
        let fixes = pipeline::fixes(&self.project, &outcome, self.filter)
            .map_err(|error| unable(self.shell, error))?;
        self.rules.extend(outcome.findings.iter().map(|compared| compared.finding.diagnostic.rule.clone()));
        self.last = Some(LastRun { outcome, proposals: fixes.proposals.clone() });
        Ok(fixes)
    }
}

impl Workbench for Bench<'_> {
    type Early = CliError;

    fn check(&mut self) -> CliResult<Checked> {
        let mut fixes = self.run_once()?;
        for _ in 1..MOST_TRIES {
            if fixes.is_disturbed {
                fixes = self.run_once()?;
            }
        }
        Ok(fixes.checked)
    }

    fn go_on(&mut self) -> CliResult {
        match self.stop.reason() {
            None => Ok(()),
            Some(StopReason::Signal(signal)) => Err(CliError::Interrupted(signal)),
            Some(_) => Err(CliError::Incomplete),
        }
    }

    fn replace(
        &mut self,
        path: &RelPath,
        old: Option<&Version>,
        new: Option<&Version>,
    ) -> Result<(), String> {
        let root = &self.project.workspace.root;
        let top = workspace::repository(root).unwrap_or(root);
        let text = |version: Option<&'_ Version>| version.map(|version| version.text.clone());
        let mode = new.and_then(|new| new.is_executable);
        store::replace_source(top, root, path, [text(old), text(new)], mode).map_err(|error| {
            self.failed_to_write |= matches!(error, NotReplaced::Io(_));
            error.to_string()
        })
    }
}

fn fixes(count: usize) -> String {
    counted(count, "fix", "fixes")
}

/// Reports what was fixed, what was not, and what is left to do.
fn report(
    end: CliResult,
    project: &Project,
    fixed: &Fixed,
    last: Option<LastRun>,
    failed_to_write: bool,
    filter: &Filter,
    shell: &mut Shell,
) -> CliResult {
    for (path, rules) in &fixed.files {
        let count: usize = rules.values().sum();
        let path = visible_line(&path.to_string());
        shell.aside(GOOD, "Fixed", format_args!("{path} ({})", fixes(count)));
    }
    for Left { path, rules, is_written, why } in &fixed.left {
        let rules: Vec<_> = rules.iter().map(|rule| format!("`{rule}`")).collect();
        let end = if *is_written {
            "stay in the file, because they could not be undone"
        } else {
            "were not applied"
        };
        shell.warning(visible_line(&format!("{path}: fixes of {} {end}: {why}", rules.join(", "))));
    }
    if let Err(error) = end {
        early(error, fixed, shell);
        return Err(error);
    }
    let Some(LastRun { outcome, proposals }) = last else { return Err(CliError::Incomplete) };
    report_incomplete(shell, project, &outcome);
    let files = fixed.files.len();
    match fixed.count() {
        0 if fixed.left.is_empty() => shell.status(GOOD, "Finished", "no fixes to apply"),
        0 if fixed.left.iter().any(|left| left.is_written) => {
            shell.status(GOOD, "Finished", "only fixes that could not be undone were applied");
        }
        0 => shell.status(GOOD, "Finished", "no fixes were applied"),
        count => shell.status(
            GOOD,
            "Finished",
            format_args!(
                "{} in {}, {}",
                fixes(count),
                counted(files, "file", "files"),
                counted(fixed.passes, "pass", "passes"),
            ),
        ),
    }
    if fixed.remaining > 0 {
        let count = fixed.remaining;
        shell.note(format_args!(
            "{} after {MOST_PASSES} passes; run again to apply {}",
            counted(count, "more fix", "more fixes"),
            plural(count, "it", "them")
        ));
    }
    if proposals.is_unsafe > 0 {
        let count = proposals.is_unsafe;
        shell.note(format_args!(
            "{} may change the meaning of the code; to apply {}, pass --unsafe-fixes",
            counted(count, "more fix", "more fixes"),
            plural(count, "it", "them")
        ));
    }
    if proposals.is_disputed > 0 {
        let count = proposals.is_disputed;
        shell.note(format_args!(
            "{} not applied, because another build of the same code does not report the {}",
            counted(count, "fix was", "fixes were"),
            plural(count, "finding", "findings")
        ));
    }
    if proposals.in_several_files > 0 {
        let count = proposals.in_several_files;
        shell.note(format_args!(
            "{} not applied, because {} several files",
            counted(count, "fix was", "fixes were"),
            plural(count, "it changes", "they change")
        ));
    }
    let new = outcome.findings.iter().filter(|compared| compared.state == State::New).count();
    if new > 0 {
        let left = counted(new, "new finding is", "new findings are");
        shell.note(format_args!(
            "{left} left in the tools that ran; `cargo genti run` lists all and runs the tests"
        ));
    }
    if filter.with_accepted && outcome.gone.iter().any(|gone| gone.state == State::Fixed) {
        shell.note("remove fixed findings from the baseline with `cargo genti baseline update`");
    }
    exit::combine([exit::of_run(outcome.end), exit::failed_if(failed_to_write, CliError::NotWritten)])
}

/// Names the rules in the filter that no finding has, with the rule that is probably meant.
fn unmatched_rules(filter: &Filter, rules: &BTreeSet<Text>, shell: &mut Shell) {
    let rules: Vec<_> = rules.iter().map(|rule| &**rule).collect();
    for given in filter.rules.iter().filter(|given| !rules.contains(&&***given)) {
        let shown = visible_line(given);
        let full = rules.iter().copied().find(|rule| rule.rsplit("::").next() == Some(given));
        match full.or_else(|| closest(given, rules.iter().copied())) {
            Some(rule) => {
                shell.warning(format_args!("no finding has the rule `{shown}`; did you mean `{rule}`?"));
            }
            None => shell.note(format_args!("no finding has the rule `{shown}`")),
        }
    }
}

/// Reports an early end, and which files have changed.
fn early(error: CliError, fixed: &Fixed, shell: &mut Shell) {
    match error {
        CliError::Interrupted(signal) => shell.error(format_args!("interrupted by {}", signal_name(signal))),
        _ if fixed.unchecked.is_empty() => return,
        _ => shell.error("stopped before the changed files were checked"),
    }
    for (paths, what) in [
        (&fixed.unchecked, "changed, but not checked"),
        (&fixed.untouched, "not changed, although there are fixes"),
    ] {
        if !paths.is_empty() {
            shell.note(format_args!("{} {what}:", plural(paths.len(), "file", "files")));
            list(paths.iter().map(ToString::to_string), shell);
        }
    }
}
