//! `baseline accept`: the one way in which a baseline grows.

use genti::compare::ratchet;
use genti::model::finding::{Entry, State};
use genti::model::outcome::{Compared, End};
use genti::path::RelPath;

use crate::args::AcceptArgs;
use crate::render::{self, GOOD, Shell, plural};
use crate::run::Start;

pub(super) fn main(args: &AcceptArgs, start: Start, shell: &mut Shell) -> Result<End, End> {
    let reason = args.reason.trim();
    if reason.is_empty() {
        shell.error("`--reason` is empty: say why this is accepted, for whoever reads it later");
        return Err(End::Usage);
    }
    let look = super::look(&args.run, start, shell)?;
    let mut entries = look.baseline;
    let mut accepted = 0;
    let new = look.run.outcome.findings.iter().filter(|compared| compared.state == State::New);
    for Compared { finding, .. } in new.clone().filter(|compared| is_meant(args, compared)) {
        if finding.diagnostic.fatal {
            continue;
        }
        let entry = Entry { reason: Some(reason.to_owned()), ..Entry::of(finding) };
        shell.status(GOOD, "Accepted", render::entry(&entry));
        let accepted_before = entries.entry(finding.diagnostic.ns.to_string()).or_default();
        // Of a number, one value is accepted.
        if let Some((name, ..)) = ratchet::accepted(&entry) {
            accepted_before.retain(|other| ratchet::accepted(other).is_none_or(|(known, ..)| known != name));
        }
        accepted_before.push(entry);
        accepted += 1;
    }
    let left = new.count() - accepted;
    if accepted == 0 {
        match left {
            0 => shell.note("nothing is new: there is nothing to accept"),
            _ => shell.note(format_args!(
                "{left} {} new, and none of them is meant",
                plural(left, "finding is", "findings are")
            )),
        }
        return Ok(End::Passed);
    }
    super::save(&look.project, &entries, shell)?;
    if left > 0 {
        shell.note(format_args!("{left} {} new", plural(left, "finding stays", "findings stay")));
    }
    super::note_part(&look.project, "what the rest finds stays new", shell);
    Ok(End::Passed)
}

/// Whether `--rule` and `--path` take in this finding.
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
