//! `cargo genti man`: prints manual pages, which are generated from the same text as `--help`.

use clap::{Command, CommandFactory};
use genti::plan::config;

use crate::args::{Cli, ManArgs};
use crate::exit::{CliError, CliResult};
use crate::render::Shell;

pub(crate) fn main(args: &ManArgs, shell: &mut Shell) -> CliResult {
    let mut top = Cli::command();
    top.build();
    let mut command = &top;
    for word in &args.command {
        command = match command.find_subcommand(word) {
            Some(command) => command,
            None => {
                shell.error(unknown(command, word));
                return Err(CliError::Usage);
            }
        };
    }
    let mut out = Vec::new();
    // Writing to memory can't fail.
    let page = clap_mangen::Man::new(command.clone()).source(concat!("genti ", env!("CARGO_PKG_VERSION")));
    let _ = page.render(&mut out);
    shell.out_as_it_is(&out)
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
