//! Tests of shards: whatever the number of machines, the merge leaves what one machine would, and nothing less passes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use genti::model::digest::Digest;
use serde_json::{Value, json};

use crate::support::Sandbox;

/// Tools of many kinds over few files: one prepares something for two others, one states a number, one runs tests, one fails
/// and another needs it, and one is not installed.
const TOOLS: &str = r#"
[tools.prepare]
run = ["cp", "b/c.txt", "../made"]
files = ["**/*.txt"]
cache = false

[tools.first]
run = ["sh", "-c", "cat ../made; exit 1"]
files = ["**/*.txt"]
needs = ["prepare"]
parse = { regex = "^(?<message>bad.*)$" }

[tools.second]
run = ["sh", "-c", "for f in \"$@\"; do test -f ../made && sed -n \"s|.*fine.*|$f:1: fine is not fine|p\" $f; done", "-", "{files}"]
per = "file"
max-tasks = 1
files = ["**/*.txt"]
needs = ["prepare"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+): (?<message>.*)$" }
required = false

[tools.size]
run = ["cat", "numbers"]
files = ["numbers"]
parse = { number = 'size (?<value>.+)', name = "size", better = "lower" }

[tools.unit]
run = ["sh", "-c", "cat unit.out; exit 101"]
files = ["unit.out"]
parse = "libtest"

[tools.broken]
run = ["false"]
files = ["numbers"]
required = false

[tools.after]
run = ["true"]
files = ["numbers"]
needs = ["broken"]
required = false

[tools.gone]
run = ["no-such-program"]
files = ["**/*.txt"]
required = false
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_words(TOOLS);
    sandbox.edit("genti.toml", "[tools.words]", "[policy]\nbatch = \"1\"\n[tools.words]");
    sandbox.write("numbers", "size 81\n");
    let counts = "1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";
    sandbox.write(
        "unit.out",
        &format!(
            "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n    b\n\ntest result: FAILED. {counts}\n"
        ),
    );
    (0..4)
        .for_each(|at| sandbox.write(&format!("d/{at}.txt"), if at == 2 { "bad four\n" } else { "fine\n" }));
    sandbox
}

/// Runs shard `index` of `count`, and keeps its record. Returns the directory with it.
#[track_caller]
fn shard(sandbox: &Sandbox, of: (u32, u32), args: &[&str], code: i32) -> PathBuf {
    let name = format!("{}/{}", of.0, of.1);
    sandbox.run(&[args, &["--shard", &name]].concat(), code);
    keep(sandbox, &format!("{}-{}", of.1, of.0))
}

/// Copies the record of the last run to a directory of its own.
fn keep(sandbox: &Sandbox, name: &str) -> PathBuf {
    let all = sandbox.beside().join("shards");
    std::fs::create_dir_all(&all).unwrap();
    let dir = all.join(format!("{}-{name}", std::fs::read_dir(&all).unwrap().count()));
    std::fs::create_dir(&dir).unwrap();
    std::fs::copy(sandbox.root().join("target/genti/artifacts/shard.jsonl"), dir.join("shard.jsonl"))
        .unwrap();
    dir
}

/// Runs all shards of `count`, whatever they find.
fn all(sandbox: &Sandbox, count: u32, args: &[&str]) -> Vec<PathBuf> {
    let run = |index| {
        // Another machine has nothing of this one.
        let _ = std::fs::remove_file(sandbox.beside().join("made"));
        let output =
            sandbox.command(&[args, &["--shard", &format!("{index}/{count}")]].concat()).output().unwrap();
        assert!([Some(0), Some(1), Some(3)].contains(&output.status.code()), "{output:?}");
        keep(sandbox, &format!("{count}-{index}"))
    };
    (1..=count).map(run).collect()
}

#[track_caller]
fn merge(sandbox: &Sandbox, dirs: &[PathBuf], args: &[&str], code: i32) -> String {
    let dirs: Vec<_> = dirs.iter().map(|dir| dir.to_str().unwrap()).collect();
    sandbox.run(&[&["merge"], &dirs[..], args].concat(), code)
}

/// Returns the artifacts without the times.
fn artifacts(sandbox: &Sandbox) -> [String; 3] {
    let text = |name: &str| String::from_utf8(sandbox.artifact(name)).unwrap();
    let without_times = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("timing");
        line.to_string() + "\n"
    };
    [text("run.json"), text("report.json"), text("tasks.jsonl").lines().map(without_times).collect()]
}

#[track_caller]
fn same(sandbox: &Sandbox, expected: &[String; 3], what: &str) {
    for (found, expected) in artifacts(sandbox).iter().zip(expected) {
        same_text(found, expected, what);
    }
}

#[track_caller]
fn same_text(found: &str, expected: &str, what: &str) {
    let mut lines = found.lines().zip(expected.lines());
    let first = lines.find(|(found, expected)| found != expected);
    assert!(found == expected, "{what}: {first:#?}");
}

#[test]
fn any_number_of_shards_merges_to_the_artifacts_of_one_machine() {
    let sandbox = sandbox();
    sandbox.run(&["baseline", "accept", "--tool", "words", "--reason", "r", "--path", "a.txt"], 0);
    sandbox.edit("a.txt", "bad two", "fine");
    for command in ["run", "check"] {
        let unsharded = |args: &[&str]| {
            let output = sandbox.command(&[&[command], args].concat()).output().unwrap();
            (output.status.code().unwrap(), artifacts(&sandbox))
        };
        let (code, expected) = unsharded(&["--no-cache"]);
        for count in if command == "run" { vec![1, 2, 3, 5, 8] } else { vec![3] } {
            let mut dirs = all(&sandbox, count, &[command, "--no-cache"]);
            dirs.reverse();
            merge(&sandbox, &dirs, &[], code);
            same(&sandbox, &expected, &format!("{command} {count}"));
        }
        // Cached results leave the same.
        all(&sandbox, 3, &[command]);
        let dirs = all(&sandbox, 3, &[command]);
        merge(&sandbox, &dirs, &[], code);
        same(&sandbox, &expected, "cached");
        // A parent directory with all shards does as well.
        let parent = sandbox.beside().join("parent");
        for (at, dir) in dirs.iter().enumerate() {
            std::fs::create_dir_all(parent.join(at.to_string())).unwrap();
            std::fs::copy(dir.join("shard.jsonl"), parent.join(at.to_string()).join("shard.jsonl")).unwrap();
        }
        merge(&sandbox, &[parent], &[], code);
        same(&sandbox, &expected, "parent");
    }
}

#[test]
fn cargos_tools_merge_to_the_same_bytes() {
    let sandbox = Sandbox::of("findings", "workspace");
    let lib = sandbox.text("src/lib.rs") + "pub const MODE: Option<&str> = option_env!(\"MODE\");\n";
    sandbox.write("src/lib.rs", &lib);
    sandbox.run(&["run"], 1);
    let expected = artifacts(&sandbox);
    assert!(expected[1].contains("clippy::") && expected[2].contains("\"tool\":\"test\""));
    let dirs = all(&sandbox, 3, &["run", "--no-cache"]);
    let builds = |dir: &PathBuf| record(dir).iter().any(|line| line["tool"] == "test-build");
    assert!(dirs.iter().any(builds));
    merge(&sandbox, &dirs, &[], 1);
    same(&sandbox, &expected, "cargo's tools");
    let cached = all(&sandbox, 3, &["run"]);
    merge(&sandbox, &cached, &[], 1);
    same(&sandbox, &expected, "cached results of cargo's tools");
    // clippy and rustdoc, in different shards, read a variable that differs between their machines.
    let at = |tool| dirs.iter().position(|dir| record(dir).iter().any(|line| line["tool"] == tool)).unwrap();
    assert_ne!(at("clippy"), at("doc"));
    let name = format!("{}/3", at("clippy") + 1);
    assert!(
        sandbox.command(&["run", "--shard", &name]).env("MODE", "fast").output().unwrap().status.code()
            == Some(1)
    );
    let mut mixed = cached;
    mixed[at("clippy")] = keep(&sandbox, "other-mode");
    let text = merge(&sandbox, &mixed, &[], 5);
    assert!(text.contains("the variable MODE is `"), "{text}");
    assert!(text.contains("note: run all shards and the merge on the same commit"), "{text}");
}

/// A package with two features and a workspace beside it. Something is wrong in each variant.
fn with_variants() -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    for dir in ["examples", "src", "tests"] {
        std::fs::remove_dir_all(sandbox.root().join(dir)).unwrap();
    }
    std::fs::remove_file(sandbox.root().join("build.rs")).unwrap();
    let manifest = sandbox.text("Cargo.toml").replace("[workspace]", "[workspace]\nexclude = [\"fuzz\"]");
    sandbox.write("Cargo.toml", &format!("{manifest}\n[features]\na = []\nb = []\n"));
    sandbox.write(
        "src/lib.rs",
        "//! A library.\n\n/// Is one.\npub fn one() -> u8 {\n    return 1;\n}\n\n/// Needs both.\n\
         #[cfg(all(feature = \"a\", feature = \"b\"))]\npub fn both() {\n    let unused = 1;\n}\n\n#[test]\nfn it() {}\n\n\
         #[cfg(feature = \"b\")]\n#[test]\nfn with_b() {\n    panic!(\"b\");\n}\n",
    );
    sandbox.write(
        "fuzz/Cargo.toml",
        "[workspace]\n\n[package]\nname = \"fuzz\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    let comment =
        "# This file is automatically @generated by Cargo.\n# It is not intended for manual editing.\n";
    let lock = format!("{comment}version = 4\n\n[[package]]\nname = \"fuzz\"\nversion = \"0.1.0\"\n");
    sandbox.write("fuzz/Cargo.lock", &lock);
    sandbox.write("fuzz/src/lib.rs", "//! Another.\n\n#[test]\nfn it() {\n    panic!(\"fuzz\");\n}\n");
    sandbox.write(
        "genti.toml",
        "[variants.each]\npowerset = { depth = 2 }\n[variants.fuzz]\nworkspace = \"fuzz\"\n\
         [tools.clippy]\nvariants = [\"default\", \"each\", \"fuzz\"]\n\
         [tools.test]\nvariants = [\"default\", \"each\", \"fuzz\"]\n[tools.fmt]\nvariants = [\"default\", \"fuzz\"]\n\
         [tools.doc]\nenabled = false\n[tools.doctest]\nenabled = false\n",
    );
    sandbox
}

#[test]
fn combinations_of_features_and_other_workspaces_merge_to_the_same_bytes() {
    let sandbox = with_variants();
    sandbox.run(&["run"], 1);
    let expected = artifacts(&sandbox);
    for found in ["needless_return", "unused_variables", "with_b", "fuzz/src/lib.rs"] {
        assert!(expected[1].contains(found), "{found}: {}", expected[1]);
    }
    assert!(expected[2].contains(". --features a,b"), "{}", expected[2]);
    let text = sandbox.run(&["plan", "--format", "github-matrix", "--shards", "4"], 0);
    let matrix: Value = serde_json::from_str(&text).unwrap();
    let lines = matrix["include"].as_array().unwrap();
    let dirs = all(&sandbox, 4, &["run", "--no-cache"]);
    assert_eq!(lines.len(), dirs.len());
    for (line, dir) in lines.iter().zip(&dirs) {
        let lines = record(dir);
        let steps = lines.iter().filter(|line| line["kind"] == "step");
        let tools: BTreeSet<_> = steps.clone().map(|step| step["tool"].as_str().unwrap()).collect();
        let tools: Vec<_> = tools.into_iter().collect();
        assert_eq!(
            (line["steps"].as_u64(), &line["tools"]),
            (Some(steps.count() as u64), &json!(tools.join(", ")))
        );
    }
    merge(&sandbox, &dirs, &[], 1);
    same(&sandbox, &expected, "variants");
    let cached = all(&sandbox, 4, &["run"]);
    merge(&sandbox, &cached, &[], 1);
    same(&sandbox, &expected, "cached results of variants");
    // A selection of variants is one of another plan.
    let some = shard(&sandbox, (1, 4), &["run", "--variant", "each"], 1);
    let text = merge(&sandbox, &[&[some], &dirs[1..]].concat(), &[], 5);
    assert!(text.contains("selection.variants is `[\"each\"]`"), "{text}");
}

fn record(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("shard.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes `lines` with a digest that fits.
fn forge(dir: &Path, lines: &[Value]) {
    let (_, lines) = lines.split_last().unwrap();
    let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    let digest = Digest::of_bytes(text.as_bytes()).to_string();
    let end = json!({ "digest": digest, "kind": "end" }).to_string() + "\n";
    std::fs::write(dir.join("shard.jsonl"), text + &end).unwrap();
}

#[test]
fn damaged_and_forged_shards_are_refused() {
    let sandbox = sandbox();
    let dirs = all(&sandbox, 2, &["run"]);
    let victim = &dirs[1];
    let file = victim.join("shard.jsonl");
    let good = std::fs::read(&file).unwrap();
    let refused = |what: &str, bytes: &[u8], code: i32, expected: &str| {
        std::fs::write(&file, bytes).unwrap();
        let text = merge(&sandbox, &dirs, &[], code);
        assert!(text.contains(expected), "{what}: {text}");
        assert!(!text.contains("Finished"), "{what}: {text}");
        std::fs::write(&file, &good).unwrap();
    };
    let text = String::from_utf8(good.clone()).unwrap();
    // 1 to 5: the bytes are damaged.
    let first_line = text.find('\n').unwrap() + 1;
    refused("empty", b"", 3, "line 1: is empty");
    refused("cut", &good[..good.len() - 40], 3, "so the file is incomplete");
    refused("cut at a line", text[..text.len() - 1].rsplit_once('\n').unwrap().0.as_bytes(), 3, "incomplete");
    refused("a flipped byte", text.replacen("first", "fIrst", 1).as_bytes(), 3, "the digest does not match");
    refused("no header", &good[first_line..], 3, "line 1");
    // 6 to 12: the content is of something else. The digest fits.
    let forged = |what: &str, code: i32, expected: &str, edit: &dyn Fn(&mut Vec<Value>)| {
        let mut lines = record(victim);
        edit(&mut lines);
        forge(victim, &lines);
        let bytes = std::fs::read(&file).unwrap();
        refused(what, &bytes, code, expected);
    };
    let is_step = |line: &Value, tool: &str| line["kind"] == "step" && line["tool"] == tool;
    let with_result = |lines: &mut Vec<Value>, edit: &dyn Fn(&mut Value)| {
        let line = lines.iter_mut().find(|line| line["kind"] == "step").unwrap();
        edit(&mut line["results"][0]);
    };
    forged("another plan", 5, "graph_hash is `", &|lines| lines[0]["graph_hash"] = json!("0".repeat(64)));
    forged("another version", 5, "the version of genti is `0.0.1`", &|lines| {
        lines[0]["genti"] = json!("0.0.1")
    });
    forged("another partition", 5, "the digest of the partition", &|lines| {
        lines[0]["partition"] = json!("1".repeat(64));
    });
    forged("another tool", 5, "the version of ", &|lines| {
        let tools = lines[0]["tools"].as_array_mut().unwrap();
        tools.iter_mut().for_each(|tool| tool["version"] = json!("other 1.0"));
    });
    forged("a newer format", 2, "schema 99, which is newer", &|lines| lines[0]["schema"] = json!(99));
    forged("a step too few", 3, "are not those of their partition", &|lines| drop(lines.remove(1)));
    forged("a step twice", 3, "not in the order of the plan", &|lines| lines.insert(1, lines[1].clone()));
    forged("an unknown step", 3, "the plan has no step", &|lines| lines[1]["rank"] = json!(9999));
    forged("another task", 3, "has other tasks than in the plan", &|lines| {
        lines[1]["tasks"][0] = json!("2".repeat(64));
    });
    forged("no result", 3, "neither a result nor a reason", &|lines| lines[1]["results"] = json!([]));
    forged("a pass without output", 3, "is not a status without output", &|lines| {
        with_result(lines, &|result| *result = json!({ "status": "clean", "tasks": [0] }));
    });
    forged("an unknown package", 3, "there is no package 77", &|lines| {
        with_result(lines, &|result| {
            *result = json!({ "gaps": [{ "package": 77, "path": null, "reason": "r" }], "tasks": [0] });
        });
    });
    forged("an unknown kind of line", 3, "unknown kind of line `stop`", &|lines| {
        lines[1]["kind"] = json!("stop");
    });
    forged("two results", 3, "has several results", &|lines| {
        let results = lines[1]["results"].as_array_mut().unwrap();
        let mut more = results[0].clone();
        more["cached"] = json!(true);
        ["noted", "status", "reason"].iter().for_each(|key| drop(more.as_object_mut().unwrap().remove(*key)));
        results.push(more);
    });
    // Two shards that both did the preparation, and one says that it found something else.
    let with_first = dirs.iter().find(|dir| record(dir).iter().any(|line| is_step(line, "first"))).unwrap();
    let again = sandbox.beside().join("again");
    std::fs::create_dir_all(&again).unwrap();
    let mut lines = record(with_first);
    let line = lines.iter_mut().find(|line| is_step(line, "first")).unwrap();
    line["results"] = json!([{ "tasks": [0] }]);
    forge(&again, &lines);
    let text = merge(&sandbox, &[&dirs[..], &[again]].concat(), &[], 3);
    assert!(text.contains("have different results of first for the same files"), "{text}");
}

#[test]
fn another_commit_with_the_same_plan_is_drift() {
    let sandbox = sandbox();
    let dirs = all(&sandbox, 2, &["run"]);
    let graph = |sandbox: &Sandbox| sandbox.json("run.json")["graph_hash"].clone();
    let before = graph(&sandbox);
    // No tool reads it, but it is another commit.
    sandbox.write("LICENSE", "other\n");
    let again = shard(&sandbox, (2, 2), &["run"], 1);
    assert_eq!(graph(&sandbox), before);
    let text = merge(&sandbox, &[dirs[0].clone(), again], &[], 5);
    assert!(text.contains("the digest of all files is `"), "{text}");
    // Records in the workspace that git does not ignore are files of the workspace.
    std::fs::remove_file(sandbox.root().join("LICENSE")).unwrap();
    let dirs = all(&sandbox, 2, &["run"]);
    for (at, dir) in dirs.iter().enumerate() {
        let own = format!("shards/{at}/shard.jsonl");
        sandbox.write(&own, &std::fs::read_to_string(dir.join("shard.jsonl")).unwrap());
    }
    let text = merge(&sandbox, &["shards".into()], &[], 5);
    assert!(text.contains("put them below the target directory"), "{text}");
}

#[test]
fn a_missing_shard_is_incomplete_and_a_new_one_outranks_a_failed_one() {
    let sandbox = sandbox();
    let code = if sandbox.command(&["run"]).status().unwrap().success() { 0 } else { 1 };
    let expected = artifacts(&sandbox);
    let dirs = all(&sandbox, 3, &["run", "--no-cache"]);
    let text = merge(&sandbox, &dirs[..2], &[], 3);
    assert!(
        text.contains("missing: shard 3/3") && text.contains("no shard has a result; shard 3/3 is missing"),
        "{text}"
    );
    assert!(sandbox.json("run.json")["end"]["exit"] == 3);
    let empty = sandbox.beside().join("nothing");
    let text = merge(&sandbox, &[&dirs[..2], std::slice::from_ref(&empty)].concat(), &[], 3);
    assert!(text.contains("no such directory: "), "{text}");
    let text = merge(&sandbox, &[empty], &[], 3);
    assert!(text.contains("no shard found"), "{text}");
    // A shard without a result of anything, beside a good one of the same run.
    let bad = sandbox.beside().join("bad");
    std::fs::create_dir_all(&bad).unwrap();
    let dirs = all(&sandbox, 3, &["run", "--no-cache"]);
    let mut lines = record(&dirs[2]);
    for line in lines.iter_mut().filter(|line| line["kind"] == "step") {
        let tasks: Vec<_> = (0..line["tasks"].as_array().unwrap().len()).collect();
        line["results"] =
            json!([{ "noted": true, "reason": "stopped", "status": "not-run", "tasks": tasks }]);
    }
    forge(&bad, &lines);
    let text = merge(&sandbox, &[&dirs[..2], std::slice::from_ref(&bad)].concat(), &[], 3);
    assert!(text.contains("stopped"), "{text}");
    merge(&sandbox, &[&[bad], &dirs[..]].concat(), &[], code);
    same(&sandbox, &expected, "re-run");
}

#[test]
fn a_killed_shard_leaves_no_record() {
    let sandbox = sandbox();
    let kills = "\n[tools.kills]\nrun = [\"sh\", \"-c\", \"! test -f ../kill || kill -9 $PPID\"]\nfiles = [\"numbers\"]\n";
    sandbox.write("genti.toml", &(sandbox.text("genti.toml") + kills));
    let dirs = all(&sandbox, 1, &["run"]);
    let record = sandbox.root().join("target/genti/artifacts/shard.jsonl");
    assert!(record.exists());
    std::fs::write(sandbox.beside().join("kill"), "").unwrap();
    let output = sandbox.command(&["run", "--no-cache", "--shard", "1/1"]).output().unwrap();
    assert_eq!(output.status.code(), None, "{output:?}");
    assert!(!record.exists());
    let text = merge(&sandbox, &["target/genti/artifacts".into()], &[], 3);
    assert!(text.contains("no shard.jsonl in target/genti/artifacts"), "{text}");
    // A merge that fails leaves the records that it has read.
    std::fs::copy(dirs[0].join("shard.jsonl"), &record).unwrap();
    merge(&sandbox, &["target/genti/artifacts".into()], &["--tool", "words"], 5);
    assert!(record.exists());
}

#[test]
fn a_shard_decides_only_about_its_own_part() {
    let sandbox = sandbox();
    sandbox.write(
        "genti.toml",
        &sandbox.text("genti.toml").replace("[tools.gone]", "[tools.none]\nenabled = false"),
    );
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    assert!(!sandbox.root().join("target/genti/artifacts/shard.jsonl").exists());
    // An accepted finding is gone, which only the whole run may decide.
    sandbox.write("d/2.txt", "fine, so second reports it\n");
    let mut fixed = 0;
    let dirs: Vec<_> = (1..=3)
        .map(|index| {
            let dir = shard(&sandbox, (index, 3), &["check"], 0);
            let report = sandbox.json("report.json");
            fixed += report["tools"].as_array().unwrap().iter().filter(|tool| tool["fixed"] != 0).count();
            assert_eq!(report["blind_spots"], Value::Null);
            assert_eq!(sandbox.json("run.json")["shard"]["index"], index);
            assert_eq!(sandbox.json("run.json")["selection"]["whole"], false);
            dir
        })
        .collect();
    assert_eq!(fixed, 0);
    // Its artifacts are not those of a whole run.
    let kept = sandbox.keep_artifacts();
    let text = sandbox.run(&["check", "--artifacts", kept.to_str().unwrap()], 5);
    assert!(text.contains("the part of the plan that was run is `shard 3/3`"), "{text}");
    assert!(sandbox.run(&["blind-spots"], 2).contains("--shard"));
    let text = merge(&sandbox, &dirs, &[], 1);
    assert!(text.contains("accepted finding is fixed but still in the baseline"), "{text}");
    assert!(!sandbox.root().join("target/genti/artifacts/shard.jsonl").exists());
    sandbox.run(&["check"], 1);
    // Reports of the merge are those of a run.
    let sarif = sandbox.beside().join("merged.sarif");
    merge(&sandbox, &dirs, &["--report", &format!("sarif={}", sarif.display())], 1);
    assert!(std::fs::read_to_string(sarif).unwrap().contains("\"version\": \"2.1.0\""));
}

#[test]
fn a_selection_holds_for_all_shards_and_the_merge() {
    let sandbox = sandbox();
    sandbox.run(&["run", "--tool", "words"], 1);
    let expected = artifacts(&sandbox);
    let dirs = all(&sandbox, 2, &["run", "--tool", "words"]);
    let text = merge(&sandbox, &dirs, &[], 5);
    assert!(text.contains("selection.tools[0] is `"), "{text}");
    merge(&sandbox, &dirs, &["--tool", "words"], 1);
    same(&sandbox, &expected, "--tool");
    // In a gate, a partial run is drift, in the shards and in the merge.
    sandbox.run(&["check", "--tool", "words", "--shard", "1/2"], 5);
    let dirs = all(&sandbox, 2, &["check", "--partial", "--tool", "words"]);
    assert!(merge(&sandbox, &dirs, &["--tool", "words"], 5).contains("drift"));
    merge(&sandbox, &dirs, &["--tool", "words", "--partial"], 1);
    // Shards of a gate and of a run don't mix.
    let run = shard(&sandbox, (2, 2), &["run", "--tool", "words"], 1);
    let text = merge(&sandbox, &[dirs[0].clone(), run], &["--tool", "words", "--partial"], 5);
    assert!(text.contains("the command is `run`"), "{text}");
}

#[test]
fn recorded_durations_balance_the_shards() {
    let sandbox = sandbox();
    sandbox.run(&["run", "--no-cache"], 1);
    let expected = artifacts(&sandbox);
    let durations = sandbox.beside().join("tasks.jsonl");
    std::fs::write(&durations, sandbox.artifact("tasks.jsonl")).unwrap();
    let balance = ["--balance", durations.to_str().unwrap()];
    let dirs = all(&sandbox, 3, &[&["run", "--no-cache"], &balance[..]].concat());
    merge(&sandbox, &dirs, &[], 1);
    same(&sandbox, &expected, "balanced");
    let by_weight = all(&sandbox, 3, &["run"]);
    let digest = |dir: &PathBuf| record(dir)[0]["partition"].clone();
    let digests: BTreeSet<_> = [&dirs[0], &dirs[1], &by_weight[0]].map(|dir| digest(dir).to_string()).into();
    assert_eq!(digests.len(), 2, "two shards of one partition and one of another");
    let dirs = all(&sandbox, 3, &[&["run"], &balance[..]].concat());
    let text = merge(&sandbox, &[&dirs[..2], &by_weight[2..]].concat(), &[], 5);
    assert!(text.contains("the digest of the recorded durations"), "{text}");
    let text = sandbox.run(&["run", "--shard", "1/2", "--balance", "missing.jsonl"], 2);
    assert!(text.contains("missing.jsonl"), "{text}");
    sandbox.write("target/bad.jsonl", "{}\n");
    sandbox.run(&["plan", "--shard", "1/2", "--balance", "target/bad.jsonl"], 2);
    sandbox.run(&["run", "--balance", balance[1]], 2);
    sandbox.run(&["run", "--shard", "0/2"], 2);
    sandbox.run(&["run", "--bless", "--shard", "1/2"], 2);
    sandbox.run(&["check", "--artifacts", "x", "--shard", "1/2"], 2);
    sandbox.run(&["merge"], 2);
    // Neither a shard nor a merge knows the causes of findings, so none of them excuses any.
    let text = sandbox.run(&["check", "--shard", "1/2", "--against", "main"], 2);
    assert!(text.contains("a shard can't be compared with a base"), "{text}");
    let merges = ["merge", dirs[0].to_str().unwrap()];
    let output = sandbox.command(&merges).env("GENTI_AGAINST", "main").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    sandbox.edit("genti.toml", "[policy]\n", "[policy]\nagainst = \"auto\"\n");
    let text = sandbox.run(&merges, 2);
    assert!(text.contains("a merge of shards can't be compared with a base"), "{text}");
}

#[test]
fn a_plan_shows_its_shards() {
    let sandbox = sandbox();
    let json = |args: &[&str]| {
        let output = sandbox.command(&[&["plan", "--format", "json"], args].concat()).output().unwrap();
        crate::support::schema::check("plan.json", &output.stdout);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (whole, one) = (json(&[]), json(&["--shard", "1/2"]));
    assert_eq!(whole["graph_hash"], one["graph_hash"]);
    assert_eq!((&one["shard"]["index"], &one["shard"]["count"]), (&json!(1), &json!(2)));
    let count = |plan: &Value| plan["batches"].as_array().unwrap().len();
    assert!(count(&one) < count(&whole) && whole["shard"].is_null());
    let text = sandbox.run(&["plan", "--shard", "2/2"], 0);
    assert!(text.contains("shard 2/2: ") && text.contains(" steps; partition "), "{text}");
    let text = sandbox.run(&["plan", "--format", "github-matrix", "--shards", "3"], 0);
    let matrix: Value = serde_json::from_str(&text).unwrap();
    let shards: Vec<_> = matrix["include"].as_array().unwrap().iter().map(|one| &one["shard"]).collect();
    assert_eq!(shards, ["1/3", "2/3", "3/3"]);
    let text = sandbox.run(&["plan", "--format", "github-matrix", "--shards", "900"], 0);
    let matrix: Value = serde_json::from_str(&text).unwrap();
    let listed: Vec<_> = matrix["include"].as_array().unwrap().clone();
    assert!(listed.len() < 30, "shards without a step are left out");
    // Such shards need not be merged.
    let index = |one: &Value| u32::try_from(one["index"].as_u64().unwrap()).unwrap();
    let run = |one: &Value| {
        let name = format!("{}/900", index(one));
        assert!(sandbox.command(&["run", "--shard", &name]).output().unwrap().status.code().is_some());
        keep(&sandbox, &name.replace('/', "-"))
    };
    let dirs: Vec<_> = listed.iter().map(run).collect();
    merge(&sandbox, &dirs, &[], 1);
    sandbox.run(&["plan", "--format", "github-matrix"], 2);
    sandbox.run(&["plan", "--shards", "2"], 2);
    sandbox.run(&["plan", "--shard", "1/2", "--shards", "2", "--format", "github-matrix"], 2);
}
