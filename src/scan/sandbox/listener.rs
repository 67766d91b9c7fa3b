//! The descriptor through which the kernel asks about the calls of an observed process, and the way it gets here.
//!
//! The helper can't send it: sending is a call that waits for an answer once the filter is installed. So the helper only writes
//! its number, and waits until this process has taken a copy. If this process ends, all copies are closed and the calls fail.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// A call that waits for an answer.
pub(super) type Call = libc::seccomp_notif;

/// Answer to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The kernel executes it.
    Continue,
    /// It fails with this error.
    Fail(i32),
}

/// Wakes the supervisor on the processor that its process used, which makes each call much faster.
const SYNC_WAKE_UP: u64 = 1;

/// Byte that confirms the copy.
const TAKEN: u8 = b'+';

pub(super) struct Listener(OwnedFd);

/// Event at the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A call waits.
    Call,
    /// All processes have ended.
    Ended,
    /// The process that was started has ended, as `done` says.
    Done,
    /// Nothing within the time.
    Nothing,
}

impl Listener {
    /// Takes a copy of the listener of the helper at the other end of `socket`; `None` if it has none, or if `done` becomes readable
    /// first.
    ///
    /// # Errors
    ///
    /// If it can't be copied. The helper then does not start the program.
    pub(super) fn take(socket: OwnedFd, done: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        let mut both = [PollFd::new(&socket, PollFlags::IN), PollFd::from_borrowed_fd(done, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut both, None))?;
        if both[0].revents().is_empty() {
            return Ok(None);
        }
        let mut socket = File::from(socket);
        let mut numbers = [0; 8];
        match socket.read_exact(&mut numbers) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            said => said?,
        }
        let [process, descriptor] = [0, 4]
            .map(|at| i32::from_le_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]));
        let process = Pid::from_raw(process).ok_or(io::ErrorKind::InvalidData)?;
        let process = pidfd_open(process, PidfdFlags::empty())?;
        let copy = pidfd_getfd(&process, descriptor, PidfdGetfdFlags::empty())?;
        let listener = Self(copy);
        // Older kernels don't know it.
        let _ = listener.control(libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP as *mut ());
        socket.write_all(&[TAKEN])?;
        Ok(Some(listener))
    }

    /// Offers the listener `own` of this process, the helper, at the other end of `socket`. Returns when it has been copied.
    ///
    /// # Errors
    ///
    /// If it was not.
    pub(super) fn offer(own: &OwnedFd, socket: OwnedFd) -> io::Result<()> {
        let mut socket = File::from(socket);
        let process = std::process::id().cast_signed();
        socket.write_all(&[process, own.as_raw_fd()].map(i32::to_le_bytes).concat())?;
        let mut byte = [0];
        socket.read_exact(&mut byte)
    }

    /// Waits until something happens, or for `time`.
    pub(super) fn wait(&self, done: Option<BorrowedFd<'_>>, time: Option<Duration>) -> io::Result<Event> {
        let own = PollFd::new(&self.0, PollFlags::IN);
        let mut all: Vec<_> = [Some(own), done.map(|done| PollFd::from_borrowed_fd(done, PollFlags::IN))]
            .into_iter()
            .flatten()
            .collect();
        let time = time.and_then(|time| Timespec::try_from(time).ok());
        rustix::io::retry_on_intr(|| poll(&mut all, time.as_ref()))?;
        let events = all[0].revents();
        Ok(match all.get(1) {
            Some(done) if !done.revents().is_empty() => Event::Done,
            _ if events.contains(PollFlags::IN) => Event::Call,
            _ if !events.is_empty() => Event::Ended,
            _ => Event::Nothing,
        })
    }

    /// Returns the next call; `None` if its process was killed meanwhile.
    pub(super) fn next(&self) -> io::Result<Option<Call>> {
        let mut call = empty_call();
        match self.control(libc::SECCOMP_IOCTL_NOTIF_RECV, (&raw mut call).cast()) {
            Ok(()) => Ok(Some(call)),
            Err(error) if is_gone(&error) || error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns true if the call still waits, so its process is the one that made it.
    pub(super) fn is_waiting(&self, call: &Call) -> bool {
        let mut id = call.id;
        self.control(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, (&raw mut id).cast()).is_ok()
    }

    /// Answers `call`, unless its process was killed meanwhile.
    pub(super) fn answer(&self, call: &Call, answer: Answer) -> io::Result<()> {
        let (error, flags) = match answer {
            Answer::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Answer::Fail(error) => (-error, 0),
        };
        let mut response = libc::seccomp_notif_resp { id: call.id, val: 0, error, flags };
        match self.control(libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw mut response).cast()) {
            Err(error) if !is_gone(&error) => Err(error),
            _ => Ok(()),
        }
    }

    #[expect(unsafe_code, reason = "no library has these controls")]
    fn control(&self, number: libc::Ioctl, argument: *mut ()) -> io::Result<()> {
        // SAFETY: `argument` is what the control with this number takes: a flag, or a pointer to a structure of its type.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), number, argument) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Returns true if the kernel's structures have the size that is known here.
#[expect(unsafe_code, reason = "no library asks the kernel this question")]
pub(super) fn is_available() -> bool {
    let mut sizes = libc::seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
    // SAFETY: the kernel fills a structure of this type.
    let answer = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0 as libc::c_ulong, &raw mut sizes)
    };
    let has = |size: u16, own: usize| usize::from(size) == own;
    answer == 0
        && has(sizes.seccomp_notif, size_of::<libc::seccomp_notif>())
        && has(sizes.seccomp_notif_resp, size_of::<libc::seccomp_notif_resp>())
}

fn empty_call() -> Call {
    let data = libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] };
    Call { id: 0, pid: 0, flags: 0, data }
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOENT)
}
