//! Tests that cargo or cargo-nextest starts: how the wrapper in front of them and this process talk about them.
//!
//! Cargo starts rustdoc for the doc tests of one crate after the other (`doc_threads.rs`), and cargo-nextest a test program for
//! each test (`test_runner.rs`). If results are cached, the wrapper in their place describes each start over a socket, and this
//! process answers: with what was printed when the same tests passed before, or with what they print now, behind a wall and
//! observed (`executor/wrapped_tests.rs`). If the wrapper gets no answer, or is asked to, it runs the program itself.
//!
//! Rustdoc compiles the tests and runs them, so one observation covers both.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::{Command, ExitStatus};

use serde::{Deserialize, Serialize};

use super::sandbox::Observed;
use super::wrapper::not_run;
use crate::model::task::TaskIx;

/// Tests that are about to be started: those of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedTests {
    /// Path or name of the program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its complete environment.
    pub vars: BTreeMap<OsString, OsString>,
    /// Its working directory.
    pub dir: OsString,
}

/// Output of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Answer of the cache for tests that are about to run.
#[derive(Debug)]
pub enum RecalledTests {
    /// They have passed before, with this output. Nothing runs.
    Hit(Printed),
    /// They run.
    Run,
    /// They run, and are observed.
    Observe,
}

/// A number by which the cache finds tests that it has looked up in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrappedId(pub usize);

/// Variable with the path of the socket, for the wrapper alone.
#[cfg(target_os = "linux")]
pub(super) const SOCKET: &str = "GENTI_TESTS";

/// Looks up and stores the results of tests whose processes another tool starts. They belong to a task that covers several
/// processes.
pub trait WrappedTestCache: Sync {
    /// Decides how `tests` are run.
    fn look_up(&self, task: TaskIx, tests: &WrappedTests) -> (WrappedId, RecalledTests);

    /// Takes the observation of tests, and what their process `printed` if all of them have passed.
    fn observed(&self, id: WrappedId, tests: &WrappedTests, observed: &Observed, printed: Option<Printed>);

    /// Notes that tests ran without being observed, and whether all have passed. If they were observed before, `why` is the
    /// reason to repeat them.
    fn ran_outside(&self, id: WrappedId, tests: &WrappedTests, why: Option<&str>, has_passed: bool);

    /// Notes why the tests of `task` can't be wrapped, so that they run without being looked up.
    fn not_wrapped(&self, task: TaskIx, why: &str);
}

/// Runs the tests of `command` in the place of a wrapper, or prints their result if this run has or makes one. Returns the exit
/// code, or the signal by which it ended.
pub(super) fn run(command: &mut Command) -> Result<i32, i32> {
    #[cfg(target_os = "linux")]
    let asked = socket::ask(command);
    #[cfg(target_os = "linux")]
    match &asked {
        socket::Asked::Run(_) => {}
        socket::Asked::Ended(exit, printed) => return printed.print().map_or(Ok(1), |()| *exit),
        socket::Asked::Lost => {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                b"error: the tests did not run, because genti has ended them\n",
            );
            return Ok(1);
        }
    }
    let status = command.status();
    #[cfg(target_os = "linux")]
    if let socket::Asked::Run(Some(stream)) = &asked {
        socket::report(stream, status.as_ref().is_ok_and(ExitStatus::success));
    }
    status.map_or_else(|error| Ok(not_run(command, &error)), ended)
}

/// Returns the exit code, or the signal.
fn ended(status: ExitStatus) -> Result<i32, i32> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Err(signal);
    }
    Ok(status.code().unwrap_or(1))
}

#[cfg(target_os = "linux")]
pub(super) use self::socket::{Answer, Server, receive, send, while_connected};

#[cfg(target_os = "linux")]
mod socket {
    use std::io::{self, Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::event::{PollFd, PollFlags, poll};
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::model::task::Exit;

    /// Largest message.
    const MOST: usize = 256 << 20;

    /// Answer to a wrapper.
    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub(in crate::scan) enum Answer {
        /// The wrapper runs the program, and then reports whether all tests have passed.
        Run,
        /// The program has exited with this code, or was killed by this signal.
        Ended(Result<i32, i32>, Printed),
    }

    impl Answer {
        /// Returns the answer after a process that ended like this.
        pub(in crate::scan) fn ended(exit: Exit, printed: Printed) -> Self {
            match exit {
                Exit::Code(code) => Self::Ended(Ok(code), printed),
                Exit::Signal(signal) => Self::Ended(Err(signal), printed),
            }
        }
    }

    /// Outcome of a question.
    pub(super) enum Asked {
        /// The wrapper runs the program, and reports here whether all tests have passed.
        Run(Option<UnixStream>),
        /// The program has run, or need not run.
        Ended(Result<i32, i32>, Printed),
        /// The run has ended.
        Lost,
    }

    impl Printed {
        /// Prints it.
        pub(super) fn print(&self) -> io::Result<()> {
            io::stderr().write_all(&self.stderr)?;
            io::stdout().write_all(&self.stdout)?;
            io::stdout().flush()
        }
    }

    /// Describes the tests of `command` to the process that has set the variable, and waits for its answer. Their process does
    /// not see the variable.
    pub(super) fn ask(command: &mut Command) -> Asked {
        command.env_remove(SOCKET);
        let (Some(path), Ok(dir)) = (std::env::var_os(SOCKET), std::env::current_dir()) else {
            return Asked::Run(None);
        };
        let mut vars: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => drop(vars.insert(name.to_owned(), value.to_owned())),
                None => drop(vars.remove(name)),
            }
        }
        let args = command.get_args().map(ToOwned::to_owned).collect();
        let program = command.get_program().to_owned();
        ask_at(Path::new(&path), &WrappedTests { program, args, vars, dir: dir.into_os_string() })
    }

    fn ask_at(path: &Path, tests: &WrappedTests) -> Asked {
        let Ok(stream) = UnixStream::connect(path) else { return Asked::Run(None) };
        match send(&stream, tests).and_then(|()| receive(&stream)) {
            Ok(Answer::Run) => Asked::Run(Some(stream)),
            Ok(Answer::Ended(exit, printed)) => Asked::Ended(exit, printed),
            Err(_) => Asked::Lost,
        }
    }

    /// Reports at `stream` whether all tests have passed.
    pub(super) fn report(stream: &UnixStream, has_passed: bool) {
        // The run may have ended. Then nobody needs it.
        let _ = send(stream, &has_passed);
    }

    /// The end of the socket in this process.
    pub(in crate::scan) struct Server {
        listener: UnixListener,
        /// Nobody else can look into it.
        dir: tempfile::TempDir,
    }

    impl Server {
        /// Opens a socket.
        ///
        /// # Errors
        ///
        /// If it can't be created.
        pub(in crate::scan) fn open() -> io::Result<Self> {
            let dir = tempfile::Builder::new().prefix("genti-").tempdir()?;
            Ok(Self { listener: UnixListener::bind(socket_in(dir.path()))?, dir })
        }

        /// Returns the path of the socket.
        pub(in crate::scan) fn path(&self) -> PathBuf {
            socket_in(self.dir.path())
        }

        /// Passes the description of all tests that wrappers start to `serve` while `run` runs, each on a thread of its own.
        pub(in crate::scan) fn during<T>(
            self,
            serve: &(dyn Fn(&UnixStream, &WrappedTests) + Sync),
            run: impl FnOnce() -> T,
        ) -> T {
            let Self { listener, dir } = self;
            let is_over = &AtomicBool::new(false);
            std::thread::scope(|scope| {
                let _end = End { is_over, path: &socket_in(dir.path()) };
                let serve = move || {
                    // If it fails, the socket is closed, and the wrappers run the tests.
                    while let Ok((stream, _)) = listener.accept() {
                        if is_over.load(Ordering::SeqCst) {
                            break;
                        }
                        let one = move || {
                            if let Ok(tests) = receive(&stream) {
                                serve(&stream, &tests);
                            }
                        };
                        // Without a thread, the connection is closed, and the wrapper fails.
                        let _ = std::thread::Builder::new().spawn_scoped(scope, one);
                    }
                };
                let thread = std::thread::Builder::new().name("wrapped-tests".to_owned());
                // Without a thread, the socket is closed too.
                let _ = thread.spawn_scoped(scope, serve);
                run()
            })
        }
    }

    /// Runs `run`, and calls `lost` if the other end of `stream` is closed meanwhile.
    pub(in crate::scan) fn while_connected<T>(
        stream: &UnixStream,
        lost: impl FnOnce() + Send,
        run: impl FnOnce() -> T,
    ) -> io::Result<T> {
        let (own, theirs) = UnixStream::pair()?;
        std::thread::scope(|scope| {
            let watch = move || {
                let mut both =
                    [PollFd::new(stream, PollFlags::RDHUP), PollFd::new(&theirs, PollFlags::RDHUP)];
                let polled = rustix::io::retry_on_intr(|| poll(&mut both, None));
                if polled.is_ok() && both[1].revents().is_empty() {
                    lost();
                }
            };
            std::thread::Builder::new().spawn_scoped(scope, watch)?;
            let result = run();
            drop(own);
            Ok(result)
        })
    }

    /// Ends the thread of a server when it is dropped.
    struct End<'a> {
        is_over: &'a AtomicBool,
        path: &'a Path,
    }

    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.is_over.store(true, Ordering::SeqCst);
            // Wakes the thread.
            let _ = UnixStream::connect(self.path);
        }
    }

    fn socket_in(dir: &Path) -> PathBuf {
        dir.join("s")
    }

    /// Sends `message` with its length.
    pub(in crate::scan) fn send(mut stream: &UnixStream, message: &impl Serialize) -> io::Result<()> {
        let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
        stream.write_all(&(bytes.len() as u64).to_le_bytes())?;
        stream.write_all(&bytes)
    }

    /// Receives a message.
    pub(in crate::scan) fn receive<T: DeserializeOwned>(mut stream: &UnixStream) -> io::Result<T> {
        let mut len = [0; 8];
        stream.read_exact(&mut len)?;
        let len = usize::try_from(u64::from_le_bytes(len)).ok().filter(|len| *len <= MOST);
        let mut bytes = vec![0; len.ok_or(io::ErrorKind::InvalidData)?];
        stream.read_exact(&mut bytes)?;
        postcard::from_bytes(&bytes).map_err(io::Error::other)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn each_wrapper_gets_the_answer_to_its_own_tests_and_none_afterwards() {
            let server = Server::open().unwrap();
            let path = server.path();
            let tests = |name: &str| WrappedTests { program: name.into(), ..WrappedTests::default() };
            let reported = std::sync::Mutex::new(Vec::new());
            let serve = |stream: &UnixStream, tests: &WrappedTests| {
                if tests.program == "outside" {
                    send(stream, &Answer::Run).unwrap();
                    reported.lock().unwrap().push(receive::<bool>(stream).unwrap());
                } else {
                    let stdout = tests.program.clone().into_encoded_bytes();
                    let printed = Printed { stdout, ..Printed::default() };
                    send(stream, &Answer::ended(Exit::Code(7), printed)).unwrap();
                }
            };
            server.during(&serve, || {
                for name in ["a", "b"] {
                    let Asked::Ended(exit, printed) = ask_at(&path, &tests(name)) else { panic!("{name}") };
                    assert_eq!((exit, printed.stdout), (Ok(7), name.as_bytes().to_vec()));
                }
                let Asked::Run(Some(stream)) = ask_at(&path, &tests("outside")) else { panic!("outside") };
                report(&stream, true);
                // A message that is none.
                drop(UnixStream::connect(&path).unwrap());
                assert!(matches!(ask_at(&path, &tests("c")), Asked::Ended(..)));
            });
            assert_eq!(*reported.lock().unwrap(), [true]);
            assert!(matches!(ask_at(&path, &tests("d")), Asked::Run(None)), "nobody answers any more");
        }

        #[test]
        fn a_process_is_no_longer_needed_when_its_wrapper_is_gone() {
            let (own, theirs) = UnixStream::pair().unwrap();
            let (tell, told) = std::sync::mpsc::channel();
            let lost = while_connected(
                &own,
                move || tell.send(()).unwrap(),
                || {
                    drop(theirs);
                    told.recv().unwrap();
                },
            );
            lost.unwrap();
            let (own, _theirs) = UnixStream::pair().unwrap();
            assert_eq!(while_connected(&own, || panic!("it is there"), || 7).unwrap(), 7);
        }
    }
}
