//! Tests of `--since`: only changed code and code that depends on it is checked, and only its findings are
//! settled.

use serde_json::Value;

use crate::support::{Sandbox, disabled};

/// In addition to cargo's tools, one that checks each file, and one that checks all files at once.
const TOOLS: &str = r#"
[tools.each]
run = ["awk", "/bad/ {print FILENAME \":\" FNR \":\" $0}", "{files}"]
per = "file"
files = ["**/*.txt"]
inputs = ["words"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+):(?<message>.*)$" }
[tools.all]
run = ["awk", "/bad/ {print FILENAME \":\" FNR \":\" $0}", "{files}"]
per = "workspace"
files = ["**/*.txt"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+):(?<message>.*)$" }
"#;

/// Creates members that all depend on `core-numbers`, in a commit.
fn committed() -> Sandbox {
    let sandbox = Sandbox::of("members", "w");
    for (path, text) in [("app/notes.txt", "a\n"), ("util/notes.txt", "b\n"), ("notes.txt", "c\n")] {
        sandbox.write(path, text);
    }
    sandbox.write("genti.toml", &(disabled(&["doc", "test", "doctest"]) + TOOLS));
    sandbox.commit_all();
    sandbox
}

/// Returns `tool unit` for each task, and the packages.
fn planned(sandbox: &Sandbox) -> (Vec<String>, Vec<String>) {
    planned_since(sandbox, "HEAD")
}

fn planned_since(sandbox: &Sandbox, reference: &str) -> (Vec<String>, Vec<String>) {
    let output = sandbox.command(&["plan", "--since", reference, "--format", "json"]).output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let steps = list(&plan["batches"]).into_iter().flat_map(|batch| list(&batch["steps"]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut tasks: Vec<_> = steps
        .flat_map(|step| {
            let tool = text(&step["tool"]);
            list(&step["tasks"]).into_iter().map(move |task| format!("{tool} {}", text(&task["unit"])))
        })
        .collect();
    tasks.sort();
    (tasks, list(&plan["selection"]["packages"]).iter().map(text).collect())
}

#[track_caller]
fn check(change: impl Fn(&Sandbox), tasks: &[&str], packages: &[&str]) {
    let sandbox = committed();
    change(&sandbox);
    let (planned, selected) = planned(&sandbox);
    assert_eq!(
        (planned, selected),
        (tasks.iter().map(ToString::to_string).collect(), packages.iter().map(ToString::to_string).collect())
    );
}

/// Commits everything that changed.
fn commit(sandbox: &Sandbox) {
    assert!(sandbox.git(&["add", "-A"]) && sandbox.git(&["commit", "-qm", "more"]));
}

#[test]
fn only_changes_of_the_branch_count() {
    let sandbox = committed();
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    sandbox.write("util/src/lib.rs", "//! Edited on the branch.\n");
    commit(&sandbox);
    assert!(sandbox.git(&["checkout", "-q", "main"]));
    sandbox.write("core/src/lib.rs", "//! Edited on main.\n");
    commit(&sandbox);
    assert!(sandbox.git(&["checkout", "-q", "topic"]));
    assert_eq!(planned_since(&sandbox, "main").1, ["util"]);
    sandbox.write("app/src/main.rs", "//! Not committed.\nfn main() {}\n");
    assert_eq!(planned_since(&sandbox, "main").1, ["app", "util"]);
}

#[test]
fn without_a_common_commit_the_error_says_how_to_fetch_it() {
    let sandbox = committed();
    for path in ["util/a.txt", "util/b.txt"] {
        sandbox.write(path, "x\n");
        commit(&sandbox);
    }
    assert!(sandbox.git(&["checkout", "-qb", "topic", "HEAD~2"]));
    sandbox.write("util/c.txt", "x\n");
    commit(&sandbox);
    let shallow = sandbox.beside().join("shallow");
    let from = format!("file://{}", sandbox.root().display());
    let git = Sandbox::git_in(sandbox.beside());
    assert!(git(&["clone", "-q", "--depth", "1", "--no-single-branch", &from, shallow.to_str().unwrap()]));
    let plan = |reference: &str| {
        let mut command = sandbox.command(&["plan", "--since", reference]);
        sandbox.expect(&command.current_dir(&shallow).output().unwrap(), 2)
    };
    let fetch = "this clone is shallow: run `git fetch --unshallow`, or set `fetch-depth: 0`";
    let text = plan("origin/main");
    assert!(text.contains("`origin/main`") && text.contains("no common ancestor"), "{text}");
    assert!(text.contains(fetch), "{text}");
    let text = plan("origin/other");
    assert!(text.contains("no such commit") && text.contains(fetch), "{text}");
    // In a whole clone, there is nothing to fetch.
    assert!(sandbox.git(&["checkout", "-q", "--orphan", "unrelated"]));
    commit(&sandbox);
    let text = sandbox.run(&["plan", "--since", "main"], 2);
    assert!(text.contains("no common ancestor") && !text.contains("shallow"), "{text}");
}

const EVERYTHING: [&str; 8] = [
    "all .",
    "clippy .",
    "each app/notes.txt",
    "each notes.txt",
    "each util/notes.txt",
    "fmt app/src/main.rs",
    "fmt core/src/lib.rs",
    "fmt util/src/lib.rs",
];
const MEMBERS: [&str; 3] = ["app", "core-numbers", "util"];

#[test]
fn unchanged_code_is_not_checked() {
    check(|_| {}, &[], &[]);
}

#[test]
fn a_changed_package_includes_its_dependents() {
    let edit = |path: &'static str| move |sandbox: &Sandbox| sandbox.write(path, "//! Edited.\n");
    check(edit("util/src/lib.rs"), &["clippy .", "fmt util/src/lib.rs"], &["util"]);
    check(
        edit("core/src/new.rs"),
        &["clippy .", "fmt app/src/main.rs", "fmt core/src/lib.rs", "fmt util/src/lib.rs"],
        &MEMBERS,
    );
}

#[test]
fn tools_per_file_only_check_changed_files() {
    let cargo = ["clippy .", "fmt app/src/main.rs", "fmt core/src/lib.rs", "fmt util/src/lib.rs"];
    let edit = |path: &'static str| move |sandbox: &Sandbox| sandbox.write(path, "d\n");
    check(
        edit("app/notes.txt"),
        &["all .", "clippy .", "each app/notes.txt", "fmt app/src/main.rs"],
        &["app"],
    );
    // A file without an owner may be included by anything.
    let [clippy, fmt @ ..] = cargo;
    check(edit("notes.txt"), &[&["all .", clippy, "each notes.txt"][..], &fmt].concat(), &MEMBERS);
    let remove = |sandbox: &Sandbox| std::fs::remove_file(sandbox.root().join("notes.txt")).unwrap();
    check(remove, &[&["all .", clippy][..], &fmt].concat(), &MEMBERS);
}

#[test]
fn changes_above_the_workspace_count() {
    let sandbox = committed();
    let git = |args: &[&str]| assert!(sandbox.git(args));
    std::fs::remove_dir_all(sandbox.root().join(".git")).unwrap();
    git(&["init", "-q", ".."]);
    git(&["add", "-A", ".."]);
    git(&["commit", "-qm", "all"]);
    assert_eq!(planned(&sandbox), (Vec::new(), Vec::new()));
    sandbox.write("../unrelated/notes.md", "x");
    assert_eq!(planned(&sandbox), (Vec::new(), Vec::new()));
    sandbox.write("../.cargo/config.toml", "");
    assert_eq!(planned(&sandbox).0, EVERYTHING);
}

#[test]
fn a_nested_repository_is_one_path() {
    let sandbox = committed();
    // A nested repository with two packages.
    sandbox
        .write("Cargo.toml", "[workspace]\nmembers = [\"app\", \"core\", \"sub/util\"]\nresolver = \"3\"\n");
    std::fs::create_dir(sandbox.root().join("sub")).unwrap();
    std::fs::rename(sandbox.root().join("util"), sandbox.root().join("sub/util")).unwrap();
    sandbox.edit("sub/util/Cargo.toml", "../core", "../../core");
    assert!(sandbox.git(&["init", "-q", "sub"]) && sandbox.git(&["-C", "sub", "add", "-A"]));
    assert!(sandbox.git(&["-C", "sub", "commit", "-qm", "sub"]));
    assert!(sandbox.git(&["add", "-A"]) && sandbox.git(&["commit", "-qm", "with sub"]));
    assert_eq!(planned(&sandbox), (Vec::new(), Vec::new()));
    sandbox.write("sub/util/src/lib.rs", "//! Edited.\n");
    let (tasks, packages) = planned(&sandbox);
    assert!(tasks.contains(&"clippy .".to_owned()) && packages.contains(&"util".to_owned()), "{tasks:?}");
}

#[test]
fn a_subject_may_be_about_any_file() {
    let sandbox = Sandbox::with_tools(
        "[tools.todo]\nrun = [\"awk\", \"/bad/ {print \\\"/nowhere/x bad\\\"}\", \"{files}\"]\nper = \"file\"\n\
         files = [\"*.txt\"]\nparse = { regex = \"^(?<path>/nowhere/x) (?<message>.*)$\" }\n",
    );
    sandbox.write("a.txt", "bad\n");
    sandbox.write("b.txt", "fine\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.commit_all();
    sandbox.write("b.txt", "finer\n");
    sandbox.run(&["check", "--partial", "--since", "HEAD"], 0);
    let gone = sandbox.json("report.json")["gone"][0].clone();
    assert!(gone["state"] == "unknown" && gone["subject"].is_string(), "{gone}");
}

#[test]
fn a_change_that_affects_everything_includes_everything() {
    let accepted = ".config/genti/baseline/x.jsonl";
    let all = [
        "Cargo.lock",
        "genti.toml",
        "clippy.toml",
        "rust-toolchain.toml",
        "words",
        "util/Cargo.toml",
        accepted,
    ];
    for path in all {
        let change = |sandbox: &Sandbox| {
            let text = std::fs::read_to_string(sandbox.root().join(path)).unwrap_or_default();
            sandbox.write(path, &(text + "\n"));
        };
        check(change, &EVERYTHING, &MEMBERS);
    }
}

#[test]
fn findings_caused_elsewhere_are_new_and_entries_of_unchecked_code_stay() {
    let sandbox = committed();
    sandbox.edit("app/src/main.rs", "fn main() {", "fn main() {\n    let _ = || return 1;");
    sandbox.edit("util/notes.txt", "b", "bad");
    sandbox.run(&["baseline", "init", "--skip-tool", "fmt"], 0);
    sandbox.commit_all();

    // The edited file has no finding of its own.
    sandbox.edit("core/src/lib.rs", "/// A number.", "/// A number.\n#[deprecated]");
    sandbox.run(&["run", "--since", "HEAD", "--tool", "clippy", "--tool", "each"], 1);
    assert_eq!(
        sandbox.findings(),
        [
            "unchanged clippy::needless_return app/src/main.rs:4",
            "new deprecated app/src/main.rs:5",
            "new deprecated util/src/lib.rs:5",
        ]
    );
    let report = sandbox.json("report.json");
    assert_eq!(report["gone"][0]["state"], "unknown", "the note was not looked at");

    sandbox.edit("core/src/lib.rs", "\n#[deprecated]", "");
    let text = sandbox.run(&["check", "--partial", "--since", "HEAD"], 0);
    assert!(text.contains("nothing to check: no relevant files have changed since `HEAD`"), "{text}");
    assert_eq!(sandbox.json("run.json")["selection"]["whole"], false);
    let gone = sandbox.json("report.json")["gone"].as_array().unwrap().clone();
    assert!(gone.len() == 3 && gone.iter().all(|gone| gone["state"] == "unknown"), "{gone:?}");
}

#[test]
fn files_that_git_was_told_not_to_check_are_checked() {
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        let sandbox = committed();
        assert!(sandbox.git(&["update-index", flag, "util/notes.txt"]));
        sandbox.write("util/notes.txt", "bad\n");
        assert!(planned(&sandbox).0.contains(&"each util/notes.txt".to_owned()), "{flag}");
        sandbox.run(&["check", "--partial", "--since", "HEAD", "--tool", "each"], 1);
    }
    // Files that are not checked out can't be checked.
    let sandbox = committed();
    assert!(sandbox.git(&["update-index", "--skip-worktree", "notes.txt"]));
    std::fs::remove_file(sandbox.root().join("notes.txt")).unwrap();
    assert_eq!(planned(&sandbox).0, [] as [String; 0]);
    // A file removed without git's knowledge has changed.
    let sandbox = committed();
    assert!(sandbox.git(&["update-index", "--assume-unchanged", "util/src/lib.rs"]));
    std::fs::remove_file(sandbox.root().join("util/src/lib.rs")).unwrap();
    std::fs::write(sandbox.root().join("util/src/main.rs"), "fn main() {}\n").unwrap();
    assert!(planned(&sandbox).1.contains(&"util".to_owned()));
}

#[test]
fn files_ignored_only_by_the_user_are_checked() {
    let bad = |sandbox: &Sandbox| {
        sandbox.write("util/new.txt", "bad\n");
        sandbox.write("target/debug/new.txt", "bad\n");
    };
    let sandbox = committed();
    sandbox.write(".git/info/exclude", "new.txt\n");
    bad(&sandbox);
    assert!(planned(&sandbox).0.contains(&"each util/new.txt".to_owned()));

    // Ignored by a list in the user's own configuration. Build products are in no other list.
    let sandbox = committed();
    std::fs::remove_file(sandbox.root().join(".gitignore")).unwrap();
    assert!(sandbox.git(&["commit", "-qam", "without"]));
    sandbox.write("../excludes", "new.txt\ntarget\n");
    let list = sandbox.beside().join("excludes");
    assert!(sandbox.git(&["config", "core.excludesFile", list.to_str().unwrap()]));
    bad(&sandbox);
    let (tasks, packages) = planned(&sandbox);
    assert!(tasks.contains(&"each util/new.txt".to_owned()), "{tasks:?}");
    assert_eq!(packages, ["util"]);
    sandbox.run(&["check", "--partial", "--since", "HEAD", "--tool", "each"], 1);
}
