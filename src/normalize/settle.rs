//! Completes what parsers could not decide because they do not read sources.

use std::collections::BTreeMap;

use super::{Parsed, cargo_json, columns, diff, rustfmt};
use crate::model::halt::{Halt, Halted};
use crate::model::path::RelPath;

/// Open question that needs the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unsettled {
    /// Nothing to settle.
    #[default]
    Nothing,
    /// Columns count bytes and must be converted to characters.
    ByteColumns,
    /// The side that the file matches, and the end of the file.
    Diff(Vec<diff::OpenChange>),
    /// Lines of keys in manifests.
    Manifests,
    /// Line endings, and places in configuration files.
    Rustfmt(rustfmt::OpenQuestions),
}

impl Parsed {
    /// Returns the files that [`Parsed::settle`] needs.
    pub fn unsettled(&self) -> impl Iterator<Item = &RelPath> {
        let paths: Vec<_> = match &self.unsettled {
            Unsettled::Nothing => Vec::new(),
            Unsettled::ByteColumns => {
                self.diagnostics.iter().filter_map(|found| found.place.path()).collect()
            }
            Unsettled::Diff(open) => diff::unsettled(open).collect(),
            Unsettled::Manifests => cargo_json::warnings::unsettled(&self.diagnostics).collect(),
            Unsettled::Rustfmt(open) => open.paths(&self.diagnostics).collect(),
        };
        paths.into_iter()
    }

    /// Settles the open questions with the `sources`. Files that cannot be read stay unsettled.
    ///
    /// # Errors
    ///
    /// Returns an error if `halt` is due before it is done.
    pub fn settle(&mut self, sources: &BTreeMap<RelPath, Vec<u8>>, halt: &dyn Halt) -> Result<(), Halted> {
        match std::mem::take(&mut self.unsettled) {
            Unsettled::Nothing => {}
            Unsettled::ByteColumns => columns::count_characters(&mut self.diagnostics, sources, halt)?,
            Unsettled::Diff(open) => diff::settle(&open, self, sources),
            Unsettled::Manifests => cargo_json::warnings::settle(self, sources),
            Unsettled::Rustfmt(open) => open.settle(self, sources),
        }
        Ok(())
    }
}
