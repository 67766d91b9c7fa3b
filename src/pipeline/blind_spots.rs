//! Finds blind spots: code that no tool of a run checked, according to what the tools report.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Ledger;
use super::unseen::Look;
use super::{tested, unbuilt};
use crate::model::blind_spot::{BlindSpot, BlindSpotKind};
use crate::model::census::Census;
use crate::model::finding::{Diagnostic, Level, OWN_NAMESPACE, Place};
use crate::model::path::RelPath;
use crate::model::policy;
use crate::model::task::Plan;
use crate::model::text::Text;
use crate::model::tool::{Arg, Tool, ToolId, Work};
use crate::model::workspace::{LeftOut, Package, PackageId, Target, TargetKind, WhyLeftOut, Workspace};
use crate::plan::links_in_place_of_files;

/// Information about the workspace that tools do not report.
pub(super) struct Around<'a> {
    /// Contents of [`manifests`] by path.
    pub(super) manifests: BTreeMap<RelPath, Vec<u8>>,
    /// Manifests of the repository outside the workspace root.
    pub(super) beyond: &'a dyn Fn() -> Vec<RelPath>,
}

/// Returns the manifests of selected members that disable tests of a target.
pub(super) fn manifests(workspace: &Workspace, plan: &Plan) -> BTreeSet<RelPath> {
    let is_off = |target: &Target| match target.kind {
        TargetKind::Lib => !target.test || !target.doctest,
        TargetKind::Test => !target.test,
        _ => false,
    };
    let packages = plan.packages.iter().map(|id| workspace.package(*id));
    packages.filter(|package| package.targets.iter().any(is_off)).map(manifest).collect()
}

fn manifest(package: &Package) -> RelPath {
    package.dir.join("Cargo.toml")
}

/// Returns true if a run of `plan` looks for blind spots. It does not if only some tools, changed files or a shard were requested.
pub(super) fn are_looked_for(plan: &Plan) -> bool {
    let selection = &plan.selection;
    plan.policy.blind_spots != policy::BlindSpots::Ignore
        && !plan.is_narrowed
        && plan.shard.is_none()
        && selection.tools.is_empty()
        && selection.skip_tools.is_empty()
}

/// Returns the blind spots of the run, including `of_tests`, sorted.
pub(super) fn find(
    ledger: &Ledger<'_>,
    look: &Look<'_>,
    of_tests: Vec<BlindSpot>,
    around: &Around<'_>,
) -> Vec<BlindSpot> {
    let (workspace, plan) = (ledger.workspace, ledger.plan);
    let mut all: BTreeSet<_> = of_tests.into_iter().collect();
    all.extend(targets(workspace, plan, around));
    let manifests = manifests_of_others(workspace);
    let others = outermost(manifests.iter().filter_map(RelPath::parent));
    all.extend(workspaces(ledger, manifests, around));
    all.extend(left_out(workspace, plan));
    let selected: BTreeSet<_> = plan.packages.iter().copied().collect();
    let left_out = workspace.packages().filter(|(id, _)| !selected.contains(id));
    all.extend(left_out.map(|(_, package)| of_package(package, "is not selected")));
    if let Some(seen) = Seen::of(ledger) {
        all.extend(seen.packages(workspace, plan));
        all.extend(seen.features(workspace, plan));
        all.extend(seen.files(workspace, &selected, &others));
        let decided: BTreeSet<_> =
            plan.packages.iter().copied().filter(|id| !seen.not_compiled.contains(id)).collect();
        all.extend(unbuilt::not_documented(ledger, workspace, &decided, &seen.census));
        let compiled = seen.compiled();
        let own: BTreeSet<_> =
            decided.iter().copied().filter(|id| compiled.contains(&workspace.package(*id).name)).collect();
        all.extend(unbuilt::empty_in_variants(ledger, workspace, &own));
        let is_asked = seen.asked.all || !seen.asked.features.is_empty();
        all.extend(unbuilt::emptied(look, seen.decided(workspace, plan)));
        let targets = unbuilt::not_compiled(ledger, seen.decided(workspace, plan), &seen.census, is_asked);
        let untested: BTreeSet<_> = all
            .iter()
            .filter(|spot| spot.kind == BlindSpotKind::UntestedTarget)
            .map(|spot| spot.path.clone())
            .collect();
        all.extend(targets.into_iter().filter(|spot| !untested.contains(&spot.path)));
    }
    all.into_iter().collect()
}

/// Returns findings about `spots`, for runs in which they are denied.
pub(super) fn findings(spots: &[BlindSpot]) -> impl Iterator<Item = (Text, Diagnostic)> {
    spots.iter().map(|spot| {
        let diagnostic = Diagnostic {
            test: None,
            place: Place::File { path: spot.path.clone(), range: None },
            ns: OWN_NAMESPACE.into(),
            rule: spot.kind.as_str().into(),
            level: Level::Warning,
            message: spot.reason.as_str().into(),
            fatal: false,
            package: None,
            related: Vec::new(),
            fix: None,
        };
        (Tool::BLIND_SPOTS.into(), diagnostic)
    })
}

/// Coverage of all tools together.
struct Seen {
    census: Census,
    compiles: bool,
    formats: bool,
    asked: Asked,
    /// Packages for which a tool that compiles has no result. It may have compiled parts of them.
    not_compiled: BTreeSet<PackageId>,
    /// Packages for which a tool that formats has no result.
    not_formatted: BTreeSet<PackageId>,
    /// Packages that only tools have compiled which don't say what that was.
    unreported: BTreeSet<PackageId>,
}

/// Features enabled by tools that don't report what they compiled.
#[derive(Default)]
struct Asked {
    all: bool,
    features: BTreeSet<String>,
}

impl Asked {
    /// Adds the features of what cargo builds for `tool`.
    fn add_build(&mut self, ledger: &Ledger<'_>, id: ToolId, tool: &Tool) {
        let Ledger { plan, workspace, .. } = ledger;
        if tool.powerset().is_none() {
            if tool.uses_selection() {
                let selection = plan.build_of(tool).selection;
                self.all |= selection.all_features;
                let bare = |name: &String| name.rsplit('/').next().map(str::to_owned);
                self.features.extend(selection.features.iter().filter_map(bare));
            }
            return;
        }
        for task in &plan.graph.tasks[ledger.tasks_of(id)] {
            let package = task.unit.package(workspace).map(|package| workspace.package(package));
            let enabled = plan.graph.combination(task.unit).zip(package);
            let enabled = enabled.map(|(combination, package)| combination.enabled(&package.features));
            self.features.extend(enabled.into_iter().flatten().map(str::to_owned));
        }
    }

    /// Adds the features on the command line of `tool`.
    fn add(&mut self, tool: &Tool) {
        let mut words = tool.run.iter().filter_map(Arg::literal).chain(tool.args.iter().map(String::as_str));
        if words.next().is_none_or(|program| program.rsplit('/').next() != Some("cargo")) {
            return;
        }
        while let Some(word) = words.next() {
            let features = match word {
                "--" => return,
                "--all-features" | "--each-feature" | "--feature-powerset" => {
                    self.all = true;
                    continue;
                }
                "--features" | "-F" => words.next(),
                _ => word.strip_prefix("--features=").or(word.strip_prefix("-F")),
            };
            let features = features.unwrap_or_default().split([',', ' ']);
            let bare = features.map(|feature| feature.rsplit('/').next().unwrap_or(feature).to_owned());
            self.features.extend(bare.filter(|feature| !feature.is_empty()));
        }
    }
}

impl Seen {
    /// Collects the coverage. `None` if a tool has no result for some packages and it is unknown which these are.
    fn of(ledger: &Ledger<'_>) -> Option<Self> {
        let graph = &ledger.plan.graph;
        let mut seen = Self {
            census: Census::default(),
            compiles: false,
            formats: false,
            asked: Asked::default(),
            not_compiled: BTreeSet::new(),
            not_formatted: BTreeSet::new(),
            unreported: BTreeSet::new(),
        };
        for (id, tool) in graph.tools().filter(|(id, tool)| !is_uncertain(ledger, *id, tool)) {
            if ledger.has_no_task(id) {
                continue;
            }
            let (compiles, formats) = match tool.parse.work() {
                Work::Lint | Work::Build => (true, false),
                Work::Format => (false, true),
                Work::Read => continue,
                Work::RunScripts | Work::Test | Work::Unknown => {
                    if ledger.is_elsewhere(tool) {
                        continue;
                    }
                    if ledger.is_done(id) {
                        seen.asked.add(tool);
                        seen.asked.add_build(ledger, id, tool);
                    }
                    if tool.uses_selection() && unbuilt::may_compile(tool) {
                        seen.unreported.extend(ledger.plan.build_of(tool).packages);
                    }
                    continue;
                }
            };
            seen.census.add(ledger.known_census(id)?.clone());
            let open = ledger.packages_without_result(id)?;
            if compiles { &mut seen.not_compiled } else { &mut seen.not_formatted }.extend(open);
            seen.compiles |= compiles;
            seen.formats |= formats;
        }
        let compiled: BTreeSet<_> = seen.compiled().into_iter().cloned().collect();
        seen.unreported.retain(|id| !compiled.contains(&ledger.workspace.package(*id).name));
        (seen.compiles || seen.formats).then_some(seen)
    }

    /// Returns the selected members for which the compiled code is fully known.
    fn decided<'a>(&self, workspace: &'a Workspace, plan: &Plan) -> impl Iterator<Item = &'a Package> {
        let decided = plan.packages.iter().filter(|id| !self.not_compiled.contains(id));
        decided.map(|id| workspace.package(*id))
    }

    /// Returns the names of the packages that a tool compiled.
    fn compiled(&self) -> BTreeSet<&String> {
        self.census.targets.iter().map(|target| &target.package).collect()
    }

    /// Returns the selected members that no tool compiled.
    fn packages(&self, workspace: &Workspace, plan: &Plan) -> Vec<BlindSpot> {
        let compiled = self.compiled();
        let reported = plan
            .packages
            .iter()
            .filter(|id| !self.not_compiled.contains(id) && !self.unreported.contains(id));
        let packages = reported.map(|id| workspace.package(*id));
        let unseen = packages.filter(|package| self.compiles && !compiled.contains(&package.name));
        unseen.map(|package| of_package(package, "is not compiled by any tool")).collect()
    }

    /// Returns the features of selected members that no tool enabled.
    fn features(&self, workspace: &Workspace, plan: &Plan) -> Vec<BlindSpot> {
        let packages = self.decided(workspace, plan);
        let known = packages.filter_map(|package| Some((package, self.census.features.get(&package.name)?)));
        let unused = known.filter(|_| !self.asked.all).flat_map(|(package, on)| {
            let is_on = |feature: &String| on.contains(feature) || self.asked.features.contains(feature);
            let off = package.features.keys().filter(move |feature| !is_on(feature));
            off.map(move |feature| BlindSpot {
                kind: BlindSpotKind::UnusedFeature,
                path: manifest(package),
                reason: format!("no tool enabled the feature `{feature}` of `{}`", package.name),
            })
        });
        unused.collect()
    }

    /// Returns the source files of selected members that no tool formatted, and those that no tool compiled either.
    fn files(
        &self,
        workspace: &Workspace,
        selected: &BTreeSet<PackageId>,
        others: &BTreeSet<RelPath>,
    ) -> Vec<BlindSpot> {
        // Code that does not compile now may name further files, which no tool has read in this run.
        let is_of_member = |path: &RelPath| {
            let owner = workspace.owner_of(path).filter(|owner| selected.contains(owner));
            let is_known = |owner| match self.formats {
                true => !self.not_formatted.contains(&owner),
                false => !self.not_compiled.contains(&owner),
            };
            let is_known = |owner| is_known(owner) && !self.unreported.contains(&owner);
            owner.is_some_and(is_known)
        };
        let sources = workspace.files.iter().filter(|file| {
            !file.is_link && file.path.as_bytes().ends_with(b".rs") && is_of_member(&file.path)
        });
        let own = sources.filter(|file| !is_below_any(&file.path, others));
        let spots = own.filter_map(|file| {
            let is_compiled = self.census.compiled.contains(&file.path);
            let is_formatted = self.census.files.contains(&file.path);
            let (kind, reason) = match (is_compiled, is_formatted) {
                (true, false) if self.formats => {
                    (BlindSpotKind::UnformattedFile, "compiled, but not formatted by any tool")
                }
                (false, false) => (BlindSpotKind::UnseenFile, "neither compiled nor formatted by any tool"),
                _ => return None,
            };
            Some(BlindSpot { kind, path: file.path.clone(), reason: reason.to_owned() })
        });
        spots.collect()
    }
}

/// Returns true if `tool` may not run at all, because the tools that need it have cached results.
fn is_uncertain(ledger: &Ledger<'_>, id: ToolId, tool: &Tool) -> bool {
    let graph = &ledger.plan.graph;
    let needs = graph.tools().zip(&graph.needs).filter(|(_, needs)| needs.contains(&id));
    // A test program is always built, since the cached result is looked up by the program.
    let is_cached = needs
        .into_iter()
        .any(|((other, of), _)| of.is_cached() && !of.uses_executable() && !ledger.has_no_task(other));
    tool.on_demand && is_cached
}

/// Returns true if `path` is below one of `dirs`.
fn is_below_any(path: &RelPath, dirs: &BTreeSet<RelPath>) -> bool {
    let bytes = path.as_bytes();
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    !dirs.is_empty() && ends.into_iter().any(|(end, _)| dirs.contains(&RelPath::new(&bytes[..end])))
}

/// Returns the manifests in the workspace that are not those of members.
fn manifests_of_others(workspace: &Workspace) -> BTreeSet<RelPath> {
    let members: BTreeSet<_> = workspace.packages.iter().map(|package| &package.dir).collect();
    let files = workspace.files.iter().map(|file| &file.path);
    let manifests = files.filter(|path| path.file_name() == b"Cargo.toml");
    let of_others = manifests.filter(|path| {
        let dir = RelPath::new(path.dir());
        // Code copied by `cargo vendor` need not be checked.
        let is_vendored = workspace.find(&dir.join(".cargo-checksum.json")).is_some();
        let is_of_variant = workspace.others.iter().any(|other| other.root == dir);
        !dir.is_root() && !members.contains(&dir) && !is_of_variant && !is_vendored
    });
    of_others.cloned().collect()
}

/// Returns the directories among `dirs` that are not below another one.
fn outermost(dirs: impl Iterator<Item = RelPath>) -> BTreeSet<RelPath> {
    let mut dirs: Vec<_> = dirs.collect();
    dirs.sort_by_key(|dir| dir.as_bytes().len());
    let mut found: BTreeSet<RelPath> = BTreeSet::new();
    for dir in dirs {
        if !found.iter().any(|outer| dir.is_within(outer)) {
            found.insert(dir);
        }
    }
    found
}

/// Returns packages and workspaces of the repository that are not part of this workspace, unless tools built and formatted them
/// too. `all` are their manifests in the workspace.
fn workspaces(ledger: &Ledger<'_>, mut all: BTreeSet<RelPath>, around: &Around<'_>) -> Vec<BlindSpot> {
    let members: BTreeSet<_> = ledger.workspace.packages.iter().map(|package| &package.dir).collect();
    let beyond = (around.beyond)().into_iter();
    all.extend(beyond.filter(|path| !members.contains(&RelPath::new(path.dir()))));
    let (mut built, mut formatted) = (BTreeSet::new(), BTreeSet::new());
    let mut formats = false;
    for (id, tool) in ledger.plan.graph.tools() {
        formats |= tool.parse.work() == Work::Format;
        let Some(census) = ledger.known_census(id) else { continue };
        built.extend(census.targets.iter().map(|target| RelPath::new(&target.package)));
        formatted.extend(&census.files);
    }
    built.retain(|path| all.contains(path));
    let spot = |dir: &RelPath, reason: &str| BlindSpot {
        kind: BlindSpotKind::OtherWorkspace,
        path: dir.join("Cargo.toml"),
        reason: reason.to_owned(),
    };
    let mut spots = Vec::new();
    let dirs = |is_wanted: &dyn Fn(&RelPath) -> bool| {
        outermost(all.iter().filter_map(RelPath::parent).filter(|dir| is_wanted(dir)))
    };
    // The manifest of a workspace around a package that was built may have no package of its own.
    let is_built = |dir: &RelPath| built.iter().any(|built| built.is_within(dir));
    let is_formatted = |dir: &RelPath| formatted.iter().any(|path| path.is_within(dir));
    spots.extend(dirs(&|dir| !is_built(dir)).iter().map(|dir| spot(dir, "not a member of this workspace")));
    let unformatted = dirs(&|dir| formats && is_built(dir) && !is_formatted(dir));
    spots.extend(unformatted.iter().map(|dir| spot(dir, "compiled, but not formatted by any tool")));
    spots
}

/// Returns the paths that don't count as files, and the links that are not passed to tools as files.
fn left_out(workspace: &Workspace, plan: &Plan) -> Vec<BlindSpot> {
    let spot = |path: &RelPath, reason: &str| BlindSpot {
        kind: BlindSpotKind::LeftOut,
        path: path.clone(),
        reason: reason.to_owned(),
    };
    let paths = workspace.seen.left_out.iter().map(|LeftOut { path, why }| match why {
        WhyLeftOut::CacheDir => spot(path, "a directory with a `CACHEDIR.TAG` that git does not track"),
        WhyLeftOut::Untold => {
            spot(path, "git's index can't be read, so tracked files that an ignore rule matches are skipped")
        }
        WhyLeftOut::Special => spot(path, "a pipe, a socket or a device"),
    });
    let links = links_in_place_of_files(workspace, plan).into_iter().map(|id| &workspace.file(id).path);
    let links = links.filter(|path| !is_listed_elsewhere(workspace, path));
    let links = links.map(|path| spot(path, "a link whose target is not a file of this workspace"));
    paths.chain(links).chain(moved(workspace, plan)).collect()
}

/// Returns the paths that begin a glob in `files` of a tool and don't exist: they may have been moved.
fn moved(workspace: &Workspace, plan: &Plan) -> Vec<BlindSpot> {
    let tools = plan.graph.tools.iter().filter(|tool| !tool.may_be_empty);
    let globs = tools.flat_map(|tool| tool.files.iter().map(move |glob| (tool, glob)));
    let missing = globs.filter_map(|(tool, glob)| {
        let is_plain = |part: &&str| !part.contains(['*', '?', '[', '{', '\\', '!']);
        let path = glob.split('/').take_while(is_plain).collect::<Vec<_>>().join("/");
        let path = RelPath::new(path);
        let is_there = path.as_bytes().is_empty() || path.to_path(&workspace.root).symlink_metadata().is_ok();
        let reason =
            || format!("`{glob}` in `files` of {} matches nothing, and there is no `{path}`", tool.base());
        (!is_there).then(|| BlindSpot { kind: BlindSpotKind::LeftOut, path: path.clone(), reason: reason() })
    });
    missing.collect()
}

/// Returns true if the target of the link at `path` is a listed file of the workspace.
fn is_listed_elsewhere(workspace: &Workspace, path: &RelPath) -> bool {
    let real = path.to_path(&workspace.root).canonicalize().ok();
    let root = workspace.root.canonicalize().ok();
    let found = real.zip(root).and_then(|(real, root)| RelPath::between(&root, &real));
    found.and_then(|path| workspace.find(&path)).is_some_and(|id| workspace.file(id).is_unit())
}

fn of_package(package: &Package, why: &str) -> BlindSpot {
    BlindSpot {
        kind: BlindSpotKind::UnseenPackage,
        path: manifest(package),
        reason: format!("`{}` {why}", package.name),
    }
}

/// Returns libraries and test targets whose tests are disabled in the manifest.
fn targets(workspace: &Workspace, plan: &Plan, around: &Around<'_>) -> Vec<BlindSpot> {
    let mut spots = Vec::new();
    for package in plan.packages.iter().map(|id| workspace.package(*id)) {
        let Some(text) = around.manifests.get(&manifest(package)) else { continue };
        let table = String::from_utf8_lossy(text).parse::<toml::Table>().unwrap_or_default();
        let is_off =
            |target: &toml::Value, key: &str| target.get(key).and_then(toml::Value::as_bool) == Some(false);
        let mut push = |kind: TargetKind, name: Option<&str>, what: &str, key: &str| {
            let mut targets = package.targets.iter().filter(|target| target.kind == kind);
            let Some(target) = targets.find(|target| name.is_none_or(|name| target.name == name)) else {
                return;
            };
            spots.push(BlindSpot {
                kind: BlindSpotKind::UntestedTarget,
                path: target.root.clone(),
                reason: format!("`{}`: no tool runs its {what} (`{key} = false`)", package.test_name(target)),
            });
        };
        if let Some(library) = table.get("lib") {
            for (key, what) in [("test", "unit tests"), ("doctest", "doc tests")] {
                if is_off(library, key) {
                    push(TargetKind::Lib, None, what, key);
                }
            }
        }
        let tests = table.get("test").and_then(toml::Value::as_array).into_iter().flatten();
        for test in tests.filter(|test| is_off(test, "test")) {
            push(TargetKind::Test, test.get("name").and_then(toml::Value::as_str), "tests", "test");
        }
    }
    spots
}

impl Ledger<'_> {
    /// Returns true if `tool` has no task in this run.
    fn has_no_task(&self, tool: ToolId) -> bool {
        self.tasks_of(tool).is_empty()
    }

    /// Returns true if this run reports findings of this rule and checked everything that the rule depends on.
    pub(super) fn has_applied(&self, rule: &str) -> bool {
        let plan = self.plan;
        let is_of_tests = rule == tested::EMPTY;
        let is_asked = |tool: &Tool| match is_of_tests {
            true => tested::runs_tests(tool),
            false => tool.parse.work().checks_code(),
        };
        let is_denied = plan.policy.blind_spots == policy::BlindSpots::Deny;
        let mut tools = plan.graph.tools().filter(|(_, tool)| is_asked(tool));
        plan.is_full(self.workspace)
            && (is_of_tests || is_denied)
            && tools.all(|(id, _)| self.is_as_accepted(id) && self.is_done(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_on_a_cargo_command_line_count_as_enabled() {
        let asked = |run: &[&str]| {
            let mut asked = Asked::default();
            asked.add(&crate::model::testing::tool("own", crate::model::tool::Parse::ExitCode, run));
            (asked.all, asked.features.into_iter().collect::<Vec<_>>().join(" "))
        };
        let some = |features: &str| (false, features.to_owned());
        assert_eq!(
            asked(&["cargo", "+nightly", "test", "--features", "a,p/b", "-Fc", "--features=d e"]),
            some("a b c d e")
        );
        assert_eq!(asked(&["/x/cargo", "hack", "--feature-powerset", "check"]), (true, String::new()));
        assert_eq!(asked(&["cargo", "test", "--", "--all-features"]), some(""));
        assert_eq!(asked(&["make", "--all-features"]), some(""));
    }

    #[test]
    fn a_nested_workspace_is_not_reported_separately() {
        let dirs = ["b/c", "a", "a/x", "b/c/d/e", "ab"].map(RelPath::new);
        let found: Vec<_> = outermost(dirs.into_iter()).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a", "ab", "b/c"]);
    }
}
