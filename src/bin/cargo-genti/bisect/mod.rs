//! `cargo genti bisect`: finds the commit that brought a finding.
//!
//! The tool of the finding runs once in the user's checkout, which writes nothing there, and then at commits of the first-parent
//! history, in a worktree outside the repository. `pipeline::Search` decides which ones.

mod show;

use std::path::PathBuf;
use std::sync::Arc;

use genti::model::policy::Selection;
use genti::model::workspace::Workspace;
use genti::pipeline::{
    self, Answer, CommitState, Limit, Lockfile, Next, Project, Request, Search, Sought, States, Suspect,
};
use genti::report::finished::{Finding, Finished};
use genti::scan::{self, Env, Programs, StopReason};
use genti::store::{self, ArtifactDir};
use genti::workspace::{self, History, LoadError, Worktree};

use self::show::Shown;
use crate::args::BisectArgs;
use crate::baseline;
use crate::exit::{CliError, CliResult};
use crate::render::{BUSY, Shell, visible_line};
use crate::runs::Runs;
use crate::session::{self, Reserved, Startup};
use crate::{fail, lookup, resolve, usage};

pub(crate) fn main(args: &BisectArgs, mut start: Startup, shell: &mut Shell) -> CliResult {
    let mut request = resolve::workspace(&args.workspace, Lockfile::Require);
    request.policy = resolve::policy(&args.policy, &start.env, shell)?;
    session::note_ignored_levels(&start.env, shell);
    let mut current = session::load(&request, &start.env, &Limit::of_run(start.at), shell)?;
    let run = last_run(&current, shell)?;
    let finding = find(&run, &args.id, shell)?;
    let suspect = Suspect::of(&run, finding, &current.workspace).map_err(|error| {
        usage(shell, format_args!("can't search for the commit that brought {}: {error}", args.id))
    })?;
    let history = workspace::first_parents(&current.workspace.root).map_err(|error| usage(shell, error))?;
    let good = args.good.as_deref().map(|name| position(&current, &history, name, shell)).transpose()?;
    session::enter(&current, &mut start.env, shell)?;
    let place = Place::of(&current, &start.env, shell)?;
    let config = pipeline::configuration(&request, &start.env).map_err(|error| fail(shell, error))?.config;
    let of_worktree = Request {
        cwd: place.root.clone(),
        config: Some(Arc::new(config)),
        policy: request.policy.clone(),
        manifest_path: None,
        config_file: None,
        ..resolve::workspace(&args.workspace, Lockfile::Create)
    };
    let pinned = start.env.pinned_to(&current.programs);
    let Reserved { parallel, stop, dir } = session::reserve(&mut current, &start, shell)?;
    let target_dir = current.workspace.target_dir.clone();
    let runs = Runs { start: &start, parallel, stop, no_cache: args.no_cache, worktree: Some(&target_dir) };
    let bisect = Bisect {
        suspect: &suspect,
        history: &history,
        good,
        current: &current,
        request,
        of_worktree,
        pinned,
        runs: &runs,
        place: &place,
    };
    let Some(seen) = bisect.find_here(0, &dir, shell)? else {
        let id = &finding.id;
        shell.error(format_args!(
            "the last run has the finding {id}, but the working tree does not have it any more; run `cargo genti run` again"
        ));
        return Err(CliError::Usage);
    };
    // Other runs need not wait for the search.
    drop(dir);
    let Searched { answer, tried, first_skip } = bisect.search(seen, shell)?;
    let Workspace { root, target_dir, build_dir, .. } = &current.workspace;
    let (built, reference) = ([&**target_dir, &**build_dir], args.good.as_deref().unwrap_or_default());
    Shown { root, built, history: &history, finding, tried, first_skip, reference }.answer(&answer, shell)
}

/// Reads the artifacts of the last run.
fn last_run(current: &Project, shell: &mut Shell) -> CliResult<Finished> {
    let dir = current.workspace.target_dir.join("genti/artifacts");
    let artifacts = store::load_artifacts(&dir).map_err(|error| usage(shell, error))?;
    Ok(artifacts.read().map_err(|error| usage(shell, error))?.0)
}

/// Returns the finding of `run` that `name` means.
fn find<'r>(run: &'r Finished, name: &str, shell: &mut Shell) -> CliResult<&'r Finding> {
    let findings = lookup::find(&run.report.findings, name);
    let name = visible_line(name);
    match &findings[..] {
        // Equal code in one place has findings with equal ids.
        [first, others @ ..] if others.iter().all(|other| other.id == first.id) => Ok(first),
        [] => Err(usage(
            shell,
            format_args!(
                "the last run has no finding `{name}`; run `cargo genti run`, and pass {}",
                lookup::NAMES
            ),
        )),
        several => {
            let ids: Vec<_> = several.iter().map(|finding| &*finding.id).collect();
            Err(usage(
                shell,
                format_args!("`{name}` is ambiguous; pass one of these ids: {}", ids.join(", ")),
            ))
        }
    }
}

/// Returns the position in the history of the commit that the user calls `name`.
fn position(current: &Project, history: &History, name: &str, shell: &mut Shell) -> CliResult<usize> {
    let root = &current.workspace.root;
    let commit =
        workspace::commit_of(root, name).map_err(|error| usage(shell, format_args!("--good: {error}")))?;
    history.commits.iter().position(|own| *own == commit).ok_or_else(|| {
        let fetch = if history.is_cut { SHALLOW } else { "" };
        usage(
            shell,
            format_args!(
                "--good: `{}` is not in the first-parent history of HEAD; name a commit that `git log --first-parent` \
                 lists{fetch}",
                visible_line(name)
            ),
        )
    })
}

/// Hint for a clone without the whole history.
const SHALLOW: &str = "; this clone is shallow, and `git fetch --unshallow` fetches the rest";

/// Reports that something could not be written.
fn not_written(shell: &mut Shell, error: impl std::fmt::Display) -> CliError {
    shell.error(error);
    CliError::NotWritten
}

/// Reports that `--max-duration` ended the search.
fn out_of_time(shell: &mut Shell) -> CliError {
    shell.error("the search reached --max-duration; run the same command again to go on");
    CliError::Incomplete
}

/// The places outside the user's checkout.
struct Place {
    /// Top of the worktree.
    top: PathBuf,
    /// Root of the workspace in the worktree.
    root: PathBuf,
    /// Directory to use instead of the target directory.
    build: PathBuf,
}

impl Place {
    /// Returns the places for `current`, and creates the directory of the worktree.
    fn of(current: &Project, env: &Env, shell: &mut Shell) -> CliResult<Self> {
        let (root, target_dir) = (&current.workspace.root, &current.workspace.target_dir);
        let Some(top) = pipeline::worktree(root, target_dir, env) else {
            return Err(usage(shell, "there is no directory for a worktree; set HOME or XDG_CACHE_HOME"));
        };
        let repository = workspace::repository(root).unwrap_or(root);
        if top.starts_with(repository) {
            return Err(usage(
                shell,
                format_args!(
                    "the worktree would be inside the repository, in `{}`; set XDG_CACHE_HOME to a directory outside",
                    top.display()
                ),
            ));
        }
        if let Some((file, how)) = store::differing_surroundings(repository, &top) {
            return Err(usage(
                shell,
                format_args!(
                    "`{}` {how} in the worktree `{}`; move its settings into the repository, or into the home directory of cargo",
                    file.display(),
                    top.display()
                ),
            ));
        }
        let home = top.parent().unwrap_or(&top);
        store::make_own_dir(home).map_err(|error| {
            not_written(shell, format_args!("could not create `{}`: {error}", home.display()))
        })?;
        let root = match root.strip_prefix(repository) {
            Ok(below) if !below.as_os_str().is_empty() => top.join(below),
            _ => top.clone(),
        };
        Ok(Self { top, root, build: target_dir.join("genti").join(store::BISECT) })
    }
}

/// Everything that the search needs.
struct Bisect<'a> {
    suspect: &'a Suspect,
    history: &'a History,
    good: Option<usize>,
    /// The user's checkout.
    current: &'a Project,
    request: Request,
    /// Like `request`, for the worktree: with the configuration and the toolchain of the checkout.
    of_worktree: Request,
    /// The environment in which the toolchain of the checkout is used everywhere.
    pinned: Env,
    runs: &'a Runs<'a>,
    place: &'a Place,
}

/// The finding in the user's checkout.
struct Seen {
    /// Position of the selection with which it was found.
    selection: usize,
    sought: Sought,
    states: States,
}

/// Result of the whole search.
struct Searched {
    answer: Answer,
    /// Number of commits whose state is known.
    tried: usize,
    /// The first commit without a result, with the reason.
    first_skip: Option<(String, String)>,
}

impl Bisect<'_> {
    /// Looks for the finding in the user's checkout, with the selection at `first` and then with wider ones.
    fn find_here(&self, first: usize, dir: &ArtifactDir, shell: &mut Shell) -> CliResult<Option<Seen>> {
        let Self { suspect, current, runs, .. } = self;
        for (at, selection) in suspect.selections.iter().enumerate().skip(first) {
            shell.aside(
                BUSY,
                "Running",
                format_args!("{} in the working tree{}", suspect.tool, shown(selection)),
            );
            let request = Request { selection: selection.clone(), ..self.request.clone() };
            let limit = Limit::of_run(runs.start.at).or(runs.stop);
            let mut project = match pipeline::load(&request, &runs.start.env, &limit, &mut |_| {}) {
                Ok(project) => project,
                // Not every runner of tests takes their names.
                Err(pipeline::Error::Plan(_)) if at + 1 < suspect.selections.len() => continue,
                Err(error) => {
                    self.check_time(shell)?;
                    return Err(fail(shell, error));
                }
            };
            project.find_only();
            project.build_dir = current.build_dir;
            let outcome = runs.run(&project, &runs.start.env, &Default::default(), dir, shell)?;
            self.check_time(shell)?;
            if let Some(sought) = Sought::find(suspect, &outcome) {
                let key = sought.key(&project, &outcome);
                let states = match runs.no_cache || resolve::no_cache(&runs.start.env) {
                    true => States::none(),
                    false => States::load(&self.place.build, key),
                };
                return Ok(Some(Seen { selection: at, sought, states }));
            }
            baseline::report_incomplete(shell, &project, &outcome);
        }
        Ok(None)
    }

    /// Searches, and confirms the answer with the next wider selection.
    fn search(&self, mut seen: Seen, shell: &mut Shell) -> CliResult<Searched> {
        let Self { suspect, history, current, runs, place, .. } = self;
        let dir = self.open(shell)?;
        let worktree = Worktree::create(&current.workspace.root, &place.top)
            .map_err(|error| not_written(shell, error))?;
        let tester = Tester { bisect: self, dir: &dir, worktree: &worktree };
        loop {
            let searched = tester.search(&mut seen, shell)?;
            let Answer::First(at) = searched.answer else { return Ok(searched) };
            let (Some(wider), Some(before)) = (suspect.wider(seen.selection), history.commits.get(at + 1))
            else {
                return Ok(searched);
            };
            let own = session::open_required(current, runs.stop, shell)?;
            let Some(mut wide) = self.find_here(wider, &own, shell)?.filter(|wide| wide.selection == wider)
            else {
                return Ok(searched);
            };
            drop(own);
            if tester.state(before, &mut wide, None, shell)? != CommitState::Found {
                return Ok(searched);
            }
            seen = wide;
        }
    }

    /// Opens the directory for runs in the worktree. Only one search at a time uses it.
    fn open(&self, shell: &mut Shell) -> CliResult<ArtifactDir> {
        let limit = Limit::of_run(self.runs.start.at).or(self.runs.stop);
        let loaded = session::load(&self.request, &self.runs.start.env, &limit, shell);
        self.check_time(shell)?;
        let mut project = loaded?;
        project.move_to_worktree(self.place.build.clone(), &self.runs.start.env);
        session::open_required(&project, self.runs.stop, shell)
    }

    /// Ends the search if it was interrupted or has reached `--max-duration`.
    fn check_time(&self, shell: &mut Shell) -> CliResult {
        match self.runs.stop.reason() {
            None => Ok(()),
            Some(StopReason::Signal(signal)) => Err(CliError::Interrupted(signal)),
            Some(_) => Err(out_of_time(shell)),
        }
    }
}

/// Says what `selection` leaves out.
fn shown(selection: &Selection) -> String {
    let packages = selection.packages.iter().map(|name| format!(" -p {name}"));
    let names = selection.filters.iter().map(|name| format!(" -- {name}"));
    visible_line(&packages.chain(names).collect::<String>())
}

/// Tests commits in the worktree.
struct Tester<'a> {
    bisect: &'a Bisect<'a>,
    dir: &'a ArtifactDir,
    worktree: &'a Worktree,
}

impl Tester<'_> {
    /// Searches for what was `seen`.
    fn search(&self, seen: &mut Seen, shell: &mut Shell) -> CliResult<Searched> {
        let Bisect { history, good, .. } = self.bisect;
        let mut search = Search::new(history.commits.len(), history.is_cut, *good);
        let (mut tried, mut first_skip) = (0, None);
        loop {
            let at = match search.next() {
                Next::Answer(answer) => return Ok(Searched { answer, tried, first_skip }),
                Next::Test(at) => at,
            };
            let commit = &history.commits[at];
            let state = self.state(commit, seen, search.left(), shell)?;
            if let CommitState::Skipped(why) = &state {
                first_skip.get_or_insert_with(|| (commit.clone(), why.clone()));
            }
            tried += 1;
            search.set(at, state);
        }
    }

    /// Returns the state of `commit`, which an earlier search may have found. `left` is the number of tests that follow.
    fn state(
        &self,
        commit: &str,
        seen: &mut Seen,
        left: Option<u32>,
        shell: &mut Shell,
    ) -> CliResult<CommitState> {
        if let Some(known) = seen.states.get(commit) {
            return Ok(known.clone());
        }
        let root = &self.bisect.current.workspace.root;
        let summary = workspace::summary(root, commit).map_err(|error| usage(shell, error))?;
        let left = match left {
            Some(left) if left > 1 => format!(" (about {} more)", left - 1),
            _ => String::new(),
        };
        let line = format!("{} {}{left}", summary.short, visible_line(&summary.subject));
        shell.aside(BUSY, "Testing", line);
        let state = self.test(commit, seen, shell)?;
        if let CommitState::Skipped(why) = &state {
            shell.note(format_args!("skipped {}: {}", summary.short, visible_line(why)));
        }
        if let Err(error) = seen.states.add(commit, state.clone()) {
            shell.warning(error);
        }
        Ok(state)
    }

    /// Runs the tool at `commit`.
    fn test(&self, commit: &str, seen: &Seen, shell: &mut Shell) -> CliResult<CommitState> {
        let Bisect { runs, place, current, .. } = self.bisect;
        let checked_out = self.worktree.check_out(commit);
        self.bisect.check_time(shell)?;
        checked_out.map_err(|error| not_written(shell, error))?;
        if !place.root.join("Cargo.toml").is_file() {
            return Ok(self.without_manifest(commit));
        }
        // If git ignores it, dependencies have the same versions as in the checkout.
        let lock = current.workspace.root.join("Cargo.lock");
        if let Err(error) = self.worktree.lend(&lock, &place.root.join("Cargo.lock")) {
            return Ok(CommitState::Skipped(format!("could not copy Cargo.lock: {error}")));
        }
        let selection = &self.bisect.suspect.selections[seen.selection];
        let env = self.env();
        let mut project = match self.load(selection, env) {
            Ok(project) => project,
            Err(pipeline::Error::Workspace(LoadError::Halted(_))) => {
                self.bisect.check_time(shell)?;
                return Err(out_of_time(shell));
            }
            Err(error) => return Ok(CommitState::Skipped(one_line(&error))),
        };
        project.find_only();
        project.move_to_worktree(place.build.clone(), env);
        project.build_dir = current.build_dir;
        let outcome = runs.run(&project, env, seen.sought.known(), self.dir, shell)?;
        self.bisect.check_time(shell)?;
        Ok(seen.sought.state(&outcome))
    }

    /// Returns the environment for what is checked out. The toolchain is only pinned if it would be another one, because the
    /// variable for that is part of the cache keys of some tools.
    fn env(&self) -> &Env {
        let Bisect { runs, place, current, pinned, .. } = self.bisect;
        let own = &runs.start.env;
        // Asking for a toolchain that is not installed may install it.
        let is_same = scan::has_same_toolchain_file(&place.root, &current.workspace.root)
            && Programs::new(own, &place.root)
                .is_ok_and(|programs| programs.sysroot() == current.programs.sysroot());
        if is_same { own } else { pinned }
    }

    /// Loads what is checked out. If it does not have the package or the like of `selection`, everything is selected.
    fn load(&self, selection: &Selection, env: &Env) -> Result<Project, pipeline::Error> {
        let Bisect { of_worktree, runs, .. } = self.bisect;
        let load = |selection| {
            let request = Request { selection, ..of_worktree.clone() };
            pipeline::load(&request, env, &Limit::of_run(runs.start.at).or(runs.stop), &mut |_| {})
        };
        match load(selection.clone()) {
            Err(pipeline::Error::Plan(_)) if !selection.packages.is_empty() => {
                load(Selection { packages: Vec::new(), ..selection.clone() })
            }
            loaded => loaded,
        }
    }

    /// Returns the state of a commit without the workspace.
    fn without_manifest(&self, commit: &str) -> CommitState {
        let Bisect { current, suspect, .. } = self.bisect;
        let tools = &current.plan.graph.tools;
        // What cargo builds does not exist yet. Other tools may find something in any file.
        let is_of_cargo = tools.iter().any(|tool| tool.name == suspect.tool && tool.lane.is_some());
        match is_of_cargo && !workspace::has_manifest(&current.workspace.root, commit) {
            true => CommitState::Absent,
            false => CommitState::Skipped("it has no Cargo.toml at the root of the workspace".to_owned()),
        }
    }
}

/// Returns the first line of an error.
fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
