//! What build scripts have generated: a part of the report, so that two runs that generate other files can't pass for alike.

use super::digest::Digest;
use super::path::RelPath;

/// Stands for the directory that cargo gives a build script: a path below it is written `PACKAGE/OUT_DIR/file`.
const OUT_DIR: &str = "OUT_DIR";

/// The name of the file `below` the `OUT_DIR` of the package in `dir`: the same on every machine. No such file lies in the
/// workspace.
pub fn path_in_out_dir(dir: &RelPath, below: &RelPath) -> RelPath {
    dir.join(OUT_DIR).join(below.as_bytes())
}

/// The directory of the package in whose `OUT_DIR` the file at `path` lies, and its path there; `None` for any other file.
pub fn split_out_dir(path: &RelPath) -> Option<(RelPath, RelPath)> {
    let bytes = path.as_bytes();
    let name = OUT_DIR.as_bytes();
    let starts = (0..bytes.len()).filter(|&at| at == 0 || bytes[at - 1] == b'/');
    starts.into_iter().find_map(|at| {
        let below = bytes[at..].strip_prefix(name)?.strip_prefix(b"/")?;
        Some((RelPath::new(&bytes[..at.saturating_sub(1)]), RelPath::new(below)))
    })
}

/// What the build script of one package has generated, as far as it says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generated {
    /// The name of the package.
    pub package: String,
    /// The directory of the workspace that holds the same files, checked in.
    pub checked_in: Option<RelPath>,
    /// What was generated together.
    pub units: Vec<GeneratedUnit>,
}

/// Files and what they were made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeneratedUnit {
    /// The inputs that lie in the workspace.
    pub inputs: Vec<RelPath>,
    /// The outputs.
    pub files: Vec<GeneratedFile>,
}

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeneratedFile {
    /// Where it lies below `OUT_DIR`.
    pub path: RelPath,
    /// Its size in bytes.
    pub len: u64,
    /// The digest of its content.
    pub digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_generated_file_tells_its_package() {
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
