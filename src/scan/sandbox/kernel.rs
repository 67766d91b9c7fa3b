//! Probes the kernel for the features that a sandbox needs.

use std::fmt;

/// Features of the running kernel. Probing changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Version of Landlock's interface; 0 if it is missing or disabled.
    pub landlock: u32,
    /// True if seccomp filters can be installed, on an architecture that is supported here.
    pub seccomp: bool,
    /// True if seccomp filters can ask a process, in the form that is known here.
    pub observer: bool,
}

/// Oldest version of Landlock's interface that is enough for the wall. Before version 3 (Linux 6.2), a process could truncate
/// any file.
pub(super) const MIN_LANDLOCK: u32 = 3;

/// Newest version of Landlock's interface whose restrictions are used. The same as `NEWEST` of the helper.
const MAX_LANDLOCK: u32 = 7;

/// Number of the wall's format. It increases when a process may do more or less than before.
const FORMAT: u32 = 2;

/// The reason why there can be no wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWall {
    /// This program does not set up sandboxes.
    Helper,
    /// This system has no Landlock.
    System,
    /// The kernel has no Landlock, or it is disabled.
    Landlock,
    /// The kernel's Landlock is older than the one that the wall needs.
    OldLandlock(u32),
    /// Seccomp filters can't be installed.
    Seccomp,
    /// Seccomp filters can't ask a process.
    Observer,
}

impl fmt::Display for NoWall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Helper => write!(f, "this program can't set it up"),
            Self::System => write!(f, "it requires Linux"),
            Self::Landlock => write!(f, "the kernel has no Landlock, or it is disabled"),
            Self::OldLandlock(version) => {
                write!(f, "it requires Landlock ABI {MIN_LANDLOCK} (Linux 6.2), and the kernel has {version}")
            }
            Self::Seccomp => write!(f, "seccomp filters are not available"),
            Self::Observer => write!(f, "seccomp user notification is not available"),
        }
    }
}

impl Kernel {
    /// Asks the running kernel.
    pub fn probe() -> Self {
        #[cfg(target_os = "linux")]
        {
            Self {
                landlock: super::filter::landlock_version(),
                seccomp: super::filter::is_available(libc::SECCOMP_RET_ERRNO),
                observer: super::filter::is_available(libc::SECCOMP_RET_USER_NOTIF)
                    && super::listener::is_available(),
            }
        }
        #[cfg(not(target_os = "linux"))]
        Self::default()
    }

    /// Returns what determines which accesses the wall denies. Behind another wall, the result of the same tool may differ.
    pub fn wall_version(self) -> [u32; 2] {
        [FORMAT, self.landlock.min(MAX_LANDLOCK)]
    }

    /// Checks whether a wall is possible.
    ///
    /// # Errors
    ///
    /// If it is not, with the reason.
    pub fn wall(self) -> Result<(), NoWall> {
        match self {
            _ if !cfg!(target_os = "linux") => Err(NoWall::System),
            Self { landlock: 0, .. } => Err(NoWall::Landlock),
            Self { landlock, .. } if landlock < MIN_LANDLOCK => Err(NoWall::OldLandlock(landlock)),
            Self { seccomp: false, .. } => Err(NoWall::Seccomp),
            Self { .. } => Ok(()),
        }
    }

    /// Checks whether a process behind a wall can be observed.
    ///
    /// # Errors
    ///
    /// If it can't, with the reason.
    pub fn observer(self) -> Result<(), NoWall> {
        self.wall()?;
        if self.observer { Ok(()) } else { Err(NoWall::Observer) }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_wall_requires_every_part_of_it() {
        let wall = |landlock, seccomp| Kernel { landlock, seccomp, observer: false }.wall();
        assert_eq!(wall(0, true), Err(NoWall::Landlock));
        assert_eq!(wall(2, true), Err(NoWall::OldLandlock(2)));
        assert_eq!(wall(3, false), Err(NoWall::Seccomp));
        assert_eq!(wall(3, true), Ok(()));
        assert_eq!(wall(99, true), Ok(()));
        assert_eq!(Kernel { landlock: 3, seccomp: true, observer: false }.observer(), Err(NoWall::Observer));
    }

    #[test]
    fn a_newer_kernel_is_another_wall_unless_nothing_new_of_it_is_used() {
        let version = |landlock| Kernel { landlock, seccomp: true, observer: true }.wall_version();
        assert_ne!(version(5), version(6));
        assert_eq!(version(MAX_LANDLOCK), version(MAX_LANDLOCK + 1));
        assert_eq!(version(MAX_LANDLOCK)[0], FORMAT);
    }
}
