//! What a parser leaves to be settled with the sources, which no parser reads.

use std::collections::BTreeMap;

use super::{Parsed, cargo_json, columns, diff, rustfmt};
use crate::model::halt::{Halt, Halted};
use crate::model::path::RelPath;

/// What only the sources can settle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unsettled {
    /// Nothing.
    #[default]
    Nothing,
    /// Columns count bytes and must count characters.
    ByteColumns,
    /// Which side of a diff a file is, and how it ends.
    Diff(Vec<diff::Open>),
    /// Lines of keys in manifests.
    Manifests,
    /// Line ends, and places in configuration files.
    Rustfmt(rustfmt::Open),
}

impl Parsed {
    /// The files that [`Parsed::settle`] needs.
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

    /// Settles the rest with the `sources`; what can't be read stays unknown.
    ///
    /// # Errors
    ///
    /// If `halt` is due before it is done.
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
