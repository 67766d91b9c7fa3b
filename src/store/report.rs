//! Writes reports to files that the user names, atomically.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::atomic::{self, Content, Failed};
use crate::disk;
use crate::model::halt::{Halt, Halted, Never};
use crate::report::UntilHalted;

/// The error for a report that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write the report `{path}`: {error}")]
pub struct NotReported {
    /// Path of the report.
    pub path: PathBuf,
    /// The error of the system.
    pub error: io::Error,
}

/// Writes a report to `path` and creates its directories. Files that are not regular, such as pipes, are
/// written to directly.
///
/// # Errors
///
/// If it can't be written. An existing file is unchanged then.
pub fn write_report(path: &Path, bytes: &[u8]) -> Result<(), NotReported> {
    write_report_until(path, &Never, &|out| out.write_all(bytes))
}

/// Writes a report like [`write_report`], with the output of `write`, until `halt` is due. Also stops while a
/// pipe is full.
///
/// # Errors
///
/// If it can't be written, `write` fails, or `halt` is due. An existing file is unchanged then.
pub fn write_report_until(
    path: &Path,
    halt: &dyn Halt,
    write: &dyn Fn(&mut dyn Write) -> io::Result<()>,
) -> Result<(), NotReported> {
    let write = |out: &mut dyn Write| write(&mut UntilHalted::new(halt, out));
    let failed = |error| NotReported { path: path.to_path_buf(), error };
    // A link is kept, and its target is replaced.
    let place = disk::real(path);
    match std::fs::metadata(&place) {
        Ok(meta) if meta.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
        Ok(meta) if !meta.is_file() => {
            let file = pipe(&place);
            return file.and_then(|file| write(&mut SpecialFile { file, halt })).map_err(failed);
        }
        _ => {}
    }
    let name = place
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let dir = place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(failed)?;
    let files = [(name, Content::Made(&write))];
    atomic::write_all(dir, &files).map_err(|Failed { error, .. }| failed(error))
}

/// Appends a report to the file at `path`, such as the job summary of a CI service.
///
/// # Errors
///
/// If it can't be written.
pub fn append_report(path: &Path, bytes: &[u8]) -> Result<(), NotReported> {
    let append = || match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() && !meta.is_dir() => {
            SpecialFile { file: pipe(path)?, halt: &Never }.write_all(bytes)
        }
        _ => File::options().create(true).append(true).open(path)?.write_all(bytes),
    };
    append().map_err(|error| NotReported { path: path.to_path_buf(), error })
}

/// Opens a file that is not regular for writing. Returns an error for a pipe without a reader, instead of
/// waiting for one.
fn pipe(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
        const NOBODY: i32 = rustix::io::Errno::NXIO.raw_os_error();
        let file = match options.open(path) {
            Err(error) if error.raw_os_error() == Some(NOBODY) => {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "no process reads from this pipe"));
            }
            file => file?,
        };
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// A file that is not regular, which is written to as fast as its reader reads.
struct SpecialFile<'a> {
    file: File,
    halt: &'a dyn Halt,
}

impl Write for SpecialFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.halt.is_due() {
                        return Err(Halted.into());
                    }
                    wait_for_room(&self.file)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Waits until a pipe can be written to, but at most for a tenth of a second.
#[cfg(unix)]
fn wait_for_room(file: &File) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let moment = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    match poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&moment)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Does nothing, because files are only opened as non-blocking on Unix.
#[cfg(not(unix))]
fn wait_for_room(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_replaced_atomically_and_its_directory_created() {
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
    fn an_obstacle_is_reported_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_report(dir.path(), b"x").unwrap_err().to_string();
        assert!(error.contains(&dir.path().display().to_string()), "{error}");
        std::fs::write(dir.path().join("file"), "mine").unwrap();
        write_report(&dir.path().join("file/report"), b"x").unwrap_err();
        assert_eq!(std::fs::read_to_string(dir.path().join("file")).unwrap(), "mine");
    }

    #[test]
    #[cfg(unix)]
    fn links_and_devices_are_not_replaced() {
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

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_without_a_reader_is_an_error_and_one_with_a_reader_gets_the_report() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for error in [write_report(&path, b"x").unwrap_err(), append_report(&path, b"x").unwrap_err()] {
            assert_eq!(error.error.to_string(), "no process reads from this pipe");
        }
        let report = vec![b'x'; 1 << 20];
        let read = std::thread::scope(|scope| {
            let reader = scope.spawn(|| std::fs::read(&path).unwrap());
            // Writing fails until the reader has opened the pipe.
            while write_report(&path, &report).is_err() {
                std::thread::yield_now();
            }
            reader.join().unwrap()
        });
        assert!(read == report);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_whose_reader_does_not_read_is_abandoned() {
        use crate::model::halt::testing::After;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let _reader = File::options().read(true).write(true).open(&path).unwrap();
        let report = vec![b'x'; 1 << 20];
        let error = write_report_until(&path, &After::new(3), &|out| out.write_all(&report)).unwrap_err();
        assert!(crate::model::halt::is_halt(&error.error), "{error}");
    }
}
