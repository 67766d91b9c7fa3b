//! The table of faults: a row for each fault, with its tests and their result.
//!
//! Does not know how faults are injected.

use std::collections::BTreeMap;
use std::panic::{catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Trial};

/// A fault and what genti guarantees, as in `docs/faults.md`.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) holds: &'static str,
    pub(crate) tests: &'static [Test],
    /// Part of the fault that can't be tested yet, and why.
    pub(crate) later: &'static str,
}

/// A test of a fault.
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Tried,
}

/// Result of a test. A test that can't inject its fault on this machine does not count as passed.
pub(crate) type Tried = Result<(), NotTried>;

/// Reason why a fault could not be injected.
#[derive(Clone, Debug)]
pub(crate) struct NotTried(pub(crate) String);

/// Lists tests by path.
macro_rules! tests {
    ($($test:path),* $(,)?) => {
        &[$($crate::suite::table::Test { name: stringify!($test), run: $test }),*]
    };
}
pub(crate) use tests;

/// Result of a test in the table.
enum Mark {
    Held,
    NotTried(String),
    Failed,
}

type Marks = Arc<Mutex<BTreeMap<&'static str, Mark>>>;

/// Runs the tests that the command line selects, and prints the table.
#[expect(clippy::print_stdout, reason = "this is the harness")]
pub(crate) fn main(rows: &'static [Row]) -> ExitCode {
    let args = Arguments::from_args();
    let marks = Marks::default();
    let tests = rows.iter().flat_map(|row| row.tests);
    let mut trials: Vec<_> = tests.map(|test| trial(test, &marks)).collect();
    trials.push(Trial::test("table", || {
        check_documented(rows);
        Ok(())
    }));
    let conclusion = libtest_mimic::run(&args, trials);
    if !args.list {
        println!("{}", render(rows, &marks.lock().unwrap()));
    }
    conclusion.exit_code()
}

fn trial(test: &'static Test, marks: &Marks) -> Trial {
    let marks = Arc::clone(marks);
    let Test { name, run } = test;
    Trial::ignorable_test(*name, move || {
        let tried = catch_unwind(run);
        let mark = match &tried {
            Ok(Ok(())) => Mark::Held,
            Ok(Err(NotTried(why))) => Mark::NotTried(why.clone()),
            Err(_) => Mark::Failed,
        };
        marks.lock().unwrap().insert(name, mark);
        match tried {
            Ok(Ok(())) => Ok(Completion::Completed),
            Ok(Err(NotTried(why))) => Ok(Completion::ignored_with(why)),
            Err(panic) => resume_unwind(panic),
        }
    })
}

fn render(rows: &[Row], marks: &BTreeMap<&str, Mark>) -> String {
    let mut text = "the faults that must hold\n".to_owned();
    let mut line = |mark: &str, what: &str| text.push_str(&format!("{mark:>12}  {what}\n"));
    for Row { fault, tests, later, .. } in rows {
        let of_row = || tests.iter().map(|test| marks.get(test.name));
        let mark = match () {
            () if of_row().any(|mark| matches!(mark, Some(Mark::Failed))) => "FAILED",
            () if tests.is_empty() => "later",
            () if of_row().all(|mark| matches!(mark, Some(Mark::Held))) => "held",
            () if of_row().any(|mark| matches!(mark, Some(Mark::Held))) => "held in part",
            () if of_row().any(|mark| mark.is_some()) => "NOT TRIED",
            () => "not run",
        };
        line(mark, fault);
        for Test { name, .. } in *tests {
            let mark = match marks.get(name) {
                Some(Mark::Held) => format!("held       {name}"),
                Some(Mark::NotTried(why)) => format!("NOT TRIED  {name}: {why}"),
                Some(Mark::Failed) => format!("FAILED     {name}"),
                None => format!("not run    {name}"),
            };
            line("", &format!("  {mark}"));
        }
        if !later.is_empty() {
            line("", &format!("  later      {later}"));
        }
    }
    text
}

/// Checks that the documentation has the same table, and that each row has a test.
#[expect(clippy::disallowed_methods, reason = "tests read the documentation")]
fn check_documented(rows: &[Row]) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md")).unwrap();
    let table = page.lines().skip_while(|line| *line != "| fault | what happens |").skip(2);
    let documented: Vec<_> = table.take_while(|line| line.starts_with("| ")).collect();
    let tried: Vec<_> =
        rows.iter().map(|Row { fault, holds, .. }| format!("| {fault} | {holds} |")).collect();
    assert_eq!(documented, tried, "docs/faults.md and tests/faults/suite.rs differ");
    for Row { fault, tests, later, .. } in rows {
        assert!(!tests.is_empty() || !later.is_empty(), "no test for: {fault}");
    }
}
