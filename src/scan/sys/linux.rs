//! Linux only: descriptors that report the end of a child, and adoption of orphans.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::GroupId;

/// Returns a descriptor that becomes readable when the child has ended.
pub(super) fn pidfd(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Returns whether the process has a copy of either end of this pipe.
pub(super) fn has_open(pid: Pid, pipe: &File) -> bool {
    let Ok(pipe) = rustix::fs::fstat(pipe) else { return false };
    let name = format!("pipe:[{}]", pipe.st_ino);
    let all = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    let mut links =
        all.into_iter().flatten().flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.any(|link| link.as_os_str() == name.as_str())
}

/// Creates an unnamed file in memory that can be shared with a child.
pub(super) fn shared_file() -> io::Result<File> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    Ok(rustix::fs::memfd_create("genti-guard", flags).map(File::from)?)
}

/// Kills processes that the parent was starting when it was killed. Such a process is an orphan in our session,
/// was started after us, leads a group, and has the environment variable of this program.
pub(super) fn kill_starting() {
    let Some((_, own)) = stat("self") else { return };
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for name in numbers.filter_map(|entry| entry.file_name().into_string().ok()) {
        let Some((pid, process)) = stat(&name) else { continue };
        let is_orphan = process.parent == own.parent && process.session == own.session;
        let is_ours = is_orphan && process.group == pid && process.start >= own.start && pid != own.group;
        let environment = || std::fs::read(format!("/proc/{name}/environ")).unwrap_or_default();
        if is_ours && environment().split(|&byte| byte == 0).any(|variable| variable == b"GENTI=1") {
            Pid::from_raw(pid).map(|pid| GroupId(pid).kill());
        }
    }
}

/// An ancestor of this process.
#[derive(Debug)]
pub(in crate::scan) struct Ancestor {
    name: Option<String>,
    /// The environment with which it was started.
    environment: Vec<u8>,
}

impl Ancestor {
    /// Returns a name that identifies the process on this machine.
    pub(in crate::scan) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the variables with which it was started, as far as this user may read them.
    pub(in crate::scan) fn variables(&self) -> impl Iterator<Item = &[u8]> {
        self.environment.split(|&byte| byte == 0)
    }
}

/// Returns the ancestors of this process, nearest first.
pub(in crate::scan) fn ancestors() -> Vec<Ancestor> {
    /// Limit on the depth, far above any real one.
    const MAX_DEPTH: usize = 1000;
    let mut ancestors = Vec::new();
    let mut next = stat("self").map(|(_, own)| own.parent);
    while let Some(pid) = next.filter(|pid| *pid > 0 && ancestors.len() < MAX_DEPTH) {
        let process = stat(&pid.to_string());
        next = process.as_ref().map(|(_, process)| process.parent);
        ancestors.push(Ancestor {
            name: process.and_then(|(pid, process)| name_of(pid, &process)),
            environment: std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default(),
        });
    }
    ancestors
}

/// Returns a name that identifies this process on this machine.
pub(in crate::scan) fn own_name() -> Option<String> {
    let (pid, process) = stat("self")?;
    name_of(pid, &process)
}

/// Returns a name that identifies the process `id` on this machine.
pub(in crate::scan) fn name_of_process(id: u32) -> Option<String> {
    let (pid, process) = stat(&id.to_string())?;
    name_of(pid, &process)
}

/// Kills the group of a process with this name, if it still lives, and waits until it is gone.
pub(in crate::scan) fn kill_named(name: &str) {
    let id = || name.split(' ').next()?.parse::<u32>().ok();
    let Some((id, group)) = id().and_then(|id| Some((id, GroupId(Pid::from_raw(i32::try_from(id).ok()?)?))))
    else {
        return;
    };
    // It may be in a state in which it can't be killed.
    for _ in 0..MAX_WAITS {
        if name_of_process(id).is_none_or(|now| now != name) || is_dead(id) {
            return;
        }
        group.kill();
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Number of waits for a killed process.
const MAX_WAITS: u32 = 500;

/// Returns true if the process has ended and waits to be reaped.
fn is_dead(id: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Combines the process id, the start time (because ids are reused), and the namespace of the id (because
/// containers have their own).
fn name_of(pid: i32, process: &Stat) -> Option<String> {
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{pid} {} {}", process.start, namespace.display()))
}

/// Fields of `/proc/PID/stat`.
struct Stat {
    parent: i32,
    group: i32,
    session: i32,
    /// Start time in ticks since boot.
    start: u64,
}

/// Reads the entry `name` below `/proc`. Returns the process id and its fields.
fn stat(name: &str) -> Option<(i32, Stat)> {
    let text = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
    // The program name in parentheses may contain anything, so search for its end from the right.
    let (pid, (_, rest)) = (text.split(' ').next()?.parse().ok()?, text.rsplit_once(") ")?);
    let field = |at: usize| rest.split(' ').nth(at);
    let number = |at: usize| field(at)?.parse().ok();
    Some((
        pid,
        Stat { parent: number(1)?, group: number(2)?, session: number(3)?, start: field(19)?.parse().ok()? },
    ))
}

/// Processes that lost their parents and became our children.
#[derive(Debug)]
pub(in crate::scan) struct Orphans {
    /// List of the children of our main thread, to which the kernel assigns orphans.
    children: File,
}

impl Orphans {
    /// Makes this process the parent of its orphaned descendants.
    pub(in crate::scan) fn adopt() -> io::Result<Self> {
        let own = rustix::process::getpid();
        let children = File::open(format!("/proc/self/task/{own}/children"))?;
        rustix::process::set_child_subreaper(Some(own))?;
        Ok(Self { children })
    }

    /// Kills the orphans if `kill` is set, and reaps dead ones. Returns whether there were any. `others` are
    /// children that we started ourselves, which are reaped elsewhere.
    pub(in crate::scan) fn sweep(&self, others: &[GroupId], kill: bool) -> bool {
        let mut children = self.children();
        children.retain(|pid| !others.contains(&GroupId(*pid)));
        for pid in &children {
            if kill {
                // The ids can't be reused until the processes are reaped. A group is killed as a whole, because
                // its members could otherwise fork faster than they are killed.
                let _ = rustix::process::kill_process_group(*pid, Signal::KILL);
                let _ = rustix::process::kill_process(*pid, Signal::KILL);
            }
            // Wait for this process only, not for any child.
            let _ = rustix::process::waitpid(Some(*pid), WaitOptions::NOHANG);
        }
        !children.is_empty()
    }

    /// Returns all children of our main thread, including dead ones that are not reaped.
    fn children(&self) -> Vec<Pid> {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = self.children.read_at(&mut buffer, text.len() as u64) {
            text.extend_from_slice(&buffer[..len]);
        }
        let text = String::from_utf8_lossy(&text);
        text.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
    }
}
