//! Tracks the live children of a run, the orphans they leave behind, and the clock for their time limits.
//!
//! The clock stops while the run is paused (Ctrl-Z), so no time limit expires meanwhile.
//!
//! A process that leaves its group and loses its parent can't be assigned to a step, and other processes may still
//! use it: it may be a build server that the next cargo already talks to. So orphans are killed only when no child
//! is alive, at the latest at the end of the run.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::pool::HeldTokens;
use super::sys::{Group, GroupId, Guard, Orphans, Pipe};
use crate::model::task::Exit;

/// All children of a run.
#[derive(Debug, Default)]
pub(super) struct Children {
    live: Mutex<Live>,
    /// Notified when a child has started.
    started: Condvar,
    /// Total duration of pauses. Locked for writing during a pause, so reading the clock blocks until it ends.
    paused: RwLock<Duration>,
    /// Orphans, if this process does nothing but this run.
    orphans: Option<Orphans>,
    /// Program and argument of the guard.
    guard: Option<(PathBuf, &'static str)>,
}

/// Starts of other children that had begun when a child was started. These children may hold copies of its pipes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starts {
    /// Includes all starts with a smaller number.
    before: u64,
}

#[derive(Debug, Default)]
struct Live {
    /// Number of starts so far.
    begun: u64,
    /// Numbers of the starts in progress. Their children have no process id yet.
    starting: BTreeSet<u64>,
    /// Groups that are started and not reaped. A slot is reused when its group is reaped.
    groups: Vec<Option<GroupId>>,
    /// Kills the groups if this process is killed.
    guard: Option<Guard>,
    /// Tokens that the guard returns to the pool.
    tokens: Option<Arc<HeldTokens>>,
}

impl Live {
    fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.groups.iter().flatten().copied()
    }

    /// Shares the number of held tokens with the guard.
    fn share_tokens(&self) {
        if let (Some(guard), Some(tokens)) = (&self.guard, &self.tokens)
            && let Ok(ledger) = guard.ledger()
        {
            tokens.write_to(ledger);
        }
    }

    /// Records the start of a child and returns its number.
    fn begin(&mut self) -> u64 {
        let start = self.begun;
        self.begun += 1;
        self.starting.insert(start);
        self.note_starting();
        start
    }

    /// Records that the child with this number has executed its program or failed to start.
    fn end(&mut self, start: u64) {
        self.starting.remove(&start);
        self.note_starting();
    }

    fn note_starting(&self) {
        if let Some(guard) = &self.guard {
            guard.note_starting(self.starting.len());
        }
    }

    /// Replaces `old` with `new` in the slots.
    fn replace(&mut self, old: Option<GroupId>, new: Option<GroupId>) {
        let slot = self.groups.iter().position(|group| *group == old).unwrap_or_else(|| {
            self.groups.push(None);
            self.groups.len() - 1
        });
        self.groups[slot] = new;
        if let Some(guard) = &self.guard {
            guard.note(slot, new);
        }
    }
}

impl Children {
    /// Makes this process the parent of orphaned descendants.
    pub(super) fn adopt_orphans(&mut self) -> io::Result<()> {
        self.orphans = Some(Orphans::adopt()?);
        Ok(())
    }

    /// Sets the program and the argument of the guard.
    pub(super) fn guard_with(&mut self, program: PathBuf, argument: &'static str) {
        self.guard = Some((program, argument));
    }

    /// Makes the guard return these tokens if this process is killed.
    pub(super) fn guard_tokens(&self, tokens: Option<Arc<HeldTokens>>) {
        let mut live = self.live();
        live.tokens = tokens;
        live.share_tokens();
    }

    /// Stops the guard, unless a child is alive, such as a credential helper that does not answer. The guard ends that child when
    /// this process is gone.
    pub(super) fn dismiss_guard(&self) {
        let mut live = self.live();
        if live.starting.is_empty() && live.groups().next().is_none() {
            live.guard = None;
        }
    }

    /// Returns the current time without pauses.
    pub(super) fn now(&self) -> Instant {
        let paused = self.paused.read().unwrap_or_else(PoisonError::into_inner);
        Instant::now() - *paused
    }

    /// Starts a child in a group of its own.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<(Group, [Pipe; 2], Starts)> {
        // Several threads may start children at once, so the lock is not held during the slow part.
        let mut live = self.live();
        if live.guard.is_none()
            && let Some((program, argument)) = &self.guard
        {
            // If the guard can't be started, the run continues without it.
            live.guard = Guard::start(Command::new(program).arg(argument)).ok();
            live.share_tokens();
        }
        let start = live.begin();
        drop(live);
        let started = Group::spawn(command);
        let mut live = self.live();
        if let Ok((group, _)) = &started {
            live.replace(None, Some(group.id()));
        }
        live.end(start);
        self.started.notify_all();
        let concurrent = Starts { before: live.begun };
        started.map(|(group, pipes)| (group, pipes, concurrent))
    }

    /// Returns true if one of `starts` is still in progress. Until a child executes its program, it holds our open files.
    /// On a busy machine, this can take longer than the life of another child.
    pub(super) fn is_starting(&self, starts: Starts) -> bool {
        self.live().starting.first().is_some_and(|start| *start < starts.before)
    }

    /// Returns true if another child holds a copy of `pipe`. On Linux, a spawn may return before the child has closed
    /// the files it inherited, which can take long on a busy machine.
    pub(super) fn any_holds(&self, pipe: &Pipe) -> bool {
        let groups: Vec<_> = self.live().groups().collect();
        groups.into_iter().any(|group| group.holds(pipe))
    }

    /// Simulates a start that never completes.
    #[cfg(all(test, unix))]
    pub(super) fn begin_start(&self) {
        self.live().begin();
    }

    /// Reaps a child that has ended and kills the rest of its group.
    pub(super) fn reap(&self, mut group: Group) -> io::Result<Exit> {
        // Until the leader is reaped, its process id can't be reused.
        group.kill();
        let exit = {
            let mut live = self.live();
            live.replace(Some(group.id()), None);
            group.reap()
        };
        // Kill processes that were forked meanwhile, until none are left.
        repeat_for(Duration::from_millis(100), || {
            let is_left = group.id().kill();
            if is_left {
                self.reap_orphans();
            }
            is_left
        });
        self.kill_orphans();
        exit
    }

    /// Kills the orphans if no child is alive.
    pub(super) fn kill_orphans(&self) {
        repeat_for(Duration::from_secs(1), || self.sweep(true));
    }

    /// Reaps dead orphans, as the init process of a system does, because other processes may wait for them to
    /// disappear.
    pub(super) fn reap_orphans(&self) {
        self.sweep(false);
    }

    /// Suspends all children and the clock, calls `sleep`, and resumes them.
    #[cfg(unix)]
    pub(super) fn pause(&self, sleep: impl FnOnce()) {
        let live = self.live();
        let live = self.started.wait_while(live, |live| !live.starting.is_empty());
        let live = live.unwrap_or_else(PoisonError::into_inner);
        let mut paused = self.paused.write().unwrap_or_else(PoisonError::into_inner);
        let since = Instant::now();
        live.groups().for_each(|group| group.pause());
        sleep();
        live.groups().for_each(|group| group.resume());
        *paused += since.elapsed();
    }

    /// Reaps orphans, and kills them if `kill` is set and no child is alive. Returns true if the caller must sweep
    /// again, because killed processes leave orphans too.
    fn sweep(&self, kill: bool) -> bool {
        let Some(orphans) = &self.orphans else { return false };
        let live = self.live();
        // A child without a known process id would be taken for an orphan.
        if !live.starting.is_empty() || (kill && live.groups().next().is_some()) {
            return false;
        }
        let ours: Vec<_> = live.groups().chain(live.guard.as_ref().map(Guard::id)).collect();
        orphans.sweep(&ours, kill) && kill
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls `again` until it returns false or `patience` has elapsed. The limit is needed because processes that wait for
/// a broken disk don't die, and not every init process reaps dead ones.
fn repeat_for(patience: Duration, mut again: impl FnMut() -> bool) {
    let since = Instant::now();
    while again() && since.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(1));
    }
}
