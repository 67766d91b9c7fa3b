//! Fuzz targets: everything that reads text or bytes which others have written, each with what must hold whatever comes.
//!
//! `cargo test` tries a fixed number of mutations of each ([`tests`]); `cargo fuzz` looks for more, guided by coverage, through
//! the wrappers in `tests/fuzz`. Both start from the same inputs, made of the fixtures, and mutate them in the same way. Nothing of
//! this is in a build for users.

#![expect(clippy::disallowed_methods, reason = "inputs are made of the fixtures, and logs need a directory")]
#![cfg_attr(fuzzing, allow(missing_docs, dead_code, reason = "nobody but the wrappers uses it there"))]

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

/// Something that reads what others have written.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of the wrapper.
    pub name: &'static str,
    /// Inputs that are accepted, to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Makes another input of one that is there; the others are there to take parts from.
    pub mutate: Mutate,
    /// Reads the input, and panics if something does not hold. Whether it was accepted.
    pub check: fn(&[u8]) -> bool,
}

/// Makes an input of another one, with parts of the rest.
pub type Mutate = fn(&mut Dice, &[u8], &[Vec<u8>]) -> Vec<u8>;

/// The most bytes of an input.
pub const LONGEST: usize = 64 << 10;

/// All of them.
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

/// The target with this name.
///
/// # Panics
///
/// If there is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.into_iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("there is no target `{name}`"))
}

/// Writes the inputs that `target` starts from to `dir`, for a corpus.
///
/// # Errors
///
/// If the disk says no.
pub fn write_seeds(target: Target, dir: &std::path::Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(dir)?;
    let seeds = (target.seeds)();
    for (at, seed) in seeds.iter().enumerate() {
        std::fs::write(dir.join(format!("seed-{at:02}")), seed)?;
    }
    Ok(seeds.len())
}

/// The text of a file of the repository.
fn fixture(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    crate::disk::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
