//! One report of the harness, from `running N tests` to `test result: …`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

/// What the harness reported of one program.
pub(super) struct Report<'a> {
    /// The tests that failed, as it lists them: sorted.
    pub(super) failed: Vec<&'a str>,
    /// The first line behind it.
    pub(super) end: usize,
    /// What was kept of the output of failed tests, where it is clear.
    outputs: BTreeMap<&'a str, Option<&'a [&'a str]>>,
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

/// The first line from `start` on with which the harness begins.
pub(super) fn begin(lines: &[&str], start: usize) -> Option<usize> {
    (start..lines.len()).find(|at| announced(lines[*at]).is_some())
}

/// Every line that looks like the end of a report.
pub(super) fn ends(lines: &[&str]) -> impl DoubleEndedIterator<Item = usize> {
    (0..lines.len()).filter(|at| lines[*at].starts_with("test result: "))
}

/// How many tests are to run.
fn announced(line: &str) -> Option<usize> {
    static BEGIN: LazyLock<Regex> = LazyLock::new(|| regex(r"^running (\d+) tests?$"));
    BEGIN.captures(line)?[1].parse().ok()
}

/// How many tests there were, and how many of them failed.
fn counted(line: &str) -> Option<(usize, usize)> {
    static END: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"^test result: (ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; (\d+) measured; \d+ filtered out(?:; |$)",
        )
    });
    let found = END.captures(line)?;
    let [passed, failed, ignored, measured] = [2, 3, 4, 5].map(|group| found[group].parse::<usize>().ok());
    let total = passed?.checked_add(failed?)?.checked_add(ignored?)?.checked_add(measured?)?;
    ((&found[1] == "ok") == (failed? == 0)).then_some((total, failed?))
}

impl<'a> Report<'a> {
    /// The report between the lines `begin` and `end`, if they and the list of failures agree.
    pub(super) fn read(lines: &'a [&'a str], begin: usize, end: usize) -> Option<Self> {
        let (total, count) = counted(lines[end])?;
        if begin >= end || announced(lines[begin])? != total {
            return None;
        }
        if count == 0 {
            return Some(Self { failed: Vec::new(), end: end + 1, outputs: BTreeMap::new() });
        }
        // Above the summary: an empty line, the names, and their heading.
        let above = end.checked_sub(1).filter(|at| lines[*at].is_empty())?;
        let first = above.checked_sub(count)?;
        let heading = first.checked_sub(1).filter(|at| *at > begin && lines[*at] == "failures:")?;
        let name = |line: &&'a str| line.strip_prefix("    ").filter(|name| !name.is_empty());
        let failed = lines[first..above].iter().map(name).collect::<Option<Vec<_>>>()?;
        let start = (begin..heading).find(|at| lines[*at] == "failures:").map_or(heading, |at| at + 1);
        let outputs = outputs(&lines[start..heading], &failed);
        Some(Self { failed, end: end + 1, outputs })
    }

    /// What the failed test `name` printed. `None` if it printed nothing, or it is not clear what.
    pub(super) fn output_of(&self, name: &str) -> Option<&'a [&'a str]> {
        self.outputs.get(name).copied().flatten()
    }
}

/// What each of the tests `failed` printed, by the headings `---- NAME stdout ----`. What a test prints may look like
/// one: of a test that has several, nothing is clear.
fn outputs<'a>(lines: &'a [&'a str], failed: &[&'a str]) -> BTreeMap<&'a str, Option<&'a [&'a str]>> {
    let failed: BTreeSet<_> = failed.iter().copied().collect();
    let heading = |(at, line): (usize, &&'a str)| {
        let name = line.strip_prefix("---- ")?.strip_suffix(" ----")?;
        Some((at, name.strip_suffix(" stdout").unwrap_or(name))).filter(|(_, name)| failed.contains(name))
    };
    let headings: Vec<_> = lines.iter().enumerate().filter_map(heading).collect();
    let ends = headings.iter().skip(1).map(|(at, _)| *at).chain([lines.len()]);
    let mut outputs = BTreeMap::new();
    for (&(at, name), end) in headings.iter().zip(ends) {
        let output = if outputs.contains_key(name) { None } else { Some(&lines[at + 1..end]) };
        outputs.insert(name, output);
    }
    outputs
}
