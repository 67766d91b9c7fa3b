//! What the reports of a finished run know beside its artifacts: the sources as they are now, and where the workspace
//! lies in its repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Error;
use crate::compare::identity::identify;
use crate::model::finding::{Diagnostic, FailedTest, Place};
use crate::model::halt::Never;
use crate::model::path::RelPath;
use crate::model::sources::Sources;
use crate::model::text::Text;
use crate::report::Around;
use crate::report::finished::{Finding, Finished};
use crate::scan::{Env, Programs};
use crate::workspace::{self, LoadError};

/// A workspace, as far as cargo has to be asked for it.
#[derive(Clone, Debug)]
pub struct Located {
    /// The root.
    pub root: PathBuf,
    /// Where artifacts go.
    pub target_dir: PathBuf,
}

/// Asks cargo where the workspace of `manifest_path` is, or that around `cwd`. Reads no configuration.
///
/// # Errors
///
/// If there is no workspace, or no cargo.
pub fn locate(cwd: &Path, manifest_path: Option<&Path>, env: &Env) -> Result<Located, Error> {
    let manifest = manifest_path.map(|path| cwd.join(path));
    let start = manifest.as_deref().and_then(Path::parent).unwrap_or(cwd);
    workspace::refuse_special(start, manifest.as_deref())?;
    let programs = Programs::new(env, start)?;
    let request = workspace::Request {
        cargo: programs.cargo().to_path_buf(),
        manifest_path: manifest_path.map(Path::to_path_buf),
        cwd: cwd.to_path_buf(),
        locked: false,
        offline: false,
        frozen: false,
        listing: workspace::Listing::default(),
    };
    let (root, target_dir) = workspace::locate(&request)?;
    Ok(Located { root, target_dir })
}

/// What is around `run` in the workspace at `root`.
///
/// # Errors
///
/// If the system fails to read a source that is there.
pub fn around(root: &Path, run: &Finished) -> Result<Around, LoadError> {
    let paths: BTreeSet<_> =
        run.report.findings.iter().filter_map(|finding| finding.shown_at().path()).collect();
    let sources = Sources(workspace::read_sources(root, paths)?);
    Ok(Around { sources, base: base(root), in_repository: workspace::repository(root).is_some() })
}

/// Where the workspace at `root` lies below the top of its repository; at the top if there is none.
pub fn base(root: &Path) -> RelPath {
    workspace::base(root)
}

/// Takes out of `around` the sources in which something else stands by now than what was found: their lines would
/// show what nobody flagged. Tells how many those are.
pub fn forget_changed(around: &mut Around, run: &Finished) -> usize {
    let known =
        |finding: &&Finding| finding.shown_at().path().is_some_and(|path| around.sources.get(path).is_some());
    let findings: Vec<_> = run.report.findings.iter().filter(known).collect();
    let reported = findings.iter().map(|finding| as_reported(finding)).collect();
    let now = identify(reported, &around.sources, &Never).unwrap_or_default();
    let now: BTreeMap<_, _> = now.iter().map(|now| (key(&now.diagnostic), now.id.as_str())).collect();
    let has_changed =
        |finding: &&&Finding| now.get(&key(&as_reported(finding).1)) != Some(&finding.id.as_str());
    let changed: BTreeSet<_> =
        findings.iter().filter(has_changed).filter_map(|finding| finding.shown_at().path()).collect();
    for path in &changed {
        around.sources.0.remove(*path);
    }
    changed.len()
}

/// What makes two diagnostics one finding.
type Key = (Place, Text, Text, Text, Option<Box<FailedTest>>);

fn key(diagnostic: &Diagnostic) -> Key {
    let Diagnostic { place, ns, rule, message, test, .. } = diagnostic;
    (place.clone(), ns.clone(), rule.clone(), message.clone(), test.clone())
}

/// As its tool said it, as far as its identity depends on that.
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
