//! Tests of services: processes that run beside the tools that need them.
#![cfg(unix)]

use std::io::Write as _;
use std::net::TcpListener;
use std::process::Command;

use crate::support::Sandbox;
#[cfg(target_os = "linux")]
use crate::support::process::Running;
use crate::support::process::wait_until;

/// A server that answers `pong`, and exits with 7 when it is told to `die`. Records each start.
const SERVER: &str = r#"
use IO::Socket::INET;
$| = 1;
$SIG{PIPE} = 'IGNORE';
open(my $log, '>>', '../starts'); print $log "$$\n"; close $log;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1)
    or die "can't listen: $!\n";
# A process of its own that ignores requests to exit.
if (fork == 0) { $SIG{TERM} = $SIG{INT} = 'IGNORE'; close STDOUT; close STDERR; close $server; sleep 1 while 1; }
print "now serving\n";
while (my $client = $server->accept) {
    my $line = <$client>;
    if (defined $line && $line =~ /die/) { print STDERR "told to die\n"; exit 7; }
    print $client "pong\n";
    close $client;
}
"#;

/// Returns a port that is not in use.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A workspace with the service `db`, and with the tools `one` and `two` that use it.
struct Served {
    sandbox: Sandbox,
    port: u16,
}

impl Served {
    /// `script` is what the tools run. It can `ask` the service. `ready` is the sign of the service.
    fn new(ready: &str, script: &str) -> Self {
        let port = free_port();
        let tool = |name: &str| {
            format!(
                "[tools.{name}]\nrun = ['bash', 'ask.sh', '{name}']\nparse = 'lines'\nservices = ['db']\n"
            )
        };
        let config = format!(
            "[services.db]\nstart = ['perl', 'serve.pl', '{port}']\nready = {}\n{}{}[tools.other]\nrun = ['true']\n",
            ready.replace("PORT", &port.to_string()),
            tool("one"),
            tool("two")
        );
        let sandbox = Sandbox::with_tools(&config);
        sandbox.write("serve.pl", SERVER);
        let ask =
            format!("ask() {{ exec 3<>/dev/tcp/127.0.0.1/{port} && echo \"$1\" >&3 && read answer <&3; }}");
        sandbox.write("ask.sh", &format!("{ask}\n{script}\n"));
        Self { sandbox, port }
    }

    fn starts(&self) -> usize {
        let starts = std::fs::read_to_string(self.sandbox.beside().join("starts")).unwrap_or_default();
        starts.lines().count()
    }

    /// Returns the reason why `tool` has no result.
    fn reason(&self, tool: &str) -> String {
        let report = self.sandbox.json("report.json");
        let tools = report["tools"].as_array().unwrap();
        let own = tools.iter().find(|one| one["name"] == tool).unwrap();
        own["incomplete"][0]["reason"].as_str().unwrap_or_default().replace(&self.port.to_string(), "PORT")
    }
}

const TCP: &str = "{ tcp = PORT }";
const ASK: &str = "ask ping || exit 9; [ \"$answer\" = pong ] || exit 8";

#[test]
fn a_service_starts_once_before_the_tools_that_use_it_and_ends_with_the_run() {
    let run = ["run", "--parallel", "2"];
    let signs = [TCP, "{ log = '^now serving$' }", "{ run = ['bash', '-c', '. ./ask.sh', 'x'] }"];
    for (at, ready) in signs.into_iter().enumerate() {
        let served = Served::new(ready, ASK);
        // Waits until no descendant is left.
        served.sandbox.run_alone(&run, 0);
        assert_eq!(served.starts(), 1, "{at}");
        // Results of tools that use a service are never cached.
        served.sandbox.run_alone(&run, 0);
        assert_eq!(served.starts(), 2, "{at}");
        served.sandbox.run_alone(&["run", "--skip-tool", "one", "--skip-tool", "two"], 0);
        assert_eq!(served.starts(), 2, "nothing needs it");
    }
}

#[test]
fn a_port_that_is_already_open_belongs_to_somebody_else() {
    let served = Served::new(TCP, ASK);
    let other = TcpListener::bind(("127.0.0.1", served.port)).unwrap();
    served.sandbox.run_alone(&["run"], 3);
    let why = "service `db` is not available: port PORT is already open, so the tools would use another server; end it";
    assert_eq!([served.reason("one"), served.reason("two")], [why, why]);
    assert_eq!(served.starts(), 0);
    drop(other);
    served.sandbox.run_alone(&["run"], 0);
}

#[test]
fn tools_are_incomplete_if_a_service_dies_while_they_run() {
    // The tool itself would pass, or fail.
    for end in ["exit 0", "echo found; exit 1"] {
        // The tool lives longer than the service.
        let gone = "while ps -o stat= -p $(cat ../starts) | grep -qv Z; do sleep 0.01; done";
        let served = Served::new(TCP, &format!("ask die; {gone}; {end}"));
        let text = served.sandbox.run_alone(&["run", "--parallel", "1"], 3);
        assert!(served.sandbox.findings().is_empty());
        let mut reasons = [served.reason("one"), served.reason("two")];
        reasons.sort();
        assert_eq!(
            reasons,
            [
                "service `db` exited with 7 while the tool ran",
                "service `db` is not available: it exited with 7"
            ]
        );
        let kept = served.sandbox.root().join("target/genti/output/service-db.stderr");
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "told to die\n");
        assert!(text.contains("service-db.stderr"), "{text}");
        assert!(served.sandbox.verdicts().contains(&("other".to_owned(), "passed".to_owned())));
    }
}

#[test]
fn a_service_that_does_not_get_ready_is_incomplete() {
    let check = |from: &str, to: &str, expected: &str| {
        let served = Served::new(TCP, ASK);
        served.sandbox.edit("genti.toml", from, to);
        served.sandbox.run_alone(&["run"], 3);
        assert_eq!(served.reason("one"), format!("service `db` is not available: {expected}"));
    };
    check(
        "start = ['perl', 'serve.pl'",
        "start = ['sh', '-c', 'exit 3'",
        "it exited with 3 before it was ready",
    );
    let missing = "it could not be started: `no-such-server` is not installed";
    check("start = ['perl'", "start = ['no-such-server'", missing);
    let late = "start = ['sh', '-c', 'exec sleep 600']\ntimeout = '1s'\n#";
    check("start = ", late, "it was not ready after 1s");
}

#[test]
fn the_definition_of_a_service_is_part_of_the_ids_of_the_tools_that_use_it() {
    let served = Served::new(TCP, ASK);
    let ids = || {
        let plan: serde_json::Value =
            serde_json::from_str(&served.sandbox.run(&["plan", "--format", "json"], 0)).unwrap();
        plan["graph_hash"].as_str().unwrap().to_owned()
    };
    let before = ids();
    served.sandbox.edit("genti.toml", "ready = ", "timeout = '1m'\nready = ");
    assert_eq!(ids(), before, "the time limit decides only whether there is a result");
    served.sandbox.edit("genti.toml", "'serve.pl', ", "'-w', 'serve.pl', ");
    assert_ne!(ids(), before);
}

#[test]
fn a_service_ends_with_all_its_processes_however_the_run_ends() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let served = Served::new(TCP, "touch started; exec sleep 600");
        let run = served.sandbox.start(&["run"]);
        wait_until("started", || served.sandbox.root().join("started").exists());
        run.send(signal);
        served.sandbox.expect(&run.finish(), code);
        assert!(TcpListener::bind(("127.0.0.1", served.port)).is_ok());
    }
    let served = Served::new(TCP, "exec sleep 600");
    served.sandbox.run_alone(&["run", "--max-duration", "2s"], 3);
    assert_eq!(served.starts(), 1);
    // While it gets ready.
    let served = Served::new("{ log = 'never' }", "");
    let run = served.sandbox.start(&["run"]);
    wait_until("a start", || served.starts() == 1);
    run.send("TERM");
    served.sandbox.expect(&run.finish(), 143);
}

/// Returns the guard of a run.
#[cfg(target_os = "linux")]
fn guard_of(run: &Running) -> Option<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        line.starts_with(b"genti-guard") && parent == Some(run.id())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_run_has_left_is_ended_by_the_next() {
    let served = Served::new(TCP, "test ! -e wait || { touch started; exec sleep 600; }");
    served.sandbox.write("wait", "");
    let run = served.sandbox.start(&["run"]);
    wait_until("started", || served.sandbox.root().join("started").exists());
    let guard = guard_of(&run).expect("a guard");
    for pid in [guard, run.id()] {
        assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    }
    assert!(TcpListener::bind(("127.0.0.1", served.port)).is_err(), "the service is left");
    std::fs::remove_file(served.sandbox.root().join("wait")).unwrap();
    served.sandbox.run(&["run"], 0);
    assert_eq!(served.starts(), 2);
    assert!(TcpListener::bind(("127.0.0.1", served.port)).is_ok());
    let left = served.sandbox.root().join("target/genti/output/db.service");
    assert!(!left.exists());
    // The tools of the killed run, whose guard was killed as well.
    drop(run.end());
}

#[test]
fn redis_serves_a_tool() {
    if Command::new("redis-server").arg("--version").output().is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: redis-server is not installed");
        return;
    }
    let port = free_port();
    let config = format!(
        "[services.redis]\nstart = ['redis-server', '--port', '{port}', '--save', '', '--appendonly', 'no']\n\
         ready = {{ log = 'Ready to accept connections' }}\n\
         [tools.ask]\nrun = ['bash', 'ask.sh']\nparse = 'lines'\nservices = ['redis']\n"
    );
    let sandbox = Sandbox::with_tools(&config);
    let ask = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'SET a 7\\r\\nGET a\\r\\n' >&3\n\
         read a <&3; read b <&3; read c <&3; [ \"$a$b$c\" = $'+OK\\r$1\\r7\\r' ] || echo \"said $a$b$c\"\n"
    );
    sandbox.write("ask.sh", &ask);
    for ready in ["{ log = 'Ready to accept connections' }", &format!("{{ tcp = {port} }}")] {
        sandbox.edit("genti.toml", "{ log = 'Ready to accept connections' }", ready);
        sandbox.run_alone(&["run"], 0);
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    }
}
