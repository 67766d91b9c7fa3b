//! Tests of the baseline: how it is updated, how its entries are accepted and dropped, and how two branches of it
//! are merged.

use std::process::Command;

use crate::support::Sandbox;

/// Returns the lines of the baseline without its header.
fn entries(sandbox: &Sandbox) -> Vec<String> {
    let path = sandbox.root().join(".config/genti/baseline/words.jsonl");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().skip(1).map(str::to_owned).collect()
}

fn messages(sandbox: &Sandbox) -> Vec<String> {
    let message = |line: &String| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry["msg"].as_str().unwrap().to_owned()
    };
    entries(sandbox).iter().map(message).collect()
}

#[test]
fn update_drops_fixed_findings_follows_moved_ones_and_accepts_nothing() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["baseline", "init"], 0);
    assert_eq!(messages(&sandbox), ["one", "two", "three"]);

    sandbox.write("a.txt", "added above\nbad two\nbad four\n");
    std::fs::rename(sandbox.root().join("b/c.txt"), sandbox.root().join("b/d.txt")).unwrap();
    sandbox.run(&["check"], 1);
    let text = sandbox.run(&["baseline", "update"], 0);
    assert!(text.contains("removed 1 fixed entry, updated 1 moved entry; 2 are left"), "{text}");
    assert_eq!(messages(&sandbox), ["two", "three"]);
    assert!(entries(&sandbox)[1].contains("b/d.txt"), "{:?}", entries(&sandbox));
    // The new finding is still new.
    sandbox.run(&["check"], 1);
    assert_eq!(
        sandbox.findings(),
        ["unchanged words a.txt:2", "new words a.txt:3", "unchanged words b/d.txt:1"]
    );

    let text = sandbox.run(&["baseline", "update"], 0);
    assert!(text.contains("nothing was fixed or moved"), "{text}");
}

#[test]
fn update_keeps_entries_of_code_that_was_not_checked() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.edit("genti.toml", "awk", "no-such-program");
    let before = entries(&sandbox);
    let text = sandbox.run(&["baseline", "update"], 0);
    assert!(text.contains("kept 3 entries that this run did not check"), "{text}");
    assert_eq!(entries(&sandbox), before);
}

#[test]
fn a_baseline_without_entries_is_not_written() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.write("a.txt", "fine\n");
    sandbox.write("b/c.txt", "fine\n");
    let text = sandbox.run(&["baseline", "update"], 0);
    assert!(text.contains("Removed .config/genti/baseline/words.jsonl"), "{text}");
    sandbox.run(&["check"], 0);
}

#[test]
fn accept_adds_the_matching_findings_with_the_reason() {
    let sandbox = Sandbox::with_words("");
    let text = sandbox.run(&["baseline", "accept", "--path", "b", "--reason", "a \"vendored\" file"], 0);
    assert!(text.contains("2 new findings not accepted"), "{text}");
    assert_eq!(messages(&sandbox), ["three"]);
    assert!(entries(&sandbox)[0].ends_with(r#""reason":"a \"vendored\" file"}"#), "{:?}", entries(&sandbox));

    // A filter that matches nothing is mistyped. One that matches only accepted findings is not.
    for (filter, value) in [("--rule", "wrods"), ("--path", "nowhere")] {
        let text = sandbox.run(&["baseline", "accept", "--path", "a.txt", filter, value, "--reason", "x"], 2);
        assert!(text.contains(&format!("no finding matches `{filter} {value}`")), "{text}");
        assert!(text.contains("there are new findings of words"), "{text}");
        assert_eq!(messages(&sandbox), ["three"]);
    }
    let text = sandbox.run(&["baseline", "accept", "--path", "b", "--reason", "x"], 0);
    assert!(text.contains("no new finding matches --path b (2 new findings in total)"), "{text}");
    sandbox.run(&["baseline", "accept", "--path", "./a.txt", "--rule", "words", "--reason", "later"], 0);
    assert_eq!(messages(&sandbox), ["one", "two", "three"]);
    sandbox.run(&["check"], 0);

    // The reason survives a move, and is shown.
    std::fs::rename(sandbox.root().join("b/c.txt"), sandbox.root().join("b/d.txt")).unwrap();
    sandbox.run(&["baseline", "update"], 0);
    let text = sandbox.run(&["baseline", "list"], 0);
    assert!(text.contains("a.txt:2: words: two\n    reason: later\n"), "{text}");
    assert!(text.contains("b/d.txt"), "{text}");
    assert!(text.contains("reason: a \"vendored\" file"), "{text}");
}

#[test]
fn accept_requires_a_reason() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["baseline", "accept"], 2);
    sandbox.run(&["baseline", "accept", "--reason", " "], 2);
    assert_eq!(entries(&sandbox), [""; 0]);
}

#[test]
fn a_diff_shows_added_and_removed_findings() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["baseline", "init"], 0);
    let copy = sandbox.beside().join("before");
    sandbox.run(&["run"], 0);
    let artifacts = sandbox.root().join("target/genti/artifacts");
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::copy(artifacts.join("report.json"), copy.join("report.json")).unwrap();
    sandbox.write("a.txt", "bad two\nbad four\nbad four\n");
    sandbox.run(&["run"], 1);
    let output = sandbox
        .command(&["baseline", "diff", copy.to_str().unwrap(), artifacts.to_str().unwrap()])
        .output()
        .unwrap();
    sandbox.expect(&output, 0);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines, "- a.txt: words: one\n+ a.txt: words: four\n+ a.txt: words: four\n");
    // A baseline and a run agree where nothing changed.
    let baseline = sandbox.root().join(".config/genti/baseline");
    let output = sandbox
        .command(&["baseline", "diff", baseline.to_str().unwrap(), copy.to_str().unwrap()])
        .output()
        .unwrap();
    sandbox.expect(&output, 0);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    sandbox.run(&["baseline", "diff", "nowhere", "."], 2);
}

/// Merges two branches that change `a.txt` and update their baselines. Returns whether there was no conflict.
fn merge(sandbox: &Sandbox, before: &str, ours: &str, theirs: &str, merged: &str) -> bool {
    sandbox.write("a.txt", before);
    sandbox.run(&["baseline", "init"], 0);
    sandbox.commit_all();
    assert!(sandbox.git(&["branch", "theirs"]));
    for (branch, text) in [("main", ours), ("theirs", theirs)] {
        assert!(sandbox.git(&["checkout", "-q", branch]));
        sandbox.write("a.txt", text);
        sandbox.run(&["baseline", "accept", "--reason", branch], 0);
        sandbox.run(&["baseline", "update"], 0);
        sandbox.run(&["check"], 0);
        assert!(sandbox.git(&["commit", "-qam", branch]));
    }
    assert!(sandbox.git(&["checkout", "-q", "main"]));
    sandbox.git(&["merge", "-q", "theirs"]);
    sandbox.write("a.txt", merged);
    !std::fs::read_to_string(sandbox.root().join(".config/genti/baseline/words.jsonl"))
        .unwrap()
        .contains("<<<<<<<")
}

#[test]
fn two_branches_merge_if_their_lines_do_not_touch() {
    let sandbox = Sandbox::with_words("");
    let before = "bad a\nbad c\nbad e\nbad g\nbad i\nbad k\n";
    // Each branch fixes one finding and accepts another one, far from those of the other branch.
    let ours = "bad b\nbad c\nbad e\nbad g\nbad i\nbad k\n";
    let theirs = "bad a\nbad c\nbad e\nbad g\nbad i\nbad l\n";
    let merged = "bad b\nbad c\nbad e\nbad g\nbad i\nbad l\n";
    assert!(merge(&sandbox, before, ours, theirs, merged), "a plain merge");
    sandbox.run(&["check"], 0);
    assert_eq!(messages(&sandbox), ["b", "c", "e", "g", "i", "l", "three"]);
}

#[test]
fn resolve_merges_lines_that_conflict() {
    let sandbox = Sandbox::with_words("");
    let merged = "bad b\nbad d\n";
    assert!(!merge(&sandbox, "bad a\nbad c\n", "bad b\nbad c\n", "bad a\nbad d\n", merged), "a conflict");
    let text = sandbox.run(&["check"], 2);
    assert!(text.contains("merge conflict markers") && text.contains("baseline resolve"), "{text}");
    let text = sandbox.run(&["baseline", "resolve"], 0);
    assert!(text.contains("words.jsonl: 3 entries"), "{text}");
    sandbox.run(&["check"], 0);
    assert_eq!(messages(&sandbox), ["b", "d", "three"]);
    // Without git's index, only the conflict markers are available. No accepted finding is lost.
    assert!(sandbox.git(&["checkout", "--merge", "--", ".config/genti/baseline/words.jsonl"]));
    std::fs::remove_dir_all(sandbox.root().join(".git")).unwrap();
    sandbox.run(&["baseline", "resolve"], 0);
    assert!(["b", "d", "three"].iter().all(|kept| messages(&sandbox).iter().any(|found| found == kept)));
    sandbox.run(&["baseline", "update"], 0);
    assert_eq!(messages(&sandbox), ["b", "d", "three"]);
}

/// Creates a finding in `a.txt` by a tool that sees the selection, accepts it with these flags, and fixes it.
fn fixed_sandbox(baseline: &str, flags: &[&str]) -> Sandbox {
    let config = r#"
[tools.words]
run = ["awk", "BEGIN {ARGC = 2} /bad/ {print FILENAME \":\" FNR \": \" $2}", "a.txt", "{selection}"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+): (?<message>.*)$" }
version = ["echo", "words 1.2.3 (today)"]
"#;
    let sandbox = Sandbox::with_tools(&format!("{config}{baseline}"));
    sandbox.write("a.txt", "bad one\n");
    sandbox.run(&[&["baseline", "init"], flags].concat(), 0);
    sandbox.write("a.txt", "fine\n");
    sandbox
}

/// Checks if `check` with these flags counts the missing entry as fixed.
#[track_caller]
fn check_fixed(sandbox: &Sandbox, flags: &[&str], is_fixed: bool) -> String {
    let text = sandbox.run(&[&["check", "--partial"], flags].concat(), i32::from(is_fixed));
    let state = if is_fixed { "fixed" } else { "unknown" };
    assert_eq!(sandbox.json("report.json")["gone"][0]["state"], state, "{text}");
    text
}

#[test]
fn a_finding_missing_in_another_build_is_not_fixed() {
    let sandbox = fixed_sandbox("", &[]);
    check_fixed(&sandbox, &["--all-features"], false);
    check_fixed(&sandbox, &[], true);

    let sandbox = fixed_sandbox(
        "[baseline]\nall-features = true\ncargo-profile = 'release'",
        &["--all-features", "--cargo-profile", "release"],
    );
    let text = check_fixed(&sandbox, &[], false);
    assert!(
        text.contains("recorded with other build flags (`--all-features --cargo-profile release`)"),
        "{text}"
    );
    check_fixed(&sandbox, &["--all-features"], false);
    check_fixed(&sandbox, &["--all-features", "--cargo-profile", "release"], true);
    let text = sandbox.run(&["baseline", "update"], 2);
    assert!(text.contains("add `--all-features --cargo-profile release`"), "{text}");
    sandbox.run(&["baseline", "update", "--all-features", "--cargo-profile", "release"], 0);
    assert_eq!(entries(&sandbox), [""; 0]);
}

#[test]
fn the_target_of_the_baseline_may_be_the_host() {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let host = output.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let other = "x86_64-unknown-none";
    let sandbox = fixed_sandbox(&format!("[baseline]\ntarget = '{host}'"), &[]);
    check_fixed(&sandbox, &["--target", other], false);
    check_fixed(&sandbox, &["--target", host], true);
    check_fixed(&sandbox, &[], true);
    // Cargo's own configuration may select another target.
    sandbox.write(".cargo/config.toml", &format!("build.target = '{other}'"));
    check_fixed(&sandbox, &[], false);
}

#[test]
fn a_finding_missing_with_another_version_of_the_tool_is_not_fixed() {
    let sandbox = fixed_sandbox("[baseline]\nversions = { words = '1.2' }", &[]);
    let text = check_fixed(&sandbox, &[], true);
    assert!(!text.contains("recorded with words"), "{text}");
    sandbox.edit("genti.toml", "words 1.2.3", "words 1.3.0");
    let text = check_fixed(&sandbox, &[], false);
    assert!(text.contains("recorded with words 1.2 and this is words 1.3.0 (today)"), "{text}");
    let text = sandbox.run(&["baseline", "update"], 0);
    assert!(text.contains("kept 1 entry that this run did not check"), "{text}");
}

#[test]
fn a_stale_entry_can_be_only_a_warning() {
    let sandbox = fixed_sandbox("[baseline]\nstale = 'warn'", &[]);
    let text = sandbox.run(&["check"], 0);
    assert!(text.contains("1 baseline entry is stale"), "{text}");
    sandbox.edit("genti.toml", "'warn'", "'fail'");
    sandbox.run(&["check"], 1);
}
