//! Seccomp filters: small programs that the kernel runs for each system call of a process.
//!
//! A filter sees the number of the call and the architecture that the number belongs to. Numbers differ between architectures,
//! so a filter that ignored it could be passed by a call of another one.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::{c_long, c_ulong, sock_filter, sock_fprog};

use super::calls::{HARMLESS, HARMLESS_HERE};
use crate::model::tool::Network;

/// Number of the architecture in the kernel's audit interface, if it is supported here.
#[cfg(target_arch = "x86_64")]
pub(super) const ARCHITECTURE: Option<u32> = Some(0xC000_003E);
/// Number of the architecture in the kernel's audit interface, if it is supported here.
#[cfg(target_arch = "aarch64")]
pub(super) const ARCHITECTURE: Option<u32> = Some(0xC000_00B7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const ARCHITECTURE: Option<u32> = None;

/// On x86_64, calls of the interface x32 have this bit in their number.
pub(super) const X32: u32 = 0x4000_0000;

/// Offset of the number of the call in `seccomp_data`.
const NUMBER: u32 = 0;
/// Offset of the architecture in `seccomp_data`.
const ARCH: u32 = 4;
/// Offsets of the lower halves of the first two arguments in `seccomp_data`, on these architectures.
const ARGUMENTS: [u32; 2] = [16, 24];
/// Offsets of both halves of the third argument.
const THIRD: [u32; 2] = [32, 36];
/// Offsets of both halves of the fifth argument.
const FIFTH: [u32; 2] = [48, 52];
/// Calls about the keys that the kernel stores for the user, such as those of encrypted directories.
const KEYS: [c_long; 3] = [libc::SYS_add_key, libc::SYS_keyctl, libc::SYS_request_key];
/// The bits of the type of a socket. The others are flags.
const SOCKET_TYPE: u32 = 0xf;

/// Families of sockets that end in a network namespace. Others lead out of it: Unix sockets by their path, for example.
const OF_NAMESPACE: [i32; 3] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// A seccomp filter.
struct Filter(Vec<sock_filter>);

impl Filter {
    /// Returns a filter that denies the user's keys, changing the limits of other processes, and, if `families` are given, sockets
    /// of all others and the ways around that; `None` if this architecture is not supported.
    ///
    /// Pairs of connected sockets are allowed if they can't be used to reach anything else, which a datagram socket can. io_uring
    /// could open sockets without a call that a filter sees. Calls of another architecture don't exist.
    ///
    /// If the process `is_observed`, the observer is asked instead, about what is denied and about each call that is not harmless.
    fn new(families: Option<&[i32]>, is_observed: bool) -> Option<Self> {
        let architecture = ARCHITECTURE?;
        let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
        let give = |verdict| statement(libc::BPF_RET | libc::BPF_K, verdict);
        let ask = give(libc::SECCOMP_RET_USER_NOTIF);
        let fail = |error: i32| match is_observed {
            true => ask,
            false => give(libc::SECCOMP_RET_ERRNO | error.unsigned_abs()),
        };
        let allow = give(libc::SECCOMP_RET_ALLOW);
        // Returns statements that allow the call if what was loaded is one of these, and let it fail otherwise.
        let only = |values: &[i32]| {
            let each = values.iter().flat_map(|value| [skip_unless(value.unsigned_abs(), 1), allow]);
            each.chain([fail(libc::EACCES)]).collect::<Vec<_>>()
        };
        // Runs `body`, which ends with a verdict, for this call only.
        let on_call = |call: c_long, body: Vec<sock_filter>| {
            let number = u32::try_from(call).ok()?;
            let len = u8::try_from(body.len()).ok()?;
            Some([vec![skip_unless(number, len)], body].concat())
        };
        let is_unix = [load(ARGUMENTS[0]), skip_if(libc::AF_UNIX.unsigned_abs(), 1), fail(libc::EACCES)];
        let is_bound =
            [load(ARGUMENTS[1]), statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, SOCKET_TYPE)];
        let has_unix = families.is_some_and(|families| families.contains(&libc::AF_UNIX));
        let streams = match has_unix {
            true => vec![allow],
            false => only(&[libc::SOCK_STREAM, libc::SOCK_SEQPACKET]),
        };
        let mut code = vec![load(ARCH), skip_if(architecture, 1), fail(libc::ENOSYS), load(NUMBER)];
        if cfg!(target_arch = "x86_64") {
            code.extend([skip_below(X32, 1), fail(libc::ENOSYS)]);
        }
        for call in KEYS {
            code.extend(on_call(call, vec![fail(libc::EPERM)])?);
        }
        // Process 0 is the caller. Without a new limit, the call only asks.
        let own = match is_observed {
            true => Vec::new(),
            false => vec![load(ARGUMENTS[0]), skip_unless(0, 1), allow],
        };
        let asks = THIRD.map(|half| [load(half), skip_if(0, 1), fail(libc::EPERM)]).concat();
        code.extend(on_call(libc::SYS_prlimit64, [&own[..], &asks, &[allow]].concat())?);
        if let Some(families) = families {
            code.extend(on_call(libc::SYS_io_uring_setup, vec![fail(libc::EPERM)])?);
            // Raw sockets need a right that the sandbox takes from root.
            let raw =
                [load(ARGUMENTS[1]), statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, SOCKET_TYPE)];
            let raw = [&raw[..], &[skip_unless(libc::SOCK_RAW.unsigned_abs(), 1), ask]].concat();
            let raw = if is_observed { raw } else { Vec::new() };
            code.extend(on_call(libc::SYS_socket, [raw, vec![load(ARGUMENTS[0])], only(families)].concat())?);
            code.extend(on_call(libc::SYS_socketpair, [&is_unix[..], &is_bound, &streams].concat())?);
        }
        if is_observed {
            // Most messages have no address.
            let no_address = FIFTH.map(|half| [load(half), skip_if(0, 1), ask]).concat();
            code.extend(on_call(libc::SYS_sendto, [&no_address[..], &[allow]].concat())?);
            for call in HARMLESS.iter().chain(HARMLESS_HERE) {
                code.extend(on_call(*call, vec![allow])?);
            }
        }
        code.push(if is_observed { ask } else { allow });
        Some(Self(code))
    }

    /// Installs the filter for this process, irrevocably, and returns what the kernel returns. Requires `no_new_privs`.
    ///
    /// # Errors
    ///
    /// If the kernel refuses it.
    #[expect(unsafe_code, reason = "a few lines instead of a library with a language of its own")]
    fn install(&self, flags: c_ulong) -> io::Result<c_long> {
        let len = self.0.len().try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
        let program = sock_fprog { len, filter: self.0.as_ptr().cast_mut() };
        // SAFETY: `program` points to `len` statements, which the kernel copies and does not change.
        let done = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
        };
        if done >= 0 { Ok(done) } else { Err(io::Error::last_os_error()) }
    }
}

/// Installs the filter for a tool with this `network`, and with sockets that have a path if `unix_sockets`.
///
/// # Errors
///
/// If the kernel refuses it, or if this architecture is not supported.
pub(super) fn install(network: Network, unix_sockets: bool) -> io::Result<()> {
    filter(network, unix_sockets, false)?.install(0).map(drop)
}

/// Like [`install`], for an observed process. Returns the descriptor for the observer's answers; `None` without a filter if the
/// process has an observer already.
///
/// # Errors
///
/// As for [`install`].
#[expect(unsafe_code, reason = "no library knows this kind of descriptor")]
pub(super) fn install_observed(network: Network, unix_sockets: bool) -> io::Result<Option<OwnedFd>> {
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    match filter(network, unix_sockets, true)?.install(flags) {
        Ok(listener) => {
            let listener = i32::try_from(listener).map_err(io::Error::other)?;
            // SAFETY: with this flag, the kernel returns a new descriptor, which nobody else has.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(listener) }))
        }
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(None),
        Err(error) => Err(error),
    }
}

fn filter(network: Network, unix_sockets: bool, is_observed: bool) -> io::Result<Filter> {
    let mut families = match network {
        Network::None => Some(Vec::new()),
        Network::Loopback => Some(OF_NAMESPACE.to_vec()),
        Network::All => None,
    };
    if let Some(families) = families.as_mut().filter(|_| unix_sockets) {
        families.push(libc::AF_UNIX);
    }
    Filter::new(families.as_deref(), is_observed).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Returns whether filters with this action can be installed.
#[expect(unsafe_code, reason = "no library asks the kernel this question")]
pub(super) fn is_available(action: u32) -> bool {
    // SAFETY: the kernel reads one number behind the pointer.
    let answer = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0 as c_ulong, &raw const action)
    };
    ARCHITECTURE.is_some() && answer == 0
}

/// Returns the version of Landlock's interface, or 0.
#[expect(unsafe_code, reason = "the library for Landlock does not say which version the kernel has")]
pub(super) fn landlock_version() -> u32 {
    const VERSION: u32 = 1;
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag, the kernel only returns a number.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) };
    version.try_into().unwrap_or_default()
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips `count` statements if what was loaded is `value`.
fn skip_if(value: u32, count: u8) -> sock_filter {
    sock_filter { jt: count, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value) }
}

/// Skips `count` statements unless what was loaded is `value`.
fn skip_unless(value: u32, count: u8) -> sock_filter {
    sock_filter { jf: count, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value) }
}

/// Skips `count` statements if what was loaded is below `value`.
fn skip_below(value: u32, count: u8) -> sock_filter {
    sock_filter { jf: count, ..statement(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The family of sockets between virtual machines, which `libc` does not name everywhere.
    const VSOCK: i32 = 40;

    /// Runs the filter as the kernel does, for the statements that are used here.
    fn judge(filter: &Filter, arch: u32, number: u32, arguments: [i32; 3]) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = filter.0[at];
            let jump = |holds: bool| 1 + usize::from(if holds { jt } else { jf });
            let code = u32::from(code);
            at += match code {
                _ if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    let [first, second, third] = arguments.map(i32::unsigned_abs);
                    let data = [
                        (ARCH, arch),
                        (NUMBER, number),
                        (ARGUMENTS[0], first),
                        (ARGUMENTS[1], second),
                        (THIRD[0], 0),
                        (THIRD[1], third),
                        (FIFTH[0], first),
                        (FIFTH[1], 0),
                    ];
                    value = data.iter().find(|(at, _)| *at == k).unwrap().1;
                    1
                }
                _ if code == libc::BPF_ALU | libc::BPF_AND | libc::BPF_K => {
                    value &= k;
                    1
                }
                _ if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => jump(value == k),
                _ if code == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K => jump(value >= k),
                _ => return k,
            };
        }
    }

    #[test]
    fn only_sockets_that_lead_out_fail() {
        let Some(none) = Filter::new(Some(&[]), false) else { return };
        let loopback = Filter::new(Some(&OF_NAMESPACE), false).unwrap();
        let (own, error) =
            (ARCHITECTURE.unwrap(), |error: i32| libc::SECCOMP_RET_ERRNO | error.unsigned_abs());
        let call = |filter: &Filter, number: c_long, first: i32| {
            judge(filter, own, number.try_into().unwrap(), [first, libc::SOCK_STREAM, 0])
        };
        let pair = |filter: &Filter, family: i32, kind: i32| {
            let number = libc::SYS_socketpair.try_into().unwrap();
            judge(filter, own, number, [family, kind | libc::SOCK_CLOEXEC, 0])
        };
        for family in [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK] {
            assert_eq!(call(&none, libc::SYS_socket, family), error(libc::EACCES));
            assert_eq!(call(&loopback, libc::SYS_socket, family), libc::SECCOMP_RET_ALLOW);
        }
        for filter in [&none, &loopback] {
            for family in [libc::AF_UNIX, libc::AF_ALG, libc::AF_PACKET, VSOCK] {
                assert_eq!(call(filter, libc::SYS_socket, family), error(libc::EACCES));
            }
            assert_eq!(call(filter, libc::SYS_io_uring_setup, 8), error(libc::EPERM));
            for kind in [libc::SOCK_STREAM, libc::SOCK_SEQPACKET] {
                assert_eq!(pair(filter, libc::AF_UNIX, kind), libc::SECCOMP_RET_ALLOW);
                assert_eq!(pair(filter, libc::AF_TIPC, kind), error(libc::EACCES));
            }
            for kind in [libc::SOCK_DGRAM, libc::SOCK_RAW] {
                assert_eq!(pair(filter, libc::AF_UNIX, kind), error(libc::EACCES));
            }
            for allowed in [libc::SYS_read, libc::SYS_openat, libc::SYS_connect] {
                assert_eq!(call(filter, allowed, 0), libc::SECCOMP_RET_ALLOW, "{allowed}");
            }
            // 32-bit x86, where `socketcall` opens sockets.
            assert_eq!(judge(filter, 0x4000_0003, 102, [1, 0, 0]), error(libc::ENOSYS));
            if cfg!(target_arch = "x86_64") {
                assert_eq!(judge(filter, own, X32 | 41, [2, 1, 0]), error(libc::ENOSYS));
            }
        }
    }
    #[test]
    fn keys_and_the_limits_of_others_are_denied_with_every_network() {
        for families in [None, Some(&[][..]), Some(&OF_NAMESPACE[..])] {
            let Some(filter) = Filter::new(families, false) else { return };
            let call = |number: c_long, arguments: [i32; 3]| {
                judge(&filter, ARCHITECTURE.unwrap(), number.try_into().unwrap(), arguments)
            };
            let denied = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
            for number in KEYS {
                assert_eq!(call(number, [0; 3]), denied);
            }
            let limit =
                |process: i32, new: i32| call(libc::SYS_prlimit64, [process, libc::RLIMIT_CPU as i32, new]);
            assert_eq!(limit(1, 1), denied);
            for (process, new) in [(0, 1), (1, 0), (0, 0)] {
                assert_eq!(limit(process, new), libc::SECCOMP_RET_ALLOW);
            }
        }
        let open = Filter::new(None, false).unwrap();
        for number in [libc::SYS_socket, libc::SYS_socketpair, libc::SYS_io_uring_setup] {
            let number = number.try_into().unwrap();
            assert_eq!(judge(&open, ARCHITECTURE.unwrap(), number, [1, 2, 0]), libc::SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn the_observer_is_asked_about_everything_but_harmless_calls() {
        let Some(filter) = Filter::new(Some(&OF_NAMESPACE), true) else { return };
        let call = |number: c_long, first: i32| {
            judge(&filter, ARCHITECTURE.unwrap(), number.try_into().unwrap(), [first, libc::SOCK_STREAM, 1])
        };
        let ask = libc::SECCOMP_RET_USER_NOTIF;
        for number in HARMLESS.iter().chain(HARMLESS_HERE) {
            assert_eq!(call(*number, 0), libc::SECCOMP_RET_ALLOW, "{number}");
        }
        let asked = [libc::SYS_openat, libc::SYS_execve, libc::SYS_connect, libc::SYS_io_uring_setup, 9_999];
        for number in asked.into_iter().chain(KEYS) {
            assert_eq!(call(number, 0), ask, "{number}");
        }
        assert_eq!(call(libc::SYS_socket, libc::AF_INET), libc::SECCOMP_RET_ALLOW);
        assert_eq!(call(libc::SYS_socket, libc::AF_UNIX), ask);
        assert_eq!(call(libc::SYS_sendto, 0), libc::SECCOMP_RET_ALLOW, "without an address");
        assert_eq!(call(libc::SYS_sendto, 8), ask);
        assert_eq!(judge(&filter, 0x4000_0003, 102, [1, 0, 0]), ask);
    }
}
