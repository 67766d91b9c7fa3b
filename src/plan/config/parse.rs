//! `parse`: the name of an output format, or a regular expression. `compare`: that there are golden files instead.

use regex::Regex;

use super::reader::{Reader, Value};
use super::suggest::{listed, way_out};
use crate::model::tool::{Parse, Streams};

const GROUPS: [&str; 6] = ["path", "line", "column", "rule", "level", "message"];

/// Reads `"format"` or `{ regex = "…" }`.
pub(super) fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Parse> {
    if let Some(table) = value.get_ref().as_table() {
        let mut keys = reader.keys(table);
        let parse = keys.read("regex", regex);
        keys.finish();
        if reader.is_whole() && !table.contains_key("regex") {
            reader.report_with(value.span(), "no `regex` to parse with", "write `{ regex = \"…\" }`");
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
            _ => way_out(name, Parse::NAMED.iter().map(Parse::as_str), "`{ regex = \"…\" }` or one of"),
        };
        reader.report_with(value.span(), format!("unknown output format `{name}`"), help);
    }
    known
}

const STREAMS: [Streams; 3] = [Streams::Stdout, Streams::Stderr, Streams::Both];

const COMPARE: &str = "`\"golden\"` or `{ golden = \"…\" }`";

/// Reads `"golden"` or `{ golden = "stream" }`.
pub(super) fn compare(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Parse> {
    if let Some(table) = value.get_ref().as_table() {
        let mut keys = reader.keys(table);
        let streams = keys.read("golden", streams);
        keys.finish();
        if reader.is_whole() && !table.contains_key("golden") {
            reader.report_with(value.span(), "no `golden` to compare with", format!("write {COMPARE}"));
        }
        return streams.map(Parse::Golden);
    }
    match value.get_ref().as_str() {
        Some("golden") => return Some(Parse::Golden(Streams::Stdout)),
        Some(name) => {
            let message = format!("`{name}` is nothing to compare with");
            reader.report_with(value.span(), message, format!("write {COMPARE}"));
        }
        None => reader.wrong_type(value, COMPARE),
    }
    None
}

fn streams(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Streams> {
    let name = reader.string(value)?.into_inner();
    let streams = STREAMS.into_iter().find(|streams| streams.as_str() == name);
    if streams.is_none() {
        let help = way_out(&name, STREAMS.map(Streams::as_str), "choose one of");
        reader.report_with(value.span(), format!("unknown stream `{name}`"), help);
    }
    streams
}

fn regex(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Parse> {
    let pattern = reader.string(value)?.into_inner();
    let regex = match Regex::new(&pattern) {
        Ok(regex) => regex,
        Err(error) => {
            // The library draws a picture of several lines, the cause at its end.
            let error = error.to_string();
            let cause = error.rsplit("error: ").next().unwrap_or_default();
            reader.report(value.span(), format!("invalid regular expression: {}", cause.trim_end()));
            return None;
        }
    };
    for group in regex.capture_names().flatten().filter(|group| !GROUPS.contains(group)) {
        let help = way_out(group, GROUPS, "groups");
        reader.report_with(value.span(), format!("unknown group `{group}`"), help);
    }
    if !regex.capture_names().flatten().any(|group| matches!(group, "path" | "message")) {
        let help = format!("name at least one of them; groups: {}", listed(GROUPS));
        reader.report_with(value.span(), "neither a group `message` nor a group `path`", help);
    }
    Some(Parse::Regex(pattern))
}
