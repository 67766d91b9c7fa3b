//! Starts a process behind a wall, and learns whether it got there.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IoSlice, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::MemfdFlags;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::observed::Observed;
use super::observer::Observer;
use super::{FAILED, HELPER, Order, READY, Wall};
use crate::scan::runner::{Ending, Invocation};

/// Variables with the directory for temporary files.
const TEMPORARY: [&str; 3] = ["TEMP", "TMP", "TMPDIR"];

/// A process that is started behind a wall.
pub(in crate::scan) struct BehindWall {
    /// Our end of the socket.
    control: File,
    observer: Option<Observer>,
    /// Removed with its content when the process has ended.
    _temporary: tempfile::TempDir,
}

impl BehindWall {
    /// Returns the command that starts `invocation` behind `wall` through `helper`, which is this program.
    ///
    /// # Errors
    ///
    /// If the temporary directory or the socket can't be created.
    pub(in crate::scan) fn prepare(
        helper: &Path,
        invocation: &Invocation,
        wall: &Wall,
    ) -> io::Result<(Command, Self)> {
        // Short, because the paths of sockets are limited to 108 bytes.
        let temporary = tempfile::Builder::new().prefix("genti-").tempdir()?;
        // A link to the directory for temporary files may change.
        let dir = temporary.path().canonicalize()?;
        let mut order = Order { wall: wall.clone(), vars: invocation.vars.clone() };
        order.vars.extend(TEMPORARY.map(|name| (name.into(), dir.clone().into())));
        order.wall.writes.push(dir.clone().into());
        let (own, theirs) = socket_pair()?;
        let observed = wall.is_observed.then(socket_pair).transpose()?;
        send(&own, &order, observed.as_ref().map(|(_, theirs)| theirs))?;
        let libraries =
            invocation.vars.get(OsStr::new("LD_LIBRARY_PATH")).map_or(OsStr::new(""), |dirs| dirs);
        let observer =
            observed.map(|(own, _)| Observer::start(own, wall.clone(), dir, libraries)).transpose()?;
        let mut command = Command::new(helper);
        command.arg(HELPER).arg(&invocation.program).args(&invocation.args);
        // The helper is not behind the wall yet, and the tool's variables can make it run code of the tool.
        command.current_dir(&invocation.dir).env_clear().stdin(Stdio::from(theirs));
        Ok((command, Self { control: own.into(), observer, _temporary: temporary }))
    }

    /// Ends the observer, and returns what it saw. Called when the process has ended, whether or not it was started.
    pub(in crate::scan) fn finish_observer(&mut self) -> Option<Box<Observed>> {
        self.observer.take().map(|observer| Box::new(observer.finish()))
    }

    /// Checks that the program was started behind the wall. Called when the process has ended, as `ending` says.
    ///
    /// # Errors
    ///
    /// If it was not started, unless it had no time for that.
    pub(in crate::scan) fn check(mut self, ending: &Ending) -> io::Result<()> {
        let mut said = Vec::new();
        // The other end is closed, unless the helper has not ended for some reason.
        rustix::io::ioctl_fionbio(&self.control, true)?;
        match self.control.read_to_end(&mut said) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        judge(&said, ending)
    }
}

/// Reads what the helper said before the process ended, as `ending` says.
fn judge(said: &[u8], ending: &Ending) -> io::Result<()> {
    match (said, ending) {
        ([READY, FAILED, rest @ ..] | [FAILED, rest @ ..], _) => Err(failure(rest)),
        ([READY], _) | ([], Ending::TimedOut | Ending::Stopped(_)) => Ok(()),
        _ => Err(io::Error::other("could not set up the sandbox: the helper ended unexpectedly")),
    }
}

/// Returns the error that the helper describes.
fn failure(said: &[u8]) -> io::Error {
    let Some((number, what)) = said.split_first_chunk() else { return io::ErrorKind::UnexpectedEof.into() };
    let error = io::Error::from_raw_os_error(i32::from_le_bytes(*number));
    match String::from_utf8_lossy(what) {
        // The program itself could not be started, as without a wall.
        what if what.is_empty() => error,
        what => io::Error::other(format!("could not set up the sandbox: {what}: {error}")),
    }
}

/// Sends `order` as a file in memory, because it may be larger than the buffer of the socket, which nobody reads yet. Sends the
/// socket of the observer with it.
fn send(socket: &OwnedFd, order: &Order, observer: Option<&OwnedFd>) -> io::Result<()> {
    let mut file = File::from(rustix::fs::memfd_create("genti-sandbox", MemfdFlags::CLOEXEC)?);
    file.write_all(&postcard::to_stdvec(order).map_err(io::Error::other)?)?;
    file.rewind()?;
    let descriptors: Vec<_> = [file.as_fd()].into_iter().chain(observer.map(AsFd::as_fd)).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    // A message has at least one byte.
    rustix::net::sendmsg(socket, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::scan::runner::DeclaredFiles;
    use crate::scan::stop::StopReason;

    #[test]
    fn a_helper_that_says_nothing_has_started_nothing() {
        let invocation = Invocation {
            program: "/bin/false".into(),
            args: Vec::new(),
            vars: BTreeMap::from([("LD_PRELOAD".into(), "/evil.so".into())]),
            dir: "/".into(),
            declared: DeclaredFiles::default(),
            wall: None,
            timeout: None,
        };
        let helper = Path::new("/bin/true");
        let (mut command, behind) = BehindWall::prepare(helper, &invocation, &Wall::default()).unwrap();
        assert_eq!(command.get_envs().count(), 0, "the helper sees no variables of the tool");
        assert!(command.status().unwrap().success());
        drop(command);
        assert!(behind.check(&Ending::Own).is_err());
    }

    #[test]
    fn the_answer_of_the_helper_decides_whether_the_program_was_started() {
        let judge = |said: &[u8], ending: &Ending| judge(said, ending).map_err(|error| error.to_string());
        let stopped = Ending::Stopped(StopReason::MaxDuration);
        for ending in [&Ending::Own, &Ending::TimedOut, &stopped] {
            assert_eq!(judge(b"+", ending), Ok(()));
            let failed = judge(b"-\x01\0\0\0seccomp", ending).unwrap_err();
            assert!(failed.starts_with("could not set up the sandbox: seccomp: "), "{failed}");
            // Error 2: the program does not exist.
            assert!(judge(b"+-\x02\0\0\0", ending).unwrap_err().starts_with("No such file"));
            assert!(judge(b"?", ending).is_err());
            assert_eq!(judge(b"", ending).is_ok(), *ending != Ending::Own);
        }
    }
}
