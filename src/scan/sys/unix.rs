//! Process groups, signals and `poll`.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::model::task::Exit;

/// How often a child is asked after where the system can't tell.
const TICK: Duration = Duration::from_millis(20);

/// A child that leads a group of its own. Killed and reaped when dropped.
#[derive(Debug)]
pub(in crate::scan) struct Group {
    child: Child,
    id: GroupId,
    /// Readable when the child has ended; `None` where the system has no such thing.
    ended: Option<OwnedFd>,
    is_reaped: bool,
}

impl Group {
    /// Starts `command`, whose output goes to pipes: these are its standard output and its standard error.
    pub(in crate::scan) fn spawn(command: &mut Command) -> io::Result<(Self, [Pipe; 2])> {
        let mut child = command.process_group(0).spawn()?;
        let pipes = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        let id = GroupId(Pid::from_child(&child));
        let group = Self { child, id, ended: super::orphans::pidfd(id.0), is_reaped: false };
        for pipe in pipes.iter().flatten() {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok((group, pipes.map(|pipe| Pipe(pipe.map(File::from)))))
    }

    pub(in crate::scan) fn id(&self) -> GroupId {
        self.id
    }

    /// Whether the child has ended. Its number stays taken until it is reaped.
    pub(in crate::scan) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.id.0), options) {
            Ok(status) => status.is_some(),
            // Somebody else has reaped it: then it has.
            Err(error) => error == Errno::CHILD,
        }
    }

    /// Asks all of the group to end, as Ctrl-C does.
    pub(in crate::scan) fn interrupt(&self) {
        self.ask(Signal::INT);
    }

    /// Asks all of the group to end.
    pub(in crate::scan) fn terminate(&self) {
        self.ask(Signal::TERM);
    }

    /// Kills all of the group.
    pub(in crate::scan) fn kill(&self) {
        self.id.kill();
    }

    /// Takes the exit of a child that has ended.
    pub(in crate::scan) fn reap(&mut self) -> io::Result<Exit> {
        let status = self.child.wait()?;
        self.is_reaped = true;
        Ok(match status.code() {
            Some(code) => Exit::Code(code),
            None => Exit::Signal(status.signal().unwrap_or_default()),
        })
    }

    fn ask(&self, signal: Signal) {
        self.id.signal(signal);
        // What is stopped hears it only then.
        self.id.signal(Signal::CONT);
    }
}

/// Whatever goes wrong on our side, no child outlives its watch.
impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            // There is nobody to tell.
            let _ = self.child.wait();
        }
    }
}

/// The number of a group. As good as its leader is not reaped, or somebody else is left of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scan) struct GroupId(pub(super) Pid);

impl GroupId {
    /// Whether the child that leads the group has a copy of `pipe`.
    pub(in crate::scan) fn holds(self, pipe: &Pipe) -> bool {
        pipe.0.as_ref().is_some_and(|pipe| super::orphans::has_open(self.0, pipe))
    }

    /// Kills all of the group. Whether anybody is left, if only a dead one that is not reaped.
    pub(in crate::scan) fn kill(self) -> bool {
        self.signal(Signal::KILL)
    }

    /// Stops all of the group, as Ctrl-Z does.
    pub(in crate::scan) fn pause(self) {
        self.signal(Signal::TSTP);
    }

    /// Lets it go on.
    pub(in crate::scan) fn resume(self) {
        self.signal(Signal::CONT);
    }

    fn signal(self, signal: Signal) -> bool {
        kill_process_group(self.0, signal).is_ok()
    }
}

/// The end of a pipe that we read. Reading does not block: it fails with `WouldBlock`.
#[derive(Debug)]
pub(in crate::scan) struct Pipe(Option<File>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |pipe| pipe.read(buffer))
    }
}

/// Wakes every [`wait`] that watches it, for good: a pipe that becomes readable and stays so.
#[derive(Debug)]
pub(in crate::scan) struct Waker {
    read: PipeReader,
    write: PipeWriter,
}

impl Waker {
    pub(in crate::scan) fn new() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        rustix::io::ioctl_fionbio(&write, true)?;
        Ok(Self { read, write })
    }

    pub(in crate::scan) fn wake(&self) {
        // A full pipe is readable already.
        let _ = (&self.write).write(b"!");
    }
}

/// Sleeps until the leader of `group` has ended, one of `pipes` can be read or is closed, one of `wakers` was
/// woken, or `timeout` is over. May wake up for nothing.
pub(in crate::scan) fn wait<'a>(
    group: Option<&'a Group>,
    pipes: impl Iterator<Item = &'a Pipe>,
    wakers: impl Iterator<Item = &'a Waker>,
    mut timeout: Option<Duration>,
) -> io::Result<()> {
    let ended = group.and_then(|group| group.ended.as_ref()).map(AsFd::as_fd);
    if group.is_some() && ended.is_none() {
        timeout = Some(timeout.map_or(TICK, |timeout| timeout.min(TICK)));
    }
    let pipes = pipes.filter_map(|pipe| pipe.0.as_ref()).map(AsFd::as_fd);
    let wakers = wakers.map(|waker| waker.read.as_fd());
    let mut fds: Vec<_> = pipes
        .chain(wakers)
        .chain(ended)
        .map(|fd: BorrowedFd<'_>| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    // One that is too long for the system is as good as none.
    let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Lets children have the descriptor `fd`, of a pool of job tokens.
#[expect(unsafe_code, reason = "a descriptor by its number, as the jobserver protocol has it")]
pub(in crate::scan) fn make_inheritable(fd: i32) {
    if fd < 0 {
        return;
    }
    // SAFETY: the client that announced this descriptor keeps it open as long as the pool lives.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    // A failure shows as what it is: the child finds no jobserver and says so.
    let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty());
}
