//! Finds the workspace file that a part of a diff is about.

use super::read::{FileDiff, Side};
use crate::model::finding::Place;
use crate::normalize::Input;

/// File, with the side of the diff that matches it.
pub(super) struct Named {
    pub(super) place: Place,
    pub(super) side: Side,
}

/// Suffixes that tools add to the name of one side.
const SUFFIXES: [&[u8]; 3] = [b".orig", b":before", b":after"];

/// Returns the file that `file` is about.
pub(super) fn find(input: &Input<'_>, file: &FileDiff) -> Named {
    // git compares its index or a commit with the working tree.
    let side = if file.is_git { Side::New } else { Side::Old };
    let names = [&file.new, &file.old].map(|name| name.as_deref());
    let candidates = candidates(input, file, names);
    let mut known = candidates.iter().filter_map(|raw| input.scrub.path(raw));
    let found = known.find(|path| input.workspace.find(path).is_some());
    let place = match (found, candidates.first()) {
        (Some(path), _) => Place::File { path, range: None },
        (None, Some(raw)) if is_name(raw) => input.place_at(raw, None),
        _ => input.default_place(),
    };
    Named { place, side }
}

/// Returns whether `raw` is a file name and not a placeholder for piped input.
fn is_name(raw: &[u8]) -> bool {
    !raw.is_empty()
        && raw != b"-"
        && !raw.starts_with(b"<")
        && !raw.starts_with(b"STDIN")
        && raw != b"standard input"
}

/// Returns possible paths, most likely first.
fn candidates(input: &Input<'_>, file: &FileDiff, names: [Option<&[u8]>; 2]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut add = |path: &[u8]| {
        // git prints paths relative to the top of the repository.
        let from_top = file.is_git.then(|| input.scrub.seen_from_top(path)).flatten();
        all.extend(from_top.map(|path| path.as_bytes().to_vec()));
        all.push(path.to_vec());
    };
    // For `a/` and `b/`, or `old/` and `new/`, the common rest is the path.
    if let [Some(new), Some(old)] = names
        && new != old
        && let (Some(one), Some(other)) = (below_first(new), below_first(old))
        && one == other
    {
        add(one);
    }
    let is_alone = names.iter().flatten().count() == 1;
    for name in names.into_iter().flatten() {
        if let Some(below) = below_first(name).filter(|_| file.is_git && (is_alone || names[0] != names[1])) {
            add(below);
        }
        add(name);
        for suffix in SUFFIXES {
            name.strip_suffix(suffix).into_iter().for_each(&mut add);
        }
        below_first(name).into_iter().for_each(&mut add);
    }
    all
}

/// Returns `path` without its first component.
fn below_first(path: &[u8]) -> Option<&[u8]> {
    let at = path.iter().position(|&byte| byte == b'/').filter(|&at| at > 0)?;
    Some(&path[at + 1..]).filter(|rest| !rest.is_empty())
}
