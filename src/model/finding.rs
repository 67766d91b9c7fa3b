//! Findings of tools: a [`Diagnostic`] as parsed, and a [`Finding`] once it has an identity.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::generator::FileAction;
use super::path::RelPath;
use super::text::Text;
use super::variant::Variant;
use super::workspace::PackageId;

/// The namespace of genti's own findings.
pub const OWN_NAMESPACE: &str = "genti";

/// The rule of a test that failed and then passed when it was run again, in [`OWN_NAMESPACE`].
pub const FLAKY: &str = "flaky";

/// The rule of a cached result that was checked again and was wrong, in [`OWN_NAMESPACE`].
pub const STALE_RESULT: &str = "stale-result";

/// Severity of a finding according to the tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// A remark.
    Note,
}

impl Level {
    /// Returns the name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A range of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    /// The first position.
    pub start: Position,
    /// The first position after the range.
    pub end: Position,
}

/// The location of a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// A file, or a range in it.
    File {
        /// Path of the file.
        path: RelPath,
        /// Range in the file; `None` for the whole file.
        range: Option<Range>,
    },
    /// Something that is not a file, such as a test, or an advisory and its crate.
    Subject(String),
}

impl Place {
    /// Returns the path, if the location is a file.
    pub fn path(&self) -> Option<&RelPath> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Subject(_) => None,
        }
    }

    /// Returns the range, if it is known.
    pub fn range(&self) -> Option<Range> {
        match self {
            Self::File { range, .. } => *range,
            Self::Subject(_) => None,
        }
    }

    /// Returns the path or the subject, as written in artifacts.
    pub fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.to_string(),
            Self::Subject(subject) => subject.clone(),
        }
    }
}

/// Additional information beside the primary message: a note, a help or another location.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Related {
    /// Text of the message.
    pub message: String,
    /// The location it refers to, if there is one.
    pub place: Option<Place>,
}

/// A proposed change that can be applied automatically.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fix {
    /// Description by the tool.
    pub message: String,
    /// Ranges of text with their replacements, sorted.
    pub edits: Vec<(RelPath, Range, String)>,
    /// True if the tool does not vouch for it: it may change the meaning of the code. Not part of any artifact.
    pub is_unsafe: bool,
    /// Number of compilations that propose it, by the root source file of their target; sorted. Empty if it does not come
    /// from a compiler. Not part of any artifact.
    pub reports: Vec<(RelPath, u32)>,
    /// True if a build that compiles the same code does not propose it, so it may break that build.
    pub is_disputed: bool,
    /// Change of the whole file, if it takes over what a generator made. It then has one edit at least, which may be empty.
    pub action: Option<FileAction>,
}

impl Fix {
    /// Returns a fix that the tool vouches for.
    pub fn new(message: String, edits: Vec<(RelPath, Range, String)>) -> Self {
        Self { message, edits, ..Self::default() }
    }

    /// Returns the file that it changes, unless there are several.
    pub fn file(&self) -> Option<&RelPath> {
        let (first, ..) = self.edits.first()?;
        self.edits.iter().all(|(path, ..)| path == first).then_some(first)
    }

    /// Returns true if `cargo genti fix` applies it without further flags.
    pub fn is_applicable(&self) -> bool {
        !self.is_unsafe && !self.is_disputed && self.file().is_some_and(|path| !path.is_outside())
    }

    /// Adds another report of the same finding. If it proposes something else, the fix is disputed.
    pub fn add(&mut self, other: &Self) {
        self.is_unsafe |= other.is_unsafe;
        self.is_disputed |= other.is_disputed || self.edits != other.edits;
        for (root, count) in &other.reports {
            match self.reports.binary_search_by(|(known, _)| known.cmp(root)) {
                Ok(at) => self.reports[at].1 += count,
                Err(at) => self.reports.insert(at, (root.clone(), *count)),
            }
        }
    }
}

/// Information about a failed test beyond the subject of the finding, which names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailedTest {
    /// Location in a file of the workspace where the test failed, or else where it is defined.
    pub at: Option<Place>,
    /// For a doc test, the documented item; empty for a whole file. The code block is at `at`, and its code
    /// is part of the identity.
    pub item: Option<String>,
}

impl FailedTest {
    /// Replacement for the message of a failed test in the identity of the finding, so that only the name of
    /// the test counts.
    pub const MESSAGE: &str = "test failed";

    /// Returns the message of a finding about a case of `test`, such as a file that it compares with.
    pub fn message_of_case(test: &str) -> String {
        format!("{}: `{test}`", Self::MESSAGE)
    }

    /// Returns the test that a finding with this message is about, if it is about a case of it.
    pub fn of_case(message: &str) -> Option<&str> {
        message.strip_prefix(Self::MESSAGE)?.strip_prefix(": `")?.strip_suffix('`')
    }
}

/// A normalized message of a tool, without an identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The location.
    pub place: Place,
    /// Namespace of the rule: `clippy`, `rustc`, `rustdoc`, `rustfmt`, or the name of a tool.
    pub ns: Text,
    /// The rule, such as a lint or an error code; unique within the namespace.
    pub rule: Text,
    /// Severity.
    pub level: Level,
    /// The primary message, without parts that vary between machines.
    pub message: Text,
    /// True if it can't be baselined: it prevented the unit from being checked (a compile error, a syntax
    /// error), or it is resolved in another way (a difference from a golden file).
    pub fatal: bool,
    /// The package, if the tool states it.
    pub package: Option<PackageId>,
    /// Notes, helps and other locations.
    pub related: Vec<Related>,
    /// The proposed fix.
    pub fix: Option<Box<Fix>>,
    /// Details of a failed test.
    pub test: Option<Box<FailedTest>>,
}

/// The fields in which diagnostics of one finding agree.
pub type DiagnosticKey = (Place, Text, Text, Text, Option<Box<FailedTest>>);

impl Diagnostic {
    /// Returns the fields in which diagnostics of one finding agree.
    pub fn key(&self) -> DiagnosticKey {
        let Self { place, ns, rule, message, test, .. } = self;
        (place.clone(), ns.clone(), rule.clone(), message.clone(), test.clone())
    }

    /// Returns the location to show: for a failed test, the place in a file where it failed, if known.
    pub fn shown_at(&self) -> &Place {
        self.test.as_ref().and_then(|test| test.at.as_ref()).unwrap_or(&self.place)
    }

    /// Returns true if fixes of it may be applied. Code that prevents a check has to be repaired first.
    pub fn takes_fixes(&self) -> bool {
        !self.fatal || self.fix.as_ref().is_some_and(|fix| fix.action.is_some())
    }

    /// Returns true if it is about a test that failed and then passed when it was run again.
    pub fn is_flaky(&self) -> bool {
        self.ns == OWN_NAMESPACE && self.rule == FLAKY
    }

    /// Returns true if an entry of the baseline can accept it. An accepted flaky test would hide all its failures, and a cached
    /// result that was wrong is not used again.
    pub fn can_be_accepted(&self) -> bool {
        let is_stale = self.ns == OWN_NAMESPACE && self.rule == STALE_RESULT;
        !self.fatal && !self.is_flaky() && !is_stale
    }

    /// Returns true if it is only reported, and fails nothing.
    pub fn is_remark(&self) -> bool {
        self.is_flaky() && self.level == Level::Note
    }
}

/// A diagnostic with its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The identity: 16 hex digits over namespace, rule, path or subject, `msg` and `code`. Identical
    /// occurrences share it.
    pub id: Text,
    /// The diagnostic of the tool.
    pub diagnostic: Diagnostic,
    /// The message as part of the identity.
    pub msg: Text,
    /// The flagged code as part of the identity.
    pub code: Text,
    /// Path of the enclosing item, such as `mod a > impl B > fn c`; empty if there is none.
    pub scope: Text,
    /// Names of the tools that reported it, sorted.
    pub tools: Arc<[Text]>,
    /// The variants in which it was found, if its tools run in several.
    pub seen_in: Option<Arc<SeenIn>>,
}

/// The variants in which a finding was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenIn {
    /// Names of the variants, sorted.
    pub variants: Arc<[Text]>,
    /// True if these are all that could find it in this run.
    pub is_everywhere: bool,
    /// True if accepting it in one variant says nothing about the others. This is so unless it is a lint about code.
    pub is_per_variant: bool,
}

impl SeenIn {
    /// Returns the variants in which an entry accepts the finding. A lint that the default build finds is accepted in all, and
    /// anything else, such as a failed test, only where it was found.
    fn accepted_in(&self) -> Option<Arc<[Text]>> {
        let is_by_default = self.variants.iter().any(|name| name == Variant::DEFAULT);
        (self.is_per_variant || !is_by_default).then(|| Arc::clone(&self.variants))
    }
}

/// Returns the one of `tools` in whose counts a finding of all of them appears: the first required tool, or else the first one.
/// So each finding is counted once, the counts of all tools add up, and a finding that fails a run counts for a required tool.
pub fn counts_for<T>(
    mut tools: impl Iterator<Item = T> + Clone,
    is_required: impl Fn(&T) -> bool,
) -> Option<T> {
    tools.clone().find(is_required).or_else(|| tools.next())
}

impl Finding {
    /// Returns whether the tool called `tool` reported it.
    pub fn is_of(&self, tool: &str) -> bool {
        self.tools.iter().any(|one| one == tool)
    }

    /// Returns whether the tool called `tool` reported it in any variant.
    pub fn is_of_any(&self, tool: &str) -> bool {
        self.tools.iter().any(|one| one == tool || Variant::split(one).0 == tool)
    }
}

/// The location of a baseline entry: a [`Place`] without a range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// A file.
    Path(RelPath),
    /// Something that is not a file.
    Subject(String),
}

/// A baseline entry: one accepted occurrence of a finding. Ordered as in the baseline file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The location.
    pub site: Site,
    /// The rule.
    pub rule: Text,
    /// Path of the enclosing item.
    pub scope: Text,
    /// The flagged code, as in [`Finding::code`].
    pub code: Text,
    /// The message, as in [`Finding::msg`].
    pub msg: Text,
    /// Names of the variants in which it was accepted, sorted; `None` for all. Not part of the identity.
    pub in_variants: Option<Arc<[Text]>>,
    /// Reason why it was accepted, if there is one. Not part of the identity.
    pub reason: Option<String>,
}

impl Site {
    /// Returns the path or the subject, as written in artifacts.
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.to_string(),
            Self::Subject(subject) => subject.clone(),
        }
    }
}

impl Entry {
    /// Returns the location as part of the identity. Several doc tests of one item are distinguished by their
    /// code, not by their number.
    pub fn site_name(&self) -> Cow<'_, str> {
        match &self.site {
            Site::Path(path) => path.to_string().into(),
            Site::Subject(subject) if self.code.is_empty() => subject.into(),
            Site::Subject(subject) => subject.rsplit_once(" #").map_or(&**subject, |(item, _)| item).into(),
        }
    }

    /// Returns it without what is not part of the identity.
    pub fn bare(&self) -> Self {
        Self { in_variants: None, reason: None, ..self.clone() }
    }

    /// Returns true if it is the entry of a finding that `variant` found, or may have found.
    pub fn is_in(&self, variant: &str) -> bool {
        self.in_variants.as_ref().is_none_or(|own| own.iter().any(|name| name == variant))
    }

    /// Returns the entry that accepts `finding`.
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
            in_variants: finding.seen_in.as_ref().and_then(|seen| seen.accepted_in()),
            reason: None,
        }
    }
}

/// The state of a finding relative to the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not in the baseline, so the gate fails.
    New,
    /// In the baseline.
    Unchanged,
    /// In the baseline, and the flagged code was edited since.
    Updated,
    /// In the baseline but gone, and the tool checked its location.
    Fixed,
    /// In the baseline but not found, and the tool did not check its location.
    Unknown,
    /// Suppressed by the configuration.
    Suppressed,
    /// Only reported: never in the baseline, and no reason to fail.
    Noted,
}

impl State {
    /// Returns true if reports show the finding without being asked to.
    pub fn is_shown(self) -> bool {
        matches!(self, Self::New | Self::Noted)
    }

    /// Returns the name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::Updated => "updated",
            Self::Fixed => "fixed",
            Self::Unknown => "unknown",
            Self::Suppressed => "suppressed",
            Self::Noted => "noted",
        }
    }
}
