//! `cargo genti man` and `cargo genti help`: print the manual page and the help of a command, which are generated
//! from the same text.

use clap::{Command, CommandFactory};
use genti::plan::config;

use crate::args::{Cli, CommandArgs};
use crate::exit::{CliError, CliResult};
use crate::render::Shell;

/// Prints the manual page of the command that `args` name.
pub(crate) fn page(args: &CommandArgs, shell: &mut Shell) -> CliResult {
    let command = match find(args) {
        Ok(command) => command,
        Err(message) => return misused(&message, shell),
    };
    let mut out = Vec::new();
    // Writing to memory can't fail.
    let _ =
        clap_mangen::Man::new(command).source(concat!("genti ", env!("CARGO_PKG_VERSION"))).render(&mut out);
    shell.out_as_it_is(&out)
}

/// Prints what `--help` prints for the command that `args` name.
pub(crate) fn help(args: &CommandArgs, shell: &mut Shell) -> CliResult {
    if let Err(message) = find(args) {
        return misused(&message, shell);
    }
    let words = args.command.iter().map(String::as_str);
    match Cli::command().try_get_matches_from(["cargo-genti"].into_iter().chain(words).chain(["--help"])) {
        Err(help) => shell.printed(help.print()),
        Ok(_) => Ok(()),
    }
}

fn misused(message: &str, shell: &mut Shell) -> CliResult {
    shell.error(message);
    Err(CliError::Usage)
}

/// Returns the command that `args` name.
fn find(args: &CommandArgs) -> Result<Command, String> {
    let mut top = Cli::command();
    top.build();
    let mut command = &top;
    for word in &args.command {
        command = command.find_subcommand(word).ok_or_else(|| unknown(command, word))?;
    }
    Ok(command.clone())
}

fn unknown(above: &Command, word: &str) -> String {
    let names: Vec<_> = above.get_subcommands().map(Command::get_name).collect();
    let of = above.get_bin_name().unwrap_or_default();
    match config::closest(word, names.iter().copied()) {
        Some(name) => format!("`{of}` has no command `{word}`; did you mean `{name}`?"),
        None if names.is_empty() => format!("`{of}` has no subcommands, so there is no `{word}`"),
        None => format!("`{of}` has no command `{word}`; available commands: {}", names.join(", ")),
    }
}
