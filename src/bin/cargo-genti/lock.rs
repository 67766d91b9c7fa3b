//! `cargo genti lock`: writes the versions of the tools to the lock file, or the lock file of a variant.

use genti::pipeline::{self, Limit, Lockfile, NotResolved, Project};
use genti::plan::config::Lock;
use genti::scan::{Env, NoVersion, Stop, StopReason};
use genti::store;

use crate::args::{LockArgs, Resolve};
use crate::exit::{CliError, CliResult};
use crate::render::{GOOD, Shell, visible_line};
use crate::{fail, resolve, signals};

pub(crate) fn main(args: &LockArgs, env: &Env, shell: &mut Shell) -> CliResult {
    if let (Some(variant), Some(resolve)) = (&args.variant, args.resolve) {
        return of_variant(args, variant, resolve, env, shell);
    }
    let mut request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    request.replaces_lock = true;
    let project =
        pipeline::load(&request, env, &Limit::none(), &mut |_| {}).map_err(|error| fail(shell, error))?;
    let stop = signals::stop(shell)?;
    let lock = ask(&project, env, stop, shell)?;
    write(&project, &lock, shell)
}

/// Returns the lock for the installed tools. Reports those whose version is unknown.
pub(crate) fn ask(project: &Project, env: &Env, stop: &Stop, shell: &mut Shell) -> CliResult<Lock> {
    let (mut lock, failed) = pipeline::lock(project, env, stop);
    if let Some(StopReason::Signal(signal)) = stop.reason() {
        return Err(CliError::Interrupted(signal));
    }
    let old = project.lock.clone().unwrap_or_default();
    let mut is_whole = true;
    for (name, error) in failed {
        let tool = project.plan.graph.tools.iter().find(|tool| tool.version_name() == name);
        if matches!(error, NoVersion::Missing(_)) && tool.is_some_and(|tool| tool.is_only_detected()) {
            // Keep an existing entry: someone who has the tool may have locked its version.
            let entry = old.tools.get(&name);
            lock.tools.extend(entry.map(|locked| (name.clone(), locked.clone())));
            let kept = if entry.is_some() { "its entry is kept" } else { "it gets no entry" };
            shell.note(visible_line(&format!("could not determine the version of {name}: {error}; {kept}")));
        } else {
            shell.error(visible_line(&format!("{name}: {error}")));
            is_whole = false;
        }
    }
    if !is_whole {
        shell.error("the versions of some tools are unknown, so nothing was written");
        return Err(CliError::Incomplete);
    }
    Ok(lock)
}

/// Writes `lock`, and reports what changes.
pub(crate) fn write(project: &Project, lock: &Lock, shell: &mut Shell) -> CliResult {
    let old = project.lock.clone().unwrap_or_default();
    let changed = changes(&old, lock);
    changed.iter().for_each(|line| shell.aside(GOOD, "Locked", visible_line(line)));
    match store::save_lock(&project.workspace.root, &project.lock_name, &lock.render()) {
        Ok(true) => shell.status(GOOD, "Wrote", visible_line(&project.lock_name)),
        Ok(false) => shell.note(format_args!("{} is up to date", visible_line(&project.lock_name))),
        Err(error) => {
            shell.error(error);
            return Err(CliError::NotWritten);
        }
    }
    Ok(())
}

/// Writes the lock file of a variant.
fn of_variant(args: &LockArgs, variant: &str, resolve: Resolve, env: &Env, shell: &mut Shell) -> CliResult {
    let mut request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    request.writes_lock = true;
    let project =
        pipeline::load(&request, env, &Limit::none(), &mut |_| {}).map_err(|error| fail(shell, error))?;
    let stop = signals::stop(shell)?;
    let how = match resolve {
        Resolve::Msrv => pipeline::Resolve::Msrv,
        Resolve::Minimal => pipeline::Resolve::Minimal,
        Resolve::DirectMinimal => pipeline::Resolve::DirectMinimal,
    };
    let resolved = pipeline::resolve_lock(&project, variant, how, stop);
    if let Some(StopReason::Signal(signal)) = stop.reason() {
        return Err(CliError::Interrupted(signal));
    }
    match resolved {
        Ok((path, true)) => shell.status(GOOD, "Wrote", visible_line(&path.to_string())),
        Ok((path, false)) => shell.note(format_args!("{} is up to date", visible_line(&path.to_string()))),
        Err(error) => {
            shell.error(&error);
            return Err(match error {
                NotResolved::Usage(_) => CliError::Usage,
                NotResolved::Missing(_) | NotResolved::Failed(_) => CliError::Incomplete,
                NotResolved::NotWritten(_) => CliError::NotWritten,
            });
        }
    }
    Ok(())
}

/// Returns a line for each tool whose locked version changes.
fn changes(old: &Lock, new: &Lock) -> Vec<String> {
    let now = new.tools.iter().filter_map(|(name, locked)| match old.tools.get(name) {
        Some(before) if before.version == locked.version => None,
        Some(before) => Some(format!("{name}: {} (was {})", locked.version, before.version)),
        None => Some(format!("{name}: {}", locked.version)),
    });
    let gone = old.tools.keys().filter(|name| !new.tools.contains_key(*name));
    now.chain(gone.map(|name| format!("{name}: removed"))).collect()
}
