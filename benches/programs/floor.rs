//! Lower bound for `spawn.py` (the floor): runs PROGRAM COUNT times, two processes at a time, and captures their output.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

fn main() {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().and_then(|count| count.parse().ok()).expect("COUNT");
    let program = args.next().expect("PROGRAM");
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let output = Command::new(&program).arg("file").output().expect("PROGRAM can be started");
                    assert!(output.status.success());
                }
            });
        }
    });
}
