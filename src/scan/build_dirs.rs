//! Cargo's lanes, the directory that each of them builds in, and whose programs lie there. Does not know the plan.
//!
//! `cargo clippy` and `cargo doc` use what `cargo check` builds of dependencies, and `cargo test` does not: two
//! lanes. In one directory they exclude each other, and share proc macros and build scripts; in two, all of that
//! is built twice, which pays only where one cargo can't keep the cores busy.
//!
//! # Whose programs
//!
//! Cargo puts each binary of a directory under one name, whatever features it was built with. A test has the path of the
//! binaries of its package compiled in, so nothing can be moved: whoever builds in the directory of the test build replaces
//! what its tests run. So a directory belongs to one tool at a time ([`programs_of`]): to the build whose tests run, or to a
//! tool that may build programs. Several steps of the same tool, and all tests of one build, may run at once. A directory of
//! its own for each tool would need no waiting, and would build all dependencies once more for each.

use std::path::{Path, PathBuf};

use super::program::{runs_toolchain, words_of};
use crate::model::policy::BuildDir;
use crate::model::task::Graph;
use crate::model::tool::{Parse, Per, Tool, ToolId};
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

    /// Which of [`BuildDirs::all`] is for `tool`.
    pub fn index(tool: &Tool) -> usize {
        usize::from(tool.lane.as_deref() != Some(BUILD))
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
        if self.layout() == Layout::Lanes && tools.iter().any(|tool| tool.lane.as_deref() == Some(BUILD)) {
            // If it can't be made, cargo tells.
            let _ = std::fs::create_dir_all(&self.others);
        }
    }

    /// How the lanes' directories lie.
    pub(super) fn layout(&self) -> Layout {
        match &self.shared {
            Some(_) => Layout::Shared,
            None if self.build == self.others => Layout::One,
            None => Layout::Lanes,
        }
    }

    fn of(&self, tool: &Tool) -> &Path {
        self.all()[Self::index(tool)]
    }
}

/// How the lanes' directories lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Both are the same.
    One,
    /// Lane `build` has its own.
    Lanes,
    /// Both are the user's own.
    Shared,
}

/// The lane of `tool`: cargo's two are the same if they build in one directory.
pub(super) fn lane_of(tool: &Tool, layout: Layout) -> Option<&str> {
    match tool.lane.as_deref() {
        Some(BUILD) if layout != Layout::Lanes => Some(CHECK),
        lane => lane,
    }
}

/// The programs of a directory, as long as a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    /// The directory: 0, or 1 for the second one.
    pub(super) dir: usize,
    /// The tool that builds them.
    pub(super) of: ToolId,
}

/// Whose programs the steps of tool `id` need in a directory, or put there.
pub(super) fn programs_of(graph: &Graph, id: ToolId, layout: Layout) -> Option<Programs> {
    let tool = graph.tool(id);
    let dir = |tool: &Tool| if layout == Layout::Lanes { BuildDirs::index(tool) } else { 0 };
    if tool.uses_executable() {
        let of = builders_of(graph, id).next()?;
        return Some(Programs { dir: dir(graph.tool(of)), of });
    }
    may_build_programs(tool, layout).then(|| Programs { dir: dir(tool), of: id })
}

/// The tools that build what tool `id` runs, those first that it names itself.
pub(super) fn builders_of(graph: &Graph, id: ToolId) -> impl Iterator<Item = ToolId> {
    let is_named = move |need: &&ToolId| graph.tool(id).needs.contains(&graph.tool(**need).name);
    let needs = &graph.needs[id.0 as usize];
    let named = needs.iter().filter(is_named).chain(needs.iter().filter(move |need| !is_named(need)));
    named.copied().filter(|need| graph.tool(*need).parse == Parse::CargoBuild)
}

/// Subcommands of cargo that build no programs where others look for them.
const BUILD_NONE: [&str; 22] = [
    "audit",
    "c",
    "check",
    "clippy",
    "d",
    "deny",
    "doc",
    "fetch",
    "fmt",
    "generate-lockfile",
    "info",
    "locate-project",
    "machete",
    "metadata",
    "pkgid",
    "rustdoc",
    "search",
    "tree",
    "update",
    "vendor",
    "verify-project",
    "version",
];

/// Whether a step of `tool` may build programs in the directory that it has.
fn may_build_programs(tool: &Tool, layout: Layout) -> bool {
    // Who does not know the directory builds in the user's own.
    if !tool.inherits() && layout != Layout::Shared {
        return false;
    }
    if runs_toolchain(tool, &BUILD_NONE) {
        return false;
    }
    if words_of(tool).next() == Some("cargo") {
        return !(runs_toolchain(tool, &["t", "test"]) && words_of(tool).any(|word| word == "--doc"));
    }
    // What is built in is known. A script may call cargo, but hardly for each file.
    tool.configured && !matches!(tool.per, Per::File | Per::TargetRoot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::model::tool::{Counted, Environment};

    #[track_caller]
    fn check(asked: BuildDir, parallel: usize, expected: [(&str, &str); 3], layout: Layout) {
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
        assert_eq!(dirs.layout(), layout);
    }

    #[test]
    fn a_second_directory_needs_four_tokens_or_to_be_asked_for() {
        let own = ("/t/genti/build", "/t/genti/build");
        let one = [own; 3];
        let two = [own, ("/t/genti/build/build", "/t/genti/build/build"), own];
        check(BuildDir::Auto, 3, one, Layout::One);
        check(BuildDir::Auto, 4, two, Layout::Lanes);
        check(BuildDir::One, 64, one, Layout::One);
        check(BuildDir::Lanes, 1, two, Layout::Lanes);
        check(BuildDir::Shared, 64, [("/t", "/b"); 3], Layout::Shared);
    }

    /// Whose programs a tool that runs `run` needs or makes beside a test build in lane `build`, seen from there.
    fn programs(change: impl Fn(&mut Tool), run: &[&str], layout: Layout) -> Option<&'static str> {
        let mut builder = testing::tool("build", Parse::CargoBuild, &["cargo", "build"]);
        (builder.environment, builder.lane) = (Environment::Inherit(Counted::All), Some(BUILD.to_owned()));
        let mut tool = testing::tool("tool", Parse::ExitCode, run);
        (tool.environment, tool.configured) = (Environment::Inherit(Counted::All), true);
        change(&mut tool);
        let graph = testing::graph(vec![builder, tool], vec![Vec::new(), vec![ToolId(0)]]);
        let of_build = programs_of(&graph, ToolId(0), layout).unwrap();
        let programs = programs_of(&graph, ToolId(1), layout)?;
        Some(match programs {
            programs if programs == of_build => "those of the build",
            programs if programs.dir == of_build.dir => "its own, in their place",
            _ => "its own, elsewhere",
        })
    }

    #[test]
    fn what_may_build_programs_in_a_directory_has_it_for_itself() {
        let replaces = Some("its own, in their place");
        let build_lane = |tool: &mut Tool| tool.lane = Some(BUILD.to_owned());
        for run in [
            &["cargo", "build", "--features", "fast"][..],
            &["cargo", "+nightly", "run"],
            &["cargo", "-q", "bench"],
            &["cargo", "test"],
            &["cargo", "xtask", "codegen"],
            &["sh", "-c", "cargo build"],
        ] {
            assert_eq!(programs(build_lane, run, Layout::Lanes), replaces, "{run:?}");
            assert_eq!(programs(|_| {}, run, Layout::One), replaces, "{run:?}");
            assert_eq!(programs(|_| {}, run, Layout::Lanes), Some("its own, elsewhere"), "{run:?}");
        }
        for run in [
            &["cargo", "clippy"][..],
            &["cargo", "+nightly", "check"],
            &["cargo", "test", "--doc"],
            &["rustfmt"],
        ] {
            assert_eq!(programs(build_lane, run, Layout::One), None, "{run:?}");
        }
        let per_file = |tool: &mut Tool| tool.per = Per::File;
        assert_eq!(programs(per_file, &["lint"], Layout::One), None);
        let sees_little = |tool: &mut Tool| tool.environment = Environment::Only(Vec::new());
        assert_eq!(programs(sees_little, &["cargo", "build"], Layout::One), None);
        assert_eq!(programs(sees_little, &["cargo", "build"], Layout::Shared), replaces);
    }

    #[test]
    fn tests_need_the_programs_of_their_build() {
        let runs_tests = |tool: &mut Tool| {
            tool.run = vec![crate::model::tool::Arg::Text(vec![crate::model::tool::Piece::Executable])];
        };
        for layout in [Layout::One, Layout::Lanes, Layout::Shared] {
            assert_eq!(programs(runs_tests, &["x"], layout), Some("those of the build"));
        }
    }
}
