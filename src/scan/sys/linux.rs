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
