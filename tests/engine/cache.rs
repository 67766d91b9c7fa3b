//! Tests of the result cache: after a change, exactly the tasks that depend on it run again.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Sandbox, is_full};

/// Creates the members `a`, which needs `b`, `b`, and `c`, which needs an outside package, with real tools and two
/// test tools.
fn workspace() -> Sandbox {
    let sandbox = Sandbox::with_tools("");
    let package = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{more}")
    };
    for file in ["src", "tests", "examples", "build.rs", "Cargo.lock", "genti.toml"] {
        let path = sandbox.root().join(file);
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
    }
    sandbox.write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\nresolver = \"3\"\n");
    sandbox.write(
        "a/Cargo.toml",
        &package("a", "[features]\nmore = []\n[dependencies]\nb = { path = \"../b\" }\n"),
    );
    sandbox.write("b/Cargo.toml", &package("b", ""));
    sandbox.write("c/Cargo.toml", &package("c", "[dependencies]\nfar = { path = \"../../far\" }\n"));
    sandbox.write("../far/Cargo.toml", &package("far", ""));
    sandbox.write("../far/src/lib.rs", "//! Far.\n");
    sandbox.write(
        "a/src/lib.rs",
        "#![doc = include_str!(\"../../notes.txt\")]\ninclude!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n\n\
         /// A colour.\npub const COLOUR: Option<&str> = option_env!(\"COLOUR\");\n",
    );
    sandbox.write(
        "a/build.rs",
        "//! Makes a part of the library.\n\nfn main() {\n    println!(\"cargo::rerun-if-changed=../gen.txt\");\n    \
         println!(\"cargo::rerun-if-env-changed=MADE\");\n    \
         let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
         std::fs::write(format!(\"{out}/made.rs\"), \"/// Made.\\npub const MADE: u8 = 1;\\n\").unwrap();\n}\n",
    );
    sandbox.write("a/tests/t.rs", "//! Tests.\n");
    sandbox.write("b/src/lib.rs", "//! B.\n");
    sandbox.write("c/src/lib.rs", "//! C.\n");
    sandbox.write("notes.txt", "Notes.\n");
    sandbox.write("gen.txt", "Generate.\n");
    sandbox.write("README.md", "Read me.\n");
    sandbox.write(".gitignore", "target\n*.ignored\n");
    sandbox.write("words.sh", "exit 0\n");
    sandbox.write("own.sh", "#!/bin/sh\nexit 0\n");
    let status = Command::new("chmod").arg("+x").arg(sandbox.root().join("own.sh")).status();
    assert!(status.unwrap().success());
    sandbox.write("genti.toml", TOOLS);
    sandbox
}

const TOOLS: &str = r#"
[tools.test]
enabled = false

[tools.doctest]
enabled = false

[tools.clippy]
args = ["--all-targets"]

[tools.words]
run = ["sh", "words.sh", "{files}"]
files = ["**/*.txt"]
per = "file"
parse = { regex = "^(?<path>.+?):(?<line>\\d+): (?<message>.+)$" }
env = ["LISTED"]

[tools.own]
run = ["./own.sh", "{dir}"]
per = "package"
"#;

const FMT_A: [&str; 3] = ["fmt:a/build.rs", "fmt:a/src/lib.rs", "fmt:a/tests/t.rs"];
const FMT: [&str; 5] =
    ["fmt:a/build.rs", "fmt:a/src/lib.rs", "fmt:a/tests/t.rs", "fmt:b/src/lib.rs", "fmt:c/src/lib.rs"];
const CARGO: [&str; 2] = ["clippy:.", "doc:."];
const OWN: [&str; 3] = ["own:a", "own:b", "own:c"];

/// Returns the tasks that ran, as `tool:unit`.
fn ran(sandbox: &Sandbox) -> BTreeSet<String> {
    let lines = sandbox.lines("task");
    assert!(!lines.is_empty());
    let is_miss = |line: &&Value| line["timing"]["cache"] == "miss";
    let name =
        |line: &Value| format!("{}:{}", line["tool"].as_str().unwrap(), line["unit"].as_str().unwrap());
    lines.iter().filter(is_miss).map(name).collect()
}

fn row(
    change: &'static str,
    make: impl Fn(&Sandbox) + 'static,
    runs: &[&[&'static str]],
    cause: &'static str,
) -> Row<'static> {
    Row { change, make: Box::new(make), env: &[], args: &[], runs: runs.concat(), cause }
}

/// A change, and the tasks that must run because of it.
struct Row<'a> {
    change: &'a str,
    make: Box<dyn Fn(&Sandbox)>,
    env: &'a [(&'a str, &'a str)],
    args: &'a [&'a str],
    runs: Vec<&'a str>,
    /// Expected output of `explain`.
    cause: &'a str,
}

#[test]
fn exactly_the_tasks_affected_by_a_change_run_and_explain_names_the_cause() {
    let sandbox = workspace();
    let run = |env: &[(&str, &str)], args: &[&str]| {
        let mut command = sandbox.command(&[&["run"], args].concat());
        command.env("HOME", sandbox.beside()).env_remove("CARGO_HOME").envs(env.iter().copied());
        let output = command.output().unwrap();
        // The findings of rustfmt depend on its configuration.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&[], &[]);
    let all = [&CARGO[..], &FMT, &OWN, &["words:gen.txt", "words:notes.txt"]].concat();
    assert_eq!(ran(&sandbox), all.iter().map(ToString::to_string).collect(), "at first everything runs");
    let cold = ["run.json", "report.json"].map(|name| sandbox.artifact(name));
    run(&[], &[]);
    assert_eq!(ran(&sandbox), BTreeSet::new(), "and then nothing");
    assert_eq!(cold, ["run.json", "report.json"].map(|name| sandbox.artifact(name)));

    let edit = |path: &'static str, text: &'static str| move |sandbox: &Sandbox| sandbox.write(path, text);
    let none = |_: &Sandbox| {};
    let with_env =
        |change, env, runs: &[&[&'static str]], cause| Row { env, ..row(change, none, runs, cause) };
    let rows = [
        row("nothing", none, &[], ""),
        row(
            "a file is touched",
            |sandbox: &Sandbox| {
                let file =
                    fs::File::options().append(true).open(sandbox.root().join("b/src/lib.rs")).unwrap();
                file.set_modified(std::time::SystemTime::now()).unwrap();
            },
            &[],
            "",
        ),
        row(
            "a dependency is edited",
            edit("b/src/lib.rs", "//! B!\n"),
            &[&CARGO, &["fmt:b/src/lib.rs", "own:a", "own:b"]],
            "the file b/src/lib.rs changed",
        ),
        row(
            "a package nobody needs is edited",
            edit("c/src/lib.rs", "//! C!\n"),
            &[&CARGO, &["fmt:c/src/lib.rs", "own:c"]],
            "the file c/src/lib.rs changed",
        ),
        row(
            "a test is edited",
            edit("a/tests/t.rs", "//! More tests.\n"),
            &[&CARGO, &FMT_A, &["own:a"]],
            "the file a/tests/t.rs changed",
        ),
        row(
            "a build script is edited",
            |sandbox: &Sandbox| sandbox.edit("a/build.rs", "u8 = 1", "u8 = 2"),
            &[&CARGO, &FMT_A, &["own:a"]],
            "the file a/build.rs changed",
        ),
        row(
            "a module that nobody names is added",
            edit("b/src/spare.rs", "//! Spare.\n"),
            &[&CARGO, &["fmt:b/src/lib.rs", "own:a", "own:b"]],
            "the file b/src/spare.rs is new",
        ),
        row(
            "and removed",
            |sandbox: &Sandbox| fs::remove_file(sandbox.root().join("b/src/spare.rs")).unwrap(),
            &[],
            "",
        ),
        row(
            "an included file of no package is edited",
            edit("notes.txt", "Other notes.\n"),
            &[&CARGO, &["own:a", "words:notes.txt"]],
            "the file notes.txt, which it reads",
        ),
        row(
            "what a build script reads is edited",
            edit("gen.txt", "Generate more.\n"),
            &[&CARGO, &["words:gen.txt"]],
            "the file gen.txt, which it reads",
        ),
        row(
            "a package outside is edited",
            edit("../far/src/lib.rs", "//! Very far.\n"),
            &[&CARGO, &["own:c"]],
            "no cached result for the current inputs",
        ),
        row("a file that no tool reads is edited", edit("README.md", "Read me!\n"), &[], ""),
        row("an ignored file is written", edit("a/x.ignored", "x"), &[], ""),
        row(
            "a version is raised, and with it the lock file",
            |sandbox: &Sandbox| {
                sandbox.edit("c/Cargo.toml", "0.1.0", "0.1.1");
                sandbox.edit(
                    "Cargo.lock",
                    "name = \"c\"\nversion = \"0.1.0\"",
                    "name = \"c\"\nversion = \"0.1.1\"",
                );
            },
            &[&CARGO, &OWN],
            "the file Cargo.lock changed",
        ),
        row(
            "clippy is configured",
            edit("clippy.toml", "msrv = \"1.88\"\n"),
            &[&["clippy:."]],
            "the file clippy.toml changed",
        ),
        row(
            "rustfmt is configured",
            edit("rustfmt.toml", "max_width = 110\n"),
            &[&FMT],
            "the file rustfmt.toml changed",
        ),
        row(
            "rustfmt is configured above the workspace",
            edit("../rustfmt.toml", "max_width = 90\n"),
            &[&FMT],
            "the file ../rustfmt.toml is new",
        ),
        row(
            "rustfmt is configured in an ignored file",
            |sandbox: &Sandbox| {
                sandbox.write(".gitignore", "target\n*.ignored\nb/rustfmt.toml\n");
                sandbox.write("b/rustfmt.toml", "max_width = 100\n");
            },
            &[&FMT],
            "the file b/rustfmt.toml is new",
        ),
        row(
            "cargo is configured",
            edit(".cargo/config.toml", "[env]\nX = \"1\"\n"),
            &[&CARGO, &OWN],
            "the file .cargo/config.toml is new",
        ),
        row(
            "cargo is configured above the workspace",
            edit("../.cargo/config.toml", "[env]\nX = \"2\"\n"),
            &[&CARGO],
            "the file ../.cargo/config.toml is new",
        ),
        row(
            "the toolchain is named",
            edit("rust-toolchain.toml", "[toolchain]\nprofile = \"minimal\"\n"),
            &[&CARGO, &FMT, &OWN],
            "the file rust-toolchain.toml is new",
        ),
        row(
            "a tool's arguments are changed",
            |sandbox: &Sandbox| {
                sandbox.edit("genti.toml", "[\"--all-targets\"]", "[\"--all-targets\", \"--no-deps\"]")
            },
            &[&["clippy:."]],
            "`args` of the tool's definition changed",
        ),
        row(
            "a tool's program is changed",
            edit("own.sh", "#!/bin/sh\n: other\n"),
            &[&OWN],
            "the program own.sh changed",
        ),
        row(
            "the script that an interpreter runs is changed",
            edit("words.sh", ": other\n"),
            &[&["words:gen.txt", "words:notes.txt"]],
            "the file words.sh changed",
        ),
        row(
            "a file is added",
            edit("more.txt", "More.\n"),
            &[&["words:more.txt"]],
            "the file more.txt is new",
        ),
        row(
            "a file is renamed",
            |sandbox: &Sandbox| {
                fs::rename(sandbox.root().join("more.txt"), sandbox.root().join("less.txt")).unwrap()
            },
            &[&["words:less.txt"]],
            "the file less.txt is new",
        ),
        row(
            "other content of the same size and time",
            |sandbox: &Sandbox| {
                let path = sandbox.root().join("less.txt");
                let before = fs::metadata(&path).unwrap().modified().unwrap();
                sandbox.write("less.txt", "LESS.\n");
                fs::File::options().append(true).open(&path).unwrap().set_modified(before).unwrap();
            },
            &[&["words:less.txt"]],
            "the file less.txt changed",
        ),
        row(
            "a file is deleted",
            |sandbox: &Sandbox| fs::remove_file(sandbox.root().join("less.txt")).unwrap(),
            &[],
            "",
        ),
        row(
            "the policy is changed",
            |sandbox: &Sandbox| {
                sandbox.write(
                    "genti.toml",
                    &format!(
                        "[policy]\nseed = 3\n{}",
                        fs::read_to_string(sandbox.root().join("genti.toml")).unwrap()
                    ),
                )
            },
            &[],
            "",
        ),
        with_env(
            "flags for the compiler",
            &[("RUSTFLAGS", "--cfg extra")],
            &[&CARGO],
            "the variable RUSTFLAGS is new",
        ),
        with_env(
            "a variable of a tool's list",
            &[("LISTED", "1")],
            &[&["words:gen.txt", "words:notes.txt"]],
            "the variable LISTED is new",
        ),
        with_env("a variable of no list", &[("UNLISTED", "1")], &[], ""),
        with_env(
            "a variable that a source reads",
            &[("COLOUR", "red")],
            &[&CARGO],
            "the variable COLOUR, which the build reads",
        ),
        with_env(
            "a variable that a build script reads",
            &[("MADE", "1")],
            &[&CARGO],
            "the variable MADE, which the build reads",
        ),
        Row {
            args: &["--all-features"],
            ..row("features", none, &[&CARGO], "the selection (all-features) changed")
        },
        Row { args: &["--parallel", "1", "--batch", "1"], ..row("another batch policy", none, &[], "") },
        // This row is last because running the build script again reverts the edit.
        row(
            "what a build script has made is edited",
            |sandbox: &Sandbox| {
                let script = "for f in target/genti/build/debug/build/a-*/out/made.rs; do echo '// By hand.' >> $f; done";
                let mut shell = Command::new("sh");
                shell.args(["-c", script]).current_dir(sandbox.root());
                assert!(shell.status().unwrap().success());
            },
            &[&["clippy:.", "doc:."]],
            "made.rs, which a build script generates",
        ),
    ];
    assert!(rows.len() >= 25);
    let mut wrong = Vec::new();
    for Row { change, make, env, args, runs, cause } in rows {
        make(&sandbox);
        run(env, args);
        let expected: BTreeSet<_> = runs.iter().map(ToString::to_string).collect();
        if ran(&sandbox) != expected {
            wrong.push(format!("{change}: ran {:?}, expected {expected:?}", ran(&sandbox)));
        }
        let explained = sandbox.run(&["explain", "--verbose"], 0);
        if !explained.contains(cause) {
            wrong.push(format!("{change}: `{cause}` is not in\n{explained}"));
        }
        // The cached results must be those of a run without a cache.
        let warm = sandbox.artifact("report.json");
        if expected.is_empty() {
            continue;
        }
        run(env, args);
        let explained = || sandbox.run(&["explain", "--verbose"], 0);
        assert_eq!(ran(&sandbox), BTreeSet::new(), "{change}: the run after it\n{}", explained());
        assert_eq!(sandbox.artifact("report.json"), warm, "{change}");
        // Return to the common environment, in which everything is cached again.
        if !env.is_empty() || !args.is_empty() {
            run(&[], &[]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Creates a tool `t` that logs each file it reads to `../log` and reports its bad lines.
fn with_log(config: &str) -> Sandbox {
    let script = "for f in \\\"$@\\\"; do echo $f >> ../log; sed -n \\\"s|.*bad.*|$f:1: &|p\\\" $f; done";
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\", \"sh\", \"{{files}}\"]\nper = \"file\"\nfiles = [\"many/*\"]\n\
         parse = {{ regex = \"^(?<path>.+?):(?<line>\\\\d+): (?<message>.+)$\" }}\n{config}"
    ));
    for (name, text) in [("a", "fine\n"), ("b", "bad b\n"), ("c", "bad c\n"), ("d", "fine\n")] {
        sandbox.write(&format!("many/{name}"), text);
    }
    sandbox
}

/// Returns the number of files that were read so far.
fn files_read(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.beside().join("log")).unwrap_or_default().lines().count()
}

fn without_timing(sandbox: &Sandbox) -> Vec<Value> {
    let text = String::from_utf8(sandbox.artifact("tasks.jsonl")).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("timing")));
    lines
}

#[test]
fn cold_partly_cached_and_fully_cached_runs_leave_the_same_artifacts() {
    let sandbox = with_log("");
    let artifacts =
        || (sandbox.artifact("run.json"), sandbox.artifact("report.json"), without_timing(&sandbox));
    sandbox.run(&["run", "--no-cache"], 1);
    let cold = artifacts();
    sandbox.run(&["run", "-q"], 1);
    assert_eq!((artifacts() == cold, files_read(&sandbox)), (true, 8), "nothing was kept before");
    sandbox.run(&["run"], 1);
    assert_eq!((artifacts() == cold, files_read(&sandbox)), (true, 8), "all is known");
    let log = sandbox.root().join("target/genti/cache/results.log");
    let whole = fs::read(&log).unwrap();
    // Remove or damage each part of the cache in every way. The missing results are computed again.
    for len in (0..whole.len()).step_by(41) {
        fs::write(&log, &whole[..len]).unwrap();
        sandbox.run(&["run"], 1);
        assert_eq!(artifacts(), cold, "cut at {len}");
        let mut flipped = whole.clone();
        flipped[len] ^= 0x10;
        fs::write(&log, flipped).unwrap();
        sandbox.run(&["run"], 1);
        assert_eq!(artifacts(), cold, "byte {len}");
    }
}

#[test]
fn results_of_one_machine_are_reused_on_another() {
    let cache = tempfile::tempdir().unwrap();
    let run = |sandbox: &Sandbox| {
        let mut command = sandbox.command(&["run"]);
        sandbox.expect(&command.env("GENTI_CACHE_DIR", cache.path()).output().unwrap(), 1);
        sandbox.artifact("report.json")
    };
    let (here, there) = (with_log(""), with_log(""));
    let report = run(&here);
    assert!(!here.root().join("target/genti/cache").exists());
    assert_eq!(run(&there), report);
    assert_eq!((files_read(&here), files_read(&there)), (4, 0));
    // A file that somebody else left in the directory stays.
    fs::write(cache.path().join("mine"), "mine").unwrap();
    let mut command = here.command(&["clean"]);
    here.expect(&command.env("GENTI_CACHE_DIR", cache.path()).output().unwrap(), 0);
    assert!(cache.path().join("mine").exists() && !here.root().join("target/genti/artifacts").exists());
    run(&there);
    assert_eq!(files_read(&there), 4, "its results are gone");
}

#[test]
fn cached_findings_fail_a_run_fast_before_anything_starts() {
    let sandbox = with_log("");
    sandbox.run(&["run"], 1);
    sandbox.write("many/d", "bad d\n");
    sandbox.run(&["run", "--fail-fast"], 3);
    assert_eq!(files_read(&sandbox), 4, "nothing was started");
    assert!(sandbox.lines("task").iter().any(|line| line["status"] == "not-run"));
}

#[test]
fn a_file_that_changes_while_a_tool_reads_it_has_no_verdict_and_is_not_cached() {
    for (change, of) in [
        ("echo more >> many/b", "many/b"),
        ("echo exit 0 >> t.sh", "the program of t"),
        ("rm many/c", "many/c"),
    ] {
        let sandbox = Sandbox::with_tools(
            "[tools.t]\nrun = [\"./t.sh\", \"{files}\"]\nper = \"file\"\nfiles = [\"many/*\"]\nparse = { regex = \"^(?<path>.+?):(?<line>\\\\d+): (?<message>.+)$\" }\n",
        );
        ["a", "b", "c"].iter().for_each(|name| sandbox.write(&format!("many/{name}"), "x"));
        sandbox.write("t.sh", &format!("#!/bin/sh\ntest -e ../done && exit 0\n: > ../done\n{change}\n"));
        assert!(Command::new("chmod").arg("+x").arg(sandbox.root().join("t.sh")).status().unwrap().success());
        let text = sandbox.run(&["run"], 3);
        assert!(text.contains(&format!("{of} changed during the run")), "{text}");
        let changed = |line: &&Value| line["status"] == "input-changed";
        assert!(sandbox.lines("task").iter().any(|line| changed(&line)), "{change}");
        // Unchanged files have their verdict, and the next run checks the others.
        sandbox.run(&["run"], 0);
        let whole = sandbox.artifact("report.json");
        sandbox.run(&["run", "--no-cache"], 0);
        assert_eq!(sandbox.artifact("report.json"), whole);
    }
}

#[test]
fn caching_can_be_disabled_for_a_tool() {
    let sandbox = with_log("cache = false\n");
    sandbox.run(&["run"], 1);
    sandbox.run(&["run"], 1);
    assert_eq!(files_read(&sandbox), 8);
    assert!(sandbox.run(&["explain", "t"], 0).contains("`cache = false`"));
    let sandbox = with_log("");
    for _ in 0..2 {
        let mut command = sandbox.command(&["run"]);
        sandbox.expect(&command.env("GENTI_NO_CACHE", "1").output().unwrap(), 1);
    }
    assert_eq!(files_read(&sandbox), 8);
}

#[test]
fn tests_run_every_time_unless_their_tool_allows_caching() {
    let attempts = |sandbox: &Sandbox| -> u64 {
        let lines = sandbox.lines("task");
        let tests = lines.iter().filter(|line| line["tool"] == "test");
        tests.map(|line| line["timing"]["attempts"].as_u64().unwrap()).sum()
    };
    let sandbox = Sandbox::library();
    let run = || sandbox.run(&["run", "--tool", "test"], 0);
    run();
    let all = attempts(&sandbox);
    run();
    assert!(all > 0 && attempts(&sandbox) == all);
    sandbox.write("genti.toml", "[tools.test]\ncache = true\n");
    run();
    let cold = sandbox.artifact("report.json");
    run();
    assert_eq!((attempts(&sandbox), sandbox.artifact("report.json")), (0, cold));
    // This works whatever a test may read.
    sandbox.write("data.txt", "x");
    run();
    assert_eq!(attempts(&sandbox), all);
}

#[test]
fn concurrent_runs_are_correct_and_lose_nothing() {
    let rounds = if is_full() { 100 } else { 3 };
    let cache = tempfile::tempdir().unwrap();
    let sandboxes: Vec<_> = (0..4).map(|_| with_log("")).collect();
    sandboxes[0].run(&["run", "--no-cache"], 1);
    let report = sandboxes[0].artifact("report.json");
    for round in 0..rounds {
        // Two runs in each of four workspaces share one store. Every second round begins with an empty one.
        if round % 2 == 0 {
            let _ = fs::remove_file(cache.path().join("results.log"));
        }
        let runs: Vec<_> = (0..8)
            .map(|at| {
                let sandbox: &Sandbox = &sandboxes[at % 4];
                let mut command = sandbox.command(&["run"]);
                command.env("GENTI_CACHE_DIR", cache.path());
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                (sandbox, command.spawn().unwrap())
            })
            .collect();
        for (sandbox, run) in runs {
            sandbox.expect(&run.wait_with_output().unwrap(), 1);
        }
        for sandbox in &sandboxes {
            assert_eq!(sandbox.artifact("report.json"), report, "round {round}");
        }
        let before = files_read(&sandboxes[0]);
        let mut command = sandboxes[0].command(&["run"]);
        sandboxes[0].expect(&command.env("GENTI_CACHE_DIR", cache.path()).output().unwrap(), 1);
        assert_eq!(files_read(&sandboxes[0]), before, "round {round}: something was lost");
    }
}

#[test]
fn values_of_the_environment_are_not_stored() {
    let sandbox = with_log("env = [\"SECRET\"]\n");
    let mut command = sandbox.command(&["run"]);
    sandbox.expect(&command.env("SECRET", "canary-7141").output().unwrap(), 1);
    let found =
        Command::new("grep").args(["-rl", "canary-7141", "target"]).current_dir(sandbox.root()).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "");
}

/// Such a file is read each time, because its stamp proves nothing. The recorded state stays the same.
#[test]
fn a_file_from_the_future_does_not_make_each_run_write_its_state() {
    let sandbox = with_log("");
    let future = std::time::SystemTime::now() + std::time::Duration::from_secs(1 << 20);
    let file = fs::File::options().write(true).open(sandbox.root().join("Cargo.toml")).unwrap();
    file.set_modified(future).unwrap();
    // Until all others prove something.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    (0..2).for_each(|_| drop(sandbox.run(&["run"], 1)));
    let state = sandbox.root().join("target/genti/state");
    let before = (fs::read(&state).unwrap(), fs::metadata(&state).unwrap().modified().unwrap());
    std::thread::sleep(std::time::Duration::from_millis(20));
    sandbox.run(&["run"], 1);
    assert!(before == (fs::read(&state).unwrap(), fs::metadata(&state).unwrap().modified().unwrap()));
}

#[test]
fn documentation_with_unnamed_includes_is_cached_if_rustc_has_compiled_the_same_sources() {
    let sandbox = Sandbox::library();
    let included = "macro_rules! text {\n    ($f:literal) => {\n        include_str!($f)\n    };\n}\n\n\
                    /// T.\npub const T: &str = text!(\"../notes.txt\");\n";
    let pair = "/// F.\npub fn f([doc, test]: [u8; 2]) -> [u8; 2] {\n    [doc, test]\n}\n";
    sandbox.write("src/lib.rs", &format!("//! L.\n\n{included}\n{pair}"));
    let included = included.replace("../notes", "../../notes");
    sandbox.write(
        "src/bin/two-words.rs",
        &format!("//! B.\n\n{included}\nfn main() {{\n    assert!(T.is_ascii());\n}}\n"),
    );
    sandbox.write("notes.txt", "Notes.\n");
    // Clippy lists it before the sources.
    sandbox.write("clippy.toml", "");
    // Which files clippy read is recorded once documentation needs it, in whatever order the two are judged.
    sandbox.run(&["run", "--tool", "clippy"], 0);
    fs::remove_dir_all(sandbox.root().join("target/genti/cache")).unwrap();
    for _ in 0..3 {
        sandbox.run(&["run", "--tool", "clippy", "--tool", "doc"], 0);
    }
    assert_eq!(ran(&sandbox), BTreeSet::new());
}

#[test]
fn explain_says_that_a_result_was_not_cached_because_its_inputs_are_unknown() {
    let sandbox = Sandbox::library();
    sandbox.write(
        "src/lib.rs",
        "//! L.\n\nmacro_rules! text {\n    ($f:literal) => {\n        include_str!($f)\n    };\n}\n\n\
         /// T.\npub const T: &str = text!(\"../notes.txt\");\n",
    );
    sandbox.write("notes.txt", "Notes.\n");
    // Without clippy, cargo does not compile the library, so no compiler says what it reads.
    sandbox.run(&["run", "--tool", "doc"], 0);
    let explained = sandbox.run(&["explain", "doc"], 0);
    assert!(
        explained.contains("not cached, so it will run again: it is not known which files it reads"),
        "{explained}"
    );
}
