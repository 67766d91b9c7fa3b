//! Ways to inject faults. Each returns a reason if this machine does not allow it.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::support::process::under;
use super::table::{NotTried, Tried};
use super::world::{Run, run};

/// Checks that a program for injecting faults is installed and works. `probe` is a harmless call of it.
pub(crate) fn needs(probe: &[&str]) -> Tried {
    let what = probe.join(" ");
    match Command::new(probe[0]).args(&probe[1..]).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(NotTried(format!("`{what}` failed: {}", said.lines().next().unwrap_or_default())))
        }
        Err(error) => Err(NotTried(format!("`{what}`: {error}"))),
    }
}

/// Runs a command with strace, which tampers with one system call of the main thread. Children and other threads are not
/// affected.
pub(crate) struct Tampered {
    command: Command,
    log: PathBuf,
}

impl Tampered {
    /// `inject` has the format of strace's `-e inject`: `fsync:error=EIO:when=3`. `place` is a directory for the log.
    pub(crate) fn new(command: &Command, place: &Path, inject: &str) -> Result<Self, NotTried> {
        Self::with(&[], command, place, inject)
    }

    /// Tampers with system calls on `file` in all threads, counted per thread.
    pub(crate) fn of_file(
        file: &Path,
        command: &Command,
        place: &Path,
        inject: &str,
    ) -> Result<Self, NotTried> {
        Self::with(&["-f", "-P", file.to_str().unwrap()], command, place, inject)
    }

    fn with(flags: &[&str], command: &Command, place: &Path, inject: &str) -> Result<Self, NotTried> {
        needs(&["strace", "-qq", "-o", "/dev/null", "true"])?;
        let log = place.join("strace.log");
        let inject = format!("inject={inject}");
        let prefix = ["strace", "-qq", "-o", log.to_str().unwrap(), "-e", "signal=none", "-e", &inject];
        Ok(Self { command: under(&[&prefix, flags].concat(), command), log })
    }

    /// Runs the command. `None` if the call did not occur and the run passed.
    #[track_caller]
    pub(crate) fn run(&mut self) -> Option<Run> {
        let run = run(&mut self.command);
        let log = std::fs::read_to_string(&self.log).unwrap();
        if log.contains("(INJECTED)") || run.was_killed() {
            return Some(run);
        }
        run.expect(0, &[]);
        None
    }
}

/// Compiles a library for `LD_PRELOAD` that replaces functions of the C library.
pub(crate) fn shim(source: &str, place: &Path) -> Result<PathBuf, NotTried> {
    let (path, shim) = (place.join("shim.c"), place.join("shim.so"));
    std::fs::write(&path, source).unwrap();
    let cc =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(&path).args(["-ldl"]).output();
    let cc = cc.map_err(|error| NotTried(format!("cc: {error}")))?;
    assert!(cc.status.success(), "{}", String::from_utf8_lossy(&cc.stderr));
    Ok(shim)
}

/// Shim in which the `FAIL_AT`th call that opens `FAIL_PATH` fails and creates the file `FAIL_MARK`. It counts across threads.
/// strace counts per thread, and which thread opens a file may depend on timing.
const FAIL_OPEN: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    static int opened;
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    const char *fail = getenv("FAIL_PATH");
    if (fail && !strcmp(path, fail) && __atomic_add_fetch(&opened, 1, __ATOMIC_SEQ_CST) == atoi(getenv("FAIL_AT"))) {
        real(getenv("FAIL_MARK"), O_CREAT | O_WRONLY, 0644);
        errno = EIO;
        return -1;
    }
    return real(path, flags, mode);
}
"#;

/// Runs `command` and makes the `nth` attempt to open `path` fail, counting from 1. `None` if there was no such attempt.
#[track_caller]
pub(crate) fn fail_open(
    command: &Command,
    path: &Path,
    nth: usize,
    place: &Path,
) -> Result<Option<Run>, NotTried> {
    let (shim, mark) = (shim(FAIL_OPEN, place)?, place.join("failed"));
    let mut command = under(&["env"], command);
    // genti uses the canonical path.
    let path = path.canonicalize().unwrap();
    command.env("LD_PRELOAD", shim).env("FAIL_AT", nth.to_string());
    let run = run(command.env("FAIL_PATH", path).env("FAIL_MARK", &mark));
    Ok(std::fs::remove_file(mark).is_ok().then_some(run))
}

/// Mounts in a namespace of their own, visible only to commands started through this. They vanish when it is dropped or the
/// test ends.
pub(crate) struct Mounts {
    keeper: Child,
    /// The keeper lives as long as this is open.
    _stdin: ChildStdin,
}

impl Mounts {
    /// Runs `script` in a mount namespace of its own; `$1` is `place`.
    pub(crate) fn new(script: &str, place: &Path) -> Result<Self, NotTried> {
        let mut keeper = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh"])
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| NotTried(format!("unshare: {error}")))?;
        let mut stdin = keeper.stdin.take().unwrap();
        // Pass the place through stdin, because processes with it in their arguments look like left-overs of a run.
        let script =
            format!("set -e\nset -- '{}'\n{{ {script}\n}} >&2\necho ready\nread end\n", place.display());
        // An error in starting the shell is reported below.
        let _ = stdin.write_all(script.as_bytes());
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said == "ready\n" {
            return Ok(Self { keeper, _stdin: stdin });
        }
        drop(stdin);
        let output = keeper.wait_with_output().unwrap();
        let why = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        Err(NotTried(format!("no mount: {why}")))
    }

    /// Wraps `command` so that it sees the mounts.
    pub(crate) fn command(&self, command: &Command) -> Command {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.keeper.id());
        // Enter the directory inside of the namespace, because an inherited working directory would bypass the mounts.
        let dir = command.get_current_dir().unwrap().to_str().unwrap();
        let script = "cd \"$0\" && exec \"$@\"";
        let mut under = under(&["nsenter", &namespace, "sh", "-c", script, dir], command);
        under.current_dir("/");
        under
    }

    /// Path outside of the namespace that leads to `path` inside.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        Path::new("/proc")
            .join(self.keeper.id().to_string())
            .join("root")
            .join(path.strip_prefix("/").unwrap())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// A cgroup that limits the memory or the number of processes.
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// `controller` is `memory` or `pids`.
    pub(crate) fn new(controller: &str, limit: &str) -> Result<Self, NotTried> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("genti-faults-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let v1 = Path::new("/sys/fs/cgroup").join(controller);
        let (root, file) = match (v1.is_dir(), controller) {
            (true, "memory") => (v1, "memory.limit_in_bytes".to_owned()),
            (true, _) => (v1, format!("{controller}.max")),
            (false, _) => (PathBuf::from("/sys/fs/cgroup"), format!("{controller}.max")),
        };
        let not_tried = |error| NotTried(format!("no {controller} cgroup below {}: {error}", root.display()));
        std::fs::create_dir(root.join(&name)).map_err(not_tried)?;
        let group = Self(root.join(name));
        std::fs::write(group.0.join(file), limit).map_err(not_tried)?;
        // Disable swap. This fails if there is no swap, which is fine.
        let _ = std::fs::write(group.0.join("memory.swap.max"), "0");
        Ok(group)
    }

    /// File to which a process writes its id to join the group.
    pub(crate) fn procs(&self) -> String {
        self.0.join("cgroup.procs").display().to_string()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // The group is busy until its last process has vanished.
        for _ in 0..100 {
            match std::fs::remove_dir(&self.0) {
                Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => return,
            }
        }
    }
}
