//! Text about the census of a tool, shared by all reports for humans.

use super::finished::{Finished, Tool, ToolReport};
use super::text::{number, plural, visible_line};
use crate::model::census::{Counts, TestTotals, Totals};

/// Describes what `tool` checked in `run`: `1,204 tests`, `3 ignored`, `line coverage 81.2 %`.
pub fn of_tool(run: &Finished, tool: &Tool, report: &ToolReport) -> Vec<String> {
    facts(&report.census).into_iter().chain(numbers(run, tool)).collect()
}

/// Describes `census`: `1,204 tests`, `3 ignored`, `91 targets`.
fn facts(census: &Totals) -> Vec<String> {
    let Totals { crates, database_date, files, packages, targets, tests } = census;
    let mut facts = Vec::new();
    facts.extend(tests.iter().flat_map(tests_in_words));
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

fn tests_in_words(totals: &TestTotals) -> Vec<String> {
    let TestTotals { all, by_package, by_target } = totals;
    let Counts { run, ignored, filtered_out, skipped, .. } = *all;
    let mut facts = vec![counted(run, "test", "tests")];
    let beside = [(ignored, "ignored"), (filtered_out, "filtered out"), (skipped, "skipped")];
    let beside =
        beside.into_iter().filter_map(|(count, word)| Some((count.filter(|count| *count > 0)?, word)));
    facts.extend(beside.map(|(count, word)| format!("{} {word}", number(count))));
    if !by_target.is_empty() {
        facts.push(counted(by_target.len() as u64, "target", "targets"));
    }
    if !by_package.is_empty() {
        facts.push(counted(by_package.len() as u64, "package", "packages"));
    }
    facts
}

fn counted(count: u64, one: &str, many: &str) -> String {
    let noun = plural(usize::try_from(count).unwrap_or(usize::MAX), one, many);
    format!("{} {noun}", number(count))
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
        assert_eq!(facts(&census), ["1,204 tests", "3 ignored", "1 target"]);
        let database_date = Some("2026-11-01".to_owned());
        let census = Totals { crates: Some(312), database_date, ..Totals::default() };
        assert_eq!(facts(&census), ["312 crates", "advisories as of 2026-11-01"]);
        assert_eq!(facts(&Totals::default()), Vec::<String>::new());
    }
}
