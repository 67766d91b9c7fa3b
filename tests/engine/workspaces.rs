//! Tests of variants that build another workspace of the repository, in one gate with the workspace of the run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{Sandbox, is_left_out};

const MANIFEST: &str = r#"[workspace]
members = ["common"]
exclude = ["fuzz"]

[package]
name = "app"
version = "0.1.0"
edition = "2021"

[dependencies]
common = { path = "common" }
"#;

/// A needless `return`, and a failing test called `it`.
fn library(function: &str, value: u8) -> String {
    format!(
        "//! A library.\n\n/// Adds one.\npub fn {function}() -> u8 {{\n    return common::one() + {value};\n}}\n\n\
         #[test]\nfn it() {{\n    assert_eq!({function}(), 0, \"{function}\");\n}}\n"
    )
}

const CONFIG: &str = r#"
[variants.fuzz]
workspace = "fuzz"

[tools.fmt]
variants = ["default", "fuzz"]
[tools.clippy]
variants = ["default", "fuzz"]
[tools.test]
variants = ["default", "fuzz"]
[tools.doc]
enabled = false
[tools.doctest]
variants = ["default", "fuzz"]
"#;

/// Creates a package `app` with a member `common`, and a workspace `fuzz` with a package `app-fuzz` and one that is called `app`
/// too. Packages of both depend on `common`.
fn gate() -> Sandbox {
    let sandbox = Sandbox::of("clean", "gate");
    for entry in std::fs::read_dir(sandbox.root()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            std::fs::remove_dir_all(entry).unwrap();
        } else {
            std::fs::remove_file(entry).unwrap();
        }
    }
    let package = |name: &str, version: &str, common: &str| {
        format!(
            "[package]\nname = {name:?}\nversion = {version:?}\nedition = \"2021\"\n\n\
             [dependencies]\ncommon = {{ path = {common:?} }}\n"
        )
    };
    sandbox.write("Cargo.toml", MANIFEST);
    sandbox.write("src/lib.rs", &library("of_root", 1));
    sandbox.write(
        "common/Cargo.toml",
        "[package]\nname = \"common\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    sandbox.write("common/src/lib.rs", "//! For both.\n\n/// One.\npub fn one() -> u8 {\n    return 1;\n}\n");
    let fuzz = package("app-fuzz", "0.0.0", "../common");
    sandbox.write(
        "fuzz/Cargo.toml",
        &format!("[workspace]\nmembers = [\"app\"]\n\n{fuzz}app = {{ path = \"..\" }}\n"),
    );
    sandbox.write(
        "fuzz/src/main.rs",
        "//! A program.\n\nfn main() {\n    let one = common::one();\n    return println!(\"{}\", one+app::of_root());\n}\n",
    );
    sandbox.write("fuzz/app/Cargo.toml", &package("app", "0.2.0", "../../common"));
    sandbox.write("fuzz/app/src/lib.rs", &library("of_fuzz", 2));
    sandbox.write(
        "fuzz/app/tests/place.rs",
        "//! Where tests run.\n\n#[test]\nfn runs_in_its_package() {\n    \
         assert!(std::path::Path::new(\"src/lib.rs\").exists());\n    \
         assert!(std::env::current_dir().unwrap().ends_with(\"fuzz/app\"));\n    \
         assert_eq!(std::env::var(\"CARGO_PKG_NAME\").unwrap(), \"app\");\n}\n",
    );
    sandbox.write("genti.toml", CONFIG);
    sandbox.write(".gitignore", "target\n");
    sandbox
}

/// Returns the findings as `STATE RULE PLACE`, sorted.
fn findings(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let one = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().map(str::to_owned);
        let place = text("subject").or_else(|| text("path")).unwrap();
        format!("{} {} {place}", text("state").unwrap(), text("rule").unwrap())
    };
    let mut all: Vec<_> = report["findings"].as_array().unwrap().iter().map(one).collect();
    all.sort();
    all
}

/// Returns the tools of the tasks that were run again.
fn ran(sandbox: &Sandbox) -> BTreeSet<String> {
    let lines = sandbox.lines("task");
    let missed = lines.iter().filter(|task| task["timing"]["cache"] != "hit");
    missed.map(|task| task["tool"].as_str().unwrap().to_owned()).collect()
}

fn all(state: &str) -> Vec<String> {
    let expected = [
        "clippy::needless_return common/src/lib.rs",
        "clippy::needless_return fuzz/app/src/lib.rs",
        "clippy::needless_return fuzz/src/main.rs",
        "clippy::needless_return src/lib.rs",
        "failed app it",
        "failed fuzz/app it",
        "rustfmt::unformatted fuzz/src/main.rs",
    ];
    expected.map(|one| format!("{state} {one}")).to_vec()
}

#[test]
fn one_gate_checks_two_workspaces_with_packages_of_the_same_name() {
    let sandbox = gate();
    let text = sandbox.run(&["run"], 1);
    assert_eq!(findings(&sandbox), all("new"));
    assert!(text.contains("created Cargo.lock") && text.contains("created fuzz/Cargo.lock"), "{text}");
    // What only one workspace has can't be seen in the other one.
    assert!(!text.contains("only with"), "{text}");
    let run = sandbox.json("run.json");
    assert_eq!(run["variants"][0]["workspace"], "fuzz");
    assert_eq!(run["variants"][0]["packages"], serde_json::json!(["fuzz/app-fuzz", "fuzz/app"]));
    // Nothing is left that no tool looked at.
    assert_eq!(sandbox.json("report.json")["blind_spots"], serde_json::json!([]));
    assert!(!sandbox.root().join("fuzz/target").exists());

    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    assert_eq!(findings(&sandbox), all("unchanged"));
    let tests = sandbox.baseline("test");
    assert!(
        tests.contains("\"in_variants\":[\"fuzz\"]") && tests.contains("\"in_variants\":[\"default\"]"),
        "{tests}"
    );

    // A failure of the other package with the same name is not accepted.
    sandbox.edit("fuzz/app/src/lib.rs", "fn it()", "fn other()");
    sandbox.run(&["check"], 1);
    assert!(findings(&sandbox).contains(&"new failed fuzz/app other".to_owned()));
    sandbox.edit("fuzz/app/src/lib.rs", "fn other()", "fn it()");

    // An entry is fixed once its own workspace has looked, and stays while that has not.
    sandbox.edit("fuzz/app/src/lib.rs", "return common::one() + 2;", "common::one() + 2");
    sandbox.run(&["run", "--variant", "default"], 0);
    let gone = |sandbox: &Sandbox| {
        let report = sandbox.json("report.json");
        let gone = report["gone"].as_array().unwrap().iter();
        gone.map(|one| format!("{} {}", one["state"], one["path"])).collect::<Vec<_>>()
    };
    assert!(gone(&sandbox).iter().all(|one| !one.contains("fixed")), "{:?}", gone(&sandbox));
    sandbox.run(&["run"], 0);
    assert_eq!(gone(&sandbox), ["\"fixed\" \"fuzz/app/src/lib.rs\""]);
}

#[test]
fn an_edit_runs_only_the_tasks_of_the_workspaces_that_contain_it() {
    let sandbox = gate();
    sandbox.run(&["run"], 1);
    sandbox.run(&["run"], 1);
    let tests =
        ["doctest", "doctest@fuzz", "test", "test-build", "test-build@fuzz", "test@fuzz"].map(str::to_owned);
    let lints =
        |sandbox: &Sandbox| ran(sandbox).difference(&tests.clone().into()).cloned().collect::<Vec<_>>();
    assert_eq!(lints(&sandbox), [""; 0]);
    let ids = |sandbox: &Sandbox| -> BTreeMap<String, Vec<Value>> {
        let mut ids: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for task in sandbox.lines("task") {
            ids.entry(task["tool"].as_str().unwrap().to_owned()).or_default().push(task["task_id"].clone());
        }
        ids
    };
    let before = ids(&sandbox);
    sandbox.edit("fuzz/app/src/lib.rs", "//! A library.", "//! Another library.");
    sandbox.run(&["run"], 1);
    assert_eq!(lints(&sandbox), ["clippy@fuzz", "fmt@fuzz"]);
    let after = ids(&sandbox);
    for (tool, ids) in &before {
        assert_eq!(after[tool] != *ids, tool.ends_with("@fuzz"), "{tool}");
    }
    sandbox.edit("src/lib.rs", "//! A library.", "//! Another library.");
    sandbox.run(&["run"], 1);
    assert_eq!(lints(&sandbox), ["clippy", "clippy@fuzz", "fmt"], "`app-fuzz` depends on it");
    sandbox.edit("common/src/lib.rs", "//! For both.", "//! For all.");
    sandbox.run(&["run"], 1);
    assert_eq!(lints(&sandbox), ["clippy", "clippy@fuzz", "fmt"]);
}

#[test]
fn what_configures_another_workspace_is_part_of_its_cached_results() {
    let sandbox = gate();
    sandbox.write(
        "fuzz/app/src/long.rs",
        "//! Long.\n\n/// Sums.\npub fn sum(a: u8, b: u8, c: u8, d: u8) -> u8 {\n    a + b + c + d\n}\n",
    );
    sandbox.edit("fuzz/app/src/lib.rs", "//! A library.\n", "//! A library.\n\npub mod long;\n");
    let rules = |sandbox: &Sandbox, code: i32| {
        sandbox.run(&["run", "--tool", "fmt", "--tool", "clippy"], code);
        findings(sandbox)
    };
    let before = rules(&sandbox, 1);
    assert_eq!(rules(&sandbox, 1), before);
    assert_eq!(ran(&sandbox), BTreeSet::new());

    // Clippy's configuration.
    sandbox.write("fuzz/clippy.toml", "too-many-arguments-threshold = 3\n");
    let found = rules(&sandbox, 1);
    assert!(found.contains(&"new clippy::too_many_arguments fuzz/app/src/long.rs".to_owned()), "{found:?}");
    std::fs::remove_file(sandbox.root().join("fuzz/clippy.toml")).unwrap();
    assert_eq!(rules(&sandbox, 1), before);

    // Rustfmt's.
    sandbox.write("fuzz/rustfmt.toml", "tab_spaces = 2\n");
    let found = rules(&sandbox, 1);
    assert!(found.contains(&"new rustfmt::unformatted fuzz/app/src/long.rs".to_owned()), "{found:?}");
    assert!(!found.contains(&"new rustfmt::unformatted src/lib.rs".to_owned()), "{found:?}");
    std::fs::remove_file(sandbox.root().join("fuzz/rustfmt.toml")).unwrap();
    assert_eq!(rules(&sandbox, 1), before);

    // Cargo's, which is only found from that directory.
    sandbox.write("fuzz/.cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"special\"]\n");
    sandbox.edit(
        "fuzz/app/src/long.rs",
        "    a + b + c + d\n",
        "    #[cfg(special)]\n    let _ = 1u8.clone();\n    a + b + c + d\n",
    );
    let found = rules(&sandbox, 1);
    assert!(found.contains(&"new clippy::clone_on_copy fuzz/app/src/long.rs".to_owned()), "{found:?}");
    std::fs::remove_file(sandbox.root().join("fuzz/.cargo/config.toml")).unwrap();
    let found = rules(&sandbox, 1);
    assert!(!found.contains(&"new clippy::clone_on_copy fuzz/app/src/long.rs".to_owned()), "{found:?}");

    // Its lock file and its manifest. They are no inputs of the workspace of the run.
    assert_eq!(rules(&sandbox, 1), found);
    sandbox.edit("fuzz/Cargo.lock", "version = 4\n", "version = 3\n");
    assert_eq!(rules(&sandbox, 1), found);
    assert_eq!(ran(&sandbox), ["clippy@fuzz".to_owned()].into());
    sandbox.edit("fuzz/Cargo.toml", "members = [\"app\"]", "members = [\"app\"]\nresolver = \"2\"");
    assert_eq!(rules(&sandbox, 1), found);
    let ran = ran(&sandbox);
    assert!(ran.contains("clippy@fuzz") && !ran.contains("clippy"), "{ran:?}");

    // A gate writes no lock file.
    std::fs::remove_file(sandbox.root().join("fuzz/Cargo.lock")).unwrap();
    let text = sandbox.run(&["check"], 2);
    assert!(text.contains("fuzz/Cargo.lock` is missing"), "{text}");
}

#[test]
fn parallelism_does_not_change_the_artifacts_of_two_workspaces() {
    if is_left_out() {
        return;
    }
    let sandbox = gate();
    sandbox.run(&["run"], 1);
    let artifacts = |parallel: &str| {
        sandbox.run(&["run", "--parallel", parallel, "--no-cache"], 1);
        let text = |name| String::from_utf8(sandbox.artifact(name)).unwrap();
        let lines = text("tasks.jsonl")
            .lines()
            .map(|line| {
                let mut line: Value = serde_json::from_str(line).unwrap();
                line.as_object_mut().unwrap().remove("timing");
                line.to_string()
            })
            .collect::<Vec<_>>();
        (text("run.json"), text("report.json"), lines)
    };
    let one = artifacts("1");
    for parallel in ["2", "8"] {
        assert!(artifacts(parallel) == one, "--parallel {parallel}");
    }
    sandbox.run(&["verify", "--runs", "2"], 0);
}

#[test]
fn a_package_of_another_workspace_that_does_not_compile_is_incomplete() {
    let sandbox = gate();
    sandbox.run(&["baseline", "init"], 0);
    sandbox.edit("fuzz/app/src/lib.rs", "return common::one() + 2;", "missing()");
    let text = sandbox.run(&["check"], 3);
    assert!(text.contains("fuzz/app"), "{text}");
    // That of the same name in the other workspace has results.
    let lines = sandbox.lines("task");
    let status = |tool: &str| {
        let own = lines.iter().filter(|task| task["tool"] == tool);
        own.map(|task| task["status"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(status("clippy"), ["findings".to_owned()].into());
    assert_eq!(status("clippy@fuzz"), ["incomplete".to_owned()].into());
    let report = sandbox.json("report.json");
    let fixed = report["gone"].as_array().unwrap().iter().filter(|gone| gone["state"] == "fixed").count();
    assert_eq!(fixed, 0, "{}", report["gone"]);
}

#[test]
fn packages_are_selected_by_the_path_of_their_workspace() {
    let sandbox = gate();
    sandbox.run(&["run", "-p", "fuzz/app"], 1);
    let expected =
        ["new clippy::needless_return fuzz/app/src/lib.rs".to_owned(), "new failed fuzz/app it".to_owned()];
    assert_eq!(findings(&sandbox), expected);
    sandbox.run(&["run", "-p", "app"], 1);
    assert_eq!(
        findings(&sandbox),
        ["new clippy::needless_return src/lib.rs".to_owned(), "new failed app it".to_owned()]
    );
    // This name alone says which one is meant.
    sandbox.run(&["run", "-p", "app-fuzz", "--tool", "fmt"], 1);
    assert_eq!(findings(&sandbox), ["new rustfmt::unformatted fuzz/src/main.rs".to_owned()]);
    let text = sandbox.run(&["run", "-p", "fuzz/none"], 2);
    assert!(text.contains("no package named `fuzz/none` in this workspace"), "{text}");
}

#[test]
fn a_fix_changes_the_files_of_another_workspace() {
    let sandbox = gate();
    sandbox.run(&["fix", "--allow-no-vcs", "--tool", "fmt", "--tool", "clippy"], 0);
    let text = sandbox.text("fuzz/src/main.rs");
    assert!(text.contains("    println!(\"{}\", one + app::of_root())"), "{text}");
    assert!(!sandbox.text("fuzz/app/src/lib.rs").contains("return"));
    sandbox.run(&["run", "--tool", "fmt", "--tool", "clippy"], 0);
}

#[test]
fn changes_since_a_commit_are_those_of_the_workspace_that_they_are_in() {
    let sandbox = gate();
    sandbox.run(&["run"], 1);
    sandbox.commit_all();
    sandbox.edit("fuzz/app/src/lib.rs", "//! A library.", "//! Another library.");
    sandbox.run(&["run", "--since", "HEAD"], 1);
    assert_eq!(
        findings(&sandbox),
        ["new clippy::needless_return fuzz/app/src/lib.rs".to_owned(), "new failed fuzz/app it".to_owned()]
    );
    sandbox.run(&["run", "--against", "HEAD"], 1);
    // A lock file is about all packages of its workspace.
    sandbox.edit("fuzz/app/src/lib.rs", "//! Another library.", "//! A library.");
    sandbox.edit("fuzz/Cargo.lock", "version = 4\n", "version = 3\n");
    sandbox.run(&["run", "--since", "HEAD"], 1);
    assert_eq!(findings(&sandbox), all("new"));
}

#[test]
fn a_workspace_that_can_not_be_built_is_a_mistake() {
    let sandbox = gate();
    sandbox.edit("Cargo.toml", "[dependencies]", "[features]\nloud = []\n\n[dependencies]");
    let check = |config: &str, expected: &[&str]| {
        sandbox.write("genti.toml", config);
        let text = sandbox.run(&["run"], 2);
        for words in expected {
            assert!(text.contains(words), "{words}: {text}");
        }
    };
    let of = |value: &str| {
        format!("[variants.other]\nworkspace = {value:?}\n[tools.clippy]\nvariants = ['other']\n")
    };
    check(&of("none"), &["there is no directory `none`", "genti.toml:2:13"]);
    check(&of("src"), &["there is no `src/Cargo.toml`", "genti.toml:2:13"]);
    check(&of("common"), &["`common` is part of this workspace", "name them in `packages`"]);
    check(
        &of("fuzz/app"),
        &["`fuzz/app` is part of the workspace in `fuzz`", "write `workspace = \"fuzz\"`"],
    );
    check(&of("."), &["invalid workspace `.`"]);
    check(&of("../other"), &["invalid workspace `../other`", "write a path in the workspace"]);
    check(&of("fuzz/Cargo.toml"), &["invalid workspace", "write the directory instead of the manifest"]);
    sandbox.write("broken/Cargo.toml", "[workspace]\n[package]\nname = 1\n");
    check(&of("broken"), &["cargo can't load the workspace in `broken`: "]);
    sandbox.write("empty/Cargo.toml", "[workspace]\n");
    check(&of("empty"), &["the workspace in `empty` has no packages"]);
    std::os::unix::fs::symlink("fuzz", sandbox.root().join("link")).unwrap();
    check(&of("link"), &["`link` is a symbolic link"]);

    let with = |more: &str| {
        format!("[variants.other]\nworkspace = 'fuzz'\n{more}\n[tools.clippy]\nvariants = ['other']\n")
    };
    check(&with("lock = 'x.lock'"), &["a variant with `workspace` can't have a `lock`"]);
    check(&with("packages = ['common']"), &["no package named `common` in this workspace"]);
    check(&with("features = ['loud']"), &["no package of the variant `other` has the feature `loud`"]);
    check(
        &format!("{}[variants.same]\nworkspace = 'fuzz'\n[tools.check]\nvariants = ['same']\n", with("")),
        &["`same` builds the same as `other`"],
    );
    check(
        &format!("{}[tools.own]\nrun = ['true']\nvariants = ['other']\n", with("")),
        &["`own` can't run in `other`, because it looks at files"],
    );
    sandbox.write("fuzz/rust-toolchain.toml", "[toolchain]\nchannel = \"nightly\"\n");
    check(&with(""), &["the toolchain file for `fuzz` is another one", "set `toolchain` in the variant"]);
}

#[test]
fn features_packages_and_environment_are_those_of_the_other_workspace() {
    let sandbox = gate();
    sandbox.edit(
        "fuzz/app/Cargo.toml",
        "[dependencies]",
        "[features]\nextra = []\nmore = []\n\n[dependencies]",
    );
    sandbox.edit(
        "fuzz/app/src/lib.rs",
        "#[test]",
        "/// With a feature.\n#[cfg(feature = \"extra\")]\npub fn extra() -> u8 {\n    return 3;\n}\n\n#[test]",
    );
    sandbox.write(
        "genti.toml",
        "[variants.extra]\nworkspace = 'fuzz'\npackages = ['app']\nfeatures = ['extra']\nenv = { A = '1' }\n\
         [variants.each]\nworkspace = 'fuzz'\npackages = ['app']\neach-feature = true\n\
         [tools.clippy]\nvariants = ['default', 'extra', 'each']\n\
         [tools.fmt]\nenabled = false\n[tools.doc]\nvariants = ['extra']\n[tools.doctest]\nvariants = ['extra']\n\
         [tools.test]\nvariants = ['extra']\n",
    );
    sandbox.run(&["run"], 1);
    let found = findings(&sandbox);
    let of_lib = found.iter().filter(|one| one.as_str() == "new clippy::needless_return fuzz/app/src/lib.rs");
    assert_eq!(of_lib.count(), 2, "{found:?}");
    assert!(!found.iter().any(|one| one.contains("fuzz/src/main.rs")), "{found:?}");
    assert!(found.contains(&"new failed fuzz/app it".to_owned()), "{found:?}");
    // The package that the variant leaves out is a blind spot.
    let spots = sandbox.json("report.json")["blind_spots"].to_string();
    assert!(spots.contains("`fuzz/app-fuzz` is not compiled by any tool"), "{spots}");
}

#[test]
fn nextest_runs_the_tests_of_both_workspaces() {
    let found = std::process::Command::new(env!("CARGO")).args(["nextest", "--version"]).output().unwrap();
    if !found.status.success() {
        return;
    }
    let sandbox = gate();
    sandbox.edit("genti.toml", "[tools.test]", "[tools.nextest]\nenabled = true");
    sandbox.run(&["run"], 1);
    assert_eq!(findings(&sandbox), all("new"));
    let report = sandbox.json("report.json");
    let counts = |name: &str| {
        let mut tools = report["tools"].as_array().unwrap().iter();
        tools.find(|tool| tool["name"] == name).unwrap()["census"]["tests"]["run"].clone()
    };
    assert_eq!((counts("nextest"), counts("nextest@fuzz")), (1.into(), 2.into()));
    assert_eq!(sandbox.json("report.json")["blind_spots"], serde_json::json!([]));
    // The baseline holds for both runners.
    sandbox.run(&["baseline", "init"], 0);
    sandbox.edit("genti.toml", "[tools.nextest]\nenabled = true", "[tools.test]");
    sandbox.run(&["check"], 0);
}

#[test]
fn shards_of_two_workspaces_make_one_run() {
    let sandbox = gate();
    sandbox.run(&["run"], 1);
    let whole = sandbox.artifact("report.json");
    let mut dirs = Vec::new();
    for shard in ["1/2", "2/2"] {
        let output = sandbox.command(&["run", "--no-cache", "--shard", shard]).output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        let dir = sandbox.beside().join(shard.replace('/', "-"));
        std::fs::create_dir(&dir).unwrap();
        std::fs::copy(sandbox.root().join("target/genti/artifacts/shard.jsonl"), dir.join("shard.jsonl"))
            .unwrap();
        dirs.push(dir.display().to_string());
    }
    sandbox.run(&["merge", &dirs[0], &dirs[1]], 1);
    assert!(sandbox.artifact("report.json") == whole);
}

/// Moves the workspace of `gate` to `rust`, so that the root is none.
fn gate_without_root() -> Sandbox {
    let sandbox = gate();
    for name in ["Cargo.toml", "src", "common"] {
        std::fs::create_dir_all(sandbox.root().join("rust")).unwrap();
        std::fs::rename(sandbox.root().join(name), sandbox.root().join("rust").join(name)).unwrap();
    }
    sandbox.edit("rust/Cargo.toml", "exclude = [\"fuzz\"]\n", "");
    sandbox.edit("fuzz/Cargo.toml", "../common", "../rust/common");
    sandbox.edit("fuzz/Cargo.toml", "path = \"..\"", "path = \"../rust\"");
    sandbox.edit("fuzz/app/Cargo.toml", "../../common", "../../rust/common");
    let config = CONFIG.replace("\"default\"", "\"rust\"");
    sandbox.write("genti.toml", &format!("[variants.rust]\nworkspace = \"rust\"\n{config}"));
    sandbox
}

#[test]
fn a_repository_without_a_workspace_in_its_root_needs_only_a_configuration() {
    let sandbox = gate_without_root();
    sandbox.run(&["run"], 1);
    let expected = [
        "clippy::needless_return fuzz/app/src/lib.rs",
        "clippy::needless_return fuzz/src/main.rs",
        "clippy::needless_return rust/common/src/lib.rs",
        "clippy::needless_return rust/src/lib.rs",
        "failed fuzz/app it",
        "failed rust/app it",
        "rustfmt::unformatted fuzz/src/main.rs",
    ];
    assert_eq!(findings(&sandbox), expected.map(|one| format!("new {one}")));
    assert_eq!(sandbox.json("report.json")["blind_spots"], serde_json::json!([]));
    assert!(!sandbox.root().join("Cargo.lock").exists());
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    sandbox.run(&["verify", "--runs", "2"], 0);
    sandbox.edit("rust/common/src/lib.rs", "return 1;", "1");
    sandbox.run(&["run"], 0);
    let report = sandbox.json("report.json");
    let gone: Vec<_> = report["gone"].as_array().unwrap().iter().map(|gone| gone["state"].clone()).collect();
    assert_eq!(gone, ["fixed"]);
}

#[test]
fn without_a_workspace_in_the_root_nothing_passes_that_builds_nothing() {
    let sandbox = gate_without_root();
    // No workspace is named.
    sandbox.write("genti.toml", "[policy]\n");
    let text = sandbox.run(&["check"], 2);
    assert!(text.contains("could not find `Cargo.toml`"), "{text}");
    sandbox.write("genti.toml", "[variants.rust]\nworkspaces = \"rust\"\n");
    let text = sandbox.run(&["check"], 2);
    assert!(text.contains("unknown key `workspaces`"), "{text}");
    // Tools that would build the root.
    sandbox.write(
        "genti.toml",
        "[variants.rust]\nworkspace = \"rust\"\n[tools.clippy]\nvariants = [\"rust\"]\n[tools.fmt]\nvariants = [\"default\", \"rust\"]\n",
    );
    let text = sandbox.run(&["run"], 2);
    assert!(text.contains("nothing to build for `doc`, `doctest`, `fmt`, `test`"), "{text}");
    assert!(text.contains("write `variants = [\"rust\"]` under each of them"), "{text}");
}

#[test]
fn packages_that_cargo_can_not_tell_apart_are_built_apart() {
    let sandbox = gate();
    for path in ["common", "fuzz/app"] {
        std::fs::remove_dir_all(sandbox.root().join(path)).unwrap();
    }
    // Name, version and path from the root of the workspace are the same.
    let package = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    sandbox.write("Cargo.toml", &format!("[workspace]\nexclude = [\"fuzz\"]\n{package}"));
    sandbox.write("fuzz/Cargo.toml", &format!("[workspace]\n{package}"));
    let library = |text: &str| format!("//! A library.\n\n#[test]\nfn it() {{\n    {text}\n}}\n");
    sandbox.write("src/lib.rs", &library("assert_eq!(1, 1);"));
    std::fs::remove_file(sandbox.root().join("fuzz/src/main.rs")).unwrap();
    sandbox.write("fuzz/src/lib.rs", &library("assert_eq!(1, 2);"));
    for parallel in ["1", "4"] {
        sandbox.run(&["run", "--no-cache", "--parallel", parallel], 1);
        assert_eq!(findings(&sandbox), ["new failed fuzz/app it".to_owned()]);
        for status in ["--tool=doctest", "--tool=clippy"] {
            sandbox.run(&["run", "--no-cache", status], 0);
        }
    }
}

#[test]
fn the_lock_file_beside_all_packages_of_a_workspace_belongs_to_it_alone() {
    let sandbox = gate();
    sandbox.write("fuzz/Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n");
    std::fs::remove_dir_all(sandbox.root().join("fuzz/src")).unwrap();
    let run = |sandbox: &Sandbox| {
        sandbox.run(&["run", "--tool", "clippy"], 1);
        ran(sandbox)
    };
    run(&sandbox);
    assert_eq!(run(&sandbox), BTreeSet::new());
    sandbox.edit("fuzz/Cargo.lock", "version = 4\n", "version = 3\n");
    assert_eq!(run(&sandbox), ["clippy@fuzz".to_owned()].into());
    assert_eq!(run(&sandbox), BTreeSet::new());
}

#[test]
fn a_panic_in_a_package_of_the_root_is_placed_there() {
    let sandbox = gate();
    let source = sandbox.root().join("common/src/lib.rs");
    let two = "\n/// Panics.\npub fn two() {\n    panic!(\"two\")\n}\n";
    sandbox.write("common/src/lib.rs", &(std::fs::read_to_string(source).unwrap() + two));
    sandbox
        .write("fuzz/app/tests/panics.rs", "//! Panics.\n\n#[test]\nfn panics() {\n    common::two();\n}\n");
    sandbox.run(&["run", "--tool", "test@fuzz"], 1);
    let report = sandbox.json("report.json");
    let mut findings = report["findings"].as_array().unwrap().iter();
    let panic = findings.find(|finding| finding["message"] == "two").unwrap();
    let at = &panic["test"];
    assert_eq!(
        (&at["path"], &at["range"]["start"]["line"]),
        (&"common/src/lib.rs".into(), &10.into()),
        "{panic:#}"
    );
}
