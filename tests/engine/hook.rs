//! Tests of the git hook that `init --pre-commit` writes: it checks what is staged, and nothing of others is overwritten.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::Sandbox;

const HOOK: &str = ".git/hooks/pre-commit";
const SCRIPT: &str = ".config/genti/pre-commit.sh";
const CONFIG: &str = ".pre-commit-config.yaml";

/// A repository in which the word `bad` in a text file is a finding.
fn repository() -> Sandbox {
    let sandbox = Sandbox::with_tools(
        "[tools.words]\nrun = ['awk', '/bad/ { print FILENAME \":\" FNR \": \" $0 }', '{files}']\nfiles = ['**/*.txt']\n\
         parse = { regex = '^(?<path>.+?):(?<line>[0-9]+): (?<message>.+)$' }\n",
    );
    sandbox.write("a.txt", "good\n");
    sandbox.write("b.txt", "good\n");
    std::fs::create_dir(sandbox.beside().join("tmp")).unwrap();
    sandbox.commit_all();
    sandbox
}

/// Runs a program in `dir`, with this build of genti on the `PATH`.
fn run(sandbox: &Sandbox, dir: &Path, program: &str, args: &[&str]) -> Output {
    let ours = Path::new(env!("CARGO_BIN_EXE_cargo-genti")).parent().unwrap().to_path_buf();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([ours].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new(program);
    sandbox.scrub(&mut command);
    command.args(args).current_dir(dir).env("PATH", path).env("TMPDIR", sandbox.beside().join("tmp"));
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("CARGO_TARGET_DIR").output().unwrap()
}

fn git(sandbox: &Sandbox, dir: &Path, args: &[&str]) -> Output {
    run(
        sandbox,
        dir,
        "git",
        &[&["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"], args].concat(),
    )
}

#[track_caller]
fn check(output: &Output, passes: bool) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), passes, "{text}{}", String::from_utf8_lossy(&output.stdout));
    text
}

/// Commits with these arguments, and expects that the hook has checked it.
#[track_caller]
fn commit(sandbox: &Sandbox, dir: &Path, args: &[&str], passes: bool) {
    let said = check(&git(sandbox, dir, &[&["commit", "-m", "x"], args].concat()), passes);
    assert!(said.contains(if passes { "Passed words" } else { "bad" }), "{said}");
    assert_eq!(said.contains("this is about what is staged"), !passes, "{said}");
    let left = std::fs::read_dir(sandbox.beside().join("tmp")).unwrap().count();
    assert_eq!(left, 0, "the copy is removed");
}

fn stage(sandbox: &Sandbox, path: &str, text: &str) {
    sandbox.write(path, text);
    check(&git(sandbox, sandbox.root(), &["add", path]), true);
}

#[test]
fn what_is_staged_is_checked_and_not_the_working_tree() {
    let sandbox = repository();
    let root = sandbox.root().to_path_buf();
    let said = sandbox.run(&["init", "--pre-commit"], 0);
    assert!(said.contains("Kept genti.toml") && said.contains(&format!("Wrote {HOOK}")), "{said}");

    stage(&sandbox, "a.txt", "fine\n");
    sandbox.write("a.txt", "bad\n");
    sandbox.write("untracked.txt", "bad\n");
    commit(&sandbox, &root, &[], true);
    stage(&sandbox, "a.txt", "bad\n");
    sandbox.write("a.txt", "fine\n");
    commit(&sandbox, &root, &[], false);

    // `git commit FILE` leaves out what else is staged, and `git commit -a` adds what is not.
    sandbox.write("b.txt", "better\n");
    commit(&sandbox, &root, &["b.txt"], true);
    stage(&sandbox, "a.txt", "better\n");
    sandbox.write("b.txt", "bad\n");
    commit(&sandbox, &root, &["b.txt"], false);
    commit(&sandbox, &root, &["-a"], false);
    sandbox.write("b.txt", "best\n");
    commit(&sandbox, &root, &["-a"], true);
    let status = git(&sandbox, &root, &["status", "--porcelain"]);
    assert_eq!(String::from_utf8_lossy(&status.stdout), "?? untracked.txt\n", "nothing else was touched");
}

#[test]
fn the_hook_works_in_a_worktree_and_a_directory_of_the_repository() {
    let sandbox = repository();
    let other = sandbox.beside().join("other");
    check(&git(&sandbox, sandbox.root(), &["worktree", "add", "-q", other.to_str().unwrap()]), true);
    let said =
        sandbox.expect(&sandbox.command(&["init", "--pre-commit"]).current_dir(&other).output().unwrap(), 0);
    assert!(said.contains("hooks/pre-commit"), "{said}");
    assert!(sandbox.root().join(HOOK).is_file(), "worktrees share their hooks");
    std::fs::write(other.join("a.txt"), "bad\n").unwrap();
    commit(&sandbox, &other, &["-a"], false);
    std::fs::write(other.join("a.txt"), "fine\n").unwrap();
    commit(&sandbox, &other, &["-a"], true);

    let sandbox = repository();
    let root = sandbox.root().to_path_buf();
    check(&git(&sandbox, &root, &["config", "core.hooksPath", ".githooks"]), true);
    assert!(sandbox.run(&["init", "--pre-commit"], 0).contains("Wrote .githooks/pre-commit"));
    stage(&sandbox, "a.txt", "bad\n");
    commit(&sandbox, &root, &[], false);
}

#[test]
fn a_hook_of_somebody_else_is_not_overwritten() {
    let sandbox = repository();
    let refused = |expected: &str| {
        let said = sandbox.run(&["init", "--pre-commit"], 2);
        assert!(said.contains(expected), "{said}");
        assert!(!sandbox.root().join(SCRIPT).exists());
    };
    sandbox.write(HOOK, "#!/bin/sh\n");
    refused(
        "hook `.git/hooks/pre-commit` already exists; move it away, try again, and then call it from the new hook",
    );
    assert_eq!(std::fs::read_to_string(sandbox.root().join(HOOK)).unwrap(), "#!/bin/sh\n");
    let shared: PathBuf = sandbox.beside().join("shared");
    check(&git(&sandbox, sandbox.root(), &["config", "core.hooksPath", shared.to_str().unwrap()]), true);
    refused("is outside of this repository");
    assert!(!shared.exists());
    std::fs::remove_dir_all(sandbox.root().join(".git")).unwrap();
    refused("a hook needs a git repository");
}

#[test]
fn pre_commit_gets_an_entry_for_a_script_that_does_the_same() {
    let sandbox = repository();
    sandbox.write(CONFIG, "repos:\n  - repo: local\n    hooks: []\n");
    let said = sandbox.run(&["init", "--pre-commit"], 0);
    assert!(
        said.contains(&format!("Wrote {SCRIPT}")) && said.contains(&format!("Added the hook to {CONFIG}")),
        "{said}"
    );
    let text = std::fs::read_to_string(sandbox.root().join(CONFIG)).unwrap();
    assert!(text.starts_with("repos:\n  - repo: local\n    hooks: []\n  - repo: local\n"), "{text}");
    assert!(!sandbox.root().join(HOOK).exists());
    let entry = text.lines().find_map(|line| line.trim().strip_prefix("entry: ")).unwrap().trim_matches('"');
    let (program, script) = entry.split_once(' ').unwrap();
    let call = |passes: bool| check(&run(&sandbox, sandbox.root(), program, &[script]), passes);
    stage(&sandbox, "a.txt", "bad\n");
    sandbox.write("a.txt", "fine\n");
    call(false);
    stage(&sandbox, "a.txt", "fine\n");
    call(true);
    let said = sandbox.run(&["init", "--pre-commit"], 2);
    assert!(said.contains("has the hook already"), "{said}");

    let sandbox = repository();
    sandbox.write(CONFIG, "repos: []\n");
    let said = sandbox.run(&["init", "--pre-commit"], 0);
    assert!(
        said.contains("add this below `repos`") && said.contains("entry: \"sh .config/genti/pre-commit.sh\""),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(sandbox.root().join(CONFIG)).unwrap(), "repos: []\n");
    // The entry is still missing, so the advice is repeated.
    let said = sandbox.run(&["init", "--pre-commit"], 0);
    assert!(said.contains(&format!("Kept {SCRIPT}")) && said.contains("add this below `repos`"), "{said}");
}

#[test]
fn a_hook_that_init_wrote_is_not_taken_for_that_of_someone_else() {
    let sandbox = repository();
    sandbox.run(&["init", "--pre-commit"], 0);
    let said = sandbox.run(&["init", "--pre-commit"], 2);
    assert!(said.contains("`.git/hooks/pre-commit` has the hook already"), "{said}");
}
