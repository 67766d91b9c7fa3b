//! The children that live, what they leave behind, and the time that passes for them.
//!
//! Time stands still while the run is paused (Ctrl-Z), so that no cap runs out meanwhile.
//!
//! A process that leaves its group and loses its parent belongs to nobody: which step started it can't be told,
//! and which still use it even less. It may be a build server that the next cargo already talks to. So orphans
//! are killed as soon as no child lives, at the latest at the end of the run, and never beside a child.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::pool::Held;
use super::sys::{Group, GroupId, Guard, Orphans, Pipe};
use crate::model::task::Exit;

/// All children of a run.
#[derive(Debug, Default)]
pub(super) struct Children {
    live: Mutex<Live>,
    /// Told when a child has started.
    started: Condvar,
    /// For how long the run has been paused. Held for writing meanwhile: who asks for the time waits.
    paused: RwLock<Duration>,
    /// Only in a process that is nothing but this run.
    orphans: Option<Orphans>,
    /// The program and the argument that stand guard over all this, if we are killed.
    guard: Option<(PathBuf, &'static str)>,
}

/// The starts of other children that had begun when a child was started: they may have a copy of its pipes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Starts {
    /// Those with a smaller number.
    before: u64,
}

#[derive(Debug, Default)]
struct Live {
    /// How many starts have begun so far.
    begun: u64,
    /// Those of them, by number, that have not ended: the child has no process id yet.
    starting: BTreeSet<u64>,
    /// Those that are started and not reaped, each at its place.
    groups: Vec<Option<GroupId>>,
    /// Kills them if we can't.
    guard: Option<Guard>,
    /// The tokens that it puts back then.
    tokens: Option<Arc<Held>>,
}

impl Live {
    fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.groups.iter().flatten().copied()
    }

    /// Lets the guard know how many tokens there are to put back.
    fn share_tokens(&self) {
        if let (Some(guard), Some(tokens)) = (&self.guard, &self.tokens)
            && let Ok(ledger) = guard.ledger()
        {
            tokens.write_to(ledger);
        }
    }

    /// Notes that a child is being started. The number of this start.
    fn begin(&mut self) -> u64 {
        let start = self.begun;
        self.begun += 1;
        self.starting.insert(start);
        self.note_starting();
        start
    }

    /// Notes that the child of this start runs its program, or that there is none.
    fn end(&mut self, start: u64) {
        self.starting.remove(&start);
        self.note_starting();
    }

    fn note_starting(&self) {
        if let Some(guard) = &self.guard {
            guard.note_starting(self.starting.len());
        }
    }

    /// Puts `new` in the place of `old`.
    fn replace(&mut self, old: Option<GroupId>, new: Option<GroupId>) {
        let place = self.groups.iter().position(|group| *group == old).unwrap_or_else(|| {
            self.groups.push(None);
            self.groups.len() - 1
        });
        self.groups[place] = new;
        if let Some(guard) = &self.guard {
            guard.note(place, new);
        }
    }
}

impl Children {
    /// Orphans come to us from now on.
    pub(super) fn adopt_orphans(&mut self) -> io::Result<()> {
        self.orphans = Some(Orphans::adopt()?);
        Ok(())
    }

    /// Has `program`, given this argument, stand guard.
    pub(super) fn guard_with(&mut self, program: PathBuf, argument: &'static str) {
        self.guard = Some((program, argument));
    }

    /// Has the guard put back these tokens if we are killed.
    pub(super) fn guard_tokens(&self, tokens: Option<Arc<Held>>) {
        let mut live = self.live();
        live.tokens = tokens;
        live.share_tokens();
    }

    /// Sends the guard away. To be called when no child lives.
    pub(super) fn dismiss_guard(&self) {
        self.live().guard = None;
    }

    /// The time, less that of the pauses.
    pub(super) fn now(&self) -> Instant {
        let paused = self.paused.read().unwrap_or_else(PoisonError::into_inner);
        Instant::now() - *paused
    }

    /// Starts a child, in a group of its own.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<(Group, [Pipe; 2], Starts)> {
        // Several threads may do so at once: what takes long is not locked.
        let mut live = self.live();
        if live.guard.is_none()
            && let Some((program, argument)) = &self.guard
        {
            // A system that has no room for it gets a run without.
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
        let beside = Starts { before: live.begun };
        started.map(|(group, pipes)| (group, pipes, beside))
    }

    /// Whether one of `starts` has not ended. Until a child runs its own program, it holds what we had open when it came
    /// into being: on a busy machine, that can take longer than another child lives.
    pub(super) fn is_under_way(&self, starts: Starts) -> bool {
        self.live().starting.first().is_some_and(|start| *start < starts.before)
    }

    /// Whether a child has a copy of `pipe`, which is another one's. Linux lets us go on before the child that we have
    /// started has closed what it has of us, and on a busy machine it may not get to that for long.
    pub(super) fn hold(&self, pipe: &Pipe) -> bool {
        let groups: Vec<_> = self.live().groups().collect();
        groups.into_iter().any(|group| group.holds(pipe))
    }

    /// As if another child were being started from now on.
    #[cfg(all(test, unix))]
    pub(super) fn begin_start(&self) {
        self.live().begin();
    }

    /// Reaps a child that has ended, and kills what is left of its group.
    pub(super) fn reap(&self, mut group: Group) -> io::Result<Exit> {
        // While the leader is not reaped, nobody else can have its number.
        group.kill();
        let exit = {
            let mut live = self.live();
            live.replace(Some(group.id()), None);
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
        self.end_orphans();
        exit
    }

    /// Kills the orphans, if no child lives.
    pub(super) fn end_orphans(&self) {
        patiently(Duration::from_secs(1), || self.sweep(true));
    }

    /// Reaps the orphans that have died, as the first process of a system does: who waits for one of them to be
    /// gone must not wait for ever.
    pub(super) fn reap_orphans(&self) {
        self.sweep(false);
    }

    /// Stops all children and the time, does `sleep`, and lets them go on.
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

    /// Reaps orphans, and kills them if `kill` says so and no child lives. Whether that is to be done again: who
    /// is killed leaves orphans, too.
    fn sweep(&self, kill: bool) -> bool {
        let Some(orphans) = &self.orphans else { return false };
        let live = self.live();
        // One without a number would be taken for an orphan.
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

/// Does `again` until it says that it was the last time, but not for longer than `patience`: who waits for a dead
/// disk does not die, and not every system's first process reaps the dead.
fn patiently(patience: Duration, mut again: impl FnMut() -> bool) {
    let since = Instant::now();
    while again() && since.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(1));
    }
}
