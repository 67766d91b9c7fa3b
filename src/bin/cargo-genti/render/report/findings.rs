//! The findings of a report: the first ones with their source, grouped by file; then one line each; then only
//! the number of the rest, by rule.

use std::collections::BTreeMap;

use anstyle::Style;
use genti::model::finding::{Level, Place, State};
use genti::model::style::is_of_former_style;
use genti::report::finished::{Finding, Suppression};
use genti::report::links;
use genti::report::text::number;

use unicode_width::UnicodeWidthStr;

use super::super::{finding, hyperlink, text, visible_line};
use super::{BAD, BUSY, DIM, HEAD, MOST, Page, View, WARN, plural};

/// Number of findings that are shown with their source, without `--verbose`.
const MOST_SHOWN: usize = 30;
/// Minimum number of columns for a message, even on a narrow terminal.
const SHORTEST: usize = 16;
/// Number of findings that are shown at all, without `--verbose`.
const MOST_NAMED: usize = 300;

pub(super) fn show(view: &View<'_>, page: &mut Page) {
    // Findings that a new style edition causes are summarized in the advice.
    let is_new = |finding: &Finding| finding.state.is_shown() && !is_of_former_style(&finding.related);
    let is_shown = |finding: &&Finding| is_new(finding) || view.verbose;
    let findings: Vec<_> = view.run.report.findings.iter().filter(is_shown).collect();
    let most = |most: usize| if view.verbose { findings.len() } else { findings.len().min(most) };
    let (shown, named) = (most(MOST_SHOWN), most(MOST_NAMED));
    // Select the most severe findings, but show each group in the original order.
    let mut ranked: Vec<_> = findings.iter().copied().enumerate().collect();
    ranked.sort_by_key(|(at, finding)| (finding.level, *at));
    ranked[..shown].sort_by_key(|(at, _)| *at);
    ranked[shown..named].sort_by_key(|(at, _)| *at);
    let ranked: Vec<_> = ranked.into_iter().map(|(_, finding)| finding).collect();
    let identical = identical(view);
    let by_file =
        || ranked[..shown].chunk_by(|a, b| a.place.path().is_some() && a.place.path() == b.place.path());
    // Headings are only useful if some file has several findings.
    let files = by_file().count();
    for of_file in by_file() {
        if files > 1 && files < shown {
            head(view, of_file, page);
            page.push("\n");
        }
        for finding in of_file {
            page.push(finding::render(finding, view, &notes(finding, view, &identical)));
        }
    }
    for of_file in ranked[shown..named].chunk_by(|a, b| a.place.path() == b.place.path()) {
        head(view, of_file, page);
        of_file.iter().for_each(|finding| line(finding, view, page));
        page.push("\n");
    }
    if named < findings.len() {
        let place = view.artifacts.as_ref().map(|dir| format!(" in {dir}/report.json")).unwrap_or_default();
        let more = findings.len() - named;
        let (more, what) = (number(more as u64), plural(more, "finding", "findings"));
        page.note(format_args!("{more} more {what}{place}; pass `--verbose` to show all"));
    } else if shown < named {
        page.note("pass `--verbose` to show the source of all findings");
    }
    if shown < findings.len() {
        page.push("\n");
        rules(&findings, page);
    }
}

/// Adds a heading with the file of the next findings.
fn head(view: &View<'_>, findings: &[&Finding], page: &mut Page) {
    let Some(path) = findings.first().and_then(|finding| finding.place.path()) else { return };
    let name = visible_line(&path.to_string());
    let url = view.links.and_then(|root| hyperlink::file(root, path));
    let name = hyperlink::to(url.as_deref(), &name);
    let what = plural(findings.len(), "finding", "findings");
    let count = number(findings.len() as u64);
    page.push(format_args!("{HEAD}{name}{HEAD:#}{DIM}: {count} {what}{DIM:#}\n"));
}

/// Returns additional notes about the state of a finding.
fn notes(finding: &Finding, view: &View<'_>, identical: &BTreeMap<&str, (usize, usize)>) -> Vec<String> {
    let mut notes = Vec::new();
    let reason =
        finding.reason.as_deref().map(|reason| format!(": {}", visible_line(reason))).unwrap_or_default();
    match finding.state {
        State::Suppressed => {
            let by = suppression(finding, view).map(|by| format!(" by {}", place(by))).unwrap_or_default();
            notes.push(format!("suppressed{by}{reason}"));
        }
        State::Unchanged => notes.push(format!("accepted{reason}")),
        State::Noted => notes.push("only noted: it fails nothing".to_owned()),
        State::Updated => notes.push(format!("accepted, and edited since{reason}")),
        _ => {}
    }
    match identical.get(finding.id.as_str()) {
        Some(&(new, total)) if finding.state == State::New && new < total => {
            notes.push(format!("{new} of {total} identical findings here {} new", plural(new, "is", "are")));
        }
        _ => {}
    }
    notes
}

/// Counts the new and all findings of each id.
fn identical<'a>(view: &View<'a>) -> BTreeMap<&'a str, (usize, usize)> {
    let mut counts = BTreeMap::<_, (usize, usize)>::new();
    for finding in &view.run.report.findings {
        let (new, total) = counts.entry(finding.id.as_str()).or_default();
        *new += usize::from(finding.state == State::New);
        *total += 1;
    }
    counts
}

/// Returns the suppression with the same reason and owner. If there are several, they can't be distinguished.
fn suppression<'a>(finding: &Finding, view: &View<'a>) -> Option<&'a Suppression> {
    let says_so =
        |by: &&Suppression| Some(&by.reason) == finding.reason.as_ref() && by.owner == finding.owner;
    view.run.report.suppressions.iter().find(says_so)
}

/// Returns the location of a suppression in the configuration.
pub(super) fn place(suppression: &Suppression) -> String {
    let file = suppression.file.as_deref().map_or("the configuration".into(), visible_line);
    format!("{file}:{}", suppression.line)
}

/// Adds a finding as one line below its file.
fn line(finding: &Finding, view: &View<'_>, page: &mut Page) {
    let style = style(finding.level);
    let place = match (&finding.place, finding.place.range()) {
        (Place::Subject(subject), _) => visible_line(subject),
        (_, Some(range)) => format!("{}:{}", range.start.line, range.start.column),
        (_, None) => String::new(),
    };
    let (level, rule) = (finding.level.as_str(), visible_line(&finding.rule));
    let message = visible_line(finding.message.lines().next().unwrap_or_default());
    let before = format!("{place:>12} {level}[{rule}]: ").width();
    let message = match view.terminal {
        Some(width) => text::cut(&message, width.saturating_sub(before).max(SHORTEST)),
        None => message,
    };
    let url = view.links.and_then(|_| links::rule(&finding.ns, &finding.rule));
    let rule = hyperlink::to(url.as_deref(), &rule);
    page.push(format_args!("{DIM}{place:>12}{DIM:#} {style}{level}[{rule}]{style:#}: {message}\n"));
}

fn style(level: Level) -> Style {
    match level {
        Level::Error => BAD,
        Level::Warning => WARN,
        Level::Note => BUSY,
    }
}

/// Adds a table with the number of findings per rule, to show where to start.
fn rules(findings: &[&Finding], page: &mut Page) {
    let mut rules = BTreeMap::<_, (usize, usize)>::new();
    for finding in findings {
        let (count, fixes) = rules.entry(finding.rule.as_str()).or_default();
        *count += 1;
        *fixes += usize::from(finding.fix.is_some());
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|&(rule, (count, _))| (std::cmp::Reverse(count), rule));
    page.push(format_args!("{DIM}{:>12} rule{DIM:#}\n", "findings"));
    for (rule, (count, fixes)) in rules.iter().take(MOST) {
        let fixes = match fixes {
            0 => String::new(),
            fixes if fixes == count => format!("{DIM}, all with a fix{DIM:#}"),
            fixes => format!("{DIM}, {fixes} with a fix{DIM:#}"),
        };
        page.push(format_args!("{count:>12} {}{fixes}\n", visible_line(rule)));
    }
    if rules.len() > MOST {
        let rest: usize = rules[MOST..].iter().map(|(_, (count, _))| count).sum();
        let more = rules.len() - MOST;
        page.push(format_args!("{rest:>12} of {more} more {}\n", plural(more, "rule", "rules")));
    }
    page.push("\n");
}
