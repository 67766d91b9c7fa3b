//! Walks directories on several threads and applies the rules of `files.rs` while doing so.
//!
//! The `ignore` crate matches the rules, but this module does not use its walks. The sequential walk is slow,
//! because it visits the files one by one. The parallel walk waits forever if it can't start all its threads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::Scope;

use super::index::Tracked;
use super::open::{EntryKind, Open};
use super::{Listing, LoadError, content, repository, unreadable};
use crate::disk;
use crate::model::halt::{Halt, Halted};
use crate::model::path::{RelPath, os_path};
use crate::model::stamp::Stamp;
use crate::model::workspace::{LeftOut, WhyLeftOut, Workspace};

/// Maximum number of files of a directory that one thread handles at a time. Larger directories are split.
const CHUNK: usize = 512;

/// Start of a `CACHEDIR.TAG` file, see <https://bford.info/cachedir/>.
const CACHEDIR_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Name of the file that marks a cache directory.
const CACHE_TAG: &str = "CACHEDIR.TAG";

/// Name of the file with ignore rules.
const GITIGNORE: &str = ".gitignore";

/// A file or link that was listed but not read yet.
pub(super) struct ListedFile {
    pub(super) path: RelPath,
    pub(super) is_link: bool,
    /// True if it was reached through a link to a directory.
    pub(super) is_behind_link: bool,
    /// True if it is ignored and only listed because git tracks it.
    pub(super) is_tracked: bool,
    /// Stamp of the file, or the error while reading it.
    pub(super) seen: io::Result<Stamp>,
}

/// Lists the files below `starts`, each given as a path from the workspace root and the directory on disk.
/// Skips the directories in `pruned`. Returns runs of files: each run is sorted, runs are in order and don't overlap.
///
/// # Errors
///
/// If a directory can't be read, or `halt` is due. Returns the first error by path.
pub(super) fn walk<'a>(
    starts: impl Iterator<Item = (&'a RelPath, &'a PathBuf)>,
    pruned: &[PathBuf],
    listing: Listing,
    halt: &dyn Halt,
) -> Result<(Vec<Vec<ListedFile>>, Vec<LeftOut>), LoadError> {
    let starts = starts.map(|(start, place)| Dir::start(start, place));
    let starts = starts.collect::<Result<Vec<_>, _>>()?;
    let has_several_starts = starts.len() > 1;
    let budget = AtomicUsize::new(usize::MAX);
    let walk = WorkspaceWalk::new(&starts, pruned, listing, &budget, halt);
    let (mut runs, left_out) = walk.all(starts)?;
    listing.apply(&mut runs);
    let is_unordered = |run: &Vec<ListedFile>| run.first().is_some_and(|file| file.is_tracked);
    if has_several_starts || runs.iter().any(is_unordered) {
        // Files outside of the root and ignored files belong between the others.
        return Ok((vec![merged(runs)], left_out));
    }
    runs.sort_unstable_by(|a, b| a.first().map(|file| &file.path).cmp(&b.first().map(|file| &file.path)));
    Ok((runs, left_out))
}

/// Returns the files below the link `start`, whose target is `place`, sorted. Subtracts their number from `budget`.
/// Returns `None` if `budget` is used up.
///
/// # Errors
///
/// As for [`walk`].
pub(super) fn walk_up_to(
    start: &RelPath,
    place: &Path,
    pruned: &[PathBuf],
    listing: Listing,
    budget: &AtomicUsize,
    halt: &dyn Halt,
) -> Result<Option<Vec<ListedFile>>, LoadError> {
    let starts = vec![Dir::start(start, place)?];
    let walk = WorkspaceWalk::new(&starts, pruned, listing, budget, halt);
    let (mut runs, _) = walk.all(starts)?;
    listing.apply(&mut runs);
    let mut files = merged(runs);
    files.iter_mut().for_each(|file| file.is_behind_link = true);
    Ok((budget.load(Ordering::Relaxed) > 0).then_some(files))
}

/// Lists every file below `dir`, except in the directories `left_out`, with its path relative to `dir`. Includes
/// ignored and hidden files, and files behind links. Returns `None` if there are more than `max`, or a directory
/// can't be read.
///
/// In `.git`, only the state of the repository is included. Objects and logs, which form its history, are left
/// out.
pub fn everything_below(dir: &Path, left_out: &[PathBuf], max: usize) -> Option<Vec<(RelPath, PathBuf)>> {
    let is_history = |path: &Path| {
        let mut parts = path.components().rev().map(|part| part.as_os_str());
        matches!(parts.next(), Some(name) if name == "objects" || name == "logs")
            && parts.next().is_some_and(|name| name == ".git")
    };
    let is_included = |entry: &walkdir::DirEntry| {
        !left_out.iter().any(|dir| dir == entry.path()) && !is_history(entry.path())
    };
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(dir).follow_links(true).into_iter().filter_entry(is_included) {
        let place = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry.into_path(),
            // The target of the link is listed at its own path.
            Err(error) if error.loop_ancestor().is_some() => continue,
            // This is a broken link, or a file that has just disappeared.
            Err(error) if error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::NotFound) => {
                error.path()?.to_path_buf()
            }
            Err(_) => return None,
        };
        if found.len() == max {
            return None;
        }
        found.push((RelPath::between(dir, &place)?, place));
    }
    found.sort();
    Some(found)
}

/// Merges `runs` into one sorted list.
pub(super) fn merged(runs: Vec<Vec<ListedFile>>) -> Vec<ListedFile> {
    let mut all: Vec<_> = runs.into_iter().flatten().collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

struct WorkspaceWalk<'a> {
    pruned: &'a [PathBuf],
    listing: Listing,
    /// Number of files that may still be listed.
    budget: &'a AtomicUsize,
    halt: &'a dyn Halt,
    runs: Mutex<Vec<Vec<ListedFile>>>,
    /// Ignored files and directories with their paths on disk. Git may still track them.
    ignored: Mutex<Vec<(RelPath, PathBuf)>>,
    left_out: Mutex<Vec<LeftOut>>,
    errors: Mutex<Vec<(PathBuf, io::Error)>>,
    tracked: Tracked,
}

/// A directory to list.
struct Dir {
    place: PathBuf,
    /// Prefix of the paths in it, relative to the workspace root.
    prefix: Vec<u8>,
    /// Rules that apply to it.
    rules: Option<Arc<Rules>>,
    is_start: bool,
}

impl Dir {
    fn start(start: &RelPath, place: &Path) -> Result<Self, LoadError> {
        let mut prefix = start.as_bytes().to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let above = repository::above(place).into_iter();
        let rules = above.into_iter().try_fold(None, |outer, dir| {
            let Some(way) = RelPath::between(dir, place) else { return Ok(outer) };
            let above = [way.as_bytes(), b"/"].concat();
            let rules = Rules::read(dir, outer, GitignoreBase { at: prefix.len(), above });
            rules.map_err(unreadable(&dir.join(GITIGNORE)))
        })?;
        Ok(Self { place: place.to_path_buf(), prefix, rules, is_start: true })
    }
}

/// Rules of a `.gitignore` and of those in outer directories.
struct Rules {
    own: Gitignore,
    place: GitignoreBase,
    outer: Option<Arc<Rules>>,
}

/// Location of a `.gitignore` relative to the paths that are matched.
struct GitignoreBase {
    /// Length of the prefix of a path, up to the directory of the `.gitignore`.
    at: usize,
    /// Path from the `.gitignore` to the start of the walk, if the file is above the start.
    above: Vec<u8>,
}

impl Rules {
    /// Reads the `.gitignore` in `dir`, which adds to `outer`. Like git, it skips unreadable parts. Special files
    /// are an error, since git would block on them.
    fn read(dir: &Path, outer: Option<Arc<Self>>, place: GitignoreBase) -> io::Result<Option<Arc<Self>>> {
        let file = match disk::open(&dir.join(GITIGNORE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
            Err(_) => return Ok(outer),
        };
        let mut builder = GitignoreBuilder::new("");
        for (number, line) in BufReader::new(file).lines().map_while(Result::ok).enumerate() {
            let line = if number == 0 { line.trim_start_matches('\u{feff}') } else { &line };
            let _ = builder.add_line(None, line);
        }
        match builder.build() {
            Ok(own) if !own.is_empty() => Ok(Some(Arc::new(Self { own, place, outer }))),
            _ => Ok(outer),
        }
    }

    /// Returns true if `path`, relative to the workspace root, is ignored. The innermost matching rule decides.
    fn ignore(&self, path: &[u8], is_dir: bool) -> bool {
        let Self { own, place: GitignoreBase { at, above }, outer } = self;
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

impl<'a> WorkspaceWalk<'a> {
    fn new(
        starts: &[Dir],
        pruned: &'a [PathBuf],
        listing: Listing,
        budget: &'a AtomicUsize,
        halt: &'a dyn Halt,
    ) -> Self {
        let place = starts.first().map_or(Path::new(""), |start| &start.place);
        Self {
            pruned,
            listing,
            budget,
            halt,
            runs: Mutex::default(),
            ignored: Mutex::default(),
            left_out: Mutex::default(),
            errors: Mutex::default(),
            tracked: Tracked::of_repository_at(place),
        }
    }

    /// Lists the directories `starts`. Returns the files in sorted runs in any order, and what is left out.
    fn all(self, starts: Vec<Dir>) -> Result<(Vec<Vec<ListedFile>>, Vec<LeftOut>), LoadError> {
        rayon::scope(|scope| {
            for dir in starts {
                scope.spawn(|scope| self.list(dir, scope));
            }
        });
        self.add_tracked();
        let mut errors = self.errors.into_inner().unwrap_or_else(PoisonError::into_inner);
        // A directory that has disappeared is treated as if it had never existed.
        errors.retain(|(_, error)| error.kind() != io::ErrorKind::NotFound);
        errors.sort_by(|a, b| a.0.cmp(&b.0));
        match errors.into_iter().next() {
            Some((path, error)) => Err(unreadable(&path)(error)),
            None => {
                let mut left_out = self.left_out.into_inner().unwrap_or_else(PoisonError::into_inner);
                left_out.sort();
                Ok((self.runs.into_inner().unwrap_or_else(PoisonError::into_inner), left_out))
            }
        }
    }

    /// Lists ignored files that git tracks.
    fn add_tracked(&self) {
        let mut ignored = std::mem::take(&mut *self.ignored.lock().unwrap_or_else(PoisonError::into_inner));
        ignored.sort();
        let mut run = Vec::new();
        for (path, place) in ignored {
            let Some(below) = self.tracked.below(&place) else {
                // The index can't be read, so no other tracked file can be found either.
                return self.leave_out(RelPath::default(), WhyLeftOut::Untold);
            };
            for below in below {
                let place = if below.is_empty() { place.clone() } else { place.join(os_path(below)) };
                let Ok(meta) = place.symlink_metadata() else { continue };
                if meta.is_file() || meta.is_symlink() {
                    let (path, is_link) = (path.join(below), meta.is_symlink());
                    let seen = content::stamp(&place);
                    run.push(ListedFile { path, is_link, is_behind_link: false, is_tracked: true, seen });
                }
            }
        }
        run.sort_by(|a, b| a.path.cmp(&b.path));
        if !run.is_empty() {
            self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(run);
        }
    }

    fn leave_out(&self, path: RelPath, why: WhyLeftOut) {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).push(LeftOut { path, why });
    }

    fn list<'s>(&'s self, dir: Dir, scope: &Scope<'s>) {
        let Dir { place, prefix, mut rules, is_start } = dir;
        if self.budget.load(Ordering::Relaxed) == 0 {
            return;
        }
        if self.halt.is_due() {
            return self.fail(place, Halted.into());
        }
        let (open, mut entries) = match Open::read(&place, &prefix) {
            Ok(read) => read,
            // The directory may be a cache of another user.
            Err(_) if !is_start && is_cache(&place).unwrap_or(false) => return,
            Err(error) => return self.fail(place, error),
        };
        self.listing.apply(&mut entries);
        // Compare directories with a trailing slash, so their files are in the right order.
        entries.sort_unstable_by(|(a, _), (b, _)| a[prefix.len()..].cmp(&b[prefix.len()..]));
        // A directory that changes while it is read may return a name twice.
        entries.dedup_by(|(a, _), (b, _)| a == b);
        let name = |path: &[u8]| path[prefix.len()..].to_vec();
        let has = |name: &str| {
            let path = [&prefix, name.as_bytes()].concat();
            entries.binary_search_by(|(other, _)| other.cmp(&path)).is_ok()
        };
        if !is_start && has(CACHE_TAG) {
            match is_cache(&place) {
                // A directory whose `CACHEDIR.TAG` is committed belongs to the sources.
                Ok(true) if !self.tracked.has(&place.join(CACHE_TAG)) => {
                    let path = prefix.strip_suffix(b"/").unwrap_or(&prefix);
                    return self.leave_out(RelPath::new(path), WhyLeftOut::CacheDir);
                }
                Ok(true) => {}
                Ok(false) => {}
                Err(error) => return self.fail(place.join(CACHE_TAG), error),
            }
        }
        if has(GITIGNORE) {
            match Rules::read(&place, rules, GitignoreBase { at: prefix.len(), above: Vec::new() }) {
                Ok(read) => rules = read,
                Err(error) => return self.fail(place.join(GITIGNORE), error),
            }
        }
        let mut files = Vec::with_capacity(entries.len().min(CHUNK));
        for (path, kind) in entries {
            let bare = path.strip_suffix(b"/").unwrap_or(&path);
            if &bare[prefix.len()..] == b".git" {
                continue;
            }
            let place_of = || place.join(os_path(&name(bare)));
            if kind != EntryKind::File && self.pruned.contains(&place_of()) {
                continue;
            }
            if rules.as_ref().is_some_and(|rules| rules.ignore(bare, kind == EntryKind::Dir)) {
                let ignored = (RelPath::new(bare), place_of());
                self.ignored.lock().unwrap_or_else(PoisonError::into_inner).push(ignored);
                continue;
            }
            match kind {
                EntryKind::Dir => {
                    let place = place_of();
                    self.stat_files(std::mem::take(&mut files), &open);
                    let dir = Dir { place, prefix: path, rules: rules.clone(), is_start: false };
                    scope.spawn(|scope| self.list(dir, scope));
                }
                EntryKind::File | EntryKind::Link => {
                    if files.len() == CHUNK {
                        let files = std::mem::replace(&mut files, Vec::with_capacity(CHUNK));
                        let place = place.clone();
                        scope.spawn(move |_| self.stat_files(files, &Open::reopen(&place)));
                    }
                    files.push((RelPath::of(path), kind == EntryKind::Link));
                }
                EntryKind::Other => self.leave_out(RelPath::of(path), WhyLeftOut::Special),
            }
        }
        self.stat_files(files, &open);
    }

    /// Records that `place` can't be read.
    fn fail(&self, place: PathBuf, error: io::Error) {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).push((place, error));
    }

    /// Reads the stamps of files in one directory. Each file is given as its path, and true if it is a link.
    fn stat_files(&self, files: Vec<(RelPath, bool)>, dir: &Open) {
        let take = |left: usize| Some(left.saturating_sub(files.len()));
        let left = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if files.is_empty() || left == Ok(0) {
            return;
        }
        let stat_files = |(path, is_link): (RelPath, bool)| {
            let seen = dir.stamp(path.file_name());
            ListedFile { path, is_link, is_behind_link: false, is_tracked: false, seen }
        };
        let run = files.into_iter().map(stat_files).collect();
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(run);
    }
}

/// Determines whether files that don't exist would be listed.
pub struct Ignores<'a> {
    root: &'a Path,
    /// Rules of each directory, by path from the root.
    rules: BTreeMap<RelPath, Option<Arc<Rules>>>,
}

impl<'a> Ignores<'a> {
    /// Creates a matcher for the files below the root of `workspace`.
    pub fn new(workspace: &'a Workspace) -> Self {
        Self { root: &workspace.root, rules: BTreeMap::new() }
    }

    /// Returns true if the rules would leave out a file at `path`.
    pub fn would_ignore(&mut self, path: &RelPath) -> bool {
        if path.is_outside() {
            return true;
        }
        let ends = path.as_bytes().iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let dirs: Vec<_> = ends.map(|end| RelPath::new(&path.as_bytes()[..end])).collect();
        let mut rules = self.of(&RelPath::default(), None);
        for dir in dirs {
            let place = dir.to_path(self.root);
            let is_ignored = rules.as_ref().is_some_and(|rules| rules.ignore(dir.as_bytes(), true));
            if is_ignored || place.is_symlink() || is_cache(&place).unwrap_or(false) {
                return true;
            }
            rules = self.of(&dir, rules);
        }
        rules.is_some_and(|rules| rules.ignore(path.as_bytes(), false))
    }

    fn of(&mut self, dir: &RelPath, outer: Option<Arc<Rules>>) -> Option<Arc<Rules>> {
        let root = self.root;
        let read = || {
            let place = dir.to_path(root);
            if dir.is_root() {
                let rules = Dir::start(dir, &place).ok().and_then(|start| start.rules);
                return Rules::read(&place, rules, GitignoreBase { at: 0, above: Vec::new() });
            }
            Rules::read(&place, outer, GitignoreBase { at: dir.as_bytes().len() + 1, above: Vec::new() })
        };
        // Errors were already reported when the files were listed.
        self.rules.entry(dir.clone()).or_insert_with(|| read().unwrap_or_default()).clone()
    }
}

/// Returns true if `dir` has a `CACHEDIR.TAG`, which marks its content as reproducible.
///
/// # Errors
///
/// If the tag is not a regular file.
pub(super) fn is_cache(dir: &Path) -> io::Result<bool> {
    let mut begin = [0; CACHEDIR_SIGNATURE.len()];
    match disk::open(&dir.join(CACHE_TAG)) {
        Ok(mut tag) => Ok(tag.read_exact(&mut begin).is_ok() && begin == CACHEDIR_SIGNATURE),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(error),
        Err(_) => Ok(false),
    }
}
