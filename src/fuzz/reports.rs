//! Fuzz target for run artifacts of another program, and all report formats.

use serde_json::{Value, json};

use super::json::mutate_line;
use super::random::Dice;
use super::{Target, fixture, text};
use crate::model::halt::Never;
use crate::report::{self, Around, Artifacts, Format};

const BETWEEN: &str = "\n=== next file\n";

/// Every accepted artifact can be shown in every format.
pub(super) const ARTIFACTS: Target = Target {
    name: "artifacts",
    seeds: || {
        let file = |name: &str| fixture(&format!("tests/engine/golden/{name}"));
        let (run, report, tasks) = (file("run.json"), file("report.json"), file("tasks.jsonl"));
        let seed = |tasks: &str| [run.as_str(), &report, tasks].join(BETWEEN).into_bytes();
        vec![seed(&tasks), seed(&timed(&tasks))]
    },
    mutate,
    check,
};

/// Adds times and tests to the tasks, because the committed ones have none.
fn timed(tasks: &str) -> String {
    let lines = (0..).zip(tasks.lines()).map(|(at, line)| {
        let mut line: Value = serde_json::from_str(line).unwrap_or_default();
        if line["kind"] == "task" {
            line["timing"] = json!({
                "attempts": 1, "cache": "miss", "duration_us": 900 + at, "parallel": 2, "raw_exit": 0, "slot": at % 2,
                "start_us": 1000 * at, "tests": [{ "failed_us": [7], "passed_us": [5, null] }],
            });
            line["tests"] = json!([{ "failed": ["c"], "ignored": ["d"], "passed": ["a", "b"], "target": "a::it" }]);
        }
        format!("{line}\n")
    });
    lines.collect()
}

fn split(input: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(input).split(BETWEEN).map(str::to_owned).collect()
}

fn mutate(dice: &mut Dice, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut files = split(input);
    let at = dice.below(files.len());
    let file = std::mem::take(&mut files[at]).into_bytes();
    let theirs = || -> Vec<_> {
        others.iter().filter_map(|other| split(other).into_iter().nth(at).map(String::into_bytes)).collect()
    };
    let changed = match dice.one_in(4) {
        true => text::mutate(
            dice,
            &file,
            &theirs(),
            &["\"schema\": 1", "\"schema\": 2", "null", "\"new\"", "\"status\""],
        ),
        false => mutate_line(dice, &file),
    };
    files[at] = String::from_utf8_lossy(&changed).into_owned();
    files.join(BETWEEN).into_bytes()
}

fn check(input: &[u8]) -> bool {
    let mut files = split(input).into_iter().map(String::into_bytes);
    let mut next = || files.next().unwrap_or_default();
    let artifacts = Artifacts { run: next(), report: next(), tasks: next() };
    // Non-canonical artifacts are rejected with a place.
    assert!(artifacts.violations().iter().all(|violation| !violation.to_string().is_empty()));
    let Ok((finished, tasks)) = artifacts.read() else { return false };
    // Try one format, chosen by the input, because all of them would take too long.
    let format = Format::ALL[input.iter().map(|byte| usize::from(*byte)).sum::<usize>() % Format::ALL.len()];
    let around = Around::default();
    let mut bytes = Vec::new();
    let rendered = report::render(format, &finished, &|| Ok(&tasks), &around);
    let is_written = rendered.is_ok_and(|rendered| rendered.write(&mut bytes, &Never).is_ok());
    assert!(!is_written || !bytes.is_empty() || format == Format::Github, "{}", format.as_str());
    let _ = finished.task_count();
    true
}
