//! Access rights of a sandboxed tool: the wall that follows from its configuration and from the run.

use std::path::{Path, PathBuf};

use super::places::{Places, repository};
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
    /// Directory of the result cache, for tools that may change files.
    pub(in crate::scan) cache_dir: Option<&'a Path>,
    /// This program, if cargo may start it as a wrapper.
    pub(in crate::scan) own_program: Option<&'a Path>,
}

impl Grants<'_> {
    /// Returns the wall for a process of a tool with this `sandbox` that runs `program`; `None` if it has no sandbox. The process
    /// may use the jobserver of `pool`, and change `outputs` and what the configuration lists.
    ///
    /// The variables of the process decide nothing, because the repository can set them.
    ///
    /// # Errors
    ///
    /// If a path of the repository leads through a link, or if a directory that it may change can't be created or is closed.
    pub(in crate::scan) fn wall(
        &self,
        sandbox: Option<&Sandbox>,
        program: &Path,
        pool: Option<&Pool>,
        outputs: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Option<Wall>, String> {
        let Some(sandbox) = sandbox else { return Ok(None) };
        let allowed = Places::new(self.workspace, self.cache_dir);
        let mut writes = Vec::new();
        for output in outputs {
            allowed.add_writable(&output, &mut writes).map_err(of_dir(&output))?;
        }
        for path in &sandbox.write {
            let added = allowed.add_writable(&self.resolved(path), &mut writes);
            added.map_err(|why| format!("`{path}` of `sandbox.write` {why}"))?;
        }
        let pipe = pool.and_then(Pool::named_pipe);
        writes.extend(pipe.map(|pipe| allowed.find(&pipe).map_err(of_dir(&pipe))).transpose()?);
        let mut reads = self.readable(sandbox, &allowed)?;
        reads.extend([program].into_iter().chain(self.own_program).map(Path::to_path_buf));
        Ok(Some(Wall {
            reads: existing(reads),
            writes: writes.into_iter().map(Place::from).collect(),
            devices: existing(DEVICES.map(PathBuf::from).into()),
            network: sandbox.network,
            unix_sockets: false,
            is_observed: false,
            compilers: Vec::new(),
            descriptors: pool.map(Pool::descriptors).unwrap_or_default(),
        }))
    }

    fn readable(&self, sandbox: &Sandbox, allowed: &Places) -> Result<Vec<PathBuf>, String> {
        let Self { workspace, programs, env, .. } = self;
        let cargo = programs.home();
        let mut reads = Vec::new();
        for dir in [&repository(&workspace.root), &workspace.target_dir, &workspace.build_dir] {
            reads.extend(allowed.find_if_exists(dir).map_err(of_dir(dir))?);
        }
        for path in &sandbox.read {
            let found = allowed.find_if_exists(&self.resolved(path));
            reads.extend(found.map_err(|why| format!("`{path}` of `sandbox.read` {why}"))?);
        }
        reads.extend(SYSTEM.map(PathBuf::from));
        reads.extend(
            (sandbox.network == Network::All).then_some(RESOLVERS).into_iter().flatten().map(PathBuf::from),
        );
        reads.extend(programs.sysroot().map(Path::to_path_buf));
        reads.extend(env.rustup_home());
        reads.extend(cargo.into_iter().flat_map(|cargo| OF_CARGO.map(|name| cargo.join(name))));
        reads.extend(programs.search_path().iter().cloned());
        Ok(reads)
    }

    /// Returns the place of a path in the configuration.
    fn resolved(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.env.get("HOME")) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => self.workspace.root.join(path),
        }
    }
}

/// Returns the real paths of what exists: a link is granted by what it leads to.
fn existing(paths: Vec<PathBuf>) -> Vec<Place> {
    paths.into_iter().filter_map(|path| Some(path.canonicalize().ok()?.into())).collect()
}

fn of_dir(path: &Path) -> impl Fn(String) -> String {
    move |why| format!("can't set up the sandbox: `{}` {why}", path.display())
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
}
