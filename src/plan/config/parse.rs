//! The `parse` key (an output format or a regular expression) and the `compare` key (golden files).

use regex::Regex;

use super::reader::{ConfigReader, Value};
use super::suggest::{listed, suggestion};
use crate::model::ratchet::{Better, Decimal, NumberPattern};
use crate::model::tool::{Parse, Streams};

const GROUPS: [&str; 6] = ["path", "line", "column", "rule", "level", "message"];
const NUMBER_GROUPS: [&str; 2] = ["name", "value"];

/// Reads `"format"` or `{ regex = "…" }`.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Parse> {
    if let Some(table) = value.get_ref().as_table() {
        if table.contains_key("number") {
            return number(reader, value);
        }
        let mut keys = reader.keys(table);
        let parse = keys.read("regex", regex);
        keys.finish();
        if reader.is_whole() && !table.contains_key("regex") {
            let help = "write `{ regex = \"…\" }` or `{ number = \"…\", … }`";
            reader.report_with(value.span(), "missing key `regex` or `number`", help);
        }
        return parse;
    }
    let Some(name) = value.get_ref().as_str() else {
        reader.wrong_type(value, "the name of a format or `{ regex = \"…\" }`");
        return None;
    };
    let known = Parse::NAMED.into_iter().find(|format| format.as_str() == name);
    if known.is_none() {
        let help = match name {
            "regex" => "write `{ regex = \"…\" }`".to_owned(),
            _ => suggestion(name, Parse::NAMED.iter().map(Parse::as_str), "`{ regex = \"…\" }` or one of"),
        };
        reader.report_with(value.span(), format!("unknown output format `{name}`"), help);
    }
    known
}

const COMPARE: &str = "`\"golden\"` or `{ golden = \"…\" }`";

/// Reads `"golden"` or `{ golden = "stream" }`.
pub(super) fn compare(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Parse> {
    if let Some(table) = value.get_ref().as_table() {
        let mut keys = reader.keys(table);
        let streams = keys
            .read("golden", |reader, value| reader.named(value, &Streams::ALL, "stream", "choose one of"));
        keys.finish();
        if reader.is_whole() && !table.contains_key("golden") {
            reader.report_with(value.span(), "missing key `golden`", format!("write {COMPARE}"));
        }
        return streams.map(Parse::Golden);
    }
    match value.get_ref().as_str() {
        Some("golden") => return Some(Parse::Golden(Streams::Stdout)),
        Some(name) => {
            let message = format!("unknown comparison `{name}`");
            reader.report_with(value.span(), message, format!("write {COMPARE}"));
        }
        None => reader.wrong_type(value, COMPARE),
    }
    None
}

/// Reads `{ number = "…(?<value>…)…", name = "…", better = "higher", tolerance = "0.1", unit = "%" }`.
fn number(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Parse> {
    let table = reader.table(value)?;
    let mut keys = reader.keys(table);
    let regex = keys.read("number", number_pattern);
    let name = keys.read("name", ConfigReader::text);
    let better =
        keys.read("better", |reader, value| reader.named(value, &Better::ALL, "direction", "choices"));
    let tolerance = keys.read("tolerance", tolerance);
    let unit = keys.read("unit", ConfigReader::text);
    keys.finish();
    if reader.is_whole() && !table.contains_key("better") {
        let help = "write `better = \"higher\"` or `better = \"lower\"`";
        reader.report_with(value.span(), "missing key `better`", help);
    }
    let regex = regex?;
    let groups: Vec<_> = regex.capture_names().flatten().collect();
    // Without a group `value`, every other group is a number with the group's name.
    let is_each =
        name.is_none() && !groups.is_empty() && NUMBER_GROUPS.iter().all(|group| !groups.contains(group));
    if !is_each && !groups.contains(&"value") {
        let help = "name the part of the pattern that captures the number: `(?<value>[\\d.]+)`";
        reader.report_with(value.span(), "missing group `value`", help);
    }
    if !is_each && name.is_some() == groups.contains(&"name") && reader.is_whole() {
        let help = "write `name = \"…\"`, or a group `(?<name>…)` in the pattern";
        let message = if name.is_some() { "the number has two names" } else { "the number has no name" };
        reader.report_with(value.span(), message, help);
    }
    let regex = regex.as_str().to_owned();
    Some(Parse::Number(Box::new(NumberPattern { regex, name, better: better?, tolerance, unit })))
}

/// Reads a pattern with a group `value` and optionally `name`, or else with any groups except these.
fn number_pattern(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Regex> {
    let regex = any_pattern(reader, value)?;
    if regex.capture_names().flatten().any(|group| NUMBER_GROUPS.contains(&group)) {
        check_groups(reader, value, &regex, NUMBER_GROUPS);
    }
    Some(regex)
}

fn tolerance(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Decimal> {
    let text = reader.string(value)?.into_inner();
    let number = text.parse::<Decimal>().map_err(|error| error.to_string());
    let number = number.and_then(|number| match number < Decimal::from(0) {
        true => Err(format!("`{text}` is negative")),
        false => Ok(number),
    });
    number.map_err(|error| reader.report(value.span(), error)).ok()
}

fn regex(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Parse> {
    let regex = any_pattern(reader, value)?;
    check_groups(reader, value, &regex, GROUPS);
    if !regex.capture_names().flatten().any(|group| matches!(group, "path" | "message")) {
        let help = format!("add at least one of them; available groups: {}", listed(GROUPS));
        reader.report_with(value.span(), "missing group `message` or `path`", help);
    }
    Some(Parse::Regex(regex.as_str().to_owned()))
}

fn any_pattern(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Regex> {
    let pattern = reader.string(value)?.into_inner();
    let regex = Regex::new(&pattern).map_err(|error| {
        // The error is a picture of several lines, with the cause at the end.
        let error = error.to_string();
        let cause = error.rsplit("error: ").next().unwrap_or_default();
        reader.report(value.span(), format!("invalid regular expression: {}", cause.trim_end()));
    });
    regex.ok()
}

/// Reports the named groups of `regex` that are not in `groups`.
fn check_groups<const N: usize>(
    reader: &mut ConfigReader<'_>,
    value: &Value<'_>,
    regex: &Regex,
    groups: [&'static str; N],
) {
    for group in regex.capture_names().flatten().filter(|group| !groups.contains(group)) {
        let help = suggestion(group, groups, "groups");
        reader.report_with(value.span(), format!("unknown group `{group}`"), help);
    }
}
