//! Compares the conditions of a run with those under which the baseline was recorded. Only if they are equal are missing findings
//! counted as fixed.

use std::collections::BTreeSet;

use super::Project;
use super::results::BuiltFor;
use crate::model::event::Event;
use crate::model::notice::Notice;
use crate::model::tool::{Tool, ToolId};
use crate::model::variant::Variant;
use crate::scan::{self, Env};

/// The conditions of a run, to be compared with `[baseline]`.
pub(super) struct Conditions<'a> {
    project: &'a Project,
    /// Version that each tool reports.
    versions: &'a [Option<String>],
    same_build: bool,
    env: &'a Env,
    /// Builds of the tools as other machines recorded them.
    recorded: Option<&'a [BuiltFor]>,
}

/// Similarity of the conditions for a tool and the tools that it needs, compared with the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alike {
    /// All relevant conditions are the same.
    Same,
    /// One of the tools has another version.
    OtherVersion,
    /// Cargo builds something else for one of the tools.
    OtherBuild,
}

impl<'a> Conditions<'a> {
    pub(super) fn new(project: &'a Project, versions: &'a [Option<String>], env: &'a Env) -> Self {
        Self { project, versions, same_build: builds_like_baseline(project, env), env, recorded: None }
    }

    /// The conditions of a run on other machines, whose builds are `recorded`, one per tool.
    pub(super) fn recorded(
        project: &'a Project,
        versions: &'a [Option<String>],
        env: &'a Env,
        recorded: &'a [BuiltFor],
    ) -> Self {
        let tools = project.plan.graph.tools.iter().zip(recorded);
        let default = tools.into_iter().find(|(tool, _)| tool.variant.is_none());
        let same_build = builds_like(project, &|| default.and_then(|(_, built)| built.target.clone()));
        Self { project, versions, same_build, env, recorded: Some(recorded) }
    }

    /// Returns the similarity for each tool.
    pub(super) fn hold(&self) -> Vec<Alike> {
        let plan = &self.project.plan;
        let alike = |id: ToolId| {
            let tool = plan.graph.tool(id);
            // A package that is built alone may have other features than in a build of the whole workspace.
            let is_same = match &tool.variant {
                Some(variant) => self.has_target(id, tool, variant),
                None => self.same_build,
            };
            let same_build = is_same && plan.build_of(tool).is_whole();
            match (same_build || !tool.uses_selection(), self.is_of_version(id, tool)) {
                (false, _) => Alike::OtherBuild,
                (true, false) => Alike::OtherVersion,
                (true, true) => Alike::Same,
            }
        };
        let with_needs = plan.graph.needs.iter().zip((0..).map(ToolId));
        with_needs.map(|(needs, id)| needs.iter().copied().map(alike).fold(alike(id), Alike::max)).collect()
    }

    /// Emits a notice if `[baseline]` names another build or version.
    pub(super) fn tell(&self, events: &mut dyn FnMut(Event<'_>)) {
        let Project { plan, baseline, .. } = self.project;
        let flags = baseline.build.build_flags();
        if !self.same_build && !flags.is_empty() {
            events(Event::Notice(&Notice::BaselineOfOtherBuild { flags }));
        }
        let mut told = BTreeSet::new();
        let differ = plan.graph.tools().filter(|(id, tool)| !self.is_of_version(*id, tool));
        for (id, tool) in differ.filter(|(_, tool)| told.insert(tool.version_name())) {
            events(Event::Notice(&Notice::BaselineOfOtherVersion {
                tool: tool.version_name().into_owned(),
                recorded: baseline.versions[&*tool.version_name()].to_string(),
                current: self.versions[id.0 as usize].clone(),
            }));
        }
    }

    /// Returns whether `variant` of `tool` builds for the target of the baseline. A variant defines its own build, but if it
    /// names no target, that is the one of the machine.
    fn has_target(&self, id: ToolId, tool: &Tool, variant: &Variant) -> bool {
        let Project { workspace, programs, baseline, .. } = self.project;
        let default = || match self.recorded {
            Some(recorded) => recorded.get(id.0 as usize)?.target.clone(),
            None => {
                let root = tool.workspace_root(&workspace.root);
                scan::default_target(&root, programs, &self.env.of_tool(tool))
            }
        };
        is_of_target(variant.build.target.as_deref(), baseline.build.target.as_deref(), &default)
    }

    fn is_of_version(&self, id: ToolId, tool: &Tool) -> bool {
        self.project.baseline.is_of_version(&tool.version_name(), self.versions[id.0 as usize].as_deref())
    }
}

/// Returns whether a variant with the target `own` builds for the target that the baseline was `recorded` for, if it names one.
fn is_of_target(own: Option<&str>, recorded: Option<&str>, default: &dyn Fn() -> Option<String>) -> bool {
    own.is_some() || recorded.is_none_or(|recorded| default().as_deref() == Some(recorded))
}

/// Returns whether cargo builds the same for this run as for the baseline.
pub fn builds_like_baseline(project: &Project, env: &Env) -> bool {
    builds_like(project, &|| scan::default_target(&project.workspace.root, &project.programs, env))
}

/// Like [`builds_like_baseline`], on a machine with this `default` target.
fn builds_like(project: &Project, default: &dyn Fn() -> Option<String>) -> bool {
    let Project { plan, baseline, .. } = project;
    let mut selection = plan.selection.clone();
    if baseline.build.target.is_some() && selection.target.is_none() {
        selection.target = default();
    }
    selection.builds_like(&baseline.build)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_without_a_target_is_that_of_the_baseline_only_on_a_machine_with_its_target() {
        let is_same = |own, recorded, default: Option<&str>| {
            is_of_target(own, recorded, &|| default.map(str::to_owned))
        };
        assert!(is_same(None, Some("linux"), Some("linux")));
        assert!(!is_same(None, Some("linux"), Some("mac")));
        assert!(!is_same(None, Some("linux"), None), "unknown");
        assert!(is_same(Some("mac"), Some("linux"), Some("mac")), "it names its own");
        assert!(is_same(None, None, Some("mac")), "the baseline names none");
    }
}
