//! Several runs of one command that write no artifacts. Their findings are compared with given entries.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use genti::model::event::Event;
use genti::model::finding::Entry;
use genti::model::outcome::{End, Outcome, Strict};
use genti::pipeline::{self, Project, RunError, Session};
use genti::scan::{Env, Pool, Stop};
use genti::store::ArtifactDir;

use crate::exit::{CliError, CliResult};
use crate::render::{Bar, Shell};
use crate::resolve;
use crate::session::{self, Startup};

/// The parts of a session that all runs have in common.
pub(crate) struct Runs<'a> {
    pub(crate) start: &'a Startup,
    pub(crate) parallel: usize,
    pub(crate) stop: &'static Stop,
    /// Run everything and store no results.
    pub(crate) no_cache: bool,
    /// The target directory of the user's workspace, if the runs are in a worktree. They use the result cache there, show no notices,
    /// and `--max-duration` limits all of them together.
    pub(crate) worktree: Option<&'a Path>,
}

impl Runs<'_> {
    /// Runs `project` and compares the findings with `known`. No artifacts are written.
    pub(crate) fn run(
        &self,
        project: &Project,
        env: &Env,
        known: &BTreeMap<String, Vec<Entry>>,
        dir: &ArtifactDir,
        shell: &mut Shell,
    ) -> CliResult<Outcome> {
        let unable = |shell: &mut Shell, error: RunError| {
            shell.error(error);
            CliError::Incomplete
        };
        let pool = Pool::new(self.start.inherited.clone(), env, self.parallel)
            .map_err(|error| unable(shell, error.into()))?;
        let own_program = std::env::current_exe().ok();
        let target_dir = self.worktree.unwrap_or(&project.workspace.target_dir);
        let cache_dir = resolve::cache_dir(target_dir, env);
        let results = session::open_results(target_dir, env, self.no_cache, shell);
        let session = Session {
            env,
            pool: &pool,
            stop: self.stop,
            parallel: self.parallel,
            fail_fast: false,
            started: if self.worktree.is_some() { self.start.at } else { Instant::now() },
            bless: false,
            strict: Strict::default(),
            shows_findings: false,
            outputs: Some(dir.outputs()),
            cache_dir: Some(&cache_dir),
            remote: None,
            own_program: own_program.as_deref(),
        };
        let mut bar = Bar::new(project, shell);
        let outcome = pipeline::run(project, &session, results, known, &mut |event| {
            if self.worktree.is_none() || !matches!(event, Event::Notice(_)) {
                bar.on(event, shell);
            }
        });
        drop(bar);
        let outcome = outcome.map_err(|error| unable(shell, error))?;
        match outcome.end {
            End::Interrupted(signal) => Err(CliError::Interrupted(signal)),
            _ => Ok(outcome),
        }
    }
}
