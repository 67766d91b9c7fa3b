//! Paths in the configuration: the key `dir` of a tool, which is the directory in which its processes start, and the lock files of
//! and workspaces of variants.

use toml::Spanned;

use super::reader::{ConfigReader, Value};
use crate::model::path::RelPath;
use crate::model::tool::Tool;

/// Reads a directory of the workspace, such as `web/app`. The root itself is no directory of its own.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Option<RelPath>> {
    let text = reader.string(value)?;
    let path = text.get_ref();
    let parts = path.strip_suffix('/').unwrap_or(path);
    match refused(parts) {
        _ if parts == "." => Some(None),
        None => Some(Some(RelPath::new(parts))),
        Some(help) => {
            reader.report_with(value.span(), format!("invalid directory `{path}`"), help);
            None
        }
    }
}

/// Reads the path of a file of the workspace, such as `ci/msrv.lock`.
pub(super) fn file(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Spanned<RelPath>> {
    let text = reader.string(value)?;
    match refused(text.get_ref()) {
        None => Some(Spanned::new(value.span(), RelPath::new(text.get_ref()))),
        Some(help) => {
            reader.report_with(value.span(), format!("invalid path `{}`", text.get_ref()), help);
            None
        }
    }
}

/// Reads the root of another workspace, such as `fuzz`.
pub(super) fn workspace(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Spanned<RelPath>> {
    let text = reader.string(value)?;
    let path = text.get_ref();
    let parts = path.strip_suffix('/').unwrap_or(path);
    let help = match refused(parts) {
        _ if parts == "." => "remove it to build the workspace itself, or name a directory with another one",
        _ if parts.ends_with(".toml") => "write the directory instead of the manifest",
        Some(help) => help,
        None => return Some(Spanned::new(value.span(), RelPath::new(parts))),
    };
    reader.report_with(value.span(), format!("invalid workspace `{path}`"), help);
    None
}

/// Returns what to write in place of `path`, unless it is a path below the root.
fn refused(path: &str) -> Option<&'static str> {
    if path.starts_with('/') || path.contains('\\') {
        return Some("write a path relative to the workspace root, with `/`");
    }
    if path.contains(['{', '}']) {
        return Some("a path here has no placeholders; use them in `run`");
    }
    if path.split('/').any(|part| part == "..") {
        return Some("write a path in the workspace");
    }
    path.split('/')
        .any(|part| matches!(part, "" | "."))
        .then_some("write a path without empty parts, such as `ci/x`")
}

/// Reports a directory that has no effect on `tool`.
pub(super) fn check(reader: &mut ConfigReader<'_>, tool: &Tool, value: &Value<'_>) {
    let why = if tool.uses_executable() {
        "a test program starts in the directory of its package"
    } else if tool.uses_selection() {
        "`{selection}` stands for packages of this workspace"
    } else {
        return;
    };
    let message = format!("`{}` can't start in another directory, because {why}", tool.name);
    reader.report_with(value.span(), message, "remove `dir`");
}
