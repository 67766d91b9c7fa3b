//! The user, or the clock, ends a run.

use std::time::{Duration, Instant};

use super::table::Tried;
use super::world::{World, finish, kill, start};

const SIGNALS: [(&str, i32); 4] = [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)];
/// What ends a process that does not expect it, and is sent by batch systems before they lose patience.
const OTHERS: [(&str, i32); 4] = [("ALRM", 142), ("USR1", 138), ("USR2", 140), ("XCPU", 152)];
/// What children are given to end by themselves. Who took less was not waited for.
const GRACE: Duration = Duration::from_secs(3);

const OBEDIENT: &str = "echo > ../ready; exec sleep 600";
const DEAF: &str = "trap '' INT TERM HUP QUIT; echo > ../ready; exec sleep 600";

/// Runs a tool that does `script`, sends `signals` once it is there, and gives the time from the last of them to
/// the end.
fn stopped(script: &str, signals: &[&str], code: i32) -> Duration {
    let world = World::new();
    world.tool(script);
    let child = start(&mut world.command(&[]));
    world.wait_for("../ready");
    for (at, signal) in signals.iter().enumerate() {
        if at > 0 {
            // Two at once would be one: a signal that is pending already is not pending twice.
            std::thread::sleep(Duration::from_millis(200));
        }
        kill(signal, &child.id().to_string());
    }
    let since = Instant::now();
    let run = finish(child);
    let took = since.elapsed();
    run.expect(code, &["stopped by"]);
    assert_eq!(world.statuses("t"), ["not-run"; 3], "{run}");
    world.check(&run);
    took
}

pub(crate) fn once() -> Tried {
    in_parallel(SIGNALS, |(signal, code)| {
        let took = stopped(OBEDIENT, &[signal], code);
        assert!(took < GRACE, "SIG{signal}: {took:?}, though every child had ended");
        stopped(DEAF, &[signal], code);
    });
    in_parallel(OTHERS, |(signal, code)| {
        stopped(OBEDIENT, &[signal], code);
    });
    Ok(())
}

pub(crate) fn twice() -> Tried {
    in_parallel(SIGNALS, |(signal, code)| {
        let took = stopped(DEAF, &[signal, signal], code);
        assert!(took < GRACE, "SIG{signal} twice: {took:?}");
    });
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
    let world = World::with("", &["--max-duration", "3s"]);
    for script in ["exec sleep 3600", "trap '' TERM; exec sleep 3600"] {
        world.tool(script);
        let run = world.run(&[]);
        run.expect(3, &["the run reached its --max-duration"]);
        assert_eq!(world.statuses("t"), ["not-run"; 3], "{run}");
        world.check_before_repair(&run);
    }
    let run = world.run(&[]);
    world.check(&run);
    Ok(())
}
