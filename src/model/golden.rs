//! Golden files: reviewed outputs of tools. Knows their paths and the text that is compared with them, but
//! not the comparison.

use super::path::RelPath;

/// Directory of the golden files, relative to the workspace root.
pub const DIR: &str = ".config/genti/golden";

/// Suffix of golden files.
const EXTENSION: &str = ".out";

/// Returns the path of the golden file of `tool` for a unit: `TOOL.out` for the workspace and the package at
/// its root, else `TOOL/UNIT.out` with the directories of the unit. No two units have the same path, and no
/// path is a directory that another one needs.
pub fn path(tool: &str, unit: &RelPath) -> RelPath {
    let dir = RelPath::new(DIR);
    if unit.is_root() {
        return dir.join(format!("{tool}{EXTENSION}"));
    }
    // A unit outside the workspace must not lead out of the directory, and `a.out/b` must not conflict with
    // the file for `a`.
    let escaped = |part: &str| match (part, part.strip_suffix(EXTENSION)) {
        ("..", _) => "%2E%2E".to_owned(),
        (_, Some(stem)) => format!("{stem}%2Eout"),
        _ => part.to_owned(),
    };
    let unit: Vec<_> = unit.to_string().split('/').map(escaped).collect();
    dir.join(format!("{tool}/{}{EXTENSION}", unit.join("/")))
}

/// Returns the name of the tool whose golden file could be at `path`, or `None` if it can't be one.
pub fn tool_of(path: &RelPath) -> Option<&str> {
    let below = path.as_bytes().strip_prefix(DIR.as_bytes())?.strip_prefix(b"/")?;
    let below = std::str::from_utf8(below.strip_suffix(EXTENSION.as_bytes())?).ok()?;
    below.split('/').next()
}

/// Output of a process without machine-specific parts, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The exit code.
    pub code: i32,
    /// The text that is compared with the golden file.
    pub text: String,
    /// The stream that is not compared, reduced to its beginning and end.
    pub aside: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_unit_has_its_own_golden_file_in_the_directory() {
        let units: [(&[u8], &str); 9] = [
            (b"", "t.out"),
            (b"a", "t/a.out"),
            (b"a/b.rs", "t/a/b.rs.out"),
            (b"a.out", "t/a%2Eout.out"),
            (b"a.out/b", "t/a%2Eout/b.out"),
            (b"a%2Eout/b", "t/a%252Eout/b.out"),
            (b"../m/a", "t/%2E%2E/m/a.out"),
            (b"..", "t/%2E%2E.out"),
            (b"\xff", "t/%FF.out"),
        ];
        let mut seen = BTreeSet::new();
        for (unit, expected) in units {
            let path = path("t", &RelPath::new(unit));
            assert_eq!(path, RelPath::new(DIR).join(expected));
            assert_eq!(tool_of(&path), Some("t"));
            assert!(seen.insert(path));
        }
    }

    #[test]
    fn other_files_are_not_golden_files() {
        for other in [".config/genti/golden/README.md", ".config/genti/golden.out", "t.out", "golden/t/a.out"]
        {
            assert_eq!(tool_of(&RelPath::new(other)), None, "{other}");
        }
    }
}
