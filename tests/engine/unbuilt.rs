//! Tests of targets that no tool compiles, documents or tests, although the tools pass.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Sandbox, disabled};

/// Returns `kind: reason` for each blind spot of the last run.
fn spots(sandbox: &Sandbox) -> BTreeSet<String> {
    let report = sandbox.json("report.json");
    let spots = report["blind_spots"].as_array().expect("they were looked for").iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    // That no tool formatted a file is not the question here.
    let spots = spots.filter(|spot| spot["kind"] != "unseen-file");
    spots.map(|spot| format!("{}: {}", text(&spot["kind"]), text(&spot["reason"]))).collect()
}

fn set(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// The package `clean` with a library, a program and these further lines in its manifest; only the tools in `config` run.
fn package(manifest: &str, config: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    for dir in ["examples", "src", "tests"] {
        std::fs::remove_dir_all(sandbox.root().join(dir)).unwrap();
    }
    std::fs::remove_file(sandbox.root().join("build.rs")).unwrap();
    sandbox.write("src/lib.rs", "//! A library.\n");
    sandbox.write("src/main.rs", "//! A program.\nfn main() {}\n");
    let base = sandbox.text("Cargo.toml");
    sandbox.write("Cargo.toml", &format!("{base}{manifest}"));
    let off: Vec<_> = ["fmt", "clippy", "doc", "test", "doctest"]
        .into_iter()
        .filter(|tool| !config.contains(&format!("[tools.{tool}]")))
        .collect();
    sandbox.write("genti.toml", &format!("{config}\n{}", disabled(&off)));
    sandbox
}

const CLIPPY: &str = "[tools.clippy]\n";
const DOC: &str = "[tools.doc]\n";
const NO_DOCS: &str = "untested-target: `clean`: no tool runs its doc tests";

#[test]
fn a_library_that_no_tool_documents_is_a_blind_spot_if_one_documents_its_package() {
    let off = "\n[lib]\ndoc = false\n\n[[bin]]\nname = 'clean'\ndoc = false\n";
    let sandbox = package(off, DOC);
    sandbox.run(&["run"], 0);
    let expected = ["undocumented-target: `clean`: no tool documented it (`doc = false`)", NO_DOCS];
    // Nothing was compiled either.
    assert_eq!(
        spots(&sandbox),
        set(&[&expected[..], &["unseen-package: `clean` is not compiled by any tool"]].concat())
    );
    sandbox.run(&["run"], 0);
    assert!(spots(&sandbox).contains(expected[0]), "also if its result is cached");
    sandbox
        .write("genti.toml", &sandbox.text("genti.toml").replace("[tools.clippy]\nenabled = false", CLIPPY));
    sandbox.run(&["run"], 0);
    assert_eq!(spots(&sandbox), set(&expected));
    // Nobody asks for documentation.
    sandbox.edit("genti.toml", DOC, "[tools.doc]\nenabled = false\n");
    sandbox.run(&["run"], 0);
    assert_eq!(spots(&sandbox), set(&[NO_DOCS]));
    // A blind spot can be denied.
    sandbox.edit("genti.toml", "[tools.doc]\nenabled = false\n", DOC);
    let config = sandbox.text("genti.toml");
    sandbox.write("genti.toml", &format!("[policy]\nblind-spots = 'deny'\n{config}"));
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("undocumented-target"), "{text}");
    // The library is documented, and the program is not in its place.
    sandbox.edit("Cargo.toml", "[lib]\ndoc = false\n", "");
    sandbox.run(&["run"], 1);
    assert_eq!(spots(&sandbox), set(&[NO_DOCS]));
}

#[test]
fn a_program_without_documentation_is_a_blind_spot_if_there_is_no_library() {
    let sandbox =
        package("\n[[bin]]\nname = 'clean'\npath = 'src/main.rs'\ndoc = false\n", &format!("{DOC}{CLIPPY}"));
    std::fs::remove_file(sandbox.root().join("src/lib.rs")).unwrap();
    sandbox.run(&["run"], 0);
    assert_eq!(
        spots(&sandbox),
        set(&["undocumented-target: `clean::bin/clean`: no tool documented it (`doc = false`)"])
    );
    sandbox.edit("Cargo.toml", "doc = false\n", "");
    sandbox.run(&["run"], 0);
    assert_eq!(spots(&sandbox), set(&[]));
}

#[test]
fn targets_that_no_tool_compiles_are_blind_spots() {
    let manifest = "\n[features]\nslow = []\n\n[[bench]]\nname = 'off'\nharness = false\nbench = false\n\n\
                    [[bin]]\nname = 'gated'\nrequired-features = ['slow']\n\n[[bin]]\nname = 'clean'\npath = 'src/main.rs'\n";
    let sandbox = package(manifest, CLIPPY);
    sandbox.write("src/bin/gated.rs", "//! Gated.\nfn main() {}\n");
    sandbox.write("benches/off.rs", "//! Off.\nfn main() {}\n");
    sandbox.write("examples/shows.rs", "//! Shows.\nfn main() {}\n");
    sandbox.run(&["run"], 0);
    let gated = "uncompiled-target: `clean::bin/gated`: no tool compiled it (it has `required-features`)";
    let off = "uncompiled-target: `clean::bench/off`: no tool compiled it";
    let feature = "unused-feature: no tool enabled the feature `slow` of `clean`";
    let is_own = |spot: &String| !spot.starts_with("untested");
    let found = |sandbox: &Sandbox| spots(sandbox).into_iter().filter(is_own).collect::<BTreeSet<_>>();
    assert_eq!(found(&sandbox), set(&[gated, off, feature]));
    // Without `--all-targets`, examples are not compiled.
    sandbox.edit("genti.toml", CLIPPY, "[tools.clippy]\nargs = ['--lib', '--bins']\n");
    sandbox.run(&["run"], 0);
    let shows = "uncompiled-target: `clean::example/shows`: no tool compiled it";
    assert_eq!(found(&sandbox), set(&[gated, off, shows, feature]));
    // Another tool may build them, but not what has features that nobody asks for.
    let config = sandbox.text("genti.toml");
    let own = "[tools.own]\ninherit-env = true\nrun = ['cargo', 'check', '--examples', '--quiet']\nparse = 'exit-code'\n";
    sandbox.write("genti.toml", &format!("{config}{own}"));
    sandbox.run(&["run"], 0);
    assert_eq!(found(&sandbox), set(&[gated, feature]));
    // A variant with the feature builds it.
    sandbox.write(
        "genti.toml",
        &format!(
            "[variants.slow]\nfeatures = ['slow']\n{}",
            config.replace(CLIPPY, "[tools.clippy]\nvariants = ['default', 'slow']\n")
        ),
    );
    sandbox.run(&["run"], 0);
    assert_eq!(found(&sandbox), set(&[off, shows]));
}

#[test]
fn a_target_whose_whole_file_is_switched_off_is_a_blind_spot() {
    let known = "\n[lints.rust]\nunexpected_cfgs = { level = 'allow', check-cfg = ['cfg(model)'] }\n";
    let sandbox = package(known, CLIPPY);
    sandbox.write("src/lib.rs", "//! A library.\n#![cfg(all(model, not(windows)))]\n");
    sandbox.run(&["run"], 0);
    let off = "uncompiled-target: `clean`: compiled without its code: \
               `cfg(all(model, not(windows)))` is off in every target that was built";
    let found = |sandbox: &Sandbox| {
        spots(sandbox).into_iter().filter(|spot| spot.starts_with("uncompiled")).collect::<Vec<_>>()
    };
    assert_eq!(found(&sandbox), [off]);
    sandbox.run(&["run"], 0);
    assert_eq!(found(&sandbox), [off], "also if the result is cached");
    // Tests are a build of their own.
    sandbox.edit("src/lib.rs", "all(model, not(windows))", "any(model, test)");
    sandbox.run(&["run"], 0);
    assert_eq!(found(&sandbox), [""; 0]);
    // A variant that sets the condition.
    sandbox.edit("src/lib.rs", "any(model, test)", "all(model, not(windows))");
    let config = sandbox.text("genti.toml");
    let variant = "[variants.model]\nenv = { RUSTFLAGS = '--cfg model' }\n";
    let tool = "[tools.clippy]\nvariants = ['default', 'model']\n";
    sandbox.write("genti.toml", &format!("{variant}{}", config.replace(CLIPPY, tool)));
    sandbox.run(&["run"], 0);
    assert_eq!(found(&sandbox), [""; 0]);
}

/// A workspace with the libraries `a` and `b`, which have doc tests, and a program without one.
fn several(config: &str) -> Sandbox {
    let sandbox = package("", config);
    std::fs::remove_dir_all(sandbox.root().join("src")).unwrap();
    sandbox.write("Cargo.toml", "[workspace]\nresolver = '3'\nmembers = ['a', 'b', 'tool']\n");
    for name in ["a", "b", "tool"] {
        let manifest = format!("[package]\nname = '{name}'\nversion = '0.1.0'\nedition = '2024'\n");
        sandbox.write(&format!("{name}/Cargo.toml"), &manifest);
        let text = format!("//! A library.\n//!\n//! ```\n//! assert!(true, \"{name}\");\n//! ```\n");
        match name {
            "tool" => sandbox.write("tool/src/main.rs", "//! A program.\nfn main() {}\n"),
            _ => sandbox.write(&format!("{name}/src/lib.rs"), &text),
        };
    }
    sandbox
}

#[test]
fn doc_tests_of_a_package_that_no_variant_builds_are_a_blind_spot() {
    let config = "[variants.one]\npackages = ['a']\n[tools.clippy]\n[tools.doctest]\nvariants = ['one']\n";
    let sandbox = several(config);
    sandbox.run(&["run"], 0);
    let found: Vec<_> = spots(&sandbox).into_iter().filter(|spot| spot.starts_with("untested")).collect();
    assert_eq!(found, ["untested-target: `b`: no tool runs its doc tests"]);
}

#[test]
fn a_tool_with_nothing_to_do_in_one_of_its_variants_is_not_green() {
    let config = "[variants.programs]\npackages = ['tool']\n[tools.clippy]\n[tools.doctest]\nvariants = ['default', 'programs']\n";
    let sandbox = several(config);
    let text = sandbox.run(&["run"], 0);
    assert!(text.contains("doctest@programs"), "{text}");
    let text = sandbox.run(&["check"], 3);
    assert!(text.contains("nothing to check in the packages of the variant `programs`"), "{text}");
    sandbox.edit("genti.toml", "'programs']", "'programs']\nmay-be-empty = true");
    sandbox.run(&["check"], 0);
}

#[test]
fn a_variant_that_switches_off_every_target_of_a_package_is_a_blind_spot() {
    let manifest = "\n[features]\ndefault = ['gate']\ngate = []\n\n\
                    [[bin]]\nname = 'clean'\npath = 'src/main.rs'\nrequired-features = ['gate']\n";
    let off = "no target of `clean` is compiled in the variant `bare`";
    for (tools, code) in [
        ("[tools.clippy]\nvariants = ['default', 'bare']\n[tools.doc]\nvariants = ['default', 'bare']\n", 3),
        ("[tools.clippy]\n[tools.test]\nvariants = ['default', 'bare']\n", 0),
    ] {
        let sandbox = package(manifest, &format!("[variants.bare]\nno-default-features = true\n{tools}"));
        std::fs::remove_file(sandbox.root().join("src/lib.rs")).unwrap();
        let text = sandbox.run(&["run"], code);
        let is_incomplete = text.contains("clippy@bare: cargo compiled no target; check [variants.bare]\n");
        assert_eq!(is_incomplete, code == 3, "{text}");
        let spot = format!("unseen-package: {off}");
        // An incomplete tool is reported as such, without a blind spot.
        let expected = if is_incomplete { set(&[]) } else { set(&[&spot]) };
        assert_eq!(spots(&sandbox), expected, "{text}");
        // Where something is compiled, it is not one.
        sandbox.write("src/bin/other.rs", "//! Other.\nfn main() {}\n");
        sandbox.run(&["run"], 0);
        assert_eq!(spots(&sandbox), set(&[]));
    }
    // Each combination of features counts.
    let sandbox =
        package(manifest, "[variants.each]\neach-feature = true\n[tools.clippy]\nvariants = ['each']\n");
    std::fs::remove_file(sandbox.root().join("src/lib.rs")).unwrap();
    sandbox.run(&["run"], 0);
    assert_eq!(spots(&sandbox), set(&[]));
}
