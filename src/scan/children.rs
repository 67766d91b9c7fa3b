//! The children that live, what they leave behind, and the time that passes for them.
//!
//! Time stands still while the run is paused (Ctrl-Z), so that no cap runs out meanwhile.
//!
//! A process that leaves its group and loses its parent belongs to nobody: which step started it can't be told,
//! and which still use it even less. It may be a build server that the next cargo already talks to. So orphans
//! are killed as soon as no child lives, at the latest at the end of the run, and never beside a child.

use std::io;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::sys::{Group, GroupId, Orphans, Pipe};
use crate::model::task::Exit;

/// All children that were started and are not reaped.
#[derive(Debug, Default)]
pub(super) struct Children {
    live: Mutex<Vec<GroupId>>,
    /// Held for reading while a child starts; for writing by who must know all children there are.
    starting: RwLock<()>,
    /// For how long the run has been paused. Held for writing meanwhile: who asks for the time waits.
    paused: RwLock<Duration>,
    /// Only in a process that is nothing but this run.
    orphans: Option<Orphans>,
}

impl Children {
    /// Orphans come to us from now on.
    pub(super) fn adopt_orphans(&mut self) -> io::Result<()> {
        self.orphans = Some(Orphans::adopt()?);
        Ok(())
    }

    /// The time, less that of the pauses.
    pub(super) fn now(&self) -> Instant {
        let paused = self.paused.read().unwrap_or_else(PoisonError::into_inner);
        Instant::now() - *paused
    }

    /// Starts a child, in a group of its own.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<(Group, [Pipe; 2])> {
        let _starting = self.starting.read().unwrap_or_else(PoisonError::into_inner);
        let started = Group::spawn(command)?;
        self.live().push(started.0.id());
        Ok(started)
    }

    /// Reaps a child that has ended, and kills what is left of its group.
    pub(super) fn reap(&self, mut group: Group) -> io::Result<Exit> {
        // While the leader is not reaped, nobody else can have its number.
        group.kill();
        let exit = {
            let mut live = self.live();
            live.retain(|id| *id != group.id());
            group.reap()
        };
        // What was forked meanwhile is killed again, until nobody is left.
        patiently(Duration::from_millis(100), || {
            let is_left = group.id().kill();
            if is_left {
                self.reap_orphans();
            }
            is_left
        });
        patiently(Duration::from_secs(1), || self.sweep(true));
        exit
    }

    /// Reaps the orphans that have died, as the first process of a system does: who waits for one of them to be
    /// gone must not wait for ever.
    pub(super) fn reap_orphans(&self) {
        self.sweep(false);
    }

    /// Stops all children and the time, does `sleep`, and lets them go on.
    #[cfg(unix)]
    pub(super) fn pause(&self, sleep: impl FnOnce()) {
        let _starting = self.starting.write().unwrap_or_else(PoisonError::into_inner);
        let mut paused = self.paused.write().unwrap_or_else(PoisonError::into_inner);
        let since = Instant::now();
        self.live().iter().for_each(|group| group.pause());
        sleep();
        self.live().iter().for_each(|group| group.resume());
        *paused += since.elapsed();
    }

    /// Reaps orphans, and kills them if `kill` says so and no child lives. Whether that is to be done again: who
    /// is killed leaves orphans, too.
    fn sweep(&self, kill: bool) -> bool {
        let Some(orphans) = &self.orphans else { return false };
        if kill && !self.live().is_empty() {
            return false;
        }
        let _starting = self.starting.write().unwrap_or_else(PoisonError::into_inner);
        let live = self.live();
        let kill = kill && live.is_empty();
        orphans.sweep(&live, kill) && kill
    }

    fn live(&self) -> MutexGuard<'_, Vec<GroupId>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `again` until it says that it was the last time, but not for longer than `patience`: who waits for a dead
/// disk does not die, and not every system's first process reaps the dead.
fn patiently(patience: Duration, mut again: impl FnMut() -> bool) {
    let since = Instant::now();
    while again() && since.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(1));
    }
}
