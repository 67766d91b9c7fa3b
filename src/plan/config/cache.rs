//! The keys `cache` and `max-age` of a tool.

use toml::de::DeTable;

use super::reader::{ConfigReader, Value};
use crate::model::tool::{Caching, Network, Tool};

/// Value of the key `cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    Never,
    Always,
    Sandboxed,
}

/// Reads the key `cache`.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Cache> {
    match value.get_ref().as_str() {
        Some("sandboxed") => Some(Cache::Sandboxed),
        Some(text) if !["true", "false"].contains(&text) => {
            let message = format!("expected `true`, `false` or `\"sandboxed\"`, found `{text}`");
            reader.report(value.span(), message);
            None
        }
        _ => reader.boolean(value).map(|is_cached| if is_cached { Cache::Always } else { Cache::Never }),
    }
}

/// Reports keys that don't fit `tool`.
pub(super) fn check(reader: &mut ConfigReader<'_>, tool: &Tool, table: &DeTable<'_>) {
    let is_sandboxed = matches!(tool.cache, Caching::Sandboxed { .. });
    if let Some(value) = table.get("cache").filter(|_| is_sandboxed) {
        if let Some(help) = unobservable(tool) {
            reader.report_with(value.span(), "`cache = \"sandboxed\"` is not possible for this tool", help);
        } else if tool.starts_tests() && tool.sandbox.is_some() {
            let help = "remove one of them; each process with tests gets a sandbox of its own";
            reader.report_with(value.span(), "this tool can't have a `sandbox` and cached results", help);
        } else if tool.sandbox.as_ref().is_some_and(|sandbox| sandbox.network == Network::All) {
            let help = "write `network = \"loopback\"` in `sandbox`, or remove one of them";
            let message = "results of a tool that may use the network can't be cached";
            reader.report_with(value.span(), message, help);
        }
    }
    if let Some(value) = table.get("max-age").filter(|_| !is_sandboxed) {
        let help = "remove it, or write `cache = \"sandboxed\"`";
        reader.report_with(value.span(), "`max-age` has no effect without `cache = \"sandboxed\"`", help);
    }
}

/// Returns the reason why results of `tool` can't be observed, with a way out; `None` if they can.
fn unobservable(tool: &Tool) -> Option<&'static str> {
    if tool.starts_tests() {
        return None;
    }
    if tool.uses_selection() || tool.targets.is_some() {
        return Some("remove it; cargo builds in this tool, and changes build output that other tools use");
    }
    if tool.uses_executable() && (!tool.runs_executable() || tool.has_goldens()) {
        return Some(
            "remove it; of the tools with `{executable}`, only those that run the test program directly, with \
             `run = [\"{executable}\", …]` and without `compare`, can be observed",
        );
    }
    None
}
