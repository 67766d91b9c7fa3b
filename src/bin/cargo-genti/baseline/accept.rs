//! `baseline accept`: adds new findings to the baseline. No other command adds to an existing one.

use genti::compare::ratchet;
use genti::model::finding::{Entry, State};
use genti::model::outcome::Compared;
use genti::path::RelPath;

use crate::args::AcceptArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{self, GOOD, Shell, plural};
use crate::session::Startup;

pub(super) fn main(args: &AcceptArgs, start: Startup, shell: &mut Shell) -> CliResult {
    let reason = args.reason.trim();
    if reason.is_empty() {
        shell.error("`--reason` is empty; explain why the findings are accepted");
        return Err(CliError::Usage);
    }
    let current = super::run_all(&args.run, start, shell)?;
    let mut entries = current.baseline;
    let mut accepted = 0;
    let new = current.run.outcome.findings.iter().filter(|compared| compared.state == State::New);
    for Compared { finding, .. } in new.clone().filter(|compared| is_meant(args, compared)) {
        if finding.diagnostic.fatal {
            continue;
        }
        let entry = Entry { reason: Some(reason.to_owned()), ..Entry::of(finding) };
        shell.status(GOOD, "Accepted", render::entry(&entry));
        let accepted_before = entries.entry(finding.diagnostic.ns.to_string()).or_default();
        // Only one value is accepted per number.
        if let Some((name, ..)) = ratchet::accepted(&entry) {
            accepted_before.retain(|other| ratchet::accepted(other).is_none_or(|(known, ..)| known != name));
        }
        accepted_before.push(entry);
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
        shell.note(format_args!("{left} new {} not accepted", plural(left, "finding", "findings")));
    }
    super::note_partial(&current.project, "findings outside the selection were not accepted", shell);
    Ok(())
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
    let diagnostic = &compared.finding.diagnostic;
    let is_below = |path: &RelPath| {
        args.path.iter().any(|meant| {
            let meant = meant.trim_start_matches("./").trim_end_matches('/').as_bytes();
            let rest = path.as_bytes().strip_prefix(meant);
            meant == b"." || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    };
    (args.rule.is_empty() || args.rule.iter().any(|rule| diagnostic.rule == *rule))
        && (args.path.is_empty() || diagnostic.place.path().is_some_and(is_below))
}
