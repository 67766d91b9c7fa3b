//! Tests of `cargo genti bisect`, with small histories.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::process::{Running, wait_until};
use crate::support::{Sandbox, disabled};

/// Finds lines with "bad". `LOG` gets the name of each file that it looks at, and while `WAIT` exists, it waits forever at text
/// that says so.
const WORDS: &str = r#"
[tools.words]
run = ["sh", "PLACE/words.sh", "{files}"]
per = "file"
files = ["**/*.txt"]
version = ["echo", "words 1"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+): (?<message>.*)$" }
"#;

const PROGRAM: &str = r#"#!/bin/sh
for file; do
    echo "$file" >> PLACE/log
    if [ -e PLACE/wait ] && grep -q "wait here" "$file"; then : > PLACE/waits; exec sleep 1000; fi
done
exec awk '/bad/ {print FILENAME ":" FNR ": " $2}' "$@"
"#;

/// A repository whose commits are made one by one.
struct Repository {
    sandbox: Sandbox,
}

impl Repository {
    /// Creates a repository without a finding, in one commit.
    fn new() -> Self {
        let sandbox = Sandbox::with_tools("");
        let place = sandbox.beside().to_str().unwrap().to_owned();
        sandbox.write("genti.toml", &(sandbox.text("genti.toml") + &WORDS.replace("PLACE", &place)));
        std::fs::write(sandbox.beside().join("words.sh"), PROGRAM.replace("PLACE", &place)).unwrap();
        sandbox.write("a.txt", "fine\n");
        sandbox.commit_all();
        Self { sandbox }
    }

    /// Commits everything, and returns the full name of the commit.
    fn commit(&self, subject: &str) -> String {
        let sandbox = &self.sandbox;
        assert!(sandbox.git(&["add", "-A"]));
        assert!(sandbox.git(&["commit", "-qm", subject, "--allow-empty"]));
        self.head()
    }

    /// Adds commits that change nothing that matters.
    fn commits(&self, number: usize) {
        (0..number).for_each(|at| drop(self.commit(&format!("more {at}"))));
    }

    fn head(&self) -> String {
        self.ask(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    fn ask(&self, args: &[&str]) -> String {
        ask(self.sandbox.root(), args)
    }

    /// Runs all checks, and returns the id of the only finding with this message.
    fn id(&self, message: &str) -> String {
        self.sandbox.run(&["run"], 1);
        id(&self.sandbox, message)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(&[&["bisect"], args].concat());
        command.env("XDG_CACHE_HOME", self.cache());
        command
    }

    fn bisect(&self, args: &[&str], code: i32) -> String {
        self.sandbox.expect(&self.command(args).output().unwrap(), code)
    }

    fn cache(&self) -> PathBuf {
        self.sandbox.beside().join("user-cache")
    }

    /// Returns the worktrees that are left in the user's cache directory.
    fn left(&self) -> Vec<PathBuf> {
        let homes = std::fs::read_dir(self.cache().join("genti/bisect")).into_iter().flatten();
        let dirs = homes.flat_map(|home| std::fs::read_dir(home.unwrap().path()).unwrap());
        dirs.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    }

    #[track_caller]
    fn is_clean(&self) {
        assert_eq!(self.ask(&["worktree", "list"]).lines().count(), 1, "git knows no other worktree");
        assert_eq!(self.left(), Vec::<PathBuf>::new());
    }

    /// Returns what a search must not change: the working tree, the index, the stash and all references.
    fn state(&self) -> [String; 5] {
        [
            self.ask(&["status", "--porcelain", "--ignored", "--untracked-files=all", "--", ":!target"]),
            self.ask(&["diff"]),
            self.ask(&["diff", "--cached"]),
            self.ask(&["stash", "list"]),
            self.ask(&["show-ref", "--head"]),
        ]
    }
}

fn ask(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(args).current_dir(dir).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn id(sandbox: &Sandbox, message: &str) -> String {
    let report = sandbox.json("report.json");
    let found = |finding: &&Value| finding["message"] == message;
    let finding = report["findings"].as_array().unwrap().iter().find(found);
    finding.unwrap_or_else(|| panic!("{report:#}"))["id"].as_str().unwrap().to_owned()
}

/// Checks that `text` names `commit` as the first one, on standard output as git does.
#[track_caller]
fn names(text: &str, commit: &str) {
    assert!(text.starts_with(&format!("commit {commit}\nAuthor: n\nDate:   ")), "{commit}: {text}");
    assert!(text.contains(&format!("note: `git show {}", &commit[..7])), "{text}");
}

#[test]
fn the_commit_is_named_and_the_checkout_stays_as_it_is() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    repository.commits(4);
    sandbox.write("a.txt", "fine\nbad one\n");
    let first = repository.commit("Bring it");
    // A toolchain that is not installed, and a configuration that no version understands.
    let config = sandbox.text("genti.toml");
    sandbox.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.2.3-none\"\n");
    sandbox.write("genti.toml", "nonsense = 1\n");
    repository.commits(1);
    assert!(sandbox.git(&["rm", "-q", "rust-toolchain.toml"]));
    sandbox.write("genti.toml", &config);
    repository.commits(3);
    // Everything that a search could disturb.
    sandbox.write("a.txt", "stashed\n");
    assert!(sandbox.git(&["stash", "-q"]));
    sandbox.write("staged.txt", "staged\n");
    assert!(sandbox.git(&["add", "staged.txt"]));
    sandbox.write("a.txt", "edited\nfine\nbad one\n");
    sandbox.write("untracked.txt", "untracked\n");
    let id = repository.id("one");
    let report = sandbox.json("report.json");
    let before = repository.state();

    let text = repository.bisect(&[&id], 0);
    names(&text, &first);
    assert!(text.contains("    Bring it\n"), "{text}");
    let finished = format!("Finished {} is the first commit with `a.txt:3", &first[..7]);
    assert!(text.contains(&finished), "{text}");
    assert!(text.contains(" Testing ") && text.contains("(about "), "{text}");
    assert_eq!(repository.state(), before);
    assert_eq!(sandbox.json("report.json"), report, "no artifacts are written");
    repository.is_clean();

    // A second call knows everything, and --no-cache forgets it.
    let text = repository.bisect(&[&id], 0);
    names(&text, &first);
    assert!(!text.contains(" Testing "), "{text}");
    let text = repository.bisect(&[&id, "--good", &format!("{first}~1"), "--no-cache"], 0);
    names(&text, &first);
    assert!(text.contains(" Testing "), "{text}");
    repository.is_clean();
}

#[test]
fn results_are_cached_across_worktrees() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    // A program outside of the repository has another path from each worktree, and counts as another one.
    let log = sandbox.beside().join("log");
    let program = format!("#!/bin/sh\nfor file; do echo \"$file\" >> {}; done\n", log.display());
    sandbox.write("words.sh", &(program + PROGRAM.lines().last().unwrap()));
    let place = format!("{}/words.sh", sandbox.beside().display());
    sandbox.edit("genti.toml", &place, "words.sh");
    let good = repository.commit("Own program");
    sandbox.write("a.txt", "bad one\n");
    let first = repository.commit("Bring it");
    repository.commits(5);
    // This variable is part of the key.
    let mut command = sandbox.command(&["run"]);
    sandbox.expect(&command.env("XDG_CACHE_HOME", repository.cache()).output().unwrap(), 1);
    let id = id(sandbox, "one");
    std::fs::remove_file(&log).unwrap();
    names(&repository.bisect(&[&id, "--good", &good], 0), &first);
    // Only the content before the change had not been looked at.
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "a.txt\n");
}

#[test]
fn only_the_first_parents_of_merges_count() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    repository.commits(1);
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    sandbox.write("a.txt", "bad one\n");
    let inner = repository.commit("Bring it on a branch");
    repository.commits(2);
    assert!(sandbox.git(&["checkout", "-q", "main"]));
    repository.commits(2);
    assert!(sandbox.git(&["merge", "-q", "--no-ff", "-m", "Merge it", "topic"]));
    let merge = repository.head();
    repository.commits(3);
    let id = repository.id("one");
    let text = repository.bisect(&[&id], 0);
    assert!(text.starts_with(&format!("commit {merge}\n")) && text.contains("    Merge it\n"), "{text}");
    let short = &merge[..7];
    assert!(text.contains(&format!("it is a merge: `git diff {short}^1 {short}`")), "{text}");
    let text = repository.bisect(&[&id, "--good", &inner], 2);
    assert!(text.contains("is not in the first-parent history of HEAD"), "{text}");
}

#[test]
fn commits_that_can_not_be_loaded_are_skipped() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    repository.commits(3);
    let manifest = sandbox.text("Cargo.toml");
    sandbox.write("Cargo.toml", "nonsense\n");
    let broken = repository.commit("Break it");
    sandbox.write("a.txt", "bad one\n");
    let brought = repository.commit("Bring it");
    sandbox.write("Cargo.toml", &manifest);
    let mended = repository.commit("Repair it");
    repository.commits(2);
    let id = repository.id("one");
    let text = repository.bisect(&[&id], 3);
    let lines: Vec<_> = text.lines().take(3).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, [&mended[..7], &brought[..7], &broken[..7]], "{text}");
    assert!(text.contains(&format!("note: skipped {}: ", &broken[..7])), "{text}");
    assert!(text.contains("error: one of these 3 commits brought"), "{text}");
    repository.is_clean();
    // A broken commit elsewhere does not matter.
    sandbox.write("a.txt", "bad one\nbad two\n");
    let second = repository.commit("Bring another");
    let id = repository.id("two");
    names(&repository.bisect(&[&id, "--good", &format!("{broken}~2")], 0), &second);
}

#[test]
fn a_history_ends_with_its_first_commit_or_where_the_clone_ends() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    sandbox.write("a.txt", "bad one\n");
    assert!(sandbox.git(&["add", "-A"]) && sandbox.git(&["commit", "-q", "--amend", "-m", "all"]));
    let root = repository.head();
    repository.commits(4);
    let id = repository.id("one");
    let text = repository.bisect(&[&id], 0);
    names(&text, &root);
    assert!(text.contains("it is the first commit of the history"), "{text}");

    let shallow = sandbox.beside().join("shallow");
    let from = format!("file://{}", sandbox.root().display());
    let git = Sandbox::git_in(sandbox.beside());
    assert!(git(&["clone", "-q", "--depth", "3", &from, shallow.to_str().unwrap()]));
    let there = |args: &[&str], code: i32| {
        let mut command = sandbox.command(args);
        command.env("XDG_CACHE_HOME", repository.cache()).current_dir(&shallow);
        sandbox.expect(&command.output().unwrap(), code)
    };
    there(&["run"], 1);
    let text = there(&["bisect", &id], 3);
    let oldest = ask(&shallow, &["rev-list", "HEAD"]).lines().last().unwrap().to_owned();
    assert!(text.contains(&format!("not from before {}", &oldest[..7])), "{text}");
    assert!(text.contains("`git fetch --deepen 100`") && text.contains("`git fetch --unshallow`"), "{text}");
    let text = there(&["bisect", &id, "--good", &root], 2);
    assert!(text.contains("--good: "), "{text}");
    assert!(Sandbox::git_in(&shallow)(&["fetch", "-q", "--unshallow"]));
    let text = there(&["bisect", &id], 0);
    names(&text, &root);
    assert_eq!(text.matches(" Testing ").count(), 1, "the three newest commits are known: {text}");
}

#[test]
fn mistakes_are_explained() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    let text = repository.bisect(&["0123456789abcdef"], 2);
    assert!(text.contains("cargo genti run"), "{text}");
    sandbox.write("a.txt", "bad one\n");
    repository.commit("Bring it");
    repository.commits(2);
    let id = repository.id("one");
    let text = repository.bisect(&["0123456789abcdef"], 2);
    assert!(text.contains("has no finding `0123456789abcdef`"), "{text}");
    assert!(text.contains("target/genti/artifacts/report.json"), "{text}");
    let text = repository.bisect(&[&id, "--good", "HEAD~1"], 2);
    assert!(text.contains("--good: `HEAD~1` (") && text.contains("has the finding as well"), "{text}");
    let text = repository.bisect(&[&id, "--good", "nowhere"], 2);
    assert!(text.contains("could not find the commit `nowhere`: there is no such commit"), "{text}");
    sandbox.write("a.txt", "fine\n");
    let text = repository.bisect(&[&id], 2);
    assert!(text.contains("the working tree does not have it any more"), "{text}");
    let inside = sandbox.root().join("target/user-cache");
    let mut command = repository.command(&[&id]);
    let text = sandbox.expect(&command.env("XDG_CACHE_HOME", &inside).output().unwrap(), 2);
    assert!(text.contains("the worktree would be inside the repository"), "{text}");
    repository.is_clean();
}

#[test]
fn findings_of_genti_itself_are_refused() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    sandbox.write("genti.toml", &(sandbox.text("genti.toml") + "[policy]\nblind-spots = 'deny'\n"));
    sandbox.write("made/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    sandbox.write("made/c.md", "not seen\n");
    let output = sandbox.command(&["run"]).output().unwrap();
    let report = sandbox.json("report.json");
    let own = report["findings"].as_array().unwrap().iter().find(|finding| finding["ns"] == "genti");
    let Some(own) = own else { panic!("{}", sandbox.expect(&output, 1)) };
    let text = repository.bisect(&[own["id"].as_str().unwrap()], 2);
    assert!(text.contains("is a finding of genti about a run"), "{text}");
}

#[test]
fn uncommitted_changes_may_have_brought_it() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    repository.commits(2);
    sandbox.write("a.txt", "fine\nbad one\n");
    let id = repository.id("one");
    let text = repository.bisect(&[&id], 0);
    assert!(
        text.contains("HEAD lacks `a.txt:2") && text.contains("the uncommitted changes brought it"),
        "{text}"
    );
    repository.is_clean();
    // A file that git ignores is not in any commit.
    sandbox.write("a.txt", "fine\n");
    sandbox.write("notes.txt", "bad two\n");
    sandbox.write(".git/info/exclude", "notes.txt\n");
    let id = repository.id("two");
    let text = repository.bisect(&[&id], 3);
    assert!(text.contains("it depends on files that no commit has"), "{text}");
}

#[test]
fn a_finding_is_followed_through_moved_files_and_edits() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    repository.commits(2);
    sandbox.write("old/b.txt", "bad one\n");
    let first = repository.commit("Bring it");
    repository.commits(1);
    std::fs::create_dir(sandbox.root().join("new")).unwrap();
    assert!(sandbox.git(&["mv", "old/b.txt", "new/b.txt"]));
    repository.commit("Move it");
    sandbox.write("new/b.txt", "above\nbad one\nbelow\n");
    repository.commit("Add lines");
    let id = repository.id("one");
    names(&repository.bisect(&[&id], 0), &first);
    // A similar finding that was there before is another one.
    sandbox.write("new/b.txt", "above\nbad one\nbelow\nbad one\n");
    let second = repository.commit("Bring an identical one");
    repository.commits(2);
    sandbox.run(&["run"], 1);
    assert_eq!(id, self::id(sandbox, "one"));
    names(&repository.bisect(&[&id], 0), &second);
}

#[test]
fn an_interrupted_search_goes_on_and_leaves_nothing_behind() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    repository.commits(3);
    sandbox.write("a.txt", "wait here\n");
    repository.commit("Wait here");
    sandbox.write("a.txt", "bad one\n");
    let first = repository.commit("Bring it");
    repository.commits(3);
    let id = repository.id("one");
    let beside = |name: &str| sandbox.beside().join(name);
    let start = || {
        std::fs::write(beside("wait"), "").unwrap();
        let run = Running::start(&repository.command(&[&id, "--good", &format!("{first}~1")]));
        wait_until("the tool", || beside("waits").exists());
        std::fs::remove_file(beside("waits")).unwrap();
        run
    };
    let run = start();
    assert_eq!(repository.left().len(), 1, "the worktree is in use");
    run.send("INT");
    let output = run.finish();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    repository.is_clean();

    // A killed search leaves its worktree, and the next one removes it.
    let run = start();
    run.send("KILL");
    drop(run.finish());
    assert_eq!(repository.left().len(), 1);
    assert_eq!(repository.ask(&["worktree", "list"]).lines().count(), 2);
    std::fs::write(repository.left()[0].join("left-behind.txt"), "bad one\n").unwrap();
    std::fs::remove_file(beside("wait")).unwrap();
    let text = repository.bisect(&[&id, "--good", &format!("{first}~1")], 0);
    names(&text, &first);
    assert!(
        !text.contains(&format!("Testing {}", &repository.head()[..7])),
        "HEAD was tested before: {text}"
    );
    repository.is_clean();
}

#[test]
fn a_finding_that_moved_to_another_package_is_followed() {
    let repository = Repository::new();
    let sandbox = &repository.sandbox;
    let manifest =
        |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    for name in ["alpha", "beta"] {
        sandbox.write(&format!("{name}/Cargo.toml"), &manifest(name));
        sandbox.write(&format!("{name}/src/lib.rs"), "");
        sandbox.write(&format!("{name}/x.txt"), "fine\n");
    }
    let text =
        sandbox.text("Cargo.toml").replace("[workspace]", "[workspace]\nmembers = [\"alpha\", \"beta\"]");
    sandbox.write("Cargo.toml", &text);
    repository.commit("Two packages");
    sandbox.write("alpha/b.txt", "bad one\n");
    let first = repository.commit("Bring it");
    repository.commits(2);
    assert!(sandbox.git(&["mv", "alpha/b.txt", "beta/b.txt"]));
    repository.commit("Move it");
    repository.commits(2);
    let id = repository.id("one");
    let text = repository.bisect(&[&id], 0);
    assert!(text.contains("words in the working tree -p beta"), "{text}");
    names(&text, &first);
}

#[test]
fn lints_and_failed_tests_of_cargo_are_found_and_commits_that_do_not_build_are_skipped() {
    let sandbox = Sandbox::library();
    sandbox.write("genti.toml", &disabled(&["fmt", "doc", "doctest"]));
    sandbox.commit_all();
    let repository = Repository { sandbox };
    let sandbox = &repository.sandbox;
    let good = sandbox.text("src/lib.rs");
    sandbox.write("src/lib.rs", "fn broken( {\n");
    let broken = repository.commit("Break it");
    let (last, early) = ("    format!(\"Hello, {name}!\")\n", "    return format!(\"Hello, {name}!\");\n");
    sandbox.write("src/lib.rs", &good.replace(last, early));
    let linted = repository.commit("Bring a lint");
    sandbox.edit(
        "src/lib.rs",
        "assert!(greeting(\"you\").contains(\"you\"))",
        "assert!(greeting(\"you\").contains(\"me\"))",
    );
    let failed = repository.commit("Fail a test");
    sandbox.write("readme.md", "Nothing.\n");
    repository.commit("More");
    sandbox.run(&["run"], 1);
    let report = sandbox.json("report.json");
    let of = |ns: &str| {
        let found = report["findings"].as_array().unwrap().iter().find(|finding| finding["ns"] == ns);
        found.unwrap_or_else(|| panic!("{report:#}"))["id"].as_str().unwrap().to_owned()
    };
    let text = repository.bisect(&[&of("test")], 0);
    names(&text, &failed);
    assert!(text.contains("test in the working tree -- tests::it_names_whom_it_greets"), "{text}");
    let text = repository.bisect(&[&of("clippy")], 3);
    assert!(text.contains(&format!("note: skipped {}: ", &broken[..7])), "{text}");
    assert!(text.starts_with(&linted[..7]) && text.contains("one of these 2 commits brought"), "{text}");
    assert!(text.contains("clippy: ") || text.contains("clippy clean"), "{text}");
    repository.is_clean();
}
