//! Tests of runs that are killed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::inject::Tampered;
use super::support::is_full;
use super::support::process::kill;
use super::table::Tried;
use super::world::{World, finish, start};

/// Kills runs at random times, in two workspaces in parallel.
#[expect(clippy::print_stdout, reason = "the seed is needed to reproduce a failure")]
pub(crate) fn at_any_moment() -> Tried {
    let kills = if is_full() { 10_000 } else { 100 };
    let seed = match std::env::var("FAULTS_SEED") {
        Ok(seed) => seed.parse().expect("FAULTS_SEED is a number"),
        Err(_) => std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
    };
    println!("kill::at_any_moment: FAULTS_SEED={seed}");
    let (next, hit) = (AtomicU64::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut world = World::new();
                let length = (0..3).map(|_| length(&world)).min().unwrap();
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= kills {
                        return;
                    }
                    hit.fetch_add(
                        usize::from(kill_once(&mut world, length, random(seed, nth))),
                        Ordering::Relaxed,
                    );
                }
            });
        }
    });
    println!("kill::at_any_moment: {} of {kills} kills hit a run", hit.load(Ordering::Relaxed));
    Ok(())
}

/// Duration of a run that is not killed.
fn length(world: &World) -> Duration {
    let since = Instant::now();
    world.run(&[]).expect(0, &[]);
    since.elapsed()
}

/// Kills a run or its whole process group at a random time. Returns false if the run had already ended.
fn kill_once(world: &mut World, length: Duration, random: u64) -> bool {
    let child = start(&mut world.command(&[]));
    // The range is a little longer than the run, so that its end is covered as well.
    std::thread::sleep(length.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64 * 1.2));
    let pid = child.id();
    kill("KILL", &if random.is_multiple_of(2) { pid.to_string() } else { format!("-{pid}") });
    let run = finish(child);
    world.check(&run);
    world.flip();
    run.was_killed()
}

/// SplitMix64 generator, so that a seed gives the same kills.
fn random(seed: u64, nth: u64) -> u64 {
    let mut z = seed.wrapping_add(nth.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Kills the run at the first, second, … call of each kind, until it ends by itself.
pub(crate) fn at_every_write_rename_and_sync() -> Tried {
    let mut world = World::new();
    for call in ["write", "/^rename", "fsync", "openat", "flock"] {
        for nth in 1.. {
            let inject = format!("{call}:signal=KILL:when={nth}");
            let Some(run) = Tampered::new(&world.command(&[]), world.sandbox.beside(), &inject)?.run() else {
                assert!(nth > 1, "there is no {call}");
                world.flip();
                break;
            };
            world.check(&run);
            world.flip();
        }
    }
    Ok(())
}

/// The tools of a killed run end with it.
pub(crate) fn leaves_no_tool_behind() -> Tried {
    let world = World::new();
    world.tool("echo > ../ready; exec sleep 600");
    let child = start(&mut world.command(&[]));
    world.wait_for("../ready");
    child.send("KILL");
    world.check(&finish(child));
    Ok(())
}
