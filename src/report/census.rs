//! Text about what a tool checked, shared by all reports for humans.

use super::finished::{Finished, Tool, ToolReport};
use super::text::{self, number, visible_line};
use crate::model::census::{Counts, TestTotals, Totals};

/// Describes what `tool` checked in `run`: `1,204 tests`, `3 ignored`, `2 flaky`, `line coverage 81.2 %`.
pub fn of_tool(run: &Finished, tool: &Tool, report: &ToolReport) -> Vec<String> {
    let flaky = run.report.findings.iter().filter(|finding| finding.is_flaky() && finding.is_of(&tool.name));
    let mut facts = facts(&report.census, flaky.count(), report.leaky.len());
    facts.extend(numbers(run, tool));
    for (other, count) in run.counted_elsewhere(tool) {
        let findings = text::counted(count, "new finding", "new findings");
        facts.push(format!("{findings} counted for {}", visible_line(other)));
    }
    facts
}

/// Describes `census`, and how many of its tests are flaky or leaky: `1,204 tests`, `3 ignored`, `1 flaky`, `91 targets`.
fn facts(census: &Totals, flaky: usize, leaky: usize) -> Vec<String> {
    let Totals { crates, database_date, files, packages, targets, tests } = census;
    let mut facts = Vec::new();
    facts.extend(tests.iter().flat_map(numbers_of_tests));
    let unsteady = [(flaky, "flaky"), (leaky, "leaky")].into_iter().filter(|(count, _)| *count > 0);
    facts.extend(unsteady.map(|(count, word)| format!("{} {word}", number(count as u64))));
    if let Some(TestTotals { by_package, by_target, .. }) = tests {
        let groups = [(by_target.len(), "target", "targets"), (by_package.len(), "package", "packages")];
        let groups = groups.into_iter().filter(|(count, ..)| *count > 0);
        facts.extend(groups.map(|(count, one, many)| counted(count as u64, one, many)));
    }
    facts.extend(packages.map(|count| counted(count, "package", "packages")));
    facts.extend(targets.map(|count| counted(count, "target", "targets")));
    facts.extend(files.map(|count| counted(count, "file", "files")));
    facts.extend(crates.map(|count| counted(count, "crate", "crates")));
    facts.extend(database_date.as_ref().map(|day| format!("advisories as of {}", visible_line(day))));
    facts
}

/// Describes the numbers that the output of `tool` consists of: `line coverage 81.2 %`.
fn numbers(run: &Finished, tool: &Tool) -> Vec<String> {
    let own = run.report.numbers.iter().filter(|number| number.tool == tool.name && tool.parse == "number");
    own.map(|number| visible_line(&format!("{} {}", number.name, number.with_unit(&number.value)))).collect()
}

fn numbers_of_tests(totals: &TestTotals) -> Vec<String> {
    let Counts { run, ignored, filtered_out, skipped, .. } = totals.all;
    let mut facts = vec![counted(run, "test", "tests")];
    let beside = [(ignored, "ignored"), (filtered_out, "filtered out"), (skipped, "skipped")];
    let beside =
        beside.into_iter().filter_map(|(count, word)| Some((count.filter(|count| *count > 0)?, word)));
    facts.extend(beside.map(|(count, word)| format!("{} {word}", number(count))));
    facts
}

fn counted(count: u64, one: &str, many: &str) -> String {
    text::counted(usize::try_from(count).unwrap_or(usize::MAX), one, many)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::census::OfTarget;

    #[test]
    fn numbers_have_thousands_separators_and_nouns() {
        let of_target = |target: &str| OfTarget { target: target.to_owned(), path: None, tests: None };
        let all =
            Counts { run: 1204, passed: 1204, ignored: Some(3), filtered_out: Some(0), ..Counts::default() };
        let tests = TestTotals { all, by_target: vec![of_target("a")], ..TestTotals::default() };
        let census = Totals { tests: Some(tests), ..Totals::default() };
        assert_eq!(facts(&census, 0, 1), ["1,204 tests", "3 ignored", "1 leaky", "1 target"]);
        assert_eq!(facts(&census, 2, 0), ["1,204 tests", "3 ignored", "2 flaky", "1 target"]);
        let database_date = Some("2026-11-01".to_owned());
        let census = Totals { crates: Some(312), database_date, ..Totals::default() };
        assert_eq!(facts(&census, 0, 0), ["312 crates", "advisories as of 2026-11-01"]);
        assert_eq!(facts(&Totals::default(), 0, 0), Vec::<String>::new());
    }
}
