//! Tasks, their graph and the plan: dense vectors, with indices between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use smallvec::SmallVec;

use super::digest::Digest;
use super::generator::Generated;
use super::path::RelPath;
use super::policy::{Policy, Selection};
use super::powerset::Combination;
use super::shard::ShardIndex;
use super::tool::{Tool, ToolId};
use super::variant::{Build, Variant, VariantBuild};
use super::workspace::{FileId, PackageId, Target, Workspace};

/// The part of the workspace that one task covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// The entire selection of the run.
    Workspace,
    /// A member.
    Package(PackageId),
    /// A member, built alone with the combination at this index in [`Graph::combinations`].
    Combination(PackageId, u32),
    /// A target, named by its root source file: the package, and the index of the target in it.
    TargetRoot(PackageId, u32),
    /// A single file.
    File(FileId),
}

impl Unit {
    /// Returns its combination of features among `all` of the graph, if it is built with one.
    pub fn combination(self, all: &[Combination]) -> Option<&Combination> {
        match self {
            Self::Combination(_, at) => all.get(at as usize),
            _ => None,
        }
    }

    /// Returns the path that names this unit.
    pub fn path(self, workspace: &Workspace) -> &RelPath {
        static ROOT: std::sync::LazyLock<RelPath> = std::sync::LazyLock::new(RelPath::default);
        match self {
            Self::Workspace => &ROOT,
            Self::Package(package) | Self::Combination(package, _) => &workspace.package(package).dir,
            Self::TargetRoot(..) => self.target(workspace).map_or(&ROOT, |target| &target.root),
            Self::File(file) => &workspace.file(file).path,
        }
    }

    /// Returns the target, if this unit is one.
    pub fn target(self, workspace: &Workspace) -> Option<&Target> {
        match self {
            Self::TargetRoot(package, at) => workspace.package(package).targets.get(at as usize),
            _ => None,
        }
    }

    /// Returns the package that this unit is or belongs to.
    pub fn package(self, workspace: &Workspace) -> Option<PackageId> {
        match self {
            Self::Workspace => None,
            Self::Package(package) | Self::TargetRoot(package, _) | Self::Combination(package, _) => {
                Some(package)
            }
            Self::File(file) => workspace.owners.get(file.0 as usize).copied().flatten(),
        }
    }
}

/// The content-addressed id of a task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub Digest);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An index into [`Graph::tasks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskIx(pub u32);

/// A task: a tool on a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Content-addressed id.
    pub id: TaskId,
    /// The tool.
    pub tool: ToolId,
    /// The unit.
    pub unit: Unit,
    /// Size of the unit in bytes.
    pub bytes: u64,
}

impl Task {
    /// Returns its place in the order of tasks.
    pub fn place<'w>(&self, workspace: &'w Workspace) -> (&'w RelPath, u32, TaskId) {
        let combination = if let Unit::Combination(_, at) = self.unit { at } else { 0 };
        (self.unit.path(workspace), combination, self.id)
    }
}

/// All tasks of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The tools, sorted by name.
    pub tools: Vec<Tool>,
    /// For each tool, the tools it needs, directly or not, sorted.
    pub needs: Vec<Vec<ToolId>>,
    /// The tasks, sorted by tool, then path, then combination, then id.
    pub tasks: Vec<Task>,
    /// Combinations of features that units refer to.
    pub combinations: Vec<Combination>,
    /// The comparison of each tool, which needs all tasks of that tool.
    pub compares: Vec<TaskId>,
    /// The report, which needs every comparison.
    pub report: TaskId,
    /// Digest of all task ids.
    pub hash: Digest,
}

impl Graph {
    /// Returns the task at this index.
    pub fn task(&self, at: TaskIx) -> &Task {
        &self.tasks[at.0 as usize]
    }

    /// Returns the tool with this id.
    pub fn tool(&self, id: ToolId) -> &Tool {
        &self.tools[id.0 as usize]
    }

    /// Returns the combination of features of `unit`, if it is built with one.
    pub fn combination(&self, unit: Unit) -> Option<&Combination> {
        unit.combination(&self.combinations)
    }

    /// Returns the name of `unit` in artifacts and messages: its path, and its features if it is built with a combination of them.
    pub fn name_of(&self, workspace: &Workspace, unit: Unit) -> String {
        let path = unit.path(workspace);
        match self.combination(unit) {
            Some(combination) => format!("{path} {combination}"),
            None => path.to_string(),
        }
    }

    /// Returns the tools, each after the tools it needs.
    pub fn needs_first(&self) -> Vec<ToolId> {
        needs_first(&self.needs)
    }

    /// Iterates over the tools with their ids, in order.
    pub fn tools(&self) -> impl Iterator<Item = (ToolId, &Tool)> + Clone {
        (0..).map(ToolId).zip(&self.tools)
    }
}

/// Risk of a task: how likely it is to fail, in points by criterion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Risk {
    /// Points because the unit changed since the revision of `--since`.
    pub changed: u32,
    /// Points for accepted findings.
    pub findings: u32,
    /// Points for members that depend on its package.
    pub dependents: u32,
    /// Points for the weight of the tool.
    pub weight: u32,
}

impl Risk {
    /// Returns the sum of the points.
    pub fn value(&self) -> u32 {
        self.changed + self.findings + self.dependents + self.weight
    }

    /// Returns the class: 0 critical, 1 high, 2 medium, 3 low.
    pub fn class(&self) -> u32 {
        match self.value() {
            100.. => 0,
            40.. => 1,
            10.. => 2,
            _ => 3,
        }
    }
}

/// Returns the tools in topological order. There are no cycles, because the configuration rejects them.
pub(crate) fn needs_first(needs: &[Vec<ToolId>]) -> Vec<ToolId> {
    let mut done = vec![false; needs.len()];
    let mut order = Vec::with_capacity(needs.len());
    while let Some(ready) =
        (0..needs.len()).find(|&at| !done[at] && needs[at].iter().all(|need| done[need.0 as usize]))
    {
        done[ready] = true;
        order.push(ToolId(ready as u32));
    }
    debug_assert_eq!(order.len(), needs.len(), "the configuration rejects cycles");
    order
}

/// A step: one process that runs a tool on some of its units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The tool.
    pub tool: ToolId,
    /// Tasks, in the order of the plan. A plan may have a million steps, most of them with one task.
    pub tasks: SmallVec<[TaskIx; 4]>,
}

/// Id of a step in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId {
    /// The rank of the batch.
    pub rank: u32,
    /// Position in the batch.
    pub at: u32,
}

/// A batch: steps that run one after another. The scheduler admits batches as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBatch {
    /// Digest of the list of steps.
    pub id: Digest,
    /// Class of its most urgent task. All batches of a lower class rank first.
    pub class: u32,
    /// Highest risk of its tasks, under `risk-first`.
    pub risk: Option<u32>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// The shard of a plan that a run executes. A step that others need is part of each shard that has one of those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The shard and the number of shards.
    pub of: ShardIndex,
    /// Digest of the whole partition.
    pub partition: Digest,
    /// Digest of the recorded durations that balance the partition, if there are any.
    pub balance: Option<Digest>,
    /// Steps of this shard, sorted.
    pub steps: Vec<StepId>,
    /// For each task of the plan, whether it belongs to one of the steps.
    pub tasks: Vec<bool>,
}

impl Shard {
    /// Returns true if `task` belongs to this shard.
    pub fn has(&self, task: TaskIx) -> bool {
        self.tasks.get(task.0 as usize).copied().unwrap_or_default()
    }
}

/// The builds of all tools.
#[derive(Clone, Copy, Debug)]
pub struct Builds<'a> {
    /// The build of tools without a variant.
    pub default: Build<'a>,
    /// The same, with the packages of all workspaces, for tools that look at files.
    pub all: Build<'a>,
    /// Those of the variants, by name.
    pub variants: &'a BTreeMap<String, VariantBuild>,
}

impl<'a> Builds<'a> {
    /// Creates the builds of `variants` and, of the others, `all` with the packages of all workspaces. There are this many `members`.
    pub fn new(all: Build<'a>, members: usize, variants: &'a BTreeMap<String, VariantBuild>) -> Self {
        let own = |ids: &'a [PackageId]| &ids[..ids.partition_point(|id| (id.0 as usize) < members)];
        let Build { whole, asked, packages, .. } = all;
        let default = Build { whole: own(whole), asked: own(asked), packages: own(packages), ..all };
        Self { default, all, variants }
    }

    /// Returns what cargo builds for `tool`.
    pub fn of(&self, tool: &Tool) -> Build<'a> {
        let default = if tool.looks_at_files() { self.all } else { self.default };
        let variant = tool.variant.as_ref().and_then(|variant| self.variants.get(&variant.name));
        variant.map_or(default, VariantBuild::as_build)
    }
}

/// A plan: the ranked batches of a graph under a policy. The rank of a batch is its index in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The tasks.
    pub graph: Graph,
    /// The policy of the plan.
    pub policy: Policy,
    /// The selection.
    pub selection: Selection,
    /// All packages, sorted: members, followed by those of the other workspaces that variants build.
    pub all: Vec<PackageId>,
    /// Number of members.
    pub members: usize,
    /// Selected packages, sorted.
    pub asked: Vec<PackageId>,
    /// Packages that are checked, sorted. Under `--since`, the selected packages that changed, and their
    /// dependents.
    pub packages: Vec<PackageId>,
    /// Builds of the variants, by name. The default build is that of the selection.
    pub variants: BTreeMap<String, VariantBuild>,
    /// True if `--since` may have left something out.
    pub is_narrowed: bool,
    /// Namespaces of tools that are configured but not part of this run.
    pub unasked: BTreeSet<String>,
    /// One entry per task under `risk-first`, empty otherwise.
    pub risks: Vec<Risk>,
    /// Batches by rank.
    pub batches: Vec<PlannedBatch>,
    /// Digest of all batches in rank order.
    pub batch_id: Digest,
    /// The shard to run; `None` to run everything.
    pub shard: Option<Arc<Shard>>,
}

impl Plan {
    /// Returns the step with this id.
    pub fn step(&self, id: StepId) -> &Step {
        &self.batches[id.rank as usize].steps[id.at as usize]
    }

    /// Iterates over the steps in rank order.
    pub fn steps(&self) -> impl Iterator<Item = StepId> {
        (0..)
            .zip(&self.batches)
            .flat_map(|(rank, batch)| (0..batch.steps.len() as u32).map(move |at| StepId { rank, at }))
    }

    /// Returns what cargo builds for `tool`.
    pub fn build_of(&self, tool: &Tool) -> Build<'_> {
        self.builds().of(tool)
    }

    /// Returns what cargo builds for each tool.
    pub fn builds(&self) -> Builds<'_> {
        let Self { selection, all: whole, asked, packages, variants, .. } = self;
        Builds::new(Build { workspace: None, selection, whole, asked, packages }, self.members, variants)
    }

    /// Returns what cargo builds for tools without a variant.
    pub fn default_build(&self) -> Build<'_> {
        self.builds().default
    }

    /// Returns the names of the variants in which the tool called `base` runs, sorted, if there are several.
    pub fn variants_of(&self, base: &str) -> Option<Vec<&str>> {
        let mut names: Vec<_> =
            self.graph.tools.iter().filter(|tool| tool.base() == base).map(Tool::variant_name).collect();
        names.sort_unstable();
        (names.len() > 1 || names.first().is_some_and(|name| *name != Variant::DEFAULT)).then_some(names)
    }

    /// Returns true if every package is selected.
    pub fn is_whole(&self, workspace: &Workspace) -> bool {
        self.packages.len() == workspace.packages.len()
    }

    /// Returns true if this run executes the task, which it does not if the task belongs to another shard.
    pub fn is_here(&self, task: TaskIx) -> bool {
        self.shard.as_ref().is_none_or(|shard| shard.has(task))
    }

    /// Returns true if this run executes the step.
    pub fn has_here(&self, step: &Step) -> bool {
        step.tasks.iter().all(|task| self.is_here(*task))
    }

    /// Returns true if the run covers the whole workspace: every member, unchanged files and all tests as well.
    pub fn looks_at_all(&self, workspace: &Workspace) -> bool {
        !self.is_narrowed && !self.is_filtered() && self.shard.is_none() && self.is_whole(workspace)
    }

    /// Returns true if only tests with certain names run.
    pub fn is_filtered(&self) -> bool {
        !self.selection.filters.is_empty()
    }

    /// Returns true if the run covers the whole workspace with all tools.
    pub fn is_full(&self, workspace: &Workspace) -> bool {
        self.looks_at_all(workspace)
            && self.selection.tools.is_empty()
            && self.selection.skip_tools.is_empty()
            && self.selection.variants.is_empty()
    }
}

/// Exit status of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

/// Output and exit status of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit status.
    pub exit: Exit,
    /// True if a process that it started still held the output open after its exit.
    pub is_leaky: bool,
    /// The files that it generated, if it is a generator that has run to its end.
    pub generated: Option<Arc<Generated>>,
}

/// A test binary made by a build, with the environment that cargo would give it in addition to the variables
/// of its package. Contains absolute paths, so it is not part of any id or artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The target: its package, and its index there.
    pub target: (PackageId, u32),
    /// Absolute path of the binary.
    pub path: PathBuf,
    /// Environment variables: those set by the build script of the package, and paths of its binaries.
    pub vars: Vec<(String, String)>,
    /// Directories with libraries, in search order.
    pub lib_dirs: Vec<PathBuf>,
}

/// Reason why a task has no result if its program was to be built by another tool, and was not.
pub const NOT_BUILT: &str = "tests not run because they failed to build";

/// Status of a finished task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The unit was checked, without findings.
    Clean,
    /// The unit was checked, with findings.
    Findings,
    /// There was nothing to check, because cargo does not build the unit in this run.
    Skipped(String),
    /// The tool ran, but could not check all of the unit.
    Incomplete(String),
    /// The tool is not installed.
    Missing(String),
    /// The tool exceeded its time limit.
    TimedOut(String),
    /// A signal ended the tool, or it could not be started.
    Crashed(String),
    /// A process that the tool started held its output open after it had ended.
    Leaky,
    /// The output could not be parsed.
    Unparsable(String),
    /// An input of the task changed while the tool ran.
    InputChanged(String),
    /// The run ended before the task started.
    NotRun(String),
}

impl Status {
    /// Returns the name in artifacts.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Findings => "findings",
            Self::Skipped(_) => "skipped",
            Self::Incomplete(_) => "incomplete",
            Self::Missing(_) => "missing",
            Self::TimedOut(_) => "timed-out",
            Self::Leaky => "leaky",
            Self::Crashed(_) => "crashed",
            Self::Unparsable(_) => "unparsable",
            Self::InputChanged(_) => "input-changed",
            Self::NotRun(_) => "not-run",
        }
    }

    /// Returns the status with the name `word` and this reason, or `None` for an unknown name.
    pub fn read(word: &str, reason: Option<&str>) -> Option<Self> {
        let why = || reason.unwrap_or_default().to_owned();
        let all = [
            Self::Clean,
            Self::Findings,
            Self::Skipped(why()),
            Self::Incomplete(why()),
            Self::Missing(why()),
            Self::TimedOut(why()),
            Self::Crashed(why()),
            Self::Leaky,
            Self::Unparsable(why()),
            Self::InputChanged(why()),
            Self::NotRun(why()),
        ];
        all.into_iter().find(|status| status.as_str() == word)
    }

    /// Returns true if the tool checked all of the unit. This is false if there was nothing to check.
    pub fn is_verdict(&self) -> bool {
        matches!(self, Self::Clean | Self::Findings)
    }

    /// Returns the severity. The status of several tasks is the one with the greatest severity.
    pub fn severity(&self) -> u8 {
        match self {
            Self::Skipped(_) => 0,
            Self::Clean => 1,
            Self::Findings => 2,
            Self::Incomplete(_) => 3,
            Self::InputChanged(_) => 4,
            Self::Leaky => 5,
            Self::Unparsable(_) => 6,
            Self::TimedOut(_) => 7,
            Self::Crashed(_) => 8,
            Self::Missing(_) => 9,
            Self::NotRun(_) => 10,
        }
    }

    /// Returns the exit status of the task: 0 clean or nothing to check, 1 findings, 3 no result.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Clean | Self::Skipped(_) => 0,
            Self::Findings => 1,
            _ => 3,
        }
    }

    /// Returns the reason why there is no result.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Clean | Self::Findings => None,
            Self::Leaky => {
                Some("left a process running that held its output open, so its output may be incomplete")
            }
            Self::Skipped(why)
            | Self::Incomplete(why)
            | Self::Missing(why)
            | Self::TimedOut(why)
            | Self::Crashed(why)
            | Self::Unparsable(why)
            | Self::InputChanged(why)
            | Self::NotRun(why) => Some(why),
        }
    }
}
