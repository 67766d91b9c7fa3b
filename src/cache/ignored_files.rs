//! Files that git ignores and that a tool reads nevertheless. They are not part of the workspace, so no task id covers them.
//!
//! - Globs of custom tools match ignored files if they begin with a directory: `generated/**`, but not `**/*.txt`, for which
//!   every run would have to list all ignored files.
//! - `cargo machete` reads every source below the directories of a package.
//! - `machete` and `typos` respect ignore files like git, but have additional options. If these could make them read files that
//!   git ignores, their results are not cached.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::inputs::{KeyInputs, OtherInputs, Uncacheable};
use super::key::{PartKind, Parts};
use crate::model::digest::{Hasher, Sink};
use crate::model::path::RelPath;
use crate::model::tool::{Arg, Per, Searcher, Tool, ToolId};
use crate::model::workspace::{TargetKind, WhyLeftOut};
use crate::scan::read_text;
use crate::workspace;

/// Directories of a package in which cargo discovers targets.
const TARGET_DIRS: [&str; 4] = ["benches", "examples", "src", "tests"];

/// Names of the configuration files of typos.
const TYPOS_CONFIGS: [&str; 5] = ["typos.toml", "_typos.toml", ".typos.toml", "Cargo.toml", "pyproject.toml"];

/// Options of typos that make it check more files if they are false.
const IGNORE_OPTIONS: [&str; 6] =
    ["ignore-dot", "ignore-files", "ignore-global", "ignore-hidden", "ignore-parent", "ignore-vcs"];

impl KeyInputs<'_> {
    /// Adds the ignored files that tool `id` reads.
    ///
    /// # Errors
    ///
    /// If they can't be determined, with the reason.
    pub(super) fn add_unlisted(
        &self,
        id: ToolId,
        parts: &mut Parts,
        others: &mut OtherInputs,
    ) -> Result<(), Uncacheable> {
        let tool = self.plan.graph.tool(id);
        self.add_named(id, parts, others)?;
        let Some(searcher) = tool.parse.searcher() else { return Ok(()) };
        if let Some(why) = self.why_unlisted(tool, searcher) {
            return Err(format!("it also checks files that git ignores: {why}"));
        }
        match searcher {
            Searcher::Machete => self.add_sources(parts, others),
            Searcher::Typos => Ok(()),
        }
    }

    /// Adds the ignored files that the globs of tool `id` match.
    fn add_named(&self, id: ToolId, parts: &mut Parts, others: &mut OtherInputs) -> Result<(), Uncacheable> {
        let tool = self.plan.graph.tool(id);
        let arguments: &[_] = match tool.per {
            // Files that are arguments are listed by git.
            Per::File | Per::TargetRoot => &[],
            _ => &tool.files,
        };
        let root = &self.workspace.root;
        let (mut files, mut dirs) = (Vec::new(), BTreeSet::new());
        for (beginning, is_all) in arguments.iter().chain(&tool.inputs).filter_map(|glob| beginning(glob)) {
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
        self.add_files(files, "files that git ignores", parts, others)
    }

    /// Adds the ignored sources below the directories of packages.
    fn add_sources(&self, parts: &mut Parts, others: &mut OtherInputs) -> Result<(), Uncacheable> {
        let mut files = Vec::new();
        for dir in self.source_dirs() {
            let below = self.files_below(&dir)?;
            files.extend(below.into_iter().filter(|place| place.extension() == Some("rs".as_ref())));
        }
        self.add_files(files, "sources that git ignores", parts, others)
    }

    /// Returns all files below `dir`, ignored or not. At most `MOST` of them may be ignored.
    fn files_below(&self, dir: &Path) -> Result<Vec<PathBuf>, Uncacheable> {
        const MOST: usize = 10_000;
        let path = RelPath::between(&self.workspace.root, dir).unwrap_or_default();
        let listed = self.workspace.files.iter().filter(|file| file.path.is_within(&path)).count();
        let left_out = [self.workspace.target_dir.clone(), self.workspace.build_dir.clone()];
        let files = workspace::everything_below(dir, &left_out, MOST + listed);
        let files = files.ok_or_else(|| {
            format!("`{path}` contains more than 10,000 files that git ignores, or an unreadable one")
        })?;
        Ok(files.into_iter().map(|(_, place)| place).collect())
    }

    /// Adds the files among `files` that are not part of the workspace, as one part called `name`.
    fn add_files(
        &self,
        files: Vec<PathBuf>,
        name: &str,
        parts: &mut Parts,
        others: &mut OtherInputs,
    ) -> Result<(), Uncacheable> {
        let mut hasher = Hasher::new("genti.unlisted.1");
        let before = others.outside.len();
        for place in files.into_iter().collect::<BTreeSet<_>>() {
            let path = RelPath::between(&self.workspace.root, &place).unwrap_or_default();
            if self.workspace.find(&path).is_some_and(|id| !self.workspace.file(id).is_link) {
                continue;
            }
            hasher.field("path", path.as_bytes());
            let digest = self.read(&place)?;
            hasher.field("content", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
            others.outside.push(place);
        }
        if others.outside.len() > before {
            parts.add(PartKind::Inputs, name, hasher.finish());
        }
        Ok(())
    }

    /// Returns the directories in which `cargo machete` looks for sources.
    fn source_dirs(&self) -> BTreeSet<PathBuf> {
        let root = &self.workspace.root;
        let manifests = self.workspace.files.iter().filter(|file| file.path.file_name() == b"Cargo.toml");
        let of_packages = manifests.flat_map(|file| {
            let dir = file.path.parent().unwrap_or_default().to_path(root);
            TARGET_DIRS.map(|name| dir.join(name))
        });
        let targets = self.workspace.packages.iter().flat_map(|package| &package.targets);
        let targets = targets.filter(|target| target.kind != TargetKind::BuildScript);
        let of_targets = targets.filter_map(|target| Some(target.root.parent()?.to_path(root)));
        of_packages.chain(of_targets).filter(|dir| dir.is_dir()).collect()
    }

    /// Returns why `tool`, which respects ignore files, reads files that git ignores; `None` if it does not.
    fn why_unlisted(&self, tool: &Tool, searcher: Searcher) -> Option<String> {
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
                return Some(format!("`{}` contains a `!` rule", name(&dir.join(".ignore"))));
            }
            // The ignore rules of the outer repository don't apply in a nested one.
            if dir.starts_with(root) && repository != Some(dir) && dir.join(".git").exists() {
                return Some(format!("`{}` is a nested git repository", name(dir)));
            }
        }
        let is_rules = |path: &RelPath| path.file_name() == b".gitignore";
        if repository.is_none() && self.workspace.files.iter().any(|file| is_rules(&file.path)) {
            return Some("there is a `.gitignore`, but no git repository".to_owned());
        }
        let left_out = &self.workspace.seen.left_out;
        if let Some(left_out) = left_out.iter().find(|left_out| left_out.why == WhyLeftOut::CacheDir) {
            return Some(format!("`{}` contains an untracked `CACHEDIR.TAG`", left_out.path));
        }
        if searcher == Searcher::Typos {
            let around = root.ancestors().flat_map(|dir| TYPOS_CONFIGS.map(|name| dir.join(name)));
            let mut configs = around.chain(words.by_ref().map(|word| root.join(word)));
            return configs.find_map(|path| {
                let text = read_text(&path)?;
                let key = IGNORE_OPTIONS.into_iter().find(|key| is_off(&text, key))?;
                Some(format!("`{key} = false` in `{}`", name(&path)))
            });
        }
        None
    }
}

/// Returns the directory that all matches of `glob` have in common, or the path itself with `true` if there are no wildcards.
/// `None` if matches may be anywhere.
pub(crate) fn beginning(glob: &str) -> Option<(&str, bool)> {
    let Some(at) = glob.find(['*', '?', '[', '{', '\\', '!']) else { return Some((glob, true)) };
    let (dir, _) = glob[..at].rsplit_once('/')?;
    Some((dir, false)).filter(|(dir, _)| !dir.is_empty())
}

/// Returns whether `key` is set to false in the configuration `text`.
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
    fn the_common_directory_of_a_glob_is_found() {
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
    fn a_disabled_option_is_found_in_every_notation() {
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
