//! Looks into an observed process: its memory, and where its paths lead.
//!
//! A path is resolved component by component as the kernel does it, with the links of `/proc` as the process sees them, because
//! every link on the way decides too. The process is stopped in a system call meanwhile, but its other threads are not.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Longest path, with its final zero.
const PATH_MAX: usize = 4096;
/// Memory is mapped in pages of at least this size.
const PAGE: u64 = 4096;
/// Number of links after which the kernel gives up.
const MOST_LINKS: usize = 40;

/// A thread of an observed process, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target(pub(super) u32);

/// Target of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The real path. Of a path that does not exist, the part up to the first component that is missing.
    pub(super) place: PathBuf,
    /// The file at `place`; `None` if there is none.
    pub(super) kind: Option<Kind>,
    /// The links on the way.
    pub(super) links: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    Other,
}

impl Target {
    /// Reads up to `len` bytes at `address`. Fewer if the memory after them is not mapped.
    ///
    /// # Errors
    ///
    /// If nothing can be read.
    #[expect(unsafe_code, reason = "no library reads the memory of another process")]
    pub(super) fn read(self, address: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let mut done = 0;
        while done < len {
            let from = address.wrapping_add(done as u64);
            // Only whole pieces are read, so each ends with a page.
            let count = ((PAGE - from % PAGE) as usize).min(len - done);
            let own = libc::iovec { iov_base: bytes[done..].as_mut_ptr().cast(), iov_len: count };
            let theirs = libc::iovec { iov_base: from as *mut libc::c_void, iov_len: count };
            // SAFETY: the kernel writes at most `count` bytes to `own`, which has that many, and checks the other address.
            let read = unsafe {
                libc::process_vm_readv(self.0.cast_signed(), &raw const own, 1, &raw const theirs, 1, 0)
            };
            match usize::try_from(read) {
                Ok(read) if read > 0 => done += read,
                _ if done > 0 => break,
                _ => return Err(io::Error::last_os_error()),
            }
        }
        bytes.truncate(done);
        Ok(bytes)
    }

    /// Reads the text at `address` up to its final zero.
    ///
    /// # Errors
    ///
    /// If it can't be read, or is too long for a path.
    pub(super) fn text(self, address: u64) -> io::Result<Vec<u8>> {
        // Most paths end in the first part.
        for len in [256, PATH_MAX] {
            let mut bytes = self.read(address, len)?;
            if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
                bytes.truncate(end);
                return Ok(bytes);
            }
        }
        Err(ErrorKind::InvalidInput.into())
    }

    /// Returns the directory that relative paths start from: that of the descriptor `dir`, or the working directory.
    ///
    /// # Errors
    ///
    /// If it is unknown or was removed.
    pub(super) fn base(self, dir: Option<i32>) -> io::Result<PathBuf> {
        let link = match dir {
            Some(libc::AT_FDCWD) | None => format!("/proc/{}/cwd", self.0),
            Some(dir) => format!("/proc/{}/fd/{dir}", self.0),
        };
        let base = std::fs::read_link(link)?;
        let is_gone = base.as_os_str().as_bytes().ends_with(b" (deleted)");
        if base.is_absolute() && !is_gone { Ok(base) } else { Err(ErrorKind::NotFound.into()) }
    }

    /// Returns where `path` leads. A relative path starts from [`base`](Self::base).
    ///
    /// # Errors
    ///
    /// Those of [`base`](Self::base) and [`resolve`](Self::resolve).
    pub(super) fn find(self, dir: Option<i32>, path: &[u8]) -> io::Result<Resolved> {
        let base = if path.starts_with(b"/") { "/".into() } else { self.base(dir)? };
        self.resolve(&base, path)
    }

    /// Returns where `path` leads from `base`, a real path.
    ///
    /// # Errors
    ///
    /// If a directory on the way can't be searched, or if there are too many links.
    pub(super) fn resolve(self, base: &Path, path: &[u8]) -> io::Result<Resolved> {
        let mut links = Vec::new();
        let mut todo: VecDeque<OsString> = VecDeque::new();
        let add = |todo: &mut VecDeque<OsString>, path: &Path| {
            let parts = path.components().filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_owned()),
                Component::ParentDir => Some("..".into()),
                _ => None,
            });
            let parts: Vec<_> = parts.collect();
            parts.into_iter().rev().for_each(|part| todo.push_front(part));
        };
        let path = Path::new(OsStr::from_bytes(path));
        let mut at = if path.is_absolute() { PathBuf::from("/") } else { base.to_path_buf() };
        add(&mut todo, path);
        let mut kind = Kind::Directory;
        if todo.is_empty() && !at.is_dir() {
            kind = Kind::Other;
        }
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                at.pop();
                kind = Kind::Directory;
                continue;
            }
            let place = self.entry(&at, name)?;
            let found = match place.symlink_metadata() {
                Ok(found) => found,
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(Resolved { place, kind: None, links });
                }
                // No file can have such a name.
                Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => {
                    return Ok(Resolved { place, kind: None, links });
                }
                Err(error) => return Err(error),
            };
            if !found.is_symlink() {
                kind = if found.is_dir() { Kind::Directory } else { Kind::Other };
                at = place;
                continue;
            }
            if links.len() == MOST_LINKS {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            let text = std::fs::read_link(&place)?;
            if text.is_absolute() {
                at = PathBuf::from("/");
                kind = Kind::Directory;
            }
            add(&mut todo, &text);
            links.push(place);
        }
        Ok(Resolved { place: at, kind: Some(kind), links })
    }

    /// Returns the entry `name` of the directory `at`, as this process sees it.
    fn entry(self, at: &Path, name: OsString) -> io::Result<PathBuf> {
        if at == Path::new("/proc") && (name == "self" || name == "thread-self") {
            let process = self.status("Tgid:")?;
            let own = at.join(process.to_string());
            return Ok(if name == "self" { own } else { own.join("task").join(self.0.to_string()) });
        }
        Ok(at.join(name))
    }

    /// Returns the path of the program that it runs.
    ///
    /// # Errors
    ///
    /// If it is unknown.
    pub(super) fn program(self) -> io::Result<PathBuf> {
        std::fs::read_link(format!("/proc/{}/exe", self.0))
    }

    /// Returns the hard limit of `resource`; `None` if it is unknown.
    #[expect(unsafe_code, reason = "no library asks for the limits of another process by their number")]
    pub(super) fn hard_limit(self, resource: u64) -> Option<u64> {
        let mut limits = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        let nothing = std::ptr::null::<libc::rlimit64>();
        // SAFETY: the kernel fills a structure of this type, and checks the numbers.
        let done = unsafe {
            libc::syscall(libc::SYS_prlimit64, u64::from(self.0), resource, nothing, &raw mut limits)
        };
        (done == 0).then_some(limits.rlim_max)
    }

    /// Returns true if this is `root` or a process that it started. One that has lost its parent is not.
    pub(super) fn is_below(self, root: u32) -> bool {
        let mut at = self;
        // Numbers of processes are reused, so the way up could be a circle.
        for _ in 0..64 {
            match at.status("Tgid:").and_then(|process| Ok((process, at.status("PPid:")?))) {
                Ok((process, _)) if process == root => return true,
                Ok((_, parent)) if parent > 1 => at = Self(parent),
                _ => return false,
            }
        }
        false
    }

    /// Returns true if its process has other threads, or if that is unknown.
    pub(super) fn has_other_threads(self) -> bool {
        !self.status("Threads:").is_ok_and(|count| count == 1)
    }

    fn status(self, key: &str) -> io::Result<u32> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let value = text.lines().find_map(|line| line.strip_prefix(key));
        value.and_then(|value| value.trim().parse().ok()).ok_or_else(|| ErrorKind::InvalidData.into())
    }

    /// Returns true if a socket of the network of this process is bound to `port`, and can be reached there.
    pub(super) fn has_server(self, port: u16) -> bool {
        const LISTENING: &str = "0A";
        let is_bound = |(table, only_listening): (&str, bool)| {
            let text = std::fs::read_to_string(format!("/proc/{}/net/{table}", self.0)).unwrap_or_default();
            text.lines().skip(1).any(|line| {
                let mut fields = line.split_ascii_whitespace().skip(1);
                let address = fields.next().and_then(|own| own.rsplit_once(':'));
                let own = address.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
                own == Some(port) && (!only_listening || fields.nth(1) == Some(LISTENING))
            })
        };
        [("tcp", true), ("tcp6", true), ("udp", false), ("udp6", false)].into_iter().any(is_bound)
    }
}

/// Returns the path in an address of a Unix socket; `None` for one without, such as an abstract one.
pub(super) fn socket_path(address: &[u8]) -> Option<Vec<u8>> {
    let path = address.get(2..)?;
    let path = &path[..path.iter().position(|byte| *byte == 0).unwrap_or(path.len())];
    (!path.is_empty()).then(|| path.to_vec())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn own() -> Target {
        Target(std::process::id())
    }

    #[test]
    fn memory_is_read_up_to_the_end_of_a_text() {
        let text = std::ffi::CString::new("x".repeat(3000)).unwrap();
        assert_eq!(own().text(text.as_ptr() as u64).unwrap(), text.as_bytes());
        assert!(own().text(8).is_err());
        let long = [b'y'; 2 * PATH_MAX];
        assert!(own().text(long.as_ptr() as u64).is_err());
    }

    #[test]
    fn a_path_is_resolved_as_the_kernel_does_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/file"), "").unwrap();
        symlink("a/b", root.join("to-b")).unwrap();
        symlink(root.join("a/file"), root.join("to-file")).unwrap();
        symlink("nowhere/x", root.join("broken")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let check = |path: &str, place: &str, kind: Option<Kind>, links: &[&str]| {
            let links = links.iter().map(|link| root.join(link)).collect();
            let found = own().resolve(&root, path.as_bytes()).unwrap();
            assert_eq!(found, Resolved { place: root.join(place), kind, links }, "{path}");
        };
        check("a/./file", "a/file", Some(Kind::Other), &[]);
        check("to-b/../file", "a/file", Some(Kind::Other), &["to-b"]);
        check("to-file", "a/file", Some(Kind::Other), &["to-file"]);
        check("a/missing/../file", "a/missing", None, &[]);
        check("a/file/x", "a/file/x", None, &[]);
        check("broken", "nowhere", None, &["broken"]);
        check("a/b/..", "a", Some(Kind::Directory), &[]);
        assert!(own().resolve(&root, b"loop").is_err());
        let is_own = own().resolve(&root, b"/proc/self/cwd").unwrap();
        assert_eq!(is_own.place, std::env::current_dir().unwrap().canonicalize().unwrap());
    }

    #[test]
    fn a_process_is_below_those_that_started_it() {
        assert!(own().is_below(std::process::id()));
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        assert!(Target(child.id()).is_below(std::process::id()));
        assert!(!own().is_below(child.id()) && !Target(1).is_below(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_server_of_the_same_network_is_found_by_its_port() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(own().has_server(server.local_addr().unwrap().port()));
        assert!(!own().has_server(0));
    }
}
