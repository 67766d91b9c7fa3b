//! Results of processes that ran in a sandbox and were observed (`cache = "sandboxed"`).
//!
//! The key of the result of a test is the content of its program and what it is started with, not the files of its package: observed
//! inputs take the place of declared files (`observed.rs`). So a program that was linked again with the same content is a hit. The
//! key of any other tool includes its declared inputs, and observed ones are added.
//!
//! A program whose sandbox denies something, or that may look at a variable that sandboxed tests don't see, is remembered under a key
//! of its own if it passes without the sandbox. Until it changes, it then runs without it at once.

use std::time::Duration;

use super::inputs::ToolKey;
use super::misses::MissReason;
use super::observed::{Given, NotStored};
use super::record::Discovered;
use super::second_look::{CHECKED, DISTRUSTED, is_pass};
use super::{Next, ResultCache, RunState};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::task::{Exit, Program, TaskIx, Unit};
use crate::normalize::{Normalized, Parsed};
use crate::scan::{Observed, Recalled, StepPiece};

/// Reason why a process runs that has no result under its key.
pub(super) const NOTHING_CACHED: &str = "no cached result for its program, variables and arguments";

/// Treatment of a task of an observed tool, for `cargo genti explain`.
#[derive(Clone, Debug, Default)]
pub(super) struct TestRun {
    /// True if its cached result was used although its program had to be built first.
    pub(super) is_hit: bool,
    /// Reason why it ran; empty if the lookup before the run says that.
    pub(super) why: String,
    /// Reason why its result was not stored.
    pub(super) not_stored: Option<String>,
}

/// A task whose process runs.
#[derive(Clone)]
pub(super) struct RunningTest {
    pub(super) key: Digest,
    /// The test program that it runs, if it does.
    program: Option<Program>,
}

impl RunningTest {
    /// Creates it from the key of its result.
    pub(super) fn new(key: Digest, program: Option<&Program>) -> Self {
        Self { key, program: program.cloned() }
    }
}

impl ResultCache<'_> {
    /// Looks up a task that runs `program`, which this run has built, or had built before. `tool` is the key of its tool.
    pub(super) fn recall_sandboxed(
        &self,
        task: TaskIx,
        tool: &ToolKey,
        program: &Program,
    ) -> Recalled<Normalized> {
        let Some(key) = self.sandboxed_key(task, tool, program) else { return Recalled::Run };
        let state = self.lock();
        let Some(results) = &state.results else { return Recalled::Run };
        let distrust = self.distrust_key(task, self.inputs.outside.digest_now(&program.path).ok().flatten());
        let is_distrusted = results.get(&distrust).is_some();
        let denied = results.get(&outside_key(&key)).map(|why| String::from_utf8_lossy(why).into_owned());
        let bytes = results.get_next(&key, &mut Next::default()).map(<[u8]>::to_vec);
        // The files are looked at without the lock, which other workers need.
        drop(state);
        let result = bytes.map_or(Err(MissReason::NoResult), |bytes| self.decode(task, &bytes));
        let mut state = self.lock();
        if is_distrusted {
            state.tests.insert(task, TestRun { why: DISTRUSTED.to_owned(), ..TestRun::default() });
            return Recalled::Run;
        }
        let run = match (result, denied) {
            (Ok(_), _) if self.is_checked_today(&key) => {
                state.second_looks.insert(task, distrust);
                state.tests.insert(task, TestRun { why: CHECKED.to_owned(), ..TestRun::default() });
                return Recalled::Run;
            }
            (Ok(parsed), _) => {
                state.tests.insert(task, TestRun { is_hit: true, ..TestRun::default() });
                return Recalled::Hit(Box::new(Ok(parsed)));
            }
            (Err(_), Some(denied)) => {
                let why = format!("its result is not cached: {denied}");
                state.tests.insert(task, TestRun { why, ..TestRun::default() });
                return Recalled::Run;
            }
            (Err(MissReason::NoResult), _) => NOTHING_CACHED.to_owned(),
            (Err(reason), _) => reason.describe(),
        };
        state.tests.insert(task, TestRun { why: run, ..TestRun::default() });
        state.programs.insert(task, RunningTest::new(key, Some(program)));
        Recalled::Observe
    }

    /// Decides whether a process over `tasks` is observed. The key of their tool is `tool`, and they run no program of another tool.
    pub(super) fn observe(&self, tasks: &[TaskIx], tool: &ToolKey) -> Recalled<Normalized> {
        let mut running = Vec::new();
        let mut is_observed = true;
        for &task in tasks {
            let Ok(key) = self.inputs.key(tool, task, None) else { return Recalled::Run };
            let distrust = self.distrust_key(task, None);
            let state = self.lock();
            let Some(results) = &state.results else { return Recalled::Run };
            let is_distrusted = results.get(&distrust).is_some();
            let denied = results.get(&outside_key(&key)).map(|why| String::from_utf8_lossy(why).into_owned());
            let bytes = results.get(&key).map(<[u8]>::to_vec);
            drop(state);
            let is_checked = !is_distrusted
                && self.is_checked_today(&key)
                && bytes.is_some_and(|bytes| self.decode(task, &bytes).is_ok());
            is_observed &= !is_distrusted && denied.is_none() && !is_checked;
            let mut state = self.lock();
            if is_checked {
                state.second_looks.insert(task, distrust);
            }
            state.tests.insert(task, TestRun { not_stored: denied, ..TestRun::default() });
            running.push((task, RunningTest::new(key, None)));
        }
        if !is_observed {
            return Recalled::Run;
        }
        self.lock().programs.extend(running);
        Recalled::Observe
    }

    /// Returns the key of a task that runs `program`: everything that is known before it runs.
    fn sandboxed_key(&self, task: TaskIx, tool: &ToolKey, program: &Program) -> Option<Digest> {
        let workspace = self.context.workspace;
        let Unit::TargetRoot(package, target) = self.context.plan.graph.task(task).unit else { return None };
        let package = workspace.package(package);
        let target = package.targets.get(target as usize)?;
        let mut hasher = Hasher::new("genti.sandboxed.1");
        hasher.field("tool", &tool.digest.0);
        hasher.field("package", package.name.as_bytes());
        hasher.field("target", target.name.as_bytes());
        hasher.field("kind", target.kind.as_str().as_bytes());
        hasher.field("root", target.root.as_bytes());
        // The program may have been built again in this run.
        hasher.field("program", &self.inputs.outside.digest_now(&program.path).ok()??.0);
        hasher.field("path", program.path.as_os_str().as_encoded_bytes());
        hasher.field("dir", package.dir.as_bytes());
        for (name, value) in &package.vars {
            hasher.field("variable", name.as_bytes());
            hasher.field("value", value.as_bytes());
        }
        for (name, value) in &program.vars {
            hasher.field("own variable", name.as_bytes());
            hasher.field("value", value.as_bytes());
        }
        for dir in &program.lib_dirs {
            hasher.field("libraries", dir.as_os_str().as_encoded_bytes());
        }
        Some(hasher.finish())
    }

    /// Returns the inputs of a task of `piece`, which had the result `parsed`, with the time until which they count. Records the
    /// reason if there are none.
    pub(super) fn inputs_of_test(
        &self,
        task: TaskIx,
        parsed: &Parsed,
        piece: &StepPiece<Normalized>,
        max_age: Duration,
    ) -> Option<Vec<Discovered>> {
        let running = self.lock().programs.get(&task)?.clone();
        let inputs = match is_pass(piece.raw_exit.map(Exit::Code), parsed) {
            true => self.observed_inputs(&running, piece, max_age),
            false => Err("only passes are".to_owned()),
        };
        let mut state = self.lock();
        if piece.is_outside {
            remember_outside(&mut state, task, piece);
        }
        inputs.map_err(|why| state.tests.entry(task).or_default().not_stored = Some(why)).ok()
    }

    fn observed_inputs(
        &self,
        running: &RunningTest,
        piece: &StepPiece<Normalized>,
        max_age: Duration,
    ) -> Result<Vec<Discovered>, NotStored> {
        let observed = piece.observed.as_ref().ok_or("its sandbox could not be set up")?;
        if piece.is_outside {
            return Err(observed.reason_to_repeat().unwrap_or_default());
        }
        self.inputs_until(
            observed,
            &running.program.as_ref().map(Given::to_test).unwrap_or_default(),
            max_age,
        )
    }

    /// Returns the inputs of a process, to which a build gave the files `given`, and the time until which they count.
    pub(super) fn inputs_until(
        &self,
        observed: &Observed,
        given: &Given,
        max_age: Duration,
    ) -> Result<Vec<Discovered>, NotStored> {
        let mut inputs = self.inputs.observed(observed, given, &self.build_dirs)?;
        let age = i64::try_from(max_age.as_nanos()).unwrap_or(i64::MAX);
        inputs.push(Discovered::Until(self.context.workspace.seen.at.saturating_add(age)));
        Ok(inputs)
    }
}

/// Remembers a program that ran again without its sandbox, if it has passed there.
fn remember_outside(state: &mut RunState, task: TaskIx, piece: &StepPiece<Normalized>) {
    let why = piece.observed.as_ref().and_then(|observed| observed.reason_to_repeat());
    if let (Some(0), Some(why), Some(running), Some(results)) =
        (piece.raw_exit, why, state.programs.get(&task), &mut state.results)
    {
        results.put(outside_key(&running.key), why.into_bytes());
    }
}

/// Returns the key under which it is remembered that a program has to run outside of a sandbox.
pub(super) fn outside_key(key: &Digest) -> Digest {
    let mut hasher = Hasher::new("genti.outside-sandbox.2");
    hasher.field("key", &key.0);
    hasher.finish()
}
