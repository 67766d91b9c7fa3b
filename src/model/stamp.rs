//! What a system tells of a file without reading it, and what is known of files that were read before.
//!
//! Knows nothing of the disk: who looks at it makes [`Stamp`]s, and who keeps a [`FileTable`] keeps bytes.

use std::ops::Range;
use std::sync::Arc;

use super::digest::Digest;
use super::path::RelPath;

/// How long after a file was last changed its stamp tells it from its next change, in nanoseconds: 2 seconds, the
/// coarsest clock of a file system in use.
///
/// What was changed less than that before it was looked at may be changed once more without another stamp, so it is
/// read again the next time: as git does, see <https://git-scm.com/docs/racy-git>.
const SETTLED_AFTER: i64 = 2_000_000_000;

/// A file as the system sees it. Equal stamps mean equal contents, if the stamp is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its size in bytes.
    pub len: u64,
    /// When its content was last changed, in nanoseconds since 1970.
    pub modified: i64,
    /// When anything of it was last changed, in nanoseconds since 1970: unlike `modified`, nobody can set it. The
    /// same as `modified` where the system does not tell.
    pub changed: i64,
    /// Its number in the file system; 0 where there is none.
    pub inode: u64,
}

impl Stamp {
    /// As Unix tells it, whichever call was asked: times in seconds and nanoseconds.
    pub fn of_unix(len: u64, modified: (i64, i64), changed: (i64, i64), inode: u64) -> Self {
        let nanos =
            |(seconds, nanos): (i64, i64)| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        Self { len, modified: nanos(modified), changed: nanos(changed), inode }
    }

    /// Whether a later change would show, if the file was looked at `now`, in nanoseconds since 1970.
    pub fn is_settled(&self, now: i64) -> bool {
        self.modified.max(self.changed).saturating_add(SETTLED_AFTER) <= now
    }
}

/// A file that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFile<'a> {
    /// Its path, as in [`RelPath::as_bytes`].
    pub path: &'a [u8],
    /// How it was seen; `None` if that proves nothing.
    pub stamp: Option<Stamp>,
    /// What was in it.
    pub digest: Digest,
    /// The run in which it was first seen with this content.
    pub since: u32,
    /// The beginning of the digest that it had before, zero if there was none.
    pub before: [u8; 8],
}

/// Files that were read before, sorted by path: packed, for there may be a hundred thousand, and all are looked at. A clone
/// shares them.
#[derive(Clone, Debug, Default)]
pub struct FileTable {
    bytes: Arc<Vec<u8>>,
    /// Where in them the table is.
    range: Range<usize>,
}

impl PartialEq for FileTable {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes) && self.range == other.range
            || self.as_bytes() == other.as_bytes()
    }
}

impl Eq for FileTable {}

impl FileTable {
    /// Takes what [`as_bytes`](Self::as_bytes) gave, which is `range` of `bytes`.
    pub fn from_bytes(bytes: Arc<Vec<u8>>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= bytes.len(), "{range:?} is in the bytes");
        Self { bytes, range }
    }

    /// To be kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }

    /// All of them, by path. Bytes that are no table end it early.
    pub fn iter(&self) -> Files<'_> {
        Files(self.as_bytes())
    }

    /// For each of `paths`, which are sorted, what is known of it.
    pub fn find<'p>(&self, paths: impl Iterator<Item = &'p RelPath>) -> Vec<Option<KnownFile<'_>>> {
        let mut known = self.iter().peekable();
        let find = |path: &RelPath| {
            while known.next_if(|file| file.path < path.as_bytes()).is_some() {}
            known.next_if(|file| file.path == path.as_bytes())
        };
        paths.map(find).collect()
    }
}

impl<'a> FromIterator<KnownFile<'a>> for FileTable {
    /// Packs `files`, which come sorted by path.
    fn from_iter<I: IntoIterator<Item = KnownFile<'a>>>(files: I) -> Self {
        let mut bytes = Vec::new();
        for file in files {
            let Stamp { len, modified, changed, inode } = file.stamp.unwrap_or(NONE);
            bytes.extend_from_slice(&(file.path.len() as u32).to_le_bytes());
            bytes.extend_from_slice(file.path);
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(&modified.to_le_bytes());
            bytes.extend_from_slice(&changed.to_le_bytes());
            bytes.extend_from_slice(&inode.to_le_bytes());
            bytes.extend_from_slice(&file.digest.0);
            bytes.extend_from_slice(&file.since.to_le_bytes());
            bytes.extend_from_slice(&file.before);
        }
        let range = 0..bytes.len();
        Self { bytes: Arc::new(bytes), range }
    }
}

/// A stamp that no file has.
const NONE: Stamp = Stamp { len: u64::MAX, modified: i64::MAX, changed: i64::MAX, inode: u64::MAX };

/// Iterates over a [`FileTable`].
#[derive(Clone, Debug)]
pub struct Files<'a>(&'a [u8]);

impl<'a> Files<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
}

impl<'a> Iterator for Files<'a> {
    type Item = KnownFile<'a>;

    fn next(&mut self) -> Option<KnownFile<'a>> {
        let len = u32::from_le_bytes(self.take()?) as usize;
        let (path, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        let stamp = Stamp {
            len: u64::from_le_bytes(self.take()?),
            modified: i64::from_le_bytes(self.take()?),
            changed: i64::from_le_bytes(self.take()?),
            inode: u64::from_le_bytes(self.take()?),
        };
        Some(KnownFile {
            path,
            stamp: (stamp != NONE).then_some(stamp),
            digest: Digest(self.take()?),
            since: u32::from_le_bytes(self.take()?),
            before: self.take()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, stamp: Option<Stamp>) -> KnownFile<'_> {
        let digest = Digest::of_bytes(path.as_bytes());
        KnownFile { path: path.as_bytes(), stamp, digest, since: 3, before: *b"12345678" }
    }

    #[test]
    fn what_was_packed_is_found_again() {
        let stamp = Stamp { len: 1, modified: -2, changed: 3, inode: u64::MAX };
        let files = [file("a", Some(stamp)), file("a.txt", None), file("a/b", Some(stamp))];
        let table: FileTable = files.into_iter().collect();
        assert_eq!(table.iter().collect::<Vec<_>>(), files);
        let paths = ["a", "a.tx", "a/b", "b"].map(RelPath::new);
        assert_eq!(table.find(paths.iter()), [Some(files[0]), None, Some(files[2]), None]);
    }

    #[test]
    fn a_table_that_is_cut_anywhere_ends_early() {
        let table: FileTable = [file("a", None), file("b", None)].into_iter().collect();
        for len in 0..table.as_bytes().len() {
            let cut = FileTable::from_bytes(Arc::clone(&table.bytes), 0..len);
            assert!(cut.iter().count() < 2);
        }
    }

    #[test]
    fn a_stamp_proves_something_two_seconds_after_the_last_change() {
        let second = 1_000_000_000;
        let stamp = Stamp { len: 0, modified: 5 * second, changed: 10 * second, inode: 1 };
        assert!(!stamp.is_settled(12 * second - 1));
        assert!(stamp.is_settled(12 * second));
        let future = Stamp { modified: i64::MAX, ..stamp };
        assert!(!future.is_settled(i64::MAX - 1));
    }
}
