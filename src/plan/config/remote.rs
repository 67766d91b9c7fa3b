//! The `[remote]` table.

use std::collections::BTreeMap;

use super::policy;
use super::reader::{ConfigReader, Value};
use crate::model::remote::{
    RemoteConfig, RemoteExecution, RemoteIdentity, RemotePrograms, RemoteUrl, RemoteWrite,
};

/// Reads the table. Returns `None` if it has no valid address.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<RemoteConfig> {
    let table = reader.table(value)?;
    let mut keys = reader.keys(table);
    let url = keys.read("url", url);
    let instance = keys.read("instance", instance).unwrap_or_default();
    let write = keys.read("write", |reader, value| reader.named(value, &RemoteWrite::ALL, "value", "values"));
    let headers = keys.read("headers", headers).unwrap_or_default();
    let credential_helper = keys.read("credential-helper", helper).unwrap_or_default();
    let ca = keys.read("ca", ConfigReader::text);
    let cert = keys.read("client-cert", ConfigReader::text);
    let key = keys.read("client-key", ConfigReader::text);
    let timeout = keys.read("timeout", policy::time_limit).unwrap_or(RemoteConfig::TIMEOUT);
    let salt = keys.read("salt", ConfigReader::text).unwrap_or_default();
    let execute = keys.read("execute", ConfigReader::boolean).unwrap_or_default();
    let platform = keys.read("platform", platform).unwrap_or_default();
    let execute_timeout = keys.read("execute-timeout", policy::time_limit);
    let programs =
        keys.read("programs", |reader, value| reader.named(value, &RemotePrograms::ALL, "value", "values"));
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
    let of_execution =
        ["execute-timeout", "platform", "programs"].into_iter().find_map(|key| Some((key, table.get(key)?)));
    if let Some((key, value)) = of_execution.filter(|_| !execute) {
        let message = format!("`{key}` has no effect, because nothing is executed remotely");
        reader.report_with(value.span(), message, "add `execute = true`, or remove it");
    }
    let timeout_of_execution = execute_timeout.unwrap_or(RemoteExecution::TIMEOUT);
    let execution = execute.then(|| RemoteExecution {
        platform,
        programs: programs.unwrap_or_default(),
        timeout: timeout_of_execution,
    });
    let identity = cert.zip(key).map(|(cert, key)| RemoteIdentity { cert, key });
    let write = write.unwrap_or_default();
    Some(RemoteConfig {
        url,
        instance,
        write,
        headers,
        credential_helper,
        ca,
        identity,
        timeout,
        salt,
        execution,
    })
}

/// Reads the address. A mistake doesn't show one that may have a password.
fn url(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<RemoteUrl> {
    let url = reader.parsed(value);
    if url.is_none() && value.get_ref().as_str().is_some_and(|text| text.contains(['@', '?', '#'])) {
        reader.hide(value.span());
    }
    url
}

fn instance(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<String> {
    let text = reader.text(value)?;
    if text.starts_with('/') || text.ends_with('/') || text.chars().any(char::is_control) {
        reader.report(value.span(), "expected the name of an instance, such as `main` or `team/main`");
        return None;
    }
    Some(text)
}

/// Reads the properties of the platform of workers.
fn platform(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<BTreeMap<String, String>> {
    let mut properties = BTreeMap::new();
    for (name, value) in reader.table(value)? {
        let text = name.get_ref().to_string();
        if text.trim().is_empty() {
            reader.report(name.span(), "expected the name of a property, such as `OSFamily`");
        }
        properties.extend(reader.string(value).map(|value| (text, value.into_inner())));
    }
    Some(properties)
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
        reader.hide(value.span());
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

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::tests::file;
    use super::*;

    fn read(keys: &str) -> Result<Option<RemoteExecution>, String> {
        let text = format!("[remote]\nurl = 'grpc://host:1'\n{keys}");
        let loaded = load(&[file("genti.toml", &text)], None).map_err(|problems| problems.to_string())?;
        Ok(loaded.remote.unwrap().execution)
    }

    #[test]
    fn no_mistake_shows_a_secret_that_was_written_here() {
        let mistakes = |text: &str| {
            let problems = load(&[file("genti.toml", text)], None).unwrap_err().0;
            problems.iter().map(|problem| format!("{problem}: {}\n", problem.text)).collect::<String>()
        };
        for url in ["grpcs://me:hünter2@host", "https://hünter2@host", "grpc://host?key=hünter2"] {
            let text = mistakes(&format!("[remote]\nurl = '{url}' # place\ntimeout = 'x'\n"));
            assert!(text.contains("*' # place") && !text.contains("nter2"), "{text}");
        }
        let text = mistakes("[remote]\nurl = 'x://h'\nheaders = { x-key = 'hunter2', X = { env = 'A' } }\n");
        assert!(text.contains("`X` can't be the name of a header") && !text.contains("hunter2"), "{text}");
        assert!(text.contains("url = 'x://h'"), "{text}");
        // A line that can't be read, with other tables around it.
        for line in [
            "url = \"grpcs://me:hunter2@host\n",
            "headers.x-key: 'hunter2'\n",
            "headers = { x = 'hunter2 }\n",
        ] {
            let text =
                mistakes(&format!("[policy]\norder = 'topo'\n[remote]\n{line}[tools.fmt]\nenabled = 'no'\n"));
            assert!(text.contains("order = 'topo'") && !text.contains("hunter2"), "{text}");
            assert!(text.contains("***") && text.contains("enabled = 'no'"), "{text}");
        }
        let text = mistakes("remote.headers = { x = 'hunter2'\n");
        assert!(text.contains("remote.headers = ") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn nothing_is_executed_remotely_unless_that_is_configured() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("execute = false"), Ok(None));
        let default = RemoteExecution {
            platform: BTreeMap::new(),
            programs: RemotePrograms::Send,
            timeout: RemoteExecution::TIMEOUT,
        };
        assert_eq!(read("execute = true"), Ok(Some(default.clone())));
        let all =
            "execute = true\nexecute-timeout = '5s'\nplatform = { OSFamily = 'linux' }\nprograms = 'worker'";
        let expected = RemoteExecution {
            platform: [("OSFamily".to_owned(), "linux".to_owned())].into(),
            programs: RemotePrograms::Worker,
            timeout: std::time::Duration::from_secs(5),
        };
        assert_eq!(read(all), Ok(Some(expected)));
        for keys in ["platform = { A = 'b' }", "programs = 'send'", "execute-timeout = '1s'"] {
            let error = read(keys).unwrap_err();
            assert!(error.contains("because nothing is executed remotely"), "{error}");
        }
        assert!(read("execute = true\nplatform = { A = 1 }").is_err());
        assert!(read("execute = true\nprograms = 'here'").is_err());
    }
}
