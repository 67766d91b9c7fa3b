//! Child processes on Unix: process groups, signals and `poll`.

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

/// Polling interval on systems that don't report the end of a child.
const TICK: Duration = Duration::from_millis(20);

/// A child that leads a process group. Killed and reaped when dropped.
#[derive(Debug)]
pub(in crate::scan) struct Group {
    child: Child,
    id: GroupId,
    /// Readable when the child has ended. `None` if the system doesn't support it.
    ended: Option<OwnedFd>,
    is_reaped: bool,
}

impl Group {
    /// Starts `command` and returns the pipes of its standard output and standard error.
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

    /// Returns whether the child has ended. Its process id is not reused until it is reaped.
    pub(in crate::scan) fn has_ended(&self) -> bool {
        has_child_ended(self.id.0)
    }

    /// Asks all processes of the group to exit, like Ctrl-C.
    pub(in crate::scan) fn interrupt(&self) {
        self.request_exit(Signal::INT);
    }

    /// Asks all processes of the group to exit.
    pub(in crate::scan) fn terminate(&self) {
        self.request_exit(Signal::TERM);
    }

    /// Kills all processes of the group.
    pub(in crate::scan) fn kill(&self) {
        self.id.kill();
    }

    /// Reaps a child that has ended and returns its exit status.
    pub(in crate::scan) fn reap(&mut self) -> io::Result<Exit> {
        let status = self.child.wait()?;
        self.is_reaped = true;
        Ok(match status.code() {
            Some(code) => Exit::Code(code),
            None => Exit::Signal(status.signal().unwrap_or_default()),
        })
    }

    fn request_exit(&self, signal: Signal) {
        self.id.signal(signal);
        // A suspended process receives the signal only after it is resumed.
        self.id.signal(Signal::CONT);
    }
}

/// Ensures that the child never outlives its watch, even if an error occurs.
impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            // Errors can't be reported here.
            let _ = self.child.wait();
        }
    }
}

/// Returns whether our child with the process id `id` has ended.
pub(in crate::scan) fn has_ended(id: u32) -> bool {
    i32::try_from(id).ok().and_then(Pid::from_raw).is_none_or(has_child_ended)
}

fn has_child_ended(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(pid), options) {
        Ok(status) => status.is_some(),
        // It was reaped, so it has ended.
        Err(error) => error == Errno::CHILD,
    }
}

/// Id of a process group. Valid until the leader is reaped and no process of the group is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scan) struct GroupId(pub(super) Pid);

impl GroupId {
    /// Returns the process id of the leader.
    pub(in crate::scan) fn number(self) -> u32 {
        self.0.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns whether the leader of the group has a copy of `pipe`.
    pub(in crate::scan) fn holds(self, pipe: &Pipe) -> bool {
        pipe.0.as_ref().is_some_and(|pipe| super::orphans::has_open(self.0, pipe))
    }

    /// Kills all processes of the group. Returns whether any are left, including dead ones that are not reaped.
    pub(in crate::scan) fn kill(self) -> bool {
        self.signal(Signal::KILL)
    }

    /// Suspends all processes of the group, like Ctrl-Z.
    pub(in crate::scan) fn pause(self) {
        self.signal(Signal::TSTP);
    }

    /// Resumes the group.
    pub(in crate::scan) fn resume(self) {
        self.signal(Signal::CONT);
    }

    fn signal(self, signal: Signal) -> bool {
        kill_process_group(self.0, signal).is_ok()
    }
}

/// Reading end of a pipe. Reading does not block but fails with `WouldBlock`.
#[derive(Debug)]
pub(in crate::scan) struct Pipe(Option<File>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |pipe| pipe.read(buffer))
    }
}

/// Wakes every [`wait`] that watches it, permanently, by making a pipe readable.
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
        // If the pipe is full, it is already readable.
        let _ = (&self.write).write(b"!");
    }
}

/// Sleeps until the leader of `group` has ended, one of `pipes` is readable or closed, one of `wakers` was woken,
/// or `timeout` has elapsed. Spurious wake-ups are possible.
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
    // A timeout too long for the system is treated as no timeout.
    let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes the descriptor `fd` of a jobserver inheritable by children.
#[expect(unsafe_code, reason = "a descriptor by its number, as the jobserver protocol has it")]
pub(in crate::scan) fn make_inheritable(fd: i32) {
    if fd < 0 {
        return;
    }
    // SAFETY: the client that announced this descriptor keeps it open as long as the pool lives.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    // If this fails, the child reports that it finds no jobserver.
    let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty());
}

/// Returns true if there is a named pipe at `path`.
pub(in crate::scan) fn is_named_pipe(path: &std::path::Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|meta| meta.file_type().is_fifo())
}

/// Ends this process by the signal with this number, if that is possible.
pub(in crate::scan) fn end_by(number: i32) {
    if let Some(signal) = Signal::from_named_raw(number) {
        // If it fails, the caller exits with a code.
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
    }
}

/// Returns the name of a signal, or its number if the name is unknown.
pub fn signal_name(number: i32) -> String {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    let name = names.into_iter().find(|(signal, _)| signal.as_raw() == number);
    name.map_or_else(|| format!("signal {number}"), |(_, name)| name.to_owned())
}
