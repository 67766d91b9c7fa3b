//! Whether a tool is known to read a file that has changed while it ran.
//!
//! Cargo's tools, tests and tools without `files` have every file of a package as declared inputs, since nothing tells
//! beforehand which of them they read. For what is stored that is right. But a log that the run is piped into, or a file that
//! a test rewrites, must not take the verdict from a tool that does not look at it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::inputs::KeyInputs;
use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::tool::{Discovers, Tool};
use crate::normalize::Traces;
use crate::workspace;

/// Answers for one moment of a run.
pub(super) struct KnownReads<'a> {
    inputs: &'a KeyInputs<'a>,
    build_dirs: &'a [PathBuf],
    /// The files that git tracks. Asked for once something has changed.
    tracked: OnceLock<BTreeSet<RelPath>>,
}

impl<'a> KnownReads<'a> {
    pub(super) fn new(inputs: &'a KeyInputs<'a>, build_dirs: &'a [PathBuf]) -> Self {
        Self { inputs, build_dirs, tracked: OnceLock::new() }
    }

    /// Whether a process of `tool` over `unit` that left `traces` is known to read `path`, which is one of the declared inputs
    /// that the unit has by lying in a package.
    pub(super) fn reads(&self, tool: &Tool, unit: Unit, traces: Option<&Traces>, path: &RelPath) -> bool {
        let discovers = tool.discovers();
        if path.file_name() == b"Cargo.toml" || matches!(unit, Unit::File(_)) {
            return true;
        }
        if discovers != Discovers::Modules && !tool.files.is_empty() {
            return true;
        }
        let none = Traces::default();
        let traces = traces.unwrap_or(&none);
        let is_told = discovers == Discovers::Modules || !traces.units.is_empty();
        match self.inputs.collect(tool, &[unit], traces, self.build_dirs) {
            // What can't be read any more may have named it.
            Err(_) => true,
            Ok(discovered) => {
                discovered.contains(path) || (!is_told || discovered.is_open()) && self.is_tracked(path)
            }
        }
    }

    fn is_tracked(&self, path: &RelPath) -> bool {
        self.tracked.get_or_init(|| workspace::tracked(&self.inputs.workspace.root)).contains(path)
    }
}
