//! Finds the files that a pattern matches, and the directories to watch for new matches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Error;
use super::pattern::{Pattern, PatternPart, matches};

/// Matches of the patterns of one generator.
#[derive(Debug, Default)]
pub(super) struct PatternMatches {
    /// Files, in path order.
    pub(super) files: Vec<MatchedFile>,
    /// Directories whose entries affect the matches.
    pub(super) dirs: BTreeSet<String>,
}

/// File that a pattern matches.
#[derive(Debug)]
pub(super) struct MatchedFile {
    pub(super) path: String,
    /// Length of the fixed part of the pattern.
    pub(super) base: usize,
    /// Index of the pattern.
    pattern: usize,
}

/// Pattern for files of the package, as the user wrote it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) text: String,
    /// Set if the pattern may match nothing.
    pub(super) is_optional: bool,
}

/// Finds the matches of `patterns` relative to `root` that no pattern of `excluded` matches. Directories that contain
/// `out`, where we write, cannot be watched for new files.
pub(super) fn find(
    root: &Path,
    out: &Path,
    patterns: &[Wanted],
    excluded: &[String],
) -> Result<PatternMatches, Error> {
    let mut found = PatternMatches::default();
    let mut seen = BTreeSet::new();
    let excluded = excluded.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>, _>>()?;
    for (at, Wanted { text, is_optional }) in patterns.iter().enumerate() {
        let pattern = Pattern::parse(text)?;
        let mut walk = Walk { root, files: BTreeSet::new(), dirs: BTreeSet::new() };
        for parts in &pattern.alternatives {
            walk.descend(&pattern.base, parts)?;
            // No directory is watched for a name without wildcards, so each must exist.
            let Some(names) = parts.iter().map(PatternPart::name).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let path = format!("{}{}", pattern.base, names.join("/"));
            match is_optional {
                _ if walk.files.contains(&path) => {}
                true => drop(found.dirs.insert(watch_for_missing(root, out, &path))),
                false => return Err(nothing(root, &pattern, &path)),
            }
        }
        for dir in &walk.dirs {
            check_dir(root, out, dir, text)?;
        }
        if walk.files.is_empty() && !is_optional {
            return Err(nothing(root, &pattern, text));
        }
        let has_wildcard = pattern.alternatives.iter().flatten().any(|part| part.name().is_none());
        if *is_optional && has_wildcard && !is_dir(&root.join(&pattern.base)) {
            found.dirs.insert(watch_for_missing(root, out, pattern.base.trim_end_matches('/')));
        }
        found.dirs.extend(walk.dirs);
        for file in walk.files {
            if excluded.iter().any(|pattern| pattern.is_match(&file)) {
                continue;
            }
            check_name(&file)?;
            if !seen.insert(file.clone()) {
                let other =
                    found.files.iter().find(|other| other.path == file).map_or(at, |other| other.pattern);
                let other = &patterns[other].text;
                let message = format!("this file is read twice: both `{other}` and `{text}` match it");
                return Err(Error::new(message).in_file(file));
            }
            found.files.push(MatchedFile { path: file, base: pattern.base.len(), pattern: at });
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Returns what cargo must watch to run the script again when the missing file `path` appears: the directory where it
/// would be created. If cargo can't watch that directory, `path` itself, which makes cargo run the script in every build.
pub(super) fn watch_for_missing(root: &Path, out: &Path, path: &str) -> String {
    let mut at = path;
    while at != "." {
        let above = match at.rsplit_once('/') {
            Some(("", _)) => break,
            Some((above, _)) => above,
            None => ".",
        };
        if is_dir(&root.join(above)) {
            return if check_dir(root, out, above, path).is_ok() {
                above.to_owned()
            } else {
                path.to_owned()
            };
        }
        // Outside of the package, only the directory itself: those above it may be large.
        if above.starts_with('/') || above.split('/').any(|name| name == "..") {
            break;
        }
        at = above;
    }
    path.to_owned()
}

/// Returns the error for a pattern without matches, which is usually misspelt. `path` is the alternative.
fn nothing(root: &Path, pattern: &Pattern, path: &str) -> Error {
    let text = &pattern.text;
    let mut message = format!("no file matches `{path}`");
    if text.contains('[') {
        message += ": the only wildcards are `*`, `?`, `**` and `{a,b}`";
    } else if !is_dir(&root.join(&pattern.base)) {
        message = format!("{message}: the directory `{}` does not exist", pattern.base.trim_end_matches('/'));
    } else if is_dir(&root.join(path)) {
        message = format!("{message}: it is a directory; use `{path}/**` for its files");
    } else {
        message += "; if that is not a mistake, use `optional_inputs`";
    }
    Error::new(message)
}

/// Checks that cargo can watch `dir`. Cargo watches everything below it, so if it contained our output, the script
/// would run in every build.
fn check_dir(root: &Path, out: &Path, dir: &str, pattern: &str) -> Result<(), Error> {
    let path = root.join(dir);
    let holds_out = || Some(canonical(out)?.starts_with(canonical(&path)?));
    if holds_out().unwrap_or(false) {
        let what = if dir == "." {
            "the package directory, which contains OUT_DIR"
        } else {
            "a directory that contains OUT_DIR"
        };
        return Err(Error::new(format!(
            "`{pattern}` matches files in {what}, but cargo always watches a directory with everything below it; \
             move the inputs to a separate directory, or name them without wildcards, as in `{{a,b}}.txt`"
        )));
    }
    Ok(())
}

/// Checks that cargo's line-based protocol can name the file.
pub(super) fn check_name(path: &str) -> Result<(), Error> {
    if path.contains(['\n', '\r']) || path.trim() != path {
        return Err(Error::new(
            "cargo can't watch a file with line breaks or surrounding whitespace in its name",
        )
        .in_file(format!("{path:?}")));
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
    fn descend(&mut self, dir: &str, parts: &[PatternPart]) -> Result<(), Error> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        match part {
            PatternPart::Name(name) => self.take(format!("{dir}{name}"), rest),
            PatternPart::Wild(wild) => {
                for entry in self.list(dir)?.into_iter().filter(|entry| matches(wild, &entry.name)) {
                    if rest.is_empty() || !entry.is_cache {
                        self.take(format!("{dir}{}", entry.name), rest)?;
                    }
                }
                Ok(())
            }
            PatternPart::AnyDirs => {
                for entry in self.list(dir)?.into_iter().filter(|entry| !entry.name.starts_with('.')) {
                    let path = format!("{dir}{}", entry.name);
                    // Skip links, which may form cycles, and build output.
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

    /// Adds the file `path`, or descends into the directory.
    fn take(&mut self, path: String, rest: &[PatternPart]) -> Result<(), Error> {
        let place = self.root.join(&path);
        match metadata(&place) {
            Ok(metadata) if rest.is_empty() && metadata.is_file() => drop(self.files.insert(path)),
            Ok(metadata) if !rest.is_empty() && metadata.is_dir() => {
                self.descend(&format!("{path}/"), rest)?
            }
            Ok(_) => {}
            Err(_) if symlink_metadata(&place).is_err() => {}
            Err(error) => return Err(Error::new(format!("broken symbolic link: {error}")).in_file(path)),
        }
        Ok(())
    }

    /// Returns the entries of `dir`, sorted. Empty if it does not exist.
    fn list(&mut self, dir: &str) -> Result<Vec<WalkEntry>, Error> {
        let place = if dir.is_empty() { self.root.to_path_buf() } else { self.root.join(dir) };
        let failed =
            |error: std::io::Error| Error::new(format!("failed to list the directory: {error}")).in_file(dir);
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
            entries.push(WalkEntry { name, is_real_dir, is_cache });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

struct WalkEntry {
    name: String,
    /// Set for a directory that is not a link.
    is_real_dir: bool,
    /// Set for cache directories, such as cargo's target directory.
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

/// Returns the canonical path of an existing file.
#[expect(clippy::disallowed_methods, reason = "build scripts look for their inputs")]
pub(super) fn canonical(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}
