//! The user, or the clock, ends a run.

use std::time::{Duration, Instant};

use super::table::Tried;
use super::world::{World, finish, start};

const SIGNALS: [(&str, i32); 4] = [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)];
/// What ends a process that does not expect it, and is sent by batch systems before they lose patience.
const OTHERS: [(&str, i32); 4] = [("ALRM", 142), ("USR1", 138), ("USR2", 140), ("XCPU", 152)];
/// What children are given to end by themselves. A run that took less has not waited for them.
const GRACE: Duration = Duration::from_secs(3);
/// A run that waits for its children takes [`GRACE`] each time. One that does not is faster at least once in so many
/// times, however slow and busy the machine is.
const TIMES: usize = 20;

const OBEDIENT: &str = "echo > ../ready; exec sleep 600";
const DEAF: &str = "trap 'echo > ../heard' INT TERM HUP QUIT; echo > ../ready; while :; do sleep 0.05; done";

/// Runs a tool that does `script`, sends `signals` once it is there, and gives the time from the last of them to
/// the end.
fn stopped(script: &str, signals: &[&str], code: i32) -> Duration {
    let world = World::new();
    world.tool(script);
    let run = start(&mut world.command(&[]));
    world.wait_for("../ready");
    let mut since = Instant::now();
    for (at, signal) in signals.iter().enumerate() {
        if at > 0 {
            // Two at once would be one: a signal that is pending already is not pending twice.
            world.wait_for("../heard");
        }
        since = Instant::now();
        run.send(signal);
    }
    let run = finish(run);
    let took = since.elapsed();
    run.expect(code, &["stopped by"]);
    assert_eq!(world.statuses("t"), ["not-run"; 3], "{run}");
    world.check(&run);
    took
}

/// That such a run ends without waiting for its children.
#[track_caller]
fn ends_at_once(script: &str, signals: &[&str], code: i32) {
    let is_fast = (0..TIMES).any(|_| stopped(script, signals, code) < GRACE);
    assert!(is_fast, "{signals:?}: it waited for its children each time");
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
    // The first one counts.
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
    // Neither ends by itself, so it does not matter how soon the time is over.
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
