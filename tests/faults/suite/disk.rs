//! Tests of disks that are full, read-only, owned by another user, or lose power.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::inject::{Mounts, Tampered, fail_open, needs};
use super::support::Sandbox;
use super::support::process::under;
use super::table::{NotTried, Tried};
use super::world::{Run, World, files, run};

/// Checks that the artifacts could not be written, and that the report was printed instead.
#[track_caller]
fn check_not_written(world: &World, run: &Run, says: &[&str]) {
    run.expect(4, says);
    run.expect(4, &["error: could not ", "target/genti", "printing the report to stdout instead"]);
    let report: Value = serde_json::from_slice(&run.out).unwrap();
    assert_eq!(report["gate"]["status"], "passed");
    world.check_before_repair(run);
}

pub(crate) fn is_full_at_any_call() -> Tried {
    let mut world = World::new();
    for (call, error) in [
        ("write", "ENOSPC"),
        ("fsync", "EIO"),
        ("/^rename", "ENOSPC"),
        ("/^mkdir", "EROFS"),
        ("openat", "EMFILE"),
        ("flock", "ENOLCK"),
    ] {
        for nth in 1.. {
            let inject = format!("{call}:error={error}:when={nth}");
            let tampered = Tampered::new(&world.command(&[]), world.sandbox.beside(), &inject);
            let Some(run) = tampered?.run() else {
                world.flip();
                break;
            };
            let code = run.code();
            // Other exit codes mean that a file could not be read or a process could not be started.
            assert!(matches!(code, Some(0 | 2..=4)), "{inject}: {run}");
            assert!(code == Some(0) || run.err.contains("error"), "{inject}: {run}");
            world.check(&run);
            world.flip();
        }
    }
    Ok(())
}

/// Makes each read of a source file fail, one at a time.
pub(crate) fn can_not_be_read() -> Tried {
    // Reading fails when the file is hashed, when it is checked again after a tool, and when a finding in it is identified.
    let expected = [(2, [true, false]), (3, [false, true]), (3, [true, false])];
    let mut world = World::new();
    let ends = unreadable(&mut world, |world, run| {
        world.check(run);
        world.flip();
    })?;
    // Findings are also identified during the run, to be shown early. If that fails, they are shown at the end.
    assert_eq!(without(ends, 0), expected);
    // Also fails when a new finding is shown, which is then shown without its source.
    world.sandbox.write("many/a", "bad three\n");
    let ends = unreadable(&mut world, |_, _| {})?;
    assert!(ends.contains(&(1, [false, false])), "{ends:?}");
    assert_eq!(without(ends, 1), expected);
    Ok(())
}

/// Returns the distinct ends in order, without those that have exit code `code` and no message about the file.
fn without(mut ends: Vec<(i32, [bool; 2])>, code: i32) -> Vec<(i32, [bool; 2])> {
    ends.retain(|end| *end != (code, [false, false]));
    // The number of checks depends on how long the tools take.
    ends.dedup();
    ends
}

/// Makes the first, second, … read of `many/a` fail. Returns the exit codes, each with two flags: whether the message says that
/// the file can't be read, and whether it says that the file changed.
fn unreadable(
    world: &mut World,
    mut then: impl FnMut(&mut World, &Run),
) -> Result<Vec<(i32, [bool; 2])>, NotTried> {
    let mut ends = Vec::new();
    for nth in 1.. {
        // With a modification time in the future, the file is always read again.
        let file = world.path("many/a");
        let future = SystemTime::now() + Duration::from_secs(1 << 20);
        File::options().append(true).open(&file).unwrap().set_modified(future).unwrap();
        let Some(run) = fail_open(&world.command(&[]), &file, nth, world.sandbox.beside())? else { break };
        let unreadable = format!("could not read `{}`: Input/output error", file.display());
        let says = [&unreadable[..], "many/a changed during the run"].map(|text| run.err.contains(text));
        ends.push((run.code().unwrap(), says));
        then(world, &run);
    }
    Ok(ends)
}

/// Each file of a baseline is either complete or missing.
pub(crate) fn baseline_is_not_written() -> Tried {
    let finds = |name: &str| {
        format!(
            "[tools.{name}]\nrun = [\"echo\", \"src/lib.rs:1: {name}\"]\nparse = {{ regex = '^(?<path>.+?):(?<line>\\d+): (?<message>.*)$' }}\n"
        )
    };
    let sandbox = Sandbox::with_tools(&(finds("one") + &finds("two")));
    let dir = sandbox.root().join(".config/genti/baseline");
    let init = || {
        let mut init = sandbox.command(&["baseline", "init"]);
        init.env_remove("LD_LIBRARY_PATH");
        init
    };
    run(&mut init()).expect(0, &[]);
    let all = files(&dir);
    assert_eq!(all.len(), 2);
    for what in [
        "write:error=ENOSPC",
        "fsync:error=EIO",
        "/^rename:error=ENOSPC",
        "/^rename:signal=KILL",
        "fsync:signal=KILL",
    ] {
        for nth in 1.. {
            std::fs::remove_dir_all(&dir).unwrap();
            let tampered = Tampered::new(&init(), sandbox.beside(), &format!("{what}:when={nth}"));
            let Some(ended) = tampered?.run() else { break };
            let found = files(&dir);
            let unfinished = |path: &Path| path.to_string_lossy().contains(".genti-unfinished-");
            for (path, bytes) in &found {
                assert!(
                    ended.was_killed() && unfinished(path) || bytes == &all[path],
                    "{what} {nth}: {ended}"
                );
            }
            match ended.code() {
                Some(0) => assert!(found == all, "{what} {nth}: {ended}"),
                Some(4) => ended.expect(4, &["could not write `", "is partially written"]),
                code => assert!(matches!(code, None | Some(3)), "{what} {nth}: {ended}"),
            }
            found
                .keys()
                .filter(|path| !unfinished(path))
                .for_each(|path| std::fs::remove_file(path).unwrap());
            run(&mut init()).expect(0, &[]);
            assert!(files(&dir) == all, "{what} {nth}: run again after {ended}");
        }
    }
    Ok(())
}

const TMPFS: &str = "mount -t tmpfs -o size=1m tmpfs \"$1\"";

pub(crate) fn is_full() -> Tried {
    let world = World::mounted(TMPFS)?;
    let filler = world.path("target/filler");
    assert!(std::fs::write(&filler, vec![0; 2 << 20]).is_err());
    let run = world.run(&[]);
    check_not_written(&world, &run, &["No space left on device", "the previous file is unchanged"]);
    std::fs::remove_file(filler).unwrap();
    world.check(&run);
    Ok(())
}

pub(crate) fn takes_no_file_that_large() -> Tried {
    needs(&["prlimit", "--fsize=1000000", "true"])?;
    let world = World::new();
    // Limits that are too small for some or all of the artifacts.
    for limit in [0, 100, 1000] {
        let limit = format!("--fsize={limit}");
        let run = run(&mut under(&["prlimit", &limit], &world.command(&[])));
        check_not_written(&world, &run, &["File too large", "the previous file is unchanged"]);
        world.check_before_repair(&run);
    }
    world.check(&world.run(&[]));
    Ok(())
}

pub(crate) fn is_read_only() -> Tried {
    let world = World::mounted(TMPFS)?;
    let remount = |how: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-o", how]).arg(world.sandbox.root().join("target")).current_dir("/");
        run(&mut world.mounts().unwrap().command(&mount)).expect(0, &[]);
    };
    remount("remount,ro");
    let run = world.run(&[]);
    check_not_written(&world, &run, &["Read-only file system"]);
    remount("remount,rw");
    world.check(&run);
    Ok(())
}

/// Uses a file system in an image file. The image is copied when the run is killed, before the system writes back cached data,
/// so the copy is what a power cut would leave.
pub(crate) fn loses_its_power() -> Tried {
    needs(&["mkfs.ext4", "-V"])?;
    let images = tempfile::tempdir().unwrap();
    let [image, copy, at] = ["image", "copy", "at"].map(|name| images.path().join(name));
    std::fs::create_dir(&at).unwrap();
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let mkfs = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).output().unwrap();
    assert!(mkfs.status.success(), "{mkfs:?}");
    // Disable features of ext4 that protect programs that forget to sync.
    let mount =
        |image: &Path| format!("mount -o loop,data=writeback,noauto_da_alloc '{}' \"$1\"", image.display());
    let mut world = World::mounted(&mount(&image))?;
    for call in ["write", "fsync", "/^rename"] {
        for nth in 1.. {
            // Make the existing files durable.
            let sync = Command::new("sync").arg("-f").arg(world.path("target")).status();
            assert!(sync.unwrap().success());
            let inject = format!("{call}:signal=KILL:when={nth}");
            let cut = Tampered::new(&world.command(&[]), world.sandbox.beside(), &inject)?.run();
            std::fs::copy(&image, &copy).unwrap();
            let disk = Mounts::new(&mount(&copy), &at)?;
            let artifacts = disk.path(&at).join("genti/artifacts");
            let Some(run) = cut else {
                world.check_new(&artifacts);
                world.flip();
                break;
            };
            world.check_artifacts(&run, &artifacts);
            world.check(&run);
            world.flip();
        }
    }
    Ok(())
}

pub(crate) fn lock_left_behind() -> Tried {
    let world = World::new();
    // A lock file that no process holds does not lock, whatever its content and age.
    world.sandbox.write("target/genti/lock", "12345\n");
    let touch =
        Command::new("touch").args(["-d", "2001-01-01"]).arg(world.path("target/genti/lock")).status();
    assert!(touch.unwrap().success());
    let run = world.run(&[]);
    assert!(!run.err.contains("waiting"), "{run}");
    world.check(&run);
    Ok(())
}

pub(crate) fn is_somebody_elses() -> Tried {
    let world = World::new();
    let elsewhere = world.sandbox.beside().join("elsewhere");
    let refused = |path: &str, what: &str| {
        let run = world.run(&[]);
        run.expect(
            2,
            &[
                &format!("{path}` was not created by genti: it is {what}"),
                "remove it, or set CARGO_TARGET_DIR",
            ],
        );
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0, "{run}");
    };
    std::fs::create_dir(&elsewhere).unwrap();
    for path in ["target/genti/artifacts", "target/genti/lock", "target/genti"] {
        let (at, aside) = (world.path(path), world.sandbox.beside().join("aside"));
        std::fs::rename(&at, &aside).unwrap();
        symlink(&elsewhere, &at).unwrap();
        refused(path, "a symbolic link");
        std::fs::remove_file(&at).unwrap();
        symlink(world.sandbox.beside().join("nowhere"), &at).unwrap();
        refused(path, "a symbolic link");
        std::fs::remove_file(&at).unwrap();
        if path != "target/genti/lock" {
            std::fs::write(&at, "mine").unwrap();
            refused(path, "a file");
            std::fs::remove_file(&at).unwrap();
        }
        std::fs::rename(&aside, &at).unwrap();
    }
    // An artifact that is a link is replaced, not followed.
    let (precious, artifact) =
        (world.sandbox.beside().join("precious"), world.path("target/genti/artifacts/run.json"));
    std::fs::write(&precious, "precious").unwrap();
    std::fs::remove_file(&artifact).unwrap();
    symlink(&precious, &artifact).unwrap();
    world.check(&world.run(&[]));
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    let (ours, nobody) = (std::fs::metadata(&precious).unwrap().uid(), Some(65534));
    for path in ["target/genti", "target/genti/artifacts"] {
        let at = world.path(path);
        chown(&at, nobody, None).map_err(|error| NotTried(format!("chown: {error}")))?;
        refused(path, "owned by another user");
        chown(&at, Some(ours), None).unwrap();
    }
    world.check(&world.run(&[]));
    Ok(())
}

/// Nothing is written behind a link that leads out of the repository: no baseline, configuration, lock file, golden files or
/// build output.
pub(crate) fn leads_out_of_the_workspace() -> Tried {
    let finds = "[tools.t]\nrun = [\"echo\", \"src/lib.rs:1: x\"]\nparse = { regex = '^(?<path>.+?):(?<line>\\d+): (?<message>.*)$' }\n\
                 [tools.g]\nrun = [\"echo\", \"hi\"]\ncompare = \"golden\"\n";
    for (link, args, code) in [
        (".config/genti/baseline", &["baseline", "init"][..], 4),
        (".config/genti/baseline", &["baseline", "accept", "--reason", "x"], 4),
        (".config/genti", &["baseline", "init"], 4),
        (".config", &["baseline", "init"], 4),
        (".config/genti/golden", &["run", "--bless"], 4),
        (".config", &["run", "--bless"], 4),
        ("target/genti/build", &["run"], 2),
        ("target/genti/verify", &["verify"], 2),
        ("target/genti/artifacts", &["run"], 2),
        ("target/genti/output", &["run"], 2),
    ] {
        for leads_somewhere in [true, false] {
            let sandbox = Sandbox::with_tools(finds);
            let outside = sandbox.beside().join("outside");
            if leads_somewhere {
                std::fs::create_dir(&outside).unwrap();
                std::fs::write(outside.join("precious"), "precious").unwrap();
            }
            let place = sandbox.root().join(link);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            symlink(&outside, &place).unwrap();
            let ended = run(&mut sandbox.command(args));
            let what = format!("{link}, {args:?}, {leads_somewhere}");
            assert_eq!(ended.code(), Some(code), "{what}: {ended}");
            assert!(
                ended.err.contains("a symbolic link leads elsewhere")
                    || ended.err.contains("is a symbolic link"),
                "{what}: {ended}"
            );
            assert_eq!(outside.exists(), leads_somewhere, "{what}");
            if leads_somewhere {
                assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "{what}");
            }
        }
    }
    // The lock file, and files that `init` writes.
    let sandbox = Sandbox::of("clean", "workspace");
    sandbox.commit_all();
    let outside = sandbox.beside().join("outside");
    std::fs::create_dir(&outside).unwrap();
    for dir in [".config", ".github"] {
        symlink(&outside, sandbox.root().join(dir)).unwrap();
    }
    run(&mut sandbox.command(&["init", "--github"])).expect(4, &["a symbolic link leads elsewhere"]);
    std::fs::remove_file(sandbox.root().join(".config")).unwrap();
    run(&mut sandbox.command(&["init", "--github"])).expect(4, &["a symbolic link leads elsewhere"]);
    let config = sandbox.root().join(".config");
    std::fs::rename(&config, sandbox.beside().join("config")).unwrap();
    symlink(sandbox.beside().join("config"), &config).unwrap();
    run(&mut sandbox.command(&["lock"])).expect(4, &["genti.lock", "a symbolic link leads elsewhere"]);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    // The configuration and its schema.
    assert_eq!(std::fs::read_dir(sandbox.beside().join("config")).unwrap().count(), 2);
    // The target directory may be anywhere.
    let sandbox = Sandbox::with_tools(finds);
    symlink(&outside, sandbox.root().join("target")).unwrap();
    run(&mut sandbox.command(&["run"])).expect(1, &[]);
    Ok(())
}

/// Other files in a directory called `target/genti`.
pub(crate) fn holds_files_of_others() -> Tried {
    for path in ["mine.txt", "artifacts/mine.txt", "output/mine.txt", "src/main.rs", "state"] {
        let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"true\"]\n");
        let mine = format!("target/genti/{path}");
        sandbox.write(&mine, "mine");
        let before = files(&sandbox.root().join("target/genti"));
        for args in [&["run"][..], &["check"], &["verify"], &["baseline", "init"]] {
            let ended = run(&mut sandbox.command(args));
            ended.expect(2, &["target/genti` was not created by genti: it is a directory with other files"]);
        }
        run(&mut sandbox.command(&["clean"])).expect(4, &["has no CACHEDIR.TAG of genti"]);
        assert!(files(&sandbox.root().join("target/genti")) == before, "{path}");
    }
    let world = World::new();
    for path in ["mine.txt", "artifacts/mine.md", "output/mine", "deep/er/mine"] {
        world.sandbox.write(&format!("target/genti/{path}"), "mine");
    }
    let run = |args: &[&str]| run(&mut world.sandbox.command(args));
    world.run(&[]).expect(0, &[]);
    let ended = run(&["clean"]);
    for left in ["mine.txt", "artifacts/mine.md", "output/mine", "deep"] {
        assert!(ended.err.contains(&format!("kept `target/genti/{left}`")), "{ended}");
    }
    let left: Vec<_> = files(&world.path("target/genti")).into_keys().collect();
    let left: Vec<_> =
        left.iter().filter_map(|path| path.strip_prefix(world.path("target/genti")).ok()).collect();
    let expected = ["CACHEDIR.TAG", "artifacts/mine.md", "deep/er/mine", "lock", "mine.txt", "output/mine"]
        .map(Path::new);
    assert_eq!(left, expected);
    // A directory restored by a CI service is accepted, and the first run marks it.
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"true\"]\n");
    sandbox.write("target/genti/build/debug/x", "");
    sandbox.write("target/genti/cache/results.log", "");
    super::world::run(&mut sandbox.command(&["run"])).expect(0, &[]);
    super::world::run(&mut sandbox.command(&["clean"])).expect(0, &["Removed"]);
    assert!(!sandbox.root().join("target/genti/build").exists());
    // A cache directory with other files is used, but not marked as created by genti.
    let home = sandbox.beside().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("mine"), "mine").unwrap();
    for args in [["run"], ["run"], ["clean"]] {
        super::world::run(sandbox.command(&args).env("GENTI_CACHE_DIR", &home)).expect(0, &[]);
    }
    let left: Vec<_> = files(&home).into_keys().collect();
    assert_eq!(left, ["lock", "mine"].map(|name| home.join(name)));
    Ok(())
}

/// Standard output can't be written.
pub(crate) fn standard_output_is_lost() -> Tried {
    let world = World::new();
    let commands: [&[&str]; 15] = [
        &["report", "--format", "sarif"],
        &["report", "--format", "json"],
        &["report", "--format", "junit"],
        &["report", "--format", "markdown"],
        &["report"],
        &["plan", "--format", "json"],
        &["plan", "--format", "dot"],
        &["plan"],
        &["plan", "--explain", "other"],
        &["tools"],
        &["explain"],
        &["baseline", "list"],
        &["completions", "fish"],
        &["man"],
        &["--help"],
    ];
    // If cargo was started with a closed descriptor, its runtime has opened `/dev/null` instead.
    for (redirection, by_cargo) in
        [(">&-", false), (">&-", true), (">/dev/full", false), ("1</dev/null", false)]
    {
        for args in commands.into_iter().chain([&["run", "--message-format", "json"][..], &["--version"]]) {
            let script = format!("exec \"$@\" {redirection}");
            let mut command = under(&["sh", "-c", &script, "sh"], &world.sandbox.command(args));
            command.env_remove("CARGO");
            if by_cargo {
                command = under(
                    &["sh", "-c", "exec 1<>/dev/null; exec \"$@\"", "sh"],
                    &world.sandbox.command(args),
                );
                command.env("CARGO", env!("CARGO"));
            }
            let ended = run(&mut command);
            let what = format!("{args:?} {redirection} {by_cargo}");
            assert_eq!(ended.code(), Some(4), "{what}: {ended}");
            assert!(ended.err.contains("could not write to standard output"), "{what}: {ended}");
        }
    }
    // Redirecting to /dev/null and closing a pipe early are no errors, and `run` prints nothing to stdout.
    for (script, args) in [
        ("exec \"$@\" >/dev/null", &["plan", "--format", "json"][..]),
        ("exec \"$@\" >&-", &["run"]),
        ("\"$@\" | head -c 1 >/dev/null", &["plan", "--format", "json"]),
    ] {
        let mut command = under(&["sh", "-c", script, "sh"], &world.sandbox.command(args));
        run(&mut command).expect(0, &[]);
    }
    Ok(())
}
