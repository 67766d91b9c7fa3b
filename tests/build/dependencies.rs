//! Tests which dependencies `genti::build` adds to a build script.

use std::process::Command;

use crate::support::{Package, text};

#[test]
fn a_script_compiles_only_jobserver_and_its_dependencies() {
    let package = Package::copied("build-rust", "package", |files| files);
    let output = package.cargo(&["build"]).output().unwrap();
    let printed = text(&output);
    let mut crates: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Compiling "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    crates.sort_unstable();
    assert_eq!(crates, ["build-rust", "genti", "jobserver", "libc"], "{printed}");
}

#[test]
fn without_features_the_only_dependency_is_jobserver() {
    let tree = |target: &str| {
        let args = [
            "tree",
            "--locked",
            "--offline",
            "-e",
            "normal,build",
            "--no-default-features",
            "--prefix",
            "none",
        ];
        let mut command = Command::new(env!("CARGO"));
        command
            .args(args)
            .args(["--format", "{p}", "--target", target])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut names: Vec<String> =
            lines.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        names
    };
    assert_eq!(tree("x86_64-unknown-linux-gnu"), ["genti", "jobserver", "libc"]);
    assert_eq!(tree("aarch64-apple-darwin"), ["genti", "jobserver", "libc"]);
    assert!(tree("x86_64-pc-windows-msvc").len() <= 6);
}
