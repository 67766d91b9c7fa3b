//! The log that results are kept in, beside an embedded database: `cargo run --release --manifest-path benches/store/Cargo.toml`.
//!
//! 100,000 results of nothing, as a run leaves them that finds nothing: written at once, then opened and asked for one by one,
//! fifteen times by turns. Neither is synced before it is read. The log verifies each result that it is asked for; redb keeps
//! checksums of pages and verifies them after a crash.

use std::path::Path;
use std::time::{Duration, Instant};

use genti::model::digest::Digest;
use genti::cache::{Next, ResultLog};
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

const COUNT: u32 = 100_000;
const ROUNDS: usize = 15;
const RESULT: [u8; 4] = [0; 4];
const TABLE: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("results");

fn main() {
    let keys: Vec<_> = (0..COUNT).map(|at| Digest::of_bytes(&at.to_le_bytes())).collect();
    let dir = tempfile::tempdir().expect("a directory");
    let (log, database) = (dir.path().join("log"), dir.path().join("redb"));
    let size = |path: &Path| path.metadata().expect("a file").len();
    let wrote = [taken(|| write_log(&log, &keys)), taken(|| write_database(&database, &keys))];
    let mut read = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        read[0].push(taken(|| assert_eq!(read_log(&log, &keys), keys.len())));
        read[1].push(taken(|| assert_eq!(read_database(&database, &keys), keys.len())));
    }
    let median = |mut all: Vec<Duration>| {
        all.sort_unstable();
        all[all.len() / 2]
    };
    let sizes = [size(&log.join("results.log")), size(&database)];
    println!("{:6} {:>9} {:>9} {:>10}", "", "write, ms", "read, ms", "bytes");
    for (((name, wrote), read), size) in ["log", "redb"].into_iter().zip(wrote).zip(read).zip(sizes) {
        let [wrote, read] = [wrote, median(read)].map(|time| time.as_secs_f64() * 1000.0);
        println!("{name:6} {wrote:9.1} {read:9.1} {size:10}");
    }
}

fn taken(what: impl FnOnce()) -> Duration {
    let start = Instant::now();
    what();
    start.elapsed()
}

fn write_log(dir: &Path, keys: &[Digest]) {
    let mut results = ResultLog::open(dir, 1).expect("it opens");
    keys.iter().for_each(|key| results.put(*key, RESULT.to_vec()));
    results.finish().expect("it is written");
}

fn read_log(dir: &Path, keys: &[Digest]) -> usize {
    let results = ResultLog::open(dir, 1).expect("it opens");
    let mut next = Next::default();
    keys.iter().filter(|key| results.get_next(key, &mut next).is_some()).count()
}

fn write_database(path: &Path, keys: &[Digest]) {
    let database = Database::create(path).expect("it opens");
    let mut write = database.begin_write().expect("it may be written");
    write.set_durability(Durability::None).expect("it may be lost");
    let mut table = write.open_table(TABLE).expect("a table");
    for key in keys {
        table.insert(&key.0, &RESULT[..]).expect("it is written");
    }
    drop(table);
    write.commit().expect("it is written");
}

fn read_database(path: &Path, keys: &[Digest]) -> usize {
    let database = Database::open(path).expect("it opens");
    let read = database.begin_read().expect("it may be read");
    let table = read.open_table(TABLE).expect("a table");
    keys.iter().filter(|key| table.get(&key.0).is_ok_and(|found| found.is_some())).count()
}
