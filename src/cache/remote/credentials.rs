//! Headers with which requests identify themselves: from variables, and from a credential helper.
//!
//! A helper speaks the protocol of Bazel's: it is started with the argument `get`, reads `{"uri": "…"}`, and prints
//! `{"headers": {"NAME": ["VALUE"]}}`. Values are secrets: no type here shows them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};

use super::NoRemote;
use crate::model::remote::RemoteConfig;
use crate::scan::{self, Env, Stop};

/// Headers of each request.
pub(super) struct Credentials {
    /// Headers from variables.
    fixed: MetadataMap,
    helper: Option<Helper>,
}

#[derive(Clone)]
struct Helper {
    words: Vec<String>,
    question: Vec<u8>,
    dir: PathBuf,
    env: Env,
    limit: Duration,
    stop: &'static Stop,
}

/// Output of a helper.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
}

impl Credentials {
    /// Reads the headers that variables have.
    ///
    /// # Errors
    ///
    /// If a variable is not set, or its value can't be sent.
    pub(super) fn new(
        config: &RemoteConfig,
        env: &Env,
        root: &Path,
        stop: &'static Stop,
    ) -> Result<Self, NoRemote> {
        let mut fixed = MetadataMap::new();
        for (name, variable) in &config.headers {
            let value = env.secret(variable).ok_or_else(|| NoRemote::NotSet(variable.clone()))?;
            let unfit = || NoRemote::Unusable(format!("the value of {variable} can't be sent as a header"));
            let value = value.to_str().ok_or_else(unfit)?;
            insert(&mut fixed, name, value).ok_or_else(unfit)?;
        }
        let helper = (!config.credential_helper.is_empty()).then(|| {
            let uri = format!("https://{}/", config.url.authority);
            Helper {
                words: config.credential_helper.iter().cloned().chain(["get".to_owned()]).collect(),
                question: serde_json::json!({ "uri": uri }).to_string().into_bytes(),
                dir: root.to_path_buf(),
                env: env.clone(),
                limit: config.timeout,
                stop,
            }
        });
        Ok(Self { fixed, helper })
    }

    /// Returns true if new headers can differ from earlier ones.
    pub(super) fn can_change(&self) -> bool {
        self.helper.is_some()
    }

    /// Returns the present headers. Runs the helper, on a thread of its own.
    ///
    /// # Errors
    ///
    /// If the helper fails.
    pub(super) async fn ask(&self) -> Result<MetadataMap, String> {
        let mut headers = self.fixed.clone();
        let Some(helper) = self.helper.clone() else { return Ok(headers) };
        let answer = tokio::task::spawn_blocking(move || {
            let Helper { words, question, dir, env, limit, stop } = helper;
            scan::ask_helper(&words, &question, &dir, &env, limit, stop)
        });
        let answer = answer.await.map_err(|_| "the credential helper was stopped".to_owned())?;
        let answer = answer.map_err(|error| format!("the credential helper has no answer: {error}"))?;
        let unfit = || "the credential helper printed something unexpected".to_owned();
        let answer: Answer = serde_json::from_slice(&answer).map_err(|_| unfit())?;
        for (name, values) in &answer.headers {
            for value in values {
                insert(&mut headers, &name.to_ascii_lowercase(), value).ok_or_else(unfit)?;
            }
        }
        Ok(headers)
    }
}

/// Adds a header; `None` if name or value is invalid.
fn insert(headers: &mut MetadataMap, name: &str, value: &str) -> Option<()> {
    let name = MetadataKey::<Ascii>::from_bytes(name.as_bytes()).ok()?;
    let mut value: MetadataValue<Ascii> = value.trim().parse().ok()?;
    // Not shown by any `Debug`.
    value.set_sensitive(true);
    headers.append(name, value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_headers_are_never_shown() {
        let mut headers = MetadataMap::new();
        insert(&mut headers, "authorization", "Bearer s3cret").unwrap();
        assert!(!format!("{headers:?}").contains("s3cret"));
        assert_eq!(insert(&mut headers, "x", "a\nb"), None);
        assert_eq!(insert(&mut headers, "x y", "a"), None);
    }

    #[test]
    fn a_variable_that_is_not_set_is_an_error_with_its_name() {
        let config = RemoteConfig {
            url: "grpc://localhost:1".parse().unwrap(),
            instance: String::new(),
            write: Default::default(),
            headers: [("x-key".to_owned(), "KEY".to_owned())].into(),
            credential_helper: Vec::new(),
            ca: None,
            identity: None,
            timeout: RemoteConfig::TIMEOUT,
            salt: String::new(),
            execution: None,
        };
        let stop: &'static Stop = Box::leak(Box::new(Stop::new().unwrap()));
        let open = |vars: &[(&str, &str)]| {
            let mut env: Env = vars.iter().copied().collect();
            env.hide(["KEY"]);
            Credentials::new(&config, &env, Path::new("/"), stop).map(|_| ())
        };
        assert_eq!(open(&[]), Err(NoRemote::NotSet("KEY".to_owned())));
        assert_eq!(open(&[("KEY", "value")]), Ok(()));
        let unfit = open(&[("KEY", "s3cret\n.")]).unwrap_err().to_string();
        assert_eq!(unfit, "the value of KEY can't be sent as a header");
    }
}
