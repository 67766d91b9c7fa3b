use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::*;
use crate::model::policy::{BuildDir, Policy, Selection};
use crate::model::testing;
use crate::model::tool::{Arg, Parse, Per, Piece};
use crate::plan::{Facts, plan};
use crate::scan::Inherited;
use crate::scan::build_dirs::BuildDirs;
use crate::scan::environment::Env;
use crate::scan::outputs::Outputs;
use crate::scan::process::LocalRunner;
use crate::scan::program::Programs;

/// The judge needs every line.
struct Whole;

impl Sift for Whole {
    fn sieves(&self, _: &Step, _: Exit) -> Sieves<'_> {
        Sieves::default()
    }
}

/// Runs `script` once for each of `files` files, each in a step of its own.
fn run<R: Send>(
    script: &str,
    files: usize,
    parallel: usize,
    judge: &Judge<'_, R>,
    progress: &mut dyn FnMut(Event<'_>),
) -> Runs<R> {
    let names: Vec<_> = (0..files).map(|at| format!("f{at}")).collect();
    let mut workspace = testing::workspace(&[], &names.iter().map(String::as_str).collect::<Vec<_>>());
    workspace.root = std::env::temp_dir();
    let mut tool = testing::tool("t", Parse::ExitCode, &["sh", "-c", script]);
    tool.per = Per::File;
    tool.run.push(Arg::Text(vec![Piece::File]));
    let plan =
        plan(&workspace, vec![tool], Selection::default(), Policy::default(), &Facts::default()).unwrap();
    assert_eq!(plan.steps().count(), files);
    let env = Env::capture();
    let stop = &Stop::new().unwrap();
    let executor = Executor {
        workspace: &workspace,
        plan: &plan,
        programs: &Programs::new(&env, &workspace.root).unwrap(),
        env: &env,
        pool: &Pool::new(Inherited::none(), &env, parallel).unwrap(),
        runner: &LocalRunner::new(stop, None),
        stop,
        workers: None,
        copies: None,
        parallel,
        fail_fast: false,
        absent_fails: false,
        has_failed: false,
        due: &vec![true; files],
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
    executor.run(&client, progress).unwrap()
}

#[test]
#[should_panic(expected = "a bug in the judge")]
fn a_panic_in_a_worker_ends_the_run() {
    run::<()>("true", 1, 1, &|_, _, _| panic!("a bug in the judge"), &mut |_| {});
}

#[test]
fn no_more_outputs_wait_to_be_judged_than_there_are_workers() {
    for parallel in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let started = || std::fs::read_dir(dir.path()).unwrap().count();
        let judged = AtomicUsize::new(0);
        let judge = |_: &Step, _: &[TaskIx], output: &Output| {
            assert_eq!(output.stdout.len(), 500_000);
            if judged.fetch_add(1, Ordering::SeqCst) == 0 {
                // While the first output is being judged, other steps may start.
                let since = Instant::now();
                while since.elapsed() < Duration::from_millis(300) {
                    let (started, judged) = (started(), judged.load(Ordering::SeqCst));
                    assert!(started < judged + parallel, "{judged} of {started} judged, {parallel} workers");
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            Ok(Judged {
                result: (),
                is_clear: true,
                fails: false,
                is_clean: true,
                is_kept: false,
                programs: Vec::new(),
                outputs: Vec::new(),
                again: false,
                repeat: false,
                is_whole: true,
                failed_tests: Vec::new(),
                tests_run: 0,
            })
        };
        let script = format!(": > '{}'/${{0##*/}}; head -c 500000 /dev/zero", dir.path().display());
        run(&script, 12, parallel, &judge, &mut |_| {});
        assert_eq!((judged.load(Ordering::SeqCst), started()), (12, 12));
    }
}

#[test]
#[should_panic(expected = "a bug in the progress callback")]
fn a_panic_in_the_progress_callback_ends_the_run() {
    let judge = |_: &Step, _: &[TaskIx], _: &Output| unreachable!("nothing ends by itself");
    run::<()>("exec sleep 600", 1, 1, &judge, &mut |_| panic!("a bug in the progress callback"));
}
