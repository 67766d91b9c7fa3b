//! Disks that are full, read-only, somebody else's, or lose their power.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::inject::{Mounts, Tampered, needs};
use super::support::Sandbox;
use super::table::{NotTried, Tried};
use super::world::{Run, World, files, run, under};

/// That the artifacts could not be written, and the user has the report nevertheless.
#[track_caller]
fn check_not_written(world: &World, run: &Run, says: &[&str]) {
    run.expect(4, says);
    run.expect(4, &["error: could not ", "target/genti", "the report is on stdout"]);
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
            // What else there is: nothing could be read, or nothing could be started.
            assert!(matches!(code, Some(0 | 2..=4)), "{inject}: {run}");
            assert!(code == Some(0) || run.err.contains("error"), "{inject}: {run}");
            world.check(&run);
            world.flip();
        }
    }
    Ok(())
}

/// A file of the sources, each time that it is read.
pub(crate) fn can_not_be_read() -> Tried {
    let mut world = World::new();
    let mut codes = Vec::new();
    for nth in 1.. {
        let inject = format!("openat:error=EIO:when={nth}");
        let mut command = world.command(&[]);
        // Calls are counted for each thread: let there be one that reads.
        command.env("RAYON_NUM_THREADS", "1");
        let file = world.path("many/a");
        let tampered = Tampered::of_file(&file, &command, world.sandbox.beside(), &inject);
        let Some(run) = tampered?.run() else { break };
        if run.code() != Some(0) {
            let path = file.to_str().unwrap();
            assert!(run.err.contains(&format!("could not read `{path}`: Input/output error")), "{run}");
        }
        codes.extend(run.code());
        world.check(&run);
        world.flip();
    }
    // When it is hashed, when a finding in it is looked up, when that is shown.
    assert!(codes.starts_with(&[2, 3, 0]), "{codes:?}");
    Ok(())
}

/// Each file of a baseline is there, or it is not.
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
                Some(4) => ended.expect(4, &["could not write `", "wholly old or wholly new"]),
                code => assert!(matches!(code, None | Some(3)), "{what} {nth}: {ended}"),
            }
            found
                .keys()
                .filter(|path| !unfinished(path))
                .for_each(|path| std::fs::remove_file(path).unwrap());
            run(&mut init()).expect(0, &[]);
            assert!(files(&dir) == all, "{what} {nth}: a re-run after {ended}");
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
    check_not_written(&world, &run, &["No space left on device", "what was there before is untouched"]);
    std::fs::remove_file(filler).unwrap();
    world.check(&run);
    Ok(())
}

pub(crate) fn takes_no_file_that_large() -> Tried {
    needs(&["prlimit", "--fsize=1000000", "true"])?;
    let world = World::new();
    // With files of so many bytes at most: too few for one of the artifacts, for all of them.
    for limit in [0, 100, 1000] {
        let limit = format!("--fsize={limit}");
        let run = run(&mut under(&["prlimit", &limit], &world.command(&[])));
        check_not_written(&world, &run, &["File too large", "what was there before is untouched"]);
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

/// A file system in a file. Killed with the run, and copied before the system writes back what it still holds in
/// memory, it is what a power cut would have left.
pub(crate) fn loses_its_power() -> Tried {
    needs(&["mkfs.ext4", "-V"])?;
    let images = tempfile::tempdir().unwrap();
    let [image, copy, at] = ["image", "copy", "at"].map(|name| images.path().join(name));
    std::fs::create_dir(&at).unwrap();
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let mkfs = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).output().unwrap();
    assert!(mkfs.status.success(), "{mkfs:?}");
    // Nothing of ext4's own that helps those who forget to sync.
    let mount =
        |image: &Path| format!("mount -o loop,data=writeback,noauto_da_alloc '{}' \"$1\"", image.display());
    let mut world = World::mounted(&mount(&image))?;
    for call in ["write", "fsync", "/^rename"] {
        for nth in 1.. {
            // What was there before is there to stay.
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
    // What no process holds is no lock, whatever it says and however old it is.
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
        run.expect(2, &[&format!("{path}` is {what}"), "remove it or point CARGO_TARGET_DIR elsewhere"]);
        world.check_survivors();
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
    // An artifact that is a link is replaced, and not followed.
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
        refused(path, "another user's");
        chown(&at, Some(ours), None).unwrap();
    }
    world.check(&world.run(&[]));
    Ok(())
}
