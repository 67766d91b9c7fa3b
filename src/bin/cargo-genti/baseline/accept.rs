//! `baseline accept`: adds new findings to the baseline. No other command adds to an existing one.

use std::collections::BTreeSet;

use genti::compare::{ratchet, variants};
use genti::model::finding::{Entry, State};
use genti::model::outcome::Compared;
use genti::report::text::counted;

use super::AcceptedFindings;
use crate::args::AcceptArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{self, GOOD, Shell, plural};
use crate::session::Startup;

/// Number of rules that a note lists.
const RULES: usize = 10;

pub(super) fn main(args: &AcceptArgs, start: Startup, shell: &mut Shell) -> CliResult {
    let reason = args.reason.trim();
    if reason.is_empty() {
        shell.error("`--reason` is empty; explain why the findings are accepted");
        return Err(CliError::Usage);
    }
    let current = super::run_all(&args.run, start, shell)?;
    let unmatched = unmatched(args, &current.run.outcome.findings);
    if !unmatched.is_empty() {
        shell.error(format_args!("no finding matches {}; nothing was accepted", unmatched.join(" or ")));
        shell.note(matching(&current.run.outcome.findings));
        return Err(CliError::Usage);
    }
    let mut entries = current.baseline;
    let mut accepted = 0;
    let new = current.run.outcome.findings.iter().filter(|compared| compared.state == State::New);
    for compared in new.clone().filter(|compared| is_meant(args, compared)) {
        if !compared.finding.diagnostic.can_be_accepted() {
            continue;
        }
        add(&mut entries, compared, reason, shell);
        accepted += 1;
    }
    let left = new.count() - accepted;
    if accepted == 0 {
        match left {
            0 => shell.note("no new findings, so nothing to accept"),
            _ => shell.note(none_accepted(args, left)),
        }
        return Ok(());
    }
    super::save(&current.project, &entries, shell)?;
    if left > 0 {
        shell.note(format_args!("{} not accepted", counted(left, "new finding", "new findings")));
    }
    super::note_partial(&current.project, "findings outside the selection were not accepted", shell);
    Ok(())
}

/// Adds the entry that accepts a new finding for `reason`.
pub(crate) fn add(entries: &mut AcceptedFindings, compared: &Compared, reason: &str, shell: &mut Shell) {
    let Compared { finding, elsewhere, .. } = compared;
    let mut entry = Entry { reason: Some(reason.to_owned()), ..Entry::of(finding) };
    shell.status(GOOD, "Accepted", render::entry(&entry));
    let accepted_before = entries.entry(finding.diagnostic.ns.to_string()).or_default();
    // It was accepted in other variants, and now in these as well.
    if let Some(known) = elsewhere.as_ref().map(|accepted| &accepted.entry)
        && let Some(at) = accepted_before.iter().position(|other| other == known)
    {
        accepted_before.remove(at);
        entry.in_variants = variants::united(known.in_variants.as_ref(), entry.in_variants.as_ref());
    }
    // Only one value is accepted per number.
    if let Some((name, ..)) = ratchet::accepted(&entry) {
        accepted_before.retain(|other| ratchet::accepted(other).is_none_or(|(known, ..)| known != name));
    }
    accepted_before.push(entry);
}

/// Returns the filters that match no finding, not even an accepted one: they are probably mistyped.
fn unmatched(args: &AcceptArgs, findings: &[Compared]) -> Vec<String> {
    let has = |is_match: &dyn Fn(&Compared) -> bool| findings.iter().any(is_match);
    let rules = args.rule.iter().filter(|rule| !has(&|compared| compared.finding.diagnostic.rule == **rule));
    let paths = args.path.iter().filter(|path| !has(&|compared| is_below(compared, path)));
    let rules = rules.map(|rule| format!("`--rule {rule}`"));
    rules.chain(paths.map(|path| format!("`--path {path}`"))).collect()
}

/// Says which rules have new findings.
fn matching(findings: &[Compared]) -> String {
    let new = findings.iter().filter(|compared| compared.state == State::New);
    let rules: BTreeSet<_> = new.map(|compared| &*compared.finding.diagnostic.rule).collect();
    let listed: Vec<_> = rules.iter().copied().take(RULES).collect();
    match rules.len().saturating_sub(RULES) {
        0 if rules.is_empty() => "there are no new findings".to_owned(),
        0 => format!("there are new findings of {}", listed.join(", ")),
        more => format!(
            "there are new findings of {} and {more} more {}",
            listed.join(", "),
            plural(more, "rule", "rules")
        ),
    }
}

/// Explains that none of the `new` findings was accepted.
fn none_accepted(args: &AcceptArgs, new: usize) -> String {
    let rules = args.rule.iter().map(|rule| format!("--rule {rule}"));
    let paths = args.path.iter().map(|path| format!("--path {path}"));
    let filters: Vec<_> = rules.chain(paths).collect();
    let findings = plural(new, "finding", "findings");
    match filters.is_empty() {
        true => format!("{new} new {findings} can't be accepted"),
        false => format!("no new finding matches {} ({new} new {findings} in total)", filters.join(" ")),
    }
}

/// Returns true if `--rule` and `--path` select this finding.
fn is_meant(args: &AcceptArgs, compared: &Compared) -> bool {
    let rule = &compared.finding.diagnostic.rule;
    (args.rule.is_empty() || args.rule.iter().any(|meant| *rule == *meant))
        && (args.path.is_empty() || args.path.iter().any(|meant| is_below(compared, meant)))
}

/// Returns true if the finding is in the file or directory `meant`.
fn is_below(compared: &Compared, meant: &str) -> bool {
    let meant = meant.trim_start_matches("./").trim_end_matches('/').as_bytes();
    compared.finding.diagnostic.place.path().is_some_and(|path| {
        let rest = path.as_bytes().strip_prefix(meant);
        meant == b"." || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}
