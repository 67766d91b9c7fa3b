//! Tests of the attempts at a step. No process runs: a [`MemoryRunner`] answers.

use std::time::Instant;

use super::*;
use crate::model::policy::{Batch, BuildDir, Policy, Selection};
use crate::model::task::Output;
use crate::model::testing;
use crate::model::tool::{Arg, Parse, Per};
use crate::plan::{Facts, plan};
use crate::scan::build_dirs::BuildDirs;
use crate::scan::environment::Env;
use crate::scan::executor::{Judge, Judged, Sift};
use crate::scan::outputs::{Outputs, Sieves};
use crate::scan::pool::{Inherited, Pool};
use crate::scan::program::Programs;
use crate::scan::runner::Invocation;
use crate::scan::runner::memory::{Answer, MemoryRunner};
use crate::scan::stop::Stop;

/// Time limit of each task.
const LIMIT: Duration = Duration::from_secs(100);

/// The judge needs every line.
struct Whole;

impl Sift for Whole {
    fn sieves(&self, _: &Step, _: Exit) -> Sieves<'_> {
        Sieves::default()
    }
}

/// The step to run: a tool over `files`, all in one step.
struct Case<'a> {
    files: &'a [&'a str],
    /// Arguments of a second pass.
    second_pass: &'a [&'a str],
    parse: Parse,
    stop: Stop,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self { files: &["a", "b", "c"], second_pass: &[], parse: Parse::Diff, stop: Stop::new().unwrap() }
    }
}

/// Result of a step.
struct Attempted {
    /// For each piece: its files, how it ended, and whether it is of the second pass.
    pieces: Vec<String>,
    invocations: Vec<Invocation>,
    attempts: u32,
    fails: bool,
}

impl Attempted {
    /// Returns the arguments of each invocation.
    fn args(&self) -> Vec<String> {
        let text = |arg: &OsString| arg.to_string_lossy().into_owned();
        let args = |invocation: &Invocation| invocation.args.iter().map(text).collect::<Vec<_>>().join(" ");
        self.invocations.iter().map(args).collect()
    }
}

/// Returns the result of an output without findings.
fn clean(output: &Output) -> Judged<String> {
    Judged {
        result: String::from_utf8_lossy(&output.stdout).into_owned(),
        is_clear: true,
        fails: false,
        is_clean: true,
        is_kept: false,
        programs: Vec::new(),
        outputs: Vec::new(),
        again: false,
        repeat: false,
        is_whole: false,
        failed_tests: Vec::new(),
        tests_run: 0,
    }
}

/// Runs the step, with a judge that finds nothing.
fn run(case: &Case<'_>, answer: &Answer<'_>) -> Attempted {
    run_judged(case, answer, &|_, _, output| Ok(clean(output)))
}

fn run_judged(case: &Case<'_>, answer: &Answer<'_>, judge: &Judge<'_, String>) -> Attempted {
    let Case { files, second_pass, parse, stop } = case;
    let workspace = testing::workspace(&[], files);
    let mut tool = testing::tool("t", parse.clone(), &["t"]);
    tool.per = Per::File;
    tool.run.extend([Arg::Args, Arg::Files]);
    tool.second_pass = second_pass.iter().map(|arg| (*arg).to_owned()).collect();
    let policy = Policy { batch: Batch::ByTool, per_task_timeout: Some(LIMIT), ..Policy::default() };
    let plan = plan(&workspace, vec![tool], Selection::default(), policy, &Facts::default()).unwrap();
    let id = plan.steps().next().unwrap();
    let step = plan.step(id);
    assert_eq!(step.tasks.len(), files.len());
    let mut env = Env::default();
    env.set("CARGO", "/toolchain/bin/cargo");
    let runner = MemoryRunner::new(answer);
    let executor = Executor {
        workspace: &workspace,
        plan: &plan,
        programs: &Programs::new(&env, &workspace.root).unwrap(),
        env: &env,
        runner: &runner,
        pool: &Pool::new(Inherited::none(), &env, 1).unwrap(),
        stop,
        workers: None,
        copies: None,
        parallel: 1,
        fail_fast: false,
        absent_fails: false,
        has_failed: false,
        due: &vec![true; files.len()],
        outputs: &Outputs::new(None),
        build_dirs: BuildDirs::new(BuildDir::Auto, 1, &workspace),
        lock_copies: &Err(String::new()),
        cache_dir: None,
        private_network: false,
        own_program: None,
        ignored_levels: &[],
        cargo_flags: Vec::new(),
        started: Instant::now(),
    };
    let client = Client {
        judge,
        sift: &Whole,
        recall: &|_, _| Recalled::Run,
        wrapped_tests: None,
        admit: &|_| None,
        unmet: &|_| None,
        runs_here: &|_| false,
        record: &|_| {},
    };
    let mut attempt = Attempt {
        executor: &executor,
        runner: &runner,
        id,
        step,
        launcher: &Launcher::new(&executor),
        programs: &[Ok(PathBuf::from("/tools/t"))],
        client: &client,
        pieces: Vec::new(),
        kept: Kept::default(),
        attempts: 0,
        fails: false,
        is_second: false,
        is_retry: false,
        is_observed: false,
        observed: None,
        is_recalled: false,
        unfinished: String::new(),
        emit: &|_| {},
        doing: &|_| {},
    };
    attempt.run(Path::new("/tools/t"), &step.tasks);
    let Attempt { pieces, attempts, fails, .. } = attempt;
    let describe = |StepPiece { tasks, ended, is_second, .. }: &StepPiece<String>| {
        let path = |task: &TaskIx| plan.graph.task(*task).unit.path(&workspace).to_string();
        let again = if *is_second { " again" } else { "" };
        format!("{}{again}: {ended:?}", tasks.iter().map(path).collect::<Vec<_>>().join(" "))
    };
    let pieces = pieces.iter().map(describe).collect();
    Attempted { pieces, invocations: runner.into_invocations(), attempts, fails }
}

#[test]
fn an_invocation_is_complete_as_data() {
    let done = run(&Case::default(), &|_, _| Ok(FinishedProcess::exited(0, "fine", "")));
    assert_eq!(done.pieces, [r#"a b c: Judged("fine")"#]);
    assert!(!done.fails && done.attempts == 1);
    let [Invocation { program, args, vars, dir, declared, wall, timeout }] = &done.invocations[..] else {
        panic!("{:?}", done.invocations)
    };
    assert_eq!((program.as_path(), dir.as_path()), (Path::new("/tools/t"), Path::new("/w/ws")));
    assert_eq!(args, &["a", "b", "c"]);
    // The environment has nothing of this process, since that of the run is empty.
    assert_eq!(vars.get(OsStr::new("LC_ALL")), Some(&OsString::from("C")));
    assert_eq!(vars.get(OsStr::new("PATH")), None);
    assert_eq!(declared.tasks, [TaskIx(0), TaskIx(1), TaskIx(2)]);
    assert_eq!(declared.writes, [Path::new("/w/ws/target/genti/build")]);
    assert_eq!((wall, *timeout), (&None, Some(3 * LIMIT)));
}

#[test]
fn after_a_timeout_each_unit_runs_alone_with_its_own_limit() {
    let done = run(&Case::default(), &|number, invocation| {
        let is_slow = number == 0 || invocation.args == ["b"];
        Ok(if is_slow {
            FinishedProcess::stopped(Ending::TimedOut)
        } else {
            FinishedProcess::exited(0, "", "")
        })
    });
    assert_eq!(done.args(), ["a b c", "a", "b", "c"]);
    assert_eq!(done.pieces, [r#"a: Judged("")"#, r#"b: TimedOut("")"#, r#"c: Judged("")"#]);
    assert_eq!(
        done.invocations.iter().map(|one| one.timeout).collect::<Vec<_>>(),
        [3, 1, 1, 1].map(|n| Some(n * LIMIT))
    );
    assert!(done.fails && done.attempts == 4);
}

#[test]
fn a_test_that_was_running_at_the_time_limit_is_named() {
    let case = Case { files: &["a"], parse: Parse::Libtest, ..Case::default() };
    let stopped = |text: &str| FinishedProcess {
        ending: Ending::TimedOut,
        exit: Exit::Signal(15),
        ..FinishedProcess::exited(0, text, "")
    };
    for (text, expected) in [
        ("running 2 tests\ntest a ... ok\ntest it::hangs ... ", " while running it::hangs"),
        ("running 2 tests\ntest a ... ok\n", "; 1 of 2 tests had finished"),
        ("", ""),
    ] {
        let done = run(&case, &|_, _| Ok(stopped(text)));
        assert_eq!(done.pieces, [format!("a: TimedOut({expected:?})")]);
    }
}

#[test]
fn a_unit_that_times_out_alone_does_not_run_again() {
    let case = Case { files: &["a"], ..Case::default() };
    let done = run(&case, &|_, _| Ok(FinishedProcess::stopped(Ending::TimedOut)));
    assert_eq!((done.args(), done.pieces), (vec!["a".to_owned()], vec![r#"a: TimedOut("")"#.to_owned()]));
}

#[test]
fn a_crash_is_traced_to_its_unit() {
    let done = run(&Case::default(), &|_, invocation| {
        let exit = if invocation.args.contains(&"c".into()) { Exit::Signal(9) } else { Exit::Code(0) };
        Ok(FinishedProcess { exit, ..FinishedProcess::exited(0, "", "") })
    });
    assert_eq!(done.args(), ["a b c", "a", "b", "c"]);
    assert_eq!(done.pieces[2], format!("c: Crashed(\"killed by {}\")", sys::signal_name(9)));
}

#[test]
fn units_whose_result_is_unclear_run_alone() {
    let answer = |_, _: &Invocation| Ok(FinishedProcess::exited(1, "", "not valid"));
    let judge = |_: &Step, tasks: &[TaskIx], output: &Output| {
        Ok(Judged { is_clear: tasks.len() == 1, ..clean(output) })
    };
    let done = run_judged(&Case::default(), &answer, &judge);
    assert_eq!(done.args(), ["a b c", "a", "b", "c"]);
    assert_eq!(done.pieces.len(), 3, "nothing is left of the first process: {:?}", done.pieces);
}

#[test]
fn a_command_line_too_long_for_the_system_is_split_and_loses_no_unit() {
    let case = Case { files: &["a", "b", "c", "d", "e"], ..Case::default() };
    let done = run(&case, &|_, invocation| match invocation.args.len() {
        0..=2 => Ok(FinishedProcess::exited(0, "", "")),
        _ => Err(ErrorKind::ArgumentListTooLong.into()),
    });
    assert_eq!(done.args(), ["a b c d e", "a b", "c d e", "c", "d e"]);
    assert_eq!(done.pieces, [r#"a b: Judged("")"#, r#"c: Judged("")"#, r#"d e: Judged("")"#]);
    assert!(!done.fails);
}

#[test]
fn a_program_that_does_not_start_is_named_as_configured() {
    let case = Case { files: &["a"], ..Case::default() };
    for kind in [ErrorKind::PermissionDenied, ErrorKind::ArgumentListTooLong] {
        let done = run(&case, &|_, _| Err(kind.into()));
        let error = io::Error::from(kind);
        assert_eq!(done.pieces, [format!("a: Crashed(\"could not start `t`: {error}\")")]);
        assert!(done.fails);
    }
}

#[test]
fn a_process_that_replayed_foreign_output_runs_again_and_only_counts_once() {
    let answer = |number, _: &Invocation| {
        Ok(FinishedProcess::exited(0, if number == 0 { "replayed" } else { "real" }, ""))
    };
    let judge = |_: &Step, _: &[TaskIx], output: &Output| {
        Ok(Judged { repeat: output.stdout == b"replayed", ..clean(output) })
    };
    let done = run_judged(&Case::default(), &answer, &judge);
    assert_eq!((done.args(), done.attempts), (vec!["a b c".to_owned(); 2], 2));
    assert_eq!(done.pieces, [r#"a b c: Judged("real")"#]);
}

#[test]
fn a_second_pass_runs_once_with_its_own_arguments() {
    let case = Case { second_pass: &["--all"], ..Case::default() };
    let answer = |_, _: &Invocation| Ok(FinishedProcess::exited(1, "", ""));
    // The second output asks for another pass as well.
    let judge =
        |_: &Step, _: &[TaskIx], output: &Output| Ok(Judged { again: true, fails: true, ..clean(output) });
    let done = run_judged(&case, &answer, &judge);
    assert_eq!(done.args(), ["a b c", "--all a b c"]);
    assert_eq!(done.pieces, [r#"a b c: Judged("")"#, r#"a b c again: Judged("")"#]);
    assert!(done.fails);
}

#[test]
fn output_that_a_leaked_process_may_have_cut_is_judged_only_if_it_is_whole() {
    let answer =
        |_, _: &Invocation| Ok(FinishedProcess { leaky: true, ..FinishedProcess::exited(0, "x", "") });
    for (is_whole, expected) in [(true, r#"a b c: Judged("x")"#), (false, "a b c: Leaky")] {
        let judge = |_: &Step, _: &[TaskIx], output: &Output| Ok(Judged { is_whole, ..clean(output) });
        let done = run_judged(&Case::default(), &answer, &judge);
        assert_eq!((done.pieces, done.fails), (vec![expected.to_owned()], !is_whole));
    }
}

#[test]
fn output_that_is_too_long_is_not_judged() {
    let case = Case { files: &["a"], ..Case::default() };
    let long = "x".repeat(2 << 20);
    let judge = |_: &Step, _: &[TaskIx], _: &Output| panic!("it was judged");
    let done = run_judged(&case, &|_, _| Ok(FinishedProcess::exited(0, &long, "")), &judge);
    assert!(done.pieces[0].starts_with("a: Truncated(Disk("), "{:?}", done.pieces);
}

#[test]
fn a_component_that_rustup_does_not_have_is_missing_and_not_a_crash() {
    let stderr = "error: 'cargo-t' is not installed for the toolchain 'stable'\n";
    let done = run(&Case::default(), &|_, _| Ok(FinishedProcess::exited(1, "", stderr)));
    assert_eq!(done.args().len(), 1, "running each unit alone would not help");
    assert!(done.pieces[0].starts_with("a b c: Missing(") && done.fails, "{:?}", done.pieces);
}

#[test]
fn a_stopped_run_starts_nothing_more() {
    let case = Case::default();
    let done = run(&case, &|_, _| {
        case.stop.stop(StopReason::Signal(2));
        Ok(FinishedProcess::stopped(Ending::Stopped(StopReason::Signal(2))))
    });
    assert_eq!(done.pieces, ["a b c: Stopped(Signal(2))"]);
    assert!(done.args().len() == 1 && !done.fails);
    // A step that is about to start when the run is stopped.
    let done = run(&case, &|_, _| panic!("it was started"));
    assert_eq!(done.pieces, ["a b c: Stopped(Signal(2))"]);
}

#[test]
fn a_judge_that_gave_up_has_no_result() {
    let answer = |_, _: &Invocation| Ok(FinishedProcess::exited(0, "", ""));
    let done = run_judged(&Case::default(), &answer, &|_, _, _| Err(Halted));
    assert_eq!(done.pieces, ["a b c: Stopped(Bug)"]);
}
