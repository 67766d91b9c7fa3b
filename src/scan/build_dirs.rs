//! Cargo's lanes, their build directories, and the tool whose programs each directory holds. Does not know the
//! plan.
//!
//! `cargo clippy` and `cargo doc` reuse the dependencies built by `cargo check`, while `cargo test` does not:
//! these are two lanes. In a shared directory they block each other but share proc macros and build scripts. In
//! separate directories all of these are built twice, which pays off only if one cargo process can't keep the
//! cores busy.
//!
//! # Who owns the programs
//!
//! Cargo stores each binary of a directory under one name, whatever features it was built with. Tests have the
//! paths of their package's binaries compiled in, so binaries can't be moved, and another build in the same
//! directory replaces the binaries that tests run. So a directory belongs to one tool at a time ([`claim_of`]): to
//! the build whose tests run, or to a tool that may build programs. Several steps of the same tool, and all tests
//! of one build, may run at the same time. Separate directories for each tool would avoid the waiting but build
//! all dependencies once per tool.
//!
//! # Variants
//!
//! Cargo separates the artifacts of different features, targets and profiles by their hashes, so variants share the
//! directories, and their programs are protected as above. There are two exceptions:
//!
//! - Documentation is written to one place whatever it was built with. So each variant of a tool that documents has a
//!   directory of its own.
//! - A build script may read a variable without telling cargo, which then takes what it built with another value. So
//!   variants with variables that cargo does not track have directories of their own, one for each set of values. Lanes
//!   are arranged there as in the main directory. The same goes for a variant with a lock file of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::program::{runs_toolchain, words_of};
use crate::model::digest::{Hasher, Sink};
use crate::model::policy::BuildDir;
use crate::model::task::Graph;
use crate::model::tool::{Parse, Per, Tool, ToolId};
use crate::model::workspace::Workspace;

/// Lane of tools that use the artifacts of `cargo check`.
const CHECK: &str = "check";
/// Lane of tools that link and run programs.
const BUILD: &str = "build";

/// Number of parallel processes from which a second directory pays off.
const MIN_PARALLEL_FOR_TWO: usize = 4;

/// Directories that cargo builds in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildDirs {
    /// Directory of the lane `build`.
    build: PathBuf,
    /// Directory of the lane `check` and of all other tools that may call cargo.
    others: PathBuf,
    /// Cargo's directory for intermediate files, if the user's own directories are used.
    shared: Option<PathBuf>,
    /// Directory that contains those of variants.
    variants: PathBuf,
    /// Directories of variants that can't share those of the lanes, by their path below `variants`.
    own: BTreeMap<PathBuf, PathBuf>,
}

impl BuildDirs {
    /// Returns the directories for the requested mode in a run of `parallel` processes.
    pub fn new(asked: BuildDir, parallel: usize, workspace: &Workspace) -> Self {
        let own = workspace.target_dir.join("genti/build");
        let (build, others) = match Self::resolve(asked, parallel) {
            BuildDir::Shared => (workspace.target_dir.clone(), workspace.target_dir.clone()),
            // One directory is inside the other. A run on fewer cores then finds the artifacts of the checks.
            BuildDir::Lanes => (own.join(BUILD), own),
            BuildDir::Auto | BuildDir::One => (own.clone(), own),
        };
        let shared = (asked == BuildDir::Shared).then(|| workspace.build_dir.clone());
        let variants = workspace.target_dir.join("genti/build").join(VARIANTS);
        Self { build, others, shared, variants, own: BTreeMap::new() }
    }

    /// Adds the directories of the variants of `tools` that can't share those of the lanes.
    #[must_use]
    pub fn with_variants(mut self, tools: &[Tool]) -> Self {
        let layout = self.layout();
        for own in tools.iter().filter_map(|tool| own_dir(tool, layout)) {
            let dir = self.variants.join(&own);
            self.own.insert(own, dir);
        }
        self
    }

    /// Resolves `asked` for a run of `parallel` processes. Also used for runs with other parallelism in the same
    /// directories.
    pub fn resolve(asked: BuildDir, parallel: usize) -> BuildDir {
        match asked {
            BuildDir::Auto if parallel >= MIN_PARALLEL_FOR_TWO => BuildDir::Lanes,
            BuildDir::Auto => BuildDir::One,
            asked => asked,
        }
    }

    /// Returns the directory that cargo builds in for `tool`, unless it is the user's own.
    pub fn own(&self, tool: &Tool) -> Option<&Path> {
        (self.shared.is_none() || self.own_of(tool).is_some()).then(|| self.of(tool))
    }

    /// Returns whether the user's own directories are used.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Returns the directories of both lanes, and then those of variants.
    pub fn all(&self) -> Vec<&Path> {
        let lanes: [&Path; 2] = [&self.build, &self.others];
        lanes.into_iter().chain(self.own.values().map(PathBuf::as_path)).collect()
    }

    /// Returns the one of the directories `all` in which cargo builds for `tool`.
    pub fn find<'d>(all: &'d [PathBuf], tool: &Tool) -> &'d PathBuf {
        Self::find_own(all, tool).unwrap_or_else(|| &all[Self::index(tool)])
    }

    /// Returns the one of the directories `all` that is only for the variant of `tool`.
    pub fn find_own<'d>(all: &'d [PathBuf], tool: &Tool) -> Option<&'d PathBuf> {
        // The layout decides which of them there is.
        let own = [Layout::Lanes, Layout::One].into_iter().filter_map(|layout| own_dir(tool, layout));
        let mut own = own.map(|own| Path::new(VARIANTS).join(own));
        own.find_map(|own| all.iter().find(|dir| dir.ends_with(&own)))
    }

    /// Returns the index into [`BuildDirs::all`] of the directory for the lane of `tool`.
    fn index(tool: &Tool) -> usize {
        usize::from(tool.lane.as_deref() != Some(BUILD))
    }

    fn own_of(&self, tool: &Tool) -> Option<&Path> {
        self.own.get(&own_dir(tool, self.layout())?).map(PathBuf::as_path)
    }

    /// Returns the variables that set the directories for cargo.
    pub(super) fn vars(&self, tool: &Tool) -> [(&'static str, &Path); 2] {
        let dir = self.of(tool);
        // Both are set because cargo would still lock and write to a build-dir from a configuration file.
        let shared = self.shared.as_deref().filter(|_| self.own_of(tool).is_none());
        [("CARGO_TARGET_DIR", dir), ("CARGO_BUILD_BUILD_DIR", shared.unwrap_or(dir))]
    }

    /// Creates the outer ones of nested directories. Cargo creates its directory under a temporary name and renames
    /// it. If two cargo processes do this at the same time, one inside the other, the directory of the inner one
    /// may disappear.
    pub(super) fn prepare(&self, tools: &[Tool]) {
        let has_inner = tools.iter().any(|tool| tool.lane.as_deref() == Some(BUILD));
        let lanes = (self.layout() == Layout::Lanes && has_inner).then_some(&*self.others);
        // Below the directory of the variants, that of the lane `build` is inside another one.
        for dir in lanes.into_iter().chain(self.own.values().filter_map(|dir| dir.parent())) {
            // Cargo reports the error if this fails.
            let _ = std::fs::create_dir_all(dir);
        }
    }

    /// Returns how the directories of the lanes are arranged.
    pub(super) fn layout(&self) -> Layout {
        match &self.shared {
            Some(_) => Layout::Shared,
            None if self.build == self.others => Layout::One,
            None => Layout::Lanes,
        }
    }

    fn of(&self, tool: &Tool) -> &Path {
        self.own_of(tool).unwrap_or(if Self::index(tool) == 0 { &self.build } else { &self.others })
    }
}

/// Name of the directory below the one for builds that contains those of variants.
const VARIANTS: &str = "variants";

/// Variables that cargo tracks: it builds again if their values change.
const TRACKED: [&str; 4] =
    ["CARGO_ENCODED_RUSTDOCFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTDOCFLAGS", "RUSTFLAGS"];

/// Returns the path of the directory for `tool`, which runs in a copy of the repository or in a variant, below the one of all variants, if it can't share
/// those of the lanes.
fn own_dir(tool: &Tool, layout: Layout) -> Option<PathBuf> {
    if tool.runs_in_copy() {
        // What cargo builds in a copy of the repository is of no use to other tools. No variant has a dot in its name.
        return Some(PathBuf::from(format!("copy.{}", tool.name)));
    }
    let variant = tool.variant.as_ref()?;
    if runs_toolchain(tool, &["d", "doc", "rustdoc"]) {
        return Some(PathBuf::from(&variant.name));
    }
    let mut untracked = variant.vars.iter().filter(|(name, _)| !TRACKED.contains(&name.as_str())).peekable();
    let is_shared = variant.toolchain.is_none() && variant.lock.is_none() && variant.workspace.is_none();
    if untracked.peek().is_none() && is_shared {
        return None;
    }
    let mut values = Hasher::new("genti.build-dir.1");
    if let Some(toolchain) = &variant.toolchain {
        values.field("toolchain", toolchain.as_bytes());
    }
    if let Some(lock) = &variant.lock {
        values.field("lock", lock.path.as_bytes());
    }
    if let Some(root) = &variant.workspace {
        // The names of cargo's files depend on paths from the root of the workspace, which packages of two may share.
        values.field("workspace", root.as_bytes());
    }
    for (name, value) in untracked {
        values.field("name", name.as_bytes());
        values.field("value", value.as_bytes());
    }
    // No variant has a dot in its name.
    let dir = PathBuf::from(format!("env.{}", values.finish().short(16)));
    let is_inner = layout == Layout::Lanes && BuildDirs::index(tool) == 0;
    Some(if is_inner { dir.join(BUILD) } else { dir })
}

/// Arrangement of the directories of cargo's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Both lanes use the same directory.
    One,
    /// The lane `build` has its own directory.
    Lanes,
    /// Both lanes use the user's own directories.
    Shared,
}

/// Returns the lane of `tool`. The two lanes of cargo are merged if they build in one directory.
pub(super) fn lane_of(tool: &Tool, layout: Layout) -> Option<&str> {
    match tool.lane.as_deref() {
        Some(BUILD) if layout != Layout::Lanes => Some(CHECK),
        lane => lane,
    }
}

/// Use of a build directory for the programs of one tool, held while a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DirClaim {
    /// Index of the directory: 0, or 1 for the second one.
    pub(super) dir: usize,
    /// The tool that builds the programs.
    pub(super) of: ToolId,
}

/// Returns the directory whose programs the steps of tool `id` need or replace, and the tool that builds these
/// programs.
pub(super) fn claim_of(graph: &Graph, id: ToolId, layout: Layout) -> Option<DirClaim> {
    let tool = graph.tool(id);
    let dir = |tool: &Tool| if layout == Layout::Lanes { BuildDirs::index(tool) } else { 0 };
    if tool.uses_executable() {
        let of = builders_of(graph, id).next()?;
        return Some(DirClaim { dir: dir(graph.tool(of)), of });
    }
    may_build_programs(tool, layout).then(|| DirClaim { dir: dir(tool), of: id })
}

/// Returns the tools that build what tool `id` runs, starting with those that its configuration names.
pub(super) fn builders_of(graph: &Graph, id: ToolId) -> impl Iterator<Item = ToolId> {
    let is_named = move |need: &&ToolId| graph.tool(id).needs.contains(&graph.tool(**need).name);
    let needs = &graph.needs[id.0 as usize];
    let named = needs.iter().filter(is_named).chain(needs.iter().filter(move |need| !is_named(need)));
    named.copied().filter(|need| graph.tool(*need).parse == Parse::CargoBuild)
}

/// Subcommands of cargo that don't place programs in the build directory.
const BUILD_NO_PROGRAMS: [&str; 22] = [
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

/// Returns whether a step of `tool` may build programs in its directory.
fn may_build_programs(tool: &Tool, layout: Layout) -> bool {
    // A tool without the variables of the directory builds in the user's own.
    if tool.runs_in_copy() || !tool.inherits() && layout != Layout::Shared {
        return false;
    }
    if runs_toolchain(tool, &BUILD_NO_PROGRAMS) {
        return false;
    }
    if words_of(tool).next() == Some("cargo") {
        return !(runs_toolchain(tool, &["t", "test"]) && words_of(tool).any(|word| word == "--doc"));
    }
    // Built-in tools are handled above. A script may call cargo, but hardly once per file.
    tool.configured && !matches!(tool.per, Per::File | Per::TargetRoot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::model::tool::{Counted, Environment};
    use crate::model::variant::Variant;

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
    fn a_second_directory_is_used_from_four_processes_or_on_request() {
        let own = ("/t/genti/build", "/t/genti/build");
        let one = [own; 3];
        let two = [own, ("/t/genti/build/build", "/t/genti/build/build"), own];
        check(BuildDir::Auto, 3, one, Layout::One);
        check(BuildDir::Auto, 4, two, Layout::Lanes);
        check(BuildDir::One, 64, one, Layout::One);
        check(BuildDir::Lanes, 1, two, Layout::Lanes);
        check(BuildDir::Shared, 64, [("/t", "/b"); 3], Layout::Shared);
    }

    /// Returns a tool of a variant that sets `vars`.
    fn of_variant(run: &[&str], lane: &str, vars: &[(&str, &str)]) -> Tool {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let variant = Variant { name: "v".to_owned(), vars, ..Variant::default() };
        let lane = Some(lane.to_owned());
        Tool { variant: Some(variant.into()), lane, ..testing::tool("t", Parse::ExitCode, run) }
    }

    #[test]
    fn a_variant_with_variables_that_cargo_does_not_track_builds_elsewhere() {
        let workspace =
            Workspace { target_dir: "/t".into(), build_dir: "/b".into(), ..testing::workspace(&[], &[]) };
        let dir = |asked, tool: Tool| {
            let tools = [tool];
            let dirs = BuildDirs::new(asked, 1, &workspace).with_variants(&tools);
            let [(_, target), (_, build)] = dirs.vars(&tools[0]);
            // The cache looks into the same directory.
            let all: Vec<_> = dirs.all().into_iter().map(Path::to_path_buf).collect();
            let found = BuildDirs::find(&all, &tools[0]);
            assert!(asked == BuildDir::Shared || found == target, "{}", found.display());
            assert!(target == build || asked == BuildDir::Shared && build == Path::new("/b"));
            target.to_str().unwrap().to_owned()
        };
        let test = |lane, vars: &[(&str, &str)]| of_variant(&["cargo", "test"], lane, vars);
        let loom = [("RUSTFLAGS", "--cfg loom")];
        assert_eq!(dir(BuildDir::One, test(BUILD, &loom)), "/t/genti/build", "cargo tells flags apart");
        assert_eq!(dir(BuildDir::Shared, test(BUILD, &loom)), "/t");

        let one = dir(BuildDir::One, test(BUILD, &[("A", "1"), loom[0]]));
        assert!(one.starts_with("/t/genti/build/variants/env."), "{one}");
        assert_eq!(dir(BuildDir::One, test(BUILD, &[("A", "1")])), one, "flags can share it");
        assert_eq!(dir(BuildDir::Shared, test(BUILD, &[("A", "1")])), one, "not in the user's own either");
        for other in [[("A", "2")], [("B", "1")]] {
            assert_ne!(dir(BuildDir::One, test(BUILD, &other)), one);
        }
        let of_toolchain = |name: &str| {
            let mut tool = test(BUILD, &[]);
            let variant = Variant { toolchain: Some(name.to_owned()), ..Variant::default() };
            tool.variant = Some(variant.into());
            dir(BuildDir::One, tool)
        };
        assert!(of_toolchain("1.85").starts_with("/t/genti/build/variants/env."));
        assert_ne!(of_toolchain("1.85"), of_toolchain("nightly"));
        let of_workspace = |root: &str| {
            let mut tool = test(BUILD, &[]);
            let workspace = Some(crate::model::path::RelPath::new(root));
            tool.variant = Some(Variant { workspace, ..Variant::default() }.into());
            dir(BuildDir::One, tool)
        };
        assert!(of_workspace("fuzz").starts_with("/t/genti/build/variants/env."));
        assert_ne!(of_workspace("fuzz"), of_workspace("tools"));
        // Both lanes are arranged as usual.
        assert_eq!(dir(BuildDir::Lanes, test(CHECK, &[("A", "1")])), one);
        assert_eq!(dir(BuildDir::Lanes, test(BUILD, &[("A", "1")])), format!("{one}/build"));
        let doc = of_variant(&["cargo", "doc"], CHECK, &[("A", "1")]);
        assert_eq!(dir(BuildDir::Lanes, doc), "/t/genti/build/variants/v");
    }

    /// Describes the programs that a tool with the command `run` needs or builds, relative to a test build in lane
    /// `build`.
    fn programs(change: impl Fn(&mut Tool), run: &[&str], layout: Layout) -> Option<&'static str> {
        let mut builder = testing::tool("build", Parse::CargoBuild, &["cargo", "build"]);
        (builder.environment, builder.lane) = (Environment::Inherit(Counted::All), Some(BUILD.to_owned()));
        let mut tool = testing::tool("tool", Parse::ExitCode, run);
        (tool.environment, tool.configured) = (Environment::Inherit(Counted::All), true);
        change(&mut tool);
        let graph = testing::graph(vec![builder, tool], vec![Vec::new(), vec![ToolId(0)]]);
        let build_claim = claim_of(&graph, ToolId(0), layout).unwrap();
        let programs = claim_of(&graph, ToolId(1), layout)?;
        Some(match programs {
            programs if programs == build_claim => "those of the build",
            programs if programs.dir == build_claim.dir => "its own, in their place",
            _ => "its own, elsewhere",
        })
    }

    #[test]
    fn a_tool_that_may_build_programs_has_the_directory_to_itself() {
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
