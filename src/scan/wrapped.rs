//! Recognizes the modes in which this program is called in front of another one.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::wrapper::{Wrapper, next_program, replace};
use super::{cap_lints, doc_threads, test_runner};

/// Runs rustc, rustdoc or a test if this program was called as a wrapper, or the program of a tool if it was called to set up a
/// sandbox. `args` begins with the name of this program. Returns the exit code, or `None` if it was called in no such mode.
pub fn run_as_wrapper(args: impl IntoIterator<Item = OsString>) -> Option<i32> {
    let args: Vec<_> = args.into_iter().collect();
    #[cfg(target_os = "linux")]
    if let Some(code) = super::sandbox::run_as_helper(&args) {
        return Some(code);
    }
    let mut args = args.into_iter();
    let own = PathBuf::from(args.next()?);
    let is_called = |wrapper: &Wrapper| own.file_stem() == Some(OsStr::new(wrapper.name));
    if is_called(&cap_lints::WRAPPER) {
        return cap_lints::command(next_program(&own), args).map(|mut command| replace(&mut command));
    }
    if is_called(&test_runner::WRAPPER) {
        return test_runner::run(&own, args);
    }
    is_called(&doc_threads::WRAPPER).then(|| doc_threads::run(next_program(&own), args.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_any_other_name_the_program_is_not_a_wrapper() {
        for name in ["cargo-genti", "/usr/bin/rustc", ""] {
            assert_eq!(run_as_wrapper([OsString::from(name)]), None);
        }
        assert_eq!(run_as_wrapper([]), None);
    }
}
