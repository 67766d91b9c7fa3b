//! Tests of the progress display on a terminal, which disappears at the end.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use indicatif::{InMemoryTerm, TermLike};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::support::Sandbox;

/// Creates two tools in one lane that run until the file `done` exists next to the workspace.
fn held() -> Sandbox {
    let wait = "until test -e ../done; do sleep 0.1; done";
    let tool = |name: &str| format!("[tools.{name}]\nrun = [\"sh\", \"-c\", \"{wait}\"]\nlane = \"own\"\n");
    Sandbox::with_tools(&[tool("a"), tool("b")].concat())
}

/// A terminal in which a program runs.
struct Terminal {
    screen: InMemoryTerm,
    /// Everything that was printed.
    bytes: Vec<u8>,
    terminal: File,
    child: Child,
}

impl Terminal {
    fn with(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        // By default, an interrupt discards output that was not read yet, which a slow test would lose.
        let mut modes = tcgetattr(&master).unwrap();
        modes.local_modes |= LocalModes::NOFLSH;
        tcsetattr(&master, OptionalActions::Now, &modes).unwrap();
        let open = || {
            File::options().read(true).write(true).open(name.to_str().unwrap()).map(OwnedFd::from).unwrap()
        };
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm");
        }
        command.stdin(Stdio::null()).stdout(open()).stderr(open());
        let child = command.spawn().unwrap();
        Self { screen: InMemoryTerm::new(24, 80), bytes: Vec::new(), terminal: File::from(master), child }
    }

    /// Reads until `is_there` returns true, or else to the end.
    fn read_until(&mut self, is_there: impl Fn(&Self) -> bool) {
        let mut buffer = [0; 4096];
        while !is_there(self) {
            // Reading from a terminal fails when the other side is closed.
            let Ok(len @ 1..) = self.terminal.read(&mut buffer) else { break };
            self.bytes.extend_from_slice(&buffer[..len]);
            self.screen.write_str(&String::from_utf8_lossy(&buffer[..len])).unwrap();
        }
    }

    /// Returns the screen once a complete frame shows `text`.
    fn screen_with(&mut self, text: &str) -> String {
        let is_whole = |terminal: &Self| terminal.bytes.ends_with(b"\r");
        self.read_until(|terminal| is_whole(terminal) && terminal.screen.contents().contains(text));
        self.screen.contents()
    }

    /// Returns the final screen and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        self.read_until(|_| false);
        (self.screen.contents(), self.child.wait().unwrap().code())
    }
}

#[test]
fn a_terminal_shows_running_and_waiting_steps_and_then_only_the_report() {
    let sandbox = held();
    let mut terminal = Terminal::with(sandbox.command(&["run", "--parallel", "2"]));
    let screen = terminal.screen_with("Waiting for ").replace(|c: char| c.is_ascii_digit(), "");
    let shows = |runs: &str, waits: &str| {
        let lines =
            format!("     Running {runs} (s)\n     Waiting for {runs} to end (s): {waits}\n    Checking [>");
        screen.contains(&lines)
    };
    assert!(shows("a", "b") || shows("b", "a"), "{screen}");
    std::fs::write(sandbox.beside().join("done"), "").unwrap();
    let (screen, code) = terminal.end();
    let report = screen.split_once("time, once)\n").unwrap().1;
    let (passed, finished) = report.split_once("    Finished in ").unwrap();
    assert_eq!(passed, "      Passed a\n      Passed b\n");
    assert!(finished.ends_with("s: 2 tasks, no new findings"), "{report}");
    assert_eq!(code, Some(0));
}

#[test]
fn an_interrupt_at_the_keyboard_leaves_no_line() {
    let sandbox = held();
    let mut terminal = Terminal::with(sandbox.command(&["run", "--parallel", "2"]));
    terminal.screen_with("Waiting for ");
    // The terminal prints `^C` before the signal is sent. It would send the signal itself if it were the
    // controlling terminal of the program.
    terminal.terminal.write_all(b"\x03").unwrap();
    terminal.read_until(|terminal| terminal.bytes.windows(2).any(|pair| pair == b"^C"));
    let kill = Command::new("kill").args(["-s", "INT", &terminal.child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let (screen, code) = terminal.end();
    assert!(screen.contains("error: interrupted by SIGINT"), "{screen}");
    for word in ["Running", "Waiting", "Checking"] {
        assert!(!screen.contains(word), "{screen}");
    }
    assert_eq!(code, Some(130));
}

#[test]
fn progress_lines_can_be_disabled() {
    let plain = |args: &[&str], env: [&str; 2]| {
        let sandbox = Sandbox::with_tools("[tools.quick]\nrun = [\"true\"]\n");
        let mut command = sandbox.command(&[&["run"], args].concat());
        command.env(env[0], env[1]);
        let mut terminal = Terminal::with(command);
        let mut bytes = Vec::new();
        // The end is an error, as above.
        let _ = terminal.terminal.read_to_end(&mut bytes);
        assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
        !bytes.windows(2).any(|pair| pair == b"\x1b[")
    };
    assert!(plain(&["--color", "never"], ["CARGO_TERM_PROGRESS_WHEN", "never"]));
    assert!(plain(&["--color", "never"], ["CI", "true"]));
    assert!(plain(&["--color", "never"], ["TERM", "dumb"]));
    assert!(plain(&["--color", "never", "--quiet"], ["TERM", "xterm"]));
    assert!(!plain(&["--color", "never"], ["TERM", "xterm"]));
}
