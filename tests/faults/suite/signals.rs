//! Tests of runs that are stopped by a signal or a time limit.

use std::time::{Duration, Instant};

use super::table::Tried;
use super::world::{World, finish, start};

const SIGNALS: [(&str, i32); 4] = [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)];
/// Other signals that terminate a process by default. Batch systems send them before a time limit is reached.
const OTHERS: [(&str, i32); 4] = [("ALRM", 142), ("USR1", 138), ("USR2", 140), ("XCPU", 152)];
/// Grace period for children. A run that ended sooner has not waited for them.
const GRACE: Duration = Duration::from_secs(3);
/// Number of attempts. A run that waits for its children takes [`GRACE`] each time. One that does not is faster at least once,
/// even on a slow and busy machine.
const TIMES: usize = 20;

const OBEDIENT: &str = "echo > ../ready; exec sleep 600";
const DEAF: &str = "trap 'echo > ../heard' INT TERM HUP QUIT; echo > ../ready; while :; do sleep 0.05; done";

/// Runs a tool that executes `script`, sends `signals` once it is ready, and returns the time from the last signal to the end.
fn stopped(script: &str, signals: &[&str], code: i32) -> Duration {
    let world = World::new();
    world.tool(script);
    let run = start(&mut world.command(&[]));
    world.wait_for("../ready");
    let mut since = Instant::now();
    for (at, signal) in signals.iter().enumerate() {
        if at > 0 {
            // Wait for the first signal to arrive, because a pending signal is not queued twice.
            world.wait_for("../heard");
        }
        since = Instant::now();
        run.send(signal);
    }
    let run = finish(run);
    let took = since.elapsed();
    run.expect(code, &["interrupted by SIG"]);
    assert_eq!(world.statuses("t"), ["not-run"; 3], "{run}");
    world.check(&run);
    took
}

/// Checks that such a run ends without waiting for its children.
#[track_caller]
fn ends_at_once(script: &str, signals: &[&str], code: i32) {
    let is_fast = (0..TIMES).any(|_| stopped(script, signals, code) < GRACE);
    assert!(is_fast, "{signals:?}: the run waited for its children each time");
}

pub(crate) fn once() -> Tried {
    in_parallel(SIGNALS, |(signal, code)| {
        ends_at_once(OBEDIENT, &[signal], code);
        stopped(DEAF, &[signal], code);
    });
    in_parallel(OTHERS, |(signal, code)| {
        stopped(OBEDIENT, &[signal], code);
    });
    Ok(())
}

pub(crate) fn twice() -> Tried {
    in_parallel(SIGNALS, |(signal, code)| ends_at_once(DEAF, &[signal, signal], code));
    // The exit code is that of the first signal.
    stopped(DEAF, &["TERM", "INT"], 143);
    Ok(())
}

fn in_parallel<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

pub(crate) fn max_duration() -> Tried {
    let world = World::new();
    // Neither tool ends by itself, so the limit may be reached at any time.
    for script in ["exec sleep 3600", "trap '' TERM; exec sleep 3600"] {
        world.tool(script);
        let run = world.run(&["--max-duration", "3s"]);
        run.expect(3, &["the run reached --max-duration"]);
        assert_eq!(world.statuses("t"), ["not-run"; 3], "{run}");
        world.check_before_repair(&run);
    }
    world.check_again();
    Ok(())
}
