//! What it means that a tool is at another version than the locked one.

use genti::model::outcome::Outcome;
use genti::plan::config::numbers;

use super::{plural, visible_line};

/// Which tools are at another version than the locked one, and what of the new findings comes of it.
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
            (1, Some(0)) => ": the new finding comes from no lint that it did not have".to_owned(),
            (1, Some(_)) => ": the new finding comes from a lint that it did not have".to_owned(),
            (all, Some(0)) => {
                format!(": none of the {all} new findings comes from a lint that it did not have")
            }
            (all, Some(some)) => format!(
                ": {some} of the {all} new findings {} from lints it did not have",
                plural(some, "comes", "come")
            ),
        };
        notes.push(visible_line(&format!("{} {here} here, {locked} locked{of_new}", tool.name)));
    }
    notes
}
