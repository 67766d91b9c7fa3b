//! Tests of several runs in one workspace.

use super::support::process::wait_until;
use super::table::Tried;
use super::world::{HEALTHY, World, finish, start};

/// Message of a run that waits for another one.
const WAITS: &str = "waiting for another run in this workspace";

pub(crate) fn eight() -> Tried {
    let world = World::new();
    let runs: Vec<_> = (0..8).map(|_| start(&mut world.command(&[]))).collect();
    let runs: Vec<_> = runs.into_iter().map(finish).collect();
    for run in &runs {
        run.expect(0, &[]);
    }
    world.check(&runs[0]);
    // The first run holds the lock until its tool may end, so the others certainly have to wait.
    world.tool(&format!("echo >> ../ready; until test -e ../go; do sleep 0.01; done; {HEALTHY}"));
    let first = start(&mut world.command(&[]));
    world.wait_for("../ready");
    let others: Vec<_> = (0..7).map(|_| start(&mut world.command(&[]))).collect();
    for other in &others {
        wait_until(WAITS, || other.says(WAITS));
    }
    world.sandbox.write("../go", "");
    finish(first).expect(0, &[]);
    // `check` replaces the tool, so wait until all runs have ended.
    let others: Vec<_> = others.into_iter().map(finish).collect();
    for run in &others {
        run.expect(0, &[]);
    }
    others.iter().for_each(|run| world.check(run));
    Ok(())
}

pub(crate) fn some_are_killed() -> Tried {
    let world = World::new();
    let runs: Vec<_> = (0..8).map(|_| start(&mut world.command(&[]))).collect();
    // Kill runs that hold the lock and runs that wait for it.
    for run in runs.iter().step_by(2) {
        run.send("KILL");
    }
    for (at, run) in runs.into_iter().map(finish).enumerate() {
        assert!(run.was_killed() || run.code() == Some(0), "{run}");
        assert!(at % 2 == 0 || run.code() == Some(0), "{run}");
    }
    world.check(&world.run(&[]));
    Ok(())
}

pub(crate) fn interrupted_while_it_waits() -> Tried {
    let world = World::new();
    world.tool("echo >> ../ready; until test -e ../go; do sleep 0.01; done; exit 0");
    let first = start(&mut world.command(&[]));
    world.wait_for("../ready");
    let other = start(&mut world.command(&[]));
    wait_until(WAITS, || other.says(WAITS));
    other.send("INT");
    finish(other).expect(130, &[]);
    world.sandbox.write("../go", "");
    finish(first).expect(0, &[]);
    world.check_again();
    Ok(())
}
