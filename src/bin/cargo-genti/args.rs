//! The command line as parsed. What it means is decided in [`crate::resolve`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use genti::plan::config;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .invalid(AnsiColor::Yellow.on_default().effects(Effects::BOLD));

const EXIT_CODES: &str = "\
Exit codes:
  0      passed: every required tool looked at everything and found nothing new
  1      failed: new findings, in `check` a stale baseline or an orphaned golden file, in `verify` what varies
  2      a mistake in the command line or the configuration
  3      incomplete: a required tool has no verdict (compile error, time-out, crash, missing tool, --max-duration)
  4      the artifacts, a report, the baseline, golden files, or what was asked for on stdout could not be written
  5      drift: what `check` was asked to run or to judge is not what is configured
  101    a bug in genti
  128+n  stopped by signal n";

/// The words that cargo calls us with, less the name of the subcommand: `cargo genti run` starts
/// `cargo-genti genti run`.
pub(crate) fn of_cargo(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<_> = args.collect();
    if args.get(1).is_some_and(|arg| arg == "genti") {
        args.remove(1);
    }
    args
}

/// `error` with the command that was meant. Clap has none for a short word with two letters swapped.
pub(crate) fn with_suggestion(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
        && error.get(ContextKind::SuggestedSubcommand).is_none()
    {
        let command = Cli::command();
        let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        if let Some(name) = config::closest(word, names) {
            let names = ContextValue::Strings(vec![name.to_owned()]);
            error.insert(ContextKind::SuggestedSubcommand, names);
        }
    }
    error
}

/// Runs every check of a Rust workspace as one task graph: reproducible order, one jobserver, byte-identical
/// artifacts.
#[derive(Debug, Parser)]
#[command(name = "cargo-genti", bin_name = "cargo genti", version, styles = STYLES, after_help = EXIT_CODES)]
#[command(max_term_width = 110, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every check, and write the artifacts
    Run(BlessArgs),
    /// Run every check as a gate, as configured: nothing is written into the repository, a stale baseline fails
    Check(CheckArgs),
    /// Run every check several times, each time in another way, and compare every byte of what comes out
    Verify(VerifyArgs),
    /// Show what would be run, in which batches; nothing is started
    Plan(PlanArgs),
    /// Accept today's findings, and look at what is accepted
    Baseline(BaselineArgs),
    /// Show a finished run: on the terminal, or for other programs and places
    Report(ReportArgs),
    /// List what no tool of the last run looked at, and why
    BlindSpots(BlindSpotsArgs),
    /// Show the tools, their versions and where they are found
    Tools(ToolsArgs),
    /// Write the versions of the tools to genti.lock, beside the configuration
    Lock(ToolsArgs),
    /// Say why the tasks of the last run ran, or why they did not have to
    Explain(ExplainArgs),
    /// Remove what runs left under target/genti, and the results that are kept
    Clean(CleanArgs),
    /// Write a commented configuration from what is found here; overwrites nothing
    Init(InitArgs),
    /// Print what makes a shell complete the words of `cargo-genti`
    Completions(CompletionsArgs),
    /// Print the manual page of a command, as roff
    Man(ManArgs),
}

impl Command {
    /// How to print, where that is for the user to say.
    pub(crate) fn output(&self) -> Option<&OutputArgs> {
        Some(match self {
            Self::Run(args) => &args.gate.run.output,
            Self::Check(args) => &args.gate.run.output,
            Self::Verify(args) => &args.run.output,
            Self::Plan(args) => &args.output,
            Self::Baseline(args) => match &args.command {
                BaselineCommand::Init(args) | BaselineCommand::Update(args) => &args.output,
                BaselineCommand::Accept(args) => &args.run.output,
                BaselineCommand::List(args) | BaselineCommand::Resolve(args) => &args.output,
                BaselineCommand::Diff(args) => &args.output,
            },
            Self::Report(args) => &args.output_args,
            Self::BlindSpots(args) => &args.output,
            Self::Tools(args) | Self::Lock(args) => &args.output,
            Self::Explain(args) => &args.output,
            Self::Clean(args) => &args.output,
            Self::Init(args) => &args.output,
            Self::Completions(_) | Self::Man(_) => return None,
        })
    }
}

impl Command {
    /// Whether stdout is for events.
    pub(crate) fn has_stream(&self) -> bool {
        let format = match self {
            Self::Run(args) => args.gate.reports.message_format,
            Self::Check(args) => args.gate.reports.message_format,
            _ => MessageFormat::Human,
        };
        format == MessageFormat::Json
    }
}

/// What only `run` may do: write into the repository.
#[derive(Debug, Args)]
pub(crate) struct BlessArgs {
    /// Accept what tools with `compare = "golden"` print: write it to .config/genti/golden/
    #[arg(long)]
    pub(crate) bless: bool,
    /// Remove the golden files that no tool prints any more
    #[arg(long, requires = "bless")]
    pub(crate) remove_orphans: bool,
    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

/// What a gate knows beside what it runs.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Let a part pass as such: -p, --exclude, --tool, --skip-tool, --since, and another build than `[baseline]` names
    #[arg(long)]
    pub(crate) partial: bool,
    /// Run nothing, and judge the finished run that left its artifacts in this directory, on whatever machine: by the
    /// plan and the baseline of this checkout, on the day of the run
    #[arg(long, value_name = "DIR", conflicts_with_all = ["fail_fast", "as_of", "no_cache"])]
    pub(crate) artifacts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// Start nothing more once a required tool has failed, and end as incomplete. What was run until then may
    /// depend on --parallel
    #[arg(long)]
    pub(crate) fail_fast: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) reports: ReportsArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct ReportsArgs {
    /// Write a report to a file, such as sarif=genti.sarif: human, json, sarif, junit, markdown or github (several
    /// times)
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub(crate) reports: Vec<String>,
    /// What to print: a report for humans on stderr, or events as lines of JSON on stdout
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) message_format: MessageFormat,
    /// In GitHub Actions, write neither the summary of the step nor annotations
    #[arg(long)]
    pub(crate) no_ci: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// The report, on stderr
    Human,
    /// Events, on stdout
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The day by which suppressions expire: by default that of SOURCE_DATE_EPOCH, else today, in UTC
    /// [env: GENTI_AS_OF]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<String>,
    /// Run everything, and keep no results for the next run [env: GENTI_NO_CACHE]
    #[arg(long)]
    pub(crate) no_cache: bool,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// How often to run: more often finds what varies seldom
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) runs: u32,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// How to print the plan
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: PlanFormat,
    /// Print what the id of one task is made of: `tool:unit`, or the beginning of its id
    #[arg(long, value_name = "TASK", conflicts_with = "format")]
    pub(crate) explain: Option<String>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PlanFormat {
    /// A table of batches
    Human,
    /// Everything, with all task ids
    Json,
    /// The graph of batches, for Graphviz
    Dot,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    pub(crate) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Run every check and accept all of today's findings into .config/genti/baseline/
    Init(Box<RunArgs>),
    /// Run every check and drop the entries that are fixed; follow those that moved. Accepts nothing
    Update(Box<RunArgs>),
    /// Run every check and accept what is new
    Accept(Box<AcceptArgs>),
    /// Show the accepted findings
    List(ListArgs),
    /// Show what two runs found, or two baselines accept, and the other does not
    Diff(DiffArgs),
    /// Settle the merge conflicts in baseline files
    Resolve(ListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// Why; kept with the entries
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Accept findings of this rule only. May be repeated
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Vec<String>,
    /// Accept findings in this file or below this directory only, relative to the workspace root. May be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Vec<String>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The artifacts of a run (target/genti/artifacts, or a copy), or the directory of a baseline
    #[arg(value_name = "A")]
    pub(crate) old: PathBuf,
    /// What to compare it with
    #[arg(value_name = "B")]
    pub(crate) new: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// What to make of the run: human, or html if it is to be opened
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<ReportFormat>,
    /// Where the artifacts of the run are: by default target/genti/artifacts of the workspace
    #[arg(long, value_name = "DIR")]
    pub(crate) artifacts: Option<PathBuf>,
    /// Write it to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write it to a file, by default beside the artifacts, and open that with what the system opens such files with
    #[arg(long)]
    pub(crate) open: bool,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BlindSpotsArgs {
    /// Where the artifacts of the run are: by default target/genti/artifacts of the workspace
    #[arg(long, value_name = "DIR")]
    pub(crate) artifacts: Option<PathBuf>,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum ReportFormat {
    /// As `run` shows it
    Human,
    /// report.json as it is
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for test reports
    Junit,
    /// For the summary of a CI job, or a comment
    Markdown,
    /// Annotations of GitHub Actions
    Github,
    /// A page, complete in itself
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct ToolsArgs {
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Write a GitHub workflow that runs `cargo genti check` as well: .github/workflows/genti.yml
    #[arg(long)]
    pub(crate) github: bool,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH", help_heading = "Workspace")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Run without access to the network
    #[arg(long, help_heading = "Workspace")]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Only this tool, or one of its tasks: `tool` or `tool:unit`
    #[arg(value_name = "TASK")]
    pub(crate) task: Option<String>,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// Remove only the results that no run has used for this long, such as 30d, to within a week
    #[arg(long, value_name = "TIME")]
    pub(crate) older_than: Option<String>,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For this shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Of this command, such as `run` or `baseline accept`; without one, of `cargo genti` itself
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Policy (each also as GENTI_… and under [policy]; the flag wins)")]
pub(crate) struct PolicyArgs {
    /// How tasks are ordered: deterministic, topo, required-first or risk-first [env: GENTI_ORDER]
    #[arg(long, value_name = "ORDER")]
    pub(crate) order: Option<String>,
    /// How ordered tasks are cut into batches: auto, at most N tasks each, by-tool or by-path [env: GENTI_BATCH]
    #[arg(long, value_name = "BATCH")]
    pub(crate) batch: Option<String>,
    /// Shuffle the order reproducibly; 0 keeps path order, `random` picks a seed and prints it [env: GENTI_SEED]
    #[arg(long, value_name = "N|random")]
    pub(crate) seed: Option<String>,
    /// How many processes run at once: up to 1024, or auto for one a core. No part of the plan, and nothing that
    /// is found depends on it [env: GENTI_PARALLEL]
    #[arg(long, value_name = "auto|N")]
    pub(crate) parallel: Option<String>,
    /// Where cargo builds: one (a directory apart from yours), lanes (one for each lane), shared (yours), or auto:
    /// one for up to 3 processes, else lanes. Nothing that is found depends on it [env: GENTI_BUILD_DIR]
    #[arg(long, value_name = "WHERE")]
    pub(crate) build_dir: Option<String>,
    /// The time that one task may take, such as 90s or 2m; a process over several tasks may take up to four
    /// times as long [env: GENTI_PER_TASK_TIMEOUT]
    #[arg(long, value_name = "TIME")]
    pub(crate) per_task_timeout: Option<String>,
    /// The time that the whole run may take; what is left then is not run [env: GENTI_MAX_DURATION]
    #[arg(long, value_name = "TIME")]
    pub(crate) max_duration: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArgs {
    /// Check only this package (several times)
    #[arg(short, long = "package", value_name = "NAME")]
    pub(crate) packages: Vec<String>,
    /// Check every package: the default
    #[arg(long, conflicts_with = "packages")]
    pub(crate) workspace: bool,
    /// Don't check this package (several times)
    #[arg(long, value_name = "NAME")]
    pub(crate) exclude: Vec<String>,
    /// Run only this tool, and what it needs (several times)
    #[arg(long = "tool", value_name = "NAME")]
    pub(crate) tools: Vec<String>,
    /// Don't run this tool (several times)
    #[arg(long = "skip-tool", value_name = "NAME")]
    pub(crate) skip_tools: Vec<String>,
    /// Check only what changed since this commit, uncommitted and untracked files included, and what depends on it
    #[arg(long, value_name = "REF")]
    pub(crate) since: Option<String>,
    /// Features to activate, separated by spaces or commas
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// Activate all features
    #[arg(long)]
    pub(crate) all_features: bool,
    /// Don't activate the default features
    #[arg(long)]
    pub(crate) no_default_features: bool,
    /// Check for this target triple
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// Cargo's profile to check with
    #[arg(long, value_name = "NAME")]
    pub(crate) cargo_profile: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Workspace")]
pub(crate) struct WorkspaceArgs {
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Read this configuration, instead of .config/genti.toml, genti.toml or [workspace.metadata.genti]
    #[arg(long, value_name = "PATH")]
    pub(crate) config_file: Option<PathBuf>,
    /// Let `[profile.NAME.policy]` of the configuration outrank `[policy]`
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Require that Cargo.lock is up to date
    #[arg(long)]
    pub(crate) locked: bool,
    /// Run without access to the network
    #[arg(long)]
    pub(crate) offline: bool,
    /// The same as --locked and --offline
    #[arg(long)]
    pub(crate) frozen: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Show all findings, accepted ones too
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Show only the verdict
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Colour the output
    #[arg(long, value_name = "WHEN")]
    pub(crate) color: Option<Color>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
