//! `cargo genti upgrade`: runs the checks with the current and with another toolchain, shows what the other one brings, and accepts
//! it on request.
//!
//! The run with the other toolchain is compared with that of the current one as if this were the baseline. So only what the toolchain
//! brings is new, whatever the baseline and the state of the branch. If the other toolchain is the current one, as with `stable`
//! after an update, there is only one run, and `genti.lock` says which lints are new.

mod coming;

use std::time::Instant;

use genti::compare::{baseline::entries_of, ratchet};
use genti::model::finding::State;
use genti::model::outcome::{End, Outcome};
use genti::model::path::RelPath;
use genti::model::release::Release;
use genti::model::tool::Tool;
use genti::pipeline::{Limit, Lockfile, Project};
use genti::plan::config::Lock;
use genti::report::text::counted;
use genti::scan::{NamedChannel, Toolchain, is_exact_toolchain};
use genti::store::{self, ArtifactDir};
use genti::workspace;

use self::coming::Coming;
use crate::args::UpgradeArgs;
use crate::baseline::{self, AcceptedFindings, accept};
use crate::exit::{self, CliError, CliResult};
use crate::render::{BUSY, GOOD, Shell, visible_line};
use crate::runs::Runs;
use crate::session::{self, Reserved, Startup};
use crate::{fail, lock};

pub(crate) fn main(args: &UpgradeArgs, mut start: Startup, shell: &mut Shell) -> CliResult {
    let request = session::request(&args.run, &[], Lockfile::Require, &start.env, shell)?;
    session::note_ignored_levels(&start.env, shell);
    let mut current = session::load(&request, &start.env, &Limit::of_run(start.at), shell)?;
    if args.accept && !current.plan.is_full(&current.workspace) {
        shell.error("a partial run can't be accepted; remove --accept, or the selection");
        return Err(CliError::Usage);
    }
    let toolchain = find(&current, &args.toolchain, shell)?;
    let is_current = current.programs.sysroot().is_some_and(|sysroot| toolchain.is_at(sysroot));
    if is_current && current.lock.is_none() {
        shell.error(format_args!(
            "`{}` is the toolchain in use, and there is no {} to compare it with; name another toolchain with --try, or write \
             the file with `cargo genti lock`",
            visible_line(&toolchain.name),
            visible_line(&current.lock_name)
        ));
        return Err(CliError::Usage);
    }
    let accepted =
        store::load_baseline(&current.workspace.root).map_err(|error| fail(shell, error.into()))?;
    session::enter(&current, &mut start.env, shell)?;
    let Reserved { parallel, stop, dir } = session::reserve(&mut current, &start, shell)?;
    let runs = Runs { start: &start, parallel, stop, no_cache: args.run.no_cache, worktree: None };
    let tried = match is_current {
        true => {
            let outcome = runs.run(&current, &start.env, &accepted, &dir, shell)?;
            let former = current.lock.clone().unwrap_or_default();
            Tried { outcome, former, next: lock::ask(&current, &start.env, stop, shell)? }
        }
        false => {
            let next = session::load(
                &request,
                &start.env.in_toolchain(&toolchain),
                &Limit::of_run(Instant::now()).or(stop),
                shell,
            )?;
            compare(&runs, (&current, &dir), next, &toolchain, &accepted, shell)?
        }
    };
    let coming =
        Coming::of(&current.plan.graph.tools, &tried.outcome, &tried.former, &tried.next, is_current);
    baseline::report_incomplete(shell, &current, &tried.outcome);
    shell.out(&coming.text())?;
    let upgrade = Upgrade { project: &current, toolchain: &toolchain, tried: &tried, coming: &coming };
    match args.accept {
        true => upgrade.accept(accepted, shell),
        false => upgrade.conclude(shell),
    }
}

/// A run with another toolchain.
struct Tried {
    outcome: Outcome,
    /// Versions of the tools before, with their lints.
    former: Lock,
    /// Their versions in the run.
    next: Lock,
}

/// Finds the toolchain called `name`. Installs nothing.
fn find(project: &Project, name: &str, shell: &mut Shell) -> CliResult<Toolchain> {
    project.programs.installed_toolchain(name, &project.plan.graph.tools).map_err(|error| {
        shell.error(visible_line(&error.to_string()));
        CliError::Incomplete
    })
}

/// Returns the baseline that accepts all findings of `outcome`, with the numbers of the baseline `accepted`.
fn known(outcome: &Outcome, accepted: &AcceptedFindings) -> AcceptedFindings {
    let counts = |state| !matches!(state, State::Suppressed | State::Noted);
    let findings = outcome.findings.iter().filter(|compared| counts(compared.state));
    let findings = findings.filter(|compared| compared.finding.diagnostic.rule != ratchet::RULE);
    let findings: Vec<_> = findings.map(|compared| compared.finding.clone()).collect();
    let mut known = entries_of(&findings);
    for (ns, entries) in accepted {
        let numbers = entries.iter().filter(|entry| ratchet::accepted(entry).is_some());
        known.entry(ns.clone()).or_default().extend(numbers.cloned());
    }
    known
}

/// Returns the directory of the run with the other toolchain, as seen from the root of the workspace.
fn shown_dir(next: &Project) -> String {
    let dir = &next.workspace.target_dir;
    dir.strip_prefix(&next.workspace.root).unwrap_or(dir).display().to_string()
}

/// Runs `current` and then `next`, the same project with `toolchain`, in a directory of its own.
fn compare(
    runs: &Runs<'_>,
    (current, dir): (&Project, &ArtifactDir),
    mut next: Project,
    toolchain: &Toolchain,
    accepted: &AcceptedFindings,
    shell: &mut Shell,
) -> CliResult<Tried> {
    let (stop, env) = (runs.stop, &runs.start.env);
    shell.aside(BUSY, "Running", "the checks with the current toolchain");
    let outcome = runs.run(current, env, accepted, dir, shell)?;
    if outcome.end == End::Incomplete {
        baseline::report_incomplete(shell, current, &outcome);
        shell.error(
            "some checks have no result with the current toolchain, so there is nothing to compare with",
        );
        return Err(CliError::Incomplete);
    }
    let former = lock::ask(current, env, stop, shell)?;
    next.move_aside();
    next.build_dir = current.build_dir;
    // The versions in [baseline] are those of the current toolchain.
    next.baseline.versions.clear();
    let (version, place) = (visible_line(&toolchain.version), visible_line(&shown_dir(&next)));
    shell.aside(BUSY, "Running", format_args!("the checks with {version}, in {place}"));
    let next_dir = session::open_required(&next, stop, shell)?;
    let env = env.in_toolchain(toolchain);
    let outcome = runs.run(&next, &env, &known(&outcome, accepted), &next_dir, shell)?;
    Ok(Tried { outcome, former, next: lock::ask(&next, &env, stop, shell)? })
}

/// Everything needed to report or accept an upgrade.
struct Upgrade<'a> {
    project: &'a Project,
    toolchain: &'a Toolchain,
    tried: &'a Tried,
    coming: &'a Coming<'a>,
}

impl Upgrade<'_> {
    /// Says what would come.
    fn conclude(&self, shell: &mut Shell) -> CliResult {
        let Self { coming, tried, .. } = self;
        let name = visible_line(&self.toolchain.version);
        if coming.acceptable().next().is_some() {
            shell.note("fix them, or accept them together with the toolchain: add `--accept`");
        }
        if tried.outcome.end == End::Incomplete {
            shell.error(format_args!("some checks have no result with {name}"));
            return Err(CliError::Incomplete);
        }
        match coming.count() {
            0 => shell.status(GOOD, "Finished", format_args!("{name} brings no new findings")),
            _ => shell.error(format_args!("{name} brings {}", coming.counted())),
        }
        exit::failed_if(coming.count() > 0, CliError::Failed)
    }

    /// Writes the lock, the baseline and the toolchain file.
    fn accept(&self, mut entries: AcceptedFindings, shell: &mut Shell) -> CliResult {
        let Self { project, coming, tried, .. } = self;
        let name = visible_line(&self.toolchain.version);
        if tried.outcome.end == End::Incomplete {
            shell.error(format_args!("some checks have no result with {name}, so nothing was written"));
            return Err(CliError::Incomplete);
        }
        let others = coming.others().count();
        if others > 0 {
            let others = counted(others, "new finding", "new findings");
            shell.error(format_args!("{others} of tests and errors with {name}, so nothing was written"));
            return Err(CliError::Failed);
        }
        for compared in coming.acceptable() {
            let reason = format!("new in {}", self.release_of(coming.tool_of(&compared.finding)));
            accept::add(&mut entries, compared, &reason, shell);
        }
        if coming.acceptable().next().is_some() {
            baseline::save(project, &entries, shell)?;
        }
        lock::write(project, &tried.next, shell)?;
        self.name_toolchain(shell)?;
        self.advise(shell);
        Ok(())
    }

    /// Returns the name and the version of `tool`, as a reason names them.
    fn release_of(&self, tool: &Tool) -> String {
        let version = self.tried.next.tools.get(&*tool.version_name()).map(|locked| locked.version.as_str());
        match version.and_then(Release::of) {
            Some(release) => format!("{} {}", tool.base(), release.number),
            None => tool.base().to_owned(),
        }
    }

    /// Changes the channel of the toolchain file, if there is one.
    fn name_toolchain(&self, shell: &mut Shell) -> CliResult {
        let root = &self.project.workspace.root;
        let top = workspace::repository(root).unwrap_or(root);
        let Some(file) = NamedChannel::find(root, top) else { return Ok(()) };
        let Some(path) = RelPath::between(root, &file.path) else { return Ok(()) };
        let shown = visible_line(&path.to_string());
        let Some(channel) = channel(&file.channel, self.toolchain) else {
            shell.note(format_args!("{shown} names `{}`; change it by hand", visible_line(&file.channel)));
            return Ok(());
        };
        let Some(text) = file.with(&channel).filter(|_| channel != file.channel) else { return Ok(()) };
        let texts = [file.text, text].map(|text| Some(text.into_bytes()));
        store::replace_source(top, root, &path, texts, None).map_err(|error| {
            shell.error(format_args!("{shown}: {error}"));
            CliError::NotWritten
        })?;
        shell.status(GOOD, "Wrote", format_args!("{shown}: {}", visible_line(&channel)));
        Ok(())
    }

    /// Says what is left to do.
    fn advise(&self, shell: &mut Shell) {
        let left = self.coming.left();
        if left > 0 {
            let left = counted(left, "new finding is", "new findings are");
            shell.note(format_args!("{left} not accepted, because the locked version has the lints as well"));
        }
        if self.tried.outcome.gone.iter().any(|gone| gone.state == State::Fixed) {
            shell.note("accepted findings that are gone stay until `cargo genti baseline update`");
        }
        if !self.project.baseline.versions.is_empty() {
            shell.note("`versions` under [baseline] names the former versions; change it by hand");
        }
    }
}

/// Returns the channel for a toolchain file that names `former`, so that it names `toolchain` as exactly as before. `None` if that is
/// not known.
fn channel(former: &str, toolchain: &Toolchain) -> Option<String> {
    if !is_exact_toolchain(former) || is_exact_toolchain(&toolchain.name) {
        return Some(toolchain.name.clone());
    }
    let release = Release::of(&toolchain.version).filter(|release| !release.is_prerelease)?;
    let parts = former.split('-').next().unwrap_or_default().split('.').count();
    former.starts_with(|c: char| c.is_ascii_digit()).then(|| {
        let parts: Vec<_> = release.number.split('.').take(parts).collect();
        parts.join(".")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_file_stays_as_exact_as_it_was() {
        #[track_caller]
        fn check(former: &str, name: &str, version: &str, expected: Option<&str>) {
            let toolchain =
                Toolchain { name: name.to_owned(), sysroot: "/t".into(), version: version.to_owned() };
            assert_eq!(channel(former, &toolchain).as_deref(), expected, "{former}, {name}");
        }
        let stable = "rustc 1.96.0 (abc 2026-06-01)";
        let nightly = "rustc 1.98.0-nightly (abc 2026-06-01)";
        check("1.95.0", "stable", stable, Some("1.96.0"));
        check("1.95", "stable", stable, Some("1.96"));
        check("1.95.0", "1.96", stable, Some("1.96"));
        check("stable", "stable", stable, Some("stable"));
        check("stable", "beta", stable, Some("beta"));
        check("nightly-2026-01-01", "nightly-2026-06-01", nightly, Some("nightly-2026-06-01"));
        check("nightly-2026-01-01", "nightly", nightly, None);
        check("nightly-2026-01-01", "stable", stable, None);
        check("1.95.0", "nightly", nightly, None);
    }
}
