//! Property tests of invariants of every plan, on random workspaces, tools and policies.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::command::ARGV_CAP;
use super::*;
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::policy::Batch;
use crate::model::task::{Step, TaskId, TaskIx, Unit};
use crate::model::testing;
use crate::model::tool::{Arg, Parse, Per, Piece, ToolId};
use crate::model::workspace::{FileId, PackageId, TargetKind};

/// A workspace, its tools in random order, and a policy.
#[derive(Clone, Debug)]
struct Case {
    workspace: Workspace,
    tools: Vec<Tool>,
    policy: Policy,
}

impl Case {
    fn plan(&self) -> Plan {
        plan_of(&self.workspace, &self.tools, &self.policy)
    }
}

fn plan_of(workspace: &Workspace, tools: &[Tool], policy: &Policy) -> Plan {
    plan(workspace, tools.to_vec(), Selection::default(), policy.clone(), &Facts::default()).unwrap()
}

/// Generates up to five packages, one of them nested in another. Each may depend on packages generated before
/// it.
fn workspaces() -> impl Strategy<Value = Workspace> {
    // Some names are so long that few of them fit into one command line.
    let name = (0..40_u32, prop_oneof![9 => Just(0_usize), 1 => Just(6_000)]);
    let file = (name, 0..2_000_u64);
    let package = (prop::collection::btree_map(0..60_u32, file, 0..25), any::<[bool; 4]>(), any::<bool>());
    prop::collection::vec(package, 1..6).prop_map(|packages| {
        let dirs = ["a", "a/inner", "b", "c", "d"];
        let mut named = vec![("README.md".to_owned(), 10)];
        for (dir, (files, ..)) in dirs.iter().zip(&packages) {
            for (at, ((number, padding), len)) in files {
                let extension = if number % 3 == 0 { "md" } else { "rs" };
                named.push((format!("{dir}/src/{number:02}-{at}{}.{extension}", "x".repeat(*padding)), *len));
            }
            named.push((format!("{dir}/src/lib.rs"), 100));
            named.push((format!("{dir}/tests/t.rs"), 100));
        }
        named.sort();
        let roots: Vec<_> =
            dirs.iter().map(|dir| [format!("{dir}/src/lib.rs"), format!("{dir}/tests/t.rs")]).collect();
        let targets: Vec<_> = roots
            .iter()
            .map(|[lib, test]| [(TargetKind::Lib, lib.as_str()), (TargetKind::Test, test.as_str())])
            .collect();
        let members: Vec<_> = dirs.into_iter().zip(targets.iter().map(|targets| &targets[..])).collect();
        let names: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
        let mut workspace = testing::workspace(&members[..packages.len()], &names);
        for (file, (_, len)) in workspace.files.iter_mut().zip(&named) {
            file.len = *len;
        }
        for (package, (_, depends, is_old)) in workspace.packages.iter_mut().zip(&packages) {
            let before = (0..).map(PackageId).zip(depends);
            package.dependencies = before.filter(|(_, depends)| **depends).map(|(id, _)| id).collect();
            if *is_old {
                package.targets[1].edition = "2021".to_owned();
            }
        }
        for (at, package) in workspace.packages.iter_mut().enumerate() {
            package.dependencies.retain(|id| (id.0 as usize) < at);
        }
        workspace
    })
}

/// Generates up to five tools in random order. A tool may need tools generated before it.
fn tools(with_needs: bool) -> impl Strategy<Value = Vec<Tool>> {
    let kind = prop_oneof![3 => Just(Per::File), 1 => Just(Per::TargetRoot), 1 => Just(Per::Package),
        1 => Just(Per::Workspace)];
    let caps = (1..12_u32, 50..6_000_u64);
    let tool =
        (kind, caps, 1..5_u32, any::<bool>(), 0..3_usize, any::<[bool; 3]>(), prop::bool::weighted(0.3));
    prop::collection::vec(tool, 1..6)
        .prop_map(move |tools| {
            let named = tools.into_iter().enumerate().map(|(at, tool)| {
                let (per, (tasks, bytes), weight, required, files, takes, needs) = tool;
                // The order of names differs from the order of generation.
                let name = |at: usize| format!("tool-{}", (at * 3 + 2) % 5);
                let mut made = testing::tool(&name(at), Parse::Sarif, &["run"]);
                (made.per, made.required) = (per, required);
                (made.caps.tasks, made.caps.bytes) = (tasks, bytes);
                made.weight = NonZeroU32::new(weight).unwrap();
                made.files = [vec![], vec!["**/*.rs".to_owned()], vec!["b/**".to_owned()]][files].clone();
                if per == Per::TargetRoot {
                    made.run.push(Arg::Text(vec![Piece::Edition]));
                }
                if per == Per::Package && takes[0] {
                    made.run.push(Arg::Selection);
                }
                if matches!(per, Per::File | Per::TargetRoot) {
                    made.run.push(if takes[0] || takes[1] {
                        Arg::Files
                    } else {
                        Arg::Text(vec![Piece::File])
                    });
                }
                if with_needs && needs {
                    made.needs = (0..at).filter(|at| takes[at % 3]).map(name).collect();
                }
                made
            });
            named.collect::<Vec<_>>()
        })
        .prop_shuffle()
}

fn policies() -> impl Strategy<Value = Policy> {
    let order =
        prop::sample::select(vec![Order::Deterministic, Order::Topo, Order::RequiredFirst, Order::RiskFirst]);
    let batch = prop_oneof![
        3 => Just(Batch::Auto),
        2 => (1..9_u32).prop_map(|count| Batch::Count(NonZeroU32::new(count).unwrap())),
        1 => Just(Batch::ByTool),
        1 => Just(Batch::ByPath),
    ];
    (order, batch, 0..3_u64).prop_map(|(order, batch, seed)| Policy {
        order,
        batch,
        seed,
        ..Policy::default()
    })
}

fn cases(with_needs: bool) -> impl Strategy<Value = Case> {
    (workspaces(), tools(with_needs), policies()).prop_map(|(workspace, tools, policy)| Case {
        workspace,
        tools,
        policy,
    })
}

fn steps(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.batches.iter().flat_map(|batch| &batch.steps)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn needed_tools_come_first(case in cases(true)) {
        let plan = case.plan();
        // Under `by-path`, a package is one batch, in which the tools follow one another.
        let parts: Vec<Vec<&Step>> = match case.policy.batch {
            Batch::ByPath => plan.batches.iter().map(|batch| batch.steps.iter().collect()).collect(),
            _ => vec![steps(&plan).collect()],
        };
        for steps in parts {
            let mut last = BTreeMap::new();
            last.extend(steps.iter().enumerate().map(|(at, step)| (step.tool, at)));
            for (at, step) in steps.iter().enumerate() {
                for need in &plan.graph.needs[step.tool.0 as usize] {
                    prop_assert!(last.get(need).is_none_or(|last| *last < at));
                }
            }
        }
    }

    #[test]
    fn batches_are_a_partition_of_the_tasks(case in cases(true)) {
        let plan = case.plan();
        let mut tasks: Vec<_> = steps(&plan).flat_map(|step| step.tasks.clone()).collect();
        tasks.sort();
        let expected: Vec<_> = (0..plan.graph.tasks.len() as u32).map(TaskIx).collect();
        prop_assert_eq!(tasks, expected);
        prop_assert!(steps(&plan).all(|step| step.tasks.iter().all(|task| plan.graph.task(*task).tool == step.tool)));
        prop_assert!(steps(&plan).all(|step| !step.tasks.is_empty()));
    }

    #[test]
    fn shards_are_a_partition_that_has_what_each_step_needs(case in cases(true), count in 1..9_u32) {
        let plan = case.plan();
        let partition = Partition::of(&case.workspace, &plan, count, None);
        prop_assert_eq!(&partition, &Partition::of(&case.workspace, &plan, count, None));
        prop_assert_eq!(partition.shards.len(), count as usize);
        let with_steps: BTreeSet<_> = steps(&plan).map(|step| step.tool).collect();
        let needed = with_steps.iter().flat_map(|tool| &plan.graph.needs[tool.0 as usize]);
        let needed: BTreeSet<_> = needed.copied().collect();
        for id in plan.steps() {
            let hosts = partition.shards.iter().filter(|shard| shard.binary_search(&id).is_ok()).count();
            let is_setup = needed.contains(&plan.step(id).tool);
            let is_right = if is_setup { hosts >= 1 } else { hosts == 1 };
            prop_assert!(is_right);
        }
        for shard in &partition.shards {
            prop_assert!(shard.is_sorted_by(|a, b| a < b));
            let here: BTreeSet<_> = shard.iter().map(|id| plan.step(*id).tool).collect();
            for tool in &here {
                let needs = plan.graph.needs[tool.0 as usize].iter().filter(|need| with_steps.contains(need));
                for need in needs {
                    let all = plan.steps().filter(|id| plan.step(*id).tool == *need);
                    prop_assert!(all.into_iter().all(|id| shard.binary_search(&id).is_ok()));
                }
            }
        }
    }

    #[test]
    fn no_step_exceeds_the_caps(case in cases(true)) {
        let plan = case.plan();
        for step in steps(&plan) {
            let tool = plan.graph.tool(step.tool);
            let bytes: u64 = step.tasks.iter().map(|task| plan.graph.task(*task).bytes).sum();
            let is_one = step.tasks.len() == 1;
            prop_assert!(is_one || tool.takes_many() || tool.takes_all());
            if !matches!(case.policy.batch, Batch::Count(_)) && !tool.takes_all() {
                prop_assert!(step.tasks.len() <= tool.caps.tasks as usize);
                prop_assert!(is_one || bytes <= tool.caps.bytes);
            }
            let units: Vec<_> = step.tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
            let lines = expand(&case.workspace, &plan, tool, &units, &[], "".as_ref());
            prop_assert_eq!(lines.len(), 1);
            prop_assert!(lines[0].iter().map(|arg| arg.len() + 1).sum::<usize>() <= ARGV_CAP);
        }
        for batch in &plan.batches {
            let tools: BTreeSet<_> = batch.steps.iter().map(|step| step.tool).collect();
            let tasks = || batch.steps.iter().flat_map(|step| &step.tasks);
            match case.policy.batch {
                Batch::Auto => prop_assert_eq!(batch.steps.len(), 1),
                Batch::Count(count) => {
                    let is_small = tasks().count() <= count.get() as usize;
                    let takes_all = |tool: &ToolId| plan.graph.tool(*tool).takes_all();
                    prop_assert!(tools.len() == 1 && (is_small || tools.iter().all(takes_all)));
                }
                Batch::ByTool => prop_assert_eq!(tools.len(), 1),
                Batch::ByPath => {
                    let of = |task: &TaskIx| match plan.graph.task(*task) {
                        task if plan.graph.tool(task.tool).takes_all() => None,
                        task => task.unit.package(&case.workspace),
                    };
                    prop_assert_eq!(tasks().map(of).collect::<BTreeSet<_>>().len(), 1);
                }
            }
        }
        if case.policy.batch == Batch::ByTool {
            let tools: BTreeSet<_> = steps(&plan).map(|step| step.tool).collect();
            prop_assert_eq!(tools.len(), plan.batches.len());
        }
    }

    #[test]
    fn a_tool_that_takes_all_units_is_one_step_under_every_policy(case in cases(true)) {
        let plan = case.plan();
        for (id, _) in plan.graph.tools().filter(|(_, tool)| tool.takes_all()) {
            let is_asked = plan.graph.tasks.iter().any(|task| task.tool == id);
            prop_assert_eq!(steps(&plan).filter(|step| step.tool == id).count(), usize::from(is_asked));
        }
    }

    #[test]
    fn auto_cuts_repeatedly_at_the_smallest_path_hash(workspace in workspaces(), tools in tools(false)) {
        let plan = plan_of(&workspace, &tools, &Policy::default());
        for (id, tool) in plan.graph.tools().filter(|(_, tool)| tool.takes_many() && tool.per == Per::File) {
            let task = |at: &TaskIx| plan.graph.task(*at);
            let mut found: Vec<_> = steps(&plan).filter(|step| step.tool == id).map(|step| step.tasks.to_vec()).collect();
            found.sort();
            let all: Vec<_> = found.concat();
            let room = command::argv_room(tool).unwrap();
            let fits = |part: &[TaskIx]| {
                part.len() <= tool.caps.tasks as usize
                    && part.iter().map(|at| task(at).bytes).sum::<u64>() <= tool.caps.bytes
                    && part.iter().map(|at| task(at).unit.path(&workspace).as_bytes().len() + 3).sum::<usize>() <= room
            };
            let hash = |at: &TaskIx| Digest::of_bytes(task(at).unit.path(&workspace).as_bytes()).low_u64();
            let is_small = |at: &TaskIx| task(at).bytes < tool.caps.bytes;
            let mut expected = Vec::new();
            let mut todo: Vec<_> = all.chunk_by(|left, right| is_small(left) && is_small(right)).collect();
            while let Some(part) = todo.pop() {
                if part.len() < 2 || fits(part) {
                    expected.push(part.to_vec());
                } else if let Some(at) = (1..part.len()).min_by_key(|at| hash(&part[*at])) {
                    let (left, right) = part.split_at(at);
                    todo.extend([right, left]);
                }
            }
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_plan_does_not_depend_on_the_order_of_tools(
        (case, shuffled) in cases(true).prop_flat_map(|case| (Just(case.clone()), Just(case.tools).prop_shuffle()))
    ) {
        prop_assert_eq!(case.plan(), plan_of(&case.workspace, &shuffled, &case.policy));
    }

    #[test]
    fn no_id_depends_on_order_batch_or_seed(case in cases(true)) {
        prop_assert_eq!(case.plan().graph, plan_of(&case.workspace, &case.tools, &Policy::default()).graph);
    }

    #[test]
    fn a_changed_file_changes_the_ids_of_its_tasks_and_their_dependents(
        case in cases(true), at in any::<prop::sample::Index>()
    ) {
        let changed = FileId(at.index(case.workspace.files.len()) as u32);
        let mut edited = case.workspace.clone();
        edited.files[changed.0 as usize].digest = Digest::of_bytes(b"edited");
        let (old, new) = (case.plan(), plan_of(&edited, &case.tools, &case.policy));
        let ids = |plan: &Plan| -> Vec<(ToolId, Unit, TaskId)> {
            plan.graph.tasks.iter().map(|task| (task.tool, task.unit, task.id)).collect()
        };
        // Tools with a changed task, and their dependents. A tool comes after the tools it needs.
        let mut tainted = BTreeSet::new();
        let mut expected = BTreeSet::new();
        for tool in old.graph.needs_first() {
            let is_tainted = old.graph.needs[tool.0 as usize].iter().any(|need| tainted.contains(need));
            for task in old.graph.tasks.iter().filter(|task| task.tool == tool) {
                if is_tainted || may_read(&case.workspace, old.graph.tool(tool), task.unit, changed) {
                    tainted.insert(tool);
                    expected.insert((tool, task.unit));
                }
            }
        }
        let found: BTreeSet<_> = ids(&old)
            .into_iter()
            .zip(ids(&new))
            .filter(|(old, new)| old != new)
            .map(|((tool, unit, _), _)| (tool, unit))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_batch_waits_for_more_than_its_fair_share(case in cases(false)) {
        let plan = case.plan();
        prop_assume!(case.policy.batch != Batch::ByPath);
        let tool_of = |rank: usize| plan.batches[rank].steps[0].tool;
        let weight = |tool: ToolId| plan.graph.tool(tool).weight.get() as usize;
        let mut class_begins = 0;
        for rank in 0..plan.batches.len() {
            if plan.batches[rank].class != plan.batches[class_begins].class {
                class_begins = rank;
            }
            let mut before = BTreeMap::<_, usize>::new();
            (class_begins..rank).for_each(|rank| *before.entry(tool_of(rank)).or_default() += 1);
            let tool = tool_of(rank);
            let place = before.remove(&tool).unwrap_or_default() + 1;
            for (other, count) in before {
                let bound = weight(other) * place.div_ceil(weight(tool));
                prop_assert!(count <= bound, "{} of {:?} before number {} of {:?}", count, other, place, tool);
            }
        }
    }

    #[test]
    fn classes_never_decrease_along_the_ranks(case in cases(true)) {
        prop_assert!(case.plan().batches.is_sorted_by_key(|batch| batch.class));
    }

    #[test]
    fn under_topo_a_package_comes_after_its_dependencies(mut case in cases(false)) {
        case.policy.order = Order::Topo;
        prop_assume!(case.policy.batch != Batch::ByTool);
        let plan = case.plan();
        let mut ranks = BTreeMap::<_, (usize, usize)>::new();
        for (rank, batch) in plan.batches.iter().enumerate() {
            let steps = batch.steps.iter().filter(|step| !plan.graph.tool(step.tool).takes_all());
            let tasks = steps.flat_map(|step| &step.tasks).map(|task| plan.graph.task(*task).unit);
            for package in tasks.filter_map(|unit| unit.package(&case.workspace)) {
                ranks.entry(package).or_insert((rank, rank)).1 = rank;
            }
        }
        for (id, package) in case.workspace.packages() {
            let Some((first, _)) = ranks.get(&id) else { continue };
            for (_, last) in package.dependencies.iter().filter_map(|dependency| ranks.get(dependency)) {
                prop_assert!(last < first);
            }
        }
    }

    #[test]
    fn under_required_first_no_optional_task_precedes_a_required_one(mut case in cases(true)) {
        case.policy.order = Order::RequiredFirst;
        prop_assume!(case.policy.batch != Batch::ByPath);
        let plan = case.plan();
        prop_assert!(steps(&plan).is_sorted_by_key(|step| !plan.graph.tool(step.tool).required));
    }
}

/// Returns true if `file` is a declared input of `unit` according to the documentation.
fn may_read(workspace: &Workspace, tool: &Tool, unit: Unit, file: FileId) -> bool {
    let path = &workspace.file(file).path;
    let owner = workspace.owners[file.0 as usize];
    let matches = match tool.files.first().map(String::as_str) {
        None => true,
        Some("**/*.rs") => path.as_bytes().ends_with(b".rs"),
        Some(_) => path.is_within(&RelPath::new("b")),
    };
    match unit {
        Unit::File(own) => own == file,
        Unit::TargetRoot(package, _) => owner == Some(package) && matches,
        Unit::Package(package) | Unit::Combination(package, _) if !tool.files.is_empty() => {
            owner == Some(package) && matches
        }
        Unit::Package(package) | Unit::Combination(package, _) => {
            owner.is_some_and(|owner| owner == package || workspace.dependencies_of(package).contains(&owner))
        }
        Unit::Workspace => matches,
    }
}
