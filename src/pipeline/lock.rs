//! Compares the installed versions of tools with `genti.lock`.

use std::collections::BTreeSet;

use super::Project;
use crate::model::release::Release;
use crate::model::tool::Tool;
use crate::normalize;
use crate::plan::config::{Lock, Locked};
use crate::plan::{Drift, DriftKind, Setting};
use crate::scan::{self, Env, NoVersion, Stop};

/// Returns the lock for the tools of `project`, with the version and rules that each reports, and the tools whose version could not
/// be determined.
pub fn lock(project: &Project, env: &Env, stop: &Stop) -> (Lock, Vec<(String, NoVersion)>) {
    let (mut lock, mut failed) = (Lock::default(), Vec::new());
    for tool in each_once(&project.plan.graph.tools) {
        match version(project, tool, env, stop) {
            Ok(version) => {
                let rules = rules(project, tool, env, stop).unwrap_or_default();
                lock.tools.insert(tool.version_name().into_owned(), Locked { version, rules });
            }
            Err(NoVersion::NotConfigured) => {}
            Err(error) => failed.push((tool.version_name().into_owned(), error)),
        }
    }
    (lock, failed)
}

/// Returns the tools whose installed version is not the locked one, if the configuration requires locked versions. Missing tools
/// are not included, since they have no verdict anyway.
pub fn lock_drift(project: &Project, env: &Env, stop: &Stop) -> Vec<Drift> {
    if !project.locked {
        return Vec::new();
    }
    let version = |tool| match version(project, tool, env, stop) {
        Ok(version) => Some(version),
        Err(NoVersion::NotConfigured | NoVersion::Missing(_) | NoVersion::Stopped) => None,
        Err(error) => Some(format!("unknown: {error}")),
    };
    let versions: Vec<_> = project.plan.graph.tools.iter().map(version).collect();
    drift_of(project, &versions, "installed")
}

/// Like [`lock_drift`], for known `versions`, one per tool. `by` names their origin.
pub(super) fn drift_of(project: &Project, versions: &[Option<String>], by: &str) -> Vec<Drift> {
    let none = Lock::default();
    let lock = project.lock.as_ref().unwrap_or(&none);
    let mut seen = BTreeSet::new();
    let tools =
        project.plan.graph.tools.iter().zip(versions).filter(|(tool, _)| seen.insert(tool.version_name()));
    let known = tools.filter_map(|(tool, version)| Some((tool, version.as_ref()?)));
    let differing = known.filter_map(|(tool, version)| Some((tool, version, lock.differs(tool, version)?)));
    let drift = |(tool, version, locked): (&Tool, &String, Option<&Locked>)| Drift {
        what: format!("the version of {}", tool.version_name()),
        here: Setting { value: version.clone(), origin: by.to_owned() },
        configured: Setting {
            value: locked.map_or("none", |locked| &locked.version).to_owned(),
            origin: project.lock_name.clone(),
        },
        kind: DriftKind::Version,
    };
    differing.map(drift).collect()
}

/// Returns true if `tool` belongs to a toolchain that is not a stable release, or if that is unknown. Clippy's own version does
/// not say it, so the compiler of its toolchain is asked.
pub(super) fn is_prerelease(project: &Project, tool: &Tool, env: &Env, stop: &Stop) -> bool {
    if !tool.has_version_of_toolchain() {
        return false;
    }
    let toolchain = tool.version.get(1).filter(|word| word.starts_with('+')).cloned();
    let words = ["rustc".to_owned()].into_iter().chain(toolchain).chain(["--version".to_owned()]);
    let compiler = Tool { version: words.collect(), ..tool.clone() };
    let version = version(project, &compiler, env, stop).unwrap_or_default();
    Release::of(&version).is_none_or(|release| release.is_prerelease)
}

/// Returns one variant of each tool and toolchain. All have the same program.
fn each_once(tools: &[Tool]) -> impl Iterator<Item = &Tool> {
    let mut seen = BTreeSet::new();
    tools.iter().filter(move |tool| seen.insert(tool.version_name()))
}

fn version(project: &Project, tool: &Tool, env: &Env, stop: &Stop) -> Result<String, NoVersion> {
    scan::version(tool, &project.workspace, &project.programs, env, stop)
}

/// Returns the rules that `tool` reports, if it reports any.
pub(super) fn rules(project: &Project, tool: &Tool, env: &Env, stop: &Stop) -> Option<BTreeSet<String>> {
    let text = scan::rules(tool, &project.workspace, &project.programs, env, stop).ok()?;
    Some(normalize::rules(&text, &tool.namespaces)).filter(|rules| !rules.is_empty())
}
