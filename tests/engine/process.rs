//! Processes under test: starts them in the background, watches them, and waits for them and all their
//! descendants.
//!
//! Each process inherits the writing end of a pipe and passes it on to everything it starts, in whatever group or
//! session. The pipe is closed when the last of them has exited, so nothing here depends on time or on other
//! processes of the machine.

use std::io::{PipeReader, PipeWriter, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal};

/// Turns a hang into a failure. Far longer than any wait on a slow machine under load.
pub(crate) const HANGS: Duration = Duration::from_secs(540);

/// A process and all its descendants.
pub(crate) struct Running {
    child: Child,
    alive: PipeReader,
    stdout: Captured,
    stderr: Captured,
}

impl Running {
    /// Starts `command` in a process group of its own, with its output captured and without input.
    #[track_caller]
    pub(crate) fn start(command: &Command) -> Self {
        let (alive, theirs) = std::io::pipe().unwrap();
        let mut child =
            holding(command, theirs).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let [stdout, stderr] = [Captured::new(child.stdout.take()), Captured::new(child.stderr.take())];
        Self { child, alive, stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns whether it has printed `text` to its standard error yet.
    pub(crate) fn says(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.stderr.bytes()).contains(text)
    }

    /// Returns whether it has printed `text` to its standard output yet.
    pub(crate) fn tells(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.stdout.bytes()).contains(text)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends `signal`, such as `INT`. If the process has already exited, that is not a failure.
    pub(crate) fn send(&self, signal: &str) {
        kill(signal, &self.id().to_string());
    }

    /// Waits until it and all its descendants have exited.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        let since = Instant::now();
        while !self.is_alone() {
            if since.elapsed() >= HANGS {
                let left = self.end_all();
                panic!(
                    "still running after {HANGS:?}: {left:#?}\n{}",
                    String::from_utf8_lossy(&self.stderr.bytes())
                );
            }
        }
        let status: ExitStatus = self.child.wait().unwrap();
        Output { status, stdout: self.stdout.end(), stderr: self.stderr.end() }
    }

    /// Kills what is left of it.
    #[cfg(target_os = "linux")]
    pub(crate) fn end(mut self) -> Vec<String> {
        let left = self.end_all();
        let _ = self.child.wait();
        left
    }

    /// Waits a moment until no process holds the pipe.
    fn is_alone(&mut self) -> bool {
        let mut watched = [PollFd::new(&self.alive, PollFlags::IN)];
        let moment = Timespec { tv_sec: 1, tv_nsec: 0 };
        // Nobody writes to it, so it only becomes readable at its end.
        poll(&mut watched, Some(&moment)).is_ok_and(|ready| ready > 0)
    }

    /// Kills the processes that still hold the pipe, as far as they can be determined.
    fn end_all(&self) -> Vec<String> {
        let pipe = rustix::fs::fstat(&self.alive).unwrap().st_ino;
        let link = format!("pipe:[{pipe}]");
        let is_held = |pid: u32| {
            let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            fds.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|to| to.as_os_str() == link.as_str())
        };
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let holders: Vec<_> = pids.filter(|pid| *pid != std::process::id() && is_held(*pid)).collect();
        let describe = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("{pid}: {}", String::from_utf8_lossy(&line).replace('\0', " "))
        };
        let described = holders.iter().map(describe).collect();
        for pid in holders.into_iter().filter_map(|pid| Pid::from_raw(pid as i32)) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        described
    }
}

/// Runs `command` until it and all its descendants have exited.
#[track_caller]
pub(crate) fn output(command: &Command) -> Output {
    Running::start(command).finish()
}

/// Runs `command` in a shell that passes the end of a pipe as descriptor 9 to its descendants.
fn holding(command: &Command, pipe: PipeWriter) -> Command {
    heed_signals();
    let mut holding = under(&["sh", "-c", "exec \"$@\" 9>&0 < /dev/null", "sh"], command);
    holding.stdin(pipe).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    holding
}

/// Wraps `command` with `prefix`: a shell, strace, prlimit or nsenter.
pub(crate) fn under(prefix: &[&str], command: &Command) -> Command {
    let mut under = Command::new(prefix[0]);
    under.args(&prefix[1..]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => under.env(name, value),
            None => under.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        under.current_dir(dir);
    }
    under
}

/// Sends `signal` to `pid`, or to a group if it begins with `-`. If there is no such process, that is not a
/// failure.
pub(crate) fn kill(signal: &str, pid: &str) {
    Command::new("kill").args(["-s", signal, "--", pid]).stderr(Stdio::null()).status().unwrap();
}

/// Waits until `is_so` returns true.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_done() {
        assert!(since.elapsed() < HANGS, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Makes children react to the signals that tests send. If the tests run in the background of a shell or under
/// `nohup`, some signals are ignored, and children would inherit that. They don't inherit handlers.
pub(crate) fn heed_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            if mask & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
}

/// Output of a stream, read while it arrives.
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Captured {
    fn new(stream: Option<impl Read + Send + 'static>) -> Self {
        let (bytes, mut stream) = (Arc::<Mutex<Vec<u8>>>::default(), stream.unwrap());
        let shared = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(len @ 1..) = stream.read(&mut buffer) {
                shared.lock().unwrap().extend_from_slice(&buffer[..len]);
            }
        });
        Self { bytes, reader }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the complete output. All writers must have exited.
    fn end(self) -> Vec<u8> {
        self.reader.join().unwrap();
        std::mem::take(&mut self.bytes.lock().unwrap())
    }
}
