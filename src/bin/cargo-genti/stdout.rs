//! Whether anything reads standard output. Where it is closed, the Rust runtime opens `/dev/null` in its place before `main`
//! begins, and takes it for success if a descriptor can't be written to: without a closer look, what was asked for would be
//! lost without a word.

/// Whether nothing that is written to standard output arrives anywhere, though nobody said that it may be thrown away.
/// `by_cargo` is whether cargo started this program.
#[cfg(target_os = "linux")]
pub(crate) fn is_closed(by_cargo: bool) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat, major, minor};
    use std::sync::atomic::Ordering::Relaxed;

    if before_main::WAS_CLOSED.load(Relaxed) {
        return true;
    }
    let out = std::io::stdout();
    let Ok(flags) = fcntl_getfl(&out) else { return true };
    // Cargo's runtime did the same before ours: `>/dev/null` is open for writing only.
    const NULL: (u32, u32) = (1, 3);
    let is_stand_in = || {
        by_cargo
            && flags & OFlags::ACCMODE == OFlags::RDWR
            && fstat(&out).is_ok_and(|stat| (major(stat.st_rdev), minor(stat.st_rdev)) == NULL)
    };
    flags & OFlags::ACCMODE == OFlags::RDONLY || is_stand_in()
}

/// Elsewhere, there is no way to tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_closed(_: bool) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod before_main {
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;

    /// Whether there was no standard output when the process began.
    pub(super) static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    /// Called by the loader, before the Rust runtime.
    #[used]
    #[unsafe(link_section = ".init_array")]
    #[expect(unsafe_code, reason = "there is no other way to look before the Rust runtime does")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        // SAFETY: the descriptor is only asked after, and may be closed.
        #[expect(unsafe_code, reason = "standard output by its number, for it may be closed")]
        let out = unsafe { BorrowedFd::borrow_raw(1) };
        WAS_CLOSED.store(rustix::io::fcntl_getfd(out) == Err(rustix::io::Errno::BADF), Relaxed);
    }
}
