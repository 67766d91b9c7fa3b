//! One child process from spawn to reaped: both pipes drained at once, time-out, stop, kill, leak.
//!
//! Knows nothing of tools or tokens, nor of what differs between systems. Each child leads a group of its own,
//! which is asked to end and killed as a whole.

use std::io::{self, ErrorKind, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::children::Starts;
use super::spool::Spool;
use super::stop::{GRACE, Stop, StopReason};
use super::sys::{self, Group, Pipe};
use crate::model::task::Exit;
use crate::store::OutputDir;

/// How long the pipes may stay open after the child ended.
const DRAIN: Duration = Duration::from_millis(200);
/// How often what does not end is killed again.
const TICK: Duration = Duration::from_millis(20);
/// The signal of Ctrl-C, on every system.
const INTERRUPT: i32 = 2;

/// How a child came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself, or by a signal that was not ours.
    Own,
    /// It took longer than it may.
    TimedOut,
    /// The run was stopped.
    Stopped(StopReason),
}

/// What a child left.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) stdout: Spool,
    pub(super) stderr: Spool,
    pub(super) exit: Exit,
    pub(super) ending: Ending,
    /// Whether something that the child started still held a stream open when the child had ended.
    pub(super) leaky: bool,
}

impl Ran {
    /// Whether it printed more than is held in memory.
    pub(super) fn is_long(&self) -> bool {
        self.stdout.is_on_disk() || self.stderr.is_on_disk()
    }
}

/// Runs `command` to its end. What it prints goes to `dir` where it is too long for memory.
pub(super) fn run(
    command: &mut Command,
    timeout: Option<Duration>,
    stop: &Stop,
    dir: Option<&OutputDir>,
) -> io::Result<Ran> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (group, pipes, beside) = stop.children().start(command)?;
    let mut watch = Watch {
        streams: pipes.map(|pipe| Stream { pipe: Some(pipe), spool: Spool::new() }),
        phase: Phase::Running,
        ending: Ending::Own,
        deadline: timeout.map(|timeout| stop.now() + timeout),
        group,
        beside,
        stop,
    };
    let watched = watch.until_gone(dir);
    let Watch { group, streams, ending, .. } = watch;
    let leaky = streams.iter().any(|stream| stream.pipe.is_some());
    // Whatever went wrong on our side, no child outlives its watch.
    let exit = stop.children().reap(group);
    watched?;
    let [stdout, stderr] = streams.map(|stream| stream.spool);
    Ok(Ran { stdout, stderr, exit: exit?, ending, leaky })
}

struct Watch<'a> {
    group: Group,
    /// Children that were being started at the same time.
    beside: Starts,
    streams: [Stream; 2],
    phase: Phase,
    ending: Ending,
    deadline: Option<Instant>,
    stop: &'a Stop,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Nothing is wrong.
    Running,
    /// Asked to end; killed at this instant.
    Terminating(Instant),
    /// Ended; its pipes are read until this instant.
    Draining(Instant),
}

struct Stream {
    pipe: Option<Pipe>,
    spool: Spool,
}

impl Watch<'_> {
    fn until_gone(&mut self, dir: Option<&OutputDir>) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            self.wait()?;
            for stream in &mut self.streams {
                stream.read(&mut buffer, dir)?;
            }
            self.advance();
            let is_drained = self.streams.iter().all(|stream| stream.pipe.is_none());
            match self.phase {
                Phase::Draining(_) if is_drained => break,
                Phase::Draining(until) if self.stop.now() >= until => {
                    if !self.stop.children().is_under_way(self.beside) && !self.is_held_beside() {
                        break;
                    }
                    // Another child may hold the pipes only because it does not run its program yet.
                    self.phase = Phase::Draining(self.stop.now() + TICK);
                }
                _ => {}
            }
        }
        // A slow disk may have taken the time. What is in a pipe fits the buffer, and behind it is its end, unless
        // somebody holds it.
        for stream in &mut self.streams {
            stream.read(&mut buffer, dir)?;
            stream.read(&mut buffer, dir)?;
        }
        Ok(())
    }

    /// Whether another child has a copy of our pipes. What ours has started is no child.
    fn is_held_beside(&self) -> bool {
        let mut pipes = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        pipes.any(|pipe| self.stop.children().hold(pipe))
    }

    /// Sleeps until something can have changed.
    fn wait(&self) -> io::Result<()> {
        // Each is watched only while it is news: what stays readable would make this loop spin.
        let is_gone = self.is_gone();
        let kind = (!is_gone && !matches!(self.ending, Ending::Stopped(_))).then(|| self.stop.kind());
        let now = (!is_gone && !self.stop.is_now()).then(|| self.stop.at_once());
        let until = match self.phase {
            Phase::Running => self.deadline,
            Phase::Terminating(at) | Phase::Draining(at) => Some(at),
        };
        let timeout = until.map(|until| until.saturating_duration_since(self.stop.now()));
        let group = (!is_gone).then_some(&self.group);
        let pipes = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
        sys::wait(group, pipes, [kind, now].into_iter().flatten(), timeout)
    }

    /// Takes the next step that time, the child or the user calls for.
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
        match self.phase {
            Phase::Running if self.deadline.is_some_and(|deadline| now >= deadline) => {
                self.ending = Ending::TimedOut;
                self.group.terminate();
                self.phase = Phase::Terminating(now + GRACE);
            }
            Phase::Terminating(at) if now >= at || self.stop.is_now() => {
                self.group.kill();
                // Not once and for all: a group that forks while it is killed is killed again.
                self.phase = Phase::Terminating(now + TICK);
            }
            _ => {}
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Draining(_))
    }
}

impl Stream {
    /// Reads once, and closes the pipe at its end. Not all that is there: a child that prints faster than it is
    /// read must not keep the watch from time-outs and signals.
    fn read(&mut self, buffer: &mut [u8], dir: Option<&OutputDir>) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(len) => self.spool.push(&buffer[..len], dir),
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

    fn sh(script: &str, timeout: Option<Duration>, stop: &Stop) -> Ran {
        run(Command::new("sh").args(["-c", script]), timeout, stop, None).unwrap()
    }

    #[test]
    fn both_streams_are_drained_at_once() {
        // Each is far larger than a pipe holds: reading one after the other would hang.
        let script = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; exit 7";
        let ran = sh(script, None, &Stop::new().unwrap());
        assert_eq!((ran.stdout.len(), ran.stderr.len()), (1_000_000, 1_000_000));
        assert_eq!((ran.exit, ran.ending), (Exit::Code(7), Ending::Own));
    }

    #[test]
    fn a_child_that_ignores_the_request_to_end_is_killed() {
        // Time enough for it to close its ears, on a machine that is slow and busy.
        let timeout = Some(Duration::from_secs(5));
        let ran = sh("trap '' TERM; while :; do sleep 0.1; done", timeout, &Stop::new().unwrap());
        assert_eq!((ran.exit, ran.ending), (Exit::Signal(9), Ending::TimedOut));
    }

    #[test]
    fn a_child_that_is_stopped_hears_the_request_to_end() {
        let ran = sh("kill -STOP $$", Some(Duration::from_millis(50)), &Stop::new().unwrap());
        assert_eq!((ran.exit, ran.ending), (Exit::Signal(15), Ending::TimedOut));
    }

    #[test]
    fn a_grandchild_that_holds_the_pipe_does_not_hang_the_run() {
        let ran = sh("sleep 600 & echo hi", None, &Stop::new().unwrap());
        assert_eq!(ran.stdout.read(None).unwrap(), b"hi\n");
        assert!(ran.leaky && ran.ending == Ending::Own);
    }

    #[test]
    fn while_another_child_is_being_started_nobody_is_called_leaky() {
        let dir = tempfile::tempdir().unwrap();
        let (ended, go) = (dir.path().join("ended"), dir.path().join("go"));
        let stop = Stop::new().unwrap();
        stop.children().begin_start();
        let ran = std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_until(|| ended.exists());
                std::thread::sleep(2 * DRAIN);
                std::fs::write(&go, "").unwrap();
            });
            // It stands for the other child, which holds the pipes until it runs its own program.
            let other = format!("(until test -e '{}'; do sleep 0.01; done) &", go.display());
            sh(&format!("{other} : > '{}'", ended.display()), None, &stop)
        });
        assert!(!ran.leaky, "{ran:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_another_child_has_a_copy_of_is_not_held_by_what_was_left_running() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name).display().to_string();
        let stop = &Stop::new().unwrap();
        let ran = std::thread::scope(|scope| {
            let until = |name: &str| format!("until test -e '{}'; do sleep 0.01; done", place(name));
            let first = format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; {1}", place("id"), until("held"));
            let first = scope.spawn(move || sh(&first, None, stop));
            wait_until(|| dir.path().join("id").exists());
            let id = std::fs::read_to_string(dir.path().join("id")).unwrap();
            // It stands for a child that has come into being beside the first one, and does not run its program yet.
            let copy = format!("exec 9> /proc/{}/fd/1; : > '{}'; {}", id.trim(), place("held"), until("go"));
            let second = scope.spawn(move || sh(&copy, None, stop));
            wait_until(|| dir.path().join("held").exists());
            std::thread::sleep(3 * DRAIN);
            std::fs::write(dir.path().join("go"), "").unwrap();
            second.join().unwrap();
            first.join().unwrap()
        });
        assert!(!ran.leaky, "{ran:?}");
    }

    #[test]
    fn a_grandchild_that_never_stops_writing_does_not_hang_the_run() {
        let ran = sh("yes & echo hi", None, &Stop::new().unwrap());
        assert!(ran.leaky && ran.ending == Ending::Own && ran.exit == Exit::Code(0));
    }

    #[test]
    fn nobody_is_left_of_a_group_that_forks_on_and_on_when_its_leader_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // Each of them holds the pipe, starts its successor and ends.
        let script = format!("exec 9> '{}'; hop() {{ hop & }}; hop; hop; hop", fifo.display());
        std::thread::scope(|scope| {
            // The pipe is at its end when nobody is left to write to it.
            let end = scope.spawn(|| std::fs::read(&fifo));
            let ran = sh(&script, None, &Stop::new().unwrap());
            assert!(ran.leaky);
            assert_eq!(end.join().unwrap().unwrap(), b"");
        });
    }

    #[test]
    fn a_stop_ends_what_runs_and_tells_why() {
        let stop = Stop::new().unwrap();
        stop.stop(StopReason::MaxDuration);
        let ran = sh("exec sleep 600", None, &stop);
        assert_eq!(ran.ending, Ending::Stopped(StopReason::MaxDuration));
    }

    #[test]
    fn time_stands_still_while_the_run_is_paused() {
        let dir = tempfile::tempdir().unwrap();
        let (ready, go) = (dir.path().join("ready"), dir.path().join("go"));
        let script = format!(
            "echo $$ > '{0}.new'; mv '{0}.new' '{0}'; until test -e '{1}'; do :; done",
            ready.display(),
            go.display()
        );
        let stop = Stop::new().unwrap();
        // Time enough to start and to end, on a machine that is slow and busy.
        let timeout = Duration::from_secs(5);
        let ran = std::thread::scope(|scope| {
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
        assert_eq!((ran.exit, ran.ending), (Exit::Code(0), Ending::Own));
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
    fn a_second_signal_kills_at_once() {
        let kill = || {
            let dir = tempfile::tempdir().unwrap();
            let ready = dir.path().join("ready");
            let script = format!("trap '' INT; : > '{}'; while :; do sleep 0.1; done", ready.display());
            let stop = Stop::new().unwrap();
            let (ran, since) = std::thread::scope(|scope| {
                let since = scope.spawn(|| {
                    wait_until(|| ready.exists());
                    let since = Instant::now();
                    stop.stop(StopReason::Signal(2));
                    stop.stop(StopReason::Signal(2));
                    since
                });
                (sh(&script, None, &stop), since.join().unwrap())
            });
            assert_eq!((ran.exit, ran.ending), (Exit::Signal(9), Ending::Stopped(StopReason::Signal(2))));
            since.elapsed()
        };
        // Else it takes that long each time; a busy machine is faster at least once.
        assert!((0..20).any(|_| kill() < GRACE));
    }
}
