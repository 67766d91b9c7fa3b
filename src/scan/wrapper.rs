//! Links under which this program acts as a wrapper of rustc or rustdoc.
//!
//! The name of the link selects the mode, so no variable can be inherited by unrelated processes. A link lies in the
//! target directory, at a path that is the same in every run and different for each program of the user that it
//! replaces. That program is recorded in a file next to the link, and the call is forwarded to it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disk;
use crate::model::digest::Digest;

/// File next to the link with the path of the user's own program.
const NEXT: &str = "next";

/// A mode of this program.
pub(super) struct Wrapper {
    /// Name of the link.
    pub(super) name: &'static str,
    /// Directory of the links in the target directory.
    pub(super) dir: &'static str,
}

impl Wrapper {
    /// Links `program`, which is this executable, as a wrapper below `target_dir`, in front of the user's own program
    /// `next`.
    ///
    /// # Errors
    ///
    /// If the link can't be created.
    pub(super) fn link(&self, target_dir: &Path, program: &Path, next: Option<&Path>) -> io::Result<PathBuf> {
        let next = next.map(Path::as_os_str).unwrap_or_default().as_encoded_bytes();
        let dir = target_dir.join(self.dir).join(Digest::of_bytes(next).short(8));
        let link = dir.join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX));
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
        let new = temporary.path().join(self.name);
        make_link(program, &new)?;
        std::fs::rename(&new, &link)?;
        Ok(link)
    }
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

/// Returns the path of the user's own program.
pub(super) fn next_program(own: &Path) -> Option<OsString> {
    let next = disk::read(&own.with_file_name(NEXT)).ok().filter(|next| !next.is_empty())?;
    #[cfg(unix)]
    {
        Some(std::os::unix::ffi::OsStringExt::from_vec(next))
    }
    #[cfg(not(unix))]
    String::from_utf8(next).ok().map(OsString::from)
}

/// Replaces this process with `command` where the system supports it, otherwise runs it.
pub(super) fn replace(command: &mut Command) -> i32 {
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(command);
    #[cfg(not(unix))]
    let error = match command.status() {
        Ok(status) => return status.code().unwrap_or(1),
        Err(error) => error,
    };
    not_run(command, &error)
}

/// Ends this process as another one has ended, with this exit code or by this signal, so that its parent sees no difference.
pub(super) fn end_like(ended: Result<i32, i32>) -> i32 {
    ended.unwrap_or_else(|signal| {
        #[cfg(unix)]
        super::sys::end_by(signal);
        128 + signal
    })
}

/// Reports that `command` could not be run, and returns the exit code for it.
pub(super) fn not_run(command: &Command, error: &io::Error) -> i32 {
    let program = command.get_program().display();
    let _ = writeln!(io::stderr(), "error: could not run `{program}`: {error}");
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRAPPER: Wrapper = Wrapper { name: "genti-x", dir: "genti/x" };

    #[test]
    fn the_path_is_the_same_in_each_run_and_differs_for_each_user_wrapper() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        std::fs::write(&program, "").unwrap();
        let prepare = |next: Option<&str>| WRAPPER.link(dir.path(), &program, next.map(Path::new)).unwrap();
        let plain = prepare(None);
        assert_eq!(prepare(None), plain);
        let chained = prepare(Some("/usr/bin/other"));
        assert_ne!(chained, plain);
        assert_eq!(next_program(&chained), Some(OsString::from("/usr/bin/other")));
        assert_eq!(next_program(&plain), None);
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
            let link = WRAPPER.link(dir.path(), &program, None).unwrap();
            (link.clone(), std::fs::read_to_string(link).unwrap())
        };
        let (link, text) = of("old");
        assert_eq!(text, "old");
        assert_eq!(of("newer"), (link, "newer".to_owned()));
    }
}
