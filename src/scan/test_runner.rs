//! Wraps the test programs that cargo-nextest starts, so that the results of single tests can be cached (`wrapped_tests.rs`).
//!
//! cargo-nextest starts each program through the `runner` of cargo's configuration, once per test. Without a runner of the user,
//! this program is one.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::wrapped_tests;
use super::wrapper::{Wrapper, end_like, replace};

/// The link that cargo-nextest calls.
pub(super) const WRAPPER: Wrapper = Wrapper { name: "genti-test-runner", dir: "genti/runner" };

/// Returns the variable that names the runner for the target `triple`.
#[cfg(any(target_os = "linux", test))]
pub(super) fn variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace(['-', '.'], "_"))
}

/// Runs the program that `args` begin with, and returns its exit code. `own` is the path of the link.
pub(super) fn run(own: &Path, args: impl IntoIterator<Item = OsString>) -> Option<i32> {
    let mut args = args.into_iter();
    let mut command = Command::new(args.next()?);
    command.args(args);
    // The test sees its environment as without a wrapper.
    let of_wrapper = std::env::vars_os().filter(|(_, value)| value == own);
    for (name, _) in of_wrapper {
        command.env_remove(name);
    }
    if command.get_args().any(|arg| arg == "--list") {
        // It runs no test.
        return Some(replace(&mut command));
    }
    Some(end_like(wrapped_tests::run(&mut command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_named_as_cargo_names_it() {
        assert_eq!(variable("x86_64-unknown-linux-gnu"), "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER");
        assert_eq!(variable("thumbv8m.main-none-eabi"), "CARGO_TARGET_THUMBV8M_MAIN_NONE_EABI_RUNNER");
    }
}
