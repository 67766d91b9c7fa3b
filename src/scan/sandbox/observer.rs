//! The observer: a thread that answers for the kernel's questions about the calls of a process, and of everything that it starts.
//!
//! Every call that takes a path waits until the observer has read the path and found out where it leads. Then the kernel executes
//! it as if nobody had looked: what is denied is up to the wall. Three things follow from that:
//!
//! - The kernel reads the path again, and another thread may have changed it meanwhile. So the observer reads it three times:
//!   first, before the answer and after it. A difference before the answer is a reason for doubt; what is there after it counts as
//!   a second path.
//! - The observer never waits for anything but the next call, so it can't hold up the process. When it ends, so do the answers:
//!   the calls fail, and nothing hangs.
//! - What it does not understand passes, and is a reason for doubt. Only calls that the wall denies anyway are answered with an
//!   error here, because an error of the filter itself would not be seen.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use super::Wall;
use super::calls::{Access, Meaning, PathArgument, meaning};
use super::filter::{ARCHITECTURE, X32};
use super::helper::loses_rights;
use super::interpreter::interpreter;
use super::listener::{Answer, Call, Event, Listener};
use super::observed::{Observed, Sight};
use super::target::{Kind, Target};

/// Time that processes have to disappear after they were killed.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest chain of interpreters that the kernel follows.
const MOST_INTERPRETERS: usize = 5;
/// Size of a message of `sendmmsg`, and of its part with the address.
const MESSAGE: u64 = 64;

/// The thread that observes a process.
pub(super) struct Observer {
    thread: JoinHandle<Observed>,
    /// Becomes readable when the process has ended.
    done: OwnedFd,
}

impl Observer {
    /// Starts to wait for a helper at the other end of `socket`. Its process will be behind `wall`, with the temporary directory
    /// `temporary` and the search path for shared libraries `libraries`.
    ///
    /// # Errors
    ///
    /// If the thread can't be started.
    pub(super) fn start(
        socket: OwnedFd,
        wall: Wall,
        temporary: PathBuf,
        libraries: &OsStr,
    ) -> io::Result<Self> {
        let libraries = std::env::split_paths(libraries).filter(|dir| dir.is_absolute());
        let libraries = libraries.filter_map(|dir| dir.canonicalize().ok()).collect();
        let done = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let theirs = done.try_clone()?;
        let thread = std::thread::Builder::new().name("observer".to_owned()).spawn(move || {
            match Listener::take(socket, theirs.as_fd()) {
                Ok(Some(listener)) => {
                    let seen = Observed::default();
                    let has_lost_rights = loses_rights();
                    Watch { listener, wall, temporary, libraries, has_lost_rights, root: None, seen }
                        .run(&theirs)
                }
                Ok(None) => unobserved("another program observes it already"),
                Err(error) => unobserved(&error.to_string()),
            }
        })?;
        Ok(Self { thread, done })
    }

    /// Returns what was observed. Called when the process has ended.
    pub(super) fn finish(self) -> Observed {
        let told = rustix::io::write(&self.done, &1_u64.to_ne_bytes());
        debug_assert!(told.is_ok());
        self.thread.join().unwrap_or_else(|_| unobserved("the observer failed"))
    }
}

/// A process that ran without an observer may have been denied anything.
fn unobserved(why: &str) -> Observed {
    let mut nothing = Observed::default();
    nothing.deny(|| format!("it could not be observed: {why}"));
    nothing
}

pub(super) struct Watch {
    listener: Listener,
    pub(super) wall: Wall,
    pub(super) temporary: PathBuf,
    /// Directories in which the loader looks for shared libraries.
    libraries: Vec<PathBuf>,
    /// True if it has fewer rights than without the wall.
    has_lost_rights: bool,
    /// Number of the process that was started.
    root: Option<u32>,
    pub(super) seen: Observed,
}

/// Memory that a call reads.
pub(super) struct Read {
    pub(super) at: u64,
    /// Its content at the first look.
    pub(super) bytes: Vec<u8>,
    pub(super) what: What,
}

/// Kind of memory that a call reads.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// A path that starts from this descriptor, if it is relative, and whether a directory is opened.
    Path(Option<i32>, bool),
    /// The address of a socket.
    Address,
    /// The head of a message, which has the place of the address.
    Head,
    /// New limits of the process for this resource.
    Limit(u64),
}

impl Watch {
    fn run(mut self, done: &OwnedFd) -> Observed {
        if let Err(error) = self.observe(done) {
            self.seen.deny(|| format!("it could not be observed: {error}"));
        }
        self.seen
    }

    fn observe(&mut self, done: &OwnedFd) -> io::Result<()> {
        let mut end = None;
        loop {
            let time = end.map(|end: Instant| end.saturating_duration_since(Instant::now()));
            let wake = if time.is_none() { Some(done.as_fd()) } else { None };
            // A process that survives may call without end.
            let event = match time {
                Some(Duration::ZERO) => Event::Nothing,
                time => self.listener.wait(wake, time)?,
            };
            match event {
                Event::Call => {
                    if let Some(call) = self.listener.next()? {
                        self.answer(&call)?;
                    }
                }
                Event::Ended => return Ok(()),
                Event::Done => end = Some(Instant::now() + PATIENCE),
                Event::Nothing => {
                    self.seen.doubt(|| "it left a process running".to_owned());
                    return Ok(());
                }
            }
        }
    }

    fn answer(&mut self, call: &Call) -> io::Result<()> {
        let target = Target(call.pid);
        self.root.get_or_insert(call.pid);
        let mut reads = Vec::new();
        let answer = self.look(target, call, &mut reads);
        if !self.listener.is_waiting(call) {
            // Its number may belong to another process now, whose memory was read.
            self.seen.doubt(|| "a process was killed during a call".to_owned());
            return Ok(());
        }
        let is_same = |read: &Read| target.read(read.at, read.bytes.len()).is_ok_and(|now| now == read.bytes);
        if !reads.iter().all(is_same) {
            self.seen.doubt(|| "the path of a call changed during the call".to_owned());
        }
        self.listener.answer(call, answer)?;
        if !matches!(i64::from(call.data.nr), libc::SYS_execve | libc::SYS_execveat) {
            reads.retain(|read| !is_same(read));
            reads.into_iter().for_each(|read| self.look_again(target, read));
        }
        Ok(())
    }

    /// Looks at memory of a call that has changed after the answer. Usually, the process has gone on and uses it for something else.
    /// If another thread changed it before the kernel read it, what is there now is what the call was about.
    fn look_again(&mut self, target: Target, Read { at, bytes, what }: Read) {
        match what {
            What::Path(dir, lists) => {
                let Ok(text) = target.text(at) else { return };
                if text.is_empty() || text.iter().any(u8::is_ascii_control) {
                    return;
                }
                let Ok(found) = target.find(dir, &text) else { return };
                self.saw_links(target, found.links);
                // The loader, for example, cuts off the name of a library that it has just looked for.
                let lists = lists && self.wall.reads.iter().any(|dir| found.place.starts_with(dir));
                self.saw(target, found.place, found.kind, lists, false);
            }
            What::Address => {
                let family = target.read(at, 2).is_ok_and(|now| bytes.starts_with(&now));
                if family
                    && let Answer::Fail(_) =
                        self.address(target, at, bytes.len() as u64, false, &mut Vec::new())
                {
                    self.seen.doubt(|| "the address of a socket changed during the call".to_owned());
                }
            }
            What::Head => {}
            What::Limit(resource) => {
                if !self.is_below_its_limit(target, resource, at, &mut Vec::new()) {
                    self.uses_rights("raises its limits");
                }
            }
        }
    }

    /// Looks at what `call` does, before it does it. Adds the memory with its paths to `reads`.
    fn look(&mut self, target: Target, call: &Call, reads: &mut Vec<Read>) -> Answer {
        let args = call.data.args;
        if Some(call.data.arch) != ARCHITECTURE || call.data.nr >= X32.cast_signed() {
            self.seen.deny(|| "it makes a call of another architecture".to_owned());
            return Answer::Fail(libc::ENOSYS);
        }
        let meaning = meaning(call.data.nr.into());
        match meaning {
            Meaning::Paths(paths) | Meaning::WorkingDirectory(paths) => {
                if matches!(meaning, Meaning::WorkingDirectory(_)) && target.has_other_threads() {
                    // The kernel may follow a relative path of one of them from the old directory or from the new one.
                    self.seen.doubt(|| "it changes its working directory while other threads run".to_owned());
                }
                for path in paths {
                    self.path(target, path, args, reads);
                }
            }
            Meaning::Address(at) => {
                let is_bind = i64::from(call.data.nr) == libc::SYS_bind;
                return self.address(target, args[at], args[at + 1], is_bind, reads);
            }
            Meaning::Message => {
                let count = if i64::from(call.data.nr) == libc::SYS_sendmmsg { args[2].min(1024) } else { 1 };
                for at in 0..count {
                    let answer = self.message(target, args[1].wrapping_add(at * MESSAGE), reads);
                    if answer != Answer::Continue {
                        return answer;
                    }
                }
            }
            Meaning::Signal => self.signal(args[0] as i32),
            Meaning::Privileged(what) => self.uses_rights(what),
            Meaning::Denied(_) if i64::from(call.data.nr) == libc::SYS_prlimit64 && args[0] == 0 => {
                if !self.is_below_its_limit(target, args[1], args[2], reads) {
                    self.uses_rights("raises its limits");
                }
            }
            Meaning::Denied(error) => {
                let what = match i64::from(call.data.nr) {
                    libc::SYS_socket | libc::SYS_socketpair => "it opens a socket that its sandbox denies",
                    libc::SYS_prlimit64 => "it changes the limits of another process",
                    libc::SYS_io_uring_setup => "it calls `io_uring_setup`",
                    _ => "it uses the kernel's keyrings",
                };
                self.seen.deny(|| what.to_owned());
                return Answer::Fail(error);
            }
            Meaning::Unknown(name) => self.seen.deny(|| match name {
                Some(name) => format!("it calls `{name}`"),
                None => format!("it makes system call {}, which is not known here", call.data.nr),
            }),
        }
        Answer::Continue
    }

    /// Notes that a call succeeds only with a right that the process would have without the sandbox.
    fn uses_rights(&mut self, what: &str) {
        if self.has_lost_rights {
            self.seen.deny(|| format!("it {what}, for which root has more rights without it"));
        }
    }

    /// Returns true if the limits at `at` need no rights: anybody may lower the hard limit of `resource`, and raise the other one
    /// up to it.
    fn is_below_its_limit(&self, target: Target, resource: u64, at: u64, reads: &mut Vec<Read>) -> bool {
        let hard = |bytes: &[u8]| Some(u64::from_ne_bytes(bytes.get(8..16)?.try_into().ok()?));
        let Ok(bytes) = target.read(at, 16) else { return false };
        let is_below = hard(&bytes).zip(target.hard_limit(resource)).is_some_and(|(new, now)| new <= now);
        reads.push(Read { at, bytes, what: What::Limit(resource) });
        is_below
    }

    /// Looks at the path in an argument.
    fn path(&mut self, target: Target, argument: &PathArgument, args: [u64; 6], reads: &mut Vec<Read>) {
        let PathArgument { dir, path, access } = *argument;
        let pointer = args[path];
        if pointer == 0 {
            // The call is about the descriptor itself, or fails.
            return;
        }
        let Ok(text) = target.text(pointer) else {
            return self.seen.doubt(|| "the path of a call can't be read".to_owned());
        };
        let dir = dir.map(|dir| args[dir] as i32);
        let at = reads.len();
        reads.push(Read { at: pointer, bytes: [&text[..], &[0]].concat(), what: What::Path(dir, false) });
        match access {
            Access::LinkText { dir, at } => {
                let (dir, place) = (dir.map(|dir| args[dir] as i32), target.text(args[at]));
                let parent = place.and_then(|place| parent_of(target, dir, &place));
                match parent.and_then(|parent| target.resolve(&parent, &text)) {
                    // The link leads there from now on, whoever follows it.
                    Ok(found) if found.kind.is_some() => {
                        self.saw(target, found.place, found.kind, true, false)
                    }
                    Ok(_) => {}
                    Err(_) => self.seen.doubt(|| "it makes a link that leads to an unknown place".to_owned()),
                }
            }
            // The call is about the descriptor itself, which was opened before.
            _ if text.is_empty() && access != Access::Execute => {}
            _ => {
                if let Access::Device(mode) = access
                    && matches!(args[mode] as u32 & libc::S_IFMT, libc::S_IFBLK | libc::S_IFCHR)
                {
                    self.uses_rights("makes a device");
                }
                let (opens, changes) = match access {
                    Access::Open(flags) => (true, changes(args[flags])),
                    Access::Change | Access::Device(_) => (false, true),
                    _ => (false, false),
                };
                match target.find(dir, &text) {
                    Ok(found) => {
                        self.saw_links(target, found.links);
                        reads[at].what = What::Path(dir, opens && found.kind == Some(Kind::Directory));
                        if access == Access::Execute && found.kind == Some(Kind::Other) {
                            self.execute(target, &found.place, 0);
                        }
                        self.saw(target, found.place, found.kind, opens, changes);
                    }
                    Err(error) => {
                        let text = String::from_utf8_lossy(&text).into_owned();
                        self.seen.deny(|| format!("it looks at `{text}`, which can't be followed: {error}"));
                    }
                }
            }
        }
    }

    /// Adds the links on the way to a place.
    pub(super) fn saw_links(&mut self, target: Target, links: Vec<PathBuf>) {
        for link in links {
            match link.strip_prefix("/proc") {
                _ if link.starts_with(&self.temporary) => {}
                Ok(rest) => self.saw_process(target, rest, Some(Kind::Other), false),
                Err(_) => self.seen.see(link, Sight::File),
            }
        }
    }

    /// Adds what the process saw at `place`, a real path.
    pub(super) fn saw(
        &mut self,
        target: Target,
        place: PathBuf,
        kind: Option<Kind>,
        opens: bool,
        changes: bool,
    ) {
        let Wall { reads, writes, devices, .. } = &self.wall;
        let is_in = |dirs: &[super::Place]| dirs.iter().any(|dir| place.starts_with(dir));
        let name = |what: &str| format!("it {what} `{}`", place.display());
        if place.starts_with(&self.temporary) || devices.iter().any(|device| device.as_ref() == place) {
            return;
        }
        if self.is_own_pipe(target, &place) {
            return;
        }
        if changes {
            return match is_in(writes) {
                true => self.seen.doubt(|| name("changes")),
                false => self.seen.deny(|| name("changes")),
            };
        }
        if let Ok(rest) = place.strip_prefix("/proc") {
            return self.saw_process(target, rest, kind, opens);
        }
        // Compilers look at a terminal to find out its colors.
        if place.starts_with("/sys") || place == Path::new("/dev/tty") && self.is_compiler(target) {
            return;
        }
        let sight = match kind {
            None => Sight::Absent,
            Some(Kind::Other) => Sight::File,
            Some(Kind::Directory) if opens && self.is_compiler(target) => Sight::SearchedDirectory,
            Some(Kind::Directory) if opens => Sight::OpenDirectory,
            Some(Kind::Directory) => Sight::Directory,
        };
        if is_in(writes) {
            return self.seen.doubt(|| name("looks at"));
        }
        let is_above = |dir: &Path| dir.starts_with(&place);
        let leads_there = || is_above(&self.temporary) || reads.iter().any(|dir| is_above(dir.as_ref()));
        // When the loader finds a library nowhere in a directory, it asks whether the directory exists. No wall denies that.
        let has_libraries = || self.libraries.iter().any(|dir| place.starts_with(dir));
        match sight {
            Sight::Absent => {}
            _ if is_in(reads) => {}
            Sight::Directory if leads_there() || has_libraries() => {}
            _ => return self.seen.deny(|| name("looks at")),
        }
        self.seen.see(place, sight);
    }

    /// Returns true if `target` runs a compiler.
    fn is_compiler(&self, target: Target) -> bool {
        let compilers = &self.wall.compilers;
        !compilers.is_empty()
            && target.program().is_ok_and(|program| compilers.iter().any(|dir| program.starts_with(dir)))
    }

    /// Adds what the process saw at `rest` in `/proc`.
    fn saw_process(&mut self, target: Target, rest: &Path, kind: Option<Kind>, opens: bool) {
        let Some(first) = rest.iter().next() else {
            if opens {
                self.seen.doubt(|| "it lists all processes".to_owned());
            }
            return;
        };
        let Some(process) = first.to_str().and_then(|first| first.parse().ok()) else { return };
        if kind.is_some() && !self.is_own(target, process) {
            self.seen.deny(|| format!("it looks at process {process}, which it has not started"));
        }
    }

    /// Returns true if `target` sees `process` as its own: itself, or one below the process that was started.
    fn is_own(&self, target: Target, process: u32) -> bool {
        process == target.0 || self.root.is_some_and(|root| Target(process).is_below(root))
    }

    /// Returns true if `place` is a pipe that `target` has open already, such as that of the jobserver. Its path is no path of a
    /// file.
    fn is_own_pipe(&self, target: Target, place: &Path) -> bool {
        let Ok(rest) = place.strip_prefix("/proc") else { return false };
        let parts: Vec<_> = rest.iter().filter_map(OsStr::to_str).collect();
        let [process, "fd", pipe] = parts.as_slice() else { return false };
        pipe.starts_with("pipe:[") && process.parse().is_ok_and(|process| self.is_own(target, process))
    }

    /// Adds what the kernel itself reads to execute the file at `place`: interpreters.
    fn execute(&mut self, target: Target, place: &Path, depth: usize) {
        if gives_rights(place) {
            self.seen.deny(|| format!("it executes `{}`, which has more rights without it", place.display()));
        }
        let interpreter = match interpreter(place) {
            Ok(Some(interpreter)) if depth < MOST_INTERPRETERS => interpreter,
            Ok(None) => return,
            // An error of the call, or something that depends on the system's configuration.
            _ => {
                return self.seen.doubt(|| format!("it executes `{}`, which is no program", place.display()));
            }
        };
        let found = target.base(None).and_then(|base| target.resolve(&base, &interpreter));
        match found {
            Ok(found) => {
                self.saw_links(target, found.links);
                if found.kind == Some(Kind::Other) {
                    self.execute(target, &found.place, depth + 1);
                }
                self.saw(target, found.place, found.kind, false, false);
            }
            Err(error) => self.seen.deny(|| format!("an interpreter can't be followed: {error}")),
        }
    }

    fn signal(&mut self, process: i32) {
        let process = process.unsigned_abs();
        let is_there = || Path::new("/proc").join(process.to_string()).exists();
        let is_own = || self.root.is_some_and(|root| Target(process).is_below(root));
        if process == 1 || process != 0 && is_there() && !is_own() {
            self.seen.deny(|| "it signals processes that it has not started".to_owned());
        }
    }
}

/// Returns true if the file at `place` is executed with the rights of its owner or with rights of its own. Behind a wall, it is not.
fn gives_rights(place: &Path) -> bool {
    const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;
    let mode = place.metadata().map_or(0, |meta| std::os::unix::fs::MetadataExt::mode(&meta));
    let has_own = rustix::fs::getxattr(place, "security.capability", &mut [0_u8; 64]).is_ok();
    mode & SET_ID != 0 || has_own
}

/// Returns true if a file that is opened with these flags may be created or changed.
fn changes(flags: u64) -> bool {
    let flags = flags as i32;
    flags & libc::O_ACCMODE != libc::O_RDONLY || flags & (libc::O_CREAT | libc::O_TRUNC) != 0
}

/// Returns the real directory of `path`, which starts from `dir`.
fn parent_of(target: Target, dir: Option<i32>, path: &[u8]) -> io::Result<PathBuf> {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => Ok(target.find(dir, &path[..=at])?.place),
        None => target.base(dir),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_opening_for_reading_changes_nothing() {
        assert!(!changes((libc::O_RDONLY | libc::O_CLOEXEC | libc::O_DIRECTORY) as u64));
        for flags in [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC] {
            assert!(changes(flags as u64));
        }
    }
}
