//! What this program keeps on disk: artifacts and raw output under the target directory, baseline and golden
//! files in the repository.

#![expect(clippy::disallowed_methods, reason = "this layer is where files are written")]

mod artifacts;
mod atomic;
mod baseline;
mod golden;
mod outputs;

pub use artifacts::{ArtifactDir, StoreError, Waiting};
pub use atomic::create_file;
pub use baseline::{
    BASELINE_DIR, BaselineError, conflicted_baselines, load_baseline, save_baseline, write_baseline,
};
pub use golden::{GoldenError, load_golden, remove_golden, save_goldens};
pub use outputs::OutputDir;
