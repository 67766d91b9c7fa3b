//! File stamps: metadata that shows, without reading a file, whether it has changed since it was last read.
//!
//! Does not access the disk: callers create [`Stamp`]s from metadata, and store the bytes of a [`FileTable`].

use std::ops::Range;
use std::sync::Arc;

use super::digest::Digest;
use super::path::RelPath;

/// Time in nanoseconds after which a change of a file is certain to change its stamp: 2 seconds, the coarsest
/// timestamp resolution of file systems in use.
///
/// A file that was changed less than that before it was read could change again without a new stamp, so it is
/// read again next time. Git does the same, see <https://git-scm.com/docs/racy-git>.
const SETTLED_AFTER: i64 = 2_000_000_000;

/// Metadata of a file. Equal stamps imply equal content if the stamp is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Size in bytes.
    pub len: u64,
    /// Time of the last change of the content, in nanoseconds since 1970.
    pub modified: i64,
    /// Time of the last change of content or metadata, in nanoseconds since 1970. Unlike `modified`, it can't
    /// be set by programs. The same as `modified` on systems without it.
    pub changed: i64,
    /// Inode number; 0 on systems without one.
    pub inode: u64,
}

impl Stamp {
    /// Creates a stamp from Unix metadata, with times in seconds and nanoseconds.
    pub fn of_unix(len: u64, modified: (i64, i64), changed: (i64, i64), inode: u64) -> Self {
        let nanos =
            |(seconds, nanos): (i64, i64)| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        Self { len, modified: nanos(modified), changed: nanos(changed), inode }
    }

    /// Returns true if any change after `now`, in nanoseconds since 1970, would change the stamp.
    pub fn is_settled(&self, now: i64) -> bool {
        self.modified.max(self.changed).saturating_add(SETTLED_AFTER) <= now
    }
}

/// A file that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFile<'a> {
    /// Path, as in [`RelPath::as_bytes`].
    pub path: &'a [u8],
    /// Stamp when it was read; `None` if the stamp was not settled.
    pub stamp: Option<Stamp>,
    /// Digest of the content.
    pub digest: Digest,
    /// Number of the first run with this content.
    pub since: u32,
    /// First bytes of the previous digest; zero if there was none.
    pub before: [u8; 8],
}

/// Files that were read before, sorted by path. Packed, because there may be a hundred thousand and all of
/// them are visited. Clones share the bytes.
#[derive(Clone, Debug, Default)]
pub struct FileTable {
    bytes: Arc<Vec<u8>>,
    /// Range of the table in `bytes`.
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
    /// Creates a table from the output of [`as_bytes`](Self::as_bytes), found at `range` of `bytes`.
    pub fn from_bytes(bytes: Arc<Vec<u8>>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= bytes.len(), "{range:?} is in the bytes");
        Self { bytes, range }
    }

    /// Returns the bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }

    /// Iterates over the files, sorted by path. Invalid bytes end the iteration early.
    pub fn iter(&self) -> Files<'_> {
        Files(self.as_bytes())
    }

    /// Looks up each of `paths`, which must be sorted.
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
    /// Packs `files`, which must be sorted by path.
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

/// A stamp that no file has, which stands for a missing one.
const NONE: Stamp = Stamp { len: u64::MAX, modified: i64::MAX, changed: i64::MAX, inode: u64::MAX };

/// An iterator over a [`FileTable`].
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
    fn packed_files_are_found() {
        let stamp = Stamp { len: 1, modified: -2, changed: 3, inode: u64::MAX };
        let files = [file("a", Some(stamp)), file("a.txt", None), file("a/b", Some(stamp))];
        let table: FileTable = files.into_iter().collect();
        assert_eq!(table.iter().collect::<Vec<_>>(), files);
        let paths = ["a", "a.tx", "a/b", "b"].map(RelPath::new);
        assert_eq!(table.find(paths.iter()), [Some(files[0]), None, Some(files[2]), None]);
    }

    #[test]
    fn a_truncated_table_ends_early() {
        let table: FileTable = [file("a", None), file("b", None)].into_iter().collect();
        for len in 0..table.as_bytes().len() {
            let cut = FileTable::from_bytes(Arc::clone(&table.bytes), 0..len);
            assert!(cut.iter().count() < 2);
        }
    }

    #[test]
    fn a_stamp_is_settled_two_seconds_after_the_last_change() {
        let second = 1_000_000_000;
        let stamp = Stamp { len: 0, modified: 5 * second, changed: 10 * second, inode: 1 };
        assert!(!stamp.is_settled(12 * second - 1));
        assert!(stamp.is_settled(12 * second));
        let future = Stamp { modified: i64::MAX, ..stamp };
        assert!(!future.is_settled(i64::MAX - 1));
    }
}
