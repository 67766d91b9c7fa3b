//! Replacements on other Unix systems for what only Linux has.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::Pid;

use super::GroupId;

/// Returns `None`, because there is no descriptor for the end of a child.
pub(super) fn pidfd(_: Pid) -> Option<OwnedFd> {
    None
}

/// Returns false, because open files of other processes are unknown.
pub(super) fn has_open(_: Pid, _: &File) -> bool {
    false
}

/// Creates an unnamed file that can be shared with a child.
pub(super) fn shared_file() -> io::Result<File> {
    tempfile::tempfile()
}

/// Does nothing: on these systems, processes that the parent was starting when it was killed can't be told
/// apart from others.
pub(super) fn kill_starting() {}

/// An ancestor of this process. Never constructed on these systems.
#[derive(Debug)]
pub(in crate::scan) struct Ancestor(std::convert::Infallible);

impl Ancestor {
    pub(in crate::scan) fn name(&self) -> Option<&str> {
        match self.0 {}
    }

    pub(in crate::scan) fn variables(&self) -> std::iter::Empty<&[u8]> {
        match self.0 {}
    }
}

/// Returns nothing, because ancestors are not determined.
pub(in crate::scan) fn ancestors() -> Vec<Ancestor> {
    Vec::new()
}

/// Returns `None`, because the start time of a process, without which its id says nothing, is not known here.
pub(in crate::scan) fn name_of_process(_: u32) -> Option<String> {
    None
}

/// Does nothing, because no process has a name here.
pub(in crate::scan) fn kill_named(_: &str) {}

/// Returns `None`, because no name is unique over time.
pub(in crate::scan) fn own_name() -> Option<String> {
    None
}

/// Orphans, which are not adopted on these systems.
#[derive(Debug)]
pub(in crate::scan) struct Orphans(());

impl Orphans {
    pub(in crate::scan) fn adopt() -> io::Result<Self> {
        Ok(Self(()))
    }

    pub(in crate::scan) fn sweep(&self, _: &[GroupId], _: bool) -> bool {
        false
    }
}
