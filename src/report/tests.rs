//! Tests of all formats: determinism, hostile text, and the limits of the services that read them.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::{Value, json};

use super::*;
use crate::model::finding::State;
use crate::model::halt::{Never, is_halt};

/// Text that would end, begin or control something in at least one of the formats.
const HOSTILE: &str = "x\u{1b}[31m\u{9b}1m\u{7}\u{202e}\u{2066}\u{2028}\u{85}\u{0}\u{fffe}\u{ffff}\r\n::error::y%0A%\n::stop-commands::t\n##[error]z\
    <script>alert(1)</script><!-- --> ]]> <![CDATA[ & \" ' ` `` ```` | [a](http://evil) ![i](http://evil) @octocat #1 http://evil \\";

/// Artifacts of a small run.
fn committed() -> Artifacts {
    Artifacts {
        run: include_bytes!("../../tests/engine/golden/run.json").to_vec(),
        report: include_bytes!("../../tests/engine/golden/report.json").to_vec(),
        tasks: include_bytes!("../../tests/engine/golden/tasks.jsonl").to_vec(),
    }
}

/// The artifacts of [`committed`] after `edit` changed `run.json` and `report.json`.
fn edited(edit: impl Fn(&mut Value, &mut Value)) -> Artifacts {
    let artifacts = committed();
    let mut run = serde_json::from_slice(&artifacts.run).unwrap();
    let mut report = serde_json::from_slice(&artifacts.report).unwrap();
    edit(&mut run, &mut report);
    Artifacts { run: canonical::to_bytes(&run), report: canonical::to_bytes(&report), tasks: artifacts.tasks }
}

/// Replaces each string in `value` with `text`, except where only certain words are valid.
fn poison(value: &mut Value, text: &str) {
    const WORDS: [&str; 9] =
        ["state", "level", "verdict", "effect", "status", "id", "ns", "batch_id", "graph_hash"];
    match value {
        Value::String(string) => *string = text.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, text)),
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(key, _)| !WORDS.contains(&key.as_str()))
            .for_each(|(_, value)| poison(value, text)),
        _ => {}
    }
}

/// Artifacts of a run in which every text is hostile.
fn hostile() -> Artifacts {
    let place = json!({ "start": { "line": 1, "column": 1 }, "end": { "line": 2, "column": 3 } });
    edited(|run, report| {
        let one = report["findings"][0].clone();
        let states = ["new", "unchanged", "updated", "suppressed"];
        let findings = states.iter().flat_map(|state| {
            let mut by_file = one.clone();
            by_file["state"] = json!(state);
            by_file["reason"] = json!("why");
            by_file["owner"] = json!("who");
            by_file["scope"] = json!("where");
            by_file["fix"] =
                json!({ "message": "how", "edits": [{ "path": "p", "range": place, "text": "t" }] });
            by_file["related"] = json!([
                { "message": "m", "path": "p", "range": place },
                { "message": "m", "path": null, "range": null },
            ]);
            let mut by_subject = by_file.clone();
            (by_subject["path"], by_subject["range"]) = (json!(null), json!(null));
            by_subject["subject"] = json!("s");
            by_subject["test"] = json!({ "item": "i", "path": "p", "range": place });
            [by_file, by_subject]
        });
        report["findings"] = findings.collect();
        report["gone"] = json!([{
            "ns": "n", "path": "p", "subject": null, "rule": "r", "message": "m", "code": "c", "scope": "s",
            "reason": "why", "state": "fixed",
        }]);
        report["golden_orphans"] = json!(["p"]);
        for tool in report["tools"].as_array_mut().unwrap() {
            tool["incomplete"] = json!([{ "unit": "u", "reason": "r" }]);
        }
        poison(report, HOSTILE);
        poison(run, HOSTILE);
        // Tools need distinct names, and findings must name their tools.
        for (at, name) in ["a", "b"].iter().enumerate() {
            let name = json!(format!("{name}{HOSTILE}"));
            (run["tools"][at]["name"], report["tools"][at]["name"]) = (name.clone(), name.clone());
            report["findings"][at]["tools"] = json!([name]);
        }
        for finding in report["findings"].as_array_mut().unwrap().iter_mut().skip(2) {
            finding["tools"] = json!([format!("a{HOSTILE}")]);
        }
    })
}

fn rendered(format: Format, artifacts: &Artifacts) -> (Vec<u8>, Vec<String>) {
    let (run, tasks) = artifacts.read().unwrap();
    let paths = run.report.findings.iter().filter_map(|finding| finding.shown_at().path());
    let sources = paths.map(|path| (path.clone(), HOSTILE.as_bytes().to_vec())).collect::<BTreeMap<_, _>>();
    let around = Around { sources: Sources(sources), ..Around::default() };
    let mut bytes = Vec::new();
    let report = render(format, &run, &|| Ok(&tasks), &around).unwrap();
    let notes = report.write(&mut bytes, &Never).unwrap();
    (bytes, notes)
}

fn text(format: Format, artifacts: &Artifacts) -> String {
    String::from_utf8(rendered(format, artifacts).0).unwrap()
}

#[test]
fn the_report_for_gitlab_has_what_fails_a_gate() {
    let artifacts = edited(|run, report| {
        (run["tools"][0]["required"], run["tools"][1]["required"]) = (json!(true), json!(false));
        for (at, unit) in ["a/x.rs", "."].iter().enumerate() {
            report["tools"][at]["incomplete"] = json!([{ "unit": unit, "reason": "it crashed" }]);
        }
        let mut findings = vec![report["findings"][0].clone(); 6];
        for (finding, state) in
            findings.iter_mut().zip(["new", "new", "unchanged", "suppressed", "new", "new"])
        {
            finding["state"] = json!(state);
            finding["reason"] = json!(if state == "new" { None } else { Some("why") });
        }
        findings[4]["fatal"] = json!(true);
        (findings[5]["path"], findings[5]["range"]) = (json!(null), json!(null));
        (findings[5]["subject"], findings[5]["level"]) = (json!("x 1.0"), json!("error"));
        report["findings"] = json!(findings);
    });
    let list: Vec<Value> = serde_json::from_str(&text(Format::Gitlab, &artifacts)).unwrap();
    let severities: Vec<_> = list.iter().map(|entry| entry["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["blocker", "info", "major", "major", "blocker", "critical"]);
    assert!(
        list[0]["description"].as_str().unwrap().ends_with(": no result: a/x.rs: it crashed"),
        "{}",
        list[0]
    );
    assert!(list[5]["description"].as_str().unwrap().starts_with("x 1.0: "), "{}", list[5]);
    let (run, _) = artifacts.read().unwrap();
    let first = &run.report.findings[0];
    let place = json!({
        "lines": { "begin": first.place.range().unwrap().start.line },
        "path": first.place.path().unwrap().to_string(),
    });
    assert_eq!((&list[2]["location"], &list[2]["check_name"]), (&place, &json!(first.rule)));
    assert_eq!(list[5]["location"], json!({ "lines": { "begin": 1 }, "path": "Cargo.toml" }));
    let prints: BTreeSet<_> = list.iter().map(|entry| entry["fingerprint"].as_str().unwrap()).collect();
    assert_eq!(prints.len(), list.len(), "GitLab merges entries with the same fingerprint");
    let clean = edited(|_, report| report["findings"] = json!([]));
    assert_eq!(text(Format::Gitlab, &clean), "[]\n");
}

#[test]
fn a_report_round_trips() {
    for artifacts in [committed(), hostile()] {
        let report = FinishedReport::read(&artifacts.report).unwrap();
        assert_eq!(FinishedReport::read(&report.bytes()).unwrap(), report);
    }
    let Artifacts { report, .. } = committed();
    assert_eq!(String::from_utf8(FinishedReport::read(&report).unwrap().bytes()), String::from_utf8(report));
}

#[test]
fn writing_a_report_ends_soon_after_a_halt() {
    use crate::model::halt::testing::After;
    let artifacts = edited(|_, report| {
        let one = report["findings"][0].clone();
        report["findings"] = vec![one; 5000].into();
    });
    let (run, tasks) = artifacts.read().unwrap();
    let around = Around::default();
    for format in [Format::Json, Format::Sarif, Format::Junit, Format::Html] {
        let report = render(format, &run, &|| Ok(&tasks), &around).unwrap();
        let write = |halt: &After| report.write(&mut io::sink(), halt);
        let all = After::new(usize::MAX);
        write(&all).unwrap();
        assert!(all.asked() >= 5000 * 200 / crate::model::halt::STRIDE / 2, "{format:?}: {}", all.asked());
        let halt = After::new(all.asked() / 2);
        assert!(is_halt(&write(&halt).unwrap_err()), "{format:?}");
        assert_eq!(halt.asked(), all.asked() / 2 + 1);
    }
}

#[test]
fn every_format_is_deterministic() {
    for artifacts in [committed(), hostile()] {
        for format in Format::ALL {
            assert_eq!(rendered(format, &artifacts), rendered(format, &artifacts), "{}", format.as_str());
        }
    }
}

#[test]
fn hostile_text_stays_text_in_sarif() {
    let log: Value = serde_json::from_str(&text(Format::Sarif, &hostile())).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len() + log["runs"][1]["results"].as_array().unwrap().len(), 8);
    let first = &results[0];
    // JSON can represent any text, so it is kept unchanged.
    assert_eq!(first["ruleId"], HOSTILE);
    assert!(first["message"]["text"].as_str().unwrap().contains("<script>"));
    let uri = first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~%".contains(&byte);
    assert!(uri.bytes().all(is_plain), "{uri}");
}

#[test]
fn hostile_text_stays_text_in_junit() {
    let xml = text(Format::Junit, &hostile());
    let is_legal =
        |c: char| matches!(c, '\t' | '\n' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(is_legal));
    assert!(!xml.contains("<script") && !xml.contains("<![CDATA["));
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((report.failures, report.skipped, report.errors), (2, 6, 2));
    let case = &report.test_suites[0].test_cases[0];
    assert!(case.name.as_str().contains("<script>alert(1)</script>"), "{}", case.name.as_str());
}

#[test]
fn hostile_names_and_output_of_tests_stay_text_in_junit() {
    let mut artifacts = committed();
    let lines = String::from_utf8(artifacts.tasks).unwrap();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let task = lines.iter_mut().find(|line| line["kind"] == "task").unwrap();
    task["tests"] =
        json!([{ "failed": [HOSTILE], "ignored": ["i"], "passed": [HOSTILE], "target": HOSTILE }]);
    let test = format!("{HOSTILE} {HOSTILE}");
    let output = json!({ "left_out": 1, "test": test, "text": HOSTILE, "tool": task["tool"] }).to_string();
    artifacts.tasks = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    let (run, tasks) = artifacts.read().unwrap();
    let around = Around { outputs: OutputsOfTests::read(output.as_bytes()), ..Around::default() };
    let mut xml = Vec::new();
    render(Format::Junit, &run, &|| Ok(&tasks), &around).unwrap().write(&mut xml, &Never).unwrap();
    let xml = String::from_utf8(xml).unwrap();
    assert!(!xml.contains("<script") && !xml.contains("<![CDATA["));
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let suite = report.test_suites.iter().find(|suite| suite.name.as_str().contains(' ')).unwrap();
    assert_eq!((suite.tests, suite.failures, suite.skipped), (3, 1, 1));
    let failed = suite.test_cases.iter().find(|case| case.system_out.is_some()).unwrap();
    assert!(failed.name.as_str().contains("<script>alert(1)</script>"), "{}", failed.name.as_str());
}

#[test]
fn hostile_text_stays_text_in_markdown() {
    let markdown = text(Format::Markdown, &hostile());
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let mut code = 0;
    for event in Parser::new_ext(&markdown, options) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => panic!("{html}"),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => panic!("{dest_url}"),
            // Mentions and URLs only have an effect outside of code.
            Event::Text(text) if text.contains('@') || text.contains("http") => {
                assert!(text.contains(" | "), "outside of a code block: {text}");
            }
            Event::Code(text) => code += usize::from(text.contains("<script>")),
            _ => {}
        }
    }
    assert!(code >= 10, "{code}");
    assert!(!markdown.contains(|c: char| c.is_control() && c != '\n'));
    assert!(!markdown.contains("##[") && !markdown.lines().any(|line| line.trim_start().starts_with("::")));
}

#[test]
fn hostile_text_makes_no_second_annotation() {
    let commands = text(Format::Github, &hostile());
    // Two findings, two gaps, a stale entry and an orphan.
    assert_eq!(commands.lines().count(), 6, "{commands}");
    assert!(commands.lines().all(|line| line.matches("::").count() >= 2 && line.starts_with("::")));
    assert!(!commands.contains(|c: char| c.is_control() && c != '\n') && !commands.contains("##["));
    for line in commands.lines() {
        let properties = line[2..].split("::").next().unwrap();
        let names: Vec<_> = properties.split([' ', ',']).filter_map(|part| part.split_once('=')).collect();
        assert!(
            names
                .iter()
                .all(|(name, _)| ["file", "line", "endLine", "col", "endColumn", "title"].contains(name))
        );
    }
}

#[test]
fn results_beyond_the_limit_of_github_are_left_out_with_a_note() {
    let most = 25_000;
    let artifacts = edited(|_, report| {
        let mut one = report["findings"][0].clone();
        one["state"] = json!("unchanged");
        let mut findings = vec![one; most + 2];
        findings[most + 1]["state"] = json!("new");
        report["findings"] = json!(findings);
    });
    let (bytes, notes) = rendered(Format::Sarif, &artifacts);
    let log: Value = serde_json::from_slice(&bytes).unwrap();
    let run = &log["runs"][1];
    assert_eq!(run["results"].as_array().unwrap().len(), most);
    // New findings are kept.
    assert_eq!(run["results"][most - 1]["baselineState"], "new");
    let note = "GitHub accepts at most 25,000 results per tool; 2 findings of words left out";
    assert_eq!(notes, [note]);
    let notification =
        run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
    assert_eq!(notification, format!("{note}."));
}

#[test]
fn tools_with_findings_are_kept_if_there_are_too_many_for_github() {
    let artifacts = edited(|run, report| {
        for at in 0..25 {
            let name = json!(format!("x{at:02}"));
            let (mut tool, mut results) = (run["tools"][0].clone(), report["tools"][0].clone());
            (tool["name"], results["name"]) = (name.clone(), name.clone());
            run["tools"].as_array_mut().unwrap().push(tool);
            report["tools"].as_array_mut().unwrap().push(results);
            let mut finding = report["findings"][0].clone();
            finding["tools"] = json!([name]);
            report["findings"].as_array_mut().unwrap().push(finding);
        }
    });
    let (bytes, notes) = rendered(Format::Sarif, &artifacts);
    let log: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(log["runs"].as_array().unwrap().len(), 20);
    assert_eq!(
        notes,
        ["GitHub accepts at most 20 tools per file; left out: x18, x19, x20, x21, x22, x23, x24"]
    );
}

#[test]
fn a_partial_run_is_reported_as_such() {
    let artifacts = edited(|run, _| run["selection"]["whole"] = json!(false));
    let (_, notes) = rendered(Format::Sarif, &artifacts);
    assert!(notes.iter().any(|note| note.starts_with("this is a partial run")), "{notes:?}");
    assert!(text(Format::Markdown, &artifacts).contains("partial run"));
}

#[test]
fn a_summary_stays_within_the_limit_of_github() {
    let artifacts = edited(|_, report| {
        let mut one = report["findings"][0].clone();
        one["message"] = json!("long ".repeat(2000));
        report["findings"] = json!(vec![one; 200]);
    });
    let markdown = text(Format::Markdown, &artifacts);
    assert!(markdown.len() < 600 * 1024, "{}", markdown.len());
    assert!(markdown.contains("\n- and 1"), "findings that were left out are counted");
}

#[test]
fn sarif_results_have_a_baseline_state_only_if_there_is_a_baseline() {
    let states = |artifacts: &Artifacts| {
        let log: Value = serde_json::from_str(&text(Format::Sarif, artifacts)).unwrap();
        let runs = log["runs"].as_array().unwrap().iter();
        let results: Vec<_> = runs.flat_map(|run| run["results"].as_array().unwrap().clone()).collect();
        results
            .iter()
            .map(|result| result["baselineState"].as_str().unwrap_or("-").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(&committed()), ["-"; 5]);
    let artifacts = edited(|_, report| report["findings"][1]["state"] = json!(State::Updated.as_str()));
    // The tool `count` comes first.
    assert_eq!(states(&artifacts), ["new", "new", "updated", "new", "new"]);
}
