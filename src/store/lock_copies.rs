//! Copies of the repository outside itself. A variant with a lock file of its own builds in one, because cargo reads its lock file
//! only from the root of the workspace, where the user's own is.
//!
//! # Refreshing
//!
//! A copy stays until its variant is gone or `cargo genti clean` removes it, so that cargo finds what it has built before. Before
//! each run that uses it, every file is compared with the repository by content, and written only if it differs: times don't
//! decide, because cargo takes them to decide what to build again. Whatever an interrupted run, a test or a build script left in
//! a copy is put right or removed in the same way.
//!
//! # What is copied
//!
//! Files and symbolic links of the repository and its submodules, also those that git ignores, because builds may read them.
//! `.git`, cargo's build directories and caches (directories with an untracked `CACHEDIR.TAG`) are left out. Nothing is ever
//! linked to a file of the repository, so whatever a build writes in the copy stays there.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::prelude::*;
use regex::bytes::{NoExpand, Regex};

use super::contents::BISECT;
use super::tag;
use super::tree::remove_tree;
use crate::disk;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::halt::{Halt, Halted};
use crate::model::path::RelPath;

/// Name of the directory with the copies of all repositories, below `genti` in the user's cache directory.
const COPIES: &str = "copies";

/// Name of the file that a run locks while it uses the copies of a repository.
const LOCK: &str = "lock";

/// The copies of one repository.
#[derive(Debug)]
pub struct LockCopies {
    /// Top of the repository.
    top: PathBuf,
    /// The workspace, below the top.
    workspace: PathBuf,
    /// Directories that are not copied.
    left_out: Vec<PathBuf>,
    /// Directory that contains the copies.
    home: PathBuf,
    /// Patterns of the tops of all copies, each with what stands for the top of the repository. Empty if the paths can't be
    /// matched, because they are not UTF-8.
    tops: OnceLock<Vec<(Regex, String)>>,
    /// Lock on this directory, from the first use on.
    lock: Mutex<Option<File>>,
}

/// Returns the directory with the copies of the repository whose workspace builds in `target_dir`, below the user's `cache`.
pub fn copies_home(cache: &Path, target_dir: &Path) -> PathBuf {
    let mut hasher = Hasher::new("genti.copies.1");
    hasher.field("target", target_dir.as_os_str().as_encoded_bytes());
    cache.join("genti").join(COPIES).join(hasher.finish().short(16))
}

/// Returns the directory, below the user's `cache`, of the worktree for searches in the repository with this `top` whose workspace
/// builds in `target_dir`.
pub fn bisect_home(cache: &Path, top: &Path, target_dir: &Path) -> PathBuf {
    let mut hasher = Hasher::new("genti.bisect-home.1");
    hasher.field("top", top.as_os_str().as_encoded_bytes());
    hasher.field("target", target_dir.as_os_str().as_encoded_bytes());
    cache.join("genti").join(BISECT).join(hasher.finish().short(16))
}

/// Removes all copies in `home`.
///
/// # Errors
///
/// If genti did not create it, or something can't be removed.
pub fn remove_copies(home: &Path) -> io::Result<()> {
    if !home.exists() {
        return Ok(());
    }
    if !tag::is_ours(home) {
        return Err(io::Error::other("it has no CACHEDIR.TAG of genti"));
    }
    let _lock = lock(home)?;
    remove_tree(home)
}

impl LockCopies {
    /// Creates the copies of the repository with this `top`, in `home`. `root` is the root of the workspace, and nothing in the
    /// directories `left_out` is copied.
    pub fn new(top: &Path, root: &Path, left_out: Vec<PathBuf>, home: PathBuf) -> Self {
        // Programs that run in a copy print its path without links.
        let existing = home.ancestors().find_map(|dir| Some((dir, dir.canonicalize().ok()?)));
        let real = existing.map(|(dir, real)| below(&real, home.strip_prefix(dir).unwrap_or(Path::new(""))));
        let home = real.unwrap_or(home);
        let workspace = root.strip_prefix(top).unwrap_or(Path::new("")).to_path_buf();
        let (top, tops, lock) = (top.to_path_buf(), OnceLock::new(), Mutex::default());
        Self { top, workspace, left_out, home, tops, lock }
    }

    fn tops(&self) -> &[(Regex, String)] {
        self.tops.get_or_init(|| self.patterns().unwrap_or_default())
    }

    /// Returns the patterns of the tops of all copies. On Windows, a path has other forms in JSON and in URLs.
    fn patterns(&self) -> Option<Vec<(Regex, String)>> {
        let (home, name, top) = (self.home.to_str()?, self.name().to_str()?, self.top.to_str()?);
        let mut patterns = Vec::new();
        let forms: [fn(&str) -> String; 3] =
            [str::to_owned, |path| path.replace('\\', "\\\\"), |path| path.replace('\\', "/")];
        for form in forms {
            let separator = form(std::path::MAIN_SEPARATOR_STR);
            let [home, name, separator] = [form(home).as_str(), name, &separator].map(regex::escape);
            let pattern = format!("{home}{separator}[0-9a-f]{{16}}{separator}{name}\\b");
            if patterns.iter().all(|(known, _): &(Regex, String)| known.as_str() != pattern) {
                patterns.push((Regex::new(&pattern).ok()?, form(top)));
            }
        }
        Some(patterns)
    }

    /// Returns the top of the copy in which the lock file at `path` is used.
    fn top_of(&self, path: &RelPath) -> PathBuf {
        let mut hasher = Hasher::new("genti.copy.1");
        hasher.field("lock", path.as_bytes());
        self.home.join(hasher.finish().short(16)).join(self.name())
    }

    /// Returns the root of the workspace in the copy in which the lock file at `path` is used.
    pub fn root(&self, path: &RelPath) -> PathBuf {
        below(&self.top_of(path), &self.workspace)
    }

    /// Returns `text` with the paths of the repository in place of those of its copies.
    pub fn originals<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        self.tops().iter().fold(Cow::Borrowed(text), |text, (pattern, top)| {
            match pattern.replace_all(&text, NoExpand(top.as_bytes())) {
                Cow::Borrowed(_) => text,
                Cow::Owned(replaced) => Cow::Owned(replaced),
            }
        })
    }

    /// Returns the name of the top of the repository, which is part of what some programs print.
    fn name(&self) -> &OsStr {
        self.top.file_name().unwrap_or("repository".as_ref())
    }

    /// Returns `path` as it is in the copy for the lock file `lock`, if it is in the repository and was copied.
    pub fn in_copy(&self, lock: &RelPath, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.top).ok()?;
        let is_copied = !self.left_out.iter().any(|dir| path.starts_with(dir));
        is_copied.then(|| self.top_of(lock).join(below))
    }

    /// Brings the copy for the lock file at `path` up to date. The lock file must have this `digest`; without one, the copy has
    /// no lock file. `is_listed` says which paths, relative to the root of the workspace, are files of the workspace.
    ///
    /// # Errors
    ///
    /// If the repository can't be copied completely. Then nothing may be built in the copy.
    pub fn refresh(
        &self,
        path: &RelPath,
        digest: Option<Digest>,
        is_listed: &(dyn Fn(&RelPath) -> bool + Sync),
        halt: &dyn Halt,
    ) -> Result<(), String> {
        self.check_surroundings(path)?;
        let to = self.top_of(path);
        let failed =
            |error: io::Error| format!("could not copy the repository to `{}`: {error}", to.display());
        self.open().map_err(failed)?;
        let text = digest.map(|digest| self.lock_file(path, digest)).transpose()?;
        fs::create_dir_all(&to).map_err(failed)?;
        let mut files = Vec::new();
        let own = self.workspace.join("Cargo.lock");
        self.refresh_dir(Path::new(""), &to, &own, is_listed, &mut files, halt).map_err(failed)?;
        files.par_iter().try_for_each(|(from, to)| copy_file(from, to, halt)).map_err(failed)?;
        let own = to.join(own);
        match text {
            Some(text) => write(&own, &text).map_err(failed)?,
            None => remove(&own).map_err(failed)?,
        }
        Ok(())
    }

    /// Removes the copies that belong to none of the lock files at `paths`.
    ///
    /// # Errors
    ///
    /// If one can't be removed.
    pub fn retain<'a>(&self, paths: impl Iterator<Item = &'a RelPath>) -> io::Result<()> {
        if !tag::is_ours(&self.home) {
            return Ok(());
        }
        let tops: Vec<_> = paths.map(|path| self.top_of(path)).collect();
        let used: BTreeSet<_> = tops.iter().filter_map(|top| top.parent()).collect();
        for entry in fs::read_dir(&self.home)? {
            let place = entry?.path();
            if place.is_dir() && !used.contains(place.as_path()) {
                self.hold()?;
                remove(&place)?;
            }
        }
        Ok(())
    }

    /// Creates the directory of the copies, and locks it as long as this value lives.
    fn open(&self) -> io::Result<()> {
        if self.tops().is_empty() {
            return Err(io::Error::other("its path is not UTF-8"));
        }
        if self.home.starts_with(&self.top) {
            let message = "it is inside the repository; set XDG_CACHE_HOME to a directory outside";
            return Err(io::Error::other(message));
        }
        make_own_dir(&self.home)?;
        self.hold()
    }

    fn hold(&self) -> io::Result<()> {
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(lock(&self.home)?);
        }
        Ok(())
    }

    fn lock_file(&self, path: &RelPath, digest: Digest) -> Result<Vec<u8>, String> {
        let place = path.to_path(&self.top.join(&self.workspace));
        let text = disk::read(&place).map_err(|error| format!("could not read `{path}`: {error}"))?;
        match Digest::of_bytes(&text) == digest {
            true => Ok(text),
            false => Err(format!("`{path}` changed during the run; run again")),
        }
    }

    /// Checks that tools find the same configuration above the copy as above the repository.
    fn check_surroundings(&self, path: &RelPath) -> Result<(), String> {
        let Some((differs, which)) = differing_surroundings(&self.top, &self.top_of(path)) else {
            return Ok(());
        };
        Err(format!(
            "`{}` {which} in the copy of the repository in `{}`, which `{path}` needs; move its settings into the repository",
            differs.display(),
            self.home.display()
        ))
    }

    /// Makes the directory `to` one with the entries of `below`, a directory of the repository. Adds the regular files, which are
    /// not compared yet, to `files`. `own` is left as it is.
    fn refresh_dir(
        &self,
        below: &Path,
        to: &Path,
        own: &Path,
        is_listed: &dyn Fn(&RelPath) -> bool,
        files: &mut Vec<(PathBuf, PathBuf)>,
        halt: &dyn Halt,
    ) -> io::Result<()> {
        if halt.is_due() {
            return Err(Halted.into());
        }
        let from = self.top.join(below);
        let mut kept = BTreeSet::new();
        let mut dirs = Vec::new();
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            let (place, copy, path) = (entry.path(), to.join(&name), below.join(&name));
            if name == ".git" || self.left_out.contains(&place) {
                continue;
            }
            if path == own {
                kept.insert(name);
            } else if kind.is_symlink() {
                copy_link(&from, &place, &copy, &self.top)?;
                kept.insert(name);
            } else if kind.is_file() {
                files.push((place, copy));
                kept.insert(name);
            } else if kind.is_dir() && !self.is_cache(&place, is_listed) {
                make_dir(&copy)?;
                dirs.push((path, copy));
                kept.insert(name);
            }
        }
        for entry in fs::read_dir(to)? {
            let entry = entry?;
            if !kept.contains(&entry.file_name()) {
                remove(&entry.path())?;
            }
        }
        dirs.into_iter()
            .try_for_each(|(below, to)| self.refresh_dir(&below, &to, own, is_listed, files, halt))
    }

    /// Returns true if `dir` is marked as a cache, and the mark is no file of the workspace.
    fn is_cache(&self, dir: &Path, is_listed: &dyn Fn(&RelPath) -> bool) -> bool {
        let mark = dir.join(tag::NAME);
        let is_file =
            || RelPath::between(&self.top.join(&self.workspace), &mark).is_some_and(|path| is_listed(&path));
        mark.exists() && !is_file()
    }
}

/// Returns the path `rest` below `dir`, without a slash at the end if that is `dir` itself.
fn below(dir: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { dir.to_path_buf() } else { dir.join(rest) }
}

/// Returns a file that tools find above `top` and not above `other`, or the other way round, and says how it would apply there.
pub fn differing_surroundings(top: &Path, other: &Path) -> Option<(PathBuf, &'static str)> {
    let above = |dir: &Path| -> BTreeSet<PathBuf> {
        let dirs = dir.ancestors().skip(1);
        dirs.flat_map(|dir| ABOVE.map(|name| dir.join(name))).filter(|path| path.exists()).collect()
    };
    let (here, there) = (above(top), above(other));
    let differs = here.symmetric_difference(&there).next()?;
    let which = if here.contains(differs) { "would not apply" } else { "would also apply" };
    Some((differs.clone(), which))
}

/// Creates the directory `dir` outside of any repository, which only this user can use, with a tag of genti.
///
/// # Errors
///
/// If it can't be created, or belongs to another user.
pub fn make_own_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    check_owner(dir)?;
    if !tag::is_ours(dir) {
        tag::mark(dir).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Files that tools search for in all directories above the one in which they start.
const ABOVE: [&str; 6] =
    [".cargo/config", ".cargo/config.toml", ".clippy.toml", "clippy.toml", ".rustfmt.toml", "rustfmt.toml"];

fn lock(home: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(home.join(LOCK))?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(fs4::TryLockError::WouldBlock) => Err(io::Error::other("another run uses the copy")),
        Err(fs4::TryLockError::Error(error)) => Err(error),
    }
}

/// Refuses a directory of another user, who could change what is built.
fn check_owner(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::symlink_metadata(dir)?);
        if owner != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("the directory belongs to another user"));
        }
    }
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// Makes `to` a directory, and not a link to one.
fn make_dir(to: &Path) -> io::Result<()> {
    match fs::symlink_metadata(to) {
        Ok(meta) if meta.is_dir() => Ok(()),
        _ => {
            remove(to)?;
            fs::create_dir(to)
        }
    }
}

/// Makes `to` a copy of the file `from`, and writes nothing if it is one.
fn copy_file(from: &Path, to: &Path, halt: &dyn Halt) -> io::Result<()> {
    if halt.is_due() {
        return Err(Halted.into());
    }
    let meta = fs::symlink_metadata(from)?;
    if !meta.is_file() {
        return Err(io::Error::other(format!("`{}` changed during the run; run again", from.display())));
    }
    let is_same = match fs::symlink_metadata(to) {
        Ok(copy) => copy.is_file() && has_one_name(&copy) && disk::have_same_content(from, to, halt)?,
        Err(_) => false,
    };
    if !is_same {
        remove(to)?;
        fs::copy(from, to)?;
    }
    if fs::symlink_metadata(to)?.permissions() != meta.permissions() {
        fs::set_permissions(to, meta.permissions())?;
    }
    Ok(())
}

/// Returns true if nothing else is linked to the file.
fn has_one_name(meta: &fs::Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(meta) == 1;
    #[cfg(not(unix))]
    {
        let _ = meta;
        true
    }
}

/// Makes `to` a link like `place`, a link in the directory `dir`. A relative one that leads out of the repository becomes absolute.
fn copy_link(dir: &Path, place: &Path, to: &Path, top: &Path) -> io::Result<()> {
    let target = fs::read_link(place)?;
    let there = disk::without_dots(&dir.join(&target));
    let target = if target.is_relative() && !there.starts_with(top) { there } else { target };
    if fs::read_link(to).is_ok_and(|own| own == target) {
        return Ok(());
    }
    remove(to)?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, to);
    #[cfg(windows)]
    return match place.is_dir() {
        true => std::os::windows::fs::symlink_dir(target, to),
        false => std::os::windows::fs::symlink_file(target, to),
    };
}

/// Gives the file `to` this content, and writes nothing if it has it.
fn write(to: &Path, text: &[u8]) -> io::Result<()> {
    let is_file = fs::symlink_metadata(to).is_ok_and(|meta| meta.is_file() && has_one_name(&meta));
    if is_file && disk::read(to).is_ok_and(|old| old == text) {
        return Ok(());
    }
    remove(to)?;
    fs::write(to, text)
}

/// Removes the file, link or directory at `path`, if there is one.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => remove_tree(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
