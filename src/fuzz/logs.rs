//! Fuzz targets for files that genti wrote in an earlier run: damaged, truncated, or written by another program.

use std::path::Path;

use super::{Target, bytes};
use crate::cache::{LastRun, ResultLog};
use crate::model::digest::Digest;
use crate::model::stamp::FileTable;
use crate::pipeline;

/// Log of the result cache. A lookup returns the stored value or nothing.
pub(super) const RESULTS: Target = Target {
    name: "results_log",
    seeds: || vec![ResultLog::log_of(&records()[..1]), ResultLog::log_of(&records())],
    mutate: |dice, input, others| match dice.one_in(3) {
        // A valid log with other entries.
        true => {
            let records = records();
            let some: Vec<_> = (0..dice.below(6)).map(|_| dice.pick(&records).clone()).collect();
            let mut log = ResultLog::log_of(&some);
            log.extend_from_slice(&input[dice.range(input.len())]);
            log
        }
        false => bytes::mutate(dice, input, others),
    },
    check: |input| {
        let mut results = ResultLog::read(Path::new("/nowhere"), 20_000, input.to_vec());
        let mut found = 0;
        for (key, value) in records() {
            if let Some(stored) = results.get(&key) {
                assert!(stored == value, "a key returns another value");
                found += 1;
            }
            assert!(results.get(&key).is_none() || !results.is_damaged(&key));
        }
        let key = Digest::of_bytes(b"another");
        results.put(key, b"new".to_vec());
        assert_eq!(results.get(&key), Some(&b"new"[..]));
        found > 0
    },
};

/// Returns keys and their values.
fn records() -> Vec<(Digest, Vec<u8>)> {
    let key = |at: u8| Digest::of_bytes(&[at]);
    let mut all: Vec<_> =
        pipeline::fuzz::records().into_iter().zip(0..).map(|(value, at)| (key(at), value)).collect();
    all.push((key(100), Vec::new()));
    all
}

/// Cached result with a valid checksum. It is trusted, but must not cause a panic.
pub(super) const RECORD: Target = Target {
    name: "cached_result",
    seeds: pipeline::fuzz::records,
    mutate: bytes::mutate,
    check: pipeline::fuzz::check_record,
};

/// State of the last run. If damaged, it is ignored.
pub(super) const STATE: Target = Target {
    name: "state",
    seeds: || vec![LastRun::sample().to_bytes(), LastRun::default().to_bytes()],
    mutate: |dice, input, others| {
        let out = bytes::mutate(dice, input, others);
        if dice.one_in(4) { out } else { LastRun::with_check(out) }
    },
    check: |input| {
        let Some(state) = LastRun::read(input.to_vec()) else { return false };
        for table in [&state.files, &state.outside] {
            let known: Vec<_> = table.iter().collect();
            let again: FileTable = known.iter().copied().collect();
            assert_eq!(again.iter().count(), known.len());
        }
        true
    },
};
