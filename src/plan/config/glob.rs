//! Globs of tools and suppressions, which match whole paths relative to the workspace root.

use globset::{Glob, GlobBuilder};
use toml::Spanned;

use super::reader::{ConfigReader, Value};

/// Compiles a glob: `*` and `?` do not match `/`, `**` does, and `\` escapes the next character. Globs behave
/// the same on every system.
pub fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build()
}

/// Reads an array of globs.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    let patterns = reader.strings(value)?;
    for pattern in &patterns {
        check(reader, pattern);
    }
    Some(patterns.into_iter().map(Spanned::into_inner).collect())
}

/// Reads the globs of the files to check. An empty array would mean every file, which is not what it looks like.
pub(super) fn read_files(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
        reader.report_with(value.span(), "expected at least one glob", "remove it to check every file");
        return None;
    }
    read(reader, value)
}

/// Compiles `pattern`, or reports the mistake.
pub(super) fn check(reader: &mut ConfigReader<'_>, pattern: &Spanned<String>) -> Option<Glob> {
    let text = pattern.get_ref();
    if let Some((cause, help)) = never_matches(text) {
        reader.report_with(pattern.span(), cause, help);
        return None;
    }
    let cause = |error: globset::Error| format!("invalid glob `{text}`: {}", error.kind());
    glob(text).map_err(|error| reader.report(pattern.span(), cause(error))).ok()
}

/// Returns the reason why `pattern` can't match any path, and a suggested fix. Paths don't start or end with
/// `/` and don't contain `.` or `..`.
fn never_matches(pattern: &str) -> Option<(String, String)> {
    if pattern.is_empty() {
        return Some(("an empty glob never matches".into(), "use `**` to match every file".into()));
    }
    let meant = pattern.trim_start_matches("./").trim_start_matches('/');
    if meant != pattern {
        let cause = format!("`{pattern}` never matches: paths are relative to the workspace root");
        return Some((cause, format!("write `{}`", if meant.is_empty() { "**" } else { meant })));
    }
    if let Some(dir) = pattern.strip_suffix('/') {
        return Some((format!("`{pattern}` never matches a file"), format!("write `{dir}/**`")));
    }
    if pattern.split('/').any(|part| matches!(part, "." | ".." | "")) {
        let cause = format!("`{pattern}` never matches: paths have no `.`, `..` or empty components");
        return Some((cause, "write a path relative to the workspace root".into()));
    }
    let excluded = pattern.strip_prefix('!')?;
    Some((
        format!("negated globs are not supported: `{pattern}`"),
        format!("write `exclude = [\"{excluded}\"]`"),
    ))
}
