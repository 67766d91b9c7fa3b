//! What the observer of a sandboxed process sees. Each escape is denied, among the places that decide, or a reason for doubt.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use genti::model::task::Exit;
use genti::model::tool::Network;
use genti::scan::{
    DeclaredFiles, Ending, FinishedProcess, Invocation, Kernel, LocalRunner, Observed, Place, Runner, Sight,
    Stop, Wall, Watcher,
};

/// A program that tries escapes that need threads or calls that no shell has.
const HELPER: &str = r#"
use std::ffi::{CString, c_char, c_int, c_long};
use std::sync::atomic::{AtomicBool, Ordering};
unsafe extern "C" { fn open(path: *const c_char, flags: c_int, ...) -> c_int; fn syscall(number: c_long, ...) -> c_long; fn close(fd: c_int) -> c_int; fn mmap(at: *mut u8, len: usize, rights: c_int, flags: c_int, fd: c_int, from: i64) -> *mut u8; }
fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "flip" => {
            // Another thread changes the path while this one opens it.
            let (a, b) = (CString::new(&*args[2]).unwrap().into_bytes_with_nul(), CString::new(&*args[3]).unwrap().into_bytes_with_nul());
            assert_eq!(a.len(), b.len());
            let path: &'static mut [u8] = Box::leak(a.clone().into_boxed_slice());
            let (at, len) = (path.as_mut_ptr() as usize, path.len());
            static DONE: AtomicBool = AtomicBool::new(false);
            let flip = std::thread::spawn(move || {
                while !DONE.load(Ordering::Relaxed) {
                    for text in [&b, &a] {
                        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), at as *mut u8, len) };
                        std::hint::spin_loop();
                    }
                }
            });
            for _ in 0..2000 { unsafe { close(open(at as *const c_char, 0)); } }
            DONE.store(true, Ordering::Relaxed);
            flip.join().unwrap();
        }
        "threads" => {
            let threads: Vec<_> = (0..8).map(|_| { let path = args[2].clone(); std::thread::spawn(move || {
                for _ in 0..200 { std::fs::read(&path).unwrap(); }
                for _ in 0..5 { assert!(std::process::Command::new("/bin/true").status().unwrap().success()); }
            }) }).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        "mmap" => {
            let path = CString::new(&*args[2]).unwrap();
            let map = unsafe { mmap(std::ptr::null_mut(), 1, 1, 2, open(path.as_ptr(), 0), 0) };
            assert_eq!(unsafe { *map }, args[3].as_bytes()[0]);
        }
        "chdir" => {
            // A thread that lives until the directory has changed.
            let (changed, wait) = std::sync::mpsc::channel::<()>();
            let thread = std::thread::spawn(move || { let _ = wait.recv(); });
            std::env::set_current_dir(&args[2]).unwrap();
            drop(changed);
            thread.join().unwrap();
        }
        "call" => { unsafe { syscall(args[2].parse().unwrap(), 0, 0, 0, 0, 0, 0); } }
        "raw" => { unsafe { syscall(if cfg!(target_arch = "x86_64") { 41 } else { 198 }, 2, 3, 1, 0, 0, 0); } }
        "udp" => { let _ = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|s| s.send_to(b"x", &*args[2])); }
        "tcp" => { let _ = std::net::TcpStream::connect(&*args[2]); }
        "unix" => { let _ = std::os::unix::net::UnixStream::connect(&*args[2]); }
        "own" => {
            use std::io::Write;
            let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let mut client = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
            client.write_all(b"x").unwrap();
            server.accept().unwrap();
            let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            udp.send_to(b"x", udp.local_addr().unwrap()).unwrap();
            let path = std::env::temp_dir().join("socket");
            let server = std::os::unix::net::UnixListener::bind(&path).unwrap();
            let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
            server.accept().unwrap();
        }
        _ => panic!(),
    }
}
"#;

/// A repository with a fixture, and a directory beside it.
struct World {
    dir: tempfile::TempDir,
    stop: Stop,
    has_network: bool,
    helper: PathBuf,
    /// Programs that count as compilers.
    compilers: Vec<PathBuf>,
}

impl World {
    /// Returns nothing, and prints the reason, if this kernel can't observe.
    fn new() -> Option<Self> {
        if let Err(why) = Kernel::probe().observer() {
            assert!(std::env::var_os("CI").is_none(), "{why}");
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: {why}\n"));
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["repo/fixtures", "outside", "writable"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::fs::write(root.join("repo/fixtures/a"), "a").unwrap();
        std::fs::write(root.join("repo/fixtures/b"), "b").unwrap();
        std::fs::write(root.join("outside/s"), "s").unwrap();
        symlink(root.join("outside/s"), root.join("repo/link")).unwrap();
        symlink("fixtures/a", root.join("repo/inner")).unwrap();
        std::fs::write(root.join("helper.rs"), HELPER).unwrap();
        let helper = root.join("helper");
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2024", "-o"]).arg(&helper).arg(root.join("helper.rs"));
        assert!(rustc.status().unwrap().success());
        let mut stop = Stop::new().unwrap();
        stop.sandbox_with(env!("CARGO_BIN_EXE_cargo-genti").into());
        let has_network = genti::scan::private_network(&stop).is_ok();
        Some(Self { dir, stop, has_network, helper, compilers: Vec::new() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn run(&self, program: &Path, args: &[&str], vars: &[(&str, &str)]) -> FinishedProcess {
        let reads =
            ["/bin", "/etc", "/lib", "/lib64", "/opt", "/proc", "/sys", "/usr"].map(PathBuf::from).to_vec();
        let reads = reads.into_iter().chain([self.path("repo"), self.helper.clone()]);
        let real = |paths: &mut dyn Iterator<Item = PathBuf>| -> Vec<Place> {
            paths.filter_map(|path| path.canonicalize().ok()).map(Place::from).collect()
        };
        let wall = Wall {
            reads: real(&mut reads.into_iter()),
            writes: real(&mut [self.path("writable")].into_iter()),
            devices: real(&mut ["/dev/null", "/dev/urandom"].map(PathBuf::from).into_iter()),
            network: if self.has_network { Network::Loopback } else { Network::None },
            unix_sockets: true,
            is_observed: true,
            compilers: real(&mut self.compilers.iter().cloned()),
            descriptors: Vec::new(),
        };
        let var = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        let own =
            [("PATH", "/usr/bin:/bin"), ("OUT", self.path("outside").to_str().unwrap())].map(|own| var(&own));
        let invocation = Invocation {
            program: program.to_path_buf(),
            args: args.iter().map(OsString::from).collect(),
            vars: BTreeMap::from_iter(own.into_iter().chain(vars.iter().map(var))),
            dir: self.path("repo"),
            declared: DeclaredFiles::default(),
            wall: Some(wall),
            timeout: None,
        };
        LocalRunner::new(&self.stop, None).run(&invocation, &mut Watcher::none()).unwrap()
    }

    fn sh(&self, script: &str) -> Observed {
        *self.run(Path::new("/bin/sh"), &["-c", script], &[]).observed.unwrap()
    }

    fn help(&self, args: &[&str]) -> Observed {
        *self.run(&self.helper, args, &[]).observed.unwrap()
    }
}

#[test]
fn what_a_process_reads_is_seen_wherever_links_and_children_lead() {
    let Some(world) = World::new() else { return };
    let saw = |script: &str, place: &str, sight: Sight| {
        let seen = world.sh(script);
        assert_eq!(seen.doubt, None, "{script}");
        assert_eq!(seen.places.get(&world.path(place)), Some(&sight), "{script}: {:?}", seen.places.keys());
    };
    let fixture = ("repo/fixtures/a", Sight::File);
    for script in [
        "cat fixtures/a",
        "cat ./fixtures/../fixtures/a",
        "cat inner",
        "cd fixtures && cat a",
        "sh -c 'sh -c \"cat fixtures/a\"'",
        "cat $PWD/fixtures/a",
        "test -e fixtures/a",
        "ln -s $PWD/fixtures/a $TMPDIR/x && cat $TMPDIR/x",
        "ln -s $PWD/fixtures $TMPDIR/d && cat $TMPDIR/d/a",
        "exec 3< fixtures/a; cat /proc/self/fd/3",
        "cat /proc/self/cwd/fixtures/a",
        "perl -e 'open(F, \"<\", \"fixtures/a\")'",
        "cat fixtures/a & wait",
    ] {
        saw(script, fixture.0, fixture.1);
    }
    saw("cat inner", "repo/inner", Sight::File);
    saw("ls fixtures", "repo/fixtures", Sight::OpenDirectory);
    saw("test -d fixtures", "repo/fixtures", Sight::Directory);
    saw("cat gone; true", "repo/gone", Sight::Absent);
    saw("cat $OUT/gone; true", "outside/gone", Sight::Absent);
    // The interpreter of a script, and the loader of a program, which the kernel reads itself.
    std::fs::write(world.path("repo/script"), "#!/usr/bin/env perl\n").unwrap();
    world.sh("true");
    assert!(Command::new("chmod").arg("755").arg(world.path("repo/script")).status().unwrap().success());
    let seen = world.sh("./script");
    let perl = Path::new("/usr/bin/perl").canonicalize().unwrap();
    let env = Path::new("/usr/bin/env").canonicalize().unwrap();
    assert!(
        seen.doubt.is_none() && seen.places.contains_key(&perl) && seen.places.contains_key(&env),
        "{seen:?}"
    );
    assert!(seen.places.keys().any(|place| place.to_string_lossy().contains("ld-")), "{seen:?}");
    let seen = world.help(&["threads", "fixtures/a"]);
    assert_eq!(
        (seen.doubt.clone(), seen.places.get(&world.path("repo/fixtures/a"))),
        (None, Some(&Sight::File))
    );
}

#[test]
fn a_compiler_looks_for_names_that_it_knows_and_at_a_terminal_for_its_colors() {
    let Some(mut world) = World::new() else { return };
    let fixtures = |seen: &Observed| {
        let (_, sight) = seen.places.iter().find(|(place, _)| place.ends_with("repo/fixtures")).unwrap();
        *sight
    };
    assert_eq!(fixtures(&world.sh("ls fixtures")), Sight::OpenDirectory);
    assert!(world.sh("cat /dev/tty; true").doubt.is_some());
    world.compilers = vec!["/bin/ls".into(), "/bin/cat".into()];
    assert_eq!(fixtures(&world.sh("ls fixtures")), Sight::SearchedDirectory);
    assert_eq!(world.sh("cat /dev/tty; true").doubt, None);
    // Another program in the same directory.
    assert_eq!(fixtures(&world.sh("ls fixtures; for file in fixtures/*; do :; done")), Sight::OpenDirectory);
    assert!(world.sh(": < /dev/tty; true").doubt.is_some());
    assert!(world.sh("cat $OUT/s; true").doubt.is_some(), "it may read no more than others");
}

#[test]
fn limits_that_anybody_may_set_and_own_pipes_are_no_reason_for_doubt() {
    let Some(world) = World::new() else { return };
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    assert_eq!(world.sh("ulimit -S -c 0; ulimit -n 100").doubt, None);
    assert_eq!(world.sh("ulimit -n 100; ulimit -H -n 200; true").doubt.is_some(), is_root);
    assert_eq!(world.sh("echo x | cat | (exec 3</proc/self/fd/0; cat <&3)").doubt, None);
    assert!(world.sh("exec 3</proc/$PPID/fd/0; true").doubt.is_some());
}

#[test]
fn every_escape_is_a_reason_for_doubt() {
    let Some(world) = World::new() else { return };
    let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = listening.local_addr().unwrap().to_string();
    let daemon = world.path("outside/daemon");
    let _daemon = std::os::unix::net::UnixListener::bind(&daemon).unwrap();
    // A repository further up.
    std::fs::create_dir(world.path(".git")).unwrap();
    let io_uring_setup = "425";
    let scripts = [
        "cat $OUT/s; true",
        "cat ../outside/s; true",
        "cat link; true",
        "ls ..; true",
        "for f in $OUT/*; do cat $f; done; true",
        "ln -s $OUT/s $TMPDIR/x; cat $TMPDIR/x; true",
        "ln $OUT/s $TMPDIR/x; true",
        "cat /proc/1/environ; true",
        "cat /proc/$PPID/environ; true",
        "cat /proc/1/root/etc/passwd; true",
        "cat /proc/$PPID/fd/0; true",
        "ls /dev/shm; true",
        "CARGO_HOME=$OUT; cat $CARGO_HOME/s; true",
        "git rev-parse --git-dir; true",
        "ls /proc; true",
        "echo x > /dev/shm/genti-observed; true",
        "echo x > fixtures/a; true",
        "mv fixtures/a fixtures/c; true",
        "echo x > $OUT/new; true",
        "cat ../writable/left-behind; true",
        "touch ../writable/new; true",
        // They end when their calls fail, because nobody observes any more.
        "(setsid sh -c ': > $TMPDIR/up; while test -e fixtures/a; do sleep 0.1; done' >/dev/null 2>&1 &); until test -e $TMPDIR/up; do :; done",
        "(setsid sh -c ': > $TMPDIR/up; while test -e fixtures/a; do :; done' >/dev/null 2>&1 &); until test -e $TMPDIR/up; do :; done",
        "kill -0 $PPID; true",
        // A program with the rights of its owner, which it does not get.
        "cp /bin/true $TMPDIR/own && chmod u+s $TMPDIR/own && $TMPDIR/own; true",
        "cat /dev/tty; true",
        "ls /root /home /tmp; true",
    ];
    for script in scripts {
        let seen = world.sh(script);
        assert!(seen.doubt.is_some(), "{script}: {:?}", seen.places);
    }
    let calls = [
        ["call", io_uring_setup],
        // Unknown, `ptrace`, `shmget`, `semget`, `msgget`, `mq_open`, `process_vm_readv`, `open_by_handle_at`.
        ["call", "9999"],
        ["call", if cfg!(target_arch = "x86_64") { "101" } else { "117" }],
        ["call", if cfg!(target_arch = "x86_64") { "29" } else { "194" }],
        ["call", if cfg!(target_arch = "x86_64") { "64" } else { "190" }],
        ["call", if cfg!(target_arch = "x86_64") { "68" } else { "186" }],
        ["call", if cfg!(target_arch = "x86_64") { "240" } else { "180" }],
        ["call", if cfg!(target_arch = "x86_64") { "310" } else { "270" }],
        ["call", if cfg!(target_arch = "x86_64") { "304" } else { "265" }],
        // A raw socket.
        ["raw", ""],
        ["tcp", &tcp],
        ["tcp", "10.0.0.1:80"],
        ["udp", "127.0.0.1:9"],
        ["udp", "8.8.8.8:53"],
        ["unix", daemon.to_str().unwrap()],
    ];
    for call in calls {
        let seen = world.help(&call);
        assert!(seen.denial.is_some() && seen.doubt.is_some(), "{call:?}");
    }
    let (inside, outside) = (world.path("repo/fixtures/a"), world.path("outside/s"));
    // Paths of the same length, one of which is denied.
    let outside = outside.to_str().unwrap();
    let padding = inside.to_str().unwrap().len() - outside.len();
    let outside = outside.replacen("/outside/", &format!("/{}outside/", "/".repeat(padding)), 1);
    let seen = world.help(&["flip", inside.to_str().unwrap(), &outside]);
    assert!(seen.doubt.is_some());
    // A preloaded library is read like any other file.
    let library = world.path("outside/s");
    let preload = ("LD_PRELOAD", library.to_str().unwrap());
    let finished = world.run(Path::new("/bin/true"), &[], &[preload]);
    assert!(finished.observed.unwrap().doubt.is_some());
}

#[test]
fn a_mapped_file_is_seen_like_one_that_is_read() {
    let Some(world) = World::new() else { return };
    let finished = world.run(&world.helper, &["mmap", "fixtures/a", "a"], &[]);
    let seen = finished.observed.unwrap();
    assert_eq!((finished.exit, &seen.doubt), (Exit::Code(0), &None));
    assert_eq!(seen.places.get(&world.path("repo/fixtures/a")), Some(&Sight::File));
}

#[test]
fn a_descriptor_that_was_inherited_is_closed() {
    let Some(world) = World::new() else { return };
    let file = std::fs::File::open(world.path("outside/s")).unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let read = format!("read -r text <&{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let free = Command::new("bash").args(["-c", &read]).status().unwrap();
    assert_eq!(free.code(), Some(1), "it reads the only line, which has no end");
    let finished = world.run(Path::new("/bin/bash"), &["-c", &format!("{read}; test -z \"$text\"")], &[]);
    assert_eq!(finished.exit, Exit::Code(0));
}

#[test]
fn a_working_directory_that_changes_while_other_threads_run_is_a_reason_for_doubt() {
    let Some(world) = World::new() else { return };
    let doubt = world.help(&["chdir", "fixtures"]).doubt;
    assert_eq!(doubt.as_deref(), Some("it changes its working directory while other threads run"));
    assert_eq!(world.sh("cd fixtures && (cd .. && cat fixtures/a) && cat a").doubt, None);
}

#[test]
fn a_library_that_is_nowhere_in_the_search_path_is_absent_and_one_that_is_there_is_a_reason_for_doubt() {
    let Some(world) = World::new() else { return };
    let (outside, sh) = (world.path("outside"), Path::new("/bin/sh"));
    // As under `cargo test`, which adds directories that no sandbox may read.
    let path = ("LD_LIBRARY_PATH", outside.to_str().unwrap());
    let run = |script: &str| *world.run(sh, &["-c", script], &[path]).observed.unwrap();
    let seen = run("/bin/true");
    assert_eq!(seen.doubt, None);
    let places = [(outside.join("libc.so.6"), Sight::Absent), (outside.clone(), Sight::Directory)];
    for (place, sight) in places {
        assert_eq!(seen.places.get(&place), Some(&sight), "{:?}", seen.places);
    }
    assert!(run("ls $OUT; true").doubt.is_some() && run("cat $OUT/s; true").doubt.is_some());
    std::fs::write(outside.join("libc.so.6"), "").unwrap();
    assert!(run("/bin/true").doubt.is_some());
}

#[test]
fn a_path_that_another_thread_changes_counts_with_both_texts() {
    let Some(world) = World::new() else { return };
    let (a, b) = (world.path("repo/fixtures/a"), world.path("repo/fixtures/b"));
    let seen = world.help(&["flip", a.to_str().unwrap(), b.to_str().unwrap()]);
    let has_both = seen.places.contains_key(&a) && seen.places.contains_key(&b);
    assert!(seen.doubt.is_some() || has_both, "{seen:?}");
}

#[test]
fn its_own_servers_files_and_processes_are_no_reason_for_doubt() {
    let Some(world) = World::new() else { return };
    let scripts = [
        "echo x > $TMPDIR/x && cat $TMPDIR/x && mv $TMPDIR/x $TMPDIR/y && rm $TMPDIR/y",
        "mkdir $TMPDIR/d && ln -s . $TMPDIR/d/l && ls $TMPDIR/d/l && ls $TMPDIR",
        "sleep 600 & kill $! && wait; true",
        "cat /proc/self/status /proc/cpuinfo /sys/kernel/mm/transparent_hugepage/enabled >/dev/null; true",
        "head -c 4 /dev/urandom > /dev/null",
        "pwd && id && date && uname",
        "mkfifo $TMPDIR/f && (echo x > $TMPDIR/f &) && cat $TMPDIR/f",
    ];
    for script in scripts {
        let finished = world.run(Path::new("/bin/sh"), &["-c", script], &[]);
        assert_eq!((finished.exit, &finished.ending), (Exit::Code(0), &Ending::Own), "{script}");
        assert_eq!(finished.observed.unwrap().doubt, None, "{script}");
    }
    if world.has_network {
        let finished = world.run(&world.helper, &["own"], &[]);
        assert_eq!((finished.exit, finished.observed.unwrap().doubt), (Exit::Code(0), None));
    }
}
