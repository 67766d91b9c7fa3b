//! System-specific parts: a child process with its descendants, its pipes, and waiting for any of them.
//!
//! All implementations have the same items, and the code above this module is the same everywhere.
//!
//! | | Linux | other Unix | Windows |
//! | --- | --- | --- | --- |
//! | child and its descendants | process group | process group | job object |
//! | request to exit | signal | signal | Ctrl-Break |
//! | process that leaves the group | becomes our child, and ends with the run | is lost | not possible |
//! | we are killed | a guard kills the groups and returns the tokens | same | the job ends too |
//! | ancestors | known, with their environment | unknown | unknown |
//! | end of a child is noticed by | pidfd | polling | its handle |
//! | Ctrl-Z | also suspends the children | same | does not exist |
//!
//! On Unix, children are started with `posix_spawn`. Code between `fork` and `exec` would cost 66 ms per process
//! in a parent of 800 MB. So a guard process is used instead of PDEATHSIG.

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
pub use imp::signal_name;
#[cfg(windows)]
pub use imp::stand_guard;

#[cfg(unix)]
pub(super) use guard::{Guard, Ledger};
#[cfg(unix)]
pub(super) use imp::end_by;
pub(super) use imp::{Group, GroupId, Pipe, Waker, has_ended, is_named_pipe, make_inheritable, wait};
#[cfg(windows)]
pub(super) use imp::{Guard, Ledger, Orphans, ancestors, kill_named, name_of_process, own_name};
#[cfg(unix)]
pub(super) use orphans::{Orphans, ancestors, kill_named, name_of_process, own_name};
