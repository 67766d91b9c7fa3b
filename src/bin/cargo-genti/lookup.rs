//! Finds the findings of a run that a user means by an id, the beginning of one, a place, or a test.

use genti::model::finding::Place;
use genti::report::finished::Finding;

/// Minimum length of the beginning of an id.
const SHORTEST: usize = 4;

/// The ways to name a finding, for messages.
pub(crate) const NAMES: &str = "its place such as `src/lib.rs:9`, its id in target/genti/artifacts/report.json (or the beginning of it), \
                                or the test";

/// Returns the findings that `name` means.
pub(crate) fn find<'f>(findings: &'f [Finding], name: &str) -> Vec<&'f Finding> {
    let matching = |is_meant: &dyn Fn(&Finding) -> bool| -> Vec<_> {
        findings.iter().filter(|finding| is_meant(finding)).collect()
    };
    let exact = matching(&|finding| finding.id == *name);
    if !exact.is_empty() {
        return exact;
    }
    let is_hex = name.len() >= SHORTEST && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    matching(&|finding| {
        (is_hex && finding.id.starts_with(&name.to_ascii_lowercase()))
            || is_at(finding, name)
            || is_test(finding, name)
    })
}

/// Returns true if the finding is at `name`: `path:line` or `path:line:column`.
fn is_at(finding: &Finding, name: &str) -> bool {
    let place = finding.shown_at();
    let Some(start) = place.range().map(|range| range.start) else { return false };
    let line = format!("{}:{}", place.name(), start.line);
    line == name || format!("{line}:{}", start.column) == name
}

/// Returns true if the finding is the failure of the test `name`, with or without its package and target.
fn is_test(finding: &Finding, name: &str) -> bool {
    let Place::Subject(subject) = &finding.place else { return false };
    let test = subject.strip_suffix(name);
    test.is_some_and(|before| before.is_empty() || before.ends_with(' '))
}
