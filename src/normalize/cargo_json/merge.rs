//! Merges the occurrences of a diagnostic, independent of their order.

use std::collections::BTreeMap;

use super::diagnostic::Occurrence;
use crate::model::finding::{Diagnostic, Place};
use crate::model::text::Text;

/// Returns each diagnostic once, with the worst level and the notes of all occurrences. The fix is kept only if all
/// occurrences with a fix agree on it.
pub(super) fn merge(occurrences: Vec<Occurrence>) -> Vec<Diagnostic> {
    type Key = (Text, Text, Text, Vec<Place>, Place);
    let mut groups: BTreeMap<Key, Vec<Diagnostic>> = BTreeMap::new();
    for Occurrence { primaries, diagnostic } in occurrences {
        let Diagnostic { ns, rule, message, place, .. } = &diagnostic;
        let key = (ns.clone(), rule.clone(), message.clone(), primaries, place.clone());
        groups.entry(key).or_default().push(diagnostic);
    }
    groups.into_values().filter_map(merge_group).collect()
}

fn merge_group(mut group: Vec<Diagnostic>) -> Option<Diagnostic> {
    group.sort();
    group.dedup();
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
        agreed &= other.fix.is_none() || merged.fix.is_none() || merged.fix == other.fix;
        merged.fix = merged.fix.or(other.fix);
    }
    merged.fix = merged.fix.filter(|_| agreed);
    Some(merged)
}
