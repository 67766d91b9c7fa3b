//! `--bless`: what tools with golden files print is accepted, and written.

use std::path::Path;

use genti::model::outcome::{End, Outcome};
use genti::store::{self, GoldenError};

use crate::render::{GOOD, Shell, visible_line};

/// What is done with golden files.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bless {
    /// What differs is accepted.
    pub(crate) accept: bool,
    /// What nothing prints any more is removed.
    pub(crate) remove_orphans: bool,
}

impl Bless {
    /// Writes what `outcome` accepts, and says what. A run that was stopped writes nothing.
    pub(crate) fn write(
        self,
        root: &Path,
        outcome: &mut Outcome,
        shell: &mut Shell,
    ) -> Result<(), GoldenError> {
        if !self.accept {
            return Ok(());
        }
        if let End::Signal(_) = outcome.end {
            shell.error("the run was stopped: the golden files are as they were");
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
            shell.note("every golden file is as it was");
        }
        Ok(())
    }
}
