//! Tests of the numbers and reasons at the end of a report: they agree with each other in every report.

use serde_json::Value;

use crate::support::{Sandbox, disabled};

/// Two tools that report the findings of rustc. The one whose name is first is optional.
const BOTH: &str = "[tools.a-check]\nrun = ['cargo', 'check', '--offline', '--message-format=json']\n\
    parse = 'rustc-json'\nrequired = false\ninherit-env = true\nlane = 'build'\njobserver = true\n";

/// Returns the sum of a column of a table: of the lines that begin with a verdict and the name of a tool.
fn sum(text: &str, column: usize) -> usize {
    let words = ["Passed", "Failed", "Incomplete"];
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| {
        row.first().is_some_and(|word| words.contains(word)) && row.len() > 2 && row[1] != "in"
    });
    rows.map(|row| row[column].replace(',', "").parse::<usize>().unwrap_or_default()).sum()
}

#[test]
fn the_counts_of_all_tools_add_up_if_two_tools_report_a_finding() {
    let sandbox = Sandbox::of("clean", "workspace");
    sandbox.write("genti.toml", &format!("{}{BOTH}", disabled(&["fmt", "doc", "test", "doctest"])));
    sandbox.write("src/main.rs", "fn one() {}\nfn two() {}\nfn main() {\n    return;\n}\n");
    let all = ["--report", "markdown=out.md", "--report", "junit=out.xml"];
    let text = sandbox.run(&[&["run"][..], &all].concat(), 1);
    let report = sandbox.json("report.json");
    let shared = report["findings"].as_array().unwrap();
    let of_both = shared.iter().filter(|one| one["tools"].as_array().unwrap().len() == 2).count();
    assert_eq!((shared.len(), of_both), (3, 2), "{text}");
    // All count for the required tool, also those that the optional one reports too.
    let new = |report: &Value| -> Vec<_> {
        report["tools"].as_array().unwrap().iter().map(|tool| tool["new"].as_u64().unwrap()).collect()
    };
    assert_eq!(new(&report), [0, 3]);
    assert_eq!(sum(&text, 2), 3, "{text}");
    assert!(text.contains("2 new findings counted for clippy") && text.contains("Failed a-check"), "{text}");
    assert!(text.contains("\nerror: 3 new findings\n"), "{text}");
    assert!(text.contains("3 new findings (clippy 3)\n"), "{text}");
    let markdown = sandbox.text("out.md");
    assert!(markdown.starts_with("## genti: failed, 3 new findings\n"), "{markdown}");
    assert!(
        markdown.contains("| failed | `clippy` | 3 |")
            && markdown.contains("| failed | `a-check` (optional) |  |"),
        "{markdown}"
    );
    assert!(sandbox.text("out.xml").contains("failures=\"3\""), "{}", sandbox.text("out.xml"));
    // So do accepted findings and stale entries.
    sandbox.run(&["baseline", "init"], 0);
    let text = sandbox.run(&["check"], 0);
    assert_eq!(sum(&text, 2), 3, "{text}");
    sandbox.write("src/main.rs", "fn one() {}\nfn main() {\n    return;\n}\n");
    let text = sandbox.run(&["check"], 1);
    let report = sandbox.json("report.json");
    let fixed: u64 =
        report["tools"].as_array().unwrap().iter().map(|tool| tool["fixed"].as_u64().unwrap()).sum();
    assert_eq!(fixed, 1, "{text}");
    assert!(text.contains("error: 1 accepted finding is fixed but still in the baseline\n"), "{text}");
}

#[test]
fn every_reason_of_a_failed_gate_is_named() {
    let sandbox = Sandbox::with_words("[tools.late]\nrun = ['sh', './late.sh']\n");
    sandbox.write("late.sh", "exit 0\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.write("a.txt", "bad two\nbad four\n");
    let both = "1 new finding; 1 accepted finding is fixed but still in the baseline";
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains(&format!("\nerror: {both}\n")), "{text}");
    // A stale entry is no reason in a run that is not a gate.
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("\nerror: 1 new finding\n"), "{text}");
    let text = sandbox.run(&["check", "--message-format", "short"], 1);
    assert!(text.contains("genti: failed: 1 new finding (words 1); 1 accepted finding is fixed"), "{text}");
    let text = sandbox.run(&["report", "--format", "markdown"], 0);
    assert!(text.starts_with("## genti: failed, 1 new finding, 1 stale baseline entry\n"), "{text}");
    // Whatever has no result comes first, as in the exit code.
    sandbox.write("late.sh", "kill -9 $$\n");
    let text = sandbox.run(&["check"], 3);
    assert!(text.contains(&format!("\nerror: no result from: late; {both}\n")), "{text}");
    assert!(text.contains("\n  Incomplete in "), "{text}");
    let text = sandbox.run(&["check", "--message-format", "short"], 3);
    assert!(
        text.contains("; no result from: late (late: killed by SIGKILL); 1 accepted finding is fixed"),
        "{text}"
    );
}

#[test]
fn statistics_count_what_the_verdict_counts() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["run"], 1);
    for args in [&["run", "--statistics"][..], &["report", "--statistics"]] {
        let code = i32::from(args[0] == "run");
        let text = sandbox.run(args, code);
        assert!(text.contains("    findings rule\n           3 words\n"), "{text}");
        assert!(text.contains("    findings directory\n           2 .\n           1 b\n"), "{text}");
        assert!(text.contains("error: 3 new findings\n"), "{text}");
    }
    sandbox.run(&["baseline", "init"], 0);
    let text = sandbox.run(&["run", "--statistics"], 0);
    assert!(!text.contains(" rule\n") && text.contains("no new findings"), "{text}");
    let text = sandbox.run(&["run", "--statistics", "-v"], 0);
    assert!(text.contains("    findings rule\n           3 words\n"), "{text}");
}

#[test]
fn a_tool_of_which_only_the_exit_code_is_read_says_how_to_read_more() {
    let sandbox = Sandbox::with_tools("[tools.lint]\nrun = ['sh', '-c', 'echo bad; exit 1']\n");
    let hint =
        "only the exit code of `lint` is read; for a finding per problem, set `parse` under `[tools.lint]`";
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains(hint), "{text}");
    sandbox.edit("genti.toml", "exit 1']\n", "exit 1']\nparse = 'exit-code'\n");
    let text = sandbox.run(&["run"], 1);
    assert!(!text.contains(hint), "{text}");
}

/// A failing, an ignored, a flaky and a leaky test.
const TESTS: &str = r#"
#[test]
fn passes() {}

#[test]
fn fails() {
    panic!("boom");
}

#[test]
#[ignore]
fn is_ignored() {}

#[test]
fn wobbles() {
    let mark = concat!(env!("CARGO_MANIFEST_DIR"), "/../mark");
    if std::fs::remove_file(mark).is_err() {
        std::fs::write(mark, "").unwrap();
        panic!("the first time");
    }
}

#[test]
fn leaks() {
    std::process::Command::new("sleep").arg("600").spawn().unwrap();
}
"#;

#[test]
fn a_failing_an_ignored_a_flaky_and_a_leaky_test_look_right_in_every_report() {
    let sandbox = Sandbox::library();
    let others = disabled(&["fmt", "clippy", "doc", "doctest"]);
    sandbox.write("genti.toml", &format!("{others}[tools.test]\nretries = 1\n"));
    sandbox.write("tests/it.rs", TESTS);
    let text = sandbox.run(&["run"], 1);
    for expected in [
        "Found 1 new finding (test)\n",
        "error[failed]: clean::it fails: boom\n --> tests/it.rs:7:5\n",
        "Found 1 noted finding (test)\n",
        "note[flaky]: clean::it wobbles: failed, and passed when it was run again\n",
        "1 ignored, 1 flaky, 1 leaky",
        "tests/it.rs: leaky: left a process running that held its output open\n",
        "tests (1 flaky, 1 leaky), 1 new finding (test 1)\n",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let text = sandbox.run(&["run", "--message-format", "short"], 1);
    assert!(text.contains("genti: failed: 1 new finding (test 1); 1 flaky test; 1 leaky; report="), "{text}");
    let report = |format: &str| sandbox.run(&["report", "--format", format], 0);
    let junit = report("junit");
    let case = |name: &str| -> String {
        let from =
            junit.find(&format!("<testcase name=\"{name}\"")).unwrap_or_else(|| panic!("{name}: {junit}"));
        let rest = &junit[from..];
        let end = rest.find('>').unwrap();
        let end = if rest[..end].ends_with('/') { end } else { rest.find("</testcase>").unwrap() };
        rest[..end].to_owned()
    };
    assert!(case("passes").ends_with('/'), "{junit}");
    let fails = case("fails");
    assert!(fails.contains("file=\"tests/it.rs\" line=\"7\"") && fails.contains("<failure "), "{fails}");
    assert!(fails.contains("message=\"boom\"") && fails.contains("<system-out>"), "{fails}");
    assert!(case("is_ignored").contains("<skipped message=\"ignored\"/>"), "{junit}");
    assert!(case("wobbles").contains("<flakyFailure ") && !case("wobbles").contains("<failure"), "{junit}");
    assert!(junit.contains("failures=\"1\"") && junit.contains("left a process running"), "{junit}");
    let markdown = report("markdown");
    for expected in ["1 ignored, 1 flaky, 1 leaky", "### Leaky", "### Noted", "`clean::it fails: boom`"] {
        assert!(markdown.contains(expected), "{expected}: {markdown}");
    }
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let run =
        sarif["runs"].as_array().unwrap().iter().find(|run| run["tool"]["driver"]["name"] == "test").unwrap();
    let levels: Vec<_> =
        run["results"].as_array().unwrap().iter().map(|one| one["level"].as_str().unwrap()).collect();
    let mut sorted = levels.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["error", "note"]);
    assert!(run["invocations"].to_string().contains("left a process running"), "{run}");
    let annotations = report("github");
    assert!(annotations.contains("::error file=tests/it.rs,line=7"), "{annotations}");
    assert_eq!(annotations.matches("::notice ").count(), 2, "{annotations}");
    let page = report("html");
    for expected in ["clean::it fails", "clean::it wobbles", "1 flaky, 1 leaky", "left a process running"] {
        assert!(page.contains(expected), "{expected}");
    }
}
