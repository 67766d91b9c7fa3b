//! `genti.lock`: the versions of the tools, beside the configuration.
//!
//! Written by `cargo genti lock` and read by everything that runs. What versions *are* here, and what follows from another
//! one, is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::ConfigFile;
use super::reader::{Reader, Value};
use crate::model::error::Problems;
use crate::model::tool::Tool;

/// The name of the file.
pub const LOCK: &str = "genti.lock";

/// The version of its format.
const FORMAT: u64 = 1;

const HEAD: &str = "\
# The versions of the tools that check this workspace, and the rules that they know. Written by `cargo genti lock`: don't
# edit it, but commit it. A tool at another version is told; with `locked = true` in the configuration, `check` exits with 5.
";

/// What is locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By the name of the tool.
    pub tools: BTreeMap<String, Locked>,
}

/// A tool as it was when it was locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// The first line that it prints of its version.
    pub version: String,
    /// The rules that it knows; none where it can't be asked.
    pub rules: BTreeSet<String>,
}

impl Lock {
    /// What is locked of `tool`, if it says something else of its version by now: `None` within if nothing is.
    pub fn differs(&self, tool: &Tool, version: &str) -> Option<Option<&Locked>> {
        match self.tools.get(&tool.name) {
            Some(locked) if locked.version == version => None,
            locked => Some(locked),
        }
    }

    /// The text of the file: the same for the same versions.
    pub fn render(&self) -> String {
        let mut out = format!("{HEAD}format = {FORMAT}\n");
        for (name, Locked { version, rules }) in &self.tools {
            let _ = write!(out, "\n[tools.{name}]\nversion = {}\n", quoted(version));
            if !rules.is_empty() {
                out.push_str("rules = [\n");
                rules.iter().for_each(|rule| {
                    let _ = writeln!(out, "    {},", quoted(rule));
                });
                out.push_str("]\n");
            }
        }
        out
    }
}

/// Reads the file.
///
/// # Errors
///
/// Every mistake in it, with its line.
pub fn lock(file: &ConfigFile) -> Result<Lock, Problems> {
    let (mut reader, document) = Reader::new(file);
    let mut keys = reader.keys(&document);
    let format = keys.read("format", |reader, value| {
        let format = reader.integer(value, 1..=u64::MAX)?;
        if format > FORMAT {
            let help = "update genti, or write it anew with `cargo genti lock`";
            reader.report_with(value.span(), "a newer genti wrote this", help);
        }
        Some(format)
    });
    let tools = keys.read("tools", Reader::table);
    keys.finish();
    if format.is_none() && reader.is_whole() {
        reader.report_file("there is no `format`", "write it anew with `cargo genti lock`");
    }
    let mut lock = Lock::default();
    for (name, value) in tools.into_iter().flatten() {
        if let Some(locked) = locked(&mut reader, value) {
            lock.tools.insert(name.get_ref().to_string(), locked);
        }
    }
    match reader.finish() {
        problems if problems.is_empty() => Ok(lock),
        problems => Err(Problems(problems)),
    }
}

fn locked(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Locked> {
    let mut keys = reader.keys(value.get_ref().as_table()?);
    let version = keys.read("version", Reader::text);
    let rules = keys.read("rules", Reader::texts);
    keys.finish();
    if version.is_none() && reader.is_whole() {
        reader.report_with(value.span(), "there is no `version`", "write it anew with `cargo genti lock`");
    }
    Some(Locked { version: version?, rules: rules.unwrap_or_default().into_iter().collect() })
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Lock, String> {
        let file = ConfigFile { name: LOCK.into(), text: text.into(), place: super::super::Place::File };
        lock(&file).map_err(|problems| problems.to_string())
    }

    #[test]
    fn what_is_written_is_read() {
        let rules = ["b", "a::\"b"].map(str::to_owned).into();
        let of = |version: &str, rules| Locked { version: version.to_owned(), rules };
        let tools = [("z", of("z 1.0 (\u{1b} \\ \"x\")", BTreeSet::new())), ("a-b", of("1", rules))];
        let lock = Lock { tools: tools.map(|(name, locked)| (name.to_owned(), locked)).into() };
        let text = lock.render();
        assert_eq!(read(&text).as_ref(), Ok(&lock), "{text}");
        assert!(text.find("[tools.a-b]") < text.find("[tools.z]"), "{text}");
        assert_eq!(read(&Lock::default().render()), Ok(Lock::default()));
    }

    #[test]
    fn mistakes_have_their_lines() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(read(text).unwrap_err(), expected);
        }
        let anew = "(write it anew with `cargo genti lock`)";
        check("", &format!("genti.lock: there is no `format` {anew}"));
        check(
            "format = 2",
            "genti.lock:1:10: a newer genti wrote this (update genti, or write it anew with `cargo genti lock`)",
        );
        check("format = 1\n[tools.x]\n", &format!("genti.lock:2:1: there is no `version` {anew}"));
        check(
            "format = 1\n[tools.x]\nversion = 1\n",
            &format!(
                "genti.lock:2:1: there is no `version` {anew}\ngenti.lock:3:11: expected a string, found integer"
            ),
        );
        assert!(read("<<<<<<< ours\nformat = 1\n").unwrap_err().starts_with("genti.lock:1:"));
    }

    #[test]
    fn another_version_is_one_that_says_something_else() {
        let tool = crate::model::testing::tool("x", crate::model::tool::Parse::Lines, &["x"]);
        let locked = Locked { version: "x 1.0".to_owned(), ..Locked::default() };
        let lock = Lock { tools: [("x".to_owned(), locked.clone())].into() };
        assert_eq!(lock.differs(&tool, "x 1.0"), None);
        assert_eq!(lock.differs(&tool, "x 1.0.1"), Some(Some(&locked)));
        assert_eq!(Lock::default().differs(&tool, "x 1.0"), Some(None));
    }
}
