//! The pool of job tokens, inherited from the parent build or created for this run.
//!
//! Each child process holds one token as long as it lives, which is the child's implicit slot. If the pool is
//! inherited, this process has an implicit slot too, and the first child uses it. A child that runs threads of
//! its own, such as a test, gets further tokens for them if any are free when it starts. Children that use the
//! jobserver get it through variables and an inheritable descriptor, because `Client::configure` would cost a
//! `fork` for each process.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jobserver::{Acquired, Client, FromEnvErrorKind};

use super::environment::{Env, JOBSERVER};
use super::sys;

use crate::model::notice::Notice;

/// The jobserver found in the environment at startup.
#[derive(Clone, Debug)]
pub struct Inherited {
    client: Option<Client>,
    /// Notice that the jobserver in the environment can't be used, if there is one.
    pub warning: Option<Notice>,
}

impl Inherited {
    /// Looks for a jobserver in the environment. Must be called first in `main`, before any file is opened,
    /// because a descriptor number may otherwise refer to something else.
    #[expect(unsafe_code, reason = "descriptors that the environment names can only be taken on trust")]
    pub fn take() -> Self {
        if std::env::var_os("CARGO_MAKEFLAGS").is_some_and(|value| value.is_empty()) {
            // SAFETY: no other thread runs yet. The empty variable is removed because it would hide a valid
            // MAKEFLAGS.
            unsafe { std::env::remove_var("CARGO_MAKEFLAGS") };
        }
        // SAFETY: no descriptor has been opened yet, so the numbers still refer to descriptors of the parent.
        let found = unsafe { Client::from_env_ext(true) };
        match found.client {
            Ok(client) => Self { client: Some(client), warning: None },
            Err(error) => {
                let is_expected = matches!(
                    error.kind(),
                    FromEnvErrorKind::NoEnvVar
                        | FromEnvErrorKind::NoJobserver
                        | FromEnvErrorKind::NegativeFd
                        | FromEnvErrorKind::Unsupported
                );
                let warning = (!is_expected).then(|| Notice::JobserverIgnored { error: error.to_string() });
                Self { client: None, warning }
            }
        }
    }

    /// Takes up to `most` free tokens, without waiting. They are returned when dropped.
    pub(super) fn take_free(&self, most: usize) -> Vec<Acquired> {
        let take = || self.client.as_ref()?.try_acquire().ok().flatten();
        (0..most).map_while(|_| take()).collect()
    }

    /// Returns `tokens` tokens to the pool on behalf of a process that was killed.
    #[cfg(unix)]
    pub(super) fn give_back(&self, tokens: usize) {
        let Some(client) = &self.client else { return };
        // If the pool is gone, nobody needs them.
        let _ = (0..tokens).try_for_each(|_| client.release_raw());
    }

    /// Creates a value for an environment without a jobserver.
    pub fn none() -> Self {
        Self { client: None, warning: None }
    }
}

/// A pool of job tokens. Clones share the same pool.
#[derive(Clone, Debug)]
pub struct Pool(Arc<PoolInner>);

#[derive(Debug)]
struct PoolInner {
    client: Client,
    /// Number of tokens if the pool is our own, `None` if it is inherited.
    own: Option<usize>,
    /// True if our implicit slot is free. Always false for our own pool.
    implicit: AtomicBool,
    /// Another handle for reading from the pipe of our own pool without blocking, where the system supports it.
    own_pipe: Option<File>,
    /// Number of tokens taken for threads.
    for_threads: Mutex<usize>,
    /// Number of tokens that this process holds of an inherited pool.
    held: Arc<HeldTokens>,
    vars: Vec<(String, OsString)>,
}

/// A job token, returned when dropped.
#[derive(Debug)]
pub(super) struct JobToken(JobTokenKind);

#[derive(Debug)]
enum JobTokenKind {
    /// Our implicit slot.
    Implicit(Pool),
    /// A token of the pool.
    Pooled { _token: Pooled },
    /// A token that was read from the pipe of our own pool.
    Own(Pool),
    /// Stands for a token when the pool fails.
    None,
}

impl JobToken {
    /// Returns a placeholder for use when the pool can't be accessed.
    pub(super) fn none() -> Self {
        Self(JobTokenKind::None)
    }
}

impl Drop for JobToken {
    fn drop(&mut self) {
        match &self.0 {
            JobTokenKind::Implicit(pool) => pool.0.implicit.store(true, Ordering::Release),
            // If the pool is gone, nobody needs the token.
            JobTokenKind::Own(pool) => drop(pool.0.client.release_raw()),
            JobTokenKind::Pooled { .. } | JobTokenKind::None => {}
        }
    }
}

/// A token of the pool that is counted in [`HeldTokens`].
#[derive(Debug)]
struct Pooled {
    /// Returned to the pool when dropped.
    acquired: Option<Acquired>,
    held: Arc<HeldTokens>,
}

impl Pooled {
    fn new(acquired: Acquired, held: &Arc<HeldTokens>) -> Self {
        held.add(1);
        Self { acquired: Some(acquired), held: Arc::clone(held) }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // This order loses a token if the process is killed in between. The other order would add one too many to
        // the pool.
        self.held.add(-1);
        self.acquired = None;
    }
}

/// Counts the tokens held by this process, for the guard that returns them if the process is killed.
#[derive(Debug, Default)]
pub(super) struct HeldTokens(Mutex<(usize, Option<sys::Ledger>)>);

impl HeldTokens {
    fn add(&self, more: isize) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.0 = held.0.saturating_add_signed(more);
        if let (count, Some(ledger)) = &*held {
            ledger.note_tokens(*count);
        }
    }

    /// Writes the number of tokens to `ledger`, now and after each change.
    pub(super) fn write_to(&self, ledger: sys::Ledger) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(ledger);
        self.add(0);
    }
}

impl Pool {
    /// Returns the inherited pool, or creates one with `size` tokens.
    ///
    /// # Errors
    ///
    /// If no pipe can be created.
    pub fn new(inherited: Inherited, env: &Env, size: usize) -> std::io::Result<Self> {
        if let Some(client) = inherited.client {
            let vars = vars(JOBSERVER.iter().find_map(|name| env.get(name)).unwrap_or_default());
            return Ok(Self::of(client, None, vars));
        }
        let client = Client::new(size)?;
        // The library exports the variables only to commands that it configures. This command is never started.
        let mut probe = Command::new("");
        client.configure(&mut probe);
        let value =
            probe.get_envs().find(|(name, _)| *name == "CARGO_MAKEFLAGS").and_then(|(_, value)| value);
        let vars = vars(value.unwrap_or_default());
        Ok(Self::of(client, Some(size), vars))
    }

    fn of(client: Client, own: Option<usize>, vars: Vec<(String, OsString)>) -> Self {
        let implicit = AtomicBool::new(own.is_none());
        let own_pipe = own.and_then(|_| open_nonblocking(&vars));
        let (for_threads, held) = (Mutex::new(0), Arc::default());
        Self(Arc::new(PoolInner { client, own, implicit, own_pipe, for_threads, held, vars }))
    }

    /// Returns the count of held tokens if the pool is inherited.
    pub(super) fn held(&self) -> Option<Arc<HeldTokens>> {
        self.0.own.is_none().then(|| Arc::clone(&self.0.held))
    }

    /// Returns the environment variables for clients of the pool.
    pub(super) fn vars(&self) -> &[(String, OsString)] {
        &self.0.vars
    }

    /// Returns the descriptors of the pipe, if clients inherit them.
    pub(super) fn descriptors(&self) -> Vec<i32> {
        let value = self.0.vars.first().map(|(_, value)| value.to_string_lossy()).unwrap_or_default();
        descriptors(&value).flat_map(|(read, write)| [read, write]).filter(|number| *number >= 0).collect()
    }

    /// Returns the path of the pipe, if clients open it by its name.
    pub(super) fn named_pipe(&self) -> Option<PathBuf> {
        let value = self.0.vars.first()?.1.to_string_lossy();
        let mut words = value.split_whitespace();
        let path = words.find_map(|word| word.strip_prefix("--jobserver-auth=fifo:").map(PathBuf::from));
        path.filter(|path| sys::is_named_pipe(path))
    }

    /// Returns our implicit slot if it is free. Only an inherited pool has one.
    pub(super) fn implicit(&self) -> Option<JobToken> {
        self.0.implicit.swap(false, Ordering::Acquire).then(|| JobToken(JobTokenKind::Implicit(self.clone())))
    }

    /// Waits for a token of the pool.
    pub(super) fn acquire(&self) -> std::io::Result<JobToken> {
        Ok(JobToken(JobTokenKind::Pooled { _token: Pooled::new(self.0.client.acquire()?, &self.0.held) }))
    }

    /// Returns a token if one is free and the system supports asking without blocking.
    pub(super) fn try_acquire(&self) -> Option<JobToken> {
        let kind = match &self.0.own_pipe {
            Some(pipe) => {
                let is_taken = (&*pipe).read(&mut [0]).is_ok_and(|len| len == 1);
                is_taken.then(|| JobTokenKind::Own(self.clone()))
            }
            None => {
                let acquired = self.0.client.try_acquire().ok().flatten();
                acquired.map(|acquired| JobTokenKind::Pooled { _token: Pooled::new(acquired, &self.0.held) })
            }
        };
        kind.map(JobToken)
    }

    /// Takes up to `most` free tokens for the threads of a process that already has one. It never waits, because
    /// waiting while holding a token could deadlock.
    pub(super) fn take_free(&self, most: usize) -> Threads {
        let mut for_threads = self.lock_for_threads();
        let tokens: Vec<_> = (0..most).map_while(|_| self.try_acquire()).collect();
        *for_threads += tokens.len();
        Threads { pool: self.clone(), tokens }
    }

    fn lock_for_threads(&self) -> MutexGuard<'_, usize> {
        self.0.for_threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces tokens that were lost with killed clients. Only affects our own pool. Must only be called while
    /// none of its clients is alive and `held` tokens are in use.
    pub(super) fn refill(&self, held: usize) {
        let for_threads = self.lock_for_threads();
        if let (Some(size), Ok(free)) = (self.0.own, self.0.client.available()) {
            for _ in 0..size.saturating_sub(held + *for_threads + free) {
                if self.0.client.release_raw().is_err() {
                    return;
                }
            }
        }
    }
}

/// Tokens for the threads of a process, returned when dropped.
#[derive(Debug)]
pub(super) struct Threads {
    pool: Pool,
    tokens: Vec<JobToken>,
}

impl Threads {
    /// Returns the number of tokens.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let mut for_threads = self.pool.lock_for_threads();
        *for_threads -= self.len();
        self.tokens.clear();
    }
}

/// Opens the reading end of the pipe a second time, so that the non-blocking mode does not affect other users of the
/// pipe.
#[cfg(target_os = "linux")]
fn open_nonblocking(vars: &[(String, OsString)]) -> Option<File> {
    let (_, value) = vars.first()?;
    let (read, _) = descriptors(&value.to_string_lossy()).next()?;
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/self/fd/{read}"), flags, rustix::fs::Mode::empty()).ok().map(File::from)
}

/// Returns `None`: on other systems, the mode would change for all users of the pipe.
#[cfg(not(target_os = "linux"))]
fn open_nonblocking(_: &[(String, OsString)]) -> Option<File> {
    None
}

/// Returns the variables for children and makes the descriptors in them inheritable.
fn vars(value: &OsStr) -> Vec<(String, OsString)> {
    for (read, write) in descriptors(&value.to_string_lossy()) {
        sys::make_inheritable(read);
        sys::make_inheritable(write);
    }
    JOBSERVER[..2].iter().map(|name| ((*name).to_owned(), value.to_owned())).collect()
}

/// Returns the descriptors of both ends of the pipe named in `flags`.
pub(crate) fn descriptors(flags: &str) -> impl Iterator<Item = (i32, i32)> {
    let auth = flags.split_whitespace().filter_map(|word| {
        word.strip_prefix("--jobserver-auth=").or_else(|| word.strip_prefix("--jobserver-fds="))
    });
    auth.filter_map(|auth| auth.split_once(','))
        .filter_map(|(read, write)| Some((read.parse().ok()?, write.parse().ok()?)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn pool(size: usize) -> Pool {
        Pool::new(Inherited::none(), &Env::default(), size).unwrap()
    }

    fn free(pool: &Pool) -> usize {
        pool.0.client.available().unwrap()
    }

    #[test]
    fn threads_get_the_free_tokens_without_waiting() {
        let pool = pool(4);
        let token = pool.acquire().unwrap();
        let first = pool.take_free(2);
        assert_eq!((first.len(), free(&pool)), (2, 1));
        let second = pool.take_free(9);
        assert_eq!((second.len(), pool.take_free(9).len(), free(&pool)), (1, 0, 0));
        drop(second);
        assert_eq!(free(&pool), 1);
        drop((first, token));
        assert_eq!(free(&pool), 4);
        assert_eq!(pool.take_free(0).len(), 0);
    }

    #[test]
    fn a_named_pipe_is_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let of = |path: &std::path::Path| {
            let value = format!("-j --jobserver-auth=fifo:{}", path.display());
            Pool::of(Client::new(1).unwrap(), None, vars(OsStr::new(&value))).named_pipe()
        };
        assert_eq!(of(&pipe), Some(pipe));
        assert_eq!(of(dir.path()), None);
        let own = pool(1);
        assert!(!own.descriptors().is_empty() && own.named_pipe().is_none());
    }

    #[test]
    fn a_refill_counts_tokens_held_for_threads() {
        let pool = pool(4);
        let token = pool.acquire().unwrap();
        let threads = pool.take_free(2);
        pool.refill(1);
        assert_eq!(free(&pool), 1, "nothing is lost");
        // A killed client took one token with it.
        pool.0.client.acquire().unwrap().drop_without_releasing();
        pool.refill(1);
        assert_eq!(free(&pool), 1);
        drop((token, threads));
        assert_eq!(free(&pool), 4);
    }
}
