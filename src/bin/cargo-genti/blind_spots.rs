//! `cargo genti blind-spots`: lists what no tool of the last run checked, with reasons.

use std::fmt::Write;
use std::path::Path;

use genti::pipeline;
use genti::report::blind_spots::{by_kind, heading};
use genti::scan::Env;
use genti::store;

use crate::args::BlindSpotsArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{Shell, visible_line};
use crate::{fail, usage};

pub(crate) fn main(args: &BlindSpotsArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let dir = match &args.artifacts {
        Some(dir) => dir.clone(),
        None => {
            let cwd = std::env::current_dir().unwrap_or_else(|_| Path::new(".").into());
            let located = pipeline::locate(&cwd, args.manifest_path.as_deref(), env);
            located.map_err(|error| fail(shell, error))?.target_dir.join("genti/artifacts")
        }
    };
    let artifacts = store::load_artifacts(&dir).map_err(|error| usage(shell, error))?;
    let (run, _) =
        artifacts.read().map_err(|error| usage(shell, format_args!("{}: {error}", dir.display())))?;
    let Some(spots) = run.report.blind_spots else {
        shell.error(
            "the last run did not look for blind spots, because it was partial (--tool, --skip-tool, --since or --shard), or \
             [policy] has `blind-spots = \"ignore\"`",
        );
        return Err(CliError::Usage);
    };
    let mut out = String::new();
    for (kind, spots) in by_kind(&spots) {
        let _ = writeln!(out, "{} ({}):", heading(kind), spots.len());
        for spot in spots {
            let _ =
                writeln!(out, "  {}: {}", visible_line(&spot.path.to_string()), visible_line(&spot.reason));
        }
    }
    if spots.is_empty() {
        shell.note("the last run has no blind spots");
    }
    shell.out(&out)
}
