//! Measures how the time to plan grows from 1,000 to 1,000,000 tasks. Run `cargo bench --bench plan`.

mod synthetic;

use divan::Bencher;
use divan::counter::ItemsCount;
use genti::model::policy::{Batch, Order};

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
