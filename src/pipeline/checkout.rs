//! Finds out which checkout a finished run belongs to, for reports that show it.

use std::path::Path;

use super::{Limit, Lockfile, Request, load};
use crate::model::policy::Selection;
use crate::report::Checkout;
use crate::report::finished::{Finished, RunSelection};
use crate::scan::Env;
use crate::workspace;

/// Describes the checkout around the workspace at `root`. The commit is only part of it if `run` would have the same plan now:
/// otherwise the files that it looked at may be others than those that are there.
pub fn checkout(root: &Path, run: &Finished, env: &Env) -> Checkout {
    let top = workspace::repository(root);
    let directory = top.unwrap_or(root).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut checkout = Checkout { directory, origin: workspace::origin(root), ..Checkout::default() };
    let request = Request {
        cwd: root.to_path_buf(),
        selection: asked_for(&run.run.selection),
        lockfile: Lockfile::Ignore,
        ..Request::default()
    };
    // A workspace that can't be read now has no packages, and the run no commit.
    let Ok(project) = load(&request, env, &Limit::none(), &mut |_| {}) else { return checkout };
    let packages = project.workspace.packages.iter();
    checkout.packages = packages.map(|package| (package.dir.clone(), package.name.clone())).collect();
    if top.is_some() && project.plan.graph.hash.to_string() == run.run.graph_hash {
        checkout.commit = workspace::head(root, &[&project.workspace.target_dir]);
    }
    checkout
}

/// Returns the selection with which a run like the one of `selection` is planned.
fn asked_for(selection: &RunSelection) -> Selection {
    let RunSelection {
        packages,
        whole,
        features,
        all_features,
        no_default_features,
        target,
        cargo_profile,
        tools,
        skip_tools,
        variants,
        since,
        filters,
    } = selection.clone();
    // With `--since`, these are the packages that changed, and not those that were asked for.
    let packages = if whole || since.is_some() { Vec::new() } else { packages };
    Selection {
        packages,
        exclude: Vec::new(),
        features,
        all_features,
        no_default_features,
        target,
        cargo_profile,
        tools,
        skip_tools,
        variants,
        since,
        filters,
    }
}
