//! Asks a tool for its version: like any process of its, but for a short time only.

use std::process::Command;
use std::time::Duration;

use super::build_dirs::BuildDirs;
use super::environment::Env;
use super::process::{self, Ending};
use super::program::Programs;
use super::stop::Stop;
use crate::model::policy::BuildDir;
use crate::model::task::Exit;
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;

/// What a tool may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first line that `tool` prints of its version, if it is asked and answers.
pub fn version(
    tool: &Tool,
    workspace: &Workspace,
    programs: &Programs,
    env: &Env,
    stop: &Stop,
) -> Option<String> {
    let (name, args) = tool.version.split_first()?;
    let mut command = Command::new(programs.find(name)?);
    command.args(args).current_dir(&workspace.root);
    let dirs = BuildDirs::new(BuildDir::Shared, 1, workspace);
    command.env_clear().envs(env.for_tool(tool, &dirs, &[], 1));
    let ran = process::run(&mut command, Some(PATIENCE), stop).ok()?;
    if (ran.ending, ran.output.exit) != (Ending::Own, Exit::Code(0)) {
        return None;
    }
    let text = String::from_utf8_lossy(&ran.output.stdout);
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}
