//! The key `sandbox` of a tool.

use toml::Spanned;

use super::reader::{ConfigReader, Value, sorted};
use crate::model::tool::{Network, Sandbox};

/// Reads the sandbox of a tool.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Sandbox> {
    let table = reader.table(value)?;
    let mut sandbox = Sandbox::default();
    let mut keys = reader.keys(table);
    keys.set(&mut sandbox.write, "write", places);
    keys.set(&mut sandbox.read, "read", places);
    keys.set(&mut sandbox.network, "network", network);
    keys.finish();
    Some(sandbox)
}

fn network(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Network> {
    match value.get_ref().as_bool() {
        Some(true) => return Some(Network::All),
        Some(false) => return Some(Network::None),
        None if value.get_ref().as_str() == Some("loopback") => return Some(Network::Loopback),
        None => {}
    }
    reader.report(value.span(), "expected `true`, `false` or `\"loopback\"`");
    None
}

/// Reads paths of files and directories.
fn places(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    let paths = reader.strings(value)?;
    for path in &paths {
        let text = path.get_ref();
        if text.trim().is_empty() {
            reader.report_with(path.span(), "expected a path", "write `.` for the whole workspace");
        } else if text.contains(['*', '?', '[']) {
            let message = format!("`{text}` is not a path, and globs have no effect here");
            reader.report_with(path.span(), message, "name a file, or a directory with everything in it");
        }
    }
    Some(sorted(paths.into_iter().map(Spanned::into_inner).collect()))
}
