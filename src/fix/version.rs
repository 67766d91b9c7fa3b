//! A file before and after its fixes: its text, whether it exists, and whether it may be executed.

use super::{Applied, Proposal, apply};
use crate::model::generator::FileAction;

/// A version of a file that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Its text.
    pub text: Vec<u8>,
    /// True if its owner may execute it. `None` if no fix changes that.
    pub is_executable: Option<bool>,
}

impl Version {
    /// Returns a version with this text, whose mode no fix changes.
    pub fn new(text: Vec<u8>) -> Self {
        Self { text, is_executable: None }
    }
}

/// Result of applying fixes to a file.
pub(super) struct Fitted {
    /// The version before, and the one after; `None` for a file that does not exist.
    pub(super) versions: [Option<Version>; 2],
    /// Fixes that were applied.
    pub(super) done: Vec<Proposal>,
    /// Fixes that don't fit the file.
    pub(super) unfit: Vec<Proposal>,
}

/// Applies `proposals`, which are sorted by priority, to the file with the text `old`; `None` if there is no such file.
pub(super) fn fit(old: Option<&[u8]>, proposals: &[Proposal]) -> Fitted {
    let fits = |one: &&Proposal| old.is_none() == one.action.is_some_and(FileAction::creates);
    let (fitting, unfit): (Vec<_>, Vec<_>) = proposals.iter().partition(fits);
    let (modes, edits): (Vec<_>, Vec<_>) =
        fitting.into_iter().cloned().partition(|one| one.action.is_some_and(FileAction::is_mode));
    let Applied { text, mut done, unfit: unfit_edits, .. } = apply(old.unwrap_or_default(), &edits);
    done.extend(modes);
    let has = |action| done.iter().any(|one| one.action == Some(action));
    let is_executable = match () {
        () if has(FileAction::CreateExecutable) || has(FileAction::SetExecutable) => Some(true),
        () if has(FileAction::Create) || has(FileAction::ClearExecutable) => Some(false),
        () => None,
    };
    let before = old.map(|text| Version {
        text: text.to_vec(),
        // Fixes of the mode change it.
        is_executable: is_executable.map(|is_executable| !is_executable),
    });
    let is_there = !has(FileAction::Delete) && (old.is_some() || !done.is_empty());
    let after = is_there.then_some(Version { text, is_executable });
    let unfit = unfit.into_iter().cloned().chain(unfit_edits).collect();
    Fitted { versions: [before, after], done, unfit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::{compared, edit, fix};
    use crate::fix::{Filter, choose};
    use crate::model::finding::{Fix, Range};

    /// Applies fixes, each an action with an edit. Returns both versions, and the numbers of applied and unfit fixes.
    fn fitted(
        old: Option<&str>,
        fixes: &[(Option<FileAction>, (Range, String))],
    ) -> ([Option<String>; 2], usize, usize) {
        let findings = fixes.iter().enumerate().map(|(at, (action, edit))| {
            let fix = Fix { action: *action, ..fix("a", std::slice::from_ref(edit)) };
            compared("proto", &format!("rule{at}"), fix)
        });
        let chosen = choose(&findings.collect::<Vec<_>>(), &Filter::default());
        let fitted = fit(old.map(str::as_bytes), chosen.files.values().next().unwrap());
        let shown = |version: &Option<Version>| {
            let Version { text, is_executable } = version.as_ref()?;
            let mode = match is_executable {
                None => "",
                Some(true) => "x ",
                Some(false) => "- ",
            };
            Some(format!("{mode}{}", String::from_utf8_lossy(text)))
        };
        (fitted.versions.each_ref().map(shown), fitted.done.len(), fitted.unfit.len())
    }

    #[test]
    fn files_are_created_deleted_and_made_executable() {
        let check = |old: Option<&str>, action, edit, expected: [Option<&str>; 2]| {
            let (versions, done, unfit) = fitted(old, &[(Some(action), edit)]);
            assert_eq!((versions, done, unfit), (expected.map(|text| text.map(str::to_owned)), 1, 0));
        };
        let nothing = || edit(1, 1, 1, "");
        check(Some("a\n"), FileAction::Edit, edit(1, 1, 2, "b"), [Some("a\n"), Some("b\n")]);
        check(None, FileAction::Create, edit(1, 1, 1, "a\n"), [None, Some("- a\n")]);
        check(None, FileAction::CreateExecutable, nothing(), [None, Some("x ")]);
        check(Some("ab"), FileAction::Delete, edit(1, 1, 3, ""), [Some("ab"), None]);
        check(Some(""), FileAction::Delete, nothing(), [Some(""), None]);
        check(Some("a"), FileAction::SetExecutable, nothing(), [Some("- a"), Some("x a")]);
        check(Some("a"), FileAction::ClearExecutable, nothing(), [Some("x a"), Some("- a")]);
    }

    #[test]
    fn text_and_mode_change_together() {
        let fixes = [
            (Some(FileAction::Edit), edit(1, 1, 2, "b")),
            (Some(FileAction::SetExecutable), edit(1, 1, 1, "")),
        ];
        let expected = [Some("- a".to_owned()), Some("x b".to_owned())];
        assert_eq!(fitted(Some("a"), &fixes), (expected, 2, 0));
    }

    #[test]
    fn a_fix_for_a_file_that_appeared_or_disappeared_does_not_fit() {
        let check = |old: Option<&str>, action| {
            let (versions, done, unfit) = fitted(old, &[(action, edit(1, 1, 1, "x"))]);
            let old = old.map(str::to_owned);
            assert_eq!((versions, done, unfit), ([old.clone(), old], 0, 1));
        };
        check(Some("a"), Some(FileAction::Create));
        check(None, Some(FileAction::Edit));
        check(None, Some(FileAction::Delete));
        check(None, None);
    }
}
