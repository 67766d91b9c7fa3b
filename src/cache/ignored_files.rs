//! Files that a tool looks at although they are no files of the workspace, because git ignores them.
//!
//! The globs of a tool of one's own reach them where they begin with a directory: `generated/**`, and not `**/*.txt`, for which
//! all that is ignored would have to be listed in each run. `cargo machete` reads every source below the directories of a
//! package. Which files it and `typos` walk over is decided by ignore files, as with git, and by more: where that shows files
//! that git ignores, nothing is cached.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::inputs::{KeyInputs, OtherInputs, Uncacheable};
use super::key::{Parts, What};
use crate::model::digest::{Hasher, Sink};
use crate::model::path::RelPath;
use crate::model::tool::{Arg, Parse, Per, Tool, ToolId};
use crate::model::workspace::{TargetKind, WhyLeftOut};
use crate::scan::read_text;
use crate::workspace;

/// The directories of a package that cargo finds targets in.
const OF_TARGETS: [&str; 4] = ["benches", "examples", "src", "tests"];

/// The configuration of typos.
const OF_TYPOS: [&str; 5] = ["typos.toml", "_typos.toml", ".typos.toml", "Cargo.toml", "pyproject.toml"];

/// What of it makes typos look at more files if it is false.
const IGNORES: [&str; 6] =
    ["ignore-dot", "ignore-files", "ignore-global", "ignore-hidden", "ignore-parent", "ignore-vcs"];

impl KeyInputs<'_> {
    /// Adds what tool `id` reads of files that git ignores, or says why that can't be told.
    pub(super) fn add_unlisted(
        &self,
        id: ToolId,
        parts: &mut Parts,
        looked_at: &mut OtherInputs,
    ) -> Result<(), Uncacheable> {
        let tool = self.plan.graph.tool(id);
        self.add_named(id, parts, looked_at)?;
        if !matches!(tool.parse, Parse::Machete | Parse::TyposJson) {
            return Ok(());
        }
        if let Some(why) = self.why_unlisted(tool) {
            return Err(format!("it looks at files that git ignores: {why}"));
        }
        if tool.parse == Parse::Machete {
            self.add_sources(parts, looked_at)?;
        }
        Ok(())
    }

    /// Adds the ignored files that the globs of tool `id` reach.
    fn add_named(
        &self,
        id: ToolId,
        parts: &mut Parts,
        looked_at: &mut OtherInputs,
    ) -> Result<(), Uncacheable> {
        let tool = self.plan.graph.tool(id);
        // Files and sources are handed to these by name.
        if matches!(tool.per, Per::File | Per::TargetRoot) {
            return Ok(());
        }
        let root = &self.workspace.root;
        let (mut files, mut dirs) = (Vec::new(), BTreeSet::new());
        for (beginning, is_all) in tool.files.iter().chain(&tool.inputs).filter_map(|glob| beginning(glob)) {
            let place = root.join(beginning);
            match is_all {
                true if place.is_file() => files.push(place),
                true => {}
                false if place.is_dir() => drop(dirs.insert(place)),
                false => {}
            }
        }
        for dir in dirs {
            files.extend(self.files_below(&dir)?);
        }
        files
            .retain(|place| RelPath::between(root, place).is_some_and(|path| self.declared.names(id, &path)));
        self.add_files(files, "files that git ignores", parts, looked_at)
    }

    /// Adds the sources below the directories of packages that are no files of the workspace.
    fn add_sources(&self, parts: &mut Parts, looked_at: &mut OtherInputs) -> Result<(), Uncacheable> {
        let mut files = Vec::new();
        for dir in self.source_dirs() {
            let below = self.files_below(&dir)?;
            files.extend(below.into_iter().filter(|place| place.extension() == Some("rs".as_ref())));
        }
        self.add_files(files, "sources that git ignores", parts, looked_at)
    }

    /// All files below `dir`, listed or not. So many are looked at, and as many more as are listed there.
    fn files_below(&self, dir: &Path) -> Result<Vec<PathBuf>, Uncacheable> {
        const MOST: usize = 10_000;
        let path = RelPath::between(&self.workspace.root, dir).unwrap_or_default();
        let listed = self.workspace.files.iter().filter(|file| file.path.is_within(&path)).count();
        let left_out = [self.workspace.target_dir.clone(), self.workspace.build_dir.clone()];
        let files = workspace::everything_below(dir, &left_out, MOST + listed);
        let files = files.ok_or_else(|| {
            format!("`{path}` has more than 10,000 files that git ignores, or one that can't be read")
        })?;
        Ok(files.into_iter().map(|(_, place)| place).collect())
    }

    /// Adds those of `files` that are no files of the workspace as a part called `name`.
    fn add_files(
        &self,
        files: Vec<PathBuf>,
        name: &str,
        parts: &mut Parts,
        looked_at: &mut OtherInputs,
    ) -> Result<(), Uncacheable> {
        let mut hasher = Hasher::new("genti.unlisted.1");
        let before = looked_at.outside.len();
        for place in files.into_iter().collect::<BTreeSet<_>>() {
            let path = RelPath::between(&self.workspace.root, &place).unwrap_or_default();
            if self.workspace.find(&path).is_some_and(|id| !self.workspace.file(id).is_link) {
                continue;
            }
            hasher.field("path", path.as_bytes());
            let digest = self.read(&place)?;
            hasher.field("content", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
            looked_at.outside.push(place);
        }
        if looked_at.outside.len() > before {
            parts.add(What::Inputs, name, hasher.finish());
        }
        Ok(())
    }

    /// The directories in which `cargo machete` looks for sources.
    fn source_dirs(&self) -> BTreeSet<PathBuf> {
        let root = &self.workspace.root;
        let manifests = self.workspace.files.iter().filter(|file| file.path.file_name() == b"Cargo.toml");
        let of_packages = manifests.flat_map(|file| {
            let dir = file.path.parent().unwrap_or_default().to_path(root);
            OF_TARGETS.map(|name| dir.join(name))
        });
        let targets = self.workspace.packages.iter().flat_map(|package| &package.targets);
        let targets = targets.filter(|target| target.kind != TargetKind::BuildScript);
        let of_targets = targets.filter_map(|target| Some(target.root.parent()?.to_path(root)));
        of_packages.chain(of_targets).filter(|dir| dir.is_dir()).collect()
    }

    /// Why `tool`, which heeds ignore files, looks at files that git ignores.
    fn why_unlisted(&self, tool: &Tool) -> Option<String> {
        let root = &self.workspace.root;
        let mut words = tool.run.iter().filter_map(Arg::literal).chain(tool.args.iter().map(String::as_str));
        if let Some(word) = words.clone().find(|word| word.starts_with("--no-ignore") || *word == "--hidden")
        {
            return Some(format!("`{word}`"));
        }
        let name = |path: &Path| RelPath::between(root, path).unwrap_or_default();
        let repository = workspace::repository(root);
        for dir in self.dirs() {
            let rules = read_text(&dir.join(".ignore")).unwrap_or_default();
            if rules.lines().any(|line| line.trim_start().starts_with('!')) {
                return Some(format!("`{}` has a rule with `!`", name(&dir.join(".ignore"))));
            }
            // What ignores files around a repository does not do so within.
            if dir.starts_with(root) && repository != Some(dir) && dir.join(".git").exists() {
                return Some(format!("`{}` is a repository of its own", name(dir)));
            }
        }
        let is_rules = |path: &RelPath| path.file_name() == b".gitignore";
        if repository.is_none() && self.workspace.files.iter().any(|file| is_rules(&file.path)) {
            return Some("there is no git repository".to_owned());
        }
        let left_out = &self.workspace.seen.left_out;
        if let Some(left_out) = left_out.iter().find(|left_out| left_out.why == WhyLeftOut::CacheDir) {
            return Some(format!("`{}` has a `CACHEDIR.TAG`", left_out.path));
        }
        if tool.parse == Parse::TyposJson {
            let around = root.ancestors().flat_map(|dir| OF_TYPOS.map(|name| dir.join(name)));
            let mut configs = around.chain(words.by_ref().map(|word| root.join(word)));
            return configs.find_map(|path| {
                let text = read_text(&path)?;
                let key = IGNORES.into_iter().find(|key| is_off(&text, key))?;
                Some(format!("`{key} = false` in `{}`", name(&path)))
            });
        }
        None
    }
}

/// The directory that every path begins with that `glob` matches, or the one path, if it is one without wildcards. `None` if
/// that may be any.
fn beginning(glob: &str) -> Option<(&str, bool)> {
    let Some(at) = glob.find(['*', '?', '[', '{', '\\', '!']) else { return Some((glob, true)) };
    let (dir, _) = glob[..at].rsplit_once('/')?;
    Some((dir, false)).filter(|(dir, _)| !dir.is_empty())
}

/// Whether `key` is false in `text`, a configuration.
fn is_off(text: &str, key: &str) -> bool {
    text.match_indices(key).any(|(at, _)| {
        let value = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start().strip_prefix('=');
        value.is_some_and(|value| value.trim_start().starts_with("false"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_begins_with_a_directory_or_with_none() {
        let cases = [
            ("conf.txt", Some(("conf.txt", true))),
            ("gen/a/**", Some(("gen/a", false))),
            ("gen/a*.txt", Some(("gen", false))),
            ("**/*.rs", None),
            ("*.txt", None),
            ("{a,b}/x", None),
        ];
        for (glob, expected) in cases {
            assert_eq!(beginning(glob), expected, "{glob}");
        }
    }

    #[test]
    fn a_key_that_is_off_is_found_in_any_form() {
        for text in
            ["[files]\nignore-vcs = false\n", "files = { ignore-vcs=false }", "\"ignore-vcs\" = false"]
        {
            assert!(is_off(text, "ignore-vcs"), "{text}");
        }
        for text in ["ignore-vcs = true", "ignore-vcs", "ignore-files = false", ""] {
            assert!(!is_off(text, "ignore-vcs"), "{text}");
        }
    }
}
