//! Tests of build variants: one gate over a workspace of five packages, in which every variant has a finding of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Sandbox, is_left_out};

const PACKAGES: [&str; 5] = ["base", "cli", "extra", "net", "tiny"];

/// Each function has a needless `return`, and is compiled by all variants, or by one.
const BASE: &str = r#"//! The package that has findings.

/// Found by every variant.
pub fn common() -> u8 {
    return 1;
}

/// Found only by the default build.
#[cfg(all(feature = "std", not(feature = "full"), not(feature = "net"), not(special)))]
pub fn in_default() -> u8 {
    return 2;
}

/// Found with `full`.
#[cfg(feature = "full")]
pub fn in_full() -> u8 {
    return 3;
}

/// Found without `std`.
#[cfg(not(feature = "std"))]
pub fn in_bare() -> u8 {
    return 4;
}

/// Found with the variable.
#[cfg(special)]
pub fn in_special() -> u8 {
    return 5;
}

/// Found with `net`.
#[cfg(feature = "net")]
pub fn in_some() -> u8 {
    return 6;
}

#[cfg(test)]
mod tests {
    #[test]
    fn fails_everywhere() {
        assert_eq!(super::common(), 0);
    }

    #[test]
    fn fails_with_full() {
        assert!(!std::hint::black_box(cfg!(feature = "full")), "full");
    }

    #[test]
    fn passes() {}
}
"#;

const CONFIG: &str = r#"
[variants.full]
features = ["full"]
[variants.bare]
no-default-features = true
[variants.special]
env = { RUSTFLAGS = "--cfg special" }
[variants.some]
packages = ["base", "net"]
features = ["net"]
[variants.elsewhere]
features = ["full"]
exclude = ["base"]
on = ["haiku"]

[tools.fmt]
enabled = false
[tools.doc]
enabled = false
[tools.doctest]
enabled = false
[tools.clippy]
variants = ["default", "full", "bare", "special", "some", "elsewhere"]
[tools.test]
variants = ["default", "full", "elsewhere"]
"#;

/// The functions of `base` in the order of their lines, with the variants that compile them.
const LINTS: [(u64, &[&str]); 6] =
    [(5, &[]), (11, &["default"]), (17, &["full"]), (23, &["bare"]), (29, &["special"]), (35, &["some"])];

fn gate() -> Sandbox {
    let sandbox = Sandbox::of("clean", "gate");
    std::fs::remove_dir_all(sandbox.root().join("src")).unwrap();
    for lock in ["Cargo.lock", "genti.toml"] {
        let _ = std::fs::remove_file(sandbox.root().join(lock));
    }
    let members: Vec<_> = PACKAGES.iter().map(|name| format!("{name:?}")).collect();
    sandbox
        .write("Cargo.toml", &format!("[workspace]\nresolver = \"2\"\nmembers = [{}]\n", members.join(", ")));
    for name in PACKAGES {
        sandbox.write(
            &format!("{name}/Cargo.toml"),
            &format!(
                "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                 [features]\ndefault = [\"std\"]\nstd = []\nfull = []\nnet = []\n\n\
                 [lints.rust]\nunexpected_cfgs = {{ level = \"warn\", check-cfg = ['cfg(special)'] }}\n"
            ),
        );
        sandbox.write(&format!("{name}/src/lib.rs"), &format!("//! The package `{name}`.\n"));
    }
    sandbox.write("base/src/lib.rs", BASE);
    sandbox.write("genti.toml", CONFIG);
    sandbox
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns the findings of namespace `ns` by their line or subject: the state, and the variants that found it.
fn findings(sandbox: &Sandbox, ns: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let report = sandbox.json("report.json");
    let of_ns = report["findings"].as_array().unwrap().iter().filter(|one| one["ns"] == ns);
    let one = |finding: &Value| {
        let place = match finding["subject"].as_str() {
            Some(subject) => subject.to_owned(),
            None => finding["range"]["start"]["line"].to_string(),
        };
        let seen_in = texts(&finding["seen_in"]).into_iter().map(str::to_owned).collect();
        (place, (finding["state"].as_str().unwrap().to_owned(), seen_in))
    };
    let all: Vec<_> = of_ns.map(one).collect();
    let count = all.len();
    let all: BTreeMap<_, _> = all.into_iter().collect();
    assert_eq!(all.len(), count, "each finding is one");
    all
}

/// Checks the states of the lints, and of the two failing tests.
#[track_caller]
fn check(sandbox: &Sandbox, state: &str) {
    let of = |variants: &[&str]| (state.to_owned(), variants.iter().map(ToString::to_string).collect());
    let lints = LINTS.iter().map(|(line, variants)| (line.to_string(), of(variants)));
    assert_eq!(findings(sandbox, "clippy"), lints.collect());
    let tests = [("base tests::fails_everywhere", of(&[])), ("base tests::fails_with_full", of(&["full"]))];
    let tests = tests.into_iter().map(|(test, seen)| (test.to_owned(), seen));
    assert_eq!(findings(sandbox, "test"), tests.collect());
}

fn artifacts(sandbox: &Sandbox, parallel: &str, code: i32) -> Vec<Vec<u8>> {
    let mut command = sandbox.command(&["run", "--parallel", parallel, "--no-cache"]);
    sandbox.expect(&command.output().unwrap(), code);
    ["run.json", "report.json", "tasks.jsonl"].map(|name| sandbox.artifact(name)).to_vec()
}

#[test]
fn each_finding_is_one_and_names_the_variants_that_found_it() {
    let sandbox = gate();
    let text = sandbox.run(&["run"], 1);
    check(&sandbox, "new");
    for (_, variants) in &LINTS[1..] {
        assert!(text.contains(&format!("(only with `{}`)", variants[0])), "{variants:?}: {text}");
    }
    // A row for each tool, and a column for each variant. What several found counts for the first one.
    let row = |name: &str| {
        let found = text.lines().find(|line| line.split_whitespace().nth(1) == Some(name));
        found.unwrap().split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    };
    let head = text.lines().find(|line| line.trim().starts_with("tool ")).unwrap();
    let head: Vec<_> = head.split_whitespace().collect();
    assert_eq!(head, ["tool", "new", "default", "bare", "elsewhere", "full", "some", "special"], "{text}");
    assert_eq!(row("clippy"), "6 2 new 1 new skipped 1 new 1 new 1 new", "{text}");
    assert_eq!(row("test"), "2 1 new skipped 1 new", "{text}");
    // Neither the variable's value nor anything of this machine is in the artifacts.
    assert!(!String::from_utf8(sandbox.artifact("run.json")).unwrap().contains("--cfg special"));

    let sarif: Value = serde_json::from_str(&sandbox.run_alone(&["report", "--format", "sarif"], 0)).unwrap();
    let names: Vec<_> =
        sarif["runs"].as_array().unwrap().iter().map(|run| &run["tool"]["driver"]["name"]).collect();
    assert_eq!(names, ["clippy", "test"], "variants share a run");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let seen: Vec<_> = results.iter().map(|result| texts(&result["properties"]["seenIn"])).collect();
    assert_eq!(seen, LINTS.map(|(_, variants)| variants.to_vec()));

    let junit = sandbox.run_alone(&["report", "--format", "junit"], 0);
    for suite in ["clippy", "clippy@bare", "clippy@full", "test", "test@full", "test@full base"] {
        assert!(junit.contains(&format!("<testsuite name=\"{suite}\"")), "{suite}: {junit}");
    }
}

#[test]
fn parallelism_and_place_do_not_change_the_artifacts() {
    if is_left_out() {
        return;
    }
    let here = gate();
    let one = artifacts(&here, "1", 1);
    let timeless = |all: &[Vec<u8>]| {
        let tasks = String::from_utf8(all[2].clone()).unwrap();
        let lines = tasks.lines().map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().remove("timing");
            line.to_string()
        });
        (all[..2].to_vec(), lines.collect::<Vec<_>>())
    };
    for parallel in ["2", "8"] {
        assert_eq!(timeless(&artifacts(&here, parallel, 1)), timeless(&one), "--parallel {parallel}");
    }
    here.run(&["verify", "--runs", "2"], 0);
}

#[test]
fn a_baseline_holds_lints_in_all_variants_and_failures_only_where_they_were_accepted() {
    let sandbox = gate();
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    check(&sandbox, "unchanged");
    let lints = sandbox.baseline("clippy");
    assert!(lints.starts_with("{\"genti_baseline\":2}\n"), "{lints}");
    let lists = |text: &str| {
        let lines = text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut lists: Vec<_> = lines.map(|line| texts(&line["in_variants"]).join(" ")).collect();
        lists.sort();
        lists
    };
    assert_eq!(
        lists(&lints),
        ["", "", "bare", "full", "some", "special"],
        "not if the default build finds it"
    );
    assert_eq!(lists(&sandbox.baseline("test")), ["default full", "full"]);

    // A variant on its own passes, but nothing that others found is fixed.
    for variant in ["default", "full", "special"] {
        let text = sandbox.run(&["check", "--variant", variant], 5);
        assert!(text.contains("variant selection"), "{text}");
        sandbox.run(&["check", "--variant", variant, "--partial"], 0);
    }
    sandbox.run(&["baseline", "update", "--variant", "full"], 0);
    assert_eq!(sandbox.baseline("clippy"), lints);

    // Each variant in turn breaks, and only it.
    for (line, variants) in &LINTS[1..] {
        let from = format!("    return {};", line / 6 + 1);
        let broken = format!("    let _ = 1u8.clone();\n{from}");
        sandbox.edit("base/src/lib.rs", &from, &broken);
        let text = sandbox.run(&["check"], 1);
        assert!(text.contains(&format!("(only with `{}`)", variants[0])), "{line}: {text}");
        sandbox.edit("base/src/lib.rs", &broken, &from);
    }

    // A failure that was accepted with `full` is new in the default build.
    sandbox.edit(
        "base/src/lib.rs",
        "assert!(!std::hint::black_box(cfg!(feature = \"full\")), \"full\");",
        "panic!();",
    );
    sandbox.run(&["check"], 1);
    let states = findings(&sandbox, "test");
    assert_eq!(states["base tests::fails_with_full"].0, "new");
    assert_eq!(states["base tests::fails_everywhere"].0, "unchanged");
    sandbox.run(&["baseline", "accept", "--reason", "known"], 0);
    assert_eq!(lists(&sandbox.baseline("test")), ["default full", "default full"]);
    sandbox.run(&["check"], 0);

    // It is fixed in the default build, where it may not come back then.
    sandbox.edit(
        "base/src/lib.rs",
        "panic!();",
        "assert!(!std::hint::black_box(cfg!(feature = \"full\")), \"full\");",
    );
    sandbox.run(&["check"], 0);
    sandbox.run(&["baseline", "update"], 0);
    assert_eq!(lists(&sandbox.baseline("test")), ["default full", "full"]);
}

#[test]
fn an_entry_is_fixed_only_if_every_variant_looked() {
    let sandbox = gate();
    sandbox.run(&["baseline", "init"], 0);
    let [lints, tests] = ["clippy", "test"].map(|ns| sandbox.baseline(ns));
    let gone = |sandbox: &Sandbox| {
        let report = sandbox.json("report.json");
        let all = report["gone"].as_array().unwrap().iter();
        let one = |gone: &Value| {
            let list = texts(&gone["in_variants"]).join(" ");
            format!("{} {} {list}", gone["state"].as_str().unwrap(), gone["ns"].as_str().unwrap())
        };
        all.map(one).collect::<Vec<_>>()
    };
    // With `full`, the package does not compile. What only `full` found is gone, but nothing looked for it.
    sandbox.edit("base/src/lib.rs", "    return 3;", "    missing()");
    sandbox.run(&["run"], 3);
    assert_eq!(gone(&sandbox), ["unknown clippy full", "unknown test full"]);
    sandbox.run(&["baseline", "update"], 0);
    assert_eq!([sandbox.baseline("clippy"), sandbox.baseline("test")], [lints.clone(), tests]);

    sandbox.edit("base/src/lib.rs", "    missing()", "    3");
    sandbox.run(&["run"], 0);
    assert_eq!(gone(&sandbox), ["fixed clippy full"]);
    sandbox.run(&["check"], 1);
    // A finding that was accepted in a variant that does not run here is not fixed.
    let entry = r#"{"path":"net/src/lib.rs","rule":"clippy::x","in":"","code":"y","msg":"z","in_variants":["elsewhere"]}"#;
    sandbox.write(".config/genti/baseline/clippy.jsonl", &format!("{lints}{entry}\n"));
    sandbox.run(&["baseline", "update"], 0);
    let kept = sandbox.baseline("clippy");
    assert!(kept.contains("elsewhere") && !kept.contains("in_full"), "{kept}");
}

#[test]
fn a_merge_of_branches_that_accepted_in_different_variants_accepts_in_both() {
    let sandbox = gate();
    sandbox.write(".gitignore", "/target\n");
    sandbox.edit(
        "base/src/lib.rs",
        "    fn passes() {}",
        "    fn passes() {\n        let fails = if cfg!(feature = \"full\") { include!(\"full.in\") } else { include!(\"default.in\") };\n        \
         assert!(!fails);\n    }",
    );
    sandbox.write("base/src/full.in", "false\n");
    sandbox.write("base/src/default.in", "false\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.commit_all();
    let accepts = |branch: &str, variant: &str| {
        assert!(sandbox.git(&["checkout", "-q", "-b", branch, "start"]));
        sandbox.write(&format!("base/src/{variant}.in"), "true\n");
        sandbox.run(&["baseline", "accept", "--reason", branch], 0);
        let text = sandbox.baseline("test");
        assert!(text.contains(&format!("passes\",\"rule\":\"failed\",\"in\":\"\",\"code\":\"\",\"msg\":\"test failed\",\"in_variants\":[{variant:?}]")), "{text}");
        sandbox.commit_all();
    };
    assert!(sandbox.git(&["branch", "start"]));
    accepts("ours", "default");
    accepts("theirs", "full");
    assert!(!sandbox.git(&["merge", "-q", "-m", "merge", "ours"]), "both added a line at the same place");
    sandbox.run(&["baseline", "resolve"], 0);
    let text = sandbox.baseline("test");
    let line = text.lines().find(|line| line.contains("passes")).unwrap();
    assert!(line.contains(r#""in_variants":["default","full"]"#), "{line}");
    sandbox.run(&["check"], 0);
}

#[test]
fn mistakes_about_variants_are_found_before_anything_runs() {
    let check = |edit: &dyn Fn(&Sandbox), expected: &[&str]| {
        let sandbox = gate();
        edit(&sandbox);
        let text = sandbox.run(&["run"], 2);
        let lines: Vec<_> = text.lines().map(|line| line.trim_start_matches([' ', '|', '^'])).collect();
        for line in expected {
            assert!(lines.iter().any(|shown| shown.ends_with(line)), "{line}: {text}");
        }
    };
    let config =
        |from: &'static str, to: &'static str| move |sandbox: &Sandbox| sandbox.edit("genti.toml", from, to);
    check(
        &config("features = [\"full\"]\n[variants.bare]", "features = [\"full,x\"]\n[variants.bare]"),
        &["no package of the variant `full` has the feature `full,x`", "write \"full\", \"x\""],
    );
    check(
        &config("features = [\"full\"]\n[variants.bare]", "features = [\"ful\"]\n[variants.bare]"),
        &[
            "no package of the variant `full` has the feature `ful`",
            "--> genti.toml:3:13",
            "did you mean `full`?",
        ],
    );
    check(
        &config("packages = [\"base\", \"net\"]", "packages = [\"base\", \"nett\"]"),
        &["no package named `nett` in this workspace", "did you mean `net`?"],
    );
    let sandbox = gate();
    let text = sandbox.run(&["run", "--variant", "ful"], 2);
    assert!(text.contains("no tool runs a variant named `ful` (did you mean `full`?)"), "{text}");
}

/// A workspace of one package with one test, where only the tools in `config` run.
fn one_package(config: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "variants");
    for dir in ["examples", "src", "tests"] {
        std::fs::remove_dir_all(sandbox.root().join(dir)).unwrap();
    }
    std::fs::remove_file(sandbox.root().join("build.rs")).unwrap();
    sandbox.write(
        "src/lib.rs",
        "//! Has a test.\n#[test]\nfn passes_without_demo() {\n    assert!(!cfg!(demo));\n}\n",
    );
    let off = ["clippy", "doc", "doctest", "fmt", "test"].map(|tool| format!("[tools.{tool}]"));
    let off = off.iter().filter(|table| !config.contains(table.as_str()));
    let off: String = off.map(|table| format!("{table}\nenabled = false\n")).collect();
    sandbox.write("genti.toml", &format!("{config}\n{off}"));
    sandbox
}

/// Returns the status of each task of the last run.
fn statuses(sandbox: &Sandbox) -> Vec<String> {
    let tasks = String::from_utf8(sandbox.artifact("tasks.jsonl")).unwrap();
    let tasks = tasks.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    tasks
        .filter(|line| line["kind"] == "task")
        .map(|task| format!("{} {}", task["tool"].as_str().unwrap(), task["status"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_result_of_a_variant_for_other_systems_does_not_count_here() {
    let config = "[variants.v]\ncargo-profile = \"release\"\n[tools.t]\nrun = [\"true\", \"{selection}\"]\n";
    let sandbox = one_package(&format!("{config}variants = [\"default\", \"v\"]"));
    sandbox.run(&["run"], 0);
    let text = sandbox.run(&["run"], 0);
    assert!(text.contains("2 cached"), "{text}");
    sandbox.edit("genti.toml", "[variants.v]", "[variants.v]\non = [\"haiku\"]");
    let text = sandbox.run(&["run"], 0);
    assert!(text.contains("1 cached"), "{text}");
    assert_eq!(statuses(&sandbox), ["t clean", "t@v skipped"]);

    // Without the default build, nothing is checked here.
    sandbox.edit("genti.toml", "[\"default\", \"v\"]", "[\"v\"]");
    let text = sandbox.run(&["run"], 3);
    assert!(
        text.contains("every task of this run is of a variant that does not run on this system"),
        "{text}"
    );
    sandbox.run(&["check"], 3);
}

#[test]
fn tests_of_a_variant_for_other_systems_are_not_missed_here() {
    let config = "[variants.v]\ncargo-profile = \"release\"\non = [\"haiku\"]\n[tools.test]\n";
    let sandbox = one_package(&format!("{config}variants = [\"default\", \"v\"]"));
    sandbox.run(&["check"], 0);
}

#[test]
fn a_build_script_reads_the_variables_of_its_variant() {
    let config = "[variants.demo]\nenv = { DEMO = \"1\" }\n[tools.test]\n";
    let sandbox = one_package(&format!("{config}variants = [\"default\", \"demo\"]"));
    sandbox.write(
        "build.rs",
        "//! Does not tell cargo which variable it reads.\nfn main() {\n    println!(\"cargo:rerun-if-changed=build.rs\");\n    \
         println!(\"cargo:rustc-check-cfg=cfg(demo)\");\n    if std::env::var_os(\"DEMO\").is_some() {\n        \
         println!(\"cargo:rustc-cfg=demo\");\n    }\n}\n",
    );
    sandbox.run(&["run", "--variant", "default"], 0);
    sandbox.run(&["run", "--variant", "demo"], 1);
    sandbox.run(&["run", "--variant", "default"], 0);
}

/// A workspace of one package with the tests `code`, and its configuration.
fn small(code: &str, config: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "small");
    for dir in ["src", "tests", "examples", "benches"] {
        let _ = std::fs::remove_dir_all(sandbox.root().join(dir));
    }
    let _ = std::fs::remove_file(sandbox.root().join("Cargo.lock"));
    let cfgs = "unexpected_cfgs = { level = \"warn\", check-cfg = ['cfg(special)'] }";
    sandbox.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lints.rust]\n{cfgs}\n"
        ),
    );
    sandbox.write("src/lib.rs", &format!("//! A package.\n\n#[cfg(test)]\nmod tests {{\n{code}}}\n"));
    let off: String =
        ["fmt", "clippy", "doc", "doctest"].map(|tool| format!("[tools.{tool}]\nenabled = false\n")).concat();
    let variant = "[variants.special]\nenv = { RUSTFLAGS = \"--cfg special\" }\n";
    sandbox.write("genti.toml", &format!("{variant}{off}{config}"));
    sandbox
}

#[test]
fn conditions_are_those_of_the_variant_that_built_the_test() {
    let code = "    #[cfg(special)]\n    #[test]\n    fn with() {\n        panic!();\n    }\n\n    \
                #[cfg(not(special))]\n    #[test]\n    fn without() {\n        panic!();\n    }\n";
    let sandbox = small(code, "[tools.test]\nvariants = [\"default\", \"special\"]\n");
    sandbox.run(&["baseline", "init"], 0);
    let gone = |sandbox: &Sandbox| {
        let report = sandbox.json("report.json");
        let one = |gone: &Value| (gone["state"].as_str().unwrap().to_owned(), gone["unseen"].is_string());
        report["gone"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    // The condition is on in the variant that ran the test, so the entry is fixed once it passes.
    sandbox.edit("src/lib.rs", "fn with() {\n        panic!();", "fn with() {");
    sandbox.run(&["run"], 0);
    assert_eq!(gone(&sandbox), [("fixed".to_owned(), false)]);
    sandbox.run(&["baseline", "update"], 0);

    // It is off in the only variant that is left, so the test did not run there.
    sandbox.edit("genti.toml", "[\"default\", \"special\"]", "[\"special\"]");
    let text = sandbox.baseline("test").replace("[\"default\"]", "[\"special\"]");
    sandbox.write(".config/genti/baseline/test.jsonl", &text);
    sandbox.run(&["run"], 0);
    assert_eq!(gone(&sandbox), [("unknown".to_owned(), true)]);
}

#[test]
fn an_accepted_failure_of_a_program_holds_only_in_its_variants() {
    let program = "[tools.test]\nenabled = false\n[tools.works]\nrun = [\"cargo\", \"check\", \"{selection}\"]\n\
                   parse = \"exit-code\"\ninherit-env = true\nvariants = [\"default\", \"special\"]\n";
    let sandbox = small("", program);
    let fails = |cfg: &str| {
        let error = format!("#[cfg({cfg})]\ncompile_error!(\"it fails\");\n");
        sandbox.write("src/lib.rs", &format!("//! A package.\n\n{error}"));
    };
    fails("special");
    sandbox.run(&["baseline", "init"], 0);
    let text = sandbox.baseline("works");
    assert!(text.contains(r#""in_variants":["special"]"#), "{text}");
    sandbox.run(&["check"], 0);
    fails("not(special)");
    sandbox.run(&["check"], 1);
    fails("any(special, not(special))");
    sandbox.run(&["check"], 1);
}

/// A package whose features are combined. `more` is added to its code.
fn combined(more: &str) -> Sandbox {
    let sandbox = one_package(
        "[variants.each]\neach-feature = true\n[tools.check]\nvariants = [\"each\"]\nargs = [\"--lib\"]\n",
    );
    let manifest = std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap();
    let features = "\n[features]\na = []\nb = [\"a\"]\nc = []\ndefault = [\"b\"]\n";
    sandbox.write("Cargo.toml", &format!("{manifest}{features}"));
    let lib = "//! Has features.\n#[cfg(feature = \"c\")]\nfn unused() {}\n\n#[cfg(not(feature = \"a\"))]\nfn bare() {}\n";
    sandbox.write("src/lib.rs", &format!("{lib}{more}"));
    sandbox
}

#[test]
fn each_combination_of_features_is_checked_alone_and_cached_alone() {
    let sandbox = combined("");
    let text = sandbox.run(&["run"], 1);
    let units = |sandbox: &Sandbox| {
        let tasks = String::from_utf8(sandbox.artifact("tasks.jsonl")).unwrap();
        let tasks = tasks.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let tasks = tasks.filter(|line| line["kind"] == "task");
        tasks
            .map(|task| format!("{}: {}", task["unit"].as_str().unwrap(), task["status"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let all = [
        ". --no-default-features: findings",
        ". --features a: clean",
        ". --features b: clean",
        ". --features c: findings",
        ". --features default: clean",
        ". --all-features: findings",
    ];
    assert_eq!(units(&sandbox), all, "{text}");
    // A finding of several combinations is one finding.
    let found = |state: &str| {
        ["3", "6"].map(|line| (line.to_owned(), (state.to_owned(), Vec::new()))).into_iter().collect()
    };
    assert_eq!(findings(&sandbox, "rustc"), found("new"));
    assert!(sandbox.run(&["run"], 1).contains("6 cached"));
    let one = artifacts(&sandbox, "1", 1);
    assert_eq!(artifacts(&sandbox, "8", 1)[..2], one[..2]);
    sandbox.run_alone(&["check", "--artifacts", "target/genti/artifacts"], 1);

    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    assert_eq!(findings(&sandbox, "rustc"), found("unchanged"));
    // All combinations of the package must have looked.
    sandbox.edit("src/lib.rs", "fn unused", "pub fn used");
    sandbox.run(&["run"], 0);
    let gone =
        |sandbox: &Sandbox| sandbox.json("report.json")["gone"].as_array().unwrap()[0]["state"].clone();
    assert_eq!(gone(&sandbox), "fixed");
    sandbox.write(
        "src/lib.rs",
        "//! Has features.\n#[cfg(all(feature = \"b\", feature = \"c\"))]\ncompile_error!(\"not together\");\n",
    );
    let text = sandbox.run(&["run"], 3);
    assert!(text.contains("with `--all-features`"), "{text}");
    assert_eq!(units(&sandbox)[5], ". --all-features: incomplete");
    assert_eq!(gone(&sandbox), "unknown");
}

/// A tool of its own that prints its arguments and a variable, with a golden file per unit.
const PRINTS: &str = r#"
[variants.full]
features = ["full"]
[variants.bare]
no-default-features = true
target = "wasm32-unknown-unknown"
env = { MODE = "bare" }
[variants.each]
packages = ["base"]
powerset = { depth = 1, skip = ["default", "std"] }

[tools.fmt]
enabled = false
[tools.clippy]
enabled = false
[tools.doc]
enabled = false
[tools.test]
enabled = false
[tools.doctest]
enabled = false
[tools.prints]
run = ["sh", "-c", "echo $MODE $0 $*", "{package}", "{features}", "{target}"]
env = ["MODE"]
per = "package"
parse = "lines"
variants = ["default", "full", "bare", "each"]
[tools.mode]
run = ["sh", "-c", "echo ${MODE-none}"]
env = ["MODE"]
parse = "lines"
variants = ["default", "bare"]
"#;

#[test]
fn a_tool_of_its_own_is_told_features_target_and_variables() {
    let sandbox = gate();
    sandbox.write("genti.toml", PRINTS);
    sandbox.edit("tiny/Cargo.toml", "full = []\n", "");
    sandbox.run(&["run"], 1);
    let report = sandbox.json("report.json");
    let text = |one: &Value| one["message"].as_str().unwrap().to_owned();
    let all: Vec<_> = report["findings"].as_array().unwrap().iter().map(text).collect();
    let has = |text: &str| assert!(all.iter().any(|one| one == text), "{text}: {all:#?}");
    has("net");
    has("net --features full");
    has("bare net --no-default-features --target wasm32-unknown-unknown");
    // Only features that a package has are passed.
    has("tiny");
    assert!(!all.iter().any(|one| one == "tiny --features full"), "{all:#?}");
    for words in ["--no-default-features", "--no-default-features --features full"] {
        has(&format!("base {words}"));
    }
    has("none");
    has("bare");
    // Each of them is a task of its own, and the default one has the same id as without variants.
    let ids = |sandbox: &Sandbox| {
        let tasks = sandbox.lines("task").into_iter();
        let id =
            |task: Value| (task["tool"].to_string(), task["unit"].to_string(), task["task_id"].to_string());
        tasks.map(id).collect::<Vec<_>>()
    };
    let before = ids(&sandbox);
    let distinct: std::collections::BTreeSet<_> = before.iter().map(|(.., id)| id).collect();
    assert_eq!(distinct.len(), before.len(), "{before:#?}");
    let (tables, tools) = PRINTS.split_once("[tools.fmt]").unwrap();
    assert!(tables.contains("[variants."));
    let alone: String = tools
        .lines()
        .filter(|line| !line.starts_with("variants = "))
        .map(|line| format!("{line}\n"))
        .collect();
    sandbox.write("genti.toml", &format!("[tools.fmt]{alone}"));
    sandbox.run(&["run"], 1);
    for task in ids(&sandbox) {
        assert!(before.contains(&task), "{task:?}");
    }
}

#[test]
fn a_tool_of_its_own_runs_tests_in_each_combination() {
    let sandbox = gate();
    let config = "[variants.each]\npackages = [\"base\", \"tiny\"]\npowerset = { depth = 1, skip = [\"default\", \"std\", \"net\"] }\n\
                  [tools.tests]\nrun = [\"cargo\", \"test\", \"{selection}\", \"--lib\", \"--no-fail-fast\"]\n\
                  parse = \"libtest\"\ninherit-env = true\nlane = \"build\"\nvariants = [\"each\"]\n";
    let off: String = ["fmt", "clippy", "doc", "test", "doctest"]
        .map(|tool| format!("[tools.{tool}]\nenabled = false\n"))
        .concat();
    sandbox.write("genti.toml", &format!("{off}{config}"));
    sandbox.run(&["run"], 1);
    let tasks = sandbox.lines("task").into_iter();
    let tasks: Vec<_> =
        tasks.map(|task| format!("{} {}", task["unit"].as_str().unwrap(), task["status"])).collect();
    let expected = [
        "base --no-default-features \"findings\"",
        "base --features full \"findings\"",
        "tiny --no-default-features \"clean\"",
        "tiny --features full \"clean\"",
    ];
    for line in expected {
        assert!(tasks.contains(&line.to_owned()), "{line}: {tasks:#?}");
    }
    let report = sandbox.json("report.json");
    let mut subjects: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["subject"].as_str().unwrap().to_owned())
        .collect();
    subjects.sort();
    assert_eq!(subjects, ["base tests::fails_everywhere", "base tests::fails_with_full"]);
}
