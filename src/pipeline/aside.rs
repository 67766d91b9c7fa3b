//! Runs that leave nothing where other runs would find it.

use std::path::PathBuf;

use super::{Project, lock_copies};
use crate::cache::LastRun;
use crate::plan::config::BaselineConfig;
use crate::scan::Env;
use crate::store;

impl Project {
    /// Moves everything that a run leaves behind, such as builds and cached results, to a directory for runs with another toolchain.
    /// Files that other runs have left stay as they are.
    pub fn move_aside(&mut self) {
        self.move_to(self.workspace.target_dir.join("genti").join(store::UPGRADE));
    }

    /// Lets a run in a worktree build in `dir`, a directory for runs at other commits. The copies of the worktree are separate from
    /// those of the repository, so that no other run waits for them.
    pub fn move_to_worktree(&mut self, dir: PathBuf, env: &Env) {
        self.move_to(dir);
        self.copies = lock_copies::of(&self.workspace, env);
    }

    /// Lets a run only find: nothing is suppressed, and nothing is compared with locked versions or the conditions of a baseline.
    pub fn find_only(&mut self) {
        self.suppressions.clear();
        self.lock = None;
        self.baseline = BaselineConfig::default();
    }

    fn move_to(&mut self, dir: PathBuf) {
        // Without the state of the last run, this one only takes longer.
        self.last_run = LastRun::load(&dir).unwrap_or_default();
        (self.workspace.target_dir, self.workspace.build_dir) = (dir.clone(), dir);
    }
}
