//! Shards as plain values: which results count, and which belong together.

use super::format::{Header, Lines, ResultLine, StepLine, ToolLine};
use super::read::{ReadShard, ShardFile, Unread};
use super::together::{choose, compare, inputs, machines, missing};
use super::*;
use crate::model::finding::{Diagnostic, Level, Place};
use crate::model::path::RelPath;
use crate::model::policy::{Policy, Selection};
use crate::model::testing::{tool, workspace};
use crate::model::tool::{Parse, Tool};
use crate::model::variant::Variant;
use crate::pipeline::results::BuiltFor;
use crate::plan::{self, Facts, partition_digest};

/// A plan with a tool `all`, and `lint@away`, which only runs on another system.
fn planned() -> Plan {
    let away = Variant { name: "away".to_owned(), on: vec!["away".to_owned()], ..Variant::default() };
    let lint = Tool { variant: Some(away.into()), ..tool("lint@away", Parse::Lines, &["lint"]) };
    let tools = vec![tool("all", Parse::Lines, &["all"]), lint];
    let workspace = workspace(&[], &["a.txt"]);
    plan::plan(&workspace, tools, Selection::default(), Policy::default(), &Facts::default()).unwrap()
}

fn header(plan: &Plan, system: &str) -> Header {
    let built = BuiltFor { target: Some(system.to_owned()), ..BuiltFor::default() };
    let tool =
        |tool: &Tool| ToolLine { name: tool.name.clone(), version: Some("1.0".to_owned()), newer: None };
    let steps: Vec<_> = plan.steps().collect();
    Header {
        schema: 1,
        genti: VERSION.to_owned(),
        system: system.to_owned(),
        index: 1,
        count: 1,
        partition: partition_digest(plan.batch_id, None, [&steps[..]].into_iter()),
        balance: None,
        graph_hash: plan.graph.hash,
        batch_id: plan.batch_id,
        files: Digest::of_bytes(b"files"),
        policy: serde_json::json!({}),
        selection: serde_json::json!({}),
        gate: true,
        parallel: 2,
        builds: [("default", built.clone()), ("away", built)]
            .map(|(name, built)| (name.to_owned(), built))
            .into(),
        tools: plan.graph.tools.iter().map(tool).collect(),
    }
}

fn found(message: &str) -> ResultLine {
    let diagnostic = Diagnostic {
        place: Place::File { path: RelPath::new("a.txt"), range: None },
        ns: "all".into(),
        rule: "r".into(),
        level: Level::Warning,
        message: message.into(),
        fatal: false,
        package: None,
        related: Vec::new(),
        fix: None,
        test: None,
    };
    let parsed = Parsed { diagnostics: vec![diagnostic], ..Parsed::default() };
    ResultLine { tasks: vec![0], ..ResultLine::parsed(&parsed) }
}

fn without(status: &Status) -> ResultLine {
    ResultLine { tasks: vec![0], ..ResultLine::without(status) }
}

/// A shard of a system with one result for each of the two tools, each of which has one step.
fn shard(plan: &Plan, name: &str, system: &str, results: [ResultLine; 2]) -> ReadShard {
    let line = |id: StepId| StepLine {
        rank: id.rank,
        at: id.at,
        tool: plan.graph.tool(plan.step(id).tool).name.clone(),
        tasks: plan.step(id).tasks.iter().map(|task| plan.graph.task(*task).id.0).collect(),
        results: vec![results[plan.step(id).tool.0 as usize].clone()],
        inputs: Vec::new(),
        start_us: 0,
        duration_us: 0,
        slot: 0,
        attempts: 1,
    };
    ReadShard {
        name: name.to_owned(),
        digest: Digest::of_bytes(name.as_bytes()),
        header: header(plan, system),
        steps: plan.steps().map(line).collect(),
    }
}

fn skipped() -> ResultLine {
    without(&Status::Skipped("elsewhere".to_owned()))
}

fn crashed() -> ResultLine {
    without(&Status::Crashed("SIGSEGV".to_owned()))
}

/// Returns the name of the shard whose result of each tool counts, or `-`.
fn chosen(plan: &Plan, shards: &[ReadShard], home: &str) -> Result<String, usize> {
    let chosen = choose(plan, shards, home).map_err(|conflicts| conflicts.len())?;
    let name = |id| chosen.get(&id).map_or("-", |(at, _)| &*shards[*at].name);
    let names: BTreeMap<_, _> = plan.steps().map(|id| (plan.step(id).tool, name(id))).collect();
    Ok(names.into_values().collect::<Vec<_>>().join(" "))
}

#[test]
fn a_verdict_outranks_a_missing_one_and_a_skipped_task() {
    let plan = planned();
    let shard = |name, results| shard(&plan, name, "here", results);
    let (bad, good) = (shard("bad", [crashed(), skipped()]), shard("good", [found("x"), found("y")]));
    assert_eq!(chosen(&plan, &[bad, good], "here"), Ok("good good".to_owned()));
    let (bad, good) = (shard("bad", [crashed(), skipped()]), shard("worse", [crashed(), crashed()]));
    assert_eq!(chosen(&plan, &[bad, good], "here"), Ok("bad bad".to_owned()));
}

#[test]
fn several_verdicts_must_be_the_same() {
    let plan = planned();
    let shard = |name, message| shard(&plan, name, "here", [found(message), skipped()]);
    assert_eq!(chosen(&plan, &[shard("a", "x"), shard("b", "x")], "here"), Ok("a a".to_owned()));
    assert_eq!(chosen(&plan, &[shard("a", "x"), shard("b", "y")], "here"), Err(1));
}

#[test]
fn only_what_does_not_run_here_counts_from_another_system() {
    let plan = planned();
    let here = || shard(&plan, "here", "here", [found("x"), skipped()]);
    let away = |message| shard(&plan, "away", "away", [found(message), found("z")]);
    assert_eq!(chosen(&plan, &[away("x"), here()], "here"), Ok("here away".to_owned()));
    assert_eq!(chosen(&plan, &[away("y"), here()], "here"), Err(1), "it contradicts");
    let failed = shard(&plan, "failed", "here", [crashed(), skipped()]);
    assert_eq!(chosen(&plan, &[away("x"), failed], "here"), Ok("failed away".to_owned()));
    assert_eq!(chosen(&plan, &[away("x")], "here"), Ok("- away".to_owned()));
    let shards = [away("x"), here()];
    let results = choose(&plan, &shards, "here").unwrap();
    let (of, differences) = machines(&plan, &shards, &results, "here");
    let targets: Vec<_> = of.builds.iter().map(|build| build.target.as_deref().unwrap()).collect();
    assert_eq!((targets, differences.len()), (vec!["here", "away"], 0));
}

#[test]
fn machines_with_other_versions_or_targets_do_not_belong_together() {
    let plan = planned();
    let mut other = shard(&plan, "b", "here", [crashed(), found("z")]);
    let first = || shard(&plan, "a", "here", [found("x"), crashed()]);
    let what = |shards: &[ReadShard]| {
        let results = choose(&plan, shards, "here").unwrap();
        let (_, differences) = machines(&plan, shards, &results, "here");
        differences.into_iter().map(|one| one.what).collect::<Vec<_>>()
    };
    assert_eq!(what(&[first(), other]), [""; 0]);
    other = shard(&plan, "b", "here", [crashed(), found("z")]);
    other.header.tools[0].version = Some("2.0".to_owned());
    assert_eq!(what(&[first(), other]), ["the version of all"]);
    // A machine without a result of the tool need not have it.
    other = shard(&plan, "b", "here", [crashed(), found("z")]);
    other.header.tools[0].version = None;
    assert_eq!(what(&[first(), other]), [""; 0]);
    let plan = {
        let tools = vec![tool("all", Parse::Lines, &["all"]), tool("other", Parse::Lines, &["other"])];
        let workspace = workspace(&[], &["a.txt"]);
        plan::plan(&workspace, tools, Selection::default(), Policy::default(), &Facts::default()).unwrap()
    };
    let difference = |edit: &dyn Fn(&mut BuiltFor, &mut BuiltFor)| {
        let mut first = shard(&plan, "a", "here", [found("x"), crashed()]);
        let mut other = shard(&plan, "b", "here", [crashed(), found("z")]);
        let builds = |shard: &mut ReadShard| shard.header.builds["default"].clone();
        let (mut one, mut two) = (builds(&mut first), builds(&mut other));
        edit(&mut one, &mut two);
        first.header.builds.insert("default".to_owned(), one);
        other.header.builds.insert("default".to_owned(), two);
        let shards = [first, other];
        let results = choose(&plan, &shards, "here").unwrap();
        let (_, differences) = machines(&plan, &shards, &results, "here");
        let ShardDifference { what, found, expected, .. } = differences.into_iter().next().unwrap();
        format!("{what}: {found} / {expected}")
    };
    let target = difference(&|_, other| other.target = Some("arm".to_owned()));
    assert_eq!(target, "the target of the variant `default`: arm / here");
    let profiles = difference(&|_, other| {
        other.profiles.insert("CARGO_PROFILE_DEV_OPT_LEVEL".to_owned(), Digest::of_bytes(b"3"));
    });
    let expected =
        "the variables for cargo's profiles of the variant `default`: CARGO_PROFILE_DEV_OPT_LEVEL / none";
    assert_eq!(profiles, expected);
    let conditions = difference(&|first, other| {
        let set = |all: &[&str]| Some(all.iter().map(|one| (*one).to_owned()).collect());
        (first.cfgs, other.cfgs) = (set(&["unix", "fast"]), set(&["unix", "slow", "x"]));
    });
    assert_eq!(conditions, "the conditions that compiler flags set of the variant `default`: slow, x / fast");
}

#[test]
fn inputs_beyond_the_listed_files_must_have_the_same_content() {
    let plan = planned();
    let with = |name, inputs: Vec<Discovered>| {
        let mut shard = shard(&plan, name, "here", [found("x"), found("y")]);
        shard.steps[usize::from(name == "b")].inputs = vec![(0, inputs)];
        // Each has one of the steps.
        shard.steps.remove(usize::from(name == "a"));
        shard
    };
    let digest = |text: &str| Digest::of_bytes(text.as_bytes());
    let file = |text| Discovered::File(RelPath::new("ignored.rs"), Some(digest(text)));
    let variable = |text| Discovered::Variable("MODE".to_owned(), Some(digest(text)));
    let made = |text| Discovered::Generated(RelPath::new("out.rs"), digest(text));
    let differ = |a: Vec<Discovered>, b: Vec<Discovered>| {
        let shards = [with("a", a), with("b", b)];
        let results = choose(&plan, &shards, "here").unwrap();
        inputs(&shards, &results).into_iter().map(|one| one.what).collect::<Vec<_>>()
    };
    assert_eq!(differ(vec![file("1"), variable("1")], vec![file("1"), made("1")]), [""; 0]);
    assert_eq!(differ(vec![made("1")], vec![made("2")]), [""; 0]);
    assert_eq!(differ(vec![file("1")], vec![file("2")]), ["the content of ignored.rs"]);
    assert_eq!(
        differ(vec![variable("1")], vec![Discovered::Variable("MODE".to_owned(), None)]),
        ["the variable MODE"]
    );
}

#[test]
fn the_shards_must_be_those_of_one_partition() {
    let plan = planned();
    let both = || shard(&plan, "a", "here", [found("x"), found("y")]);
    assert_eq!(missing(&plan, &[both()]).map(|all| all.len()), Ok(0));
    let mut part = both();
    part.steps.pop();
    assert!(missing(&plan, &[part]).unwrap_err().message.contains("not those of their partition"));
    let steps: Vec<_> = plan.steps().collect();
    let two = |lists: [&[StepId]; 2], index: u32| {
        let mut shard = both();
        (shard.header.index, shard.header.count) = (index, 2);
        shard.header.partition = partition_digest(plan.batch_id, None, lists.into_iter());
        shard.steps.retain(|line| lists[index as usize - 1].contains(&line.id()));
        shard
    };
    let absent = |lists, indices: &[u32]| {
        let shards: Vec<_> = indices.iter().map(|index| two(lists, *index)).collect();
        missing(&plan, &shards).unwrap().into_iter().map(|shard| shard.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(absent([&steps[..1], &steps[1..]], &[1, 2]), [""; 0]);
    assert_eq!(absent([&steps[..1], &steps[1..]], &[2]), ["1/2"]);
    assert_eq!(absent([&steps[..], &[]], &[1]), [""; 0], "an empty shard need not be there");
}

#[test]
fn a_header_is_compared_with_the_checkout_and_with_the_others() {
    let plan = planned();
    let expected = header(&plan, "here");
    let shard = |edit: &dyn Fn(&mut Header)| {
        let mut shard = shard(&plan, "b", "here", [found("x"), found("y")]);
        edit(&mut shard.header);
        shard
    };
    let same = || shard(&|_| {});
    assert_eq!(compare(&expected, &[same(), same()]), []);
    let edits: [&dyn Fn(&mut Header); 7] = [
        &|header| header.genti = "0".to_owned(),
        &|header| header.graph_hash = Digest::of_bytes(b""),
        &|header| header.batch_id = Digest::of_bytes(b""),
        &|header| header.files = Digest::of_bytes(b""),
        &|header| header.policy = serde_json::json!({ "seed": 1 }),
        &|header| header.selection = serde_json::json!({ "since": "x" }),
        &|header| drop(header.tools.pop()),
    ];
    for edit in edits {
        assert_eq!(compare(&expected, &[shard(edit)]).len(), 1);
    }
    let edits: [&dyn Fn(&mut Header); 4] = [
        &|header| header.count = 2,
        &|header| header.partition = Digest::of_bytes(b""),
        &|header| header.balance = Some(Digest::of_bytes(b"")),
        &|header| header.gate = false,
    ];
    for edit in edits {
        assert_eq!(compare(&expected, &[shard(edit)]).len(), 0);
        assert_eq!(compare(&expected, &[same(), shard(edit)]).len(), 1);
    }
}

#[test]
fn a_record_is_read_back_and_any_cut_or_flipped_bit_is_found() {
    let plan = planned();
    let shard = shard(&plan, "b", "here", [found("x"), crashed()]);
    let mut lines = Lines::new(&shard.header);
    shard.steps.iter().for_each(|line| lines.push(line));
    let bytes = lines.finish();
    let read = |bytes: &[u8]| ShardFile { name: "f".to_owned(), bytes: bytes.to_vec() }.read();
    let Ok(back) = read(&bytes) else { panic!("it is whole") };
    assert_eq!(back.steps.len(), 2);
    assert_eq!(back.steps[0].results, shard.steps[0].results);
    assert_eq!(back.check(&workspace(&[], &["a.txt"]), &plan), Ok(()));
    let is_damage = |bytes: &[u8]| matches!(read(bytes), Err(Unread::Damage(_)));
    for len in 0..bytes.len() {
        assert!(is_damage(&bytes[..len]), "{len}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        // Only a digit of the schema makes it a newer one.
        assert!(is_damage(&flipped) || matches!(read(&flipped), Err(Unread::Newer(_))), "{at}");
    }
}
