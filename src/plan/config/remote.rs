//! The `[remote]` table.

use std::collections::BTreeMap;

use super::policy;
use super::reader::{ConfigReader, Value};
use crate::model::remote::{RemoteConfig, RemoteIdentity, RemoteUrl, RemoteWrite};

/// Reads the table. Returns `None` if it has no valid address.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<RemoteConfig> {
    let table = reader.table(value)?;
    let mut keys = reader.keys(table);
    let url = keys.read("url", ConfigReader::parsed::<RemoteUrl>);
    let instance = keys.read("instance", instance).unwrap_or_default();
    let write = keys.read("write", |reader, value| reader.named(value, &RemoteWrite::ALL, "value", "values"));
    let headers = keys.read("headers", headers).unwrap_or_default();
    let credential_helper = keys.read("credential-helper", helper).unwrap_or_default();
    let ca = keys.read("ca", ConfigReader::text);
    let cert = keys.read("client-cert", ConfigReader::text);
    let key = keys.read("client-key", ConfigReader::text);
    let timeout = keys.read("timeout", policy::time_limit).unwrap_or(RemoteConfig::TIMEOUT);
    let salt = keys.read("salt", ConfigReader::text).unwrap_or_default();
    keys.finish_with(&[("address", "url"), ("endpoint", "url"), ("host", "url"), ("server", "url")]);
    if !reader.is_whole() {
        return None;
    }
    if !table.contains_key("url") {
        let help = "write `url = \"grpcs://HOST:PORT\"`";
        reader.report_with(value.span(), "the remote store has no `url`", help);
    }
    if cert.is_some() != key.is_some() {
        let help = "a client identifies itself with both `client-cert` and `client-key`";
        reader.report_with(value.span(), "one of `client-cert` and `client-key` is missing", help);
    }
    let url = url?;
    let secure = ["ca", "client-cert", "client-key"];
    if let Some(value) = secure.iter().find_map(|key| table.get(*key)).filter(|_| !url.is_secure) {
        let help = "use `grpcs://`, or remove it";
        reader.report_with(value.span(), "certificates have no effect without encryption (`grpc://`)", help);
    }
    let identity = cert.zip(key).map(|(cert, key)| RemoteIdentity { cert, key });
    let write = write.unwrap_or_default();
    Some(RemoteConfig { url, instance, write, headers, credential_helper, ca, identity, timeout, salt })
}

fn instance(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<String> {
    let text = reader.text(value)?;
    if text.starts_with('/') || text.ends_with('/') || text.chars().any(char::is_control) {
        reader.report(value.span(), "expected the name of an instance, such as `main` or `team/main`");
        return None;
    }
    Some(text)
}

fn helper(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Vec<String>> {
    let words = reader.texts(value)?;
    if words.first().is_none_or(|program| program.trim().is_empty()) {
        reader.report(value.span(), "expected a program and its arguments");
        return None;
    }
    Some(words)
}

/// Reads the names of headers and of the variables with their values.
fn headers(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<BTreeMap<String, String>> {
    let mut headers = BTreeMap::new();
    for (name, value) in reader.table(value)? {
        let text = name.get_ref().to_string();
        // Names that end so have values that are not text.
        let is_name = !text.is_empty()
            && text.chars().all(|char| matches!(char, 'a'..='z' | '0'..='9' | '-' | '_' | '.'));
        if !is_name || text.ends_with("-bin") || text.starts_with("grpc-") {
            let help = "write a name in lower-case letters, such as `authorization`";
            reader.report_with(name.span(), format!("`{text}` can't be the name of a header"), help);
        }
        let Some(variable) = variable(reader, value) else { continue };
        headers.insert(text, variable);
    }
    Some(headers)
}

/// Reads `{ env = "NAME" }`. A value in the file would be a secret in the repository.
fn variable(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<String> {
    const HELP: &str = "write `{ env = \"NAME\" }`, where NAME is the variable that has the value";
    if value.get_ref().as_str().is_some() {
        reader.report_with(
            value.span(),
            "the value of a header is a secret, so it can't be written here",
            HELP,
        );
        return None;
    }
    let table = reader.table(value)?;
    let mut keys = reader.keys(table);
    let name = keys.read("env", ConfigReader::text);
    keys.finish();
    let is_invalid = name.as_ref().is_some_and(|name| name.contains(['=', '\0']));
    if reader.is_whole() && (is_invalid || !table.contains_key("env")) {
        reader.report_with(value.span(), "expected the name of a variable", HELP);
    }
    name.filter(|_| !is_invalid)
}
