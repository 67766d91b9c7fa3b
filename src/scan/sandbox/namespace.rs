//! A private network, which consists of a loopback device, and private System V memory and queues.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::UnshareFlags;

/// Moves this process into namespaces of its own and starts the loopback device. Without the right to do that, it first enters a
/// user namespace in which it has that right.
///
/// # Errors
///
/// If the system does not allow it.
pub(super) fn enter() -> io::Result<()> {
    let private = UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
    if unshare(private).is_err() {
        let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
        unshare(private | UnshareFlags::NEWUSER)?;
        // Users and groups keep their numbers. All others are `nobody` there.
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("{0} {0} 1", user.as_raw()))?;
        std::fs::write("/proc/self/gid_map", format!("{0} {0} 1", group.as_raw()))?;
    }
    start_loopback()
}

#[expect(unsafe_code, reason = "unsafe for shared descriptors, which are not touched here")]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: descriptors are not part of `flags`, and this process has one thread.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

#[expect(unsafe_code, reason = "no library sets the flags of a network device")]
fn start_loopback() -> io::Result<()> {
    let socket: OwnedFd =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: zeros are a valid value of this structure, which consists of numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the kernel reads a structure of this type.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
