//! Child processes on Windows: job objects, Ctrl-Break, and polling of pipes.

#![expect(unsafe_code, reason = "the standard library knows no job objects and no pipe that does not block")]

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_BROKEN_PIPE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, GetCurrentProcess, WaitForSingleObject,
};

use crate::model::task::Exit;

/// Polling interval for pipes and wakers.
const TICK: Duration = Duration::from_millis(5);

/// A child and all its descendants. Killed when dropped.
#[derive(Debug)]
pub(in crate::scan) struct Group {
    child: Child,
    job: Job,
}

impl Group {
    /// Starts `command` and returns the pipes of its standard output and standard error.
    pub(in crate::scan) fn spawn(command: &mut Command) -> io::Result<(Self, [Pipe; 2])> {
        let job = Job::new()?;
        let mut child = command.creation_flags(CREATE_NEW_PROCESS_GROUP).spawn()?;
        let pipes = [child.stdout.take().map(OwnedHandle::from), child.stderr.take().map(OwnedHandle::from)];
        let mut group = Self { child, job };
        // Processes that the child starts before this line belong only to the job of the whole run, and end with it.
        if let Err(error) = group.job.assign(group.child.as_raw_handle()) {
            // Fails if the child has already ended.
            if !group.has_ended() {
                let _ = group.child.kill();
                return Err(error);
            }
        }
        Ok((group, pipes.map(|pipe| Pipe(pipe.map(File::from)))))
    }

    pub(in crate::scan) fn id(&self) -> GroupId {
        GroupId(self.child.id())
    }

    /// Returns true if the child has ended.
    pub(in crate::scan) fn has_ended(&self) -> bool {
        wait_for(self.child.as_raw_handle(), Duration::ZERO)
    }

    /// Asks all processes of the group to exit.
    pub(in crate::scan) fn interrupt(&self) {
        // SAFETY: takes two numbers. Fails without a console, which leaves nothing to do.
        unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.child.id()) };
    }

    /// Same as [`Group::interrupt`], because there is no other way to ask.
    pub(in crate::scan) fn terminate(&self) {
        self.interrupt();
    }

    /// Kills the child and all its descendants.
    pub(in crate::scan) fn kill(&self) {
        // SAFETY: the handle is open as long as `self`. It can't fail for a job that we created.
        unsafe { TerminateJobObject(self.job.0.as_raw_handle(), 1) };
    }

    /// Reaps a child that has ended and returns its exit status.
    pub(in crate::scan) fn reap(&mut self) -> io::Result<Exit> {
        Ok(Exit::Code(self.child.wait()?.code().unwrap_or_default()))
    }
}

/// Returns false: the end of a child is noticed by its handle alone.
pub(in crate::scan) fn has_ended(_: u32) -> bool {
    false
}

/// Process id of a child. May be reused after the child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scan) struct GroupId(u32);

impl GroupId {
    /// Returns the process id of the child.
    pub(in crate::scan) fn number(self) -> u32 {
        self.0
    }

    /// Returns false, because genti does not know the open files of other processes on Windows.
    pub(in crate::scan) fn holds(self, _: &Pipe) -> bool {
        false
    }

    /// Returns false, because killing a job leaves nothing behind.
    pub(in crate::scan) fn kill(self) -> bool {
        false
    }
}

/// Job that contains this process and everything it starts.
#[derive(Debug)]
pub(in crate::scan) struct Orphans(());

impl Orphans {
    /// Makes everything that this process starts end with it.
    pub(in crate::scan) fn adopt() -> io::Result<Self> {
        let job = Job::new()?;
        // SAFETY: has no arguments.
        job.assign(unsafe { GetCurrentProcess() })?;
        // Closed by the system when this process ends. Closing it earlier would kill this process.
        std::mem::forget(job);
        Ok(Self(()))
    }

    /// Does nothing, because jobs leave no orphans.
    pub(in crate::scan) fn sweep(&self, _: &[GroupId], _: bool) -> bool {
        false
    }
}

/// A job object. Its processes are killed when it is dropped.
#[derive(Debug)]
struct Job(OwnedHandle);

impl Job {
    fn new() -> io::Result<Self> {
        // SAFETY: neither attributes nor a name are needed.
        let handle = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle was just created and has no other owner.
        let job = Self(unsafe { OwnedHandle::from_raw_handle(handle) });
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        // SAFETY: the pointer and the size match the structure for this class of information.
        let is_set = unsafe {
            SetInformationJobObject(
                job.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                ptr::from_ref(&limits).cast(),
                size_of_val(&limits) as u32,
            )
        };
        if is_set == 0 { Err(io::Error::last_os_error()) } else { Ok(job) }
    }

    fn assign(&self, process: RawHandle) -> io::Result<()> {
        // SAFETY: both handles are open.
        match unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), process) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

/// Reading end of a pipe. Reading does not block but fails with `WouldBlock`.
#[derive(Debug)]
pub(in crate::scan) struct Pipe(Option<File>);

impl Pipe {
    /// Returns the number of readable bytes, or `Ok(None)` at the end.
    fn available(&self) -> io::Result<Option<usize>> {
        let Some(pipe) = &self.0 else { return Ok(None) };
        let mut available = 0;
        let (no, none) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the handle is open, there is no buffer to be filled, and the count outlives the call.
        let ok =
            unsafe { PeekNamedPipe(pipe.as_raw_handle(), ptr::null_mut(), 0, no, &raw mut available, none) };
        if ok != 0 {
            return Ok(Some(available as usize));
        }
        let error = io::Error::last_os_error();
        let is_end = error.raw_os_error() == Some(ERROR_BROKEN_PIPE as i32);
        if is_end { Ok(None) } else { Err(error) }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.available()?, &mut self.0) {
            (None, _) | (_, None) => Ok(0),
            (Some(0), _) => Err(ErrorKind::WouldBlock.into()),
            (Some(len), Some(pipe)) => {
                let len = len.min(buffer.len());
                pipe.read(&mut buffer[..len])
            }
        }
    }
}

/// Does nothing, because every [`wait`] polls.
#[derive(Debug)]
pub(in crate::scan) struct Waker(());

impl Waker {
    pub(in crate::scan) fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    pub(in crate::scan) fn wake(&self) {}
}

/// Sleeps until the leader of `group` has ended, one of `pipes` is readable or closed, or `timeout` has elapsed,
/// but only for a short time. Spurious wake-ups are possible.
pub(in crate::scan) fn wait<'a>(
    group: Option<&'a Group>,
    mut pipes: impl Iterator<Item = &'a Pipe>,
    _: impl Iterator<Item = &'a Waker>,
    timeout: Option<Duration>,
) -> io::Result<()> {
    let has_news = pipes.any(|pipe| !matches!(pipe.available(), Ok(Some(0))));
    let timeout = if has_news { Duration::ZERO } else { timeout.map_or(TICK, |timeout| timeout.min(TICK)) };
    match group {
        Some(group) => {
            wait_for(group.child.as_raw_handle(), timeout);
        }
        None => std::thread::sleep(timeout),
    }
    Ok(())
}

/// Waits until the process has ended or `timeout` has elapsed. Returns whether it has ended.
fn wait_for(process: RawHandle, timeout: Duration) -> bool {
    // SAFETY: the handle is open.
    unsafe { WaitForSingleObject(process, timeout.as_millis() as u32) == WAIT_OBJECT_0 }
}

/// Does nothing, because a jobserver is a named semaphore.
pub(in crate::scan) fn make_inheritable(_: i32) {}

/// Returns false: a jobserver is not a file on Windows.
pub(in crate::scan) fn is_named_pipe(_: &std::path::Path) -> bool {
    false
}

/// An ancestor of this process. Never constructed on Windows.
#[derive(Debug)]
pub(in crate::scan) struct Ancestor(Infallible);

impl Ancestor {
    pub(in crate::scan) fn name(&self) -> Option<&str> {
        match self.0 {}
    }

    pub(in crate::scan) fn variables(&self) -> std::iter::Empty<&[u8]> {
        match self.0 {}
    }
}

/// Returns no ancestors: there is no implementation for Windows.
pub(in crate::scan) fn ancestors() -> Vec<Ancestor> {
    Vec::new()
}

/// Returns `None`, because the start time of a process, without which its id says nothing, is not known here.
pub(in crate::scan) fn name_of_process(_: u32) -> Option<String> {
    None
}

/// Does nothing, because no process has a name here.
pub(in crate::scan) fn kill_named(_: &str) {}

/// Returns `None`, because no name is unique over time.
pub(in crate::scan) fn own_name() -> Option<String> {
    None
}

/// Not needed, because the job object ends with this process.
#[derive(Debug)]
pub(in crate::scan) struct Guard(Infallible);

impl Guard {
    pub(in crate::scan) fn start(_: &mut Command) -> io::Result<Self> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(in crate::scan) fn note_starting(&self, _: usize) {
        match self.0 {}
    }

    pub(in crate::scan) fn note(&self, _: usize, _: Option<GroupId>) {
        match self.0 {}
    }

    pub(in crate::scan) fn ledger(&self) -> io::Result<Ledger> {
        match self.0 {}
    }

    pub(in crate::scan) fn id(&self) -> GroupId {
        match self.0 {}
    }
}

/// Not needed, because there is no guard.
#[derive(Debug)]
pub(in crate::scan) struct Ledger(Infallible);

impl Ledger {
    pub(in crate::scan) fn note_tokens(&self, _: usize) {
        match self.0 {}
    }
}

/// Does nothing, because no guard is ever started.
pub fn stand_guard() {}

/// Processes don't end by signals on this system.
pub fn signal_name(number: i32) -> String {
    format!("signal {number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::doing::Watcher;
    use crate::scan::process::{self, Limits};
    use crate::scan::runner::{Ending, FinishedProcess};
    use crate::scan::stop::Stop;

    fn cmd(script: &str, timeout: Option<Duration>) -> FinishedProcess {
        let mut command = Command::new("cmd");
        process::run(
            command.args(["/D", "/C", script]),
            Limits { timeout, ..Limits::default() },
            &Stop::new().unwrap(),
            None,
            &mut Watcher::none(),
        )
        .unwrap()
    }

    #[test]
    fn more_than_a_pipe_holds_is_read() {
        let finished = cmd("(for /L %i in (1,1,20000) do @echo 0123456789) & exit 7", None);
        assert_eq!((finished.stdout.len(), finished.exit), (20_000 * 12, Exit::Code(7)));
    }

    #[test]
    fn a_process_over_its_time_limit_is_ended() {
        assert_eq!(cmd("ping -n 600 127.0.0.1", Some(Duration::from_millis(100))).ending, Ending::TimedOut);
    }

    #[test]
    fn processes_left_behind_are_noticed_and_ended() {
        let finished = cmd("start /B ping -n 600 127.0.0.1 & echo hi", None);
        assert!(finished.leaky && finished.ending == Ending::Own);
    }
}
