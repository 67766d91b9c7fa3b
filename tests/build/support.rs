//! Copies of the fixtures, built by cargo itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// A package of its own with its own target directory, removed when dropped.
pub(crate) struct Package {
    dir: tempfile::TempDir,
    name: &'static str,
    pub(crate) root: PathBuf,
}

/// What a script was seen to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The inputs from which something was generated, sorted.
    pub(crate) generated: Vec<String>,
    /// The most of them at once.
    pub(crate) at_once: usize,
}

impl Package {
    /// A copy of `fixtures/NAME` in a directory called `place`.
    pub(crate) fn of(name: &'static str, place: &str) -> Self {
        Self::copied(name, place, |files| files).warm()
    }

    /// The same, built from nothing, whose files are made in the order that `order` gives.
    pub(crate) fn copied(
        name: &'static str,
        place: &str,
        order: impl Fn(Vec<PathBuf>) -> Vec<PathBuf>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join(place);
        let from = Path::new(REPOSITORY).join("fixtures").join(name);
        let files = files_in(&from).into_iter().filter(|path| !path.starts_with("target")).collect();
        for path in order(files) {
            let to = root.join(&path);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from.join(&path), to).unwrap();
        }
        let package = Self { dir, name, root };
        package.edit("Cargo.toml", "path = \"../..\"", &format!("path = {REPOSITORY:?}"));
        std::fs::copy(Path::new(REPOSITORY).join("Cargo.lock"), package.root.join("Cargo.lock")).unwrap();
        package
    }

    /// The same in a target directory in which `genti` is built already: less of the same for each test.
    pub(crate) fn warm(self) -> Self {
        static SEED: OnceLock<PathBuf> = OnceLock::new();
        let seed = SEED.get_or_init(|| {
            let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-seed");
            self.write("seed/src/lib.rs", "");
            self.write("seed/build.rs", "fn main() {}");
            let manifest = std::fs::read_to_string(self.root.join("Cargo.toml")).unwrap();
            self.write("seed/Cargo.toml", &manifest.replace(self.name, "seed"));
            std::fs::copy(self.root.join("Cargo.lock"), self.root.join("seed/Cargo.lock")).unwrap();
            let mut build = self.cargo(&["build"]);
            build.current_dir(self.root.join("seed")).env("CARGO_TARGET_DIR", &dir);
            let output = build.output().unwrap();
            assert!(output.status.success(), "{}", text(&output));
            std::fs::remove_dir_all(self.root.join("seed")).unwrap();
            dir
        });
        let output = Command::new("cp").arg("-a").arg(seed).arg(self.beside("target")).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        self
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.root.join(path)).unwrap();
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, &text.replace(from, to));
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.root.join(path)).unwrap();
    }

    /// A place beside the package.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// `cargo ARGS` in the package, with a scrubbed environment.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command.args(args);
        self.scrub(&mut command);
        command
    }

    /// Sets the environment of `command` to what a test needs.
    pub(crate) fn scrub(&self, command: &mut Command) {
        let matters = |name: &str| {
            let prefixes = ["CARGO_", "GENTI", "RUSTC", "RUSTFLAGS", "TABLES", "FIXTURE"];
            let names = ["AWK", "MAKEFLAGS", "MFLAGS", "NUM_JOBS", "OUT_DIR"];
            let is_kept = ["CARGO_HOME", "RUSTUP_HOME"].contains(&name);
            !is_kept && (names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix)))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(matters)) {
            command.env_remove(name);
        }
        command.current_dir(&self.root).stdin(Stdio::null());
        command.env("CARGO_TARGET_DIR", self.beside("target")).env("FIXTURE_LOG", self.beside("log"));
        command
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_NET_OFFLINE", "true");
    }

    /// `cargo build`, which must go well; what the script did in it.
    pub(crate) fn build(&self) -> Seen {
        self.run(&mut self.cargo(&["build"]))
    }

    /// The same for any command.
    pub(crate) fn run(&self, command: &mut Command) -> Seen {
        let _ = std::fs::remove_file(self.beside("log"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        self.seen()
    }

    /// A command that must fail, and what it prints.
    pub(crate) fn fails(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        assert!(!output.status.success(), "it went well: {}", text(&output));
        text(&output)
    }

    /// What the log of the script tells.
    pub(crate) fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        let mut now = 0;
        for line in std::fs::read_to_string(self.beside("log")).unwrap_or_default().lines() {
            match line.split_at(2) {
                ("+ ", path) => {
                    now += 1;
                    seen.at_once = seen.at_once.max(now);
                    seen.generated.push(path.to_owned());
                }
                _ => now -= 1,
            }
        }
        seen.generated.sort();
        seen
    }

    /// The one directory of the target directory that holds the build script's `file`.
    fn of_script(&self, file: &str) -> PathBuf {
        let build = self.beside("target").join("debug/build");
        let mut found: Vec<PathBuf> = std::fs::read_dir(build)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|dir| dir.file_name().unwrap().to_str().unwrap().starts_with(&format!("{}-", self.name)))
            .filter(|dir| dir.join(file).exists())
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0).join(file)
    }

    pub(crate) fn out_dir(&self) -> PathBuf {
        self.of_script("out")
    }

    /// What the script printed in its last run.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(self.of_script("output")).unwrap()
    }

    /// When the script ran last.
    pub(crate) fn ran_at(&self) -> std::time::SystemTime {
        std::fs::metadata(self.of_script("output")).unwrap().modified().unwrap()
    }

    /// The script itself, started as cargo does, with `out` as its `OUT_DIR`. It must have been built.
    pub(crate) fn script(&self, out: &Path) -> Command {
        std::fs::create_dir_all(out).unwrap();
        let mut command = Command::new(self.of_script("build-script-build"));
        self.scrub(&mut command);
        command.env("OUT_DIR", out).env("CARGO_MANIFEST_DIR", &self.root).env("CARGO", env!("CARGO"));
        command.env("CARGO_PKG_NAME", self.name);
        command
    }
}

/// Every file below `dir` with its bytes, but what a plan keeps of its units: that speaks of the program.
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_in(dir).into_iter().filter(|path| !path.starts_with(".genti/units"));
    files.map(|path| (path.clone(), std::fs::read(dir.join(path)).unwrap())).collect()
}

/// Every file below `dir`, sorted.
pub(crate) fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(at) = open.pop() {
        for path in std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => open.push(path),
                false => files.push(path.strip_prefix(dir).unwrap().to_path_buf()),
            }
        }
    }
    files.sort();
    files
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
