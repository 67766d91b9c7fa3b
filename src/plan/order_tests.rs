//! Tests of the guarantees of each order and batch policy, on small workspaces.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::*;
use crate::model::finding::{Entry, Site};
use crate::model::path::RelPath;
use crate::model::policy::{Batch, Order};
use crate::model::task::TaskIx;
use crate::model::testing;
use crate::model::text::Text;
use crate::model::tool::{Arg, Parse, Per};
use crate::model::workspace::PackageId;
use crate::model::workspace::TargetKind::Lib;

/// `top` depends on `mid`, which depends on `base`. Their names are in reverse path order. `alone` has no
/// dependencies.
fn workspace() -> Workspace {
    let packages = ["a-top", "alone", "b-mid", "c-base"];
    let roots = packages.map(|name| format!("{name}/src/lib.rs"));
    let targets = [0, 1, 2, 3].map(|at: usize| [(Lib, roots[at].as_str())]);
    let packages: Vec<_> =
        packages.iter().copied().zip(targets.iter().map(|targets| targets.as_slice())).collect();
    let mut files: Vec<_> = roots.iter().map(String::as_str).collect();
    files.push("README.md");
    files.sort_unstable();
    let mut workspace = testing::workspace(&packages, &files);
    workspace.packages[0].dependencies = vec![PackageId(2)];
    workspace.packages[2].dependencies = vec![PackageId(3)];
    workspace
}

/// A tool with a task per `.rs` file.
fn per_file(name: &str) -> Tool {
    let mut tool = testing::tool(name, Parse::Regex("(?<path>.+)".to_owned()), &[name]);
    (tool.per, tool.files, tool.namespaces) = (Per::File, vec!["**/*.rs".to_owned()], vec![name.to_owned()]);
    tool.run.push(Arg::Files);
    tool
}

fn whole(name: &str) -> Tool {
    testing::tool(name, Parse::ExitCode, &[name])
}

fn planned(tools: Vec<Tool>, order: Order, batch: Batch, facts: &Facts) -> Plan {
    let policy = Policy { order, batch, ..Policy::default() };
    plan(&workspace(), tools, Selection::default(), policy, facts).unwrap()
}

fn one_by_one(tools: Vec<Tool>, order: Order) -> Vec<String> {
    names(&planned(tools, order, Batch::Count(NonZeroU32::MIN), &Facts::default()))
}

/// Returns the tasks in the order of their ranks, as `tool:package`.
fn names(plan: &Plan) -> Vec<String> {
    let tasks = plan.batches.iter().flat_map(|batch| &batch.steps).flat_map(|step| &step.tasks);
    tasks.map(|task| name(plan, *task)).collect()
}

fn name(plan: &Plan, task: TaskIx) -> String {
    let task = plan.graph.task(task);
    let path = task.unit.path(&workspace()).to_string();
    format!("{}:{}", plan.graph.tool(task.tool).name, path.split('/').next().unwrap())
}

#[test]
fn topo_puts_a_package_after_its_dependencies() {
    assert_eq!(
        one_by_one(vec![per_file("t"), whole("w")], Order::Topo),
        ["w:.", "t:alone", "t:c-base", "t:b-mid", "t:a-top"],
        "what is about no package in particular is at depth 0"
    );
    assert_eq!(
        one_by_one(vec![per_file("t"), whole("w")], Order::Deterministic),
        ["w:.", "t:a-top", "t:alone", "t:b-mid", "t:c-base"]
    );
}

#[test]
fn topo_supports_members_that_depend_on_each_other() {
    let mut workspace = workspace();
    // A dev-dependency in the other direction: base and mid form a cycle, top is above it.
    workspace.packages[3].dependencies = vec![PackageId(2)];
    let policy = Policy { order: Order::Topo, batch: Batch::Count(NonZeroU32::MIN), ..Policy::default() };
    let facts = Facts::default();
    let plan = plan(&workspace, vec![per_file("t")], Selection::default(), policy, &facts).unwrap();
    assert_eq!(names(&plan), ["t:alone", "t:b-mid", "t:c-base", "t:a-top"]);
}

#[test]
fn topo_puts_a_tool_after_the_tools_it_needs() {
    let mut late = per_file("a");
    late.needs = vec!["z".to_owned()];
    let order = one_by_one(vec![late, per_file("z")], Order::Topo);
    assert_eq!(order[..4], ["z:alone", "z:c-base", "z:b-mid", "z:a-top"]);
    assert_eq!(order[4..], ["a:alone", "a:c-base", "a:b-mid", "a:a-top"], "and keeps its packages in order");
}

#[test]
fn required_first_puts_optional_batches_last() {
    let mut optional = per_file("a");
    optional.required = false;
    for batch in [Batch::Auto, Batch::Count(NonZeroU32::MIN), Batch::ByTool] {
        let plan =
            planned(vec![optional.clone(), per_file("z")], Order::RequiredFirst, batch, &Facts::default());
        let classes: Vec<_> = plan.batches.iter().map(|batch| batch.class).collect();
        assert!(classes.is_sorted() && classes.contains(&0) && classes.contains(&1), "{batch}: {classes:?}");
        for batch in &plan.batches {
            let tool = plan.graph.tool(batch.steps[0].tool);
            assert_eq!(batch.class == 0, tool.required);
        }
    }
}

#[test]
fn required_first_also_moves_the_tools_that_a_required_tool_needs() {
    let (mut need, mut user) = (per_file("z"), per_file("a"));
    (need.required, user.needs) = (false, vec!["z".to_owned()]);
    let mut other = per_file("b");
    other.required = false;
    let order = one_by_one(vec![need, user, other], Order::RequiredFirst);
    let first = |prefix: &str| order.iter().position(|name| name.starts_with(prefix)).unwrap();
    assert!(first("z:") < first("a:") && first("a:") < first("b:"), "{order:?}");
}

fn facts(changed: &[&str], accepted: &[(&str, &str, usize)]) -> Facts {
    let mut facts = Facts { changed: Some(changed.iter().map(RelPath::new).collect()), ..Facts::default() };
    for (ns, path, count) in accepted {
        let text = Text::default;
        let site = Site::Path(RelPath::new(path));
        let entry = Entry {
            site,
            rule: text(),
            scope: text(),
            code: text(),
            msg: text(),
            in_variants: None,
            reason: None,
        };
        facts.accepted.entry((*ns).to_owned()).or_default().extend(vec![entry; *count]);
    }
    facts
}

#[test]
fn risk_first_starts_with_changed_files() {
    let facts = facts(&["b-mid/src/lib.rs"], &[("t", "alone/src/lib.rs", 5)]);
    let plan = planned(vec![per_file("t")], Order::RiskFirst, Batch::Count(NonZeroU32::MIN), &facts);
    assert_eq!(names(&plan), ["t:b-mid", "t:alone", "t:c-base", "t:a-top"]);
    let of = |name: &str| {
        let at = (0..4).find(|at| self::name(&plan, TaskIx(*at)) == name).unwrap();
        plan.risks[at as usize]
    };
    let parts = |name: &str| {
        let risk = of(name);
        (risk.changed, risk.findings, risk.dependents, risk.weight)
    };
    assert_eq!(parts("t:b-mid"), (100, 0, 10, 0), "touched, and one member depends on it");
    assert_eq!(parts("t:alone"), (0, 30, 0, 0), "five accepted findings are more than four");
    assert_eq!(parts("t:c-base"), (0, 0, 20, 0), "two members depend on it");
    let classes: Vec<_> = plan.batches.iter().map(|batch| (batch.class, batch.risk)).collect();
    assert_eq!(classes, [(0, Some(110)), (2, Some(30)), (2, Some(20)), (3, Some(0))]);
}

#[test]
fn a_greater_weight_means_more_risk_and_more_turns() {
    let mut heavy = per_file("z");
    heavy.weight = NonZeroU32::new(3).unwrap();
    let turns = one_by_one(vec![per_file("a"), heavy.clone()], Order::Deterministic);
    let tools: Vec<_> = turns.iter().map(|name| &name[..1]).collect();
    // The tool whose path and hash come first has the first turn.
    let expected = if tools[0] == "a" { "azzzazaa" } else { "zzzazaaa" };
    assert_eq!(tools.concat(), expected);
    let plan = planned(vec![per_file("a"), heavy], Order::RiskFirst, Batch::Auto, &Facts::default());
    assert!(plan.risks.iter().any(|risk| risk.weight == 2));
}

#[test]
fn by_tool_gives_each_tool_one_batch() {
    for order in [Order::Deterministic, Order::Topo, Order::RequiredFirst, Order::RiskFirst] {
        let mut small = per_file("t");
        small.caps.tasks = 1;
        let plan = planned(vec![small, whole("w")], order, Batch::ByTool, &Facts::default());
        assert_eq!(plan.batches.len(), 2, "{order}");
        let steps: Vec<_> = plan.batches.iter().map(|batch| batch.steps.len()).collect();
        assert_eq!(steps.iter().sum::<usize>(), 5, "{order}: the caps still cut steps");
    }
}

#[test]
fn by_path_gives_each_package_one_batch_with_a_step_per_tool() {
    let mut after = per_file("a");
    after.needs = vec!["z".to_owned()];
    let tools = vec![after, per_file("z"), whole("w")];
    let plan = planned(tools, Order::Topo, Batch::ByPath, &Facts::default());
    let batches: Vec<_> = plan
        .batches
        .iter()
        .map(|batch| {
            let steps = batch.steps.iter().flat_map(|step| &step.tasks);
            steps.map(|task| name(&plan, *task)).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(batches.len(), 5);
    assert!(batches.contains(&"w:.".to_owned()));
    assert!(batches.contains(&"z:b-mid a:b-mid".to_owned()), "what is needed comes first: {batches:?}");
}

#[test]
fn every_order_and_batch_has_the_same_tasks_and_graph() {
    let tools = || {
        let mut optional = per_file("o");
        optional.required = false;
        vec![optional, per_file("t"), whole("w")]
    };
    let plain = planned(tools(), Order::Deterministic, Batch::Auto, &Facts::default());
    let mut sequences = BTreeSet::new();
    for order in [Order::Deterministic, Order::Topo, Order::RequiredFirst, Order::RiskFirst] {
        for batch in ["auto", "1", "7", "by-tool", "by-path"] {
            let facts = facts(&["b-mid/src/lib.rs"], &[]);
            let plan = planned(tools(), order, batch.parse().unwrap(), &facts);
            assert_eq!(plan.graph, plain.graph, "{order} {batch}");
            let mut tasks: Vec<_> = plan
                .batches
                .iter()
                .flat_map(|batch| &batch.steps)
                .flat_map(|step| step.tasks.clone())
                .collect();
            tasks.sort();
            let all: Vec<_> = (0..plain.graph.tasks.len() as u32).map(TaskIx).collect();
            assert_eq!(tasks, all, "{order} {batch}");
            sequences.insert((order.to_string(), names(&plan)));
        }
    }
    let orders: BTreeSet<_> = sequences.iter().map(|(_, names)| names).collect();
    assert!(orders.len() >= 4, "the orders differ");
}

#[test]
fn an_explanation_has_the_parts_of_the_id() {
    let plan = planned(vec![per_file("t"), whole("w")], Order::Deterministic, Batch::Auto, &Facts::default());
    for at in 0..plan.graph.tasks.len() as u32 {
        let parts = explain(&workspace(), &plan, TaskIx(at)).unwrap().0;
        let names: BTreeSet<_> = parts.iter().map(|(name, _)| *name).collect();
        for part in ["tool", "run", "parse", "unit", "inputs", "needs"] {
            assert!(names.contains(part), "{part} is not among {names:?}");
        }
    }
}
