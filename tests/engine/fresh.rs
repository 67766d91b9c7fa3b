//! Tests of generators with `fresh`: what they make in a copy of the repository is compared with the checked-in files.
#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::Sandbox;
use crate::support::process::wait_until;

/// Creates a committed repository with a generator that runs `gen.sh`, which makes `gen/out.txt` from `in.txt`, and with `keys` for
/// it.
fn generator(script: &str, keys: &str) -> Sandbox {
    generator_with(script, "", keys)
}

/// Like [`generator`], with keys of `fresh`.
fn generator_with(script: &str, of_fresh: &str, keys: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.gen]\nfresh = {{ run = ['sh', 'gen.sh'], outputs = ['gen/**']{of_fresh} }}\n{keys}\n"
    ));
    sandbox.write("gen.sh", script);
    sandbox.write("in.txt", "one\ntwo\n");
    sandbox.write("gen/out.txt", "ONE\nTWO\n");
    sandbox.commit_all();
    sandbox
}

const UPPER: &str = "mkdir -p gen; tr a-z A-Z < in.txt > gen/out.txt\n";

/// Returns the state of git's working tree.
fn status(sandbox: &Sandbox) -> String {
    let status = ["status", "--porcelain", "--untracked-files=all"];
    let output = std::process::Command::new("git").args(status).current_dir(sandbox.root()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the reason why the generator has no result.
fn reason(sandbox: &Sandbox) -> String {
    let report = sandbox.json("report.json");
    let tools = report["tools"].as_array().unwrap();
    let own = tools.iter().find(|tool| tool["name"] == "gen").unwrap();
    own["incomplete"][0]["reason"].as_str().unwrap_or_default().to_owned()
}

/// Returns the statuses of the cache of all tasks of the generator.
fn cached(sandbox: &Sandbox) -> String {
    let lines = sandbox.lines("task");
    let own = lines.iter().find(|task| task["tool"] == "gen").unwrap();
    own["timing"]["cache"].as_str().unwrap().to_owned()
}

#[test]
fn an_outdated_file_is_a_finding_and_fix_updates_it() {
    let sandbox = generator(UPPER, "");
    sandbox.run(&["check"], 0);
    sandbox.edit("in.txt", "two", "2");
    let text = sandbox.run(&["check"], 1);
    assert_eq!(sandbox.findings(), ["new outdated gen/out.txt:null"]);
    assert!(text.contains("-TWO") && text.contains("+2"), "{text}");
    assert!(text.contains("cargo genti fix"), "{text}");
    assert_eq!(sandbox.text("gen/out.txt"), "ONE\nTWO\n", "the tree is never touched");

    let text = sandbox.run(&["fix", "--allow-dirty"], 0);
    assert!(text.contains("Fixed gen/out.txt (1 fix)"), "{text}");
    assert_eq!(sandbox.text("gen/out.txt"), "ONE\n2\n");
    sandbox.run(&["check"], 0);
}

#[test]
fn missing_and_additional_files_and_modes_are_findings_and_fixed() {
    let script = "cp in.txt gen/new.txt; mkdir -p gen/deep; echo '#!/bin/sh' > gen/deep/run.sh\n\
                  chmod +x gen/deep/run.sh gen/mode.txt; rm -f gen/old.txt";
    let sandbox = generator(script, "");
    sandbox.write("gen/mode.txt", "");
    sandbox.write("gen/old.txt", "old");
    sandbox.commit_all();
    sandbox.run(&["check"], 1);
    let expected = [
        "new missing gen/deep/run.sh:null",
        "new mode gen/mode.txt:null",
        "new missing gen/new.txt:null",
        "new additional gen/old.txt:null",
    ];
    assert_eq!(sandbox.findings(), expected);
    assert_eq!(status(&sandbox), "");

    let text = sandbox.run(&["fix"], 0);
    assert!(text.contains("Finished 4 fixes in 4 files, 1 pass"), "{text}");
    let mode = |path: &str| sandbox.root().join(path).metadata().unwrap().permissions().mode() & 0o111;
    assert_eq!([mode("gen/deep/run.sh"), mode("gen/mode.txt"), mode("gen/new.txt")], [0o111, 0o111, 0]);
    assert_eq!(sandbox.text("gen/new.txt"), "one\ntwo\n");
    assert!(!sandbox.root().join("gen/old.txt").exists());
}

#[test]
fn a_file_that_is_no_longer_generated_is_found_with_clean() {
    let sandbox = generator(UPPER, "");
    sandbox.write("gen/forgotten.txt", "x\n");
    sandbox.run(&["check"], 0);
    sandbox.edit("genti.toml", "outputs = ['gen/**']", "outputs = ['gen/**'], clean = true");
    sandbox.run(&["check"], 1);
    assert_eq!(sandbox.findings(), ["new additional gen/forgotten.txt:null"]);
}

#[test]
fn a_generator_that_compares_times_runs() {
    // Like make: nothing to do unless an input is newer.
    let script = format!("if [ in.txt -nt gen/out.txt ]; then {UPPER}fi\n");
    let sandbox = generator(&script, "");
    // Edited by hand, so the checked-in output is the newest file.
    sandbox.write("gen/out.txt", "edited\n");
    sandbox.run(&["check"], 1);
    assert_eq!(sandbox.findings(), ["new outdated gen/out.txt:null"]);
}

#[test]
fn files_marked_as_generated_are_fixed_by_their_generator_alone() {
    let sandbox = generator("{ echo '// @generated'; cat in.txt; } > gen/out.txt", "");
    sandbox.write("gen/out.txt", "// @generated\nold\n");
    sandbox.commit_all();
    sandbox.run(&["fix"], 0);
    assert_eq!(sandbox.text("gen/out.txt"), "// @generated\none\ntwo\n");
}

#[test]
fn a_change_outside_of_the_outputs_is_incomplete_and_named() {
    let sandbox = generator(&format!("{UPPER}echo x > stray.txt; rm in.txt; echo y > src/new.rs"), "");
    sandbox.run(&["check"], 3);
    assert_eq!(
        reason(&sandbox),
        "changed files that `outputs` does not match: `in.txt`, `src/new.rs`, `stray.txt`"
    );
    assert_eq!(status(&sandbox), "");
}

#[test]
fn what_git_ignores_does_not_count() {
    let sandbox = generator(&format!("{UPPER}mkdir -p cache; echo x > cache/x; echo y > gen/x.log"), "");
    sandbox.write(".gitignore", "/target\n/cache\n*.log\n");
    sandbox.write("cache/mine", "");
    assert!(sandbox.git(&["commit", "-qam", "ignore"]));
    sandbox.run(&["check"], 0);
    sandbox.write("gen.sh", "test ! -e cache/mine && test ! -e .git\n");
    sandbox.run(&["check"], 0);
    // Unless it is declared as an input, which then counts.
    sandbox.write("gen.sh", "cat cache/mine > gen/out.txt\n");
    sandbox.run(&["check"], 3);
    sandbox.edit("genti.toml", "[tools.gen]", "[tools.gen]\ninputs = ['cache/**', 'gen.sh']");
    sandbox.write("cache/mine", "ONE\nTWO\n");
    sandbox.run(&["check"], 0);
    sandbox.write("cache/mine", "other\n");
    sandbox.run(&["check"], 1);
}

#[test]
fn a_generator_that_fails_or_is_missing_is_incomplete() {
    let sandbox = generator(&format!("{UPPER}echo 'no plugin in' $PWD >&2; exit 4"), "");
    sandbox.run(&["check"], 3);
    assert_eq!(reason(&sandbox), "exited with 4: no plugin in .");
    sandbox.edit("genti.toml", "'sh'", "'no-such-generator'");
    sandbox.run(&["check"], 3);
    assert!(sandbox.findings().is_empty());
}

#[test]
fn outputs_that_match_nothing_are_incomplete() {
    let sandbox = generator("true", "");
    sandbox.edit("genti.toml", "['gen/**']", "['gen/**', 'gne/**']");
    sandbox.run(&["check"], 3);
    assert!(reason(&sandbox).starts_with("`gne/**` in `outputs` matches no file"), "{}", reason(&sandbox));
    std::fs::remove_dir_all(sandbox.root().join("gen")).unwrap();
    sandbox.edit("genti.toml", ", 'gne/**'", "");
    sandbox.run(&["check"], 3);
}

#[test]
fn files_that_do_not_exist_yet_are_generated() {
    for inputs in ["", "inputs = ['in.txt']"] {
        let sandbox = generator(UPPER, inputs);
        std::fs::remove_dir_all(sandbox.root().join("gen")).unwrap();
        sandbox.commit_all();
        sandbox.run(&["check"], 1);
        assert_eq!(sandbox.findings(), ["new missing gen/out.txt:null"]);
        sandbox.run(&["fix"], 0);
        assert_eq!(sandbox.text("gen/out.txt"), "ONE\nTWO\n");
    }
}

#[test]
fn a_difference_is_never_accepted() {
    let sandbox = generator("echo new > gen/out.txt", "");
    let text = sandbox.run(&["baseline", "init"], 0);
    assert!(text.contains("1 difference of a generated file is not accepted"), "{text}");
    sandbox.run(&["check"], 1);
}

#[test]
fn the_copy_has_a_repository_only_if_it_is_declared() {
    let sandbox = generator_with("git log --format=%s > gen/out.txt", ", git = true", "");
    sandbox.write("gen/out.txt", "all\nall\n");
    sandbox.commit_all();
    sandbox.run(&["check"], 0);
    sandbox.run(&["check"], 0);
    assert_eq!(cached(&sandbox), "miss", "the history is no input that can be compared");
    // As in a hook of git. The copy must not use the files that these variables name.
    let index = sandbox.root().join(".git/index");
    let before = std::fs::read(&index).unwrap();
    let mut command = sandbox.command(&["check"]);
    command.env("GIT_INDEX_FILE", &index).env("GIT_DIR", sandbox.root().join(".git"));
    sandbox.expect(&command.output().unwrap(), 0);
    assert_eq!(std::fs::read(&index).unwrap(), before);
    sandbox.edit("genti.toml", ", git = true", "");
    sandbox.run(&["check"], 3);
}

#[test]
fn results_are_cached_by_inputs_and_outputs() {
    let sandbox = generator(UPPER, "inputs = ['in.txt', 'gen.sh']");
    let runs = |code, expected: &str| {
        sandbox.run(&["check"], code);
        assert_eq!(cached(&sandbox), expected);
    };
    runs(0, "miss");
    runs(0, "hit");
    sandbox.write("other.txt", "");
    runs(0, "hit");
    sandbox.write("gen/out.txt", "edited\n");
    runs(1, "miss");
    runs(1, "hit");
    sandbox.write("gen/out.txt", "ONE\nTWO\n");
    runs(0, "hit");
    sandbox.edit("in.txt", "one", "1");
    runs(1, "miss");
    // Without `inputs`, every file counts.
    sandbox.edit("genti.toml", "inputs = ['in.txt', 'gen.sh']", "");
    runs(1, "miss");
    sandbox.write("other.txt", "x");
    runs(1, "miss");
}

#[test]
fn a_repository_that_is_larger_than_the_workspace_is_copied_and_not_cached() {
    let sandbox = generator("tr a-z A-Z < ../beside.txt > gen/out.txt", "");
    std::fs::remove_dir_all(sandbox.root().join(".git")).unwrap();
    std::fs::write(sandbox.beside().join("beside.txt"), "one\ntwo\n").unwrap();
    assert!(Sandbox::git_in(sandbox.beside())(&["init", "-q"]));
    sandbox.run(&["check"], 0);
    std::fs::write(sandbox.beside().join("beside.txt"), "three\n").unwrap();
    sandbox.run(&["check"], 1);
    sandbox.write("gen.sh", "echo x > ../beside.txt");
    sandbox.run(&["check"], 3);
    assert_eq!(reason(&sandbox), "changed files that `outputs` does not match: `../beside.txt`");
}

#[test]
fn a_link_into_the_repository_leads_into_the_copy() {
    let sandbox = generator("echo x > link", "");
    symlink(sandbox.root().join("in.txt"), sandbox.root().join("link")).unwrap();
    sandbox.run(&["check"], 3);
    assert_eq!(sandbox.text("in.txt"), "one\ntwo\n");
    assert_eq!(reason(&sandbox), "changed files that `outputs` does not match: `in.txt`");
}

#[cfg(target_os = "linux")]
#[test]
fn a_generator_can_not_write_into_the_repository() {
    if genti::scan::Kernel::probe().wall().is_err() {
        return;
    }
    let sandbox = generator("", "");
    let place = sandbox.root().join("in.txt").display().to_string();
    sandbox.write("gen.sh", &format!("echo x > '{place}'"));
    sandbox.run(&["check"], 3);
    assert_eq!(sandbox.text("in.txt"), "one\ntwo\n");
    // A path of the repository starts the program in the copy.
    sandbox.write("tool.sh", "#!/bin/sh\ncd \"$(dirname \"$0\")\" && tr a-z A-Z < in.txt > gen/out.txt\n");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.root().join("tool.sh"), executable).unwrap();
    sandbox.edit("genti.toml", "'sh', 'gen.sh'", "'./tool.sh'");
    sandbox.run(&["check"], 0);
}

#[test]
fn artifacts_are_the_same_at_two_places_and_again() {
    let artifacts = || {
        let sandbox = generator("tr a-z A-Z < in.txt > gen/out.txt; cp in.txt gen/b; rm gen/c", "");
        sandbox.write("gen/c", "");
        sandbox.edit("in.txt", "two", "2");
        sandbox.run(&["run", "--no-cache"], 1);
        let first = [sandbox.artifact("run.json"), sandbox.artifact("report.json")];
        sandbox.run(&["run"], 1);
        sandbox.run(&["run"], 1);
        assert_eq!(cached(&sandbox), "hit");
        assert_eq!(first, [sandbox.artifact("run.json"), sandbox.artifact("report.json")]);
        first
    };
    assert_eq!(artifacts(), artifacts());
}

#[test]
fn reports_show_a_difference_and_a_finished_run_is_judged_again() {
    let sandbox = generator(UPPER, "");
    sandbox.edit("in.txt", "two", "2");
    sandbox.run(&["run"], 1);
    let fix = &sandbox.json("report.json")["findings"][0]["fix"];
    assert_eq!(fix["action"], "edit");
    sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 1);
    for format in ["sarif", "html", "junit", "markdown", "gitlab"] {
        let text = sandbox.run(&["report", "--format", format], 0);
        assert!(text.contains("gen/out.txt"), "{format}: {text}");
    }
}

#[test]
fn a_run_that_is_interrupted_leaves_no_copy() {
    let sandbox = generator("", "");
    let started = sandbox.beside().join("started");
    let temporary = sandbox.beside().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    // In a sandbox, only the copy can be written.
    sandbox.write("gen.sh", "touch started; exec sleep 600");
    let mut command = sandbox.command(&["run"]);
    command.env("TMPDIR", &temporary);
    let run = crate::support::process::Running::start(&command);
    let entries = || std::fs::read_dir(&temporary).unwrap().flatten().map(|entry| entry.path());
    let copies = || entries().filter(|path| path.display().to_string().contains("genti-copy-"));
    wait_until("a copy", || copies().any(|copy| copy.join("workspace/started").exists()));
    run.send("TERM");
    run.finish();
    assert_eq!(copies().count(), 0, "{started:?}");
}

#[test]
fn what_a_killed_run_has_left_is_removed_by_the_next() {
    let sandbox = generator("touch started; exec sleep 600", "");
    let temporary = sandbox.beside().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut command = sandbox.command(&["run"]);
    command.env("TMPDIR", &temporary);
    let run = crate::support::process::Running::start(&command);
    let entries = || std::fs::read_dir(&temporary).unwrap().flatten().map(|entry| entry.path());
    let copies = || entries().filter(|path| path.display().to_string().contains("genti-copy-"));
    wait_until("a copy", || copies().any(|copy| copy.join("workspace/started").exists()));
    run.send("KILL");
    run.finish();
    assert_eq!(copies().count(), 1);
    sandbox.write("gen.sh", UPPER);
    let mut command = sandbox.command(&["run"]);
    command.env("TMPDIR", &temporary);
    sandbox.expect(&command.output().unwrap(), 0);
    assert_eq!(copies().count(), 0);
}
