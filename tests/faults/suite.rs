//! The table of faults, and the modules with the tests for its rows.

mod beside;
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

/// Runs the tests that the command line selects, and prints the table.
pub(super) fn main() -> ExitCode {
    table::main(ROWS)
}

const ROWS: &[Row] = &[
    Row {
        fault: "`kill -9` at any write, rename or fsync; a power cut",
        holds: "the next run removes unfinished files",
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
        holds: "the run ends after about 3 s, or immediately the second time; artifacts say `interrupted`; exit 130, 143, 129, 131, …",
        tests: tests![signals::once, signals::twice],
        later: "",
    },
    Row {
        fault: "a child ignores SIGTERM; forks while being killed; forks twice with `setsid`; a grandchild holds the pipe",
        holds: "`timed-out` or `leaky`; no process survives",
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
        holds: "tasks without a result are `not-run`; artifacts are written; exit 3",
        tests: tests![signals::max_duration],
        later: "",
    },
    Row {
        fault: "the disk is full, rejects large files, or can't be read",
        holds: "the old artifacts are kept; the report goes to stdout; exit 4. If a file can't be read: exit 2 or 3. If only the cache is affected: a notice, and the same verdict",
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
        holds: "commands that print their result there: exit 4",
        tests: tests![disk::standard_output_is_lost],
        later: "",
    },
    Row {
        fault: "a named pipe, a socket or a device in place of a file",
        holds: "rejected immediately, with its path: exit 2. In the cache: a notice, and everything runs. A report to a pipe that nobody reads: exit 4",
        tests: tests![
            special::of_the_workspace,
            special::of_what_runs_left,
            special::of_what_is_compared_and_written,
        ],
        later: "",
    },
    Row {
        fault: "a directory of the repository or of a run is a link that leads elsewhere; `target/genti` contains other files",
        holds: "nothing is written or removed there; exit 4 or 2",
        tests: tests![disk::leads_out_of_the_workspace, disk::holds_files_of_others],
        later: "",
    },
    Row {
        fault: "bit flip, truncation, wrong key or newer format in the cache",
        holds: "a cache miss; a log in a newer format is not changed",
        tests: tests![cache::is_damaged, cache::is_newer],
        later: "",
    },
    Row {
        fault: "the cache is writable by other users or owned by one",
        holds: "a warning; the cache is ignored and replaced",
        tests: tests![cache::can_be_forged],
        later: "",
    },
    Row {
        fault: "a tool or a test calls `cargo genti run` in the same workspace",
        holds: "the call is rejected with the reason: exit 2. In another workspace it runs",
        tests: tests![recursion::in_the_same_workspace, recursion::elsewhere],
        later: "",
    },
    Row {
        fault: "8 runs at once in one workspace",
        holds: "later runs wait and say so; all are correct",
        tests: tests![together::eight, together::some_are_killed, together::interrupted_while_it_waits],
        later: "",
    },
    Row {
        fault: "a lock file left behind; the artifacts directory is a symbolic link or owned by another user",
        holds: "the lock file does not block; the directory is rejected, exit 2",
        tests: tests![disk::lock_left_behind, disk::is_somebody_elses],
        later: "",
    },
    Row {
        fault: "an input is edited or deleted while a tool reads it; the tool is replaced meanwhile",
        holds: "`input-changed`, not cached; exit 3",
        tests: tests![cache::an_input_changes_meanwhile],
        later: "",
    },
    Row {
        fault: "a tool is missing; can't be started; is killed by a signal; runs out of memory",
        holds: "`missing` with how to install it, or `crashed` with the signal; other tools continue; exit 3",
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
        holds: "`unparsable`, with the output kept; long output needs at most 64 MB of memory",
        tests: tests![output::is_truncated, output::is_no_text, output::is_endless,],
        later: "",
    },
    Row {
        fault: "a generator changes files outside of its outputs, follows links, or is killed",
        holds: "the sources are unchanged; incomplete, with the paths: exit 3",
        tests: tests![beside::a_generator_strays],
        later: "",
    },
    Row {
        fault: "a service exits before it is ready, or while a tool runs",
        holds: "the tools that use it are incomplete: exit 3; others continue; its output is kept",
        tests: tests![beside::a_service_dies],
        later: "",
    },
    Row {
        fault: "file names like `-rf`, with newline, ESC or spaces, not UTF-8",
        holds: "passed to tools and reported correctly",
        tests: tests![names::are_odd, names::are_printed_as_they_are, names::steer_no_terminal],
        later: "",
    },
    Row {
        fault: "200,000 files; an argument that is too long",
        holds: "several processes, each with few enough arguments; a clear error",
        tests: tests![names::are_very_many, names::one_is_too_long],
        later: "",
    },
    Row {
        fault: "the clock jumps by a year during a run",
        holds: "no negative times",
        tests: tests![clock::jumps_a_year],
        later: "",
    },
    Row {
        fault: "closed or dead descriptors in `MAKEFLAGS`; a child or genti itself dies with tokens",
        holds: "a warning, and genti uses its own pool; no deadlock; the guard returns the tokens",
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
        fault: "a dependency cycle between tools; deep nesting; a corrupt, newer or conflicted baseline",
        holds: "exit 2 with place and cause; the file is not changed",
        tests: tests![inputs::a_dependency_cycle, inputs::deep_nesting, inputs::a_bad_baseline],
        later: "",
    },
];
