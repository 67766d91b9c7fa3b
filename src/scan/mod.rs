//! Runs the steps of a plan: processes under one jobserver, lanes, time caps, signals.
//!
//! Knows nothing of formats: what a process left is handed to a function of the caller's, on the thread that
//! ran it, so that nothing is started while finished output waits to be read.

#![expect(clippy::disallowed_methods, reason = "this layer is where processes, threads and the clock live")]

mod environment;
mod executor;
mod launch;
mod pool;
mod process;
mod program;
mod scheduler;
mod stop;
mod version;

pub use environment::Env;
pub use executor::{Ended, Executor, Judge, Judged, Piece, Runs, StepRun};
pub use pool::{Inherited, Pool};
pub use program::{Missing, Programs};
pub use stop::{Stop, StopReason};
pub use version::version;
