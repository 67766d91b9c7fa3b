//! The section about tests: how many ran in each target, which failed, and which took longest. The output of a failed test is
//! below its finding.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::text::{counted, plural};
use super::text::{duration, escape, in_fragment, number};
use crate::model::census::{Counts, TestTotals};
use crate::report::finished::{Finished, Tasks};

/// Maximum number of targets; the rest is counted.
const MOST: usize = 100;
/// Maximum number of failed tests to name per target.
const MOST_FAILED: usize = 20;
/// Number of the slowest tests to list.
const SLOWEST: usize = 10;

/// A target, or a package with doc tests.
struct Row<'a> {
    tool: &'a str,
    name: &'a str,
    /// `None` if its harness reports no numbers.
    counts: Option<Counts>,
    of: OfRow<'a>,
}

/// Names and times of tests, as far as they are listed.
#[derive(Clone, Default)]
struct OfRow<'a> {
    failed: Vec<&'a str>,
    /// Sum of the times that are known.
    micros: Option<u64>,
}

/// A test with its time in microseconds.
type Timed<'a> = (u64, &'a str, &'a str);

/// Renders the section. Empty if no test was counted.
pub(super) fn render(run: &Finished, tasks: &Tasks) -> String {
    let (mut listed, timed) = listed(tasks);
    let (mut rows, mut sums) = (Vec::new(), Vec::new());
    for report in &run.report.tools {
        let Some(TestTotals { all, by_target, by_package }) = &report.census.tests else { continue };
        sums.push((report.name.as_str(), *all));
        let targets = by_target.iter().map(|of| (of.target.as_str(), of.tests));
        let packages = by_package.iter().map(|of| (of.package.as_str(), of.tests));
        for (name, counts) in targets.chain(packages) {
            let of = listed.remove(&(report.name.as_str(), name)).unwrap_or_default();
            rows.push(Row { tool: &report.name, name, counts, of });
        }
    }
    if sums.is_empty() {
        return String::new();
    }
    let mut html = String::from("<section aria-labelledby=\"tests\">\n<h2 id=\"tests\">Tests</h2>\n<ul>\n");
    for (tool, all) in sums {
        let _ = writeln!(html, "<li><b>{}</b>: {}</li>", escape(tool), in_words(&all));
    }
    html.push_str("</ul>\n");
    html.push_str(&table(rows));
    html.push_str(&slowest(timed));
    html.push_str("</section>\n");
    html
}

/// Collects the listed tests by tool and target or package, and all tests with known times, the slowest first.
fn listed(tasks: &Tasks) -> (BTreeMap<(&str, &str), OfRow<'_>>, Vec<Timed<'_>>) {
    let mut listed: BTreeMap<_, OfRow<'_>> = BTreeMap::new();
    let mut timed = Vec::new();
    for task in tasks.all() {
        for (at, group) in task.tests.iter().enumerate() {
            let Some(name) = group.target.as_deref().or(group.package.as_deref()) else { continue };
            let row = listed.entry((task.tool.as_str(), name)).or_default();
            row.failed.extend(group.failed.iter().map(|test| &**test));
            let Some(times) = task.timing.as_ref().and_then(|timing| timing.tests.get(at)) else { continue };
            let passed = group.passed.iter().zip(&times.passed_us);
            let of_tests = passed.chain(group.failed.iter().zip(&times.failed_us));
            for (test, micros) in of_tests.filter_map(|(test, micros)| Some((&**test, (*micros)?))) {
                row.micros = Some(row.micros.unwrap_or_default().saturating_add(micros));
                timed.push((micros, name, test));
            }
        }
    }
    timed.sort_by(|(a, of_a, test_a), (b, of_b, test_b)| b.cmp(a).then((of_a, test_a).cmp(&(of_b, test_b))));
    timed.truncate(SLOWEST);
    (listed, timed)
}

/// Describes counts: "1,204 tests passed, 1 failed, 3 ignored".
fn in_words(counts: &Counts) -> String {
    let Counts { passed, failed, ignored, filtered_out, skipped, .. } = *counts;
    let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let mut words = vec![format!("{} passed", counted(whole(passed), "test", "tests"))];
    let others = [
        (Some(failed), "failed"),
        (ignored, "ignored"),
        (filtered_out, "filtered out"),
        (skipped, "skipped"),
    ];
    let others =
        others.into_iter().filter_map(|(count, word)| Some((count.filter(|count| *count > 0)?, word)));
    words.extend(others.map(|(count, word)| format!("{} {word}", number(whole(count)))));
    words.join(", ")
}

/// Renders the targets, those with failed tests first, then those without any test.
fn table(mut rows: Vec<Row<'_>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rank = |row: &Row<'_>| match row.counts {
        Some(counts) if counts.failed > 0 => 0,
        Some(counts) if counts.run == 0 => 1,
        Some(_) => 2,
        None => 3,
    };
    rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then((a.tool, a.name).cmp(&(b.tool, b.name))));
    let more = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    let has_times = rows.iter().any(|row| row.of.micros.is_some());
    let time = if has_times { "<th scope=\"col\" class=\"num\">Time</th>" } else { "" };
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Tests by target\"><table>\n<thead><tr><th scope=\"col\">Target</th><th scope=\"col\" class=\"wide\">Tool</th><th scope=\"col\" class=\"num\">Passed</th><th scope=\"col\" class=\"num\">Failed</th><th scope=\"col\" class=\"num\">Ignored</th>{time}</tr></thead>\n<tbody>\n"
    );
    for row in &rows {
        let count = |count: Option<u64>| match count {
            Some(0) => "<td class=\"num zero\">0</td>".to_owned(),
            Some(count) => {
                format!("<td class=\"num\">{}</td>", number(usize::try_from(count).unwrap_or(usize::MAX)))
            }
            None => "<td class=\"num zero\">–</td>".to_owned(),
        };
        let Row { tool, name, counts, of } = row;
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td class=\"wide\">{}</td>{}{}{}",
            escape(name),
            escape(tool),
            count(counts.map(|counts| counts.passed)),
            count(counts.map(|counts| counts.failed)),
            count(counts.and_then(|counts| counts.ignored))
        );
        if has_times {
            let time = of.micros.map(duration).unwrap_or_else(|| "–".to_owned());
            let _ = write!(html, "<td class=\"num\">{time}</td>");
        }
        html.push_str("</tr>\n");
        failed(&mut html, of, 5 + usize::from(has_times));
    }
    html.push_str("</tbody></table></div>\n");
    if more > 0 {
        let _ = writeln!(
            html,
            "<p class=\"none\">{} more {} not shown.</p>",
            number(more),
            plural(more, "target is", "targets are")
        );
    }
    html
}

/// Adds a row that names the failed tests, each with a link to its finding.
fn failed(html: &mut String, OfRow { failed, .. }: &OfRow<'_>, width: usize) {
    if failed.is_empty() {
        return;
    }
    let link = |test: &&str| format!("<a href=\"#q={}\">{}</a>", in_fragment(test), escape(test));
    let mut links: Vec<_> = failed.iter().take(MOST_FAILED).map(link).collect();
    if failed.len() > MOST_FAILED {
        links.push(format!("and {} more", number(failed.len() - MOST_FAILED)));
    }
    let _ =
        writeln!(html, "<tr class=\"reason\"><td colspan=\"{width}\">failed: {}</td></tr>", links.join(", "));
}

fn slowest(timed: Vec<Timed<'_>>) -> String {
    if timed.is_empty() {
        return String::new();
    }
    let mut html =
        String::from("<details class=\"steps\"><summary>Slowest tests</summary>\n<ol class=\"path\">\n");
    for (micros, target, test) in timed {
        let _ = writeln!(
            html,
            "<li><b>{}</b> {} <small>{}</small></li>",
            escape(test),
            duration(micros),
            escape(target)
        );
    }
    html.push_str("</ol></details>\n");
    html
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{Step, run_of};
    use super::*;

    #[test]
    fn tests_are_counted_by_target_and_the_failed_and_slowest_are_named() {
        let (mut run, mut tasks) = run_of(&[Step { tool: "test", time: 0..9, ..Step::NONE }]);
        assert_eq!(render(&run, &tasks), "");
        let census = json!({ "tests": {
            "run": 3, "passed": 2, "failed": 1, "ignored": 1,
            "by_target": [
                { "target": "a::it", "path": "tests/it.rs", "run": 3, "passed": 2, "failed": 1, "ignored": 1 },
                { "target": "a::own", "path": "tests/own.rs" },
            ],
            "by_package": [{ "package": "a", "run": 0, "passed": 0, "failed": 0 }],
        } });
        run.report.tools[0].census = serde_json::from_value(census).unwrap();
        let task = &mut tasks.batches[0].tasks[0];
        task.tests = serde_json::from_value(json!([
            { "target": "a::it", "passed": ["fast", "slow"], "failed": ["<broken> & sad"], "ignored": ["later"] },
        ]))
        .unwrap();
        let times = json!([{ "passed_us": [1_000, 2_000_000], "failed_us": [null] }]);
        task.timing.as_mut().unwrap().tests = serde_json::from_value(times).unwrap();
        let html = render(&run, &tasks);
        for expected in [
            "<li><b>test</b>: 2 tests passed, 1 failed, 1 ignored</li>",
            "<th scope=\"row\">a::it</th><td class=\"wide\">test</td><td class=\"num\">2</td><td class=\"num\">1</td><td class=\"num\">1</td><td class=\"num\">2.00 s</td>",
            "failed: <a href=\"#q=%3Cbroken%3E%20%26%20sad\">&lt;broken&gt; &amp; sad</a>",
            "<li><b>slow</b> 2.00 s <small>a::it</small></li>\n<li><b>fast</b> 1 ms <small>a::it</small></li>",
        ] {
            assert!(html.contains(expected), "{expected}\n{html}");
        }
        let order = ["a::it</th>", "a</th>", "a::own</th>"].map(|name| html.find(name).unwrap());
        assert!(order.is_sorted(), "{html}");
    }
}
