//! Runs one child process on this machine: drains both pipes at once, enforces the timeout, stops, kills, and detects leaked
//! pipes.
//!
//! Knows nothing about tools, tokens, or differences between systems. Each child leads a process group, which is
//! stopped and killed as a whole.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::children::Starts;
use super::doing::{Watch, Watcher};
use super::end::End;
use super::runner::{Ending, FinishedProcess, Invocation, Runner};
#[cfg(target_os = "linux")]
use super::sandbox::BehindWall;
use super::spool::Spool;
use super::stop::{GRACE, Stop, StopReason};
use super::sys::{self, Group, Pipe};
use crate::store::OutputDir;

/// Time that the pipes may stay open after the child has exited.
const DRAIN: Duration = Duration::from_millis(200);
/// Interval at which a group that does not exit is killed again.
const TICK: Duration = Duration::from_millis(20);
/// Number of SIGINT, used for Ctrl-C on every system.
const INTERRUPT: i32 = 2;

/// Runs processes on this machine, as children of this process.
#[derive(Clone, Copy, Debug)]
pub struct LocalRunner<'a> {
    stop: &'a Stop,
    dir: Option<&'a OutputDir>,
}

impl<'a> LocalRunner<'a> {
    /// Creates a runner whose processes `stop` ends. Output that is too long for memory is written to `dir`.
    pub fn new(stop: &'a Stop, dir: Option<&'a OutputDir>) -> Self {
        Self { stop, dir }
    }
}

impl Runner for LocalRunner<'_> {
    fn run(&self, invocation: &Invocation, watcher: &mut Watcher<'_>) -> io::Result<FinishedProcess> {
        #[cfg(target_os = "linux")]
        if let (Some(wall), Ok(helper)) = (&invocation.wall, self.stop.sandbox()) {
            let (mut command, mut behind) = BehindWall::prepare(helper, invocation, wall)?;
            let limits = Limits { timeout: invocation.timeout, end: watcher.end(), ..Limits::default() };
            let finished = run(&mut command, limits, self.stop, self.dir, watcher);
            drop(command);
            let observed = behind.finish_observer();
            let finished = finished?;
            behind.check(&finished.ending)?;
            return Ok(FinishedProcess { observed, ..finished });
        }
        // Nothing needs preparation, because the process may read and write everything that this user may.
        let Invocation { program, args, vars, dir, declared: _, wall: _, timeout } = invocation;
        let mut command = Command::new(program);
        command.args(args).current_dir(dir).env_clear().envs(vars).stdin(Stdio::null());
        let limits = Limits { timeout: *timeout, end: watcher.end(), ..Limits::default() };
        run(&mut command, limits, self.stop, self.dir, watcher)
    }
}

/// Reasons to end a process, besides the end of the run.
#[derive(Clone, Copy, Default)]
pub(super) struct Limits<'a> {
    /// Time limit, without pauses.
    pub(super) timeout: Option<Duration>,
    /// Request to end it.
    pub(super) end: Option<&'a End>,
    /// Called with its id when it has started.
    pub(super) started: Option<&'a dyn Fn(u32)>,
}

/// Runs `command`, whose standard input is set, to its end, while `watcher` reads its output. Output that is too long for
/// memory is written to `dir`.
pub(super) fn run(
    command: &mut Command,
    limits: Limits<'_>,
    stop: &Stop,
    dir: Option<&OutputDir>,
    watcher: &mut dyn Watch,
) -> io::Result<FinishedProcess> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (group, pipes, concurrent_starts) = stop.children().start(command)?;
    limits.started.into_iter().for_each(|started| started(group.id().number()));
    let mut watch = ProcessWatch {
        streams: pipes.map(|pipe| ProcessStream { pipe: Some(pipe), spool: Spool::new() }),
        phase: Phase::Running,
        ending: Ending::Own,
        deadline: limits.timeout.map(|timeout| stop.now() + timeout),
        end: limits.end,
        group,
        concurrent_starts,
        stop,
    };
    let watched = watch.until_gone(dir, watcher);
    let ProcessWatch { group, mut streams, ending, .. } = watch;
    streams[1].spool.push(&watcher.finish(), dir);
    let leaky = streams.iter().any(|stream| stream.pipe.is_some());
    // Whatever fails here, the child must not outlive this function.
    let exit = stop.children().reap(group);
    watched?;
    let [stdout, stderr] = streams.map(|stream| stream.spool);
    Ok(FinishedProcess { stdout, stderr, exit: exit?, ending, leaky, observed: None, in_copy: None })
}

struct ProcessWatch<'a> {
    group: Group,
    /// Starts of other children that overlapped with this one.
    concurrent_starts: Starts,
    streams: [ProcessStream; 2],
    phase: Phase,
    ending: Ending,
    deadline: Option<Instant>,
    end: Option<&'a End>,
    stop: &'a Stop,
}

#[derive(Clone, Copy)]
enum Phase {
    /// The child runs and was not asked to exit.
    Running,
    /// Asked to exit. Killed at this time.
    Terminating(Instant),
    /// Exited. Its pipes are read until this time.
    Draining(Instant),
}

struct ProcessStream {
    pipe: Option<Pipe>,
    spool: Spool,
}

impl ProcessWatch<'_> {
    fn until_gone(&mut self, dir: Option<&OutputDir>, watcher: &mut dyn Watch) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            self.wait()?;
            for (at, stream) in self.streams.iter_mut().enumerate() {
                stream.read(&mut buffer, |bytes| watcher.read(at, bytes), dir)?;
            }
            self.advance();
            let is_drained = self.streams.iter().all(|stream| stream.pipe.is_none());
            match self.phase {
                Phase::Draining(_) if is_drained => break,
                Phase::Draining(until) if self.stop.now() >= until => {
                    if !self.stop.children().is_starting(self.concurrent_starts)
                        && !self.is_held_by_another_child()
                    {
                        break;
                    }
                    // Another child may hold the pipes only because it has not executed its program yet.
                    self.phase = Phase::Draining(self.stop.now() + TICK);
                }
                _ => {}
            }
        }
        // Slow writes to disk may have used up the time. One read takes all that is in a pipe, the next one
        // reaches its end unless another process holds it.
        for (at, stream) in self.streams.iter_mut().enumerate() {
            stream.read(&mut buffer, |bytes| watcher.read(at, bytes), dir)?;
            stream.read(&mut buffer, |bytes| watcher.read(at, bytes), dir)?;
        }
        Ok(())
    }

    /// Returns whether another child has a copy of our pipes. Processes started by our child don't count as children here.
    fn is_held_by_another_child(&self) -> bool {
        let mut pipes = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        pipes.any(|pipe| self.stop.children().any_holds(pipe))
    }

    /// Sleeps until something may have changed.
    fn wait(&self) -> io::Result<()> {
        // Only watch events that have not been handled yet. Those that stay readable would make this loop spin.
        let is_gone = self.is_gone();
        let on_stop = (!is_gone && !matches!(self.ending, Ending::Stopped(_))).then(|| self.stop.on_stop());
        let now = (!is_gone && !self.stop.is_killing()).then(|| self.stop.on_kill());
        let on_end = self.end.filter(|_| !is_gone && self.ending == Ending::Own).map(End::waker);
        let until = match self.phase {
            Phase::Running => self.deadline,
            Phase::Terminating(at) | Phase::Draining(at) => Some(at),
        };
        let timeout = until.map(|until| until.saturating_duration_since(self.stop.now()));
        let group = (!is_gone).then_some(&self.group);
        let pipes = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        sys::wait(group, pipes, [on_stop, now, on_end].into_iter().flatten(), timeout)
    }

    /// Reacts to the time, the child, and requests to stop.
    fn advance(&mut self) {
        if self.is_gone() {
            return;
        }
        let now = self.stop.now();
        if self.group.has_ended() {
            self.phase = Phase::Draining(now + DRAIN);
            return;
        }
        if let (Some(reason), false) = (self.stop.reason(), matches!(self.ending, Ending::Stopped(_))) {
            self.ending = Ending::Stopped(reason);
            match reason {
                StopReason::Signal(INTERRUPT) => self.group.interrupt(),
                _ => self.group.terminate(),
            }
            self.phase = Phase::Terminating(now + GRACE);
        }
        let is_asked_to_end = self.end.is_some_and(End::is_set);
        match self.phase {
            Phase::Running if is_asked_to_end => {
                self.ending = Ending::Ended;
                self.group.terminate();
                self.phase = Phase::Terminating(now + GRACE);
            }
            Phase::Running if self.deadline.is_some_and(|deadline| now >= deadline) => {
                self.ending = Ending::TimedOut;
                self.group.terminate();
                self.phase = Phase::Terminating(now + GRACE);
            }
            Phase::Terminating(at) if now >= at || self.stop.is_killing() => {
                self.group.kill();
                // Repeat it, because a group that forks while it is killed may survive.
                self.phase = Phase::Terminating(now + TICK);
            }
            _ => {}
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Draining(_))
    }
}

impl ProcessStream {
    /// Reads once, keeps what `watch` returns, and closes the pipe at its end. It does not read everything available, because a
    /// child that prints faster than it is read would delay timeouts and signals.
    fn read<'b>(
        &mut self,
        buffer: &'b mut [u8],
        watch: impl FnOnce(&'b [u8]) -> Cow<'b, [u8]>,
        dir: Option<&OutputDir>,
    ) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(len) => self.spool.push(&watch(&buffer[..len]), dir),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::model::task::Exit;

    fn sh(script: &str, timeout: Option<Duration>, stop: &Stop) -> FinishedProcess {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        let limits = Limits { timeout, ..Limits::default() };
        run(&mut command, limits, stop, None, &mut Watcher::none()).unwrap()
    }

    #[test]
    fn both_streams_are_drained_at_once() {
        // Each stream is far larger than a pipe buffer, so reading one after the other would hang.
        let script = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; exit 7";
        let finished = sh(script, None, &Stop::new().unwrap());
        assert_eq!((finished.stdout.len(), finished.stderr.len()), (1_000_000, 1_000_000));
        assert_eq!((finished.exit, finished.ending), (Exit::Code(7), Ending::Own));
    }

    #[test]
    fn a_child_that_ignores_the_request_to_exit_is_killed() {
        // Allow enough time to install the trap on a slow machine.
        let timeout = Some(Duration::from_secs(5));
        let finished = sh("trap '' TERM; while :; do sleep 0.1; done", timeout, &Stop::new().unwrap());
        assert_eq!((finished.exit, finished.ending), (Exit::Signal(9), Ending::TimedOut));
    }

    #[test]
    fn a_suspended_child_receives_the_request_to_exit() {
        let finished = sh("kill -STOP $$", Some(Duration::from_millis(50)), &Stop::new().unwrap());
        assert_eq!((finished.exit, finished.ending), (Exit::Signal(15), Ending::TimedOut));
    }

    #[test]
    fn a_grandchild_that_holds_the_pipe_does_not_hang_the_run() {
        let finished = sh("sleep 600 & echo hi", None, &Stop::new().unwrap());
        assert_eq!(finished.stdout.read(None).unwrap(), b"hi\n");
        assert!(finished.leaky && finished.ending == Ending::Own);
    }

    #[test]
    fn a_pipe_held_by_a_starting_child_is_not_a_leak() {
        let dir = tempfile::tempdir().unwrap();
        let (ended, go) = (dir.path().join("ended"), dir.path().join("go"));
        let stop = Stop::new().unwrap();
        stop.children().begin_start();
        let finished = std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_until(|| ended.exists());
                std::thread::sleep(2 * DRAIN);
                std::fs::write(&go, "").unwrap();
            });
            // Stands for the other child, which holds the pipes until it executes its program.
            let other = format!("(until test -e '{}'; do sleep 0.01; done) &", go.display());
            sh(&format!("{other} : > '{}'", ended.display()), None, &stop)
        });
        assert!(!finished.leaky, "{finished:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_copied_by_another_child_is_not_a_leak() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name).display().to_string();
        let stop = &Stop::new().unwrap();
        let finished = std::thread::scope(|scope| {
            let until = |name: &str| format!("until test -e '{}'; do sleep 0.01; done", place(name));
            let first = format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; {1}", place("id"), until("held"));
            let first = scope.spawn(move || sh(&first, None, stop));
            wait_until(|| dir.path().join("id").exists());
            let id = std::fs::read_to_string(dir.path().join("id")).unwrap();
            // Stands for a child that was forked at the same time and has not executed its program yet.
            let copy = format!("exec 9> /proc/{}/fd/1; : > '{}'; {}", id.trim(), place("held"), until("go"));
            let second = scope.spawn(move || sh(&copy, None, stop));
            wait_until(|| dir.path().join("held").exists());
            std::thread::sleep(3 * DRAIN);
            std::fs::write(dir.path().join("go"), "").unwrap();
            second.join().unwrap();
            first.join().unwrap()
        });
        assert!(!finished.leaky, "{finished:?}");
    }

    #[test]
    fn a_grandchild_that_never_stops_writing_does_not_hang_the_run() {
        let finished = sh("yes & echo hi", None, &Stop::new().unwrap());
        assert!(finished.leaky && finished.ending == Ending::Own && finished.exit == Exit::Code(0));
    }

    #[test]
    fn a_group_that_keeps_forking_is_killed_when_its_leader_exits() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // Each process holds the pipe, starts its successor and exits.
        let script = format!("exec 9> '{}'; hop() {{ hop & }}; hop; hop; hop", fifo.display());
        std::thread::scope(|scope| {
            // Reading the pipe ends when no writer is left.
            let end = scope.spawn(|| std::fs::read(&fifo));
            let finished = sh(&script, None, &Stop::new().unwrap());
            assert!(finished.leaky);
            assert_eq!(end.join().unwrap().unwrap(), b"");
        });
    }

    #[test]
    fn a_stop_ends_the_process_and_gives_the_reason() {
        let stop = Stop::new().unwrap();
        stop.stop(StopReason::MaxDuration);
        let finished = sh("exec sleep 600", None, &stop);
        assert_eq!(finished.ending, Ending::Stopped(StopReason::MaxDuration));
    }

    #[test]
    fn the_clock_stops_while_the_run_is_paused() {
        let dir = tempfile::tempdir().unwrap();
        let (ready, go) = (dir.path().join("ready"), dir.path().join("go"));
        let script = format!(
            "echo $$ > '{0}.new'; mv '{0}.new' '{0}'; until test -e '{1}'; do :; done",
            ready.display(),
            go.display()
        );
        let stop = Stop::new().unwrap();
        // Allow enough time to start and exit on a slow machine.
        let timeout = Duration::from_secs(5);
        let finished = std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_until(|| ready.exists());
                stop.pause(|| {
                    let pid = std::fs::read_to_string(&ready).unwrap();
                    wait_until(|| state_of(pid.trim()).starts_with('T'));
                    std::thread::sleep(timeout);
                    std::fs::write(&go, "").unwrap();
                });
            });
            sh(&script, Some(timeout), &stop)
        });
        assert_eq!((finished.exit, finished.ending), (Exit::Code(0), Ending::Own));
    }

    fn state_of(pid: &str) -> String {
        let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn wait_until(mut done: impl FnMut() -> bool) {
        while !done() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_second_signal_kills_immediately() {
        let kill = || {
            let dir = tempfile::tempdir().unwrap();
            let ready = dir.path().join("ready");
            let script = format!("trap '' INT; : > '{}'; while :; do sleep 0.1; done", ready.display());
            let stop = Stop::new().unwrap();
            let (finished, since) = std::thread::scope(|scope| {
                let since = scope.spawn(|| {
                    wait_until(|| ready.exists());
                    let since = Instant::now();
                    stop.stop(StopReason::Signal(2));
                    stop.stop(StopReason::Signal(2));
                    since
                });
                (sh(&script, None, &stop), since.join().unwrap())
            });
            assert_eq!(
                (finished.exit, finished.ending),
                (Exit::Signal(9), Ending::Stopped(StopReason::Signal(2)))
            );
            since.elapsed()
        };
        // Without the kill, every attempt would take that long. Even a busy machine is faster at least once.
        assert!((0..20).any(|_| kill() < GRACE));
    }
}
