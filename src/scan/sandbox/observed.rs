//! The observer's findings: the places that a process and its children looked at, and why that may not be everything.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that decided how an observed process behaved, as far as the kernel can vouch for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// State of each real path at the time when it looked at it. Its temporary directory and the files that are listed as
    /// unobserved are left out.
    pub places: BTreeMap<PathBuf, Sight>,
    /// The first reason why something else may have decided too. Without one, the places are everything.
    pub doubt: Option<String>,
    /// The first thing that the wall denied, or may have denied.
    pub denial: Option<String>,
    /// A file that it looked at and that contains the name of a variable that was withheld from it, with that name.
    pub mention: Option<(PathBuf, String)>,
}

/// State of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Nothing.
    Absent,
    /// A file, a link, or anything else that is not a directory.
    File,
    /// A directory that was not opened.
    Directory,
    /// A directory that only compilers have opened, which look in it for the libraries that they need.
    SearchedDirectory,
    /// A directory that was opened, so its entries may have been listed.
    OpenDirectory,
}

impl Sight {
    #[cfg(any(target_os = "linux", test))]
    fn is_directory(self) -> bool {
        matches!(self, Self::Directory | Self::SearchedDirectory | Self::OpenDirectory)
    }
}

impl Observed {
    /// Returns an observation that vouches for nothing, for this reason.
    pub fn nothing(why: impl Into<String>) -> Self {
        Self { doubt: Some(why.into()), ..Self::default() }
    }

    /// Returns the reason why it runs again without the observer, if it does.
    pub fn reason_to_repeat(&self) -> Option<String> {
        let mention = self.mention.as_ref().map(|(place, name)| {
            format!(
                "`{}` contains the name of the variable `{name}`, which no sandboxed test sees",
                place.display()
            )
        });
        mention.or_else(|| Some(format!("its sandbox denies something: {}", self.denial.as_ref()?)))
    }
}

#[cfg(any(target_os = "linux", test))]
impl Observed {
    /// Largest number of places that are remembered.
    const MOST: usize = 100_000;

    /// Adds a reason why something else may have decided.
    pub(super) fn doubt(&mut self, why: impl FnOnce() -> String) {
        self.doubt.get_or_insert_with(why);
    }

    /// Adds something that the wall denied, which is also a reason for doubt.
    pub(super) fn deny(&mut self, what: impl FnOnce() -> String) {
        if self.denial.is_none() {
            let what = what();
            self.doubt.get_or_insert_with(|| what.clone());
            self.denial = Some(what);
        }
    }

    /// Adds what was at `place`. If it has changed since an earlier look, it can't be said which of both decided.
    pub(super) fn see(&mut self, place: PathBuf, sight: Sight) {
        let is_full = self.places.len() == Self::MOST;
        match self.places.get_mut(&place) {
            Some(known) if *known == sight => {}
            // The closest look counts.
            Some(known) if known.is_directory() && sight.is_directory() => *known = (*known).max(sight),
            Some(_) => self.doubt(|| format!("`{}` changed while it ran", place.display())),
            None if is_full => self.doubt(|| "it looks at too many files".to_owned()),
            None => drop(self.places.insert(place, sight)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_appears_is_a_reason_for_doubt_and_an_opened_directory_is_not() {
        let mut seen = Observed::default();
        seen.see("/a".into(), Sight::Directory);
        seen.see("/a".into(), Sight::OpenDirectory);
        seen.see("/a".into(), Sight::Directory);
        assert_eq!(
            (seen.places["/a".as_ref() as &std::path::Path], &seen.doubt),
            (Sight::OpenDirectory, &None)
        );
        seen.see("/c".into(), Sight::SearchedDirectory);
        seen.see("/c".into(), Sight::Directory);
        assert_eq!(seen.places["/c".as_ref() as &std::path::Path], Sight::SearchedDirectory);
        seen.see("/b".into(), Sight::Absent);
        seen.see("/b".into(), Sight::File);
        assert_eq!(seen.doubt.as_deref(), Some("`/b` changed while it ran"));
    }

    #[test]
    fn a_denial_is_a_reason_for_doubt_and_the_first_of_each_is_kept() {
        let mut seen = Observed::default();
        seen.doubt(|| "x".to_owned());
        seen.deny(|| "y".to_owned());
        seen.deny(|| "z".to_owned());
        assert_eq!((seen.doubt.as_deref(), seen.denial.as_deref()), (Some("x"), Some("y")));
        let mut seen = Observed::default();
        seen.deny(|| "y".to_owned());
        assert_eq!(seen.doubt, seen.denial);
    }
}
