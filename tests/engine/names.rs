//! Tests of the names by which `explain` and `bisect` find tasks, tests and findings of the last run.

use crate::support::Sandbox;

#[test]
fn a_finding_is_named_by_its_id_the_beginning_of_it_or_its_place() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["run"], 1);
    let findings = sandbox.json("report.json")["findings"].clone();
    let id = findings[0]["id"].as_str().unwrap().to_owned();
    let of_id = sandbox.run(&["explain", &id], 0);
    assert!(of_id.contains("a.txt:1"), "{of_id}");
    for name in [&id[..6], &id[..6].to_uppercase(), "a.txt:1", "a.txt:1:1"] {
        assert_eq!(sandbox.run(&["explain", name], 0), of_id, "{name}");
        let text = sandbox.run(&["bisect", name], 2);
        assert!(!text.contains("has no finding"), "{text}");
    }
    for name in [&id[..3], "a.txt:3", "0123456789abcdef", "words2", "word\u{1b}"] {
        let text = sandbox.run(&["explain", name], 2);
        assert!(text.contains("no tool, task, finding or test called") && !text.contains('\u{1b}'), "{text}");
        let text = sandbox.run(&["bisect", name], 2);
        assert!(text.contains("has no finding `") && text.contains("its place such as"), "{text}");
    }
    assert!(sandbox.run(&["explain", "word"], 2).contains("(did you mean `words`?)"));
}

#[test]
fn several_findings_at_one_place_are_all_explained_and_not_searched() {
    let sandbox = Sandbox::with_words("");
    sandbox.write("two.sh", "printf 'x.txt:1: bad one\\nx.txt:1: bad two\\n'; exit 1\n");
    sandbox.write("x.txt", "bad\n");
    sandbox.edit("genti.toml", "[tools.words]", TWICE);
    sandbox.run(&["run"], 1);
    let text = sandbox.run(&["explain", "x.txt:1"], 0);
    assert!(text.contains("bad one") && text.contains("bad two"), "{text}");
    let text = sandbox.run(&["bisect", "x.txt:1"], 2);
    assert!(text.contains("`x.txt:1` is ambiguous; pass one of these ids: "), "{text}");
}

/// A tool with two findings in one line, before the tool `words`.
const TWICE: &str = "[tools.twice]\nrun = ['sh', 'two.sh']\n\
                     parse = { regex = '^(?<path>.+?):(?<line>\\d+): (?<message>.*)$' }\n\n[tools.words]";

#[test]
fn a_task_that_did_not_exist_is_an_error() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["run"], 1);
    let text = sandbox.run(&["explain", "words:a.tx"], 2);
    assert!(text.contains("the last run has no task `words:a.tx` (did you mean `words:a.txt`?)"), "{text}");
    sandbox.run(&["run"], 1);
    let text = sandbox.run(&["explain", "words:a.txt"], 0);
    assert!(text.contains("a.txt was cached"), "{text}");
}

#[test]
fn a_test_is_explained_by_its_failure_or_its_task() {
    let sandbox = Sandbox::library();
    sandbox.write(
        "src/lib.rs",
        "//! Text.\n#[test]\nfn good() {}\n#[test]\nfn bad() {\n    panic!(\"no\");\n}\n",
    );
    sandbox.run(&["run", "--tool", "test"], 1);
    let text = sandbox.run(&["explain", "bad"], 0);
    assert!(text.contains("src/lib.rs:6:5: error[failed]"), "{text}");
    let text = sandbox.run(&["explain", "good"], 0);
    assert!(text.contains("test:\n  src/lib.rs: "), "{text}");
}
