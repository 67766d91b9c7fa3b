//! What a user or the system asks of a run by signals: to end, and to pause.

use std::io;
use std::path::PathBuf;

use genti::scan::{Stop, StopReason};

/// The argument under which this program stands guard over a run of its own, and does nothing else.
pub(crate) const GUARD: &str = "__guard";

/// The switch of this process, turned by signals: the first ends what runs, kindly, the second at once. Ctrl-Z
/// stops it with all its children.
pub(crate) fn stop() -> io::Result<&'static Stop> {
    // Where orphans can't be adopted, it goes without.
    let mut stop = Stop::adopting_orphans().or_else(|_| Stop::new())?;
    if let Ok(program) = own_program() {
        stop.guard_with(program, GUARD);
    }
    let stop = Box::leak(Box::new(stop));
    listen(stop)?;
    Ok(stop)
}

/// What ends a run that hears it. Each of them would end the process at once otherwise, without a report.
#[cfg(unix)]
const ENDING: [i32; 8] = {
    use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
    [SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU]
};

/// This program, even if another one is at its place by now. Under this name, it is not killed along with us by who kills
/// by name.
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
        // A file that may not become longer is an error of the write then, not the end of the run. Not ignored: what
        // is ignored stays so in children.
        signal_hook::flag::register(SIGXFSZ, std::sync::Arc::default())?;
    }
    std::thread::Builder::new().spawn(move || {
        for signal in signals.forever() {
            match signal {
                // It comes back when we are to go on.
                SIGTSTP => stop.pause(|| {
                    let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
                }),
                signal => stop.stop(StopReason::Signal(signal)),
            }
        }
    })?;
    Ok(())
}

/// Makes it possible to wait for children: who started us may have wanted their ends ignored, and then the
/// system keeps none.
#[cfg(unix)]
pub(crate) fn expect_children() -> io::Result<()> {
    use signal_hook::consts::SIGCHLD;
    if is_ignored(SIGCHLD) {
        signal_hook::flag::register(SIGCHLD, std::sync::Arc::default())?;
    }
    Ok(())
}

/// Whether who started us wants `signal` ignored, as `nohup` does. No, where the system does not tell.
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

/// There is nothing to do.
#[cfg(windows)]
pub(crate) fn expect_children() -> io::Result<()> {
    Ok(())
}
