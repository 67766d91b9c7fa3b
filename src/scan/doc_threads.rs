//! Wraps rustdoc so that the doc tests of each crate get the job tokens that are free when they start.
//!
//! Cargo runs rustdoc once per crate, one after the other, and a step may take many minutes. Tokens taken when the
//! step starts would be too few for the crates that run after other steps have ended, or would be idle while cargo
//! builds. So this program runs between cargo and rustdoc, as `RUSTDOC`: it takes the tokens that are free at this
//! moment, sets the number of threads, and returns the tokens when rustdoc ends. It never waits for a token, since it
//! runs in the slot of cargo, and waiting while holding a token could deadlock. If it is killed, its tokens are lost
//! like those of a killed cargo.
//!
//! If the results of doc tests are cached, genti runs rustdoc in its place, or prints what it printed before
//! (`wrapped_tests.rs`).

use std::ffi::OsString;
use std::process::Command;

use super::pool::Inherited;
use super::wrapped_tests;
use super::wrapper::{Wrapper, end_like, replace};
use crate::model::tool::Tool;

/// The link that cargo calls.
pub(super) const WRAPPER: Wrapper = Wrapper { name: "genti-rustdoc", dir: "genti/rustdoc" };

/// Variable that names rustdoc for cargo.
pub(super) const VARIABLE: &str = "RUSTDOC";

/// Runs rustdoc, which is `next` or the one in `PATH`, and returns its exit code.
pub(super) fn run(next: Option<OsString>, args: Vec<OsString>) -> i32 {
    let mut command = Command::new(next.unwrap_or_else(|| "rustdoc".into()));
    // Long arguments are in a file. Cargo has such ones only for doc tests.
    let is_test = args.iter().any(|arg| arg == "--test" || arg.as_encoded_bytes().starts_with(b"@"));
    command.args(args);
    if !is_test {
        return replace(&mut command);
    }
    // Genti sets the maximum in the variable.
    let most =
        std::env::var(Tool::LIBTEST_THREADS).ok().and_then(|most| most.parse::<usize>().ok()).unwrap_or(1);
    let pool = Inherited::take();
    let tokens = pool.take_free(most.saturating_sub(1));
    command.env(Tool::LIBTEST_THREADS, (1 + tokens.len()).to_string());
    let ended = wrapped_tests::run(&mut command);
    drop(tokens);
    end_like(ended)
}
