//! Tests of every order and batch policy, as shown by `plan` and followed by a run.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Sandbox, disabled};

const ORDERS: [&str; 4] = ["deterministic", "topo", "required-first", "risk-first"];
const BATCHES: [&str; 5] = ["auto", "1", "7", "by-tool", "by-path"];

/// A tool per text file, an optional one, and one per package, over members that depend on each other.
const TOOLS: &str = r#"
[tools.fmt]
max-bytes = 100
[tools.words]
run = ["awk", "/bad/ {print FILENAME \":\" FNR \":\" $0}", "{files}"]
per = "file"
files = ["**/*.txt"]
max-tasks = 2
parse = { regex = "^(?<path>.+?):(?<line>\\d+):(?<message>.*)$" }
[tools.manifest]
run = ["test", "-e", "{dir}/Cargo.toml"]
per = "package"
required = false
"#;

fn sandbox(place: &str, names: impl Iterator<Item = u32>) -> Sandbox {
    let sandbox = Sandbox::of("members", place);
    sandbox.write("genti.toml", &(disabled(&["clippy", "doc", "test", "doctest"]) + TOOLS));
    for name in names {
        let package = ["app", "core", "util"][name as usize % 3];
        sandbox.write(&format!("{package}/text/{name}.txt"), if name == 4 { "bad\n" } else { "good\n" });
    }
    sandbox
}

fn plan(sandbox: &Sandbox, args: &[&str]) -> Vec<u8> {
    let args = [&["plan", "--format", "json"], args].concat();
    let output = sandbox.command(&args).output().unwrap();
    sandbox.expect(&output, 0);
    output.stdout
}

/// Returns the ids of all tasks in plan order.
fn tasks(plan: &Value) -> Vec<String> {
    let list = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
    let steps = list(plan, "batches").into_iter().flat_map(|batch| list(&batch, "steps"));
    steps
        .flat_map(|step| list(&step, "tasks"))
        .map(|task| task["task_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_policy_plans_the_same_in_every_clone() {
    let here = sandbox("here", 0..9);
    let there = sandbox("some/where/else", (0..9).rev());
    let mut graphs = BTreeSet::new();
    let mut sets = BTreeSet::new();
    let mut sequences = BTreeSet::new();
    for order in ORDERS {
        for batch in BATCHES {
            let args = ["--order", order, "--batch", batch];
            let bytes = plan(&here, &args);
            assert_eq!(plan(&there, &args), bytes, "{args:?}");
            let plan: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(
                (plan["order_policy"].as_str(), plan["batch_policy"].as_str()),
                (Some(order), Some(batch))
            );
            graphs.insert(plan["graph_hash"].as_str().unwrap().to_owned());
            let sequence = tasks(&plan);
            sets.insert(sequence.iter().cloned().collect::<BTreeSet<_>>());
            sequences.insert((batch, sequence));
        }
    }
    assert_eq!((graphs.len(), sets.len()), (1, 1), "one graph, one set of tasks");
    let by_one = sequences.iter().filter(|(batch, _)| *batch == "1").count();
    assert!(by_one >= 3, "only {by_one} of the orders differ one by one");
}

/// Returns the batches of a plan, one per line: the class, and the units of each step.
fn outline(plan: &Value) -> String {
    let list = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let step = |step: &Value| {
        let units: Vec<_> = list(step, "tasks").iter().map(|task| text(&task["unit"])).collect();
        format!("{}({})", text(&step["tool"]), units.join(" "))
    };
    let batch = |batch: &Value| {
        let steps: Vec<_> = list(batch, "steps").iter().map(step).collect();
        format!("  {}: {}\n", batch["class"], steps.join(" "))
    };
    list(plan, "batches").iter().map(batch).collect()
}

#[test]
fn every_policy_splits_and_ranks_as_in_the_committed_golden() {
    let sandbox = sandbox("w", 0..9);
    // A changed file, which has a risk.
    sandbox.run(&["baseline", "init"], 0);
    let mut found = String::new();
    for order in ORDERS {
        for batch in BATCHES {
            let plan = plan(&sandbox, &["--order", order, "--batch", batch]);
            let plan: Value = serde_json::from_slice(&plan).unwrap();
            found.push_str(&format!("--order {order} --batch {batch}\n{}", outline(&plan)));
        }
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/golden/plans.txt");
    snapbox::assert_data_eq!(found, snapbox::Data::read_from(golden.as_ref(), None).raw());
}

#[test]
fn every_policy_reports_the_same() {
    let sandbox = sandbox("w", 0..9);
    sandbox.run(&["run"], 1);
    let report = sandbox.artifact("report.json");
    for order in ORDERS {
        for batch in BATCHES {
            sandbox.run(&["run", "--order", order, "--batch", batch, "--parallel", "3"], 1);
            assert_eq!(sandbox.artifact("report.json"), report, "{order} {batch}");
            let run = sandbox.json("run.json");
            assert_eq!(
                (run["order_policy"].as_str(), run["batch_policy"].as_str()),
                (Some(order), Some(batch))
            );
        }
    }
}

#[test]
fn a_seed_is_reproducible_and_changes_only_the_order() {
    let sandbox = sandbox("w", 0..9);
    let seeded = |seed: &str| plan(&sandbox, &["--seed", seed, "--batch", "1"]);
    assert_eq!(seeded("1"), seeded("1"));
    assert_ne!(seeded("1"), seeded("2"));
    sandbox.run(&["run", "--seed", "1"], 1);
    let report = sandbox.artifact("report.json");
    sandbox.run(&["run", "--seed", "2"], 1);
    assert_eq!(sandbox.artifact("report.json"), report);
}

#[test]
fn a_random_seed_is_printed_and_recorded() {
    let sandbox = sandbox("w", 0..9);
    let text = sandbox.run(&["run", "--seed", "random"], 1);
    let seed = sandbox.json("run.json")["seed"].as_u64().unwrap();
    assert!(seed > 0 && text.contains(&format!("--seed {seed}")), "{text}");
}

/// Returns the ranks of the steps in the order of their starts, with one process at a time.
fn started(sandbox: &Sandbox) -> Vec<u64> {
    let mut batches: Vec<_> = sandbox
        .lines("batch")
        .iter()
        .map(|line| (line["timing"]["start_us"].as_u64().unwrap(), line["rank"].as_u64().unwrap()))
        .collect();
    batches.sort_unstable();
    batches.into_iter().map(|(_, rank)| rank).collect()
}

#[test]
fn one_process_at_a_time_follows_the_ranks() {
    let sandbox = sandbox("w", 0..9);
    for order in ORDERS {
        sandbox.run(&["run", "--order", order, "--batch", "2", "--parallel", "1"], 1);
        let ranks = started(&sandbox);
        assert!(ranks.is_sorted() && ranks.len() > 5, "{order}: {ranks:?}");
    }
}

#[test]
fn changed_files_come_first_under_risk() {
    let sandbox = sandbox("w", 0..9);
    sandbox.commit_all();
    let first = |args: &[&str]| {
        let args = [&["--order", "risk-first", "--batch", "1"], args].concat();
        let plan: Value = serde_json::from_slice(&plan(&sandbox, &args)).unwrap();
        let batch = &plan["batches"][0];
        (batch["class"].as_u64().unwrap(), batch["steps"][0]["tasks"][0]["unit"].as_str().unwrap().to_owned())
    };
    sandbox.write("util/text/2.txt", "touched\n");
    let (class, unit) = first(&["--since", "HEAD"]);
    assert!(class == 0 && unit.starts_with("util"), "{unit}");
    assert_ne!(first(&[]).0, 0, "without --since nobody asks git");

    let text = sandbox.run(&["plan", "--since", "no-such-commit"], 2);
    assert!(text.contains("no-such-commit"), "{text}");
}

#[test]
fn a_task_is_explained_by_name_or_id() {
    let sandbox = sandbox("w", 0..9);
    let by_name = sandbox.run(&["plan", "--explain", "words:app/text/0.txt"], 0);
    let id = by_name.split_whitespace().find(|word| word.len() == 64).unwrap().to_owned();
    assert_eq!(sandbox.run(&["plan", "--explain", &id[..12]], 0), by_name);
    for part in ["tool", "unit", "app/text/0.txt", "inputs", "needs"] {
        assert!(by_name.contains(part), "{part}: {by_name}");
    }
    let text = sandbox.run(&["plan", "--explain", "words:nothing"], 2);
    assert!(text.contains("words:nothing"), "{text}");
}

#[test]
fn the_graph_can_be_drawn() {
    let sandbox = sandbox("w", 0..9);
    let output = sandbox.command(&["plan", "--format", "dot"]).output().unwrap();
    let dot = sandbox.expect(&output, 0);
    assert!(dot.starts_with("digraph") && dot.trim_end().ends_with('}'), "{dot}");
    assert!(dot.contains("compare words") && dot.contains("-> report"), "{dot}");
}
