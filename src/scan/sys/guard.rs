//! A process that notices when ours is gone, and then kills the groups that we leave behind, and puts back the job tokens
//! that we had of somebody else's pool.
//!
//! Whoever kills us with SIGKILL gives us no time to end our children, and the ways in which a system could do it for
//! us need code between `fork` and `exec`. So there is a file that says which groups live, and a guard that shares it.
//! It sleeps on a pipe that we hold the other end of: as long as we live, nothing wakes it.

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

/// The guard, as seen from whom it guards. Sent away when dropped.
#[derive(Debug)]
pub(in crate::scan) struct Guard {
    process: Child,
    /// 4 bytes each: how many children are being started, how many tokens we have, and the numbers of the groups, 0 where
    /// there is none.
    ledger: Ledger,
    /// What it watches.
    alive: Option<PipeReader>,
}

impl Guard {
    /// Starts `command`, which is to call [`stand_guard`].
    pub(in crate::scan) fn start(command: &mut Command) -> io::Result<Self> {
        let ledger = super::orphans::shared_file()?;
        let (alive, theirs) = io::pipe()?;
        // A group of its own: who kills ours is not to kill it.
        command
            .process_group(0)
            .arg0("genti-guard")
            .stdin(ledger.try_clone()?)
            .stdout(theirs)
            .stderr(Stdio::null());
        Ok(Self { process: command.spawn()?, ledger: Ledger(ledger), alive: Some(alive) })
    }

    /// Notes how many children are being started, and have no number yet.
    pub(in crate::scan) fn note_starting(&self, count: usize) {
        self.ledger.write(STARTING, count as i32);
    }

    /// Notes that the group at `place` is this one, or none.
    pub(in crate::scan) fn note(&self, place: usize, group: Option<GroupId>) {
        self.ledger.write(GROUPS + place as u64, group.map_or(0, |group| group.0.as_raw_nonzero().get()));
    }

    /// Where it looks up what to do.
    pub(in crate::scan) fn ledger(&self) -> io::Result<Ledger> {
        self.ledger.0.try_clone().map(Ledger)
    }

    pub(in crate::scan) fn id(&self) -> GroupId {
        GroupId(Pid::from_child(&self.process))
    }
}

/// What the guard is to know.
#[derive(Debug)]
pub(in crate::scan) struct Ledger(File);

/// Where the number of children is that are being started.
const STARTING: u64 = 0;
/// Where the number of tokens is.
const TOKENS: u64 = 1;
/// Where the first group is.
const GROUPS: u64 = 2;

impl Ledger {
    /// Notes how many tokens we have.
    pub(in crate::scan) fn note_tokens(&self, count: usize) {
        self.write(TOKENS, i32::try_from(count).unwrap_or(i32::MAX));
    }

    /// A guard that knows too little is better than no run.
    fn write(&self, at: u64, number: i32) {
        let _ = self.0.write_all_at(&number.to_le_bytes(), at * 4);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.alive = None;
        // No child lives: there is nothing to guard, and nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The life of the guard: waits until who started it is gone, then kills what that one left.
pub fn stand_guard() {
    // Before anything is opened, as whoever is guarded does.
    let pool = Inherited::take();
    let alive = io::stdout();
    let mut watched = [PollFd::from_borrowed_fd(alive.as_fd(), PollFlags::empty())];
    while let Err(Errno::INTR) = poll(&mut watched, None) {}
    let Ok(ledger) = io::stdin().as_fd().try_clone_to_owned().map(File::from) else { return };
    let read = |at: u64| {
        let mut number = [0; 4];
        ledger.read_exact_at(&mut number, at * 4).ok().map(|()| i32::from_le_bytes(number))
    };
    // First of all: whoever started us may look for its tokens as soon as we are gone.
    pool.give_back(read(TOKENS).and_then(|count| usize::try_from(count).ok()).unwrap_or(0));
    for group in (GROUPS..).map_while(read).filter_map(Pid::from_raw) {
        GroupId(group).kill();
    }
    if read(STARTING).is_some_and(|starting| starting > 0) {
        // One may be on its way, and looks like us until it has begun.
        for _ in 0..10 {
            super::orphans::kill_nameless();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
