//! Runs the named cases and the pairs with libtest-mimic, and prints the table at the end.

mod cases;
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

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use self::pair::{Outcome, Pair};
use self::table::Table;

/// Number of pairs in every run.
const SAMPLE: usize = 40;

/// Number of pairs with `GENTI_TEST=full`.
const FULL: u64 = 1_000;

/// Runs what the command line and the environment select.
#[expect(clippy::print_stdout, reason = "a test harness prints its results")]
pub(super) fn main() -> ExitCode {
    let args = Arguments::from_args();
    let table = Arc::new(Mutex::new(Table::default()));
    let mut trials = Vec::new();
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let is_full = support::is_full();
    if let Some(seed) = variable("GENTI_SEED").filter(|_| !is_full) {
        trials.push(trial(Pair::of_seed(seed), &table, Shown::All));
        return run(&args, trials, &table);
    }
    trials.extend(cases::CASES.iter().chain(cases::named::CASES).map(|case| {
        Trial::test(case.name, || {
            (case.run)();
            Ok(())
        })
    }));
    trials.push(Trial::test("the_texts_of_a_part_have_equal_lengths", || {
        parts::check_lengths();
        Ok(())
    }));
    if is_full {
        let first = variable("GENTI_SEED").unwrap_or_else(random);
        let count = variable("GENTI_PAIRS").unwrap_or(FULL);
        println!("GENTI_SEED={first} GENTI_TEST=full repeats this run");
        trials.extend((first..first + count).map(|seed| trial(Pair::of_seed(seed), &table, Shown::Failures)));
    } else {
        trials.extend(Pair::sample(SAMPLE).into_iter().map(|pair| trial(pair, &table, Shown::AtTheEnd)));
    }
    run(&args, trials, &table)
}

#[expect(clippy::print_stdout, reason = "a test harness prints its results")]
fn run(args: &Arguments, trials: Vec<Trial>, table: &Mutex<Table>) -> ExitCode {
    let conclusion = libtest_mimic::run(args, trials);
    if !args.list {
        println!("{}", table.lock().unwrap().render());
    }
    conclusion.exit_code()
}

/// Selects the pairs to print when they are done. Failures are always printed again at the end.
#[derive(Clone, Copy)]
enum Shown {
    All,
    Failures,
    AtTheEnd,
}

fn trial(pair: Pair, table: &Arc<Mutex<Table>>, shown: Shown) -> Trial {
    let name =
        format!("seed {}: {}: {}: {}", pair.seed, pair.tool.name(), pair.part.name, pair.change.name());
    let table = Arc::clone(table);
    Trial::ignorable_test(name, move || {
        if let Some(program) = pair.part.missing_program() {
            return Ok(Completion::ignored_with(format!("{program} is not installed")));
        }
        let outcome = pair.run();
        table.lock().unwrap().add(&pair, &outcome);
        let text = format!("GENTI_SEED={} {}\n{}", pair.seed, pair.describe(), outcome.log);
        let failed = failure(&outcome).map(|what| format!("{what}\n{text}"));
        match (shown, &failed) {
            (Shown::All, None) => show(&text),
            (Shown::All | Shown::Failures, Some(text)) => show(text),
            _ => {}
        }
        failed.map_or(Ok(Completion::Completed), |text| Err(Failed::from(text)))
    })
}

fn failure(outcome: &Outcome) -> Option<String> {
    if let Some(said) = outcome.unexpected.first() {
        return Some(format!("the generator is wrong, because a fresh run reports\n{said}"));
    }
    let wrong: Vec<_> = outcome.wrong.iter().map(|(when, what)| format!("{what:?} {when}")).collect();
    (!wrong.is_empty()).then(|| wrong.join(", "))
}

/// Prints results as they come, for runs over a thousand pairs.
#[expect(clippy::print_stdout, reason = "the user asked for it")]
fn show(text: &str) {
    println!("{text}");
}

fn random() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    now.as_micros() as u64 % 1_000_000 * 1_000
}
