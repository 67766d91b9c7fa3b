//! Builds copies of the fixtures with cargo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// A copy of a fixture with its own target directory, removed when dropped.
pub(crate) struct Package {
    dir: tempfile::TempDir,
    name: &'static str,
    pub(crate) root: PathBuf,
}

/// Observed actions of a script.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Inputs from which something was generated, sorted.
    pub(crate) generated: Vec<String>,
    /// Maximum number of inputs processed at the same time.
    pub(crate) at_once: usize,
}

impl Package {
    /// Copies `fixtures/NAME` to a directory called `place`.
    pub(crate) fn of(name: &'static str, place: &str) -> Self {
        Self::copied(name, place, |files| files).warm()
    }

    /// Copies the fixture, without a seeded target directory. `order` decides the order in which files are created.
    pub(crate) fn copied(
        name: &'static str,
        place: &str,
        order: impl Fn(Vec<PathBuf>) -> Vec<PathBuf>,
    ) -> Self {
        Self::copy_of(&format!("fixtures/{name}"), name, place, order)
    }

    /// Copies `fixtures/build-examples/NAME` to a directory called `place`. The package is `example-NAME`.
    pub(crate) fn example(package: &'static str, place: &str) -> Self {
        let name = package.strip_prefix("example-").unwrap();
        Self::copy_of(&format!("fixtures/build-examples/{name}"), package, place, |files| files)
    }

    fn copy_of(
        from: &str,
        name: &'static str,
        place: &str,
        order: impl Fn(Vec<PathBuf>) -> Vec<PathBuf>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join(place);
        let to_repository = vec![".."; from.split('/').count()].join("/");
        let from = Path::new(REPOSITORY).join(from);
        let files = files_in(&from).into_iter().filter(|path| !path.starts_with("target")).collect();
        for path in order(files) {
            let to = root.join(&path);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from.join(&path), to).unwrap();
        }
        let package = Self { dir, name, root };
        package.edit("Cargo.toml", &format!("path = {to_repository:?}"), &format!("path = {REPOSITORY:?}"));
        std::fs::copy(Path::new(REPOSITORY).join("Cargo.lock"), package.root.join("Cargo.lock")).unwrap();
        package
    }

    /// Creates a package with the name `made` from these files, and a manifest that depends on `genti`.
    pub(crate) fn made(place: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join(place);
        let package = Self { dir, name: "made", root };
        package.write("Cargo.toml", &manifest_of("made", ""));
        package.write("src/lib.rs", "");
        files.iter().for_each(|(path, text)| package.write(path, text));
        std::fs::copy(Path::new(REPOSITORY).join("Cargo.lock"), package.root.join("Cargo.lock")).unwrap();
        package
    }

    /// Seeds the target directory with a build of `genti`, to save time in each test.
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

    /// Path next to the package.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// Returns the command `cargo ARGS` in the package, with a clean environment.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command.args(args);
        self.scrub(&mut command);
        command
    }

    /// Cleans the environment of `command`.
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

    /// Runs `cargo build`, which must succeed, and returns what the script did.
    pub(crate) fn build(&self) -> Seen {
        self.run(&mut self.cargo(&["build"]))
    }

    /// Runs `command`, which must succeed, and returns what the script did.
    pub(crate) fn run(&self, command: &mut Command) -> Seen {
        let _ = std::fs::remove_file(self.beside("log"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        self.seen()
    }

    /// Runs `command`, which must fail, and returns its output.
    pub(crate) fn fails(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        assert!(!output.status.success(), "it succeeded: {}", text(&output));
        text(&output)
    }

    /// Reads the log of the script.
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

    /// Returns the directory below the target directory that contains `file` of the build script.
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

    /// Output of the last run of the script.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(self.of_script("output")).unwrap()
    }

    /// Time of the last run of the script.
    pub(crate) fn ran_at(&self) -> std::time::SystemTime {
        std::fs::metadata(self.of_script("output")).unwrap().modified().unwrap()
    }

    /// Returns a command that runs the script like cargo does, with `out` as `OUT_DIR`. It must have been built before.
    pub(crate) fn script(&self, out: &Path) -> Command {
        std::fs::create_dir_all(out).unwrap();
        let mut command = Command::new(self.of_script("build-script-build"));
        self.scrub(&mut command);
        command.env("OUT_DIR", out).env("CARGO_MANIFEST_DIR", &self.root).env("CARGO", env!("CARGO"));
        command.env("CARGO_PKG_NAME", self.name);
        command
    }
}

/// Returns a manifest with a build script that depends on `genti`.
pub(crate) fn manifest_of(name: &str, more: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\nlicense = \"MIT\"\ndescription = \"x\"\n\
         repository = \"https://example.com\"\n{more}\n\
         [build-dependencies]\ngenti = {{ path = {REPOSITORY:?}, default-features = false }}\n\n[workspace]\n"
    )
}

/// Returns the files below `dir` with their contents, except for the recorded units, which contain a digest of the program.
pub(crate) fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_in(dir).into_iter().filter(|path| !path.starts_with(".genti/units"));
    files.map(|path| (path.clone(), std::fs::read(dir.join(path)).unwrap())).collect()
}

/// Returns all files below `dir`, sorted.
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

/// Wraps `script` so that `root` is mounted read-only. `None` if mounts are not allowed.
pub(crate) fn as_read_only(script: &Command, root: &Path) -> Option<Command> {
    let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\"";
    let can = |then: &str| format!("{mount} && {then}");
    let mut probe = Command::new("unshare");
    probe.args(["-m", "sh", "-c"]).arg(can("! touch \"$0/probe\" 2>/dev/null")).arg(root);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c"]).arg(can("cd \"$0\" && exec \"$@\"")).arg(root);
    command.arg(script.get_program()).args(script.get_args());
    for (name, value) in script.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Some(command)
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
