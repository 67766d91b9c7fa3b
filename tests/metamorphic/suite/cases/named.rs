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
    a_path_that_a_build_script_puts_together_is_an_input,
    a_directory_beside_the_package_of_a_build_script_is_an_input,
    a_variable_of_cargo_that_a_build_script_reads_is_an_input,
    a_variable_whose_name_is_a_constant_of_a_build_script_is_an_input,
    a_file_that_a_script_of_a_build_script_reads_is_an_input,
    a_header_that_a_file_of_a_build_script_includes_is_an_input,
    a_commit_that_a_build_script_asks_git_for_is_an_input,
    a_file_that_a_dependency_of_a_build_script_reads_is_an_input,
    a_variable_that_a_procedural_macro_reads_is_an_input,
    a_file_beside_the_package_that_a_procedural_macro_reads_is_an_input,
    a_file_that_a_build_script_passes_to_the_linker_is_an_input,
    a_library_that_a_build_script_links_is_an_input,
    a_file_that_nested_flags_pass_to_the_linker_is_an_input,
    a_changed_linker_links_again,
    an_edit_of_a_file_that_no_build_script_names_runs_none,
    a_package_that_the_configuration_patches_in_is_an_input,
    a_vendored_package_is_an_input,
    a_build_script_that_writes_what_it_names_runs_once,
    a_module_of_a_python_script_is_an_input,
    a_file_that_a_shell_command_reads_is_an_input,
    a_file_that_a_script_of_the_workspace_reads_is_an_input,
    a_file_that_a_named_file_lists_is_an_input,
    a_pattern_in_a_shell_command_is_an_input,
    a_file_that_a_here_document_names_is_an_input,
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
fn a_path_that_a_build_script_puts_together_is_an_input() {
    let path = "std::path::Path::new(\"..\").join(\"conf\").join(\"one\").with_extension(\"txt\")";
    let mut world = with_script(ITSELF, &format!("std::fs::read_to_string({path}).unwrap()"));
    world.write("repo/ws/conf/one.txt", "1\n");
    check(&mut world, |world| world.write("repo/ws/conf/one.txt", "2\n"), 3);
}

fn a_directory_beside_the_package_of_a_build_script_is_an_input() {
    let root = "std::path::Path::new(env!(\"CARGO_MANIFEST_DIR\")).parent().unwrap()";
    let mut world =
        with_script(ITSELF, &format!("std::fs::read_dir({root}.join(\"schemas\")).unwrap().count()"));
    world.write("repo/ws/schemas/x.txt", "");
    check(&mut world, |world| world.write("repo/ws/schemas/y.txt", ""), 3);
}

fn a_variable_of_cargo_that_a_build_script_reads_is_an_input() {
    let mut world = with_script(ITSELF, "1 + u8::from(std::env::var_os(\"RUSTC_BOOTSTRAP\").is_some())");
    check(&mut world, |world| world.set("RUSTC_BOOTSTRAP", Some("1")), 3);
}

fn a_variable_whose_name_is_a_constant_of_a_build_script_is_an_input() {
    let mut world = with_script(
        &format!("{ITSELF}\n    const MODE: &str = \"METAMORPHIC_MODE\";"),
        "1 + u8::from(std::env::var_os(MODE).is_some())",
    );
    check(&mut world, |world| world.set("METAMORPHIC_MODE", Some("1")), 3);
}

fn a_file_that_a_script_of_a_build_script_reads_is_an_input() {
    let said = "String::from_utf8(std::process::Command::new(\"../gen/gen.sh\").output().unwrap().stdout)";
    let mut world = with_script(ITSELF, &format!("{said}.unwrap()"));
    world.program("repo/ws/gen/gen.sh", "#!/bin/sh\n. ../gen/lib.inc\n");
    world.write("repo/ws/gen/lib.inc", "echo 1\n");
    check(&mut world, |world| world.write("repo/ws/gen/lib.inc", "echo 2\n"), 3);
}

fn a_header_that_a_file_of_a_build_script_includes_is_an_input() {
    let states = format!("{ITSELF}\n    println!(\"cargo::rerun-if-changed=c/x.c\");");
    // It stands for a compiler, which looks for the header beside the file.
    let name = "std::fs::read_to_string(\"c/x.c\").unwrap().split('\\'').nth(1).unwrap()";
    let mut world = with_script(
        &states,
        &format!("std::fs::read_to_string(std::path::Path::new(\"c\").join({name})).unwrap()"),
    );
    world.write("repo/ws/a/c/x.c", "#include '../inc/x.h'\n");
    world.write("repo/ws/a/inc/x.h", "1\n");
    check(&mut world, |world| world.write("repo/ws/a/inc/x.h", "2\n"), 3);
}

fn a_commit_that_a_build_script_asks_git_for_is_an_input() {
    let said = "std::process::Command::new(\"git\").args([\"log\", \"-1\", \"--format=%s\"]).output().unwrap().stdout";
    let mut world = with_script(ITSELF, &format!("String::from_utf8({said}).unwrap()"));
    world.git(&["commit", "-q", "--allow-empty", "-m", "1"]);
    check(&mut world, |world| world.git(&["commit", "-q", "--allow-empty", "-m", "2"]), 3);
}

fn a_file_that_a_dependency_of_a_build_script_reads_is_an_input() {
    let mut world = workspace(Tool::Clippy, |draft| {
        draft.package("h", "repo/ws/h", "");
        draft.file(
            "repo/ws/h/src/lib.rs",
            "//! H.\n\n/// Reads.\npub fn read() -> String {\n    std::fs::read_to_string(\"../conf/mode.txt\").unwrap()\n}\n",
        );
        draft.depend("build-dependencies", "h", "../h");
        draft.build.push(ITSELF.to_owned());
        draft.build.push("println!(\"cargo::rustc-env=MADE={}\", h::read());".to_owned());
        draft.lib("const _: () = assert!(env!(\"MADE\").as_bytes()[0] == b'1');");
        draft.file("repo/ws/conf/mode.txt", "1\n");
    });
    check(&mut world, |world| world.write("repo/ws/conf/mode.txt", "2\n"), 3);
}

/// A member that only compiles while the expression in its procedural macro is true.
fn with_macro(expression: &str) -> World {
    workspace(Tool::Clippy, |draft| {
        draft.package("m", "repo/ws/m", "[lib]\nproc-macro = true\n");
        draft.file(
            "repo/ws/m/src/lib.rs",
            format!("//! M.\n\nuse proc_macro::TokenStream;\n\n/// Makes.\n#[proc_macro]\npub fn make(_: TokenStream) -> TokenStream {{\n    let is_good = {expression};\n    if is_good {{ TokenStream::new() }} else {{ \"compile_error!();\".parse().unwrap() }}\n}}\n"),
        );
        draft.depend("dependencies", "m", "../m");
        draft.lib("m::make!();");
        draft.file("repo/ws/conf/mode.txt", "1\n");
    })
}

fn a_variable_that_a_procedural_macro_reads_is_an_input() {
    let mut world = with_macro("std::env::var_os(\"METAMORPHIC_MODE\").is_none()");
    check(&mut world, |world| world.set("METAMORPHIC_MODE", Some("1")), 3);
}

fn a_file_beside_the_package_that_a_procedural_macro_reads_is_an_input() {
    let path = "format!(\"{}/../conf/mode.txt\", std::env::var(\"CARGO_MANIFEST_DIR\").unwrap())";
    let mut world = with_macro(&format!("std::fs::read_to_string({path}).unwrap() == \"1\\n\""));
    check(&mut world, |world| world.write("repo/ws/conf/mode.txt", "2\n"), 3);
}

/// Like [`check`], for errors whose text differs from build to build.
#[track_caller]
fn check_code(world: &mut World, change: impl FnOnce(&mut World), code: i32) {
    assert_eq!(world.warm().code, 0, "before the change");
    change(world);
    assert_eq!(world.warm().code, code, "with the cache");
    assert_eq!(world.fresh().code, code, "a fresh run");
}

/// A member with a test, whose build script prints `printed`.
fn linked(printed: &str, item: &str) -> World {
    workspace(Tool::Test, |draft| {
        draft.build.push(ITSELF.to_owned());
        draft
            .build
            .push(format!("println!(\"cargo::{printed}\", std::env::var(\"CARGO_MANIFEST_DIR\").unwrap());"));
        draft.lib(item);
        draft.file("repo/ws/a/list.txt", "{ f; };\n");
    })
}

fn a_file_that_a_build_script_passes_to_the_linker_is_an_input() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let mut world = linked("rustc-link-arg=-Wl,--dynamic-list={}/list.txt", "#[test]\nfn t() {}");
    check_code(&mut world, |world| world.write("repo/ws/a/list.txt", "no list {\n"), 3);
}

/// Writes a library with a function that returns `value` to the directory `native` of the member.
fn write_library(world: &World, value: u8) {
    world.write("out/f.rs", &format!("#[unsafe(no_mangle)] pub extern \"C\" fn f() -> u8 {{ {value} }}"));
    world.make_dir("repo/ws/a/native");
    let (source, library) = (world.path("out/f.rs"), world.path("repo/ws/a/native/libf.a"));
    let mut command = std::process::Command::new("rustc");
    command.args(["--crate-type=staticlib", "-Cpanic=abort", "-o"]).arg(library).arg(source);
    assert!(command.status().unwrap().success());
}

fn a_library_that_a_build_script_links_is_an_input() {
    let item = "#[link(name = \"f\", kind = \"dylib\")]\nunsafe extern \"C\" {\n    safe fn f() -> u8;\n}\n#[test]\nfn t() {\n    assert_eq!(f(), 1);\n}";
    let mut world = linked("rustc-link-search=native={}/native", item);
    write_library(&world, 1);
    check(&mut world, |world| write_library(world, 2), 3);
}

fn a_file_that_nested_flags_pass_to_the_linker_is_an_input() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let mut world = linked("metadata=key={}", "#[test]\nfn t() {}");
    let flags = "[build]\nrustflags = [\"-Clink-args=-Wl,--dynamic-list,list.txt\"]\n";
    world.write("repo/ws/.cargo/config.toml", flags);
    world.write("repo/ws/list.txt", "{ f; };\n");
    check_code(&mut world, |world| world.write("repo/ws/list.txt", "no list {\n"), 3);
}

fn a_changed_linker_links_again() {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return;
    }
    let mut world = linked("metadata=key={}", "#[test]\nfn t() {}");
    world.program("repo/ws/tools/cc", "#!/bin/sh\nexec cc \"$@\"\n");
    let config = "[target.x86_64-unknown-linux-gnu]\nlinker = \"./tools/cc\"\n";
    world.write("repo/ws/.cargo/config.toml", config);
    check_code(&mut world, |world| world.program("repo/ws/tools/cc", "#!/bin/sh\nexit 1\n"), 3);
}

fn an_edit_of_a_file_that_no_build_script_names_runs_none() {
    let world = with_script(ITSELF, "std::fs::read_to_string(\"data/x.txt\").unwrap()");
    world.write("repo/ws/conf/one.txt", "1\n");
    world.write("repo/ws/a/src/more.txt", "1\n");
    assert_eq!(world.warm().code, 0);
    let output = || {
        let build = world.path("repo/ws/target/genti/build/debug/build");
        let dirs = std::fs::read_dir(build).unwrap().map(|entry| entry.unwrap().path().join("output"));
        dirs.filter_map(|path| path.metadata().ok()?.modified().ok()).max().unwrap()
    };
    let ran = output();
    world.write("repo/ws/conf/one.txt", "2\n");
    world.write("repo/ws/a/src/more.txt", "2\n");
    assert_eq!(world.warm().code, 0);
    assert_eq!(output(), ran);
}

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

fn a_file_that_a_named_file_lists_is_an_input() {
    let program = "BEGIN { getline line < \"words.txt\"; exit line ~ /evil/ }\n";
    let mut world =
        own("[\"awk\", \"-f\", \"check.awk\"]", &[("check.awk", program), ("words.txt", "fine\n")]);
    check(&mut world, |world| world.write("repo/ws/words.txt", "evil\n"), 1);
}

fn a_pattern_in_a_shell_command_is_an_input() {
    for pattern in ["docs/*", "docs/$name.txt"] {
        let run = format!("[\"sh\", \"-c\", \"name=$(echo b); ! cat {pattern} | grep -q evil\"]");
        let mut world = own(&run, &[("docs/a.txt", "fine\n"), ("docs/b.txt", "fine\n")]);
        check(&mut world, |world| world.write("repo/ws/docs/b.txt", "evil\n"), 1);
    }
}

fn a_file_that_a_here_document_names_is_an_input() {
    let run = "[\"sh\", \"-c\", \"! sh <<E | grep -q evil\\ncat words.txt\\nE\"]";
    let mut world = own(run, &[("words.txt", "fine\n")]);
    check(&mut world, |world| world.write("repo/ws/words.txt", "evil\n"), 1);
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
