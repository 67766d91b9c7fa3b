//! The command line as users see it: every `$` line of the cases in `tests/cmd`, of the README and of the guide is run,
//! and its output and exit code compared.
//!
//! After a change of words that is meant: `TRYCMD=overwrite cargo test --test cmd`, then read the diff. Some cases only:
//! `cargo test --test cmd -- cases trycmd=mistakes`.
#![cfg(all(unix, feature = "cli"))]
#![expect(clippy::disallowed_methods, reason = "tests make their own sandboxes")]
#![expect(clippy::print_stderr, reason = "a test that is left out must say so")]

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Set where the environment is the tests' own.
const SCRUBBED: &str = "GENTI_TESTS_SCRUBBED";
/// What a case may see of the environment: what finds the toolchain, and what `TRYCMD=overwrite` needs.
const KEPT: [&str; 7] = ["PATH", "HOME", "TMPDIR", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TRYCMD"];

#[test]
fn the_command_line_answers_as_its_cases_say() {
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
        .case(page("docs/goldens.md", "tests/cmd/goldens", ""))
        .case(page("docs/playbook.md", "tests/cmd/playbook", ""))
        .case(page("docs/reports.md", "tests/cmd/reports", ""));
    // What rustc, clippy and rustfmt say differs from version to version.
    let (here, pinned) = (rustc_version(), pinned_version());
    let is_pinned = here == pinned;
    if is_pinned {
        cases
            .case(format!("{ROOT}/tests/cmd/pinned/*.trycmd"))
            .case(page("README.md", "fixtures", "fixtures"))
            .case(page("docs/first-run.md", "tests/cmd/first-run", ""))
            .case(page("docs/adopting.md", "tests/cmd/adopting", ""));
    } else {
        eprintln!("left out: cases with findings of real tools hold for Rust {pinned}, here is {here}");
    }
    // Cases run when they are dropped, and two sets must not fail at once.
    drop(cases);
    let cases = with_real_cargo();
    cases.case(page("docs/gates.md", "tests/cmd/gates", ""));
    if is_pinned {
        cases.case(page("docs/new-project.md", "tests/cmd/new-project", ""));
    }
}

/// Cases in which `cargo` is cargo, and finds us on the `PATH` as it finds any subcommand.
fn with_real_cargo() -> trycmd::TestCases {
    let ours = Path::new(env!("CARGO_BIN_EXE_cargo-genti")).parent().unwrap().to_path_buf();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([ours].into_iter().chain(env::split_paths(&path))).unwrap();
    let cases = trycmd::TestCases::new();
    cases.register_bin("cargo", Path::new(env!("CARGO"))).register_bin("sh", Path::new("/bin/sh"));
    cases.env("PATH", path.into_string().unwrap());
    cases
}

/// A page of the documentation as a case: a link to it, beside a copy of `dir` at `place` of its sandbox.
fn page(page: &str, dir: &str, place: &str) -> PathBuf {
    let page = Path::new(ROOT).join(page);
    let dir_of_case = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cmd").join(page.file_stem().unwrap());
    remove_dir(&dir_of_case);
    let case = dir_of_case.join(page.file_name().unwrap());
    let sandbox = case.with_extension("in").join(place);
    snapbox::dir::copy_template(Path::new(ROOT).join(dir), sandbox).unwrap();
    fs::create_dir(case.with_extension("out")).unwrap();
    symlink(page, &case).unwrap();
    case
}

/// Who tries the README's example leaves a target directory in a fixture; in a sandbox it would make a first run a
/// second one.
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

/// Runs this test again in a process without what the caller's environment says to cargo, rustc or us.
fn run_again_scrubbed() {
    let kept = KEPT.iter().filter_map(|name| Some((name, env::var_os(name)?)));
    let status = Command::new(env::current_exe().unwrap())
        .args(["the_command_line_answers_as_its_cases_say", "--nocapture"])
        .args(env::args().filter(|arg| arg.starts_with("trycmd=")))
        .env_clear()
        .envs(kept)
        .env(SCRUBBED, "1")
        // No line that says that a run goes on or that a step is slow: a slow machine prints what a fast one does.
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
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
