//! The lines of `shard.jsonl`: a header, one line per step of the shard, and the digest of everything before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cache::Discovered;
use crate::model::census::{Census, Group, TestTimes};
use crate::model::digest::Digest;
use crate::model::finding::Diagnostic;
use crate::model::generated::Generated;
use crate::model::path::RelPath;
use crate::model::task::Status;
use crate::model::test_output::TestOutput;
use crate::model::workspace::PackageId;
use crate::normalize::{Gap, Parsed};
use crate::pipeline::new_lints::Newer;
use crate::pipeline::results::BuiltFor;
use crate::report;

/// First line: the plan, the checkout and the machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) schema: u32,
    /// Version of genti.
    pub(super) genti: String,
    /// Operating system, as variants name it in `on`.
    pub(super) system: String,
    pub(super) index: u32,
    pub(super) count: u32,
    pub(super) partition: Digest,
    pub(super) balance: Option<Digest>,
    pub(super) graph_hash: Digest,
    pub(super) batch_id: Digest,
    /// Digest of all files of the workspace.
    pub(super) files: Digest,
    pub(super) policy: Value,
    pub(super) selection: Value,
    /// True for `check`, false for `run`.
    pub(super) gate: bool,
    /// Number of processes that ran in parallel.
    pub(super) parallel: usize,
    /// Properties of the builds, by the name of the variant.
    pub(super) builds: BTreeMap<String, BuiltFor>,
    pub(super) tools: Vec<ToolLine>,
}

/// A tool of the plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ToolLine {
    pub(super) name: String,
    pub(super) version: Option<String>,
    /// Facts about the tool if its version is not the locked one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) newer: Option<Newer>,
}

/// The results of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StepLine {
    pub(super) rank: u32,
    pub(super) at: u32,
    pub(super) tool: String,
    /// Ids of its tasks.
    pub(super) tasks: Vec<Digest>,
    pub(super) results: Vec<ResultLine>,
    /// Inputs that tasks discovered, by their position in `tasks`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) inputs: Vec<(u32, Vec<Discovered>)>,
    pub(super) start_us: u64,
    pub(super) duration_us: u64,
    pub(super) slot: u32,
    pub(super) attempts: u32,
}

/// The result of a process, or a cached one. Fields without a value are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ResultLine {
    /// Positions of the tasks that it covers.
    pub(super) tasks: Vec<u32>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) cached: bool,
    /// True if the status was recorded after the process had ended, or without one.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) noted: bool,
    /// True if the program of a test was not built.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) not_built: bool,
    /// Status, if there is no output to judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) raw_exit: Option<i32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) diagnostics: Vec<Diagnostic>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gaps: Vec<GapLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) database: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) notices: BTreeSet<String>,
    #[serde(skip_serializing_if = "Census::is_empty")]
    pub(super) census: Census,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) generated: Vec<Generated>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) leaky: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) leaks: BTreeSet<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) test_outputs: Vec<TestOutput>,
    /// Times of tests, which may differ between identical runs.
    #[serde(with = "crate::model::pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) times: BTreeMap<Group, TestTimes>,
}

/// A part of the work of a process that has no result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct GapLine {
    package: Option<PackageId>,
    path: Option<RelPath>,
    reason: String,
}

impl GapLine {
    pub(super) fn package(&self) -> Option<PackageId> {
        self.package
    }
}

impl ResultLine {
    /// The result of a process whose output could be read.
    pub(super) fn parsed(parsed: &Parsed) -> Self {
        let gap =
            |gap: &Gap| GapLine { package: gap.package, path: gap.path.clone(), reason: gap.reason.clone() };
        Self {
            diagnostics: parsed.diagnostics.clone(),
            gaps: parsed.gaps.iter().map(gap).collect(),
            database: parsed.database.clone(),
            notices: parsed.notices.clone(),
            census: parsed.census.clone(),
            generated: parsed.generated.clone(),
            leaky: parsed.is_leaky,
            leaks: parsed.leaks.clone(),
            test_outputs: parsed.test_outputs.clone(),
            times: parsed.times.clone(),
            ..Self::default()
        }
    }

    /// Tasks without a result.
    pub(super) fn without(status: &Status) -> Self {
        let (name, reason) = (status.as_str().to_owned(), status.reason().map(str::to_owned));
        Self { status: Some(name), reason, ..Self::default() }
    }

    /// Tasks whose program was not built.
    pub(super) fn not_built() -> Self {
        Self { not_built: true, ..Self::default() }
    }

    /// Returns the recorded output.
    pub(super) fn into_parsed(self) -> Parsed {
        let gap = |GapLine { package, path, reason }| Gap { package, path, reason };
        Parsed {
            diagnostics: self.diagnostics,
            gaps: self.gaps.into_iter().map(gap).collect(),
            database: self.database,
            notices: self.notices,
            census: self.census,
            generated: self.generated,
            is_leaky: self.leaky,
            leaks: self.leaks,
            test_outputs: self.test_outputs,
            times: self.times,
            ..Parsed::default()
        }
    }
}

/// Last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndLine {
    /// Digest of all bytes before this line.
    pub(super) digest: Digest,
}

/// Writes the lines.
pub(super) struct Lines(Vec<u8>);

impl Lines {
    pub(super) fn new(header: &Header) -> Self {
        let mut lines = Self(Vec::new());
        lines.line("shard", header);
        lines
    }

    pub(super) fn push(&mut self, step: &StepLine) {
        self.line("step", step);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let end = EndLine { digest: Digest::of_bytes(&self.0) };
        self.line("end", &end);
        self.0
    }

    fn line(&mut self, kind: &str, line: &impl Serialize) {
        // All keys are texts, so this can't fail.
        let mut value = serde_json::to_value(line).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("kind".to_owned(), kind.into());
        }
        report::push_line(&value, &mut self.0);
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn is_false(value: &bool) -> bool {
    !*value
}
