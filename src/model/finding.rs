//! What tools report: a [`Diagnostic`] as parsed, a [`Finding`] once it has an identity.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::path::RelPath;
use super::text::Text;
use super::workspace::PackageId;

/// The namespace of findings that this program makes itself.
pub const OWN_NAMESPACE: &str = "genti";

/// How bad a tool says something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The tool refuses.
    Error,
    /// The tool warns.
    Warning,
    /// The tool remarks.
    Note,
}

impl Level {
    /// As written in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A place in a text: line and column count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A stretch of text; `end` is the first position behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    /// The first position.
    pub start: Position,
    /// The first position behind it.
    pub end: Position,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// A file, or a stretch of it.
    File {
        /// Which file.
        path: RelPath,
        /// Where in it; the whole file if `None`.
        range: Option<Range>,
    },
    /// Something that is no file: a test, an advisory and its crate.
    Subject(String),
}

impl Place {
    /// The path, if this is about a file.
    pub fn path(&self) -> Option<&RelPath> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Subject(_) => None,
        }
    }

    /// The stretch of text, if known.
    pub fn range(&self) -> Option<Range> {
        match self {
            Self::File { range, .. } => *range,
            Self::Subject(_) => None,
        }
    }

    /// The path or the subject, as written in artifacts.
    pub fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.to_string(),
            Self::Subject(subject) => subject.clone(),
        }
    }
}

/// Something that a tool says beside its primary message: a note, a help, another location.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Related {
    /// What it says.
    pub message: String,
    /// What it is about, where it says so.
    pub place: Option<Place>,
}

/// A change that a tool proposes and that can be applied without a human.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fix {
    /// What it does, in the tool's words.
    pub message: String,
    /// Each stretch of text to replace, with what to put there; sorted.
    pub edits: Vec<(RelPath, Range, String)>,
}

/// What is known of a failed test beside the subject of the finding, which names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailedTest {
    /// Where it failed, else where it stands: in a file of the workspace.
    pub at: Option<Place>,
    /// For a doc test, the item that its code block documents; empty for that of a whole file. The block is at `at`, and
    /// its code is part of the identity.
    pub item: Option<String>,
}

impl FailedTest {
    /// What stands for the message of each failed test in the identity of the finding: only its name is in it.
    pub const MESSAGE: &str = "test failed";
}

/// One normalized message of a tool, not yet identified.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Diagnostic {
    /// What it is about.
    pub place: Place,
    /// The namespace: `clippy`, `rustc`, `rustdoc`, `rustfmt`, or the name of a tool.
    pub ns: Text,
    /// The rule: a lint, an error code; unique within the namespace.
    pub rule: Text,
    /// How bad it is.
    pub level: Level,
    /// The primary message, without what varies by machine.
    pub message: Text,
    /// Whether it can't be baselined: the unit could not be judged because of it (a compile error, a file that does
    /// not parse), or it is settled in another way (what differs from a golden file).
    pub fatal: bool,
    /// The package, where the tool says so.
    pub package: Option<PackageId>,
    /// Beside the primary message.
    pub related: Vec<Related>,
    /// What would mend it.
    pub fix: Option<Box<Fix>>,
    /// For a test that failed, what is known of it.
    pub test: Option<Box<FailedTest>>,
}

impl Diagnostic {
    /// Where it is shown: a failed test, which is about no file, may have failed in one.
    pub fn shown_at(&self) -> &Place {
        self.test.as_ref().and_then(|test| test.at.as_ref()).unwrap_or(&self.place)
    }
}

/// A diagnostic with its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The identity: 16 hex digits over namespace, rule, path or subject, `msg` and `code`. Two findings may
    /// share it (identical occurrences).
    pub id: Text,
    /// What the tool said.
    pub diagnostic: Diagnostic,
    /// The message as it enters the identity.
    pub msg: Text,
    /// The flagged code as it enters the identity.
    pub code: Text,
    /// The path of the enclosing item: `mod a > impl B > fn c`; empty where there is none.
    pub scope: Text,
    /// The tools that reported it, sorted.
    pub tools: Arc<[Text]>,
}

impl Finding {
    /// Whether the tool called `tool` reported it.
    pub fn is_of(&self, tool: &str) -> bool {
        self.tools.iter().any(|one| one == tool)
    }
}

/// What an entry is about: a [`Place`] without its stretch of text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// A file.
    Path(RelPath),
    /// Something that is no file.
    Subject(String),
}

/// One accepted occurrence of a finding, as the baseline keeps it. Ordered as in its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Where it is.
    pub site: Site,
    /// The rule.
    pub rule: Text,
    /// The path of the enclosing item.
    pub scope: Text,
    /// The flagged code, as in [`Finding::code`].
    pub code: Text,
    /// The message, as in [`Finding::msg`].
    pub msg: Text,
    /// Why it was accepted, where somebody said so; says nothing of what was found.
    pub reason: Option<String>,
}

impl Site {
    /// The path or the subject, as written in artifacts.
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.to_string(),
            Self::Subject(subject) => subject.clone(),
        }
    }
}

impl Entry {
    /// What it is about, as far as that makes its identity: one of several doc tests of an item is told from the others by
    /// its code, and not by its number.
    pub fn site_name(&self) -> Cow<'_, str> {
        match &self.site {
            Site::Path(path) => path.to_string().into(),
            Site::Subject(subject) if self.code.is_empty() => subject.into(),
            Site::Subject(subject) => subject.rsplit_once(" #").map_or(&**subject, |(item, _)| item).into(),
        }
    }

    /// The entry that accepts `finding`.
    pub fn of(finding: &Finding) -> Self {
        let Finding { diagnostic, msg, code, scope, .. } = finding;
        Self {
            site: match &diagnostic.place {
                Place::File { path, .. } => Site::Path(path.clone()),
                Place::Subject(subject) => Site::Subject(subject.clone()),
            },
            rule: diagnostic.rule.clone(),
            scope: scope.clone(),
            code: code.clone(),
            msg: msg.clone(),
            reason: None,
        }
    }
}

/// How a finding relates to the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not in the baseline: fails the gate.
    New,
    /// In the baseline.
    Unchanged,
    /// In the baseline, with flagged code that was edited since.
    Updated,
    /// In the baseline and gone, and the tool looked.
    Fixed,
    /// In the baseline and not seen, but the tool did not look.
    Unknown,
    /// Not to count, says the configuration.
    Suppressed,
}

impl State {
    /// As written in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::Updated => "updated",
            Self::Fixed => "fixed",
            Self::Unknown => "unknown",
            Self::Suppressed => "suppressed",
        }
    }
}
