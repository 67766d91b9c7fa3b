//! Provides the data that reports of a finished run need besides its artifacts: the current sources, and the path of the
//! workspace in its repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Error;
use crate::compare::identity::identify;
use crate::model::finding::Diagnostic;
use crate::model::halt::Never;
use crate::model::path::RelPath;
use crate::model::sources::Sources;
use crate::model::text::Text;
use crate::plan::config::LOCATIONS;
use crate::report::Around;
use crate::report::finished::{Finding, Finished};
use crate::report::fixes::Tree;
use crate::scan::{Env, Programs};
use crate::workspace::{self, Directories, LoadError};

/// Asks cargo for the workspace of `manifest_path` or, without it, of `cwd`. Reads no configuration.
///
/// # Errors
///
/// If there is no workspace, or cargo is not installed.
pub fn locate(cwd: &Path, manifest_path: Option<&Path>, env: &Env) -> Result<Directories, Error> {
    let manifest = manifest_path.map(|path| cwd.join(path));
    let start = manifest.as_deref().and_then(Path::parent).unwrap_or(cwd);
    workspace::refuse_special(start, manifest.as_deref())?;
    let programs = Programs::new(env, start)?;
    let request = workspace::WorkspaceRequest {
        cargo: programs.cargo().to_path_buf(),
        manifest_path: manifest_path.map(Path::to_path_buf),
        cwd: cwd.to_path_buf(),
        locked: false,
        offline: false,
        frozen: false,
        listing: workspace::Listing::default(),
        configurations: &LOCATIONS,
    };
    Ok(workspace::directories(&request)?)
}

/// Reads the sources that the findings of `run` refer to, in the workspace at `root`.
///
/// # Errors
///
/// If an existing source can't be read.
pub fn around(root: &Path, run: &Finished) -> Result<Around, LoadError> {
    let paths: BTreeSet<_> =
        run.report.findings.iter().filter_map(|finding| finding.shown_at().path()).collect();
    let sources = Sources(workspace::read_sources(root, paths)?);
    Ok(Around { sources, base: base(root), tree: tree(root, run), ..Around::default() })
}

/// Returns the state of the working tree, if the report needs it. If git fails here, `cargo genti fix` reports the error.
fn tree(root: &Path, run: &Finished) -> Tree {
    if workspace::repository(root).is_none() {
        return Tree::NoRepository;
    }
    if run.report.findings.iter().all(|finding| finding.fix.is_none()) {
        return Tree::Clean;
    }
    let uncommitted = workspace::uncommitted(root, &[]).unwrap_or_default();
    match (!uncommitted.dirty.is_empty(), !uncommitted.staged.is_empty()) {
        (false, false) => Tree::Clean,
        (is_dirty, is_staged) => Tree::Changed { is_dirty, is_staged },
    }
}

/// Returns the path of the workspace at `root` from the top of its repository; empty if there is no repository.
pub fn base(root: &Path) -> RelPath {
    workspace::base(root)
}

/// Removes sources from `around` whose flagged code has changed since the run, because excerpts would show the wrong lines.
/// Returns their number.
pub fn forget_changed(around: &mut Around, run: &Finished) -> usize {
    let known =
        |finding: &&Finding| finding.shown_at().path().is_some_and(|path| around.sources.get(path).is_some());
    let findings: Vec<_> = run.report.findings.iter().filter(known).collect();
    let reported = findings.iter().map(|finding| as_reported(finding)).collect();
    let now = identify(reported, &around.sources, &Never).unwrap_or_default();
    let now: BTreeMap<_, _> = now.iter().map(|now| (now.diagnostic.key(), now.id.as_str())).collect();
    let has_changed = |finding: &&&Finding| now.get(&finding.key()) != Some(&finding.id.as_str());
    let changed: BTreeSet<_> =
        findings.iter().filter(has_changed).filter_map(|finding| finding.shown_at().path()).collect();
    for path in &changed {
        around.sources.0.remove(*path);
    }
    changed.len()
}

/// Restores the tool and the diagnostic from which the id of a finding is computed. Fields that don't affect the id are
/// empty.
fn as_reported(finding: &Finding) -> (Text, Diagnostic) {
    let Finding { place, ns, rule, level, message, fatal, test, .. } = finding;
    let diagnostic = Diagnostic {
        place: place.clone(),
        ns: ns.clone(),
        rule: rule.clone(),
        level: *level,
        message: message.clone(),
        fatal: *fatal,
        package: None,
        related: Vec::new(),
        fix: None,
        test: test.clone(),
    };
    (finding.tools.first().cloned().unwrap_or_default(), diagnostic)
}
