//! Reports, wherever the user wants them: a file wholly old or wholly new.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::atomic::{self, Failed};

/// Why a report is not where it should be.
#[derive(Debug, thiserror::Error)]
#[error("could not write the report `{path}`: {error}")]
pub struct NotReported {
    /// Where.
    pub path: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// Writes a report to `path`, with the directories that it needs. What is no regular file, such as a pipe, is written
/// to as it is.
///
/// # Errors
///
/// If the disk says no; a file that was there before is untouched then.
pub fn write_report(path: &Path, bytes: &[u8]) -> Result<(), NotReported> {
    let failed = |error| NotReported { path: path.to_path_buf(), error };
    // A link stays one: what it leads to is replaced.
    let place = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    match std::fs::metadata(&place) {
        Ok(meta) if meta.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
        Ok(meta) if !meta.is_file() => {
            let mut file = std::fs::File::options().write(true).open(&place).map_err(failed)?;
            return file.write_all(bytes).map_err(failed);
        }
        _ => {}
    }
    let name = place
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let dir = place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(failed)?;
    atomic::write_all(dir, &[(name, bytes)]).map_err(|Failed { error, .. }| failed(error))
}

/// Appends to the file at `path`, as CI services want their summaries.
///
/// # Errors
///
/// If the disk says no.
pub fn append_report(path: &Path, bytes: &[u8]) -> Result<(), NotReported> {
    let append = || std::fs::File::options().create(true).append(true).open(path)?.write_all(bytes);
    append().map_err(|error| NotReported { path: path.to_path_buf(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_replaced_as_a_whole_and_its_directory_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/report.xml");
        for text in ["long text", "short"] {
            write_report(&path, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        append_report(&path, b" and more").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "short and more");
        assert_eq!(std::fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_in_the_way_is_told_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_report(dir.path(), b"x").unwrap_err().to_string();
        assert!(error.contains(&dir.path().display().to_string()), "{error}");
        std::fs::write(dir.path().join("file"), "mine").unwrap();
        write_report(&dir.path().join("file/report"), b"x").unwrap_err();
        assert_eq!(std::fs::read_to_string(dir.path().join("file")).unwrap(), "mine");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_and_a_device_is_not_replaced() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "old").unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        write_report(&dir.path().join("link"), b"new").unwrap();
        assert!(dir.path().join("link").is_symlink());
        assert_eq!(std::fs::read_to_string(dir.path().join("file")).unwrap(), "new");
        symlink("/dev/null", dir.path().join("null")).unwrap();
        write_report(&dir.path().join("null"), b"x").unwrap();
        assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }
}
