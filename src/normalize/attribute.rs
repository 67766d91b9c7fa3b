//! Finds the unit of a tool that a diagnostic belongs to. Does not know how units were batched into processes, so
//! batching cannot change the answer.

use crate::model::finding::Place;
use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::workspace::{PackageId, TargetKind, Workspace};

/// Returns the index of the unit that a diagnostic belongs to, among **all** units of its tool in the plan, in plan
/// order. Returns `None` if it belongs to none of them.
///
/// - File: the path is that file.
/// - Target root: the path is that root, else the root with the innermost directory around the path, preferring roots
///   of the path's own package.
/// - Package: the one that the tool named, else the innermost one around the path.
/// - Combination: none, since the packages of all combinations have the same files.
/// - Workspace: always, since it is the only unit.
pub fn attribute(
    workspace: &Workspace,
    units: &[Unit],
    place: &Place,
    package: Option<PackageId>,
) -> Option<usize> {
    match units.first()? {
        Unit::Workspace => Some(0),
        Unit::Combination(..) => None,
        Unit::File(_) => {
            let file = workspace.find(place.path()?)?;
            units.binary_search(&Unit::File(file)).ok()
        }
        Unit::Package(_) => {
            let at = |package| units.binary_search(&Unit::Package(package)).ok();
            let owner = || place.path().and_then(|path| workspace.owner_of(path));
            package.and_then(at).or_else(|| owner().and_then(at))
        }
        Unit::TargetRoot(..) => {
            let path = place.path();
            let package = path.and_then(|path| workspace.owner_of(path)).or(package);
            let own = roots(workspace, units).filter(|root| package.is_some_and(|own| root.package == own));
            let all = || roots(workspace, units);
            match path {
                Some(path) => closest(own, path).or_else(|| closest(all(), path)).or_else(|| first(all())),
                None => first(own),
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Root<'a> {
    at: usize,
    package: PackageId,
    kind: TargetKind,
    path: &'a RelPath,
}

fn roots<'a>(workspace: &'a Workspace, units: &'a [Unit]) -> impl Iterator<Item = Root<'a>> {
    units.iter().enumerate().filter_map(|(at, unit)| {
        let target = unit.target(workspace)?;
        Some(Root { at, package: unit.package(workspace)?, kind: target.kind, path: &target.root })
    })
}

fn first<'a>(roots: impl Iterator<Item = Root<'a>>) -> Option<usize> {
    roots.min_by_key(|root| (root.kind, root.path, root.package)).map(|root| root.at)
}

/// Returns the root that is `path`, else the one with the innermost directory around it.
fn closest<'a>(roots: impl Iterator<Item = Root<'a>>, path: &RelPath) -> Option<usize> {
    let depth = |root: &Root<'_>| {
        let dir = root.path.parent().unwrap_or_default();
        let around = path.is_within(&dir).then_some(dir.as_bytes().len())?;
        Some(if root.path == path { usize::MAX } else { around })
    };
    roots
        .filter_map(|root| {
            Some((std::cmp::Reverse(depth(&root)?), root.kind, root.path, root.package, root.at))
        })
        .min()
        .map(|(.., at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::workspace::FileId;
    use crate::normalize::testing::workspace;

    fn sample() -> Workspace {
        use TargetKind::{Bin, BuildScript, Lib, Test};
        workspace(
            &[
                ("a", &[(BuildScript, "a/build.rs"), (Lib, "a/src/lib.rs"), (Bin, "a/src/main.rs")]),
                ("a/inner", &[(Lib, "a/inner/src/lib.rs")]),
                ("b", &[(Lib, "b/src/lib.rs"), (Test, "b/tests/x.rs"), (Test, "b/tests/y/main.rs")]),
            ],
            &["a/src/lib.rs", "shaders/x.wgsl"],
        )
    }

    fn file(path: &str) -> Place {
        Place::File { path: RelPath::new(path), range: None }
    }

    #[track_caller]
    fn check_root(place: Place, package: Option<u32>, expected: Option<&str>) {
        let workspace = sample();
        let mut units: Vec<Unit> = workspace
            .packages()
            .flat_map(|(id, package)| {
                (0..package.targets.len()).map(move |at| Unit::TargetRoot(id, at as u32))
            })
            .collect();
        for _ in 0..2 {
            let found = attribute(&workspace, &units, &place, package.map(PackageId));
            let found = found.map(|at| units[at].path(&workspace).to_string());
            assert_eq!(found.as_deref(), expected, "{place:?}");
            units.reverse();
        }
    }

    #[test]
    fn a_file_belongs_to_the_innermost_root_around_it_in_its_package() {
        check_root(file("a/src/main.rs"), None, Some("a/src/main.rs"));
        check_root(file("a/src/x/y.rs"), None, Some("a/src/lib.rs"));
        check_root(file("a/build/x.rs"), None, Some("a/build.rs"));
        check_root(file("a/inner/src/x.rs"), None, Some("a/inner/src/lib.rs"));
        check_root(file("b/tests/y/x.rs"), None, Some("b/tests/y/main.rs"));
        check_root(file("b/tests/common/mod.rs"), None, Some("b/tests/x.rs"));
    }

    #[test]
    fn a_file_that_no_root_is_around_still_belongs_to_one() {
        check_root(file("a/inner/x.rs"), None, Some("a/build.rs"));
        check_root(file("shared/x.rs"), None, Some("a/inner/src/lib.rs"));
    }

    #[test]
    fn a_subject_belongs_to_the_first_root_of_its_package() {
        check_root(Place::Subject("package b".into()), Some(2), Some("b/src/lib.rs"));
        check_root(Place::Subject("x".into()), None, None);
    }

    #[test]
    fn a_package_is_named_by_the_tool_or_lies_around_the_path() {
        let workspace = sample();
        let units = [0, 1, 2].map(|at| Unit::Package(PackageId(at)));
        let check = |place: Place, package: Option<u32>, expected| {
            assert_eq!(attribute(&workspace, &units, &place, package.map(PackageId)), expected);
        };
        check(file("a/src/lib.rs"), Some(2), Some(2));
        check(file("a/inner/x"), None, Some(1));
        check(file("shaders/x.wgsl"), None, None);
        check(Place::Subject("x".into()), None, None);
    }

    #[test]
    fn a_file_unit_is_met_exactly_and_the_workspace_always() {
        let workspace = sample();
        let units = [Unit::File(FileId(0)), Unit::File(FileId(1))];
        assert_eq!(attribute(&workspace, &units, &file("a/src/lib.rs"), None), Some(0));
        assert_eq!(attribute(&workspace, &units, &file("a/src/x.rs"), None), None);
        assert_eq!(attribute(&workspace, &[Unit::Workspace], &Place::Subject("x".into()), None), Some(0));
        assert_eq!(attribute(&workspace, &[], &file("a"), None), None);
    }
}
