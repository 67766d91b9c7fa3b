//! One child process from spawn to reaped: both pipes drained at once, time-out, stop, kill, leak.
//!
//! Knows nothing of tools or tokens. Each child leads a process group of its own, which is signalled as a
//! whole. The group is killed before the child is reaped, while its number can't have been given away.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::spool::Spool;
use super::stop::{Stop, StopReason};
use crate::model::task::Exit;
use crate::store::OutputDir;

/// How long a child that was asked to end may take.
const GRACE: Duration = Duration::from_secs(3);
/// How long the pipes may stay open after the child ended.
const DRAIN: Duration = Duration::from_millis(200);
/// How often a child is asked after where the system can't tell.
const TICK: Duration = Duration::from_millis(20);

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

/// Runs `command` to its end. What it prints goes to `dir` where it is too long for memory.
pub(super) fn run(
    command: &mut Command,
    timeout: Option<Duration>,
    stop: &Stop,
    dir: Option<&OutputDir>,
) -> io::Result<Ran> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let streams = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
    let mut watch = Watch::new(child, streams, timeout)?;
    watch.until_gone(stop, dir)
}

struct Watch {
    child: Child,
    group: Pid,
    /// Readable when the child has ended; `None` where the system has no such thing.
    ended: Option<OwnedFd>,
    streams: [Stream; 2],
    phase: Phase,
    ending: Ending,
    deadline: Option<Instant>,
    is_reaped: bool,
}

/// Whatever goes wrong on our side, the child does not outlive its watch.
impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.signal(Signal::KILL);
            // There is nobody to tell.
            let _ = self.child.wait();
        }
    }
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
    pipe: Option<OwnedFd>,
    spool: Spool,
}

impl Watch {
    fn new(child: Child, streams: [Option<OwnedFd>; 2], timeout: Option<Duration>) -> io::Result<Self> {
        let group = Pid::from_child(&child);
        let watch = Self {
            child,
            group,
            ended: pidfd(group),
            streams: streams.map(|pipe| Stream { pipe, spool: Spool::new() }),
            phase: Phase::Running,
            ending: Ending::Own,
            deadline: timeout.map(|timeout| Instant::now() + timeout),
            is_reaped: false,
        };
        for pipe in watch.streams.iter().filter_map(|stream| stream.pipe.as_ref()) {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(watch)
    }

    fn until_gone(&mut self, stop: &Stop, dir: Option<&OutputDir>) -> io::Result<Ran> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            self.wait(stop)?;
            for stream in &mut self.streams {
                stream.read(&mut buffer, dir)?;
            }
            self.advance(stop);
            let is_drained = self.streams.iter().all(|stream| stream.pipe.is_none());
            match self.phase {
                Phase::Draining(until) if is_drained || Instant::now() >= until => break,
                _ => {}
            }
        }
        // A slow disk may have taken the time. What is in a pipe fits the buffer, and behind it is its end, unless
        // somebody holds it.
        for stream in &mut self.streams {
            stream.read(&mut buffer, dir)?;
            stream.read(&mut buffer, dir)?;
        }
        let leaky = self.streams.iter().any(|stream| stream.pipe.is_some());
        // What is left of the group outlives its leader: end it while the leader's number is still taken.
        self.signal(Signal::KILL);
        let status = self.child.wait()?;
        self.is_reaped = true;
        let exit = match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        };
        let [stdout, stderr] = &mut self.streams;
        let [stdout, stderr] =
            [stdout, stderr].map(|stream| std::mem::replace(&mut stream.spool, Spool::new()));
        let ending = std::mem::replace(&mut self.ending, Ending::Own);
        Ok(Ran { stdout, stderr, exit, ending, leaky })
    }

    /// Sleeps until something can have changed.
    fn wait(&self, stop: &Stop) -> io::Result<()> {
        // Each is watched only while it is news: what stays readable would make this loop spin.
        let kind = (!matches!(self.ending, Ending::Stopped(_)) && !self.is_gone()).then(|| stop.kind());
        let now = (!self.is_gone() && !stop.is_now()).then(|| stop.now());
        let ended = self.ended.as_ref().filter(|_| !self.is_gone()).map(AsFd::as_fd);
        let pipes = self.streams.iter().map(|stream| stream.pipe.as_ref().map(AsFd::as_fd));
        let mut fds: Vec<_> = [kind, now, ended]
            .into_iter()
            .chain(pipes)
            .flatten()
            .map(|fd: BorrowedFd<'_>| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let mut until = match self.phase {
            Phase::Running => self.deadline,
            Phase::Terminating(at) | Phase::Draining(at) => Some(at),
        };
        if self.ended.is_none() && !self.is_gone() {
            let tick = Instant::now() + TICK;
            until = Some(until.map_or(tick, |until| until.min(tick)));
        }
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the next step that time, the child or the user calls for.
    fn advance(&mut self, stop: &Stop) {
        let now = Instant::now();
        if self.is_gone() {
            return;
        }
        if self.has_ended() {
            self.phase = Phase::Draining(now + DRAIN);
            return;
        }
        if let (Some(reason), false) = (stop.reason(), matches!(self.ending, Ending::Stopped(_))) {
            self.ending = Ending::Stopped(reason);
            self.signal(if matches!(reason, StopReason::Signal(2)) { Signal::INT } else { Signal::TERM });
            self.phase = Phase::Terminating(now + GRACE);
        }
        match self.phase {
            Phase::Running if self.deadline.is_some_and(|deadline| now >= deadline) => {
                self.ending = Ending::TimedOut;
                self.signal(Signal::TERM);
                self.phase = Phase::Terminating(now + GRACE);
            }
            Phase::Terminating(at) if now >= at || stop.is_now() => {
                self.signal(Signal::KILL);
                // Not once and for all: a group that forks while it is killed is killed again.
                self.phase = Phase::Terminating(now + TICK);
            }
            _ => {}
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Draining(_))
    }

    /// Whether the child has ended. It is not reaped by this.
    fn has_ended(&self) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.group), options).is_ok_and(|status| status.is_some())
    }

    fn signal(&self, signal: Signal) {
        // The only failure is that nobody is left.
        let _ = kill_process_group(self.group, signal);
    }
}

impl Stream {
    /// Reads once, and closes the pipe at its end. Not all that is there: a child that prints faster than it is
    /// read must not keep the watch from time-outs and signals.
    fn read(&mut self, buffer: &mut [u8], dir: Option<&OutputDir>) -> io::Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => self.pipe = None,
            Ok(len) => self.spool.push(&buffer[..len], dir),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn pidfd(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn pidfd(_: Pid) -> Option<OwnedFd> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let ran = sh(
            "trap '' TERM; while :; do sleep 0.1; done",
            Some(Duration::from_millis(50)),
            &Stop::new().unwrap(),
        );
        assert_eq!((ran.exit, ran.ending), (Exit::Signal(9), Ending::TimedOut));
    }

    #[test]
    fn a_grandchild_that_holds_the_pipe_does_not_hang_the_run() {
        let ran = sh("sleep 600 & echo hi", None, &Stop::new().unwrap());
        assert_eq!(ran.stdout.read().unwrap(), b"hi\n");
        assert!(ran.leaky && ran.ending == Ending::Own);
    }

    #[test]
    fn a_stop_ends_what_runs_and_tells_why() {
        let stop = Stop::new().unwrap();
        stop.stop(StopReason::MaxDuration);
        let ran = sh("exec sleep 600", None, &stop);
        assert_eq!(ran.ending, Ending::Stopped(StopReason::MaxDuration));
    }

    #[test]
    fn a_second_signal_kills_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let ready = dir.path().join("ready");
        let script = format!("trap '' INT; : > '{}'; while :; do sleep 0.1; done", ready.display());
        let stop = Stop::new().unwrap();
        let ran = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ready.exists() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                stop.stop(StopReason::Signal(2));
                stop.stop(StopReason::Signal(2));
            });
            sh(&script, None, &stop)
        });
        assert_eq!((ran.exit, ran.ending), (Exit::Signal(9), Ending::Stopped(StopReason::Signal(2))));
    }
}
