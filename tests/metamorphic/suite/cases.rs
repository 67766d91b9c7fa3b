//! Regression cases for results that were once cached for too long, each reduced to its smallest form.

mod tools;

use self::tools::{
    a_build_script_of_an_xtask_runs_for_a_changed_file_with_an_older_time,
    a_file_named_by_a_build_script_is_an_input_of_a_tool_that_runs_cargo,
    a_file_unignored_by_an_ignore_file_is_an_input_of_typos,
    a_file_unignored_by_the_configuration_of_typos_is_an_input,
    a_replay_in_the_users_target_directory_is_not_cached, a_source_ignored_by_git_is_an_input_of_machete,
    an_ignored_file_among_the_inputs_of_a_tool_for_each_file_is_an_input, an_unrelated_edit_builds_no_xtask,
    an_xtask_in_its_own_workspace_is_built_from_a_changed_source_with_an_older_time,
    an_xtask_is_built_from_a_changed_source_with_an_older_time,
};
use super::draft::Draft;
use super::parts::Tool;
use super::world::{HERE, Times, World};

/// Named case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        &[$(Case { name: stringify!($name), run: $name }),*]
    };
}

pub(crate) mod named;

pub(crate) const CASES: &[Case] = cases![
    a_linked_readme_is_an_input_of_doc,
    a_cargo_configuration_next_to_a_link_target_is_an_input,
    replacing_a_directory_with_a_link_is_a_change,
    a_linked_source_is_an_input_of_fmt,
    a_linked_source_is_an_input_of_clippy,
    a_directory_linked_from_several_crates_is_an_input_of_fmt,
    a_directory_linked_from_several_crates_is_an_input_of_clippy,
    a_root_among_the_sources_of_another_package_is_an_input_of_fmt,
    a_module_among_the_sources_of_another_package_is_an_input_of_fmt,
    findings_in_a_module_of_two_packages_stay_while_one_has_it,
    findings_behind_a_link_with_dots_go_when_their_file_is_fixed,
    files_behind_a_link_are_counted_for_the_target_that_reads_them,
    a_linked_rustfmt_configuration_is_an_input,
    a_linked_manifest_is_an_input,
    an_ignored_generated_module_is_an_input_of_fmt,
    an_ignored_generated_module_is_an_input_in_a_second_checkout,
    a_module_outside_the_workspace_is_an_input_of_fmt,
    a_build_script_module_outside_its_package_is_an_input,
    code_included_by_a_build_script_is_an_input,
    text_included_by_a_build_script_is_an_input,
    a_variable_compiled_into_a_build_script_is_an_input,
    text_outside_an_external_package_is_an_input,
    a_module_outside_an_external_package_is_an_input,
    a_file_named_by_the_build_script_of_an_external_package_is_an_input,
    a_package_of_another_workspace_is_an_input_with_its_included_files,
    an_ignored_directory_named_by_a_build_script_is_an_input,
    a_linked_directory_named_by_a_build_script_is_an_input,
    an_ignored_example_found_by_cargo_is_an_input_of_clippy,
    removing_a_file_that_a_tool_searches_for_is_a_change,
    a_tool_that_inherits_all_variables_depends_on_each,
    an_upgraded_pip_console_script_is_another_program,
    an_upgraded_npm_program_is_another_program,
    a_rustdoc_replay_does_not_hide_a_changed_readme,
    a_file_named_only_by_a_macro_is_an_input_of_doc,
    a_file_behind_a_link_that_a_procedural_macro_includes_is_an_input_of_doc,
    a_file_beside_the_package_that_a_procedural_macro_includes_is_an_input_of_doc,
    a_file_beside_the_package_that_a_macro_of_another_crate_includes_is_an_input_of_doc,
    a_path_with_dots_behind_a_link_is_not_the_file_of_that_name,
    a_file_included_by_generated_code_is_an_input_of_doc,
    a_clippy_replay_does_not_hide_a_changed_configuration,
    a_clippy_replay_does_not_hide_a_link_to_another_configuration,
    a_replay_after_an_untracked_change_reaches_no_other_checkout,
    clippy_checks_a_changed_source_with_an_older_time,
    clippy_checks_a_changed_manifest_again,
    doc_checks_a_changed_source_with_an_older_time,
    tests_are_built_from_a_changed_source_with_an_older_time,
    doc_tests_use_a_changed_source_with_an_older_time,
    a_changed_build_script_with_an_older_time_runs,
    a_readme_that_nothing_includes_rebuilds_nothing,
    a_source_with_an_older_time_runs_no_build_script,
    an_xtask_is_built_from_a_changed_source_with_an_older_time,
    an_xtask_in_its_own_workspace_is_built_from_a_changed_source_with_an_older_time,
    a_build_script_of_an_xtask_runs_for_a_changed_file_with_an_older_time,
    an_unrelated_edit_builds_no_xtask,
    a_replay_in_the_users_target_directory_is_not_cached,
    a_file_named_by_a_build_script_is_an_input_of_a_tool_that_runs_cargo,
    an_ignored_file_among_the_inputs_of_a_tool_for_each_file_is_an_input,
    a_source_ignored_by_git_is_an_input_of_machete,
    a_file_unignored_by_an_ignore_file_is_an_input_of_typos,
    a_file_unignored_by_the_configuration_of_typos_is_an_input,
];

const GOOD: &str = "pub fn f() -> u8 {\n    1\n}\n";
const BAD: &str = "pub fn f() -> u8 {\n   return 2;\n}\n";

/// Creates a workspace for `tool` with the additions of `draft`.
fn workspace(tool: Tool, draft: impl FnOnce(&mut Draft)) -> World {
    let mut world = World::new();
    let mut of = Draft::new(tool);
    draft(&mut of);
    of.write(&mut world, "");
    world
}

/// Checks that a run before `change` exits with 0, and that runs with the cache, without it, and in a second checkout
/// with the same cache exit with `code` after it.
#[track_caller]
fn check(world: &mut World, change: impl FnOnce(&mut World), code: i32) {
    let before = world.warm();
    assert_eq!(before.code, 0, "before the change\n{}", before.text);
    change(world);
    let warm = world.warm();
    let fresh = world.fresh();
    assert_eq!(fresh.code, code, "a fresh run must fail for this case to be useful\n{}", fresh.text);
    assert_eq!(warm.code, code, "with the cache\n{}\nfresh:\n{}", warm.text, fresh.text);
    assert!(warm.agrees(&fresh), "{}\nfresh:\n{}", warm.describe(), fresh.describe());
    check_carried(world, code);
}

#[track_caller]
fn check_carried(world: &World, code: i32) {
    let seen = world.second_checkout().warm();
    assert_eq!(seen.code, code, "in a second checkout with the same cache\n{}", seen.text);
}

fn a_linked_readme_is_an_input_of_doc() {
    let mut world = workspace(Tool::Doc, |draft| {
        draft.lib("#[doc = include_str!(\"../README.md\")]\npub mod m {}");
        draft.file("repo/ws/README.md", "See [Vec].\n");
        draft.link("repo/ws/a/README.md", "repo/ws/README.md");
    });
    check(&mut world, |world| world.write("repo/ws/README.md", "See [Vex].\n"), 1);
}

fn a_cargo_configuration_next_to_a_link_target_is_an_input() {
    let mut world = workspace(Tool::Clippy, |draft| {
        draft.lib("#[cfg(evil)]\npub fn f() -> u8 {\n    return 1;\n}");
        draft.file("home/.cargo/config.toml", "include = [{ path = \"linked/../more.toml\" }]\n");
        draft.file("out/shared/deep/x.txt", "");
        draft.file("out/shared/more.toml", "[build]\nrustflags = [\"--cfg\", \"good\"]\n");
        draft.link("home/.cargo/linked", "out/shared/deep");
    });
    check(&mut world, |world| world.edit("out/shared/more.toml", "good", "evil"), 1);
}

fn replacing_a_directory_with_a_link_is_a_change() {
    let mut world = workspace(Tool::Fmt, |draft| {
        draft.lib("#[path = \"inner/../s.rs\"]\npub mod s;");
        draft.file("repo/ws/a/src/inner/x.txt", "");
        draft.file("repo/ws/a/src/s.rs", GOOD);
        draft.file("repo/other/inner/x.txt", "");
        draft.file("repo/other/s.rs", BAD);
    });
    let change = |world: &mut World| {
        world.remove("repo/ws/a/src/inner");
        world.link("repo/ws/a/src/inner", "repo/other/inner");
    };
    check(&mut world, change, 1);
}

/// Adds `README.md` outside the package. The documentation of `a` includes it by a path that appears in no source text.
fn with_unnamed_readme(draft: &mut Draft) {
    draft.lib(
        "macro_rules! doc {\n    ($($part:literal),*) => {\n        #[doc = include_str!(concat!($($part),*))]\n        pub mod m {}\n    };\n}\n\ndoc!(\"../../READ\", \"ME.md\");",
    );
    draft.file("repo/ws/README.md", "See [Vec].\n");
}

fn a_file_named_only_by_a_macro_is_an_input_of_doc() {
    let mut world = workspace(Tool::Doc, with_unnamed_readme);
    check(&mut world, |world| world.write_at("repo/ws/README.md", "See [Vex].\n", Times::Old), 1);
}

/// Adds a procedural macro that includes the file at `path`, from the directory of the package that uses it, and a use.
fn include_by_macro(draft: &mut Draft, path: &str) {
    draft.package("m", "repo/ws/m", "[lib]\nproc-macro = true\n");
    draft.file(
        "repo/ws/m/src/lib.rs",
        format!("//! M.\n\n/// Makes.\n#[proc_macro]\npub fn make(_: proc_macro::TokenStream) -> proc_macro::TokenStream {{\n    \"include!(concat!(env!(\\\"CARGO_MANIFEST_DIR\\\"), \\\"/{path}\\\"));\".parse().unwrap()\n}}\n"),
    );
    draft.depend("dependencies", "m", "../m");
    draft.lib("pub mod made {\n    m::make!();\n}");
}

fn a_file_beside_the_package_that_a_procedural_macro_includes_is_an_input_of_doc() {
    let mut world = workspace(Tool::Doc, |draft| {
        include_by_macro(draft, "../shared/code.in");
        draft.file("repo/ws/shared/code.in", "/// [Vec]\npub const S: u8 = 1;\n");
    });
    check(&mut world, |world| world.write("repo/ws/shared/code.in", "/// [Vex]\npub const S: u8 = 1;\n"), 1);
}

fn a_file_beside_the_package_that_a_macro_of_another_crate_includes_is_an_input_of_doc() {
    let mut world = workspace(Tool::Doc, |draft| {
        draft.package("m", "repo/ws/m", "");
        draft.file(
            "repo/ws/m/src/lib.rs",
            "//! M.\n\n/// Makes.\n#[macro_export]\nmacro_rules! make {\n    ($n:literal) => {\n        include!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../shared/\", $n));\n    };\n}\n",
        );
        draft.depend("dependencies", "m", "../m");
        draft.lib("pub mod made {\n    m::make!(\"code.in\");\n}");
        draft.file("repo/ws/shared/code.in", "/// [Vec]\npub const S: u8 = 1;\n");
    });
    check(&mut world, |world| world.write("repo/ws/shared/code.in", "/// [Vex]\npub const S: u8 = 1;\n"), 1);
}

fn a_file_behind_a_link_that_a_procedural_macro_includes_is_an_input_of_doc() {
    let mut world = workspace(Tool::Doc, |draft| {
        include_by_macro(draft, "code.in");
        draft.file("repo/shared/code.in", "/// [Vec]\npub const S: u8 = 1;\n");
        draft.link("repo/ws/a/code.in", "repo/shared/code.in");
    });
    // Cargo compares the newest time in the package, so this file must not have it.
    let write = |world: &World, text| world.write_at("repo/shared/code.in", text, Times::Old);
    write(&world, "/// [Vec]\npub const S: u8 = 1;\n");
    check(&mut world, |world| write(world, "/// [Vex]\npub const S: u8 = 1;\n"), 1);
}

fn a_path_with_dots_behind_a_link_is_not_the_file_of_that_name() {
    let world = workspace(Tool::Fmt, |draft| {
        draft.lib("#[path = \"linked/../s.rs\"]\npub mod s;");
        draft.file("out/shared/deep/x.txt", "");
        draft.file("out/shared/s.rs", GOOD);
        draft.link("repo/ws/a/src/linked", "out/shared/deep");
    });
    let before = world.warm();
    // No tool reads this one.
    world.write("repo/ws/a/src/s.rs", GOOD);
    let after = world.warm();
    assert_eq!(after.code, 0, "{}", after.text);
    assert!(after.text.contains("1 file"), "{}", after.text);
    assert!(before.text.contains("1 file"), "{}", before.text);
    check_carried(&world, 0);
}

fn a_file_included_by_generated_code_is_an_input_of_doc() {
    let mut world = workspace(Tool::Doc, |draft| {
        draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
        draft.build.push("let readme = std::env::current_dir().unwrap().join(\"../README.md\");".to_owned());
        draft.build.push(
            "std::fs::write(std::env::var(\"OUT_DIR\").unwrap() + \"/made.rs\", format!(\"#[doc = include_str!({readme:?})]\\npub mod m {{}}\\n\")).unwrap();"
                .to_owned(),
        );
        draft.lib("include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));");
        draft.file("repo/ws/README.md", "See [Vec].\n");
    });
    check(&mut world, |world| world.write_at("repo/ws/README.md", "See [Vex].\n", Times::Old), 1);
}

fn a_linked_source_is_an_input_of_fmt() {
    source_behind_a_link(Tool::Fmt);
}

fn a_linked_source_is_an_input_of_clippy() {
    source_behind_a_link(Tool::Clippy);
}

fn source_behind_a_link(tool: Tool) {
    let mut world = workspace(tool, |draft| {
        draft.lib("pub mod s;");
        draft.file("repo/shared/s.rs", GOOD);
        draft.link("repo/ws/a/src/s.rs", "repo/shared/s.rs");
    });
    check(&mut world, |world| world.write("repo/shared/s.rs", BAD), 1);
}

fn a_directory_linked_from_several_crates_is_an_input_of_fmt() {
    directory_behind_links(Tool::Fmt);
}

fn a_directory_linked_from_several_crates_is_an_input_of_clippy() {
    directory_behind_links(Tool::Clippy);
}

fn directory_behind_links(tool: Tool) {
    let mut world = workspace(tool, |draft| {
        for name in ["b", "c", "d", "e"] {
            draft.package(name, &format!("repo/ws/{name}"), "");
            draft.file(format!("repo/ws/{name}/src/lib.rs"), "//! L.\n\npub mod syntax;\n");
            draft.link(format!("repo/ws/{name}/src/syntax"), "repo/ws/syntax");
        }
        draft.file("repo/ws/syntax/mod.rs", "pub mod s;\n");
        draft.file("repo/ws/syntax/s.rs", GOOD);
    });
    check(&mut world, |world| world.write("repo/ws/syntax/s.rs", BAD), 1);
}

/// Creates a workspace in which rustfmt formats the roots of all packages in one process.
fn formatted_at_once(draft: impl FnOnce(&mut Draft)) -> World {
    let mut world = workspace(Tool::Fmt, draft);
    world.set("GENTI_BATCH", Some("100"));
    world
}

fn a_root_among_the_sources_of_another_package_is_an_input_of_fmt() {
    let mut world = formatted_at_once(|draft| {
        draft.package("r", "repo/ws/r", "[lib]\npath = \"../a/src/root.rs\"\n");
        draft.file("repo/ws/a/src/root.rs", GOOD);
    });
    check(&mut world, |world| world.write("repo/ws/a/src/root.rs", BAD), 1);
}

fn a_module_among_the_sources_of_another_package_is_an_input_of_fmt() {
    let mut world = formatted_at_once(|draft| {
        draft.package("r", "repo/ws/r", "[lib]\npath = \"../r.rs\"\n");
        draft.file("repo/ws/r.rs", "#[path = \"a/src/s.rs\"]\npub mod s;\n");
        draft.file("repo/ws/a/src/s.rs", GOOD);
    });
    check(&mut world, |world| world.write("repo/ws/a/src/s.rs", BAD), 1);
}

fn findings_behind_a_link_with_dots_go_when_their_file_is_fixed() {
    let world = formatted_at_once(|draft| {
        draft.file("repo/ws/a/tests/t.rs", "#[path = \"linked/../s.rs\"]\nmod s;\n");
        draft.file("repo/ws/shared/deep/x.txt", "");
        draft.link("repo/ws/a/tests/linked", "repo/ws/shared/deep");
        draft.file("repo/ws/shared/s.rs", GOOD);
    });
    for (text, code) in [(GOOD, 0), (BAD, 1), (GOOD, 0), (BAD, 1)] {
        world.write("repo/ws/shared/s.rs", text);
        let warm = world.warm();
        assert_eq!(warm.code, code, "{}", warm.text);
    }
}

fn files_behind_a_link_are_counted_for_the_target_that_reads_them() {
    let world = formatted_at_once(|draft| {
        draft.lib("#[cfg_attr(windows, path = \"s.rs\")]\npub mod x;");
        draft.file("repo/ws/a/src/x.rs", GOOD);
        draft.file("repo/ws/a/tests/t.rs", GOOD);
        draft.file("repo/ws/shared/0/s.rs", BAD);
        draft.file("repo/ws/shared/1/s.rs", GOOD);
        draft.file("repo/.gitignore", "/ws/a/src/s.rs\n");
        draft.link("repo/ws/a/src/s.rs", "repo/ws/shared/0/s.rs");
    });
    for target in ["repo/ws/shared/0/s.rs", "repo/ws/shared/1/s.rs", "repo/ws/shared/0/s.rs"] {
        world.remove("repo/ws/a/src/s.rs");
        world.link("repo/ws/a/src/s.rs", target);
        let warm = world.warm();
        assert!(warm.text.contains("4 files"), "{}", warm.text);
    }
}

fn findings_in_a_module_of_two_packages_stay_while_one_has_it() {
    for changed in ["a", "b", "c"] {
        let world = formatted_at_once(|draft| {
            for name in ["b", "c"] {
                draft.package(name, &format!("repo/ws/{name}"), "");
                draft.file(
                    format!("repo/ws/{name}/src/lib.rs"),
                    "#[path = \"../../shared/s.rs\"]\npub mod s;\n",
                );
            }
            draft.file("repo/ws/shared/s.rs", BAD);
        });
        assert_eq!(world.warm().code, 1);
        world.write(&format!("repo/ws/{changed}/src/lib.rs"), GOOD);
        let (warm, fresh) = (world.warm(), world.fresh());
        assert!(fresh.code == 1 && warm.agrees(&fresh), "{}\nfresh:\n{}", warm.describe(), fresh.describe());
    }
}

fn a_linked_rustfmt_configuration_is_an_input() {
    let mut world = workspace(Tool::Fmt, |draft| {
        draft.lib("pub fn long() -> u32 {\n    let first_summand = 1;\n    first_summand + first_summand + first_summand\n}");
        draft.file("repo/style/rustfmt.toml", "max_width = 100\n");
        draft.link("repo/ws/rustfmt.toml", "repo/style/rustfmt.toml");
    });
    check(&mut world, |world| world.write("repo/style/rustfmt.toml", "max_width = 40\n"), 1);
}

fn a_linked_manifest_is_an_input() {
    let mut world = workspace(Tool::Clippy, |draft| {
        draft.package("m", "repo/ws/m", "");
        draft.file("repo/ws/m/src/lib.rs", "pub fn f() -> u8 {\n    return 1;\n}\n");
        draft.files.remove("repo/ws/m/Cargo.toml");
        draft.file("repo/manifests/m.toml", "[package]\nname = \"m\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lints.clippy]\nneedless_return = \"allow\"\n");
        draft.link("repo/ws/m/Cargo.toml", "repo/manifests/m.toml");
    });
    check(&mut world, |world| world.edit("repo/manifests/m.toml", "\"allow\"", "\"warn\""), 1);
}

fn with_ignored_module() -> World {
    workspace(Tool::Fmt, |draft| {
        draft.lib("pub mod generated;");
        draft.file("repo/ws/a/src/generated.rs", GOOD);
        draft.ignore("repo/ws/a/src/generated.rs");
    })
}

fn an_ignored_generated_module_is_an_input_of_fmt() {
    check(&mut with_ignored_module(), |world| world.write("repo/ws/a/src/generated.rs", BAD), 1);
}

fn an_ignored_generated_module_is_an_input_in_a_second_checkout() {
    let world = with_ignored_module();
    assert_eq!(world.warm().code, 0);
    let there = world.second_checkout();
    there.write("repo/ws/a/src/generated.rs", BAD);
    let seen = there.warm();
    assert_eq!(seen.code, 1, "{}", seen.text);
}

fn a_module_outside_the_workspace_is_an_input_of_fmt() {
    let mut world = workspace(Tool::Fmt, |draft| {
        draft.lib("#[path = \"../../../shared/s.rs\"]\npub mod s;");
        draft.file("repo/shared/s.rs", GOOD);
    });
    check(&mut world, |world| world.write("repo/shared/s.rs", BAD), 1);
}

/// Creates a member whose build script has these items and sets a variable to the expression. The member only compiles
/// if the value is "1".
fn with_script(items: &str, expression: &str) -> World {
    workspace(Tool::Clippy, |draft| {
        draft.build_items.push(items.to_owned());
        draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
        draft.build.push(format!("println!(\"cargo::rustc-env=MADE={{}}\", {expression});"));
        draft.lib("const _: () = assert!(env!(\"MADE\").as_bytes()[0] == b'1');");
        draft.file("repo/ws/shared/version.rs", "pub const VERSION: u8 = 1;\n");
        draft.file("repo/ws/version.txt", "1\n");
    })
}

fn a_build_script_module_outside_its_package_is_an_input() {
    let mut world = with_script("#[path = \"../shared/version.rs\"]\nmod version;\n", "version::VERSION");
    check(&mut world, |world| world.edit("repo/ws/shared/version.rs", "= 1", "= 2"), 3);
}

fn code_included_by_a_build_script_is_an_input() {
    let mut world = with_script("include!(\"../shared/version.rs\");\n", "VERSION");
    check(&mut world, |world| world.edit("repo/ws/shared/version.rs", "= 1", "= 2"), 3);
}

fn text_included_by_a_build_script_is_an_input() {
    let mut world = with_script("", "include_str!(\"../version.txt\").trim()");
    check(&mut world, |world| world.write("repo/ws/version.txt", "2\n"), 3);
}

fn a_variable_compiled_into_a_build_script_is_an_input() {
    let mut world = with_script("", "option_env!(\"VERSION_MADE\").unwrap_or(\"1\")");
    check(&mut world, |world| world.set("VERSION_MADE", Some("2")), 3);
}

/// Creates a workspace with a package `far` in `dir` that `a` depends on.
fn with_package(dir: &str, source: &str, script: Option<&str>) -> World {
    workspace(Tool::Clippy, |draft| {
        draft.package("far", dir, "");
        draft.file(format!("{dir}/src/lib.rs"), source);
        if let Some(script) = script {
            draft.file(format!("{dir}/build.rs"), script);
        }
        draft.file(format!("{}/data.txt", dir.rsplit_once('/').unwrap().0), "1\n");
        draft.file(format!("{}/data.rs", dir.rsplit_once('/').unwrap().0), "pub const DATA: u8 = b'1';\n");
        draft.depend("dependencies", "far", &super::world::relative("repo/ws/a", dir));
        draft.lib("const _: () = assert!(far::DATA == b'1');");
    })
}

fn text_outside_an_external_package_is_an_input() {
    let source = "pub const DATA: u8 = include_bytes!(\"../../data.txt\")[0];\n";
    let mut world = with_package("out/far", source, None);
    check(&mut world, |world| world.write("out/data.txt", "2\n"), 3);
}

fn a_module_outside_an_external_package_is_an_input() {
    let source = "#[path = \"../../data.rs\"]\nmod data;\npub use data::DATA;\n";
    let mut world = with_package("out/far", source, None);
    check(&mut world, |world| world.edit("out/data.rs", "b'1'", "b'2'"), 3);
}

fn a_file_named_by_the_build_script_of_an_external_package_is_an_input() {
    let script = "fn main() {\n    println!(\"cargo::rerun-if-changed=../data.txt\");\n    let text = std::fs::read_to_string(\"../data.txt\").unwrap();\n    println!(\"cargo::rustc-env=DATA={text}\");\n}\n";
    let mut world =
        with_package("out/far", "pub const DATA: u8 = env!(\"DATA\").as_bytes()[0];\n", Some(script));
    check(&mut world, |world| world.write("out/data.txt", "2\n"), 3);
}

fn a_package_of_another_workspace_is_an_input_with_its_included_files() {
    let source = "pub const DATA: u8 = include_bytes!(\"../../data.txt\")[0];\n";
    let mut world = with_package("repo/other/far", source, None);
    world.write("repo/other/Cargo.toml", "[workspace]\nmembers = [\"far\"]\nresolver = \"3\"\n");
    check(&mut world, |world| world.write("repo/other/data.txt", "2\n"), 3);
}

/// Creates a member whose build script names the directory `data` and reads a file in it.
fn with_directory() -> Draft {
    let mut draft = Draft::new(Tool::Clippy);
    draft.build.push("println!(\"cargo::rerun-if-changed=data\");".to_owned());
    draft.build.push(
        "println!(\"cargo::rustc-env=MADE={}\", std::fs::read_to_string(\"data/x.txt\").unwrap());"
            .to_owned(),
    );
    draft.lib("const _: () = assert!(env!(\"MADE\").as_bytes()[0] == b'1');");
    draft
}

fn an_ignored_directory_named_by_a_build_script_is_an_input() {
    let (mut world, mut draft) = (World::new(), with_directory());
    draft.file("repo/ws/a/data/x.txt", "1\n");
    draft.ignore("repo/ws/a/data/");
    draft.write(&mut world, "");
    check(&mut world, |world| world.write("repo/ws/a/data/x.txt", "2\n"), 3);
}

fn a_linked_directory_named_by_a_build_script_is_an_input() {
    let (mut world, mut draft) = (World::new(), with_directory());
    draft.file("out/data/x.txt", "1\n");
    draft.link("repo/ws/a/data", "out/data");
    draft.write(&mut world, "");
    check(&mut world, |world| world.write("out/data/x.txt", "2\n"), 3);
}

fn an_ignored_example_found_by_cargo_is_an_input_of_clippy() {
    let mut world = workspace(Tool::Clippy, |draft| draft.ignore("repo/ws/a/examples/"));
    let example = "fn main() {\n    let unused = 1;\n}\n";
    check(&mut world, |world| world.write("repo/ws/a/examples/x.rs", example), 1);
}

fn removing_a_file_that_a_tool_searches_for_is_a_change() {
    let mut world = workspace(Tool::Own, |draft| {
        draft.file("repo/ws/.toolrc", "fine\n");
        draft.own_tool(0, "searches = [\".toolrc\"]\nrun = [\"sh\", \"-c\", \"test -e .toolrc\"]");
    });
    check(&mut world, |world| world.remove("repo/ws/.toolrc"), 1);
}

fn a_tool_that_inherits_all_variables_depends_on_each() {
    let mut world = workspace(Tool::Own, |draft| {
        draft.own_tool(0, "inherit-env = true\nrun = [\"sh\", \"-c\", 'test \"$APP_MODE\" != bad']");
    });
    world.set("APP_MODE", Some("good"));
    check(&mut world, |world| world.set("APP_MODE", Some("bad")), 1);
}

fn an_upgraded_pip_console_script_is_another_program() {
    upgrade("a console script of pip that is upgraded");
}

fn an_upgraded_npm_program_is_another_program() {
    upgrade("a program of npm that is upgraded");
}

/// Upgrades the program of the part `name`. Checks that run.json has the version that ran.
#[expect(clippy::print_stdout, reason = "a test harness prints its results")]
fn upgrade(name: &str) {
    let all = super::parts::all();
    let part = all.iter().find(|part| part.name == name).unwrap();
    if let Some(program) = part.missing_program() {
        return println!("skipped: {name}: {program} is not installed");
    }
    let super::parts::Seat::Scripted(make) = part.seat else { unreachable!("the part has a script") };
    let spot = super::spot::Spot::new(&part.seat, 0, 0, super::spot::Way::Direct, "");
    let mut world = workspace(Tool::Own, |draft| (part.draft)(draft, &spot));
    make(&world, "good");
    check(&mut world, |world| make(world, "evil"), 1);
    let run = world.read("repo/ws/target/genti/artifacts/run.json");
    assert!(run.contains("2.0"), "the version in run.json is not the one that ran\n{run}");
}

fn a_rustdoc_replay_does_not_hide_a_changed_readme() {
    let mut world = workspace(Tool::Doc, |draft| {
        draft.lib("#[doc = include_str!(\"../../README.md\")]\npub mod m {}");
        draft.file("repo/ws/README.md", "See [Vec].\n");
    });
    check(&mut world, |world| world.write("repo/ws/README.md", "See [Vex].\n"), 1);
}

fn a_clippy_replay_does_not_hide_a_changed_configuration() {
    let mut world = workspace(Tool::Clippy, |draft| draft.lib("pub fn many(_: u8, _: u8, _: u8) {}"));
    check(&mut world, |world| world.write("repo/ws/clippy.toml", "too-many-arguments-threshold = 2\n"), 1);
}

fn a_clippy_replay_does_not_hide_a_link_to_another_configuration() {
    let mut world = workspace(Tool::Clippy, |draft| {
        draft.lib("pub fn many(_: u8, _: u8, _: u8) {}");
        draft.env.insert("CLIPPY_CONF_DIR".to_owned(), format!("{HERE}/repo/ws/conf"));
        draft.file("repo/ws/good.toml", "too-many-arguments-threshold = 7\n");
        draft.file("repo/ws/bad.toml", "too-many-arguments-threshold = 2\n");
        draft.link("repo/ws/conf/clippy.toml", "repo/ws/good.toml");
    });
    // Clippy's dep-info names the file behind the link, which does not change.
    check(
        &mut world,
        |world| {
            world.remove("repo/ws/conf/clippy.toml");
            world.link("repo/ws/conf/clippy.toml", "repo/ws/bad.toml");
        },
        1,
    );
}

fn a_replay_after_an_untracked_change_reaches_no_other_checkout() {
    let world = workspace(Tool::Clippy, |draft| {
        draft.package("m", "repo/ws/m", "[lib]\nproc-macro = true\n");
        draft.file("repo/ws/m/src/lib.rs", "//! M.\n\nuse proc_macro::TokenStream;\n\n/// Makes.\n#[proc_macro]\npub fn make(_: TokenStream) -> TokenStream {\n    let dir = std::env::var(\"CARGO_MANIFEST_DIR\").unwrap();\n    std::fs::read_to_string(format!(\"{dir}/made.in\")).unwrap().parse().unwrap()\n}\n");
        draft.depend("dependencies", "m", "../m");
        draft.lib("m::make!();");
        draft.file("repo/ws/a/made.in", "const _: () = assert!(true);\n");
    });
    let before = world.warm();
    assert_eq!(before.code, 0, "{}", before.text);
    world.write("repo/ws/a/made.in", "const _: () = assert!(false);\n");
    // Cargo cannot detect this change, so a replay is acceptable here, but it must not reach another checkout.
    world.warm();
    assert_eq!(world.fresh().code, 3);
    check_carried(&world, 3);
}

/// Checks a change of a module whose new file is older than the last build.
fn older(tool: Tool, code: i32) {
    let mut world = workspace(tool, |draft| {
        draft.lib("pub mod s;");
        match tool {
            Tool::Test => draft.lib("#[test]\nfn t() {\n    assert_eq!(s::f(), 1);\n}"),
            Tool::Doctest => draft.lib("/// ```\n/// assert_eq!(a::s::f(), 1);\n/// ```\npub fn d() {}"),
            _ => {}
        }
        draft.file("repo/ws/a/src/s.rs", format!("/// [Vec]\n{GOOD}"));
        // Newer than the source, because cargo only checks the newest file of a package that it documents.
        draft.file("repo/ws/a/zebra.txt", "");
    });
    let bad = format!("/// [Vex]\n{BAD}");
    check(&mut world, |world| world.write_at("repo/ws/a/src/s.rs", &bad, Times::Old), code);
}

fn clippy_checks_a_changed_manifest_again() {
    let mut world = workspace(Tool::Clippy, |draft| {
        draft.manifest("lints.clippy", "cargo_common_metadata = \"warn\"");
        for line in [
            "description = \"A\"",
            "license = \"MIT\"",
            "repository = \"https://example.com\"",
            "readme = \"README.md\"",
            "categories = [\"config\"]",
            "keywords = [\"good\"]",
        ] {
            draft.manifest("package", line);
        }
    });
    check(
        &mut world,
        |world| world.edit("repo/ws/a/Cargo.toml", "keywords = [\"good\"]", "keywords = []"),
        1,
    );
}

fn clippy_checks_a_changed_source_with_an_older_time() {
    older(Tool::Clippy, 1);
}

fn doc_checks_a_changed_source_with_an_older_time() {
    older(Tool::Doc, 1);
}

fn tests_are_built_from_a_changed_source_with_an_older_time() {
    older(Tool::Test, 1);
}

fn doc_tests_use_a_changed_source_with_an_older_time() {
    older(Tool::Doctest, 1);
}

fn a_changed_build_script_with_an_older_time_runs() {
    let world = workspace(Tool::Codegen, |draft| {
        draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
        draft.build.push("assert!(true );".to_owned());
    });
    let before = world.warm();
    assert_eq!(before.code, 0, "{}", before.text);
    let bad = world.read("repo/ws/a/build.rs").replace("true )", "false)");
    world.write_at("repo/ws/a/build.rs", &bad, Times::Old);
    let (warm, fresh) = (world.warm(), world.fresh());
    assert!(fresh.code != 0 && warm.agrees(&fresh), "{}\nfresh:\n{}", warm.describe(), fresh.describe());
}

/// Creates a workspace whose build script appends a line to `out/scripts` when it runs, and whose library appends one
/// to `out/builds` when it is built, through a procedural macro.
fn counted() -> World {
    workspace(Tool::Clippy, |draft| {
        let count = |name: &str| {
            format!(
                "std::io::Write::write_all(&mut std::fs::File::options().append(true).create(true).open(\"{HERE}/out/{name}\").unwrap(), b\"x\\n\").unwrap();"
            )
        };
        draft.package("m", "repo/ws/m", "[lib]\nproc-macro = true\n");
        draft.file("repo/ws/m/src/lib.rs", format!("//! M.\n\nuse proc_macro::TokenStream;\n\n/// Makes.\n#[proc_macro]\npub fn make(_: TokenStream) -> TokenStream {{\n    {}\n    TokenStream::new()\n}}\n", count("builds")));
        draft.depend("dependencies", "m", "../m");
        draft.build.push("println!(\"cargo::rerun-if-changed=build.rs\");".to_owned());
        draft.build.push(count("scripts"));
        draft.lib("m::make!();");
        draft.lib("pub fn many(_: u8, _: u8, _: u8) {}");
        draft.file("repo/ws/a/README.md", "Read me.\n");
    })
}

fn lines(world: &World, path: &str) -> usize {
    world.read(path).lines().count()
}

fn a_readme_that_nothing_includes_rebuilds_nothing() {
    let world = counted();
    assert_eq!(world.warm().code, 0);
    let before = lines(&world, "out/builds");
    world.write("repo/ws/a/README.md", "Read me!\n");
    assert_eq!(world.warm().code, 0);
    assert_eq!(lines(&world, "out/builds"), before, "the library was built again");
}

fn a_source_with_an_older_time_runs_no_build_script() {
    let world = counted();
    assert_eq!(world.warm().code, 0);
    let before = lines(&world, "out/scripts");
    let text = world.read("repo/ws/a/src/lib.rs");
    world.write_at("repo/ws/a/src/lib.rs", &format!("{text}fn unused() {{}}\n"), Times::Old);
    let seen = world.warm();
    assert_eq!(seen.code, 1, "{}", seen.text);
    assert_eq!(lines(&world, "out/scripts"), before, "the build script was run again");
}
