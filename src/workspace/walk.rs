//! Which files there are: the rules of `files.rs`, applied while directories are read, several at once.
//!
//! The matching is that of the `ignore` crate. Its walks are not used: one of them reads directory by directory on one
//! thread, and takes as long as it takes to look at all that it finds; the other waits for ever where it can't have the
//! threads that it asks for.
#![expect(clippy::disallowed_methods, reason = "part of the shell: lists directories")]

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, File as OpenFile, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::Scope;

use super::{LoadError, unreadable};
use crate::model::path::{RelPath, os_path};

/// The entries of one directory that are told at once, so that a large one does not keep one thread alone busy.
const CHUNK: usize = 512;

/// What a `CACHEDIR.TAG` begins with, see <https://bford.info/cachedir/>.
const CACHEDIR_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Tells all files below `starts`, each a path from the workspace root and the directory on disk: in no order, some of one
/// directory at a time, from several threads. What is in `pruned` is left out, with all below it.
///
/// # Errors
///
/// If a directory can't be read: the first by its path.
pub(super) fn walk<'a>(
    starts: impl Iterator<Item = (&'a RelPath, &'a PathBuf)>,
    pruned: &[PathBuf],
    tell: &(dyn Fn(Vec<(RelPath, FileType)>) + Sync),
) -> Result<(), LoadError> {
    let walk = Walk { pruned, tell, errors: Mutex::default() };
    let starts: Vec<_> = starts.map(|(start, place)| Dir::start(start, place)).collect();
    rayon::scope(|scope| {
        for dir in starts {
            scope.spawn(|scope| walk.list(dir, scope));
        }
    });
    let mut errors = walk.errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A directory that has gone away is as good as one that never was.
    errors.retain(|(_, error)| error.kind() != io::ErrorKind::NotFound);
    errors.sort_by(|a, b| a.0.cmp(&b.0));
    errors.into_iter().next().map_or(Ok(()), |(path, error)| Err(unreadable(&path)(error)))
}

struct Walk<'a> {
    pruned: &'a [PathBuf],
    tell: &'a (dyn Fn(Vec<(RelPath, FileType)>) + Sync),
    errors: Mutex<Vec<(PathBuf, io::Error)>>,
}

/// A directory that is to be listed.
struct Dir {
    place: PathBuf,
    /// What the paths in it begin with, as seen from the workspace root.
    prefix: Vec<u8>,
    /// The rules around it.
    rules: Option<Arc<Rules>>,
    is_start: bool,
}

impl Dir {
    fn start(start: &RelPath, place: &Path) -> Self {
        let mut prefix = start.as_bytes().to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let above = repository_above(place).into_iter();
        let rules = above.fold(None, |outer, dir| {
            let Some(way) = RelPath::between(dir, place) else { return outer };
            let above = [way.as_bytes(), b"/"].concat();
            Rules::read(dir, outer, Place { at: prefix.len(), above })
        });
        Self { place: place.to_path_buf(), prefix, rules, is_start: true }
    }
}

/// What a `.gitignore` says, and what those around it say.
struct Rules {
    own: Gitignore,
    place: Place,
    outer: Option<Arc<Rules>>,
}

/// Where a `.gitignore` lies, seen from what it is asked about.
struct Place {
    /// How many bytes of a path lead to it.
    at: usize,
    /// If it lies above the start: the way from it to the start.
    above: Vec<u8>,
}

impl Rules {
    /// Those of the `.gitignore` in `dir`, within `outer`. What can't be read of it does not count, as in git.
    fn read(dir: &Path, outer: Option<Arc<Self>>, place: Place) -> Option<Arc<Self>> {
        let mut builder = GitignoreBuilder::new("");
        let _ = builder.add(dir.join(".gitignore"));
        match builder.build() {
            Ok(own) if !own.is_empty() => Some(Arc::new(Self { own, place, outer })),
            _ => outer,
        }
    }

    /// Whether what lies at `path`, as seen from the workspace root, is ignored: the innermost rule about it decides.
    fn ignore(&self, path: &[u8], is_dir: bool) -> bool {
        let Self { own, place: Place { at, above }, outer } = self;
        let seen = match above.as_slice() {
            [] => Cow::Borrowed(&path[*at..]),
            above => Cow::Owned([above, &path[*at..]].concat()),
        };
        match own.matched(os_path(&seen), is_dir) {
            Match::Ignore(_) => true,
            Match::Whitelist(_) => false,
            Match::None => outer.as_ref().is_some_and(|outer| outer.ignore(path, is_dir)),
        }
    }
}

impl<'a> Walk<'a> {
    fn list<'s>(&'s self, dir: Dir, scope: &Scope<'s>) {
        let Dir { place, prefix, mut rules, is_start } = dir;
        let entries = match entries(&place) {
            Ok(entries) => entries,
            Err(error) => {
                self.errors.lock().unwrap_or_else(PoisonError::into_inner).push((place, error));
                return;
            }
        };
        let has = |name: &str| entries.iter().any(|(entry, _)| entry == name);
        if !is_start && has("CACHEDIR.TAG") && is_cache(&place) {
            return;
        }
        if has(".gitignore") {
            rules = Rules::read(&place, rules, Place { at: prefix.len(), above: Vec::new() });
        }
        let mut found = Vec::with_capacity(entries.len().min(CHUNK));
        for (name, kind) in entries {
            if name == ".git" {
                continue;
            }
            let path = [&prefix, name.as_encoded_bytes()].concat();
            let place = || place.join(&name);
            if rules.as_ref().is_some_and(|rules| rules.ignore(&path, kind.is_dir()))
                || !kind.is_file() && self.pruned.contains(&place())
            {
                continue;
            }
            if kind.is_dir() {
                let prefix = [&path[..], b"/"].concat();
                let dir = Dir { place: place(), prefix, rules: rules.clone(), is_start: false };
                scope.spawn(|scope| self.list(dir, scope));
                continue;
            }
            if found.len() == CHUNK {
                let found = std::mem::replace(&mut found, Vec::with_capacity(CHUNK));
                scope.spawn(|_| (self.tell)(found));
            }
            found.push((RelPath::new(path), kind));
        }
        (self.tell)(found);
    }
}

/// The names and kinds of what is in the directory `place`.
fn entries(place: &Path) -> io::Result<Vec<(OsString, FileType)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        match entry.file_type() {
            Ok(kind) => entries.push((entry.file_name(), kind)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

fn is_cache(dir: &Path) -> bool {
    let mut begin = [0; CACHEDIR_SIGNATURE.len()];
    let tag = OpenFile::open(dir.join("CACHEDIR.TAG"));
    tag.and_then(|mut tag| tag.read_exact(&mut begin)).is_ok() && begin == CACHEDIR_SIGNATURE
}

/// The top of the repository that `dir` is in.
pub(super) fn repository(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())
}

/// The directories above `dir` that belong to its repository, outermost first.
fn repository_above(dir: &Path) -> Vec<&Path> {
    let Some(top) = repository(dir) else { return Vec::new() };
    let mut above: Vec<_> = dir.ancestors().skip(1).take_while(|dir| dir.starts_with(top)).collect();
    above.reverse();
    above
}
