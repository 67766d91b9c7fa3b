//! The named cases and the pairs, run by libtest-mimic; at the end the table.

mod change;
#[path = "../support/dice.rs"]
mod dice;
mod draft;
mod pair;
mod parts;
mod seen;
mod spot;
#[path = "../engine/support.rs"]
#[expect(dead_code, reason = "shared with the engine's tests, which use more of it")]
mod support;
mod table;
mod world;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};

use self::pair::Pair;
use self::table::Table;

/// The seeds of the sample.
const SAMPLE: std::ops::Range<u64> = 0..40;

/// How many pairs `GENTI_TEST=full` makes.
const FULL: u64 = 1_000;

/// Runs what the command line and the environment ask for.
#[expect(clippy::print_stdout, reason = "this is the harness")]
pub(super) fn main() -> ExitCode {
    let args = Arguments::from_args();
    let table = Arc::new(Mutex::new(Table::default()));
    let mut trials = Vec::new();
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let is_full = std::env::var("GENTI_TEST").as_deref() == Ok("full");
    if let Some(seed) = variable("GENTI_SEED").filter(|_| !is_full) {
        trials.push(trial(Pair::of_seed(seed), &table, true));
    } else if is_full {
        let first = variable("GENTI_SEED").unwrap_or_else(random);
        let count = variable("GENTI_PAIRS").unwrap_or(FULL);
        println!("GENTI_SEED={first} GENTI_TEST=full repeats this run");
        trials.extend((first..first + count).map(|seed| trial(Pair::of_seed(seed), &table, false)));
    } else {
        trials.extend(SAMPLE.map(|seed| trial(Pair::of_seed(seed), &table, false)));
    }
    let conclusion = libtest_mimic::run(&args, trials);
    if !args.list {
        println!("{}", table.lock().unwrap().render());
    }
    conclusion.exit_code()
}

fn trial(pair: Pair, table: &Arc<Mutex<Table>>, shows_all: bool) -> Trial {
    let name =
        format!("seed {}: {}: {}: {}", pair.seed, pair.tool.name(), pair.part.name, pair.change.name());
    let table = Arc::clone(table);
    Trial::test(name, move || {
        let outcome = pair.run();
        table.lock().unwrap().add(&pair, &outcome);
        let text = format!("GENTI_SEED={} {}\n{}", pair.seed, pair.describe(), outcome.log);
        if shows_all {
            #[expect(clippy::print_stdout, reason = "this is what was asked for")]
            {
                println!("{text}");
            }
        }
        let wrong: Vec<_> = outcome.wrong.iter().map(|(when, what)| format!("{what:?} {when}")).collect();
        if !wrong.is_empty() {
            return Err(Failed::from(format!("{}\n{text}", wrong.join(", "))));
        }
        if pair.must_make_a_difference() && !outcome.made_a_difference {
            return Err(Failed::from(format!(
                "the change makes no difference: the generator is wrong\n{text}"
            )));
        }
        if !pair.change.matters() && outcome.made_a_difference {
            return Err(Failed::from(format!(
                "the change makes a difference: the generator is wrong\n{text}"
            )));
        }
        Ok(())
    })
}

fn random() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    now.as_micros() as u64 % 1_000_000 * 1_000
}
