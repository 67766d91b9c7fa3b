//! A copy of the repository, in which a process may change everything.
//!
//! The copy has what a clone with all uncommitted changes would have: the files that git does not ignore, those that it
//! tracks all the same, and those of submodules. It is in the directory for temporary files, because cargo joins the
//! configuration of all directories above. No file is a hard link, so nothing that happens in the copy can reach the
//! original. The copy is removed when it is dropped, and what a killed run has left is removed by the next copy that is
//! made.
//!
//! # What has changed
//!
//! [`RepositoryCopy::changes`] compares the copy with the original. A file that still has the metadata it got when it was
//! copied is not read: its modification time is set to a time of our choice, and the time of its last change of any kind,
//! which no program can set, is before the start of any process.
//!
//! Knows nothing about tools. `place.rs` finds a directory for the copy.
#![expect(clippy::disallowed_methods, reason = "part of the shell: copies files and reads the clock")]

mod place;
#[cfg(all(test, unix))]
mod tests;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use self::place::CopyPlace;
use super::content::stamp;
use super::git::{GitError, git_elsewhere};
use super::walk::{ListedFile, walk};
use super::{Listing, LoadError, repository};
use crate::disk;
use crate::model::halt::{Halt, Halted, is_halt};
use crate::model::path::RelPath;
use crate::model::stamp::Stamp;
use crate::model::workspace::WhyLeftOut;

/// The copy to make.
pub struct CopyRequest<'a> {
    /// Root of the workspace. The repository around it is copied, or the workspace if there is none.
    pub root: &'a Path,
    /// Directories that are not copied: those that cargo builds in.
    pub built: &'a [&'a Path],
    /// Paths of further files to copy, relative to the root of the workspace, which git may ignore.
    pub also: &'a [RelPath],
    /// Purpose of the copy. The copies of one repository for one purpose are at the same place, one after the other.
    pub purpose: &'a str,
    /// True if the copy gets a repository of its own, with the commits of the original.
    pub has_git: bool,
    /// Returns true for the files, relative to the root of the workspace, that get an older modification time than the others,
    /// so that programs which compare these times take them for out of date.
    pub is_older: &'a dyn Fn(&RelPath) -> bool,
}

/// A copy of a repository. Removed when it is dropped.
#[derive(Debug)]
pub struct RepositoryCopy {
    place: CopyPlace,
    /// Top of the original.
    from: PathBuf,
    /// Path from the top to the root of the workspace.
    prefix: RelPath,
    /// Directories that are not copied, in the copy.
    built: Vec<PathBuf>,
    /// The files, sorted by path.
    files: Vec<CopiedFile>,
}

/// A file of the copy as it was copied.
#[derive(Debug)]
struct CopiedFile {
    /// Path from the top.
    path: RelPath,
    kind: CopiedKind,
    /// Stamps of the original and of the copy.
    stamps: [Stamp; 2],
}

/// Kind of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopiedKind {
    /// A regular file. Holds true if its owner may execute it.
    File(bool),
    /// A symbolic link to this place.
    Link(PathBuf),
}

/// A file of the copy that differs from the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyChange {
    /// Path from the root of the workspace.
    pub path: RelPath,
    /// True if both are regular files with different contents.
    pub has_other_content: bool,
    /// Its kind in the original; `None` if it is additional.
    pub before: Option<CopiedKind>,
    /// Its kind in the copy; `None` if it is missing.
    pub after: Option<CopiedKind>,
}

/// Error from copying a repository, or from comparing the copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The directory for temporary files is in the repository.
    #[error("the directory for temporary files, `{}`, is in the repository; set `TMPDIR` to another one", .0.display())]
    Inside(PathBuf),
    /// A file or directory can't be read or written.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// Ignored files that git tracks are not known.
    #[error(
        "git's index can't be read: it is split, or in a newer format; run `git update-index --no-split-index`"
    )]
    Index,
    /// The files can't be listed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The repository of the copy can't be made.
    #[error("git can't clone it: {0}")]
    Git(#[from] GitError),
    /// The original changed after it was copied.
    #[error("`{0}` changed meanwhile")]
    Changed(RelPath),
    /// It was halted.
    #[error(transparent)]
    Halted(#[from] Halted),
}

impl RepositoryCopy {
    /// Copies the repository.
    ///
    /// # Errors
    ///
    /// If it can't be copied completely, or `halt` is due.
    pub fn make(request: &CopyRequest<'_>, halt: &dyn Halt) -> Result<Self, CopyError> {
        let CopyRequest { root, built, also, purpose, has_git, is_older } = *request;
        let from = repository::top_of(root).unwrap_or(root).to_path_buf();
        let prefix = RelPath::between(&from, root).unwrap_or_default();
        let place = CopyPlace::find(&from, purpose)?;
        let is_within = |dir: &&&Path| dir.starts_with(&from);
        let pruned: Vec<_> = built.iter().filter(is_within).map(|dir| dir.to_path_buf()).collect();
        let below = pruned.iter().filter_map(|dir| dir.strip_prefix(&from).ok());
        let mut copy = Self {
            built: below.map(|dir| place.top().join(dir)).collect(),
            place,
            from,
            prefix,
            files: Vec::new(),
        };
        if has_git {
            clone(&copy.from, copy.top())?;
        }
        let older = SystemTime::now();
        let newer = older + SETTLED;
        let mut paths: Vec<_> =
            listed(&copy.from, &pruned, halt)?.into_iter().map(|file| file.path).collect();
        paths.extend(also.iter().filter_map(|path| copy.prefix.resolve(path)));
        paths.sort();
        paths.dedup();
        for path in paths {
            let time = if is_older(&copy.of_workspace(&path)) { older } else { newer };
            copy.add(path, time, halt)?;
        }
        // Whatever changes from now on gets other times.
        std::thread::sleep(SETTLED);
        Ok(copy)
    }

    /// Returns the top of the copy.
    pub fn top(&self) -> &Path {
        self.place.top()
    }

    /// Returns the root of the workspace in the copy.
    pub fn root(&self) -> PathBuf {
        self.prefix.to_path(self.top())
    }

    /// Returns the top of the original.
    pub fn original_top(&self) -> &Path {
        &self.from
    }

    /// Returns the place in the copy of `path`, a place in the original; `None` if it is elsewhere.
    pub fn inside(&self, path: &Path) -> Option<PathBuf> {
        Some(self.top().join(path.strip_prefix(&self.from).ok()?))
    }

    /// Returns the place in the original of `path`, a place in the copy; `None` if it is elsewhere.
    pub fn outside(&self, path: &Path) -> Option<PathBuf> {
        Some(self.from.join(path.strip_prefix(self.top()).ok()?))
    }

    /// Returns the paths of all files that were copied, relative to the root of the workspace.
    pub fn paths(&self) -> impl Iterator<Item = RelPath> {
        self.files.iter().map(|file| self.of_workspace(&file.path))
    }

    /// Removes the files at `paths`, relative to the root of the workspace, from the copy.
    ///
    /// # Errors
    ///
    /// If one of them can't be removed.
    pub fn remove(&self, paths: impl Iterator<Item = RelPath>) -> Result<(), CopyError> {
        for path in paths {
            fs::remove_file(self.copied(&path)).map_err(of(&path))?;
        }
        Ok(())
    }

    /// Returns the paths of all files that are there now, relative to the root of the workspace, sorted.
    ///
    /// # Errors
    ///
    /// If a directory can't be read, or `halt` is due.
    pub fn present(&self, halt: &dyn Halt) -> Result<Vec<RelPath>, CopyError> {
        let walked = listed(self.top(), &self.built, halt)?.into_iter().map(|file| file.path);
        let copied = self.files.iter().map(|file| &file.path);
        let copied = copied.filter(|path| path.to_path(self.top()).symlink_metadata().is_ok()).cloned();
        let mut all: Vec<_> = walked.chain(copied).map(|path| self.of_workspace(&path)).collect();
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Returns the files that differ from the original, sorted by path. Like git, it compares content, links, and whether the
    /// owner may execute the file, and leaves out new files that git ignores.
    ///
    /// # Errors
    ///
    /// If a file can't be read, the original of a changed file has changed too, or `halt` is due.
    pub fn changes(&self, halt: &dyn Halt) -> Result<Vec<CopyChange>, CopyError> {
        let mut changes = Vec::new();
        for path in self.present(halt)? {
            if self.find(&path).is_none() {
                let after = kind(&self.copied(&path)).map_err(of(&path))?;
                let has_other_content = false;
                changes.extend(after.map(|after| CopyChange {
                    path,
                    has_other_content,
                    before: None,
                    after: Some(after),
                }));
            }
        }
        for file in &self.files {
            if halt.is_due() {
                return Err(Halted.into());
            }
            changes.extend(self.changed(file, halt)?);
        }
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }

    /// Returns the contents of the regular file at `path`, relative to the root of the workspace, in the original and in the copy.
    /// A side without a regular file, or whose file has more than `most` bytes, is `None`.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or the original has changed since it was copied.
    pub fn contents(&self, path: &RelPath, most: u64) -> Result<[Option<Vec<u8>>; 2], CopyError> {
        let places = [self.original(path), self.copied(path)];
        let known = self.find(path);
        let read = |place: &Path| match place.symlink_metadata() {
            Ok(meta) if meta.is_file() && meta.len() <= most => disk::read(place).map(Some),
            _ => Ok(None),
        };
        let before = known.map_or(Ok(None), |_| read(&places[0])).map_err(of(path))?;
        known.map_or(Ok(()), |file| self.check(file))?;
        Ok([before, read(&places[1]).map_err(of(path))?])
    }

    /// Copies the file at `path`, which gets the modification time `time`.
    fn add(&mut self, path: RelPath, time: SystemTime, halt: &dyn Halt) -> Result<(), CopyError> {
        let (from, to) = (path.to_path(&self.from), path.to_path(self.top()));
        let copied = self.copy(&from, &to, time, halt);
        let copied = match copied {
            // It has disappeared since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if is_halt(&error) => return Err(Halted.into()),
            copied => copied.map_err(|source| CopyError::Io { path: from, source })?,
        };
        let stamps = [copied.1, stamp(&to).map_err(|source| CopyError::Io { path: to, source })?];
        self.files.push(CopiedFile { path, kind: copied.0, stamps });
        Ok(())
    }

    fn copy(
        &self,
        from: &Path,
        to: &Path,
        time: SystemTime,
        halt: &dyn Halt,
    ) -> io::Result<(CopiedKind, Stamp)> {
        let before = stamp(from)?;
        let Some(kind) = kind(from)? else { return Err(io::ErrorKind::NotFound.into()) };
        if let Some(dir) = to.parent() {
            fs::create_dir_all(dir)?;
        }
        let kind = match kind {
            CopiedKind::Link(target) => {
                let target = self.inside(&target).unwrap_or(target);
                link(&target, from, to)?;
                CopiedKind::Link(target)
            }
            CopiedKind::File(is_executable) => {
                if halt.is_due() {
                    return Err(io::Error::other(Halted));
                }
                let mut source = disk::open(from)?;
                let mut file = File::options().write(true).create_new(true).open(to)?;
                // The system copies within the file system if it can, without sharing the file.
                io::copy(&mut source, &mut file)?;
                file.set_permissions(without_special_bits(source.metadata()?.permissions()))?;
                file.set_modified(time)?;
                CopiedKind::File(is_executable)
            }
        };
        Ok((kind, before))
    }

    /// Returns how `file` differs from the original, if it does.
    fn changed(&self, file: &CopiedFile, halt: &dyn Halt) -> Result<Option<CopyChange>, CopyError> {
        let place = file.path.to_path(self.top());
        let after = kind(&place).map_err(of(&file.path))?;
        // Without a time that no program can set, only the content counts.
        if cfg!(unix) && stamp(&place).is_ok_and(|stamp| stamp == file.stamps[1]) {
            return Ok(None);
        }
        let has_other_content = match (&file.kind, &after) {
            (CopiedKind::File(_), Some(CopiedKind::File(_))) => {
                self.check(file)?;
                match disk::have_same_content(&file.path.to_path(&self.from), &place, halt) {
                    Err(error) if is_halt(&error) => return Err(Halted.into()),
                    is_same => !is_same.map_err(of(&file.path))?,
                }
            }
            _ => false,
        };
        let is_changed = has_other_content || after.as_ref() != Some(&file.kind);
        let (path, before) = (self.of_workspace(&file.path), Some(file.kind.clone()));
        Ok(is_changed.then_some(CopyChange { path, has_other_content, before, after }))
    }

    /// Checks that the original of `file` is still the one that was copied.
    fn check(&self, file: &CopiedFile) -> Result<(), CopyError> {
        match stamp(&file.path.to_path(&self.from)) {
            Ok(stamp) if stamp == file.stamps[0] => Ok(()),
            _ => Err(CopyError::Changed(self.of_workspace(&file.path))),
        }
    }

    /// Returns the file at `path`, relative to the root of the workspace, if it was copied.
    fn find(&self, path: &RelPath) -> Option<&CopiedFile> {
        let path = self.prefix.resolve(path)?;
        self.files.binary_search_by(|file| file.path.cmp(&path)).ok().map(|at| &self.files[at])
    }

    /// Returns the place in the original of `path`, relative to the root of the workspace.
    fn original(&self, path: &RelPath) -> PathBuf {
        RelPath::without_dots(&path.to_path(&self.prefix.to_path(&self.from)))
    }

    /// Returns the place in the copy of `path`, relative to the root of the workspace.
    fn copied(&self, path: &RelPath) -> PathBuf {
        RelPath::without_dots(&path.to_path(&self.root()))
    }

    /// Returns `path`, relative to the top, relative to the root of the workspace.
    fn of_workspace(&self, path: &RelPath) -> RelPath {
        if self.prefix.is_root() {
            return path.clone();
        }
        let root = self.prefix.to_path(&self.from);
        RelPath::between(&root, &path.to_path(&self.from)).unwrap_or_else(|| path.clone())
    }
}

/// Time between the modification times of the two kinds of files, and until a process may start: more than the resolution of the
/// clock that file systems use.
const SETTLED: Duration = Duration::from_millis(20);

/// Lists the files below `top` that belong to the repository, sorted by path.
fn listed(top: &Path, pruned: &[PathBuf], halt: &dyn Halt) -> Result<Vec<ListedFile>, CopyError> {
    let (start, place) = (RelPath::default(), top.to_path_buf());
    let (runs, left_out) = walk([(&start, &place)].into_iter(), pruned, Listing::AsFound, halt)?;
    if left_out.iter().any(|one| one.why == WhyLeftOut::Untold) {
        return Err(CopyError::Index);
    }
    Ok(runs.into_iter().flatten().collect())
}

/// Makes `top`, an empty directory, a clone of the repository at `from` without files, which shares its objects.
fn clone(from: &Path, top: &Path) -> Result<(), CopyError> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let clone = ["clone", "--quiet", "--shared", "--no-checkout", "--template=", "--"];
    git_elsewhere(from, &[&clone[..], &[&text(from), &text(top)]].concat())?;
    // Nothing in the copy leads back to the original, where it could be changed.
    git_elsewhere(top, &["remote", "remove", "origin"])?;
    if git_elsewhere(top, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).is_ok() {
        git_elsewhere(top, &["read-tree", "HEAD"])?;
    }
    Ok(())
}

/// Returns the kind of the file at `place`; `None` if there is none.
fn kind(place: &Path) -> io::Result<Option<CopiedKind>> {
    match place.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => Ok(Some(CopiedKind::Link(place.read_link()?))),
        Ok(meta) if meta.is_file() => Ok(Some(CopiedKind::File(super::content::is_executable(&meta)))),
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Creates a link to `target` at `to`, as `from` is one.
#[cfg(unix)]
fn link(target: &Path, _: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, to)
}

#[cfg(windows)]
fn link(target: &Path, from: &Path, to: &Path) -> io::Result<()> {
    match from.is_dir() {
        true => std::os::windows::fs::symlink_dir(target, to),
        false => std::os::windows::fs::symlink_file(target, to),
    }
}

/// Returns `permissions` without the bits that would give a copy the rights of others.
#[cfg(unix)]
fn without_special_bits(permissions: fs::Permissions) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(permissions.mode() & 0o777)
}

#[cfg(not(unix))]
fn without_special_bits(permissions: fs::Permissions) -> fs::Permissions {
    permissions
}

/// Returns a function that adds the path to an error.
fn of(path: &RelPath) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.as_os_path().into_owned();
    |source| CopyError::Io { path, source }
}
