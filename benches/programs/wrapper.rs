//! Wrapper for rustc and rustdoc that records when they start and end, for `compilers.py`.
//!
//! Each event is a line in the file that `COMPILERS_LOG` names: nanoseconds since 1970, `start` or `end`, and the
//! process id.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    let mut args: Vec<_> = std::env::args_os().skip(1).collect();
    // As RUSTC_WRAPPER, this program gets the compiler as its first argument; as RUSTDOC it does not.
    let is_wrapper = args.first().is_some_and(|first| !first.to_string_lossy().starts_with(['-', '@']));
    let rustdoc = std::env::var_os("COMPILERS_RUSTDOC").filter(|_| !is_wrapper);
    let program = rustdoc.unwrap_or_else(|| args.remove(0));
    record("start");
    let status = Command::new(program).args(args).status();
    record("end");
    ExitCode::from(status.ok().and_then(|status| status.code()).map_or(101, |code| code as u8))
}

fn record(event: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_nanos();
    let path = std::env::var_os("COMPILERS_LOG").expect("COMPILERS_LOG is set");
    let mut log = OpenOptions::new().append(true).create(true).open(path).expect("the log can be opened");
    // A single write, so that lines of different processes don't mix.
    let line = format!("{now} {event} {}\n", std::process::id());
    log.write_all(line.as_bytes()).expect("the log can be written");
}
