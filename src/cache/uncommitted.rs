//! Lint levels in cargo's configuration that belong to the machine and not to the repository.

use std::path::Path;

use crate::model::notice::IgnoredLevels;
use crate::model::path::RelPath;
use crate::scan::CargoConfig;
use crate::workspace;

/// Returns the lint levels in files of `config` that are outside of the repository around `root`, or that git ignores. Like those
/// in variables, they would decide a verdict on one machine alone.
pub(super) fn lint_levels(config: &CargoConfig, root: &Path) -> Vec<IgnoredLevels> {
    let top = workspace::repository(root).unwrap_or(root);
    let is_committed = |path: &Path| {
        let within = RelPath::between(root, path).filter(|_| path.starts_with(top));
        within.is_some_and(|path| !workspace::is_ignored(root, &path.to_string()))
    };
    let levels = config.levels().into_iter().filter(|(path, _)| !is_committed(path));
    levels.map(|(_, ignored)| ignored).collect()
}

/// Returns the lint levels in files of `config`, that of the other workspace `below` the `root`, that git ignores. Files of the
/// directories above count for both.
pub(super) fn lint_levels_below(config: &CargoConfig, root: &Path, below: &RelPath) -> Vec<IgnoredLevels> {
    let levels = config.levels().into_iter().filter_map(|(path, mut ignored)| {
        let name = RelPath::between(root, path).filter(|path| path.is_within(below))?;
        ignored.variable = name.to_string();
        workspace::is_ignored(root, &ignored.variable).then_some(ignored)
    });
    levels.collect()
}
