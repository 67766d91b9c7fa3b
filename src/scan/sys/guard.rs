//! A process that notices when ours is gone, and then kills the groups that we leave behind.
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

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Pid;

use super::GroupId;

/// The guard, as seen from whom it guards. Sent away when dropped.
#[derive(Debug)]
pub(in crate::scan) struct Guard {
    process: Child,
    /// The numbers of the groups, 4 bytes each; 0 where there is none.
    groups: File,
    /// What it watches.
    alive: Option<PipeReader>,
}

impl Guard {
    /// Starts `command`, which is to call [`stand_guard`].
    pub(in crate::scan) fn start(command: &mut Command) -> io::Result<Self> {
        let groups = tempfile::tempfile()?;
        let (alive, theirs) = io::pipe()?;
        // A group of its own: who kills ours is not to kill it.
        command.process_group(0).stdin(groups.try_clone()?).stdout(theirs).stderr(Stdio::null());
        Ok(Self { process: command.spawn()?, groups, alive: Some(alive) })
    }

    /// Notes that the group at `place` is this one, or none. A guard that knows too little is better than no run.
    pub(in crate::scan) fn note(&self, place: usize, group: Option<GroupId>) {
        let number = group.map_or(0, |group| group.0.as_raw_nonzero().get());
        let _ = self.groups.write_all_at(&number.to_le_bytes(), place as u64 * 4);
    }

    pub(in crate::scan) fn id(&self) -> GroupId {
        GroupId(Pid::from_child(&self.process))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.alive = None;
        // There is nobody to tell.
        let _ = self.process.wait();
    }
}

/// The life of the guard: waits until who started it is gone, then kills what that one left.
pub fn stand_guard() {
    let alive = io::stdout();
    let mut watched = [PollFd::from_borrowed_fd(alive.as_fd(), PollFlags::empty())];
    while let Err(Errno::INTR) = poll(&mut watched, None) {}
    let Ok(groups) = io::stdin().as_fd().try_clone_to_owned().map(File::from) else { return };
    let (mut number, mut at) = ([0; 4], 0);
    while groups.read_exact_at(&mut number, at).is_ok() {
        if let Some(group) = Pid::from_raw(i32::from_le_bytes(number)) {
            GroupId(group).kill();
        }
        at += 4;
    }
}
