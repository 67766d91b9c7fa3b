//! `--bless`: accepts the output of tools with golden files by writing it.

use std::path::Path;

use genti::model::outcome::{End, Outcome};
use genti::store::{self, GoldenError};

use crate::render::{GOOD, Shell, visible_line};

/// Changes to golden files that the user asked for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bless {
    /// Accept differences.
    pub(crate) accept: bool,
    /// Remove golden files that no tool is compared with any more.
    pub(crate) remove_orphans: bool,
}

impl Bless {
    /// Writes the accepted golden files and reports them. Writes nothing after an interrupted run.
    pub(crate) fn write(
        self,
        root: &Path,
        outcome: &mut Outcome,
        shell: &mut Shell,
    ) -> Result<(), GoldenError> {
        if !self.accept {
            return Ok(());
        }
        if let End::Interrupted(_) = outcome.end {
            shell.error("the run was interrupted; the golden files are unchanged");
            return Ok(());
        }
        store::save_goldens(root, &outcome.goldens.accepted)?;
        for path in outcome.goldens.accepted.keys() {
            shell.status(GOOD, "Wrote", visible_line(&path.to_string()));
        }
        let mut is_as_before = outcome.goldens.accepted.is_empty();
        if self.remove_orphans {
            for path in std::mem::take(&mut outcome.goldens.orphans) {
                store::remove_golden(root, &path)?;
                shell.status(GOOD, "Removed", visible_line(&path.to_string()));
                is_as_before = false;
            }
        }
        if is_as_before {
            shell.note("all golden files are up to date");
        }
        Ok(())
    }
}
