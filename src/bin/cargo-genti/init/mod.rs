//! `cargo genti init`: creates a configuration with the defaults and examples, and a GitHub workflow on
//! request. Overwrites nothing: if a file already exists, nothing is written.

mod config;
mod github;
mod surroundings;

use std::io::ErrorKind;
use std::path::Path;

use genti::path::RelPath;
use genti::pipeline::{self, Limit, Lockfile, Project, Request};
use genti::plan::config::LOCATIONS;
use genti::scan::Env;
use genti::store;

use self::surroundings::{DetectedTool, Surroundings};
use crate::args::{InitArgs, WorkspaceArgs};
use crate::exit::{CliError, CliResult};
use crate::render::{BUSY, GOOD, Shell, plural, visible_line};
use crate::{fail, resolve, signals};

/// Path of the new configuration.
const CONFIG: &str = LOCATIONS[0];
/// Number of items shown of a long list.
const FEW: usize = 5;

pub(crate) fn main(args: &InitArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let InitArgs { manifest_path, offline, .. } = args;
    let workspace =
        WorkspaceArgs { manifest_path: manifest_path.clone(), offline: *offline, ..WorkspaceArgs::default() };
    let request = resolve::workspace(&workspace, Lockfile::Ignore);
    let project =
        pipeline::load(&request, env, &Limit::none(), &mut |_| {}).map_err(|error| fail(shell, error))?;
    let root = project.workspace.root.clone();
    let repository = surroundings::repository(&root);
    let workflow = args.github.then(|| github::place(&repository));
    if let Some(there) = existing_file(&project, workflow.as_deref()) {
        shell.error(format_args!("{there}; {}", advice(args)));
        return Err(CliError::Usage);
    }
    let project = with_lockfile(project, request, env, shell)?;
    let stop = signals::stop(shell)?;
    let found = Surroundings::detect(&project, &repository, env, stop);
    print_found(&found, shell);

    let mut files = Vec::new();
    match &project.config {
        None => files.push((&root, root.join(CONFIG), config::render(&found))),
        Some(name) => shell.aside(GOOD, "Kept", visible_line(name)),
    }
    files.extend(workflow.map(|place| (&repository, place, github::render(&found))));
    for (top, path, text) in &files {
        let shown = visible_line(&seen_from(&root, path));
        match store::create_file(top, path, text.as_bytes()) {
            Ok(()) => shell.status(GOOD, "Wrote", shown),
            Err(error) => {
                let error = match error.kind() {
                    ErrorKind::AlreadyExists => "it was created in the meantime".to_owned(),
                    _ => error.to_string(),
                };
                shell.error(format_args!("could not write `{shown}`: {error}"));
                return Err(CliError::NotWritten);
            }
        }
    }
    if project.config.is_none() {
        shell.note("the configuration contains the defaults and examples; try it with `cargo genti check`");
    }
    if found.ignores_lockfile {
        shell.note("git ignores Cargo.lock; commit it anyway, or run `cargo generate-lockfile` before `check`, which does not create it");
    }
    if args.github {
        shell.note(format_args!(
            "set the variable {} of the GitHub repository to the URL from which the workflow installs genti",
            github::VARIABLE
        ));
    }
    Ok(())
}

/// Describes the file that already exists, if there is one. With `--github`, an existing configuration is
/// kept.
fn existing_file(project: &Project, workflow: Option<&Path>) -> Option<String> {
    let there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    if let Some(workflow) = workflow.filter(|path| there(path)) {
        let shown = visible_line(&seen_from(&project.workspace.root, workflow));
        return Some(format!("workflow `{shown}` already exists"));
    }
    match project.config.as_deref() {
        // Such as a dangling link.
        None if there(&project.workspace.root.join(CONFIG)) => Some(format!("`{CONFIG}` already exists")),
        None => None,
        Some(_) if workflow.is_some() => None,
        Some("Cargo.toml") => {
            Some("configuration `[workspace.metadata.genti]` already exists in `Cargo.toml`".to_owned())
        }
        Some(name) => Some(format!("configuration `{name}` already exists")),
    }
}

/// Returns `path` relative to the workspace root. It may be outside, because the repository may be larger.
fn seen_from(root: &Path, path: &Path) -> String {
    RelPath::between(root, path).map_or_else(|| path.display().to_string(), |path| path.to_string())
}

fn advice(args: &InitArgs) -> &'static str {
    if args.github {
        "edit it, or move it away and try again"
    } else {
        "edit it, or move it away and try again (to add a workflow only, run `cargo genti init --github`)"
    }
}

/// Creates `Cargo.lock` if it is missing, because `check` requires it, and returns the new project.
fn with_lockfile(project: Project, mut request: Request, env: &Env, shell: &mut Shell) -> CliResult<Project> {
    request.lockfile = Lockfile::Create;
    if surroundings::has_lockfile(&project) {
        return Ok(project);
    }
    let project =
        pipeline::load(&request, env, &Limit::none(), &mut |_| {}).map_err(|error| fail(shell, error))?;
    shell.status(GOOD, "Created", "Cargo.lock, which `check` requires");
    Ok(project)
}

/// Reports what was found.
fn print_found(found: &Surroundings, shell: &mut Shell) {
    let few = if shell.verbose { usize::MAX } else { FEW };
    shell.aside(BUSY, "Found", visible_line(&found.packages(few)));
    let tool = |tool: &DetectedTool| match tool.signs.as_slice() {
        [] => tool.name.clone(),
        signs => format!("{} ({})", tool.name, signs.join(", ")),
    };
    let tools: Vec<_> = found.tools.iter().map(tool).collect();
    shell.aside(BUSY, "Found", visible_line(&format!("checks: {}", tools.join(", "))));
    for (file, calls) in &found.ci {
        let calls = match calls.len() {
            0 => String::new(),
            count => format!(", with {count} cargo {}", plural(count, "command", "commands")),
        };
        shell.aside(BUSY, "Found", visible_line(&format!("{file}{calls}")));
    }
    for tool in &found.tools {
        if let Some(missing) = &tool.missing {
            shell.note(visible_line(&format!("{}: {missing}", tool.name)));
        }
    }
}
