//! `baseline resolve`: settle a merge conflict in baseline files, entry by entry.

use genti::compare::baseline::{merge, parse, sides};
use genti::model::outcome::End;
use genti::pipeline::{self, Error, Lockfile};
use genti::scan::Env;
use genti::{store, workspace};

use crate::args::ListArgs;
use crate::render::{GOOD, Shell, plural};
use crate::{fail, resolve};

pub(super) fn main(args: &ListArgs, env: &Env, shell: &mut Shell) -> Result<End, End> {
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let project = pipeline::load(&request, env, &mut |_| {}).map_err(|error| fail(shell, error))?;
    let root = &project.workspace.root;
    let conflicted = store::conflicted_baselines(root).map_err(|error| fail(shell, error.into()))?;
    if conflicted.is_empty() {
        shell.note("no baseline file holds the markers of a merge conflict");
        return Ok(End::Passed);
    }
    // First all of them, then the disk: a mistake in one leaves all as they are.
    let mut settled = Vec::new();
    for (name, text) in conflicted {
        let shown = name.display().to_string();
        // Git knows what the branches came from; the markers often don't tell.
        let texts =
            workspace::merge_sides(root, &name).or_else(|| Some(sides(&text)?.map(String::into_bytes)));
        let Some(texts) = texts else {
            shell.error(format_args!(
                "the conflict markers in {shown} don't match up: restore it with `git checkout --merge -- {shown}`"
            ));
            return Err(End::Usage);
        };
        let mut entries = Vec::new();
        for text in texts {
            // A side that has no such file accepts nothing in it.
            let parsed = if text.is_empty() { Ok(Vec::new()) } else { parse(&shown, &text) };
            entries.push(parsed.map_err(|problems| fail(shell, Error::Baseline(problems.into())))?);
        }
        settled.push((name, merge(&entries[0], &entries[1], &entries[2])));
    }
    for (name, entries) in &settled {
        store::write_baseline(root, name, entries).map_err(|error| super::not_saved(shell, error))?;
        let (shown, count) = (name.display(), entries.len());
        shell.status(GOOD, "Settled", format_args!("{shown}: {count} {}", plural(count, "entry", "entries")));
    }
    shell.note("`git add` the files; `cargo genti baseline update` drops what the merge has fixed");
    Ok(End::Passed)
}
