//! Checked-in generated files. They are compared with the generated output, and updated only if the user names the
//! package.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::Error;
use super::environment::Environment;
use crate::model::path::RelPath;

/// Environment variable with the names of the packages to update, separated by commas.
pub(super) const ACCEPT: &str = "GENTI_BUILD_ACCEPT";

/// Returns whether `GENTI_BUILD_ACCEPT` names the current package. It takes a name and not just `1`, because otherwise
/// a dependency that also checks files would be updated too.
pub(super) fn is_accepted(env: &Environment) -> bool {
    let text = |name: &str| env.get(name).and_then(|value| value.to_str()).unwrap_or_default();
    let package = text("CARGO_PKG_NAME");
    !package.is_empty() && text(ACCEPT).split(',').any(|name| name.trim() == package)
}

/// Compares the files in `dir`, relative to `root`, with the outputs of the same names below `out`.
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
                    Error::new("this differs from the generated file")
                        .at(shown, first_difference(&old, &new)),
                );
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                errors.push(Error::new("this generated file is missing").in_file(shown));
            }
            Err(error) => errors.push(Error::from(error).in_file(shown)),
        }
    }
    if !errors.is_empty() {
        errors
            .push(Error::new(format!("to update `{dir}`, run {ACCEPT}={package} cargo build -p {package}")));
    }
    match extra_files(root, dir, outputs) {
        Ok(extra_files) => errors.extend(extra_files.into_iter().map(|path| {
            Error::new("no generator writes this file; delete it or move it elsewhere")
                .in_file(format!("{dir}/{path}"))
        })),
        Err(error) => errors.push(Error::from(error).in_file(dir)),
    }
    errors
}

/// Writes the files that differ, each one atomically.
#[expect(clippy::disallowed_methods, reason = "the user asked for it")]
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

/// Returns the files in the directory that are neither outputs nor hidden.
fn extra_files(root: &Path, dir: &str, outputs: &BTreeSet<RelPath>) -> std::io::Result<BTreeSet<RelPath>> {
    let top = root.join(dir);
    let mut extra = BTreeSet::new();
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
                extra.extend(RelPath::between(&top, &path).filter(|path| !outputs.contains(path)));
            }
        }
    }
    Ok(extra)
}

/// Returns the existing files and directories in `dir` that cargo should watch.
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

/// Ignores `\r\n` instead of `\n`, because a checkout may convert line endings.
fn is_same(old: &[u8], new: &[u8]) -> bool {
    old == new || (!new.contains(&b'\r') && lines(old).eq(lines(new)))
}

/// Returns the first line, from 1, that differs.
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
    fn line_endings_of_a_checkout_do_not_matter() {
        assert!(is_same(b"a\r\nb\r\n", b"a\nb\n"));
        assert!(!is_same(b"a\nb\n", b"a\r\nb\r\n"));
        assert!(!is_same(b"a\nb", b"a\nb\n"));
        assert_eq!(first_difference(b"a\r\nb\r\n", b"a\nc\n"), 2);
        assert_eq!(first_difference(b"a", b"a\nb"), 2);
    }

    #[test]
    fn only_a_named_package_is_updated() {
        let check = |accept: &str| {
            let env = [("CARGO_PKG_NAME", "mine"), (ACCEPT, accept)];
            is_accepted(&env.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
        };
        assert!(check("mine") && check("other, mine"));
        assert!(!check("") && !check("1") && !check("mine2") && !check("other"));
    }
}
