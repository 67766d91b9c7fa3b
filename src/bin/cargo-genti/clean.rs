//! `cargo genti clean`: removes files of runs.

use genti::cache::ResultLog;
use genti::pipeline::{self, Lockfile};
use genti::plan::config;
use genti::scan::Env;
use genti::store;

use crate::args::CleanArgs;
use crate::exit::{CliError, CliResult};
use crate::render::Shell;
use crate::{fail, render, resolve, usage};

pub(crate) fn main(args: &CleanArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let older_than = args
        .older_than
        .as_deref()
        .map(config::duration)
        .transpose()
        .map_err(|error| usage(shell, format_args!("--older-than: {error}")))?;
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let target_dir = pipeline::target_dir(&request, env).map_err(|error| fail(shell, error))?;
    let cache_dir = resolve::cache_dir(&target_dir, env);
    let Some(time) = older_than else {
        let removed = store::clean(&target_dir).and_then(|removed| {
            // The cache may be outside the target directory.
            let more = store::clean_results(&cache_dir)?;
            if let Some(home) = pipeline::copies_home(&target_dir, env) {
                store::remove_copies(&home)
                    .map_err(|error| store::CleanError::Io { path: home.clone(), error })?;
            }
            Ok((removed.files + more.files, removed.bytes + more.bytes, removed.left))
        });
        return match removed {
            Ok((files, bytes, left)) => {
                shell.status(
                    render::GOOD,
                    "Removed",
                    format_args!("{}, {}", count(files, "file"), size(bytes)),
                );
                for path in &left {
                    shell.note(format_args!("kept `{}`, which genti did not create", render::place(path)));
                }
                Ok(())
            }
            Err(error) => {
                shell.error(error);
                Err(CliError::NotWritten)
            }
        };
    };
    if !cache_dir.exists() {
        shell.status(render::GOOD, "Removed", "0 results: there is no cache");
        return Ok(());
    }
    let days = u32::try_from(time.as_secs() / (24 * 60 * 60)).unwrap_or(u32::MAX);
    let opened = ResultLog::open(&cache_dir, resolve::today());
    let cleaned = opened.map_err(|error| error.to_string()).and_then(|mut results| {
        results.clean(days).map_err(|error| format!("could not write `{}`: {error}", cache_dir.display()))
    });
    match cleaned {
        Ok(cleaned) => {
            let entries = count(cleaned.entries as u64, "result");
            shell.status(render::GOOD, "Removed", format_args!("{entries}, {}", size(cleaned.bytes)));
            Ok(())
        }
        Err(error) => {
            shell.error(error);
            Err(CliError::NotWritten)
        }
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Formats a size like cargo.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = 0;
    while tenths >= 10240 && unit + 1 < units.len() {
        tenths /= 1024;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        unit => format!("{}.{} {}", tenths / 10, tenths % 10, units[unit]),
    }
}
