//! `cargo genti init`: creates a configuration with the defaults and examples, and on request a GitHub workflow and a git
//! hook. Overwrites nothing: if a file already exists, nothing is written.

mod config;
mod github;
mod hook;
mod surroundings;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use genti::path::RelPath;
use genti::pipeline::{self, Limit, Lockfile, Project, Request};
use genti::plan::config::LOCATIONS;
use genti::scan::Env;
use genti::{disk, store, workspace};

use self::surroundings::{DetectedTool, Surroundings};
use crate::args::{self, InitArgs, WorkspaceArgs};
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
    let refused = |shell: &mut Shell, why: String| {
        shell.error(visible_line(&why));
        CliError::Usage
    };
    if let Some(there) = existing_file(&project, args, workflow.as_deref()) {
        return Err(refused(shell, format!("{there}; {}", advice(args))));
    }
    let hook = args.pre_commit.then(|| Hook::find(&root, &repository)).transpose();
    let hook = hook.map_err(|why| refused(shell, why))?;
    let project = with_lockfile(project, request, env, shell)?;
    let stop = signals::stop(shell)?;
    let found = Surroundings::detect(&project, &repository, env, stop);
    print_found(&found, shell);

    let mut files = Vec::new();
    match &project.config {
        None => {
            let schema = root.join(config::SCHEMA);
            if std::fs::symlink_metadata(&schema).is_err() {
                files.push(NewFile::new(&root, schema, args::CONFIG_SCHEMA.to_owned()));
            }
            files.push(NewFile::new(&root, root.join(CONFIG), config::render(&found)));
        }
        Some(name) => shell.aside(GOOD, "Kept", visible_line(name)),
    }
    files.extend(workflow.map(|place| NewFile::new(&repository, place, github::render(&found))));
    files.extend(hook.as_ref().and_then(|hook| hook.file(&root, &found)));
    for file in &files {
        file.write(&root, shell)?;
    }
    if let Some(hook) = &hook {
        hook.add_entry(&found, shell)?;
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

/// A file to create.
struct NewFile {
    /// Directory that it must be in.
    top: PathBuf,
    path: PathBuf,
    text: String,
    is_program: bool,
}

impl NewFile {
    fn new(top: &Path, path: PathBuf, text: String) -> Self {
        Self { top: top.to_path_buf(), path, text, is_program: false }
    }

    fn write(&self, root: &Path, shell: &mut Shell) -> CliResult {
        let Self { top, path, text, is_program } = self;
        let create = if *is_program { store::create_program } else { store::create_file };
        let shown = visible_line(&seen_from(root, path));
        match create(top, path, text.as_bytes()) {
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
        Ok(())
    }
}

/// The place of the hook.
enum Hook {
    /// A file that git runs.
    Git { owner: PathBuf, path: PathBuf },
    /// An entry in the configuration of pre-commit, with its current text. The script may exist already.
    Entry { top: PathBuf, text: String, has_script: bool },
}

impl Hook {
    /// Decides where the hook belongs. Returns an error if someone else's hook is there.
    fn find(root: &Path, repository: &Path) -> Result<Self, String> {
        if let Ok(text) = disk::read_to_string(&repository.join(hook::PRE_COMMIT)) {
            let has_script = std::fs::symlink_metadata(root.join(hook::SCRIPT)).is_ok();
            return match hook::is_in(&text) {
                true => Err(format!("`{}` has the hook already", hook::PRE_COMMIT)),
                false => Ok(Self::Entry { top: repository.to_path_buf(), text, has_script }),
            };
        }
        let workspace::Hooks { dir, owner } = workspace::hooks(root)
            .map_err(|_| "a hook needs a git repository; run `git init` first".to_owned())?;
        let path = dir.join("pre-commit");
        let shown = seen_from(root, &path);
        let Some(owner) = owner else {
            return Err(format!(
                "`core.hooksPath` names `{}`, which is outside of this repository and may serve others; set it to a directory of \
                 this repository, or unset it",
                dir.display()
            ));
        };
        if std::fs::symlink_metadata(&path).is_err() {
            return Ok(Self::Git { owner, path });
        }
        Err(match disk::read_to_string(&path).is_ok_and(|text| hook::is_own(&text)) {
            true => format!("`{shown}` has the hook already; to write it again, remove it first"),
            false => format!(
                "hook `{shown}` already exists; move it away, try again, and then call it from the new hook"
            ),
        })
    }

    /// Returns the file to create.
    fn file(&self, root: &Path, found: &Surroundings) -> Option<NewFile> {
        let (top, path) = match self {
            Self::Git { owner, path } => (owner.as_path(), path.clone()),
            Self::Entry { has_script: true, .. } => return None,
            Self::Entry { .. } => (root, root.join(hook::SCRIPT)),
        };
        Some(NewFile { is_program: true, ..NewFile::new(top, path, hook::render(found)) })
    }

    /// Adds the entry to the configuration of pre-commit, or says how to.
    fn add_entry(&self, found: &Surroundings, shell: &mut Shell) -> CliResult {
        let Self::Entry { top, text, has_script } = self else { return Ok(()) };
        if *has_script {
            shell.aside(GOOD, "Kept", hook::SCRIPT);
        }
        let Some(new) = hook::with_entry(text, found) else {
            let entry = hook::entry(found, "  ");
            shell.note(format_args!(
                "add this below `repos` in `{}`:\n{}",
                hook::PRE_COMMIT,
                entry.trim_end()
            ));
            return Ok(());
        };
        let path = RelPath::new(hook::PRE_COMMIT);
        let contents = [text, &new].map(|text| Some(text.as_bytes().to_vec()));
        match store::replace_source(top, top, &path, contents, None) {
            Ok(()) => shell.status(GOOD, "Added", format_args!("the hook to {}", hook::PRE_COMMIT)),
            Err(error) => {
                shell.error(format_args!("could not change `{}`: {error}", hook::PRE_COMMIT));
                return Err(CliError::NotWritten);
            }
        }
        Ok(())
    }
}

/// Describes the file that already exists, if there is one. With `--github` or `--pre-commit`, an existing configuration
/// is kept.
fn existing_file(project: &Project, args: &InitArgs, workflow: Option<&Path>) -> Option<String> {
    let there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    if let Some(workflow) = workflow.filter(|path| there(path)) {
        let shown = visible_line(&seen_from(&project.workspace.root, workflow));
        return Some(format!("workflow `{shown}` already exists"));
    }
    match project.config.as_deref() {
        // For example a dangling link, which is not read as a configuration.
        None if there(&project.workspace.root.join(CONFIG)) => Some(format!("`{CONFIG}` already exists")),
        None => None,
        Some(_) if args.github || args.pre_commit => None,
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
    if args.github || args.pre_commit {
        "edit it, or move it away and try again"
    } else {
        "edit it, or move it away and try again (to add only a workflow or a hook, pass `--github` or `--pre-commit`)"
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
