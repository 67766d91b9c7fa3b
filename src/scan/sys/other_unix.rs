//! What takes the place of what only Linux has.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::Pid;

use super::GroupId;

/// No descriptor tells of a child's end.
pub(super) fn pidfd(_: Pid) -> Option<OwnedFd> {
    None
}

/// It can't be told.
pub(super) fn has_open(_: Pid, _: &File) -> bool {
    false
}

/// A file without a name that may be shared with a child.
pub(super) fn shared_file() -> io::Result<File> {
    tempfile::tempfile()
}

/// There is no way to tell them from others.
pub(super) fn kill_nameless() {}

/// Of a process above this one, nothing can be told.
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

/// They are not looked for.
pub(in crate::scan) fn ancestors() -> Vec<Ancestor> {
    Vec::new()
}

/// There is no name that no other process ever has.
pub(in crate::scan) fn own_name() -> Option<String> {
    None
}

/// Orphans do not come to us.
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
