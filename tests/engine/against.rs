//! Tests of `--against`: the base, drift, what is excused and what is not, and how reports show it.

use std::path::Path;

use serde_json::Value;

use crate::support::Sandbox;

/// Words in `a.txt` and `b/c.txt` of a package, committed. Both files have accepted and other findings.
fn committed(config: &str) -> Sandbox {
    let sandbox = Sandbox::with_words(config);
    sandbox.commit_all();
    sandbox
}

fn commit(sandbox: &Sandbox) {
    assert!(sandbox.git(&["add", "-A"]) && sandbox.git(&["commit", "-qm", "more", "--allow-empty"]));
}

/// Returns the cause of each new finding, as `message: cause`.
fn causes(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let cause = |finding: &Value| {
        let cause = finding["cause"]["kind"].as_str().unwrap_or("none");
        format!("{}: {cause}", finding["message"].as_str().unwrap())
    };
    report["findings"].as_array().unwrap().iter().map(cause).collect()
}

#[test]
fn only_what_the_change_caused_fails() {
    let sandbox = committed("");
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    sandbox.run(&["run"], 1);
    assert!(sandbox.json("report.json")["against"].is_null(), "without a base, there are no causes");
    let of_base = sandbox.json("run.json")["graph_hash"].clone();
    sandbox.write("readme.md", "Not checked.\n");
    commit(&sandbox);
    let text = sandbox.run(&["run", "--against", "main"], 0);
    assert_eq!(causes(&sandbox), ["one: base", "two: base", "three: base"]);
    assert!(text.contains("note: not caused by this change: 3 findings (base)"), "{text}");
    assert!(text.contains("a.txt:1: error: one (words)") || text.contains("a.txt:1"), "{text}");
    assert!(text.contains("no new findings; 3 findings are not caused by the change"), "{text}");
    assert!(text.contains("3 not caused by the change"), "{text}");
    let report = sandbox.json("report.json");
    assert_eq!(report["against"]["graph_hash"], of_base);
    assert_eq!(report["against"]["reference"], "main");
    assert_eq!(report["gate"]["exit"], 0);
    // The same run without a base fails.
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("3 new findings"), "{text}");

    // A change of one file: its findings count, and the other's don't.
    sandbox.write("a.txt", "bad one\nbad two\nbad new\n");
    let text = sandbox.run(&["run", "--against", "main"], 1);
    assert_eq!(causes(&sandbox), ["one: change", "two: change", "new: change", "three: base"]);
    assert!(text.contains("error: 3 new findings") && text.contains("1 finding is not caused"), "{text}");
    let id = sandbox.json("report.json")["findings"][2]["id"].as_str().unwrap().to_owned();
    let text = sandbox.run(&["explain", &id], 0);
    assert!(
        text.contains("cause: change") && text.contains("\n    a.txt\n") && text.contains("(main)"),
        "{text}"
    );
    let text = sandbox.run(&["explain", "0123456789abcdef"], 2);
    assert!(text.contains("no tool, task, finding or test called `0123456789abcdef`"), "{text}");
    let text = sandbox.run(&["run", "--against", "main", "--message-format", "short"], 1);
    assert!(text.contains("new (new; cause: change)") && text.contains("three (new; cause: base)"), "{text}");
}

#[test]
fn a_base_that_is_not_configured_is_drift_and_an_unknown_one_an_error() {
    let sandbox = committed("");
    let text = sandbox.run(&["check", "--against", "main"], 5);
    assert!(
        text.contains("against differs from the configuration: `main` (--against) instead of `none`"),
        "{text}"
    );
    let mut command = sandbox.command(&["check"]);
    let text = sandbox.expect(&command.env("GENTI_AGAINST", "main").output().unwrap(), 5);
    assert!(text.contains("(GENTI_AGAINST)"), "{text}");
    let text = sandbox.run(&["run", "--against", "nowhere"], 2);
    assert!(text.contains("`nowhere`") && text.contains("no such commit"), "{text}");
    let text = sandbox.run(&["run", "--against", ""], 2);
    assert!(text.contains("expected a revision"), "{text}");
    let text = sandbox.run(&["run", "--against", "main", "--fail-fast"], 2);
    assert!(text.contains("--fail-fast can't be used"), "{text}");
    sandbox.write("genti.toml", &(sandbox.text("genti.toml") + "[policy]\nagainst = 'main'\n"));
    commit(&sandbox);
    sandbox.run(&["check"], 0);
    assert_eq!(causes(&sandbox), ["one: base", "two: base", "three: base"]);
    sandbox.run(&["check", "--against", "main"], 0);
    sandbox.run(&["check", "--against", "HEAD~1"], 5);
}

#[test]
fn the_environment_names_the_base_and_a_shallow_clone_says_how_to_fetch_it() {
    let sandbox = committed("[policy]\nagainst = 'auto'\n");
    sandbox.run(&["check"], 1);
    assert!(sandbox.json("report.json")["against"].is_null(), "the main branch has no base");
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    sandbox.write("a.txt", "bad one\n");
    commit(&sandbox);
    assert!(sandbox.git(&["checkout", "-q", "--detach", "main"]));
    sandbox.write("b/c.txt", "bad three\nbad four\n");
    commit(&sandbox);
    assert!(
        sandbox.git(&["branch", "-q", "next"])
            && sandbox.git(&["merge", "-q", "--no-ff", "--no-edit", "topic"])
    );
    let variables = [("GITHUB_BASE_REF", "main"), ("GITHUB_REF", "refs/pull/1/merge")];
    let check = |dir: &Path, variables: &[(&str, &str)], code: i32| {
        let mut command = sandbox.command(&["check"]);
        command.envs(variables.iter().copied()).current_dir(dir);
        sandbox.expect(&command.output().unwrap(), code)
    };
    check(sandbox.root(), &variables, 1);
    assert_eq!(causes(&sandbox), ["one: change", "three: base", "four: base"]);
    assert_eq!(sandbox.json("report.json")["against"]["reference"], "HEAD^1");
    let event = sandbox.beside().join("event.json");
    std::fs::write(&event, "{\"merge_group\":{\"base_sha\":\"next\"}}").unwrap();
    let group = [("GITHUB_EVENT_NAME", "merge_group"), ("GITHUB_EVENT_PATH", event.to_str().unwrap())];
    check(sandbox.root(), &group, 1);
    assert_eq!(causes(&sandbox), ["one: change", "three: base", "four: base"]);
    let text = check(sandbox.root(), &[("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main")], 2);
    assert!(text.contains("`origin/main`"), "{text}");

    let shallow = sandbox.beside().join("shallow");
    let from = format!("file://{}", sandbox.root().display());
    let git = Sandbox::git_in(sandbox.beside());
    assert!(git(&["clone", "-q", "--depth", "1", &from, shallow.to_str().unwrap()]));
    let text = check(&shallow, &variables, 2);
    assert!(text.contains("this clone is shallow: run `git fetch --unshallow`"), "{text}");
}

#[test]
fn a_stale_entry_fails_only_if_the_change_made_it_stale() {
    let sandbox = committed("[policy]\nagainst = 'main'\n");
    sandbox.run(&["baseline", "accept", "--reason", "old"], 0);
    // The entry for `two` is stale on the main branch.
    sandbox.write("a.txt", "bad one\nfine\n");
    commit(&sandbox);
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    let text = sandbox.run(&["check"], 0);
    assert!(text.contains("1 baseline entry is stale"), "{text}");
    assert_eq!(sandbox.json("report.json")["gone"][0]["cause"]["kind"], "base");
    sandbox.write("b/c.txt", "fine\n");
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains("1 accepted finding is fixed but still in the baseline"), "{text}");
    // An entry that the change adds is its own.
    sandbox.write("b/c.txt", "bad three\n");
    let file = ".config/genti/baseline/words.jsonl";
    sandbox.edit(file, "three", "thrice");
    let text = sandbox.run(&["check"], 1);
    assert_eq!(causes(&sandbox).last().unwrap(), "three: change", "the change removed its entry: {text}");
    let gone = sandbox.json("report.json")["gone"].clone();
    let kinds: Vec<_> = gone.as_array().unwrap().iter().map(|gone| gone["cause"]["kind"].clone()).collect();
    assert_eq!(kinds, ["base", "change"].map(Value::from).to_vec(), "{gone:#}");
}

#[test]
fn nothing_is_excused_if_the_base_cannot_be_planned() {
    let sandbox = committed("[policy]\nagainst = 'main'\n");
    let good = sandbox.text("genti.toml");
    sandbox.write("genti.toml", &format!("{good}nonsense = 1\n"));
    commit(&sandbox);
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    sandbox.write("genti.toml", &good);
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains("can't plan the base (main)") && text.contains("nonsense"), "{text}");
    assert_eq!(causes(&sandbox), ["one: change", "two: change", "three: change"]);
    let report = sandbox.json("report.json");
    assert!(report["against"]["graph_hash"].is_null());
    let inputs = report["findings"][0]["cause"]["inputs"].clone();
    assert!(inputs.to_string().contains("the base can't be planned"), "{inputs}");
}

#[test]
fn a_base_with_other_packages_is_planned_from_a_skeleton() {
    let sandbox = committed("");
    sandbox.run(&["run"], 1);
    let of_base = sandbox.json("run.json")["graph_hash"].clone();
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    sandbox.edit("Cargo.toml", "[workspace]", "[workspace]\nmembers = [\"more\"]");
    sandbox.write("more/Cargo.toml", "[package]\nname = \"more\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    sandbox.write("more/src/lib.rs", "");
    sandbox.write("examples/extra.rs", "fn main() {}\n");
    sandbox.write("a.txt", "fine\n");
    commit(&sandbox);
    // The tool has no locked version, so a manifest may have changed how it is installed.
    sandbox.run(&["run", "--against", "main"], 1);
    assert_eq!(causes(&sandbox), ["three: change"]);
    assert_eq!(sandbox.json("report.json")["against"]["graph_hash"], of_base);
}

#[test]
fn a_finished_run_is_judged_with_its_causes() {
    let sandbox = committed("[policy]\nagainst = 'main'\n");
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    sandbox.run(&["check"], 0);
    let kept = sandbox.keep_artifacts();
    let kept = kept.to_str().unwrap();
    sandbox.run(&["check", "--artifacts", kept], 0);
    let report = format!("{kept}/report.json");
    let text = std::fs::read_to_string(&report).unwrap();
    let commit = sandbox.json("report.json")["against"]["commit"].as_str().unwrap().to_owned();
    std::fs::write(&report, text.replace(&commit, &"0".repeat(40))).unwrap();
    let text = sandbox.run(&["check", "--artifacts", kept], 1);
    assert!(text.contains("`against.commit`"), "{text}");
}

#[test]
fn every_report_shows_causes() {
    let sandbox = committed("");
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    sandbox.write("a.txt", "bad one\n");
    sandbox.run(&["run", "--against", "main"], 1);
    let report = |format: &str| sandbox.run(&["report", "--format", format], 0);
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let causes: Vec<_> = results.iter().map(|result| result["properties"]["cause"].clone()).collect();
    assert_eq!(causes, ["change", "base"].map(Value::from).to_vec());
    let markdown = report("markdown");
    assert!(markdown.contains("failed, 1 new finding, 1 finding is not caused by the change"), "{markdown}");
    assert!(
        markdown.contains("### Not caused by this change\n\n`base`: the base has them as well"),
        "{markdown}"
    );
    let junit = report("junit");
    assert!(junit.contains("failures=\"1\"") && junit.contains("Not caused by the change"), "{junit}");
    let gitlab: Value = serde_json::from_str(&report("gitlab")).unwrap();
    assert_eq!(gitlab.as_array().unwrap().len(), 1);
    let github = report("github");
    assert!(github.contains("::warning file=a.txt") && github.contains("::notice file=b/c.txt"), "{github}");
    assert!(github.contains("three%0ANot caused by the change: the base has it as well."), "{github}");
    let html = report("html");
    assert!(
        html.contains("#state=excused")
            && html.contains("Caused by the change: differs from the base in a.txt.")
    );
    let human = sandbox.run(&["report"], 0);
    assert!(human.contains("not caused by this change: 1 finding (base)"), "{human}");
}
