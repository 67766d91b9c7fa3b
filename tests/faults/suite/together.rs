//! Several runs in one workspace.

use super::table::Tried;
use super::world::{HEALTHY, World, finish, kill, start, wait_until};

pub(crate) fn eight() -> Tried {
    let world = World::new();
    let runs: Vec<_> = (0..8).map(|_| start(&mut world.command(&[]))).collect();
    let runs: Vec<_> = runs.into_iter().map(finish).collect();
    for run in &runs {
        run.expect(0, &[]);
    }
    world.check(&runs[0]);
    // They can't but meet while one of them holds the lock, which it does until its tool is told to end.
    world.tool("echo >> ../ready; until test -e ../go; do sleep 0.01; done; exit 0");
    let first = start(&mut world.command(&[]));
    world.wait_for("../ready");
    let others: Vec<_> = (0..7).map(|_| start(&mut world.command(&[]))).collect();
    for other in &others {
        wait_until(|| is_waiting(other.id()), "a run that waits for the lock");
    }
    world.sandbox.write("../go", "");
    world.tool(HEALTHY);
    finish(first).expect(0, &[]);
    for other in others {
        let run = finish(other);
        run.expect(0, &["waiting for another run in this workspace to end"]);
        world.check(&run);
    }
    Ok(())
}

/// Whether this run has said so and sleeps: it holds the lock file open, and no other thread than its first runs.
fn is_waiting(pid: u32) -> bool {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut open = fds.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    open.any(|path| path.ends_with("genti/lock"))
}

pub(crate) fn some_are_killed() -> Tried {
    let world = World::new();
    let runs: Vec<_> = (0..8).map(|_| start(&mut world.command(&[]))).collect();
    // Whoever holds the lock, whoever waits for it.
    for run in runs.iter().step_by(2) {
        kill("KILL", &run.id().to_string());
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
    wait_until(|| is_waiting(other.id()), "a run that waits for the lock");
    kill("INT", &other.id().to_string());
    finish(other).expect(130, &["waiting for another run"]);
    world.sandbox.write("../go", "");
    finish(first).expect(0, &[]);
    world.check_again();
    Ok(())
}
