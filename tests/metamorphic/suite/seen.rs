//! Results of a run, and the differences between two runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

/// Exit code and artifacts of a run.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) code: i32,
    /// `report.json`, or null if the run wrote none.
    report: Value,
    /// Result of each task, one per line.
    statuses: BTreeSet<String>,
    /// Tasks that were cache misses, as `tool:unit`, without tools that always run.
    pub(crate) ran: BTreeSet<String>,
    /// Output of the run.
    pub(crate) text: String,
    /// Why tasks ran: the changed inputs and other reasons that `cargo genti explain` shows.
    pub(crate) reasons: BTreeSet<String>,
}

/// Difference between a warm and a fresh run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// A finding or gap of the fresh run is missing in the warm run.
    StalePass,
    /// A finding of the warm run is missing in the fresh run.
    StaleFailure,
}

impl Seen {
    /// Reads the `output` and the `artifacts` in this directory. `place` is the name of the world's directory, which is
    /// part of paths that leave the repository.
    pub(crate) fn new(output: &Output, artifacts: &Path, place: &str) -> Self {
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let code = output.status.code().unwrap_or(-1);
        let mut seen = Self { code, text, ..Self::default() };
        // After any other exit code, the artifacts are from an earlier run.
        if matches!(code, 0 | 1 | 3) {
            let read =
                |name: &str| std::fs::read_to_string(artifacts.join(name)).unwrap().replace(place, "HERE");
            seen.report = serde_json::from_str(&read("report.json")).unwrap();
            // The id of a finding outside the repository depends on a path of the machine.
            for finding in seen.report["findings"].as_array_mut().into_iter().flatten() {
                if finding["subject"].as_str().is_some_and(|subject| subject.contains("HERE")) {
                    finding["id"] = Value::Null;
                }
            }
            read("tasks.jsonl").lines().for_each(|line| seen.add(&serde_json::from_str(line).unwrap()));
            seen.add_reasons(&serde_json::from_str(&read("../explain.json")).unwrap());
        }
        seen
    }

    fn add(&mut self, line: &Value) {
        if line["kind"] != "task" {
            return;
        }
        let text = |name: &str| line[name].as_str().unwrap_or_default();
        let name = format!("{}:{}", text("tool"), text("unit"));
        self.statuses.insert(format!("{name} {} {}", text("status"), text("reason")));
        let runs_each_time = ["test-build", "test", "doctest", "codegen"].contains(&text("tool"));
        if line["timing"]["cache"] == "miss" && !runs_each_time {
            self.ran.insert(name);
        }
    }

    fn add_reasons(&mut self, explained: &Value) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for tool in list(&explained["tools"]) {
            let tasks = list(&tool["ran"]);
            let changed = tasks.iter().flat_map(|task| list(&task["changed"])).chain(list(&tool["changed"]));
            let reasons = changed
                .map(|change| text(&change["what"]))
                .chain(tasks.iter().map(|task| text(&task["why"])));
            self.reasons.extend(reasons.filter(|reason| !reason.is_empty()));
        }
    }

    /// Returns the findings and the statuses of tasks without a result.
    fn complaints(&self) -> BTreeSet<String> {
        let findings = self.report["findings"].as_array().into_iter().flatten();
        let findings = findings.map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or("-");
            let line = &finding["range"]["start"]["line"];
            format!("{} {} {}:{line} {}", text("state"), text("rule"), text("path"), text("message"))
        });
        let is_bad = |status: &&String| !status.contains(" clean ") && !status.contains(" findings ");
        findings.chain(self.statuses.iter().filter(is_bad).cloned()).collect()
    }

    /// Returns the difference of this warm run to `fresh`.
    pub(crate) fn difference(&self, fresh: &Self) -> Option<Difference> {
        if self.agrees(fresh) {
            return None;
        }
        let (warm, fresh) = ((self.code, self.complaints()), (fresh.code, fresh.complaints()));
        let is_greener = warm.0 < fresh.0 || fresh.1.difference(&warm.1).next().is_some();
        Some(if is_greener { Difference::StalePass } else { Difference::StaleFailure })
    }

    /// Returns the lines of the reports that differ, if there is no other difference.
    pub(crate) fn details(&self, other: &Self) -> String {
        let lines = |seen: &Self| -> Vec<String> {
            let report = serde_json::to_string_pretty(&seen.report).unwrap();
            report.lines().map(str::to_owned).chain(seen.statuses.iter().cloned()).collect()
        };
        let (ours, theirs) = (lines(self), lines(other));
        let missing = |from: &[String], of: &[String], sign| -> String {
            let lines = of.iter().filter(|line| !from.contains(line)).take(8);
            lines.map(|line| format!("\n      {sign} {}", line.trim())).collect()
        };
        missing(&theirs, &ours, '-') + &missing(&ours, &theirs, '+')
    }

    pub(crate) fn agrees(&self, other: &Self) -> bool {
        (self.code, &self.report, &self.statuses) == (other.code, &other.report, &other.statuses)
    }

    /// Returns whether this run may be a replay of `other`: it has the same result, but the code of findings is that of now.
    pub(crate) fn may_replay(&self, other: &Self) -> bool {
        (self.code, &self.statuses, self.complaints()) == (other.code, &other.statuses, other.complaints())
    }

    /// Describes the run in a few lines.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("exit {}", self.code);
        let lines = self.complaints();
        for line in lines.iter().take(6) {
            text += &format!("\n      {}", line.lines().next().unwrap_or_default());
        }
        if self.report.is_null() {
            text += &format!("\n      {}", self.text.trim().replace('\n', "\n      "));
        }
        if !self.ran.is_empty() {
            let ran: Vec<_> = self.ran.iter().map(String::as_str).collect();
            text += &format!("\n      ran: {}", ran.join(", "));
        }
        text
    }
}
