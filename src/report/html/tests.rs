//! Tests of the page as a whole.
#![expect(clippy::disallowed_methods, reason = "snapbox looks for the file to compare with")]

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;
use snapbox::{assert_data_eq, file};

use super::*;
use crate::model::commit::Commit;
use crate::model::path::RelPath;
use crate::model::sources::Sources;
use crate::report::{Artifacts, Checkout};

fn golden() -> (Finished, Tasks) {
    let [run, report, tasks] = [
        include_str!("../../../tests/engine/golden/run.json"),
        include_str!("../../../tests/engine/golden/report.json"),
        include_str!("../../../tests/engine/golden/tasks.jsonl"),
    ]
    .map(|text| text.as_bytes().to_vec());
    Artifacts { run, report, tasks }.read().unwrap()
}

fn page() -> String {
    let source = b"fine\nbad\n".to_vec();
    let sources = Sources(BTreeMap::from([(RelPath::new("text/a"), source)]));
    let (run, tasks) = golden();
    let changed = vec![RelPath::new("ws/text/c")];
    let checkout = Checkout {
        directory: "clean".to_owned(),
        packages: vec![(RelPath::default(), "clean".to_owned())],
        origin: Some("git@github.com:owner/name.git".to_owned()),
        commit: Some(Commit { id: "1a2b3c4d".repeat(5), branch: Some("main".to_owned()), changed }),
    };
    let around = Around { sources, base: RelPath::new("ws"), checkout: Some(checkout), ..Around::default() };
    String::from_utf8(html(&run, &tasks, &around)).unwrap()
}

/// Returns the text between `<tag…>` and `</tag>`.
fn content<'a>(page: &'a str, tag: &str, attribute: &str) -> &'a str {
    let start = page.find(&format!("<{tag}{attribute}>")).unwrap() + tag.len() + attribute.len() + 2;
    &page[start..start + page[start..].find(&format!("</{tag}>")).unwrap()]
}

#[test]
fn the_page_of_a_small_run_matches_the_snapshot() {
    let page = page();
    let shown = page
        .replace(STYLE, "[style]")
        .replace(SCRIPT, "[script]")
        .replace(&digest(STYLE), "[digest of the style]")
        .replace(&digest(SCRIPT), "[digest of the script]")
        .replace(env!("CARGO_PKG_VERSION"), "[version]");
    assert_data_eq!(shown, file!["testdata/page.html"].raw());
}

#[test]
fn the_policy_names_the_script_and_the_style() {
    let page = page();
    let policy = Regex::new("script-src 'sha256-([^']+)'; style-src 'sha256-([^']+)'").unwrap();
    let found = policy.captures(&page).unwrap();
    let of = |text: &str| STANDARD.encode(Sha256::digest(text));
    assert_eq!(found[1], of(content(&page, "script", " type=\"module\"")));
    assert_eq!(found[2], of(content(&page, "style", "")));
    for (name, text) in [("script", SCRIPT), ("style", STYLE)] {
        assert!(!text.contains('\r'), "browsers normalize line endings, so the digest would differ");
        assert!(
            !text.contains(&format!("</{name}")) && !text.contains("<!--"),
            "the {name} would end its own element"
        );
    }
}

/// The content security policy disables event handlers and style attributes, so there must be none.
#[test]
fn the_markup_has_no_event_handlers_and_no_style_attributes() {
    let page = page().replace(STYLE, "").replace(SCRIPT, "");
    let attribute = Regex::new(r#"<[^>]+ (on\w+|style)="#).unwrap();
    assert!(!attribute.is_match(&page), "{:?}", attribute.find(&page));
}

#[test]
fn the_script_never_parses_data_as_markup() {
    for api in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
        assert!(!SCRIPT.contains(api), "{api}");
    }
}

#[test]
fn the_data_is_json_without_markup_and_contains_every_finding() {
    let page = page();
    let data = content(&page, "script", " type=\"application/json\" id=\"data\"");
    assert!(!data.contains('<'));
    let data: Value = serde_json::from_str(data).unwrap();
    let (run, _) = golden();
    let count = run.report.findings.len() + run.report.gone.len();
    for (name, column) in data["findings"].as_object().unwrap() {
        assert_eq!(column.as_array().unwrap().len(), count, "{name}");
    }
    let text = |name: &str, at: usize| {
        let text = data["findings"][name][at].as_u64().unwrap() as usize;
        data["texts"][text].as_str().unwrap()
    };
    assert_eq!((text("message", 0), text("rule", 0), text("place", 0)), ("bad", "words", "text/a"));
    assert_eq!(data["findings"]["more"][0]["excerpt"], serde_json::json!([0, [[1, 2]], [2, 0, 2, 3]]));
}

#[test]
fn without_a_checkout_the_packages_are_the_name() {
    let (mut run, tasks) = golden();
    run.run.selection.packages = ["a", "b", "c", "d", "<e>"].map(str::to_owned).to_vec();
    let page = String::from_utf8(html(&run, &tasks, &Around::default())).unwrap();
    assert_eq!(content(&page, "title", ""), "a, b, c and 2 more: failed · genti");
    assert!(
        !page.contains("uncommitted")
            && page.contains("<code class=\"command\">cargo genti run --batch 2</code>")
    );
}

#[test]
fn new_findings_come_first_and_fatal_ones_before_them() {
    let (mut run, _) = golden();
    let [first, .., last] = run.report.findings.as_mut_slice() else { panic!() };
    first.state = crate::model::finding::State::Unchanged;
    (last.state, last.fatal) = (crate::model::finding::State::New, true);
    let data = serde_json::to_value(data::of(&run, &Around::default(), &Never).unwrap()).unwrap();
    let states: Vec<_> = data["findings"]["state"].as_array().unwrap().iter().map(Value::as_u64).collect();
    assert!(states.is_sorted(), "{states:?}");
    assert_eq!(data["findings"]["more"][0]["fatal"], true);
}

#[test]
fn the_reason_for_each_status_is_shown() {
    let (mut run, _) = golden();
    assert_eq!(verdict::why(&run), "4 new findings from words. 1 more from optional tools.");
    run.run.end.status = "interrupted".to_owned();
    run.run.end.exit = 130;
    assert_eq!(verdict::why(&run), "Interrupted by signal 2 before everything was checked.");
    run.run.end.status = "incomplete".to_owned();
    run.report.tools[1].verdict = crate::model::outcome::Verdict::Incomplete;
    assert_eq!(
        verdict::why(&run),
        "No result from words, so not everything was checked. Also, 5 new findings."
    );
    run.run.end.status = "passed".to_owned();
    run.report.findings.clear();
    let passed = "Every required tool checked everything and found nothing new.";
    assert_eq!(verdict::why(&run), passed);
    run.report.tools[0].verdict = crate::model::outcome::Verdict::Missing;
    assert_eq!(verdict::why(&run), format!("{passed} Also: not installed: count."));
}

#[test]
fn impossible_times_do_not_break_the_page() {
    use super::testing::{Step, run_of};
    let step = Step { tool: "fmt", ..Step::NONE };
    let (mut run, mut tasks) = run_of(&[step.at(0, 0..10), step.at(1, 0..10), step.at(0, 10..20)]);
    for line in &mut tasks.batches {
        let timing = line.tasks[0].timing.as_mut().unwrap();
        (timing.start_us, timing.duration_us) = (1, u64::MAX);
    }
    run.run.batches[0].steps[0].task_count = usize::MAX;
    let page = html(&run, &tasks, &Around::default());
    assert!(String::from_utf8(page).unwrap().contains("Cost"));
}

#[test]
fn cached_tasks_are_counted_in_the_timeline() {
    use super::testing::{Step, run_of};
    let step = Step { tool: "fmt", ..Step::NONE };
    let (run, mut tasks) = run_of(&[step.at(0, 0..10), step.at(1, 0..10)]);
    let timeline = |tasks: &Tasks| timeline::render(tasks, Schedule::of(&run.run, tasks).as_ref());
    assert!(!timeline(&tasks).contains("cached"));
    for hits in 1..=2 {
        let timing = tasks.batches[hits - 1].tasks[0].timing.as_mut().unwrap();
        (timing.cache, timing.attempts) = (Some("hit".to_owned()), 0);
        assert!(timeline(&tasks).contains(&format!("{hits} of 2 tasks were cached")));
    }
    assert!(!timeline(&tasks).contains("chart"));
}
