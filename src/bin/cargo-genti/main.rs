//! The command line `cargo genti`: parses arguments, calls the library, renders its events, and sets the exit
//! code.

#![expect(
    clippy::disallowed_methods,
    reason = "the command line may access the clock, the working directory and signals"
)]

mod args;
mod baseline;
mod bisect;
mod bless;
mod blind_spots;
mod clean;
mod completions;
mod config;
mod exit;
mod explain;
mod finished;
mod fix;
mod format;
mod init;
mod lock;
mod lookup;
mod man;
mod merge;
mod plan;
mod remote;
mod render;
mod report;
mod reports;
mod resolve;
mod run;
mod runs;
mod session;
mod show;
mod signals;
mod stdout;
mod stream;
mod tools;
mod upgrade;
mod verify;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use genti::pipeline::Error;
use genti::scan::{Env, Inherited};
use genti::store::BaselineError;

use crate::args::{Cli, Command, OutputArgs};
use crate::exit::CliError;
use crate::render::Shell;
use crate::session::Startup;

fn main() -> ExitCode {
    if let Some(code) = genti::scan::run_as_wrapper(std::env::args_os()) {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    if std::env::args_os().nth(1).is_some_and(|arg| arg == signals::GUARD) {
        genti::scan::stand_guard();
        return ExitCode::SUCCESS;
    }
    // Inherited descriptors are only safe to take before any file is opened.
    let inherited = Inherited::take();
    // If this fails, waiting for the first child reports the problem.
    let _ = signals::expect_children();
    let env = Env::capture();
    let cli = match Cli::try_parse_from(args::of_cargo(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            let error = args::with_suggestion(error);
            let printed = error.print();
            if error.use_stderr() {
                return exit::code(Err(CliError::Usage));
            }
            // Help and version are not errors, and go to stdout.
            return exit::code(Shell::new(&OutputArgs::default(), &env).printed(printed));
        }
    };
    let mut shell = Shell::new(cli.command.output().unwrap_or(&OutputArgs::default()), &env);
    if let Some(reports) = cli.command.reports() {
        shell.statistics = reports.statistics;
        shell.start_stream(reports.message_format);
    }
    let start = |env| Startup { env, inherited, at: Instant::now() };
    let result = match &cli.command {
        Command::Run(args) => run::run(args, start(env), &mut shell),
        Command::Check(args) => run::check(args, start(env), &mut shell),
        Command::Merge(args) => merge::main(args, start(env), &mut shell),
        Command::Fix(args) => fix::main(args, start(env), &mut shell),
        Command::Verify(args) => verify::main(args, start(env), &mut shell),
        Command::Plan(args) => plan::main(args, &env, &mut shell),
        Command::Baseline(args) => baseline::main(&args.command, start(env), &mut shell),
        Command::Config(args) => config::main(args, &env, &mut shell),
        Command::Report(args) => report::main(args, &env, &mut shell),
        Command::BlindSpots(args) => blind_spots::main(args, &env, &mut shell),
        Command::Lock(args) => lock::main(args, &env, &mut shell),
        Command::Upgrade(args) => upgrade::main(args, start(env), &mut shell),
        Command::Bisect(args) => bisect::main(args, start(env), &mut shell),
        Command::Tools(args) => tools::main(args, &env, &mut shell),
        Command::Explain(args) => explain::main(args, &env, &mut shell),
        Command::Clean(args) => clean::main(args, &env, &mut shell),
        Command::Init(args) => init::main(args, &env, &mut shell),
        Command::Completions(args) => completions::main(args, &mut shell),
        Command::Man(args) => man::page(args, &mut shell),
        Command::Help(args) => man::help(args, &mut shell),
    };
    exit::code(shell.end_stream(result))
}

/// Reports a mistake of the user.
fn usage(shell: &mut Shell, error: impl std::fmt::Display) -> CliError {
    shell.error(error);
    CliError::Usage
}

/// Reports why a run is not possible.
fn fail(shell: &mut Shell, error: Error) -> CliError {
    match &error {
        Error::Config(problems) | Error::Baseline(BaselineError::Content(problems)) => {
            shell.problems(problems)
        }
        error => shell.error(error),
    }
    CliError::Usage
}
