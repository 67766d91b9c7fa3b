use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use super::*;
use crate::model::policy::{BuildDir, Policy, Selection};
use crate::model::testing;
use crate::model::tool::{Arg, Parse, Per, Piece};
use crate::plan::{RiskFacts, plan};
use crate::scan::Inherited;

/// Runs `script` over each of `files` files, a step for each.
fn run<R: Send + 'static>(
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
        plan(&workspace, vec![tool], Selection::default(), Policy::default(), &RiskFacts::default()).unwrap();
    assert_eq!(plan.steps().count(), files);
    let env = Env::capture();
    let executor = Executor {
        workspace: &workspace,
        plan: &plan,
        programs: &Programs::new(&env, &workspace.root).unwrap(),
        env: &env,
        pool: &Pool::new(Inherited::none(), &env, parallel).unwrap(),
        stop: &Stop::new().unwrap(),
        parallel,
        fail_fast: false,
        outputs: &Outputs::new(None),
        build_dirs: BuildDirs::new(BuildDir::Auto, 1, &workspace),
        cargo_flags: Vec::new(),
        started: Instant::now(),
    };
    executor.run(judge, progress).unwrap()
}

#[test]
#[should_panic(expected = "a bug in the judge")]
fn a_panic_of_a_worker_ends_the_run() {
    run::<()>("true", 1, 1, &|_, _, _| panic!("a bug in the judge"), &mut |_| {});
}

/// How many steps have started and are not judged.
#[derive(Default)]
struct Waiting {
    now: Mutex<usize>,
    changed: Condvar,
}

impl Waiting {
    fn add(&self) {
        *self.now.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    /// Whether there are more than `bound`, now or before long.
    fn exceeds(&self, bound: usize) -> bool {
        let patience = Duration::from_millis(300);
        let now = self.now.lock().unwrap();
        let (now, _) = self.changed.wait_timeout_while(now, patience, |now| *now <= bound).unwrap();
        *now > bound
    }
}

#[test]
fn nothing_is_started_while_as_many_outputs_as_workers_wait_to_be_judged() {
    for parallel in [1, 3] {
        let (waiting, judged) = (Waiting::default(), AtomicUsize::new(0));
        let judge = |_: &Step, _: &[TaskIx], output: &Output| {
            assert_eq!(output.stdout.len(), 500_000);
            // The first one is slow: what can start meanwhile does.
            if judged.fetch_add(1, Ordering::SeqCst) == 0 {
                assert!(!waiting.exceeds(parallel), "{parallel} workers, and more outputs wait");
            }
            *waiting.now.lock().unwrap() -= 1;
            Judged { result: (), is_clear: true, fails: false, is_kept: false }
        };
        let mut most = 0;
        run("head -c 500000 /dev/zero", 12, parallel, &judge, &mut |event| {
            if let Event::Started(_) = event {
                waiting.add();
                most = most.max(*waiting.now.lock().unwrap());
            }
        });
        assert_eq!(judged.into_inner(), 12);
        assert!((1..=parallel).contains(&most), "{most} at once");
    }
}
