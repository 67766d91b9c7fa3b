use std::collections::BTreeSet;

use super::command::ARGV_CAP;
use super::*;
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::policy::Batch;
use crate::model::powerset::Powerset;
use crate::model::task::{TaskId, TaskIx, Unit};
use crate::model::testing;
use crate::model::tool::{Arg, Parse, Per, Piece, Targets};
use crate::model::workspace::TargetKind::{Bin, Lib, Test};
use crate::model::workspace::{File, PackageId};

/// Two packages with ten files each, and one file that no package owns.
fn workspace() -> Workspace {
    let mut files: Vec<_> =
        (0..10).flat_map(|at| [format!("a/src/f{at}.rs"), format!("b/src/f{at}.rs")]).collect();
    files.extend(
        ["a/src/lib.rs", "b/src/lib.rs", "b/src/main.rs", "b/tests/t.rs", "README.md"].map(str::to_owned),
    );
    files.sort();
    let names: Vec<_> = files.iter().map(String::as_str).collect();
    let b = [(Lib, "b/src/lib.rs"), (Bin, "b/src/main.rs"), (Test, "b/tests/t.rs")];
    testing::workspace(&[("a", &[(Lib, "a/src/lib.rs")]), ("b", &b)], &names)
}

/// One tool per unit kind.
fn tools() -> Vec<Tool> {
    let mut lines = testing::tool("lines", Parse::Regex("(?<path>.+)".to_owned()), &["lines"]);
    (lines.per, lines.files) = (Per::File, vec!["**/*.rs".to_owned()]);
    lines.run.push(Arg::Files);
    let mut roots = testing::tool("roots", Parse::Rustfmt, &["roots"]);
    (roots.per, roots.files) = (Per::TargetRoot, vec!["**/*.rs".to_owned()]);
    roots.run.extend([Arg::Text(vec![Piece::Edition]), Arg::Files]);
    let mut whole = testing::tool("whole", Parse::RustcJson, &["cargo", "whole"]);
    whole.run.push(Arg::Selection);
    let mut each = testing::tool("each", Parse::ExitCode, &["each"]);
    each.per = Per::Package;
    each.run.push(Arg::Text(vec![Piece::Dir]));
    vec![lines, roots, whole, each]
}

fn planned(workspace: &Workspace, tools: Vec<Tool>, policy: Policy) -> Plan {
    plan(workspace, tools, Selection::default(), policy, &Facts::default()).unwrap()
}

fn batched(batch: &str) -> Policy {
    Policy { batch: batch.parse().unwrap(), ..Policy::default() }
}

fn seeded(seed: u64) -> Policy {
    Policy { seed, ..Policy::default() }
}

/// Returns the tasks in the order of their batches.
fn sequence(plan: &Plan) -> Vec<TaskIx> {
    plan.batches.iter().flat_map(|batch| &batch.steps).flat_map(|step| step.tasks.clone()).collect()
}

fn id_of(workspace: &Workspace, plan: &Plan, tool: &str, path: &str) -> TaskId {
    let path = RelPath::new(path);
    let is_it = |task: &&crate::model::task::Task| {
        plan.graph.tool(task.tool).name == tool && *task.unit.path(workspace) == path
    };
    plan.graph.tasks.iter().find(is_it).unwrap().id
}

fn edit(workspace: &Workspace, path: &str) -> Workspace {
    let mut edited = workspace.clone();
    let at = workspace.find(&RelPath::new(path)).unwrap();
    edited.files[at.0 as usize].digest = Digest::of_bytes(b"edited");
    edited
}

#[test]
fn every_batch_policy_is_a_partition_of_the_tasks() {
    let workspace = workspace();
    for batch in ["auto", "1", "7", "1000"] {
        let plan = planned(&workspace, tools(), batched(batch));
        let mut all = sequence(&plan);
        all.sort();
        let expected: Vec<_> = (0..plan.graph.tasks.len() as u32).map(TaskIx).collect();
        assert_eq!(all, expected, "--batch {batch}");
    }
}

#[test]
fn a_batch_of_n_holds_at_most_n_tasks_of_one_tool() {
    let workspace = workspace();
    let plan = planned(&workspace, tools(), batched("7"));
    for batch in &plan.batches {
        assert!(batch.steps.iter().map(|step| step.tasks.len()).sum::<usize>() <= 7);
        assert!(batch.steps.iter().all(|step| step.tool == batch.steps[0].tool));
    }
    // A tool that takes one unit at a time has one step per unit in the batch.
    let each = plan.batches.iter().find(|batch| plan.graph.tool(batch.steps[0].tool).name == "each").unwrap();
    assert_eq!(each.steps.len(), 2);
}

#[test]
fn auto_keeps_to_the_caps_of_the_tool() {
    let workspace = workspace();
    let mut tools = tools();
    (tools[0].caps.tasks, tools[0].caps.bytes) = (5, 300);
    let plan = planned(&workspace, tools, batched("auto"));
    let steps = plan.batches.iter().flat_map(|batch| &batch.steps);
    let mut sizes: Vec<_> = steps
        .filter(|step| plan.graph.tool(step.tool).name == "lines")
        .map(|step| step.tasks.len())
        .collect();
    sizes.sort_unstable();
    // Each file has 100 bytes.
    assert!(sizes.iter().all(|size| *size <= 3) && sizes.contains(&3), "{sizes:?}");
}

#[test]
fn an_added_file_moves_few_auto_boundaries() {
    let names: Vec<_> = (0..400).map(|at| format!("src/f{at:04}.txt")).collect();
    let with = |names: &[String]| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut tool = tools().swap_remove(0);
        (tool.files, tool.caps.tasks) = (Vec::new(), 8);
        let workspace = testing::workspace(&[], &names);
        let plan = planned(&workspace, vec![tool], batched("auto"));
        plan.batches.iter().map(|batch| batch.id).collect::<BTreeSet<_>>()
    };
    let before = with(&names);
    for at in (0..400).step_by(40) {
        let mut more = names.clone();
        more.insert(at, format!("src/f{at:04}-added.txt"));
        more.sort();
        let after = with(&more);
        let changed = after.difference(&before).count();
        assert!((1..=4).contains(&changed), "{changed} batches changed for one file at {at}");
    }
}

#[test]
fn seed_and_batch_change_the_sequence_and_no_id() {
    let workspace = workspace();
    let plain = planned(&workspace, tools(), Policy::default());
    for policy in [seeded(1), seeded(2), batched("1"), batched("7")] {
        let other = planned(&workspace, tools(), policy);
        assert_eq!(other.graph, plain.graph);
        assert_ne!(other.batch_id, plain.batch_id);
    }
    assert_eq!(planned(&workspace, tools(), seeded(1)), planned(&workspace, tools(), seeded(1)));
    assert_ne!(
        sequence(&planned(&workspace, tools(), seeded(1))),
        sequence(&planned(&workspace, tools(), seeded(2)))
    );
}

#[test]
fn seed_0_is_path_order() {
    let workspace = workspace();
    let plan = planned(&workspace, vec![tools().swap_remove(0)], batched("1"));
    let paths: Vec<_> =
        sequence(&plan).iter().map(|task| plan.graph.task(*task).unit.path(&workspace).clone()).collect();
    assert!(paths.is_sorted() && paths.len() == 24);
}

#[test]
fn no_id_depends_on_the_location_of_the_workspace_or_the_schedule() {
    let here = workspace();
    let mut there = here.clone();
    (there.root, there.target_dir) = ("/elsewhere".into(), "/elsewhere/target".into());
    for package in &mut there.packages {
        package.cargo_id = "another".to_owned();
    }
    let mut scheduled = tools();
    for tool in &mut scheduled {
        (tool.lane, tool.required, tool.caps.tasks) = (Some("x".to_owned()), false, 3);
    }
    let plain = planned(&here, tools(), Policy::default());
    assert_eq!(planned(&there, scheduled, Policy::default()).graph.hash, plain.graph.hash);
}

#[test]
fn an_edit_changes_only_the_ids_of_tasks_that_declare_the_file() {
    let before = workspace();
    let after = edit(&before, "a/src/f3.rs");
    let (old, new) =
        (planned(&before, tools(), Policy::default()), planned(&after, tools(), Policy::default()));
    let changed =
        |tool: &str, path: &str| id_of(&before, &old, tool, path) != id_of(&after, &new, tool, path);
    assert!(changed("lines", "a/src/f3.rs") && changed("roots", "a/src/lib.rs"));
    assert!(changed("each", "a") && changed("whole", "."));
    assert!(!changed("lines", "a/src/f4.rs") && !changed("roots", "b/src/lib.rs") && !changed("each", "b"));
    assert_ne!(old.graph.hash, new.graph.hash);
}

#[test]
fn a_dependency_is_an_input_of_its_dependents() {
    let mut before = workspace();
    before.packages[1].dependencies = vec![PackageId(0)];
    let after = edit(&before, "a/src/f3.rs");
    let (old, new) =
        (planned(&before, tools(), Policy::default()), planned(&after, tools(), Policy::default()));
    assert_ne!(id_of(&before, &old, "each", "b"), id_of(&after, &new, "each", "b"));
    assert_eq!(id_of(&before, &old, "roots", "b/src/lib.rs"), id_of(&after, &new, "roots", "b/src/lib.rs"));
}

#[test]
fn features_are_part_of_the_id_only_where_they_reach_the_command() {
    let workspace = workspace();
    let with = |features: &[&str]| {
        let features = features.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection { features, ..Selection::default() };
        plan(&workspace, tools(), selection, Policy::default(), &Facts::default()).unwrap()
    };
    let (plain, featured) = (with(&[]), with(&["x"]));
    assert_ne!(id_of(&workspace, &plain, "whole", "."), id_of(&workspace, &featured, "whole", "."));
    assert_eq!(
        id_of(&workspace, &plain, "lines", "a/src/f0.rs"),
        id_of(&workspace, &featured, "lines", "a/src/f0.rs")
    );
}

#[test]
fn tools_take_turns() {
    let plan = planned(&workspace(), tools(), batched("4"));
    let first: BTreeSet<_> = plan.batches[..4].iter().map(|batch| batch.steps[0].tool).collect();
    assert_eq!(first.len(), 4, "each of the four tools is among the first four batches");
}

#[test]
fn needed_tools_rank_first_and_are_part_of_the_ids_of_their_dependents() {
    let workspace = workspace();
    let mut needy = tools();
    needy[3].needs = vec!["lines".to_owned()];
    for policy in [Policy::default(), seeded(5), batched("1")] {
        let plan = planned(&workspace, needy.clone(), policy);
        let rank = |name: &str| {
            let of = (0..plan.batches.len())
                .filter(|rank| plan.graph.tool(plan.batches[*rank].steps[0].tool).name == name);
            of.collect::<Vec<_>>()
        };
        assert!(rank("lines").last() < rank("each").first());
        let free = planned(&workspace, tools(), Policy::default());
        assert_ne!(id_of(&workspace, &plan, "each", "a"), id_of(&workspace, &free, "each", "a"));
    }
}

#[test]
fn a_need_is_transitive_through_a_tool_without_tasks() {
    let workspace = workspace();
    let mut tools = tools();
    tools[1].files = vec!["nothing/*".to_owned()];
    tools[1].needs = vec!["lines".to_owned()];
    tools[3].needs = vec!["roots".to_owned()];
    let plan = planned(&workspace, tools, Policy::default());
    let id = |name: &str| plan.graph.tools().find(|(_, tool)| tool.name == name).unwrap().0;
    assert_eq!(plan.graph.needs[id("each").0 as usize], [id("lines"), id("roots")]);
}

#[test]
fn editions_do_not_share_a_process() {
    let mut workspace = workspace();
    workspace.packages[1].targets[2].edition = "2021".to_owned();
    for batch in ["auto", "100"] {
        let plan = planned(&workspace, tools(), batched(batch));
        for step in plan.batches.iter().flat_map(|batch| &batch.steps) {
            let editions: BTreeSet<_> = step
                .tasks
                .iter()
                .map(|task| {
                    plan.graph.task(*task).unit.target(&workspace).map(|target| target.edition.clone())
                })
                .collect();
            assert_eq!(editions.len(), 1);
        }
    }
}

#[test]
fn a_selection_narrows_units_and_reports_unknown_names() {
    let workspace = workspace();
    let plan_of = |packages: &[&str], exclude: &[&str], tools_named: &[&str], skipped: &[&str]| {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection {
            packages: own(packages),
            exclude: own(exclude),
            tools: own(tools_named),
            skip_tools: own(skipped),
            ..Selection::default()
        };
        plan(&workspace, tools(), selection, Policy::default(), &Facts::default())
    };
    let only_b = plan_of(&["b"], &[], &[], &[]).unwrap();
    assert_eq!(only_b.packages, [PackageId(1)]);
    assert!(only_b.graph.tasks.iter().all(|task| match task.unit {
        Unit::Workspace => true,
        unit => unit.package(&workspace) == Some(PackageId(1)),
    }));
    assert_eq!(plan_of(&[], &["a"], &[], &[]).unwrap().packages, [PackageId(1)]);
    assert_eq!(plan_of(&[], &[], &["roots"], &[]).unwrap().graph.tools.len(), 1);
    assert_eq!(plan_of(&[], &[], &[], &["roots"]).unwrap().graph.tools.len(), 3);
    let error = |plan: Result<Plan, PlanError>| plan.unwrap_err().to_string();
    assert_eq!(
        error(plan_of(&["c"], &[], &[], &[])),
        "no package named `c` in this workspace (there are `a`, `b`)"
    );
    assert_eq!(
        error(plan_of(&[], &[], &["root"], &[])),
        "no tool named `root` is configured (did you mean `roots`?)"
    );
    assert!(error(plan_of(&["a"], &["a"], &[], &[])).starts_with("no packages left"));
}

#[test]
fn selecting_a_tool_also_selects_the_tools_it_needs() {
    let workspace = workspace();
    let mut tools = tools();
    tools[3].needs = vec!["roots".to_owned()];
    tools[1].needs = vec!["lines".to_owned()];
    let selection = Selection { tools: vec!["each".to_owned()], ..Selection::default() };
    let plan = plan(&workspace, tools, selection, Policy::default(), &Facts::default()).unwrap();
    let names: Vec<_> = plan.graph.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["each", "lines", "roots"]);
}

#[test]
fn a_name_longer_than_a_command_line_is_an_error() {
    let mut workspace = workspace();
    let long = format!("z/{}", "x".repeat(ARGV_CAP));
    workspace.files.push(File {
        path: RelPath::new(long.as_bytes()),
        digest: Digest::of_bytes(b""),
        len: 0,
        is_link: false,
        is_behind_link: false,
    });
    workspace.owners.push(None);
    let mut tool = tools().swap_remove(0);
    tool.files = Vec::new();
    let error =
        plan(&workspace, vec![tool], Selection::default(), Policy::default(), &Facts::default()).unwrap_err();
    assert!(matches!(error, PlanError::ArgumentTooLong { ref tool, .. } if tool == "lines"), "{error}");
}

#[test]
fn arguments_longer_than_a_command_line_are_an_error() {
    let long = "x".repeat(ARGV_CAP);
    let tool = testing::tool("long", Parse::Lines, &["long", &long]);
    let error = plan(&workspace(), vec![tool], Selection::default(), Policy::default(), &Facts::default())
        .unwrap_err();
    assert!(matches!(error, PlanError::CommandTooLong { ref tool, .. } if tool == "long"), "{error}");
}

#[test]
fn no_command_line_is_longer_than_the_cap() {
    let names: Vec<_> = (0..2000).map(|at| format!("{}/f{at:05}.rs", "deep/".repeat(10))).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let workspace = testing::workspace(&[], &names);
    let mut per_file = tools().swap_remove(0);
    per_file.caps.tasks = 10_000;
    let mut per_workspace = testing::tool("all", Parse::Lines, &["all"]);
    (per_workspace.per, per_workspace.run) =
        (Per::Workspace, vec![Arg::Text(vec![Piece::Literal("all".to_owned())]), Arg::Files]);
    for policy in [batched("auto"), batched("5000")] {
        let plan = planned(&workspace, vec![per_file.clone(), per_workspace.clone()], policy);
        for step in plan.batches.iter().flat_map(|batch| &batch.steps) {
            let tool = plan.graph.tool(step.tool);
            let units: Vec<_> = step.tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
            let lines = expand(&workspace, &plan, tool, &units, &[], "".as_ref());
            assert_eq!(lines.len() == 1, tool.name == "lines", "only the files of a whole are spread");
            let len = |line: &Vec<std::ffi::OsString>| line.iter().map(|arg| arg.len() + 1).sum::<usize>();
            assert!(lines.iter().all(|line| len(line) <= ARGV_CAP));
        }
    }
}

#[test]
fn a_file_name_is_never_read_as_an_option() {
    let workspace = testing::workspace(&[], &["-rf", "plain"]);
    let mut tool = tools().swap_remove(0);
    tool.files = Vec::new();
    let plan = planned(&workspace, vec![tool], batched("auto"));
    let units: Vec<_> = plan.graph.tasks.iter().map(|task| task.unit).collect();
    let lines = expand(&workspace, &plan, &plan.graph.tools[0], &units, &[], "".as_ref());
    assert_eq!(lines, [["lines", "./-rf", "plain"].map(std::ffi::OsString::from)]);
}

#[test]
fn the_selection_becomes_cargo_flags() {
    let workspace = workspace();
    let words_of = |parse: Parse, selection: Selection| {
        let mut plan = plan(&workspace, tools(), selection, Policy::default(), &Facts::default()).unwrap();
        plan.graph.tools.iter_mut().for_each(|tool| tool.parse = parse.clone());
        let tool = plan.graph.tools.iter().find(|tool| tool.name == "whole").unwrap();
        let line = expand(&workspace, &plan, tool, &[Unit::Workspace], &["--locked".to_owned()], "".as_ref())
            .swap_remove(0);
        line.iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let words = |selection| words_of(Parse::Lines, selection);
    assert_eq!(words(Selection::default()), "cargo whole --workspace --locked");
    let release = || Selection { cargo_profile: Some("release".to_owned()), ..Selection::default() };
    let build = "cargo whole --workspace";
    assert_eq!(words_of(Parse::CargoBuild, Selection::default()), format!("{build} --profile test --locked"));
    assert_eq!(words_of(Parse::CargoBuild, release()), format!("{build} --profile release --locked"));
    // cargo-nextest has profiles of its own.
    assert_eq!(words_of(Parse::Nextest, release()), format!("{build} --cargo-profile release --locked"));
    let narrow = Selection {
        packages: vec!["b".to_owned()],
        features: vec!["x".to_owned()],
        no_default_features: true,
        target: Some("t".to_owned()),
        cargo_profile: Some("release".to_owned()),
        ..Selection::default()
    };
    assert_eq!(
        words(narrow),
        "cargo whole -p b@0.1.0 --features x --no-default-features --target t --profile release --locked"
    );
    assert_eq!(Batch::default(), Batch::Auto);
}

/// A tool that builds tests, and the tools that need it.
fn test_tools() -> Vec<Tool> {
    let mut build = testing::tool("build", Parse::CargoBuild, &["cargo", "test"]);
    build.on_demand = true;
    let mut test = testing::tool("test", Parse::Libtest, &[]);
    test.run = vec![Arg::Text(vec![Piece::Executable])];
    (test.per, test.needs) = (Per::TestTarget, vec!["build".to_owned()]);
    let mut doctest = testing::tool("doctest", Parse::Libtest, &["cargo", "test", "--doc"]);
    doctest.targets = Some(Targets::Doctest);
    vec![build, test, doctest]
}

fn units_of(workspace: &Workspace, plan: &Plan) -> Vec<String> {
    let name = |task: &crate::model::task::Task| {
        format!("{} {}", plan.graph.tool(task.tool).name, task.unit.path(workspace))
    };
    plan.graph.tasks.iter().map(name).collect()
}

#[test]
fn every_tested_target_is_a_task_even_if_two_share_a_root() {
    let mut workspace = workspace();
    workspace.packages[1].targets[1].root = RelPath::new("b/src/lib.rs");
    let plan = planned(&workspace, test_tools(), Policy::default());
    assert_eq!(
        units_of(&workspace, &plan),
        [
            "build .",
            "doctest .",
            "test a/src/lib.rs",
            "test b/src/lib.rs",
            "test b/src/lib.rs",
            "test b/tests/t.rs"
        ]
    );
    let ids: BTreeSet<_> = plan.graph.tasks.iter().map(|task| task.id).collect();
    assert_eq!(ids.len(), plan.graph.tasks.len());
    workspace.packages[1].targets[2].test = false;
    assert_eq!(planned(&workspace, test_tools(), Policy::default()).graph.tasks.len(), 5);
    for batch in ["auto", "1", "100", "by-tool", "by-path"] {
        let plan = planned(&workspace, test_tools(), batched(batch));
        assert!(
            plan.batches.iter().flat_map(|batch| &batch.steps).all(|step| step.tasks.len() == 1),
            "{batch}"
        );
    }
}

#[test]
fn an_on_demand_tool_has_a_task_only_if_a_dependent_has_one() {
    let mut workspace = workspace();
    let units = |workspace: &Workspace, selection: Selection| {
        let plan = plan(workspace, test_tools(), selection, Policy::default(), &Facts::default()).unwrap();
        units_of(workspace, &plan)
    };
    let tools = |tools: &[&str], skip_tools: &[&str]| {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Selection { tools: own(tools), skip_tools: own(skip_tools), ..Selection::default() }
    };
    assert_eq!(units(&workspace, tools(&["doctest"], &[])), ["doctest ."]);
    assert_eq!(units(&workspace, tools(&["build"], &[])), ["build ."]);
    assert_eq!(units(&workspace, tools(&[], &["test"])), ["doctest ."]);
    for package in &mut workspace.packages {
        package.targets.iter_mut().for_each(|target| (target.test, target.doctest) = (false, false));
    }
    assert!(units(&workspace, Selection::default()).is_empty());
}

#[test]
fn an_edit_changes_the_tests_of_its_package_and_its_dependents() {
    let mut before = workspace();
    before.packages[1].dependencies = vec![PackageId(0)];
    let tests = || vec![test_tools().swap_remove(1)];
    let ids = |workspace: &Workspace| {
        let plan = planned(workspace, tests(), Policy::default());
        ["a/src/lib.rs", "b/src/lib.rs"].map(|path| id_of(workspace, &plan, "test", path))
    };
    let changed = |path: &str| {
        let (old, new) = (ids(&before), ids(&edit(&before, path)));
        [old[0] != new[0], old[1] != new[1]]
    };
    assert_eq!((changed("a/src/f1.rs"), changed("b/src/f1.rs")), ([true, true], [false, true]));
}

/// Returns the command lines of `selection` without the program, by tool, if only `changed` files count. The tool `whole` has a
/// variant with this build. Only package `b` has the feature `full`.
fn lines(build: Selection, selection: Selection, changed: &[&str]) -> Vec<String> {
    let mut workspace = workspace();
    workspace.packages[1].features = [("full".to_owned(), Vec::new())].into();
    let whole = tools().swap_remove(2);
    let variant = Variant { name: "v".to_owned(), build, ..Variant::default() };
    let of_variant = Tool {
        name: "whole@v".to_owned(),
        variant: Some(variant.into()),
        variants: vec!["v".to_owned()],
        ..whole
    };
    let changed = selection.since.as_ref().map(|_| changed.iter().map(RelPath::new).collect());
    let facts = Facts { changed, ..Facts::default() };
    let plan = plan(&workspace, vec![of_variant], selection, Policy::default(), &facts).unwrap();
    let line = |task: &crate::model::task::Task| {
        let tool = plan.graph.tool(task.tool);
        let argv = expand(&workspace, &plan, tool, &[task.unit], &[], std::ffi::OsStr::new(""));
        let words = argv[0][2..].iter().map(|word| word.to_str().unwrap());
        words.collect::<Vec<_>>().join(" ")
    };
    plan.graph.tasks.iter().map(line).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_variant_without_a_selected_package_has_no_task() {
    let build = Selection { packages: words(&["b"]), no_default_features: true, ..Selection::default() };
    let asked = |names: &[&str]| Selection { packages: words(names), ..Selection::default() };
    assert_eq!(lines(build.clone(), asked(&["a"]), &[]), [""; 0]);
    assert_eq!(lines(build.clone(), asked(&["b"]), &[]), ["-p b@0.1.0 --no-default-features"]);
    assert_eq!(lines(build, asked(&[]), &[]), ["-p b@0.1.0 --no-default-features"]);
}

#[test]
fn only_features_of_the_selected_packages_are_passed() {
    let since = || Selection { since: Some("HEAD".to_owned()), ..Selection::default() };
    let asked = |name: &str| Selection { packages: words(&[name]), ..Selection::default() };
    let full = || Selection { features: words(&["full"]), ..Selection::default() };
    assert_eq!(lines(full(), Selection::default(), &[]), ["--workspace --features full"]);
    assert_eq!(lines(full(), since(), &["b/src/lib.rs"]), ["-p b@0.1.0 --features full"]);
    // Without its features, the variant is the default build.
    assert_eq!(lines(full(), since(), &["a/src/lib.rs"]), [""; 0]);
    assert_eq!(lines(full(), asked("a"), &[]), [""; 0]);
    let bare = || Selection { no_default_features: true, ..full() };
    assert_eq!(lines(bare(), since(), &["a/src/lib.rs"]), ["-p a@0.1.0 --no-default-features"]);
    assert_eq!(lines(bare(), asked("a"), &[]), ["-p a@0.1.0 --no-default-features"]);
    // Cargo knows the features of dependencies.
    let of_dependency = Selection { features: words(&["x/full"]), ..Selection::default() };
    assert_eq!(lines(of_dependency, asked("a"), &[]), ["-p a@0.1.0 --features x/full"]);
}

/// Plans a tool that runs each feature of package `b`, which has `full` and `bare`.
fn of_each_feature(selection: Selection) -> (Workspace, Plan) {
    let mut workspace = workspace();
    workspace.packages[1].features = ["full", "bare"].map(|name| (name.to_owned(), Vec::new())).into();
    let variant = Variant { name: "v".to_owned(), powerset: Some(Powerset::of_each()), ..Variant::default() };
    let tool = Tool { per: Per::Package, variant: Some(variant.into()), ..tools().swap_remove(2) };
    let plan = plan(&workspace, vec![tool], selection, Policy::default(), &Facts::default()).unwrap();
    (workspace, plan)
}

#[test]
fn each_combination_of_features_of_a_package_is_a_task_and_a_process() {
    let (workspace, plan) = of_each_feature(Selection::default());
    let tool = &plan.graph.tools[0];
    let names: Vec<_> =
        plan.graph.tasks.iter().map(|task| plan.graph.name_of(&workspace, task.unit)).collect();
    let of_a = "a --no-default-features";
    let of_b = ["b --no-default-features", "b --features bare", "b --features full", "b --all-features"];
    assert_eq!(names[..5], [&[of_a], &of_b[..]].concat());
    let line = |at: usize| {
        let argv =
            expand(&workspace, &plan, tool, &[plan.graph.tasks[at].unit], &[], std::ffi::OsStr::new(""));
        argv[0][2..].iter().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line(0), "-p a@0.1.0 --no-default-features");
    assert_eq!(line(2), "-p b@0.1.0 --no-default-features --features bare");
    assert_eq!(line(4), "-p b@0.1.0 --all-features");
    assert!(plan.steps().all(|step| plan.step(step).tasks.len() == 1));
    for (at, task) in (0..).map(TaskIx).zip(&plan.graph.tasks) {
        let explained = explain(&workspace, &plan, at).unwrap();
        assert!(!explained.0.is_empty(), "{task:?}");
    }
}

#[test]
fn the_id_of_a_combination_does_not_depend_on_other_packages_or_combinations() {
    let (_, all) = of_each_feature(Selection::default());
    let alone = Selection { packages: words(&["b"]), ..Selection::default() };
    let (_, of_b) = of_each_feature(alone);
    let ids = |plan: &Plan| plan.graph.tasks.iter().map(|task| task.id).collect::<Vec<_>>();
    assert_eq!(ids(&all)[1..5], ids(&of_b)[..]);
    let distinct: BTreeSet<_> = ids(&all).into_iter().collect();
    assert_eq!(distinct.len(), ids(&all).len());
}
