//! The results of tasks by their keys: a log that is appended to, read in one go, and verified entry by entry.
//!
//! # Overview
//!
//! A directory holds one log, `results.log`: a header, then entries, each with its length, the day on which it was last
//! of use, its key, a checksum and the result. Opening it is one read and a walk over the lengths. Of several entries with
//! one key the last one counts. What a run adds is appended in one write, under a lock, so that runs may share the
//! directory; nothing is ever changed in place.
//!
//! # Damage
//!
//! The checksum covers the result under the key, and is verified when an entry is asked for: a bit that has changed makes
//! a miss. A length that has changed makes what follows garbage, which verifies as little. A write that was cut leaves an
//! end that is no entry. So nothing is synced: what a power cut takes is computed again. A log with garbage in it is
//! written anew by the next run that adds something. A log of a newer version is left alone.
//!
//! # Trust
//!
//! A checksum is no signature: whoever can write to the log can make a run believe anything. So one that others can write to,
//! or that another user has put there, is not read (`trust.rs`), and is written anew.
//!
//! # Size
//!
//! When a run has added something and the log is larger than [`CAP`], or more than half of it is dead, it is written anew:
//! with what this run used, then the newest entries, up to three quarters of the cap.
//!
//! An embedded database would do all of this and more. What is needed of one here is little: no ranges, no transactions,
//! no readers beside a writer. `redb`, the best kept of them, takes more than twice as long for a hundred thousand results
//! (`benches/store`), and in its newest version needs a newer Rust than this program promises.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::disk;
use crate::model::digest::Digest;
use crate::store::contents::{self, RESULT_LOG as NAME, RESULT_LOG_LOCK as LOCK, RESULT_LOG_MAGIC as MAGIC};
use crate::store::tag::{self, Made};
use crate::store::{StoreError, trust};

/// The bytes that a log may have before it is written anew.
pub const CAP: u64 = 256 << 20;

/// The bytes that dead entries may take, however few others there are.
const DEAD: u64 = 1 << 20;

/// For how many days of use an entry says the same day: to say a new one, it is written again.
const WEEK: u32 = 7;

const VERSION: u32 = 2;
const HEADER: usize = MAGIC.len() + 4;
/// Length, day, key, checksum.
const HEAD: usize = 4 + 4 + 32 + 16;

/// A directory with results, as it was when it was opened, and what is to be added.
#[derive(Debug)]
pub struct ResultLog {
    dir: PathBuf,
    /// Days since 1970.
    today: u32,
    log: Vec<u8>,
    entries: Vec<Entry>,
    /// The last entry of each key, by the first bytes of the key. Should two keys have them in common, the first is not
    /// found: what is found is compared with the whole key.
    index: HashMap<u64, u32, BuildHasherDefault<Uniform>>,
    /// Whether there is garbage in the log.
    is_damaged: bool,
    /// Whether the log is one of a newer version.
    is_newer: bool,
    /// Why the log is not used, if it can't be trusted.
    distrust: Option<String>,
    /// The bytes of entries that others have replaced.
    dead: u64,
    /// Whether there are any among `entries`: those stay, also once the log was written anew.
    has_replaced: bool,
    added: Added,
    /// Keys that were added and are written.
    written: HashSet<Digest>,
}

/// What is to be added, in the order in which it came: the next run asks in much the same order, and finds it side by side.
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

/// Where in the log an entry is.
#[derive(Debug)]
struct Entry {
    /// Of its head.
    at: usize,
    len: u32,
    day: u32,
    /// Whether this run has asked for it.
    used: AtomicBool,
}

impl Entry {
    fn size(&self) -> u64 {
        HEAD as u64 + u64::from(self.len)
    }
}

/// Where the next result may be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Next(usize);

/// Keys are digests: any eight bytes of one are a hash.
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

/// What [`ResultLog::clean`] has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Entries that were removed.
    pub entries: usize,
    /// Bytes that are free now.
    pub bytes: u64,
}

impl ResultLog {
    /// Opens the results in `dir`, which is made if it is not there; `today` in days since 1970.
    ///
    /// # Errors
    ///
    /// If the directory is not ours, or can't be made or read. A log that can't be understood is no error.
    pub fn open(dir: &Path, today: u32) -> Result<Self, StoreError> {
        make_for_results(dir)?;
        // Elsewhere than under a target directory, there may be anything beside the results: then they go unmarked.
        if tag::maker(dir)? == Made::Unknown && contents::holds_only(dir, contents::is_part_of_log) {
            tag::mark(dir)?;
        }
        let path = dir.join(NAME);
        let (log, distrust) = match trust::read(&path) {
            Ok(log) => (log, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
            // To be written anew.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() =>
            {
                (Vec::new(), Some(format!("`{}` was not used: {error}; it is written anew", path.display())))
            }
            Err(error) => return Err(StoreError::Io { path, error }),
        };
        let mut results = Self::read(dir, today, log);
        results.is_damaged |= distrust.is_some();
        results.distrust = distrust;
        Ok(results)
    }

    /// Why what is in the directory was not used, if somebody could have forged it.
    pub fn distrust(&self) -> Option<&str> {
        self.distrust.as_deref()
    }

    /// The same of a log that was read before.
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

    /// A log with these entries.
    #[cfg(all(feature = "cli", any(test, fuzzing)))]
    pub(crate) fn log_of(entries: &[(Digest, Vec<u8>)]) -> Vec<u8> {
        let mut log = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        entries.iter().for_each(|(key, result)| push(&mut log, &key.0, 20_000, result));
        log
    }

    /// Finds the entries. Whether they are whole is seen when they are asked for.
    fn walk(&mut self) {
        // Most are small.
        self.entries.reserve(self.log.len() / 60);
        let mut at = HEADER;
        while at < self.log.len() {
            let entry = self.log[at..].first_chunk::<HEAD>().and_then(|head| {
                let (len, day) = (number(&head[..4]), number(&head[4..]));
                let end = at.checked_add(HEAD)?.checked_add(len as usize)?;
                (end <= self.log.len()).then(|| (Entry { at, len, day, used: AtomicBool::new(false) }, end))
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

    /// The result with this key, if there is one that is whole.
    pub fn get(&self, key: &Digest) -> Option<&[u8]> {
        self.get_next(key, &mut Next::default())
    }

    /// The same for who asks for many in the order in which they were put: `next` is where that one was of which the last
    /// question was.
    pub fn get_next(&self, key: &Digest, next: &mut Next) -> Option<&[u8]> {
        if let Some(added) = self.added.get(key) {
            return Some(added);
        }
        let at = self.find(key, *next)?;
        *next = Next(at + 1);
        let entry = &self.entries[at];
        entry.used.store(true, Relaxed);
        self.whole(entry)
    }

    /// The place of the last entry with this key, which may be `next`.
    fn find(&self, key: &Digest, next: Next) -> Option<usize> {
        let is_it = |entry: &Entry| *self.key(entry) == key.0;
        // Whether a later one has replaced it is not known of one that is not looked up.
        if !self.has_replaced && self.entries.get(next.0).is_some_and(is_it) {
            return Some(next.0);
        }
        let at = *self.index.get(&head(&key.0))? as usize;
        is_it(&self.entries[at]).then_some(at)
    }

    fn entry(&self, key: &Digest) -> Option<&Entry> {
        self.find(key, Next::default()).map(|at| &self.entries[at])
    }

    fn key(&self, entry: &Entry) -> &[u8; 32] {
        self.log[entry.at + 8..].first_chunk().expect("an entry has a head")
    }

    fn whole(&self, entry: &Entry) -> Option<&[u8]> {
        let head = &self.log[entry.at..entry.at + HEAD];
        let result = &self.log[entry.at + HEAD..][..entry.len as usize];
        (head[HEAD - 16..] == checksum(self.key(entry), result)).then_some(result)
    }

    /// The entries that no later one has replaced, as they come in the log.
    fn live(&self) -> impl Iterator<Item = &Entry> {
        let is_last = |at: u32, entry| self.index.get(&head(self.key(entry))) == Some(&at);
        (0..).zip(&self.entries).filter(move |(at, entry)| is_last(*at, entry)).map(|(_, entry)| entry)
    }

    /// Whether there is an entry with this key that is not whole.
    pub fn is_damaged(&self, key: &Digest) -> bool {
        self.get(key).is_none() && self.entry(key).is_some()
    }

    /// Adds a result, or replaces the one with this key. Others see it after [`flush`](Self::flush).
    pub fn put(&mut self, key: Digest, result: Vec<u8>) {
        self.added.put(key, result);
    }

    /// Writes what was added.
    ///
    /// # Errors
    ///
    /// If it can't be written. What was there before still is, and an end that is no entry may be behind it.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.added.results.is_empty() || self.is_newer {
            self.added = Added::default();
            return Ok(());
        }
        let _lock = lock(&self.dir)?;
        let added = std::mem::take(&mut self.added);
        let path = self.dir.join(NAME);
        // Nobody else writes while we hold the lock.
        let mut file = trust::open(&path)?;
        self.is_damaged |= trust::check(&file, &path).is_err();
        let mut begin = Vec::new();
        (&file).take(HEADER as u64).read_to_end(&mut begin)?;
        let mut bytes = Vec::new();
        match version(&begin) {
            Some(VERSION) if !self.is_damaged => file.seek(SeekFrom::End(0))?,
            Some(newer) if newer > VERSION => return Ok(()),
            // Nothing, or garbage: what is whole of it comes back when the run ends.
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
            // Best effort: what is left is no entry, and costs the next run a rewrite.
            let _ = file.set_len(end);
            return Err(error);
        }
        Ok(())
    }

    /// To be called when a run is over: writes what is left, says of what was asked for that it was of use today, and makes
    /// the log smaller if it is too large.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn finish(&mut self) -> io::Result<()> {
        let is_stale =
            |entry: &&Entry| entry.used.load(Relaxed) && entry.day.saturating_add(WEEK) <= self.today;
        let again = |entry| Some((Digest(*self.key(entry)), self.whole(entry)?.to_vec()));
        let again: Vec<_> = self.live().filter(is_stale).filter_map(again).collect();
        for (key, result) in again {
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

    /// Writes the log anew: what is on the disk by now and whole, and `added`; of what is too much, the oldest that is of no
    /// use to this run is left out. The lock is held.
    fn rewrite(&mut self, added: Added) -> io::Result<()> {
        let log = trust::read(&self.dir.join(NAME)).unwrap_or_default();
        let now = Self::read(&self.dir, self.today, log);
        let is_used = |key: &Digest| {
            let is_asked_for = |entry: &Entry| entry.used.load(Relaxed);
            self.written.contains(key) || self.entry(key).is_some_and(is_asked_for)
        };
        let entries = now.live().map(|entry| (Digest(*now.key(entry)), entry));
        let mut entries: Vec<_> = entries.map(|(key, entry)| (is_used(&key), key, entry)).collect();
        // What is of use, then the newest.
        entries.sort_by_key(|(is_used, _, entry)| (!is_used, std::cmp::Reverse(entry.at)));
        let mut left = CAP / 4 * 3;
        entries.retain(|(_, key, entry)| {
            let fits = entry.size() <= left && added.get(key).is_none() && now.whole(entry).is_some();
            left -= if fits { entry.size() } else { 0 };
            fits
        });
        entries.sort_unstable_by_key(|(_, _, entry)| entry.at);
        let mut file = self.begin()?;
        let mut out = io::BufWriter::new(file.as_file_mut());
        let mut bytes = Vec::new();
        for (_, key, entry) in entries {
            bytes.clear();
            push(&mut bytes, &key.0, entry.day, now.whole(entry).unwrap_or_default());
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

    /// An unfinished log without entries.
    fn begin(&self) -> io::Result<tempfile::NamedTempFile> {
        let mut file = trust::unfinished(&self.dir)?;
        file.as_file_mut().write_all(MAGIC)?;
        file.as_file_mut().write_all(&VERSION.to_le_bytes())?;
        Ok(file)
    }

    /// Removes the entries that were last of use more than `days` ago, to within a week.
    ///
    /// # Errors
    ///
    /// If the log can't be written.
    pub fn clean(&mut self, days: u32) -> io::Result<Cleaned> {
        let before = self.log.len() as u64;
        let today = self.today;
        let is_old = |entry: &Entry| entry.day.saturating_add(days) < today;
        let entries = self.live().filter(|entry| is_old(entry)).count();
        if self.is_newer || entries == 0 {
            return Ok(Cleaned::default());
        }
        let _lock = lock(&self.dir)?;
        let mut file = self.begin()?;
        let mut bytes = Vec::new();
        for entry in self.live().filter(|entry| !is_old(entry)) {
            if let Some(result) = self.whole(entry) {
                push(&mut bytes, self.key(entry), entry.day, result);
            }
        }
        file.as_file_mut().write_all(&bytes)?;
        file.persist(self.dir.join(NAME)).map_err(|error| error.error)?;
        Ok(Cleaned { entries, bytes: before.saturating_sub((HEADER + bytes.len()) as u64) })
    }
}

/// Makes `dir` unless it is there, for this user only to write to. One that is there may be anybody's: whether what is in it
/// can be trusted is another question.
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

/// Waits for other runs that write here: they don't take long.
fn lock(dir: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    let lock = disk::open_with(&mut options, &dir.join(LOCK))?;
    fs4::FileExt::lock(&lock)?;
    Ok(lock)
}

/// What the header says, if it is one.
fn version(log: &[u8]) -> Option<u32> {
    let (version, _) = log.strip_prefix(MAGIC)?.split_first_chunk()?;
    Some(u32::from_le_bytes(*version))
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The first bytes of a key.
fn head(key: &[u8; 32]) -> u64 {
    Digest(*key).low_u64()
}

fn push(out: &mut Vec<u8>, key: &[u8; 32], day: u32, result: &[u8]) {
    out.extend_from_slice(&(result.len() as u32).to_le_bytes());
    out.extend_from_slice(&day.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(&checksum(key, result));
    out.extend_from_slice(result);
}

/// Covers the key too: a result must not be found under another one.
fn checksum(key: &[u8; 32], result: &[u8]) -> [u8; 16] {
    let mut check = [0; 16];
    check.copy_from_slice(&blake3::keyed_hash(key, result).as_bytes()[..16]);
    check
}

#[cfg(test)]
mod tests;
