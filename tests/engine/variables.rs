//! Tests of the variables and time limits that the configuration sets for a tool.

use crate::support::Sandbox;

/// Reports the variables `A`, `B` and `LC_ALL` of the tool.
const SHOWS: &str = "run = ['sh', '-c', 'echo \"found: [$A] [$B] [$LC_ALL]\"']\nparse = 'lines'\n";

#[test]
fn a_tool_gets_the_variables_that_its_configuration_sets() {
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.shows]\n{SHOWS}env = {{ A = 'one two', B = true, LC_ALL = 'C.UTF-8' }}\ncache = true\n"
    ));
    let run = |text: &str, code| {
        let mut command = sandbox.command(&["run"]);
        command.env("A", "of the environment").env("B", "passed");
        let shown = sandbox.expect(&command.output().unwrap(), code);
        assert!(shown.contains(text), "{shown}");
    };
    run("found: [one two] [passed] [C.UTF-8]", 1);
    run("1 cached", 1);
    // Another value is another task, so the cached result does not count.
    sandbox.edit("genti.toml", "one two", "three");
    run("found: [three] [passed] [C.UTF-8]", 1);
}

#[test]
fn a_value_of_the_configuration_hides_that_of_the_environment_also_from_the_cache() {
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.shows]\n{SHOWS}inherit-env = true\nenv = {{ A = 'one', B = true }}\ncache = true\n"
    ));
    let run = |value: &str, text: &str| {
        let shown = sandbox.expect(&sandbox.command(&["run"]).env("A", value).output().unwrap(), 1);
        assert!(shown.contains(text), "{shown}");
    };
    run("1", "found: [one] [] [C]");
    run("2", "1 cached");
}

#[test]
fn lint_levels_that_the_configuration_sets_for_cargo_are_ignored_and_reported() {
    let sandbox = Sandbox::with_tools(
        "[tools.lints]\nrun = ['cargo', 'check', '--lib', '--message-format=json']\nparse = 'rustc-json'\ninherit-env = true\n\
         env = { RUSTFLAGS = '-D warnings' }\n",
    );
    sandbox.write("src/lib.rs", "//! Has a warning.\n\nfn unused() {}\n");
    let mut command = sandbox.command(&["run"]);
    let shown = sandbox.expect(&command.env("RUSTFLAGS", "--cfg outside").output().unwrap(), 1);
    assert!(shown.contains("ignoring `-D warnings` from RUSTFLAGS"), "{shown}");
    assert!(shown.contains("warning[dead_code]"), "a warning, and no error: {shown}");
}

#[test]
fn a_tool_has_a_time_limit_of_its_own() {
    let sandbox = Sandbox::with_tools(
        "[tools.slow]\nrun = ['sleep', '600']\ntimeout = '50ms'\n[policy]\nper-task-timeout = '10m'\n",
    );
    let shown = sandbox.run(&["run"], 3);
    assert!(shown.contains("timed out after 50ms"), "{shown}");
}
