//! Regression cases for custom tools that run cargo, and for tools that read files ignored by git.

use super::{check, workspace};
use crate::suite::draft::Entry;
use crate::suite::parts::Tool;
use crate::suite::world::{Times, World};

/// Creates a workspace with a tool that runs a program of the package in `dir`. Its module and its build script
/// determine the exit code.
fn with_xtask(dir: &str, command: &str) -> World {
    workspace(Tool::Own, |draft| {
        draft.package("xtask", dir, "");
        draft.file(format!("{dir}/src/main.rs"), "//! X.\n\nmod s;\nfn main() {\n    println!(\"cargo ran it\");\n    std::process::exit(s::CODE + i32::from(env!(\"MADE\").starts_with('e')));\n}\n");
        draft.file(format!("{dir}/src/s.rs"), "pub const CODE: i32 = 0;\n");
        draft.file(format!("{dir}/build.rs"), "fn main() {\n    println!(\"cargo::rerun-if-changed=made.txt\");\n    println!(\"cargo::rustc-env=MADE={}\", std::fs::read_to_string(\"made.txt\").unwrap());\n}\n");
        draft.file(format!("{dir}/made.txt"), "fine\n");
        draft.config += &format!(
            "[tools.own]\nlane = \"build\"\ninherit-env = true\nrun = [\"sh\", \"-c\", \"{command}\"]\n"
        );
    })
}

pub(super) fn an_xtask_is_built_from_a_changed_source_with_an_older_time() {
    let mut world = with_xtask("repo/ws/xtask", "cargo run -q -p xtask");
    let bad = "pub const CODE: i32 = 1;\n";
    check(&mut world, |world| world.write_at("repo/ws/xtask/src/s.rs", bad, Times::Old), 1);
}

pub(super) fn an_xtask_in_its_own_workspace_is_built_from_a_changed_source_with_an_older_time() {
    let mut world = with_xtask("repo/ws/xtask", "cd xtask && cargo run -q");
    world.edit(
        "repo/ws/Cargo.toml",
        "members = [\"a\", \"xtask\"]",
        "members = [\"a\"]\nexclude = [\"xtask\"]",
    );
    world.edit("repo/ws/xtask/Cargo.toml", "[package]", "[workspace]\n[package]");
    world.write(
        "repo/ws/Cargo.lock",
        &world
            .read("repo/ws/Cargo.lock")
            .replace("\n[[package]]\nname = \"xtask\"\nversion = \"0.1.0\"\n", ""),
    );
    world.write(
        "repo/ws/xtask/Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"xtask\"\nversion = \"0.1.0\"\n",
    );
    // These files have the names in the unit's list, relative to the root, but belong to another package.
    world.write("repo/ws/src/main.rs", "");
    world.write("repo/ws/src/s.rs", "");
    let bad = "pub const CODE: i32 = 1;\n";
    check(&mut world, |world| world.write_at("repo/ws/xtask/src/s.rs", bad, Times::Old), 1);
}

pub(super) fn a_build_script_of_an_xtask_runs_for_a_changed_file_with_an_older_time() {
    let mut world = with_xtask("repo/ws/xtask", "cargo run -q -p xtask");
    check(&mut world, |world| world.write_at("repo/ws/xtask/made.txt", "evil\n", Times::Old), 1);
}

pub(super) fn an_unrelated_edit_builds_no_xtask() {
    let world =
        with_xtask("repo/ws/xtask", "cargo run -p xtask 2>&1 | grep Compiling >> ../../out/compiled; true");
    assert_eq!(world.warm().code, 0);
    let before = world.read("out/compiled");
    assert!(before.contains("xtask"), "{before}");
    world.write("repo/ws/xtask/README.md", "Read me.\n");
    world.touch("repo/ws/genti.toml");
    assert_eq!(world.warm().code, 0);
    assert_eq!(world.read("out/compiled"), before);
}

pub(super) fn a_replay_in_the_users_target_directory_is_not_cached() {
    let world = workspace(Tool::Own, |draft| {
        draft.lib("pub mod s;");
        draft.file("repo/ws/a/src/s.rs", "pub const S: u8 = 1;\n");
        draft.config += "[tools.own]\nrun = [\"cargo\", \"check\", \"--quiet\"]\n";
    });
    let before = world.warm();
    assert_eq!(before.code, 0, "{}", before.text);
    assert!(world.warm().ran.is_empty(), "the result was not cached");
    world.write_at("repo/ws/a/src/s.rs", "pub const S: u8 = !;\n", Times::Old);
    // In this directory, a replay by cargo is acceptable.
    world.warm();
    assert_ne!(world.fresh().code, 0);
    let there = world.second_checkout().warm();
    assert_ne!(there.code, 0, "{}", there.text);
}

pub(super) fn a_file_named_by_a_build_script_is_an_input_of_a_tool_that_runs_cargo() {
    let mut world = workspace(Tool::Own, |draft| {
        draft.build.push("println!(\"cargo::rerun-if-changed=../../../out/made.txt\");".to_owned());
        draft.build.push(
            "assert!(std::fs::read_to_string(\"../../../out/made.txt\").unwrap().starts_with('f'));"
                .to_owned(),
        );
        draft.file("out/made.txt", "fine\n");
        draft.config += "[tools.own]\nlane = \"check\"\ninherit-env = true\nenv = []\nrun = [\"cargo\", \"check\", \"--quiet\"]\n";
    });
    let before = world.warm();
    assert_eq!(before.code, 0, "{}", before.text);
    assert!(world.warm().ran.is_empty(), "nothing has changed");
    check(&mut world, |world| world.write("out/made.txt", "evil\n"), 1);
}

pub(super) fn an_ignored_file_among_the_inputs_of_a_tool_for_each_file_is_an_input() {
    let mut world = workspace(Tool::Own, |draft| {
        draft.file("repo/ws/conf.txt", "fine\n");
        draft.ignore("repo/ws/conf.txt");
        draft.config += "[tools.own]\nper = \"file\"\nfiles = [\"**/Cargo.toml\"]\ninputs = [\"conf.txt\"]\nrun = [\"sh\", \"-c\", \"! grep -q evil conf.txt\", \"sh\", \"{files}\"]\n";
    });
    assert!(world.warm().code == 0 && world.warm().ran.is_empty(), "nothing has changed");
    check(&mut world, |world| world.write("repo/ws/conf.txt", "evil\n"), 1);
}

/// Stand-in for cargo-machete that reads one file.
const MACHETE: &str = "#!/bin/sh\ncase \"$*\" in *--version*) echo cargo-machete 0.9.2; exit;; esac\nif grep -q evil a/src/made.rs; then\n    printf 'cargo-machete found the following unused dependencies in this directory:\\na -- ./a/Cargo.toml:\\n\\tevil\\n\\nIf you believe cargo-machete has detected an unused dependency incorrectly,\\n'\n    exit 1\nfi\necho \"cargo-machete didn't find any unused dependencies in this directory. Good job!\"\n";

pub(super) fn a_source_ignored_by_git_is_an_input_of_machete() {
    let mut world = workspace(Tool::Own, |draft| {
        draft.files.insert("bin/cargo-machete".to_owned(), Entry::Program(MACHETE.to_owned()));
        draft.file("repo/ws/a/src/made.rs", "// fine\n");
        draft.ignore("repo/ws/a/src/made.rs");
        draft.config += "[tools.machete]\n";
        draft.files.retain(|path, _| !path.contains("/cached/") && !path.contains("/nested/"));
    });
    let before = world.warm();
    assert_eq!(before.code, 0, "{}", before.text);
    assert!(world.warm().ran.is_empty(), "nothing has changed");
    check(&mut world, |world| world.write("repo/ws/a/src/made.rs", "// evil\n"), 1);
}

/// Makes typos check a file that git ignores, by writing to the file at `path`.
fn shown_to_typos(path: &str, text: &str) {
    let mut world = workspace(Tool::Own, |draft| {
        let typo = "{\"type\":\"typo\",\"path\":\"./made.txt\",\"line_num\":1,\"byte_offset\":0,\"typo\":\"teh\",\"corrections\":[\"the\"]}";
        let script = format!(
            "#!/bin/sh\nif test \"$1\" = --version; then echo typos-cli 1.0; exit; fi\nif grep -q teh made.txt; then echo '{typo}'; exit 2; fi\n"
        );
        draft.files.insert("bin/typos".to_owned(), Entry::Program(script));
        draft.files.retain(|path, _| !path.contains("/cached/") && !path.contains("/nested/"));
        draft.file("repo/ws/made.txt", "the\n");
        draft.ignore("repo/ws/made.txt");
        draft.config += "[tools.typos]\n";
    });
    assert_eq!(world.warm().code, 0);
    assert!(world.warm().ran.is_empty(), "it looks at what is listed");
    world.write(path, text);
    check(&mut world, |world| world.write("repo/ws/made.txt", "teh\n"), 1);
}

pub(super) fn a_file_unignored_by_an_ignore_file_is_an_input_of_typos() {
    shown_to_typos("repo/ws/.ignore", "!made.txt\n");
}

pub(super) fn a_file_unignored_by_the_configuration_of_typos_is_an_input() {
    shown_to_typos("repo/ws/typos.toml", "[files]\nignore-vcs = false\n");
}
