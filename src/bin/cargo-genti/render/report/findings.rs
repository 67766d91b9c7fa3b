//! The findings of a report: the first ones with their source, grouped by file; then one line each; then only
//! the number of the rest, by rule.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;
use genti::model::finding::{Level, Place, State};
use genti::model::style::is_of_former_style;
use genti::report::finished::{Finding, Suppression};
use genti::report::text::{counted, number};
use genti::report::{excused, links};

use unicode_width::UnicodeWidthStr;

use super::super::finding::{self, Canvas};
use super::super::{hyperlink, text, visible_line};
use super::{BAD, BUSY, DIM, HEAD, MOST, Page, View, WARN, plural};

/// Number of findings that are shown with their source, without `--verbose`.
const MOST_SHOWN: usize = 30;
/// Minimum number of columns for a message, even on a narrow terminal.
const SHORTEST: usize = 16;
/// Number of findings that are shown at all, without `--verbose`.
const MOST_NAMED: usize = 300;

/// Numbers of the new and of all findings of each id.
pub(in super::super) type Identical<'a> = BTreeMap<&'a str, (usize, usize)>;

pub(super) fn show(view: &View<'_>, page: &mut Page) {
    // Findings that a new style edition causes are summarized in the advice.
    let is_new = |finding: &Finding| finding.state.is_shown() && !is_of_former_style(&finding.related);
    // Findings that the change did not cause have a list of their own.
    let is_shown = |finding: &&Finding| !finding.is_excused() && (is_new(finding) || view.verbose);
    let all = view.run.report.findings.iter();
    if view.statistics {
        // The same findings that the verdict counts.
        return match view.verbose {
            true => statistics(&all.collect::<Vec<_>>(), page),
            false => statistics(&view.new_findings().collect::<Vec<_>>(), page),
        };
    }
    let findings: Vec<_> = all.filter(is_shown).collect();
    let is_left = |finding: &&Finding| finding.state != State::New || !view.shown.contains(&finding.key());
    let findings = match view.shown.is_empty() {
        true => findings,
        false => findings.into_iter().filter(is_left).collect(),
    };
    let (identical, suppressions) = (&identical(view), view.run.report.suppressions.as_slice());
    let artifacts = view.artifacts.as_deref();
    let listing = |findings| Listing {
        findings,
        canvas: view.canvas,
        identical,
        suppressions,
        artifacts,
        verbose: view.verbose,
    };
    if view.shown.is_empty() {
        return listing(findings).show(page);
    }
    // Blocks were shown during the run, so these continue them.
    let mut by_tool = BTreeMap::<_, Vec<_>>::new();
    for finding in findings {
        by_tool.entry(view.run.tool_of(finding)).or_default().push(finding);
    }
    for (tool, findings) in by_tool {
        heading(tool, &findings, page);
        listing(findings).show(page);
    }
}

/// Adds the heading of a block with the findings of `tool`.
pub(super) fn heading(tool: &str, findings: &[&Finding], page: &mut Page) {
    let are_all = |state| findings.iter().all(|finding| finding.state == state);
    let what = match findings.len() {
        count if are_all(State::New) => counted(count, "new finding", "new findings"),
        count if are_all(State::Noted) => counted(count, "noted finding", "noted findings"),
        count => counted(count, "finding", "findings"),
    };
    page.status(WARN, "Found", format_args!("{what} ({})\n", visible_line(tool)));
}

/// Findings to show, in order.
pub(super) struct Listing<'a> {
    pub(super) findings: Vec<&'a Finding>,
    pub(super) canvas: Canvas<'a>,
    pub(super) identical: &'a Identical<'a>,
    /// The suppressions of the run, by which findings are suppressed.
    pub(super) suppressions: &'a [Suppression],
    /// Directory of the artifacts, if they were written.
    pub(super) artifacts: Option<&'a str>,
    /// Show the source of all findings.
    pub(super) verbose: bool,
}

impl Listing<'_> {
    pub(super) fn show(&self, page: &mut Page) {
        let Self { findings, canvas, verbose, .. } = self;
        let most = |most: usize| if *verbose { findings.len() } else { findings.len().min(most) };
        let (shown, named) = (most(MOST_SHOWN), most(MOST_NAMED));
        if findings.len() > MOST_SHOWN {
            statistics(findings, page);
        }
        // Select the most severe findings, but show each group in the original order.
        let mut ranked: Vec<_> = findings.iter().copied().enumerate().collect();
        ranked.sort_by_key(|(at, finding)| (finding.level, *at));
        ranked[..shown].sort_by_key(|(at, _)| *at);
        ranked[shown..named].sort_by_key(|(at, _)| *at);
        let ranked: Vec<_> = ranked.into_iter().map(|(_, finding)| finding).collect();
        let by_file =
            || ranked[..shown].chunk_by(|a, b| a.place.path().is_some() && a.place.path() == b.place.path());
        // Headings are only useful if some file has several findings.
        let files = by_file().count();
        for of_file in by_file() {
            if files > 1 && files < shown {
                head(canvas, of_file, page);
                page.push("\n");
            }
            for finding in of_file {
                page.push(finding::render(finding, canvas, &self.notes(finding)));
            }
        }
        for of_file in ranked[shown..named].chunk_by(|a, b| a.place.path() == b.place.path()) {
            head(canvas, of_file, page);
            of_file.iter().for_each(|finding| line(finding, canvas, page));
            page.push("\n");
        }
        if named < findings.len() {
            let place = self.artifacts.map(|dir| format!(" in {dir}/report.json")).unwrap_or_default();
            let more = counted(findings.len() - named, "more finding", "more findings");
            page.note(format_args!("{more}{place}; pass `--verbose` to show all"));
            page.push("\n");
        } else if shown < named {
            page.note("pass `--verbose` to show the source of all findings");
            page.push("\n");
        }
    }

    /// Returns additional notes about the state of a finding.
    fn notes(&self, finding: &Finding) -> Vec<String> {
        let mut notes = Vec::new();
        let reason =
            finding.reason.as_deref().map(|reason| format!(": {}", visible_line(reason))).unwrap_or_default();
        match finding.state {
            State::Suppressed => {
                let by = self.suppression(finding).map(|by| format!(" by {}", place(by))).unwrap_or_default();
                notes.push(format!("suppressed{by}{reason}"));
            }
            State::Unchanged => notes.push(format!("accepted{reason}")),
            State::Noted => notes.push("reported only; does not fail the run".to_owned()),
            State::Updated => notes.push(format!("accepted, and edited since{reason}")),
            State::New if self.verbose => {
                notes.extend(finding.cause.as_ref().map(|caused| visible_line(&excused::sentence(caused))));
            }
            _ => {}
        }
        match self.identical.get(finding.id.as_str()) {
            Some(&(new, total)) if finding.state == State::New && new < total => {
                let are = plural(new, "is", "are");
                notes.push(format!("{new} of {total} identical findings here {are} new"));
            }
            _ => {}
        }
        notes
    }

    /// Returns the suppression with the same reason and owner. If there are several, they can't be distinguished.
    fn suppression(&self, finding: &Finding) -> Option<&Suppression> {
        let says_so =
            |by: &&Suppression| Some(&by.reason) == finding.reason.as_ref() && by.owner == finding.owner;
        self.suppressions.iter().find(says_so)
    }
}

/// Adds a heading with the file of the next findings.
fn head(canvas: &Canvas<'_>, findings: &[&Finding], page: &mut Page) {
    let Some(path) = findings.first().and_then(|finding| finding.place.path()) else { return };
    let name = visible_line(&path.to_string());
    let url = canvas.links.and_then(|root| hyperlink::file(root, path));
    let name = hyperlink::to(url.as_deref(), &name);
    let count = counted(findings.len(), "finding", "findings");
    page.push(format_args!("{HEAD}{name}{HEAD:#}{DIM}: {count}{DIM:#}\n"));
}

/// Counts the new and all findings of each id.
fn identical<'a>(view: &View<'a>) -> Identical<'a> {
    let mut counts = Identical::new();
    for finding in &view.run.report.findings {
        let (new, total) = counts.entry(finding.id.as_str()).or_default();
        *new += usize::from(finding.state == State::New);
        *total += 1;
    }
    counts
}

/// Returns the location of a suppression in the configuration.
pub(super) fn place(suppression: &Suppression) -> String {
    let file = suppression.file.as_deref().map_or("the configuration".into(), visible_line);
    format!("{file}:{}", suppression.line)
}

/// Adds a finding as one line below its file.
fn line(finding: &Finding, canvas: &Canvas<'_>, page: &mut Page) {
    let style = style(finding.level);
    let place = match (&finding.place, finding.place.range()) {
        (Place::Subject(subject), _) => visible_line(subject),
        (_, Some(range)) => format!("{}:{}", range.start.line, range.start.column),
        (_, None) => String::new(),
    };
    let (level, rule) = (finding.level.as_str(), visible_line(&finding.rule));
    let message = visible_line(finding.message.lines().next().unwrap_or_default());
    let before = format!("{place:>12} {level}[{rule}]: ").width();
    let message = match canvas.terminal {
        Some(width) => text::cut(&message, width.saturating_sub(before).max(SHORTEST)),
        None => message.into(),
    };
    let url = canvas.links.and_then(|_| links::rule(&finding.ns, &finding.rule));
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

/// Adds tables with the number of findings per rule and per directory, to show where to start.
fn statistics(findings: &[&Finding], page: &mut Page) {
    let mut namespaces = BTreeMap::<_, BTreeSet<_>>::new();
    for finding in findings {
        namespaces.entry(&finding.rule).or_default().insert(&finding.ns);
    }
    let mut rules = Table::default();
    let mut dirs = Table::default();
    for finding in findings {
        // Two namespaces may have rules with the same name.
        match namespaces.get(&finding.rule).is_some_and(|namespaces| namespaces.len() > 1) {
            true => rules.add(&format!("{} ({})", finding.rule, finding.ns), finding),
            false => rules.add(&finding.rule, finding),
        }
        let dir = finding.shown_at().path().map(|path| path.parent().unwrap_or_default());
        let dir = match &dir {
            None => "(no file)".to_owned(),
            Some(dir) if dir.is_root() => ".".to_owned(),
            Some(dir) => dir.to_string(),
        };
        dirs.add(&dir, finding);
    }
    rules.show("rule", ["rule", "rules"], page);
    dirs.show("directory", ["directory", "directories"], page);
}

/// Numbers of findings, and of those with a fix, by name.
#[derive(Default)]
struct Table(BTreeMap<String, (usize, usize)>);

impl Table {
    fn add(&mut self, name: &str, finding: &Finding) {
        let (count, fixes) = self.0.entry(name.to_owned()).or_default();
        *count += 1;
        *fixes += usize::from(finding.fix.is_some());
    }

    /// Adds the table to `page`, with the most frequent names first.
    fn show(self, head: &str, [one, many]: [&str; 2], page: &mut Page) {
        let mut rows: Vec<_> = self.0.into_iter().collect();
        rows.sort_by(|(a, (of_a, _)), (b, (of_b, _))| of_b.cmp(of_a).then_with(|| a.cmp(b)));
        if rows.is_empty() {
            return;
        }
        page.push(format_args!("{DIM}{:>12} {head}{DIM:#}\n", "findings"));
        for (name, (count, fixes)) in rows.iter().take(MOST) {
            let fixes = match fixes {
                0 => String::new(),
                fixes if fixes == count => format!("{DIM}, all with a fix{DIM:#}"),
                fixes => format!("{DIM}, {} with a fix{DIM:#}", number(*fixes as u64)),
            };
            page.push(format_args!("{:>12} {}{fixes}\n", number(*count as u64), visible_line(name)));
        }
        if rows.len() > MOST {
            let rest: usize = rows[MOST..].iter().map(|(_, (count, _))| count).sum();
            let more = rows.len() - MOST;
            let (rest, names) = (number(rest as u64), plural(more, one, many));
            page.push(format_args!("{rest:>12} of {} more {names}\n", number(more as u64)));
        }
        page.push("\n");
    }
}
