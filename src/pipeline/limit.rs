//! Early termination of loading: a run that has not started yet is limited by `--max-duration` too.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::model::halt::{Halt, Never};
use crate::scan::Stop;

/// Stops loading a project, after a request to stop or once `--max-duration` is over.
#[derive(Debug)]
pub struct Limit<'a> {
    stop: &'a dyn Halt,
    /// Start of the run; `None` if nothing runs.
    started: Option<Instant>,
    /// Maximum duration of the run. Unset until the configuration has been read.
    most: OnceLock<Duration>,
}

impl<'a> Limit<'a> {
    /// Returns a limit that never stops loading, for commands that run nothing.
    pub fn none() -> Self {
        Self { stop: &Never, started: None, most: OnceLock::new() }
    }

    /// Returns the limit of a run that began at `started`.
    pub fn of_run(started: Instant) -> Self {
        Self { started: Some(started), ..Self::none() }
    }

    /// Also stops loading when `stop` is due.
    pub fn or(self, stop: &'a Stop) -> Self {
        Self { stop, ..self }
    }

    /// Returns true if the run has reached `--max-duration`.
    pub fn is_over(&self) -> bool {
        let is_over = |(started, most): (Instant, &Duration)| started.elapsed() >= *most;
        self.started.zip(self.most.get()).is_some_and(is_over)
    }

    /// Sets the maximum duration of the run.
    pub(super) fn set(&self, most: Option<Duration>) {
        if let Some(most) = most {
            let _ = self.most.set(most);
        }
    }
}

impl Halt for Limit<'_> {
    fn is_due(&self) -> bool {
        self.is_over() || self.stop.is_due()
    }
}
