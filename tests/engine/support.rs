//! Workspaces in temporary directories, and the binary with a scrubbed environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use process::Running;

// Paths are relative to this file, even if another test includes it.
#[path = "process.rs"]
pub(crate) mod process;
#[path = "schema.rs"]
pub(crate) mod schema;

/// A workspace in a temporary directory, which is removed when dropped.
pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
    root: PathBuf,
}

impl Sandbox {
    /// Copies `fixtures/NAME` to a directory called `place`.
    pub(crate) fn of(name: &str, place: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join(place);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name), &root);
        Self { dir, root }
    }

    /// Creates the package `clean` with its library only, because each further target takes several compilers to build.
    pub(crate) fn library() -> Self {
        let sandbox = Self::of("clean", "workspace");
        for path in ["build.rs", "src/main.rs", "examples/twice.rs", "tests/greets.rs"] {
            std::fs::remove_file(sandbox.root().join(path)).unwrap();
        }
        sandbox
    }

    /// Creates a package without findings in which only the tools of `config` run, over files that the test
    /// writes.
    pub(crate) fn with_tools(config: &str) -> Self {
        let sandbox = Self::of("clean", "workspace");
        let builtin = disabled(&["fmt", "clippy", "doc", "test", "doctest"]);
        sandbox.write("genti.toml", &format!("{builtin}{config}"));
        sandbox
    }

    /// Like `tools`, with a tool `words` that finds `one` and `two` in `a.txt` and `three` in `b/c.txt`, and with
    /// `config`.
    pub(crate) fn with_words(config: &str) -> Self {
        let sandbox = Self::with_tools(&format!("{WORDS}\n{config}"));
        sandbox.write("a.txt", "bad one\nbad two\nfine\n");
        sandbox.write("b/c.txt", "bad three\n");
        sandbox
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns a directory next to the workspace, for files that tools of a test leave behind.
    pub(crate) fn beside(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.root.join(path)).unwrap()).into_owned()
    }

    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.root.join(path)).unwrap();
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, &text.replace(from, to));
    }

    /// Creates the command `cargo genti ARGS`, as cargo would start it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        process::heed_signals();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-genti"));
        command.arg("genti").args(args);
        self.scrub(&mut command);
        command
    }

    /// Starts `cargo genti ARGS` in the background.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(&self.command(args))
    }

    /// Removes variables that would affect the result.
    pub(crate) fn scrub(&self, command: &mut Command) {
        scrub(command);
        command.current_dir(&self.root);
    }

    /// Runs, checks the exit code, and returns the output.
    pub(crate) fn run(&self, args: &[&str], code: i32) -> String {
        let output = self.command(args).output().unwrap();
        self.expect(&output, code)
    }

    /// Like [`Self::run`], and waits until all descendants of the run have exited.
    #[track_caller]
    pub(crate) fn run_alone(&self, args: &[&str], code: i32) -> String {
        self.expect(&self.start(args).finish(), code)
    }

    pub(crate) fn expect(&self, output: &Output, code: i32) -> String {
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{text}");
        text
    }

    /// Runs `git ARGS` independent of the user's configuration. Returns whether it succeeded.
    pub(crate) fn git(&self, args: &[&str]) -> bool {
        let identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.args(identity).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(&self.root);
        command.output().unwrap().status.success()
    }

    /// Runs `git ARGS` in `dir`.
    pub(crate) fn git_in(dir: &Path) -> impl Fn(&[&str]) -> bool {
        move |args: &[&str]| {
            let mut command = Command::new("git");
            command.args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(dir);
            command.output().unwrap().status.success()
        }
    }

    /// Turns it into a repository with all files in one commit.
    pub(crate) fn commit_all(&self) {
        self.write(".gitignore", "target\n");
        assert!(self.git(&["init", "-q", "-b", "main"]) && self.git(&["add", "."]));
        assert!(self.git(&["commit", "-qm", "all"]));
    }

    /// Returns the artifact, after checking it against its schema.
    #[track_caller]
    pub(crate) fn artifact(&self, name: &str) -> Vec<u8> {
        let path = self.root.join("target/genti/artifacts").join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        schema::check(name, &bytes);
        bytes
    }

    /// Copies all artifacts to another directory and returns its path.
    #[track_caller]
    pub(crate) fn keep_artifacts(&self) -> PathBuf {
        let dir = self.beside().join("kept");
        std::fs::create_dir_all(&dir).unwrap();
        for name in ["run.json", "report.json", "tasks.jsonl"] {
            std::fs::write(dir.join(name), self.artifact(name)).unwrap();
        }
        dir
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.artifact(name)).unwrap()
    }

    /// The accepted findings of a namespace, as they are written.
    pub(crate) fn baseline(&self, ns: &str) -> String {
        let file = self.root.join(format!(".config/genti/baseline/{ns}.jsonl"));
        std::fs::read_to_string(file).unwrap()
    }

    /// Returns the lines of `tasks.jsonl` of this kind.
    pub(crate) fn lines(&self, kind: &str) -> Vec<Value> {
        let text = String::from_utf8(self.artifact("tasks.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["kind"] == kind).collect()
    }

    /// Returns the findings, one per line: `state rule path:line`.
    pub(crate) fn findings(&self) -> Vec<String> {
        let report = self.json("report.json");
        let line = |finding: &Value| {
            let text = |name: &str| finding[name].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {}:{}",
                text("state"),
                text("rule"),
                text("path"),
                finding["range"]["start"]["line"]
            )
        };
        report["findings"].as_array().unwrap().iter().map(line).collect()
    }

    /// Returns the verdict of each tool.
    pub(crate) fn verdicts(&self) -> Vec<(String, String)> {
        let report = self.json("report.json");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        report["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| (text(&tool["name"]), text(&tool["verdict"])))
            .collect()
    }
}

/// Reports a finding for each line that contains "bad".
const WORDS: &str = r#"
[tools.words]
run = ["awk", "/bad/ {print FILENAME \":\" FNR \": \" $2}", "{files}"]
per = "file"
files = ["**/*.txt"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+): (?<message>.*)$" }
"#;

/// Removes variables that would affect the result.
pub(crate) fn scrub(command: &mut Command) {
    let matters = |name: &str| {
        let prefixes =
            ["GENTI", "GITHUB_", "CARGO_BUILD_", "CARGO_TARGET_", "CARGO_TERM_", "RUSTC_", "RUSTDOC"];
        let names = [
            "CI",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "SOURCE_DATE_EPOCH",
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "FORCE_HYPERLINK",
            // A failing test would take several times as long.
            "RUST_BACKTRACE",
            "RUST_LIB_BACKTRACE",
        ];
        let pool = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];
        prefixes.iter().any(|prefix| name.starts_with(prefix))
            || names.contains(&name)
            || pool.contains(&name)
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(matters)) {
        command.env_remove(name);
    }
    // Builds of small workspaces are a third faster without these.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
    // Every cargo reads all certificates of the system, which is a third of its work, but no test uses the network.
    command.env("SSL_CERT_FILE", "/dev/null").env_remove("SSL_CERT_DIR");
}

/// Returns whether `GENTI_TEST=full` asks for the long tests, and for long samples of the others.
pub(crate) fn is_full() -> bool {
    std::env::var("GENTI_TEST").is_ok_and(|test| test == "full")
}

/// Returns whether the calling test, which takes long, is left out. Prints that, even though the test passes.
#[track_caller]
pub(crate) fn is_left_out() -> bool {
    let (here, is_left_out) = (std::panic::Location::caller(), !is_full());
    if is_left_out {
        // The test harness shows what a passing test prints with `eprintln!` to nobody.
        let text = format_args!("left out, set GENTI_TEST=full: {}:{}\n", here.file(), here.line());
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), text);
    }
    is_left_out
}

/// Returns the configuration that disables these tools.
pub(crate) fn disabled(tools: &[&str]) -> String {
    tools.iter().map(|tool| format!("[tools.{tool}]\nenabled = false\n")).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() && entry.file_name() == "target" => {}
            kind if kind.is_dir() => copy(&entry.path(), &target),
            _ => {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}
