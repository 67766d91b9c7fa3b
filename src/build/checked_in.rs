//! Generated files that are kept in the repository: compared with what would be generated, written only when a person
//! asks for it by name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use super::Error;
use crate::model::path::RelPath;

/// Names the packages whose files are to be written, with commas between.
pub(super) const ACCEPT: &str = "GENTI_BUILD_ACCEPT";

/// Whether the package that is being built is named in `GENTI_BUILD_ACCEPT`. A name, not a mere yes: a dependency that
/// happens to check files as well is never written.
pub(super) fn is_accepted(env: &BTreeMap<OsString, OsString>) -> bool {
    let text = |name: &str| env.get(OsStr::new(name)).and_then(|value| value.to_str()).unwrap_or_default();
    let package = text("CARGO_PKG_NAME");
    !package.is_empty() && text(ACCEPT).split(',').any(|name| name.trim() == package)
}

/// Compares the files in `dir`, seen from `root`, with the outputs of the same names below `out`.
pub(super) fn verify(
    root: &Path,
    out: &Path,
    dir: &str,
    outputs: &BTreeSet<RelPath>,
    package: &str,
) -> Vec<Error> {
    let mut errors = Vec::new();
    for path in outputs {
        let shown = format!("{dir}/{path}");
        let Ok(new) = read(&path.to_path(out)) else { continue };
        match read(&root.join(dir).join(path.as_os_path())) {
            Ok(old) if is_same(&old, &new) => {}
            Ok(old) => {
                errors.push(
                    Error::new("this is not what the generator makes")
                        .at(shown, first_difference(&old, &new)),
                );
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                errors.push(Error::new("this file is generated, and missing").in_file(shown));
            }
            Err(error) => errors.push(Error::from(error).in_file(shown)),
        }
    }
    if !errors.is_empty() {
        errors.push(Error::new(format!(
            "to write what the generator makes to `{dir}`: {ACCEPT}={package} cargo build -p {package}"
        )));
    }
    match strangers(root, dir, outputs) {
        Ok(strangers) => errors.extend(strangers.into_iter().map(|path| {
            Error::new("nothing generates this file: delete it, or keep it elsewhere")
                .in_file(format!("{dir}/{path}"))
        })),
        Err(error) => errors.push(Error::from(error).in_file(dir)),
    }
    errors
}

/// Writes what differs: each file whole or not at all.
#[expect(clippy::disallowed_methods, reason = "a person asked for it")]
pub(super) fn accept(
    root: &Path,
    out: &Path,
    dir: &str,
    outputs: &BTreeSet<RelPath>,
) -> Result<usize, Error> {
    let mut written = 0;
    for path in outputs {
        let failed = |error: std::io::Error| Error::from(error).in_file(format!("{dir}/{path}"));
        let new = read(&path.to_path(out)).map_err(failed)?;
        let place = root.join(dir).join(path.as_os_path());
        if read(&place).is_ok_and(|old| is_same(&old, &new)) {
            continue;
        }
        let mut name = OsString::from(".genti-unfinished-");
        name.push(place.file_name().unwrap_or_default());
        let temporary = place.with_file_name(name);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let put = fs::write(&temporary, new).and_then(|()| fs::rename(&temporary, &place));
        if put.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        put.map_err(failed)?;
        written += 1;
    }
    Ok(written)
}

/// What is in the directory and no output, and not hidden.
fn strangers(root: &Path, dir: &str, outputs: &BTreeSet<RelPath>) -> std::io::Result<BTreeSet<RelPath>> {
    let top = root.join(dir);
    let mut strangers = BTreeSet::new();
    let mut open = vec![top.clone()];
    while let Some(dir) = open.pop() {
        for entry in list(&dir)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else {
                strangers.extend(RelPath::between(&top, &path).filter(|path| !outputs.contains(path)));
            }
        }
    }
    Ok(strangers)
}

/// The files in `dir` and its directories that cargo should watch: those that are there.
pub(super) fn watched(root: &Path, dir: &str, outputs: &BTreeSet<RelPath>) -> BTreeSet<String> {
    let mut watched = BTreeSet::new();
    for path in std::iter::once(RelPath::default()).chain(outputs.iter().cloned()) {
        let mut at = Some(path);
        while let Some(path) = at {
            let shown = if path.is_root() { dir.to_owned() } else { format!("{dir}/{path}") };
            if is_there(&root.join(&shown)) {
                watched.insert(shown);
            }
            at = path.parent();
        }
    }
    watched
}

/// A checkout may have turned `\n` into `\r\n`: that is no difference.
fn is_same(old: &[u8], new: &[u8]) -> bool {
    old == new || (!new.contains(&b'\r') && lines(old).eq(lines(new)))
}

/// The first line, from 1, in which the two differ.
fn first_difference(old: &[u8], new: &[u8]) -> u32 {
    let same = lines(old).zip(lines(new)).take_while(|(old, new)| old == new).count();
    u32::try_from(same + 1).unwrap_or(u32::MAX)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[expect(clippy::disallowed_methods, reason = "build scripts read files")]
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    fs::read(path)
}

#[expect(clippy::disallowed_methods, reason = "build scripts read directories")]
fn list(path: &Path) -> std::io::Result<Vec<std::io::Result<fs::DirEntry>>> {
    match fs::read_dir(path) {
        Ok(entries) => Ok(entries.collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[expect(clippy::disallowed_methods, reason = "build scripts look at files")]
pub(super) fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_of_a_checkout_are_no_difference() {
        assert!(is_same(b"a\r\nb\r\n", b"a\nb\n"));
        assert!(!is_same(b"a\nb\n", b"a\r\nb\r\n"));
        assert!(!is_same(b"a\nb", b"a\nb\n"));
        assert_eq!(first_difference(b"a\r\nb\r\n", b"a\nc\n"), 2);
        assert_eq!(first_difference(b"a", b"a\nb"), 2);
    }

    #[test]
    fn only_a_package_that_is_named_is_written() {
        let check = |accept: &str| {
            let env = [("CARGO_PKG_NAME", "mine"), (ACCEPT, accept)];
            is_accepted(&env.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
        };
        assert!(check("mine") && check("other, mine"));
        assert!(!check("") && !check("1") && !check("mine2") && !check("other"));
    }
}
