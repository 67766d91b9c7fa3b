//! Converts places reported by rustc, cargo or a build script.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::message::{RustcExpansion, RustcSpan};
use crate::model::finding::{Diagnostic, Place, Range};
use crate::model::generated::{path_in_out_dir, split_out_dir};
use crate::model::path::RelPath;
use crate::model::workspace::PackageId;
use crate::normalize::{Input, range, whole_line};

/// Finds places, using the workspace and the `OUT_DIR`s of build scripts.
#[derive(Clone)]
pub(super) struct Places<'a> {
    pub(super) input: &'a Input<'a>,
    /// `OUT_DIR`s of build scripts, each with its package.
    out_dirs: Rc<Vec<(PathBuf, PackageId)>>,
    /// Directory of the package, if that is not a member.
    around: Option<RelPath>,
}

impl<'a> Places<'a> {
    pub(super) fn new(input: &'a Input<'a>, mut out_dirs: Vec<(PathBuf, PackageId)>) -> Self {
        out_dirs.sort();
        out_dirs.dedup();
        Self { input, out_dirs: Rc::new(out_dirs), around: None }
    }

    /// Returns one for messages about the package of `manifest`, which is not a member.
    pub(super) fn around(&self, manifest: &RelPath) -> Self {
        Self { around: manifest.parent(), ..self.clone() }
    }

    /// Returns the place of `span`. If a macro from elsewhere produced the code, returns the innermost call in a
    /// workspace package, else in another file of the repository, else in a generated file.
    pub(super) fn of(&self, span: &RustcSpan<'_>) -> Option<Place> {
        if span.is_dummy() {
            return None;
        }
        let calls: Vec<RustcExpansion<'_>> = span.expansions().collect();
        let spans = || std::iter::once(span).chain(calls.iter().map(|call| &call.span));
        let in_workspace = || spans().filter_map(|span| self.location(span));
        let is_own =
            |(path, _): &(RelPath, _)| !path.is_outside() || self.input.workspace.owner_of(path).is_some();
        in_workspace()
            .find(is_own)
            .or_else(|| in_workspace().next())
            .or_else(|| spans().find_map(|span| self.generated(span)))
            .map(|(path, range)| Place::File { path, range })
    }

    /// Returns the place of `span` itself if it lies in the workspace or elsewhere in the repository.
    pub(super) fn location(&self, span: &RustcSpan<'_>) -> Option<(RelPath, Option<Range>)> {
        // `<anon>` and the like are not files.
        let name = Some(&*span.file_name).filter(|name| !name.starts_with('<'))?;
        let path = match &self.around {
            Some(dir) if Path::new(name).is_relative() => self.listed_from(dir, name)?,
            _ => self.input.scrub.path(name.as_bytes())?,
        };
        Some((path, stretch(span)))
    }

    /// Returns the file that is called `name` as seen from the root of the workspace around the package in `dir`. Cargo does not
    /// say which directory this is.
    fn listed_from(&self, dir: &RelPath, name: &str) -> Option<RelPath> {
        let mut dirs = std::iter::successors(Some(dir.clone()), RelPath::parent);
        dirs.find_map(|dir| {
            let path = self.input.scrub.starting_in(&dir).path(name.as_bytes())?;
            self.input.workspace.find(&path).map(|_| path)
        })
    }

    /// Returns the place of `span` itself if it lies in a generated file.
    fn generated(&self, span: &RustcSpan<'_>) -> Option<(RelPath, Option<Range>)> {
        let file = RelPath::without_dots(Path::new(&span.file_name));
        let (dir, package) = self.out_dirs.iter().find(|(dir, _)| file.starts_with(dir))?;
        let below = RelPath::between(dir, &file)?;
        Some((path_in_out_dir(&self.input.workspace.package(*package).dir, &below), stretch(span)))
    }

    /// Returns the `OUT_DIR`s that one of `diagnostics` points into.
    pub(super) fn made_in(&self, diagnostics: &[Diagnostic]) -> Vec<(PackageId, PathBuf)> {
        let dirs: BTreeSet<_> =
            diagnostics.iter().filter_map(|found| Some(split_out_dir(found.place.path()?)?.0)).collect();
        let workspace = self.input.workspace;
        let is_meant = |(_, id): &&(PathBuf, PackageId)| dirs.contains(&workspace.package(*id).dir);
        self.out_dirs.iter().filter(is_meant).map(|(dir, id)| (*id, dir.clone())).collect()
    }

    /// Returns the first lines that `span` covers, as rustc read them.
    pub(super) fn source(span: &RustcSpan<'_>) -> Option<String> {
        const LINES: usize = 3;
        let lines: Vec<_> = span.text.iter().take(LINES).map(|line| line.text.trim_end()).collect();
        let indent = lines.iter().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
        let lines: Vec<_> = lines.into_iter().map(|line| line.get(indent..).unwrap_or(line)).collect();
        (!lines.iter().all(|line| line.is_empty())).then(|| lines.join("\n"))
    }

    /// Splits off the place at the beginning of a message from a build script of `package` (`path:`, `path:line:` or
    /// `path:line:column:`) if the workspace has this file. Returns the place and the remaining text.
    pub(super) fn named<'t>(&self, package: PackageId, text: &'t str) -> Option<(Place, &'t str)> {
        let (place, rest) = text.split_once(": ").or_else(|| Some((text.strip_suffix(':')?, "")))?;
        let mut parts = place.rsplitn(3, ':');
        let (last, before, first) = (parts.next()?, parts.next(), parts.next());
        let number = |part: &str| part.parse::<u32>().ok();
        let (path, line) = match (first, before, number(last)) {
            (Some(path), Some(line), Some(_)) if number(line).is_some() => (path.to_owned(), number(line)),
            (Some(path), Some(before), Some(line)) => (format!("{path}:{before}"), Some(line)),
            (None, Some(path), Some(line)) => (path.to_owned(), Some(line)),
            _ => (place.to_owned(), None),
        };
        let path = self.file_of(package, &path)?;
        Some((Place::File { path, range: line.and_then(whole_line) }, rest))
    }

    /// Returns the workspace file that a program running in the directory of `package` calls `path`.
    fn file_of(&self, package: PackageId, path: &str) -> Option<RelPath> {
        let raw = match Path::new(path).is_absolute() {
            true => RelPath::new(path),
            false => self.input.workspace.package(package).dir.join(path),
        };
        let path = self.input.scrub.path(raw.as_bytes())?;
        self.input.workspace.find(&path).map(|_| path)
    }

    /// Returns the first workspace file that `text` names, in quotes or between spaces.
    pub(super) fn mentioned(&self, text: &str) -> Option<RelPath> {
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\''));
        words
            .map(|word| word.trim_matches([',', ':', '(', ')']))
            .filter(|word| word.contains(['.', '/']))
            .find_map(|word| {
                let path = self.input.scrub.path(word.as_bytes())?;
                self.input.workspace.find(&path).map(|_| path)
            })
    }
}

fn stretch(span: &RustcSpan<'_>) -> Option<Range> {
    range((span.line_start, span.column_start), (span.line_end, span.column_end))
}
