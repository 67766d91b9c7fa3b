//! Services: processes that run beside the tools that need them, such as a database.

use std::collections::BTreeMap;
use std::time::Duration;

use super::digest::{ContentHash, Sink};

/// A process that runs from the first tool that needs it to the end of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// Program and arguments. It stays in the foreground.
    pub start: Vec<String>,
    /// Sign that it is ready.
    pub ready: Ready,
    /// Maximum time until it is ready.
    pub timeout: Duration,
    /// Names of the variables that it sees, besides those that every tool sees.
    pub env: Vec<String>,
    /// Variables that its configuration sets, with their values.
    pub vars: BTreeMap<String, String>,
}

/// Sign that a service is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// This port of the loopback device accepts connections.
    Tcp(u16),
    /// This command succeeds.
    Run(Vec<String>),
    /// This regular expression matches a line of its output.
    Log(String),
}

impl Service {
    /// Default of [`Service::timeout`].
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}

/// The time limit decides only whether there is a result.
impl ContentHash for Service {
    fn feed(&self, sink: &mut dyn Sink) {
        let Self { name, start, ready, timeout: _, env, vars } = self;
        sink.field("service", name.as_bytes());
        sink.texts("service.start", start);
        match ready {
            Ready::Tcp(port) => sink.field("service.tcp", &port.to_le_bytes()),
            Ready::Run(words) => sink.texts("service.run", words),
            Ready::Log(pattern) => sink.field("service.log", pattern.as_bytes()),
        }
        sink.texts("service.env", env);
        for (name, value) in vars {
            sink.field("service.name", name.as_bytes());
            sink.field("service.value", value.as_bytes());
        }
    }
}
