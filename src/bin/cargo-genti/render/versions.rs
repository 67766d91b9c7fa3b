//! Notes about tools whose version differs from the locked one.

use genti::model::grace::NoGrace;
use genti::model::outcome::{OtherVersion, Outcome};
use genti::model::tool::Tool;
use genti::plan::config::numbers;

use super::{plural, visible_line};

/// Returns a note for each tool whose version differs from the locked one, with the number of new findings
/// that this explains.
pub(crate) fn other_versions(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    for (tool, result) in outcome.plan.graph.tools.iter().zip(&outcome.tools) {
        let (Some(here), Some(other)) = (&result.version, &result.other_version) else { continue };
        let (mut here, mut locked) = (here.as_str(), other.locked.as_str());
        if let (Some(a), Some(b)) = (numbers(here).next(), numbers(locked).next())
            && a != b
        {
            (here, locked) = (a, b);
        }
        let of_new = match (result.new, other.by_new_rules) {
            (0, _) | (_, None) => String::new(),
            (1, Some(0)) => "; the new finding is not from a new lint".to_owned(),
            (1, Some(_)) => "; the new finding is from a new lint".to_owned(),
            (all, Some(0)) => {
                format!("; none of the {all} new findings are from new lints")
            }
            (all, Some(some)) => {
                format!("; {some} of the {all} new findings {} from new lints", plural(some, "is", "are"))
            }
        };
        let why = if result.new > 0 { why(tool, other) } else { String::new() };
        notes.push(visible_line(&format!(
            "{} {here} is installed, but {locked} is locked{of_new}{why}",
            tool.name
        )));
    }
    notes
}

/// Says why findings of new lints fail, if the policy does not, or why they are not known.
fn why(tool: &Tool, other: &OtherVersion) -> String {
    let has_new = other.by_new_rules.is_some_and(|count| count > 0);
    let no_grace = "there is no grace, because";
    match &other.no_grace {
        Some(NoGrace::NoRules) if !tool.rules.is_empty() => {
            "; which of them are from new lints is not known, because genti.lock lists no lints".to_owned()
        }
        Some(NoGrace::Ended(day)) if has_new => format!("; the grace ended on {day}"),
        Some(NoGrace::Pinned(name)) if has_new => {
            format!("; {no_grace} the repository itself names the toolchain `{name}`")
        }
        Some(NoGrace::Prerelease) if has_new => format!("; {no_grace} this is not a stable release"),
        Some(NoGrace::NoDay) if has_new => {
            format!("; {no_grace} the version of {} states no day", tool.name)
        }
        _ => String::new(),
    }
}
