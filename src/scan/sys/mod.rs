//! What differs between systems: a child together with what it starts, its pipes, and sleeping until one of
//! them has news. Each module here has the same items; all above is the same everywhere.
//!
//! | | Linux | other Unix | Windows |
//! | --- | --- | --- | --- |
//! | a child and what it starts | a process group | a process group | a job object |
//! | how it is asked to end | a signal | a signal | Ctrl-Break |
//! | what leaves the group | comes to us, and ends with the run | is lost | can't |
//! | when we are killed | a guard kills the group and returns the tokens | the same | it is killed, too |
//! | what runs above us | all processes, and how they were started | is not told | is not told |
//! | how the end of a child is noticed | a pidfd | a look now and then | its handle |
//! | Ctrl-Z | stops the children as well | the same | there is none |
//!
//! Children are spawned by `posix_spawn` on Unix: whatever needs code between `fork` and `exec` costs 66 ms a
//! process in a parent of 800 MB. So there is no PDEATHSIG, but a guard.

#[cfg(unix)]
#[path = "unix.rs"]
mod imp;
#[cfg(windows)]
#[path = "windows.rs"]
mod imp;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod orphans;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "other_unix.rs"]
mod orphans;

#[cfg(unix)]
mod guard;

#[cfg(unix)]
pub use guard::stand_guard;
#[cfg(windows)]
pub use imp::stand_guard;

#[cfg(unix)]
pub(super) use guard::{Guard, Ledger};
pub(super) use imp::{Group, GroupId, Pipe, Waker, make_inheritable, wait};
#[cfg(windows)]
pub(super) use imp::{Guard, Ledger, Orphans, ancestors, own_name};
#[cfg(unix)]
pub(super) use orphans::{Orphans, ancestors, own_name};
