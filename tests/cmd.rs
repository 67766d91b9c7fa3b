//! Tests of the command line. Runs every `$` line of the cases in `tests/cmd`, of the README and of the book, and compares
//! output and exit code.
//!
//! After an intended change, run `TRYCMD=overwrite cargo test --test cmd` and read the diff. To run only some cases:
//! `cargo test --test cmd -- cases trycmd=mistakes`.
#![cfg(all(unix, feature = "cli"))]
#![expect(clippy::disallowed_methods, reason = "tests create sandboxes")]
#![expect(clippy::print_stderr, reason = "skipped tests must say so")]

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Set in the process that runs with a clean environment.
const SCRUBBED: &str = "GENTI_TESTS_SCRUBBED";
/// Variables that are kept: those that locate the toolchain, and `TRYCMD`.
const KEPT: [&str; 7] = ["PATH", "HOME", "TMPDIR", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TRYCMD"];

#[test]
fn the_command_line_matches_its_cases() {
    if env::var_os(SCRUBBED).is_none() {
        return run_again_scrubbed();
    }
    forget_runs_in_fixtures();
    let cases = trycmd::TestCases::new();
    cases
        .register_bin("cargo", Path::new(env!("CARGO_BIN_EXE_cargo-genti")))
        .register_bin("sh", Path::new("/bin/sh"))
        .case(format!("{ROOT}/tests/cmd/*.trycmd"))
        .case(format!("{ROOT}/tests/cmd/*.toml"))
        .case(page("docs/configuration.md", "tests/cmd/plan.in", ""))
        .case(page("docs/goldens.md", "tests/cmd/goldens", ""))
        .case(page("docs/playbook.md", "tests/cmd/playbook", ""))
        .case(page("docs/reports.md", "tests/cmd/reports", ""))
        .case(page("docs/scripts-and-agents.md", "tests/cmd/reports", ""));
    // The output of rustc, clippy and rustfmt depends on their version.
    let (here, pinned) = (rustc_version(), pinned_version());
    let is_pinned = here == pinned;
    if is_pinned {
        cases
            .case(format!("{ROOT}/tests/cmd/pinned/*.trycmd"))
            .case(page("README.md", "fixtures", "fixtures"))
            .case(page("docs/first-run.md", "tests/cmd/first-run", ""))
            .case(page("docs/adopting.md", "tests/cmd/adopting", ""));
    } else {
        eprintln!("skipped: cases with findings of real tools require Rust {pinned}, but this is {here}");
    }
    // Cases run when they are dropped, and a second panic while dropping would abort.
    drop(cases);
    let cases = with_real_cargo();
    cases.case(page("docs/gates.md", "tests/cmd/gates", ""));
    if is_pinned {
        cases.case(page("docs/new-project.md", "tests/cmd/new-project", ""));
    }
}

/// Creates cases in which `cargo` is the real cargo, which finds genti on the `PATH` like any subcommand.
fn with_real_cargo() -> trycmd::TestCases {
    let ours = Path::new(env!("CARGO_BIN_EXE_cargo-genti")).parent().unwrap().to_path_buf();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([ours].into_iter().chain(env::split_paths(&path))).unwrap();
    let cases = trycmd::TestCases::new();
    cases.register_bin("cargo", Path::new(env!("CARGO"))).register_bin("sh", Path::new("/bin/sh"));
    cases.env("PATH", path.into_string().unwrap());
    cases
}

/// Creates a case from a page of the documentation: the page, with a copy of `dir` at `place` in its sandbox. The time on the last
/// line of a run may be any. When cases are overwritten, the case is a link to the page.
fn page(page: &str, dir: &str, place: &str) -> PathBuf {
    let page = Path::new(ROOT).join(page);
    let dir_of_case = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cmd").join(page.file_stem().unwrap());
    remove_dir(&dir_of_case);
    let case = dir_of_case.join(page.file_name().unwrap());
    let sandbox = case.with_extension("in").join(place);
    snapbox::dir::copy_template(Path::new(ROOT).join(dir), sandbox).unwrap();
    fs::create_dir(case.with_extension("out")).unwrap();
    if env::var("TRYCMD").is_ok_and(|mode| mode == "overwrite") {
        symlink(page, &case).unwrap();
    } else {
        let text = fs::read_to_string(page).unwrap();
        let time = Regex::new(r"(?m)^(    Finished|  Incomplete) in [0-9ms. ]+: ").unwrap();
        fs::write(&case, &*time.replace_all(&text, "$1 in [..]: ")).unwrap();
    }
    case
}

/// Removes target directories from fixtures. Trying the example of the README leaves one, and then the first run in a
/// sandbox would use cached results.
fn forget_runs_in_fixtures() {
    for fixture in fs::read_dir(Path::new(ROOT).join("fixtures")).unwrap() {
        remove_dir(&fixture.unwrap().path().join("target"));
    }
}

fn remove_dir(dir: &Path) {
    if let Err(error) = fs::remove_dir_all(dir) {
        let is_gone = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        assert!(is_gone, "{}: {error}", dir.display());
    }
}

/// Runs this test again in a process whose environment has no variables for cargo, rustc or genti.
fn run_again_scrubbed() {
    let kept = KEPT.iter().filter_map(|name| Some((name, env::var_os(name)?)));
    let status = Command::new(env::current_exe().unwrap())
        .args(["the_command_line_matches_its_cases", "--nocapture"])
        .args(env::args().filter(|arg| arg.starts_with("trycmd=")))
        .env_clear()
        .envs(kept)
        .env(SCRUBBED, "1")
        // Without progress and notes about slow steps, the output does not depend on the speed of the machine.
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        // New findings are shown as their tools finish, which is in the order of the plan if one runs at a time.
        .env("GENTI_PARALLEL", "1")
        .status()
        .unwrap();
    assert!(status.success(), "see the cases above");
}

fn rustc_version() -> String {
    let output = Command::new("rustc").arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    version.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn pinned_version() -> String {
    let file = fs::read_to_string(Path::new(ROOT).join("rust-toolchain.toml")).unwrap();
    let line = file.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap();
    line.trim_matches('"').to_owned()
}
