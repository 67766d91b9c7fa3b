//! What a sandboxed tool may access: the wall that follows from its configuration and from the run.

use std::io;
use std::path::{Path, PathBuf};

use super::{Place, Wall};
use crate::model::tool::{Network, Sandbox};
use crate::model::workspace::Workspace;
use crate::scan::environment::Env;
use crate::scan::pool::Pool;
use crate::scan::program::Programs;

/// Directories of the system that every sandboxed tool may read. Documented in `docs/sandbox.md`.
pub(crate) const SYSTEM: [&str; 17] = [
    "/bin",
    "/dev/fd",
    "/etc",
    "/gnu/store",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/opt",
    "/proc",
    "/run/current-system",
    "/sbin",
    "/snap",
    "/sys",
    "/usr",
    "/var/lib/dpkg/alternatives",
];

/// Directories with the configuration of name resolution, for tools that may use the network.
pub(crate) const RESOLVERS: [&str; 3] = ["/run/NetworkManager", "/run/resolvconf", "/run/systemd/resolve"];

/// Devices that every sandboxed tool may use. Terminals are missing, because a process can type into them.
pub(crate) const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// Parts of `CARGO_HOME` that every sandboxed tool may read. The others include credentials.
pub(crate) const OF_CARGO: [&str; 8] =
    [".crates.toml", ".crates2.json", ".package-cache", "bin", "config", "config.toml", "git", "registry"];

/// Computes walls.
pub(in crate::scan) struct Grants<'a> {
    pub(in crate::scan) workspace: &'a Workspace,
    pub(in crate::scan) programs: &'a Programs,
    pub(in crate::scan) env: &'a Env,
    /// This program, if cargo may start it as a wrapper.
    pub(in crate::scan) own_program: Option<&'a Path>,
}

impl Grants<'_> {
    /// Returns the wall for a process of a tool with this `sandbox` that runs `program`; `None` if it has no sandbox. The process may
    /// use the jobserver of `pool`, and change `outputs` and what the configuration lists.
    ///
    /// The variables of the process decide nothing, because the repository can set them.
    ///
    /// # Errors
    ///
    /// If a directory that it may change can't be created, or is reached through a link that leads out of the repository.
    pub(in crate::scan) fn wall(
        &self,
        sandbox: Option<&Sandbox>,
        program: &Path,
        pool: Option<&Pool>,
        outputs: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Option<Wall>, String> {
        let Some(sandbox) = sandbox else { return Ok(None) };
        let mut writes = Vec::new();
        for output in outputs {
            std::fs::create_dir_all(&output).map_err(|error| not_created(&output, &error))?;
            writes.push(output);
        }
        for path in &sandbox.write {
            self.add_writable(path, &mut writes)?;
        }
        writes.extend(pool.and_then(Pool::named_pipe));
        let mut reads = self.readable(sandbox);
        // A link is granted by what it leads to.
        reads.extend([program].into_iter().chain(self.own_program).map(Path::to_path_buf));
        let places = |paths: Vec<PathBuf>| paths.into_iter().map(Place::from).collect();
        Ok(Some(Wall {
            reads: places(reads),
            writes: places(writes),
            devices: DEVICES.map(|path| PathBuf::from(path).into()).to_vec(),
            network: sandbox.network,
            descriptors: pool.map(Pool::descriptors).unwrap_or_default(),
        }))
    }

    fn readable(&self, sandbox: &Sandbox) -> Vec<PathBuf> {
        let Self { workspace, programs, env, .. } = self;
        let home = env.get("HOME").map(Path::new);
        let cargo = programs.home();
        let rustup = env.get("RUSTUP_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".rustup")));
        let mut reads =
            vec![repository(&workspace.root), workspace.target_dir.clone(), workspace.build_dir.clone()];
        reads.extend(SYSTEM.map(PathBuf::from));
        reads.extend(
            (sandbox.network == Network::All).then_some(RESOLVERS).into_iter().flatten().map(PathBuf::from),
        );
        reads.extend(programs.sysroot().map(Path::to_path_buf));
        reads.extend(rustup);
        reads.extend(cargo.into_iter().flat_map(|cargo| OF_CARGO.map(|name| cargo.join(name))));
        reads.extend(programs.search_path().iter().cloned());
        reads.extend(sandbox.read.iter().map(|path| self.resolved(path)));
        reads
    }

    /// Adds the place `path` of the configuration. A directory is created if nothing is there.
    fn add_writable(&self, path: &str, writes: &mut Vec<PathBuf>) -> Result<(), String> {
        let place = self.resolved(path);
        if std::fs::symlink_metadata(&place).is_err() {
            self.check_within(path, &place)?;
            std::fs::create_dir_all(&place).map_err(|error| not_created(&place, &error))?;
        }
        self.check_within(path, &place)?;
        let own = self.workspace.target_dir.join("genti");
        add_except(&place, &own, writes)
            .map_err(|error| format!("can't read `{}` of `sandbox.write`: {error}", place.display()))
    }

    /// Checks that a path of the repository stays in it. A change to the repository could otherwise make it lead anywhere.
    fn check_within(&self, path: &str, place: &Path) -> Result<(), String> {
        if Path::new(path).is_absolute() || path.starts_with("~/") {
            return Ok(());
        }
        let existing = place.ancestors().find(|dir| std::fs::symlink_metadata(dir).is_ok()).unwrap_or(place);
        let real = |path: &Path| path.canonicalize().ok();
        let within = [&self.workspace.root, &self.workspace.target_dir];
        let is_in = |real_place: PathBuf| {
            within.iter().any(|dir| real(dir).is_some_and(|dir| real_place.starts_with(dir)))
        };
        match real(existing).is_some_and(is_in) {
            true => Ok(()),
            false => Err(format!(
                "`{path}` of `sandbox.write` leads out of the workspace; write it as an absolute path if that is intended"
            )),
        }
    }

    /// Returns the place of a path in the configuration.
    fn resolved(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.env.get("HOME")) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => self.workspace.root.join(path),
        }
    }
}

/// Adds `place` without `own`, the directory with genti's own data: who can write there can make a check green. A directory that
/// contains it is replaced by its entries.
fn add_except(place: &Path, own: &Path, writes: &mut Vec<PathBuf>) -> io::Result<()> {
    if place.starts_with(own.join("build")) || !(own.starts_with(place) || place.starts_with(own)) {
        writes.push(place.to_path_buf());
        return Ok(());
    }
    if place.starts_with(own) && place != own {
        return Ok(());
    }
    for entry in std::fs::read_dir(place)? {
        let entry = entry?;
        // What is behind a link was not named.
        if !entry.file_type()?.is_symlink() {
            add_except(&entry.path(), own, writes)?;
        }
    }
    Ok(())
}

/// Returns the directory of the repository that contains `root`, or `root` itself.
fn repository(root: &Path) -> PathBuf {
    root.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(root).to_path_buf()
}

fn not_created(place: &Path, error: &io::Error) -> String {
    format!("could not create `{}` for the sandbox: {error}", place.display())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_everything_that_can_be_read() {
        let page = include_str!("../../../docs/sandbox.md").replace('\n', " ");
        for path in SYSTEM.iter().chain(&RESOLVERS).chain(&DEVICES).chain(&OF_CARGO) {
            assert!(page.contains(&format!("`{path}`")), "{path}");
        }
    }

    #[test]
    fn gentis_own_data_is_never_writable() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for path in ["target/genti/build/x", "target/genti/cache", "target/doc", "src"] {
            std::fs::create_dir_all(root.join(path)).unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.join("target/link")).unwrap();
        let own = root.join("target/genti");
        let writes = |path: &str| {
            let mut writes = Vec::new();
            add_except(&root.join(path), &own, &mut writes).unwrap();
            let mut names: Vec<_> = writes
                .iter()
                .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned())
                .collect();
            names.sort();
            names
        };
        assert_eq!(writes("src"), ["src"]);
        assert_eq!(writes("target"), ["target/doc", "target/genti/build"]);
        assert_eq!(writes(""), ["src", "target/doc", "target/genti/build"]);
        assert_eq!(writes("target/genti"), ["target/genti/build"]);
        assert_eq!(writes("target/genti/build/x"), ["target/genti/build/x"]);
        assert_eq!(writes("target/genti/cache"), [""; 0]);
    }

    #[test]
    fn a_repository_begins_where_git_says() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("repo/ws");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(repository(&inner), inner);
        std::fs::create_dir(dir.path().join("repo/.git")).unwrap();
        assert_eq!(repository(&inner), dir.path().join("repo"));
    }
}
