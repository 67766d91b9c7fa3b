//! `cargo bench --bench million`: time and peak memory of planning a million tasks, for every order and for each
//! batch policy. `-- TASKS` plans another number of them, `-- TASKS ORDER BATCH` that one combination alone.
//!
//! The peak is that of a process, so each combination has one of its own. Linux only: elsewhere no peak is
//! printed.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark measures and prints")]

mod synthetic;

use std::process::Command;
use std::time::Instant;

use genti::report;

fn main() {
    let args: Vec<_> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let tasks = args.first().map_or(1_000_000, |tasks| tasks.parse().expect("a number of tasks"));
    if let [_, order, batch] = &args[..] {
        return one(tasks, order, batch);
    }
    println!("                                                      resident and peak in MB");
    println!(
        "    tasks  order           batch     batches      plan  before  after   peak    as JSON   peak"
    );
    let program = std::env::current_exe().expect("this program has a path");
    for order in synthetic::ORDERS {
        for batch in ["auto", "16", "by-tool", "by-path"] {
            let order = order.to_string();
            let status = Command::new(&program).args([&tasks.to_string(), &order, batch]).status();
            assert!(status.expect("this program can be started").success());
        }
    }
}

fn one(tasks: usize, order: &str, batch: &str) {
    let workspace = synthetic::workspace(tasks);
    let tools = synthetic::tools();
    let before = memory("VmRSS:");
    let start = Instant::now();
    let plan = synthetic::plan(
        &workspace,
        &tools,
        order.parse().expect("an order"),
        batch.parse().expect("a batch policy"),
    );
    let took = start.elapsed().as_secs_f64();
    let (tasks, batches) = (plan.graph.tasks.len(), plan.batches.len());
    let (after, peak) = (memory("VmRSS:"), memory("VmHWM:"));
    print!("{tasks:9}  {order:14}  {batch:8}  {batches:7}  {took:6.2} s  {before:>6}  {after:>5}  {peak:>5}");
    let start = Instant::now();
    report::plan_json(&workspace, &plan, &mut std::io::sink()).expect("a sink takes everything");
    println!("  {:7.2} s  {:>5}", start.elapsed().as_secs_f64(), memory("VmHWM:"));
}

/// In megabytes, from the kernel's own account of this process.
fn memory(name: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|text| text.trim().parse::<u64>().ok());
    kilobytes.map_or("?".to_owned(), |kilobytes| (kilobytes * 1024 / 1_000_000).to_string())
}
