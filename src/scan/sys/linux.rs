//! What only Linux has: a descriptor that tells of a child's end, and orphans that come to us.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::GroupId;

/// Readable when the child has ended.
pub(super) fn pidfd(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Whether the process has a copy of this pipe, of either end.
pub(super) fn has_open(pid: Pid, pipe: &File) -> bool {
    let Ok(pipe) = rustix::fs::fstat(pipe) else { return false };
    let name = format!("pipe:[{}]", pipe.st_ino);
    let all = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    let mut links =
        all.into_iter().flatten().flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.any(|link| link.as_os_str() == name.as_str())
}

/// A file without a name that may be shared with a child. It takes no disk.
pub(super) fn shared_file() -> io::Result<File> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    Ok(rustix::fs::memfd_create("genti-guard", flags).map(File::from)?)
}

/// Kills what our parent was starting when it was killed: what is orphaned as we are, in our session, younger than we
/// are, leads a group, and was told that it runs under this program.
pub(super) fn kill_nameless() {
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

/// A process above this one.
#[derive(Debug)]
pub(in crate::scan) struct Ancestor {
    name: Option<String>,
    /// With which it was started.
    environment: Vec<u8>,
}

impl Ancestor {
    /// What tells it from all other processes.
    pub(in crate::scan) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The variables that it was started with, as far as this user may see them.
    pub(in crate::scan) fn variables(&self) -> impl Iterator<Item = &[u8]> {
        self.environment.split(|&byte| byte == 0)
    }
}

/// The processes above this one, the nearest first.
pub(in crate::scan) fn ancestors() -> Vec<Ancestor> {
    /// Deeper than any that is meant.
    const MOST: usize = 1000;
    let mut above = Vec::new();
    let mut next = stat("self").map(|(_, own)| own.parent);
    while let Some(pid) = next.filter(|pid| *pid > 0 && above.len() < MOST) {
        let process = stat(&pid.to_string());
        next = process.as_ref().map(|(_, process)| process.parent);
        above.push(Ancestor {
            name: process.and_then(|(pid, process)| name_of(pid, &process)),
            environment: std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default(),
        });
    }
    above
}

/// What tells this process from all others on this machine.
pub(in crate::scan) fn own_name() -> Option<String> {
    let (pid, process) = stat("self")?;
    name_of(pid, &process)
}

/// Its number, when it was started, because numbers are used again, and whose numbers these are: containers have their own.
fn name_of(pid: i32, process: &Stat) -> Option<String> {
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{pid} {} {}", process.start, namespace.display()))
}

/// What `/proc` says of a process.
struct Stat {
    parent: i32,
    group: i32,
    session: i32,
    /// In ticks since the machine was started.
    start: u64,
}

/// The process that is called `name` below `/proc`, and its number.
fn stat(name: &str) -> Option<(i32, Stat)> {
    let text = std::fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
    // The name of the program may hold anything but is the only thing in parentheses.
    let (pid, (_, rest)) = (text.split(' ').next()?.parse().ok()?, text.rsplit_once(") ")?);
    let field = |at: usize| rest.split(' ').nth(at);
    let number = |at: usize| field(at)?.parse().ok();
    Some((
        pid,
        Stat { parent: number(1)?, group: number(2)?, session: number(3)?, start: field(19)?.parse().ok()? },
    ))
}

/// The processes that have lost their parents and have become our children.
#[derive(Debug)]
pub(in crate::scan) struct Orphans {
    /// The children of our first thread: the kernel gives it what is orphaned.
    children: File,
}

impl Orphans {
    /// From now on, what is orphaned below this process becomes its child.
    pub(in crate::scan) fn adopt() -> io::Result<Self> {
        let own = rustix::process::getpid();
        let children = File::open(format!("/proc/self/task/{own}/children"))?;
        rustix::process::set_child_subreaper(Some(own))?;
        Ok(Self { children })
    }

    /// Kills them if `kill` says so, and reaps the dead. Whether there were any. `others` are our own children:
    /// who started them reaps them.
    pub(in crate::scan) fn sweep(&self, others: &[GroupId], kill: bool) -> bool {
        let mut children = self.children();
        children.retain(|pid| !others.contains(&GroupId(*pid)));
        for pid in &children {
            if kill {
                // Nobody else can have these numbers as long as it is not reaped. Its group, if it leads one, goes
                // at once: one by one, they could fork faster than they are killed.
                let _ = rustix::process::kill_process_group(*pid, Signal::KILL);
                let _ = rustix::process::kill_process(*pid, Signal::KILL);
            }
            // Never for just any child.
            let _ = rustix::process::waitpid(Some(*pid), WaitOptions::NOHANG);
        }
        !children.is_empty()
    }

    /// All children of our first thread, those that are dead and not reaped included.
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
