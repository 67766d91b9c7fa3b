//! `report.json`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use super::Ended;
use crate::model::blind_spot::{BlindSpot, BlindSpotKind};
use crate::model::census::Totals;
use crate::model::finding::{self, FailedTest, Fix, Level, Place, Related, Site, State};
use crate::model::outcome::{Effect, Verdict};
use crate::model::path::RelPath;
use crate::model::ratchet::Number;
use crate::model::style::Migration;
use crate::model::text::Text;

/// Findings, states and verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// The day by which suppressions expired; `None` where none ever does.
    pub as_of: Option<String>,
    /// What no tool looks at, sorted; `None` if nobody looked for it.
    #[serde(default, deserialize_with = "blind_spots")]
    pub blind_spots: Option<Vec<BlindSpot>>,
    /// How the run ended.
    pub gate: Ended,
    /// Every finding, sorted: path or subject, line, column, end, namespace, rule, level, message, id.
    pub findings: Vec<Finding>,
    /// What the baseline has and the run has not, sorted.
    pub gone: Vec<Gone>,
    /// What build scripts have generated, sorted by package.
    #[serde(default)]
    pub generated: Vec<Generated>,
    /// The golden files that nothing prints any more, sorted.
    pub golden_orphans: Vec<String>,
    /// The numbers that may only get better, sorted by tool, then name.
    #[serde(default)]
    pub numbers: Vec<Number>,
    /// Every suppression of the configuration, in order.
    pub suppressions: Vec<Suppression>,
    /// What each tool came to, sorted by name.
    pub tools: Vec<ToolReport>,
}

/// A finding and how it relates to the baseline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawFinding")]
pub struct Finding {
    /// The identity: 16 hex digits. Identical occurrences share it.
    pub id: Text,
    /// What it is about.
    pub place: Place,
    /// The namespace: `clippy`, `rustc`, `rustdoc`, `rustfmt`, or the name of a tool.
    pub ns: Text,
    /// The rule, unique within the namespace.
    pub rule: Text,
    /// How bad it is.
    pub level: Level,
    /// The primary message.
    pub message: Text,
    /// Whether it can't be baselined.
    pub fatal: bool,
    /// Beside the primary message.
    pub related: Vec<Related>,
    /// What would mend it.
    pub fix: Option<Box<Fix>>,
    /// For a test that failed, what is known of it.
    pub test: Option<Box<FailedTest>>,
    /// The flagged code as it enters the identity.
    pub code: Text,
    /// The path of the enclosing item; empty where there is none.
    pub scope: Text,
    /// New, unchanged, updated or suppressed.
    pub state: State,
    /// The number of the pass that matched it with an entry of the baseline.
    pub matched_by: Option<u8>,
    /// Why it was accepted or is suppressed, where somebody said so.
    pub reason: Option<String>,
    /// Who answers for its suppression.
    pub owner: Option<String>,
    /// The tools that reported it, sorted.
    pub tools: Arc<[Text]>,
}

impl Finding {
    /// Whether the tool called `tool` reported it.
    pub fn is_of(&self, tool: &str) -> bool {
        self.tools.iter().any(|one| one == tool)
    }

    /// Where it is shown: a failed test, which is about no file, may have failed in one.
    pub fn shown_at(&self) -> &Place {
        self.test.as_ref().and_then(|test| test.at.as_ref()).unwrap_or(&self.place)
    }

    /// What it says, and of what, where it is not shown at that.
    pub fn title(&self) -> Cow<'_, str> {
        match &self.place {
            Place::Subject(subject) if self.shown_at() != &self.place => {
                format!("{subject}: {}", self.message).into()
            }
            _ => Cow::Borrowed(&self.message),
        }
    }
}

/// An entry of the baseline that accepts nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawGone")]
pub struct Gone {
    /// Its namespace.
    pub ns: Text,
    /// What it is about.
    pub site: Site,
    /// The rule.
    pub rule: Text,
    /// The message as it enters the identity.
    pub message: Text,
    /// The flagged code as it enters the identity.
    pub code: Text,
    /// The path of the enclosing item.
    pub scope: Text,
    /// Why it was accepted, where somebody said so.
    pub reason: Option<String>,
    /// Fixed, unknown, or suppressed if what it would accept is suppressed.
    pub state: State,
    /// If its code still stands and the run did not look at it, why.
    pub unseen: Option<String>,
}

/// What the build script of a package has generated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Generated {
    /// The name of the package.
    pub package: String,
    /// The directory that holds the same files, checked in.
    pub checked_in: Option<String>,
    /// What was generated together.
    pub units: Vec<GeneratedUnit>,
}

/// Files and what they were made from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GeneratedUnit {
    /// The inputs that lie in the workspace.
    pub inputs: Vec<String>,
    /// The files.
    pub files: Vec<GeneratedFile>,
}

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GeneratedFile {
    /// Where it lies below `OUT_DIR`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// The digest of its content.
    pub digest: String,
}

/// A suppression of the configuration, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Suppression {
    /// Whether it holds.
    pub effect: Effect,
    /// How many findings it matches.
    pub matched: usize,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<String>,
    /// The configuration that it stands in, relative to the workspace root; `None` if it lies elsewhere.
    pub file: Option<String>,
    /// The line of it where it begins.
    pub line: usize,
    /// Findings of this rule.
    pub rule: Option<String>,
    /// Findings that this tool reports.
    pub tool: Option<String>,
    /// Findings in files that this pattern matches.
    pub path: Option<String>,
    /// Findings about this, which is no file.
    pub subject: Option<String>,
    /// Findings whose message holds this.
    pub message: Option<String>,
}

/// What a tool came to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ToolReport {
    /// Its name.
    pub name: String,
    /// Whether its verdict decides.
    pub required: bool,
    /// What it looked at, in numbers that it states.
    #[serde(default)]
    pub census: Totals,
    /// How it ended.
    pub verdict: Verdict,
    /// Findings that are not in the baseline.
    pub new: usize,
    /// Those of them that are there because the style edition changed.
    #[serde(default)]
    pub migration: Option<Migration>,
    /// Findings that are.
    pub unchanged: usize,
    /// Findings that are, with code that was edited since.
    pub updated: usize,
    /// Findings that are suppressed.
    pub suppressed: usize,
    /// Tasks with nothing to judge.
    #[serde(default)]
    pub skipped: usize,
    /// Entries of the baseline that are gone.
    pub fixed: usize,
    /// Entries of the baseline that could not be judged.
    pub unknown: usize,
    /// What got no verdict, and why.
    pub incomplete: Vec<Incomplete>,
    /// Messages of the tool that are no findings, sorted.
    #[serde(default)]
    pub notices: Vec<String>,
    /// What has a verdict and left something running that held its output open: units, or tests; sorted.
    #[serde(default)]
    pub leaky: Vec<String>,
}

/// What got no verdict.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Incomplete {
    /// A unit or a package.
    pub unit: String,
    /// Why.
    pub reason: String,
}

/// A blind spot as it is written.
#[derive(Deserialize)]
struct RawBlindSpot {
    kind: BlindSpotKind,
    path: String,
    reason: String,
}

fn blind_spots<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<BlindSpot>>, D::Error> {
    let spots = Option::<Vec<RawBlindSpot>>::deserialize(deserializer)?;
    let spot =
        |RawBlindSpot { kind, path, reason }| BlindSpot { kind, path: RelPath::unescape(&path), reason };
    Ok(spots.map(|spots| spots.into_iter().map(spot).collect()))
}

/// A finding as it is written.
#[derive(Deserialize)]
struct RawFinding {
    id: Text,
    path: Option<String>,
    subject: Option<String>,
    range: Option<finding::Range>,
    ns: Text,
    rule: Text,
    level: Level,
    message: Text,
    fatal: bool,
    related: Vec<RawRelated>,
    fix: Option<RawFix>,
    #[serde(default)]
    test: Option<RawTest>,
    code: Text,
    scope: Text,
    state: State,
    matched_by: Option<u8>,
    reason: Option<String>,
    owner: Option<String>,
    tools: Vec<Text>,
}

#[derive(Deserialize)]
struct RawRelated {
    message: String,
    path: Option<String>,
    range: Option<finding::Range>,
}

#[derive(Deserialize)]
struct RawTest {
    item: Option<String>,
    path: Option<String>,
    range: Option<finding::Range>,
}

#[derive(Deserialize)]
struct RawFix {
    message: String,
    edits: Vec<RawEdit>,
}

#[derive(Deserialize)]
struct RawEdit {
    path: String,
    range: finding::Range,
    text: String,
}

#[derive(Deserialize)]
struct RawGone {
    ns: Text,
    path: Option<String>,
    subject: Option<String>,
    rule: Text,
    message: Text,
    code: Text,
    scope: Text,
    reason: Option<String>,
    state: State,
    #[serde(default)]
    unseen: Option<String>,
}

fn file(path: &str, range: Option<finding::Range>) -> Place {
    Place::File { path: RelPath::unescape(path), range }
}

impl From<RawFinding> for Finding {
    fn from(raw: RawFinding) -> Self {
        let RawFinding { id, path, subject, range, ns, rule, level, message, fatal, related, fix, .. } = raw;
        let test = raw.test.map(|RawTest { item, path, range }| {
            Box::new(FailedTest { at: path.map(|path| file(&path, range)), item })
        });
        let RawFinding { code, scope, state, matched_by, reason, owner, tools, .. } = raw;
        let place = match (path, subject) {
            (Some(path), _) => file(&path, range),
            (None, subject) => Place::Subject(subject.unwrap_or_default()),
        };
        let related = related.into_iter().map(|RawRelated { message, path, range }| Related {
            message,
            place: path.map(|path| file(&path, range)),
        });
        let edit = |RawEdit { path, range, text }| (RelPath::unescape(&path), range, text);
        let fix = fix.map(|RawFix { message, edits }| {
            Box::new(Fix { message, edits: edits.into_iter().map(edit).collect() })
        });
        Self {
            id,
            place,
            ns,
            rule,
            level,
            message,
            fatal,
            related: related.collect(),
            fix,
            test,
            code,
            scope,
            state,
            matched_by,
            reason,
            owner,
            tools: tools.into(),
        }
    }
}

impl From<RawGone> for Gone {
    fn from(raw: RawGone) -> Self {
        let RawGone { ns, path, subject, rule, message, code, scope, reason, state, unseen } = raw;
        let site = match (path, subject) {
            (Some(path), _) => Site::Path(RelPath::unescape(&path)),
            (None, subject) => Site::Subject(subject.unwrap_or_default()),
        };
        Self { ns, site, rule, message, code, scope, reason, state, unseen }
    }
}
