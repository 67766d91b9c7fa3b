//! Tests whose results are cached because they ran in a sandbox and were observed (`cache = "sandboxed"`).
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use genti::scan::Kernel;
use serde_json::Value;

use crate::support::{Sandbox, disabled};

const MANIFEST: &str =
    "[package]\nname = 'w'\nversion = '0.0.0'\nedition = '2024'\n\n[profile.dev]\ndebug = false\n";

/// The test programs, by name. Each looks at something else.
const PROGRAMS: [(&str, &str); 7] = [
    ("pure", "assert_eq!(w::two(), 2);"),
    ("fixture", "assert_eq!(std::fs::read_to_string(\"fixtures/a.txt\").unwrap(), \"good\");"),
    (
        "listing",
        "assert!(!std::fs::read_dir(\"../data\").unwrap().any(|e| e.unwrap().file_name() == \"bad\"));",
    ),
    ("variable", "assert!(std::env::var(\"APP_MODE\").as_deref() != Ok(\"bad\"));"),
    // Ignores what it can't read.
    ("silent", "assert!(std::fs::read_to_string(\"../../outside\").map_or(true, |text| text != \"bad\"));"),
    // Fails in a sandbox.
    ("outside", "assert_eq!(std::fs::read_to_string(\"../../outside\").unwrap(), \"good\");"),
    ("missing", "assert!(!std::path::Path::new(\"../absent.toml\").exists());"),
];

/// Returns a package `w` with these test programs, each with one test with this body, in a workspace with directories beside it;
/// nothing, and prints the reason, if this kernel can't observe.
pub(crate) fn with_programs(programs: &[(&str, &str)]) -> Option<Sandbox> {
    if let Err(why) = Kernel::probe().observer() {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: {why}\n"));
        return None;
    }
    let sandbox = Sandbox::with_tools("");
    let tools = disabled(&["fmt", "clippy", "doc", "doctest"]);
    std::fs::remove_dir_all(sandbox.root()).unwrap();
    sandbox.write("genti.toml", &format!("{tools}[tools.test]\ncache = 'sandboxed'\n"));
    sandbox.write(
        "Cargo.toml",
        "[workspace]\nmembers = ['w']\nresolver = '3'\n\n[profile.dev]\ndebug = false\n",
    );
    sandbox.write("w/Cargo.toml", MANIFEST);
    sandbox.write("w/src/lib.rs", "pub fn two() -> u32 {\n    2\n}\n");
    for (name, body) in programs {
        sandbox.write(&format!("w/tests/{name}.rs"), &format!("#[test]\nfn works() {{\n    {body}\n}}\n"));
    }
    sandbox.write(".gitignore", "target\n");
    sandbox.commit_all();
    Some(sandbox)
}

fn workspace() -> Option<Sandbox> {
    let sandbox = with_programs(&PROGRAMS)?;
    sandbox.write("w/fixtures/a.txt", "good");
    sandbox.write("data/one", "1");
    sandbox.write("../outside", "good");
    Some(sandbox)
}

/// Returns the names of the test programs that were run.
pub(crate) fn ran(sandbox: &Sandbox) -> BTreeSet<String> {
    named(sandbox, |line| line["timing"]["cache"] != "hit")
}

/// Returns the names of the test programs that did not pass.
pub(crate) fn failed(sandbox: &Sandbox) -> BTreeSet<String> {
    named(sandbox, |line| line["status"] != "clean")
}

fn named(sandbox: &Sandbox, is_one: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let tasks = sandbox.lines("task").into_iter().filter(|line| line["tool"] == "test" && is_one(line));
    let name = |unit: &str| unit.rsplit('/').next().unwrap().trim_end_matches(".rs").to_owned();
    tasks.map(|line| name(line["unit"].as_str().unwrap())).collect()
}

/// Runs with these variables, and checks the exit code and which programs ran.
#[track_caller]
pub(crate) fn check_with(sandbox: &Sandbox, vars: &[(&str, &str)], code: i32, expected: &[&str]) -> String {
    let mut command = sandbox.command(&["run"]);
    let text = sandbox.expect(&command.envs(vars.iter().copied()).output().unwrap(), code);
    let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(ran(sandbox), expected, "{text}");
    text
}

#[track_caller]
fn check(sandbox: &Sandbox, what: &str, code: i32, expected: &[&str]) {
    sandbox.run(&["run"], code);
    let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    // These two are never cached.
    let always = ["outside", "silent"].map(str::to_owned);
    assert_eq!(ran(sandbox), &expected | &always.into(), "{what}");
}

#[test]
fn a_test_runs_again_exactly_when_something_that_it_looked_at_has_changed() {
    let Some(sandbox) = workspace() else { return };
    let all = ["fixture", "lib", "listing", "missing", "pure", "variable"];
    check(&sandbox, "first run", 0, &all);
    check(&sandbox, "nothing", 0, &[]);
    let text = sandbox.run(&["explain", "test"], 0);
    assert!(text.contains("test: 2 tasks ran, 6 cached"), "{text}");
    let reason = "its result is not cached: its sandbox denies something: it looks at `";
    assert!(text.contains(reason), "{text}");
    // Cargo links all programs again, with the same content.
    sandbox.edit("w/src/lib.rs", "    2\n}\n", "    2\n}\n// A comment.\n");
    // One of them looks into the package.
    check(&sandbox, "a comment", 0, &["fixture"]);
    sandbox.edit("w/fixtures/a.txt", "good", "bad");
    check(&sandbox, "a fixture", 1, &["fixture"]);
    check(&sandbox, "a failure is not cached", 1, &["fixture"]);
    sandbox.edit("w/fixtures/a.txt", "bad", "good");
    check(&sandbox, "back again", 0, &[]);
    sandbox.write("w/fixtures/new", "");
    check(&sandbox, "a new file in the package, although nothing read it", 0, &["fixture"]);
    sandbox.write("data/bad", "");
    check(&sandbox, "a new file in a listed directory", 1, &["listing"]);
    std::fs::remove_file(sandbox.root().join("data/bad")).unwrap();
    check(&sandbox, "removed", 0, &[]);
    sandbox.write("absent.toml", "");
    check(&sandbox, "a file that was looked for in vain", 1, &["missing"]);
    std::fs::remove_file(sandbox.root().join("absent.toml")).unwrap();
    std::fs::remove_file(sandbox.root().join("w/fixtures/a.txt")).unwrap();
    sandbox.write("data/other", "bad");
    symlink("../../data/other", sandbox.root().join("w/fixtures/a.txt")).unwrap();
    check(&sandbox, "a link in place of a file", 1, &["fixture", "listing"]);
    std::fs::write(sandbox.root().join("data/other"), "good").unwrap();
    check(&sandbox, "the target of a link", 0, &["fixture", "listing"]);
    std::fs::write(sandbox.root().join("data/other"), "bad").unwrap();
    // The other program has passed with this content before.
    check(&sandbox, "the target of a link, in place", 1, &["fixture"]);
    // What no result depends on is never stale.
    sandbox.write("../outside", "bad");
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("silent") && text.contains("outside"), "{text}");
    let mut with = sandbox.command(&["run"]);
    with.env("APP_MODE", "bad");
    let text = sandbox.expect(&with.output().unwrap(), 1);
    assert!(text.contains("variable"), "{text}");
}

#[test]
fn a_changed_source_runs_only_the_programs_that_contain_it() {
    let Some(sandbox) = workspace() else { return };
    sandbox.run(&["run"], 0);
    sandbox.edit("w/tests/pure.rs", "w::two(), 2", "w::two() + 1, 3");
    // Programs that look into the package also run.
    check(&sandbox, "a test", 0, &["fixture", "pure"]);
    sandbox.edit("w/src/lib.rs", "    2\n", "    3\n");
    sandbox.run(&["run"], 1);
    assert!(ran(&sandbox).contains("pure"));
    // An old result counts only as long as it may.
    sandbox.edit("w/src/lib.rs", "    3\n", "    2\n");
    sandbox.edit("genti.toml", "'sandboxed'", "'sandboxed'\nmax-age = '1ms'");
    sandbox.run(&["run"], 0);
    check(&sandbox, "older than `max-age`", 0, &["fixture", "lib", "listing", "missing", "pure", "variable"]);
}

#[test]
fn verify_names_a_test_whose_cached_result_is_wrong() {
    let Some(sandbox) = workspace() else { return };
    std::fs::remove_dir_all(sandbox.root().join("w/tests")).unwrap();
    // The times of files are not observed.
    let body = "let time = std::fs::metadata(\"fixtures/a.txt\").unwrap().modified().unwrap();\n    \
                assert!(time > std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000));";
    sandbox.write("w/tests/time.rs", &format!("#[test]\nfn works() {{\n    {body}\n}}\n"));
    sandbox.run(&["run"], 0);
    let fixture = std::fs::File::options().write(true).open(sandbox.root().join("w/fixtures/a.txt")).unwrap();
    fixture.set_modified(std::time::UNIX_EPOCH).unwrap();
    sandbox.run(&["run"], 0);
    assert!(ran(&sandbox).is_empty());
    let text = sandbox.run(&["verify"], 1);
    assert!(text.contains("test w/tests/time.rs: the cached result is wrong"), "{text}");
}
