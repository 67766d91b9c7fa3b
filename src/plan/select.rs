//! Which packages and tools a run is about. Knows nothing of tasks.

use std::collections::BTreeSet;

use super::config;
use crate::model::path::RelPath;
use crate::model::policy::Selection;
use crate::model::tool::Tool;
use crate::model::workspace::{PackageId, Workspace};

/// Why nothing could be planned.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// `-p` or `--exclude` names no member.
    #[error("no package `{name}` in this workspace ({hint})")]
    UnknownPackage {
        /// As given.
        name: String,
        /// A similar name, or all names.
        hint: String,
    },
    /// Everything was excluded.
    #[error("no package is left: `--exclude` takes out all that were selected")]
    NothingSelected,
    /// `--tool` or `--skip-tool` names no tool.
    #[error("no tool `{name}` is configured ({hint})")]
    UnknownTool {
        /// As given.
        name: String,
        /// A similar name, or all names.
        hint: String,
    },
    /// `--skip-tool` names every tool that is left.
    #[error("no tool is left: `--skip-tool` takes out all that were selected")]
    NoTool,
    /// What is configured does not fit into a command line, let alone a file.
    #[error(
        "the arguments of tool `{tool}` alone are {len} bytes long, more than the {cap} bytes of a command line; shorten `run` or `args` under [tools.{tool}]"
    )]
    CommandTooLong {
        /// The tool.
        tool: String,
        /// The length of its arguments in bytes.
        len: usize,
        /// The cap in bytes.
        cap: usize,
    },
    /// A file name does not fit into a command line.
    #[error(
        "the path {path} is {len} bytes long, more than the {cap} bytes of a command line of tool `{tool}`; exclude it with `exclude = [\"…\"]` under [tools.{tool}]"
    )]
    ArgumentTooLong {
        /// The path.
        path: RelPath,
        /// The tool that would be given it.
        tool: String,
        /// Its length in bytes.
        len: usize,
        /// The cap in bytes.
        cap: usize,
    },
    /// A glob that the configuration should have refused.
    #[error("tool `{tool}` has a bad glob: {message}")]
    Glob {
        /// The tool.
        tool: String,
        /// What is wrong with it.
        message: String,
    },
}

/// The packages that `selection` means, sorted.
pub(super) fn packages(workspace: &Workspace, selection: &Selection) -> Result<Vec<PackageId>, PlanError> {
    let names = || workspace.packages.iter().map(|package| package.name.as_str());
    for name in selection.packages.iter().chain(&selection.exclude) {
        if !names().any(|known| known == name) {
            return Err(PlanError::UnknownPackage { name: name.clone(), hint: hint(name, names()) });
        }
    }
    let selected: Vec<_> = workspace
        .packages()
        .filter(|(_, package)| selection.packages.is_empty() || selection.packages.contains(&package.name))
        .filter(|(_, package)| !selection.exclude.contains(&package.name))
        .map(|(id, _)| id)
        .collect();
    if selected.is_empty() && !workspace.packages.is_empty() {
        Err(PlanError::NothingSelected)
    } else {
        Ok(selected)
    }
}

/// The tools of a run.
pub(super) struct Chosen {
    /// Sorted by name.
    pub(super) tools: Vec<Tool>,
    /// The namespaces of those that are left out.
    pub(super) unasked: BTreeSet<String>,
}

/// The tools that `selection` means: those named by `--tool` and what they need, without those named by
/// `--skip-tool`.
pub(super) fn tools(mut tools: Vec<Tool>, selection: &Selection) -> Result<Chosen, PlanError> {
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    for name in selection.tools.iter().chain(&selection.skip_tools) {
        if !tools.iter().any(|tool| tool.name == *name) {
            let hint = hint(name, tools.iter().map(|tool| tool.name.as_str()));
            return Err(PlanError::UnknownTool { name: name.clone(), hint });
        }
    }
    let wanted = match selection.tools.is_empty() {
        true => tools.iter().map(|tool| tool.name.clone()).collect(),
        false => with_needs(&tools, selection.tools.clone()),
    };
    let is_chosen = |tool: &Tool| wanted.contains(&tool.name) && !selection.skip_tools.contains(&tool.name);
    let (mut tools, others): (Vec<_>, Vec<_>) = tools.into_iter().partition(is_chosen);
    // What a required tool needs is required.
    let required = tools.iter().filter(|tool| tool.required).map(|tool| tool.name.clone()).collect();
    let required = with_needs(&tools, required);
    for tool in &mut tools {
        tool.required = required.contains(&tool.name);
    }
    // A workspace without any tool is fine; to take out the last one is a slip that a gate must not pass.
    if tools.is_empty() && !selection.skip_tools.is_empty() {
        return Err(PlanError::NoTool);
    }
    Ok(Chosen { tools, unasked: others.into_iter().flat_map(|tool| tool.namespaces).collect() })
}

/// `names` and, directly or not, what they need.
fn with_needs(tools: &[Tool], mut names: Vec<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    while let Some(name) = names.pop() {
        if found.insert(name.clone()) {
            names.extend(tools.iter().filter(|tool| tool.name == name).flat_map(|tool| tool.needs.clone()));
        }
    }
    found
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.collect();
    match config::closest(name, known.iter().copied()) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => {
            let are = if known.len() == 1 { "is" } else { "are" };
            format!("there {are} {}", config::listed(known))
        }
    }
}
