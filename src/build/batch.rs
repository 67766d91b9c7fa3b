//! Groups inputs into batches, for generators that take many at once.

use std::ops::Range;

use crate::model::path::RelPath;

/// Splits the sorted `paths` into runs of at most `cap`. A run that is too long is split before the path with the
/// smallest hash. An added or removed file therefore moves few boundaries, and few batches are generated again.
pub(super) fn cut(paths: &[RelPath], cap: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let mut open = vec![(0, paths.len())];
    while let Some((start, end)) = open.pop() {
        let range = start..end;
        if range.len() <= cap {
            if !range.is_empty() {
                batches.push(range);
            }
            continue;
        }
        let cuts = start + 1..end;
        let at = cuts.min_by_key(|&at| (hash(paths[at].as_bytes()), at)).unwrap_or(end);
        open.push((at, end));
        open.push((start, at));
    }
    batches
}

/// FNV-1a with an extra mixing step. Boundaries affect what is generated, so this function must never change.
fn hash(bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let fnv = bytes.iter().fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(count: usize) -> Vec<RelPath> {
        (0..count).map(|n| RelPath::new(format!("in/{n:04}.txt"))).collect()
    }

    #[test]
    fn batches_cover_every_input_once_and_respect_the_cap() {
        for (count, cap) in [(0, 3), (1, 3), (3, 3), (4, 3), (200, 7), (200, 1), (200, usize::MAX)] {
            let batches = cut(&paths(count), cap);
            assert!(batches.iter().all(|batch| batch.len() <= cap && !batch.is_empty()));
            let all: Vec<usize> = batches.into_iter().flatten().collect();
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "{count} by {cap}");
        }
    }

    #[test]
    fn an_added_file_changes_few_batches() {
        let before = paths(200);
        let batches = |paths: &[RelPath]| -> Vec<Vec<RelPath>> {
            cut(paths, 10).into_iter().map(|range| paths[range].to_vec()).collect()
        };
        let old = batches(&before);
        for at in 0..200 {
            let mut after = before.clone();
            after.insert(at, RelPath::new(format!("in/{at:04}-new.txt")));
            after.sort();
            let changed = batches(&after).into_iter().filter(|batch| !old.contains(batch)).count();
            assert!(changed <= old.len() / 2, "{changed} of {} batches changed at {at}", old.len());
        }
    }

    #[test]
    fn the_boundaries_never_change() {
        let sizes: Vec<usize> = cut(&paths(40), 10).into_iter().map(|range| range.len()).collect();
        assert_eq!(sizes, [9, 3, 2, 9, 6, 7, 4]);
    }
}
