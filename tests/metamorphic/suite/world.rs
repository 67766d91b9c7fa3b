//! Temporary directory with a repository that contains a workspace, directories next to both, and a home. Also runs
//! genti in it.
//!
//! Paths are relative to that directory: `repo/ws` is the workspace, `repo` the repository, `home` the home directory,
//! `bin` is in `PATH`, and `out` is unrelated. Does not know the meaning of the files.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::seen::Seen;
use super::support::scrub;

/// Root of the workspace.
pub(crate) const WS: &str = "repo/ws";

/// Placeholder for the absolute path of the world in texts, link targets and variables.
pub(crate) const HERE: &str = "{HERE}";

/// Placeholder for the machine's search path in variables.
const PATH: &str = "{PATH}";

/// Temporary directory, removed on drop.
pub(crate) struct World {
    _dir: tempfile::TempDir,
    root: PathBuf,
    /// Directory of `home` and `bin`, which belong to the machine and are shared by all checkouts.
    machine: PathBuf,
    /// Result cache, shared with copies of this world.
    cache: PathBuf,
    /// Directory in which runs are started.
    pub(crate) cwd: &'static str,
    /// Environment variables for each run.
    pub(crate) env: BTreeMap<String, String>,
}

/// Way of writing a file, with its modification time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// As an editor does.
    Now,
    /// With an old modification time, as by `cp -p`, `tar x` and some checkouts.
    Old,
    /// With the previous modification time of the file.
    Kept,
    /// As a new file with an old modification time, moved over the existing one.
    Moved,
    /// With a modification time in the future, as after a wrong clock.
    Future,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let world = Self {
            cache: root.join("cache"),
            machine: root.clone(),
            _dir: dir,
            root,
            cwd: WS,
            env: BTreeMap::new(),
        };
        for dir in ["repo/ws", "home/.cargo", "bin", "out"] {
            fs::create_dir_all(world.path(dir)).unwrap();
        }
        let init = Command::new("git").args(["init", "-q", "repo"]).current_dir(&world.root).status();
        assert!(init.unwrap().success());
        world
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        match is_of_machine(path) {
            true => self.machine.join(path),
            false => self.root.join(path),
        }
    }

    fn expand(&self, text: &str) -> String {
        let mut parts = text.split(HERE);
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let root = if is_of_machine(&part[1..]) { &self.machine } else { &self.root };
            expanded += root.to_str().unwrap();
            expanded += part;
        }
        expanded.replace(PATH, &std::env::var("PATH").unwrap_or_default())
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        self.write_at(path, text, Times::Now);
    }

    /// Writes the file at `path`, following links.
    pub(crate) fn write_at(&self, path: &str, text: &str, times: Times) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = fs::metadata(&path).ok();
        let text = self.expand(text);
        if times == Times::Moved {
            let place = path.canonicalize().unwrap_or(path);
            let other = place.with_extension("moved");
            fs::write(&other, text).unwrap();
            if let Some(before) = &before {
                fs::set_permissions(&other, before.permissions()).unwrap();
            }
            set_modified(&other, long_ago());
            fs::rename(&other, &place).unwrap();
            return;
        }
        fs::write(&path, text).unwrap();
        match times {
            Times::Old => set_modified(&path, long_ago()),
            Times::Future => set_modified(&path, SystemTime::now() + Duration::from_secs(100_000)),
            Times::Kept => set_modified(&path, before.unwrap().modified().unwrap()),
            Times::Now | Times::Moved => {}
        }
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, &text.replace(from, to));
    }

    pub(crate) fn touch(&self, path: &str) {
        set_modified(&self.path(path), SystemTime::now());
    }

    pub(crate) fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), Permissions::from_mode(mode)).unwrap();
    }

    /// Writes an executable file.
    pub(crate) fn program(&self, path: &str, text: &str) {
        self.write(path, text);
        self.set_mode(path, 0o755);
    }

    pub(crate) fn make_dir(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    /// Makes `path` a link to `target`. With [`HERE`] before the target the link is absolute.
    pub(crate) fn link(&self, path: &str, target: &str) {
        let place = self.path(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let text = match target.strip_prefix(HERE) {
            Some(_) => self.expand(target),
            None => relative(path.rsplit_once('/').map_or("", |(dir, _)| dir), target),
        };
        symlink(text, place).unwrap();
    }

    /// Removes a file, a link, or a directory with its content.
    pub(crate) fn remove(&self, path: &str) {
        let path = self.path(path);
        match fs::symlink_metadata(&path).unwrap().is_dir() {
            true => fs::remove_dir_all(&path).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.env.insert(name.to_owned(), value.to_owned()),
            None => self.env.remove(name),
        };
    }

    pub(crate) fn git(&self, args: &[&str]) {
        let identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.args(identity).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(self.path(WS));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs with the cache.
    #[track_caller]
    pub(crate) fn warm(&self) -> Seen {
        self.run(&["run"])
    }

    /// Runs without the cache, in the existing build directory.
    pub(crate) fn without_cache(&self) -> Seen {
        self.run(&["run", "--no-cache"])
    }

    /// Removes all stored results, but not the build directory.
    pub(crate) fn forget(&self) {
        let _ = fs::remove_dir_all(&self.cache);
        for entry in fs::read_dir(self.path("repo/ws/target/genti")).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.file_name().unwrap().to_str() {
                Some("build") => {}
                _ if path.is_dir() => fs::remove_dir_all(path).unwrap(),
                _ => fs::remove_file(path).unwrap(),
            }
        }
    }

    /// Runs without the cache and with an empty build directory.
    pub(crate) fn fresh(&self) -> Seen {
        let (target, aside) = (self.path("repo/ws/target"), self.path("target-aside"));
        let is_there = target.symlink_metadata().is_ok();
        if is_there {
            fs::rename(&target, &aside).unwrap();
        }
        let seen = self.run(&["run", "--no-cache"]);
        let _ = fs::remove_dir_all(&target);
        if is_there {
            fs::rename(&aside, &target).unwrap();
        }
        seen
    }

    /// Runs `cargo genti ARGS` in the workspace.
    pub(crate) fn run(&self, args: &[&str]) -> Seen {
        let artifacts = self.path("repo/ws/target/genti/artifacts");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-genti"));
        command.arg("genti").args(args).current_dir(self.path(self.cwd));
        self.clean_environment(&mut command);
        let place = self.root.file_name().unwrap().to_str().unwrap();
        Seen::new(&command.output().unwrap(), &artifacts, place)
    }

    fn clean_environment(&self, command: &mut Command) {
        scrub(command);
        let user_home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        if std::env::var_os("RUSTUP_HOME").is_none() && user_home.join(".rustup").is_dir() {
            command.env("RUSTUP_HOME", user_home.join(".rustup"));
        }
        for name in ["XDG_CONFIG_HOME", "CLIPPY_CONF_DIR", "CARGO_INCREMENTAL", "LD_LIBRARY_PATH"] {
            command.env_remove(name);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([self.path("bin")].into_iter().chain(std::env::split_paths(&path)));
        command.env("PATH", path.unwrap());
        command.env("HOME", self.path("home")).env("CARGO_HOME", self.path("home/.cargo"));
        command.env("GENTI_CACHE_DIR", &self.cache).env("CARGO_PROFILE_DEV_DEBUG", "0");
        command.envs(self.env.iter().map(|(name, value)| (name, self.expand(value))));
    }

    /// Creates a second checkout with all surrounding files. It shares the cache, but nothing was built or run in it.
    pub(crate) fn second_checkout(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (cache, machine) = (self.cache.clone(), self.machine.clone());
        let world = Self { _dir: dir, root, machine, cache, cwd: self.cwd, env: self.env.clone() };
        world.copy(self, Path::new(""));
        world
    }

    fn copy(&self, from: &Self, below: &Path) {
        let text = |text: &str| text.replace(from.root.to_str().unwrap(), self.root.to_str().unwrap());
        for entry in fs::read_dir(from.root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let below = below.join(entry.file_name());
            let (old, new) = (entry.path(), self.root.join(&below));
            let kind = entry.file_type().unwrap();
            let is_left_out = below == Path::new("repo/ws/target") || is_of_machine(below.to_str().unwrap());
            if old == from.cache || is_left_out {
                continue;
            }
            if kind.is_symlink() {
                let target = fs::read_link(&old).unwrap();
                symlink(text(target.to_str().unwrap()), &new).unwrap();
            } else if kind.is_dir() {
                fs::create_dir(&new).unwrap();
                self.copy(from, &below);
            } else {
                match String::from_utf8(fs::read(&old).unwrap()) {
                    Ok(old) => fs::write(&new, text(&old)).unwrap(),
                    Err(error) => fs::write(&new, error.into_bytes()).unwrap(),
                }
                fs::set_permissions(&new, fs::metadata(&old).unwrap().permissions()).unwrap();
            }
        }
    }
}

fn is_of_machine(path: &str) -> bool {
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with(['/', ':']);
    ["home", "bin"].iter().any(|dir| path.strip_prefix(dir).is_some_and(is_end))
}

/// Returns the path of `target` relative to the directory `dir`.
pub(crate) fn relative(dir: &str, target: &str) -> String {
    let dir: Vec<_> = dir.split('/').filter(|part| !part.is_empty()).collect();
    let target: Vec<_> = target.split('/').filter(|part| !part.is_empty()).collect();
    let common = dir.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", dir.len() - common);
    let path: Vec<_> = up.chain(target[common..].iter().copied()).collect();
    if path.is_empty() { ".".to_owned() } else { path.join("/") }
}

/// Returns a fixed time that is older than anything a test builds.
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
}

fn set_modified(path: &Path, to: SystemTime) {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.set_modified(to).unwrap();
}
