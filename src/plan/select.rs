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

/// The tools that `selection` means: those named by `--tool` and what they need, else all that `workspace` shows that
/// it uses; without those named by `--skip-tool`.
pub(super) fn tools(
    workspace: &Workspace,
    mut tools: Vec<Tool>,
    selection: &Selection,
) -> Result<Chosen, PlanError> {
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    for name in selection.tools.iter().chain(&selection.skip_tools) {
        if !tools.iter().any(|tool| tool.name == *name) {
            let hint = hint(name, tools.iter().map(|tool| tool.name.as_str()));
            return Err(PlanError::UnknownTool { name: name.clone(), hint });
        }
    }
    let is_skipped = |name: &String| selection.skip_tools.contains(name);
    let is_used = |tool: &&Tool| tool.detect.as_ref().is_none_or(|signs| signs.are_in(workspace));
    let asked_for = match selection.tools.is_empty() {
        true => {
            let tools = tools.iter().filter(|tool| !tool.on_demand).filter(is_used);
            tools.map(|tool| tool.name.clone()).collect()
        }
        false => selection.tools.clone(),
    };
    let wanted = with_needs(&tools, asked_for.into_iter().filter(|name| !is_skipped(name)).collect());
    let is_chosen = |tool: &Tool| wanted.contains(&tool.name) && !is_skipped(&tool.name);
    let (mut tools, others): (Vec<_>, Vec<_>) = tools.into_iter().partition(is_chosen);
    // What a required tool needs is required.
    let required = tools.iter().filter(|tool| tool.required).map(|tool| tool.name.clone()).collect();
    let required = with_needs(&tools, required);
    for tool in &mut tools {
        tool.required = required.contains(&tool.name);
        // Who names it wants it, as if it were configured.
        tool.detect.take_if(|_| selection.tools.contains(&tool.name));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::model::tool::{Parse, Signs};

    /// What is left of a tool that waits to be detected, and of one that does not; and which of them somebody wants.
    #[track_caller]
    fn check(workspace: &Workspace, selection: Selection, expected: &[(&str, bool)]) {
        let texts = |text: &str| vec![text.to_owned()];
        let mut shy = testing::tool("shy", Parse::Lines, &["shy"]);
        shy.detect = Some(Signs {
            files: texts("shy.toml"),
            metadata: texts("shy"),
            build_dependencies: texts("shy"),
        });
        shy.configured = false;
        let tools = vec![testing::tool("bold", Parse::Lines, &["bold"]), shy];
        let chosen = super::tools(workspace, tools, &selection).expect("the names are right").tools;
        let left: Vec<_> = chosen.iter().map(|tool| (&*tool.name, !tool.is_only_detected())).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn a_tool_takes_part_where_the_workspace_shows_that_it_uses_it_or_somebody_names_it() {
        let unused = testing::workspace(&[], &["a/shy.toml"]);
        let mut table = unused.clone();
        table.metadata.insert("shy".to_owned());
        let mut script = unused.clone();
        script.build_dependencies.insert("shy".to_owned());
        let named = |name: &str| Selection { tools: vec![name.to_owned()], ..Selection::default() };
        let skipped = Selection { skip_tools: vec!["shy".to_owned()], ..Selection::default() };
        check(&unused, Selection::default(), &[("bold", true)]);
        check(
            &testing::workspace(&[], &["shy.toml"]),
            Selection::default(),
            &[("bold", true), ("shy", false)],
        );
        check(&table, Selection::default(), &[("bold", true), ("shy", false)]);
        check(&script, Selection::default(), &[("bold", true), ("shy", false)]);
        check(&table, named("shy"), &[("shy", true)]);
        check(&unused, named("shy"), &[("shy", true)]);
        check(&table, named("bold"), &[("bold", true)]);
        check(&table, skipped.clone(), &[("bold", true)]);
        check(&unused, skipped, &[("bold", true)]);
    }
}
