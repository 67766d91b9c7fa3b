//! Divides the steps of a plan into shards, so that several machines can share a run.
//!
//! # Overview
//!
//! A pure function of the plan, the number of shards and, optionally, recorded durations. So every machine computes the same
//! partition, and none needs to talk to another.
//!
//! A step that no other tool needs belongs to exactly one shard. A tool that others need, such as the build of the tests, is
//! *setup*: all its steps belong to each shard that has a step of those others, because a build can't be used on another machine.
//!
//! # Algorithm
//!
//! Steps are placed from the most to the least expensive, each where the load is lowest afterwards (the LPT rule), and setup that
//! a shard lacks counts as load. On its own, this would repeat a build on every shard, since that rarely makes the longest shard
//! longer. So the number of shards per setup is limited. It starts at one and grows while that [pays](PAYS): as long as each
//! repetition shortens the longest shard by a quarter of what it costs, and all repetitions together cost at most
//! [half](MOST_REPEATED) of an undivided run.
//!
//! # Costs
//!
//! With recorded durations, the cost of a task is its share of the time of the process that ran it. A task without a record costs
//! as much as the average of its tool or, without one, of all tasks. Without recorded durations, the cost follows from the weight
//! of the tool and the size of its files, and compiling counts [many times](COMPILES).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::shard::ShardIndex;
use crate::model::task::{Plan, Shard, StepId, TaskIx};
use crate::model::tool::ToolId;
use crate::model::workspace::Workspace;

/// A repetition of setup must shorten the longest shard by this part of its cost.
const PAYS: u64 = 4;

/// All repetitions together may cost this part of an undivided run.
const MOST_REPEATED: u64 = 2;

/// Factor by which compiling takes longer than reading a file.
const COMPILES: u64 = 16;

/// Cost of starting a process and of each task, in bytes that are read in that time.
const PER_TASK: u64 = 4096;

/// Durations of tasks in an earlier run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Digest of the file with the record.
    pub digest: Option<Digest>,
    /// Microseconds of each task, by the name of the tool (with its variant) and the path of the unit.
    pub tasks: BTreeMap<(String, String), u64>,
}

/// The shards of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Steps of each shard, sorted.
    pub shards: Vec<Vec<StepId>>,
    /// Cost of each shard: microseconds with recorded durations, else without a unit.
    pub loads: Vec<u64>,
    /// Digest of the partition.
    pub digest: Digest,
    balance: Option<Digest>,
}

impl Partition {
    /// Divides the steps of `plan` into `count` shards.
    pub fn of(workspace: &Workspace, plan: &Plan, count: u32, durations: Option<&Durations>) -> Self {
        let pieces = Pieces::of(plan, &costs(workspace, plan, durations));
        let count = count.max(1) as usize;
        let placed = pieces.divide(count);
        let shards: Vec<_> = placed.shards(plan, &pieces).collect();
        let balance = durations.and_then(|durations| durations.digest);
        let digest = partition_digest(plan.batch_id, balance, shards.iter().map(Vec::as_slice));
        Self { shards, loads: placed.loads, digest, balance }
    }

    /// Returns the shard `of` of `plan`, whose partition this is.
    pub fn shard(&self, plan: &Plan, of: ShardIndex) -> Shard {
        let steps = self.shards.get(of.index as usize - 1).cloned().unwrap_or_default();
        let mut tasks = vec![false; plan.graph.tasks.len()];
        for task in steps.iter().flat_map(|id| &plan.step(*id).tasks) {
            tasks[task.0 as usize] = true;
        }
        Shard { of, partition: self.digest, balance: self.balance, steps, tasks }
    }
}

/// Returns the digest of a partition of the plan with the id `batch_id`: the steps of each shard, each list sorted.
pub fn partition_digest<'a>(
    batch_id: Digest,
    balance: Option<Digest>,
    shards: impl ExactSizeIterator<Item = &'a [StepId]>,
) -> Digest {
    let mut hasher = Hasher::new("genti.partition.1");
    hasher.field("plan", &batch_id.0);
    hasher.field("balance", balance.as_ref().map_or(&[], |digest| &digest.0));
    hasher.count("shards", shards.len());
    for steps in shards {
        hasher.count("steps", steps.len());
        for StepId { rank, at } in steps {
            hasher.field("rank", &rank.to_le_bytes());
            hasher.field("at", &at.to_le_bytes());
        }
    }
    hasher.finish()
}

/// Returns the cost of each step, in plan order.
fn costs(workspace: &Workspace, plan: &Plan, durations: Option<&Durations>) -> Vec<(StepId, u64)> {
    let cost = Cost::new(workspace, plan, durations.filter(|durations| !durations.tasks.is_empty()));
    let step = |id| {
        let tasks = plan.step(id).tasks.iter().map(|task| cost.of(*task));
        (id, tasks.fold(1, u64::saturating_add))
    };
    plan.steps().map(step).collect()
}

/// Computes the costs of tasks.
struct Cost<'a> {
    workspace: &'a Workspace,
    plan: &'a Plan,
    durations: Option<&'a Durations>,
    /// For each tool, the average of its recorded tasks, or else of all.
    averages: Vec<u64>,
}

impl<'a> Cost<'a> {
    fn new(workspace: &'a Workspace, plan: &'a Plan, durations: Option<&'a Durations>) -> Self {
        let average = |is: &dyn Fn(&str) -> bool| {
            let own = durations.iter().flat_map(|all| &all.tasks).filter(|((tool, _), _)| is(tool));
            let (sum, count) =
                own.fold((0_u64, 0_u64), |(sum, count), (_, time)| (sum.saturating_add(*time), count + 1));
            sum.checked_div(count)
        };
        let of_all = average(&|_| true).unwrap_or(1);
        let averages =
            plan.graph.tools.iter().map(|tool| average(&|name| name == tool.name).unwrap_or(of_all));
        Self { workspace, plan, durations, averages: averages.collect() }
    }

    fn of(&self, at: TaskIx) -> u64 {
        let task = self.plan.graph.task(at);
        let tool = self.plan.graph.tool(task.tool);
        match self.durations {
            Some(durations) => {
                let key = (tool.name.clone(), task.unit.path(self.workspace).to_string());
                durations.tasks.get(&key).copied().unwrap_or(self.averages[task.tool.0 as usize])
            }
            None => {
                let compiles = if tool.lane.is_some() { COMPILES } else { 1 };
                let factor = u64::from(tool.weight.get()) * compiles;
                task.bytes.saturating_add(PER_TASK).saturating_mul(factor)
            }
        }
    }
}

/// A step to place.
struct Piece {
    step: StepId,
    cost: u64,
    /// Index into [`Pieces::families`].
    family: usize,
}

/// Steps to place, and the setup that they need.
struct Pieces {
    /// Steps that nothing needs, from the most to the least expensive.
    steps: Vec<Piece>,
    /// The setups that steps need. The first is empty.
    families: Vec<BTreeSet<ToolId>>,
    /// Number of steps of each family.
    sizes: Vec<usize>,
    /// Cost of all steps of each tool.
    of_tools: Vec<u64>,
}

impl Pieces {
    fn of(plan: &Plan, costs: &[(StepId, u64)]) -> Self {
        let graph = &plan.graph;
        let mut of_tools = vec![0_u64; graph.tools.len()];
        let mut has_steps = vec![false; graph.tools.len()];
        for (id, cost) in costs {
            let tool = plan.step(*id).tool.0 as usize;
            of_tools[tool] = of_tools[tool].saturating_add(*cost);
            has_steps[tool] = true;
        }
        let with_steps = graph.needs.iter().zip(&has_steps).filter(|(_, has)| **has);
        let needed: BTreeSet<_> = with_steps.flat_map(|(needs, _)| needs.iter().copied()).collect();
        let mut families = vec![BTreeSet::new()];
        let mut steps = Vec::new();
        for (step, cost) in costs {
            let tool = plan.step(*step).tool;
            if needed.contains(&tool) {
                continue;
            }
            let needs = graph.needs[tool.0 as usize].iter().copied();
            let setup: BTreeSet<_> = needs.filter(|need| has_steps[need.0 as usize]).collect();
            let family = families.iter().position(|known| *known == setup).unwrap_or_else(|| {
                families.push(setup);
                families.len() - 1
            });
            steps.push(Piece { step: *step, cost: *cost, family });
        }
        steps.sort_by_key(|piece| (std::cmp::Reverse(piece.cost), piece.step));
        let mut sizes = vec![0; families.len()];
        steps.iter().for_each(|piece| sizes[piece.family] += 1);
        Self { steps, families, sizes, of_tools }
    }

    /// Divides the steps into `count` shards.
    fn divide(&self, count: usize) -> Placed {
        let mut limits = vec![1; self.families.len()];
        limits[0] = count;
        let mut best = self.place(count, &limits);
        let undivided = self.place(1, &vec![1; self.families.len()]).total();
        let most = undivided.saturating_add(undivided / MOST_REPEATED);
        loop {
            let mut next: Option<(u64, usize, usize, Placed)> = None;
            for family in 1..self.families.len() {
                for limit in steps_up(limits[family], count.min(self.sizes[family])) {
                    let mut limits = limits.clone();
                    limits[family] = limit;
                    let placed = self.place(count, &limits);
                    let gain = best.longest().saturating_sub(placed.longest());
                    let extra = placed.total().saturating_sub(best.total());
                    let value = gain.saturating_sub(extra / PAYS);
                    let is_better = next.as_ref().is_none_or(|(known, ..)| value > *known);
                    if value > 0 && is_better && placed.total() <= most {
                        next = Some((value, family, limit, placed));
                    }
                }
            }
            let Some((_, family, limit, placed)) = next else { return best };
            limits[family] = limit;
            best = placed;
        }
    }

    /// Places the steps so that at most `limits` shards have a step of each family.
    fn place(&self, count: usize, limits: &[usize]) -> Placed {
        let mut placed = Placed {
            loads: vec![0; count],
            of_pieces: Vec::with_capacity(self.steps.len()),
            setups: vec![BTreeSet::new(); count],
        };
        let mut hosts: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.families.len()];
        for piece in &self.steps {
            let setup = &self.families[piece.family];
            let is_full = hosts[piece.family].len() >= limits[piece.family];
            let load = |shard: usize| {
                let missing = setup.difference(&placed.setups[shard]);
                let missing = missing.map(|tool| self.of_tools[tool.0 as usize]).fold(0, u64::saturating_add);
                placed.loads[shard].saturating_add(piece.cost).saturating_add(missing)
            };
            let may_host = |shard: &usize| !is_full || hosts[piece.family].contains(shard);
            let lightest = (0..count).filter(may_host).min_by_key(|shard| (load(*shard), *shard));
            let shard = lightest.unwrap_or_default();
            placed.loads[shard] = load(shard);
            placed.setups[shard].extend(setup);
            placed.of_pieces.push(shard);
            hosts[piece.family].insert(shard);
        }
        placed
    }
}

/// Returns the limits to try after `limit`, up to `most`: the next ones, then in larger steps.
fn steps_up(limit: usize, most: usize) -> impl Iterator<Item = usize> {
    let next = |at: &usize| Some(at + (at / 4).max(1));
    let tried = std::iter::successors(Some(limit + 1), next).take_while(move |at| *at < most);
    tried.chain((most > limit).then_some(most))
}

/// Steps on their shards.
struct Placed {
    loads: Vec<u64>,
    /// Shard of each piece, in the order of [`Pieces::steps`].
    of_pieces: Vec<usize>,
    /// For each shard, the tools whose steps it repeats for others.
    setups: Vec<BTreeSet<ToolId>>,
}

impl Placed {
    fn longest(&self) -> u64 {
        self.loads.iter().copied().max().unwrap_or_default()
    }

    fn total(&self) -> u64 {
        self.loads.iter().copied().fold(0, u64::saturating_add)
    }

    /// Returns the steps of each shard, sorted.
    fn shards<'a>(&'a self, plan: &'a Plan, pieces: &'a Pieces) -> impl Iterator<Item = Vec<StepId>> + 'a {
        let mut own = vec![Vec::new(); self.loads.len()];
        for (piece, shard) in pieces.steps.iter().zip(&self.of_pieces) {
            own[*shard].push(piece.step);
        }
        own.into_iter().zip(&self.setups).map(move |(mut steps, setup)| {
            steps.extend(plan.steps().filter(|id| setup.contains(&plan.step(*id).tool)));
            steps.sort_unstable();
            steps
        })
    }
}

#[cfg(test)]
mod tests;
