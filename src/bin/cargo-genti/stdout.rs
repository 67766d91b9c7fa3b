//! Detects a closed standard output. The Rust runtime replaces it by `/dev/null` before `main` and ignores write errors for a
//! bad descriptor, so output would be lost without an error.

/// Returns true if standard output is closed, as opposed to being redirected to `/dev/null` on purpose. `by_cargo` says that
/// cargo started this program.
#[cfg(target_os = "linux")]
pub(crate) fn is_closed(by_cargo: bool) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat, major, minor};
    use std::sync::atomic::Ordering::Relaxed;

    if before_main::WAS_CLOSED.load(Relaxed) {
        return true;
    }
    let out = std::io::stdout();
    let Ok(flags) = fcntl_getfl(&out) else { return true };
    // Cargo's own runtime may have opened `/dev/null` for reading and writing. `>/dev/null` is write-only.
    const NULL: (u32, u32) = (1, 3);
    let is_stand_in = || {
        by_cargo
            && flags & OFlags::ACCMODE == OFlags::RDWR
            && fstat(&out).is_ok_and(|stat| (major(stat.st_rdev), minor(stat.st_rdev)) == NULL)
    };
    flags & OFlags::ACCMODE == OFlags::RDONLY || is_stand_in()
}

/// Other systems don't show it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_closed(_: bool) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod before_main {
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;

    /// True if standard output was closed when the process started.
    pub(super) static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    /// Function that the loader calls before the Rust runtime starts.
    #[used]
    #[unsafe(link_section = ".init_array")]
    #[expect(unsafe_code, reason = "only the loader can run code before the Rust runtime")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        // SAFETY: the descriptor is only queried, which is valid even if it is closed.
        #[expect(unsafe_code, reason = "standard output may be closed, so it is accessed by number")]
        let out = unsafe { BorrowedFd::borrow_raw(1) };
        WAS_CLOSED.store(rustix::io::fcntl_getfd(out) == Err(rustix::io::Errno::BADF), Relaxed);
    }
}
