//! Workspaces of variants, if they are not the one of the run.

use toml::Spanned;

use super::reader::ConfigReader;
use super::suggest::listed;
use crate::model::path::RelPath;
use crate::model::tool::{Per, Tool};
use crate::model::variant::Variant;
use crate::model::workspace::{Workspace, WorkspaceProblem};

/// Reports a `tool` that can't check another workspace, which the variant called `of` has.
pub(super) fn check_tool(reader: &mut ConfigReader<'_>, tool: &Tool, of: &Spanned<String>) {
    let is_of_packages = matches!(tool.per, Per::Package | Per::TargetRoot | Per::TestTarget);
    if !is_of_packages && tool.looks_at_files() {
        let message = format!(
            "`{}` can't run in `{}`, because it looks at files, whatever workspace they are in",
            tool.name,
            of.get_ref()
        );
        let help = "remove it from `variants`; to start a tool of your own elsewhere, write `dir = \"…\"`";
        reader.report_with(of.span(), message, help);
    } else if let Some(dir) = &tool.dir {
        let message = format!(
            "`{}` starts in `{dir}`, so it can't start in the workspace of `{}`",
            tool.name,
            of.get_ref()
        );
        reader.report_with(of.span(), message, "remove `dir`, or use a variant without `workspace`");
    }
}

/// Returns the `inputs` of a tool in `variant`. A path without `**` is also meant in its workspace.
pub(super) fn inputs(inputs: &[String], variant: &Variant) -> Vec<String> {
    let mut all = inputs.to_vec();
    if let Some(root) = &variant.workspace {
        let own = inputs.iter().filter(|glob| !glob.starts_with("**") && !glob.starts_with("../"));
        all.extend(own.map(|glob| format!("{root}/{glob}")));
    }
    all
}

/// Returns the reason why the workspace of `variant` can't be built, and what to do, if there is one.
pub(super) fn problem(variant: &Variant, workspace: &Workspace) -> Option<(String, String)> {
    let root = variant.workspace.as_ref()?;
    let loaded = workspace.others.iter().find(|other| other.root == *root);
    let problem = match loaded {
        Some(other) => other.problem.as_ref()?,
        None => &WorkspaceProblem::Empty,
    };
    // Another toolchain is what the variant asks for.
    let is_solved = *problem == WorkspaceProblem::OtherToolchain && variant.toolchain.is_some();
    (!is_solved).then(|| words(root, problem))
}

/// Returns a message and help if the root of the repository has no workspace, but some of `tools` would build it. `variant` is the
/// first one with a workspace.
pub(super) fn without_root(
    variant: &Variant,
    tools: &[Tool],
    workspace: &Workspace,
) -> Option<(String, String)> {
    if workspace.member_count() > 0 || workspace.find(&RelPath::new("Cargo.toml")).is_some() {
        return None;
    }
    let has_default =
        |tool: &&Tool| tool.variants.is_empty() || tool.variants.iter().any(|name| name == Variant::DEFAULT);
    let is_run = |tool: &&Tool| !tool.looks_at_files() && !tool.on_demand && !tool.is_only_detected();
    let names: Vec<_> = tools.iter().filter(is_run).filter(has_default).map(|tool| &*tool.name).collect();
    (!names.is_empty()).then(|| {
        let message =
            format!("there is no `Cargo.toml` in the root, so nothing to build for {}", listed(names));
        let help =
            format!("write `variants = [\"{}\"]` under each of them, or `enabled = false`", variant.name);
        (message, help)
    })
}

fn words(root: &RelPath, problem: &WorkspaceProblem) -> (String, String) {
    let own = "name the directory of a `Cargo.toml` with `[workspace]`, as seen from the workspace root";
    match problem {
        WorkspaceProblem::NoDirectory => (format!("there is no directory `{root}`"), own.to_owned()),
        WorkspaceProblem::Link => {
            (format!("`{root}` is a symbolic link, or behind one"), "name the directory itself".to_owned())
        }
        WorkspaceProblem::NoManifest => (format!("there is no `{root}/Cargo.toml`"), own.to_owned()),
        WorkspaceProblem::PartOf(other) if other.is_root() => {
            let help = "remove `workspace`; to build some packages alone, name them in `packages`";
            (format!("`{root}` is part of this workspace"), help.to_owned())
        }
        WorkspaceProblem::PartOf(other) => (
            format!("`{root}` is part of the workspace in `{other}`"),
            format!("write `workspace = \"{other}\"`"),
        ),
        WorkspaceProblem::PartOfOutside => {
            (format!("`{root}` is part of a workspace outside of this one"), own.to_owned())
        }
        WorkspaceProblem::Empty => (
            format!("the workspace in `{root}` has no packages"),
            "add one, or remove the variant".to_owned(),
        ),
        WorkspaceProblem::OtherToolchain => {
            let help = "set `toolchain` in the variant, or remove the toolchain file there";
            (
                format!("the toolchain file for `{root}` is another one than that of this workspace"),
                help.to_owned(),
            )
        }
        WorkspaceProblem::Cargo(message) => {
            let help =
                format!("correct it; `cargo metadata --manifest-path {root}/Cargo.toml` shows the message");
            (format!("cargo can't load the workspace in `{root}`: {message}"), help)
        }
    }
}
