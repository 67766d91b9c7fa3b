//! `genti.lock`: what versions are here, and what it means that another one is locked.

use std::collections::BTreeSet;

use super::Project;
use crate::model::finding::State;
use crate::model::outcome::{OtherVersion, Outcome};
use crate::model::tool::Tool;
use crate::normalize;
use crate::plan::config::{Lock, Locked};
use crate::plan::{Drift, DriftKind, Said};
use crate::scan::{self, Env, NoVersion, Stop};

/// What is to be locked: of each tool of `project` its version, if it has one to tell, and its rules. And what is not
/// there to be asked.
pub fn lock(project: &Project, env: &Env, stop: &Stop) -> (Lock, Vec<(String, NoVersion)>) {
    let (mut lock, mut failed) = (Lock::default(), Vec::new());
    for tool in &project.plan.graph.tools {
        match version(project, tool, env, stop) {
            Ok(version) => {
                let rules = rules(project, tool, env, stop).unwrap_or_default();
                lock.tools.insert(tool.name.clone(), Locked { version, rules });
            }
            Err(NoVersion::NotConfigured) => {}
            Err(error) => failed.push((tool.name.clone(), error)),
        }
    }
    (lock, failed)
}

/// Where the tools that are here are not the locked ones, if the configuration wants them to be. What is not installed has
/// no version, and no verdict either.
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

/// The same of `versions` that are known, one a tool. They are told `by` somebody.
pub(super) fn drift_of(project: &Project, versions: &[Option<String>], by: &str) -> Vec<Drift> {
    let none = Lock::default();
    let lock = project.lock.as_ref().unwrap_or(&none);
    let tools = project.plan.graph.tools.iter().zip(versions);
    let known = tools.filter_map(|(tool, version)| Some((tool, version.as_ref()?)));
    let differing = known.filter_map(|(tool, version)| Some((tool, version, lock.differs(tool, version)?)));
    let drift = |(tool, version, locked): (&Tool, &String, Option<&Locked>)| Drift {
        what: format!("the version of {}", tool.name),
        here: Said { value: version.clone(), by: by.to_owned() },
        configured: Said {
            value: locked.map_or("none", |locked| &locked.version).to_owned(),
            by: project.lock_name.clone(),
        },
        kind: DriftKind::Version,
    };
    differing.map(drift).collect()
}

/// Takes down which tools are at another version than the locked one, and how many of the new findings that explains.
pub(super) fn explain(project: &Project, outcome: &mut Outcome, env: &Env, stop: &Stop) {
    let Some(lock) = &project.lock else { return };
    for (tool, result) in project.plan.graph.tools.iter().zip(&mut outcome.tools) {
        let Some(here) = &result.version else { continue };
        let Some(Some(locked)) = lock.differs(tool, here) else { continue };
        let now = match locked.rules.is_empty() {
            true => None,
            false => rules(project, tool, env, stop),
        };
        let unknown: Option<BTreeSet<_>> = now.map(|now| now.difference(&locked.rules).cloned().collect());
        let new = outcome
            .findings
            .iter()
            .filter(|found| found.state == State::New && found.finding.is_of(&tool.name));
        result.other_version = Some(OtherVersion {
            locked: locked.version.clone(),
            by_new_rules: unknown
                .map(|unknown| new.filter(|found| unknown.contains(&*found.finding.diagnostic.rule)).count()),
        });
    }
}

fn version(project: &Project, tool: &Tool, env: &Env, stop: &Stop) -> Result<String, NoVersion> {
    scan::version(tool, &project.workspace, &project.programs, env, stop)
}

fn rules(project: &Project, tool: &Tool, env: &Env, stop: &Stop) -> Option<BTreeSet<String>> {
    let text = scan::rules(tool, &project.workspace, &project.programs, env, stop).ok()?;
    Some(normalize::rules(&text, &tool.namespaces)).filter(|rules| !rules.is_empty())
}
