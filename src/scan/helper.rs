//! Asks a credential helper: a program of the user that reads a question and prints an answer.

use std::io::{self, Seek as _, Write as _};
use std::path::{MAIN_SEPARATOR, Path};
use std::process::Command;
use std::time::Duration;

use super::doing::Watcher;
use super::environment::Env;
use super::process::{self, Limits};
use super::runner::Ending;
use super::stop::Stop;
use crate::model::task::Exit;

/// Reason why a helper has no answer. Does not contain its output, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The helper could not be started.
    #[error("could not start `{0}`: {1}")]
    NotStarted(String, io::Error),
    /// The helper did not answer in time.
    #[error("`{0}` did not answer in time")]
    TimedOut(String),
    /// The helper exited with an error.
    #[error("`{0}` failed")]
    Failed(String),
}

/// Runs the command line `words` in `dir`, with `question` as its standard input, and returns its output.
///
/// # Errors
///
/// If it can't be started, fails, or takes longer than `limit`.
pub fn ask_helper(
    words: &[String],
    question: &[u8],
    dir: &Path,
    env: &Env,
    limit: Duration,
    stop: &Stop,
) -> Result<Vec<u8>, NoAnswer> {
    let (name, args) = words.split_first().map_or(("", &[][..]), |(name, args)| (name.as_str(), args));
    let not_started = |error| NoAnswer::NotStarted(name.to_owned(), error);
    // A file and not a pipe, so that a helper that reads nothing blocks nobody.
    let question = || -> io::Result<_> {
        let mut file = tempfile::tempfile()?;
        file.write_all(question)?;
        file.rewind()?;
        Ok(file)
    };
    let question = question().map_err(not_started)?;
    let is_path = name.contains(['/', MAIN_SEPARATOR]);
    let mut command = if is_path { Command::new(dir.join(name)) } else { Command::new(name) };
    command.args(args).current_dir(dir).env_clear().envs(env.vars()).stdin(question);
    let limits = Limits { timeout: Some(limit), ..Limits::default() };
    let finished = process::run(&mut command, limits, stop, None, &mut Watcher::none());
    let finished = finished.map_err(not_started)?;
    match (finished.ending, finished.exit) {
        (Ending::Own, Exit::Code(0)) => {}
        (Ending::TimedOut, _) => return Err(NoAnswer::TimedOut(name.to_owned())),
        _ => return Err(NoAnswer::Failed(name.to_owned())),
    }
    finished.stdout.read(None).map_err(|_| NoAnswer::Failed(name.to_owned()))
}
