//! The sandbox: a wall around a process, which the kernel enforces on it and on everything that it starts.
//!
//! # How a process gets behind the wall
//!
//! `posix_spawn` can't restrict a child, and code between `fork` and `exec` is expensive here (`sys/mod.rs`). So this program
//! starts itself as a *helper* (`helper.rs`), in the place of the process: with its directory, pipes and process group. The helper
//! reads an [`Order`] from a socket on its standard input, restricts itself, and executes the program. The process id stays the
//! same, so limits, signals and the end of the process work as without a wall.
//!
//! The variables of the tool are part of the order, because `LD_PRELOAD`, for example, would run code of the tool in the
//! helper. Its own environment is empty.
//!
//! On the same socket, the helper says that everything is set up, immediately before it executes the program, or what failed.
//! The socket closes when the program starts. A helper that said nothing has not started the program.
//!
//! # What enforces it
//!
//! - Landlock: files. Everything that is not granted is denied, for reading too.
//! - A seccomp filter (`filter.rs`): sockets, and the ways around this filter.
//! - For a private network: a network namespace (`namespace.rs`).
//! - `no_new_privs`, and without the capabilities that could undo the rest.
//! - Closed descriptors: only the standard streams and the jobserver are inherited.
//!
//! A process is never started with half a wall: if a part can't be set up, it does not start. Where the kernel can't do it at
//! all, [`Kernel::wall`] says so before anything runs, and the caller reports it.
//!
//! # Observing
//!
//! A wall may have an *observer* (`observer.rs`), which finds out what the process looked at. For it, the filter asks this process
//! about each call that is not harmless (`calls.rs`), through a descriptor that it copies from the helper (`listener.rs`). Where a
//! path leads is read from the process (`target.rs`), and so is whom it talks to (`sockets.rs`).
//!
//! Knows nothing about tools: `grants.rs` translates their configuration, and `places.rs` checks the paths.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod filter;
mod grants;
#[cfg(target_os = "linux")]
mod helper;
#[cfg(target_os = "linux")]
mod interpreter;
mod kernel;
#[cfg(target_os = "linux")]
mod listener;
#[cfg(target_os = "linux")]
mod namespace;
mod observed;
#[cfg(target_os = "linux")]
mod observer;
mod places;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod target;

#[cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::tool::Network;

pub(super) use self::grants::Grants;
#[cfg(target_os = "linux")]
pub(super) use self::helper::run_as_helper;
pub use self::kernel::{Kernel, NoWall};
pub use self::observed::{Observed, Sight};
#[cfg(target_os = "linux")]
pub(super) use self::start::BehindWall;

/// Argument that makes this program the helper that sets up a sandbox.
pub const HELPER: &str = "__sandbox";

/// Rights of a process. Everything else is denied. The paths lead through no links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// Files and directory trees that it may read, and programs there that it may run. Those that don't exist are ignored.
    pub reads: Vec<Place>,
    /// Files and directory trees that it may also change.
    pub writes: Vec<Place>,
    /// Devices that it may read, write and control. Those that don't exist are ignored.
    pub devices: Vec<Place>,
    /// Sockets that it may open.
    pub network: Network,
    /// True if it may also use Unix sockets. Then they are no part of the wall: only the observer keeps them in the temporary
    /// directory.
    pub unix_sockets: bool,
    /// True if it is observed.
    pub is_observed: bool,
    /// Directories with compilers, if the observed process is one: what they do with a terminal, and which entries of a directory
    /// they look for, need not be observed.
    pub compilers: Vec<Place>,
    /// Inherited descriptors that stay open: those of the jobserver.
    pub descriptors: Vec<i32>,
}

/// Order to the helper, besides the program and its arguments.
#[cfg(target_os = "linux")]
#[derive(Serialize, Deserialize)]
struct Order {
    wall: Wall,
    /// The complete environment of the program.
    vars: BTreeMap<OsString, OsString>,
}

/// First byte of the helper's answer: everything is set up, and the program is executed now.
#[cfg(target_os = "linux")]
const READY: u8 = b'+';
/// First byte of the helper's answer: something failed, with the number of the error and the name of the step.
#[cfg(target_os = "linux")]
const FAILED: u8 = b'-';

/// An absolute path. Unlike `PathBuf`, it can be serialized whatever its bytes are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place(OsString);

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self(path.into_os_string())
    }
}

impl AsRef<std::path::Path> for Place {
    fn as_ref(&self) -> &std::path::Path {
        self.0.as_ref()
    }
}
