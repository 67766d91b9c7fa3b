//! State of a plan between builds, in `.genti/` below `OUT_DIR`, and the functions that write to `OUT_DIR`.
//!
//! - `units/`: a [`Record`] of each finished unit.
//! - `owned`: names of all files that were ever written and may still exist, each terminated by a NUL. A name is
//!   added before its file is created, so the next build knows what a killed build left behind.
//! - `tmp/`: unfinished files, emptied by the next build.
//! - `manifest.json`: what was generated, for other programs to read.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::record::{Record, is_still};
use crate::model::path::RelPath;

/// The only name in `OUT_DIR` that outputs cannot use.
pub(super) const DIR: &str = ".genti";

/// Open state directory of a plan.
pub(super) struct State {
    out: PathBuf,
    dir: PathBuf,
    owned: Mutex<Owned>,
    temporary: AtomicUsize,
}

struct Owned {
    names: BTreeSet<RelPath>,
    file: File,
}

#[expect(clippy::disallowed_methods, reason = "build scripts write below OUT_DIR")]
impl State {
    /// Opens or creates the state in `out` and removes unfinished files of an earlier build.
    pub(super) fn open(out: &Path) -> io::Result<Self> {
        let dir = out.join(DIR);
        remove_dir(&dir.join("tmp"))?;
        fs::create_dir_all(dir.join("tmp"))?;
        fs::create_dir_all(dir.join("units"))?;
        let place = dir.join("owned");
        let bytes = match fs::read(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            bytes => bytes.unwrap_or_default(),
        };
        // Drop a name without its NUL: it was being added, and its file was not created.
        let whole = bytes.iter().rposition(|&byte| byte == 0).map_or(0, |end| end + 1);
        let names =
            bytes[..whole].split(|&byte| byte == 0).filter(|name| is_ours(name)).map(RelPath::new).collect();
        let file = File::options().append(true).create(true).open(&place)?;
        file.set_len(whole as u64)?;
        let owned = Mutex::new(Owned { names, file });
        Ok(Self { out: out.to_path_buf(), dir, owned, temporary: AtomicUsize::new(0) })
    }

    /// Returns a new unique path below `tmp/`.
    pub(super) fn temporary(&self) -> PathBuf {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        self.dir.join("tmp").join(number.to_string())
    }

    /// Returns the record `name` if it is valid.
    pub(super) fn record(&self, name: &str) -> Option<Record> {
        Record::decode(&fs::read(self.dir.join("units").join(name)).ok()?)
    }

    /// Stores `record` as `name`.
    pub(super) fn put_record(&self, name: &str, record: &Record) -> io::Result<()> {
        let temporary = self.temporary();
        fs::write(&temporary, record.encode())?;
        fs::rename(temporary, self.dir.join("units").join(name))
    }

    /// Writes the output `path` unless it already has these bytes.
    pub(super) fn write(&self, path: &RelPath, bytes: &[u8]) -> io::Result<()> {
        self.own(path)?;
        if is_still(&path.to_path(&self.out), bytes) {
            return Ok(());
        }
        let temporary = self.temporary();
        fs::write(&temporary, bytes)?;
        self.put(&temporary, path)
    }

    /// Moves `file`, which contains `bytes`, to the output `path` unless that already has these bytes.
    pub(super) fn adopt(&self, path: &RelPath, file: &Path, bytes: &[u8]) -> io::Result<()> {
        self.own(path)?;
        if is_still(&path.to_path(&self.out), bytes) { Ok(()) } else { self.put(file, path) }
    }

    /// Writes `.genti/manifest.json` unless it already has these bytes.
    pub(super) fn put_manifest(&self, bytes: &[u8]) -> io::Result<()> {
        let place = self.dir.join("manifest.json");
        if is_still(&place, bytes) {
            return Ok(());
        }
        let temporary = self.temporary();
        fs::write(&temporary, bytes)?;
        fs::rename(temporary, place)
    }

    /// Removes outputs and records of earlier builds that are not in `outputs` and `records`. Returns the number of
    /// removed outputs. Call this only after a complete build.
    pub(super) fn finish(
        &self,
        outputs: &BTreeSet<RelPath>,
        records: &BTreeSet<String>,
    ) -> io::Result<usize> {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        let stale: Vec<RelPath> = owned.names.difference(outputs).cloned().collect();
        let mut removed = 0;
        for path in &stale {
            removed += usize::from(remove(&self.out, path)?);
        }
        owned.names.clone_from(outputs);
        let mut bytes = Vec::new();
        for path in outputs {
            bytes.extend_from_slice(path.as_bytes());
            bytes.push(0);
        }
        let place = self.dir.join("owned");
        // Write the names sorted. They were added in the order in which units finished.
        if !is_still(&place, &bytes) {
            let temporary = self.temporary();
            fs::write(&temporary, bytes)?;
            fs::rename(temporary, &place)?;
            owned.file = File::options().append(true).open(place)?;
        }
        for entry in fs::read_dir(self.dir.join("units"))? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| records.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        remove_dir(&self.dir.join("tmp"))?;
        Ok(removed)
    }

    /// Adds `path` to the owned names, before the file is created.
    fn own(&self, path: &RelPath) -> io::Result<()> {
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        if owned.names.insert(path.clone()) {
            owned.file.write_all(&[path.as_bytes(), &[0]].concat())?;
        }
        Ok(())
    }

    fn put(&self, from: &Path, path: &RelPath) -> io::Result<()> {
        let place = path.to_path(&self.out);
        let attempt = || {
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::rename(from, &place)
        };
        attempt().or_else(|error| if self.clear_way(path)? { attempt() } else { Err(error) })
    }

    /// Removes our files where a file must become a directory or vice versa. Returns whether anything was removed.
    fn clear_way(&self, path: &RelPath) -> io::Result<bool> {
        let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        let in_way = |other: &&RelPath| *other != path && (other.is_within(path) || path.is_within(other));
        let mut any = false;
        for other in owned.names.iter().filter(in_way) {
            any |= remove(&self.out, other)?;
        }
        Ok(any)
    }
}

/// Returns whether this can be the name of an output. Other names in the file are ignored.
fn is_ours(name: &[u8]) -> bool {
    let is_plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    name.split(|&byte| byte == b'/').all(is_plain)
}

/// Removes the output `path` and the directories that become empty. Returns whether it existed.
#[expect(clippy::disallowed_methods, reason = "build scripts write below OUT_DIR")]
fn remove(out: &Path, path: &RelPath) -> io::Result<bool> {
    let place = path.to_path(out);
    match fs::symlink_metadata(&place) {
        Ok(metadata) if !metadata.is_dir() => fs::remove_file(&place)?,
        // Missing, or meanwhile a directory of other outputs.
        _ => return Ok(false),
    }
    let mut dir = path.parent();
    while let Some(path) = dir.filter(|dir| !dir.is_root()) {
        if fs::remove_dir(path.to_path(out)).is_err() {
            break;
        }
        dir = path.parent();
    }
    Ok(true)
}

fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
