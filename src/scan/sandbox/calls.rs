//! Treatment of each system call by the observer. The list of harmless calls is an allow-list: a call that is neither there nor in
//! [`meaning`], such as one of a newer kernel, passes and makes the result uncacheable.
//!
//! Harmless are calls that only affect the process itself and its descriptors, except for the working directory, and those whose answer the book lists as
//! unobserved: time, randomness, load, identities and limits. A call with a path is never among them.

use libc::c_long;

/// Effect of a call that is not harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It takes these paths.
    Paths(&'static [PathArgument]),
    /// It changes the working directory, to one of these paths or to one that was opened before.
    WorkingDirectory(&'static [PathArgument]),
    /// It takes the address of a socket: the index of the pointer, followed by its length.
    Address(usize),
    /// It takes a message that may have the address of a socket.
    Message,
    /// It takes the number of a process.
    Signal,
    /// It may need a right that the sandbox takes from root: what it does.
    Privileged(&'static str),
    /// It is denied with this error. The filter denies it too if nobody observes.
    Denied(i32),
    /// Nothing is known about it. Holds its name, if it has one here.
    Unknown(Option<&'static str>),
}

/// A path among the arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PathArgument {
    /// Index of the descriptor of the directory that a relative path starts from; `None` for the working directory.
    pub(super) dir: Option<usize>,
    /// Index of the pointer to the path.
    pub(super) path: usize,
    pub(super) access: Access,
}

/// Use of a path by a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It reads or looks.
    Look,
    /// It creates, changes or removes.
    Change,
    /// It creates a file that may be a device. Holds the index of its mode.
    Device(usize),
    /// It opens. Holds the index of the flags.
    Open(usize),
    /// It executes.
    Execute,
    /// It makes a link with the text of another argument, at the path of the one after it.
    LinkText { dir: Option<usize>, at: usize },
}

const fn argument(dir: Option<usize>, path: usize, access: Access) -> PathArgument {
    PathArgument { dir, path, access }
}

/// Arguments of a call with one path, relative to the working directory.
const LOOK: &[PathArgument] = &[argument(None, 0, Access::Look)];
const CHANGE: &[PathArgument] = &[argument(None, 0, Access::Change)];
/// Arguments of a call with a directory and a path.
const LOOK_AT: &[PathArgument] = &[argument(Some(0), 1, Access::Look)];
const CHANGE_AT: &[PathArgument] = &[argument(Some(0), 1, Access::Change)];

/// Returns what the call `number`, which is not harmless, does.
pub(super) fn meaning(number: c_long) -> Meaning {
    use Meaning::{Address, Denied, Message, Paths, Privileged, Signal, Unknown, WorkingDirectory};
    #[cfg(target_arch = "x86_64")]
    if let Some(paths) = paths_of_x86_64(number) {
        return Paths(paths);
    }
    match number {
        libc::SYS_openat => Paths(const { &[argument(Some(0), 1, Access::Open(2))] }),
        libc::SYS_execve => Paths(const { &[argument(None, 0, Access::Execute)] }),
        libc::SYS_execveat => Paths(const { &[argument(Some(0), 1, Access::Execute)] }),
        libc::SYS_chdir => WorkingDirectory(LOOK),
        libc::SYS_fchdir => WorkingDirectory(&[]),
        libc::SYS_statfs
        | libc::SYS_getxattr
        | libc::SYS_lgetxattr
        | libc::SYS_listxattr
        | libc::SYS_llistxattr => Paths(LOOK),
        libc::SYS_truncate
        | libc::SYS_setxattr
        | libc::SYS_lsetxattr
        | libc::SYS_removexattr
        | libc::SYS_lremovexattr => Paths(CHANGE),
        libc::SYS_newfstatat
        | libc::SYS_statx
        | libc::SYS_faccessat
        | libc::SYS_faccessat2
        | libc::SYS_readlinkat => Paths(LOOK_AT),
        libc::SYS_inotify_add_watch => Paths(const { &[argument(None, 1, Access::Look)] }),
        libc::SYS_mknodat => Paths(const { &[argument(Some(0), 1, Access::Device(2))] }),
        libc::SYS_mkdirat
        | libc::SYS_unlinkat
        | libc::SYS_fchmodat
        | FCHMODAT2
        | libc::SYS_fchownat
        | libc::SYS_utimensat => Paths(CHANGE_AT),
        RENAMEAT | libc::SYS_renameat2 => {
            Paths(const { &[argument(Some(0), 1, Access::Change), argument(Some(2), 3, Access::Change)] })
        }
        libc::SYS_linkat => {
            Paths(const { &[argument(Some(0), 1, Access::Look), argument(Some(2), 3, Access::Change)] })
        }
        libc::SYS_symlinkat => Paths(
            const {
                &[
                    argument(None, 0, Access::LinkText { dir: Some(1), at: 2 }),
                    argument(Some(1), 2, Access::Change),
                ]
            },
        ),
        libc::SYS_connect | libc::SYS_bind => Address(1),
        libc::SYS_sendto => Address(4),
        libc::SYS_sendmsg | libc::SYS_sendmmsg => Message,
        libc::SYS_kill
        | libc::SYS_pidfd_open
        | libc::SYS_rt_sigqueueinfo
        | libc::SYS_tgkill
        | libc::SYS_tkill => Signal,
        libc::SYS_mlock | libc::SYS_mlock2 | libc::SYS_mlockall => Privileged("locks memory"),
        libc::SYS_socket | libc::SYS_socketpair => Denied(libc::EACCES),
        libc::SYS_add_key
        | libc::SYS_keyctl
        | libc::SYS_request_key
        | libc::SYS_prlimit64
        | libc::SYS_io_uring_setup => Denied(libc::EPERM),
        _ => Unknown(NAMES.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)),
    }
}

/// `libc` lacks the number on some architectures; it is the same on all of them.
const FCHMODAT2: c_long = 452;
#[cfg(target_arch = "x86_64")]
const RENAMEAT: c_long = libc::SYS_renameat;
/// `libc` lacks the number.
#[cfg(not(target_arch = "x86_64"))]
const RENAMEAT: c_long = 38;

/// The calls of x86_64 that other architectures have only with a directory.
#[cfg(target_arch = "x86_64")]
fn paths_of_x86_64(number: c_long) -> Option<&'static [PathArgument]> {
    Some(match number {
        libc::SYS_open => const { &[argument(None, 0, Access::Open(1))] },
        libc::SYS_stat | libc::SYS_lstat | libc::SYS_access | libc::SYS_readlink => LOOK,
        libc::SYS_creat
        | libc::SYS_mkdir
        | libc::SYS_rmdir
        | libc::SYS_unlink
        | libc::SYS_chmod
        | libc::SYS_chown
        | libc::SYS_lchown
        | libc::SYS_utime
        | libc::SYS_utimes => CHANGE,
        libc::SYS_futimesat => CHANGE_AT,
        libc::SYS_mknod => const { &[argument(None, 0, Access::Device(1))] },
        libc::SYS_rename => const { &[argument(None, 0, Access::Change), argument(None, 1, Access::Change)] },
        libc::SYS_link => const { &[argument(None, 0, Access::Look), argument(None, 1, Access::Change)] },
        libc::SYS_symlink => {
            const { &[argument(None, 0, Access::LinkText { dir: None, at: 1 }), argument(None, 1, Access::Change)] }
        }
        _ => return None,
    })
}

/// Names of unknown calls that programs do use, for messages.
const NAMES: [(c_long, &str); 30] = [
    (libc::SYS_bpf, "bpf"),
    (libc::SYS_chroot, "chroot"),
    (libc::SYS_fanotify_init, "fanotify_init"),
    (libc::SYS_io_setup, "io_setup"),
    (libc::SYS_io_uring_enter, "io_uring_enter"),
    (libc::SYS_io_uring_register, "io_uring_register"),
    (libc::SYS_kcmp, "kcmp"),
    (libc::SYS_landlock_create_ruleset, "landlock_create_ruleset"),
    (libc::SYS_mount, "mount"),
    (libc::SYS_mq_open, "mq_open"),
    (libc::SYS_msgget, "msgget"),
    (libc::SYS_name_to_handle_at, "name_to_handle_at"),
    (libc::SYS_open_by_handle_at, "open_by_handle_at"),
    (libc::SYS_open_tree, "open_tree"),
    (libc::SYS_openat2, "openat2"),
    (libc::SYS_perf_event_open, "perf_event_open"),
    (libc::SYS_pidfd_getfd, "pidfd_getfd"),
    (libc::SYS_pivot_root, "pivot_root"),
    (libc::SYS_process_vm_readv, "process_vm_readv"),
    (libc::SYS_process_vm_writev, "process_vm_writev"),
    (libc::SYS_ptrace, "ptrace"),
    (libc::SYS_seccomp, "seccomp"),
    (libc::SYS_semget, "semget"),
    (libc::SYS_setns, "setns"),
    (libc::SYS_shmat, "shmat"),
    (libc::SYS_shmget, "shmget"),
    (libc::SYS_syslog, "syslog"),
    (libc::SYS_umount2, "umount2"),
    (libc::SYS_unshare, "unshare"),
    (libc::SYS_userfaultfd, "userfaultfd"),
];

/// Calls that both architectures have and that pass unobserved.
#[rustfmt::skip]
pub(super) const HARMLESS: &[c_long] = &[
    // Descriptors and what is behind them.
    libc::SYS_accept, libc::SYS_accept4, libc::SYS_close, libc::SYS_close_range, libc::SYS_copy_file_range, libc::SYS_dup,
    libc::SYS_dup3, libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2, libc::SYS_fadvise64, libc::SYS_fallocate, libc::SYS_fchmod, libc::SYS_fchown,
    libc::SYS_fcntl, libc::SYS_fdatasync, libc::SYS_fgetxattr, libc::SYS_flistxattr, libc::SYS_flock,
    libc::SYS_fremovexattr, libc::SYS_fsetxattr, libc::SYS_fstat, libc::SYS_fstatfs, libc::SYS_fsync, libc::SYS_ftruncate,
    libc::SYS_getdents64, libc::SYS_getpeername, libc::SYS_getsockname, libc::SYS_getsockopt, libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch, libc::SYS_ioctl, libc::SYS_listen, libc::SYS_lseek, libc::SYS_memfd_create, libc::SYS_pipe2,
    libc::SYS_ppoll, libc::SYS_pread64, libc::SYS_preadv, libc::SYS_preadv2, libc::SYS_pselect6, libc::SYS_pwrite64,
    libc::SYS_pwritev, libc::SYS_pwritev2, libc::SYS_read, libc::SYS_readahead, libc::SYS_readv, libc::SYS_recvfrom,
    libc::SYS_recvmmsg, libc::SYS_recvmsg, libc::SYS_sendfile, libc::SYS_setsockopt, libc::SYS_shutdown,
    libc::SYS_signalfd4, libc::SYS_splice, libc::SYS_sync, libc::SYS_syncfs, libc::SYS_tee, libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime, libc::SYS_timerfd_settime, libc::SYS_umask, libc::SYS_vmsplice, libc::SYS_write,
    libc::SYS_writev, libc::SYS_getcwd,
    // Memory.
    libc::SYS_brk, libc::SYS_get_mempolicy, libc::SYS_madvise, libc::SYS_mbind, libc::SYS_membarrier, libc::SYS_mincore,
    libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_mremap, libc::SYS_mseal,
    libc::SYS_msync, libc::SYS_munlock, libc::SYS_munlockall, libc::SYS_munmap, libc::SYS_pkey_alloc, libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect, libc::SYS_set_mempolicy,
    // Processes, threads and signals.
    libc::SYS_clone, libc::SYS_clone3, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_futex, libc::SYS_futex_waitv,
    libc::SYS_get_robust_list, libc::SYS_getcpu, libc::SYS_getpgid, libc::SYS_getpid, libc::SYS_getppid,
    libc::SYS_getpriority, libc::SYS_getsid, libc::SYS_gettid, libc::SYS_prctl, libc::SYS_pidfd_send_signal,
    libc::SYS_restart_syscall, libc::SYS_rseq, libc::SYS_rt_sigaction, libc::SYS_rt_sigpending, libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn, libc::SYS_rt_sigsuspend, libc::SYS_rt_sigtimedwait, libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min, libc::SYS_sched_getaffinity, libc::SYS_sched_getattr, libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler, libc::SYS_sched_rr_get_interval, libc::SYS_sched_setaffinity, libc::SYS_sched_yield,
    libc::SYS_set_robust_list, libc::SYS_set_tid_address, libc::SYS_setpgid, libc::SYS_setsid, libc::SYS_sigaltstack,
    libc::SYS_wait4, libc::SYS_waitid,
    // Identities, limits and capabilities.
    libc::SYS_capget, libc::SYS_getegid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getgroups, libc::SYS_getresgid,
    libc::SYS_getresuid, libc::SYS_getrusage, libc::SYS_getuid, libc::SYS_setfsgid, libc::SYS_setfsuid, libc::SYS_setgid,
    libc::SYS_setgroups, libc::SYS_setregid, libc::SYS_setresgid, libc::SYS_setresuid, libc::SYS_setreuid, libc::SYS_setuid,
    // Time, randomness and the machine.
    libc::SYS_clock_getres, libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_getitimer, libc::SYS_getrandom,
    libc::SYS_gettimeofday, libc::SYS_nanosleep, libc::SYS_setitimer, libc::SYS_sysinfo, libc::SYS_timer_create,
    libc::SYS_timer_delete, libc::SYS_timer_getoverrun, libc::SYS_timer_gettime, libc::SYS_timer_settime, libc::SYS_times,
    libc::SYS_uname,
];

/// Calls that pass unobserved and that only this architecture has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(super) const HARMLESS_HERE: &[c_long] = &[
    libc::SYS_alarm, libc::SYS_arch_prctl, libc::SYS_dup2, libc::SYS_epoll_create, libc::SYS_epoll_wait, libc::SYS_eventfd,
    libc::SYS_fork, libc::SYS_getdents, libc::SYS_getpgrp, libc::SYS_getrlimit, libc::SYS_inotify_init, libc::SYS_pause,
    libc::SYS_pipe, libc::SYS_poll, libc::SYS_select, libc::SYS_signalfd, libc::SYS_time, libc::SYS_vfork,
];
/// Calls that pass unobserved and that only this architecture has.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const HARMLESS_HERE: &[c_long] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_harmless_call_takes_a_path_or_is_denied() {
        for number in HARMLESS.iter().chain(HARMLESS_HERE) {
            assert_eq!(meaning(*number), Meaning::Unknown(None), "{number}");
        }
    }

    #[test]
    fn a_call_that_nobody_knows_is_not_harmless() {
        for number in [500, 9_999, libc::SYS_io_uring_enter, libc::SYS_shmget, libc::SYS_openat2] {
            assert!(!HARMLESS.contains(&number) && !HARMLESS_HERE.contains(&number));
            assert!(matches!(meaning(number), Meaning::Unknown(_)));
        }
    }
}
