//! Opens files without blocking, even if somebody placed a named pipe at the path of a file such as `genti.toml`.
//!
//! Only regular files and directories are opened, and reading a directory fails as usual. Anything else is an
//! error that names its kind. The caller adds the path. Does not know the purpose of the files.

#![expect(clippy::disallowed_methods, reason = "this is where files are opened")]

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::model::halt::{Halt, Pace};

/// Opens the file at `path` for reading, without blocking.
///
/// # Errors
///
/// If it doesn't exist, can't be opened, or is neither a file nor a directory.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens the file at `path` with the given options, without blocking.
///
/// # Errors
///
/// As [`open()`], or if it can't be created.
pub fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = match set_nonblocking(options).open(path) {
        Ok(file) => file,
        // Another process holds a lease on the file and has now been asked to release it.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            refuse_special(path)?;
            return set_blocking(options).open(path);
        }
        // A socket can't be opened, and the error of the system doesn't explain why.
        Err(error) => return refuse_special(path).and(Err(error)),
    };
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads the file at `path`.
///
/// # Errors
///
/// As [`open()`], or if it can't be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let len = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the text file at `path`.
///
/// # Errors
///
/// As [`read`], or if it is not valid UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let not_utf8 = |_| io::Error::new(io::ErrorKind::InvalidData, "not valid UTF-8");
    String::from_utf8(read(path)?).map_err(not_utf8)
}

/// Returns whether two files have the same content.
///
/// # Errors
///
/// As [`read`], or if `halt` is due.
pub fn have_same_content(one: &Path, other: &Path, halt: &dyn Halt) -> io::Result<bool> {
    const PIECE: usize = 64 << 10;
    let mut files = [open(one)?, open(other)?];
    if files[0].metadata()?.len() != files[1].metadata()?.len() {
        return Ok(false);
    }
    let mut pace = Pace::new(halt);
    let mut pieces = [Vec::with_capacity(PIECE), Vec::with_capacity(PIECE)];
    loop {
        pace.spend(PIECE)?;
        for (file, piece) in files.iter_mut().zip(&mut pieces) {
            piece.clear();
            file.take(PIECE as u64).read_to_end(piece)?;
        }
        if pieces[0] != pieces[1] {
            return Ok(false);
        }
        if pieces[0].is_empty() {
            return Ok(true);
        }
    }
}

/// Checks `path` without opening it, for programs that open it themselves and would block.
///
/// # Errors
///
/// If it is neither a file nor a directory. A missing file is not an error.
pub fn refuse_special(path: &Path) -> io::Result<()> {
    std::fs::metadata(path).map_or(Ok(()), |meta| check(&meta))
}

/// Returns `path` with all links resolved, or unchanged if that is impossible.
pub fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// Returns `path` without `.`, and without each `..` that follows a directory name. A `..` after a symbolic link
/// stays, because the system resolves it relative to the target of the link.
pub fn without_dots(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match (part, result.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) if !result.is_symlink() => drop(result.pop()),
            (part, _) => result.push(part),
        }
    }
    result
}

/// Returns an error that names the kind of file, unless it is a regular file or a directory.
fn check(meta: &Metadata) -> io::Result<()> {
    if meta.is_file() || meta.is_dir() {
        return Ok(());
    }
    let kind_name = kind(meta);
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("expected a regular file, found {kind_name}")))
}

#[cfg(unix)]
fn kind(meta: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match meta.file_type() {
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

#[cfg(not(unix))]
fn kind(_: &Metadata) -> &'static str {
    "something else"
}

/// Sets flags so that opening doesn't wait for the other end of a pipe and a terminal doesn't become the
/// controlling one.
#[cfg(unix)]
fn set_nonblocking(options: &mut OpenOptions) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
}

#[cfg(unix)]
fn set_blocking(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(0)
}

#[cfg(not(unix))]
fn set_blocking(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn set_nonblocking(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(path: &Path, kind_name: &str) {
        let expected = format!("expected a regular file, found {kind_name}");
        assert_eq!(open(path).unwrap_err().to_string(), expected);
        let for_both = open_with(OpenOptions::new().read(true).write(true), path);
        assert_eq!(for_both.unwrap_err().to_string(), expected);
        assert_eq!(refuse_special(path).unwrap_err().to_string(), expected);
    }

    #[test]
    fn special_files_are_refused_immediately_with_their_kind() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        check_refused(&pipe, "a named pipe");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        check_refused(&link, "a named pipe");
        let _listener = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        check_refused(&dir.path().join("socket"), "a socket");
        check_refused(Path::new("/dev/zero"), "a device");
    }

    #[test]
    fn dots_after_a_directory_are_removed_and_those_after_a_link_stay() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir(root.join("a")).unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        for (path, expected) in [
            ("a/../x", "x"),
            ("a/./b/../../x", "x"),
            ("gone/../x", "x"),
            ("link/../x", "link/../x"),
            ("a/../link/../../x", "link/../../x"),
        ] {
            assert_eq!(without_dots(&root.join(path)), root.join(expected), "{path}");
        }
        assert_eq!(without_dots(Path::new("../x")), Path::new("../x"));
    }

    #[test]
    fn a_regular_file_is_read_and_a_directory_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        assert_eq!(read(&file).unwrap_err().kind(), io::ErrorKind::NotFound);
        refuse_special(&file).unwrap();
        std::fs::write(&file, "text").unwrap();
        assert_eq!(read_to_string(&file).unwrap(), "text");
        assert_eq!(read(dir.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        std::fs::write(&file, b"\xff").unwrap();
        assert_eq!(read_to_string(&file).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
