//! Regression cases for files that nothing lists, but that a flag, a command line, a script or a build script names.

use super::{Case, check, workspace};
use crate::suite::draft::Entry;
use crate::suite::parts::Tool;
use crate::suite::world::World;

pub(crate) const CASES: &[Case] = cases![
    a_file_of_compiler_flags_in_a_variable_is_an_input,
    a_file_of_compiler_flags_in_the_configuration_is_an_input,
    a_file_of_flags_for_lints_is_an_input,
    a_file_that_flags_of_rustdoc_name_is_an_input,
    a_changed_compiler_wrapper_builds_again,
    a_directory_of_configuration_outside_is_an_input_of_fmt,
    an_ignored_directory_of_configuration_is_an_input_of_fmt,
    a_file_that_a_build_script_reads_without_stating_it_is_an_input,
    a_directory_that_a_build_script_lists_without_stating_it_is_an_input,
    a_file_that_a_build_script_looks_for_in_vain_is_an_input,
    an_ignored_file_that_a_build_script_looks_for_in_vain_is_an_input,
    a_directory_that_a_build_script_looks_for_in_vain_is_an_input,
    a_variable_that_a_build_script_reads_without_stating_it_is_an_input,
    a_configured_variable_that_a_build_script_reads_is_an_input,
    an_ignored_file_read_by_a_build_script_that_states_nothing_is_an_input,
    a_package_that_the_configuration_patches_in_is_an_input,
    a_vendored_package_is_an_input,
    a_build_script_that_writes_what_it_names_runs_once,
    a_module_of_a_python_script_is_an_input,
    a_file_that_a_shell_command_reads_is_an_input,
    a_file_that_a_script_of_the_workspace_reads_is_an_input,
    a_directory_on_the_command_line_is_an_input,
    a_tool_that_asks_git_is_not_cached,
];

/// A function that is bad under `cfg(evil)`.
fn bad_under_cfg(tool: Tool) -> World {
    workspace(tool, |draft| {
        draft.bad_under_cfg("evil");
        draft.file("repo/ws/flags/of.txt", "--cfg\nfine\n");
    })
}

const EVIL_FLAGS: &str = "--cfg\nevil\n";

fn a_file_of_compiler_flags_in_a_variable_is_an_input() {
    let mut world = bad_under_cfg(Tool::Clippy);
    world.set("RUSTFLAGS", Some("@flags/of.txt"));
    check(&mut world, |world| world.write("repo/ws/flags/of.txt", EVIL_FLAGS), 1);
}

fn a_file_of_compiler_flags_in_the_configuration_is_an_input() {
    let mut world = bad_under_cfg(Tool::Clippy);
    world.write("repo/ws/.cargo/config.toml", "[build]\nrustflags = [\"@flags/of.txt\"]\n");
    check(&mut world, |world| world.write("repo/ws/flags/of.txt", EVIL_FLAGS), 1);
}

fn a_file_of_flags_for_lints_is_an_input() {
    let mut world = bad_under_cfg(Tool::Clippy);
    let config = world.read("repo/ws/genti.toml");
    let args = "[tools.clippy]\nargs = [\"--all-targets\", \"--\", \"@flags/of.txt\"]\n";
    world.write("repo/ws/genti.toml", &format!("{config}{args}"));
    check(&mut world, |world| world.write("repo/ws/flags/of.txt", EVIL_FLAGS), 1);
}

fn a_file_that_flags_of_rustdoc_name_is_an_input() {
    let mut world = workspace(Tool::Doc, |draft| draft.file("repo/ws/head.html", "<!-- -->\n"));
    world.write(
        "repo/ws/.cargo/config.toml",
        "[build]\nrustdocflags = [\"--html-in-header\", \"head.html\"]\n",
    );
    check(&mut world, |world| world.remove("repo/ws/head.html"), 3);
}

fn a_changed_compiler_wrapper_builds_again() {
    let mut world = bad_under_cfg(Tool::Clippy);
    world.program("repo/ws/wrap.sh", "#!/bin/sh\nexec \"$@\"\n");
    world.write("repo/ws/.cargo/config.toml", "[build]\nrustc-wrapper = \"./wrap.sh\"\n");
    check(&mut world, |world| world.program("repo/ws/wrap.sh", "#!/bin/sh\nexec \"$@\" --cfg evil\n"), 1);
}

fn configured_for_fmt(dir: &str) -> World {
    workspace(Tool::Fmt, |draft| {
        draft.lib("pub fn f() -> u8 {\n    1\n}");
        draft.config += &format!("[tools.fmt]\nargs = [\"--config-path\", \"{dir}\"]\n");
        draft.ignore("repo/ws/conf/");
    })
}

fn a_directory_of_configuration_outside_is_an_input_of_fmt() {
    let mut world = configured_for_fmt("../../out");
    world.write("out/rustfmt.toml", "");
    check(&mut world, |world| world.write("out/rustfmt.toml", "tab_spaces = 2\n"), 1);
}

fn an_ignored_directory_of_configuration_is_an_input_of_fmt() {
    let mut world = configured_for_fmt("conf");
    world.write("repo/ws/conf/rustfmt.toml", "");
    check(&mut world, |world| world.write("repo/ws/conf/rustfmt.toml", "tab_spaces = 2\n"), 1);
}

/// A member that only compiles if the expression of its build script is 1. The script states what `states` says.
fn with_script(states: &str, expression: &str) -> World {
    workspace(Tool::Clippy, |draft| {
        draft.build.push(states.to_owned());
        draft.build.push(format!("println!(\"cargo::rustc-env=MADE={{}}\", {expression});"));
        draft.lib("const _: () = assert!(env!(\"MADE\").as_bytes()[0] == b'1');");
        draft.file("repo/ws/a/data/x.txt", "1\n");
        draft.file("repo/ws/a/made/x.txt", "1\n");
        draft.ignore("repo/ws/a/made/");
    })
}

const ITSELF: &str = "println!(\"cargo::rerun-if-changed=build.rs\");";

fn a_file_that_a_build_script_reads_without_stating_it_is_an_input() {
    let mut world = with_script(ITSELF, "std::fs::read_to_string(\"data/x.txt\").unwrap()");
    check(&mut world, |world| world.write("repo/ws/a/data/x.txt", "2\n"), 3);
}

fn a_directory_that_a_build_script_lists_without_stating_it_is_an_input() {
    let mut world = with_script(ITSELF, "std::fs::read_dir(\"data\").unwrap().count()");
    check(&mut world, |world| world.write("repo/ws/a/data/y.txt", "2\n"), 3);
}

/// Returns an expression for a build script: 1 if there is nothing at `path`, and 2 otherwise.
fn looked_for(path: &str) -> String {
    format!("1 + u8::from(std::path::Path::new(\"{path}\").exists())")
}

fn a_file_that_a_build_script_looks_for_in_vain_is_an_input() {
    let mut world = with_script(ITSELF, &looked_for("../../late.txt"));
    check(&mut world, |world| world.write("repo/late.txt", ""), 3);
}

fn an_ignored_file_that_a_build_script_looks_for_in_vain_is_an_input() {
    let mut world = with_script(ITSELF, &looked_for("made/late.txt"));
    check(&mut world, |world| world.write("repo/ws/a/made/late.txt", ""), 3);
}

fn a_directory_that_a_build_script_looks_for_in_vain_is_an_input() {
    let mut world = with_script(ITSELF, &looked_for("../../late"));
    check(&mut world, |world| world.write("repo/late/x.txt", ""), 3);
}

const VARIABLE: &str = "std::env::var(\"MADE_HOW\").unwrap()";

fn a_variable_that_a_build_script_reads_without_stating_it_is_an_input() {
    let mut world = with_script(ITSELF, VARIABLE);
    world.set("MADE_HOW", Some("1"));
    check(&mut world, |world| world.set("MADE_HOW", Some("2")), 3);
}

fn a_configured_variable_that_a_build_script_reads_is_an_input() {
    let mut world = with_script(ITSELF, VARIABLE);
    world.write("repo/ws/.cargo/config.toml", "[env]\nMADE_HOW = \"1\"\n");
    check(&mut world, |world| world.write("repo/ws/.cargo/config.toml", "[env]\nMADE_HOW = \"2\"\n"), 3);
}

fn an_ignored_file_read_by_a_build_script_that_states_nothing_is_an_input() {
    let mut world = with_script("", "std::fs::read_to_string(\"made/x.txt\").unwrap()");
    check(&mut world, |world| world.write("repo/ws/a/made/x.txt", "2\n"), 3);
}

/// A workspace whose member `a` depends on version 0.1 of a package that only the configuration locates.
fn with_configured_package(dir: &str, config: &str) -> World {
    workspace(Tool::Clippy, |draft| {
        draft.package("far", dir, "");
        draft.file(format!("{dir}/src/lib.rs"), "pub const DATA: u8 = env!(\"DATA\").as_bytes()[0];\n");
        draft.file(
            format!("{dir}/build.rs"),
            "fn main() {\n    let name = format!(\"{}.txt\", \"da\".to_owned() + \"ta\");\n    println!(\"cargo::rustc-env=DATA={}\", std::fs::read_to_string(name).unwrap());\n}\n",
        );
        draft.file(format!("{dir}/data.txt"), "1\n");
        draft.file(format!("{dir}/.cargo-checksum.json"), "{\"files\":{},\"package\":null}\n");
        draft.manifest("dependencies", "far = \"0.1\"");
        draft.packages.get_mut("a").unwrap().push("far".to_owned());
        draft.lib("const _: () = assert!(far::DATA == b'1');");
        draft.file("repo/ws/.cargo/config.toml", config);
    })
}

fn a_package_that_the_configuration_patches_in_is_an_input() {
    let mut world =
        with_configured_package("out/far", "[patch.crates-io]\nfar = { path = \"../../out/far\" }\n");
    check(&mut world, |world| world.write("out/far/data.txt", "2\n"), 3);
}

fn a_vendored_package_is_an_input() {
    let config = "[source.crates-io]\nreplace-with = \"here\"\n[source.here]\ndirectory = \"../../out\"\n";
    let mut world = with_configured_package("out/far", config);
    let lock = world.read("repo/ws/Cargo.lock");
    let source = "name = \"far\"\nversion = \"0.1.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
    world.write("repo/ws/Cargo.lock", &lock.replace("name = \"far\"\nversion = \"0.1.0\"\n", source));
    check(&mut world, |world| world.write("out/far/data.txt", "2\n"), 3);
}

fn a_build_script_that_writes_what_it_names_runs_once() {
    let expression = "{\n        use std::io::Write;\n        let runs = std::fs::File::options().create(true).append(true).open(\"made/runs.txt\");\n        runs.unwrap().write_all(b\"run\\n\").unwrap();\n        1\n    }";
    let world = with_script(ITSELF, expression);
    for _ in 0..3 {
        assert_eq!(world.warm().code, 0);
        world.touch("repo/ws/genti.toml");
    }
    assert_eq!(world.read("repo/ws/a/made/runs.txt"), "run\n");
    assert!(world.warm().ran.is_empty(), "nothing has changed");
}

fn own(run: &str, files: &[(&str, &str)]) -> World {
    workspace(Tool::Own, |draft| {
        draft.own_tool(1, &format!("run = {run}"));
        for (path, text) in files {
            let path = format!("repo/ws/{path}");
            let entry = match text.starts_with("#!") {
                true => Entry::Program((*text).to_owned()),
                false => Entry::File((*text).to_owned()),
            };
            draft.files.insert(path, entry);
        }
    })
}

fn a_module_of_a_python_script_is_an_input() {
    let script = "#!/usr/bin/env python3\nimport lib.rules\nlib.rules.check()\n";
    let rules = "def check(): pass\n";
    let mut world = own("[\"./check.py\"]", &[("check.py", script), ("lib/rules.py", rules)]);
    check(&mut world, |world| world.write("repo/ws/lib/rules.py", "def check(): raise SystemExit(1)\n"), 1);
}

fn a_file_that_a_shell_command_reads_is_an_input() {
    let run = "[\"sh\", \"-c\", \"! cat words.txt | grep -q evil\"]";
    let mut world = own(run, &[("words.txt", "fine\n")]);
    check(&mut world, |world| world.write("repo/ws/words.txt", "evil\n"), 1);
}

fn a_file_that_a_script_of_the_workspace_reads_is_an_input() {
    let shell = "#!/bin/sh\n! grep -q evil \"$(dirname \"$0\")/words.txt\" <words.txt >out.txt\n";
    let python = "#!/usr/bin/env python3\nimport sys\nsys.exit('evil' in open('words.txt').read())\n";
    for script in [shell, python] {
        let mut world = own("[\"./check\"]", &[("check", script), ("words.txt", "fine\n")]);
        check(&mut world, |world| world.write("repo/ws/words.txt", "evil\n"), 1);
    }
}

fn a_directory_on_the_command_line_is_an_input() {
    let mut world = own("[\"sh\", \"-c\", \"! grep -rq evil docs\"]", &[("docs/x.md", "fine\n")]);
    check(&mut world, |world| world.write("repo/ws/docs/y.md", "evil\n"), 1);
    let mut world = own("[\"diff\", \"-r\", \"one\", \"two\"]", &[("one/x", "x\n"), ("two/x", "x\n")]);
    check(&mut world, |world| world.write("repo/ws/two/x", "y\n"), 1);
}

fn a_tool_that_asks_git_is_not_cached() {
    let mut world = own("[\"sh\", \"-c\", \"test $(git log -1 --format=%s) = fine\"]", &[]);
    world.git(&["commit", "-q", "--allow-empty", "-m", "fine"]);
    check(&mut world, |world| world.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "evil"]), 1);
}
