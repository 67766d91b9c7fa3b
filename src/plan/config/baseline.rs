//! `[baseline]`: how the baseline was taken, and what it means that an entry of it is stale.

use std::collections::BTreeMap;

use super::reader::{Reader, Value};
use super::suggest::way_out;
use super::tool::Entry;
use crate::model::policy::Selection;

/// What the configuration says of the baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaselineConfig {
    /// The features, target and cargo profile that it was taken with; packages and tools were all.
    pub build: Selection,
    /// The versions that it was taken with, by tool; any other tool may have any.
    pub versions: BTreeMap<String, String>,
    /// Whether a stale entry does not fail `check`.
    pub stale_warns: bool,
}

impl BaselineConfig {
    /// Whether it was taken with a `tool` that says `version` of itself.
    pub fn is_of_version(&self, tool: &str, version: Option<&str>) -> bool {
        let Some(pin) = self.versions.get(tool) else { return true };
        let is_it = |number: &str| {
            number.strip_prefix(pin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        version.is_some_and(|version| numbers(version).any(is_it))
    }
}

/// The words of what a tool says of its version that may be its number: `1.2.3` of `tool v1.2.3 (2026-01-01)` is the first.
pub fn numbers(version: &str) -> impl Iterator<Item = &str> {
    let words = version.split_whitespace();
    words.map(|word| word.trim_start_matches(|c: char| !c.is_ascii_digit())).filter(|word| !word.is_empty())
}

/// Reads the table, which may name `tools`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    tools: &BTreeMap<String, Entry>,
) -> BaselineConfig {
    let mut config = BaselineConfig::default();
    let Some(table) = reader.table(value) else { return config };
    let mut keys = reader.keys(table);
    let build = &mut config.build;
    keys.set(&mut build.features, "features", |reader, value| reader.texts(value).map(sorted));
    keys.set(&mut build.all_features, "all-features", Reader::boolean);
    keys.set(&mut build.no_default_features, "no-default-features", Reader::boolean);
    build.target = keys.read("target", Reader::text);
    build.cargo_profile = keys.read("cargo-profile", Reader::text);
    let versions = keys.read("versions", |reader, value| versions(reader, value, tools));
    config.versions = versions.unwrap_or_default();
    keys.set(&mut config.stale_warns, "stale", stale_warns);
    keys.finish();
    config
}

fn sorted(mut features: Vec<String>) -> Vec<String> {
    features.sort();
    features.dedup();
    features
}

fn versions(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    tools: &BTreeMap<String, Entry>,
) -> Option<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    for (name, value) in reader.table(value)? {
        match tools.get(name.get_ref().as_ref()) {
            _ if !reader.is_whole() => {}
            None => {
                let help = way_out(name.get_ref(), tools.keys().map(String::as_str), "tools");
                reader.report_with(name.span(), format!("unknown tool `{}`", name.get_ref()), help);
            }
            Some(entry) if entry.tool.version.is_empty() => {
                let message = format!("`{}` has no version to compare with", name.get_ref());
                let help = format!("say how to ask for it: `version = […]` under [tools.{}]", name.get_ref());
                reader.report_with(name.span(), message, help);
            }
            Some(_) => {}
        }
        let Some(version) = reader.text(value) else { continue };
        if !version.starts_with(|c: char| c.is_ascii_digit()) || version.contains(char::is_whitespace) {
            let help = "write the number that `cargo genti tools` shows, or its beginning";
            reader.report_with(value.span(), format!("`{version}` is no version such as `1.95`"), help);
        }
        versions.insert(name.get_ref().to_string(), version);
    }
    Some(versions)
}

fn stale_warns(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<bool> {
    match reader.string(value)?.get_ref().as_str() {
        "warn" => Some(true),
        "fail" => Some(false),
        other => {
            let message = format!("`{other}` is not what a stale entry can do; choose `fail` or `warn`");
            reader.report(value.span(), message);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_pinned_by_as_much_of_it_as_is_given() {
        let check = |pin: &str, version: Option<&str>, expected: bool| {
            let versions = BTreeMap::from([("x".to_owned(), pin.to_owned())]);
            let config = BaselineConfig { versions, ..BaselineConfig::default() };
            assert_eq!(config.is_of_version("x", version), expected, "{pin} {version:?}");
            assert!(config.is_of_version("y", version), "only what is named is pinned");
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
