//! The one pool of job tokens: inherited from the build that started us, or our own.
//!
//! One token is held for each child as long as it lives: it is the child's implicit slot. Where the pool is
//! inherited, our own implicit slot serves the first child. A child that runs threads of its own, as tests do, has
//! further tokens for these: as many as are free when it starts. Children that are clients get the pool through
//! variables and an inheritable descriptor, because `Client::configure` would cost each spawn a `fork`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jobserver::{Acquired, Client, FromEnvErrorKind};

use super::environment::{Env, JOBSERVER};
use super::sys;

/// What was found in the environment at the very start.
#[derive(Clone, Debug)]
pub struct Inherited {
    client: Option<Client>,
    /// Why a jobserver that was announced can't be used.
    pub warning: Option<String>,
}

impl Inherited {
    /// Looks for a jobserver in the environment. Call this first in `main`, before any file is opened: a
    /// descriptor number is only as good as nobody else has taken it.
    #[expect(unsafe_code, reason = "descriptors that the environment names can only be taken on trust")]
    pub fn take() -> Self {
        if std::env::var_os("CARGO_MAKEFLAGS").is_some_and(|value| value.is_empty()) {
            // SAFETY: nothing else runs yet. Left in place, the empty variable would hide a good MAKEFLAGS.
            unsafe { std::env::remove_var("CARGO_MAKEFLAGS") };
        }
        // SAFETY: no descriptor has been opened yet, so that the numbers still mean what our parent meant.
        let found = unsafe { Client::from_env_ext(true) };
        match found.client {
            Ok(client) => Self { client: Some(client), warning: None },
            Err(error) => {
                let silent = matches!(
                    error.kind(),
                    FromEnvErrorKind::NoEnvVar
                        | FromEnvErrorKind::NoJobserver
                        | FromEnvErrorKind::NegativeFd
                        | FromEnvErrorKind::Unsupported
                );
                let warning = (!silent).then(|| {
                    format!(
                        "the jobserver in the environment can't be used ({error}); running with an own pool"
                    )
                });
                Self { client: None, warning }
            }
        }
    }

    /// Puts back this many tokens, which whoever took them can't put back any more.
    #[cfg(unix)]
    pub(super) fn give_back(&self, tokens: usize) {
        let Some(client) = &self.client else { return };
        // A pool that is gone has no use for them.
        let _ = (0..tokens).try_for_each(|_| client.release_raw());
    }

    /// No jobserver.
    pub fn none() -> Self {
        Self { client: None, warning: None }
    }
}

/// The tokens. Cheap to clone: all clones are the same pool.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    /// How many tokens an own pool has; `None` if inherited.
    own: Option<usize>,
    /// Whether our own implicit slot is free. Only where the pool is inherited.
    implicit: AtomicBool,
    /// A second way to the pipe of an own pool that does not wait, where the system has one.
    own_pipe: Option<File>,
    /// How many tokens are taken beside those that stand for a process.
    extra: Mutex<usize>,
    /// How many of an inherited pool's tokens we have.
    held: Arc<Held>,
    vars: Vec<(String, OsString)>,
}

/// One token. Given back when dropped.
#[derive(Debug)]
pub(super) struct Token(Kind);

#[derive(Debug)]
enum Kind {
    /// Our own slot.
    Implicit(Pool),
    /// One from the pool.
    Pooled { _token: Pooled },
    /// One that was read from the pipe of an own pool.
    Own(Pool),
    /// The pool is gone.
    None,
}

impl Token {
    /// For when the pool can't be reached any more.
    pub(super) fn none() -> Self {
        Self(Kind::None)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        match &self.0 {
            Kind::Implicit(pool) => pool.0.implicit.store(true, Ordering::Release),
            // A pool that is gone has no use for it.
            Kind::Own(pool) => drop(pool.0.client.release_raw()),
            Kind::Pooled { .. } | Kind::None => {}
        }
    }
}

/// A token from the pool, which is counted.
#[derive(Debug)]
struct Pooled {
    /// Given back when dropped.
    acquired: Option<Acquired>,
    held: Arc<Held>,
}

impl Pooled {
    fn new(acquired: Acquired, held: &Arc<Held>) -> Self {
        held.add(1);
        Self { acquired: Some(acquired), held: Arc::clone(held) }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        // In this order: should we be killed in between, one is lost, and the pool never has too many.
        self.held.add(-1);
        self.acquired = None;
    }
}

/// How many tokens of the pool this process has, for who puts them back if it is killed.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<(usize, Option<sys::Ledger>)>);

impl Held {
    fn add(&self, more: isize) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.0 = held.0.saturating_add_signed(more);
        if let (count, Some(ledger)) = &*held {
            ledger.note_tokens(*count);
        }
    }

    /// Writes to `ledger` how many there are, now and whenever that changes.
    pub(super) fn write_to(&self, ledger: sys::Ledger) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(ledger);
        self.add(0);
    }
}

impl Pool {
    /// The inherited pool, or an own one of `size` tokens.
    ///
    /// # Errors
    ///
    /// If the system has no pipes left.
    pub fn new(inherited: Inherited, env: &Env, size: usize) -> std::io::Result<Self> {
        if let Some(client) = inherited.client {
            let vars = vars(JOBSERVER.iter().find_map(|name| env.get(name)).unwrap_or_default());
            return Ok(Self::of(client, None, vars));
        }
        let client = Client::new(size)?;
        // The library tells a command what to export; this one is never started.
        let mut probe = Command::new("");
        client.configure(&mut probe);
        let value =
            probe.get_envs().find(|(name, _)| *name == "CARGO_MAKEFLAGS").and_then(|(_, value)| value);
        let vars = vars(value.unwrap_or_default());
        Ok(Self::of(client, Some(size), vars))
    }

    fn of(client: Client, own: Option<usize>, vars: Vec<(String, OsString)>) -> Self {
        let implicit = AtomicBool::new(own.is_none());
        let own_pipe = own.and_then(|_| without_waiting(&vars));
        let (extra, held) = (Mutex::new(0), Arc::default());
        Self(Arc::new(Shared { client, own, implicit, own_pipe, extra, held, vars }))
    }

    /// How many tokens we have that are somebody else's.
    pub(super) fn held(&self) -> Option<Arc<Held>> {
        self.0.own.is_none().then(|| Arc::clone(&self.0.held))
    }

    /// The variables that a client needs.
    pub(super) fn vars(&self) -> &[(String, OsString)] {
        &self.0.vars
    }

    /// Our own implicit slot, if it is free. Only an inherited pool has one.
    pub(super) fn implicit(&self) -> Option<Token> {
        self.0.implicit.swap(false, Ordering::Acquire).then(|| Token(Kind::Implicit(self.clone())))
    }

    /// Waits for a token of the pool.
    pub(super) fn acquire(&self) -> std::io::Result<Token> {
        Ok(Token(Kind::Pooled { _token: Pooled::new(self.0.client.acquire()?, &self.0.held) }))
    }

    /// A token of the pool, if one is free and the system has a way to tell.
    pub(super) fn try_acquire(&self) -> Option<Token> {
        let kind = match &self.0.own_pipe {
            Some(pipe) => {
                let is_taken = (&*pipe).read(&mut [0]).is_ok_and(|len| len == 1);
                is_taken.then(|| Kind::Own(self.clone()))
            }
            None => {
                let acquired = self.0.client.try_acquire().ok().flatten();
                acquired.map(|acquired| Kind::Pooled { _token: Pooled::new(acquired, &self.0.held) })
            }
        };
        kind.map(Token)
    }

    /// Takes the tokens that are free now, `most` of them: for the threads of a process that has one already. Whoever
    /// holds a token must not wait for another.
    pub(super) fn take_free(&self, most: usize) -> Threads {
        let mut extra = self.lock_extra();
        let tokens: Vec<_> = (0..most).map_while(|_| self.try_acquire()).collect();
        *extra += tokens.len();
        Threads { pool: self.clone(), tokens }
    }

    fn lock_extra(&self) -> MutexGuard<'_, usize> {
        self.0.extra.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts back what clients took to their graves: a cargo that is killed returns none of its tokens. Only
    /// for an own pool, and only while none of its clients lives and `held` tokens are in use.
    pub(super) fn refill(&self, held: usize) {
        let extra = self.lock_extra();
        if let (Some(size), Ok(free)) = (self.0.own, self.0.client.available()) {
            for _ in 0..size.saturating_sub(held + *extra + free) {
                if self.0.client.release_raw().is_err() {
                    return;
                }
            }
        }
    }
}

/// Tokens for the threads of a process. Given back when dropped.
#[derive(Debug)]
pub(super) struct Threads {
    pool: Pool,
    tokens: Vec<Token>,
}

impl Threads {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let mut extra = self.pool.lock_extra();
        *extra -= self.len();
        self.tokens.clear();
    }
}

/// The reading end of the pipe once more, as a file of its own: reads from it don't wait, and nobody else's change.
#[cfg(target_os = "linux")]
fn without_waiting(vars: &[(String, OsString)]) -> Option<File> {
    let (_, value) = vars.first()?;
    let (read, _) = descriptors(&value.to_string_lossy()).next()?;
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/self/fd/{read}"), flags, rustix::fs::Mode::empty()).ok().map(File::from)
}

/// Elsewhere a descriptor that is opened again is the same file: what is changed there is changed for all.
#[cfg(not(target_os = "linux"))]
fn without_waiting(_: &[(String, OsString)]) -> Option<File> {
    None
}

/// The variables for children, with the descriptors in them made inheritable.
fn vars(value: &OsStr) -> Vec<(String, OsString)> {
    for (read, write) in descriptors(&value.to_string_lossy()) {
        sys::make_inheritable(read);
        sys::make_inheritable(write);
    }
    JOBSERVER[..2].iter().map(|name| ((*name).to_owned(), value.to_owned())).collect()
}

/// The two ends of the pipe that `flags` name.
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
    fn threads_get_what_is_free_and_never_wait() {
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
    fn a_refill_counts_the_tokens_of_threads() {
        let pool = pool(4);
        let token = pool.acquire().unwrap();
        let threads = pool.take_free(2);
        pool.refill(1);
        assert_eq!(free(&pool), 1, "nothing is lost");
        // A client that was killed took one with it.
        pool.0.client.acquire().unwrap().drop_without_releasing();
        pool.refill(1);
        assert_eq!(free(&pool), 1);
        drop((token, threads));
        assert_eq!(free(&pool), 4);
    }
}
