//! The one pool of job tokens: inherited from the build that started us, or our own.
//!
//! One token is held for each child as long as it lives: it is the child's implicit slot. Where the pool is
//! inherited, our own implicit slot serves the first child. Children that are clients get the pool through
//! variables and an inheritable descriptor, because `Client::configure` would cost each spawn a `fork`.

use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobserver::{Acquired, Client, FromEnvErrorKind};

use super::environment::{Env, JOBSERVER};
use super::sys;

/// What was found in the environment at the very start.
#[derive(Debug)]
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
    Pooled { _acquired: Acquired },
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
        if let Kind::Implicit(pool) = &self.0 {
            pool.0.implicit.store(true, Ordering::Release);
        }
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
            return Ok(Self(Arc::new(Shared { client, own: None, implicit: AtomicBool::new(true), vars })));
        }
        let client = Client::new(size)?;
        // The library tells a command what to export; this one is never started.
        let mut probe = Command::new("");
        client.configure(&mut probe);
        let value =
            probe.get_envs().find(|(name, _)| *name == "CARGO_MAKEFLAGS").and_then(|(_, value)| value);
        let vars = vars(value.unwrap_or_default());
        Ok(Self(Arc::new(Shared { client, own: Some(size), implicit: AtomicBool::new(false), vars })))
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
        Ok(Token(Kind::Pooled { _acquired: self.0.client.acquire()? }))
    }

    /// Puts back what clients took to their graves: a cargo that is killed returns none of its tokens. Only
    /// for an own pool, and only while none of its clients lives and `held` tokens are in use.
    pub(super) fn refill(&self, held: usize) {
        if let (Some(size), Ok(free)) = (self.0.own, self.0.client.available()) {
            for _ in 0..size.saturating_sub(held + free) {
                if self.0.client.release_raw().is_err() {
                    return;
                }
            }
        }
    }
}

/// The variables for children, with the descriptors in them made inheritable.
fn vars(value: &OsStr) -> Vec<(String, OsString)> {
    let text = value.to_string_lossy();
    let auth = text.split_whitespace().filter_map(|word| {
        word.strip_prefix("--jobserver-auth=").or_else(|| word.strip_prefix("--jobserver-fds="))
    });
    for (read, write) in auth.filter_map(|auth| auth.split_once(',')) {
        for fd in [read, write].into_iter().filter_map(|fd| fd.parse().ok()) {
            sys::make_inheritable(fd);
        }
    }
    JOBSERVER[..2].iter().map(|name| ((*name).to_owned(), value.to_owned())).collect()
}
