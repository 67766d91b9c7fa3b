//! Guard process that notices when this process is gone, kills the groups it leaves behind, and returns its job
//! tokens to an inherited pool.
//!
//! After a SIGKILL this process can't end its children, and having the system do it would require code between
//! `fork` and `exec`. Instead, a file lists the live groups, and a guard process shares this file. The guard
//! sleeps on a pipe whose other end is held by this process, so nothing wakes it as long as this process lives.

use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Pid;

use super::GroupId;
use crate::scan::pool::Inherited;

/// Handle of the guard. The guard is stopped when this is dropped.
#[derive(Debug)]
pub(in crate::scan) struct Guard {
    process: Child,
    /// Entries of 4 bytes: the number of children being started, the number of tokens held, and the process ids of
    /// the groups, with 0 for empty slots.
    ledger: Ledger,
    /// Our end of the pipe that the guard watches.
    alive_pipe: Option<PipeReader>,
}

impl Guard {
    /// Starts `command`, which must call [`stand_guard`].
    pub(in crate::scan) fn start(command: &mut Command) -> io::Result<Self> {
        let ledger = super::orphans::shared_file()?;
        let (alive_pipe, guard_end) = io::pipe()?;
        // The guard has a group of its own, so killing our group doesn't kill it.
        command
            .process_group(0)
            .arg0("genti-guard")
            .stdin(ledger.try_clone()?)
            .stdout(guard_end)
            .stderr(Stdio::null());
        Ok(Self { process: command.spawn()?, ledger: Ledger(ledger), alive_pipe: Some(alive_pipe) })
    }

    /// Records the number of children that are being started and have no known process id.
    pub(in crate::scan) fn note_starting(&self, count: usize) {
        self.ledger.write(STARTING, count as i32);
    }

    /// Records the group in the slot `place`, or clears the slot.
    pub(in crate::scan) fn note(&self, slot: usize, group: Option<GroupId>) {
        self.ledger.write(GROUPS + slot as u64, group.map_or(0, |group| group.0.as_raw_nonzero().get()));
    }

    /// Returns a handle for updating the ledger.
    pub(in crate::scan) fn ledger(&self) -> io::Result<Ledger> {
        self.ledger.0.try_clone().map(Ledger)
    }

    pub(in crate::scan) fn id(&self) -> GroupId {
        GroupId(Pid::from_child(&self.process))
    }
}

/// File shared with the guard that tells it what to clean up.
#[derive(Debug)]
pub(in crate::scan) struct Ledger(File);

/// Index of the number of children being started.
const STARTING: u64 = 0;
/// Index of the number of tokens.
const TOKENS: u64 = 1;
/// Index of the first group.
const GROUPS: u64 = 2;

impl Ledger {
    /// Records the number of tokens held.
    pub(in crate::scan) fn note_tokens(&self, count: usize) {
        self.write(TOKENS, i32::try_from(count).unwrap_or(i32::MAX));
    }

    /// Writes one entry. Errors are ignored, because a run with an incomplete ledger is better than none.
    fn write(&self, at: u64, number: i32) {
        let _ = self.0.write_all_at(&number.to_le_bytes(), at * 4);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.alive_pipe = None;
        // No child is alive, so there is nothing to guard, and errors don't matter.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the guard: waits until the process that started it is gone, then cleans up after it.
pub fn stand_guard() {
    // Must come before any file is opened.
    let pool = Inherited::take();
    let alive_pipe = io::stdout();
    let mut watched = [PollFd::from_borrowed_fd(alive_pipe.as_fd(), PollFlags::empty())];
    while let Err(Errno::INTR) = poll(&mut watched, None) {}
    let Ok(ledger) = io::stdin().as_fd().try_clone_to_owned().map(File::from) else { return };
    let read = |at: u64| {
        let mut number = [0; 4];
        ledger.read_exact_at(&mut number, at * 4).ok().map(|()| i32::from_le_bytes(number))
    };
    // Comes first, because the owner of the pool may count its tokens as soon as the guarded process is gone.
    pool.give_back(read(TOKENS).and_then(|count| usize::try_from(count).ok()).unwrap_or(0));
    for group in (GROUPS..).map_while(read).filter_map(Pid::from_raw) {
        GroupId(group).kill();
    }
    if read(STARTING).is_some_and(|starting| starting > 0) {
        // A child may be starting. It looks like this program until it has executed its own.
        for _ in 0..10 {
            super::orphans::kill_starting();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
