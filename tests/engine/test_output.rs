//! Tests of unusual output of tests and related messages of cargo: no failure is taken for another one.

use std::process::Command;

use serde_json::Value;

use crate::support::Sandbox;

/// Creates a workspace with the members `a` and `b`, with the given libraries and a configuration that only runs
/// `mine`.
fn two(a: &str, b: &str, config: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(config);
    sandbox.write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"2\"\n");
    for (name, text) in [("a", a), ("b", b)] {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        sandbox.write(&format!("{name}/Cargo.toml"), &manifest);
        sandbox.write(&format!("{name}/src/lib.rs"), text);
    }
    std::fs::remove_dir_all(sandbox.root().join("src")).unwrap();
    let _ = std::fs::remove_file(sandbox.root().join("Cargo.lock"));
    sandbox
}

/// Returns a library with the test `tests::works`, with the given body.
fn with_test(body: &str) -> String {
    format!("#[cfg(test)]\nmod tests {{\n    #[test]\n    fn works() {{ {body} }}\n}}\n")
}

/// Returns `state subject` for each finding.
fn subjects(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| format!("{} {}", text(&finding["state"]), text(&finding["subject"]))).collect()
}

/// Configures a tool that runs `cargo test` with these arguments.
fn mine(args: &str) -> String {
    format!(
        "[tools.mine]\nrun = [\"cargo\", \"test\", \"--offline\", {args}]\nparse = \"libtest\"\ninherit-env = true\n\
         lane = \"build\"\njobserver = true\n"
    )
}

#[test]
fn a_failure_in_one_package_is_not_accepted_by_an_entry_of_another() {
    for args in ["\"--lib\", \"--no-fail-fast\"", "\"--lib\", \"--no-fail-fast\", \"-q\""] {
        let sandbox = two(&with_test("panic!()"), &with_test(""), &mine(args));
        sandbox.run(&["run"], 1);
        assert_eq!(subjects(&sandbox), ["new a tests::works"]);
        sandbox.run(&["baseline", "init"], 0);
        sandbox.run(&["check"], 0);
        sandbox.write("b/src/lib.rs", &with_test("panic!()"));
        sandbox.run(&["check"], 1);
        assert_eq!(subjects(&sandbox), ["unchanged a tests::works", "new b tests::works"]);
    }
}

#[test]
fn a_cargo_that_stops_at_an_accepted_failure_is_incomplete() {
    let sandbox = two(&with_test("panic!()"), &with_test(""), &mine("\"--lib\""));
    let text = sandbox.run(&["run"], 3);
    assert!(text.contains("--no-fail-fast"), "{text}");
}

/// Two doc tests of one item, the second of which fails.
const DOCUMENTED: &str =
    "/// ```\n/// assert_eq!(1, 1);\n/// ```\n///\n/// ```\n/// assert_eq!(1, 2);\n/// ```\npub fn f() {}\n";

/// Creates a workspace in which only `tool` runs, with this library of `b`.
fn with_tool(tool: &str, text: &str) -> Sandbox {
    let sandbox = two("", text, "");
    sandbox.edit("genti.toml", &format!("[tools.{tool}]\nenabled = false\n"), "");
    sandbox
}

#[test]
fn a_doc_test_added_above_an_accepted_one_does_not_change_its_finding() {
    let sandbox = with_tool("doctest", DOCUMENTED);
    sandbox.run(&["baseline", "init"], 0);
    let baseline =
        std::fs::read_to_string(sandbox.root().join(".config/genti/baseline/doctest.jsonl")).unwrap();
    assert!(
        baseline.contains(r#""subject":"b/src/lib.rs - f #2""#) && baseline.contains("assert_eq!(1,2);"),
        "{baseline}"
    );
    let more = "/// ```\n/// assert_eq!(0, 0);\n/// ```\n///\n";
    sandbox.write("b/src/lib.rs", &format!("{more}{DOCUMENTED}"));
    sandbox.run(&["check"], 0);
    assert_eq!(subjects(&sandbox), ["unchanged b/src/lib.rs - f #3"]);
    // Another failing block is another finding, even at the number of the accepted one.
    let broken = more.replace("0, 0", "0, 7");
    sandbox.write("b/src/lib.rs", &format!("{broken}{broken}{DOCUMENTED}"));
    sandbox.run(&["check"], 1);
    assert_eq!(
        subjects(&sandbox),
        ["new b/src/lib.rs - f", "new b/src/lib.rs - f #2", "unchanged b/src/lib.rs - f #4"]
    );
}

#[test]
fn an_old_entry_of_a_doc_test_is_valid_and_updated() {
    let sandbox = with_tool("doctest", DOCUMENTED);
    sandbox.run(&["baseline", "init"], 0);
    let path = ".config/genti/baseline/doctest.jsonl";
    sandbox.edit(path, r#""code":"assert_eq!(1,2);""#, r#""code":"""#);
    sandbox.run(&["check"], 0);
    assert_eq!(subjects(&sandbox), ["unchanged b/src/lib.rs - f #2"]);
    sandbox.run(&["baseline", "update"], 0);
    let baseline = std::fs::read_to_string(sandbox.root().join(path)).unwrap();
    assert!(baseline.contains("assert_eq!(1,2);"), "{baseline}");
}

#[test]
fn a_failed_test_is_shown_where_it_panicked_and_keeps_its_identity() {
    let sandbox = with_tool("test", &with_test("\n        panic!(\"boom {}\", 1)\n    "));
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("b tests::works: boom 1") && text.contains("--> b/src/lib.rs:5:9"), "{text}");
    let report = |format: &str| sandbox.run(&["report", "--format", format], 0);
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let runs = sarif["runs"].as_array().unwrap().iter();
    let result = runs.flat_map(|run| run["results"].as_array().unwrap()).next().unwrap();
    let physical = &result["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "b/src/lib.rs");
    assert_eq!(physical["region"]["startLine"], 5);
    assert_eq!(result["message"]["text"], "b tests::works: boom 1.");
    let junit = report("junit");
    assert!(
        junit.contains(r#"file="b/src/lib.rs" line="5""#) && junit.contains(r#"message="boom 1""#),
        "{junit}"
    );
    let github = report("github");
    assert!(github.contains("::error file=b/src/lib.rs,line=5,endLine=5,"), "{github}");
    assert!(github.contains("b tests::works: boom 1"), "{github}");
    let markdown = report("markdown");
    assert!(markdown.contains("`b/src/lib.rs:5:9`: `b tests::works: boom 1`"), "{markdown}");
    assert!(report("html").contains("b/src/lib.rs:5"));

    sandbox.run(&["baseline", "init"], 0);
    sandbox.write("b/src/lib.rs", &with_test("\n\n\n        assert_eq!(1, 2);\n    "));
    sandbox.run(&["check"], 0);
    assert_eq!(subjects(&sandbox), ["unchanged b tests::works"]);
    assert_eq!(sandbox.json("report.json")["findings"][0]["test"]["range"]["start"]["line"], 7);
    sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 0);
}

#[test]
fn no_user_setting_merges_two_failures_into_one() {
    let check = |variables: &[(&str, &str)], config: &str| {
        let sandbox = with_tool("doctest", DOCUMENTED);
        sandbox.write(".cargo/config.toml", config);
        let run = |args: &[&str], code| {
            let mut command: Command = sandbox.command(args);
            command.envs(variables.iter().copied());
            sandbox.expect(&command.output().unwrap(), code)
        };
        run(&["baseline", "init"], 0);
        run(&["check"], 0);
        sandbox.edit("b/src/lib.rs", "/// assert_eq!(1, 1);", "/// assert_eq!(1, 3);");
        run(&["check"], 1);
        assert_eq!(
            subjects(&sandbox),
            ["new b/src/lib.rs - f", "unchanged b/src/lib.rs - f #2"],
            "{variables:?}"
        );
    };
    check(&[], "");
    check(&[("CARGO_TERM_QUIET", "true"), ("RUST_TEST_NOCAPTURE", "1")], "");
    check(
        &[],
        "[term]\nquiet = true\nprogress.when = \"always\"\nprogress.width = 80\n[env]\nRUST_TEST_NOCAPTURE = \"1\"\n",
    );
    check(&[("CARGO_TERM_VERBOSE", "true"), ("RUST_TEST_SHUFFLE", "1")], "[term]\nverbose = true\n");
}

/// Starts a process that outlives the test and holds its output open.
const LEAK: &str = "std::process::Command::new(\"sleep\").arg(\"600\").spawn().unwrap();";

/// Returns the unit and status of the lines of `tasks.jsonl` of this tool that report a leak.
fn leaky_tasks(sandbox: &Sandbox, tool: &str) -> Vec<String> {
    let lines = sandbox.lines("task").into_iter();
    let lines = lines.filter(|line| line["tool"] == tool && line["leaky"] == true);
    lines
        .map(|line| format!("{} {}", line["unit"].as_str().unwrap(), line["status"].as_str().unwrap()))
        .collect()
}

/// Returns the content of `leaky` in `report.json`, by tool.
fn leaky(sandbox: &Sandbox) -> Vec<Value> {
    let report = sandbox.json("report.json");
    report["tools"].as_array().unwrap().iter().filter_map(|tool| tool.get("leaky").cloned()).collect()
}

#[test]
fn a_test_that_leaves_a_process_passes_and_is_reported_as_leaky() {
    let sandbox = with_tool("test", &with_test(LEAK));
    let text = sandbox.run(&["run"], 0);
    assert!(
        text.contains("1 leaky") && text.contains("b/src/lib.rs: leaky: left a process running"),
        "{text}"
    );
    assert_eq!(leaky_tasks(&sandbox, "test"), ["b/src/lib.rs clean"]);
    assert_eq!(leaky(&sandbox), [serde_json::json!(["b/src/lib.rs"])]);
    sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 0);
    let report = |format: &str| sandbox.run(&["report", "--format", format], 0);
    assert!(report("markdown").contains("`test` on `b/src/lib.rs`: left a process running"));
    assert!(report("junit").contains("<system-out>left a process running"));
    assert!(report("github").contains("::notice title=test%3A leaky::b/src/lib.rs: left a process running"));
    assert!(report("sarif").contains("b/src/lib.rs left a process running"));
    assert!(report("html").contains("leaky: left a process running"));
    // A test that also fails is a failure.
    sandbox.write("b/src/lib.rs", &with_test(&format!("{LEAK} panic!()")));
    sandbox.run(&["run"], 1);
    assert_eq!(leaky_tasks(&sandbox, "test"), ["b/src/lib.rs findings"]);
    assert_eq!(subjects(&sandbox), ["new b tests::works"]);
}

#[test]
fn a_leak_is_a_finding_if_configured() {
    let sandbox = with_tool("test", &with_test(LEAK));
    let config = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    sandbox.write("genti.toml", &format!("{config}[tools.test]\nleaky = \"fail\"\n"));
    sandbox.run(&["run"], 1);
    assert_eq!(subjects(&sandbox), ["new b"]);
    assert_eq!(sandbox.json("report.json")["findings"][0]["rule"], "leaky");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
}

#[test]
fn a_leaky_test_program_without_a_count_has_no_verdict() {
    let sandbox = with_tool("test", "");
    let manifest = std::fs::read_to_string(sandbox.root().join("b/Cargo.toml")).unwrap();
    sandbox.write("b/Cargo.toml", &format!("{manifest}[[test]]\nname = \"own\"\nharness = false\n"));
    sandbox.write("b/tests/own.rs", &format!("fn main() {{ {LEAK} }}\n"));
    sandbox.run(&["run"], 3);
    let lines = sandbox.lines("task").into_iter().filter(|line| line["status"] == "leaky");
    assert_eq!(lines.map(|line| line["unit"].clone()).collect::<Vec<_>>(), ["b/tests/own.rs"]);
    assert!(leaky(&sandbox).is_empty());
}

#[test]
fn a_leak_under_cargo_and_nextest_is_reported_too() {
    let sandbox = two("", &with_test(LEAK), &mine("\"--lib\", \"--no-fail-fast\""));
    sandbox.run(&["run"], 0);
    assert_eq!(
        (leaky_tasks(&sandbox, "mine"), leaky(&sandbox)),
        (vec![". clean".to_owned()], vec![serde_json::json!(["."])])
    );
    let found = Command::new(env!("CARGO")).args(["nextest", "--version"]).output().unwrap();
    if !found.status.success() {
        return;
    }
    let config = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    sandbox.write(
        "genti.toml",
        &config.replace("[tools.mine]", "[tools.nextest]\nenabled = true\n[tools.mine]"),
    );
    sandbox.run(&["run", "--tool", "nextest"], 0);
    assert_eq!(leaky_tasks(&sandbox, "nextest"), [". clean"]);
    assert_eq!(leaky(&sandbox), [serde_json::json!(["b tests::works"])], "nextest names the test");
}
