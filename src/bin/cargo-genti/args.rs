//! Command line arguments as parsed. [`crate::resolve`] interprets them.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use genti::plan::config;

use crate::format::ReportFormat;

mod baseline;
mod bisect;
mod plan;
mod shard;
mod upgrade;

pub(crate) use baseline::{AcceptArgs, BaselineArgs, BaselineCommand, DiffArgs};
pub(crate) use bisect::BisectArgs;
pub(crate) use plan::{PlanArgs, PlanFormat};
pub(crate) use shard::{MergeArgs, ShardArgs};
pub(crate) use upgrade::UpgradeArgs;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .invalid(AnsiColor::Yellow.on_default().effects(Effects::BOLD));

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0      passed: every required tool checked everything and found nothing new
  1      failed: new findings; stale baseline entries or orphaned golden files in `check`; differences in `verify`
  2      invalid command line or configuration; uncommitted changes in `fix`
  3      incomplete: a required tool has no result (compile error, timeout, crash, missing tool, --max-duration)
  4      the artifacts, a report, the baseline, golden files, fixed files or stdout could not be written
  5      drift: what `check` runs or judges differs from the configuration
  101    a bug in genti
  128+n  interrupted by signal n";

/// JSON Schema of the configuration.
pub(crate) const CONFIG_SCHEMA: &str = include_str!("../../../docs/schemas/config.schema.json");

/// Returns the arguments without the name of the subcommand, which cargo adds: `cargo genti run` starts
/// `cargo-genti genti run`.
pub(crate) fn of_cargo(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<_> = args.collect();
    if args.get(1).is_some_and(|arg| arg == "genti") {
        args.remove(1);
    }
    args
}

/// Adds the intended command to `error`. Clap suggests none for a short word with two letters swapped. Removes the
/// suggestion to pass an unknown flag behind `--`, where only names of tests belong.
pub(crate) fn with_suggestion(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        let tips: Vec<_> = tips.into_iter().filter(|tip| !tip.to_string().starts_with("to pass ")).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
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

/// Run all checks of a Rust workspace: formatting, lints, documentation, tests and your own tools. Report what
/// they find, and fail only on what is new
#[derive(Debug, Parser)]
#[command(name = "cargo-genti", bin_name = "cargo genti", version, styles = STYLES, after_help = EXIT_CODES)]
#[command(max_term_width = 110, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all checks and report what they find
    Run(BlessArgs),
    /// Run all checks as a gate, as in CI: exactly as configured, and without changing the repository
    Check(CheckArgs),
    /// Merge the shards of a run, and decide as a run on one machine would
    Merge(Box<MergeArgs>),
    /// Apply the fixes that tools suggest for new findings
    Fix(Box<FixArgs>),
    /// Run all checks several times under different conditions, and compare the results byte by byte
    Verify(VerifyArgs),
    /// Show what would run and in which order, without running anything
    Plan(PlanArgs),
    /// Show the effective configuration, with the origin of each value
    Config(ConfigArgs),
    /// Accept current findings, so that only new ones fail, and manage the accepted ones
    Baseline(BaselineArgs),
    /// Show the report of the last run, or convert it to another format
    Report(ReportArgs),
    /// List what no tool of the last run checked, with reasons
    BlindSpots(BlindSpotsArgs),
    /// List the tools with their versions and locations
    Tools(ToolsArgs),
    /// Record the versions of the tools in genti.lock, next to the configuration, or write the lock file of a variant
    Lock(LockArgs),
    /// Show what another Rust toolchain would bring: new lints, new findings, and errors. Accept it on request
    Upgrade(Box<UpgradeArgs>),
    /// Find the commit that brought a finding, in a worktree of its own
    Bisect(Box<BisectArgs>),
    /// Explain why tasks of the last run ran or were cached, or the cause of a finding
    Explain(ExplainArgs),
    /// Remove what runs left in the target directory: reports, builds and cached results
    Clean(CleanArgs),
    /// Create a commented configuration for this workspace, without overwriting files
    Init(InitArgs),
    /// Generate shell completions
    Completions(CompletionsArgs),
    /// Print the manual page of a command in roff format
    Man(CommandArgs),
    /// Print the help of a command
    Help(CommandArgs),
}

impl Command {
    /// Returns the output options, if the command has any.
    pub(crate) fn output(&self) -> Option<&OutputArgs> {
        Some(match self {
            Self::Run(args) => &args.gate.run.output,
            Self::Check(args) => &args.gate.run.output,
            Self::Merge(args) => &args.output,
            Self::Fix(args) => &args.run.output,
            Self::Verify(args) => &args.run.output,
            Self::Plan(args) => &args.output,
            Self::Config(args) => &args.output,
            Self::Baseline(args) => match &args.command {
                BaselineCommand::Init(args) | BaselineCommand::Update(args) => &args.output,
                BaselineCommand::Accept(args) => &args.run.output,
                BaselineCommand::List(args) | BaselineCommand::Resolve(args) => &args.output,
                BaselineCommand::Diff(args) => &args.output,
            },
            Self::Report(args) => &args.output_args,
            Self::BlindSpots(args) => &args.output,
            Self::Tools(args) => &args.output,
            Self::Lock(args) => &args.output,
            Self::Upgrade(args) => &args.run.output,
            Self::Bisect(args) => &args.output,
            Self::Explain(args) => &args.output,
            Self::Clean(args) => &args.output,
            Self::Init(args) => &args.output,
            Self::Completions(_) | Self::Man(_) | Self::Help(_) => return None,
        })
    }
}

impl Command {
    /// Returns the options for reports, if the command has any.
    pub(crate) fn reports(&self) -> Option<&ReportsArgs> {
        match self {
            Self::Run(args) => Some(&args.gate.reports),
            Self::Check(args) => Some(&args.gate.reports),
            Self::Merge(args) => Some(&args.reports),
            _ => None,
        }
    }
}

/// Options of `run`, including those that write to the repository.
#[derive(Debug, Args)]
pub(crate) struct BlessArgs {
    /// Accept the current output of tools that compare it with golden files, by writing it to
    /// .config/genti/golden/
    #[arg(long, conflicts_with = "shard")]
    pub(crate) bless: bool,
    /// Also remove golden files that no tool produces any more
    #[arg(long, requires = "bless")]
    pub(crate) remove_orphans: bool,
    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Accept a partial run (-p, --exclude, --tool, --skip-tool, --variant, --since, -- TEST) and build flags that differ from
    /// `[baseline]`
    #[arg(long)]
    pub(crate) partial: bool,
    /// Run nothing, and judge a finished run, also one of another machine, by its artifacts in this directory.
    /// Uses the configuration and the baseline of this checkout, and the date of the run
    #[arg(long, value_name = "DIR", conflicts_with_all = ["fail_fast", "as_of", "no_cache", "of_shards", "remote", "remote_jobs"])]
    pub(crate) artifacts: Option<PathBuf>,
    /// With --artifacts, fail unless report.json there has this digest, as in the last line of `--message-format
    /// short`
    #[arg(long, value_name = "DIGEST", requires = "artifacts")]
    pub(crate) report_digest: Option<String>,
    #[command(flatten)]
    pub(crate) gate: GateArgs,
}

/// Options of `fix`.
#[derive(Debug, Args)]
pub(crate) struct FixArgs {
    /// Change only these files, and files in these directories
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Fix only findings of this rule. May be repeated
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Vec<String>,
    /// Also fix accepted findings
    #[arg(long)]
    pub(crate) all: bool,
    /// Also apply fixes that may change the meaning of the code
    #[arg(long)]
    pub(crate) unsafe_fixes: bool,
    /// Fix even if there are changes that are not staged, or untracked files
    #[arg(long)]
    pub(crate) allow_dirty: bool,
    /// Fix even if there are staged changes
    #[arg(long)]
    pub(crate) allow_staged: bool,
    /// Fix even if there is no version control
    #[arg(long)]
    pub(crate) allow_no_vcs: bool,
    #[command(flatten)]
    pub(crate) run: CommonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// Fail only for what this branch has caused since it left REF, such as origin/main: findings that are due to
    /// the base, to other versions of tools or to new advisories are shown, but don't fail. `auto` takes REF from
    /// the CI service [env: GENTI_AGAINST]
    #[arg(long, value_name = "REF")]
    pub(crate) against: Option<String>,
    /// Start nothing more once a required tool has failed. The run then ends as incomplete. The set of tasks that have
    /// run by then may depend on --parallel
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Use the remote store of `[remote]`: off, auto (as long as it works) or required (the run is incomplete if it
    /// fails) (default: auto) [env: GENTI_REMOTE]
    #[arg(long, value_name = "WHEN")]
    pub(crate) remote: Option<String>,
    /// Number of processes to run at once on workers, if `[remote]` has `execute = true`: 0 to 1024, in addition to
    /// those of --parallel on this machine (default: 16) [env: GENTI_REMOTE_JOBS]
    #[arg(long, value_name = "N")]
    pub(crate) remote_jobs: Option<String>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) shard: ShardArgs,
    #[command(flatten)]
    pub(crate) reports: ReportsArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct ReportsArgs {
    // The text comes from the list of formats.
    #[arg(long = "report", value_name = "FORMAT=PATH", help = reports_help())]
    pub(crate) reports: Vec<String>,
    /// Show the numbers of new findings by rule and directory instead of the findings
    #[arg(long)]
    pub(crate) statistics: bool,
    /// Output format, for people or for other programs
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) message_format: MessageFormat,
    /// Don't write the job summary and annotations in GitHub Actions
    #[arg(long)]
    pub(crate) no_ci: bool,
}

fn reports_help() -> String {
    let names = ReportFormat::names();
    format!("Write a report to a file, such as sarif=genti.sarif. Formats: {names}. May be repeated")
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// A report on stderr
    #[default]
    Human,
    /// Events on stdout, one per line
    Json,
    /// One line per new finding and one for the verdict on stdout
    Short,
}

/// Options of commands that run the tools.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    pub(crate) tests: TestNames,
}

impl Deref for RunArgs {
    type Target = CommonArgs;

    fn deref(&self) -> &CommonArgs {
        &self.common
    }
}

/// Options of commands that run the tools, also if names of tests mean nothing to them.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Date on which suppressions are checked for expiry, in UTC (default: the date of SOURCE_DATE_EPOCH, or else
    /// today) [env: GENTI_AS_OF]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<String>,
    /// Disable the result cache: run everything and store no results [env: GENTI_NO_CACHE]
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
    /// Number of runs. More runs find rarer differences
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) runs: u32,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Show only these tables or keys, such as `policy` or `tools.clippy.args`
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: ConfigFormat,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ConfigFormat {
    /// TOML, with the origins as comments
    Human,
    /// JSON
    Json,
    /// The JSON Schema of the configuration, for editors
    Schema,
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
    /// Report format (default: human, or html with --open)
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<ReportFormat>,
    /// Directory of the artifacts (default: target/genti/artifacts of the workspace)
    #[arg(long, value_name = "DIR")]
    pub(crate) artifacts: Option<PathBuf>,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Show the numbers of new findings by rule and directory instead of the findings (human format)
    #[arg(long)]
    pub(crate) statistics: bool,
    /// Write to a file (by default next to the artifacts) and open it in the default application
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
    /// Directory of the artifacts (default: target/genti/artifacts of the workspace)
    #[arg(long, value_name = "DIR")]
    pub(crate) artifacts: Option<PathBuf>,
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ToolsArgs {
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// Write the lock file of this variant instead, which its `lock` names
    #[arg(long, value_name = "NAME", requires = "resolve")]
    pub(crate) variant: Option<String>,
    /// Which versions of dependencies the lock file of the variant has
    #[arg(long, value_name = "HOW", requires = "variant")]
    pub(crate) resolve: Option<Resolve>,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How the versions of dependencies are chosen.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Resolve {
    /// The newest ones that support the `rust-version` of the workspace
    Msrv,
    /// The oldest ones that the manifests allow (needs the nightly toolchain)
    Minimal,
    /// The oldest ones for direct dependencies only (needs the nightly toolchain)
    DirectMinimal,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Also create a GitHub workflow that runs `cargo genti check`: .github/workflows/genti.yml
    #[arg(long)]
    pub(crate) github: bool,
    /// Also create a git hook that checks what is staged before each commit, or an entry for it in
    /// .pre-commit-config.yaml if there is one
    #[arg(long)]
    pub(crate) pre_commit: bool,
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
    /// Explain only this tool, task (`tool:unit`) or test. A finding (its id, the beginning of the id, or its place such as
    /// `src/lib.rs:9`) shows its cause, and the inputs that differ from the base, if the run was compared with one
    #[arg(value_name = "TASK")]
    pub(crate) task: Option<String>,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// Remove only results that were not used for this long, such as 30d (with a precision of a week)
    #[arg(long, value_name = "TIME")]
    pub(crate) older_than: Option<String>,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to generate completions for
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct CommandArgs {
    /// Command, such as `run` or `baseline accept` (default: `cargo genti` itself)
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    next_help_heading = "Policy (also set by GENTI_… variables or under [policy]; flags take precedence)"
)]
pub(crate) struct PolicyArgs {
    /// Order in which tasks start: deterministic (by path), topo (packages before those that depend on them),
    /// required-first (required tools) or risk-first (tasks that are most likely to fail) [env: GENTI_ORDER]
    #[arg(long, value_name = "ORDER")]
    pub(crate) order: Option<String>,
    /// Number of tasks that share a process: auto, N (at most N), by-tool (all of a tool, one after the other) or
    /// by-path (package by package) [env: GENTI_BATCH]
    #[arg(long, value_name = "BATCH")]
    pub(crate) batch: Option<String>,
    /// Shuffle the order of tasks: the same number gives the same order, 0 doesn't shuffle, and `random` picks a
    /// number and prints it [env: GENTI_SEED]
    #[arg(long, value_name = "N|random")]
    pub(crate) seed: Option<String>,
    /// Number of processes to run in parallel, 1 to 1024, or `auto` for one per core (never affects results)
    /// [env: GENTI_PARALLEL]
    #[arg(short = 'j', long, value_name = "auto|N")]
    pub(crate) parallel: Option<String>,
    /// Build directory of cargo: one (a directory of genti's own), lanes (several, so that cargo commands run in
    /// parallel), shared (your target directory), or auto (`one` for up to 3 processes, else `lanes`). Never
    /// affects results [env: GENTI_BUILD_DIR]
    #[arg(long, value_name = "WHERE")]
    pub(crate) build_dir: Option<String>,
    /// Time limit per task, such as 90s or 2m. A process that covers several tasks gets up to four times as
    /// long [env: GENTI_PER_TASK_TIMEOUT]
    #[arg(long, value_name = "TIME")]
    pub(crate) per_task_timeout: Option<String>,
    /// Time limit of the whole run. Tasks that have not run by then have no result, so the run is incomplete
    /// [env: GENTI_MAX_DURATION]
    #[arg(long, value_name = "TIME")]
    pub(crate) max_duration: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArgs {
    /// Check only this package. May be repeated
    #[arg(short, long = "package", value_name = "NAME")]
    pub(crate) packages: Vec<String>,
    /// Check all packages (default)
    #[arg(long, conflicts_with = "packages")]
    pub(crate) workspace: bool,
    /// Exclude this package. May be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) exclude: Vec<String>,
    /// Run only this tool and the tools it needs. May be repeated
    #[arg(long = "tool", value_name = "NAME")]
    pub(crate) tools: Vec<String>,
    /// Skip this tool. May be repeated
    #[arg(long = "skip-tool", value_name = "NAME")]
    pub(crate) skip_tools: Vec<String>,
    /// Run the tools only in this variant; `default` is the build without one. May be repeated
    #[arg(long = "variant", value_name = "NAME")]
    pub(crate) variants: Vec<String>,
    /// Check only what this branch changed since it left REF, such as origin/main (including uncommitted and
    /// untracked files), and the packages that depend on it
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
    /// Cargo profile to build with
    #[arg(long, value_name = "NAME")]
    pub(crate) cargo_profile: Option<String>,
}

/// Names of tests, for commands that run or plan them.
#[derive(Debug, Default, Args)]
pub(crate) struct TestNames {
    /// Run only the tests whose names contain one of these, as in `cargo test -- NAME`. Needs --tool with tools
    /// that run tests, and makes the run partial
    #[arg(last = true, value_name = "TEST", help_heading = "Tests")]
    pub(crate) filters: Vec<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Workspace")]
pub(crate) struct WorkspaceArgs {
    /// Path to Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Configuration file to use instead of .config/genti.toml, genti.toml or [workspace.metadata.genti]
    #[arg(long, value_name = "PATH")]
    pub(crate) config_file: Option<PathBuf>,
    /// Use the settings under `[profile.NAME.policy]` of the configuration over those under `[policy]`
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Require Cargo.lock to be up to date
    #[arg(long)]
    pub(crate) locked: bool,
    /// Run without access to the network
    #[arg(long)]
    pub(crate) offline: bool,
    /// Same as --locked and --offline
    #[arg(long)]
    pub(crate) frozen: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Show all findings, including accepted ones
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Show only the verdict
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// When to color the output
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
