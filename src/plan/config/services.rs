//! The `[services.NAME]` tables, and the `services` of the tools.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use toml::Spanned;
use toml::de::DeString;

use super::reader::{ConfigReader, Value};
use super::suggest::suggestion;
use super::tool::{NAME_HELP, is_name};
use super::{environment, policy};
use crate::model::service::{Ready, Service};
use crate::model::tool::{Caching, Network, Tool};

/// Services by name.
pub(super) type Services = BTreeMap<String, Arc<Service>>;

const READY: &str = "write `{ tcp = 5432 }`, `{ run = [\"program\", …] }` or `{ log = \"…\" }`";

/// Reads the table of one service.
pub(super) fn read(
    reader: &mut ConfigReader<'_>,
    name: &Spanned<DeString<'_>>,
    value: &Value<'_>,
) -> Option<Service> {
    let text = name.get_ref().to_string();
    if !is_name(&text) {
        reader.report_with(name.span(), format!("invalid service name `{text}`"), NAME_HELP);
    }
    let table = reader.table(value)?;
    let mut keys = reader.keys(table);
    let start = keys.read("start", command);
    let ready = keys.read("ready", ready);
    let timeout = keys.read("timeout", policy::time_limit).unwrap_or(Service::TIMEOUT);
    let vars = keys.read("env", |reader, value| environment::read(reader, value, &[])).unwrap_or_default();
    let synonyms = [("cmd", "start"), ("command", "start"), ("run", "start"), ("wait", "ready")];
    keys.finish_with(&synonyms);
    for (key, help) in [("start", "write `start = [\"program\", …]`"), ("ready", READY)] {
        if reader.is_whole() && !table.contains_key(key) {
            reader.report_with(name.span(), format!("service `{text}` has no `{key}`"), help);
        }
    }
    let env = vars.names.unwrap_or_default();
    Some(Service { name: text, start: start?, ready: ready?, timeout, env, vars: vars.values })
}

/// Reads a program and its arguments.
fn command(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    let words = reader.texts(value)?;
    if words.first().is_none_or(|program| program.trim().is_empty()) {
        reader.report(value.span(), "expected a program and its arguments");
        return None;
    }
    Some(words)
}

fn ready(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Ready> {
    let table = reader.table(value)?;
    let mut keys = reader.keys(table);
    let port = keys.read("tcp", |reader, value| reader.integer(value, 1..=u16::MAX.into()));
    let run = keys.read("run", command);
    let log = keys.read("log", pattern);
    keys.finish();
    if table.len() != 1 && reader.is_whole() {
        reader.report_with(value.span(), "expected exactly one sign that the service is ready", READY);
        return None;
    }
    let port = port.and_then(|port| u16::try_from(port).ok());
    port.map(Ready::Tcp).or(run.map(Ready::Run)).or(log.map(Ready::Log))
}

fn pattern(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<String> {
    let pattern = reader.text(value)?;
    match Regex::new(&pattern) {
        Ok(regex) if regex.is_match("") => {
            let help = "write a part of the line that says that it is ready";
            reader.report_with(value.span(), "the pattern matches every line", help);
            None
        }
        Ok(_) => Some(pattern),
        Err(error) => {
            // The error is a picture of several lines, with the cause at the end.
            let error = error.to_string();
            let cause = error.rsplit("error: ").next().unwrap_or_default();
            reader.report(value.span(), format!("invalid regular expression: {}", cause.trim_end()));
            None
        }
    }
}

/// Sets the services of `tool`, which its configuration calls `names`. `table` has its other keys.
pub(super) fn set(
    reader: &mut ConfigReader<'_>,
    tool: &mut Tool,
    names: &[Spanned<String>],
    services: &Services,
    cache: Option<&Value<'_>>,
) {
    let mut found: Vec<Arc<Service>> = Vec::new();
    for name in names {
        match services.get(name.get_ref()) {
            Some(service) => found.push(service.clone()),
            None if services.is_empty() => {
                let message = format!("unknown service `{}`", name.get_ref());
                let help = format!("define it in `[services.{}]`", name.get_ref());
                reader.report_with(name.span(), message, help);
            }
            None => {
                let help = suggestion(name.get_ref(), services.keys().map(String::as_str), "services");
                reader.report_with(name.span(), format!("unknown service `{}`", name.get_ref()), help);
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup();
    tool.services = found;
    let Some(first) = names.first() else { return };
    if let Some(value) = cache.filter(|_| tool.cache != Caching::Never) {
        let help = "remove it; the state of a service is no input that can be compared";
        reader.report_with(value.span(), "results of a tool that uses a service can't be cached", help);
    }
    tool.cache = Caching::Never;
    if tool.sandbox.as_ref().is_some_and(|sandbox| sandbox.network != Network::All) {
        let message = "the sandbox of the tool keeps it from reaching the service";
        reader.report_with(first.span(), message, "write `sandbox = { network = true, … }`");
    }
}
