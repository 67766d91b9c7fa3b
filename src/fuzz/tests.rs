//! Runs the fuzz targets without coverage: a fixed number of mutations of each, always the same ones.
//!
//! `GENTI_TEST=full` continues without end, with other mutations in each round, or for `FUZZ_ROUNDS` rounds. A failure
//! says how to reproduce it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::model::testing::is_full;

/// Number of inputs per round.
const ROUND: u64 = 2_000;
/// Maximum number of inputs to keep for further mutations.
const POOL: usize = 100;

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        /// The targets that are tried.
        const TRIED: &[&str] = &[$(stringify!($name)),*];

        mod no_input_breaks {
            $(
                #[test]
                fn $name() {
                    super::hold(super::target(stringify!($name)));
                }
            )*
        }
    };
}

tests![
    rustc_json,
    cargo_build,
    build_scripts,
    libtest,
    nextest,
    rustfmt,
    deny_json,
    audit_json,
    typos_json,
    machete,
    sarif,
    diff,
    regex,
    number,
    lines,
    exit_code,
    golden,
    rules,
    reads,
    depfile,
    makeflags,
    identity,
    config,
    lock,
    mistake,
    baseline,
    baseline_merge,
    results_log,
    cached_result,
    state,
    artifacts,
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn hold(target: Target) {
    let is_full = is_full();
    let seed = number("FUZZ_SEED");
    // With a seed, only one round is repeated.
    let rounds = number("FUZZ_ROUNDS").or((!is_full || seed.is_some()).then_some(1));
    let first = seed.unwrap_or(if is_full { u64::from(std::process::id()) << 32 } else { 0 });
    for at in (0..).take_while(|at| rounds.is_none_or(|rounds| *at < rounds)) {
        round(target, first.wrapping_add(at));
    }
}

/// Tries [`ROUND`] inputs. Fails if the target accepts almost none, because it then only tests the beginning of its
/// input format.
fn round(target: Target, seed: u64) {
    let Target { name, seeds, mutate, check } = target;
    let mut pool = seeds();
    for (at, input) in pool.iter().enumerate() {
        assert!(check(input), "{name} rejects its seed {at}: {}", String::from_utf8_lossy(input));
    }
    let mut accepted = 0;
    for nth in 0..ROUND {
        let mut dice = Dice::new(seed.wrapping_mul(0x0100_0000_01b3) ^ nth);
        let start = dice.pick(&pool).clone();
        let mut input = mutate(&mut dice, &start, &pool);
        input.truncate(LONGEST);
        let Ok(is_accepted) = catch_unwind(AssertUnwindSafe(|| check(&input))) else {
            let path = std::env::temp_dir().join(format!("genti-fuzz-{name}-{seed}-{nth}"));
            let _ = std::fs::write(&path, &input);
            panic!("{name}: input {nth} of FUZZ_SEED={seed}, which is in {}", path.display());
        };
        accepted += u64::from(is_accepted);
        if is_accepted && dice.one_in(8) {
            match pool.len() < POOL {
                true => pool.push(input),
                // Keep the seeds.
                false => {
                    let at = seeds().len().min(POOL - 1);
                    let at = at + dice.below(POOL - at);
                    pool[at] = input;
                }
            }
        }
    }
    assert!(
        accepted >= ROUND / 20,
        "{name} accepts {accepted} of {ROUND} inputs: mutations are too destructive"
    );
}

/// Returns the share of 500 mutations of `target`'s seeds for which `is_deep` holds, in percent.
fn share(target: Target, is_deep: fn(&[u8]) -> bool) -> usize {
    const TRIES: usize = 500;
    let seeds = (target.seeds)();
    let found = (0..TRIES).filter(|nth| {
        let mut dice = Dice::new(*nth as u64);
        let start = dice.pick(&seeds).clone();
        is_deep(&(target.mutate)(&mut dice, &start, &seeds))
    });
    found.count() * 100 / TRIES
}

#[test]
fn most_mutated_conflicts_are_merged_with_changes_from_both_sides() {
    let share = share(baselines::MERGE, baselines::has_changes_on_both_sides);
    assert!(share >= 35, "{share} %");
}

#[test]
fn most_mutated_outputs_of_deny_are_accepted_with_findings() {
    let share = share(target("deny_json"), parsers::deny_has_findings);
    assert!(share >= 40, "{share} %");
}

#[test]
fn every_target_is_tried_and_every_parser_has_one() {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TRIED);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let parsers = Parse::NAMED.iter().map(Parse::as_str).chain(["regex", "number", "golden"]);
    for parser in parsers {
        assert!(names.contains(&&*parser.replace('-', "_")), "{parser}");
    }
}

#[test]
fn every_target_has_a_wrapper_for_cargo_fuzz() {
    let manifest: toml::Table = fixture("tests/fuzz/Cargo.toml").parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap().iter();
    let found: Vec<_> =
        bins.map(|bin| (bin["name"].as_str().unwrap(), bin["path"].as_str().unwrap())).collect();
    assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), TRIED);
    for (name, path) in found {
        let text = fixture(&format!("tests/fuzz/{path}"));
        assert_eq!(text, format!("#![no_main]\n\ngenti_fuzz::fuzz!(\"{name}\");\n"), "{path}");
    }
}

#[test]
fn the_seeds_are_a_corpus() {
    let corpus = std::env::var_os("FUZZ_CORPUS").map(std::path::PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let dir = corpus.unwrap_or_else(|| temporary.path().to_path_buf());
    for target in TARGETS {
        let count = write_seeds(target, &dir.join(target.name)).unwrap();
        assert!(count > 0, "{}", target.name);
    }
}
