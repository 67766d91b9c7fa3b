//! Symbolic links count by what is behind them.
//!
//! - A link to a file of the repository has a digest of its text and of the file's content.
//! - The files behind a link to a directory of the repository are listed below the link, by the same rules as any other
//!   file. Links among them are followed in the same way.
//! - A link to a directory that it lies in itself, to `.git` or to a build directory is its text.
//! - A link that leads out of the repository is its text: ids must not depend on the machine. What is behind it is left to
//!   the cache key, see [`Beyond::Outside`].
//! - A link to nowhere is its text, and the fact that it leads nowhere.
#![expect(clippy::disallowed_methods, reason = "part of the shell: resolves links")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use super::files;
use super::walk::{self, Found};
use super::{Listing, LoadError, place};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::path::RelPath;
use crate::model::workspace::{Beyond, File, Workspace};

/// The number of files behind one link beyond which nothing that depends on it is cached.
pub(super) const MOST_BEHIND: usize = 10_000;

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// To the file at this canonical path, inside the repository.
    File(PathBuf),
    /// To a directory of the repository whose files are listed below the link.
    Dir,
    /// To a directory around it, to `.git`, to a build directory, or to what is neither file nor directory.
    Text,
    /// To nothing, inside the repository.
    Nowhere,
    /// Out of the repository.
    Outside,
    /// To a directory of the repository with more than [`MOST_BEHIND`] files.
    TooMany,
}

/// What following links comes to.
#[derive(Default)]
pub(super) struct Expanded {
    /// Where each link leads.
    pub(super) leads: Vec<(RelPath, Leads)>,
    /// The files behind links to directories, links among them included.
    pub(super) behind: Vec<Found>,
}

/// Follows links that lie below a start.
pub(super) struct Links<'a> {
    /// What paths are relative to.
    root: &'a Path,
    /// The top of the repository, or the root where there is none; canonical.
    top: PathBuf,
    /// Where cargo builds, by every name.
    build_dirs: &'a [PathBuf],
    listing: Listing,
}

impl<'a> Links<'a> {
    pub(super) fn new(root: &'a Path, build_dirs: &'a [PathBuf], listing: Listing) -> io::Result<Self> {
        let real = root.canonicalize()?;
        let top = walk::repository(&real).unwrap_or(&real).to_path_buf();
        Ok(Self { root, top, build_dirs, listing })
    }

    /// Follows the links among `found`.
    pub(super) fn expand<'f>(&self, found: impl Iterator<Item = &'f Found>) -> Result<Expanded, LoadError> {
        let mut all = Expanded::default();
        for link in found.filter(|found| found.is_link) {
            let mut own = Expanded::default();
            let budget = AtomicUsize::new(MOST_BEHIND + 1);
            match self.follow(&link.path, &mut Vec::new(), &budget, &mut own)? {
                Leads::TooMany => all.leads.push((link.path.clone(), Leads::TooMany)),
                end => {
                    all.leads.push((link.path.clone(), end));
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
    ) -> Result<Leads, LoadError> {
        let at = place(self.root, path);
        let (leads, real) = self.end(&at);
        let (Leads::Dir, Some(real)) = (&leads, real) else { return Ok(leads) };
        through.extend(at.parent().and_then(|dir| dir.canonicalize().ok()));
        let is_circle = through.iter().any(|dir| dir.starts_with(&real));
        let leads = match is_circle {
            true => Leads::Text,
            false => match walk::walk_up_to(path, &real, self.build_dirs, self.listing, budget)? {
                None => Leads::TooMany,
                Some(files) => {
                    let mut leads = Leads::Dir;
                    for link in files.iter().filter(|file| file.is_link) {
                        let end = self.follow(&link.path, through, budget, found)?;
                        if end == Leads::TooMany {
                            leads = Leads::TooMany;
                            break;
                        }
                        found.leads.push((link.path.clone(), end));
                    }
                    found.behind.extend(files);
                    leads
                }
            },
        };
        through.pop();
        Ok(leads)
    }

    /// Where the link at `at` ends, looking at nothing behind it; and its canonical place, if there is something.
    fn end(&self, at: &Path) -> (Leads, Option<PathBuf>) {
        let Ok(real) = at.canonicalize() else {
            let is_inside = last_hop(at).is_some_and(|end| end.starts_with(&self.top));
            return (if is_inside { Leads::Nowhere } else { Leads::Outside }, None);
        };
        if !real.starts_with(&self.top) {
            return (Leads::Outside, Some(real));
        }
        let Ok(meta) = real.metadata() else { return (Leads::Nowhere, None) };
        let leads = match () {
            () if meta.is_file() => Leads::File(real.clone()),
            () if !meta.is_dir() || self.is_left_out(&real) => Leads::Text,
            () => Leads::Dir,
        };
        (leads, Some(real))
    }

    /// Whether the directory `real` is one that is never listed, or lies in one.
    fn is_left_out(&self, real: &Path) -> bool {
        let below = real.strip_prefix(&self.top).unwrap_or(real);
        below.components().any(|part| part.as_os_str() == ".git")
            || self.build_dirs.iter().any(|dir| real.starts_with(dir))
            || walk::is_cache(real).unwrap_or(false)
    }

    /// The digest of a link that leads to `leads`; `content` is that of a file.
    pub(super) fn digest(
        &self,
        link: &Path,
        leads: &Leads,
        content: impl FnOnce(&Path) -> io::Result<Digest>,
    ) -> io::Result<(Digest, u64)> {
        let text = std::fs::read_link(link)?;
        let text = text.as_os_str().as_encoded_bytes();
        let mut hasher = Hasher::new("genti.link.1");
        hasher.field("text", text);
        match leads {
            Leads::File(real) => hasher.field("content", &content(real)?.0),
            Leads::Nowhere => hasher.field("nowhere", b""),
            Leads::Dir | Leads::Text | Leads::Outside | Leads::TooMany => {}
        }
        Ok((hasher.finish(), text.len() as u64))
    }
}

impl Leads {
    /// Why what is behind the link is not in its digest, if that matters.
    pub(super) fn beyond(&self) -> Option<Beyond> {
        match self {
            Self::Outside => Some(Beyond::Outside),
            Self::TooMany => Some(Beyond::TooMany),
            Self::File(_) | Self::Dir | Self::Text | Self::Nowhere => None,
        }
    }
}

/// Where the chain of links that begins at `at` breaks off.
fn last_hop(at: &Path) -> Option<PathBuf> {
    const MOST_HOPS: usize = 40;
    let mut at = at.to_path_buf();
    for _ in 0..MOST_HOPS {
        let dir = at.parent()?;
        let real = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
        at = RelPath::without_dots(&real.join(at.file_name()?));
        match std::fs::read_link(&at) {
            Ok(text) => at = RelPath::without_dots(&real.join(text)),
            Err(_) => return Some(at),
        }
    }
    Some(at)
}

/// The links among the files of `workspace` that lead to directories, each with the canonical path of its directory.
pub fn links_to_dirs(workspace: &Workspace) -> Vec<(PathBuf, PathBuf)> {
    let links = workspace.files.iter().filter(|file| file.is_link);
    let links = links.map(|file| place(&workspace.root, &file.path));
    let led = links
        .filter_map(|link| link.canonicalize().ok().filter(|real| real.is_dir()).map(|real| (link, real)));
    led.collect()
}

/// Whether a link leads from `root` to the directory `dir`.
pub(super) fn is_behind(root: &Path, dir: &RelPath) -> bool {
    let (real, place) = (root.canonicalize(), place(root, dir).canonicalize());
    real.ok().zip(place.ok()).is_some_and(|(real, place)| place != dir.to_path(&real))
}

/// The digest of what the link at `link` leads to, where that is not in the repository: of the file, of all files below the
/// directory, or of the fact that there is nothing. `content` is asked for the digest of each file, `None` for one that is
/// gone.
///
/// `None` if there are more than 10,000 files, or one can't be read.
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
            for (path, file) in walk::everything_below(&real, &[], MOST_BEHIND)? {
                feed(&path, content(&file)?);
            }
        }
        Ok(real) => feed(&RelPath::default(), content(&real)?),
    }
    Some(hasher.finish())
}

/// Whether the link `file` below `root` leads to what it led to when it was looked at. `listed` is asked for the digest of
/// a file that was listed and still holds the same.
pub(super) fn still_leads_there(
    root: &Path,
    file: &File,
    listed: impl FnOnce(&Path) -> Option<Digest>,
) -> bool {
    let Ok(links) = Links::new(root, &[], Listing::AsFound) else { return false };
    let at = place(root, &file.path);
    let (leads, _) = links.end(&at);
    let content = |real: &Path| listed(real).map_or_else(|| files::digest(real), Ok);
    links.digest(&at, &leads, content).is_ok_and(|(digest, _)| digest == file.digest)
}
