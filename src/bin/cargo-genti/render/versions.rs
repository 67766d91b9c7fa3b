//! Notes about tools whose version differs from the locked one.

use genti::model::outcome::Outcome;
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
        notes.push(visible_line(&format!(
            "{} {here} is installed, but {locked} is locked{of_new}",
            tool.name
        )));
    }
    notes
}
