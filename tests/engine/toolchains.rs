//! Tests of tools that select a toolchain through rustup, and of subcommands that are not installed.

use std::os::unix::fs::PermissionsExt;

use crate::support::Sandbox;

/// A rustup with the toolchain `nightly`, in which only the subcommand `there` exists.
const PROXY: &str = r#"#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
case "$1" in
    +nightly) shift ;;
    +*) echo "error: toolchain '${1#+}-x86_64-unknown-linux-gnu' is not installed" >&2; exit 1 ;;
    *) echo "not meant for rustup: $*" >&2; exit 70 ;;
esac
[ "$RUSTUP_AUTO_INSTALL" = 0 ] || { echo "would install" >&2; exit 71; }
[ "$1" = there ] || { echo "error: no such command: \`$1\`" >&2; exit 101; }
[ "$2" = --version ] && { echo "there 1.0-nightly"; exit 0; }
echo "found by there"
"#;

fn run(sandbox: &Sandbox, args: &[&str], code: i32) -> String {
    let bin = sandbox.beside().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for name in ["cargo", "rustup"] {
        std::fs::write(bin.join(name), PROXY).unwrap();
        std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap();
    let dirs = [bin].into_iter().chain(std::env::split_paths(&path));
    let mut command = sandbox.command(args);
    command.env("PATH", std::env::join_paths(dirs).unwrap());
    sandbox.expect(&command.output().unwrap(), code)
}

/// Creates a workspace whose only tool runs `command`.
fn with(command: &str) -> Sandbox {
    Sandbox::with_tools(&format!(
        "[tools.mine]\nrun = {command}\nversion = ['cargo', '+nightly', 'there', '--version']\nparse = 'lines'\n\
         install = 'cargo install cargo-there'\n"
    ))
}

#[test]
fn a_tool_that_selects_a_toolchain_runs_in_it() {
    let sandbox = with("['cargo', '+nightly', 'there']");
    let text = run(&sandbox, &["run"], 1);
    assert!(text.contains("found by there"), "{text}");
    assert_eq!(sandbox.json("run.json")["tools"][0]["version"], "there 1.0-nightly");
}

#[test]
fn the_key_toolchain_adds_it_to_every_command_line() {
    let sandbox = Sandbox::with_tools(
        "[tools.mine]\nrun = ['cargo', 'there']\nversion = ['cargo', 'there', '--version']\nparse = 'lines'\n\
         toolchain = 'nightly'\n",
    );
    let text = run(&sandbox, &["run"], 1);
    assert!(text.contains("found by there"), "{text}");
    assert_eq!(sandbox.json("run.json")["tools"][0]["version"], "there 1.0-nightly");
    sandbox.edit("genti.toml", "'nightly'", "'1.70'");
    let text = run(&sandbox, &["run"], 3);
    assert!(text.contains("toolchain `1.70` is not installed"), "{text}");
}

#[test]
fn a_missing_toolchain_is_named_with_the_command_to_install_it() {
    let text = run(&with("['cargo', '+1.70', 'there']"), &["run"], 3);
    let expected = "toolchain `1.70` is not installed; install it with `rustup toolchain install 1.70`";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_missing_subcommand_is_named_instead_of_the_tool() {
    for command in ["['cargo', '+nightly', 'gone']", "['cargo', 'gone-nowhere']"] {
        let text = run(&with(command), &["run"], 3);
        let named = if command.contains("nowhere") { "`cargo gone-nowhere`" } else { "`cargo gone`" };
        let expected = format!("{named} is not installed; install it with `cargo install cargo-there`");
        assert!(text.contains(&expected), "{text}");
    }
}
