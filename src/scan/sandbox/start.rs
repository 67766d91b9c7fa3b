//! Starts a process behind a wall, and learns whether it got there.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType};

use super::{HELPER, Wall};
use crate::scan::runner::Invocation;

/// Variables with the directory for temporary files.
const TEMPORARY: [&str; 3] = ["TEMP", "TMP", "TMPDIR"];

/// Largest description of a wall. It must fit into the buffer of a socket, since it is sent before the helper reads it.
const MOST: usize = 64 << 10;

/// A process that is started behind a wall.
pub(in crate::scan) struct BehindWall {
    /// Our end of the socket.
    control: File,
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
        let mut wall = wall.clone();
        wall.writes.push(temporary.path().to_path_buf().into());
        let wall = postcard::to_stdvec(&wall).map_err(io::Error::other)?;
        if wall.len() > MOST {
            return Err(io::Error::other("the sandbox has too many paths"));
        }
        let (own, theirs) = socket_pair()?;
        let mut control = File::from(own);
        control.write_all(&wall)?;
        rustix::net::shutdown(&control, Shutdown::Write)?;
        let mut command = Command::new(helper);
        command.arg(HELPER).arg(&invocation.program).args(&invocation.args);
        command.current_dir(&invocation.dir).env_clear().envs(&invocation.vars);
        command.envs(TEMPORARY.map(|name| (name, temporary.path()))).stdin(Stdio::from(theirs));
        Ok((command, Self { control, _temporary: temporary }))
    }

    /// Checks that the program was started behind the wall. Called when the process has ended.
    ///
    /// # Errors
    ///
    /// If it was not.
    pub(in crate::scan) fn check(mut self) -> io::Result<()> {
        let mut said = Vec::new();
        // If the program did start, or the helper was killed, nothing was written and the other end is closed.
        rustix::io::ioctl_fionbio(&self.control, true)?;
        match self.control.read_to_end(&mut said) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        let Some((number, what)) = said.split_first_chunk() else { return Ok(()) };
        let error = io::Error::from_raw_os_error(i32::from_le_bytes(*number));
        if what.is_empty() {
            // The program itself could not be started, as without a wall.
            return Err(error);
        }
        let what = String::from_utf8_lossy(what);
        Err(io::Error::other(format!("could not set up the sandbox: {what}: {error}")))
    }
}

fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}
