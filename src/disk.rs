//! Opens files by names that anybody may have put there: a named pipe called `genti.toml` must not make anyone wait.
//!
//! Only regular files and directories are opened; reading a directory fails as the system has it. Everything else is an
//! error that says what it is. The caller adds the path. Does not know what the files are for.

#![expect(clippy::disallowed_methods, reason = "this is where files are opened")]

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// Opens the file at `path` for reading, without waiting for anybody.
///
/// # Errors
///
/// If there is none, it can't be opened, or it is neither a file nor a directory.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens the file at `path` in another way.
///
/// # Errors
///
/// As [`open()`], or if it can't be created.
pub fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = match without_waiting(options).open(path) {
        Ok(file) => file,
        // Another process holds a lease on it, and is now asked to give it up.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            refuse_special(path)?;
            return with_waiting(options).open(path);
        }
        // A socket can't be opened at all, and the system's word for it is of no help.
        Err(error) => return refuse_special(path).and(Err(error)),
    };
    check(&file.metadata()?)?;
    Ok(file)
}

/// The content of the file at `path`.
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

/// The content of the file at `path`, which is text.
///
/// # Errors
///
/// As [`read`], or if it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let not_utf8 = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(read(path)?).map_err(not_utf8)
}

/// Looks at what is at `path` without opening it, for programs that will open it by themselves and would wait.
///
/// # Errors
///
/// If something is there that is neither a file nor a directory. Nothing there is no error.
pub fn refuse_special(path: &Path) -> io::Result<()> {
    std::fs::metadata(path).map_or(Ok(()), |meta| check(&meta))
}

/// `path` without `.`, and without each `..` that follows the name of a directory. A `..` behind a symbolic link stays: the
/// system resolves it from the target of the link.
pub fn without_dots(path: &Path) -> PathBuf {
    let mut kept = PathBuf::new();
    for part in path.components() {
        match (part, kept.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) if !kept.is_symlink() => drop(kept.pop()),
            (part, _) => kept.push(part),
        }
    }
    kept
}

/// An error if this is neither a file nor a directory, by what it is called.
fn check(meta: &Metadata) -> io::Result<()> {
    if meta.is_file() || meta.is_dir() {
        return Ok(());
    }
    let what = kind(meta);
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a regular file")))
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

/// Neither waits for the other end of a pipe, nor makes a terminal the one of this process.
#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
}

#[cfg(unix)]
fn with_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(0)
}

#[cfg(not(unix))]
fn with_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(not(unix))]
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(path: &Path, what: &str) {
        let expected = format!("it is {what}, not a regular file");
        assert_eq!(open(path).unwrap_err().to_string(), expected);
        let for_both = open_with(OpenOptions::new().read(true).write(true), path);
        assert_eq!(for_both.unwrap_err().to_string(), expected);
        assert_eq!(refuse_special(path).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once_and_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        refused(&pipe, "a named pipe");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        refused(&link, "a named pipe");
        let _listener = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        refused(&dir.path().join("socket"), "a socket");
        refused(Path::new("/dev/zero"), "a device");
    }

    #[test]
    fn dots_after_a_directory_go_and_those_after_a_link_stay() {
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
    fn a_regular_file_is_read_and_a_directory_says_that_it_is_one() {
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
