//! Wraps rustc so that lint levels can't fail a build whose lints nobody checks.
//!
//! Without this, `#![deny(warnings)]` or `[lints]` would leave tests without a result.
//!
//! Cargo caps the lints of dependencies but has no flag to cap those of workspace members, and flags in the
//! environment would hide the flags of the configuration. So this program runs between cargo and rustc for
//! members, as `RUSTC_WORKSPACE_WRAPPER`, and adds `--cap-lints allow`. It replaces a wrapper set by the user and
//! forwards the call to it.
//!
//! Cargo hashes the path of the wrapper into the names of the files it builds, so the path must be the same in every
//! run. The cost is one `exec` per call of rustc.

use std::ffi::OsString;
use std::process::Command;

use super::wrapper::Wrapper;

/// The link that cargo calls.
pub(super) const WRAPPER: Wrapper = Wrapper { name: "genti-cap-lints", dir: "genti/rustc" };

/// Variable that names the wrapper for cargo.
pub(super) const VARIABLE: &str = "RUSTC_WORKSPACE_WRAPPER";

/// Returns the command that runs rustc, through the user's own wrapper `next` if there is one. `args` begins with the
/// path of rustc.
pub(super) fn command(next: Option<OsString>, args: impl IntoIterator<Item = OsString>) -> Option<Command> {
    let mut args = args.into_iter();
    let mut command = Command::new(match next {
        Some(next) => next,
        None => args.next()?,
    });
    let args: Vec<_> = args.collect();
    // Cargo also calls rustc to query its version and the properties of the target.
    let is_compilation =
        args.iter().any(|arg| arg == "--crate-name" || arg.as_encoded_bytes().starts_with(b"@"));
    command.args(args);
    if is_compilation {
        // If several caps are given, the lowest one applies.
        command.args(["--cap-lints", "allow"]);
    }
    Some(command)
}
