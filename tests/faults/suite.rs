//! The table, and the modules whose tests try its rows.

mod cache;
mod children;
mod clock;
mod disk;
mod inject;
mod inputs;
mod kill;
mod names;
mod output;
mod pool;
mod recursion;
mod signals;
mod special;
#[path = "../engine/support.rs"]
#[expect(dead_code, reason = "shared with the engine's tests, which use more of it")]
mod support;
mod table;
mod together;
mod world;

use std::process::ExitCode;

use self::table::{Row, tests};

/// Runs the tests that the command line asks for, and prints the table.
pub(super) fn main() -> ExitCode {
    table::main(ROWS)
}

const ROWS: &[Row] = &[
    Row {
        fault: "`kill -9` at any write, rename or fsync; a power cut",
        holds: "the next run sweeps what was not put in place",
        tests: tests![
            kill::at_any_moment,
            kill::at_every_write_rename_and_sync,
            kill::leaves_no_tool_behind,
            disk::loses_its_power,
        ],
        later: "",
    },
    Row {
        fault: "Ctrl-C once, twice; TERM; HUP; QUIT; ALRM, USR1, USR2, XCPU",
        holds: "the run ends within 3 s and a little, or at once; artifacts say `interrupted`; exit 130, 143, 129, 131, …",
        tests: tests![signals::once, signals::twice],
        later: "",
    },
    Row {
        fault: "a child ignores SIGTERM; forks while being killed; forks twice with `setsid`; a grandchild holds the pipe",
        holds: "`timed-out` or `leaky`, and none survives",
        tests: tests![
            children::ignores_sigterm,
            children::forks_while_being_killed,
            children::forks_twice_with_setsid,
            children::a_grandchild_holds_the_pipe,
        ],
        later: "",
    },
    Row {
        fault: "`--max-duration` is reached",
        holds: "what has no verdict is `not-run`; artifacts are written; exit 3",
        tests: tests![signals::max_duration],
        later: "",
    },
    Row {
        fault: "the disk is full, takes no file that large, or can't be read",
        holds: "the old artifacts are kept; the report goes to stdout; exit 4. What can't be read gives no verdict: exit 2 or 3. In the cache alone: a notice, and the same verdict",
        tests: tests![
            disk::is_full_at_any_call,
            disk::is_full,
            disk::takes_no_file_that_large,
            disk::baseline_is_not_written,
            disk::can_not_be_read,
            cache::can_not_be_written
        ],
        later: "",
    },
    Row {
        fault: "the target directory is read-only",
        holds: "the report goes to stdout; exit 4",
        tests: tests![disk::is_read_only],
        later: "",
    },
    Row {
        fault: "standard output is closed, can't be written to, or is full",
        holds: "a command that prints there what it was asked for: exit 4",
        tests: tests![disk::standard_output_is_lost],
        later: "",
    },
    Row {
        fault: "a named pipe, a socket or a device in the place of a file that is read",
        holds: "refused at once, with its path: exit 2; in the cache alone, a notice, and everything runs. A report to a pipe that nobody reads: exit 4",
        tests: tests![
            special::of_the_workspace,
            special::of_what_runs_left,
            special::of_what_is_compared_and_written,
        ],
        later: "",
    },
    Row {
        fault: "a directory of the repository or of a run is a link that leads elsewhere; `target/genti` holds files of others",
        holds: "nothing is written or removed there; exit 4 or 2",
        tests: tests![disk::leads_out_of_the_workspace, disk::holds_files_of_others],
        later: "",
    },
    Row {
        fault: "bit flip, truncation, wrong key or newer format in the cache",
        holds: "a miss, found anew; a log of a newer format is left alone",
        tests: tests![cache::is_damaged, cache::is_newer],
        later: "",
    },
    Row {
        fault: "others can write to the cache, or have put it there",
        holds: "a warning; nothing of it is used, and it is written anew",
        tests: tests![cache::can_be_forged],
        later: "",
    },
    Row {
        fault: "a tool or a test calls `cargo genti run` in the same workspace",
        holds: "the call is refused, with the reason: exit 2; in another workspace it runs",
        tests: tests![recursion::in_the_same_workspace, recursion::elsewhere],
        later: "",
    },
    Row {
        fault: "8 runs at once in one workspace",
        holds: "the later ones wait and say so; all are correct",
        tests: tests![together::eight, together::some_are_killed, together::interrupted_while_it_waits],
        later: "",
    },
    Row {
        fault: "a lock file left behind; the artifacts directory is a symbolic link or somebody else's",
        holds: "no wait; refused, exit 2",
        tests: tests![disk::lock_left_behind, disk::is_somebody_elses],
        later: "",
    },
    Row {
        fault: "an input is edited or deleted while a tool reads it; the tool is replaced meanwhile",
        holds: "`input-changed`, not kept; exit 3",
        tests: tests![cache::an_input_changes_meanwhile],
        later: "",
    },
    Row {
        fault: "a tool is missing; can't be started; dies by a signal; is killed for want of memory",
        holds: "`missing` with how to install it, or `crashed` with the signal; the others go on; exit 3",
        tests: tests![
            children::is_missing,
            children::can_not_be_started,
            children::nothing_can_be_started,
            children::dies_by_a_signal,
            children::runs_out_of_memory,
        ],
        later: "",
    },
    Row {
        fault: "exit 0 with truncated JSON; invalid UTF-8; NUL; a line of 1 GB; 10 GB of output",
        holds: "`unparsable`, with the output kept; what is too long takes no more than 64 MB",
        tests: tests![output::is_truncated, output::is_no_text, output::is_endless,],
        later: "",
    },
    Row {
        fault: "file names `-rf`, with newline, ESC, spaces, not UTF-8",
        holds: "passed and reported without loss",
        tests: tests![names::are_odd, names::are_printed_as_they_are, names::steer_no_terminal],
        later: "",
    },
    Row {
        fault: "200,000 files; one argument that is too long",
        holds: "several processes, none with too many arguments; a clear error",
        tests: tests![names::are_very_many, names::one_is_too_long],
        later: "",
    },
    Row {
        fault: "the clock jumps by a year in a run",
        holds: "no negative times",
        tests: tests![clock::jumps_a_year],
        later: "",
    },
    Row {
        fault: "closed or dead descriptors in `MAKEFLAGS`; a child or genti itself dies with tokens",
        holds: "a warning and an own pool; no deadlock; the guard returns the tokens",
        tests: tests![
            pool::descriptors_are_closed,
            pool::descriptors_are_dead,
            pool::is_empty_for_ever,
            pool::a_child_dies_with_tokens,
            pool::genti_is_killed_with_tokens,
            pool::genti_is_killed_below_make,
        ],
        later: "",
    },
    Row {
        fault: "tools that need each other; deep nesting; a corrupt, newer or conflicted baseline",
        holds: "exit 2 with place and cause; the file is left as it is",
        tests: tests![inputs::a_dependency_cycle, inputs::deep_nesting, inputs::a_bad_baseline],
        later: "",
    },
];
