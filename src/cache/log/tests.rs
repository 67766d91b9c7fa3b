use super::*;

fn key(at: usize) -> Digest {
    Digest::of_bytes(&at.to_le_bytes())
}

/// Writes a log with three results, the second of which has replaced another one.
fn store(dir: &Path) {
    let mut results = ResultLog::open(dir, 100).unwrap();
    results.put(key(0), b"zero".to_vec());
    results.put(key(1), b"old".to_vec());
    results.flush().unwrap();
    results.put(key(1), b"one".to_vec());
    results.put(key(2), Vec::new());
    results.flush().unwrap();
}

const STORED: [&[u8]; 3] = [b"zero", b"one", b""];

/// Checks that each result is either as it was added or missing.
fn check_not_wrong(results: &ResultLog, of: &str) {
    for (at, stored) in STORED.iter().enumerate() {
        let found = results.get(&key(at));
        // A replaced result is also valid under its key.
        let is_right = found.is_none_or(|found| found == *stored || (at == 1 && found == b"old"));
        assert!(is_right, "{of}: {at} is {found:?}");
    }
}

#[test]
fn added_results_are_found_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let results = ResultLog::open(dir.path(), 100).unwrap();
    for (at, stored) in STORED.iter().enumerate() {
        assert_eq!(results.get(&key(at)), Some(*stored));
    }
    assert_eq!(results.get(&key(3)), None);
}

/// Tries every previous lookup, with and without replaced entries.
#[test]
fn the_expected_position_is_only_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let mut results = ResultLog::open(dir.path(), 100).unwrap();
    (0..9).for_each(|at| results.put(key(at), vec![at as u8]));
    results.flush().unwrap();
    let check = |replaced: u8| {
        let results = ResultLog::open(dir.path(), 100).unwrap();
        for (first, second) in (0..10).flat_map(|first| (0..10).map(move |second| (first, second))) {
            let mut next = Next::default();
            for at in [first, second] {
                let expected = if at == 3 { replaced } else { at as u8 };
                let found = results.get_next(&key(at), &mut next);
                assert_eq!(found, (at < 9).then_some(&[expected][..]), "{first} and {second}");
            }
        }
    };
    check(3);
    results.put(key(3), vec![33]);
    results.flush().unwrap();
    check(33);
    // Still after a rewrite, which garbage at the end of the log causes.
    let path = dir.path().join(NAME);
    let garbage = [std::fs::read(&path).unwrap(), b"garbage".to_vec()].concat();
    std::fs::write(&path, garbage).unwrap();
    let mut results = ResultLog::open(dir.path(), 100).unwrap();
    results.put(key(9), Vec::new());
    results.flush().unwrap();
    assert_eq!((results.dead, results.is_damaged), (0, false));
    let mut next = Next::default();
    results.get_next(&key(2), &mut next);
    assert_eq!(results.get_next(&key(3), &mut next), Some(&[33][..]));
}

#[test]
fn a_flipped_bit_causes_no_wrong_result_and_the_next_run_repairs_the_log() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let path = dir.path().join(NAME);
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            check_not_wrong(&ResultLog::read(dir.path(), 100, bad), &format!("bit {bit} of byte {at}"));
        }
        // The run that meets the damage computes the result again, and the one after it finds that.
        let mut bad = good.clone();
        bad[at] = !bad[at];
        std::fs::write(&path, bad).unwrap();
        let mut results = ResultLog::open(dir.path(), 100).unwrap();
        if results.is_newer {
            continue;
        }
        let missing: Vec<_> = (0..3).filter(|at| results.get(&key(*at)) != Some(STORED[*at])).collect();
        missing.iter().for_each(|&at| results.put(key(at), STORED[at].to_vec()));
        results.finish().unwrap();
        let results = ResultLog::open(dir.path(), 100).unwrap();
        for at in missing {
            assert_eq!(results.get(&key(at)), Some(STORED[at]), "byte {at}");
        }
    }
}

#[test]
fn a_truncation_causes_no_wrong_result_and_the_next_run_repairs_the_log() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let path = dir.path().join(NAME);
    let good = std::fs::read(&path).unwrap();
    for len in 0..good.len() {
        std::fs::write(&path, &good[..len]).unwrap();
        let mut results = ResultLog::open(dir.path(), 100).unwrap();
        check_not_wrong(&results, &format!("cut at {len}"));
        (0..3).for_each(|at| results.put(key(at), STORED[at].to_vec()));
        results.flush().unwrap();
        let results = ResultLog::open(dir.path(), 100).unwrap();
        (0..3).for_each(|at| assert_eq!(results.get(&key(at)), Some(STORED[at]), "cut at {len}"));
    }
}

#[test]
fn a_log_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    let path = dir.path().join(NAME);
    let mut newer = std::fs::read(&path).unwrap();
    newer[MAGIC.len()] = VERSION as u8 + 1;
    std::fs::write(&path, &newer).unwrap();
    let mut results = ResultLog::open(dir.path(), 100).unwrap();
    assert_eq!(results.get(&key(0)), None);
    results.put(key(0), b"zero".to_vec());
    results.finish().unwrap();
    assert_eq!(results.clean(0).unwrap(), Cleaned::default());
    assert_eq!(std::fs::read(&path).unwrap(), newer);
}

#[test]
fn concurrent_writers_lose_no_results() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let dir = dir.path();
            scope.spawn(move || {
                for round in 0..20 {
                    let mut results = ResultLog::open(dir, 100).unwrap();
                    results.put(key(writer * 100 + round), vec![writer as u8; round]);
                    results.finish().unwrap();
                }
            });
        }
    });
    let results = ResultLog::open(dir.path(), 100).unwrap();
    for (writer, round) in (0..8).flat_map(|writer| (0..20).map(move |round| (writer, round))) {
        assert_eq!(results.get(&key(writer * 100 + round)), Some(&vec![writer as u8; round][..]));
    }
}

#[test]
fn dead_entries_are_removed_once_they_are_most_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5_u8 {
        let mut results = ResultLog::open(dir.path(), 100).unwrap();
        results.put(key(0), vec![round; 1 << 19]);
        results.finish().unwrap();
    }
    let results = ResultLog::open(dir.path(), 100).unwrap();
    assert_eq!(results.get(&key(0)), Some(&vec![4; 1 << 19][..]));
    assert!(results.log.len() < 3 << 19, "{}", results.log.len());
}

#[test]
fn results_that_were_not_used_for_long_are_cleaned() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path());
    // Used again a month later.
    let mut results = ResultLog::open(dir.path(), 130).unwrap();
    assert_eq!(results.get(&key(0)), Some(STORED[0]));
    results.finish().unwrap();
    let mut results = ResultLog::open(dir.path(), 131).unwrap();
    assert_eq!(results.clean(30).unwrap().entries, 2);
    let results = ResultLog::open(dir.path(), 131).unwrap();
    assert_eq!([0, 1, 2].map(|at| results.get(&key(at)).is_some()), [true, false, false]);
}

#[cfg(unix)]
mod trust {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_log_that_other_users_can_write_to_is_ignored_and_rewritten() {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path());
        let path = dir.path().join(NAME);
        assert!(ResultLog::open(dir.path(), 100).unwrap().distrust().is_none());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let mut results = ResultLog::open(dir.path(), 100).unwrap();
        let Some(Notice::CacheIgnored { error, .. }) = results.distrust() else { panic!("it is trusted") };
        assert!(error.contains("other users can write to it"), "{error}");
        assert!((0..3).all(|at| results.get(&key(at)).is_none()));
        results.put(key(7), b"new".to_vec());
        results.finish().unwrap();
        let results = ResultLog::open(dir.path(), 100).unwrap();
        assert!(results.distrust().is_none());
        assert_eq!(results.get(&key(7)), Some(&b"new"[..]));
        assert_eq!(results.get(&key(0)), None, "results that may be forged are gone");
    }

    #[test]
    fn a_log_that_became_writable_for_others_is_not_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path());
        let path = dir.path().join(NAME);
        let mut results = ResultLog::open(dir.path(), 100).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        results.put(key(7), b"new".to_vec());
        results.flush().unwrap();
        let results = ResultLog::open(dir.path(), 100).unwrap();
        assert!(results.distrust().is_none());
        assert_eq!((results.get(&key(7)), results.get(&key(0))), (Some(&b"new"[..]), None));
    }

    #[test]
    fn a_directory_with_other_files_is_used_but_not_tagged() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine"), "mine").unwrap();
        store(dir.path());
        assert!(ResultLog::open(dir.path(), 100).unwrap().get(&key(0)).is_some());
        let removed = crate::store::clean_results(dir.path()).unwrap();
        assert_eq!(removed.files, 1);
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["lock", "mine"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_in_place_of_the_log_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let error = ResultLog::open(dir.path(), 100).unwrap_err().to_string();
        assert!(error.contains("results.log") && error.contains("a named pipe"), "{error}");
    }
}
