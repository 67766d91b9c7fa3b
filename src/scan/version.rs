//! Asks a tool for its version: like any process of its, but for a short time only.

use std::process::Command;
use std::time::Duration;

use super::build_dirs::BuildDirs;
use super::environment::Env;
use super::process::{self, Ending};
use super::program::{Missing, NO_INSTALL, Programs, read_missing, toolchain_of};
use super::stop::Stop;
use crate::model::policy::BuildDir;
use crate::model::task::Exit;
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;

/// What a tool may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the version of a tool is not known.
#[derive(Debug, thiserror::Error)]
pub enum NoVersion {
    /// Nobody said how to ask.
    #[error("`version` is not configured")]
    NotConfigured,
    /// The program to ask is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It could not be started.
    #[error("could not start `{0}`: {1}")]
    NotStarted(String, std::io::Error),
    /// It did not answer in time.
    #[error("`{0}` did not answer within {limit}", limit = humantime::format_duration(PATIENCE))]
    TimedOut(String),
    /// It failed.
    #[error("`{0}` failed")]
    Failed(String),
    /// It said nothing.
    #[error("`{0}` printed nothing")]
    Silent(String),
    /// The run was stopped.
    #[error("stopped")]
    Stopped,
}

/// The first line that `tool` prints of its version.
///
/// # Errors
///
/// If it is not asked, or does not answer.
pub fn version(
    tool: &Tool,
    workspace: &Workspace,
    programs: &Programs,
    env: &Env,
    stop: &Stop,
) -> Result<String, NoVersion> {
    let text = ask(tool, &tool.version, workspace, programs, env, stop)?;
    let line = text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
    line.ok_or_else(|| NoVersion::Silent(tool.version.join(" ")))
}

/// What `tool` prints of the rules that it knows.
///
/// # Errors
///
/// If it is not asked, or does not answer.
pub fn rules(
    tool: &Tool,
    workspace: &Workspace,
    programs: &Programs,
    env: &Env,
    stop: &Stop,
) -> Result<String, NoVersion> {
    ask(tool, &tool.rules, workspace, programs, env, stop)
}

/// What the command line `question` prints.
fn ask(
    tool: &Tool,
    question: &[String],
    workspace: &Workspace,
    programs: &Programs,
    env: &Env,
    stop: &Stop,
) -> Result<String, NoVersion> {
    let (name, args) = question.split_first().ok_or(NoVersion::NotConfigured)?;
    let words = || question.iter().map(String::as_str);
    let mut command = Command::new(programs.start(words(), tool.install.as_ref())?);
    command.args(args).current_dir(&workspace.root);
    let dirs = BuildDirs::new(BuildDir::Shared, 1, workspace);
    command.env_clear().envs(env.for_tool(tool, &dirs, &[], 1));
    if toolchain_of(words()).is_some() {
        command.env(NO_INSTALL.0, NO_INSTALL.1);
    }
    let ran = match process::run(&mut command, Some(PATIENCE), stop, None) {
        Ok(ran) => ran,
        Err(error) => return Err(NoVersion::NotStarted(name.clone(), error)),
    };
    match (ran.ending, ran.exit) {
        (Ending::Own, Exit::Code(0)) => {}
        (Ending::Own, _) => {
            let stderr = ran.stderr.read(None).unwrap_or_default();
            let missing = read_missing(&stderr, words(), tool.install.as_ref());
            return Err(missing.map_or_else(|| NoVersion::Failed(question.join(" ")), NoVersion::Missing));
        }
        (Ending::TimedOut, _) => return Err(NoVersion::TimedOut(question.join(" "))),
        (Ending::Stopped(_), _) => return Err(NoVersion::Stopped),
    }
    let stdout = ran.stdout.read(None).unwrap_or_default();
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}
