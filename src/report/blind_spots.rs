//! Text about blind spots, shared by all reports for humans.

use std::collections::BTreeMap;

use super::text::{number, plural};
use crate::model::blind_spot::{BlindSpot, BlindSpotKind};

/// Counts blind spots by kind: `3 files, 2 features, 1 workspace`. `None` if there are none.
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

/// Singular and plural of each counted noun, in output order.
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
        BlindSpotKind::UntestedTarget
        | BlindSpotKind::UncompiledTarget
        | BlindSpotKind::UndocumentedTarget => 2,
        BlindSpotKind::UnusedFeature => 3,
        BlindSpotKind::UnseenPackage => 4,
        BlindSpotKind::OtherWorkspace => 5,
    }
}

/// Heading for the blind spots of a kind.
pub fn heading(kind: BlindSpotKind) -> &'static str {
    match kind {
        BlindSpotKind::UnseenFile => "Source files that no tool compiled or formatted",
        BlindSpotKind::UnformattedFile => "Source files that were compiled, but not formatted",
        BlindSpotKind::LeftOut => "Other paths that no tool checked",
        BlindSpotKind::UntestedTarget => "Targets whose tests no tool ran or counted",
        BlindSpotKind::UncompiledTarget => "Targets that no tool compiled",
        BlindSpotKind::UndocumentedTarget => "Targets that no tool documented",
        BlindSpotKind::UnusedFeature => "Features that no tool enabled",
        BlindSpotKind::UnseenPackage => "Packages that no tool checked",
        BlindSpotKind::OtherWorkspace => "Other packages and workspaces in the repository",
    }
}

/// Groups the blind spots by kind. Kinds without blind spots are left out.
pub fn by_kind(spots: &[BlindSpot]) -> impl Iterator<Item = (BlindSpotKind, Vec<&BlindSpot>)> {
    let of = |kind| (kind, spots.iter().filter(|spot| spot.kind == kind).collect::<Vec<_>>());
    BlindSpotKind::ALL.into_iter().map(of).filter(|(_, spots)| !spots.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::path::RelPath;

    #[test]
    fn blind_spots_are_counted_by_noun() {
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
