//! Fuzz targets for everything that reads text or bytes written by others, each with the properties that must hold for
//! any input.
//!
//! `cargo test` tries a fixed number of mutations per target ([`tests`]). `cargo fuzz` searches for more inputs, guided
//! by coverage, through the wrappers in `tests/fuzz`. Both start from the same seeds, derived from the fixtures, and
//! use the same mutations. None of this is part of a build for users.

#![expect(clippy::disallowed_methods, reason = "seeds are read from the fixtures, and logs need a directory")]
#![cfg_attr(fuzzing, allow(missing_docs, dead_code, reason = "only the wrappers use it there"))]

mod baselines;
mod bytes;
mod files;
mod json;
mod logs;
mod parsers;
#[path = "../bin/cargo-genti/render/problem.rs"]
mod problem;
mod random;
mod reports;
mod sources;
#[cfg(test)]
mod tests;
mod text;

pub use self::random::Dice;

use self::parsers::parser;
use crate::model::tool::Parse;

/// Fuzz target: a reader of input written by others.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name of the wrapper.
    pub name: &'static str,
    /// Accepted inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Mutates an input, possibly with parts of other inputs.
    pub mutate: Mutate,
    /// Reads the input and panics if a property does not hold. Returns whether the input was accepted.
    pub check: fn(&[u8]) -> bool,
}

/// Function that mutates an input, possibly with parts of other inputs.
pub type Mutate = fn(&mut Dice, &[u8], &[Vec<u8>]) -> Vec<u8>;

/// Maximum size of an input, in bytes.
pub const LONGEST: usize = 64 << 10;

/// All fuzz targets.
pub const TARGETS: [Target; 31] = [
    parser!("rustc_json", Parse::RustcJson),
    parser!("cargo_build", Parse::CargoBuild),
    parser!("build_scripts", Parse::BuildScripts),
    parser!("libtest", Parse::Libtest),
    parser!("nextest", Parse::Nextest),
    parser!("rustfmt", Parse::Rustfmt),
    Target { mutate: parsers::deny, ..parser!("deny_json", Parse::DenyJson) },
    parser!("audit_json", Parse::AuditJson),
    parser!("typos_json", Parse::TyposJson),
    parser!("machete", Parse::Machete),
    parser!("sarif", Parse::Sarif),
    parser!("diff", Parse::Diff),
    parser!("regex", parsers::pattern()),
    parser!("number", parsers::number()),
    parser!("lines", Parse::Lines),
    parser!("exit_code", Parse::ExitCode),
    parser!("golden", Parse::Golden(crate::model::tool::Streams::Both)),
    sources::RULES,
    sources::READS,
    sources::DEPFILE,
    sources::MAKEFLAGS,
    sources::IDENTITY,
    files::CONFIG,
    files::LOCK,
    files::MISTAKE,
    baselines::BASELINE,
    baselines::MERGE,
    logs::RESULTS,
    logs::RECORD,
    logs::STATE,
    reports::ARTIFACTS,
];

/// Returns the target with this name.
///
/// # Panics
///
/// Panics if there is no such target.
pub fn target(name: &str) -> Target {
    let found = TARGETS.into_iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("unknown fuzz target `{name}`"))
}

/// Writes the seeds of `target` to `dir`, as a corpus.
///
/// # Errors
///
/// Returns an error if a file cannot be written.
pub fn write_seeds(target: Target, dir: &std::path::Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(dir)?;
    let seeds = (target.seeds)();
    for (at, seed) in seeds.iter().enumerate() {
        std::fs::write(dir.join(format!("seed-{at:02}")), seed)?;
    }
    Ok(seeds.len())
}

/// Returns the text of a file in the repository.
fn fixture(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    crate::disk::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
