//! What this program keeps on disk: artifacts and raw output under the target directory, baseline and golden
//! files in the repository.

#![expect(clippy::disallowed_methods, reason = "this layer is where files are written")]

mod artifacts;
mod atomic;
mod baseline;
mod finished;
mod golden;
mod outputs;
mod report;

pub use artifacts::{ArtifactDir, StoreError, Waiting};
pub use baseline::{
    BASELINE_DIR, BaselineError, conflicted_baselines, load_baseline, save_baseline, write_baseline,
};
pub use finished::{NoArtifacts, load_artifacts};
pub use golden::{GoldenError, load_golden, remove_golden, save_goldens};
pub use outputs::OutputDir;
pub use report::{NotReported, append_report, write_report};
