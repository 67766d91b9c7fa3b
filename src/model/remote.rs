//! The remote store of results, as configured under `[remote]`. Affects no id, no plan and no artifact.

use std::collections::BTreeMap;
use std::time::Duration;

use super::named::named;
use super::policy::PolicyError;

/// The `[remote]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteConfig {
    /// Address of the server.
    pub url: RemoteUrl,
    /// Name of the instance on the server; empty for the server's only one.
    pub instance: String,
    /// When results are uploaded.
    pub write: RemoteWrite,
    /// Headers of each request, by name. Each value is the name of the variable that has it, since values are secrets.
    pub headers: BTreeMap<String, String>,
    /// Program and arguments of the credential helper, which prints further headers; empty without one.
    pub credential_helper: Vec<String>,
    /// Path of the certificates of authorities that may sign the server's certificate; `None` for those of the system.
    pub ca: Option<String>,
    /// Paths of the certificate and the private key with which the client identifies itself.
    pub identity: Option<RemoteIdentity>,
    /// Time that a run waits for the server, all waiting together.
    pub timeout: Duration,
    /// Text that is part of every key, to separate results that differ for a reason that genti doesn't see.
    pub salt: String,
    /// How workers run tools; `None` if everything runs on this machine.
    pub execution: Option<RemoteExecution>,
}

/// How workers run tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteExecution {
    /// Properties by which the server chooses a worker, by name.
    pub platform: BTreeMap<String, String>,
    /// Where workers have programs from.
    pub programs: RemotePrograms,
    /// Time limit of each execution, with the time in the queue of the server.
    pub timeout: Duration,
}

impl RemoteExecution {
    /// Default of [`timeout`](Self::timeout).
    pub const TIMEOUT: Duration = Duration::from_secs(60);
}

impl RemoteConfig {
    /// Default of [`timeout`](Self::timeout).
    pub const TIMEOUT: Duration = Duration::from_secs(2);

    /// Default of the number of processes that workers run at once.
    pub const JOBS: usize = 16;

    /// Maximum of this number.
    pub const MOST_JOBS: usize = 1024;
}

/// Paths of a client's certificate and private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteIdentity {
    /// Path of the certificate chain.
    pub cert: String,
    /// Path of the private key.
    pub key: String,
}

/// Address of a server, such as `grpcs://cache.example.org:443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {
    /// True if the connection is encrypted (`grpcs`).
    pub is_secure: bool,
    /// Host and port.
    pub authority: String,
}

named! {
    /// When results are uploaded.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum RemoteWrite {
        /// Never.
        #[default]
        Never = "never",
        /// If the variable `CI` is set.
        Ci = "ci",
        /// Always.
        Always = "always",
    }
}

named! {
    /// Where workers have programs from.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum RemotePrograms {
        /// They are sent, with the libraries of the toolchain that they need.
        #[default]
        Send = "send",
        /// The same files are at the same place on each worker.
        Worker = "worker",
    }
}

named! {
    /// Whether a run uses the remote store: `--remote`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum RemoteUse {
        /// No.
        #[default]
        Off = "off",
        /// Yes, as long as it works.
        Auto = "auto",
        /// Yes, and the run is incomplete if it does not work.
        Required = "required",
    }
}

impl std::str::FromStr for RemoteUse {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let found = Self::ALL.into_iter().find(|known| known.as_str() == text);
        let all = Self::ALL.map(Self::as_str).join(", ");
        found.ok_or_else(|| PolicyError(format!("unknown value `{text}`, expected one of {all}")))
    }
}

/// Reason why a text is not the address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is neither `grpc` nor `grpcs`.
    #[error("expected `grpcs://HOST:PORT`, or `grpc://HOST:PORT` for a connection without encryption")]
    Scheme,
    /// There is no host, or something other than host and port.
    #[error("expected only a host and a port after `://`")]
    Authority,
    /// There is a user or a password.
    #[error("a user or a password has no place here; use `headers` or `credential-helper`")]
    Secret,
}

impl std::str::FromStr for RemoteUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, authority) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let is_secure = match scheme {
            "grpcs" => true,
            "grpc" => false,
            _ => return Err(UrlError::Scheme),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('@') {
            return Err(UrlError::Secret);
        }
        let is_part = |char: char| char.is_ascii_alphanumeric() || "-._:[]".contains(char);
        if authority.is_empty() || authority.starts_with(':') || !authority.chars().all(is_part) {
            return Err(UrlError::Authority);
        }
        Ok(Self { is_secure, authority: authority.to_owned() })
    }
}

impl std::fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.is_secure { "grpcs" } else { "grpc" }, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_and_no_secret() {
        let read = |text: &str| text.parse::<RemoteUrl>().map(|url| url.to_string());
        for text in ["grpc://localhost:8980", "grpcs://cache.example.org", "grpc://[::1]:9092"] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        assert_eq!(read("grpcs://host:443/").as_deref(), Ok("grpcs://host:443"));
        for text in ["https://host", "host:443", "", "grpc:host"] {
            assert_eq!(read(text), Err(UrlError::Scheme), "{text}");
        }
        for text in ["grpc://", "grpc://:80", "grpc://host/path", "grpc://host?x=y", "grpc://ho st"] {
            assert_eq!(read(text), Err(UrlError::Authority), "{text}");
        }
        assert_eq!(read("grpcs://token@host"), Err(UrlError::Secret));
    }
}
