//! Services: processes that run beside the tools that need them.
//!
//! A service starts before the first step of a tool that needs it, and ends with the run. Its process is a child like all others:
//! signals, `--max-duration` and a guard end its whole group. It holds no token, because it mostly waits.
//!
//! Each service has a *host*, a thread that waits until a worker wants the service, runs the process to its end, and keeps its
//! output. The first worker that needs the service starts it and waits until it is ready. The others wait for this worker.
//!
//! If genti and its guard are killed together, a service is left over. So its process is recorded in the output directory, and the
//! next run ends it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use regex::bytes::Regex;

use super::doing::{Watch, Watcher};
use super::end::End;
use super::outputs::Kept;
use super::process::{self, Limits};
use super::runner::{DeclaredFiles, Ending, FinishedProcess, Invocation};
use super::setup::Executor;
use super::sys;
use crate::model::service::{Ready, Service};
use crate::model::task::Exit;
use crate::model::tool::Tool;

/// Interval between two attempts to find out if a service is ready.
const TICK: Duration = Duration::from_millis(20);
/// Time to wait for a connection to a port.
const CONNECT: Duration = Duration::from_secs(1);
/// Maximum length of a line in which a sign is searched.
const LINE: usize = 64 << 10;

/// The services of a run.
pub(super) struct Services<'a> {
    executor: &'a Executor<'a>,
    /// Sorted by name.
    hosts: Vec<Host<'a>>,
    /// Ends all of them.
    end: End,
}

/// One service and its process.
struct Host<'a> {
    service: &'a Service,
    state: Mutex<State>,
    /// Notified when the state changes.
    changed: Condvar,
    /// Whether it got ready, or the reason why not.
    started: OnceLock<Result<(), String>>,
}

#[derive(Default)]
struct State {
    /// True if a worker wants it.
    is_wanted: bool,
    /// True if a thread can run it.
    has_thread: bool,
    /// True if the run is over, so nobody will want it.
    is_over: bool,
    /// True if the sign was found in its output.
    has_said: bool,
    /// Id of its process, once it has started.
    id: Option<u32>,
    /// How its process ended, in words.
    ended: Option<String>,
    /// The process after its end.
    finished: Option<FinishedProcess>,
}

impl<'a> Services<'a> {
    /// Returns the services of all tools of the plan that have something to do.
    pub(super) fn new(executor: &'a Executor<'a>) -> std::io::Result<Self> {
        let graph = &executor.plan.graph;
        let due = graph.tasks.iter().zip(executor.due).filter(|(_, is_due)| **is_due);
        let tools = due.map(|(task, _)| graph.tool(task.tool));
        let services: BTreeMap<&str, &Service> =
            tools.flat_map(|tool| &tool.services).map(|service| (&*service.name, &**service)).collect();
        let host = |service| Host {
            service,
            state: Mutex::default(),
            changed: Condvar::new(),
            started: OnceLock::new(),
        };
        Ok(Self { executor, hosts: services.into_values().map(host).collect(), end: End::new()? })
    }

    /// Starts the threads of all services.
    pub(super) fn start<'scope>(&'scope self, scope: &'scope std::thread::Scope<'scope, '_>) {
        for host in &self.hosts {
            let thread = std::thread::Builder::new().spawn_scoped(scope, move || self.run(host));
            host.lock().has_thread = thread.is_ok();
        }
    }

    /// Starts the services of `tool`, unless they are running, and waits until they are ready.
    ///
    /// # Errors
    ///
    /// If one of them can't be started, with the reason.
    pub(super) fn need(&self, tool: &Tool) -> Result<(), String> {
        for host in self.of(tool) {
            let name = &host.service.name;
            let started = host.started.get_or_init(|| self.get_ready(host));
            let gone = || host.lock().ended.as_ref().map(|ended| format!("it {ended}"));
            let why = started.clone().err().or_else(gone);
            why.map_or(Ok(()), |why| Err(format!("service `{name}` is not available: {why}")))?;
        }
        Ok(())
    }

    /// Returns how a service of `tool` ended, if one has.
    pub(super) fn dead(&self, tool: &Tool) -> Option<String> {
        self.of(tool).find_map(|host| {
            let mut state = host.lock();
            if state.ended.is_none() && state.id.is_some_and(sys::has_ended) {
                // Its host is about to notice.
                let is_unnoticed = |state: &mut State| state.ended.is_none();
                let noticed = host.changed.wait_while(state, is_unnoticed);
                state = noticed.unwrap_or_else(PoisonError::into_inner);
            }
            Some(format!("service `{}` {} while the tool ran", host.service.name, state.ended.as_ref()?))
        })
    }

    /// Ends all services. Their threads end too.
    pub(super) fn end(&self) {
        self.end.set();
        for host in &self.hosts {
            host.lock().is_over = true;
            host.changed.notify_all();
        }
    }

    /// Keeps the output of the services of `tool` in files.
    pub(super) fn keep(&self, tool: &Tool, kept: &mut Kept) {
        for host in self.of(tool) {
            if let Some(finished) = &host.lock().finished {
                self.executor.outputs.keep(&format!("service-{}", host.service.name), finished, kept);
            }
        }
    }

    fn of(&self, tool: &Tool) -> impl Iterator<Item = &Host<'a>> {
        let is_used =
            |host: &&Host<'_>| tool.services.iter().any(|service| service.name == host.service.name);
        self.hosts.iter().filter(is_used)
    }

    /// Runs the process of a service, if it is wanted.
    fn run(&self, host: &Host<'a>) {
        let state = host.changed.wait_while(host.lock(), |state| !state.is_wanted && !state.is_over);
        if !state.unwrap_or_else(PoisonError::into_inner).is_wanted {
            return;
        }
        let Executor { stop, outputs, .. } = self.executor;
        let finished = self.invocation(&host.service.start, host.service).and_then(|invocation| {
            let Invocation { program, args, vars, dir, .. } = &invocation;
            let mut command = Command::new(program);
            command.args(args).current_dir(dir).env_clear().envs(vars).stdin(Stdio::null());
            let note = |id: u32| {
                outputs.note_service(&host.service.name, id);
                host.lock().id = Some(id);
            };
            let limits = Limits { timeout: None, end: Some(&self.end), started: Some(&note) };
            process::run(&mut command, limits, stop, outputs.dir(), &mut host.watch())
                .map_err(|error| error.to_string())
        });
        outputs.forget_service(&host.service.name);
        let mut state = host.lock();
        state.ended = Some(match &finished {
            Err(error) => format!("could not be started: {error}"),
            Ok(finished) => how(finished),
        });
        state.finished = finished.ok();
        drop(state);
        host.changed.notify_all();
    }

    /// Starts a service and waits until it is ready.
    fn get_ready(&self, host: &Host<'a>) -> Result<(), String> {
        let Executor { stop, outputs, .. } = self.executor;
        let service = host.service;
        outputs.end_leftover(&service.name);
        if let Ready::Tcp(port) = service.ready
            && is_open(port)
        {
            return Err(format!(
                "port {port} is already open, so the tools would use another server; end it"
            ));
        }
        let mut state = host.lock();
        if !state.has_thread {
            return Err("no more threads can be started".to_owned());
        }
        state.is_wanted = true;
        drop(state);
        host.changed.notify_all();
        let until = stop.now() + service.timeout;
        loop {
            if let State { ended: Some(ended), finished, .. } = &*host.lock() {
                let when = if finished.is_some() { " before it was ready" } else { "" };
                return Err(format!("it {ended}{when}"));
            }
            let left = until.saturating_duration_since(stop.now());
            if self.is_ready(host, left)? {
                // Whoever else may have opened the port: the service must live.
                return host.lock().ended.as_ref().map_or(Ok(()), |ended| Err(format!("it {ended}")));
            }
            if stop.reason().is_some() {
                return Err("the run was stopped".to_owned());
            }
            if left.is_zero() {
                let limit = humantime::format_duration(service.timeout);
                return Err(format!("it was not ready after {limit}"));
            }
            let waits = |state: &mut State| state.ended.is_none();
            drop(host.changed.wait_timeout_while(host.lock(), TICK, waits));
        }
    }

    /// Returns whether a service is ready. A command has the time `left`.
    fn is_ready(&self, host: &Host<'a>, left: Duration) -> Result<bool, String> {
        match &host.service.ready {
            Ready::Tcp(port) => Ok(is_open(*port)),
            Ready::Log(_) => Ok(host.lock().has_said),
            Ready::Run(words) => {
                let invocation = self.invocation(words, host.service)?;
                let invocation = Invocation { timeout: Some(left.max(TICK)), ..invocation };
                let finished = self.executor.runner.run(&invocation, &mut Watcher::none());
                let name = words.first().map_or("", String::as_str);
                Ok(finished.map_err(|error| format!("could not start `{name}`: {error}"))?.has_succeeded())
            }
        }
    }

    /// Returns the invocation of a command of `service`.
    fn invocation(&self, words: &[String], service: &Service) -> Result<Invocation, String> {
        let Executor { workspace, programs, env, .. } = self.executor;
        let program = programs.start_from(&workspace.root, words.iter().map(String::as_str), None);
        Ok(Invocation {
            program: program.map_err(|missing| missing.to_string())?,
            args: words.iter().skip(1).map(Into::into).collect(),
            vars: env.for_service(service),
            dir: workspace.root.clone(),
            declared: DeclaredFiles::default(),
            wall: None,
            timeout: None,
        })
    }
}

impl Host<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) -> SignWatch<'_> {
        let pattern = match &self.service.ready {
            Ready::Log(pattern) => Regex::new(pattern).ok(),
            Ready::Tcp(_) | Ready::Run(_) => None,
        };
        SignWatch { host: self, pattern, lines: Default::default() }
    }
}

/// Searches the output of a service for the sign that it is ready.
struct SignWatch<'a> {
    host: &'a Host<'a>,
    pattern: Option<Regex>,
    /// The beginnings of the current lines of both streams.
    lines: [Vec<u8>; 2],
}

impl Watch for SignWatch<'_> {
    fn read<'b>(&mut self, stream: usize, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let Some(pattern) = &self.pattern else { return bytes.into() };
        let line = &mut self.lines[stream];
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(&part[..part.len().min(LINE.saturating_sub(line.len()))]);
            if pattern.is_match(line.trim_ascii_end()) {
                self.host.lock().has_said = true;
                self.host.changed.notify_all();
                self.pattern = None;
                break;
            }
            if part.ends_with(b"\n") {
                line.clear();
            }
        }
        bytes.into()
    }

    fn finish(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// Returns whether something accepts connections on `port` of the loopback device.
fn is_open(port: u16) -> bool {
    let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    addresses
        .into_iter()
        .any(|address| TcpStream::connect_timeout(&SocketAddr::new(address, port), CONNECT).is_ok())
}

/// Describes how a process ended.
fn how(finished: &FinishedProcess) -> String {
    match (&finished.ending, finished.exit) {
        (Ending::Own, Exit::Code(code)) => format!("exited with {code}"),
        (Ending::Own, Exit::Signal(signal)) => format!("was killed by {}", sys::signal_name(signal)),
        (Ending::TimedOut | Ending::Stopped(_) | Ending::Ended, _) => "was ended".to_owned(),
    }
}
