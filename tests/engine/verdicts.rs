//! Tests of findings, their effect on the verdict, and incomplete results.

use std::os::unix::ffi::OsStrExt;

use crate::support::{Sandbox, disabled};

fn of(tools: &[(&str, &str)]) -> Vec<(String, String)> {
    tools.iter().map(|(tool, verdict)| ((*tool).to_owned(), (*verdict).to_owned())).collect()
}

#[test]
fn a_clean_workspace_passes() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.run(&["run"], 0);
    let tools = ["clippy", "doc", "doctest", "fmt", "test", "test-build"];
    assert_eq!(sandbox.verdicts(), of(&tools.map(|tool| (tool, "passed"))));
    assert!(sandbox.findings().is_empty());
}

#[test]
fn each_tool_reports_its_findings_at_their_place() {
    let sandbox = Sandbox::of("findings", "w");
    sandbox.run(&["run"], 1);
    assert_eq!(
        sandbox.findings(),
        [
            "new clippy::needless_return src/lib.rs:9",
            "new clippy::bool_comparison src/lib.rs:14",
            "new clippy::len_zero src/lib.rs:19",
            "new clippy::len_zero src/lib.rs:24",
            "new rustdoc::broken_intra_doc_links src/lib.rs:27",
            "new dead_code src/lib.rs:30",
            "new rustfmt::unformatted src/unformatted.rs:2",
            "new rustfmt::unformatted src/unformatted.rs:15",
        ]
    );
}

#[test]
fn code_that_does_not_compile_is_incomplete_and_the_rest_keeps_its_findings() {
    let sandbox = Sandbox::of("broken", "w");
    sandbox.run(&["run"], 3);
    assert_eq!(
        sandbox.findings(),
        ["new E0308 bad/src/lib.rs:5", "new clippy::needless_return good/src/lib.rs:5"]
    );
    let report = sandbox.json("report.json");
    let units = |tool: usize| {
        let units = report["tools"][tool]["incomplete"].as_array().unwrap().iter();
        units.map(|entry| entry["unit"].as_str().unwrap()).collect::<Vec<_>>()
    };
    let names = report["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap());
    let all: Vec<_> = names.zip((0..).map(units)).collect();
    let packages = vec!["bad", "dependent"];
    let targets = vec!["bad/src/lib.rs", "dependent/src/lib.rs"];
    let expected = [
        ("clippy", packages.clone()),
        ("doc", packages.clone()),
        ("doctest", vec!["."]),
        ("fmt", Vec::new()),
        ("test", targets),
        ("test-build", packages),
    ];
    assert_eq!(all, expected, "rustfmt does not care");
}

/// Returns `state level path` for each finding.
fn levels(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|it| [text(&it["state"]), text(&it["level"]), text(&it["path"])].join(" ")).collect()
}

/// Creates members with one finding each. In the one that the others need, an attribute makes it an error.
fn denied() -> Sandbox {
    let sandbox = Sandbox::of("members", "w");
    sandbox.edit("core/src/lib.rs", "\n/// A number.", "#![deny(clippy::all)]\n\n/// A number.");
    sandbox.edit("core/src/lib.rs", "42", "return 42;");
    sandbox.edit("util/src/lib.rs", "2 * core_numbers::number()", "return 2 * core_numbers::number();");
    sandbox.edit("app/src/main.rs", "fn main() {", "fn main() {\n    let _ = || return 1;");
    sandbox
}

#[test]
fn a_lint_that_is_an_error_hides_no_findings_of_dependents() {
    const CLIPPY: [&str; 3] = ["run", "--tool", "clippy"];
    let all = ["new warning app/src/main.rs", "new error core/src/lib.rs", "new warning util/src/lib.rs"];
    let sandbox = denied();
    sandbox.run(&CLIPPY, 1);
    assert_eq!(
        (levels(&sandbox), sandbox.verdicts()),
        (all.map(str::to_owned).into(), of(&[("clippy", "failed")]))
    );
    let first = sandbox.artifact("report.json");
    sandbox.run(&[&CLIPPY[..], &["--no-cache"]].concat(), 1);
    assert_eq!(first, sandbox.artifact("report.json"), "the same from cargo's cache");
    assert_eq!(sandbox.lines("task")[0]["timing"]["attempts"], 2);

    // A `--` of the user must not be followed by a second one.
    sandbox
        .write("genti.toml", "[tools.clippy]\nargs = [\"--all-targets\", \"--\", \"-Wclippy::pedantic\"]\n");
    sandbox.run(&CLIPPY, 1);
    assert!(levels(&sandbox).len() > 3, "{:?}", levels(&sandbox));
    std::fs::remove_file(sandbox.root().join("genti.toml")).unwrap();

    sandbox.run(&["baseline", "init", "--tool", "clippy"], 0);
    sandbox.run(&CLIPPY, 0);
    assert_eq!(levels(&sandbox), all.map(|line| line.replace("new", "unchanged")));
}

#[test]
fn code_that_does_not_compile_hides_the_same_in_the_second_pass() {
    let sandbox = denied();
    sandbox.edit("util/src/lib.rs", "return 2", "return true");
    sandbox.run(&["run", "--tool", "clippy"], 3);
    assert_eq!(
        levels(&sandbox),
        ["new warning app/src/main.rs", "new error core/src/lib.rs", "new error util/src/lib.rs"]
    );
    let incomplete = sandbox.json("report.json")["tools"][0]["incomplete"].clone();
    assert_eq!((&incomplete[0]["unit"], incomplete.as_array().unwrap().len()), (&"util".into(), 1));
    sandbox.edit("core/src/lib.rs", "return 42;", "42");
    sandbox.run(&["run", "--tool", "clippy"], 3);
    assert_eq!(sandbox.lines("task")[0]["timing"]["attempts"], 1, "no lint is to blame");
}

#[test]
fn a_baseline_accepts_existing_findings_and_no_others() {
    let sandbox = Sandbox::of("findings", "w");
    sandbox.write("genti.toml", &disabled(&["test", "doctest"]));
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["run"], 0);
    sandbox.run(&["check"], 0);
    assert!(sandbox.findings().iter().all(|finding| finding.starts_with("unchanged ")));

    // The accepted finding moved, was reindented and is still accepted. An additional one of the same kind is new.
    sandbox.edit("src/lib.rs", "\n/// ", "\n\n\n/// ");
    let more = "\n/// More.\npub fn more(list: &[u8]) -> bool {\n    list.len() == 0\n}\n";
    let text = std::fs::read_to_string(sandbox.root().join("src/lib.rs")).unwrap();
    sandbox.write("src/lib.rs", &(text + more));
    sandbox.run(&["run", "--skip-tool", "fmt"], 1);
    let new: Vec<_> = sandbox.findings().into_iter().filter(|finding| finding.starts_with("new ")).collect();
    assert_eq!(new.len(), 1, "{new:?}");
    assert!(new[0].starts_with("new clippy::len_zero src/lib.rs:"));
}

#[test]
fn a_fixed_finding_is_stale_in_a_check_and_a_notice_in_a_run() {
    let sandbox = Sandbox::of("findings", "w");
    sandbox.write("genti.toml", &disabled(&["doc", "test", "doctest"]));
    sandbox.run(&["baseline", "init"], 0);
    sandbox.edit("src/lib.rs", "return x + 1;", "x + 1");
    let text = sandbox.run(&["run"], 0);
    assert!(text.contains("stale"), "{text}");
    sandbox.run(&["check"], 1);
    let gone = sandbox.json("report.json")["gone"].clone();
    assert_eq!((gone[0]["state"].clone(), gone.as_array().unwrap().len()), ("fixed".into(), 1));
}

#[test]
fn findings_in_unchecked_code_are_unknown_and_not_fixed() {
    let sandbox = Sandbox::of("findings", "w");
    sandbox.write("genti.toml", &disabled(&["doc", "test", "doctest"]));
    sandbox.run(&["baseline", "init"], 0);
    let states = || {
        let report = sandbox.json("report.json");
        let mut states: Vec<_> = report["gone"]
            .as_array()
            .unwrap()
            .iter()
            .map(|gone| gone["state"].as_str().unwrap().to_owned())
            .collect();
        states.dedup();
        states
    };
    sandbox.edit("src/lib.rs", "return x + 1;", "x + 1");
    // Once without the tool, and once with a different configuration of the tool than in the baseline.
    sandbox.run(&["check", "--partial", "--skip-tool", "clippy"], 0);
    assert_eq!(states(), ["unknown"]);
    sandbox.run(&["check", "--partial", "--cargo-profile", "release"], 0);
    assert_eq!(states(), ["unknown"]);
    // The tool ran, but did not reach the code.
    sandbox.edit("src/lib.rs", "x + 1", "x + \"1\"");
    sandbox.run(&["check"], 3);
    assert_eq!(states(), ["unknown"]);
}

#[test]
fn a_compile_error_cannot_be_accepted() {
    let sandbox = Sandbox::of("broken", "w");
    sandbox.write("genti.toml", &disabled(&["doc", "test", "doctest"]));
    let text = sandbox.run(&["baseline", "init"], 3);
    assert!(text.contains("nothing was accepted"), "{text}");
    assert!(!sandbox.root().join(".config/genti/baseline").exists());
}

#[test]
fn a_baseline_is_not_overwritten() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["baseline", "init"], 0);
    let path = sandbox.root().join(".config/genti/baseline/words.jsonl");
    std::fs::write(&path, "{\"genti_baseline\":1}\n").unwrap();
    sandbox.run(&["baseline", "init"], 2);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"genti_baseline\":1}\n");
}

#[test]
fn a_file_that_does_not_parse_does_not_affect_the_verdict_of_other_roots() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("examples/half.rs", "fn main() {\n");
    sandbox.run(&["run", "--tool", "fmt"], 3);
    let statuses: Vec<_> = sandbox
        .lines("task")
        .iter()
        .map(|line| format!("{} {}", line["unit"].as_str().unwrap(), line["status"].as_str().unwrap()))
        .collect();
    assert!(statuses.contains(&"examples/half.rs incomplete".to_owned()), "{statuses:?}");
    assert!(
        statuses
            .iter()
            .filter(|status| !status.starts_with("examples/half.rs"))
            .all(|status| status.ends_with(" clean"))
    );
}

#[test]
fn a_tool_that_is_not_installed_says_how_to_get_it() {
    let config = "[tools.nope]\nrun = [\"genti-no-such-tool\"]\ninstall = \"cargo install nope\"\n";
    let sandbox = Sandbox::with_tools(config);
    let text = sandbox.run(&["run"], 3);
    assert!(
        text.contains("`genti-no-such-tool` is not installed; install it with `cargo install nope`"),
        "{text}"
    );
    assert_eq!(sandbox.lines("task")[0]["status"], "missing");
}

#[test]
fn a_tool_in_the_workspace_does_not_shadow_one_in_path() {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"true\"]\n");
    sandbox.write("bin/true", "#!/bin/sh\nexit 1\n");
    executable(&sandbox, "bin/true");
    let link = sandbox.beside().join("link");
    std::os::unix::fs::symlink(sandbox.root().join("bin"), &link).unwrap();
    for own in [sandbox.root().join("bin"), sandbox.root().join("../workspace/bin"), link] {
        let path = format!("{}:bin::{}", own.display(), std::env::var("PATH").unwrap());
        let output = sandbox.command(&["run"]).env("PATH", path).output().unwrap();
        sandbox.expect(&output, 0);
    }
}

#[test]
fn a_cargo_in_the_workspace_is_not_started() {
    let sandbox = Sandbox::with_tools("");
    sandbox.write("cargo", "#!/bin/sh\ntouch ../started\n");
    executable(&sandbox, "cargo");
    let path = format!(".::{}", sandbox.root().display());
    let output = sandbox.command(&["run"]).env("PATH", path).env_remove("CARGO").output().unwrap();
    let text = sandbox.expect(&output, 2);
    assert!(text.contains("`cargo` is not installed"), "{text}");
    assert!(!sandbox.beside().join("started").exists());
}

fn executable(sandbox: &Sandbox, path: &str) {
    let chmod = std::process::Command::new("chmod").arg("+x").arg(sandbox.root().join(path)).status();
    assert!(chmod.unwrap().success());
}

#[test]
fn a_program_in_the_repository_is_found_from_any_directory() {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"./ci/t\"]\n");
    sandbox.write("ci/t", "#!/bin/sh\ntest -e genti.toml\n");
    executable(&sandbox, "ci/t");
    let output = sandbox.command(&["run"]).current_dir(sandbox.root().join("src")).output().unwrap();
    sandbox.expect(&output, 0);
}

#[test]
fn an_optional_tool_never_changes_the_exit_code() {
    let config =
        "[tools.f]\nrun = [\"false\"]\nrequired = false\n[tools.g]\nrun = [\"no-such\"]\nrequired = false\n";
    let sandbox = Sandbox::with_tools(config);
    sandbox.run(&["run"], 0);
    assert_eq!(sandbox.verdicts(), of(&[("f", "failed"), ("g", "incomplete")]));
}

#[test]
fn every_file_name_is_passed_and_reported_without_loss() {
    let config = "[tools.bad]\nrun = [\"grep\", \"-n\", \"-H\", \"-e\", \"bad\", \"{files}\"]\nper = \"file\"\nfiles = [\"odd/*\"]\n\
                  parse = { regex = \"^(?<path>.+?):(?<line>\\\\d+):(?<message>.*)$\" }\n";
    let sandbox = Sandbox::with_tools(config);
    let names: [&[u8]; 5] = [b"-rf", b"a b", b"100%", b"\xff\xfe", "\u{65e5}\u{672c}".as_bytes()];
    for name in names {
        let path = sandbox.root().join("odd").join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "bad\n").unwrap();
    }
    sandbox.run(&["run"], 1);
    let found: Vec<_> = sandbox.findings();
    assert_eq!(
        found,
        [
            "new bad odd/-rf:1",
            "new bad odd/100%25:1",
            "new bad odd/a b:1",
            "new bad odd/\u{65e5}\u{672c}:1",
            "new bad odd/%FF%FE:1"
        ]
    );
}

#[test]
fn the_needs_of_a_tool_run_first() {
    let config = "[tools.a]\nrun = [\"test\", \"-e\", \"../made\"]\nneeds = [\"z\"]\n[tools.z]\nrun = [\"touch\", \"../made\"]\n";
    let sandbox = Sandbox::with_tools(config);
    sandbox.run(&["run", "--parallel", "4"], 0);
}

#[test]
fn run_creates_a_missing_lock_file_and_check_does_not() {
    let sandbox = Sandbox::library();
    let lock = sandbox.root().join("Cargo.lock");
    std::fs::remove_file(&lock).unwrap();
    let text = sandbox.run(&["check"], 2);
    assert!(text.contains("Cargo.lock") && text.contains("cargo generate-lockfile"), "{text}");
    sandbox.run(&["plan"], 0);
    assert!(!lock.exists());
    sandbox.run(&["run", "--tool", "fmt"], 0);
    assert!(lock.exists());
}

#[test]
fn no_value_of_the_environment_reaches_an_artifact() {
    let config = "[tools.leak]\nrun = [\"sh\", \"-c\", \"env; exit 1\"]\n";
    let sandbox = Sandbox::with_tools(config);
    let output = sandbox.command(&["run"]).env("SECRET_TOKEN", "canary-in-a-coal-mine").output().unwrap();
    sandbox.expect(&output, 1);
    for name in ["run.json", "report.json", "tasks.jsonl"] {
        let text = String::from_utf8(sandbox.artifact(name)).unwrap();
        assert!(!text.contains("canary"), "{name}");
    }
}

#[test]
fn targets_without_documentation_are_not_missing_in_cargo_doc() {
    let sandbox = Sandbox::of("broken", "w");
    let manifest = sandbox.root().join("good/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    sandbox.write("good/Cargo.toml", &(text + "\n[lib]\ndoc = false\n"));
    sandbox.run(&["run", "--tool", "doc"], 3);
    let report = sandbox.json("report.json");
    let units: Vec<_> = report["tools"][0]["incomplete"].as_array().unwrap().iter().collect();
    assert_eq!(units.iter().map(|entry| &entry["unit"]).collect::<Vec<_>>(), ["bad", "dependent"]);
}

#[test]
fn a_member_outside_of_the_root_keeps_its_findings() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.edit("Cargo.toml", "[workspace]", "[workspace]\nmembers = [\"../out\"]");
    let manifest = "[package]\nname = \"out\"\nedition = \"2024\"\nworkspace = \"../w\"\n";
    sandbox.write("../out/Cargo.toml", manifest);
    sandbox.write(
        "../out/src/lib.rs",
        "//! Text, and a [`broken`] link.\n\n/// One.\npub  fn one() -> u8 {\n    return 1;\n}\n",
    );
    sandbox.run(&["run"], 1);
    assert_eq!(
        sandbox.findings(),
        [
            "new rustdoc::broken_intra_doc_links ../out/src/lib.rs:1",
            "new rustfmt::unformatted ../out/src/lib.rs:4",
            "new clippy::needless_return ../out/src/lib.rs:5"
        ]
    );
}

#[test]
fn a_task_is_not_run_where_what_it_needs_has_no_result_and_says_so() {
    let tool = |name: &str, script: &str, more: &str| {
        format!("[tools.{name}]\nrun = ['sh', '-c', '{script}', '{{dir}}']\nper = 'package'\n{more}\n")
    };
    let all = |script: &str| {
        let whole = "[tools.whole]\nrun = ['sh', '-c', 'echo whole >> ../ran']\nneeds = ['first']\n";
        let config = [
            tool("first", script, ""),
            tool("next", "echo next $0 >> ../ran", "needs = ['first']"),
            tool("last", "echo last $0 >> ../ran", "needs = ['next']"),
            whole.to_owned(),
        ];
        let sandbox = Sandbox::of("clean", "w");
        sandbox.write(
            "genti.toml",
            &format!("{}{}", disabled(&["clippy", "doc", "doctest", "fmt", "test"]), config.concat()),
        );
        sandbox.write("other/Cargo.toml", "[package]\nname = 'other'\nversion = '0.1.0'\nedition = '2024'\n");
        sandbox.write("other/src/lib.rs", "//! Another package.\n");
        let manifest = std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap();
        sandbox.write("Cargo.toml", &format!("{manifest}members = ['other']\n"));
        sandbox
    };
    let ran = |sandbox: &Sandbox| {
        let text = std::fs::read_to_string(sandbox.beside().join("ran")).unwrap_or_default();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let reasons = |sandbox: &Sandbox| {
        let tasks = sandbox.lines("task").into_iter().filter(|task| task["status"] == "not-run");
        let line = |task: serde_json::Value| {
            let [tool, unit, reason] =
                ["tool", "unit", "reason"].map(|key| task[key].as_str().unwrap().to_owned());
            format!("{tool} {unit}: {reason}")
        };
        let mut all: Vec<_> = tasks.map(line).collect();
        all.sort();
        all
    };
    // It crashes on one package, so only this one's tasks can't run, and their own needs count.
    let sandbox = all("test $0 = . || kill -SEGV $$");
    sandbox.run(&["run"], 3);
    assert_eq!(ran(&sandbox), ["last .", "next .", "whole"]);
    assert_eq!(
        reasons(&sandbox),
        [
            "last other: not run because `first` has no result, which it needs",
            "next other: not run because `first` has no result, which it needs",
        ]
    );
    // Of a program that fails, nothing else is known, so it also stops what is about all packages.
    let sandbox = all("test $0 = .");
    sandbox.run(&["run"], 3);
    assert_eq!(ran(&sandbox), ["last .", "next ."]);
    let reason = "not run because `first` failed, which it needs";
    assert_eq!(
        reasons(&sandbox),
        ["last other", "next other", "whole ."].map(|name| format!("{name}: {reason}"))
    );
    sandbox.run_alone(&["check", "--artifacts", "target/genti/artifacts"], 3);
}
