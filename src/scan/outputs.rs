//! Reads the output of finished processes, and keeps what has no result.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::runner::FinishedProcess;
use super::spool::{Sieve, Truncated};
use super::sys;
use crate::model::task::Output;
use crate::store::OutputDir;

/// The sieves of both streams. A stream without one is read completely.
#[derive(Default)]
pub struct Sieves<'a> {
    /// Sieve of standard output.
    pub stdout: Option<Sieve<'a>>,
    /// Sieve of standard error.
    pub stderr: Option<Sieve<'a>>,
}

impl fmt::Debug for Sieves<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stdout, stderr } = self;
        f.debug_struct("Sieves")
            .field("stdout", &stdout.is_some())
            .field("stderr", &stderr.is_some())
            .finish()
    }
}

/// Storage for the output of processes that is too long for memory or must be kept.
#[derive(Debug)]
pub struct Outputs<'a> {
    dir: Option<&'a OutputDir>,
    /// Held while an output from disk is in memory.
    reading: Mutex<()>,
}

/// Files with the kept output.
#[derive(Debug, Default)]
pub struct Kept {
    /// Paths in the order of the processes, stdout first.
    pub files: Vec<PathBuf>,
    /// The error, if something could not be kept.
    pub error: Option<io::Error>,
}

impl<'a> Outputs<'a> {
    /// Creates the storage. Without a directory, only memory is used and nothing is kept.
    pub fn new(dir: Option<&'a OutputDir>) -> Self {
        Self { dir, reading: Mutex::new(()) }
    }

    /// Reads the output of a process and passes it to `judge`: all of it, except lines that `sieves` leave out of a stream on
    /// disk.
    pub(super) fn read<T>(
        &self,
        finished: &FinishedProcess,
        sieves: Sieves<'_>,
        judge: impl FnOnce(&Output) -> T,
    ) -> Result<T, Truncated> {
        let _turn = finished.is_long().then(|| self.reading.lock().unwrap_or_else(PoisonError::into_inner));
        let mut streams = [finished.stdout.read(sieves.stdout)?, finished.stderr.read(sieves.stderr)?];
        if let Some(in_copy) = &finished.in_copy {
            streams.iter_mut().for_each(|stream| in_copy.translate(stream));
        }
        let generated = finished.in_copy.as_ref().and_then(|in_copy| in_copy.generated.clone());
        let ([stdout, stderr], is_leaky) = (streams, finished.leaky);
        Ok(judge(&Output { stdout, stderr, exit: finished.exit, is_leaky, generated }))
    }

    /// Keeps the output of a process in files whose names begin with `name`. Empty streams are skipped.
    pub(super) fn keep(&self, name: &str, finished: &FinishedProcess, kept: &mut Kept) {
        let Some(dir) = self.dir else { return };
        for (stream, ending) in [(&finished.stdout, "stdout"), (&finished.stderr, "stderr")] {
            if stream.len() == 0 {
                continue;
            }
            match dir.keep(&format!("{name}.{ending}"), |file| stream.write_to(file)) {
                Ok(path) => kept.files.push(path),
                Err(error) => kept.error = Some(error),
            }
        }
    }

    /// Returns the directory for output that is too long for memory.
    pub(super) fn dir(&self) -> Option<&'a OutputDir> {
        self.dir
    }

    /// Records the process of the service `name`, so that the next run can end it if this one is killed.
    pub(super) fn note_service(&self, name: &str, id: u32) {
        if let (Some(dir), Some(process)) = (self.dir, sys::name_of_process(id)) {
            dir.note_service(name, &process);
        }
    }

    /// Records that the service `name` has ended.
    pub(super) fn forget_service(&self, name: &str) {
        self.dir.into_iter().for_each(|dir| dir.forget_service(name));
    }

    /// Ends the process of the service `name` that a killed run has left.
    pub(super) fn end_leftover(&self, name: &str) {
        if let Some(process) = self.dir.and_then(|dir| dir.noted_service(name)) {
            sys::kill_named(&process);
            self.forget_service(name);
        }
    }

    /// Returns whether an output from disk is in memory.
    #[cfg(test)]
    pub(super) fn is_reading(&self) -> bool {
        self.reading.try_lock().is_err()
    }

    /// Removes the files that were kept.
    pub(super) fn discard(&self, kept: &mut Kept) {
        for path in std::mem::take(kept).files {
            self.dir.into_iter().for_each(|dir| dir.discard(&path));
        }
    }
}
