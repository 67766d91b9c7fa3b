//! Handles signals that stop or pause a run.

use std::io;
use std::path::PathBuf;

use genti::pipeline::RunError;
use genti::scan::{Stop, StopReason};

use crate::exit::{CliError, CliResult};
use crate::render::Shell;

/// Argument that makes this program the guard process of a run.
pub(crate) const GUARD: &str = "__guard";

/// Returns the cancellation of this process, which signals trigger: the first stops gracefully, the second kills.
/// Ctrl-Z pauses the run with all its children. Reports why signals can't be handled.
pub(crate) fn stop(shell: &mut Shell) -> CliResult<&'static Stop> {
    set_up().map_err(|error| {
        shell.error(RunError::from(error));
        CliError::Incomplete
    })
}

fn set_up() -> io::Result<&'static Stop> {
    // Not all systems support adopting orphans.
    let mut stop = Stop::adopting_orphans().or_else(|_| Stop::new())?;
    if let Ok(program) = own_program() {
        stop.guard_with(program.clone(), GUARD);
        stop.sandbox_with(program);
    }
    let stop = Box::leak(Box::new(stop));
    listen(stop)?;
    Ok(stop)
}

/// Signals that stop a run. Without handling, each would end the process without a report.
#[cfg(unix)]
const ENDING: [i32; 8] = {
    use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
    [SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU]
};

/// Returns the path of this executable, even if the file has been replaced. With this name, the guard process is not
/// killed by commands that kill processes by name.
#[cfg(target_os = "linux")]
fn own_program() -> io::Result<PathBuf> {
    Ok(PathBuf::from("/proc/self/exe"))
}

#[cfg(not(target_os = "linux"))]
fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

#[cfg(unix)]
fn listen(stop: &'static Stop) -> io::Result<()> {
    use signal_hook::consts::{SIGTSTP, SIGXFSZ};
    let heard = ENDING.into_iter().chain([SIGTSTP]).filter(|signal| !is_ignored(*signal));
    let mut signals = signal_hook::iterator::Signals::new(heard)?;
    if !is_ignored(SIGXFSZ) {
        // With a handler, exceeding the file size limit is a write error instead of ending the process. The signal is
        // not ignored, because children would inherit that.
        signal_hook::flag::register(SIGXFSZ, std::sync::Arc::default())?;
    }
    std::thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            match signal {
                // The default handler returns when the process is continued.
                SIGTSTP => stop.pause(|| {
                    let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
                }),
                signal => stop.stop(StopReason::Signal(signal)),
            }
        }
    })?;
    Ok(())
}

/// Makes waiting for children possible, even if the parent process set SIGCHLD to be ignored, in which case the system
/// would discard their exit status.
#[cfg(unix)]
pub(crate) fn expect_children() -> io::Result<()> {
    use signal_hook::consts::SIGCHLD;
    if is_ignored(SIGCHLD) {
        signal_hook::flag::register(SIGCHLD, std::sync::Arc::default())?;
    }
    Ok(())
}

/// Returns true if the parent process set `signal` to be ignored, like `nohup` does. Always false on systems that don't
/// show it.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}

#[cfg(windows)]
fn listen(stop: &'static Stop) -> io::Result<()> {
    const SIGINT: i32 = 2;
    ctrlc::set_handler(move || stop.stop(StopReason::Signal(SIGINT))).map_err(io::Error::other)
}

/// Does nothing on Windows.
#[cfg(windows)]
pub(crate) fn expect_children() -> io::Result<()> {
    Ok(())
}
