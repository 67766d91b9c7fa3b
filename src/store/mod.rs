//! Files that genti keeps on disk: artifacts, raw output, results and state under the target directory, and
//! the baseline and golden files in the repository.

#![expect(clippy::disallowed_methods, reason = "this layer is where files are written")]

mod artifacts;
pub(crate) mod atomic;
mod baseline;
mod bisect;
mod checks;
mod clean;
pub(crate) mod contents;
mod error;
mod finished;
mod golden;
mod lock;
mod lock_copies;
mod outputs;
mod report;
mod shards;
mod sources;
pub(crate) mod tag;
mod tree;
pub(crate) mod trust;
mod within;

pub use artifacts::{ArtifactDir, KeepWaiting, holder};
pub use atomic::{create_file, create_program};
pub use baseline::{
    BASELINE_DIR, BaselineError, conflicted_baselines, load_baseline, save_baseline, write_baseline,
};
pub use bisect::{load_search, save_search};
pub use clean::{CleanError, Removed, clean, clean_results};
pub use contents::{BISECT, UPGRADE};
pub use error::StoreError;
pub use finished::{NoArtifacts, load_artifacts, load_test_outputs};
pub use golden::{GoldenError, load_golden, remove_golden, save_goldens};
pub use lock::{LockError, save_lock};
pub use lock_copies::{
    LockCopies, bisect_home, copies_home, differing_surroundings, make_own_dir, remove_copies,
};
pub use outputs::OutputDir;
pub use report::{NotReported, append_report, write_report, write_report_until};
pub use shards::{SHARD, load_durations, load_shards};
pub use sources::{NotReplaced, replace_source};
pub use tree::remove_tree;
