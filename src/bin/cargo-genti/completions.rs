//! `cargo genti completions`: what makes a shell complete our words.

use clap::CommandFactory;
use clap_complete::Shell as For;
use genti::model::outcome::End;

use crate::args::{Cli, CompletionsArgs};
use crate::render::Shell;

/// Of the program itself: cargo's own completions hand on what follows `cargo genti`.
const PROGRAM: &str = "cargo-genti";

pub(crate) fn main(args: &CompletionsArgs, shell: &mut Shell) -> End {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), name(args.shell), &mut out);
    match args.shell {
        For::Bash => shell.out(&for_bash(&String::from_utf8_lossy(&out))),
        _ => shell.out_as_it_is(&out),
    }
}

/// The name that the text is generated for. That for bash loses the subcommands of a name with a dash in it: it calls
/// them by two names.
fn name(shell: For) -> &'static str {
    if shell == For::Bash { "genti" } else { PROGRAM }
}

/// The same text, for the name that the program has.
fn for_bash(text: &str) -> String {
    text.replace(" genti\n", &format!(" {PROGRAM}\n"))
}
