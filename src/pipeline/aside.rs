//! Runs that leave nothing where other runs would find it.

use super::Project;
use crate::cache::LastRun;
use crate::store;

impl Project {
    /// Moves everything that a run leaves behind, such as builds and cached results, to a directory for runs with another toolchain.
    /// Files that other runs have left stay as they are.
    pub fn move_aside(&mut self) {
        let dir = self.workspace.target_dir.join("genti").join(store::UPGRADE);
        // Without the state of the last run, this one only takes longer.
        self.last_run = LastRun::load(&dir).unwrap_or_default();
        (self.workspace.target_dir, self.workspace.build_dir) = (dir.clone(), dir);
    }
}
