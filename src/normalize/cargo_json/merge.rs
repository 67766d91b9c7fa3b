//! Merges the occurrences of a diagnostic, independent of their order.

use std::collections::BTreeMap;

use super::diagnostic::Occurrence;
use crate::model::finding::{Diagnostic, Place};
use crate::model::text::Text;
use crate::model::tool::Tool;

/// Returns each diagnostic once, with the worst level and the notes of all occurrences. The fix is kept only if all
/// occurrences with a fix agree on it, and counts the compilations of `tool` that propose it.
pub(super) fn merge(occurrences: Vec<Occurrence>, tool: &Tool) -> Vec<Diagnostic> {
    type Key = (Text, Text, Text, Vec<Place>, Place);
    let mut groups: BTreeMap<Key, Vec<Diagnostic>> = BTreeMap::new();
    for Occurrence { primaries, root, mut diagnostic } in occurrences {
        // Rustdoc repeats some lints of rustc, but not all of them.
        let is_counted = tool.reports_all(&diagnostic.ns);
        if let (Some(fix), Some(root), true) = (&mut diagnostic.fix, root, is_counted) {
            fix.reports = vec![(root, 1)];
        }
        let Diagnostic { ns, rule, message, place, .. } = &diagnostic;
        let key = (ns.clone(), rule.clone(), message.clone(), primaries, place.clone());
        groups.entry(key).or_default().push(diagnostic);
    }
    groups.into_values().filter_map(merge_group).collect()
}

fn merge_group(mut group: Vec<Diagnostic>) -> Option<Diagnostic> {
    group.sort();
    let mut occurrences = group.into_iter();
    let mut merged = occurrences.next()?;
    let mut agreed = true;
    for other in occurrences {
        merged.level = merged.level.min(other.level);
        merged.fatal |= other.fatal;
        merged.package = merged.package.min(other.package);
        for related in other.related {
            if !merged.related.contains(&related) {
                merged.related.push(related);
            }
        }
        match (&mut merged.fix, other.fix) {
            (Some(fix), Some(other)) => {
                agreed &= fix.edits == other.edits && fix.message == other.message;
                fix.add(&other);
            }
            (fix, other) => *fix = fix.take().or(other),
        }
    }
    merged.fix = merged.fix.filter(|_| agreed);
    Some(merged)
}
