//! The remote store: results that machines share through a server that speaks the Remote Execution API.
//!
//! # Two steps
//!
//! Discovered inputs are not known before a task runs, so a result is found in two steps. The entry under the static key lists names
//! of discovered inputs, one list for each set of names that a run has found. The entry under the static key and the present digests
//! of the inputs of such a list is the result. Both are entries of the server's action cache, whose value is a file with content in
//! the server's content store. The server sees digests as keys, never the values of variables.
//!
//! # Trust
//!
//! Whoever can write to the store can make a check pass, so results are only written where that is configured. Nothing else of the
//! server is trusted: content must have its digest, an entry repeats its key, and a downloaded result is accepted by the same rules
//! as one in the local log (`shared.rs`). Anything else is a miss.
//!
//! # Limits
//!
//! A server must not delay a run noticeably. All waiting together takes at most [`RemoteConfig::timeout`]; connecting, retries and
//! failures are limited as well (`breaker.rs`). After the first failure that retries don't help, the run says so once, and its verdict
//! is the one it would have had without the server.
//!
//! This module does not know what a result is. Everything about gRPC, and the threads for it, is in `client.rs`, which is compiled
//! only with the feature `remote`.

#[cfg(feature = "remote")]
mod breaker;
#[cfg(feature = "remote")]
mod client;
#[cfg(feature = "remote")]
mod credentials;
pub(super) mod entry;
#[cfg(feature = "remote")]
pub(super) mod execution;
pub(super) mod key;
#[cfg(feature = "remote")]
pub(super) mod protocol;
#[cfg(feature = "remote")]
pub(super) mod shim;
#[cfg(feature = "remote")]
pub(super) mod tree;

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::key::RemoteKey;
use crate::model::remote::RemoteConfig;
#[cfg(feature = "remote")]
use crate::model::remote::RemoteWrite;
use crate::scan::{Env, Stop};

/// Time between two looks at whether the run was stopped.
const TICK: Duration = Duration::from_millis(50);

/// Values by the position of their keys, in the order of arrival. `None` if there is no value. The channel closes after the last one.
pub(super) type Answers = Receiver<(usize, Option<Vec<u8>>)>;

/// A store of values on a server. Does not block: the values arrive later.
pub(super) trait Remote: Send + Sync {
    /// Asks for the values under `keys`.
    fn get(&self, keys: Vec<RemoteKey>) -> Answers;

    /// Stores `entries` in order, each only if those before it were stored. The channel closes at the end.
    fn put(&self, entries: Vec<(RemoteKey, Vec<u8>)>) -> Receiver<()>;

    /// Returns the first failure that retries did not help.
    fn trouble(&self) -> Option<String>;
}

/// The remote store of a run.
pub struct RemoteStore {
    client: Box<dyn Remote>,
    /// The workers of the server, if tools are executed there.
    #[cfg(feature = "remote")]
    workers: Option<execution::WorkerPool>,
    /// Address of the server.
    url: String,
    salt: String,
    /// True if this run stores its results.
    writes: bool,
    /// Time left to wait.
    left: Mutex<Duration>,
    /// The part of it that is kept for the writes.
    kept: Duration,
    /// Writes that have not ended.
    writing: Mutex<Vec<Receiver<()>>>,
    /// Another reason than the client's why results may be missing.
    missing: Mutex<Option<String>>,
}

/// Reason why the remote store can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRemote {
    /// This program was built without it.
    #[error("this build of genti can't use it; install genti with `--features remote`")]
    NotBuilt,
    /// A variable with the value of a header is not set.
    #[error("the variable {0} is not set")]
    NotSet(String),
    /// Something else is wrong with the configuration or the machine.
    #[error("{0}")]
    Unusable(String),
}

impl RemoteStore {
    /// Prepares the use of the configured server, and begins to connect. Paths are relative to `root`. At most `jobs` processes run
    /// there at once.
    ///
    /// # Errors
    ///
    /// If this is not possible whatever the server does.
    #[cfg(feature = "remote")]
    pub fn open(
        config: &RemoteConfig,
        env: &Env,
        root: &Path,
        jobs: usize,
        stop: &'static Stop,
    ) -> Result<Self, NoRemote> {
        let is_ci = || env.get("CI").is_some_and(|value| value != "0" && value != "false");
        let writes = match config.write {
            RemoteWrite::Never => false,
            RemoteWrite::Ci => is_ci(),
            RemoteWrite::Always => true,
        };
        let client = Box::new(client::Client::start(config, env, root, stop)?);
        let start = |execution| {
            let server = client::Server::new(config, env, root, stop)?;
            execution::WorkerPool::start(server, execution, jobs)
        };
        // The shim is a shell script.
        let execution = config.execution.as_ref().filter(|_| cfg!(unix) && jobs > 0);
        let workers = execution.map(start).transpose()?;
        Ok(Self { workers, ..Self::new(client, config, writes) })
    }

    /// Fails, because this program was built without the feature `remote`.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(feature = "remote"))]
    pub fn open(_: &RemoteConfig, _: &Env, _: &Path, _: usize, _: &'static Stop) -> Result<Self, NoRemote> {
        Err(NoRemote::NotBuilt)
    }

    #[cfg(feature = "remote")]
    fn new(client: Box<dyn Remote>, config: &RemoteConfig, writes: bool) -> Self {
        Self {
            client,
            workers: None,
            url: config.url.to_string(),
            salt: config.salt.clone(),
            writes,
            left: Mutex::new(config.timeout),
            kept: config.timeout / 4,
            writing: Mutex::default(),
            missing: Mutex::default(),
        }
    }

    /// Returns the address of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the first reason why results may be missing; `None` if the server has answered everything.
    pub fn trouble(&self) -> Option<String> {
        let missing = || self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.client.trouble().or_else(missing)
    }

    /// Returns the first reason why workers did not run what they could.
    pub fn trouble_of_workers(&self) -> Option<String> {
        #[cfg(feature = "remote")]
        return self.workers.as_ref()?.trouble();
        #[cfg(not(feature = "remote"))]
        None
    }

    /// Returns the workers, if tools are executed remotely.
    #[cfg(feature = "remote")]
    pub(super) fn workers(&self) -> Option<&execution::WorkerPool> {
        self.workers.as_ref()
    }

    pub(super) fn salt(&self) -> &str {
        &self.salt
    }

    pub(super) fn writes(&self) -> bool {
        self.writes
    }

    pub(super) fn get(&self, keys: Vec<RemoteKey>) -> Answers {
        self.client.get(keys)
    }

    /// Stores `entries` in the background.
    pub(super) fn put(&self, entries: Vec<(RemoteKey, Vec<u8>)>) {
        let ended = self.client.put(entries);
        self.writing.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
    }

    /// Does `work`, which counts as waiting. `None`, without doing it, if no time is left.
    pub(super) fn spend<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let left = || self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if *left() <= self.kept {
            self.note("looking at the inputs that it named took too long");
            return None;
        }
        let began = Instant::now();
        let done = work();
        let mut left = left();
        *left = left.saturating_sub(began.elapsed());
        Some(done)
    }

    /// Passes the values that arrive in time to `each`.
    pub(super) fn wait(&self, answers: &Answers, stop: &Stop, mut each: impl FnMut(usize, Option<Vec<u8>>)) {
        let is_whole = self.receive(answers, stop, self.kept, &mut |(at, value)| each(at, value));
        if !is_whole {
            self.note("it did not answer in time");
        }
    }

    /// Waits for the writes, as far as there is time.
    pub(super) fn finish(&self, stop: &Stop) {
        let writing = std::mem::take(&mut *self.writing.lock().unwrap_or_else(PoisonError::into_inner));
        let all =
            writing.iter().filter(|ended| !self.receive(ended, stop, Duration::ZERO, &mut |()| {})).count();
        if all > 0 {
            self.note("it did not store all results in time");
        }
    }

    /// Passes everything that arrives before only `least` of the time is left to `each`. Returns true if the channel was closed.
    fn receive<T>(&self, from: &Receiver<T>, stop: &Stop, least: Duration, each: &mut dyn FnMut(T)) -> bool {
        loop {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            let tick = left.saturating_sub(least).min(TICK);
            let began = Instant::now();
            let received = from.recv_timeout(tick);
            *left = left.saturating_sub(began.elapsed());
            match received {
                Ok(value) => each(value),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) if tick.is_zero() || stop.reason().is_some() => return false,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Notes why results may be missing.
    pub(super) fn note(&self, why: &str) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.get_or_insert_with(|| why.to_owned());
    }
}
