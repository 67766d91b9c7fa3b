//! Puts the results of several shards together: which of them count, and whether they belong together.

use std::collections::{BTreeMap, BTreeSet};

use super::format::{Header, ResultLine, StepLine, ToolLine};
use super::read::{Damage, ReadShard};
use crate::cache::Discovered;
use crate::model::census::{Census, Group, TestNames, Totals};
use crate::model::digest::Digest;
use crate::model::finding::Diagnostic;
use crate::model::shard::ShardIndex;
use crate::model::task::{Plan, StepId};
use crate::model::tool::{Tool, ToolId};
use crate::pipeline::finished;
use crate::pipeline::new_lints::Newer;
use crate::pipeline::results::BuiltFor;
use crate::plan::partition_digest;
use crate::report::{Difference, difference};
use crate::workspace::LoadError;

/// Error from merging shards.
#[derive(Debug, thiserror::Error)]
pub enum NotMerged {
    /// There is none.
    #[error("no shard found")]
    None,
    /// Some can't be used.
    #[error("damaged shards")]
    Damaged(Vec<Damage>),
    /// A newer version of genti wrote one.
    #[error("`{file}` has schema {found}, which is newer than this version of genti supports; update genti")]
    Newer {
        /// Name of the file.
        file: String,
        /// Its schema.
        found: u32,
    },
    /// They are of another checkout, other flags, or differ from each other.
    #[error("shards that do not belong together")]
    Drift(Vec<ShardDifference>),
    /// Several have different results of the same step.
    #[error("shards contradict each other")]
    Conflict(Vec<Conflict>),
    /// A source file with findings can't be read.
    #[error(transparent)]
    Source(#[from] LoadError),
    /// The merge was stopped.
    #[error("the merge was stopped")]
    Halted,
}

/// A difference between a shard and this checkout, or another shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardDifference {
    /// Name of the file.
    pub file: String,
    /// Description of the value.
    pub what: String,
    /// Value in the shard.
    pub found: String,
    /// Value elsewhere.
    pub expected: String,
    /// Name of the other shard; `None` for this checkout.
    pub other: Option<String>,
}

/// Different results of the same tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Name of the tool.
    pub tool: String,
    /// Names of two files with different results.
    pub files: [String; 2],
}

/// Checks that all shards are of the plan and the checkout that `expected` describes, and agree with each other.
pub(super) fn compare(expected: &Header, shards: &[ReadShard]) -> Vec<ShardDifference> {
    let mut all = Vec::new();
    for shard in shards {
        let Header { genti, graph_hash, batch_id, files, .. } = expected;
        let own = &shard.header;
        let mut check = |what: &str, found: String, expected: String| {
            let (file, what) = (shard.name.clone(), what.to_owned());
            if found != expected {
                all.push(ShardDifference { file, what, found, expected, other: None });
            }
        };
        check("the version of genti", own.genti.clone(), genti.clone());
        check("graph_hash", own.graph_hash.to_string(), graph_hash.to_string());
        check("batch_id", own.batch_id.to_string(), batch_id.to_string());
        check("the digest of all files", own.files.to_string(), files.to_string());
        let names =
            |tools: &[ToolLine]| tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>().join(", ");
        check("the list of tools", names(&own.tools), names(&expected.tools));
        let settings =
            [("policy", &own.policy, &expected.policy), ("selection", &own.selection, &expected.selection)];
        for (name, own, expected) in settings {
            let Some(Difference { place, left, right, .. }) = difference(own, expected) else { continue };
            // The texts may be the same, because long values are cut.
            let (found, expected) = (finished::text(left), finished::text(right));
            let (file, what) = (shard.name.clone(), format!("{name}.{place}"));
            all.push(ShardDifference { file, what, found, expected, other: None });
        }
    }
    let Some((first, rest)) = shards.split_first() else { return all };
    for shard in rest {
        let mut check = |what: &str, found: String, expected: String| {
            if found != expected {
                all.push(differs(shard, what, found, expected, first));
            }
        };
        let (own, known) = (&shard.header, &first.header);
        check("the number of shards", own.count.to_string(), known.count.to_string());
        check("the digest of the recorded durations", text(own.balance), text(known.balance));
        check("the digest of the partition", own.partition.to_string(), known.partition.to_string());
        let command = |header: &Header| if header.gate { "check" } else { "run" }.to_owned();
        check("the command", command(own), command(known));
    }
    all
}

fn differs(
    shard: &ReadShard,
    what: &str,
    found: String,
    expected: String,
    other: &ReadShard,
) -> ShardDifference {
    let other = Some(other.name.clone());
    ShardDifference { file: shard.name.clone(), what: what.to_owned(), found, expected, other }
}

fn text(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string())
}

/// Returns the indices without a shard. Those that have no step need none.
///
/// # Errors
///
/// If the steps of the shards are not those of the partition.
pub(super) fn missing(plan: &Plan, shards: &[ReadShard]) -> Result<Vec<ShardIndex>, Damage> {
    let Some(Header { count, partition, balance, .. }) = shards.first().map(|shard| &shard.header) else {
        return Ok(Vec::new());
    };
    let mut steps: BTreeMap<u32, Vec<StepId>> = BTreeMap::new();
    let damage = |shard: &ReadShard, message: &str| Damage {
        file: shard.name.clone(),
        line: 1,
        message: message.to_owned(),
    };
    for shard in shards {
        let index = shard.header.index;
        let own = shard.steps();
        if steps.get(&index).is_some_and(|known| *known != own) {
            return Err(damage(shard, "has other steps than another file of the same shard"));
        }
        steps.insert(index, own);
    }
    let absent: Vec<_> = (1..=*count).filter(|index| !steps.contains_key(index)).collect();
    let of = |index| steps.get(&index).map_or(&[][..], Vec::as_slice);
    let lists: Vec<_> = (1..=*count).map(of).collect();
    let is_whole = partition_digest(plan.batch_id, *balance, lists.into_iter()) == *partition;
    match (is_whole, absent.is_empty()) {
        (true, _) => Ok(Vec::new()),
        (false, true) => Err(damage(&shards[0], "the steps of the shards are not those of their partition")),
        (false, false) => Ok(absent.into_iter().map(|index| ShardIndex { index, count: *count }).collect()),
    }
}

/// The shard whose result of a step counts, and the line.
pub(super) type Chosen<'a> = BTreeMap<StepId, (usize, &'a StepLine)>;

/// Returns the results that count. If several shards have a step, a verdict outranks a missing one.
///
/// # Errors
///
/// If several verdicts differ.
pub(super) fn choose<'a>(
    plan: &Plan,
    shards: &'a [ReadShard],
    home: &str,
) -> Result<Chosen<'a>, Vec<Conflict>> {
    let mut candidates: BTreeMap<StepId, Vec<(usize, &StepLine)>> = BTreeMap::new();
    for (at, shard) in shards.iter().enumerate() {
        for line in &shard.steps {
            candidates.entry(line.id()).or_default().push((at, line));
        }
    }
    let (mut chosen, mut conflicts) = (BTreeMap::new(), Vec::new());
    for (id, all) in candidates {
        let tool = plan.graph.tool(plan.step(id).tool);
        let verdicts: Vec<_> = all.iter().filter(|(_, line)| rank(tool, line) == Rank::Verdict).collect();
        if let [(first, line), others @ ..] = &verdicts[..]
            && !others.is_empty()
        {
            let expected = Verdict::of(line);
            let other = others.iter().find(|(_, line)| Verdict::of(line) != expected);
            conflicts.extend(other.map(|(other, _)| Conflict {
                tool: tool.name.clone(),
                files: [shards[*first].name.clone(), shards[*other].name.clone()],
            }));
        }
        // A result of another system can contradict, but it only counts for what does not run here.
        let is_limited = tool.variant.as_ref().is_some_and(|variant| !variant.on.is_empty());
        let counts = |(at, _): &&(usize, &StepLine)| is_limited || shards[*at].header.system == home;
        let best = all.iter().filter(counts).max_by_key(|(at, line)| {
            (rank(tool, line), shards[*at].header.system == home, std::cmp::Reverse(*at))
        });
        chosen.extend(best.map(|best| (id, *best)));
    }
    if conflicts.is_empty() { Ok(chosen) } else { Err(conflicts) }
}

/// Completeness of a shard's results of a step, from the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// At least one task has no verdict.
    Open,
    /// There was nothing to do.
    Skipped,
    /// Every task has a verdict.
    Verdict,
}

fn rank(tool: &Tool, line: &StepLine) -> Rank {
    let is_skipped = |result: &ResultLine| result.status.as_deref() == Some("skipped");
    let is_open =
        |result: &ResultLine| result.not_built || result.status.is_some() || !result.gaps.is_empty();
    let results = &line.results;
    if results.iter().all(is_skipped) || tool.on_demand && results.iter().all(|result| result.cached) {
        Rank::Skipped
    } else if results.iter().any(is_open) {
        Rank::Open
    } else {
        Rank::Verdict
    }
}

/// The result of a step, as far as it must be the same on several machines.
#[derive(PartialEq)]
struct Verdict {
    diagnostics: BTreeSet<Diagnostic>,
    totals: Totals,
    names: BTreeMap<Group, TestNames>,
}

impl Verdict {
    fn of(line: &StepLine) -> Self {
        let diagnostics = line.results.iter().flat_map(|result| &result.diagnostics);
        // How many compilations propose a fix depends on what cargo had to compile.
        let diagnostics = diagnostics.map(|found| Diagnostic { fix: None, ..found.clone() }).collect();
        let mut census = Census::default();
        line.results.iter().for_each(|result| census.add(result.census.clone()));
        Self { diagnostics, totals: census.totals(), names: census.names }
    }
}

/// The machines that the results of each tool are from.
pub(super) struct Machines {
    /// Version of each tool.
    pub(super) versions: Vec<Option<String>>,
    /// Facts about each tool whose version is not the locked one.
    pub(super) newer: Vec<Option<Newer>>,
    /// Builds of each tool.
    pub(super) builds: Vec<BuiltFor>,
}

/// Returns the versions and builds of the tools. Also returns the differences between the shards that have results of a tool.
pub(super) fn machines(
    plan: &Plan,
    shards: &[ReadShard],
    chosen: &Chosen<'_>,
    home: &str,
) -> (Machines, Vec<ShardDifference>) {
    let mut suppliers: BTreeMap<ToolId, BTreeSet<usize>> = BTreeMap::new();
    for (id, (at, _)) in chosen {
        suppliers.entry(plan.step(*id).tool).or_default().insert(*at);
    }
    let mut differences = Vec::new();
    let mut machines = Machines { versions: Vec::new(), newer: Vec::new(), builds: Vec::new() };
    let mut built: BTreeMap<&str, (usize, &BuiltFor)> = BTreeMap::new();
    let default = shards.iter().position(|shard| shard.header.system == home).unwrap_or_default();
    for (id, tool) in plan.graph.tools() {
        let own: Vec<_> = suppliers.get(&id).into_iter().flatten().copied().collect();
        let version = |at: usize| &shards[at].header.tools[id.0 as usize].version;
        let first = own.first().copied().unwrap_or(default);
        // A machine without a result of the tool need not have it.
        let states = |at: &usize| own.contains(at) || !own.is_empty() && version(*at).is_some();
        if let Some(other) = (0..shards.len()).filter(states).find(|at| version(*at) != version(first)) {
            let text = |at| version(at).clone().unwrap_or_else(|| "unknown".to_owned());
            let what = format!("the version of {}", tool.name);
            differences.push(differs(&shards[other], &what, text(other), text(first), &shards[first]));
        }
        let known = (0..shards.len()).find_map(|at| version(at).clone());
        machines.versions.push(if own.is_empty() { known } else { version(first).clone() });
        // Tools of the same version have the same rules.
        machines.newer.push(shards[first].header.tools[id.0 as usize].newer.clone());
        let name = tool.variant_name();
        let builds = |at: usize| shards[at].header.builds.get(name);
        for at in own {
            let Some(build) = builds(at) else { continue };
            let (other, expected) = *built.entry(name).or_insert((at, build));
            if expected != build {
                let (what, found, expected) = difference_of_builds(build, expected);
                let what = format!("{what} of the variant `{name}`");
                differences.push(differs(&shards[at], &what, found, expected, &shards[other]));
            }
        }
        machines.builds.push(builds(first).cloned().unwrap_or_default());
    }
    differences.dedup();
    (machines, differences)
}

/// Returns the property in which two builds differ, and its values.
fn difference_of_builds(one: &BuiltFor, other: &BuiltFor) -> (&'static str, String, String) {
    let unknown = || "unknown".to_owned();
    if one.target != other.target {
        let target = |build: &BuiltFor| build.target.clone().unwrap_or_else(unknown);
        return ("the target", target(one), target(other));
    }
    if one.profiles != other.profiles {
        let only = |own: &BuiltFor, beside: &BuiltFor| {
            let own = own.profiles.iter().filter(|(name, value)| beside.profiles.get(*name) != Some(value));
            let names: Vec<_> = own.map(|(name, _)| name.as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        return ("the variables for cargo's profiles", only(one, other), only(other, one));
    }
    // There are many, and most are the same.
    let only = |own: &BuiltFor, beside: &BuiltFor| {
        let beside = beside.cfgs.clone().unwrap_or_default();
        let only = |cfgs: &BTreeSet<String>| cfgs.difference(&beside).cloned().collect::<Vec<_>>().join(", ");
        own.cfgs.as_ref().map_or_else(unknown, only)
    };
    ("the conditions that compiler flags set", only(one, other), only(other, one))
}

/// Returns the inputs beyond the listed files that several shards read with different content.
pub(super) fn inputs(shards: &[ReadShard], chosen: &Chosen<'_>) -> Vec<ShardDifference> {
    let mut seen: BTreeMap<String, (usize, Option<Digest>)> = BTreeMap::new();
    let mut differences = Vec::new();
    for (at, line) in chosen.values() {
        for input in line.inputs.iter().flat_map(|(_, inputs)| inputs) {
            let (what, digest) = match input {
                Discovered::File(path, digest) => (format!("the content of {path}"), *digest),
                Discovered::Directory(path, digest) => (format!("the content of {path}"), Some(*digest)),
                Discovered::Variable(name, digest) => (format!("the variable {name}"), *digest),
                // A build script may generate something else on each machine. All files are in the header.
                Discovered::Generated(..) | Discovered::Everything(_) => continue,
                // What an observed test saw of its machine, which may differ from that of another test.
                Discovered::Seen(..)
                | Discovered::Listed(..)
                | Discovered::Content(..)
                | Discovered::Built(..)
                | Discovered::Until(_) => continue,
            };
            let (other, expected) = *seen.entry(what.clone()).or_insert((*at, digest));
            if expected != digest {
                differences.push(differs(&shards[*at], &what, text(digest), text(expected), &shards[other]));
            }
        }
    }
    differences.dedup();
    differences
}
