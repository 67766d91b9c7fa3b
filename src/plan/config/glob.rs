//! The globs of tools and suppressions: matched against whole paths from the workspace root.

use globset::{Glob, GlobBuilder};
use toml::Spanned;

use super::reader::{Reader, Value};

/// Compiles a glob: `*` and `?` stop at `/`, `**` does not, `\` takes the next character as it is; the same on
/// every system.
pub fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build()
}

/// Reads an array of globs.
pub(super) fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    let patterns = reader.strings(value)?;
    for pattern in &patterns {
        check(reader, pattern);
    }
    Some(patterns.into_iter().map(Spanned::into_inner).collect())
}

/// The glob that `pattern` is, or a mistake.
pub(super) fn check(reader: &mut Reader<'_>, pattern: &Spanned<String>) -> Option<Glob> {
    let text = pattern.get_ref();
    if let Some((cause, help)) = never_matches(text) {
        reader.report_with(pattern.span(), cause, help);
        return None;
    }
    let cause = |error: globset::Error| format!("`{text}` is no glob: {}", error.kind());
    glob(text).map_err(|error| reader.report(pattern.span(), cause(error))).ok()
}

/// Why no path can match, and what was meant: paths have no `/` at either end, no `.` and no `..` in them.
fn never_matches(pattern: &str) -> Option<(String, String)> {
    if pattern.is_empty() {
        return Some(("an empty glob matches nothing".into(), "`**` matches every file".into()));
    }
    let meant = pattern.trim_start_matches("./").trim_start_matches('/');
    if meant != pattern {
        let cause = format!("`{pattern}` matches nothing: paths begin at the workspace root");
        return Some((cause, format!("write `{}`", if meant.is_empty() { "**" } else { meant })));
    }
    if let Some(dir) = pattern.strip_suffix('/') {
        return Some((format!("`{pattern}` matches no file"), format!("write `{dir}/**`")));
    }
    if pattern.split('/').any(|part| matches!(part, "." | ".." | "")) {
        let cause = format!("`{pattern}` matches nothing: paths have no `.`, `..` or empty part");
        return Some((cause, "write the path from the workspace root".into()));
    }
    let excluded = pattern.strip_prefix('!')?;
    Some((format!("`{pattern}` does not exclude"), format!("write `exclude = [\"{excluded}\"]`")))
}
