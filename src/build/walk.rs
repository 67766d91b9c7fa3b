//! Which files a pattern matches, and the directories in which one more would be matched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Error;
use super::pattern::{Part, Pattern, matches};
use crate::model::path::RelPath;

/// What the patterns of one generator match.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each file with the length of its pattern's fixed part, in the one order of paths.
    pub(super) files: BTreeMap<RelPath, (String, usize)>,
    /// The directories whose listing decides what is matched.
    pub(super) dirs: BTreeSet<String>,
}

/// Matches `patterns`, seen from `root`. A directory that holds `out`, where we write, can't be watched for new files.
pub(super) fn find(root: &Path, out: &Path, patterns: &[String]) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut by = BTreeMap::new();
    for text in patterns {
        let pattern = Pattern::parse(text)?;
        let mut walk = Walk { root, files: BTreeSet::new(), dirs: BTreeSet::new() };
        walk.descend(&pattern.base, &pattern.parts)?;
        for dir in &walk.dirs {
            check_dir(root, out, dir, text)?;
        }
        if walk.files.is_empty() {
            return Err(nothing(root, &pattern));
        }
        found.dirs.append(&mut walk.dirs);
        for file in walk.files {
            check_name(&file)?;
            let key = RelPath::new(&file);
            if let Some(other) = by.insert(key.clone(), text) {
                let message = format!("it is read twice: `{other}` and `{text}` both match it");
                return Err(Error::new(message).in_file(file));
            }
            found.files.insert(key, (file, pattern.base.len()));
        }
    }
    Ok(found)
}

/// An empty result is a misspelt pattern more often than not.
fn nothing(root: &Path, pattern: &Pattern) -> Error {
    let text = &pattern.text;
    let mut message = format!("no file matches `{text}`");
    if text.contains(['[', '{']) {
        message += ": of wildcards, there are `*`, `?` and `**` alone";
    } else if !is_dir(&root.join(&pattern.base)) {
        message = format!("{message}: there is no directory `{}`", pattern.base.trim_end_matches('/'));
    } else if pattern.parts.len() == 1 && is_dir(&root.join(text)) {
        message = format!("{message}: it is a directory; `{text}/**` is what is in it");
    }
    Error::new(message)
}

/// Cargo watches a directory with all that is below it: if that is where we write, it would never be done.
fn check_dir(root: &Path, out: &Path, dir: &str, pattern: &str) -> Result<(), Error> {
    let path = root.join(dir);
    let holds_out = || Some(canonical(out)?.starts_with(canonical(&path)?));
    if dir == "." || holds_out().unwrap_or(false) {
        let what = if dir == "." { "the package's directory" } else { "where the build writes" };
        return Err(Error::new(format!(
            "`{pattern}` looks for files in {what}, and cargo can watch a directory only with all that is below it: \
             keep the inputs in a directory of their own"
        )));
    }
    Ok(())
}

/// What cargo can't be told to watch, in a line of text, is no input.
pub(super) fn check_name(path: &str) -> Result<(), Error> {
    if path.contains(['\n', '\r']) || path.trim() != path {
        return Err(
            Error::new("cargo can't watch a file with such blanks in its name").in_file(format!("{path:?}"))
        );
    }
    Ok(())
}

struct Walk<'a> {
    root: &'a Path,
    files: BTreeSet<String>,
    dirs: BTreeSet<String>,
}

impl Walk<'_> {
    /// Matches `parts` below `dir`, which is empty or ends in `/`.
    fn descend(&mut self, dir: &str, parts: &[Part]) -> Result<(), Error> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        match part {
            Part::Name(name) => self.take(format!("{dir}{name}"), rest),
            Part::Wild(wild) => {
                for entry in self.list(dir)?.into_iter().filter(|entry| matches(wild, &entry.name)) {
                    if rest.is_empty() || !entry.is_cache {
                        self.take(format!("{dir}{}", entry.name), rest)?;
                    }
                }
                Ok(())
            }
            Part::AnyDirs => {
                for entry in self.list(dir)?.into_iter().filter(|entry| !entry.name.starts_with('.')) {
                    let path = format!("{dir}{}", entry.name);
                    // Not through links, which may go round in circles, nor into what is built.
                    if entry.is_real_dir && !entry.is_cache {
                        self.descend(&format!("{path}/"), parts)?;
                    } else if rest.is_empty() {
                        self.take(path, rest)?;
                    }
                }
                if rest.is_empty() { Ok(()) } else { self.descend(dir, rest) }
            }
        }
    }

    /// Takes the file `path`, or goes on in the directory.
    fn take(&mut self, path: String, rest: &[Part]) -> Result<(), Error> {
        let place = self.root.join(&path);
        match metadata(&place) {
            Ok(metadata) if rest.is_empty() && metadata.is_file() => drop(self.files.insert(path)),
            Ok(metadata) if !rest.is_empty() && metadata.is_dir() => {
                self.descend(&format!("{path}/"), rest)?
            }
            Ok(_) => {}
            Err(_) if symlink_metadata(&place).is_err() => {}
            Err(error) => return Err(Error::new(format!("a link that leads nowhere: {error}")).in_file(path)),
        }
        Ok(())
    }

    /// What is in `dir`, sorted; nothing if it is not there.
    fn list(&mut self, dir: &str) -> Result<Vec<Entry>, Error> {
        let place = if dir.is_empty() { self.root.to_path_buf() } else { self.root.join(dir) };
        let failed = |error: std::io::Error| Error::new(format!("failed to list it: {error}")).in_file(dir);
        if !is_dir(&place) {
            return Ok(Vec::new());
        }
        self.dirs.insert(match dir.trim_end_matches('/') {
            "" if dir.is_empty() => ".".to_owned(),
            "" => "/".to_owned(),
            name => name.to_owned(),
        });
        let mut entries = Vec::new();
        for entry in read_dir(&place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                let error = Error::new("cargo can't watch a file whose name is not UTF-8");
                return Err(error.in_file(entry.path().display().to_string()));
            };
            let is_real_dir = entry.file_type().map_err(failed)?.is_dir();
            let is_cache = is_real_dir && metadata(&entry.path().join("CACHEDIR.TAG")).is_ok();
            entries.push(Entry { name, is_real_dir, is_cache });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

struct Entry {
    name: String,
    /// A directory, and no link to one.
    is_real_dir: bool,
    /// Such as cargo's target directory.
    is_cache: bool,
}

#[expect(clippy::disallowed_methods, reason = "build scripts look for their inputs")]
fn read_dir(path: &Path) -> std::io::Result<std::fs::ReadDir> {
    std::fs::read_dir(path)
}

#[expect(clippy::disallowed_methods, reason = "build scripts look for their inputs")]
fn metadata(path: &Path) -> std::io::Result<std::fs::Metadata> {
    std::fs::metadata(path)
}

#[expect(clippy::disallowed_methods, reason = "build scripts look for their inputs")]
fn symlink_metadata(path: &Path) -> std::io::Result<std::fs::Metadata> {
    std::fs::symlink_metadata(path)
}

fn is_dir(path: &Path) -> bool {
    metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The one name of what is there.
#[expect(clippy::disallowed_methods, reason = "build scripts look for their inputs")]
pub(super) fn canonical(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}
