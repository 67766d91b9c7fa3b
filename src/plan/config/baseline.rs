//! The `[baseline]` table: how the baseline was recorded, and the severity of stale entries.

use std::collections::BTreeMap;

use super::reader::{ConfigReader, Value, sorted};
use super::suggest::suggestion;
use super::tool::ToolEntry;
use crate::model::policy::Selection;
use crate::model::variant::Variant;

/// The `[baseline]` table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaselineConfig {
    /// Features, target and cargo profile with which the baseline was recorded. It always covers all packages
    /// and tools.
    pub build: Selection,
    /// Tool versions with which the baseline was recorded, by [`Tool::version_name`](crate::model::tool::Tool::version_name). Other
    /// tools may have any version.
    pub versions: BTreeMap<String, String>,
    /// True if stale entries don't fail `check`.
    pub stale_warns: bool,
}

impl BaselineConfig {
    /// Returns true if the baseline was recorded with the version of `tool` that prints `version`.
    pub fn is_of_version(&self, tool: &str, version: Option<&str>) -> bool {
        let Some(pin) = self.versions.get(tool) else { return true };
        let is_pinned = |number: &str| {
            number.strip_prefix(pin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        version.is_some_and(|version| numbers(version).any(is_pinned))
    }
}

/// Returns the words of a version text that may be the version number, such as `1.2.3` in
/// `tool v1.2.3 (2026-01-01)`.
pub fn numbers(version: &str) -> impl Iterator<Item = &str> {
    let words = version.split_whitespace();
    words.map(|word| word.trim_start_matches(|c: char| !c.is_ascii_digit())).filter(|word| !word.is_empty())
}

/// Reads the table, in which `tools` may be named.
pub(super) fn read(
    reader: &mut ConfigReader<'_>,
    value: &Value<'_>,
    tools: &BTreeMap<String, ToolEntry>,
) -> BaselineConfig {
    let mut config = BaselineConfig::default();
    let Some(table) = reader.table(value) else { return config };
    let mut keys = reader.keys(table);
    let build = &mut config.build;
    keys.set(&mut build.features, "features", |reader, value| reader.texts(value).map(sorted));
    keys.set(&mut build.all_features, "all-features", ConfigReader::boolean);
    keys.set(&mut build.no_default_features, "no-default-features", ConfigReader::boolean);
    build.target = keys.read("target", ConfigReader::text);
    build.cargo_profile = keys.read("cargo-profile", ConfigReader::text);
    let versions = keys.read("versions", |reader, value| versions(reader, value, tools));
    config.versions = versions.unwrap_or_default();
    keys.set(&mut config.stale_warns, "stale", stale_warns);
    keys.finish();
    config
}

fn versions(
    reader: &mut ConfigReader<'_>,
    value: &Value<'_>,
    tools: &BTreeMap<String, ToolEntry>,
) -> Option<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    for (name, value) in reader.table(value)? {
        match tools.get(Variant::split(name.get_ref()).0) {
            _ if !reader.is_whole() => {}
            None => {
                let help = suggestion(name.get_ref(), tools.keys().map(String::as_str), "tools");
                reader.report_with(name.span(), format!("unknown tool `{}`", name.get_ref()), help);
            }
            Some(entry) if entry.tool.version.is_empty() => {
                let message = format!("`{}` has no command that prints its version", name.get_ref());
                let help = format!("set `version = […]` under [tools.{}]", name.get_ref());
                reader.report_with(name.span(), message, help);
            }
            Some(_) => {}
        }
        let Some(version) = reader.text(value) else { continue };
        if !version.starts_with(|c: char| c.is_ascii_digit()) || version.contains(char::is_whitespace) {
            let help = "use the number that `cargo genti tools` shows, or a prefix of it";
            reader.report_with(
                value.span(),
                format!("invalid version `{version}`, expected a number such as `1.95`"),
                help,
            );
        }
        versions.insert(name.get_ref().to_string(), version);
    }
    Some(versions)
}

fn stale_warns(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<bool> {
    match reader.string(value)?.get_ref().as_str() {
        "warn" => Some(true),
        "fail" => Some(false),
        other => {
            let message = format!("unknown value `{other}`, expected `fail` or `warn`");
            reader.report(value.span(), message);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_version_may_be_a_prefix() {
        let check = |pin: &str, version: Option<&str>, expected: bool| {
            let versions = BTreeMap::from([("x".to_owned(), pin.to_owned())]);
            let config = BaselineConfig { versions, ..BaselineConfig::default() };
            assert_eq!(config.is_of_version("x", version), expected, "{pin} {version:?}");
            assert!(config.is_of_version("y", version), "other tools are not pinned");
        };
        let clippy = Some("clippy 0.1.95 (59807616e1 2026-04-14)");
        check("0.1.95", clippy, true);
        check("0.1", clippy, true);
        check("0.1.9", clippy, false);
        check("0.1.94", clippy, false);
        check("1.95", clippy, false);
        check("1.2", Some("tool v1.2.3"), true);
        check("1.2.3", Some("1.2.3-beta.1"), false);
        check("1.2", None, false);
    }
}
