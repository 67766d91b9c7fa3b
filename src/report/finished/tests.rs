use super::*;
use crate::model::finding::{Level, Place, State};
use crate::model::outcome::{Effect, Verdict};
use crate::model::path::RelPath;

const RUN: &str = include_str!("../../../tests/engine/golden/run.json");
const REPORT: &str = include_str!("../../../tests/engine/golden/report.json");
const TASKS: &str = include_str!("../../../tests/engine/golden/tasks.jsonl");

fn artifacts(run: &str, report: &str, tasks: &str) -> Artifacts {
    let bytes = |text: &str| text.as_bytes().to_vec();
    Artifacts { run: bytes(run), report: bytes(report), tasks: bytes(tasks) }
}

#[track_caller]
fn error(run: &str, report: &str, tasks: &str) -> String {
    artifacts(run, report, tasks).read().unwrap_err().to_string()
}

#[test]
fn the_artifacts_of_a_run_are_read_back() {
    let (finished, tasks) = artifacts(RUN, REPORT, TASKS).read().unwrap();
    assert_eq!((finished.run.end.exit, finished.run.end.is_pass()), (1, false));
    assert_eq!(finished.run.batches.len(), 3);
    assert_eq!(tasks.batches[1].tasks.len(), 2);
    assert_eq!((tasks.of("words").count(), finished.task_count_of("words")), (3, 3));
    assert_eq!(tasks.all().count(), finished.task_count());
    let [first, .., last] = finished.report.findings.as_slice() else { panic!() };
    assert_eq!(first.place.path(), Some(&RelPath::new("text/a")));
    assert_eq!(first.place.range().unwrap().start.line, 2);
    assert_eq!((first.level, first.state), (Level::Warning, State::New));
    assert_eq!(last.place, Place::Subject("count".to_owned()));
    let verdicts: Vec<_> = finished.tools().map(|(tool, report)| (tool.required, report.verdict)).collect();
    assert_eq!(verdicts, [(false, Verdict::Failed), (true, Verdict::Failed)]);
}

#[test]
fn unknown_fields_and_lines_are_ignored() {
    let report = REPORT.replacen('{', "{\"later\": [1],", 1);
    let tasks = format!("{TASKS}{{\"kind\":\"later\",\"x\":1}}\n");
    assert_eq!(
        artifacts(RUN, &report, &tasks).read().unwrap(),
        artifacts(RUN, REPORT, TASKS).read().unwrap()
    );
}

#[test]
fn a_newer_schema_is_reported_before_other_errors() {
    assert_eq!(
        error("{\"schema\": 2}", REPORT, TASKS),
        "`run.json` has schema 2, which is newer than this version of genti supports (1); update genti or run `cargo genti run` again"
    );
}

#[test]
fn an_error_names_the_file_and_the_position() {
    let text = error(RUN, &REPORT.replacen("\"level\": \"warning\"", "\"level\": \"odd\"", 1), TASKS);
    assert!(text.starts_with("`report.json`, line 10, column 20: unknown variant `odd`"), "{text}");
    let text = error(RUN, &REPORT[..100], TASKS);
    assert!(text.starts_with("`report.json`, line ") && text.contains("EOF"), "{text}");
    let text = error(RUN, REPORT, &TASKS.replacen("\"unit\":\"text/b\"", "\"unit\":5", 1));
    assert!(text.starts_with("`tasks.jsonl`, line 5, column "), "{text}");
    let text = error(RUN, REPORT, &TASKS[..TASKS.trim_end().rfind('\n').unwrap() + 1]);
    assert!(text.contains("line 10") && text.contains("missing line of kind `report`"), "{text}");
}

#[test]
fn artifacts_of_different_runs_are_rejected() {
    let text = error(&RUN.replace("\"name\": \"count\"", "\"name\": \"amount\""), REPORT, TASKS);
    assert!(
        text.contains("`report.json` and `run.json` are from different runs")
            && text.contains("different tools"),
        "{text}"
    );
    let text = error(&RUN.replace("\"exit\": 1", "\"exit\": 3"), REPORT, TASKS);
    assert!(text.contains("different exit status"), "{text}");
    let id = RUN.split("\"batch_id\": \"").nth(2).unwrap().split('"').next().unwrap();
    let text = error(&RUN.replace(id, &id.replace(|digit| digit != '0', "0")), REPORT, TASKS);
    assert!(text.contains("`tasks.jsonl` and `run.json` are from different runs"), "{text}");
}

#[test]
fn truncated_artifacts_are_rejected() {
    for end in 0..REPORT.len() - 1 {
        assert!(artifacts(RUN, &REPORT[..end], TASKS).read().is_err(), "{end}");
    }
    for end in 0..RUN.len() - 1 {
        assert!(artifacts(&RUN[..end], REPORT, TASKS).read().is_err(), "{end}");
    }
    for end in 0..TASKS.len() - 1 {
        assert!(artifacts(RUN, REPORT, &TASKS[..end]).read().is_err(), "{end}");
    }
}

/// Writing uses `as_str`, reading uses serde, and both must agree.
#[test]
fn every_enum_value_round_trips() {
    fn check<T: DeserializeOwned + PartialEq + std::fmt::Debug>(all: &[(T, &str)]) {
        for (value, word) in all {
            assert_eq!(&serde_json::from_value::<T>((*word).into()).unwrap(), value);
        }
    }
    check(&[Level::Error, Level::Warning, Level::Note].map(|level| (level, level.as_str())));
    let states = [
        State::New,
        State::Unchanged,
        State::Updated,
        State::Fixed,
        State::Unknown,
        State::Suppressed,
        State::Noted,
    ];
    check(&states.map(|state| (state, state.as_str())));
    let verdicts = [Verdict::Passed, Verdict::Failed, Verdict::Incomplete, Verdict::Missing, Verdict::Empty];
    check(&verdicts.map(|verdict| (verdict, verdict.as_str())));
    check(&[Effect::Active, Effect::Expired, Effect::Unused].map(|effect| (effect, effect.as_str())));
}
