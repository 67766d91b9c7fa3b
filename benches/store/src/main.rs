//! Compares the result cache with redb, an embedded database.
//!
//! Run `cargo run --release --manifest-path benches/store/Cargo.toml`. Both stores get 100,000 empty results, as a run without
//! findings writes them. All are written at once. Then, in 15 rounds, each store is opened and all results are read one by one.
//! Neither store is synced before it is read. The log verifies each result that it returns; redb has checksums of pages and
//! verifies them after a crash.

use std::path::Path;
use std::time::{Duration, Instant};

use genti::cache::{Next, ResultLog};
use genti::model::digest::Digest;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

const COUNT: u32 = 100_000;
const ROUNDS: usize = 15;
const RESULT: [u8; 4] = [0; 4];
const TABLE: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("results");

fn main() {
    let keys: Vec<_> = (0..COUNT).map(|at| Digest::of_bytes(&at.to_le_bytes())).collect();
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let (log, database) = (dir.path().join("log"), dir.path().join("redb"));
    let size = |path: &Path| path.metadata().expect("the file exists").len();
    let wrote = [time(|| write_log(&log, &keys)), time(|| write_database(&database, &keys))];
    let mut read = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        read[0].push(time(|| assert_eq!(read_log(&log, &keys), keys.len())));
        read[1].push(time(|| assert_eq!(read_database(&database, &keys), keys.len())));
    }
    let median = |mut all: Vec<Duration>| {
        all.sort_unstable();
        all[all.len() / 2]
    };
    let sizes = [size(&log.join("results.log")), size(&database)];
    println!("{:6} {:>9} {:>9} {:>10}", "", "write, ms", "read, ms", "bytes");
    for (((name, wrote), read), size) in ["log", "redb"].into_iter().zip(wrote).zip(read).zip(sizes) {
        let [wrote, read] = [wrote, median(read)].map(|duration| duration.as_secs_f64() * 1000.0);
        println!("{name:6} {wrote:9.1} {read:9.1} {size:10}");
    }
}

fn time(action: impl FnOnce()) -> Duration {
    let start = Instant::now();
    action();
    start.elapsed()
}

fn write_log(dir: &Path, keys: &[Digest]) {
    let mut results = ResultLog::open(dir, 1).expect("the store can be opened");
    keys.iter().for_each(|key| results.put(*key, RESULT.to_vec()));
    results.finish().expect("the store can be written");
}

fn read_log(dir: &Path, keys: &[Digest]) -> usize {
    let results = ResultLog::open(dir, 1).expect("the store can be opened");
    let mut next = Next::default();
    keys.iter().filter(|key| results.get_next(key, &mut next).is_some()).count()
}

fn write_database(path: &Path, keys: &[Digest]) {
    let database = Database::create(path).expect("the store can be opened");
    let mut write = database.begin_write().expect("a write transaction can begin");
    write.set_durability(Durability::None).expect("durability can be disabled");
    let mut table = write.open_table(TABLE).expect("the table can be opened");
    for key in keys {
        table.insert(&key.0, &RESULT[..]).expect("the store can be written");
    }
    drop(table);
    write.commit().expect("the store can be written");
}

fn read_database(path: &Path, keys: &[Digest]) -> usize {
    let database = Database::open(path).expect("the store can be opened");
    let read = database.begin_read().expect("a read transaction can begin");
    let table = read.open_table(TABLE).expect("the table can be opened");
    keys.iter().filter(|key| table.get(&key.0).is_ok_and(|found| found.is_some())).count()
}
