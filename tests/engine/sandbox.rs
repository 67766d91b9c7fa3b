//! Escapes that the wall around a sandboxed tool denies, and what it allows.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use genti::scan::Kernel;

use crate::support::Sandbox;

/// Returns whether the kernel can enforce a wall. Otherwise the reason is printed, unless the kernel says itself that it can.
fn has_wall() -> bool {
    let Err(why) = Kernel::probe().wall() else { return true };
    let modules = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let must_have =
        std::env::var_os("CI").is_some() && modules.split(',').any(|name| name.trim() == "landlock");
    assert!(!must_have, "the kernel has Landlock, but {why}");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    false
}

/// A workspace with a tool `walled`, a shell script that prints for each of its lines whether the command succeeds.
struct Walled(Sandbox);

impl Walled {
    fn new(sandbox: &str) -> Self {
        let files = "files = ['attempts.sh']\nparse = 'exit-code'\ncache = false";
        let config = format!("[tools.walled]\nrun = ['bash', 'attempts.sh']\n{files}\nsandbox = {sandbox}\n");
        let walled = Self(Sandbox::with_tools(&config));
        std::fs::create_dir_all(walled.0.beside().join("outside")).unwrap();
        std::fs::write(walled.0.beside().join("outside/secret"), "secret").unwrap();
        walled
    }

    /// Runs the commands, with the directory outside as `$OUT`, and returns what each of them did.
    fn attempt(&self, commands: &[&str]) -> Vec<(String, bool)> {
        self.attempt_as(self.0.command(&["run"]), commands)
    }

    fn attempt_as(&self, mut command: Command, commands: &[&str]) -> Vec<(String, bool)> {
        let outside = self.0.beside().join("outside");
        let mut script = format!("OUT='{}'\n", outside.display());
        for (at, command) in commands.iter().enumerate() {
            script.push_str(&format!(
                "if ( {command} ) >/dev/null 2>&1; then echo 'ran {at}'; else echo 'denied {at}'; fi\n"
            ));
        }
        self.0.write("attempts.sh", &format!("{script}exit 1\n"));
        let output = command.output().unwrap();
        let text = self.0.expect(&output, 1);
        assert!(!text.contains("without a sandbox"), "{text}");
        let report = self.0.json("report.json");
        let found = &report["findings"][0];
        let said = format!("{found}");
        let outcome = |at: usize| {
            let is = |word: &str| {
                said.contains(&format!("{word} {at}\\n")) || said.contains(&format!("{word} {at}\""))
            };
            assert!(is("ran") != is("denied"), "{at}: {said}");
            is("ran")
        };
        commands.iter().enumerate().map(|(at, command)| ((*command).to_owned(), outcome(at))).collect()
    }

    #[track_caller]
    fn check(&self, allowed: &[&str], denied: &[&str]) {
        let commands = [allowed, denied].concat();
        for (at, (command, ran)) in self.attempt(&commands).into_iter().enumerate() {
            assert_eq!(ran, at < allowed.len(), "{command}");
        }
    }
}

#[test]
fn a_sandboxed_tool_reads_the_repository_and_the_system_and_nothing_else() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{}");
    let root = walled.0.root();
    symlink(walled.0.beside().join("outside/secret"), root.join("link")).unwrap();
    symlink(walled.0.beside().join("outside"), root.join("dir")).unwrap();
    let allowed =
        ["cat Cargo.toml", "cat /etc/passwd", "ls /usr/bin", "cat /proc/self/status", "cat /dev/null"];
    let denied = [
        "cat $OUT/secret",
        "cat ../outside/secret",
        "cat link",
        "cat dir/secret",
        "ls $OUT",
        "ls ..",
        "bash -c 'bash -c \"cat $OUT/secret\"'",
        "cat /proc/$PPID/environ",
        "cat /proc/$PPID/root/etc/passwd",
        "ls /proc/1/cwd/",
        "ln $OUT/secret $TMPDIR/hard && cat $TMPDIR/hard",
        "ln -s $OUT/secret $TMPDIR/soft && cat $TMPDIR/soft",
        "perl -e 'open(F, \"<\", \"$ENV{OUT}/secret\") or exit 1'",
    ];
    walled.check(&allowed, &denied);
}

#[test]
fn a_sandboxed_tool_changes_only_what_is_listed_and_its_own_temporary_directory() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{ write = ['out', 'target', 'notes.txt'] }");
    let root = walled.0.root();
    walled.0.write("notes.txt", "");
    walled.0.write("target/doc/index.html", "");
    let allowed = [
        "touch out/new",
        "mkdir out/dir && mv out/new out/dir/",
        "echo more >> notes.txt",
        "touch target/doc/new",
        "touch $TMPDIR/x && test $TMPDIR = $TMP && test $TMPDIR = $TEMP",
        "echo > /dev/null",
    ];
    let denied = [
        "touch new",
        "touch $OUT/new",
        "echo > Cargo.toml",
        "rm Cargo.toml",
        "mv Cargo.toml out/",
        ": > src/lib.rs",
        "truncate -s 0 src/lib.rs",
        "mkdir .git",
        "touch target/genti/cache/results.log",
        "touch target/genti/new",
        "echo > $OUT/secret",
        "rm $OUT/secret",
        "touch /dev/shm/genti-test-of-the-wall",
        "mknod out/device c 1 3",
    ];
    walled.check(&allowed, &denied);
    assert!(root.join("out/dir/new").exists() && root.join("target/doc/new").exists());
    assert_eq!(std::fs::read_to_string(walled.0.beside().join("outside/secret")).unwrap(), "secret");
}

#[test]
fn a_private_temporary_directory_is_removed() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{ write = ['out'] }");
    let ran = walled.attempt(&["echo $TMPDIR > out/place && touch $TMPDIR/left && ln -s $OUT $TMPDIR/link"]);
    assert!(ran[0].1);
    let place = std::fs::read_to_string(walled.0.root().join("out/place")).unwrap();
    assert!(place.contains("genti-") && !std::path::Path::new(place.trim()).exists(), "{place}");
    assert!(walled.0.beside().join("outside/secret").exists(), "what a link leads to is not removed");
}

/// Commands that talk to servers of this test.
fn calls(walled: &Walled) -> ([String; 3], (TcpListener, UdpSocket, UnixListener)) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = walled.0.root().join("daemon");
    let unix = UnixListener::bind(&path).unwrap();
    let calls = [
        format!("exec 3<>/dev/tcp/127.0.0.1/{}", tcp.local_addr().unwrap().port()),
        format!("echo x > /dev/udp/127.0.0.1/{}", udp.local_addr().unwrap().port()),
        "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, sockaddr_un(\"daemon\")) or exit 1'".to_owned(),
    ];
    (calls, (tcp, udp, unix))
}

#[test]
fn without_the_network_no_socket_can_be_opened() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{}");
    let (calls, _servers) = calls(&walled);
    let mut denied: Vec<_> = calls.iter().map(String::as_str).collect();
    // Such a socket could send to any other.
    denied.push("perl -MSocket -e 'socketpair(A, B, AF_UNIX, SOCK_DGRAM, 0) or exit 1'");
    // In a new namespace, a process has all capabilities, but the filter stays.
    denied.push("unshare -rn perl -MSocket -e 'socket(S, AF_INET, SOCK_DGRAM, 0) or exit 1'");
    walled.check(&["perl -MSocket -e 'socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or exit 1'"], &denied);

    let walled = Walled::new("{ network = true }");
    let (calls, _servers) = self::calls(&walled);
    walled.check(&calls.iter().map(String::as_str).collect::<Vec<_>>(), &["cat $OUT/secret"]);
}

/// Returns whether this system allows a private network. Otherwise the test is skipped, unless it runs as root with all rights.
fn has_private_network(walled: &Walled) -> bool {
    let text = walled.0.run(&["tools"], 0);
    if text.contains("seccomp filters, private network") {
        return true;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim();
    let is_admin = u64::from_str_radix(rights, 16).unwrap() >> 21 & 1 == 1;
    assert!(!is_admin, "a process with CAP_SYS_ADMIN can have a private network: {text}");
    let _ = writeln!(std::io::stderr(), "skipped: this system allows no private network");
    false
}

#[test]
fn a_private_network_has_only_its_own_loopback() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{ network = 'loopback' }");
    if !has_private_network(&walled) {
        return;
    }
    let (calls, _servers) = calls(&walled);
    let talk = "perl -MIO::Socket::INET -e '
        my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => \"127.0.0.1\") or exit 1;
        IO::Socket::INET->new(PeerAddr => \"127.0.0.1\", PeerPort => $server->sockport) or exit 1;
        IO::Socket::INET->new(Proto => \"udp\", LocalAddr => \"127.0.0.1\") or exit 1'";
    let allowed = [
        talk,
        "test $(id -u) = $UID",
        "perl -MSocket -e 'socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or exit 1'",
    ];
    let [tcp, _, unix] = calls.each_ref().map(String::as_str);
    let denied = [
        tcp,
        unix,
        "cat $OUT/secret",
        "nsenter --net=/proc/1/ns/net true",
        "ip link add name other type dummy",
        "perl -MSocket -e 'socket(S, 40, SOCK_STREAM, 0) or exit 1'",
        "grep -v -e Inter -e face -e lo: /proc/net/dev",
    ];
    walled.check(&allowed, &denied);
}

#[test]
fn packets_of_a_private_network_do_not_arrive_outside() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{ network = 'loopback' }");
    if !has_private_network(&walled) {
        return;
    }
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = format!("echo x > /dev/udp/127.0.0.1/{}", server.local_addr().unwrap().port());
    // Nobody listens inside, so sending may succeed, and must not reach the server.
    walled.attempt(&[&send]);
    server.set_nonblocking(true).unwrap();
    assert_eq!(server.recv(&mut [0; 8]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_descriptor_that_genti_inherited_is_not_passed_on() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{}");
    let genti = walled.0.command(&["run"]);
    let open = format!("exec 9<'{}' && exec \"$@\"", walled.0.beside().join("outside/secret").display());
    let mut command = Command::new("bash");
    command.args(["-c", &open, "bash"]).arg(genti.get_program()).args(genti.get_args());
    walled.0.scrub(&mut command);
    let ran = walled.attempt_as(command, &["true", "cat <&9"]);
    assert_eq!(ran.iter().map(|(_, ran)| *ran).collect::<Vec<_>>(), [true, false]);
}

/// A workspace whose tests run behind the wall, with this variable of its build script and this body of a test.
fn tested(name: &str, value: &str, body: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "workspace");
    sandbox.write("genti.toml", "[tools.test]\nsandbox = {}\n[tools.test-build]\nsandbox = {}\n");
    sandbox.write("build.rs", &format!("fn main() {{ println!(\"cargo::rustc-env={name}={value}\"); }}\n"));
    sandbox.write("tests/walled.rs", &format!("#[test]\nfn walled() {{\n{body}\n}}\n"));
    sandbox
}

#[test]
fn the_jobserver_that_a_tool_names_opens_nothing() {
    if !has_wall() {
        return;
    }
    let pipe = tempfile::tempdir().unwrap();
    let pipe = pipe.path().display();
    let value = format!("--jobserver-auth=9,9 --jobserver-auth=fifo:{pipe}");
    let body = format!(
        "assert!(std::env::var(\"MFLAGS\").unwrap().contains(\"fifo\"));
        assert!(!std::path::Path::new(\"/proc/self/fd/9\").exists());
        assert!(std::fs::write(\"{pipe}/new\", \"\").is_err());"
    );
    let sandbox = tested("MFLAGS", &value, &body);
    let genti = sandbox.command(&["run", "--tool", "test"]);
    let mut command = Command::new("bash");
    command.args(["-c", "exec 9</dev/zero && exec \"$@\"", "bash"]);
    command.arg(genti.get_program()).args(genti.get_args());
    sandbox.scrub(&mut command);
    sandbox.expect(&command.output().unwrap(), 0);
    assert_eq!(sandbox.findings().len(), 0);
}

#[test]
fn no_code_of_a_tool_runs_before_the_wall() {
    if !has_wall() {
        return;
    }
    let beside = tempfile::tempdir().unwrap();
    let escaped = beside.path().join("escaped");
    let code = "
        #[used] #[unsafe(link_section = \".init_array\")]
        static START: extern \"C\" fn() = start;
        extern \"C\" fn start() { let _ = std::fs::write(env!(\"ESCAPED\"), \"\"); }";
    let body = "let maps = std::fs::read_to_string(\"/proc/self/maps\").unwrap();
        assert!(maps.contains(\"libearly.so\"));";
    let sandbox = tested("LD_PRELOAD", "LIBRARY", body);
    let library = sandbox.root().join("libearly.so");
    sandbox.edit("build.rs", "LIBRARY", &library.display().to_string());
    sandbox.write("early.rs", code);
    let mut compiler = Command::new("rustc");
    compiler.args(["--edition=2024", "--crate-type=cdylib", "-o", "libearly.so", "early.rs"]);
    assert!(compiler.env("ESCAPED", &escaped).current_dir(sandbox.root()).status().unwrap().success());
    let mut free = Command::new("true");
    assert!(free.env("LD_PRELOAD", &library).status().unwrap().success());
    assert!(escaped.exists(), "without a wall, the library does that");
    std::fs::remove_file(&escaped).unwrap();
    sandbox.run(&["run", "--tool", "test"], 0);
    assert_eq!(sandbox.findings().len(), 0);
    assert!(!escaped.exists());
}

#[test]
fn a_sandboxed_tool_has_no_rights_to_undo_the_wall() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{ write = ['out'] }");
    let denied = [
        "kill -0 $PPID && kill -s CONT $PPID",
        "mount -t tmpfs none out",
        "unshare -rm mount --bind $OUT out",
        "chroot / cat $OUT/secret",
        "grep -q 'NoNewPrivs:.*0' /proc/self/status",
        "perl -e 'exit(1) if syscall(425, 8, 0) < 0'",
        // Its parent is genti, whose limits can be read and not changed.
        "prlimit --pid $PPID --core=0:0",
    ];
    let allowed = [
        "kill -0 $$",
        "prlimit --pid $PPID --core && ulimit -c 0",
        "grep -q 'NoNewPrivs:.*1' /proc/self/status",
    ];
    // Signals are covered from Landlock ABI 6.
    let first = usize::from(Kernel::probe().landlock < 6);
    walled.check(&allowed, &denied[first..]);
}

#[test]
fn the_built_in_tools_work_in_a_sandbox() {
    if !has_wall() {
        return;
    }
    let sandbox = Sandbox::of("clean", "workspace");
    let tools = ["clippy", "doc", "doctest", "fmt", "test", "test-build"];
    let config: String = tools.iter().map(|tool| format!("[tools.{tool}]\nsandbox = {{}}\n")).collect();
    sandbox.write("genti.toml", &config);
    let text = sandbox.run(&["run"], 0);
    assert!(!text.contains("without a sandbox"), "{text}");
    let failed: Vec<_> = sandbox.verdicts().into_iter().filter(|(_, verdict)| verdict != "passed").collect();
    assert_eq!(failed, [], "{text}");
    let text = sandbox.run(&["tools"], 0);
    assert_eq!(text.matches("  runs in a sandbox\n").count(), tools.len(), "{text}");
    assert!(text.contains("\nsandbox\n  available (Landlock ABI "), "{text}");
}

#[test]
fn a_test_behind_the_wall_can_not_read_what_the_wall_denies() {
    if !has_wall() {
        return;
    }
    let sandbox = Sandbox::of("clean", "workspace");
    std::fs::write(sandbox.beside().join("secret"), "").unwrap();
    sandbox.write("tests/reads.rs", "#[test]\nfn reads() {\n    std::fs::read(\"../secret\").unwrap();\n}\n");
    sandbox.run(&["run", "--tool", "test"], 0);
    assert_eq!(sandbox.findings().len(), 0);
    sandbox.write("genti.toml", "[tools.test]\nsandbox = {}\n");
    sandbox.run(&["run", "--tool", "test"], 1);
    assert_eq!(sandbox.findings().len(), 1, "{:?}", sandbox.findings());
}

#[test]
fn a_path_of_the_workspace_that_leads_through_a_link_is_an_error() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{ write = ['link', 'link/new'] }");
    symlink(walled.0.beside().join("outside"), walled.0.root().join("link")).unwrap();
    walled.0.write("attempts.sh", "");
    let text = walled.0.run(&["run"], 3);
    assert!(text.contains("`link` of `sandbox.write` leads through a link to"), "{text}");
    assert!(!walled.0.beside().join("outside/new").exists());
    let config = "{ read = ['link'] }";
    walled.0.edit("genti.toml", "{ write = ['link', 'link/new'] }", config);
    let text = walled.0.run(&["run"], 3);
    assert!(text.contains("`link` of `sandbox.read` leads through a link to"), "{text}");
}

#[test]
fn the_directory_for_files_of_tests_is_not_a_way_to_gentis_own_data() {
    if !has_wall() {
        return;
    }
    let sandbox = tested("UNUSED", "", "");
    sandbox.run(&["run", "--tool", "test"], 0);
    let tmp = sandbox.root().join("target/genti/build/tmp");
    std::fs::remove_dir_all(&tmp).unwrap();
    symlink("..", &tmp).unwrap();
    let text = sandbox.run(&["run", "--tool", "test"], 3);
    assert!(text.contains("leads through a link to"), "{text}");
}

#[test]
fn the_result_cache_is_closed_wherever_it_is() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{ write = ['target'] }");
    walled.0.write("target/cache/results.log", "");
    walled.0.write("target/doc/index.html", "");
    let mut command = walled.0.command(&["run"]);
    command.env("GENTI_CACHE_DIR", "target/cache");
    let ran = walled.attempt_as(command, &["touch target/doc/new", "touch target/cache/new"]);
    assert_eq!(ran.iter().map(|(_, ran)| *ran).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_shared_build_directory_is_writable_without_gentis_own_data() {
    if !has_wall() {
        return;
    }
    let body = "assert!(std::fs::write(\"target/genti/state/new\", \"\").is_err());";
    let sandbox = tested("UNUSED", "", body);
    let script = "fn main() {
        assert!(std::fs::write(\"target/genti/cache/new\", \"\").is_err());
        assert!(std::fs::write(\"target/genti/new\", \"\").is_err());
        std::fs::write(\"target/doc/new\", \"\").unwrap();
    }";
    sandbox.write("build.rs", script);
    sandbox.run(&["run", "--tool", "test", "--build-dir", "shared"], 0);
    assert_eq!(sandbox.findings().len(), 0);
}

#[test]
fn a_program_that_does_not_exist_is_reported_as_without_a_sandbox() {
    if !has_wall() {
        return;
    }
    let walled = Walled::new("{}");
    // The directory of the program exists when it is looked up, and its interpreter does not.
    walled.0.write("script", "#!/does/not/exist\n");
    let script = walled.0.root().join("script");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    walled.0.edit("genti.toml", "'bash', 'attempts.sh'", "'./script'");
    walled.0.write("attempts.sh", "");
    let text = walled.0.run(&["run"], 3);
    assert!(text.contains("could not start `./script`: No such file or directory"), "{text}");
}

#[test]
fn a_sandbox_is_part_of_the_definition_of_a_tool() {
    let sandbox = Sandbox::with_words("");
    let graph = |sandbox: &Sandbox| {
        sandbox.run(&["run"], 1);
        sandbox.json("run.json")["graph_hash"].as_str().unwrap().to_owned()
    };
    let before = graph(&sandbox);
    sandbox.edit("genti.toml", "[tools.words]", "[tools.words]\nsandbox = {}");
    let with = graph(&sandbox);
    sandbox.edit("genti.toml", "sandbox = {}", "sandbox = { network = true }");
    let open = graph(&sandbox);
    assert!(before != with && with != open && before != open);
}
