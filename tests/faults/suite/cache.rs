//! Tests of the result cache: damaged, newer, not writable, or forged; and results that must not be cached.

use super::inject::{Tampered, fail_open};
use super::support::Sandbox;
use super::table::Tried;
use super::world::{Run, run};

const LOG: &str = "target/genti/cache/results.log";

/// Creates a workspace with a tool that reports bad lines in three files and logs the files that it checks.
fn workspace() -> Sandbox {
    let sandbox = Sandbox::with_tools(
        "[tools.t]\nrun = [\"sh\", \"t.sh\", \"{files}\"]\nper = \"file\"\nfiles = [\"many/*\"]\n\
         parse = { regex = \"^(?<path>.+?):(?<line>\\\\d+): (?<message>.*)$\" }\n",
    );
    sandbox.write(
        "t.sh",
        "for f; do echo $f >> ../log; awk '/bad/ {print FILENAME \":\" FNR \": \" $0}' $f; done\n",
    );
    for (name, text) in [("a", "bad a\n"), ("b", "fine\n"), ("c", "bad c\n")] {
        sandbox.write(&format!("many/{name}"), text);
    }
    sandbox
}

fn genti(sandbox: &Sandbox) -> Run {
    let mut command = sandbox.command(&["run"]);
    run(command.env("SOURCE_DATE_EPOCH", "0").env_remove("LD_LIBRARY_PATH"))
}

fn artifacts(sandbox: &Sandbox) -> [Vec<u8>; 3] {
    ["run.json", "report.json", "tasks.jsonl"].map(|name| sandbox.artifact(name))
}

/// Number of files that the tool has checked so far.
fn looks(sandbox: &Sandbox) -> usize {
    std::fs::read_to_string(sandbox.beside().join("log")).unwrap().lines().count()
}

pub(crate) fn is_damaged() -> Tried {
    let sandbox = workspace();
    genti(&sandbox).expect(1, &[]);
    let (whole, log) = (artifacts(&sandbox), sandbox.root().join(LOG));
    let good = std::fs::read(&log).unwrap();
    for at in (0..good.len()).step_by(13) {
        let mut flipped = good.clone();
        flipped[at] ^= 0x40;
        for bad in [&flipped, &good[..at].to_vec()] {
            std::fs::write(&log, bad).unwrap();
            // The first run recomputes the lost results and repairs the log.
            genti(&sandbox).expect(1, &[]);
            assert!(artifacts(&sandbox) == whole, "byte {at}");
            let before = looks(&sandbox);
            genti(&sandbox).expect(1, &[]);
            assert!(artifacts(&sandbox) == whole && looks(&sandbox) == before, "byte {at}, the next run");
        }
    }
    Ok(())
}

pub(crate) fn is_newer() -> Tried {
    let sandbox = workspace();
    genti(&sandbox).expect(1, &[]);
    let (whole, log) = (artifacts(&sandbox), sandbox.root().join(LOG));
    let mut newer = std::fs::read(&log).unwrap();
    // The version is behind the eight bytes of the magic number.
    newer[8] += 1;
    std::fs::write(&log, &newer).unwrap();
    genti(&sandbox).expect(1, &[]);
    assert!(artifacts(&sandbox) == whole && std::fs::read(&log).unwrap() == newer);
    assert_eq!(looks(&sandbox), 6, "there were no cache hits");
    Ok(())
}

pub(crate) fn can_not_be_written() -> Tried {
    let sandbox = workspace();
    genti(&sandbox).expect(1, &[]);
    let (whole, log) = (artifacts(&sandbox), sandbox.root().join(LOG));
    let kept = std::fs::read(&log).unwrap();
    // The disk is full, or the log can be opened for reading but not for writing.
    for is_full in [true, false] {
        sandbox.write("many/b", "fine, too\n");
        let mut command = sandbox.command(&["run"]);
        command.env("SOURCE_DATE_EPOCH", "0").env_remove("LD_LIBRARY_PATH");
        let run = match is_full {
            true => {
                let inject = "write:error=ENOSPC:when=1";
                Tampered::of_file(&log, &command, sandbox.beside(), inject)?.run()
            }
            false => fail_open(&command, &log, 2, sandbox.beside())?,
        };
        let run = run.expect("it is written");
        run.expect(1, &["could not write to the result cache"]);
        assert!(std::fs::read(&log).unwrap() == kept, "{run}");
        sandbox.write("many/b", "fine\n");
        genti(&sandbox).expect(1, &[]);
        assert!(artifacts(&sandbox) == whole, "{run}");
    }
    Ok(())
}

pub(crate) fn an_input_changes_meanwhile() -> Tried {
    for change in ["echo more >> many/b", "rm many/c", "echo : >> t.sh"] {
        let sandbox = workspace();
        let script = std::fs::read_to_string(sandbox.root().join("t.sh")).unwrap();
        sandbox.write("t.sh", &format!("{script}test -e ../done && exit 0\n: > ../done\n{change}\n"));
        genti(&sandbox).expect(3, &["changed during the run"]);
        let tasks = sandbox.lines("task");
        assert!(tasks.iter().any(|line| line["status"] == "input-changed"), "{change}");
        genti(&sandbox).expect(1, &[]);
        let known = artifacts(&sandbox);
        let mut cold = sandbox.command(&["run", "--no-cache"]);
        run(cold.env("SOURCE_DATE_EPOCH", "0")).expect(1, &[]);
        assert!(artifacts(&sandbox) == known, "{change}: no wrong result was cached");
    }
    Ok(())
}

/// Files that other users own or can write to are not read, except if the whole directory belongs to the same other user.
pub(crate) fn can_be_forged() -> Tried {
    use std::os::unix::fs::{PermissionsExt, chown};
    let sandbox = workspace();
    genti(&sandbox).expect(1, &[]);
    let (whole, log) = (artifacts(&sandbox), sandbox.root().join(LOG));
    let own = std::fs::metadata(&log).unwrap();
    assert_eq!(own.permissions().mode() & 0o022, 0);
    let set_mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut expected = looks(&sandbox);
    let mut refused = |why: &str| {
        genti(&sandbox).expect(1, &["ignored `", "results.log`", why, "it will be replaced"]);
        expected += 3;
        assert_eq!(looks(&sandbox), expected, "there were no cache hits");
        assert!(artifacts(&sandbox) == whole);
        let run = genti(&sandbox);
        assert!(!run.err.contains("ignored `") && looks(&sandbox) == expected, "{run}");
    };
    for mode in [0o666, 0o664, 0o646] {
        set_mode(&log, mode);
        refused("other users can write to it");
    }
    // The same holds for the file table.
    let state = sandbox.root().join("target/genti/state");
    set_mode(&state, 0o666);
    genti(&sandbox).expect(1, &["target/genti/state`: other users can write to it"]);
    let run = genti(&sandbox);
    assert!(!run.err.contains("ignored `"), "{run}");
    let somebody = Some(65534);
    chown(&log, somebody, None).map_err(|error| super::table::NotTried(format!("chown: {error}")))?;
    refused("it is owned by another user (uid 65534)");
    // A cache restored in a container, where the directory belongs to the same user.
    for path in [log.as_path(), log.parent().unwrap()] {
        chown(path, somebody, None).unwrap();
    }
    let run = genti(&sandbox);
    assert!(!run.err.contains("not used") && looks(&sandbox) == expected, "{run}");
    Ok(())
}
