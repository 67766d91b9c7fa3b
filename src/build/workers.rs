//! Parallel work with no more workers than there are tokens.
//!
//! Cargo gives a build script one token when it starts it, the *implicit slot*: that is the thread that asks for the
//! work. Every other worker holds a token of cargo's jobserver (or make's, if cargo runs below make), from before it
//! starts a unit until nothing is left to start. A token is asked for only while work waits, one at a time, so that
//! none lies idle here that a compiler could use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};

use jobserver::{Acquired, Client, FromEnvErrorKind};

/// How many workers there may be.
#[derive(Clone, Debug)]
pub(super) enum Slots {
    /// One, and as many as there are tokens.
    Jobserver(Client),
    /// So many.
    Fixed(usize),
}

/// What was found in the environment, and what is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct Announced {
    pub(super) slots: Slots,
    pub(super) warning: Option<String>,
}

impl Announced {
    /// The jobserver of the environment, else `NUM_JOBS`, else one worker. It is looked for once in a process, when the
    /// first plan is made: the sooner, the less likely that a file has taken the number of an inherited descriptor.
    #[expect(unsafe_code, reason = "descriptors that the environment names can only be taken on trust")]
    #[expect(clippy::disallowed_methods, reason = "build scripts are told by the environment")]
    pub(super) fn take() -> Self {
        static FOUND: OnceLock<Announced> = OnceLock::new();
        let look = || {
            // SAFETY: the descriptors are checked to be pipes; cargo hands them to its build scripts for this.
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
                // There is a pool that others draw on: without a way to it, we have our own slot alone.
                let warning = format!("the jobserver can't be used, so nothing runs in parallel: {error}");
                return Self { slots: Slots::Fixed(1), warning: Some(warning) };
            }
            let jobs = std::env::var("NUM_JOBS").ok().and_then(|jobs| jobs.parse().ok());
            Self { slots: Slots::Fixed(jobs.unwrap_or(1)), warning: None }
        };
        FOUND.get_or_init(look).clone()
    }
}

/// Calls `work` once for each number below `count`, on the calling thread and on as many more as `slots` allows.
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

/// The numbers that nobody has taken yet.
struct Queue {
    next: AtomicUsize,
    count: usize,
}

impl Queue {
    fn drain(&self, work: &(dyn Fn(usize) + Sync)) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            if at >= self.count {
                // Stay here, however often the queue is asked.
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

enum Message {
    Token(Acquired),
    Done,
}

fn with_tokens(client: &Client, queue: &Queue, work: &(dyn Fn(usize) + Sync)) {
    let (sender, messages) = mpsc::channel();
    let tokens = sender.clone();
    let hand_on = move |token: std::io::Result<Acquired>| {
        // An error means that the pool is gone: then our own slot is all there is. Nobody listening: given back.
        if let Ok(token) = token {
            let _ = tokens.send(Message::Token(token));
        }
    };
    // Without a thread to wait for tokens there are none, and the work is done nevertheless.
    let Ok(helper) = client.clone().into_helper_thread(hand_on) else { return queue.drain(work) };
    let helper = &Mutex::new(Some(helper));
    let request = move || {
        if let Some(helper) = &*helper.lock().unwrap_or_else(PoisonError::into_inner) {
            helper.request_token();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(Message::Token(token)) = messages.recv() {
                if queue.is_empty() {
                    // Dropped at once: it is somebody else's turn.
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
        // Stops the waiting first. A token that came too late lies before the end that is told here, and goes back.
        let waiting = helper.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(waiting);
        let _ = sender.send(Message::Done);
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Condvar;
    use std::time::Duration;

    use super::*;

    /// Runs `count` units, each of which waits until `expected` of them run at once.
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
            // Time for one too many to show up.
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
    fn there_are_as_many_workers_as_tokens_and_one_and_every_token_comes_back() {
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
    fn without_a_jobserver_there_are_as_many_workers_as_jobs() {
        for (jobs, expected) in [(0, 1), (1, 1), (3, 3), (100, 20)] {
            check(&Slots::Fixed(jobs), 20, expected);
        }
    }

    #[test]
    fn a_token_that_is_freed_during_a_long_unit_is_used_at_once() {
        let client = Client::new(1).unwrap();
        let taken = client.acquire().unwrap();
        let (sender, receiver) = mpsc::channel();
        let receiver = Mutex::new(receiver);
        let taken = Mutex::new(Some(taken));
        // The first unit gives the token back and ends only after the second has run, which needs that token.
        run(&Slots::Jobserver(client), 2, &|at| match at {
            0 => {
                drop(taken.lock().unwrap().take());
                receiver.lock().unwrap().recv_timeout(Duration::from_secs(60)).unwrap();
            }
            _ => sender.send(()).unwrap(),
        });
    }
}
