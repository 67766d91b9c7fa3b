//! Inputs that the kernel vouches for: what an observed process looked at, as discovered inputs of its task.
//!
//! A process that ran behind a wall and was observed without doubt depends on what it looked at and on its key, and on nothing
//! else that is not listed as unobserved (`docs/sandboxed-tests.md`). There are four kinds of places:
//!
//! - in a build directory: only files that the build gave to the program, by what is there now, since the build has just written
//!   them. All others may be changed by other builds, so nothing that looks at them is cached. For rustdoc, which is given arguments
//!   that name whole directories, every file counts that has not changed since it started, and so do the names in a directory of
//!   native libraries;
//! - in a package: everything in the directory of the package, so that a missed look at a fixture can't matter;
//! - elsewhere: the file, the names in a directory that was opened, or that nothing is there;
//! - `.git`: nothing that looks at it is cached.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::inputs::{Content, KeyInputs};
use super::record::Discovered;
use crate::disk;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::path::RelPath;
use crate::model::task::Program;
use crate::scan::{Observed, Sight, WrappedTests};
use crate::workspace;

/// Largest number of entries of a directory, with everything below it.
const MOST: usize = 20_000;

/// The reason why the result of an observed process can't be stored.
pub(super) type NotStored = String;

impl KeyInputs<'_> {
    /// Returns the inputs of a process, according to what was observed. A build gave it the files `given`.
    ///
    /// # Errors
    ///
    /// If the observation does not determine them, with the reason.
    pub(super) fn observed(
        &self,
        observed: &Observed,
        given: &Given,
        build_dirs: &[PathBuf],
    ) -> Result<Vec<Discovered>, NotStored> {
        if let Some(doubt) = &observed.doubt {
            return Err(doubt.clone());
        }
        let root = &self.real_root;
        let repository = self.repository();
        let own = [&self.workspace.target_dir, &self.workspace.build_dir];
        let built: Vec<_> = build_dirs.iter().chain(own).map(|dir| disk::real(dir)).collect();
        let (mut inputs, mut packages) = (Vec::new(), BTreeSet::new());
        for (place, sight) in &observed.places {
            let is_built = built.iter().any(|dir| place.starts_with(dir));
            let sight = match sight {
                // What else is in such a directory may matter.
                Sight::SearchedDirectory if !is_built => &Sight::OpenDirectory,
                sight => sight,
            };
            let path = RelPath::between(root, place).ok_or("it looks at another drive")?;
            let at = |what: &str| format!("it {what} `{}`", place.display());
            let is_git =
                || place.strip_prefix(&repository).is_ok_and(|rest| rest.iter().any(|part| part == ".git"));
            let owner = || self.workspace.owner_of(&path);
            match sight {
                Sight::Absent | Sight::Directory => inputs.push(self.seen(path, place, *sight)?),
                _ if is_built => match sight {
                    _ if *place == given.program => {}
                    Sight::File if given.includes(place) => {
                        inputs.push(self.built_file(path, place, given)?);
                        inputs.extend(self.beside(place, given)?);
                    }
                    Sight::SearchedDirectory if given.searched.contains(place) => {}
                    Sight::SearchedDirectory if given.listed.contains(place) => {
                        inputs.push(self.built_list(path, place, given)?);
                    }
                    _ => return Err(at("looks at the build output")),
                },
                _ if is_git() => return Err(at("looks at")),
                _ if self.has_moved(place, &repository) => {
                    return Err(at("looks at something in a directory that changed during the run:"));
                }
                _ if place.starts_with(root) && owner().is_some() => packages.extend(owner()),
                Sight::OpenDirectory if place.starts_with(&repository) => {
                    inputs.push(self.content(path, place)?);
                }
                Sight::File | Sight::SearchedDirectory | Sight::OpenDirectory => {
                    inputs.push(self.seen(path, place, *sight)?);
                }
            }
        }
        for package in packages {
            let dir = &self.workspace.package(package).dir;
            inputs.push(self.content(dir.clone(), &dir.to_path(root))?);
        }
        inputs.sort();
        inputs.dedup();
        Ok(inputs)
    }

    /// Returns the file at `place` in the build output.
    fn built_file(&self, path: RelPath, place: &Path, given: &Given) -> Result<Discovered, NotStored> {
        let digest = self.outside.digest_now(place).ok().flatten();
        let is_settled = |since: i64| {
            // A link, and what it leads to.
            [place.symlink_metadata(), place.metadata()]
                .into_iter()
                .all(|meta| meta.is_ok_and(|meta| workspace::changed_at(&meta) <= since))
        };
        match digest {
            Some(digest) if given.since.is_none_or(is_settled) => Ok(Discovered::Built(path, digest)),
            Some(_) => Err(format!("`{}` was built again while it ran", place.display())),
            None => Err(format!("it can't be checked because of `{}`", place.display())),
        }
    }

    /// Returns the names in the directory at `place` in the build output.
    fn built_list(&self, path: RelPath, place: &Path, given: &Given) -> Result<Discovered, NotStored> {
        match look(place, true, &|_| None) {
            Ok(Look { digest: Some(digest), sight: Sight::OpenDirectory, changed })
                if given.since.is_none_or(|since| changed <= since) =>
            {
                Ok(Discovered::Listed(path, digest))
            }
            _ => Err(format!("`{}` was built again while it ran", place.display())),
        }
    }

    /// Returns all other forms and places of the library at `place`, if a compiler searches its directory: it looks at each of
    /// them.
    fn beside(&self, place: &Path, given: &Given) -> Result<Vec<Discovered>, NotStored> {
        const FORMS: [&str; 3] = ["rlib", "rmeta", "so"];
        let is_form = FORMS.iter().any(|form| place.extension() == Some(OsStr::new(form)));
        if !is_form || !given.searched.iter().any(|dir| place.parent() == Some(dir)) {
            return Ok(Vec::new());
        }
        let name = place.file_name().unwrap_or_default();
        let others =
            given.searched.iter().flat_map(|dir| FORMS.map(|form| dir.join(name).with_extension(form)));
        let others = others.filter(|other| other != place).map(|other| {
            let path = RelPath::between(&self.real_root, &other).ok_or("it looks at another drive")?;
            match other.exists() {
                true => self.built_file(path, &other, given),
                false => Ok(Discovered::Seen(path, None)),
            }
        });
        others.collect()
    }

    /// Returns true if a directory of the repository on the way to `place` has changed since the run began. Another one may have
    /// been in its place.
    fn has_moved(&self, place: &Path, repository: &Path) -> bool {
        let is_fresh = |dir: &Path| {
            dir.symlink_metadata().is_ok_and(|meta| workspace::changed_at(&meta) >= self.workspace.seen.at)
        };
        let dirs = place.ancestors().skip(1).take_while(|dir| *dir != repository && *dir != self.real_root);
        place.starts_with(repository) && dirs.into_iter().any(is_fresh)
    }

    /// Returns what is at `place`, if it is as `sight` says and has not changed since the run began.
    fn seen(&self, path: RelPath, place: &Path, sight: Sight) -> Result<Discovered, NotStored> {
        let at = self.workspace.seen.at;
        let now = look(place, sight == Sight::OpenDirectory, &|file| self.file(&path, file));
        let changed = || format!("`{}` changed during the run", place.display());
        let Look { digest, sight: is, changed: when } =
            now.map_err(|error| format!("`{}` can't be read: {error}", place.display()))?;
        // A directory that was only looked at does not count by what is in it.
        let is_fresh = matches!(sight, Sight::File | Sight::OpenDirectory) && when >= at;
        if is != sight || is_fresh {
            return Err(changed());
        }
        Ok(match sight {
            Sight::OpenDirectory => Discovered::Listed(path, digest.ok_or_else(changed)?),
            _ => Discovered::Seen(path, digest),
        })
    }

    fn content(&self, path: RelPath, place: &Path) -> Result<Discovered, NotStored> {
        // Not as it was when the run looked at it before.
        match self.read_content(place) {
            Ok(Content { is_fresh: true, .. }) => {
                Err(format!("`{}` changed during the run", place.display()))
            }
            Ok(Content { digest, .. }) => Ok(Discovered::Content(path, digest)),
            Err(_) => Err(format!("`{}` has too many files, or can't be read", place.display())),
        }
    }

    /// Returns true if an input of an observed process is unchanged.
    pub(super) fn is_as_observed(&self, input: &Discovered) -> bool {
        let root = &self.real_root;
        match input {
            Discovered::Seen(path, digest) => {
                let place = path.to_path(root);
                look(&place, false, &|file| self.file(path, file)).is_ok_and(|now| now.digest == *digest)
            }
            Discovered::Listed(path, digest) => {
                look(&path.to_path(root), true, &|_| None).is_ok_and(|now| now.digest == Some(*digest))
            }
            Discovered::Content(path, digest) => {
                self.content_of(&path.to_path(root)).is_some_and(|now| now.digest == *digest)
            }
            Discovered::Built(path, digest) => {
                self.outside.digest_now(&path.to_path(root)).is_ok_and(|now| now == Some(*digest))
            }
            Discovered::Until(end) => self.workspace.seen.at < *end,
            _ => false,
        }
    }

    fn file(&self, path: &RelPath, place: &Path) -> Option<Digest> {
        match self.workspace.find(path).map(|id| self.workspace.file(id)).filter(|file| !file.is_link) {
            Some(file) => Some(file.digest),
            None => self.outside.digest(place).ok().flatten(),
        }
    }

    /// Returns everything in the directory `place`: links by their text, and without packages, build directories and git's own
    /// data below it.
    pub(super) fn content_of(&self, place: &Path) -> Option<Content> {
        let mut known = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(place.to_path_buf()).or_insert_with(|| self.read_content(place).ok())
    }

    fn read_content(&self, place: &Path) -> io::Result<Content> {
        let root = &self.real_root;
        let packages: BTreeSet<_> =
            self.workspace.packages.iter().map(|package| package.dir.to_path(root)).collect();
        let left_out = [
            disk::real(&self.workspace.target_dir),
            disk::real(&self.workspace.build_dir),
            self.repository().join(".git"),
        ];
        let mut hasher = Hasher::new("genti.content.1");
        let (mut count, mut is_fresh) = (0, false);
        let walk = walkdir::WalkDir::new(place).sort_by_file_name().into_iter();
        let is_included = |entry: &walkdir::DirEntry| !left_out.iter().any(|dir| dir == entry.path());
        let mut walk = walk.filter_entry(is_included);
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(io::Error::other)?;
            count += 1;
            if count > MOST {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let path = RelPath::between(root, entry.path()).ok_or(io::ErrorKind::InvalidInput)?;
            hasher.field("path", path.as_bytes());
            if entry.depth() > 0 && packages.contains(entry.path()) {
                walk.skip_current_dir();
                continue;
            }
            let now = look(entry.path(), false, &|file| self.file(&path, file))?;
            hasher.field("digest", now.digest.as_ref().map_or(&[], |digest| &digest.0[..]));
            // These directories change whenever genti or git runs.
            let is_volatile = left_out.iter().any(|dir| dir.parent() == Some(entry.path()));
            is_fresh |= !is_volatile && now.changed >= self.workspace.seen.at;
        }
        Ok(Content { digest: hasher.finish(), is_fresh })
    }

    /// Returns the real path of the repository, or of the workspace if there is none.
    fn repository(&self) -> PathBuf {
        let root = &self.real_root;
        root.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(root).to_path_buf()
    }
}

/// Files that a build gave to a process.
#[derive(Default)]
pub(super) struct Given {
    program: PathBuf,
    /// Values of its variables: other programs, and the directory for generated files.
    paths: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
    /// Directories in which a compiler looks for the libraries of libraries, by name and hash.
    searched: Vec<PathBuf>,
    /// Directories in which a compiler looks for native libraries, by name alone.
    listed: Vec<PathBuf>,
    /// Time before it started, if any file of the build counts that has not changed since.
    since: Option<i64>,
}

impl Given {
    /// Returns what the build gave to the test program `program`.
    pub(super) fn to_test(program: &Program) -> Self {
        let paths =
            program.vars.iter().filter(|(name, _)| name == "OUT_DIR" || name.starts_with("CARGO_BIN_EXE_"));
        Self {
            program: disk::real(&program.path),
            paths: paths.map(|(_, value)| disk::real(Path::new(value))).collect(),
            libraries: program.lib_dirs.iter().map(|dir| disk::real(dir)).collect(),
            ..Self::default()
        }
    }

    /// Returns what the build gave to the process of `tests`, which started after the time `since`. It may be a rustdoc.
    pub(super) fn to_wrapped(tests: &WrappedTests, since: i64) -> Self {
        let mut given = Self { since: Some(since), ..Self::default() };
        for pair in tests.args.windows(2).filter(|pair| pair[0] == "-L") {
            match pair[1].to_str().map(|dir| dir.split_once('=').unwrap_or(("all", dir))) {
                Some(("dependency", dir)) => given.searched.push(disk::real(Path::new(dir))),
                Some((_, dir)) => given.listed.push(disk::real(Path::new(dir))),
                None => {}
            }
        }
        given
    }

    fn includes(&self, place: &Path) -> bool {
        let is_library = place.extension() == Some(OsStr::new("so"));
        self.since.is_some()
            || self.paths.iter().any(|path| place.starts_with(path))
            || is_library && self.libraries.iter().any(|dir| place.parent() == Some(dir))
    }
}

/// Current state of a path.
struct Look {
    /// Digest of a file, of the text of a link, or of the names in a directory that is `opened`, with permissions; `None` if nothing
    /// is there.
    digest: Option<Digest>,
    sight: Sight,
    /// Time of its last change, in nanoseconds since 1970.
    changed: i64,
}

/// Looks at `place` without following a link. `content` returns the digest of a file.
fn look(place: &Path, is_opened: bool, content: &dyn Fn(&Path) -> Option<Digest>) -> io::Result<Look> {
    let meta = match place.symlink_metadata() {
        Ok(meta) => meta,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Look { digest: None, sight: Sight::Absent, changed: 0 });
        }
        Err(error) => return Err(error),
    };
    let mut hasher = Hasher::new("genti.look.2");
    if !meta.is_symlink() {
        hasher.field("permissions", &workspace::permission_bits(&meta).to_le_bytes());
    }
    let sight = if meta.is_dir() && is_opened {
        let entries = std::fs::read_dir(place)?;
        let entry = |entry: io::Result<std::fs::DirEntry>| {
            let entry = entry?;
            let kind = entry.file_type()?;
            io::Result::Ok((
                entry.file_name(),
                [kind.is_dir(), kind.is_symlink(), kind.is_file()].map(u8::from),
            ))
        };
        let entries: BTreeMap<_, _> = entries.map(entry).collect::<io::Result<_>>()?;
        for (name, kind) in entries {
            hasher.field("name", name.as_encoded_bytes());
            hasher.field("kind", &kind);
        }
        Sight::OpenDirectory
    } else if meta.is_dir() {
        hasher.field("directory", b"");
        Sight::Directory
    } else if meta.is_symlink() {
        hasher.field("link", std::fs::read_link(place)?.as_os_str().as_encoded_bytes());
        Sight::File
    } else if meta.is_file() {
        let digest = content(place).ok_or(io::ErrorKind::PermissionDenied)?;
        hasher.field("file", &digest.0);
        Sight::File
    } else {
        hasher.field("special", b"");
        Sight::File
    };
    Ok(Look { digest: Some(hasher.finish()), sight, changed: workspace::changed_at(&meta) })
}
