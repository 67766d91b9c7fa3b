//! Tasks, the graph of them, and the plan that runs it: dense vectors and indices into them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::digest::Digest;
use super::path::RelPath;
use super::policy::{Policy, Selection};
use super::tool::{Tool, ToolId};
use super::workspace::{FileId, PackageId, Target, Workspace};

/// What one task covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// The run's whole selection.
    Workspace,
    /// A member.
    Package(PackageId),
    /// A target, named by its root source file: the package, and the index of the target in it.
    TargetRoot(PackageId, u32),
    /// A file.
    File(FileId),
}

impl Unit {
    /// The path that names this unit.
    pub fn path(self, workspace: &Workspace) -> &RelPath {
        static ROOT: std::sync::LazyLock<RelPath> = std::sync::LazyLock::new(RelPath::default);
        match self {
            Self::Workspace => &ROOT,
            Self::Package(package) => &workspace.package(package).dir,
            Self::TargetRoot(..) => self.target(workspace).map_or(&ROOT, |target| &target.root),
            Self::File(file) => &workspace.file(file).path,
        }
    }

    /// The target, if this is one.
    pub fn target(self, workspace: &Workspace) -> Option<&Target> {
        match self {
            Self::TargetRoot(package, at) => workspace.package(package).targets.get(at as usize),
            _ => None,
        }
    }

    /// The package that this unit is or belongs to.
    pub fn package(self, workspace: &Workspace) -> Option<PackageId> {
        match self {
            Self::Workspace => None,
            Self::Package(package) | Self::TargetRoot(package, _) => Some(package),
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

/// A tool on a unit: scanned, then normalized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The tool.
    pub tool: ToolId,
    /// The unit.
    pub unit: Unit,
    /// The size in bytes of what the unit covers.
    pub bytes: u64,
}

/// All tasks of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The tools, sorted by name.
    pub tools: Vec<Tool>,
    /// For each tool, the tools whose scans come first, directly or not, sorted.
    pub needs: Vec<Vec<ToolId>>,
    /// Scan and normalize: sorted by tool, then path, then id.
    pub tasks: Vec<Task>,
    /// The compare task of each tool; it needs all tasks of that tool.
    pub compares: Vec<TaskId>,
    /// The report task; it needs every compare task.
    pub report: TaskId,
    /// Covers every task.
    pub hash: Digest,
}

impl Graph {
    /// The task with this index.
    pub fn task(&self, at: TaskIx) -> &Task {
        &self.tasks[at.0 as usize]
    }

    /// The tool with this id.
    pub fn tool(&self, id: ToolId) -> &Tool {
        &self.tools[id.0 as usize]
    }

    /// The tools, each after what it needs.
    pub fn needs_first(&self) -> Vec<ToolId> {
        needs_first(&self.needs)
    }

    /// Every tool with its id, in order.
    pub fn tools(&self) -> impl Iterator<Item = (ToolId, &Tool)> {
        (0..).map(ToolId).zip(&self.tools)
    }
}

/// How likely a task is to fail: points by what they are given for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Risk {
    /// The unit changed since `--since`.
    pub changed: u32,
    /// It has accepted findings.
    pub findings: u32,
    /// Members depend on its package.
    pub dependents: u32,
    /// The tool weighs more than one.
    pub weight: u32,
}

impl Risk {
    /// The sum of the parts.
    pub fn value(&self) -> u32 {
        self.changed + self.findings + self.dependents + self.weight
    }

    /// 0 critical, 1 high, 2 medium, 3 low.
    pub fn class(&self) -> u32 {
        match self.value() {
            100.. => 0,
            40.. => 1,
            10.. => 2,
            _ => 3,
        }
    }
}

/// Indices in an order in which each comes after what it needs. There are no circles: the configuration refuses
/// them.
pub(crate) fn needs_first(needs: &[Vec<ToolId>]) -> Vec<ToolId> {
    let mut done = vec![false; needs.len()];
    let mut order = Vec::with_capacity(needs.len());
    while let Some(ready) =
        (0..needs.len()).find(|&at| !done[at] && needs[at].iter().all(|need| done[need.0 as usize]))
    {
        done[ready] = true;
        order.push(ToolId(ready as u32));
    }
    debug_assert_eq!(order.len(), needs.len(), "the configuration refuses circles");
    order
}

/// One process: a tool over some of its units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The tool.
    pub tool: ToolId,
    /// Its tasks, in the order of the plan.
    pub tasks: Vec<TaskIx>,
}

/// A step of a plan: the rank of its batch, and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId {
    /// The rank of the batch.
    pub rank: u32,
    /// The place in the batch.
    pub at: u32,
}

/// Steps that run one after the other: the unit of admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBatch {
    /// Covers the list of steps.
    pub id: Digest,
    /// What the order policy puts strictly first (0) or later: that of its most urgent task.
    pub class: u32,
    /// The highest risk of its tasks, under `risk-first`.
    pub risk: Option<u32>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// The ranked batches of a graph under a policy. The rank of a batch is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The tasks.
    pub graph: Graph,
    /// The policy it was planned under.
    pub policy: Policy,
    /// What was asked for.
    pub selection: Selection,
    /// The packages that were asked for, sorted.
    pub asked: Vec<PackageId>,
    /// Those of them that are looked at, sorted: under `--since`, what changed and what depends on it.
    pub packages: Vec<PackageId>,
    /// Whether `--since` may have left something out.
    pub is_narrowed: bool,
    /// The namespaces that tools speak for which are configured but no part of this run.
    pub unasked: BTreeSet<String>,
    /// One entry a task under `risk-first`, else none.
    pub risks: Vec<Risk>,
    /// The batches by rank.
    pub batches: Vec<PlannedBatch>,
    /// Covers all batches in rank order.
    pub batch_id: Digest,
}

impl Plan {
    /// The step with this id.
    pub fn step(&self, id: StepId) -> &Step {
        &self.batches[id.rank as usize].steps[id.at as usize]
    }

    /// Every step, in rank order.
    pub fn steps(&self) -> impl Iterator<Item = StepId> {
        (0..)
            .zip(&self.batches)
            .flat_map(|(rank, batch)| (0..batch.steps.len() as u32).map(move |at| StepId { rank, at }))
    }

    /// Whether every member of the workspace is selected.
    pub fn is_whole(&self, workspace: &Workspace) -> bool {
        self.packages.len() == workspace.packages.len()
    }

    /// Whether nothing of the workspace is left out: neither a member, nor what did not change.
    pub fn looks_at_all(&self, workspace: &Workspace) -> bool {
        !self.is_narrowed && self.is_whole(workspace)
    }

    /// Whether nothing is left out: no tool, either.
    pub fn is_full(&self, workspace: &Workspace) -> bool {
        self.looks_at_all(workspace)
            && self.selection.tools.is_empty()
            && self.selection.skip_tools.is_empty()
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// What a process left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub exit: Exit,
    /// Whether something that it started still held its output open when it had ended.
    pub is_leaky: bool,
}

/// A test program that a build has made, and what cargo would let it see beside the variables of its package.
/// Holds absolute paths: reaches no id and no artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The target: its package, and its index in it.
    pub target: (PackageId, u32),
    /// Where the program is.
    pub path: PathBuf,
    /// Variables: what the package's build script said, and where its binaries are.
    pub vars: Vec<(String, String)>,
    /// Where libraries were built, the first first.
    pub lib_dirs: Vec<PathBuf>,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Judged: nothing found.
    Clean,
    /// Judged: something found.
    Findings,
    /// There was nothing to judge: cargo does not build it as the run is set up.
    Skipped(String),
    /// The tool ran, but could not judge all of the unit.
    Incomplete(String),
    /// The tool is not installed.
    Missing(String),
    /// The tool took too long.
    TimedOut(String),
    /// The tool died by a signal or could not be started.
    Crashed(String),
    /// Something that the tool started held its output open after it had ended.
    Leaky,
    /// The output could not be read.
    Unparsable(String),
    /// Something that decides the result has changed while the tool ran.
    InputChanged(String),
    /// The run ended before its turn.
    NotRun(String),
}

impl Status {
    /// As written in artifacts.
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

    /// The status that is written as `word`, with this reason; `None` if there is none.
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

    /// Whether the tool came to a verdict on all of the unit. Where there was nothing to judge, it did not.
    pub fn is_verdict(&self) -> bool {
        matches!(self, Self::Clean | Self::Findings)
    }

    /// Of several, the one with the greatest severity counts.
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

    /// The exit status of the task: 0 clean or nothing to judge, 1 findings, 3 no verdict.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Clean | Self::Skipped(_) => 0,
            Self::Findings => 1,
            _ => 3,
        }
    }

    /// Why there is no verdict, in words.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Clean | Self::Findings => None,
            Self::Leaky => Some("left something running that held its output open: some of it may be lost"),
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
