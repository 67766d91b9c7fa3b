//! Cargo's lanes, and the directory that each of them builds in. Does not know the plan.
//!
//! `cargo clippy` and `cargo doc` use what `cargo check` builds of dependencies, and `cargo test` does not: two
//! lanes. In one directory they exclude each other, and share proc macros and build scripts; in two, all of that
//! is built twice, which pays only where one cargo can't keep the cores busy.

use std::path::{Path, PathBuf};

use crate::model::policy::BuildDir;
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;

/// The lane of what uses the artifacts of `cargo check`.
const CHECK: &str = "check";
/// The lane of what links and runs.
const BUILD: &str = "build";

/// How many tokens a second directory needs to pay.
const MANY: usize = 4;

/// Where cargo builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildDirs {
    /// For lane `build`.
    build: PathBuf,
    /// For lane `check`, and whatever else may be cargo's.
    others: PathBuf,
    /// If they are the user's own: where cargo puts what only it needs.
    shared: Option<PathBuf>,
}

impl BuildDirs {
    /// Those that were `asked` for, in a run of `parallel` processes.
    pub fn new(asked: BuildDir, parallel: usize, workspace: &Workspace) -> Self {
        let own = workspace.target_dir.join("genti/build");
        let (build, others) = match Self::settled(asked, parallel) {
            BuildDir::Shared => (workspace.target_dir.clone(), workspace.target_dir.clone()),
            // The one lies in the other, so that a run on fewer cores finds what is checked most.
            BuildDir::Lanes => (own.join(BUILD), own),
            BuildDir::Auto | BuildDir::One => (own.clone(), own),
        };
        let shared = (asked == BuildDir::Shared).then(|| workspace.build_dir.clone());
        Self { build, others, shared }
    }

    /// What `asked` comes to in a run of `parallel` processes: for who runs at another parallelism in the same directories.
    pub fn settled(asked: BuildDir, parallel: usize) -> BuildDir {
        match asked {
            BuildDir::Auto if parallel >= MANY => BuildDir::Lanes,
            BuildDir::Auto => BuildDir::One,
            asked => asked,
        }
    }

    /// Where cargo builds for `tool`, unless that is the user's own.
    pub fn own(&self, tool: &Tool) -> Option<&Path> {
        self.shared.is_none().then(|| self.of(tool))
    }

    /// Whether they are the user's own.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// All of them.
    pub fn all(&self) -> [&Path; 2] {
        [&self.build, &self.others]
    }

    /// The variables that tell cargo.
    pub(super) fn vars(&self, tool: &Tool) -> [(&'static str, &Path); 2] {
        let dir = self.of(tool);
        // Both: a build-dir from a configuration file would still be locked and written.
        [("CARGO_TARGET_DIR", dir), ("CARGO_BUILD_BUILD_DIR", self.shared.as_deref().unwrap_or(dir))]
    }

    /// Makes the outer one of two directories. Cargo makes its own under another name and renames it: of two cargos that
    /// do so at once, one within the other, the inner one may find itself in a directory that has just gone.
    pub(super) fn prepare(&self, tools: &[Tool]) {
        if !self.is_one() && tools.iter().any(|tool| tool.lane.as_deref() == Some(BUILD)) {
            // If it can't be made, cargo tells.
            let _ = std::fs::create_dir_all(&self.others);
        }
    }

    /// Whether both lanes build in the same directory.
    pub(super) fn is_one(&self) -> bool {
        self.build == self.others
    }

    fn of(&self, tool: &Tool) -> &Path {
        if tool.lane.as_deref() == Some(BUILD) { &self.build } else { &self.others }
    }
}

/// The lane of `tool`: cargo's two are the same if they build in one directory.
pub(super) fn lane_of(tool: &Tool, one_build_dir: bool) -> Option<&str> {
    match tool.lane.as_deref() {
        Some(BUILD) if one_build_dir => Some(CHECK),
        lane => lane,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::model::tool::Parse;

    #[track_caller]
    fn check(asked: BuildDir, parallel: usize, expected: [(&str, &str); 3], is_one: bool) {
        let workspace =
            Workspace { target_dir: "/t".into(), build_dir: "/b".into(), ..testing::workspace(&[], &[]) };
        let dirs = BuildDirs::new(asked, parallel, &workspace);
        let vars = |lane: Option<&str>| {
            let mut tool = testing::tool("t", Parse::ExitCode, &["t"]);
            tool.lane = lane.map(str::to_owned);
            assert_eq!(dirs.own(&tool).is_none(), asked == BuildDir::Shared);
            dirs.vars(&tool).map(|(_, dir)| dir.to_str().unwrap().to_owned())
        };
        assert_eq!(
            [Some(CHECK), Some(BUILD), None].map(vars),
            expected.map(|(target, build)| [target, build])
        );
        assert_eq!(dirs.is_one(), is_one);
    }

    #[test]
    fn a_second_directory_needs_four_tokens_or_to_be_asked_for() {
        let own = ("/t/genti/build", "/t/genti/build");
        let one = [own; 3];
        let two = [own, ("/t/genti/build/build", "/t/genti/build/build"), own];
        check(BuildDir::Auto, 3, one, true);
        check(BuildDir::Auto, 4, two, false);
        check(BuildDir::One, 64, one, true);
        check(BuildDir::Lanes, 1, two, false);
        check(BuildDir::Shared, 64, [("/t", "/b"); 3], true);
    }
}
