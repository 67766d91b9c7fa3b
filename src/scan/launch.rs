//! Builds the invocations of processes: program, environment, working directory, and tokens for threads.
//!
//! Test programs are started as cargo starts them: in the directory of their package, with the variables of the
//! package and its build script, with the library path, and through a `runner` if cargo's configuration has one.
//! Build steps report the programs they built, so a plan can name a program that does not exist yet. The files are
//! checked before and after each test because the user's own cargo, or a tool not known to build, may replace
//! them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cargo_config2::PathAndArgs;

use super::build_dirs::builders_of;
use super::copies::Copied;
use super::environment::{GIT_VARIABLES, override_vars};
use super::file_state::FileState;
use super::output_form;
use super::pool::Threads;
use super::program::{NO_INSTALL, words_of};
use super::runner::{DeclaredFiles, Invocation};
use super::sandbox::{Grants, Observed, Wall};
use super::setup::Executor;
#[cfg(target_os = "linux")]
use super::test_runner;
use super::withheld::Mentions;
#[cfg(target_os = "linux")]
use super::wrapped_tests::WrappedTests;
use super::wrapper::Wrapper;
use super::{cap_lints, cargo_config, doc_threads};
use crate::model::path::RelPath;
use crate::model::task::{Program, TaskIx, Unit};
use crate::model::tool::{Network, Sandbox, Tool, ToolId};
use crate::model::variant::VariantLock;
use crate::model::workspace::PackageId;

/// Variable with the search path for shared libraries.
const LIBRARY_PATH: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_FALLBACK_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// Starts programs as cargo would, and tracks the programs that were built.
pub(super) struct Launcher<'a> {
    executor: &'a Executor<'a>,
    /// Built files of each tool.
    built: Mutex<BTreeMap<ToolId, BuiltFiles>>,
    /// Held while replaced programs are rebuilt.
    pub(super) rebuild_lock: Mutex<()>,
    /// Configuration of cargo by the root of the workspace and the requested target, read on first use.
    cargo: Mutex<BTreeMap<(PathBuf, Option<String>), ReadSettings>>,
    /// Variables that replace the flags of cargo's configuration, by the name of the tool. Only used if lint levels are ignored.
    flags: Mutex<BTreeMap<String, ReplacedFlags>>,
    /// Result of bringing each copy of the repository up to date, by its lock file.
    copied: Mutex<BTreeMap<RelPath, Result<(), String>>>,
    /// Path of the wrapper that caps the lints of members, by the root of the workspace, created on first use.
    cap_lints: Mutex<BTreeMap<PathBuf, WrapperLink>>,
    /// Path of the wrapper that takes tokens for doc tests, by the root of the workspace, created on first use.
    doc_threads: Mutex<BTreeMap<PathBuf, WrapperLink>>,
    /// Names of withheld variables in the files that observed processes looked at.
    mentions: Mentions,
}

/// Programs and other files built by a tool.
struct BuiltFiles {
    programs: BTreeMap<(PackageId, u32), Arc<Program>>,
    /// Files that must not change while tests run, with their state after the build.
    outputs: Vec<(PathBuf, Option<FileState>)>,
}

/// Path of a wrapper, or `None` if this program can't be one.
type WrapperLink = Result<Option<PathBuf>, String>;

/// Variables with flags of compilers, or the reason why they can't be determined.
type ReplacedFlags = Result<Vec<(&'static str, OsString)>, String>;

/// Configuration of cargo, or the reason why it can't be read.
type ReadSettings = Result<Arc<CargoSettings>, String>;

/// Environment variables of a process.
type Vars = BTreeMap<OsString, OsString>;

impl<'a> Launcher<'a> {
    /// Creates a launcher with no programs built.
    pub(super) fn new(executor: &'a Executor<'a>) -> Self {
        Self {
            executor,
            built: Mutex::default(),
            rebuild_lock: Mutex::default(),
            cargo: Mutex::default(),
            flags: Mutex::default(),
            copied: Mutex::default(),
            cap_lints: Mutex::default(),
            doc_threads: Mutex::default(),
            mentions: Mentions::default(),
        }
    }

    /// Records the programs and other files that `tool` has built.
    pub(super) fn record_built(&self, tool: ToolId, programs: Vec<Program>, outputs: Vec<PathBuf>) {
        if programs.is_empty() && outputs.is_empty() {
            return;
        }
        let programs = programs.into_iter().map(|program| (program.target, Arc::new(program)));
        let state = |path: PathBuf| (path.clone(), FileState::of(&path));
        let built =
            BuiltFiles { programs: programs.collect(), outputs: outputs.into_iter().map(state).collect() };
        self.lock().insert(tool, built);
    }

    /// Returns the program of the target `unit`, and the tool that built it for `tool`.
    pub(super) fn program(&self, tool: ToolId, unit: Unit) -> Option<(ToolId, Arc<Program>)> {
        let Unit::TargetRoot(package, at) = unit else { return None };
        let built = self.lock();
        builders_of(&self.executor.plan.graph, tool)
            .find_map(|builder| Some((builder, built.get(&builder)?.programs.get(&(package, at))?.clone())))
    }

    /// Returns a file built by `builder` that has changed since.
    pub(super) fn replaced(&self, builder: ToolId) -> Option<PathBuf> {
        let built = self.lock();
        let has_changed = |(path, state): &&(PathBuf, Option<FileState>)| FileState::of(path) != *state;
        built.get(&builder)?.outputs.iter().find(has_changed).map(|(path, _)| path.clone())
    }

    /// Returns the root of the workspace in which the processes of `tool` run: in a copy that is up to date, if its variant has a
    /// lock file.
    fn root(&self, tool: &Tool) -> Result<PathBuf, String> {
        let Executor { workspace, lock_copies, stop, .. } = self.executor;
        let Some(VariantLock { path, digest }) = tool.lock() else { return Ok(workspace.root.clone()) };
        let copies = lock_copies.as_ref().map_err(String::clone)?;
        // Others wait until it is complete.
        let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
        let is_listed = |path: &RelPath| workspace.find(path).is_some();
        let refresh = || copies.refresh(path, *digest, &is_listed, *stop);
        copied.entry(path.clone()).or_insert_with(refresh).clone()?;
        Ok(copies.root(path))
    }

    /// Returns `path` as the processes of `tool` see it: in the copy of the repository, if they run in one.
    fn as_seen(&self, tool: &Tool, path: &Path) -> Option<PathBuf> {
        self.executor.lock_copies.as_ref().ok()?.in_copy(&tool.lock()?.path, path)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ToolId, BuiltFiles>> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the invocation for `argv` of `tool` over `tasks`, without a time limit, and the tokens for its threads, to be held
    /// while it runs. `program` is the tool's own executable, `built` the test program it runs or reads. If it `is_observed`, it
    /// gets a sandbox that leaves it as much freedom as can be observed, unless the tool has one of its own, and some variables are
    /// withheld from it. With a `copy`, it runs there instead of in the repository.
    ///
    /// # Errors
    ///
    /// If cargo's configuration can't be read.
    pub(super) fn invocation(
        &self,
        tool: &Tool,
        program: &Path,
        argv: &[OsString],
        built: Option<&Program>,
        tasks: &[TaskIx],
        (is_observed, copy): (bool, Option<&dyn Copied>),
    ) -> Result<(Invocation, Option<Threads>), String> {
        let Executor { workspace, env, pool, build_dirs, parallel, .. } = self.executor;
        let root = self.root(tool)?;
        if let Some(dir) = tool.dir.as_ref().filter(|dir| !dir.to_path(&workspace.root).is_dir()) {
            return Err(format!("the directory `{dir}` does not exist"));
        }
        let mut vars = env.for_tool(tool, build_dirs.vars(tool), pool.vars(), *parallel);
        // It is not observed itself, but the tests that it starts are.
        let is_observed = is_observed && !tool.starts_tests();
        if is_observed {
            env.withheld(tool).iter().for_each(|name| drop(vars.remove(OsStr::new(name))));
        }
        if Tool::toolchain_of(words_of(tool)).is_some() {
            vars.insert(NO_INSTALL.0.into(), NO_INSTALL.1.into());
        }
        if !tool.uses_executable() {
            vars.extend(
                self.flags(tool, &tool.workspace_root(&root), &vars)?
                    .into_iter()
                    .map(|(name, value)| (name.into(), value)),
            );
        }
        if tool.caps_lints() {
            vars.extend(self.cap_lints(tool)?.map(|wrapper| (cap_lints::VARIABLE.into(), wrapper.into())));
        }
        let rustdoc = if tool.runs_rustdoc() { self.doc_threads(tool)? } else { None };
        let threads = tool.threads.as_ref().map(|name| {
            let most = self.most_threads(tool, name, &vars).unwrap_or(*parallel).min(*parallel);
            let threads = pool.take_free(if rustdoc.is_some() { 0 } else { most.saturating_sub(1) });
            let count = if rustdoc.is_some() { most } else { 1 + threads.len() };
            vars.insert(name.into(), count.to_string().into());
            threads
        });
        vars.extend(rustdoc.map(|wrapper| (doc_threads::VARIABLE.into(), wrapper.into())));
        let mut invocation = Invocation {
            program: program.to_path_buf(),
            args: Vec::with_capacity(argv.len()),
            vars,
            dir: tool.start_dir(&root),
            declared: DeclaredFiles {
                tasks: tasks.to_vec(),
                executable: built.map(|built| built.path.clone()),
                writes: unique(build_dirs.vars(tool).into_iter().map(|(_, dir)| dir.to_path_buf())),
            },
            wall: None,
            timeout: None,
        };
        if let Some(built) = built {
            self.start_as_test(tool, built, &root, &mut invocation)?;
        }
        if let Some(copy) = copy {
            start_in_copy(copy, &mut invocation);
        }
        invocation.args.extend(argv.iter().skip(1).cloned());
        let open = self.open_sandbox();
        let sandbox = tool.sandbox.as_ref().or(is_observed.then_some(&open));
        let pool = tool.jobserver.then_some(*pool);
        let mut outputs = self.outputs(tool, built);
        outputs.extend(copy.map(|copy| copy.tops()[1].to_path_buf()));
        let wall = self.grants().wall(sandbox, &invocation.program, pool, outputs);
        invocation.wall = match wall {
            // Without a sandbox of its own, the process can do without.
            Err(_) if tool.sandbox.is_none() => None,
            wall => wall?.map(|wall| Wall { is_observed, unix_sockets: tool.sandbox.is_none(), ..wall }),
        };
        Ok((invocation, threads))
    }

    /// Returns the invocation of `tests` that a process of `tool` starts, behind a wall and observed, without a time limit.
    ///
    /// # Errors
    ///
    /// If there is no wall for it, with the reason.
    #[cfg(target_os = "linux")]
    pub(super) fn wrapped(
        &self,
        tool: &Tool,
        tests: &WrappedTests,
        task: TaskIx,
    ) -> Result<Invocation, String> {
        let Executor { env, pool, programs, .. } = self.executor;
        let WrappedTests { program, args, vars, dir } = tests.clone();
        let program = PathBuf::from(program);
        let pool = tool.jobserver.then_some(*pool);
        let wall = self.grants().wall(Some(&self.open_sandbox()), &program, pool, [])?;
        let toolchains = env.rustup_home().map(|home| home.join("toolchains"));
        let compilers = programs.sysroot().map(Path::to_path_buf).into_iter().chain(toolchains);
        let compilers = compilers.filter_map(|dir| Some(dir.canonicalize().ok()?.into())).collect();
        let wall = wall.map(|wall| Wall { is_observed: true, unix_sockets: true, compilers, ..wall });
        let withheld = env.withheld(tool);
        let vars =
            vars.into_iter().filter(|(name, _)| name.to_str().is_none_or(|name| !withheld.contains(name)));
        Ok(Invocation {
            program,
            args,
            vars: vars.collect(),
            dir: dir.into(),
            declared: DeclaredFiles { tasks: vec![task], ..DeclaredFiles::default() },
            wall,
            timeout: None,
        })
    }

    /// Returns the variables that make `tool` start its tests through a wrapper, beyond those of every process of it.
    ///
    /// # Errors
    ///
    /// If it can't, with the reason.
    #[cfg(target_os = "linux")]
    pub(super) fn wrapper_vars(&self, tool: &Tool) -> Result<Vec<(OsString, OsString)>, String> {
        if tool.runs_rustdoc() {
            // The wrapper of rustdoc is always there.
            return Ok(Vec::new());
        }
        let CargoSettings { host, targets, runners, .. } = &*self.cargo_of(tool)?;
        if !runners.is_empty() {
            return Err("cargo's configuration has a `runner`".to_owned());
        }
        let link = self.link(&test_runner::WRAPPER, tool, None)?.ok_or("there is no wrapper for tests")?;
        if link.to_str().is_none_or(|link| link.contains(char::is_whitespace)) {
            // Cargo separates the arguments of a runner by spaces.
            return Err("the path of the target directory contains a space".to_owned());
        }
        let names = targets.iter().chain([host]).map(|triple| test_runner::variable(triple).into());
        Ok(names.map(|name| (name, link.clone().into_os_string())).collect())
    }

    /// Returns the sandbox that leaves a process as much freedom as can be observed.
    fn open_sandbox(&self) -> Sandbox {
        let network = if self.executor.private_network { Network::Loopback } else { Network::None };
        Sandbox { network, ..Sandbox::default() }
    }

    fn grants(&self) -> Grants<'_> {
        let Executor { workspace, programs, env, cache_dir, own_program, .. } = self.executor;
        Grants { workspace, programs, env, cache_dir: *cache_dir, own_program: *own_program }
    }

    /// Returns a file that the `observed` process of `tool` looked at and that contains the name of a variable that was withheld
    /// from it, with that name.
    pub(super) fn mention(&self, tool: &Tool, observed: &Observed) -> Option<(PathBuf, String)> {
        self.mentions.find(observed, &self.executor.env.withheld(tool))
    }

    /// Returns the directories that a process of `tool` has to change: cargo's build directories for a tool that builds, and that
    /// for the files of tests for one that runs the program `built`.
    fn outputs(&self, tool: &Tool, built: Option<&Program>) -> Vec<PathBuf> {
        let Executor { build_dirs, plan, .. } = self.executor;
        let dirs = build_dirs.vars(tool).map(|(_, dir)| dir.to_path_buf());
        match built {
            Some(_) => dirs.map(|dir| dir.join("tmp")).to_vec(),
            None if tool.inherits() && build_dirs.is_shared() => {
                // The directory also contains our own data, so the process can't create anything directly in it.
                let selection = plan.build_of(tool).selection;
                let profile = selection.cargo_profile.as_deref().map(|profile| match profile {
                    "dev" | "test" => "debug",
                    "bench" => "release",
                    own => own,
                });
                let names = [profile, selection.target.as_deref()].into_iter().flatten();
                let names = names.chain(["debug", "doc", "tmp"]);
                names.flat_map(|name| dirs.each_ref().map(|dir| dir.join(name))).chain(dirs.clone()).collect()
            }
            None if tool.inherits() => dirs.to_vec(),
            None => Vec::new(),
        }
    }

    /// Makes `invocation`, which has no arguments yet, start the test program `built` as cargo would.
    fn start_as_test(
        &self,
        tool: &Tool,
        built: &Program,
        root: &Path,
        invocation: &mut Invocation,
    ) -> Result<(), String> {
        let Executor { workspace, programs, plan, .. } = self.executor;
        let target = plan.build_of(tool).selection.target.as_deref();
        let cargo = &*self.cargo_for(&tool.workspace_root(root), target)?;
        let Invocation { program, args, vars, .. } = invocation;
        match cargo.runner(&built.path).filter(|_| tool.runs_executable()) {
            Some(runner) => {
                *program = runner.path.clone();
                args.extend(runner.args.iter().cloned());
                args.push(built.path.clone().into());
            }
            None if tool.runs_executable() => *program = built.path.clone(),
            None => {}
        }
        let package = workspace.package(built.target.0);
        let dir = package.dir.to_path(root);
        let mut own: Vars = package.vars.iter().map(|(name, value)| ((*name).into(), value.into())).collect();
        own.extend(built.vars.iter().map(|(name, value)| {
            let seen = self.as_seen(tool, Path::new(value));
            (name.into(), seen.map_or_else(|| value.into(), PathBuf::into_os_string))
        }));
        own.insert("CARGO".into(), programs.cargo().into());
        own.insert("CARGO_MANIFEST_DIR".into(), dir.clone().into());
        own.insert("CARGO_MANIFEST_PATH".into(), dir.join("Cargo.toml").into());
        own.insert(LIBRARY_PATH.into(), self.library_path(cargo, built, vars.get(OsStr::new(LIBRARY_PATH))));
        for (name, value, is_forced) in &cargo.vars {
            // The configuration can't override the variables of the package, the number of threads, or the form of
            // the output.
            let is_threads = tool.threads.as_ref().is_some_and(|own| name == own.as_str());
            let is_form = name.to_str().is_some_and(|name| output_form::concerns(tool, name));
            if !is_threads && !is_form && !own.contains_key(name) && (*is_forced || !vars.contains_key(name))
            {
                own.insert(name.clone(), value.clone());
            }
        }
        override_vars(vars, own);
        invocation.dir = dir;
        Ok(())
    }

    /// Returns the maximum number of threads that the user sets in the variable `name`, in the environment or else
    /// in cargo's configuration.
    fn most_threads(&self, tool: &Tool, name: &str, vars: &Vars) -> Option<usize> {
        let configured = |cargo: Arc<CargoSettings>| {
            cargo.vars.iter().find(|(own, ..)| own == name).map(|(_, value, _)| value.clone())
        };
        let asked = vars.get(OsStr::new(name)).cloned().or_else(|| configured(self.cargo_of(tool).ok()?))?;
        asked.to_str()?.parse().ok()
    }

    fn library_path(&self, cargo: &CargoSettings, program: &Program, before: Option<&OsString>) -> OsString {
        let mut dirs = program.lib_dirs.clone();
        let sysroot = self.executor.programs.sysroot();
        let rustlib = |triple: &String| Some(sysroot?.join("lib/rustlib").join(triple).join("lib"));
        dirs.extend(cargo.targets.iter().chain([&cargo.host]).filter_map(rustlib));
        let dirs = dirs.into_iter().chain(before.into_iter().flat_map(std::env::split_paths));
        // A path list can't contain a directory with the separator in its name. Cargo refuses to build there.
        std::env::join_paths(unique(dirs)).unwrap_or_default()
    }

    /// Returns the variables that replace the flags of cargo's configuration for `tool`, which has `vars`, so that lint levels
    /// that are not committed don't count.
    fn flags(&self, tool: &Tool, root: &Path, vars: &Vars) -> ReplacedFlags {
        let Executor { ignored_levels, programs, plan, .. } = self.executor;
        if ignored_levels.is_empty() {
            return Ok(Vec::new());
        }
        let mut known = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        let target = plan.build_of(tool).selection.target.as_deref();
        let flags = || cargo_config::flags_without(ignored_levels, (root, programs), vars, target);
        known.entry(tool.name.clone()).or_insert_with(flags).clone()
    }

    /// Returns the wrapper that caps the lints of members in the workspace that `tool` builds, if available.
    fn cap_lints(&self, tool: &Tool) -> WrapperLink {
        let make = || {
            // An empty variable disables the configured wrapper.
            let env = self.executor.env;
            let own = match env.is_set(cap_lints::VARIABLE) {
                true => env.get(cap_lints::VARIABLE).map(PathBuf::from),
                false => self.cargo_of(tool)?.wrapper.clone(),
            };
            self.link(&cap_lints::WRAPPER, tool, own)
        };
        self.once(&self.cap_lints, tool, make)
    }

    /// Returns the wrapper that takes tokens for the doc tests of each crate in the workspace that `tool` builds, if available.
    fn doc_threads(&self, tool: &Tool) -> WrapperLink {
        let make = || self.link(&doc_threads::WRAPPER, tool, self.cargo_of(tool)?.rustdoc.clone());
        self.once(&self.doc_threads, tool, make)
    }

    /// Returns the link for the workspace that `tool` builds, which `make` creates on first use.
    fn once(
        &self,
        known: &Mutex<BTreeMap<PathBuf, WrapperLink>>,
        tool: &Tool,
        make: impl FnOnce() -> WrapperLink,
    ) -> WrapperLink {
        let root = tool.workspace_root(&self.executor.workspace.root);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(root).or_insert_with(make).clone()
    }

    /// Links this program as `wrapper` in front of the user's `own` program.
    fn link(&self, wrapper: &Wrapper, tool: &Tool, own: Option<PathBuf>) -> WrapperLink {
        let Executor { workspace, own_program, .. } = self.executor;
        let Some(program) = own_program else { return Ok(None) };
        let is_name = |path: &Path| path.components().count() == 1;
        let next =
            own.map(|own| if is_name(&own) { own } else { tool.workspace_root(&workspace.root).join(own) });
        let linked = wrapper.link(&workspace.target_dir, program, next.as_deref());
        linked.map(Some).map_err(|error| format!("could not create the link `{}`: {error}", wrapper.name))
    }

    /// Returns the configuration for the build of `tool` in the repository.
    fn cargo_of(&self, tool: &Tool) -> ReadSettings {
        let Executor { workspace, plan, .. } = self.executor;
        let target = plan.build_of(tool).selection.target.as_deref();
        self.cargo_for(&tool.workspace_root(&workspace.root), target)
    }

    /// Returns the configuration for a build of `target` in the workspace at `root`.
    fn cargo_for(&self, root: &Path, target: Option<&str>) -> ReadSettings {
        let mut known = self.cargo.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || {
            CargoSettings::read(self.executor, root, target)
                .map(Arc::new)
                .map_err(|error| format!("could not read cargo's configuration: {error}"))
        };
        known.entry((root.to_path_buf(), target.map(str::to_owned))).or_insert_with(read).clone()
    }
}

/// Makes `invocation` start in `copy` instead of in the repository.
fn start_in_copy(copy: &dyn Copied, invocation: &mut Invocation) {
    let Invocation { program, dir, vars, declared, .. } = invocation;
    for path in [program, dir] {
        if let Some(inside) = copy.inside(path) {
            *path = inside;
        }
    }
    // Nothing leads back to the repository.
    let of_repository = GIT_VARIABLES.iter().chain(&["PWD", "OLDPWD"]);
    of_repository.for_each(|name| drop(vars.remove(OsStr::new(name))));
    // What the user has configured for git affects no result, and a sandbox keeps it from being read.
    vars.entry("GIT_CONFIG_GLOBAL".into()).or_insert_with(|| "/dev/null".into());
    declared.writes.push(copy.tops()[1].to_path_buf());
}

fn unique(dirs: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut result = Vec::new();
    for dir in dirs {
        if !result.contains(&dir) {
            result.push(dir);
        }
    }
    result
}

/// Settings of cargo that affect the programs it starts.
struct CargoSettings {
    host: String,
    /// Target triples of the build.
    targets: Vec<String>,
    /// Runner for each target.
    runners: BTreeMap<String, PathAndArgs>,
    /// Entries of `[env]`: name, value, and whether it overrides the environment.
    vars: Vec<(OsString, OsString, bool)>,
    /// Value of `build.rustc-workspace-wrapper`.
    wrapper: Option<PathBuf>,
    /// Value of `RUSTDOC` or `build.rustdoc`.
    rustdoc: Option<PathBuf>,
}

impl CargoSettings {
    fn read(
        executor: &Executor<'_>,
        root: &Path,
        target: Option<&str>,
    ) -> Result<Self, cargo_config2::Error> {
        let Executor { programs, env, .. } = executor;
        let config = cargo_config::load(root, programs, env)?;
        let host = config.host_triple()?.to_owned();
        let targets = config.build_target_for_config(target)?;
        let targets: Vec<_> = targets.iter().map(|target| target.triple().to_owned()).collect();
        let mut runners = BTreeMap::new();
        for triple in targets.iter().chain([&host]) {
            if let Some(runner) = config.runner(triple)? {
                runners.insert(triple.clone(), runner);
            }
        }
        let wrapper = config.build.rustc_workspace_wrapper.filter(|path| !path.as_os_str().is_empty());
        let rustdoc = config.build.rustdoc.filter(|path| !path.as_os_str().is_empty());
        let vars = config.env.into_iter().map(|(name, entry)| (name.into(), entry.value, entry.force));
        Ok(Self { host, targets, runners, vars: vars.collect(), wrapper, rustdoc })
    }

    /// Returns the runner for `program`, if it has one. When building for another target, some programs, such as
    /// tests of procedural macros, are still built for the host.
    fn runner(&self, program: &Path) -> Option<&PathAndArgs> {
        let is_for = |triple: &&String| program.components().any(|part| part.as_os_str() == triple.as_str());
        self.runners.get(self.targets.iter().find(is_for).unwrap_or(&self.host))
    }
}
