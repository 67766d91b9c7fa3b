//! Wraps rustc so that lint levels can't fail a build whose lints nobody checks.
//!
//! Without this, `#![deny(warnings)]` or `[lints]` would leave tests without a result.
//!
//! Cargo caps the lints of dependencies but has no flag to cap those of workspace members, and flags in the
//! environment would hide the flags of the configuration. So this program runs between cargo and rustc for
//! members, as `RUSTC_WORKSPACE_WRAPPER`, and adds `--cap-lints allow`. It replaces a wrapper set by the user and
//! forwards the call to it.
//!
//! Cargo hashes the path of the wrapper into the names of the files it builds. The path must therefore be the same
//! in every run, and different for each wrapper of the user. It is a link in the target directory, and the name of
//! the link selects this mode, so no variable can be inherited by unrelated processes. The cost is one `exec` per
//! call of rustc.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disk;
use crate::model::digest::Digest;

/// Name of the link under which this program acts as a wrapper.
const NAME: &str = "genti-cap-lints";
/// File next to the link with the path of the user's own wrapper.
const NEXT: &str = "next";

/// Variable that names the wrapper for cargo.
pub(super) const VARIABLE: &str = "RUSTC_WORKSPACE_WRAPPER";

/// Links `program`, which is this executable, as a wrapper below `target_dir`, in front of the user's wrapper
/// `next`.
///
/// # Errors
///
/// If the link can't be created.
pub(super) fn prepare(target_dir: &Path, program: &Path, next: Option<&Path>) -> io::Result<PathBuf> {
    let next = next.map(Path::as_os_str).unwrap_or_default().as_encoded_bytes();
    let dir = target_dir.join("genti/rustc").join(Digest::of_bytes(next).short(8));
    let link = dir.join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX));
    let is_current = disk::read(&dir.join(NEXT)).is_ok_and(|text| text == next);
    if is_current && leads_to(&link, program) {
        return Ok(link);
    }
    std::fs::create_dir_all(&dir)?;
    // Files are replaced atomically because cargo may be using them in another run.
    let new = tempfile::NamedTempFile::new_in(&dir)?;
    new.as_file().write_all(next)?;
    new.persist(dir.join(NEXT)).map_err(|error| error.error)?;
    let temporary = tempfile::tempdir_in(&dir)?;
    let new = temporary.path().join(NAME);
    make_link(program, &new)?;
    std::fs::rename(&new, &link)?;
    Ok(link)
}

#[cfg(unix)]
fn leads_to(link: &Path, program: &Path) -> bool {
    std::fs::read_link(link).is_ok_and(|to| to == program)
}

#[cfg(unix)]
fn make_link(program: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

/// Symbolic links need privileges on these systems. A copy is recognized by its size and modification time.
#[cfg(not(unix))]
fn leads_to(link: &Path, program: &Path) -> bool {
    let of = |path: &Path| path.metadata().and_then(|meta| Ok((meta.len(), meta.modified()?))).ok();
    of(link).is_some_and(|link| Some(link) == of(program))
}

#[cfg(not(unix))]
fn make_link(program: &Path, link: &Path) -> io::Result<()> {
    std::fs::hard_link(program, link).or_else(|_| std::fs::copy(program, link).map(drop))
}

/// Runs rustc if this program was called as its wrapper. `args` begins with the name of this program. Returns the
/// exit code, or `None` if the program was not called as a wrapper.
pub fn wrap_rustc(args: impl IntoIterator<Item = OsString>) -> Option<i32> {
    let mut args = args.into_iter();
    let own = PathBuf::from(args.next()?);
    if own.file_stem() != Some(OsStr::new(NAME)) {
        return None;
    }
    let mut command = match next_wrapper(&own) {
        Some(next) => Command::new(next),
        None => Command::new(args.next()?),
    };
    let args: Vec<_> = args.collect();
    // Cargo also calls rustc to query its version and the properties of the target.
    let is_compilation =
        args.iter().any(|arg| arg == "--crate-name" || arg.as_encoded_bytes().starts_with(b"@"));
    command.args(args);
    if is_compilation {
        // If several caps are given, the lowest one applies.
        command.args(["--cap-lints", "allow"]);
    }
    Some(run(&mut command))
}

/// Returns the path of the user's own wrapper.
fn next_wrapper(own: &Path) -> Option<OsString> {
    let next = disk::read(&own.with_file_name(NEXT)).ok().filter(|next| !next.is_empty())?;
    #[cfg(unix)]
    {
        Some(std::os::unix::ffi::OsStringExt::from_vec(next))
    }
    #[cfg(not(unix))]
    String::from_utf8(next).ok().map(OsString::from)
}

/// Replaces this process with `command` where the system supports it, otherwise runs it.
fn run(command: &mut Command) -> i32 {
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(command);
    #[cfg(not(unix))]
    let error = match command.status() {
        Ok(status) => return status.code().unwrap_or(1),
        Err(error) => error,
    };
    let program = command.get_program().display();
    let _ = writeln!(io::stderr(), "error: could not run `{program}`: {error}");
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_same_in_each_run_and_differs_for_each_user_wrapper() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        std::fs::write(&program, "").unwrap();
        let prepare = |next: Option<&str>| prepare(dir.path(), &program, next.map(Path::new)).unwrap();
        let plain = prepare(None);
        assert_eq!(prepare(None), plain);
        let chained = prepare(Some("/usr/bin/other"));
        assert_ne!(chained, plain);
        assert_eq!(next_wrapper(&chained), Some(OsString::from("/usr/bin/other")));
        assert_eq!(next_wrapper(&plain), None);
        assert!(plain.exists());
        let left = std::fs::read_dir(plain.parent().unwrap()).unwrap().count();
        assert_eq!(left, 2, "nothing temporary is left behind");
    }

    #[test]
    fn a_link_to_another_program_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str| {
            let program = dir.path().join(name);
            std::fs::write(&program, name).unwrap();
            let link = prepare(dir.path(), &program, None).unwrap();
            (link.clone(), std::fs::read_to_string(link).unwrap())
        };
        let (link, text) = of("old");
        assert_eq!(text, "old");
        assert_eq!(of("newer"), (link, "newer".to_owned()));
    }

    #[test]
    fn under_any_other_name_the_program_is_not_a_wrapper() {
        for name in ["cargo-genti", "/usr/bin/rustc", ""] {
            assert_eq!(wrap_rustc([OsString::from(name)]), None);
        }
        assert_eq!(wrap_rustc([]), None);
    }
}
