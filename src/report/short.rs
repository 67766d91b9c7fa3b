//! Findings as one line each, for problem matchers of editors, `grep`, and programs that read a verdict.

use super::finished::Finding;
use super::text::visible_line;

/// Formats a finding as `path:line:col: level[rule]: message`. Only the first line of the message is shown.
pub fn line(finding: &Finding) -> String {
    let place = finding.shown_at();
    let at = place.range().map(|range| format!(":{}:{}", range.start.line, range.start.column));
    let level = finding.level.as_str();
    // Errors of a compiler may have no code.
    let rule = match finding.rule.as_str() {
        rule if rule == level => String::new(),
        rule => format!("[{rule}]"),
    };
    let title = finding.title();
    let message = title.lines().next().unwrap_or_default();
    visible_line(&format!("{}{}: {level}{rule}: {message}", place.name(), at.unwrap_or_default()))
}

/// Returns the state of a finding, with its cause if it has one.
pub fn state(finding: &Finding) -> String {
    let cause = finding.cause.as_ref().map(|caused| format!("; cause: {}", caused.cause)).unwrap_or_default();
    format!("{}{cause}", finding.state.as_str())
}
