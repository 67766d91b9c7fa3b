//! Resolves symbolic links, which are identified by their targets.
//!
//! - The digest of a link to a file in the repository covers its text and the content of the file.
//! - The files behind a link to a directory in the repository are listed below the link, by the same rules as
//!   other files. Links among them are followed in the same way.
//! - The digest of a link to a directory that contains it, to `.git` or to a build directory covers only its text.
//! - The digest of a link that leads out of the repository covers only its text, because ids must not depend on
//!   the machine. The cache key covers the target, see [`Beyond::Outside`].
//! - The digest of a broken link covers its text and the fact that it is broken.
#![expect(clippy::disallowed_methods, reason = "part of the shell: resolves links")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use super::walk::{self, ListedFile};
use super::{Listing, LoadError, content, place, repository};
use crate::disk;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::halt::Halt;
use crate::model::path::RelPath;
use crate::model::workspace::{Beyond, File, Workspace};

/// Maximum number of files behind a link. With more files, results that depend on the link are not cached.
pub(super) const MAX_BEHIND: usize = 10_000;

/// Target of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinkTarget {
    /// A file in the repository, with its canonical path.
    File(PathBuf),
    /// A directory in the repository whose files are listed below the link.
    Dir,
    /// A directory around the link, `.git`, a build directory, or something that is neither file nor directory.
    Text,
    /// Nothing, at a path inside the repository.
    Nowhere,
    /// A path outside of the repository.
    Outside,
    /// A directory in the repository with more than [`MAX_BEHIND`] files.
    TooMany,
}

/// Result of following links.
#[derive(Default)]
pub(super) struct Expanded {
    /// Target of each link.
    pub(super) leads: Vec<(RelPath, LinkTarget)>,
    /// Files behind links to directories, including links among them.
    pub(super) behind: Vec<ListedFile>,
}

/// Follows links below a start directory.
pub(super) struct Links<'a> {
    /// Base of relative paths.
    root: &'a Path,
    /// Canonical top of the repository, or the root without a repository.
    top: PathBuf,
    /// Build directories of cargo, by every name.
    build_dirs: &'a [PathBuf],
    listing: Listing,
    halt: &'a dyn Halt,
}

impl<'a> Links<'a> {
    pub(super) fn new(
        root: &'a Path,
        build_dirs: &'a [PathBuf],
        listing: Listing,
        halt: &'a dyn Halt,
    ) -> io::Result<Self> {
        let real = root.canonicalize()?;
        let top = repository::top_of(&real).unwrap_or(&real).to_path_buf();
        Ok(Self { root, top, build_dirs, listing, halt })
    }

    /// Follows the links among `found`.
    pub(super) fn expand<'f>(
        &self,
        found: impl Iterator<Item = &'f ListedFile>,
    ) -> Result<Expanded, LoadError> {
        let mut all = Expanded::default();
        for link in found.filter(|found| found.is_link) {
            let mut own = Expanded::default();
            let budget = AtomicUsize::new(MAX_BEHIND + 1);
            match self.follow(&link.path, &mut Vec::new(), &budget, &mut own)? {
                LinkTarget::TooMany => all.leads.push((link.path.clone(), LinkTarget::TooMany)),
                target => {
                    all.leads.push((link.path.clone(), target));
                    all.leads.extend(own.leads);
                    all.behind.extend(own.behind);
                }
            }
        }
        all.leads.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    /// Follows the link at `path`, which was reached through the directories `through`.
    fn follow(
        &self,
        path: &RelPath,
        through: &mut Vec<PathBuf>,
        budget: &AtomicUsize,
        found: &mut Expanded,
    ) -> Result<LinkTarget, LoadError> {
        let at = place(self.root, path);
        let (leads, real) = self.target(&at);
        let (LinkTarget::Dir, Some(real)) = (&leads, real) else { return Ok(leads) };
        through.extend(at.parent().and_then(|dir| dir.canonicalize().ok()));
        let is_cycle = through.iter().any(|dir| dir.starts_with(&real));
        let leads = match is_cycle {
            true => LinkTarget::Text,
            false => match walk::walk_up_to(path, &real, self.build_dirs, self.listing, budget, self.halt)? {
                None => LinkTarget::TooMany,
                Some(files) => {
                    let mut leads = LinkTarget::Dir;
                    for link in files.iter().filter(|file| file.is_link) {
                        let target = self.follow(&link.path, through, budget, found)?;
                        if target == LinkTarget::TooMany {
                            leads = LinkTarget::TooMany;
                            break;
                        }
                        found.leads.push((link.path.clone(), target));
                    }
                    found.behind.extend(files);
                    leads
                }
            },
        };
        through.pop();
        Ok(leads)
    }

    /// Returns the target of the link at `at`, and its canonical path if it exists. Does not look behind it.
    fn target(&self, at: &Path) -> (LinkTarget, Option<PathBuf>) {
        let Ok(real) = at.canonicalize() else {
            let is_inside = break_of_chain(at).is_some_and(|target| target.starts_with(&self.top));
            return (if is_inside { LinkTarget::Nowhere } else { LinkTarget::Outside }, None);
        };
        if !real.starts_with(&self.top) {
            return (LinkTarget::Outside, Some(real));
        }
        let Ok(meta) = real.metadata() else { return (LinkTarget::Nowhere, None) };
        let leads = match () {
            () if meta.is_file() => LinkTarget::File(real.clone()),
            () if !meta.is_dir() || self.is_left_out(&real) => LinkTarget::Text,
            () => LinkTarget::Dir,
        };
        (leads, Some(real))
    }

    /// Returns whether the directory `real` is never listed, or is inside of one that is never listed.
    fn is_left_out(&self, real: &Path) -> bool {
        let below = real.strip_prefix(&self.top).unwrap_or(real);
        below.components().any(|part| part.as_os_str() == ".git")
            || self.build_dirs.iter().any(|dir| real.starts_with(dir))
            || walk::is_cache(real).unwrap_or(false)
    }

    /// Returns the digest of a link with the given target. `content` returns the digest of a file.
    pub(super) fn digest(
        &self,
        link: &Path,
        leads: &LinkTarget,
        content: impl FnOnce(&Path) -> io::Result<Digest>,
    ) -> io::Result<(Digest, u64)> {
        let text = std::fs::read_link(link)?;
        let text = text.as_os_str().as_encoded_bytes();
        let mut hasher = Hasher::new("genti.link.1");
        hasher.field("text", text);
        match leads {
            LinkTarget::File(real) => hasher.field("content", &content(real)?.0),
            LinkTarget::Nowhere => hasher.field("nowhere", b""),
            LinkTarget::Dir | LinkTarget::Text | LinkTarget::Outside | LinkTarget::TooMany => {}
        }
        Ok((hasher.finish(), text.len() as u64))
    }
}

impl LinkTarget {
    /// Returns the reason why the digest does not cover the target, if that matters.
    pub(super) fn beyond(&self) -> Option<Beyond> {
        match self {
            Self::Outside => Some(Beyond::Outside),
            Self::TooMany => Some(Beyond::TooMany),
            Self::File(_) | Self::Dir | Self::Text | Self::Nowhere => None,
        }
    }
}

/// Returns the path at which the chain of links that begins at `at` breaks.
fn break_of_chain(at: &Path) -> Option<PathBuf> {
    const MAX_HOPS: usize = 40;
    let mut at = at.to_path_buf();
    for _ in 0..MAX_HOPS {
        let dir = at.parent()?;
        let real = disk::real(dir);
        at = RelPath::without_dots(&real.join(at.file_name()?));
        match std::fs::read_link(&at) {
            Ok(text) => at = RelPath::without_dots(&real.join(text)),
            Err(_) => return Some(at),
        }
    }
    Some(at)
}

/// Returns the links in `workspace` that lead to directories, each with the canonical path of the directory.
pub fn links_to_dirs(workspace: &Workspace) -> Vec<(PathBuf, PathBuf)> {
    let links = workspace.files.iter().filter(|file| file.is_link);
    let links = links.map(|file| place(&workspace.root, &file.path));
    let led = links
        .filter_map(|link| link.canonicalize().ok().filter(|real| real.is_dir()).map(|real| (link, real)));
    led.collect()
}

/// Returns whether a link is on the way from `root` to the directory `dir`.
pub(super) fn is_behind(root: &Path, dir: &RelPath) -> bool {
    let (real, place) = (root.canonicalize(), place(root, dir).canonicalize());
    real.ok().zip(place.ok()).is_some_and(|(real, place)| place != dir.to_path(&real))
}

/// Returns the digest of the target of a link that leads out of the repository: of the file, of all files below
/// the directory, or of the fact that there is nothing. `content` returns the digest of a file, or `Some(None)` if
/// it has disappeared.
///
/// Returns `None` if there are more than 10,000 files, or one can't be read.
pub fn outside_digest(
    link: &Path,
    mut content: impl FnMut(&Path) -> Option<Option<Digest>>,
) -> Option<Digest> {
    let mut hasher = Hasher::new("genti.outside-link.1");
    let mut feed = |path: &RelPath, content: Option<Digest>| {
        hasher.field("path", path.as_bytes());
        hasher.field("content", content.as_ref().map_or(&[], |digest| &digest.0[..]));
    };
    match link.canonicalize() {
        Err(_) => feed(&RelPath::default(), None),
        Ok(real) if real.metadata().is_ok_and(|meta| meta.is_dir()) => {
            for (path, file) in walk::everything_below(&real, &[], MAX_BEHIND)? {
                feed(&path, content(&file)?);
            }
        }
        Ok(real) => feed(&RelPath::default(), content(&real)?),
    }
    Some(hasher.finish())
}

/// Returns whether the link `file` below `root` still has the same target. `listed` returns the digest of a listed file
/// that is unchanged. False if `halt` is due before this is known.
pub(super) fn is_unchanged(
    root: &Path,
    file: &File,
    listed: impl FnOnce(&Path) -> Option<Digest>,
    halt: &dyn Halt,
) -> bool {
    let Ok(links) = Links::new(root, &[], Listing::AsFound, halt) else { return false };
    let at = place(root, &file.path);
    let (leads, _) = links.target(&at);
    let content = |real: &Path| listed(real).map_or_else(|| content::digest(real, halt), Ok);
    links.digest(&at, &leads, content).is_ok_and(|(digest, _)| digest == file.digest)
}
