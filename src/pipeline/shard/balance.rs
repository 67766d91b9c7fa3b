//! Reads the durations of tasks from the `tasks.jsonl` of an earlier run.

use std::collections::BTreeMap;

use crate::model::digest::Digest;
use crate::plan::Durations;
use crate::report::finished::{ReadError, Tasks};

/// Reads the durations in `bytes`. Cached results and tasks that did not run have none.
///
/// # Errors
///
/// If the content is invalid.
pub fn durations(bytes: &[u8]) -> Result<Durations, ReadError> {
    let tasks = Tasks::parse(bytes)?;
    // All tasks of a process have its timing. The process is identified by that and the batch.
    let mut processes: BTreeMap<_, (u64, Vec<(String, String)>)> = BTreeMap::new();
    for task in tasks.all() {
        let Some(timing) = &task.timing else { continue };
        if timing.attempts == 0 || timing.cache.as_deref() == Some("hit") {
            continue;
        }
        let process = (&task.tool, &task.batch_id, timing.start_us, timing.slot);
        let (duration, own) = processes.entry(process).or_default();
        *duration = timing.duration_us;
        own.push((task.tool.clone(), task.unit.clone()));
    }
    let share = |(duration, own): (u64, Vec<_>)| {
        let each = duration / own.len().max(1) as u64;
        own.into_iter().map(move |task| (task, each))
    };
    Ok(Durations {
        digest: Some(Digest::of_bytes(bytes)),
        tasks: processes.into_values().flat_map(share).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a batch with a task per unit, which one process ran.
    fn batch(id: &str, units: &[&str], timing: &str) -> String {
        let task = |unit: &&str| {
            format!(
                r#"{{"batch_id":"{id}","exit_status":0,"kind":"task","stages":{{"normalize":"ok","scan":"ok"}},"status":"clean","task_id":"t","timing":{timing},"tool":"fmt","unit":"{unit}"}}"#
            ) + "\n"
        };
        let tasks: String = units.iter().map(task).collect();
        format!(r#"{{"batch_id":"{id}","exit_status":0,"kind":"batch","rank":0,"status":"clean"}}"#)
            + "\n"
            + &tasks
    }

    fn timing(start: u64, attempts: u32, cache: &str) -> String {
        format!(
            r#"{{"attempts":{attempts},"cache":"{cache}","duration_us":90,"parallel":2,"raw_exit":0,"slot":0,"start_us":{start}}}"#
        )
    }

    #[test]
    fn the_tasks_of_a_process_share_its_time_and_cached_ones_have_none() {
        let end = r#"{"exit_status":0,"kind":"report","status":"passed","task_id":"r"}"#;
        let lines = [
            batch("a", &["x", "y"], &timing(1, 1, "miss")),
            batch("b", &["z"], &timing(1, 1, "miss")),
            batch("c", &["cached"], &timing(0, 0, "hit")),
            batch("d", &["not-run"], &timing(0, 0, "miss")),
            batch("e", &["without"], "null"),
        ];
        let bytes = lines.concat() + end;
        let durations = durations(bytes.as_bytes()).unwrap();
        let read: Vec<_> = durations.tasks.iter().map(|((_, unit), time)| format!("{unit} {time}")).collect();
        assert_eq!(read, ["x 45", "y 45", "z 90"]);
        assert_eq!(durations.digest, Some(Digest::of_bytes(bytes.as_bytes())));
        assert!(super::durations(b"{}").is_err());
    }
}
