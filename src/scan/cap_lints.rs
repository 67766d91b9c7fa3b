//! Builds that judge no lints must not fail by one: `#![deny(warnings)]` or `[lints]` would leave tests without a result.
//!
//! Cargo caps the lints of dependencies, and has no flag to do so for members. Flags in the environment would hide those of
//! the configuration. So this program stands between cargo and rustc for members, as `RUSTC_WORKSPACE_WRAPPER`, and adds
//! `--cap-lints allow`. It runs in place of a wrapper that the user has, and passes the call on to that one.
//!
//! Cargo hashes the path of the wrapper into the names of what it builds, so the path must be the same in every run, and
//! another one for another wrapper of the user's. It is a link in the target directory, and how it is called says what to do:
//! no variable can be inherited by a process that it is not meant for. It costs one `exec` a call of rustc.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disk;
use crate::model::digest::Digest;

/// The name under which this program is a wrapper.
const NAME: &str = "genti-cap-lints";
/// The file beside it that names the user's own wrapper.
const NEXT: &str = "next";

/// The variable that names the wrapper to cargo.
pub(super) const VARIABLE: &str = "RUSTC_WORKSPACE_WRAPPER";

/// Makes `program`, which is this one, available as a wrapper below `target_dir`, in front of the user's wrapper `next`.
///
/// # Errors
///
/// If the link can't be made.
pub(super) fn prepare(target_dir: &Path, program: &Path, next: Option<&Path>) -> io::Result<PathBuf> {
    let next = next.map(Path::as_os_str).unwrap_or_default().as_encoded_bytes();
    let dir = target_dir.join("genti/rustc").join(Digest::of_bytes(next).short(8));
    let link = dir.join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX));
    let is_right = disk::read(&dir.join(NEXT)).is_ok_and(|text| text == next);
    if is_right && leads_to(&link, program) {
        return Ok(link);
    }
    std::fs::create_dir_all(&dir)?;
    // Each is put in place at once, since a cargo of another run may be using it.
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

/// A symbolic link needs privileges there: a copy has the size and the time of what it is a copy of.
#[cfg(not(unix))]
fn leads_to(link: &Path, program: &Path) -> bool {
    let of = |path: &Path| path.metadata().and_then(|meta| Ok((meta.len(), meta.modified()?))).ok();
    of(link).is_some_and(|link| Some(link) == of(program))
}

#[cfg(not(unix))]
fn make_link(program: &Path, link: &Path) -> io::Result<()> {
    std::fs::hard_link(program, link).or_else(|_| std::fs::copy(program, link).map(drop))
}

/// Runs rustc if this program was called as a wrapper of it, with the arguments `args`, its own name first. The exit code;
/// `None` if it was called for something else.
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
    // Cargo also asks for the version, and what the target is like.
    let compiles = args.iter().any(|arg| arg == "--crate-name" || arg.as_encoded_bytes().starts_with(b"@"));
    command.args(args);
    if compiles {
        // Of several caps, the lowest holds.
        command.args(["--cap-lints", "allow"]);
    }
    Some(run(&mut command))
}

/// The user's own wrapper.
fn next_wrapper(own: &Path) -> Option<OsString> {
    let next = disk::read(&own.with_file_name(NEXT)).ok().filter(|next| !next.is_empty())?;
    #[cfg(unix)]
    {
        Some(std::os::unix::ffi::OsStringExt::from_vec(next))
    }
    #[cfg(not(unix))]
    String::from_utf8(next).ok().map(OsString::from)
}

/// Becomes `command`, where the system can do that.
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
    fn the_path_is_the_same_in_each_run_and_another_one_for_another_wrapper() {
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
    fn a_link_to_another_program_is_made_again() {
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
    fn under_any_other_name_it_is_no_wrapper() {
        for name in ["cargo-genti", "/usr/bin/rustc", ""] {
            assert_eq!(wrap_rustc([OsString::from(name)]), None);
        }
        assert_eq!(wrap_rustc([]), None);
    }
}
