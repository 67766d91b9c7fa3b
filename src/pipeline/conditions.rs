//! Whether a run sees what the one saw that the baseline was taken with: only then is what it no longer finds fixed.

use super::Project;
use crate::model::event::Event;
use crate::model::tool::{Tool, ToolId};
use crate::scan::{self, Env};

/// A run, to be compared with what `[baseline]` says.
pub(super) struct Conditions<'a> {
    project: &'a Project,
    /// What each tool says of its version.
    versions: &'a [Option<String>],
    same_build: bool,
}

/// How much a tool, and what it needs, are as they were when the baseline was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alike {
    /// In all that counts.
    Same,
    /// One of them has another version.
    OtherVersion,
    /// Cargo builds something else for one of them.
    OtherBuild,
}

impl<'a> Conditions<'a> {
    pub(super) fn new(project: &'a Project, versions: &'a [Option<String>], env: &Env) -> Self {
        Self { project, versions, same_build: builds_like_baseline(project, env) }
    }

    /// For each tool, how much it and what it needs are as they were.
    pub(super) fn hold(&self) -> Vec<Alike> {
        let Project { workspace, plan, .. } = self.project;
        // A package that is built alone has other features than one that is built beside the others.
        let same_build = self.same_build && plan.is_whole(workspace);
        let alike = |id: ToolId| {
            let tool = plan.graph.tool(id);
            match (same_build || !tool.uses_selection(), self.is_of_version(id, tool)) {
                (false, _) => Alike::OtherBuild,
                (true, false) => Alike::OtherVersion,
                (true, true) => Alike::Same,
            }
        };
        let with_needs = plan.graph.needs.iter().zip((0..).map(ToolId));
        with_needs.map(|(needs, id)| needs.iter().copied().map(alike).fold(alike(id), Alike::max)).collect()
    }

    /// Says so where they are not, because `[baseline]` is about another build or version.
    pub(super) fn tell(&self, events: &mut dyn FnMut(Event<'_>)) {
        let Project { plan, baseline, .. } = self.project;
        let flags = baseline.build.build_flags();
        if !self.same_build && !flags.is_empty() {
            events(Event::Notice(&format!(
                "the baseline is that of another build, `{flags}`: what cargo's tools no longer find is not called fixed"
            )));
        }
        for (id, tool) in plan.graph.tools().filter(|(id, tool)| !self.is_of_version(*id, tool)) {
            let (name, pin) = (&tool.name, &baseline.versions[&tool.name]);
            let version = self.versions[id.0 as usize].as_deref().unwrap_or("unknown");
            events(Event::Notice(&format!(
                "the baseline is that of {name} {pin}, and the version is {version}: what it no longer finds is not called fixed"
            )));
        }
    }

    fn is_of_version(&self, id: ToolId, tool: &Tool) -> bool {
        self.project.baseline.is_of_version(&tool.name, self.versions[id.0 as usize].as_deref())
    }
}

/// Whether cargo builds for this run as it did when the baseline was taken.
pub fn builds_like_baseline(project: &Project, env: &Env) -> bool {
    let Project { workspace, plan, programs, baseline, .. } = project;
    let mut selection = plan.selection.clone();
    if baseline.build.target.is_some() && selection.target.is_none() {
        selection.target = scan::default_target(workspace, programs, env);
    }
    selection.builds_like(&baseline.build)
}
