//! Tests that a tool which checked nothing does not pass, or is listed as a blind spot.

use serde_json::Value;

use crate::support::Sandbox;

/// Returns `rule path` for each finding of the namespace `genti`.
pub(crate) fn own_findings(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["ns"] == "genti");
    findings.map(|finding| format!("{} {}", text(&finding["rule"]), text(&finding["path"]))).collect()
}

/// Returns `kind path: reason` for each blind spot.
pub(crate) fn blind_spots(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let spots = report["blind_spots"].as_array().expect("they were looked for").iter();
    spots
        .map(|spot| format!("{} {}: {}", text(&spot["kind"]), text(&spot["path"]), text(&spot["reason"])))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// Returns the reasons why `tool` has no verdict.
fn incomplete(sandbox: &Sandbox, tool: &str) -> Vec<String> {
    let report = sandbox.json("report.json");
    let mut tools = report["tools"].as_array().unwrap().iter();
    let tool = tools.find(|one| one["name"] == tool).unwrap();
    let reasons = tool["incomplete"].as_array().unwrap().iter();
    reasons.map(|one| format!("{}: {}", text(&one["unit"]), text(&one["reason"]))).collect()
}

#[test]
fn a_filter_that_matches_nothing_leaves_the_tests_without_a_verdict() {
    let sandbox = Sandbox::library();
    sandbox.write("genti.toml", "[tools.test]\nargs = [\"no_such_test\"]\n");
    let shown = sandbox.run(&["run"], 3);
    let reason = "no test ran, although the sources have tests; check `args` under [tools.test]";
    assert_eq!(incomplete(&sandbox, "test"), [format!(".: {reason}")]);
    assert!(shown.contains(reason) && shown.contains("no result from: test"), "{shown}");
    let junit = sandbox.run(&["report", "--format", "junit"], 0);
    let suite = junit.split("<testsuite name=\"test\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(suite.contains("tests=\"1\"") && suite.contains("errors=\"1\""), "{suite}");
    sandbox.run(&["check"], 3);

    // The same is true for nextest, and for a custom cargo command.
    let own = "[tools.test]\nenabled = false\n[tools.own]\nrun = [\"cargo\", \"test\", \"no_such_test\"]\n\
               parse = \"libtest\"\ninherit-env = true\nlane = \"build\"\n";
    sandbox.write("genti.toml", own);
    sandbox.run(&["run"], 3);
    assert_eq!(incomplete(&sandbox, "own"), [".: no test ran, although the sources have tests"]);
    let nextest = std::process::Command::new(env!("CARGO")).args(["nextest", "--version"]).output().unwrap();
    if nextest.status.success() {
        sandbox.write("genti.toml", "[tools.nextest]\nenabled = true\nargs = [\"no_such_test\"]\n");
        sandbox.run(&["run"], 3);
        let reason = "no test ran, although the sources have tests; check `args` under [tools.nextest]";
        assert_eq!(incomplete(&sandbox, "nextest"), [format!(".: {reason}")]);
    }
}

#[test]
fn a_target_with_tests_must_report_them() {
    let sandbox = Sandbox::library();
    let own = "[[test]]\nname = \"own\"\nharness = false\n\n[workspace]";
    sandbox.edit("Cargo.toml", "[workspace]", own);
    sandbox.write("tests/own.rs", "//! Own.\n\nfn main() {}\n");
    sandbox.write("genti.toml", "[tools.test]\nargs = [\"--help\"]\n");
    let shown = sandbox.run(&["run"], 1);
    assert_eq!(own_findings(&sandbox), ["empty-test-target src/lib.rs"]);
    assert!(shown.contains("passed without a report of its tests"), "{shown}");
    let spot =
        "untested-target tests/own.rs: `clean::own`: its test harness does not report how many tests ran";
    assert!(blind_spots(&sandbox).contains(&spot.to_owned()), "{:?}", blind_spots(&sandbox));
}

#[test]
fn a_filter_must_not_leave_out_all_doc_tests() {
    let sandbox = Sandbox::library();
    let doc = "/// ```\n/// panic!();\n/// ```\npub fn documented() {}\n";
    sandbox.write("src/lib.rs", &format!("//! L.\n\n{doc}\n#[test]\nfn works() {{}}\n"));
    sandbox.write("genti.toml", "[tools.doctest]\nargs = [\"--\", \"no_such_test\"]\n");
    sandbox.run(&["run"], 3);
    let reason = "no doc test ran, because a filter leaves them out";
    assert_eq!(incomplete(&sandbox, "doctest"), [format!(".: {reason}; check `args` under [tools.doctest]")]);
    // Flags of rustdoc do the same.
    sandbox.write("genti.toml", "");
    let flags = "[\"--test-args\", \"--skip\", \"--test-args\", \"documented\"]";
    sandbox.write(".cargo/config.toml", &format!("[build]\nrustdocflags = {flags}\n"));
    sandbox.run(&["run"], 3);
    assert_eq!(incomplete(&sandbox, "doctest"), [format!(".: {reason}; check RUSTDOCFLAGS")]);
    // Doc tests that are only ignored are normal.
    sandbox.write(".cargo/config.toml", "");
    sandbox.edit("src/lib.rs", "/// ```\n/// panic", "/// ```ignore\n/// panic");
    sandbox.run(&["run"], 0);
}

#[test]
fn a_lint_tool_that_compiles_no_target_has_no_verdict() {
    let sandbox = Sandbox::library();
    sandbox.write("genti.toml", "[tools.clippy]\nargs = [\"--bins\"]\n");
    sandbox.run(&["run"], 3);
    let reason = "cargo compiled no target; check `args` under [tools.clippy]";
    assert_eq!(incomplete(&sandbox, "clippy"), [format!(".: {reason}")]);
    // A library without documentation is normal.
    sandbox.write("genti.toml", "");
    sandbox.edit("Cargo.toml", "[workspace]", "[lib]\ndoc = false\n\n[workspace]");
    sandbox.run(&["run"], 0);
}

#[test]
fn only_a_whole_run_must_run_a_test() {
    let sandbox = Sandbox::library();
    sandbox.write("genti.toml", "[tools.test]\nargs = [\"no_such_test\"]\n");
    sandbox.run(&["run", "--tool", "test"], 0);
    sandbox.run(&["run", "--skip-tool", "doc"], 0);
    assert_eq!(sandbox.json("report.json")["blind_spots"], Value::Null);
}

#[test]
fn a_test_target_disabled_by_a_feature_is_a_finding_that_can_be_accepted() {
    let sandbox = Sandbox::library();
    sandbox.edit("Cargo.toml", "[workspace]", "[features]\nextra = []\n\n[workspace]");
    sandbox.write("tests/off.rs", "//! Off.\n#![cfg(feature = \"extra\")]\n\n#[test]\nfn works() {}\n");
    let shown = sandbox.run(&["run"], 1);
    assert_eq!(own_findings(&sandbox), ["empty-test-target tests/off.rs"]);
    assert!(shown.contains("no test of `clean::off` ran, although its sources have tests"), "{shown}");
    assert!(shown.contains("they are under `cfg(feature = \"extra\")`"), "{shown}");
    assert_eq!(
        blind_spots(&sandbox),
        ["unused-feature Cargo.toml: no tool enabled the feature `extra` of `clean`"]
    );
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    // Cached runs give the same result.
    let report = sandbox.artifact("report.json");
    sandbox.run(&["check", "--no-cache"], 0);
    assert_eq!(sandbox.artifact("report.json"), report);
    // Once the target runs, its entry is stale.
    sandbox.edit("tests/off.rs", "#![cfg(feature = \"extra\")]\n", "");
    let shown = sandbox.run(&["check"], 1);
    assert!(shown.contains("1 accepted finding is fixed but still in the baseline"), "{shown}");
    sandbox.run(&["baseline", "update"], 0);
    sandbox.run(&["check"], 0);
}

#[test]
fn a_finished_run_with_findings_of_genti_can_be_checked() {
    let sandbox = Sandbox::library();
    sandbox.write("tests/ignored.rs", "//! Ignored.\n\n#[test]\n#[ignore = \"slow\"]\nfn works() {}\n");
    sandbox.write("tests/windows.rs", "//! Elsewhere.\n#![cfg(windows)]\n\n#[test]\nfn works() {}\n");
    sandbox.run(&["check"], 1);
    let dir = sandbox.keep_artifacts();
    let shown = sandbox.run(&["check", "--artifacts", dir.to_str().unwrap()], 1);
    assert!(!shown.contains("are not from a run of this checkout"), "{shown}");
    assert!(shown.contains("not checked: 1 target"), "{shown}");
}

#[test]
fn ignored_and_filtered_tests_make_a_target_empty() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("tests/ignored.rs", "//! Ignored.\n\n#[test]\n#[ignore = \"slow\"]\nfn works() {}\n");
    sandbox.write("tests/helper.rs", "//! Has no test.\n");
    let shown = sandbox.run(&["run"], 1);
    assert_eq!(own_findings(&sandbox), ["empty-test-target tests/ignored.rs"]);
    assert!(shown.contains("its only test is marked `#[ignore]`"), "{shown}");
    sandbox.write("genti.toml", "[tools.test]\nargs = [\"--exact\", \"it_greets\"]\n");
    let shown = sandbox.run(&["run"], 1);
    let expected = ["empty-test-target src/lib.rs", "empty-test-target tests/ignored.rs"];
    assert_eq!(own_findings(&sandbox), expected);
    assert!(shown.contains("its only test is left out by a filter"), "{shown}");
}

#[test]
fn a_target_that_requires_disabled_features_is_empty_too() {
    let sandbox = Sandbox::library();
    let manifest =
        "[features]\nextra = []\n\n[[test]]\nname = \"off\"\nrequired-features = [\"extra\"]\n\n[workspace]";
    sandbox.edit("Cargo.toml", "[workspace]", manifest);
    sandbox.write("tests/off.rs", "//! Off.\n\n#[test]\nfn works() {}\n");
    sandbox.run(&["run"], 1);
    assert_eq!(own_findings(&sandbox), ["empty-test-target tests/off.rs"]);
    sandbox.run(&["run", "-F", "extra"], 0);
    assert_eq!(own_findings(&sandbox), Vec::<String>::new());
}

#[test]
fn code_disabled_by_the_platform_and_tests_without_a_count_are_blind_spots() {
    let sandbox = Sandbox::library();
    sandbox.edit("Cargo.toml", "[workspace]", "[[test]]\nname = \"own\"\nharness = false\n\n[workspace]");
    sandbox.write("tests/own.rs", "//! A harness.\n\nfn main() {}\n");
    sandbox.write("tests/windows.rs", "//! Elsewhere.\n#![cfg(windows)]\n\n#[test]\nfn works() {}\n");
    sandbox.write("tests/model.rs", "//! Elsewhere.\n#![cfg(all(loom, unix))]\n\n#[test]\nfn works() {}\n");
    sandbox.edit("Cargo.toml", "[workspace]", "[lints.rust]\nunexpected_cfgs = \"allow\"\n\n[workspace]");
    sandbox.run(&["run"], 0);
    assert_eq!(own_findings(&sandbox), Vec::<String>::new());
    assert_eq!(
        blind_spots(&sandbox),
        [
            "untested-target tests/model.rs: `clean::model`: its tests are disabled by `cfg(all(loom, unix))`",
            "untested-target tests/own.rs: `clean::own`: its test harness does not report how many tests ran",
            "untested-target tests/windows.rs: `clean::windows`: its tests are disabled by `cfg(windows)`",
        ]
    );
}

#[test]
fn a_target_disabled_in_a_manifest_is_a_blind_spot() {
    let sandbox = Sandbox::of("clean", "w");
    let manifest =
        "[lib]\ntest = false\ndoctest = false\n\n[[test]]\nname = \"greets\"\ntest = false\n\n[workspace]";
    sandbox.edit("Cargo.toml", "[workspace]", manifest);
    sandbox.run(&["run"], 0);
    assert_eq!(
        blind_spots(&sandbox),
        [
            "untested-target src/lib.rs: `clean`: no tool runs its doc tests (`doctest = false`)",
            "untested-target src/lib.rs: `clean`: no tool runs its unit tests (`test = false`)",
            "untested-target tests/greets.rs: `clean::greets`: no tool runs its tests (`test = false`)",
        ]
    );
}

#[test]
fn files_that_are_not_compiled_or_formatted_are_blind_spots() {
    let sandbox = Sandbox::library();
    sandbox.write("src/orphan.rs", "this does not parse(\n");
    // rustfmt does not follow modules declared by a macro.
    let made = "macro_rules! modules {\n    ($name:ident) => {\n        mod $name;\n    };\n}\n\nmodules!(made);\n\n#[cfg(test)]";
    sandbox.edit("src/lib.rs", "#[cfg(test)]", made);
    sandbox.write("src/made.rs", "//!   Badly formatted.\nconst   _X: u8  = 1;\n");
    let shown = sandbox.run(&["run"], 0);
    let expected = [
        "unseen-file src/orphan.rs: neither compiled nor formatted by any tool",
        "unformatted-file src/made.rs: compiled, but not formatted by any tool",
    ];
    assert_eq!(blind_spots(&sandbox), expected);
    assert!(shown.contains("note: not checked: 2 files; see `cargo genti blind-spots`"), "{shown}");
    let listed = sandbox.run(&["blind-spots"], 0);
    assert!(
        listed.contains("Source files that no tool compiled or formatted (1):\n  src/orphan.rs: "),
        "{listed}"
    );
    for format in ["markdown", "html"] {
        let report = sandbox.run(&["report", "--format", format], 0);
        assert!(report.contains("2 files"), "{format}: {report}");
    }
    // They are known without running anything or reading a removed build directory.
    let report = sandbox.artifact("report.json");
    std::fs::remove_dir_all(sandbox.root().join("target/genti/build")).unwrap();
    sandbox.run(&["run"], 0);
    assert_eq!(sandbox.artifact("report.json"), report);
}

#[test]
fn excluded_packages_and_other_workspaces_are_blind_spots() {
    let sandbox = Sandbox::of("members", "repository/w");
    sandbox.write("../tools/Cargo.toml", "[package]\nname = \"tools\"\n");
    sandbox.write("extra/Cargo.toml", "[package]\nname = \"extra\"\n[workspace]\nmembers = [\"deeper\"]\n");
    sandbox.write("extra/deeper/Cargo.toml", "[package]\nname = \"deeper\"\n");
    sandbox.write("extra/src/lib.rs", "what is it(\n");
    let repository = sandbox.root().join("..");
    let top = Sandbox::git_in(&repository);
    assert!(top(&["init", "-q"]) && top(&["add", "."]));
    sandbox.run(&["run"], 0);
    let others = [
        "other-workspace ../tools/Cargo.toml: not a member of this workspace",
        "other-workspace extra/Cargo.toml: not a member of this workspace",
    ];
    assert_eq!(blind_spots(&sandbox), others);
    sandbox.run(&["run", "--exclude", "app"], 0);
    let expected = ["unseen-package app/Cargo.toml: `app` is not selected", others[0], others[1]];
    assert_eq!(blind_spots(&sandbox), expected);
    // No tool builds this member, because its only target needs a feature.
    let manifest = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[features]\ngui = []\n\n\
                    [[bin]]\nname = \"app\"\nrequired-features = [\"gui\"]\n";
    sandbox.write("app/Cargo.toml", manifest);
    sandbox.write("app/src/main.rs", "//! Needs a feature.\n\nfn main() {}\n");
    sandbox.run(&["run"], 0);
    assert!(
        blind_spots(&sandbox)
            .contains(&"unseen-package app/Cargo.toml: `app` is not compiled by any tool".to_owned()),
        "{:?}",
        blind_spots(&sandbox)
    );
}

#[test]
fn blind_spots_can_be_denied_and_accepted_or_ignored() {
    let sandbox = Sandbox::library();
    sandbox.write("src/orphan.rs", "this does not parse(\n");
    sandbox.write("genti.toml", "[policy]\nblind-spots = \"deny\"\n");
    let shown = sandbox.run(&["run"], 1);
    assert_eq!(own_findings(&sandbox), ["unseen-file src/orphan.rs"]);
    assert!(shown.contains("Failed blind-spots") && shown.contains("1 new finding"), "{shown}");
    for format in ["junit", "sarif"] {
        let report = sandbox.run(&["report", "--format", format], 0);
        assert!(report.contains("unseen-file") && report.contains("src/orphan.rs"), "{format}: {report}");
    }
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    std::fs::remove_file(sandbox.root().join("src/orphan.rs")).unwrap();
    sandbox.run(&["check"], 1);
    sandbox.run(&["baseline", "update"], 0);
    sandbox.run(&["check"], 0);

    sandbox.write("src/orphan.rs", "this does not parse(\n");
    sandbox.write("genti.toml", "[policy]\nblind-spots = \"ignore\"\n");
    let shown = sandbox.run(&["run"], 0);
    assert!(!shown.contains("not checked"), "{shown}");
    assert_eq!(sandbox.json("report.json")["blind_spots"], Value::Null);
    let shown = sandbox.run(&["blind-spots"], 2);
    assert!(shown.contains("did not look for blind spots"), "{shown}");
}

#[test]
fn a_workspace_that_is_checked_completely_has_no_blind_spot() {
    for fixture in ["clean", "members"] {
        let sandbox = Sandbox::of(fixture, "w");
        let shown = sandbox.run(&["run"], 0);
        assert_eq!(blind_spots(&sandbox), Vec::<String>::new());
        assert!(!shown.contains("not checked"), "{shown}");
        sandbox.run(&["blind-spots"], 0);
    }
}

#[test]
fn entries_that_are_not_files_are_blind_spots() {
    let sandbox = Sandbox::library();
    let config = "[tools.words]\nrun = [\"true\", \"{files}\"]\nfiles = [\"**/*.md\"]\nper = \"file\"\n";
    sandbox.write("genti.toml", config);
    sandbox.write("a.md", "fine\n");
    sandbox.write("../outside.md", "not seen\n");
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, sandbox.root().join(at)).unwrap();
    link("a.md", "linked.md");
    link("../outside.md", "out.md");
    link("../outside.md", "out.txt");
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n";
    sandbox.write("committed/CACHEDIR.TAG", tag);
    sandbox.write("committed/b.md", "fine\n");
    sandbox.commit_all();
    sandbox.write("made/CACHEDIR.TAG", tag);
    sandbox.write("made/c.md", "not seen\n");
    let pipe = std::process::Command::new("mkfifo").arg(sandbox.root().join("pipe.md")).status();
    assert!(pipe.unwrap().success());
    let shown = sandbox.run(&["run"], 0);
    let expected = [
        "left-out made: a directory with a `CACHEDIR.TAG` that git does not track",
        "left-out out.md: a link whose target is not a file of this workspace",
        "left-out pipe.md: a pipe, a socket or a device",
    ];
    assert_eq!(blind_spots(&sandbox), expected);
    assert!(shown.contains("note: not checked: 3 other paths; see"), "{shown}");
    let files = sandbox.lines("task").iter().filter(|task| task["tool"] == "words").count();
    assert_eq!(files, 2, "a.md and committed/b.md");
}

#[test]
fn a_directory_that_a_tool_names_and_that_was_moved_is_a_blind_spot() {
    let sandbox = Sandbox::library();
    let config = "[tools.words]\nrun = [\"true\", \"{files}\"]\nfiles = [\"docs/*.md\", \"guide/**/*.md\", \"**/*.rst\"]\n";
    sandbox.write("genti.toml", config);
    sandbox.write("docs/a.md", "");
    sandbox.write("guide/b.md", "");
    sandbox.run(&["run"], 0);
    assert_eq!(blind_spots(&sandbox), [""; 0]);
    std::fs::rename(sandbox.root().join("guide"), sandbox.root().join("book")).unwrap();
    sandbox.run(&["run"], 0);
    let reason = "`guide/**/*.md` in `files` of words matches nothing, and there is no `guide`";
    assert_eq!(blind_spots(&sandbox), [format!("left-out guide: {reason}")]);
    sandbox.write("genti.toml", &format!("{config}may-be-empty = true\n"));
    sandbox.run(&["run"], 0);
    assert_eq!(blind_spots(&sandbox), [""; 0]);
}

/// Creates a workspace with numbers and with a blind spot of each kind, except those specific to a platform.
fn with_blind_spots() -> Sandbox {
    let sandbox = Sandbox::of("members", "w");
    let config = "[tools.test]\nratchet = [\"run\"]\n[tools.size]\nrun = [\"cat\", \"size.txt\"]\ninputs = [\"size.txt\"]\n\
                  parse = { number = '^(?<value>.+) kB$', name = \"size\", better = \"lower\", unit = \"kB\" }\n\
                  [tools.words]\nrun = [\"true\", \"{files}\"]\nfiles = [\"**/*.md\"]\nper = \"file\"\nmay-be-empty = true\n";
    sandbox.write("genti.toml", config);
    sandbox.write("size.txt", "81.20 kB\n");
    sandbox.write("../outside.md", "not seen\n");
    std::os::unix::fs::symlink("../outside.md", sandbox.root().join("out.md")).unwrap();
    sandbox.write("extra/Cargo.toml", "[package]\nname = \"extra\"\n[workspace]\n");
    sandbox.edit(
        "util/Cargo.toml",
        "[dependencies]",
        "[features]\nextra = []\n\n[lib]\ndoctest = false\n\n[dependencies]",
    );
    // rustfmt does not follow modules declared by a macro.
    let library = std::fs::read_to_string(sandbox.root().join("util/src/lib.rs")).unwrap();
    let made =
        "macro_rules! modules {\n    ($name:ident) => {\n        mod $name;\n    };\n}\n\nmodules!(made);\n";
    sandbox.write("util/src/lib.rs", &format!("{library}\n{made}"));
    sandbox.write("util/src/made.rs", "//!   Badly formatted.\n");
    sandbox.write("util/src/orphan.rs", "this does not parse(\n");
    sandbox
}

#[test]
fn blind_spots_and_numbers_are_the_same_cold_cached_moved_and_verified() {
    let cache = tempfile::tempdir().unwrap();
    let run = |sandbox: &Sandbox, args: &[&str]| {
        let mut command = sandbox.command(args);
        let output = command.env("GENTI_CACHE_DIR", cache.path()).output().unwrap();
        sandbox.expect(&output, 0);
    };
    let (here, there) = (with_blind_spots(), with_blind_spots());
    run(&here, &["baseline", "init"]);
    run(&here, &["run", "--no-cache"]);
    let cold = here.artifact("report.json");
    let kinds: Vec<_> =
        blind_spots(&here).iter().map(|spot| spot.split(' ').next().unwrap().to_owned()).collect();
    let expected = [
        "unseen-file",
        "unformatted-file",
        "left-out",
        "untested-target",
        "unused-feature",
        "other-workspace",
    ];
    assert_eq!(kinds, expected, "{:?}", blind_spots(&here));
    assert_eq!(here.json("report.json")["numbers"].as_array().unwrap().len(), 2);
    run(&here, &["run"]);
    assert_eq!(here.artifact("report.json"), cold);
    let hits = |sandbox: &Sandbox| {
        sandbox.lines("task").iter().filter(|task| task["timing"]["cache"] == "hit").count()
    };
    assert!(hits(&here) > 0, "nothing was cached");
    // A second checkout in which nothing was built.
    let from = here.root().join(".config");
    let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(there.root()).status();
    assert!(copied.unwrap().success());
    run(&there, &["run"]);
    assert_eq!(hits(&there), hits(&here));
    assert_eq!(there.artifact("report.json"), cold);
    run(&here, &["verify"]);
    assert_eq!(here.artifact("report.json"), cold);
}
