//! Injects the faults in the table of `docs/faults.md` into runs of the binary in small workspaces.
//!
//! `cargo test --test faults` prints the table with a mark for each row. A fault that can't be injected on this machine is
//! marked as not tried, with the reason. `GENTI_TEST=full` runs the long tests at full length.

#![cfg_attr(
    target_os = "linux",
    expect(clippy::disallowed_methods, reason = "tests start processes and read files")
)]

#[cfg(target_os = "linux")]
mod suite;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    suite::main()
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::print_stdout, reason = "this is the harness")]
fn main() -> ExitCode {
    println!("not tried: faults can be injected on Linux only");
    ExitCode::SUCCESS
}
