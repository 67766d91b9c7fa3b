//! A small workspace with artifacts of an earlier run, and checks of what must hold in it after any fault.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use serde_json::Value;

use super::inject::Mounts;
use super::support::Sandbox;
use super::support::process::{Running, wait_until};
use super::table::NotTried;

/// Artifacts, in the order in which they are put in place.
const ARTIFACTS: [&str; 3] = ["tasks.jsonl", "report.json", "run.json"];

/// Script of the tool without a fault: it reports each line that contains `bad`.
pub(crate) const HEALTHY: &str = "exec awk '/bad/ {print FILENAME \":\" FNR \": \" $0}' \"$@\"\n";

const CONFIG: &str = r#"
[policy]
batch = 1
[tools.other]
run = ["true"]
# It runs each time: the faults are its own.
[tools.t]
run = ["sh", "../tool", "{files}"]
cache = false
per = "file"
files = ["many/*"]
parse = { regex = '^(?<path>.+?):(?<line>\d+): (?<message>.*)$' }
"#;

/// Contents of the artifacts.
type Artifacts = [Vec<u8>; 3];

/// A workspace in which everything is accepted. Its artifacts belong to an old state of its sources, so a run replaces each of
/// them and passes. Tests decide what its tool `t` does.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    /// Mount namespace in which runs take place, if there is one.
    mounts: Option<Mounts>,
    /// Arguments of every run.
    args: &'static [&'static str],
    /// Artifacts of the current state of the sources and of the previous one.
    new: Artifacts,
    old: Artifacts,
    /// All files outside of the target directory.
    sources: BTreeMap<PathBuf, Vec<u8>>,
}

/// The two states of the sources. All findings in them are accepted.
const STATES: [&str; 2] = ["bad one\n", "bad two\n\nbad one\n"];

impl World {
    pub(crate) fn new() -> Self {
        Self::with("", &[])
    }

    /// Creates a world with additional configuration, which begins in the table of `t`, and with arguments for every run.
    pub(crate) fn with(config: &str, args: &'static [&'static str]) -> Self {
        let Ok(world) = Self::build(config, args, |_| Ok(None)) else { unreachable!("nothing was mounted") };
        world
    }

    /// Creates a world with its own mounts. `script` is as for [`Mounts::new`], with the target directory as `$1`.
    pub(crate) fn mounted(script: &str) -> Result<Self, NotTried> {
        let mount = |sandbox: &Sandbox| {
            let target = sandbox.root().join("target");
            std::fs::create_dir(&target).unwrap();
            Mounts::new(script, &target).map(Some)
        };
        Self::build("", &[], mount)
    }

    fn build(
        config: &str,
        args: &'static [&'static str],
        mount: impl FnOnce(&Sandbox) -> Result<Option<Mounts>, NotTried>,
    ) -> Result<Self, NotTried> {
        let sandbox = Sandbox::with_tools(&format!("{CONFIG}{config}"));
        let mounts = mount(&sandbox)?;
        let empty = || [const { Vec::new() }; 3];
        let mut world = Self { sandbox, mounts, args, new: empty(), old: empty(), sources: BTreeMap::new() };
        world.tool(HEALTHY);
        for name in ["a", "b", "c"] {
            world.sandbox.write(&format!("many/{name}"), STATES[1]);
        }
        run(&mut world.of_genti(&["baseline", "init"])).expect(0, &[]);
        for _ in 0..2 {
            world.flip();
            world.run(&[]).expect(0, &[]);
        }
        world.flip();
        Ok(world)
    }

    /// Switches the sources to the other state, so that the current artifacts become the old ones.
    pub(crate) fn flip(&mut self) {
        let path = self.sandbox.root().join("many/a");
        let is_first = std::fs::read(&path).unwrap() == STATES[0].as_bytes();
        self.sandbox.write("many/a", STATES[usize::from(is_first)]);
        let found = self.found();
        self.new = std::mem::replace(&mut self.old, found.map(Option::unwrap_or_default));
        self.sources = sources(self.sandbox.root());
    }

    /// Replaces the script of the tool `t`.
    pub(crate) fn tool(&self, script: &str) {
        self.sandbox.write("../tool", script);
    }

    /// Makes the tool `t` execute `script` for the file `many/a`. For other files it works as usual.
    pub(crate) fn fault(&self, script: &str) {
        self.tool(&format!("case $1 in */a)\n{script}\n;; esac\n{HEALTHY}"));
    }

    /// Waits for a file that a tool creates.
    #[track_caller]
    pub(crate) fn wait_for(&self, path: &str) {
        wait_until(path, || self.path(path).exists());
    }

    /// Returns the status and reason of `many/a`. All other tasks must have a result.
    #[track_caller]
    pub(crate) fn status(&self) -> (String, String) {
        let mut found = None;
        for line in self.tasks() {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let status = text("status");
            match text("unit").as_str() {
                "many/a" => found = Some((status, text("reason"))),
                unit => assert!(["clean", "findings"].contains(&status.as_str()), "{unit} is {status}"),
            }
        }
        found.expect("a line for many/a")
    }

    /// Returns the status of each task of `tool`.
    pub(crate) fn statuses(&self, tool: &str) -> Vec<String> {
        let tasks = self.tasks().filter(|line| line["tool"] == tool);
        tasks.map(|line| line["status"].as_str().unwrap().to_owned()).collect()
    }

    fn tasks(&self) -> impl Iterator<Item = Value> {
        let text = String::from_utf8(self.found()[0].clone().unwrap_or_default()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.into_iter().filter(|line| line["kind"] == "task")
    }

    /// Resolves `path` below the workspace root, as seen by runs.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let path = self.sandbox.root().join(path);
        self.mounts.as_ref().map_or(path.clone(), |mounts| mounts.path(&path))
    }

    /// Returns the command `cargo genti run ARGS`.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.of_genti(&[&["run"], self.args, args].concat())
    }

    fn of_genti(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(args);
        // Cargo sets a library path for tests, which slows down the start of each program.
        command.env("SOURCE_DATE_EPOCH", "0").env_remove("LD_LIBRARY_PATH");
        self.mounts.as_ref().map(|mounts| mounts.command(&command)).unwrap_or(command)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        run(&mut self.command(args))
    }

    /// Reads the current artifacts.
    fn found(&self) -> [Option<Vec<u8>>; 3] {
        found(&self.path("target/genti/artifacts"))
    }

    pub(crate) fn mounts(&self) -> Option<&Mounts> {
        self.mounts.as_ref()
    }

    /// Checks what must hold after any run, and that the next run without the fault leaves the same artifacts as if there had
    /// been no fault.
    #[track_caller]
    pub(crate) fn check(&self, run: &Run) {
        self.check_before_repair(run);
        self.check_again();
    }

    /// Checks that a run without the fault leaves the same artifacts as if there had been no fault.
    #[track_caller]
    pub(crate) fn check_again(&self) {
        self.tool(HEALTHY);
        self.run(&[]).expect(0, &[]);
        self.check_new(&self.path("target/genti/artifacts"));
        assert_eq!(self.unfinished(), [] as [PathBuf; 0]);
    }

    /// Checks what must hold after any run, without running again.
    #[track_caller]
    pub(crate) fn check_before_repair(&self, run: &Run) {
        assert!(
            sources(self.sandbox.root()) == self.sources,
            "the sources or the baseline were changed\n{run}"
        );
        self.check_artifacts(run, &self.path("target/genti/artifacts"));
        assert!(run.was_killed() || self.unfinished().is_empty(), "{:?}\n{run}", self.unfinished());
    }

    /// Checks that the artifacts in `dir` are those of the current state of the sources.
    #[track_caller]
    pub(crate) fn check_new(&self, dir: &Path) {
        for ((name, found), new) in ARTIFACTS.iter().zip(found(dir)).zip(&self.new) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(text(&found.unwrap_or_default()), text(new), "{name}");
        }
    }

    /// Checks that each artifact in `dir` is completely old or completely new.
    #[track_caller]
    pub(crate) fn check_artifacts(&self, run: &Run, dir: &Path) {
        let found = found(dir);
        let (mut old, mut new) = (0, 0);
        for (at, name) in ARTIFACTS.into_iter().enumerate() {
            let found = found[at].as_deref().unwrap_or_default();
            old += usize::from(found == self.old[at]);
            new += usize::from(found == self.new[at]);
            match run.code() {
                // Missing or incomplete.
                None | Some(2 | 4) => assert!(
                    found == self.old[at] || found == self.new[at],
                    "{name} is neither old nor new: {}\n{run}",
                    String::from_utf8_lossy(found)
                ),
                Some(0) => assert!(found == self.new[at], "passed, and {name} is not new\n{run}"),
                Some(_) => assert!(found.ends_with(b"\n"), "{name} is cut\n{run}"),
            }
        }
        if run.err.contains("the previous file is unchanged") {
            assert_eq!(old, 3, "{run}");
        }
        if run.err.contains("other files were replaced") {
            assert!(old > 0 && new > 0, "{run}");
        }
        if let Some(code @ (1 | 3 | 128..)) = run.code()
            && !run.err.contains("could not")
        {
            let run_json: Value = serde_json::from_slice(found[2].as_deref().unwrap_or_default()).unwrap();
            assert_eq!(run_json["end"]["exit"], code, "{run}");
            let report: Value = serde_json::from_slice(found[1].as_deref().unwrap_or_default()).unwrap();
            let of_report = match code {
                1 => "failed",
                3 => "incomplete",
                _ => "interrupted",
            };
            assert_eq!(report["gate"]["status"], of_report, "{run}");
            for line in String::from_utf8(found[0].clone().unwrap_or_default()).unwrap().lines() {
                serde_json::from_str::<Value>(line).unwrap();
            }
        }
    }

    /// Returns temporary files that were not put in place.
    fn unfinished(&self) -> Vec<PathBuf> {
        let is_unfinished = |path: &PathBuf| path.to_string_lossy().contains(".genti-unfinished-");
        let dirs = ["target/genti", ".config"].map(|dir| files(&self.path(dir)));
        dirs.into_iter().flatten().map(|(path, _)| path).filter(is_unfinished).collect()
    }
}

/// Reads the artifacts in `dir`.
fn found(dir: &Path) -> [Option<Vec<u8>>; 3] {
    ARTIFACTS.map(|name| std::fs::read(dir.join(name)).ok())
}

/// A run that ended.
#[derive(Debug)]
pub(crate) struct Run {
    status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Run {
    /// Exit code; `None` if the run was killed.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal().is_some()
    }

    /// Checks the exit code, and that stderr contains all of `says`.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code(), Some(code), "{self}");
        for text in says {
            assert!(self.err.contains(text), "it does not say {text:?}\n{self}");
        }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.status, self.err)
    }
}

/// Runs `command` and waits for it and all its processes. If it hangs, it is killed and the test fails.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Run {
    finish(start(command))
}

/// Starts `command` in its own process group, with captured output.
#[track_caller]
pub(crate) fn start(command: &mut Command) -> Running {
    Running::start(command)
}

/// Waits for a command from [`start`] and for all its processes, since no run may leave a process behind.
#[track_caller]
pub(crate) fn finish(running: Running) -> Run {
    let Output { status, stdout, stderr } = running.finish();
    Run { status, out: stdout, err: String::from_utf8_lossy(&stderr).into_owned() }
}

/// Reads all files of the workspace, except for those below `target`.
fn sources(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root).unwrap().flatten() {
        if entry.file_name() != "target" {
            read(&entry.path(), &mut files);
        }
    }
    files
}

/// Reads all files below `dir`.
pub(crate) fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    read(dir, &mut files);
    files
}

/// Adds the files at and below `path`. Files may vanish, because another run may be removing them.
fn read(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            read(&entry.path(), files);
        }
    } else if let Ok(bytes) = std::fs::read(path) {
        files.insert(path.to_path_buf(), bytes);
    }
}
