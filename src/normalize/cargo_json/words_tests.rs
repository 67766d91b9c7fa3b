//! Tests of lints without a place, generated files, and messages of cargo and build scripts on stderr. Captured with
//! cargo 1.95.0.

use std::collections::BTreeMap;

use snapbox::str;

use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::tool::Parse;
use crate::model::workspace::TargetKind::{Bin, BuildScript, Lib};
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::testing::{assert_shown, run, tool, workspace};
use crate::normalize::{Parsed, Traces};

const STDERR: &str = include_str!("../testdata/cargo-warnings.stderr");
const FINISHED: &str = "{\"reason\":\"build-finished\",\"success\":true}\n";

/// `b` needs `a`, whose build script generates code and prints many messages.
fn sample() -> Workspace {
    workspace(
        &[
            ("a", &[(BuildScript, "a/build.rs"), (Lib, "a/src/lib.rs"), (Bin, "a/src/main.rs")]),
            ("b", &[(Lib, "b/src/lib.rs"), (Bin, "b/src/one.rs")]),
            ("c", &[(Bin, "c/src/main.rs")]),
        ],
        &[
            ".cargo/config.toml",
            "Cargo.toml",
            "a/Cargo.toml",
            "a/build.rs",
            "a/src/x.c",
            "b/Cargo.toml",
            "b/src/one.rs",
            "c/Cargo.toml",
        ],
    )
}

/// Parses a clippy run over all members.
fn clippy(stdout: &str, stderr: &str) -> Parsed {
    let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy", "--all-targets"]);
    let parsed = run(&sample(), &tool, &[Unit::Workspace], stdout, stderr, 0).expect("readable");
    Parsed { traces: Traces::default(), ..parsed }
}

/// Returns cargo's last messages after building `a`.
fn finished() -> String {
    format!(
        r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/ws/a#0.1.0","target":{{"kind":["lib"],"name":"a"}},"profile":{{"test":false}},"filenames":[]}}
{FINISHED}"#
    )
}

fn settled(mut parsed: Parsed, sources: &[(&str, &str)]) -> Parsed {
    let sources = sources.iter().map(|(path, text)| (RelPath::new(path), text.as_bytes().to_vec()));
    parsed.settle(&sources.collect::<BTreeMap<_, _>>(), &crate::model::halt::Never).unwrap();
    parsed
}

#[test]
fn lints_without_a_place_are_reported_once_per_package_and_generated_code_is_named() {
    assert_shown(
        &clippy(include_str!("../testdata/cargo-lints.jsonl"), ""),
        str![[r#"
warning clippy clippy::needless_return a/OUT_DIR/gen.rs 1:20-1:28 @0: unneeded `return` statement
  generated code: `pub fn g() -> u8 { return 1; }`
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#needless_return
  remove `return` at a/OUT_DIR/gen.rs 1:20-1:28
warning clippy clippy::needless_return a/OUT_DIR/gen.rs 3:5-3:13 @0: unneeded `return` statement
  generated code: `return 2;`
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#needless_return
  remove `return` at a/OUT_DIR/gen.rs 3:5-3:13
warning clippy clippy::cargo_common_metadata package a @0: package `a` is missing `package.description` metadata
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#cargo_common_metadata
warning clippy clippy::negative_feature_names package a @0: the "no-" prefix in the feature name "no-x" is negative
  consider renaming the feature to "x", but make sure the feature adds functionality
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#negative_feature_names
warning clippy clippy::cargo_common_metadata package b @1: package `b` is missing `package.description` metadata
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#cargo_common_metadata
warning clippy clippy::negative_feature_names package b @1: the "no-" prefix in the feature name "no-x" is negative
  consider renaming the feature to "x", but make sure the feature adds functionality
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#negative_feature_names
warning clippy clippy::cargo_common_metadata package c @2: package `c` is missing `package.description` metadata
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#cargo_common_metadata

"#]],
    );
}

#[test]
fn a_lint_about_a_crate_points_to_its_root_whatever_the_first_item_is() {
    let lint = |root: &str| {
        let span = format!(
            r#"{{"file_name":"{root}","byte_start":0,"byte_end":0,"line_start":1,"column_start":1,"line_end":1,"column_end":1,"is_primary":true,"text":[]}}"#
        );
        format!(
            r#"{{"reason":"compiler-message","package_id":"path+file:///w/ws/a#0.1.0","target":{{"kind":["lib"],"name":"a"}},"message":{{"message":"extern crate `b` is unused in crate `a`","code":{{"code":"unused_crate_dependencies"}},"level":"warning","spans":[{span}]}}}}"#
        ) + "\n"
    };
    // A program may not use what the library uses.
    let stdout = lint("a/src/lib.rs").repeat(2) + &lint("a/src/main.rs") + &finished();
    let found = clippy(&stdout, "").diagnostics;
    let places: Vec<_> = found.iter().map(|found| (found.place.name(), found.place.range())).collect();
    assert_eq!(places, [("a/src/lib.rs".to_owned(), None), ("a/src/main.rs".to_owned(), None)]);
}

#[test]
fn warnings_of_cargo_are_findings_at_the_file_they_concern_or_notices() {
    let sources = [
        ("Cargo.toml", "[workspace]\nmembers = []\n\"bogus\" = 1\n\n[profile.dev]\nnope = 3\n"),
        ("a/Cargo.toml", "[package]\nname = 'a'\n# wat = 0\nwat = 1\n"),
    ];
    assert_shown(
        &settled(clippy(&finished(), STDERR), &sources),
        str![[r#"
warning cargo cargo::config .cargo/config.toml: unused config key `build.wat` in `.cargo/config.toml`
warning cargo cargo::manifest Cargo.toml: patch `nothere v1.0.0 (/w/dep2)` was not used in the crate graph
warning cargo cargo::manifest Cargo.toml: virtual workspace defaulting to `resolver = "1"` despite one or more workspace members being on edition 2021 which implies `resolver = "2"`
  to keep the current resolver, specify `workspace.resolver = "1"` in the workspace root's manifest
  to use the edition 2021 resolver, specify `workspace.resolver = "2"` in the workspace root's manifest
  for more details see https://doc.rust-lang.org/cargo/reference/resolver.html#resolver-versions
warning cargo cargo::manifest Cargo.toml 3:1-4:1: unused manifest key: workspace.bogus
warning cargo cargo::manifest Cargo.toml 6:1-7:1: unused manifest key: profile.dev.nope
warning cargo cargo::manifest a/Cargo.toml @0: profiles for the non root package will be ignored, specify profiles at the workspace root:
package:   a/Cargo.toml
workspace: Cargo.toml
warning cargo cargo::manifest a/Cargo.toml 4:1-5:1 @0: unused manifest key: package.wat
warning cargo cargo::build_script_warning a/build.rs @0: /etc/passwd:1: no
warning cargo cargo::build_script_warning a/build.rs @0: from a's script
warning cargo cargo::build_script_warning a/build.rs @0: not built:
one
  two
warning cargo cargo::build_script_warning a/build.rs @0: see this
warning cargo cargo::build_script_warning a/src/x.c 3:1-4:1 @0: unused `y`
  In file included from src/x.c:1:
    3 | int y;
      |     ^
warning cargo cargo::manifest b/Cargo.toml @1: file `b/src/one.rs` found to be present in multiple build targets:
  * `bin` target `one`
  * `bin` target `two`
warning cargo cargo::manifest c/Cargo.toml @2: no edition set: defaulting to the 2015 edition while the latest is 2024
notice: dep@0.3.0: of a dependency

"#]],
    );
}

#[test]
fn warnings_are_reported_for_requested_packages_only() {
    let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy", "-p", "c"]);
    let stdout =
        finished().replace("/ws/a#", "/ws/c#").replace(r#"["lib"],"name":"a""#, r#"["bin"],"name":"c""#);
    let parsed = run(&sample(), &tool, &[Unit::Package(PackageId(2))], stdout, STDERR, 0).expect("readable");
    let places: Vec<_> = parsed.diagnostics.iter().map(|found| found.place.name()).collect();
    assert_eq!(
        places,
        [".cargo/config.toml", "Cargo.toml", "Cargo.toml", "Cargo.toml", "Cargo.toml", "c/Cargo.toml"]
    );
}

#[test]
fn without_other_members_cargo_names_no_manifest() {
    let stderr = "warning: unused manifest key: package.wat\nwarning: no edition set: defaulting to the 2015 edition\n\
                  warning: `a` (lib) generated 2 warnings (run `cargo clippy --fix --lib -p a` to apply 1 suggestion)\n\
                  warning: hard linking files in the incremental compilation cache failed.\n\
                  warning: `/home/me/.cargo/config` is deprecated in favor of `config.toml`\n\
                  warning: something that no version has said so far\n\
                  error: unused manifest key: package.no\n   warning: indented\n\
                  warning: a@0.1.0: genti: 1 generated files were written to gen\n";
    assert_shown(
        &clippy(&finished(), stderr),
        str![[r#"
warning cargo cargo::manifest Cargo.toml: no edition set: defaulting to the 2015 edition
warning cargo cargo::manifest Cargo.toml: unused manifest key: package.wat
notice: a: genti: 1 generated files were written to gen
notice: something that no version has said so far

"#]],
    );
}

#[test]
fn a_plain_build_does_not_repeat_warnings() {
    let tool = tool("test-build", Parse::CargoBuild, &["cargo", "build", "--tests"]);
    let parsed = run(&sample(), &tool, &[Unit::Workspace], finished(), STDERR, 0).expect("readable");
    assert_eq!((parsed.diagnostics.len(), parsed.notices.len()), (0, 0));
}

#[test]
fn a_multi_line_error_is_one_finding_at_the_file_that_it_names() {
    let stderr = "error: a@0.1.0: src/x.c: `cc` failed (exit status: 1):\nerror: a@0.1.0:   x.c:1: no\nerror: a@0.1.0:     \
                  int\nerror: a@0.1.0: \nerror: a@0.1.0: src/x.c:3:7: expected one of:\nerror: a@0.1.0: - int\nerror: \
                  a@0.1.0: - char\nerror: a@0.1.0: no place: at all\nerror: c@0.1.0:   said by another\nerror: a@0.1.0: build.rs: no\n";
    let tool = tool("codegen", Parse::BuildScripts, &["cargo", "check"]);
    let units = [0, 1, 2].map(|id| Unit::Package(PackageId(id)));
    let failed = "{\"reason\":\"build-finished\",\"success\":false}\n";
    let parsed = run(&sample(), &tool, &units, failed, stderr, 101).expect("readable");
    assert_shown(
        &Parsed { gaps: Vec::new(), ..parsed },
        str![[r#"
error codegen build-script a/build.rs @0: no (fatal)
error codegen build-script a/src/x.c @0: `cc` failed (exit status: 1):
x.c:1: no
  int (fatal)
error codegen build-script a/src/x.c 3:1-4:1 @0: expected one of:
- int
- char
no place: at all (fatal)
error codegen build-script package c @2: said by another (fatal)

"#]],
    );
}

#[test]
fn a_compiler_error_without_a_place_points_to_the_file_in_its_text() {
    let error = |text: &str| {
        let message = format!(
            r#"{{"reason":"compiler-message","package_id":"path+file:///w/ws/a#0.1.0","target":{{"kind":["lib"],"name":"a"}},"message":{{"message":"{text}","level":"error","spans":[]}}}}"#
        );
        let failed = "\n{\"reason\":\"build-finished\",\"success\":false}\n";
        let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy"]);
        let parsed = run(&sample(), &tool, &[Unit::Workspace], message + failed, "", 101).expect("readable");
        let [found] = parsed.diagnostics.as_slice() else { panic!("{parsed:?}") };
        (found.place.name(), found.message.to_string())
    };
    assert_eq!(
        error(r"couldn't generate code:\n  in `/w/ws/a/src/x.c`"),
        ("a/src/x.c".to_owned(), "couldn't generate code:\n  in `a/src/x.c`".to_owned())
    );
    assert_eq!(error("linking with `cc` failed: exit status: 1").0, "package a");
}
