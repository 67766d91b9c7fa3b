//! Results of tests that cargo or cargo-nextest starts (`[tools.doctest] cache = "sandboxed"`).
//!
//! Both build first, so the unit here is one process that they start: a rustdoc for the doc tests of a crate, or a test program,
//! for one test if cargo-nextest starts it. Its key is what it is started with: arguments, variables and directory. All files that
//! it looks at are observed inputs, including its program and the libraries of the build by their content. A hit is what it printed
//! when all of its tests passed, and the output of the tool is read as if that had just been printed.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::misses::MissReason;
use super::observed::Given;
use super::record::StoredResult;
use super::sandboxed::{NOTHING_CACHED, TestRun, outside_key};
use super::second_look::{CHECKED, DISTRUSTED};
use super::{ResultCache, RunState};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::task::TaskIx;
use crate::model::tool::Caching;
use crate::scan::{Env, Observed, Printed, RecalledTests, WrappedId, WrappedTestCache, WrappedTests};
use crate::workspace;

/// Treatment of the tests of one process.
#[derive(Clone, Debug)]
pub(super) struct WrappedRun {
    pub(super) task: TaskIx,
    /// Name of the tests.
    pub(super) name: String,
    pub(super) run: TestRun,
    /// Key of their result; `None` if it can't be cached.
    key: Option<Digest>,
    /// Time before their process was started, if it is observed.
    since: Option<i64>,
    /// True if their cached result is checked again.
    is_checked: bool,
}

/// A result of tests that waits for the end of its step.
pub(super) struct PassedTests {
    pub(super) task: TaskIx,
    pub(super) key: Digest,
    pub(super) result: StoredResult,
}

impl WrappedTestCache for ResultCache<'_> {
    fn look_up(&self, task: TaskIx, tests: &WrappedTests) -> (WrappedId, RecalledTests) {
        let (key, recalled) = match self.wrapped_key(task, tests) {
            Ok(key) => (Some(key), self.recall_wrapped(task, &key, tests)),
            Err(why) => (None, Err(WrappedMiss { why, ..WrappedMiss::default() })),
        };
        let mut run = WrappedRun {
            task,
            name: name_of(tests),
            run: TestRun::default(),
            key,
            since: None,
            is_checked: false,
        };
        let answer = match recalled {
            Ok(printed) => {
                run.run.is_hit = true;
                RecalledTests::Hit(printed)
            }
            Err(WrappedMiss { why, is_observed, is_checked }) => {
                run.since = if is_observed { self.clock() } else { None };
                run.is_checked = is_checked;
                run.run.why = why;
                if run.since.is_some() { RecalledTests::Observe } else { RecalledTests::Run }
            }
        };
        let mut state = self.lock();
        state.wrapped_tests.push(run);
        (WrappedId(state.wrapped_tests.len() - 1), answer)
    }

    fn observed(&self, id: WrappedId, tests: &WrappedTests, observed: &Observed, printed: Option<Printed>) {
        let Some(run) = self.lock().wrapped_tests.get(id.0).cloned() else { return };
        let result = match printed {
            Some(printed) => self.passed(&run, tests, observed, printed),
            None => Err("only passes are".to_owned()),
        };
        let mut state = self.lock();
        match result {
            Ok(passed) => state.passed_tests.push(passed),
            Err(why) => {
                state.wrapped_tests.get_mut(id.0).into_iter().for_each(|run| {
                    run.run.not_stored = Some(why.clone());
                });
            }
        }
    }

    fn ran_outside(&self, id: WrappedId, tests: &WrappedTests, why: Option<&str>, has_passed: bool) {
        let run = self.lock().wrapped_tests.get(id.0).and_then(|run| Some((run.task, run.key?)));
        let marks = run.map(|(task, key)| self.marks(task, &key, tests));
        let mut state = self.lock();
        let RunState { wrapped_tests, results, second_looks, .. } = &mut *state;
        let (Some(run), Some(results)) = (wrapped_tests.get_mut(id.0), results) else { return };
        run.run.not_stored = why.map(str::to_owned);
        let Some(Marks { outside, distrusted }) = marks else { return };
        match (why, has_passed) {
            (Some(why), true) => results.put(outside, why.as_bytes().to_vec()),
            (_, false) if run.is_checked => {
                results.put(distrusted, b"wrong".to_vec());
                second_looks.insert(run.task, distrusted);
            }
            _ => {}
        }
    }

    fn not_wrapped(&self, task: TaskIx, why: &str) {
        let run = TestRun { why: format!("its tests can't be observed: {why}"), ..TestRun::default() };
        self.lock().tests.insert(task, run);
    }
}

/// Keys under which something is remembered about tests.
struct Marks {
    /// They have to run outside of a sandbox.
    outside: Digest,
    /// A cached result of them was wrong.
    distrusted: Digest,
}

/// Reason why tests run, and how.
#[derive(Default)]
struct WrappedMiss {
    why: String,
    is_observed: bool,
    is_checked: bool,
}

impl ResultCache<'_> {
    /// Returns what the process with this `key` printed when its tests passed, if nothing that they depend on has changed.
    fn recall_wrapped(
        &self,
        task: TaskIx,
        key: &Digest,
        tests: &WrappedTests,
    ) -> Result<Printed, WrappedMiss> {
        let outside = |why: String| WrappedMiss { why, ..WrappedMiss::default() };
        let observed = |why: String| WrappedMiss { why, is_observed: true, is_checked: false };
        let marks = self.marks(task, key, tests);
        let state = self.lock();
        let Some(results) = &state.results else { return Err(outside(MissReason::Off.describe())) };
        if results.get(&marks.distrusted).is_some() {
            return Err(outside(DISTRUSTED.to_owned()));
        }
        let denied = results.get(&marks.outside).map(|why| String::from_utf8_lossy(why).into_owned());
        let bytes = results.get(key).map(<[u8]>::to_vec);
        // The files are looked at without the lock, which other workers need.
        drop(state);
        let result = bytes.map_or(Err(MissReason::NoResult), |bytes| self.usable(task, &bytes));
        match (result.map(|result| result.printed), denied) {
            (Ok(Some(_)), _) if self.is_checked_today(key) => {
                Err(WrappedMiss { is_checked: true, ..outside(CHECKED.to_owned()) })
            }
            (Ok(Some(printed)), _) => Ok(printed),
            (_, Some(denied)) => Err(outside(format!("its result is not cached: {denied}"))),
            (Ok(None) | Err(MissReason::NoResult), None) => Err(observed(NOTHING_CACHED.to_owned())),
            (Err(reason), None) => Err(observed(reason.describe())),
        }
    }

    /// Returns the key of `tests`: everything that is known before they run.
    ///
    /// # Errors
    ///
    /// If that is not everything, with the reason.
    fn wrapped_key(&self, task: TaskIx, tests: &WrappedTests) -> Result<Digest, String> {
        let graph = &self.context.plan.graph;
        let tool = graph.task(task).tool;
        let key = self.keys[tool.0 as usize].as_ref().map_err(Clone::clone)?;
        let tool = graph.tool(tool);
        if tool.lock().is_some() {
            return Err("it runs in a copy of the repository".to_owned());
        }
        if tests.args.iter().any(|arg| arg.as_encoded_bytes().starts_with(b"@")) {
            return Err("its arguments are in a file".to_owned());
        }
        let attempt = tests.vars.get(OsStr::new("NEXTEST_ATTEMPT"));
        if attempt.is_some_and(|attempt| attempt != "1") {
            return Err("it is run again".to_owned());
        }
        let mut hasher = Hasher::new("genti.wrapped-tests.1");
        hasher.field("tool", &key.digest.0);
        hasher.field("program", tests.program.as_encoded_bytes());
        hasher.field("dir", tests.dir.as_encoded_bytes());
        tests.args.iter().for_each(|arg| hasher.field("argument", arg.as_encoded_bytes()));
        let withheld = self.inputs.env.withheld(tool);
        for (name, value) in &tests.vars {
            let is_withheld = name.to_str().is_some_and(|name| withheld.contains(name));
            if !is_withheld && !Env::is_incidental(tool, name) {
                hasher.field("variable", name.as_encoded_bytes());
                hasher.field("value", value.as_encoded_bytes());
            }
        }
        Ok(hasher.finish())
    }

    /// Returns the marks of the tests with this `key`. They hold until what the tests consist of changes: the test program, or
    /// the package with the doc tests.
    fn marks(&self, task: TaskIx, key: &Digest, tests: &WrappedTests) -> Marks {
        let graph = &self.context.plan.graph;
        let own = match graph.tool(graph.task(task).tool).runs_rustdoc() {
            true => tests
                .vars
                .get(OsStr::new("CARGO_MANIFEST_DIR"))
                .and_then(|dir| Some(self.inputs.content_of(&Path::new(dir).canonicalize().ok()?)?.digest)),
            false => self.inputs.outside.digest_now(Path::new(&tests.program)).ok().flatten(),
        };
        let mut hasher = Hasher::new("genti.marks.1");
        hasher.field("key", &key.0);
        hasher.field("own", own.as_ref().map_or(&[], |own| &own.0[..]));
        let both = hasher.finish();
        let mut hasher = Hasher::new("genti.distrusted-wrapped.1");
        hasher.field("key", &both.0);
        Marks { outside: outside_key(&both), distrusted: hasher.finish() }
    }

    fn passed(
        &self,
        run: &WrappedRun,
        tests: &WrappedTests,
        observed: &Observed,
        printed: Printed,
    ) -> Result<PassedTests, String> {
        let graph = &self.context.plan.graph;
        let (Some(key), Some(since)) = (run.key, run.since) else {
            return Err(MissReason::NotCached.describe());
        };
        let Caching::Sandboxed { max_age } = graph.tool(graph.task(run.task).tool).cache else {
            return Err(MissReason::NotCached.describe());
        };
        let discovered = self.inputs_until(observed, &Given::to_wrapped(tests, since), max_age)?;
        Ok(PassedTests { task: run.task, key, result: StoredResult::of_wrapped(discovered, printed) })
    }

    /// Returns the time of the last change of a file that changes now, and waits until a later change has a later one. `None` if
    /// that is impossible.
    fn clock(&self) -> Option<i64> {
        let dir = self.build_dirs.iter().find(|dir| dir.is_dir())?;
        let file = tempfile::Builder::new().prefix(".genti-clock-").tempfile_in(dir).ok()?;
        let touch = |text: &[u8]| {
            file.as_file().write_all(text).ok()?;
            Some(workspace::changed_at(&file.as_file().metadata().ok()?))
        };
        let first = touch(b".")?;
        // The clock of a file system may have the resolution of a tick of the kernel, and no system has a coarser one here.
        for _ in 0..1000 {
            if touch(b".")? > first {
                return Some(first);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }
}

/// Returns the name of `tests` for the user: the package of doc tests, the test that cargo-nextest runs, or the test program.
fn name_of(tests: &WrappedTests) -> String {
    let variable = |name: &str| Some(tests.vars.get(OsStr::new(name))?.to_string_lossy());
    if let (Some(binary), Some(test)) = (variable("NEXTEST_BINARY_ID"), variable("NEXTEST_TEST_NAME")) {
        return format!("{binary} {test}");
    }
    let package = variable("CARGO_PKG_NAME").unwrap_or_else(|| tests.dir.to_string_lossy());
    // Cargo adds a hash to the names of test programs.
    let program =
        Path::new(&tests.program).file_stem().and_then(OsStr::to_str).and_then(|name| name.rsplit_once('-'));
    match program {
        Some((name, hash)) if hash.len() == 16 => format!("{package} {name}"),
        _ => package.into_owned(),
    }
}
