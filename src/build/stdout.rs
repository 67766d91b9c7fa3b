//! Captures standard output while generators run.
//!
//! Cargo reads instructions from the standard output of the script. An instruction that a generator prints would have no
//! effect in the next build, which skips the generator. So the descriptor is redirected to a file for that time, and
//! instructions in it are errors. The same file receives the output of programs that generators start with an inherited
//! standard output, and of threads that they start. Each unit knows between which positions of the file it ran.
//!
//! The standard library can duplicate a descriptor but not replace one, and the only other dependency, `jobserver`, can't
//! either. The alternative without `unsafe` is to run the script again as a child process with a pipe, which would run
//! everything in `main` before the plan twice.

#![expect(clippy::disallowed_methods, reason = "build scripts write below OUT_DIR")]

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Redirected standard output, restored when dropped.
pub(super) struct Capture {
    file: File,
    path: PathBuf,
    original: sys::Stdout,
}

impl Capture {
    /// Redirects standard output to the new file `path`.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        // Appending, because several processes may write.
        let file = File::options().read(true).append(true).create_new(true).open(path)?;
        let original = sys::redirect(&file)?;
        Ok(Self { file, path: path.to_owned(), original })
    }

    /// Returns the number of bytes written so far.
    pub(super) fn len(&self) -> u64 {
        let _ = io::stdout().flush();
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Returns the bytes in `range`.
    pub(super) fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        // The position of the open file is shared by all threads.
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        file.take(range.end - range.start).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Nothing can be reported without standard output, and cargo treats the missing lines as an error of the script.
        let _ = sys::restore(&self.original);
    }
}

#[cfg(unix)]
mod sys {
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

    /// Copy of the original descriptor.
    pub(super) struct Stdout(OwnedFd);

    pub(super) fn redirect(to: &File) -> io::Result<Stdout> {
        // With the lock, no other thread prints between flushing and redirecting.
        let mut stdout = io::stdout().lock();
        stdout.flush()?;
        let original = stdout.as_fd().try_clone_to_owned()?;
        replace(to.as_fd())?;
        Ok(Stdout(original))
    }

    pub(super) fn restore(original: &Stdout) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.flush()?;
        replace(original.0.as_fd())
    }

    #[expect(unsafe_code, reason = "the standard library cannot replace a descriptor")]
    fn replace(with: BorrowedFd<'_>) -> io::Result<()> {
        loop {
            // SAFETY: `with` is open for the whole call. Nothing owns descriptor 1: the standard library only uses its
            // number, and `dup2` replaces it atomically, so other threads never see it closed.
            if unsafe { libc::dup2(with.as_raw_fd(), libc::STDOUT_FILENO) } >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

#[cfg(windows)]
mod sys {
    use std::ffi::c_void;
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::windows::io::{AsRawHandle, RawHandle};

    /// The original handle. It stays open, because nothing owns it.
    pub(super) struct Stdout(usize);

    const STD_OUTPUT_HANDLE: u32 = -11_i32 as u32;

    #[expect(unsafe_code, reason = "the standard library cannot replace a handle")]
    unsafe extern "system" {
        fn SetStdHandle(which: u32, handle: *mut c_void) -> i32;
    }

    pub(super) fn redirect(to: &File) -> io::Result<Stdout> {
        // With the lock, no other thread prints between flushing and redirecting.
        let mut stdout = io::stdout().lock();
        stdout.flush()?;
        let original = Stdout(stdout.as_raw_handle() as usize);
        replace(to.as_raw_handle())?;
        Ok(original)
    }

    pub(super) fn restore(original: &Stdout) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.flush()?;
        replace(original.0 as RawHandle)
    }

    #[expect(unsafe_code, reason = "the standard library cannot replace a handle")]
    fn replace(with: RawHandle) -> io::Result<()> {
        // SAFETY: the call only stores the handle. The standard library asks for it in each use, and the caller keeps it
        // open until the next call.
        match unsafe { SetStdHandle(STD_OUTPUT_HANDLE, with) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

#[cfg(not(any(unix, windows)))]
mod sys {
    use std::fs::File;
    use std::io;

    pub(super) struct Stdout;

    pub(super) fn redirect(_to: &File) -> io::Result<Stdout> {
        Ok(Stdout)
    }

    pub(super) fn restore(_original: &Stdout) -> io::Result<()> {
        Ok(())
    }
}
