//! Partitions of small plans with known costs.

use super::*;
use crate::model::policy::{Policy, Selection};
use crate::model::testing;
use crate::model::tool::{Arg, Parse, Per, Tool};
use crate::plan::{self, Facts};

/// A workspace with `files` files, and a tool for each of `tools`: its name, the tools it needs, and whether it has a step
/// per file.
fn planned(files: usize, tools: &[(&str, &[&str], bool)]) -> (Workspace, Plan) {
    let names: Vec<_> = (0..files).map(|at| format!("f{at:03}.txt")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let workspace = testing::workspace(&[], &names);
    let tool = |(name, needs, is_per_file): &(&str, &[&str], bool)| {
        let mut tool = testing::tool(name, Parse::Lines, &[name]);
        tool.needs = needs.iter().map(|need| (*need).to_owned()).collect();
        if *is_per_file {
            (tool.per, tool.caps.tasks) = (Per::File, 1);
            tool.run.push(Arg::Files);
        }
        tool
    };
    let tools: Vec<Tool> = tools.iter().map(tool).collect();
    let plan = plan::plan(&workspace, tools, Selection::default(), Policy::default(), &Facts::default());
    (workspace, plan.unwrap())
}

/// Records that each task of a tool took this long.
fn durations(workspace: &Workspace, plan: &Plan, times: &[(&str, u64)]) -> Durations {
    let mut durations = Durations::default();
    for task in &plan.graph.tasks {
        let tool = &plan.graph.tool(task.tool).name;
        if let Some((_, time)) = times.iter().find(|(name, _)| name == tool) {
            durations.tasks.insert((tool.clone(), task.unit.path(workspace).to_string()), *time);
        }
    }
    durations
}

/// Returns the number of shards with a step of `tool`.
fn spread(plan: &Plan, partition: &Partition, tool: &str) -> usize {
    let has = |steps: &&Vec<StepId>| steps.iter().any(|id| plan.graph.tool(plan.step(*id).tool).name == tool);
    partition.shards.iter().filter(has).count()
}

#[test]
fn steps_that_need_nothing_are_balanced() {
    let (workspace, plan) = planned(40, &[("a", &[], true), ("b", &[], true), ("whole", &[], false)]);
    let durations = durations(&workspace, &plan, &[("a", 7), ("b", 3), ("whole", 20)]);
    for count in [1, 2, 3, 5, 8, 64] {
        let partition = Partition::of(&workspace, &plan, count, Some(&durations));
        let mut steps = partition.shards.concat();
        steps.sort();
        assert_eq!(steps, plan.steps().collect::<Vec<_>>(), "{count}");
        let (least, most) = (partition.loads.iter().min().unwrap(), partition.loads.iter().max().unwrap());
        assert!(most - least <= 21, "{count}: {:?}", partition.loads);
    }
}

#[test]
fn a_build_is_repeated_only_while_that_pays() {
    let (workspace, plan) =
        planned(10, &[("build", &[], false), ("lint", &[], false), ("test", &["build"], true)]);
    let shards = |build: u64, test: u64, count: u32| {
        let durations = durations(&workspace, &plan, &[("build", build), ("test", test), ("lint", 1)]);
        let partition = Partition::of(&workspace, &plan, count, Some(&durations));
        let alone = Partition::of(&workspace, &plan, 1, Some(&durations)).loads[0];
        assert!(partition.loads.iter().sum::<u64>() <= alone + alone / 2, "{:?}", partition.loads);
        spread(&plan, &partition, "build")
    };
    // All tests together take as long as a hundredth of the build.
    assert_eq!(shards(100_000, 100, 5), 1);
    assert_eq!(shards(1_000, 100, 5), 2);
    // The build takes as long as a single test.
    assert_eq!(shards(1_000, 1_000, 5), 5);
    assert_eq!(shards(1_000, 1_000, 1), 1);
}

#[test]
fn a_shard_has_everything_that_its_steps_need() {
    let tools: [(&str, &[&str], bool); 4] = [
        ("build", &["prepare"], false),
        ("prepare", &[], true),
        ("test", &["build"], true),
        ("words", &[], true),
    ];
    let (workspace, plan) = planned(12, &tools);
    let durations = durations(&workspace, &plan, &[("build", 5), ("prepare", 1), ("test", 90), ("words", 3)]);
    let partition = Partition::of(&workspace, &plan, 4, Some(&durations));
    let name = |id: &StepId| plan.graph.tool(plan.step(*id).tool).name.as_str();
    assert!(spread(&plan, &partition, "test") > 1);
    for steps in &partition.shards {
        let count = |tool: &str| steps.iter().filter(|id| name(id) == tool).count();
        let is_needed = count("test") > 0;
        assert_eq!(count("build"), usize::from(is_needed));
        assert_eq!(count("prepare"), if is_needed { 12 } else { 0 });
    }
    let tests = partition.shards.iter().flatten().filter(|id| name(id) == "test").count();
    assert_eq!(tests, 12, "each in one shard");
}

#[test]
fn the_digest_covers_the_number_of_shards_and_the_recorded_durations() {
    let (workspace, plan) = planned(6, &[("a", &[], true)]);
    let of = |count, durations: Option<&Durations>| Partition::of(&workspace, &plan, count, durations).digest;
    let recorded = Durations { digest: Some(Digest::of_bytes(b"x")), ..Durations::default() };
    let digests = BTreeSet::from([of(2, None), of(3, None), of(2, Some(&recorded))]);
    assert_eq!(digests.len(), 3);
    assert_eq!(of(2, None), of(2, None));
    // The shards are the same, because the record is empty.
    let shards = |durations| Partition::of(&workspace, &plan, 2, durations).shards;
    assert_eq!(shards(None), shards(Some(&recorded)));
}

#[test]
fn a_task_without_a_record_costs_as_much_as_the_others_of_its_tool() {
    let (workspace, plan) = planned(4, &[("a", &[], true), ("b", &[], true)]);
    let mut durations = durations(&workspace, &plan, &[("a", 100)]);
    durations.tasks.pop_first();
    let loads = Partition::of(&workspace, &plan, 1, Some(&durations)).loads;
    assert_eq!(loads, [8 * 101]);
}

#[test]
fn more_shards_than_steps_leave_some_empty() {
    let (workspace, plan) = planned(2, &[("a", &[], true)]);
    let partition = Partition::of(&workspace, &plan, 5, None);
    assert_eq!(partition.shards.iter().filter(|steps| steps.is_empty()).count(), 3);
    let of = |index| partition.shard(&plan, ShardIndex { index, count: 5 });
    assert_eq!(of(1).tasks.len(), 2);
    assert_eq!(
        (1..=5).map(|index| of(index).tasks.iter().filter(|is_here| **is_here).count()).sum::<usize>(),
        2
    );
}
