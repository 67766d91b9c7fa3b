//! Measures how the time to plan grows from 1,000 to 1,000,000 tasks, and from 1 to 20 variants of 1,000 packages. Run
//! `cargo bench --bench plan`.

mod synthetic;

use divan::Bencher;
use divan::counter::ItemsCount;
use genti::model::policy::{Batch, Order};
use genti::plan::config::{self, Config, ConfigFile, Place};

const TASKS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

fn main() {
    divan::main();
}

#[divan::bench(consts = TASKS, args = synthetic::ORDERS, sample_count = 5, sample_size = 1)]
fn auto<const N: usize>(bencher: Bencher<'_, '_>, order: Order) {
    measure(bencher, N, order, Batch::Auto);
}

#[divan::bench(consts = TASKS, args = synthetic::ORDERS, sample_count = 5, sample_size = 1)]
fn by_path<const N: usize>(bencher: Bencher<'_, '_>, order: Order) {
    measure(bencher, N, order, Batch::ByPath);
}

fn measure(bencher: Bencher<'_, '_>, tasks: usize, order: Order, batch: Batch) {
    let (workspace, tools) = (synthetic::workspace(tasks), synthetic::tools());
    bencher.counter(ItemsCount::new(tasks)).bench_local(|| synthetic::plan(&workspace, &tools, order, batch));
}

/// Linters and tests of 1,000 packages with 250 files each, in this number of variants.
#[divan::bench(args = [1, 5, 20], sample_count = 5, sample_size = 1)]
fn variants(bencher: Bencher<'_, '_>, count: usize) {
    let (workspace, config) = (synthetic::workspace(1_000_000), configuration(count));
    let plan = || synthetic::plan(&workspace, &config.planned(&workspace), Order::Deterministic, Batch::Auto);
    bencher.counter(ItemsCount::new(plan().graph.tasks.len())).bench_local(plan);
}

/// Returns a configuration in which linters and tests run in `count` variants.
fn configuration(count: usize) -> Config {
    let names: Vec<_> = (0..count).map(|at| format!("v{at}")).collect();
    let tables =
        names.iter().map(|name| format!("[variants.{name}]\nenv = {{ RUSTFLAGS = \"--cfg {name}\" }}\n"));
    let tools = ["check", "clippy", "test"].map(|name| format!("[tools.{name}]\nvariants = {names:?}\n"));
    let text: String = tables.chain(tools).collect();
    let file = ConfigFile { name: "genti.toml".into(), text: text.into(), place: Place::File };
    config::load(&[file], None).expect("the configuration is valid")
}
