//! Asks a tool for its version or its list of rules, with a short time limit.

use std::time::Duration;

use super::build_dirs::BuildDirs;
use super::doing::Watcher;
use super::environment::Env;
use super::process::LocalRunner;
use super::program::{Missing, NO_INSTALL, Programs, read_missing};
use super::runner::{DeclaredFiles, Ending, Invocation, Runner};
use super::sandbox::Grants;
use super::stop::Stop;
use crate::model::policy::BuildDir;
use crate::model::task::Exit;
use crate::model::tool::{Sandbox, Tool};
use crate::model::workspace::Workspace;

/// Time limit for printing the version.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reason why the version of a tool is unknown.
#[derive(Debug, thiserror::Error)]
pub enum NoVersion {
    /// No `version` command is configured.
    #[error("`version` is not configured")]
    NotConfigured,
    /// The program is not installed.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The program could not be started.
    #[error("could not start `{0}`: {1}")]
    NotStarted(String, std::io::Error),
    /// The program did not answer in time.
    #[error("`{0}` did not answer within {limit}", limit = humantime::format_duration(PATIENCE))]
    TimedOut(String),
    /// The program exited with an error.
    #[error("`{0}` failed")]
    Failed(String),
    /// The program printed nothing.
    #[error("`{0}` printed nothing")]
    Silent(String),
    /// The run was stopped.
    #[error("stopped")]
    Stopped,
}

/// Returns the first line that `tool` prints when asked for its version.
///
/// # Errors
///
/// If no command is configured, or if it fails or prints nothing.
pub fn version(
    tool: &Tool,
    workspace: &Workspace,
    programs: &Programs,
    env: &Env,
    stop: &Stop,
) -> Result<String, NoVersion> {
    let text = query(tool, &tool.version, workspace, programs, env, stop)?;
    let line = text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
    line.ok_or_else(|| NoVersion::Silent(tool.version.join(" ")))
}

/// Returns the output of `tool` when asked for its rules.
///
/// # Errors
///
/// If no command is configured, or if it fails.
pub fn rules(
    tool: &Tool,
    workspace: &Workspace,
    programs: &Programs,
    env: &Env,
    stop: &Stop,
) -> Result<String, NoVersion> {
    query(tool, &tool.rules, workspace, programs, env, stop)
}

/// Runs the command line `argv` and returns its output.
fn query(
    tool: &Tool,
    argv: &[String],
    workspace: &Workspace,
    programs: &Programs,
    env: &Env,
    stop: &Stop,
) -> Result<String, NoVersion> {
    let (name, args) = argv.split_first().ok_or(NoVersion::NotConfigured)?;
    let words = || argv.iter().map(String::as_str);
    let program = programs.start(tool, words())?;
    let dirs = BuildDirs::new(BuildDir::Shared, 1, workspace);
    let mut vars = env.for_tool(tool, dirs.vars(tool), &[], 1);
    if Tool::toolchain_of(words()).is_some() {
        vars.insert(NO_INSTALL.0.into(), NO_INSTALL.1.into());
    }
    // The answer needs no files.
    let sandbox = tool.sandbox.clone().map(|sandbox| Sandbox { write: Vec::new(), ..sandbox });
    let wall = Grants { workspace, programs, env, cache_dir: None, own_program: None }
        .wall(sandbox.as_ref(), &program, None, [])
        .map_err(|why| NoVersion::NotStarted(name.clone(), std::io::Error::other(why)))?;
    let invocation = Invocation {
        program,
        args: args.iter().map(Into::into).collect(),
        vars,
        dir: tool.start_dir(&workspace.root),
        declared: DeclaredFiles::default(),
        wall,
        timeout: Some(PATIENCE),
    };
    let finished = match LocalRunner::new(stop, None).run(&invocation, &mut Watcher::none()) {
        Ok(finished) => finished,
        Err(error) => return Err(NoVersion::NotStarted(name.clone(), error)),
    };
    match (finished.ending, finished.exit) {
        (Ending::Own, Exit::Code(0)) => {}
        (Ending::Own, _) => {
            let stderr = finished.stderr.read(None).unwrap_or_default();
            let missing = read_missing(&stderr, words(), tool.install.as_ref());
            return Err(missing.map_or_else(|| NoVersion::Failed(argv.join(" ")), NoVersion::Missing));
        }
        (Ending::TimedOut, _) => return Err(NoVersion::TimedOut(argv.join(" "))),
        (Ending::Ended | Ending::Stopped(_), _) => return Err(NoVersion::Stopped),
    }
    let stdout = finished.stdout.read(None).unwrap_or_default();
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
