//! Tests of `check` as a gate: a run that differs from the configuration does not pass.

use crate::support::Sandbox;

const DRIFT: &str = "error: policy drift: nothing was run";

/// Creates a tool that leaves a mark when it runs, in a package with this configuration.
fn marked(config: &str) -> Sandbox {
    Sandbox::with_tools(&format!("[tools.mark]\nrun = ['touch', '../ran']\ncache = false\n{config}"))
}

/// Returns whether the tool has run since the last call.
fn has_run(sandbox: &Sandbox) -> bool {
    std::fs::remove_file(sandbox.beside().join("ran")).is_ok()
}

#[track_caller]
fn check(sandbox: &Sandbox, args: &[&str], vars: &[(&str, &str)], expected: Option<&str>) {
    let output = sandbox.command(&[&["check"], args].concat()).envs(vars.iter().copied()).output().unwrap();
    let text = sandbox.expect(&output, if expected.is_some() { 5 } else { 0 });
    assert!(text.contains(expected.unwrap_or_default()), "{text}");
    assert_eq!((text.contains(DRIFT), has_run(sandbox)), (expected.is_some(), expected.is_none()), "{text}");
}

#[test]
fn the_requested_policy_must_be_the_configured_one() {
    let sandbox = marked("[policy]\norder = 'topo'\nmax-duration = '10m'\n[profile.ci.policy]\nbatch = 7\n");
    check(&sandbox, &[], &[], None);
    let order =
        "order differs from the configuration: `deterministic` (--order) instead of `topo` (genti.toml:15)";
    check(&sandbox, &["--order", "deterministic"], &[], Some(order));
    let way_out = "note: remove `--order`, or configure it: `order = \"deterministic\"` under `[policy]`\n";
    check(&sandbox, &["--order", "deterministic"], &[], Some(way_out));
    check(&sandbox, &["--order", "topo"], &[], None);
    let batch = "`7` (GENTI_BATCH) instead of `auto` (default)";
    check(&sandbox, &[], &[("GENTI_BATCH", "7")], Some(batch));
    let way_out = "note: unset `GENTI_BATCH`, or configure it: `batch = 7` under `[policy]`\n";
    check(&sandbox, &[], &[("GENTI_BATCH", "7")], Some(way_out));
    check(&sandbox, &[], &[("GENTI_BATCH", "auto")], None);
    // The flag takes precedence and is therefore named.
    check(&sandbox, &["--batch", "8"], &[("GENTI_BATCH", "7")], Some("`8` (--batch)"));
    check(&sandbox, &["--batch", "auto"], &[("GENTI_BATCH", "7")], None);
    check(
        &sandbox,
        &["--seed", "1"],
        &[],
        Some("seed differs from the configuration: `1` (--seed) instead of `0`"),
    );
    check(&sandbox, &[], &[("GENTI_SEED", "0")], None);
    check(&sandbox, &["--max-duration", "20m"], &[], Some("`20m` (--max-duration) instead of `10m`"));
    check(&sandbox, &["--per-task-timeout", "1m"], &[], Some("`1m` (--per-task-timeout) instead of `none`"));
    // A profile is part of the configuration.
    check(&sandbox, &["--profile", "ci"], &[], None);
    check(&sandbox, &["--profile", "ci", "--batch", "7"], &[], None);
    check(&sandbox, &["--profile", "ci"], &[("GENTI_BATCH", "auto")], Some("`7` (genti.toml:18)"));
    // These are not part of a policy.
    check(&sandbox, &["--parallel", "3", "--build-dir", "lanes"], &[("GENTI_PARALLEL", "1")], None);
    // Only `check` is bound to the configuration. `run` does what it is told.
    sandbox.run(&["run", "--order", "topo", "--batch", "7"], 0);
}

#[test]
fn a_partial_run_passes_only_with_the_partial_flag() {
    let sandbox = Sandbox::of("members", "w");
    sandbox.write(
        "genti.toml",
        &format!(
            "{}[tools.mark]\nrun = ['touch', '../ran']\ncache = false\n[tools.other]\nrun = ['true']\n",
            crate::support::disabled(&["fmt", "clippy", "doc", "test", "doctest"])
        ),
    );
    sandbox.commit_all();
    for (args, said) in [
        (
            &["-p", "core-numbers"][..],
            "package selection differs from the configuration: `1 of 3` (-p core-numbers) instead of `all 3`",
        ),
        (&["--exclude", "core-numbers"], "`2 of 3` (--exclude core-numbers)"),
        (&["--tool", "mark"], "tool selection differs from the configuration: `mark` (--tool mark)"),
        (&["--skip-tool", "other"], "(--skip-tool other)"),
        (
            &["--since", "HEAD"],
            "file selection differs from the configuration: `since HEAD` (--since) instead of `all files`",
        ),
        (
            &["--all-features"],
            "build differs from the configuration: `--all-features` (flags) instead of `default flags`",
        ),
        (&["--cargo-profile", "release"], "`--cargo-profile release` (flags)"),
        (&["--target", "x86_64-unknown-none"], "`--target x86_64-unknown-none` (flags)"),
    ] {
        check(&sandbox, args, &[], Some(said));
        sandbox.run(&[&["check", "--partial"], args].concat(), 0);
        // In an unchanged workspace nothing is checked.
        assert_eq!(has_run(&sandbox), args[0] != "--since", "{args:?}");
        sandbox.run(&[&["check", "--partial", "--seed", "1"], args].concat(), 5);
        assert!(!has_run(&sandbox), "the policy is no part");
    }
    // Selecting all packages by name is a whole run.
    check(&sandbox, &["-p", "core-numbers", "-p", "util", "-p", "app"], &[], None);
    check(&sandbox, &["--workspace"], &[], None);
}

#[test]
fn the_build_must_match_the_baseline() {
    let sandbox = marked("[baseline]\nall-features = true\ntarget = 'x86_64-unknown-none'\n");
    check(&sandbox, &["--all-features"], &[], None);
    check(&sandbox, &["--all-features", "--target", "x86_64-unknown-none"], &[], None);
    let missing = "build differs from the configuration: `default flags` (default) \
                   instead of `--all-features --target x86_64-unknown-none` ([baseline])";
    check(&sandbox, &[], &[], Some(missing));
    check(&sandbox, &["--all-features", "--target", "x86_64-unknown-linux-gnu"], &[], Some("unknown-linux"));
    sandbox.run(&["check", "--partial"], 0);
}

#[test]
fn drift_leaves_the_artifacts_unchanged_and_usage_errors_come_first() {
    let sandbox = marked("");
    sandbox.run(&["check"], 0);
    let before = sandbox.artifact("run.json");
    check_code(&sandbox, &["--seed", "1", "--batch", "none"], 2);
    check_code(&sandbox, &["--seed", "1", "--tool", "none"], 2);
    check_code(&sandbox, &["--seed", "1"], 5);
    assert_eq!(sandbox.artifact("run.json"), before);
}

fn check_code(sandbox: &Sandbox, args: &[&str], code: i32) {
    sandbox.run(&[&["check"], args].concat(), code);
}

/// Creates a tool that checks files in a directory that does not exist.
const EMPTY: &str =
    "[tools.prose]\nrun = ['false', '{files}']\nper = 'file'\nfiles = ['moved/**/*.md']\nparse = 'lines'\n";

#[test]
fn a_tool_whose_files_match_nothing_is_reported_and_leaves_a_gate_incomplete() {
    let sandbox = Sandbox::with_tools(EMPTY);
    let text = sandbox.run(&["run"], 0);
    assert!(text.contains("nothing to check: prose"), "{text}");
    let text = sandbox.run(&["check"], 3);
    assert!(
        text.contains("no result from: prose") && text.contains("`files` matches no file in the workspace"),
        "{text}"
    );
    assert_eq!(sandbox.verdicts(), [("prose".to_owned(), "empty".to_owned())]);
    assert_eq!(sandbox.json("report.json")["tools"][0]["incomplete"][0]["unit"], ".");
    sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 3);
    sandbox.run(&["run"], 0);
    sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 3);

    // This is true for every kind of unit, and for the files of built-in tools.
    for per in ["workspace", "package"] {
        Sandbox::with_tools(&EMPTY.replace("'file'", &format!("'{per}'"))).run(&["check"], 3);
    }
    let typos = "[tools.typos]\nrun = ['false', '{files}']\nfiles = ['moved/**']\n";
    assert!(Sandbox::with_tools(typos).run(&["check"], 3).contains("no result from: typos"));
}

#[test]
fn a_tool_may_match_no_files_if_configured_or_in_a_partial_run() {
    let may = Sandbox::with_tools(&format!("{EMPTY}may-be-empty = true\n"));
    assert!(may.run(&["check"], 0).contains("nothing to check"));
    let optional = Sandbox::with_tools(&format!("{EMPTY}required = false\n"));
    assert!(optional.run(&["check"], 0).contains("nothing to check: prose"));
    let sandbox = Sandbox::with_tools(&format!("{EMPTY}[tools.other]\nrun = ['true']\n"));
    for part in [&["--tool", "prose"][..], &["--skip-tool", "other"]] {
        sandbox.run(&[&["check", "--partial"], part].concat(), 0);
    }
    sandbox.commit_all();
    sandbox.run(&["check", "--partial", "--since", "HEAD"], 0);
}
