//! `results.log`: an append-only log of results by key, read as a whole and verified entry by entry.
//!
//! # Overview
//!
//! A directory holds one log: a header, then entries, each with its length, the day on which it was last used, its key, a checksum
//! and the result. Opening the log takes one read and a walk over the lengths. If several entries have the same key, the last one
//! counts. A run appends its results in one write, under a lock, so that several runs can share the directory. Nothing is ever
//! changed in place.
//!
//! # Damage
//!
//! The checksum covers key and result and is verified on lookup, so a flipped bit in an entry is a cache miss. A wrong length turns
//! the rest of the log into garbage, which fails verification as well, and an interrupted write leaves an incomplete entry at the
//! end. Therefore nothing is synced: results lost in a power cut are computed again. The next run that adds results rewrites a
//! damaged log. A log of a newer version is left alone.
//!
//! # Trust
//!
//! A checksum is not a signature: whoever can write to the log can forge results. A log that others can write to, or that belongs
//! to another user, is therefore not read (`trust.rs`), and is rewritten.
//!
//! # Size
//!
//! A run that has added results rewrites the log if it is larger than [`CAP`] or more than half of it is dead. The new log contains
//! the entries that this run used, then the newest ones, up to three quarters of the cap.
//!
//! # Why not a database
//!
//! An embedded database would do all of this and more, but no ranges, transactions or concurrent readers are needed here. `redb`,
//! the best maintained one, takes more than twice as long for 100,000 results (`benches/store`), and its newest version needs a
//! newer Rust than this program supports.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::disk;
use crate::model::digest::Digest;
use crate::model::notice::Notice;
use crate::store::contents::{self, RESULT_LOG as NAME, RESULT_LOG_LOCK as LOCK, RESULT_LOG_MAGIC as MAGIC};
use crate::store::tag::{self, Creator};
use crate::store::{StoreError, trust};

/// Size in bytes above which the log is rewritten.
pub const CAP: u64 = 256 << 20;

/// Size in bytes of dead entries that never causes a rewrite.
const DEAD: u64 = 1 << 20;

/// Precision in days of an entry's last use. A new day can only be recorded by writing the entry again.
const WEEK: u32 = 7;

const VERSION: u32 = 2;
const HEADER: usize = MAGIC.len() + 4;
/// Size of an entry without its result: length, day, key, checksum.
const HEAD: usize = 4 + 4 + 32 + 16;

/// The log of a directory as it was when it was opened, and the results to add.
#[derive(Debug)]
pub struct ResultLog {
    dir: PathBuf,
    /// Current day, in days since 1970.
    today: u32,
    log: Vec<u8>,
    entries: Vec<LogEntry>,
    /// The last entry of each key, by the first bytes of the key. If two keys share these bytes, the earlier one is a miss, since
    /// lookups compare the whole key.
    index: HashMap<u64, u32, BuildHasherDefault<Uniform>>,
    /// True if the log contains garbage.
    is_damaged: bool,
    /// True if a newer version wrote the log.
    is_newer: bool,
    /// The reason why the log can't be trusted, if so.
    distrust: Option<Notice>,
    /// Size in bytes of replaced entries.
    dead: u64,
    /// True if `entries` contains replaced entries. Remains true after a rewrite, since `entries` does not change.
    has_replaced: bool,
    added: Added,
    /// Keys of results that this run added and has written.
    written: HashSet<Digest>,
}

/// Results to add, in the order in which they were added. The next run looks them up in nearly the same order, so neighbours are
/// found without the index.
#[derive(Debug, Default)]
struct Added {
    results: Vec<(Digest, Vec<u8>)>,
    places: HashMap<Digest, usize>,
}

impl Added {
    fn get(&self, key: &Digest) -> Option<&Vec<u8>> {
        self.places.get(key).map(|at| &self.results[*at].1)
    }

    fn put(&mut self, key: Digest, result: Vec<u8>) {
        match self.places.get(&key) {
            Some(at) => self.results[*at].1 = result,
            None => {
                self.places.insert(key, self.results.len());
                self.results.push((key, result));
            }
        }
    }
}

/// Position of an entry in the log.
#[derive(Debug)]
struct LogEntry {
    /// Offset of its head.
    at: usize,
    len: u32,
    day: u32,
    /// True if this run has looked it up.
    used: AtomicBool,
}

impl LogEntry {
    fn size(&self) -> u64 {
        HEAD as u64 + u64::from(self.len)
    }
}

/// A guess of where the next result is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Next(usize);

/// A hasher that does nothing, since keys are digests and any eight bytes of a digest are a good hash.
#[derive(Debug, Default)]
struct Uniform(u64);

impl Hasher for Uniform {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the index has numbers for keys");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Entries removed by [`ResultLog::clean`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Number of removed entries.
    pub entries: usize,
    /// Number of freed bytes.
    pub bytes: u64,
}

impl ResultLog {
    /// Opens the results in `dir`, which is created if necessary. `today` is in days since 1970.
    ///
    /// # Errors
    ///
    /// If the directory was not created by genti, or can't be created or read. An invalid log is not an
    /// error.
    pub fn open(dir: &Path, today: u32) -> Result<Self, StoreError> {
        make_for_results(dir)?;
        // A directory outside of a target directory may contain other files. It is not tagged then.
        if tag::creator(dir)? == Creator::Unknown && contents::holds_only(dir, contents::is_part_of_log) {
            tag::mark(dir)?;
        }
        let path = dir.join(NAME);
        let (log, distrust) = match trust::read(&path) {
            Ok(log) => (log, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
            // An untrusted log, which is rewritten.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() =>
            {
                let error = error.to_string();
                (Vec::new(), Some(Notice::CacheIgnored { path: path.clone(), error }))
            }
            Err(error) => return Err(StoreError::Io { path, error }),
        };
        let mut results = Self::read(dir, today, log);
        results.is_damaged |= distrust.is_some();
        results.distrust = distrust;
        Ok(results)
    }

    /// The notice that the log was not used, if somebody else could have forged it.
    pub fn distrust(&self) -> Option<&Notice> {
        self.distrust.as_ref()
    }

    /// Like [`open`](Self::open), for a log that has been read from `dir`.
    pub(crate) fn read(dir: &Path, today: u32, log: Vec<u8>) -> Self {
        let mut results = Self {
            dir: dir.to_path_buf(),
            today,
            log,
            entries: Vec::new(),
            index: HashMap::default(),
            is_damaged: false,
            is_newer: false,
            distrust: None,
            dead: 0,
            has_replaced: false,
            added: Added::default(),
            written: HashSet::new(),
        };
        match version(&results.log) {
            Some(VERSION) => results.walk(),
            Some(version) if version > VERSION => results.is_newer = true,
            _ => results.is_damaged = !results.log.is_empty(),
        }
        results
    }

    /// Encodes a log with these entries.
    #[cfg(all(feature = "cli", any(test, fuzzing)))]
    pub(crate) fn log_of(entries: &[(Digest, Vec<u8>)]) -> Vec<u8> {
        let mut log = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        entries.iter().for_each(|(key, result)| push(&mut log, &key.0, 20_000, result));
        log
    }

    /// Finds the entries, without verifying their checksums.
    fn walk(&mut self) {
        // Most entries are small.
        self.entries.reserve(self.log.len() / 60);
        let mut at = HEADER;
        while at < self.log.len() {
            let entry = self.log[at..].first_chunk::<HEAD>().and_then(|head| {
                let (len, day) = (number(&head[..4]), number(&head[4..]));
                let end = at.checked_add(HEAD)?.checked_add(len as usize)?;
                (end <= self.log.len())
                    .then(|| (LogEntry { at, len, day, used: AtomicBool::new(false) }, end))
            });
            let Some((entry, end)) = entry else {
                self.is_damaged = true;
                break;
            };
            self.entries.push(entry);
            at = end;
        }
        self.index.reserve(self.entries.len());
        for at in 0..self.entries.len() {
            let head = head(self.key(&self.entries[at]));
            if let Some(before) = self.index.insert(head, at as u32) {
                self.dead += self.entries[before as usize].size();
                self.has_replaced = true;
            }
        }
    }

    /// Returns the result with this key; `None` if it is absent or damaged.
    pub fn get(&self, key: &Digest) -> Option<&[u8]> {
        self.get_next(key, &mut Next::default())
    }

    /// Like [`get`](Self::get), but faster for callers that look up many results in the order in which they were added: `next`
    /// remembers the position behind the last one.
    pub fn get_next(&self, key: &Digest, next: &mut Next) -> Option<&[u8]> {
        if let Some(added) = self.added.get(key) {
            return Some(added);
        }
        let at = self.find(key, *next)?;
        *next = Next(at + 1);
        let entry = &self.entries[at];
        entry.used.store(true, Relaxed);
        self.verified(entry)
    }

    /// Returns the index of the last entry with this key. Tries `next` first.
    fn find(&self, key: &Digest, next: Next) -> Option<usize> {
        let is_it = |entry: &LogEntry| *self.key(entry) == key.0;
        // Without the index, a replaced entry can't be recognized.
        if !self.has_replaced && self.entries.get(next.0).is_some_and(is_it) {
            return Some(next.0);
        }
        let at = *self.index.get(&head(&key.0))? as usize;
        is_it(&self.entries[at]).then_some(at)
    }

    fn entry(&self, key: &Digest) -> Option<&LogEntry> {
        self.find(key, Next::default()).map(|at| &self.entries[at])
    }

    fn key(&self, entry: &LogEntry) -> &[u8; 32] {
        self.log[entry.at + 8..].first_chunk().expect("an entry has a head")
    }

    /// Returns the result in `entry`; `None` if its checksum is wrong.
    fn verified(&self, entry: &LogEntry) -> Option<&[u8]> {
        let head = &self.log[entry.at..entry.at + HEAD];
        let result = &self.log[entry.at + HEAD..][..entry.len as usize];
        (head[HEAD - 16..] == checksum(self.key(entry), result)).then_some(result)
    }

    /// Returns the entries that were not replaced, in the order of the log.
    fn live(&self) -> impl Iterator<Item = &LogEntry> {
        let is_last = |at: u32, entry| self.index.get(&head(self.key(entry))) == Some(&at);
        (0..).zip(&self.entries).filter(move |(at, entry)| is_last(*at, entry)).map(|(_, entry)| entry)
    }

    /// Returns whether the entry with this key is damaged.
    pub fn is_damaged(&self, key: &Digest) -> bool {
        self.get(key).is_none() && self.entry(key).is_some()
    }

    /// Adds a result or replaces the one with this key. Other runs see it after [`flush`](Self::flush).
    pub fn put(&mut self, key: Digest, result: Vec<u8>) {
        self.added.put(key, result);
    }

    /// Writes the added results.
    ///
    /// # Errors
    ///
    /// If they can't be written. Earlier entries are intact, but an incomplete entry may follow them.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.added.results.is_empty() || self.is_newer {
            self.added = Added::default();
            return Ok(());
        }
        let _lock = lock(&self.dir)?;
        let added = std::mem::take(&mut self.added);
        let path = self.dir.join(NAME);
        // Nobody else writes while this process holds the lock.
        let mut file = trust::open(&path)?;
        self.is_damaged |= trust::check(&file, &path).is_err();
        let mut begin = Vec::new();
        (&file).take(HEADER as u64).read_to_end(&mut begin)?;
        let mut bytes = Vec::new();
        match version(&begin) {
            Some(VERSION) if !self.is_damaged => file.seek(SeekFrom::End(0))?,
            Some(newer) if newer > VERSION => return Ok(()),
            // The file is empty or damaged.
            _ => {
                drop(file);
                return self.rewrite(added);
            }
        };
        for (key, result) in &added.results {
            push(&mut bytes, &key.0, self.today, result);
        }
        self.written.extend(added.places.keys());
        let end = file.stream_position()?;
        if let Err(error) = file.write_all(&bytes) {
            // If this fails, an incomplete entry remains, and the next run rewrites the log.
            let _ = file.set_len(end);
            return Err(error);
        }
        Ok(())
    }

    /// Completes a run: writes the remaining results, renews the day of results that were used, and shrinks the log if it is too
    /// large.
    ///
    /// # Errors
    ///
    /// Like [`flush`](Self::flush).
    pub fn finish(&mut self) -> io::Result<()> {
        let has_old_day =
            |entry: &&LogEntry| entry.used.load(Relaxed) && entry.day.saturating_add(WEEK) <= self.today;
        let renew = |entry| Some((Digest(*self.key(entry)), self.verified(entry)?.to_vec()));
        let renewed: Vec<_> = self.live().filter(has_old_day).filter_map(renew).collect();
        for (key, result) in renewed {
            if !self.written.contains(&key) && self.added.get(&key).is_none() {
                self.added.put(key, result);
            }
        }
        self.flush()?;
        let size = std::fs::metadata(self.dir.join(NAME)).map_or(0, |meta| meta.len());
        let is_sparse = self.dead > DEAD && self.dead > size / 2;
        if self.is_newer || (size <= CAP && !is_sparse) {
            return Ok(());
        }
        let _lock = lock(&self.dir)?;
        self.rewrite(Added::default())
    }

    /// Rewrites the log with its present intact entries and `added`. If there are too many, the oldest entries that this run did
    /// not use are left out. The caller holds the lock.
    fn rewrite(&mut self, added: Added) -> io::Result<()> {
        let log = trust::read(&self.dir.join(NAME)).unwrap_or_default();
        let now = Self::read(&self.dir, self.today, log);
        let is_used = |key: &Digest| {
            self.written.contains(key) || self.entry(key).is_some_and(|entry| entry.used.load(Relaxed))
        };
        let entries = now.live().map(|entry| (Digest(*now.key(entry)), entry));
        let mut entries: Vec<_> = entries.map(|(key, entry)| (is_used(&key), key, entry)).collect();
        // Used entries first, then the newest.
        entries.sort_by_key(|(is_used, _, entry)| (!is_used, std::cmp::Reverse(entry.at)));
        let mut left = CAP / 4 * 3;
        entries.retain(|(_, key, entry)| {
            let fits = entry.size() <= left && added.get(key).is_none() && now.verified(entry).is_some();
            left -= if fits { entry.size() } else { 0 };
            fits
        });
        entries.sort_unstable_by_key(|(_, _, entry)| entry.at);
        let mut file = self.begin()?;
        let mut out = io::BufWriter::new(file.as_file_mut());
        let mut bytes = Vec::new();
        for (_, key, entry) in entries {
            bytes.clear();
            push(&mut bytes, &key.0, entry.day, now.verified(entry).unwrap_or_default());
            out.write_all(&bytes)?;
        }
        for (key, result) in &added.results {
            bytes.clear();
            push(&mut bytes, &key.0, self.today, result);
            out.write_all(&bytes)?;
        }
        out.flush()?;
        drop(out);
        file.persist(self.dir.join(NAME)).map_err(|error| error.error)?;
        self.written.extend(added.places.keys());
        (self.is_damaged, self.dead) = (false, 0);
        Ok(())
    }

    /// Creates a temporary file with the header of a log.
    fn begin(&self) -> io::Result<tempfile::NamedTempFile> {
        let mut file = trust::unfinished(&self.dir)?;
        file.as_file_mut().write_all(MAGIC)?;
        file.as_file_mut().write_all(&VERSION.to_le_bytes())?;
        Ok(file)
    }

    /// Removes the entries that were last used more than `days` ago, to within a week.
    ///
    /// # Errors
    ///
    /// If the log can't be written.
    pub fn clean(&mut self, days: u32) -> io::Result<Cleaned> {
        let before = self.log.len() as u64;
        let today = self.today;
        let is_old = |entry: &LogEntry| entry.day.saturating_add(days) < today;
        let entries = self.live().filter(|entry| is_old(entry)).count();
        if self.is_newer || entries == 0 {
            return Ok(Cleaned::default());
        }
        let _lock = lock(&self.dir)?;
        let mut file = self.begin()?;
        let mut bytes = Vec::new();
        for entry in self.live().filter(|entry| !is_old(entry)) {
            if let Some(result) = self.verified(entry) {
                push(&mut bytes, self.key(entry), entry.day, result);
            }
        }
        file.as_file_mut().write_all(&bytes)?;
        file.persist(self.dir.join(NAME)).map_err(|error| error.error)?;
        Ok(Cleaned { entries, bytes: before.saturating_sub((HEADER + bytes.len()) as u64) })
    }
}

/// Creates `dir` unless it exists, writable for this user only. An existing directory may have any owner;
/// files in it are checked separately.
fn make_for_results(dir: &Path) -> Result<(), StoreError> {
    let foreign = |what| Err(StoreError::Foreign { path: dir.to_path_buf(), what });
    match std::fs::symlink_metadata(dir) {
        Ok(meta) if meta.is_symlink() => foreign("a symbolic link"),
        Ok(meta) if !meta.is_dir() => foreign("a file"),
        Ok(_) => Ok(()),
        Err(_) => {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true);
            let above = dir.parent().map_or(Ok(()), |above| builder.create(above));
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
            let made = above.and_then(|()| builder.create(dir));
            made.map_err(|error| StoreError::Io { path: dir.to_path_buf(), error })
        }
    }
}

/// Locks the directory for writing. Other runs hold the lock only briefly.
fn lock(dir: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    let lock = disk::open_with(&mut options, &dir.join(LOCK))?;
    fs4::FileExt::lock(&lock)?;
    Ok(lock)
}

/// Returns the version in the header; `None` if there is no valid header.
fn version(log: &[u8]) -> Option<u32> {
    let (version, _) = log.strip_prefix(MAGIC)?.split_first_chunk()?;
    Some(u32::from_le_bytes(*version))
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Returns the first bytes of a key, by which it is indexed.
fn head(key: &[u8; 32]) -> u64 {
    Digest(*key).low_u64()
}

/// Appends an entry to `out`.
fn push(out: &mut Vec<u8>, key: &[u8; 32], day: u32, result: &[u8]) {
    out.extend_from_slice(&(result.len() as u32).to_le_bytes());
    out.extend_from_slice(&day.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(&checksum(key, result));
    out.extend_from_slice(result);
}

/// Returns the checksum of an entry. It covers the key, so that a result can't be found under another key.
fn checksum(key: &[u8; 32], result: &[u8]) -> [u8; 16] {
    let mut check = [0; 16];
    check.copy_from_slice(&blake3::keyed_hash(key, result).as_bytes()[..16]);
    check
}

#[cfg(test)]
mod tests;
