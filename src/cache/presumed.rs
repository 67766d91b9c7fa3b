//! Decides whether a tool is known to read a file that changed while the tool ran.
//!
//! For cargo's tools, tests and tools without `files`, every file of a package is a declared input, because it is unknown
//! beforehand which of them they read. That is right for cache keys. But a log that the run is piped into, or a file that a test
//! rewrites, must not invalidate the verdict of a tool that does not read it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::inputs::KeyInputs;
use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::tool::{Discovers, Tool};
use crate::normalize::Traces;
use crate::workspace;

/// Determines which files tools are known to read, at one moment of a run.
pub(super) struct KnownReads<'a> {
    inputs: &'a KeyInputs<'a>,
    build_dirs: &'a [PathBuf],
    /// Files that git tracks, listed only if something has changed.
    tracked: OnceLock<BTreeSet<RelPath>>,
}

impl<'a> KnownReads<'a> {
    pub(super) fn new(inputs: &'a KeyInputs<'a>, build_dirs: &'a [PathBuf]) -> Self {
        Self { inputs, build_dirs, tracked: OnceLock::new() }
    }

    /// Returns whether a process of `tool` over `unit` that left `traces` is known to read `path`, a file that is a declared
    /// input only because it belongs to the package.
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
        let has_traces = discovers == Discovers::Modules || !traces.units.is_empty();
        match self.inputs.collect_each(tool, &[unit], traces, self.build_dirs) {
            // A source that can no longer be read may have named the file.
            Err(_) => true,
            Ok(discovered) => discovered.iter().any(|discovered| {
                discovered.contains(path)
                    || (!has_traces || discovered.may_read_any_file()) && self.is_tracked(path)
            }),
        }
    }

    fn is_tracked(&self, path: &RelPath) -> bool {
        self.tracked.get_or_init(|| workspace::tracked(&self.inputs.workspace.root)).contains(path)
    }
}
