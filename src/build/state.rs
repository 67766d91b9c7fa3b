//! State of a plan between builds, in `.genti/` below `OUT_DIR`, and the functions that write to `OUT_DIR`. A plan with a
//! name has its state in `.genti/plans/NAME/`.
//!
//! - `units/`: a [`UnitRecord`] of each finished unit, and in `program` the fingerprint of the last script that ran the plan.
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

use super::fingerprint::Fingerprint;
use super::record::{UnitRecord, is_still};
use super::set_of;
use crate::model::path::RelPath;

/// The only name in `OUT_DIR` that outputs cannot use.
pub(super) const DIR: &str = ".genti";

/// Directory of the plans with a name.
const PLANS: &str = "plans";

/// Name of the file with the fingerprint of the script, beside the records.
const PROGRAM: &str = "program";

/// Name of the list of outputs.
const OWNED: &str = "owned";

/// Name of the manifest.
const MANIFEST: &str = "manifest.json";

/// Open state directory of a plan.
pub(super) struct StateDir {
    out: PathBuf,
    dir: PathBuf,
    /// Outputs of each other plan of the script, with the directory of its plan.
    others: Vec<(BTreeSet<RelPath>, PathBuf)>,
    owned: Mutex<Owned>,
    temporary: AtomicUsize,
}

struct Owned {
    names: BTreeSet<RelPath>,
    file: File,
}

#[expect(clippy::disallowed_methods, reason = "build scripts write below OUT_DIR")]
impl StateDir {
    /// Opens or creates the state of the plan `name` in `out` and removes unfinished files of an earlier build. Also
    /// removes what other plans left that an earlier version of the script ran: if the current one still has them, they
    /// generate everything again.
    pub(super) fn open(out: &Path, name: Option<&str>, program: Option<Fingerprint>) -> io::Result<Self> {
        let top = out.join(DIR);
        let dir = name.map_or_else(|| top.clone(), |name| top.join(PLANS).join(name));
        let mut others = Vec::new();
        for other in plans(&top)?.into_iter().filter(|other| *other != dir) {
            let owned = owned_names(&other)?.0;
            match program {
                Some(program)
                    if fs::read(other.join("units").join(PROGRAM)).ok().as_deref() != Some(&program.0) =>
                {
                    for path in &owned {
                        remove(out, path)?;
                    }
                    remove_plan(&top, &other)?;
                }
                _ => others.push((owned, other)),
            }
        }
        remove_dir(&dir.join("tmp"))?;
        fs::create_dir_all(dir.join("tmp"))?;
        fs::create_dir_all(dir.join("units"))?;
        if let Some(program) = program {
            fs::write(dir.join("units").join(PROGRAM), program.0)?;
        }
        // Drop a name without its NUL: it was being added, and its file was not created.
        let (names, whole) = owned_names(&dir)?;
        let file = File::options().append(true).create(true).open(dir.join(OWNED))?;
        file.set_len(whole as u64)?;
        let owned = Mutex::new(Owned { names, file });
        Ok(Self { out: out.to_path_buf(), dir, others, owned, temporary: AtomicUsize::new(0) })
    }

    /// Returns a new unique path below `tmp/`.
    pub(super) fn temporary(&self) -> PathBuf {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        self.dir.join("tmp").join(number.to_string())
    }

    /// Removes the record `name`, so that its unit runs again.
    pub(super) fn forget(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.dir.join("units").join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the record `name` if it is valid.
    pub(super) fn record(&self, name: &str) -> Option<UnitRecord> {
        UnitRecord::decode(&fs::read(self.dir.join("units").join(name)).ok()?)
    }

    /// Stores `record` as `name`.
    pub(super) fn put_record(&self, name: &str, record: &UnitRecord) -> io::Result<()> {
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
        let place = self.dir.join(MANIFEST);
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
        let stale: Vec<RelPath> =
            owned.names.iter().filter(|name| !outputs.contains(*name)).cloned().collect();
        let mut removed = 0;
        for path in &stale {
            removed += usize::from(remove(&self.out, path)?);
        }
        owned.names = set_of(outputs.iter().cloned());
        let mut bytes = Vec::new();
        for path in outputs {
            bytes.extend_from_slice(path.as_bytes());
            bytes.push(0);
        }
        let place = self.dir.join(OWNED);
        // Write the names sorted. They were added in the order in which units finished.
        if !is_still(&place, &bytes) {
            let temporary = self.temporary();
            fs::write(&temporary, bytes)?;
            fs::rename(temporary, &place)?;
            owned.file = File::options().append(true).open(place)?;
        }
        for entry in fs::read_dir(self.dir.join("units"))? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| name == PROGRAM || records.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        remove_dir(&self.dir.join("tmp"))?;
        Ok(removed)
    }

    /// Adds `path` to the owned names, before the file is created.
    fn own(&self, path: &RelPath) -> io::Result<()> {
        if let Some((_, other)) = self.others.iter().find(|(owned, _)| owned.contains(path)) {
            let name = other.file_name().unwrap_or_default().to_string_lossy();
            let name = if name == DIR { "without a name".to_owned() } else { format!("`{name}`") };
            return Err(io::Error::other(format!("the plan {name} also writes it")));
        }
        let mut owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        if owned.names.insert(path.clone()) {
            let mut name = path.as_bytes().to_vec();
            name.push(0);
            owned.file.write_all(&name)?;
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

/// Returns the state directories of all plans that ran.
#[expect(clippy::disallowed_methods, reason = "build scripts write below OUT_DIR")]
fn plans(top: &Path) -> io::Result<Vec<PathBuf>> {
    let mut plans = Vec::new();
    if fs::metadata(top.join(OWNED)).is_ok() {
        plans.push(top.to_path_buf());
    }
    match fs::read_dir(top.join(PLANS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        entries => {
            for entry in entries? {
                plans.push(entry?.path());
            }
        }
    }
    Ok(plans)
}

/// Removes the state of the plan in `dir`.
#[expect(clippy::disallowed_methods, reason = "build scripts write below OUT_DIR")]
fn remove_plan(top: &Path, dir: &Path) -> io::Result<()> {
    if dir != top {
        return remove_dir(dir);
    }
    // The directory of the plan without a name contains those of the others.
    remove_dir(&dir.join("units"))?;
    for name in [OWNED, MANIFEST] {
        match fs::remove_file(dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Returns the names in the list of outputs of the plan in `dir`, and the length of its valid part.
#[expect(clippy::disallowed_methods, reason = "build scripts write below OUT_DIR")]
fn owned_names(dir: &Path) -> io::Result<(BTreeSet<RelPath>, usize)> {
    let bytes = match fs::read(dir.join(OWNED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        bytes => bytes.unwrap_or_default(),
    };
    let whole = bytes.iter().rposition(|&byte| byte == 0).map_or(0, |end| end + 1);
    let names = bytes[..whole].split(|&byte| byte == 0).filter(|name| is_ours(name)).map(RelPath::new);
    Ok((set_of(names), whole))
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
