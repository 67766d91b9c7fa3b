//! The helper: this program, started in the place of a process, which restricts itself and then executes the program.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::thread::CapabilitySet;

use super::listener::Listener;
use super::{FAILED, HELPER, Order, Place, READY, Wall, filter, namespace};
use crate::model::tool::Network;
use crate::scan::sys;

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
    let restricted = match receive(&control) {
        Ok((order, observer)) => restrict(order, &control, observer),
        Err(error) => Err(("its description", error)),
    };
    let (what, error) = match restricted {
        Ok((nothing, vars)) => {
            let mut command = Command::new(program);
            command.args(rest).env_clear().envs(vars).stdin(Stdio::from(nothing));
            match control.write_all(&[READY]) {
                Ok(()) => ("", command.exec()),
                Err(error) => ("the answer", error),
            }
        }
        Err(failure) => failure,
    };
    let number = error.raw_os_error().unwrap_or(libc::EIO);
    // If this fails, the run sees a helper that ended without an answer.
    let _ = control.write_all(&[&[FAILED], &number.to_le_bytes()[..], what.as_bytes()].concat());
    Some(1)
}

/// Puts this process behind the wall, with the `observer` at the other end of a socket. Returns the standard input and the variables
/// for the program.
fn restrict(
    order: Order,
    control: &File,
    observer: Option<OwnedFd>,
) -> Result<(OwnedFd, BTreeMap<OsString, OsString>), Failure> {
    let of = |what| move |error| (what, error);
    let Order { wall, vars } = order;
    let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| ("`/dev/null`", error.into()))?;
    close_inherited(&wall.descriptors, control).map_err(of("inherited files"))?;
    let own = rustix::thread::capabilities(None).map_err(|error| ("capabilities", error.into()))?;
    if wall.network == Network::Loopback {
        namespace::enter().map_err(of("a private network, which this system does not allow"))?;
    }
    drop_capabilities(own.permitted & KEPT).map_err(of("capabilities"))?;
    rustix::thread::set_no_new_privs(true).map_err(|error| ("no_new_privs", error.into()))?;
    restrict_files(&wall).map_err(of("Landlock"))?;
    install_filter(&wall, observer).map_err(of("seccomp"))?;
    Ok((nothing, vars))
}

/// Installs the filter. From then on, an observed process can only use harmless calls until it has handed over the listener.
fn install_filter(wall: &Wall, observer: Option<OwnedFd>) -> io::Result<()> {
    if let Some(observer) = observer
        && let Some(listener) = filter::install_observed(wall.network, wall.unix_sockets)?
    {
        return Listener::offer(&listener, observer);
    }
    filter::install(wall.network, wall.unix_sockets)
}

/// Receives the order, which is in a file, and the socket of the observer, if there is one.
fn receive(control: &File) -> io::Result<(Order, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(
        control,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut files = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let file = files.next();
    let mut text = Vec::new();
    File::from(file.ok_or(io::ErrorKind::InvalidData)?).read_to_end(&mut text)?;
    Ok((postcard::from_bytes(&text).map_err(io::Error::other)?, files.next()))
}

/// Closes all files but the standard streams and `kept` when the program is executed. `control` is never kept.
#[expect(unsafe_code, reason = "no library marks a range of descriptors")]
fn close_inherited(kept: &[i32], control: &File) -> io::Result<()> {
    // SAFETY: the descriptors stay open in this program.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let kept = kept.iter().filter(|number| **number != control.as_raw_fd());
    kept.for_each(|number| sys::make_inheritable(*number));
    Ok(())
}

/// Returns true if a process has fewer rights behind a wall than this one has.
pub(super) fn loses_rights() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|own| !KEPT.contains(own.effective))
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
    let rules = rules(wall)?;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .and_then(|created| created.add_rules(rules.into_iter().map(Ok::<_, RulesetError>)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(io::Error::other)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(io::ErrorKind::Unsupported.into()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}

/// Returns the rules for the files of `wall`. Something that may be changed and is not there is an error, because the repository or
/// another tool may have replaced it since it was checked.
fn rules(wall: &Wall) -> io::Result<Vec<PathBeneath<OwnedFd>>> {
    let control = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::IoctlDev;
    let reads = wall.reads.iter().flat_map(|place| beneath(place, AccessFs::from_read(NEWEST)).map(Ok));
    let devices = wall.devices.iter().flat_map(|place| beneath(place, control).map(Ok));
    let writes = wall.writes.iter().map(|place| beneath(place, AccessFs::from_all(NEWEST)));
    reads.chain(devices).chain(writes).collect()
}

/// Returns the rule for a path, in which no links are followed.
fn beneath(place: &Place, access: BitFlags<AccessFs>) -> io::Result<PathBeneath<OwnedFd>> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = openat2(CWD, place.as_ref(), flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let is_dir = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::Directory;
    let access = if is_dir { access } else { access & AccessFs::from_file(NEWEST) };
    Ok(PathBeneath::new(file, access))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_is_followed_and_nothing_writable_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        let places = |names: &[&str]| names.iter().map(|name| root.join(name).into()).collect();
        let count = |reads: &[&str], writes: &[&str]| {
            let wall = Wall { reads: places(reads), writes: places(writes), ..Wall::default() };
            rules(&wall).map(|rules| rules.len()).map_err(|error| error.raw_os_error().unwrap())
        };
        assert_eq!(count(&["real"], &["real"]), Ok(2));
        assert_eq!(count(&["link", "missing", "real"], &[]), Ok(1));
        assert_eq!(count(&[], &["real", "link"]), Err(libc::ELOOP));
        assert_eq!(count(&[], &["missing"]), Err(libc::ENOENT));
    }
}
