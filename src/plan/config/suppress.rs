//! The `[[suppress]]` tables: findings that don't count, with the reason.

use std::collections::BTreeMap;

use globset::Glob;
use jiff::civil::Date;
use toml::de::DeValue;

use super::glob;
use super::reader::{Reader, Value};
use super::suggest::suggestion;
use super::tool::Entry;
use crate::model::policy::PolicyError;
use crate::model::suppression::Suppression;

/// Parses a date such as `2027-01-31`. Shared by the configuration, the command line and the environment, so
/// that they have one syntax.
pub fn date(text: &str) -> Result<Date, PolicyError> {
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    date.ok_or_else(|| PolicyError(format!("invalid date `{text}`, expected one such as `2027-01-31`")))
}

/// Reads an array of suppressions, in which `tools` may be named.
pub(super) fn read(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    tools: &BTreeMap<String, Entry>,
) -> Vec<Suppression> {
    let Some(array) = value.get_ref().as_array() else {
        let message = format!("expected an array of tables, found {}", value.get_ref().type_str());
        reader.report_with(value.span(), message, "write `[[suppress]]`");
        return Vec::new();
    };
    array.iter().filter_map(|value| one(reader, value, tools)).collect()
}

fn one(reader: &mut Reader<'_>, value: &Value<'_>, tools: &BTreeMap<String, Entry>) -> Option<Suppression> {
    let table = reader.table(value)?;
    let (file, line) = reader.place(value);
    let mut keys = reader.keys(table);
    let suppression = Suppression {
        rule: keys.read("rule", Reader::text),
        tool: keys.read("tool", |reader, value| tool(reader, value, tools)),
        path: keys.read("path", path),
        subject: keys.read("subject", Reader::text),
        message: keys.read("message", Reader::text),
        reason: keys.read("reason", Reader::text).unwrap_or_default(),
        owner: keys.read("owner", Reader::text),
        expires: keys.read("expires", expires),
        file,
        line,
    };
    keys.finish();
    if reader.is_whole() {
        if !table.contains_key("reason") {
            let help = "explain why the finding is suppressed: `reason = \"…\"`";
            reader.report_with(value.span(), "missing key `reason`", help);
        }
        if !table.contains_key("rule") && !table.contains_key("tool") {
            let help =
                "set `rule = \"clippy::needless_return\"`, or `tool = \"clippy\"` for all of its findings";
            reader.report_with(value.span(), "missing key `rule` or `tool`", help);
        }
    }
    Some(suppression)
}

fn tool(reader: &mut Reader<'_>, value: &Value<'_>, tools: &BTreeMap<String, Entry>) -> Option<String> {
    let name = reader.string(value)?.into_inner();
    if reader.is_whole() && !tools.contains_key(&name) {
        let help = suggestion(&name, tools.keys().map(String::as_str), "tools");
        reader.report_with(value.span(), format!("unknown tool `{name}`"), help);
    }
    Some(name)
}

fn path(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Glob> {
    let pattern = reader.string(value)?;
    if pattern.get_ref().starts_with('!') {
        let help = "add a suppression for each path instead";
        reader.report_with(
            value.span(),
            format!("negated globs are not supported: `{}`", pattern.get_ref()),
            help,
        );
        return None;
    }
    glob::check(reader, &pattern)
}

fn expires(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Date> {
    let text = match value.get_ref() {
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => {
            reader.wrong_type(value, "a date such as `2027-01-31`");
            return None;
        }
    };
    date(&text).map_err(|error| reader.report(value.span(), error.0)).ok()
}
