//! Tests the complete pipeline with a workspace of 12 packages and 400 files, under time limits: exactly the
//! planted findings are found, with and without the cache, and a gate passes accepted findings.
//!
//! `GENTI_TEST=full cargo test --test engine whole -- --nocapture` takes 60 packages with 2,000 files, also runs the
//! tests and doc tests of that workspace, and checks this project in the same way.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::{Sandbox, disabled, is_full, is_left_out};

/// Number of modules of each package, in addition to its manifest, root module and text file.
const MODULES: usize = 30;

/// Limits that no machine reaches. A tool that exceeds them has no verdict, which changes the exit code.
const CONFIG: &str = r#"
[policy]
order = "topo"
per-task-timeout = "2h"
max-duration = "4h"

[tools.words]
run = ["awk", '/bad/ { print FILENAME ":" FNR ": " $0 }', "{files}"]
files = ["**/*.txt"]
parse = { regex = '^(?<path>.+?):(?<line>\d+): *(?<message>.+)$' }
"#;

/// Returns the workspace with this number of packages, and the expected findings as rule, path and line.
fn generated(packages: usize) -> (Sandbox, BTreeSet<String>) {
    let sandbox = Sandbox::of("clean", "w");
    for path in ["src", "tests", "examples", "build.rs", "Cargo.lock"].map(|path| sandbox.root().join(path)) {
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
    }
    let tools = if is_full() { Vec::new() } else { vec!["test", "doctest"] };
    sandbox.write("genti.toml", &format!("{CONFIG}{}", disabled(&tools)));
    sandbox.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
    let mut expected = BTreeSet::new();
    for at in 0..packages {
        let name = format!("p{at:02}");
        // Each package needs the one with half of its number, which makes a tree.
        let needs = (at > 0).then(|| format!("p{:02}", at / 2));
        let dependency =
            needs.iter().map(|name| format!("{name} = {{ path = \"../{name}\" }}\n")).collect::<String>();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}"
        );
        let dir = format!("crates/{name}");
        sandbox.write(&format!("{dir}/Cargo.toml"), &manifest);
        let modules: String = (0..MODULES).map(|module| format!("pub mod m{module:02};\n")).collect();
        let mut root = format!("//! Package {at}.\n{modules}");
        if at % 6 == 0 {
            root.push_str("\n/// See [`nowhere`].\npub fn documented() {}\n");
            let line = root.lines().count() - 1;
            expected.insert(format!("rustdoc::broken_intra_doc_links {dir}/src/lib.rs:{line}"));
        }
        sandbox.write(&format!("{dir}/src/lib.rs"), &root);
        for module in 0..MODULES {
            let path = format!("{dir}/src/m{module:02}.rs");
            let mut text = format!("//! Module {module}.\n\npub fn number() -> u32 {{\n    {module}\n}}\n");
            if (at + module) % 15 == 0 {
                text.push_str("\npub fn returned() -> u32 {\n    return 1;\n}\n");
                expected.insert(format!("clippy::needless_return {path}:8"));
            }
            if (at + module) % 20 == 1 {
                text.push_str("\npub fn  spaced() {}\n");
                expected.insert(format!("rustfmt::unformatted {path}:{}", text.lines().count()));
            }
            sandbox.write(&path, &text);
        }
        sandbox.write(&format!("{dir}/notes.txt"), if at % 10 == 3 { "fine\nbad\n" } else { "fine\n" });
        if at % 10 == 3 {
            expected.insert(format!("words {dir}/notes.txt:2"));
        }
    }
    // Written like cargo does. Otherwise the first run would create it, and the second one would see a different
    // workspace.
    let mut command = Command::new(env!("CARGO"));
    sandbox.scrub(command.args(["generate-lockfile", "--offline"]));
    assert!(command.output().unwrap().status.success());
    (sandbox, expected)
}

/// Returns the findings of a run, without their states.
fn found(sandbox: &Sandbox) -> BTreeSet<String> {
    sandbox.findings().iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

const ARTIFACTS: [&str; 3] = ["run.json", "report.json", "tasks.jsonl"];

/// Returns the artifacts of `cargo genti ARGS` as called in CI, without timing.
#[track_caller]
fn artifacts(sandbox: &Sandbox, args: &[&str], code: i32) -> Vec<Vec<u8>> {
    let policy = ["--parallel", "auto", "--batch", "auto"];
    let mut command = sandbox.command(&[args, &policy].concat());
    let output = command.env("SOURCE_DATE_EPOCH", "0").output().unwrap();
    sandbox.expect(&output, code);
    ARTIFACTS.map(|name| sandbox.artifact(name)).into()
}

/// Panics with the first line that differs.
#[track_caller]
fn is_same(warm: &[Vec<u8>], cold: &[Vec<u8>]) {
    for (name, (warm, cold)) in ARTIFACTS.iter().zip(warm.iter().zip(cold)) {
        let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let differing = lines(warm).into_iter().zip(lines(cold)).enumerate().find(|(_, (a, b))| a != b);
        if let Some((at, (warm, cold))) = differing {
            let [warm, cold] = [warm, cold].map(|line| String::from_utf8(line).unwrap());
            panic!("{name}:{}: cold {cold}, warm {warm}", at + 1);
        }
        assert_eq!(warm, cold, "{name}");
    }
}

#[test]
fn planted_findings_in_a_workspace_of_many_files_are_found_accepted_and_gated() {
    let packages = if is_full() { 60 } else { 12 };
    let (sandbox, expected) = generated(packages);
    assert!(expected.len() > 2 * packages, "{}", expected.len());

    let cold = artifacts(&sandbox, &["run"], 1);
    assert_eq!(found(&sandbox), expected);
    assert_eq!(sandbox.findings().len(), expected.len(), "each of them once");
    is_same(&artifacts(&sandbox, &["run"], 1), &cold);

    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check", "--parallel", "auto", "--batch", "auto"], 0);
    let ran: Vec<_> =
        sandbox.lines("task").into_iter().filter(|task| task["timing"]["cache"] != "hit").collect();
    assert!(is_full() || ran.is_empty(), "what is known is not run again: {ran:?}");
    // Lines added above move accepted findings. One additional finding is the only new one.
    sandbox.edit("crates/p11/src/m04.rs", "//! Module 4.\n", "//! Module 4.\n//!\n//! It has moved.\n");
    sandbox.edit("crates/p07/src/m05.rs", "    5\n", "    return 5;\n");
    artifacts(&sandbox, &["check"], 1);
    let new: Vec<_> = sandbox.findings().into_iter().filter(|line| line.starts_with("new ")).collect();
    assert_eq!(new, ["new clippy::needless_return crates/p07/src/m05.rs:4"]);
}

#[test]
fn results_for_this_project_are_the_same_cold_and_warm() {
    // This builds for a minute.
    if is_left_out() {
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sandbox = Sandbox::of("clean", "project");
    std::fs::remove_dir_all(sandbox.root()).unwrap();
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(here).output().unwrap();
    for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        use std::os::unix::ffi::OsStrExt;
        let name = Path::new(std::ffi::OsStr::from_bytes(name));
        let to = sandbox.root().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(here.join(name), to).unwrap();
    }
    let cold = artifacts(&sandbox, &["check"], 0);
    is_same(&artifacts(&sandbox, &["check"], 0), &cold);
    sandbox.run(&["verify"], 0);
}
