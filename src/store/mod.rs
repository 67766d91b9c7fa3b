//! Files that genti keeps on disk: artifacts, raw output, results and state under the target directory, and
//! the baseline and golden files in the repository.

#![expect(clippy::disallowed_methods, reason = "this layer is where files are written")]

mod artifacts;
mod atomic;
mod baseline;
mod builds;
mod causes;
mod clean;
mod contents;
mod finished;
mod golden;
mod lock;
mod outputs;
mod report;
mod results;
mod state;
mod tag;
mod trust;
mod within;

pub use artifacts::{ArtifactDir, StoreError, Waiting, holder};
pub use atomic::create_file;
pub use baseline::{
    BASELINE_DIR, BaselineError, conflicted_baselines, load_baseline, save_baseline, write_baseline,
};
pub use builds::{Builds, Built, load_builds, save_builds};
pub use causes::{NoCauses, load_causes, write_causes};
pub use clean::{CleanError, Removed, clean, clean_results};
pub use finished::{NoArtifacts, load_artifacts};
pub use golden::{GoldenError, load_golden, remove_golden, save_goldens};
pub use lock::{LockError, save_lock};
pub use outputs::OutputDir;
pub use report::{NotReported, append_report, write_report};
pub use results::{CAP, Cleaned, Next, Results};
pub use state::{State, StateError};
