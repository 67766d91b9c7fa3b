//! A wrapper for rustc and rustdoc that notes when each starts and ends, for `compilers.py`: a line for each in the
//! file `COMPILERS_LOG` names, with the nanoseconds since 1970 and the number of the process.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    let mut args: Vec<_> = std::env::args_os().skip(1).collect();
    // As RUSTC_WRAPPER, it is told whom to run; as RUSTDOC it is not.
    let is_wrapper = args.first().is_some_and(|first| !first.to_string_lossy().starts_with(['-', '@']));
    let documents = std::env::var_os("COMPILERS_RUSTDOC").filter(|_| !is_wrapper);
    let program = documents.unwrap_or_else(|| args.remove(0));
    note("start");
    let status = Command::new(program).args(args).status();
    note("end");
    ExitCode::from(status.ok().and_then(|status| status.code()).map_or(101, |code| code as u8))
}

fn note(what: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let path = std::env::var_os("COMPILERS_LOG").expect("COMPILERS_LOG");
    let mut log = OpenOptions::new().append(true).create(true).open(path).expect("a log");
    // One write: lines of several processes don't mix.
    let line = format!("{now} {what} {}\n", std::process::id());
    log.write_all(line.as_bytes()).expect("a line in the log");
}
