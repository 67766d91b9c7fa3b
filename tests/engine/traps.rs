//! Regression tests: each of these runs once passed wrongly, hung, or reported something it did not know.

use std::process::Command;

use crate::support::Sandbox;
use crate::support::process::wait_until;

/// A tool that reports each line that contains `bad` in a file, placed by file name.
const BAD: &str = "[tools.bad]\nrun = [\"awk\", \"/bad/ {print FILENAME \\\":\\\" FNR \\\":\\\" $0}\", \"{files}\"]\nper = \"file\"\nfiles = [\"text/*\"]\n\
                   parse = { regex = \"^(?<path>.+?):(?<line>\\\\d+):(?<message>.*)$\" }\n";

fn gone(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let line = |gone: &serde_json::Value| {
        format!("{} {}", gone["state"].as_str().unwrap(), gone["path"].as_str().unwrap())
    };
    report["gone"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn findings_are_kept_if_a_link_leads_to_the_workspace() {
    let sandbox = Sandbox::of("findings", "real");
    let link = sandbox.beside().join("link");
    std::os::unix::fs::symlink(sandbox.root(), &link).unwrap();
    let manifest = link.join("Cargo.toml");
    sandbox.run(&["run", "--manifest-path", manifest.to_str().unwrap()], 1);
    assert_eq!(sandbox.findings().len(), 8);
}

#[test]
fn findings_of_an_unselected_package_are_not_fixed() {
    let sandbox = Sandbox::of("members", "w");
    sandbox.edit("app/src/main.rs", "fn main() {", "fn  main() {");
    sandbox.run(&["baseline", "init", "--tool", "fmt"], 0);
    sandbox.run(&["check", "--partial", "--tool", "fmt", "-p", "util"], 0);
    assert_eq!(gone(&sandbox), ["unknown app/src/main.rs"]);
}

#[test]
fn a_file_is_settled_only_if_every_root_that_may_reach_it_has_a_verdict() {
    let sandbox = Sandbox::of("findings", "w");
    sandbox.run(&["baseline", "init", "--tool", "fmt"], 0);
    sandbox.edit("src/unformatted.rs", "first( a: u32 )", "first(a: u32)");
    sandbox.write("src/main.rs", "fn main() {\n");
    sandbox.run(&["check", "--partial", "--tool", "fmt"], 3);
    assert_eq!(gone(&sandbox), ["unknown src/unformatted.rs"]);
}

#[test]
fn an_ignored_file_is_not_a_deleted_file() {
    let sandbox = Sandbox::of("findings", "w");
    sandbox.run(&["baseline", "init", "--tool", "clippy"], 0);
    sandbox.write(".gitignore", "/target\n/src/lib.rs\n");
    sandbox.edit("src/lib.rs", "return x + 1;", "return x + \"1\";");
    sandbox.run(&["check", "--partial", "--tool", "clippy"], 3);
    assert!(gone(&sandbox).iter().all(|gone| gone.starts_with("unknown ")), "{:?}", gone(&sandbox));
}

#[test]
fn another_tool_of_the_same_namespace_may_still_find_it() {
    let sandbox =
        Sandbox::with_tools(&format!("{BAD}[tools.other]\nrun = [\"true\"]\nnamespaces = [\"bad\"]\n"));
    sandbox.write("text/a", "bad\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check", "--partial", "--tool", "other"], 0);
    assert_eq!(gone(&sandbox), ["unknown text/a"]);
}

#[test]
fn the_path_of_a_program_reaches_no_artifact() {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"./ci/t\"]\n");
    sandbox.write("ci/t", "no program at all");
    let chmod = Command::new("chmod").arg("+x").arg(sandbox.root().join("ci/t")).status();
    assert!(chmod.unwrap().success());
    sandbox.write("ci/t", "\u{0}");
    sandbox.run(&["run"], 3);
    let reason = sandbox.lines("task")[0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("could not start `./ci/t`: "), "{reason}");
}

#[test]
fn the_baseline_and_the_policy_change_no_id() {
    let sandbox = Sandbox::of("findings", "w");
    let hash = || {
        let output = sandbox.command(&["plan", "--format", "json"]).output().unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        plan["graph_hash"].as_str().unwrap().to_owned()
    };
    let before = hash();
    sandbox.run(&["baseline", "init"], 0);
    sandbox.write(".config/genti.toml", "[policy]\nseed = 7\n");
    assert_eq!(hash(), before);
    sandbox.write("src/more.rs", "");
    assert_ne!(hash(), before);
}

#[test]
fn the_needs_of_a_required_tool_are_required() {
    let sandbox = Sandbox::with_tools(
        "[tools.a]\nrun = [\"true\"]\nneeds = [\"b\"]\n[tools.b]\nrun = [\"sh\", \"-c\", \"kill -SEGV $$\"]\nrequired = false\n",
    );
    sandbox.run(&["run"], 3);
}

#[test]
fn a_tool_that_does_not_print_its_version_blocks_nothing() {
    let asked = "version = [\"sh\", \"-c\", \"echo > ../asked; exec sleep 600\"]\n";
    let sandbox = Sandbox::with_tools(&format!("[tools.t]\nrun = [\"true\"]\n{asked}"));
    let run = sandbox.start(&["run"]);
    wait_until("the question", || sandbox.beside().join("asked").exists());
    run.send("TERM");
    sandbox.expect(&run.finish(), 143);
}

#[test]
fn output_after_the_end_is_no_verdict() {
    let sandbox = Sandbox::with_tools(
        "[tools.t]\nrun = [\"sh\", \"-c\", \"(sleep 600; echo late) & exit 0\"]\nparse = \"lines\"\n",
    );
    sandbox.run_alone(&["run"], 3);
    assert_eq!(sandbox.lines("task")[0]["status"], "leaky");
}

#[test]
fn a_lock_file_updated_by_cargo_is_reported() {
    let sandbox = Sandbox::of("clean", "w");
    let manifest = std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap();
    sandbox.write("Cargo.toml", &manifest.replace("version = \"0.1.0\"", "version = \"0.2.0\""));
    assert_ne!(std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap(), manifest);
    let said = "Cargo.lock was out of date, and cargo has updated it";
    let text = sandbox.run(&["run", "--tool", "clippy"], 0);
    assert!(text.contains(said) && !text.contains("during the run"), "{text}");
    assert!(!sandbox.run(&["run", "--tool", "clippy"], 0).contains(said));
}
