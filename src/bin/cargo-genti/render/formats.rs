//! Notes about tools of which only the exit code is read.

use genti::model::finding::State;
use genti::model::outcome::Outcome;
use genti::report::finished::Finished;

use super::visible_line;

/// Returns a note for each tool of `outcome` that failed in `run` and whose output format is not configured, because its output
/// probably says more.
pub(crate) fn unread_output(outcome: &Outcome, run: &Finished) -> Vec<String> {
    let has_failed =
        |name: &str| run.report.findings.iter().any(|one| one.state == State::New && one.is_of(name));
    let tools = outcome.plan.graph.tools.iter().filter(|tool| tool.lacks_format && has_failed(&tool.name));
    let note = |name: &str| {
        format!(
            "only the exit code of `{name}` is read; for a finding per problem, set `parse` under `[tools.{name}]` to \
             the format of its output, such as \"lines\", \"diff\", \"sarif\", \"rustc-json\" or {{ regex = \"…\" }}"
        )
    };
    tools.map(|tool| visible_line(&note(&tool.name))).collect()
}
