//! Tests of suppressions in the configuration: their expiry, and suppressions that match nothing.

use serde_json::json;

use crate::support::Sandbox;

const BELOW_B: &str = "[[suppress]]\nrule = 'words'\npath = 'b/**'\nreason = 'vendored'\nowner = 'jo'\n";

#[test]
fn suppressed_findings_do_not_fail_and_are_reported() {
    let sandbox = Sandbox::with_words(BELOW_B);
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains("Failed words    2           1  2 files\n"), "{text}");
    assert!(!text.contains("three"), "{text}");
    assert_eq!(sandbox.findings(), ["new words a.txt:1", "new words a.txt:2", "suppressed words b/c.txt:1"]);
    let report = sandbox.json("report.json");
    let finding = &report["findings"][2];
    assert_eq!((&finding["reason"], &finding["owner"]), (&json!("vendored"), &json!("jo")));
    assert_eq!(report["suppressions"][0]["matched"], 1);
    assert_eq!(report["suppressions"][0]["effect"], "active");
    let words = report["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "words").unwrap();
    assert_eq!((&words["new"], &words["suppressed"]), (&json!(2), &json!(1)));

    sandbox.write("a.txt", "fine\n");
    let text = sandbox.run(&["check"], 0);
    assert!(
        text.contains("Passed words           1  2 files\n") && text.contains("no new findings"),
        "{text}"
    );
    let text = sandbox.run(&["check", "--verbose"], 0);
    assert!(text.contains("three") && text.contains("suppressed by genti.toml:"), "{text}");
}

#[test]
fn fail_fast_does_not_stop_for_suppressed_findings() {
    let sandbox = Sandbox::with_words("[[suppress]]\ntool = 'words'\nreason = 'all of it'\n");
    sandbox.run(&["run", "--fail-fast", "--batch", "1", "--parallel", "1"], 0);
}

/// Runs with a suppression that expires, and the given date on the command line or in a variable.
#[track_caller]
fn check_date(args: &[&str], vars: &[(&str, &str)], code: i32, as_of: &str) {
    let sandbox =
        Sandbox::with_words("[[suppress]]\ntool = 'words'\nreason = 'later'\nexpires = 2027-01-31\n");
    let output = sandbox.command(args).envs(vars.iter().copied()).output().unwrap();
    let text = sandbox.expect(&output, code);
    let report = sandbox.json("report.json");
    assert_eq!(report["as_of"], as_of);
    let said = "suppression for words expired on 2027-01-31, so 3 findings count again (reason: later)";
    assert_eq!(text.contains(said), code != 0, "{text}");
    assert_eq!(report["suppressions"][0]["effect"], if code == 0 { "active" } else { "expired" });
}

#[test]
fn a_suppression_expires_after_its_last_day() {
    check_date(&["run", "--as-of", "2027-01-31"], &[], 0, "2027-01-31");
    check_date(&["run", "--as-of", "2027-02-01"], &[], 1, "2027-02-01");
    check_date(&["check"], &[("GENTI_AS_OF", "2027-02-01")], 1, "2027-02-01");
    // The first second of that February.
    check_date(&["check"], &[("SOURCE_DATE_EPOCH", "1801440000")], 1, "2027-02-01");
    check_date(&["check"], &[("SOURCE_DATE_EPOCH", "1801439999")], 0, "2027-01-31");
    let both = [("GENTI_AS_OF", "2027-02-01"), ("SOURCE_DATE_EPOCH", "0")];
    check_date(&["check"], &both, 1, "2027-02-01");
    check_date(&["check", "--as-of", "2026-12-24"], &both, 0, "2026-12-24");
}

#[test]
fn an_invalid_date_is_an_error() {
    let sandbox = Sandbox::with_words("");
    let text = sandbox.run(&["run", "--as-of", "2027-02-29"], 2);
    assert!(text.contains("--as-of: invalid date `2027-02-29`, expected one such as `2027-01-31`"), "{text}");
    let mut command = sandbox.command(&["run"]);
    let output = command.env("GENTI_AS_OF", "tomorrow").env("SOURCE_DATE_EPOCH", "now").output().unwrap();
    let text = sandbox.expect(&output, 2);
    assert!(text.contains("GENTI_AS_OF: invalid date `tomorrow`"), "{text}");
    assert!(text.contains("SOURCE_DATE_EPOCH: invalid number of seconds since 1970: `now`"), "{text}");
}

#[test]
fn the_date_is_recorded_only_if_it_affects_the_result() {
    let sandbox = Sandbox::with_words(BELOW_B);
    let report = |day| {
        sandbox.run(&["run", "--as-of", day], 1);
        sandbox.artifact("report.json")
    };
    assert_eq!(report("2026-01-01"), report("2027-12-31"));
    assert_eq!(sandbox.json("report.json")["as_of"], json!(null));
}

#[test]
fn an_unused_suppression_is_reported_if_everything_was_checked() {
    let sandbox = Sandbox::with_words("[[suppress]]\nrule = 'wrods'\nreason = 'x'\n");
    let line = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    let line = line.lines().position(|line| line == "[[suppress]]").unwrap() + 1;
    let said = format!(
        "warning: genti.toml:{line}: suppression for wrods matches nothing; remove or correct it (reason: x)"
    );
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains(&said), "{text}");
    assert_eq!(sandbox.json("report.json")["suppressions"][0]["effect"], "unused");

    // It may be for code that could not be checked.
    sandbox.edit("genti.toml", "awk", "no-such-program");
    let text = sandbox.run(&["run"], 3);
    assert!(!text.contains("matches nothing"), "{text}");
    assert_eq!(sandbox.json("report.json")["suppressions"][0]["effect"], "active");
}

#[test]
fn a_baseline_contains_no_suppressed_findings() {
    let baseline = |sandbox: &Sandbox| {
        std::fs::read_to_string(sandbox.root().join(".config/genti/baseline/words.jsonl")).unwrap_or_default()
    };
    let sandbox = Sandbox::with_words(BELOW_B);
    sandbox.run(&["baseline", "accept", "--reason", "old"], 0);
    assert!(baseline(&sandbox).contains("two") && !baseline(&sandbox).contains("three"));
    std::fs::remove_file(sandbox.root().join(".config/genti/baseline/words.jsonl")).unwrap();
    sandbox.run(&["baseline", "init"], 0);
    assert!(baseline(&sandbox).contains("two") && !baseline(&sandbox).contains("three"));
    sandbox.run(&["check"], 0);
    let dirs = [".config/genti/baseline", "target/genti/artifacts"];
    let text = sandbox.run(&["baseline", "diff", dirs[0], dirs[1]], 0);
    assert!(!text.contains("three"), "{text}");
}

#[test]
fn an_entry_whose_finding_is_suppressed_is_not_called_fixed() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["baseline", "init"], 0);
    let config = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    sandbox.write("genti.toml", &format!("{config}{BELOW_B}expires = 2027-01-31\n"));
    let text = sandbox.run(&["check", "--as-of", "2027-01-01"], 0);
    assert!(text.contains("1 baseline entry is also covered by a suppression"), "{text}");
    let report = sandbox.json("report.json");
    assert_eq!(report["gone"][0]["state"], "suppressed");
    let text = sandbox.run(&["baseline", "update", "--as-of", "2027-01-01"], 0);
    assert!(text.contains("removed 1 suppressed entry; 2 are left"), "{text}");
    sandbox.run(&["check", "--as-of", "2027-01-01"], 0);
    // No other entry holds the finding back once the suppression has expired.
    sandbox.run(&["check", "--as-of", "2027-02-01"], 1);
    assert_eq!(
        sandbox.findings(),
        ["unchanged words a.txt:1", "unchanged words a.txt:2", "new words b/c.txt:1"]
    );
}

/// Runs `check` with an expired suppression and these variables, and with a commit of that day, if given.
#[track_caller]
fn check_past(vars: &[(&str, &str)], commit: Option<&str>, code: i32, said: Option<&str>) {
    let sandbox =
        Sandbox::with_words("[[suppress]]\ntool = 'words'\nreason = 'later'\nexpires = 2021-06-30\n");
    if let Some(day) = commit {
        sandbox.commit_all();
        let date = format!("{day}T12:00:00Z");
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--amend", "--no-edit"]);
        command.env("GIT_COMMITTER_DATE", date).env("GIT_CONFIG_GLOBAL", "/dev/null");
        assert!(command.current_dir(sandbox.root()).status().unwrap().success());
    }
    let output = sandbox.command(&["check", "--quiet"]).envs(vars.iter().copied()).output().unwrap();
    let text = sandbox.expect(&output, code);
    match said {
        Some(said) => assert!(text.contains(said), "{text}"),
        None => assert!(!text.contains("to check for expired suppressions"), "{text}"),
    }
}

#[test]
fn a_date_in_the_past_does_not_revive_expired_suppressions() {
    let today = "(today) to check for expired suppressions";
    for vars in [("SOURCE_DATE_EPOCH", "315532800"), ("GENTI_AS_OF", "2000-01-01")] {
        check_past(&[vars], None, 1, Some(today));
        check_past(&[vars], Some("2022-01-01"), 1, Some("using 2022-01-01 (the date of the commit)"));
        // The suppression had not expired when this was committed, so it holds on every later day.
        check_past(&[vars], Some("2021-06-30"), 0, Some("using 2021-06-30 (the date of the commit)"));
    }
    check_past(&[("GENTI_AS_OF", "2021-06-30")], Some("2021-06-01"), 0, None);
    check_past(&[("GENTI_AS_OF", "2021-07-01")], Some("2021-06-01"), 1, None);
    check_past(&[], Some("2021-06-01"), 1, None);
}

#[test]
fn a_finished_run_dated_before_its_commit_is_drift() {
    let sandbox =
        Sandbox::with_words("[[suppress]]\ntool = 'words'\nreason = 'later'\nexpires = 2021-06-30\n");
    sandbox.commit_all();
    sandbox.run(&["run", "--as-of", "2000-01-01"], 0);
    let text = sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 5);
    assert!(
        text.contains("date on which suppressions and the grace of new lints are judged is `2000-01-01`"),
        "{text}"
    );
}
