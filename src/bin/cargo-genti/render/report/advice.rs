//! Advice: how to fix or accept findings, and what else deserves attention.

use std::collections::BTreeMap;

use genti::compare::ratchet;
use genti::model::finding::{Entry, State};
use genti::model::golden;
use genti::model::outcome::{Effect, Verdict};
use genti::model::ratchet::NumberState;
use genti::model::style::{FORMER_STYLE, Migration};
use genti::report::finished::{Finding, Gone, Suppression};
use genti::report::fixes;
use genti::report::text::number;

use super::super::{finding, visible_line};
use super::findings::place;
use super::tools::names;
use super::{MOST, Page, View, plural};

pub(super) fn show(view: &View<'_>, page: &mut Page) {
    let run = view.run;
    let stale: Vec<_> = run.report.gone.iter().filter(|gone| gone.state == State::Fixed).collect();
    let (new, extra): (Vec<_>, Vec<_>) = view.new_findings().partition(|finding| view.is_required(finding));
    if run.run.end.status == "incomplete" {
        absent(view, page);
    }
    migrations(view, page);
    next(view, &new, &extra, page);
    if view.quiet {
        return;
    }
    let (numbers, stale): (Vec<_>, Vec<_>) = stale.into_iter().partition(|gone| is_of_number(view, gone));
    if !stale.is_empty() {
        self::stale(&stale, page);
    }
    unseen(&run.report.gone, page);
    if !numbers.is_empty() {
        self::numbers(view, page);
    }
    if !run.report.golden_orphans.is_empty() {
        orphans(&run.report.golden_orphans, page);
    }
    suppressions(view, page);
    if let Some(artifacts) = view.artifacts.as_ref().filter(|_| view.verbose) {
        page.note(format_args!("artifacts are in {artifacts}"));
    }
}

/// Advises how a gate can pass without tools that are missing or have nothing to check.
fn absent(view: &View<'_>, page: &mut Page) {
    let of = |verdict| names(view.run, |tool, report| tool.required && report.verdict == verdict);
    let missing = of(Verdict::Missing);
    if !missing.is_empty() {
        page.note(format_args!(
            "not installed: {missing}; install the missing tools, or set `required = false` under `{}`",
            table_of(&missing)
        ));
    }
    let empty = of(Verdict::Empty);
    if !empty.is_empty() {
        page.note(format_args!(
            "nothing to check: {empty}; correct `files` or `variants`, or set `may-be-empty = true` under `{}`",
            table_of(&empty)
        ));
    }
}

/// Returns the table of the configuration for the tools in the list `names`.
fn table_of(names: &str) -> String {
    let is_one = !names.contains([',', '@']);
    format!("[tools.{}]", if is_one { names } else { "NAME" })
}

/// Summarizes new findings that a changed style edition causes, with the command that fixes all of them.
fn migrations(view: &View<'_>, page: &mut Page) {
    for (tool, report) in view.run.tools() {
        let Some(Migration { files, findings }) = &report.migration else { continue };
        let fix = tool.fix.as_ref().map(|words| fixes::command(words, view.tree));
        let fix = fix.as_deref().unwrap_or("rustfmt");
        page.note(format_args!(
            "style edition changed: {} {} in {} {} formatted for style edition {FORMER_STYLE}; run `{}` to migrate \
             them, or set `style_edition = \"{FORMER_STYLE}\"` in rustfmt.toml to keep the former style",
            number(*findings as u64),
            plural(*findings, "finding", "findings"),
            number(*files as u64),
            plural(*files, "file", "files"),
            visible_line(fix),
        ));
    }
}

/// Advises how to fix or accept new findings.
fn next(view: &View<'_>, new: &[&Finding], extra: &[&Finding], page: &mut Page) {
    let all = || new.iter().chain(extra);
    if all().any(|finding| is_of_golden(finding)) {
        page.note("if the new output is correct, accept it with `cargo genti run --bless`");
    }
    if let Some(advice) = fixes::advice(view.run, view.tree) {
        page.note(visible_line(&advice));
    }
    if view.run.run.end.status != "failed" {
        return;
    }
    let can_accept = new.iter().any(|finding| finding.can_be_accepted());
    let has_baseline = view.run.report.tools.iter().any(|tool| tool.unchanged + tool.updated > 0);
    if view.may_begin_baseline && can_accept {
        page.note(
            "to accept the current findings and only fail on new ones, run `cargo genti baseline init`",
        );
    } else if has_baseline && can_accept {
        page.note("to accept the new findings, run `cargo genti baseline accept --reason TEXT`");
    }
}

/// Returns true if this is a difference from a golden file.
fn is_of_golden(finding: &Finding) -> bool {
    finding.fatal && finding.place.path().is_some_and(|path| golden::tool_of(path).is_some())
}

/// Warns about suppressions that have expired or match nothing.
fn suppressions(view: &View<'_>, page: &mut Page) {
    for suppression in &view.run.report.suppressions {
        let Suppression { reason, owner, expires, effect, matched, rule, tool, .. } = suppression;
        let reason = match owner {
            None => visible_line(reason),
            Some(owner) => format!("{}; owner: {}", visible_line(reason), visible_line(owner)),
        };
        let what = match (rule, tool) {
            (Some(rule), _) => visible_line(rule),
            (None, Some(tool)) => visible_line(tool),
            (None, None) => "all tools".to_owned(),
        };
        let place = place(suppression);
        let expired =
            expires.as_ref().map(|date| format!("expired on {}", visible_line(date))).unwrap_or_default();
        match (effect, matched) {
            (Effect::Active, _) => {}
            (Effect::Expired, 0) => page.warning(format_args!(
                "{place}: suppression for {what} {expired} and matches nothing; remove it (reason: {reason})"
            )),
            (Effect::Expired, matched) => page.warning(format_args!(
                "{place}: suppression for {what} {expired}, so {matched} {} again (reason: {reason})",
                plural(*matched, "finding counts", "findings count")
            )),
            (Effect::Unused, _) => page.warning(format_args!(
                "{place}: suppression for {what} matches nothing; remove or correct it (reason: {reason})"
            )),
        }
    }
    let covered = view.run.report.gone.iter().filter(|gone| gone.state == State::Suppressed).count();
    if covered > 0 {
        page.note(format_args!(
            "{covered} baseline {} also covered by a suppression; remove {} with `cargo genti baseline update`",
            plural(covered, "entry is", "entries are"),
            plural(covered, "it", "them"),
        ));
    }
}

/// Lists stale baseline entries.
fn stale(stale: &[&Gone], page: &mut Page) {
    let count = stale.len();
    page.note(format_args!(
        "{count} baseline {} stale; remove {} with `cargo genti baseline update`",
        plural(count, "entry is", "entries are"),
        plural(count, "it", "them"),
    ));
    for gone in stale.iter().take(MOST) {
        let Gone { ns, site, rule, message, code, scope, in_variants, reason, .. } = (*gone).clone();
        let entry = Entry { site, rule, scope, code, msg: message, in_variants, reason };
        page.below(format_args!("{}.jsonl: {}", visible_line(&ns), finding::entry(&entry)));
    }
    if count > MOST {
        page.below(format_args!("and {} more", count - MOST));
    }
}

/// Lists baseline entries whose code was not checked but still exists, by file and reason.
fn unseen(gone: &[Gone], page: &mut Page) {
    let mut places: BTreeMap<_, usize> = BTreeMap::new();
    for gone in gone {
        if let Some(why) = &gone.unseen {
            *places.entry((gone.site.name(), why)).or_default() += 1;
        }
    }
    if places.is_empty() {
        return;
    }
    let count: usize = places.values().sum();
    page.note(format_args!(
        "kept {count} baseline {} whose code still exists but was not checked",
        plural(count, "entry", "entries"),
    ));
    for ((path, why), count) in places.iter().take(MOST) {
        page.below(format_args!("{count} in {}: {}", visible_line(path), visible_line(why)));
    }
    if places.len() > MOST {
        page.below(format_args!("and {} more files", places.len() - MOST));
    }
}

/// Returns true if the entry accepted a number that is better now.
fn is_of_number(view: &View<'_>, gone: &Gone) -> bool {
    let better = view.run.report.numbers.iter().filter(|number| number.state == Some(NumberState::Better));
    gone.rule == ratchet::RULE
        && better.into_iter().any(|number| number.ns == gone.ns && number.name == gone.site.name())
}

/// Notes numbers that are better than the accepted values.
fn numbers(view: &View<'_>, page: &mut Page) {
    let numbers = view.run.report.numbers.iter();
    for number in numbers.filter(|number| number.state == Some(NumberState::Better)) {
        let [value, accepted] = [Some(&number.value), number.accepted.as_ref()]
            .map(|value| value.map(|value| number.with_unit(value)).unwrap_or_default());
        page.note(visible_line(&format!(
            "{}: {value} is better than the accepted {accepted}; tighten it with `cargo genti baseline update`",
            number.name
        )));
    }
}

/// Lists orphaned golden files.
fn orphans(orphans: &[String], page: &mut Page) {
    let count = orphans.len();
    page.note(format_args!(
        "{count} orphaned golden {}; remove {} with `cargo genti run --bless --remove-orphans`",
        plural(count, "file", "files"),
        plural(count, "it", "them"),
    ));
    for path in orphans.iter().take(MOST) {
        page.below(visible_line(path));
    }
    if count > MOST {
        page.below(format_args!("and {} more", count - MOST));
    }
}
