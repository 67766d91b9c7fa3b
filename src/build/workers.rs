//! Runs work in parallel with at most as many workers as there are jobserver tokens.
//!
//! Cargo starts a build script with one token, the *implicit slot*, which belongs to the calling thread. Every other
//! worker holds a token of cargo's jobserver (or of make's, if cargo runs under make) while it works. A token is
//! requested only while work is waiting, and only one at a time, so no token sits idle here that a compiler could use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use jobserver::{Acquired, Client, FromEnvErrorKind};

/// Limit on the number of workers.
#[derive(Clone, Debug)]
pub(super) enum Slots {
    /// One worker plus one per token.
    Jobserver(Client),
    /// A fixed number of workers.
    Fixed(usize),
}

/// Slots found in the environment, and a warning if they are not usable.
#[derive(Clone, Debug)]
pub(super) struct Announced {
    pub(super) slots: Slots,
    pub(super) warning: Option<String>,
}

impl Announced {
    /// Takes the jobserver from the environment, else `NUM_JOBS`, else one worker. This happens once per process, when
    /// the first plan is created. The earlier, the less likely it is that a file has reused the number of an inherited
    /// descriptor.
    #[expect(unsafe_code, reason = "inherited descriptors cannot be verified")]
    #[expect(clippy::disallowed_methods, reason = "build scripts get their input from the environment")]
    pub(super) fn take() -> Self {
        static FOUND: OnceLock<Announced> = OnceLock::new();
        let look = || {
            // SAFETY: the descriptors are checked to be pipes, and cargo passes them to build scripts for this purpose.
            let error = match unsafe { Client::from_env_ext(true) }.client {
                Ok(client) => return Self { slots: Slots::Jobserver(client), warning: None },
                Err(error) => error,
            };
            let is_none = matches!(
                error.kind(),
                FromEnvErrorKind::NoEnvVar
                    | FromEnvErrorKind::NoJobserver
                    | FromEnvErrorKind::NegativeFd
                    | FromEnvErrorKind::Unsupported
            );
            if !is_none {
                // There is a shared pool that we cannot reach, so only our own slot is left.
                let warning = format!("cannot use the jobserver, so nothing runs in parallel: {error}");
                return Self { slots: Slots::Fixed(1), warning: Some(warning) };
            }
            let jobs = std::env::var("NUM_JOBS").ok().and_then(|jobs| jobs.parse().ok());
            Self { slots: Slots::Fixed(jobs.unwrap_or(1)), warning: None }
        };
        FOUND.get_or_init(look).clone()
    }
}

/// Calls `work` once for each number below `count`, on the calling thread and as many others as `slots` allows.
pub(super) fn run(slots: &Slots, count: usize, work: &(dyn Fn(usize) + Sync)) {
    let queue = Queue { next: AtomicUsize::new(0), count };
    match slots {
        _ if count <= 1 => queue.drain(work),
        Slots::Fixed(limit) => std::thread::scope(|scope| {
            for _ in 1..(*limit).min(count) {
                scope.spawn(|| queue.drain(work));
            }
            queue.drain(work);
        }),
        Slots::Jobserver(client) => with_tokens(client, &queue, work),
    }
}

/// Numbers that no worker has taken yet.
struct Queue {
    next: AtomicUsize,
    count: usize,
}

impl Queue {
    fn drain(&self, work: &(dyn Fn(usize) + Sync)) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.count {
                // Stay at the end, so that the counter cannot overflow.
                self.next.store(self.count, Ordering::Relaxed);
                return;
            }
            work(at);
        }
    }

    fn is_empty(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= self.count
    }
}

/// Exchange between the thread that asks for tokens and the one that starts workers. A channel does the same, but takes a
/// twentieth of the time that this library takes to compile.
#[derive(Default)]
struct TokenSlot {
    state: Mutex<TokenState>,
    changed: Condvar,
}

#[derive(Default)]
struct TokenState {
    /// The token that was requested last, until a worker takes it.
    token: Option<Acquired>,
    /// No token is wanted any more.
    is_closed: bool,
}

impl TokenSlot {
    fn update(&self, change: impl FnOnce(&mut TokenState)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits for a token. Returns `None` at the end.
    fn wait(&self) -> Option<Acquired> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match state.token.take() {
                None if !state.is_closed => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                token => return token,
            }
        }
    }
}

fn with_tokens(client: &Client, queue: &Queue, work: &(dyn Fn(usize) + Sync)) {
    let slot = Arc::new(TokenSlot::default());
    let granted = Arc::clone(&slot);
    let forward = move |token: std::io::Result<Acquired>| {
        // An error means that the pool is gone, which leaves only our own slot.
        if let Ok(token) = token {
            granted.update(|state| state.token = Some(token));
        }
    };
    // Without a helper thread there are no tokens, but the work is still done.
    let Ok(helper) = client.clone().into_helper_thread(forward) else { return queue.drain(work) };
    let helper = &Mutex::new(Some(helper));
    let request = move || {
        if let Some(helper) = &*helper.lock().unwrap_or_else(PoisonError::into_inner) {
            helper.request_token();
        }
    };
    std::thread::scope(|scope| {
        let slot = &slot;
        scope.spawn(move || {
            while let Some(token) = slot.wait() {
                if queue.is_empty() {
                    // Dropping returns the token for others to use.
                    continue;
                }
                let worker = std::thread::Builder::new().spawn_scoped(scope, move || {
                    queue.drain(work);
                    drop(token);
                });
                if worker.is_ok() && !queue.is_empty() {
                    request();
                }
            }
        });
        request();
        queue.drain(work);
        // Stop waiting first. A token that arrives late is in the slot before it is closed, so it is returned.
        let waiting = helper.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(waiting);
        slot.update(|state| state.is_closed = true);
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Runs `count` units. Each waits until `expected` of them are running at once.
    fn check(slots: &Slots, count: usize, expected: usize) {
        let (state, changed) = (Mutex::new((0, 0)), Condvar::new());
        let done = Mutex::new(Vec::new());
        run(slots, count, &|at| {
            let mut running = state.lock().unwrap();
            running.0 += 1;
            running.1 = running.0.max(running.1);
            changed.notify_all();
            let wait = Duration::from_secs(60);
            let (running, late) = changed.wait_timeout_while(running, wait, |now| now.1 < expected).unwrap();
            assert!(!late.timed_out(), "only {} at once", running.1);
            drop(running);
            // Leave time for an extra worker to appear.
            std::thread::sleep(Duration::from_millis(2));
            state.lock().unwrap().0 -= 1;
            done.lock().unwrap().push(at);
        });
        let mut done = done.into_inner().unwrap();
        done.sort_unstable();
        assert_eq!(done, (0..count).collect::<Vec<_>>());
        assert_eq!(state.into_inner().unwrap(), (0, expected));
    }

    #[test]
    fn workers_match_the_tokens_plus_one_and_every_token_is_returned() {
        for tokens in 0..4 {
            let client = Client::new(tokens).unwrap();
            let slots = Slots::Jobserver(client.clone());
            for _ in 0..3 {
                check(&slots, 30, tokens + 1);
                #[cfg(unix)]
                assert_eq!(client.available().unwrap(), tokens);
            }
        }
    }

    #[test]
    fn without_a_jobserver_workers_match_the_jobs() {
        for (jobs, expected) in [(0, 1), (1, 1), (3, 3), (100, 20)] {
            check(&Slots::Fixed(jobs), 20, expected);
        }
    }

    #[test]
    fn a_token_freed_during_a_long_unit_is_used_immediately() {
        let client = Client::new(1).unwrap();
        let taken = client.acquire().unwrap();
        let (sender, receiver) = mpsc::channel();
        let receiver = Mutex::new(receiver);
        let taken = Mutex::new(Some(taken));
        // The first unit returns the token and waits for the second unit, which needs it.
        run(&Slots::Jobserver(client), 2, &|at| match at {
            0 => {
                drop(taken.lock().unwrap().take());
                receiver.lock().unwrap().recv_timeout(Duration::from_secs(60)).unwrap();
            }
            _ => sender.send(()).unwrap(),
        });
    }
}
