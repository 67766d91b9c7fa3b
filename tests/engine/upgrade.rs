//! Tests of `cargo genti upgrade`, with a rustup that knows the toolchains `next` and `same`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::locks::{finds, sandbox};
use crate::support::Sandbox;

/// The compiler of rustup: passes everything that selects no toolchain on to the real one.
const PROXY: &str = r#"#!/bin/sh
[ "$RUSTUP_AUTO_INSTALL" = 0 ] || case "$1" in +*) echo "would install" >&2; exit 71 ;; esac
case "$1 $2" in
    "+next --print") echo "BESIDE/next" ;;
    "+same --print") exec "RUSTC" --print sysroot ;;
    "+next --version" | "+same --version") echo "rustc 1.96.0 (abc 2026-06-01)" ;;
    +*) echo "error: toolchain '${1#+}-x86_64-unknown-linux-gnu' is not installed" >&2; exit 1 ;;
    *) exec "RUSTC" "$@" ;;
esac
"#;

/// A tool whose version, rules and findings depend on the toolchain.
const TOOL: &str = "#!/bin/sh\nif [ \"$RUSTUP_TOOLCHAIN\" = next ]; then cat next.$1; else cat now.$1; fi\n";

fn program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A committed workspace whose tool `lint` finds `now` with the current toolchain, and `next` with the next one, which has one more
/// rule. Further tools are in `config`.
fn with(config: &str, now: &[&str], next: &[&str]) -> Sandbox {
    let sandbox = sandbox(config);
    program(&sandbox.root().join("tool.sh"), TOOL);
    for (from, to) in [
        ("['cat', 'found.sarif']", "['./tool.sh', 'sarif']"),
        ("['./version.sh']", "['./tool.sh', 'version']"),
        ("['cat', 'rules.txt']", "['./tool.sh', 'rules']"),
    ] {
        sandbox.edit("genti.toml", from, to);
    }
    for (name, version, findings) in [("now", "1.94.0", now), ("next", "1.95.0", next)] {
        finds(&sandbox, findings);
        std::fs::rename(sandbox.root().join("found.sarif"), sandbox.root().join(format!("{name}.sarif")))
            .unwrap();
        sandbox.write(&format!("{name}.version"), &format!("lint {version} (abc 2026-01-01)\n"));
    }
    sandbox.write("now.rules", "  lint::old-one  warn  old\n  lint::gone  warn  gone\n");
    sandbox.write("next.rules", "  lint::old-one  warn  old\n  lint::new-one  warn  new\n");
    let beside = sandbox.beside().to_path_buf();
    let real = Path::new(env!("CARGO")).parent().unwrap().join("rustc");
    let proxy = PROXY.replace("BESIDE", beside.to_str().unwrap()).replace("RUSTC", real.to_str().unwrap());
    program(&beside.join("bin/rustc"), &proxy);
    program(&beside.join("bin/rustup"), "#!/bin/sh\nexit 70\n");
    program(&beside.join("next/bin/rustc"), "#!/bin/sh\nexit 70\n");
    program(&beside.join("next/bin/cargo"), &format!("#!/bin/sh\nexec \"{}\" \"$@\"\n", env!("CARGO")));
    sandbox.commit_all();
    sandbox
}

fn run(sandbox: &Sandbox, args: &[&str], code: i32) -> String {
    let path = std::env::var_os("PATH").unwrap();
    let dirs = [sandbox.beside().join("bin")].into_iter().chain(std::env::split_paths(&path));
    let mut command = sandbox.command(args);
    command.env("PATH", std::env::join_paths(dirs).unwrap());
    sandbox.expect(&command.output().unwrap(), code)
}

/// Runs as if the next toolchain were in use.
fn run_with_next(sandbox: &Sandbox, args: &[&str], code: i32) -> String {
    let mut command = sandbox.command(args);
    sandbox.expect(&command.env("RUSTUP_TOOLCHAIN", "next").output().unwrap(), code)
}

fn is_unchanged(sandbox: &Sandbox) -> bool {
    sandbox.git(&["diff", "--quiet", "HEAD"])
        && !sandbox.root().join("genti.lock").exists()
        && !sandbox.root().join(".config").exists()
}

const OLD: &str = "lint::old_one";
const NEW: &str = "lint::new_one";

#[test]
fn a_toolchain_is_tried_without_writing_anything() {
    let sandbox = with("", &[OLD], &[OLD, OLD, NEW]);
    let text = run(&sandbox, &["upgrade", "--try", "next"], 1);
    for expected in [
        "Running the checks with the current toolchain",
        "Running the checks with rustc 1.96.0 (abc 2026-06-01), in target/genti/upgrade",
        "lint 1.94.0 → 1.95.0: 1 new lint, 1 gone\n",
        "\n1 finding of new lints\n       1  lint::new_one\n",
        "\n1 finding of lints that exist already\n       1  lint::old_one\n",
        "error: rustc 1.96.0 (abc 2026-06-01) brings 2 new findings\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(is_unchanged(&sandbox), "{text}");
    assert!(!sandbox.root().join("target/genti/artifacts/run.json").exists(), "no artifacts are written");
    let text = run(&sandbox, &["clean"], 0);
    assert!(!sandbox.root().join("target/genti/upgrade").exists(), "{text}");
}

#[test]
fn what_is_gone_and_nothing_new_pass() {
    let sandbox = with("", &[OLD, OLD], &[OLD]);
    let text = run(&sandbox, &["upgrade", "--try", "next"], 0);
    assert!(text.contains("\n1 finding gone\n       1  lint::old_one\n"), "{text}");
    assert!(text.contains("Finished rustc 1.96.0 (abc 2026-06-01) brings no new findings"), "{text}");
}

#[test]
fn accepting_writes_the_lock_the_findings_and_the_toolchain() {
    let sandbox = with("", &[], &[OLD, NEW]);
    sandbox.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.94.0\" # pinned\n");
    sandbox.commit_all();
    let text = run(&sandbox, &["upgrade", "--try", "next", "--accept"], 0);
    assert_eq!(sandbox.text("rust-toolchain.toml"), "[toolchain]\nchannel = \"1.96.0\" # pinned\n");
    assert!(sandbox.text("genti.lock").contains("\"lint 1.95.0 (abc 2026-01-01)\""), "{text}");
    let accepted = sandbox.baseline("lint");
    assert_eq!(accepted.matches("new in lint 1.95.0").count(), 2, "{accepted}");
    assert!(sandbox.git(&["add", "-A"]));
    let changed = ["genti.lock", "rust-toolchain.toml", ".config/genti/baseline/lint.jsonl"];
    assert!(sandbox.git(&["commit", "-qm", "upgrade", "--", changed[0], changed[1], changed[2]]));
    assert!(sandbox.git(&["diff", "--quiet", "--cached", "HEAD"]), "nothing else was written");
    run_with_next(&sandbox, &["check"], 0);
}

#[test]
fn a_finding_that_the_current_toolchain_has_as_well_is_not_accepted() {
    let sandbox = with("", &[OLD], &[OLD, NEW]);
    let text = run(&sandbox, &["upgrade", "--try", "next", "--accept"], 0);
    assert!(!sandbox.baseline("lint").contains("old_one"), "{text}");
    let text = run_with_next(&sandbox, &["check"], 1);
    assert!(text.contains("error: 1 new finding\n") && text.contains("it is lint::old_one"), "{text}");
}

#[test]
fn nothing_is_written_if_a_test_fails_or_a_check_has_no_result() {
    let failed = "running 1 test\ntest it::fails ... FAILED\n\nfailures:\n    it::fails\n\n\
                  test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let passed = "running 1 test\ntest it::fails ... ok\n\n\
                  test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let sandbox = with("", &[], &[NEW]);
    let unit = "[tools.unit]\nrun = ['sh', '-c', 'if [ \"$RUSTUP_TOOLCHAIN\" = next ]; then cat next.out; exit 101; \
                else cat now.out; fi']\nfiles = ['*.out']\nparse = 'libtest'\n";
    sandbox.write("genti.toml", &(sandbox.text("genti.toml") + unit));
    sandbox.write("next.out", failed);
    sandbox.write("now.out", passed);
    sandbox.commit_all();
    let text = run(&sandbox, &["upgrade", "--try", "next", "--accept"], 1);
    assert!(text.contains("\n1 finding of failed tests and errors\n"), "{text}");
    assert!(text.contains("1 new finding of tests and errors with rustc 1.96.0"), "{text}");
    assert!(text.contains("so nothing was written") && is_unchanged(&sandbox), "{text}");
    sandbox.write("next.out", "running 1 test\n");
    let text = run(&sandbox, &["upgrade", "--try", "next", "--accept"], 3);
    assert!(text.contains("some checks have no result with rustc 1.96.0"), "{text}");
    assert!(!sandbox.root().join("genti.lock").exists() && !sandbox.root().join(".config").exists());
    // Without a result of the current toolchain, nothing can be compared.
    sandbox.write("now.out", "running 1 test\n");
    let text = run(&sandbox, &["upgrade", "--try", "next"], 3);
    assert!(text.contains("no result with the current toolchain"), "{text}");
}

#[test]
fn a_missing_toolchain_is_not_installed() {
    let sandbox = with("", &[], &[]);
    sandbox.edit("genti.toml", "[tools.clippy]\nenabled = false\n", "");
    let text = run(&sandbox, &["upgrade", "--try", "1.70"], 3);
    let install = "`rustup toolchain install 1.70 --profile minimal -c clippy`";
    assert!(
        text.contains(&format!("toolchain `1.70` is not installed; install it with {install}")),
        "{text}"
    );
    let text = run(&sandbox, &["upgrade", "--try", "next"], 3);
    let add =
        "component `clippy` is not installed; install it with `rustup component add --toolchain next clippy`";
    assert!(text.contains(add), "{text}");
    assert!(!sandbox.root().join("target/genti").exists(), "nothing was run");
}

#[test]
fn the_toolchain_in_use_is_compared_with_the_lock() {
    let sandbox = with("", &[OLD], &[]);
    let text = run(&sandbox, &["upgrade", "--try", "same"], 2);
    assert!(text.contains("there is no genti.lock to compare it with"), "{text}");
    run(&sandbox, &["lock"], 0);
    // The toolchain is updated.
    for file in ["version", "rules"] {
        let next = sandbox.text(&format!("next.{file}"));
        sandbox.write(&format!("now.{file}"), &next);
    }
    finds(&sandbox, &[OLD, NEW]);
    sandbox.write("now.sarif", &sandbox.text("found.sarif"));
    let text = run(&sandbox, &["upgrade", "--try", "same"], 1);
    assert!(text.contains("\n1 finding of new lints\n       1  lint::new_one\n"), "{text}");
    assert!(text.contains("\n1 finding may have another reason\n       1  lint::old_one\n"), "{text}");
    assert!(!sandbox.root().join("target/genti/upgrade").exists(), "there is only one run: {text}");
    let text = run(&sandbox, &["upgrade", "--try", "same", "--accept"], 0);
    assert!(text.contains("1 new finding is not accepted"), "{text}");
    assert!(sandbox.baseline("lint").contains("new_one") && !sandbox.baseline("lint").contains("old_one"));
}

#[test]
fn a_partial_run_is_not_accepted() {
    let sandbox = with("", &[], &[]);
    let text = run(&sandbox, &["upgrade", "--try", "next", "--accept", "--tool", "lint"], 2);
    assert!(text.contains("a partial run can't be accepted"), "{text}");
}
