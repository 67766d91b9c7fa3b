//! `cargo genti completions`: generates shell completions.

use clap::CommandFactory;
use clap_complete::Shell as For;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::CliResult;
use crate::render::Shell;

/// Name of the executable. Cargo's own completions delegate `cargo genti` to it.
const PROGRAM: &str = "cargo-genti";

pub(crate) fn main(args: &CompletionsArgs, shell: &mut Shell) -> CliResult {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), name(args.shell), &mut out);
    match args.shell {
        For::Bash => shell.out(&for_bash(&String::from_utf8_lossy(&out))),
        _ => shell.out_as_it_is(&out),
    }
}

/// Returns the name to generate completions for. The bash generator mixes up two spellings of a name with a
/// dash and loses its subcommands.
fn name(shell: For) -> &'static str {
    if shell == For::Bash { "genti" } else { PROGRAM }
}

/// Replaces the name in the completions for bash with that of the executable.
fn for_bash(text: &str) -> String {
    text.replace(" genti\n", &format!(" {PROGRAM}\n"))
}
