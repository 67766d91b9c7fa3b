//! The helper: this program, started in the place of a process, which restricts itself and then executes the program.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope, path_beneath_rules,
};
use rustix::fs::{Mode, OFlags};
use rustix::thread::CapabilitySet;

use super::{HELPER, Wall, filter, namespace};
use crate::model::tool::Network;
use crate::scan::pool;

/// Capabilities that a process of root keeps: those about files and identities. The others could undo the wall.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::NET_BIND_SERVICE);

/// Newest version of Landlock's interface whose restrictions are used. A newer kernel has them all.
const NEWEST: ABI = ABI::V7;

/// A step that failed, as a word for the user, and why. Without a word, the program could not be executed.
type Failure = (&'static str, io::Error);

/// Runs as the helper if the arguments, which begin with the name of this program, ask for it. Returns the exit code if the
/// program could not be executed, and `None` if this process is not a helper.
pub(in crate::scan) fn run_as_helper(args: &[OsString]) -> Option<i32> {
    let [_, mode, program, rest @ ..] = args else { return None };
    if mode != HELPER {
        return None;
    }
    // The standard input is the socket until the program is executed.
    let control = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3).map(File::from);
    let Ok(mut control) = control else { return Some(1) };
    let (what, error) = match restrict(&mut control) {
        Ok(nothing) => ("", Command::new(program).args(rest).stdin(Stdio::from(nothing)).exec()),
        Err(failure) => failure,
    };
    let number = error.raw_os_error().unwrap_or(libc::EIO);
    // If this fails, the run sees a process that exits with an error.
    let _ = control.write_all(&[&number.to_le_bytes()[..], what.as_bytes()].concat());
    Some(1)
}

/// Puts this process behind the wall that `control` describes. Returns the standard input for the program.
fn restrict(control: &mut File) -> Result<OwnedFd, Failure> {
    let of = |what| move |error| (what, error);
    let mut text = Vec::new();
    control.read_to_end(&mut text).map_err(of("its description"))?;
    let wall: Wall =
        postcard::from_bytes(&text).map_err(|error| ("its description", io::Error::other(error)))?;
    let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| ("`/dev/null`", error.into()))?;
    close_inherited().map_err(of("inherited files"))?;
    let own = rustix::thread::capabilities(None).map_err(|error| ("capabilities", error.into()))?;
    if wall.network == Network::Loopback {
        namespace::enter().map_err(of("a private network, which this system does not allow"))?;
    }
    drop_capabilities(own.permitted & KEPT).map_err(of("capabilities"))?;
    rustix::thread::set_no_new_privs(true).map_err(|error| ("no_new_privs", error.into()))?;
    restrict_files(&wall).map_err(of("Landlock"))?;
    filter::install(wall.network).map_err(of("seccomp"))?;
    Ok(nothing)
}

/// Closes all files but the standard streams and the jobserver when the program is executed.
#[expect(unsafe_code, reason = "no library marks a range of descriptors")]
fn close_inherited() -> io::Result<()> {
    // SAFETY: the descriptors stay open in this program.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    pool::keep_jobserver();
    Ok(())
}

/// Drops all capabilities but `kept`, also for programs that are executed later.
fn drop_capabilities(kept: CapabilitySet) -> io::Result<()> {
    let own = rustix::thread::capabilities(None)?;
    if own.effective.contains(CapabilitySet::SETPCAP) {
        for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
            // The kernel has fewer than 64.
            if !kept.contains(capability)
                && let Ok(true) = rustix::thread::capability_is_in_bounding_set(capability)
            {
                rustix::thread::remove_capability_from_bounding_set(capability)?;
            }
        }
    }
    let sets = rustix::thread::CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Lets this process access only the files of `wall`.
fn restrict_files(wall: &Wall) -> io::Result<()> {
    let read = AccessFs::from_read(NEWEST);
    let all = AccessFs::from_all(NEWEST);
    let control = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::IoctlDev;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(&wall.reads, read)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(&wall.writes, all)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(&wall.devices, control)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(io::Error::other)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(io::ErrorKind::Unsupported.into()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}
