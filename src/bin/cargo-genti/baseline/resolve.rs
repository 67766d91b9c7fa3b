//! `baseline resolve`: resolves merge conflicts in baseline files, entry by entry.

use genti::compare::baseline::{merge, parse, sides};
use genti::pipeline::{self, Error, Limit, Lockfile};
use genti::scan::Env;
use genti::{store, workspace};

use crate::args::ListArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{GOOD, Shell, plural};
use crate::{fail, resolve};

pub(super) fn main(args: &ListArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let project =
        pipeline::load(&request, env, &Limit::none(), &mut |_| {}).map_err(|error| fail(shell, error))?;
    let root = &project.workspace.root;
    let conflicted = store::conflicted_baselines(root).map_err(|error| fail(shell, error.into()))?;
    if conflicted.is_empty() {
        shell.note("no baseline file contains merge conflict markers");
        return Ok(());
    }
    // All files are merged before any is written, so a mistake in one leaves all unchanged.
    let mut settled = Vec::new();
    for (name, text) in conflicted {
        let shown = name.display().to_string();
        // The index of git has the common ancestor, which the conflict markers often lack.
        let texts =
            workspace::merge_sides(root, &name).or_else(|| Some(sides(&text)?.map(String::into_bytes)));
        let Some(texts) = texts else {
            shell.error(format_args!(
                "the merge conflict markers in {shown} are incomplete; restore the file with `git checkout --merge -- {shown}`"
            ));
            return Err(CliError::Usage);
        };
        let mut entries = Vec::new();
        for text in texts {
            // On a side without this file, nothing is accepted.
            let parsed = if text.is_empty() { Ok(Vec::new()) } else { parse(&shown, &text) };
            entries.push(parsed.map_err(|problems| fail(shell, Error::Baseline(problems.into())))?);
        }
        settled.push((name, merge(&entries[0], &entries[1], &entries[2])));
    }
    for (name, entries) in &settled {
        store::write_baseline(root, name, entries).map_err(|error| super::not_saved(shell, error))?;
        let (shown, count) = (name.display(), entries.len());
        shell.status(
            GOOD,
            "Resolved",
            format_args!("{shown}: {count} {}", plural(count, "entry", "entries")),
        );
    }
    shell.note(
        "run `git add` on the files; `cargo genti baseline update` removes entries for findings that the merge has fixed",
    );
    Ok(())
}
