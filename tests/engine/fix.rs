//! Tests of `fix`: fixes are applied in passes, broken code is taken back, and nobody's changes are lost.

use std::path::PathBuf;

use crate::support::Sandbox;
use crate::support::process::wait_until;

/// Replaces `old` with `new`, and `bad` with `BROKEN`, on which it crashes. The script `before.sh` runs first.
const SWAP: &str = r#"
[tools.swap]
run = ["sh", "-c", '''
[ ! -e ../before.sh ] || . ../before.sh
for f in *.txt; do ! grep -q BROKEN "$f" || exit 126; done
code=0
for f in *.txt; do
  sed -e 's/old/new/' -e 's/bad/BROKEN/' "$f" | diff -a -u --label "$f" --label "$f" "$f" - || code=1
done
exit $code
''']
files = ["*.txt"]
parse = "diff"
"#;

/// Creates a repository with these files, all committed.
fn swapping(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::with_tools(SWAP);
    files.iter().for_each(|(path, text)| sandbox.write(path, text));
    sandbox.commit_all();
    sandbox
}

impl Sandbox {
    /// Returns a file next to the workspace.
    fn aside(&self, name: &str) -> PathBuf {
        self.beside().join(name)
    }
}

#[test]
fn fixes_are_applied_and_a_second_run_changes_nothing() {
    let sandbox =
        swapping(&[("a.txt", "one\nold old old\n"), ("b.txt", "old\r\nfine\r\n"), ("c.txt", "fine\n")]);
    let text = sandbox.run(&["fix"], 0);
    assert!(text.contains("Fixed a.txt (3 fixes)"), "{text}");
    assert!(text.contains("Finished 4 fixes in 2 files, 3 passes"), "{text}");
    assert_eq!(sandbox.text("a.txt"), "one\nnew new new\n");
    assert_eq!(sandbox.text("b.txt"), "new\r\nfine\r\n");
    assert!(!sandbox.root().join("target/genti/artifacts/run.json").exists(), "it is no run");

    assert!(sandbox.git(&["commit", "-qam", "fixed"]));
    let text = sandbox.run(&["fix"], 0);
    assert!(text.contains("Finished no fixes to apply"), "{text}");
    assert!(sandbox.git(&["diff", "--exit-code"]), "nothing has changed");
}

#[test]
fn paths_rules_and_tools_limit_the_fixes() {
    let sandbox = swapping(&[("a.txt", "old\n"), ("b.txt", "old\n")]);
    let text = sandbox.run(&["fix", "b.txt"], 1);
    assert!(
        text.contains("1 new finding is left in the tools that ran; `cargo genti run` lists all"),
        "{text}"
    );
    assert_eq!((sandbox.text("a.txt"), sandbox.text("b.txt")), ("old\n".to_owned(), "new\n".to_owned()));
    let dirty = "--allow-dirty";
    let text = sandbox.run(&["fix", dirty, "--rule", "other"], 1);
    assert!(text.contains("note: no finding has the rule `other`\n"), "{text}");
    let text = sandbox.run(&["fix", dirty, "--rule", "swop"], 1);
    assert!(text.contains("warning: no finding has the rule `swop`; did you mean `swap`?"), "{text}");
    assert_eq!(sandbox.text("a.txt"), "old\n");
    for (args, reason) in [
        (["fix", dirty, "nowhere"], "no such file or directory: `nowhere`"),
        (["fix", dirty, "/bin"], "outside the workspace: `/bin`"),
        (["fix", dirty, "--tool=codegen"], "no selected tool proposes fixes"),
    ] {
        let text = sandbox.run(&args, 2);
        assert!(text.contains(reason), "{text}");
    }
    let text = sandbox.run(&["fix", dirty, "--tool", "swap", "--rule", "swap", ".."], 0);
    assert!(!text.contains("no finding has the rule"), "{text}");
    assert_eq!(sandbox.text("a.txt"), "new\n");
}

#[test]
fn accepted_findings_are_fixed_only_on_request() {
    let sandbox = swapping(&[("a.txt", "old\n")]);
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["fix", "--allow-dirty"], 0);
    assert_eq!(sandbox.text("a.txt"), "old\n");
    let text = sandbox.run(&["fix", "--allow-dirty", "--all"], 0);
    assert!(text.contains("from the baseline with `cargo genti baseline update`"), "{text}");
    assert_eq!(sandbox.text("a.txt"), "new\n");
}

#[test]
fn uncommitted_changes_are_refused_unless_they_are_allowed() {
    #[track_caller]
    fn refuses(sandbox: &Sandbox, args: &[&str], reason: &str) {
        let text = sandbox.run(&[&["fix"], args].concat(), 2);
        assert!(text.contains(reason), "{text}");
        assert_eq!(sandbox.text("a.txt"), "old\n");
    }
    let sandbox = swapping(&[("a.txt", "old\n")]);
    sandbox.write("b.txt", "untracked\n");
    refuses(&sandbox, &[], "commit them, or pass --allow-dirty\n  b.txt (dirty)");
    assert!(sandbox.git(&["add", "b.txt"]));
    refuses(&sandbox, &[], "commit them, or pass --allow-staged\n  b.txt (staged)");
    refuses(&sandbox, &["--allow-dirty"], "b.txt (staged)");
    sandbox.write("c.txt", "untracked\n");
    refuses(&sandbox, &["--allow-staged"], "c.txt (dirty)");
    refuses(&sandbox, &[], "pass --allow-dirty and --allow-staged");
    // No fix changes `Cargo.lock`, which cargo and genti create.
    sandbox.write(
        "Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"clean\"\nversion = \"0.1.0\"\n# changed\n",
    );
    let text = sandbox.run(&["fix"], 2);
    assert!(!text.contains("Cargo.lock"), "{text}");
    sandbox.run(&["fix", "--allow-dirty", "--allow-staged"], 0);
    assert_eq!(sandbox.text("a.txt"), "new\n");

    let sandbox = Sandbox::with_tools(SWAP);
    sandbox.write("a.txt", "old\n");
    refuses(&sandbox, &["--allow-dirty", "--allow-staged"], "pass --allow-no-vcs");
    sandbox.run(&["fix", "--allow-no-vcs"], 0);
    assert_eq!(sandbox.text("a.txt"), "new\n");
}

#[test]
fn a_file_after_whose_change_a_tool_has_no_result_is_taken_back_and_named() {
    let sandbox = swapping(&[("a.txt", "old\n"), ("b.txt", "bad\n"), ("c.txt", "old\n"), ("d.txt", "old\n")]);
    let text = sandbox.run(&["fix"], 1);
    assert!(text.contains("warning: b.txt: fixes of `swap` were not applied: no result from swap"), "{text}");
    assert!(text.contains("Finished 3 fixes in 3 files"), "{text}");
    let texts = ["a.txt", "b.txt", "c.txt", "d.txt"].map(|path| sandbox.text(path));
    assert_eq!(texts.concat(), "new\nbad\nnew\nnew\n");
}

#[test]
fn an_edit_made_meanwhile_is_kept() {
    let sandbox = swapping(&[("a.txt", "old\n"), ("b.txt", "old\n")]);
    // While the tool runs for the first time, after it has been started.
    let edit = "[ -e ../edited ] || { touch ../edited; echo 'my old text' > a.txt; }\n";
    std::fs::write(sandbox.aside("before.sh"), edit).unwrap();
    sandbox.run(&["fix"], 0);
    assert_eq!((sandbox.text("a.txt"), sandbox.text("b.txt")), ("my new text\n".into(), "new\n".into()));

    // While the changes are checked, which then fail.
    let sandbox = swapping(&[("a.txt", "bad\n"), ("b.txt", "bad\n")]);
    let edit = "! grep -q BROKEN a.txt || echo 'my BROKEN text' > a.txt\n";
    std::fs::write(sandbox.aside("before.sh"), edit).unwrap();
    let text = sandbox.run(&["fix"], 3);
    let stays = "a.txt: fixes of `swap` stay in the file, because they could not be undone: it has changed";
    assert!(text.contains(stays), "{text}");
    assert!(text.contains("Finished only fixes that could not be undone were applied"), "{text}");
    assert_eq!((sandbox.text("a.txt"), sandbox.text("b.txt")), ("my BROKEN text\n".into(), "bad\n".into()));
}

#[test]
fn an_interrupted_fix_says_which_files_are_new() {
    let sandbox = swapping(&[("a.txt", "old\n"), ("b.txt", "fine\n")]);
    let wait = "grep -q old a.txt || { touch ../checking; while [ ! -e ../go ]; do sleep 0.05; done; }\n";
    std::fs::write(sandbox.aside("before.sh"), wait).unwrap();
    let run = sandbox.start(&["fix"]);
    let started = sandbox.aside("checking");
    wait_until("the changes are checked", || started.exists());
    run.send("INT");
    run.send("INT");
    let text = sandbox.expect(&run.finish(), 130);
    assert!(text.contains("note: file changed, but not checked:\n  a.txt"), "{text}");
    assert_eq!((sandbox.text("a.txt"), sandbox.text("b.txt")), ("new\n".into(), "fine\n".into()));
}

#[cfg(unix)]
#[test]
fn generated_linked_and_read_only_files_are_left_alone() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let sandbox = Sandbox::with_tools(SWAP);
    sandbox.write("generated.txt", "@generated\nold\n");
    sandbox.write("ignored.txt", "old\n");
    sandbox.write("only.txt", "old\n");
    sandbox.write("script.txt", "old\n");
    sandbox.write("beyond/far.data", "old\n");
    symlink("beyond/far.data", sandbox.root().join("link.txt")).unwrap();
    let set = |path: &str, mode| {
        std::fs::set_permissions(sandbox.root().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set("only.txt", 0o444);
    set("script.txt", 0o755);
    sandbox.commit_all();
    sandbox.write(".gitignore", "target\nignored.txt\n");
    assert!(
        sandbox.git(&["rm", "-q", "--cached", "ignored.txt"]) && sandbox.git(&["commit", "-qam", "more"])
    );
    let text = sandbox.run(&["fix"], 1);
    for (path, why) in [
        ("generated.txt", "it is generated"),
        ("ignored.txt", "it does not belong to the workspace"),
        ("link.txt", "it is a symbolic link, or is reached through one"),
        ("only.txt", "it is read-only"),
    ] {
        assert!(text.contains(&format!("{path}: fixes of `swap` were not applied: {why}")), "{path}: {text}");
        assert!(sandbox.text(path).contains("old"), "{path}");
    }
    assert_eq!(sandbox.text("script.txt"), "new\n");
    let mode = sandbox.root().join("script.txt").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn bytes_that_are_not_utf_8_survive() {
    let sandbox = swapping(&[("b.txt", "fine\n")]);
    std::fs::write(sandbox.root().join("a.txt"), b"caf\xe9\nold\nold \xe9\n").unwrap();
    sandbox.run(&["fix", "--allow-dirty"], 1);
    // A line that the tool could only show with a stand-in is not replaced.
    let text = std::fs::read(sandbox.root().join("a.txt")).unwrap();
    assert!(
        !String::from_utf8_lossy(&text).contains("new \u{fffd}") && text.starts_with(b"caf\xe9\n"),
        "{text:?}"
    );
    assert_eq!(text.iter().filter(|byte| **byte == 0xe9).count(), 2);
}

#[test]
fn every_report_names_the_command_that_fixes_findings() {
    let sandbox = swapping(&[("a.txt", "old\n")]);
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("note: to fix 1 new finding automatically, run `cargo genti fix`\n"), "{text}");
    for format in ["markdown", "html"] {
        let text = sandbox.run(&["report", "--format", format], 0);
        let command = if format == "html" { "<code>cargo genti fix</code>" } else { "`cargo genti fix`" };
        assert!(text.contains(&format!("To fix 1 new finding automatically, run {command}.")), "{format}");
    }
    let text = sandbox.run(&["report", "--format", "github"], 0);
    assert!(
        text.contains("::notice title=genti::To fix 1 new finding automatically, run `cargo genti fix`."),
        "{text}"
    );
    // The command does what it says, whatever the state of the working tree.
    sandbox.write("c.txt", "untracked\n");
    let text = sandbox.run(&["run", "--tool", "swap"], 1);
    assert!(text.contains("run `cargo genti fix --tool swap --allow-dirty`"), "{text}");
    sandbox.run(&["fix", "--tool", "swap", "--allow-dirty"], 0);
    assert_eq!(sandbox.text("a.txt"), "new\n");
    let text = sandbox.run(&["run"], 0);
    assert!(!text.contains("automatically"), "{text}");
}

const LIBRARY: &str = r#"//! Greets.

use std::collections::BTreeMap;
use std::fmt::Debug;

macro_rules! same {
    ($x:expr) => {{
        let mut same = $x;
        same
    }};
}

/// The greeting for `name`.
pub fn greeting(name: &str) -> String {
    return format!("Hello, {}!", name);
}

/// The length of `name`.
pub fn length(name: &str)->usize{return same!(name.len());}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_whom_it_greets() {
        let mut all = BTreeMap::new();
        all.insert(1, greeting("you"));
        let mut one = all.len();
        assert!(greeting("you").contains("you") && one == 1);
        return;
    }
}
"#;

const FIXED: &str = r#"//! Greets.

use std::collections::BTreeMap;

macro_rules! same {
    ($x:expr) => {{
        let mut same = $x;
        same
    }};
}

/// The greeting for `name`.
pub fn greeting(name: &str) -> String {
    format!("Hello, {name}!")
}

/// The length of `name`.
pub fn length(name: &str) -> usize {
    same!(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_whom_it_greets() {
        let mut all = BTreeMap::new();
        all.insert(1, greeting("you"));
        let one = all.len();
        assert!(greeting("you").contains("you") && one == 1);
    }
}
"#;

/// The import of `BTreeMap` is unused in the library, but not in its tests. In the module of the tests, only the build of the tests
/// has code. The macro is not changed.
#[test]
fn suggestions_that_every_build_of_the_code_makes_are_applied() {
    let sandbox = Sandbox::library();
    sandbox.write("src/lib.rs", LIBRARY);
    let main = "//! Greets the world.\r\n\r\nfn main() {\r\n    println!(\"{}\", clean::greeting(\"world\"));\r\n    return;\r\n}\r\n";
    sandbox.write("src/main.rs", main);
    let pedantic = "[tools.clippy]\nargs = ['--all-targets', '--', '-W', 'clippy::uninlined_format_args']\n";
    sandbox.write("genti.toml", pedantic);
    sandbox.commit_all();
    // With several compilers at a time, cargo reports their suggestions in any order.
    let text = sandbox.run(&["fix", "--parallel", "4"], 1);
    assert_eq!(sandbox.text("src/lib.rs"), FIXED, "{text}");
    assert_eq!(sandbox.text("src/main.rs"), main.replace("    return;\r\n", ""), "{text}");
    assert!(text.contains("1 fix was not applied, because another build"), "{text}");
    let text = sandbox.run(&["run", "--tool", "clippy"], 1);
    assert!(!text.contains("automatically"), "{text}");
    let disputed = sandbox.json("report.json")["findings"][0]["fix"]["disputed"].clone();
    assert_eq!((sandbox.findings().len(), disputed), (2, true.into()), "{text}");
}
