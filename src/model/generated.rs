//! Files that build scripts generate. They are part of the report, so that runs which generate different
//! files have different reports.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::path::RelPath;

/// Stands for the output directory of a build script. A path in it is written `PACKAGE/OUT_DIR/file`.
const OUT_DIR: &str = "OUT_DIR";

/// Returns the name of the file `below` the `OUT_DIR` of the package in `dir`. It is the same on every
/// machine, and no file in the workspace has it.
pub fn path_in_out_dir(dir: &RelPath, below: &RelPath) -> RelPath {
    dir.join(OUT_DIR).join(below.as_bytes())
}

/// Splits a path in an `OUT_DIR` into the directory of its package and the path below `OUT_DIR`. Returns
/// `None` for any other path.
pub fn split_out_dir(path: &RelPath) -> Option<(RelPath, RelPath)> {
    let bytes = path.as_bytes();
    let name = OUT_DIR.as_bytes();
    let starts = (0..bytes.len()).filter(|&at| at == 0 || bytes[at - 1] == b'/');
    starts.into_iter().find_map(|at| {
        let below = bytes[at..].strip_prefix(name)?.strip_prefix(b"/")?;
        Some((RelPath::new(&bytes[..at.saturating_sub(1)]), RelPath::new(below)))
    })
}

/// Files that the build script of a package generated, according to its manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Generated {
    /// Name of the package.
    pub package: String,
    /// Directory of the workspace with checked-in copies of the files.
    pub checked_in: Option<RelPath>,
    /// Groups of files that were generated together.
    pub units: Vec<GeneratedUnit>,
}

/// Generated files with their inputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GeneratedUnit {
    /// Inputs in the workspace.
    pub inputs: Vec<RelPath>,
    /// Outputs.
    pub files: Vec<GeneratedFile>,
}

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GeneratedFile {
    /// Path below `OUT_DIR`.
    pub path: RelPath,
    /// Size in bytes.
    pub len: u64,
    /// Digest of its content.
    pub digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_generated_file_contains_its_package() {
        for (dir, below) in [("", "gen.rs"), ("crates/a", "x/y.rs"), ("../out", "gen.rs")] {
            let (dir, below) = (RelPath::new(dir), RelPath::new(below));
            assert_eq!(split_out_dir(&path_in_out_dir(&dir, &below)), Some((dir, below)));
        }
        assert_eq!(path_in_out_dir(&RelPath::new("a"), &RelPath::new("g.rs")).to_string(), "a/OUT_DIR/g.rs");
        for other in ["a/OUT_DIR", "OUT_DIRS/x", "a/MY_OUT_DIR/x", "src/lib.rs", ""] {
            assert_eq!(split_out_dir(&RelPath::new(other)), None, "{other}");
        }
    }
}
