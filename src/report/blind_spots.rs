//! What no tool looked at, in words: the same in every report for humans.

use std::collections::BTreeMap;

use super::text::{number, plural};
use crate::model::blind_spot::{BlindSpot, BlindSpotKind};

/// `3 files, 2 features, 1 workspace`; `None` if there is nothing that was not looked at.
pub fn summary(spots: &[BlindSpot]) -> Option<String> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for spot in spots {
        *counts.entry(noun(spot.kind)).or_default() += 1;
    }
    let one = |(noun, count): (usize, usize)| {
        let (one, many) = NOUNS[noun];
        format!("{} {}", number(count as u64), plural(count, one, many))
    };
    let parts: Vec<_> = counts.into_iter().map(one).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What is counted, in the order in which it is named.
const NOUNS: [(&str, &str); 6] = [
    ("file", "files"),
    ("other path", "other paths"),
    ("target", "targets"),
    ("feature", "features"),
    ("package", "packages"),
    ("workspace", "workspaces"),
];

fn noun(kind: BlindSpotKind) -> usize {
    match kind {
        BlindSpotKind::UnseenFile | BlindSpotKind::UnformattedFile => 0,
        BlindSpotKind::LeftOut => 1,
        BlindSpotKind::UntestedTarget => 2,
        BlindSpotKind::UnusedFeature => 3,
        BlindSpotKind::UnseenPackage => 4,
        BlindSpotKind::OtherWorkspace => 5,
    }
}

/// What all blind spots of a kind have in common, as a heading.
pub fn heading(kind: BlindSpotKind) -> &'static str {
    match kind {
        BlindSpotKind::UnseenFile => "Source files that no tool compiled or formatted",
        BlindSpotKind::UnformattedFile => "Source files that were compiled, but not formatted",
        BlindSpotKind::LeftOut => "Other paths that no tool is given",
        BlindSpotKind::UntestedTarget => "Targets whose tests no tool runs, or counts",
        BlindSpotKind::UnusedFeature => "Features that no tool turned on",
        BlindSpotKind::UnseenPackage => "Packages that no tool looked at",
        BlindSpotKind::OtherWorkspace => "Other packages and workspaces of the repository",
    }
}

/// The blind spots by kind, in order.
pub fn by_kind(spots: &[BlindSpot]) -> impl Iterator<Item = (BlindSpotKind, Vec<&BlindSpot>)> {
    let of = |kind| (kind, spots.iter().filter(|spot| spot.kind == kind).collect::<Vec<_>>());
    BlindSpotKind::ALL.into_iter().map(of).filter(|(_, spots)| !spots.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::path::RelPath;

    #[test]
    fn what_was_not_looked_at_is_summed_up_by_its_noun() {
        let spot = |kind| BlindSpot { kind, path: RelPath::new("a"), reason: String::new() };
        let spots = [
            BlindSpotKind::OtherWorkspace,
            BlindSpotKind::UnseenFile,
            BlindSpotKind::UnformattedFile,
            BlindSpotKind::UnusedFeature,
        ];
        let spots = spots.map(spot);
        assert_eq!(summary(&spots).as_deref(), Some("2 files, 1 feature, 1 workspace"));
        assert_eq!(summary(&[]), None);
        assert_eq!(by_kind(&spots).map(|(kind, _)| kind).collect::<Vec<_>>()[0], BlindSpotKind::UnseenFile);
    }
}
