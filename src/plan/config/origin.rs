//! Origins of values: where the user set them, or why they are as they are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use toml::de::DeTable;

use super::reader::{ConfigReader, Value};

/// Origin of a value of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The default of the key.
    Default,
    /// The definition of a built-in tool.
    BuiltIn,
    /// A line of the user's configuration.
    File {
        /// Name of the file, as the user would write it.
        file: Arc<str>,
        /// Line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(&'static str),
    /// This tool replaces the one that is disabled.
    ReplacedBy(String),
}

impl Origin {
    /// Returns the name of the kind of origin.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::BuiltIn => "built-in",
            Self::File { .. } => "file",
            Self::Variable(_) => "variable",
            Self::Flag(_) => "flag",
            Self::ReplacedBy(_) => "replaced-by",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::BuiltIn => f.write_str("built in"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::ReplacedBy(tool) => write!(f, "replaced by `{tool}`"),
        }
    }
}

/// Keys that another key of a tool changes along with its own value.
const IMPLIED: [(&str, &[&str]); 5] = [
    ("toolchain", &["run", "version", "rules"]),
    ("compare", &["parse", "namespaces"]),
    ("files", &["may-be-empty"]),
    ("variants", &["may-be-empty"]),
    ("ratchet", &["namespaces"]),
];

/// Origins of the values outside the policy, by dotted key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Returns the origin of the value of `key`.
    pub(super) fn of(&self, key: &str) -> Origin {
        self.0.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Records the origins of all values in the configuration `table`.
    pub(super) fn record(&mut self, reader: &ConfigReader<'_>, table: &DeTable<'_>, by_user: bool) {
        let line = |at: usize| match by_user {
            true => Origin::File { file: reader.name(), line: reader.line(at) + 1 },
            false => Origin::BuiltIn,
        };
        if let Some(value) = table.get("locked") {
            self.0.insert("locked".to_owned(), line(value.span().start));
        }
        for (key, value) in entries(table, "baseline") {
            self.0.insert(format!("baseline.{key}"), line(value.span().start));
        }
        for kind in ["services", "variants"] {
            for (name, one) in entries(table, kind) {
                for (key, value) in one.get_ref().as_table().into_iter().flatten() {
                    self.0.insert(format!("{kind}.{name}.{}", key.get_ref()), line(value.span().start));
                }
            }
        }
        let tools = table.get("tools").and_then(|tools| tools.get_ref().as_table());
        for (name, tool) in tools.into_iter().flatten() {
            let Some(keys) = tool.get_ref().as_table() else { continue };
            let full = |key: &str| format!("tools.{}.{key}", name.get_ref());
            // A built-in tool that the user names runs everywhere, and also if it is off otherwise.
            let is_detected = self.0.contains_key(&full("detect"));
            let mut set = |key: &str, at: usize| self.0.insert(full(key), line(at));
            set("enabled", name.span().start);
            if is_detected {
                set("detect", name.span().start);
            }
            if !by_user {
                set("may-be-empty", name.span().start);
            }
            for (key, implied) in IMPLIED {
                let Some(value) = keys.get(key) else { continue };
                implied.iter().for_each(|implied| drop(set(implied, value.span().start)));
            }
            for (key, value) in keys {
                set(key.get_ref(), value.span().start);
            }
        }
    }
}

/// Returns the keys and values of the table `name`, if it is one.
fn entries<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> impl Iterator<Item = (&'t str, &'t Value<'i>)> {
    let table = table.get(name).and_then(|table| table.get_ref().as_table());
    table.into_iter().flatten().map(|(key, value)| (key.get_ref().as_ref(), value))
}
