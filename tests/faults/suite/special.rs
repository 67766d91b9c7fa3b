//! Tests of named pipes, sockets and devices in place of files.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::support::Sandbox;
use super::table::Tried;
use super::world::{World, run};

/// Replaces `path` by something else, runs `check`, and restores `path`.
#[track_caller]
fn with(path: &Path, put: impl Fn(&Path), check: impl FnOnce()) {
    let aside = path.with_file_name("aside-of-the-test");
    let was_there = path.symlink_metadata().is_ok();
    if was_there {
        std::fs::rename(path, &aside).unwrap();
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    put(path);
    check();
    std::fs::remove_file(path).unwrap();
    if was_there {
        std::fs::rename(&aside, path).unwrap();
    }
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn link_to_pipe(path: &Path) {
    let elsewhere = tempfile::tempdir().unwrap().keep().join("pipe");
    pipe(&elsewhere);
    symlink(elsewhere, path).unwrap();
}

fn socket(path: &Path) {
    // Bind in a short path, because paths of sockets are limited. The file stays a socket after the listener is gone.
    let dir = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(dir.path().join("s")).unwrap());
    std::fs::rename(dir.path().join("s"), path).unwrap();
}

fn device(path: &Path) {
    symlink("/dev/zero", path).unwrap();
}

/// A kind of special file: the function that creates it, and its name in messages.
type Special = (fn(&Path), &'static str);

const KINDS: [Special; 4] =
    [(pipe, "a named pipe"), (link_to_pipe, "a named pipe"), (socket, "a socket"), (device, "a device")];

/// Checks that each of these commands rejects special files at `path`.
#[track_caller]
fn refused(sandbox: &Sandbox, path: &str, commands: &[&str]) {
    let place = sandbox.root().join(path);
    for (put, what) in KINDS {
        with(&place, put, || {
            for command in commands {
                let args: Vec<_> = command.split(' ').collect();
                let run = run(&mut sandbox.command(&args));
                run.expect(2, &[path, &format!("expected a regular file, found {what}")]);
            }
        });
    }
}

pub(crate) fn of_the_workspace() -> Tried {
    let world = World::new();
    let sandbox = &world.sandbox;
    sandbox.commit_all();
    run(&mut sandbox.command(&["lock"])).expect(0, &[]);
    for path in ["genti.toml", ".config/genti.toml", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"] {
        refused(sandbox, path, &["run", "check", "plan"]);
    }
    for path in ["genti.lock", ".gitignore", "many/.gitignore", "many/CACHEDIR.TAG", "rust-toolchain.toml"] {
        refused(sandbox, path, &["run", "plan --since HEAD"]);
    }
    refused(sandbox, ".config/genti/baseline/t.jsonl", &["run", "check", "baseline list"]);
    refused(sandbox, "src/lib.rs", &["plan"]);
    refused(sandbox, "other.toml", &["run --config-file other.toml"]);
    refused(sandbox, "other/Cargo.toml", &["plan --manifest-path other/Cargo.toml"]);
    world.run(&[]).expect(0, &[]);
    Ok(())
}

pub(crate) fn of_what_runs_left() -> Tried {
    let world = World::new();
    let sandbox = &world.sandbox;
    for name in ["run.json", "report.json", "tasks.jsonl"] {
        let path = format!("target/genti/artifacts/{name}");
        refused(sandbox, &path, &["report", "check --artifacts target/genti/artifacts"]);
    }
    refused(
        sandbox,
        "target/genti/artifacts/report.json",
        &["baseline diff target/genti/artifacts .config/genti/baseline"],
    );
    refused(sandbox, "target/genti/explain.json", &["explain"]);
    // Files that a run writes anyway replace a pipe.
    for name in ["run.json", "report.json", "tasks.jsonl"] {
        pipe_in_place(&world, &format!("target/genti/artifacts/{name}"), 0, &[]);
    }
    let path = "target/genti/state";
    pipe_in_place(&world, path, 0, &[path, "expected a regular file, found a named pipe"]);
    let path = "target/genti/cache/results.log";
    pipe_in_place(&world, path, 0, &["result cache disabled", path, "a named pipe"]);
    let path = "target/genti/cache/CACHEDIR.TAG";
    pipe_in_place(&world, path, 0, &["result cache disabled", path, "a named pipe"]);
    pipe_in_place(
        &world,
        "target/genti/lock",
        2,
        &["target/genti/lock` was not created by genti: it is not a regular file"],
    );
    let run = |args: &[&str]| run(&mut sandbox.command(args));
    with(&world.path("target/genti/CACHEDIR.TAG"), pipe, || {
        assert_ne!(run(&["run"]).code(), Some(0));
        run(&["run"]).expect(4, &["target/genti/CACHEDIR.TAG", "a named pipe"]);
        run(&["clean"]).expect(4, &["nothing was removed"]);
    });
    world.check_again();
    Ok(())
}

/// Runs with a pipe at `path`, and again without it.
#[track_caller]
fn pipe_in_place(world: &World, path: &str, code: i32, says: &[&str]) {
    let place = world.path(path);
    let _ = std::fs::remove_file(&place);
    pipe(&place);
    world.run(&[]).expect(code, says);
    let _ = std::fs::remove_file(&place);
    world.check_again();
}

/// Tests special files as golden files and as outputs of reports.
pub(crate) fn of_what_is_compared_and_written() -> Tried {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"echo\", \"hi\"]\ncompare = \"golden\"\n");
    run(&mut sandbox.command(&["run", "--bless"])).expect(0, &[]);
    for (put, what) in KINDS {
        with(&sandbox.root().join(".config/genti/golden/t.out"), put, || {
            let ended = run(&mut sandbox.command(&["run"]));
            ended.expect(3, &["could not read the golden file"]);
            // A link that leads out of the directory for golden files is rejected first.
            let said =
                ended.err.contains(what) || ended.err.contains("it is a symbolic link to another place");
            assert!(said, "{ended}");
        });
    }
    pipe(&sandbox.root().join("nobody"));
    for args in [&["run", "--report", "sarif=nobody"][..], &["report", "--format", "sarif", "-o", "nobody"]] {
        run(&mut sandbox.command(args)).expect(4, &["nobody", "no process reads from this pipe"]);
    }
    let mut command = sandbox.command(&["run"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "nobody");
    run(&mut command).expect(4, &["no process reads from this pipe"]);
    Ok(())
}
