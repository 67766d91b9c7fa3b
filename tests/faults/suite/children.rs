//! Tests of tools that do not end when they should, leave processes behind, or never start.

use std::collections::BTreeSet;
use std::path::Path;

use super::inject::{Cgroup, needs};
use super::support::process::under;
use super::table::Tried;
use super::world::{World, run};

/// Long enough for a healthy tool on a slow and busy machine. Each run with a hanging tool takes this long.
const TIMEOUT: &str = "5s";

/// Runs a tool that executes `script` for one of three files. Only this file must have no result.
#[track_caller]
fn check(script: &str, status: &str, says: &[&str]) -> World {
    let world = World::new();
    world.fault(script);
    let run = world.run(&["--per-task-timeout", TIMEOUT]);
    run.expect(3, says);
    assert!(
        run.err.contains("Incomplete t") && run.err.contains("many/a: "),
        "the tool and the file are not named\n{run}"
    );
    assert_eq!(world.status().0, status, "{run}");
    world.check(&run);
    world
}

pub(crate) fn ignores_sigterm() -> Tried {
    check("trap '' TERM; exec sleep 600", "timed-out", &["timed out after"]);
    Ok(())
}

pub(crate) fn forks_while_being_killed() -> Tried {
    // On SIGTERM, the tool starts more processes, which ignore the signal.
    check(
        "trap 'for n in 1 2 3; do sh -c \"trap \\\"\\\" TERM; sleep 600\" & done' TERM; while :; do sleep 0.1; done",
        "timed-out",
        &[],
    );
    // A chain of short processes, each of which starts the next one.
    check(
        "echo 'trap \"\" TERM; sleep 0.01; sh ../chain & ' > ../chain; sh ../chain & exec sleep 600",
        "timed-out",
        &[],
    );
    Ok(())
}

pub(crate) fn a_grandchild_holds_the_pipe() -> Tried {
    check("sleep 600 & echo hi; exit 0", "leaky", &[]);
    Ok(())
}

pub(crate) fn forks_twice_with_setsid() -> Tried {
    needs(&["setsid", "true"])?;
    // The process leaves the process group, with and without the pipe. The tool waits until it has left.
    let daemon = "(setsid sh -c 'echo > ../out; sleep 600; echo' REDIRECT &); until test -e ../out; do sleep 0.01; done";
    let (with, without) = (daemon.replace("REDIRECT", ""), daemon.replace("REDIRECT", "> /dev/null 2>&1"));
    check(&format!("{with}; exit 0"), "leaky", &[]);
    check(&format!("{with}; exec sleep 600"), "timed-out", &[]);
    let world = World::new();
    world.fault(&without);
    let run = world.run(&[]);
    run.expect(0, &[]);
    world.check(&run);
    Ok(())
}

pub(crate) fn is_missing() -> Tried {
    let config =
        "[tools.gone]\nrun = [\"genti-no-such-tool\"]\ninstall = \"apt install gone\"\nrequired = false\n";
    let world = World::with(config, &[]);
    let run = world.run(&[]);
    run.expect(0, &["`genti-no-such-tool` is not installed; install it with `apt install gone`"]);
    world.check(&run);
    let world = World::new();
    world.sandbox.edit("genti.toml", "run = [\"true\"]", "run = [\"genti-no-such-tool\"]");
    let run = world.run(&[]);
    run.expect(3, &["other", "`genti-no-such-tool` is not installed"]);
    assert_eq!(world.statuses("other"), ["missing"]);
    assert_eq!(world.statuses("t"), ["findings"; 3], "other tools continue");
    Ok(())
}

pub(crate) fn can_not_be_started() -> Tried {
    for (program, mode, why) in
        [("", "755", "Exec format error"), ("#!/no/such/shell\n", "755", "No such file")]
    {
        let world = World::new();
        world.sandbox.edit("genti.toml", "run = [\"true\"]", "run = [\"./ci/tool\"]");
        world.sandbox.write("ci/tool", program);
        chmod(mode, &world.path("ci/tool"));
        let run = world.run(&[]);
        run.expect(3, &["could not start `./ci/tool`", why]);
        assert_eq!(world.statuses("other"), ["crashed"]);
        assert_eq!(world.statuses("t"), ["findings"; 3], "other tools continue");
    }
    Ok(())
}

fn chmod(mode: &str, path: &Path) {
    let status = std::process::Command::new("chmod").arg(mode).arg(path).status();
    assert!(status.unwrap().success());
}

/// Limits the number of processes to 1, 2, … until the run succeeds.
pub(crate) fn nothing_can_be_started() -> Tried {
    let mut world = World::new();
    let mut codes = BTreeSet::new();
    for limit in 1..100 {
        let group = Cgroup::new("pids", &limit.to_string())?;
        let script = format!("echo $$ > {} || exit 1; exec \"$@\"", group.procs());
        let run = run(&mut under(&["sh", "-c", &script, "sh"], &world.command(&[])));
        codes.extend(run.code());
        world.check(&run);
        world.flip();
        if run.code() == Some(0) {
            break;
        }
        assert!(matches!(run.code(), Some(2 | 3)), "{limit} processes: {run}");
        assert!(run.err.contains("Resource temporarily unavailable"), "{limit} processes: {run}");
    }
    assert_eq!(codes, BTreeSet::from([0, 2, 3]), "too few before the run, too few in the run, enough");
    Ok(())
}

pub(crate) fn dies_by_a_signal() -> Tried {
    for signal in ["SEGV", "ABRT", "KILL", "TERM"] {
        let says = format!("killed by SIG{signal}");
        check(&format!("kill -s {signal} $$"), "crashed", &[&says]);
        // Output before the crash is not a result.
        check(
            &format!("awk '{{print FILENAME \":1: \" $0}}' \"$@\"; kill -s {signal} $$"),
            "crashed",
            &[&says],
        );
    }
    Ok(())
}

pub(crate) fn runs_out_of_memory() -> Tried {
    let group = Cgroup::new("memory", "20000000")?;
    let eater = "awk 'BEGIN { s = \"x\"; while (1) s = s s }'";
    check(&format!("echo $$ > {} || exit 1; exec {eater}", group.procs()), "crashed", &["killed by SIGKILL"]);
    Ok(())
}
