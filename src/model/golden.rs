//! Golden files: what a tool printed when somebody looked at it and found it right. Where each lies, and what is
//! compared with it; not how.

use super::path::RelPath;

/// Where they are, relative to the workspace root.
pub const DIR: &str = ".config/genti/golden";

/// What every one of them ends with.
const EXTENSION: &str = ".out";

/// The golden of `tool` on the unit that is named by `unit`: `TOOL.out` for the workspace and the package at its
/// root, else `TOOL/UNIT.out`, with the directories of the unit. No two units have the same one, nor is one where
/// another needs a directory.
pub fn path(tool: &str, unit: &RelPath) -> RelPath {
    let dir = RelPath::new(DIR);
    if unit.is_root() {
        return dir.join(format!("{tool}{EXTENSION}"));
    }
    // What leads out of the workspace must not lead out of the directory, and `a.out/b` not meet the golden of `a`.
    let escaped = |part: &str| match (part, part.strip_suffix(EXTENSION)) {
        ("..", _) => "%2E%2E".to_owned(),
        (_, Some(stem)) => format!("{stem}%2Eout"),
        _ => part.to_owned(),
    };
    let unit: Vec<_> = unit.to_string().split('/').map(escaped).collect();
    dir.join(format!("{tool}/{}{EXTENSION}", unit.join("/")))
}

/// The name of the tool that `path` would be a golden of; `None` if it can't be one.
pub fn tool_of(path: &RelPath) -> Option<&str> {
    let below = path.as_bytes().strip_prefix(DIR.as_bytes())?.strip_prefix(b"/")?;
    let below = std::str::from_utf8(below.strip_suffix(EXTENSION.as_bytes())?).ok()?;
    below.split('/').next()
}

/// What a process printed, without what belongs to one machine, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The exit code.
    pub code: i32,
    /// What is compared with the golden.
    pub text: String,
    /// The ends of what it said beside, on the stream that is not compared.
    pub aside: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_unit_has_a_golden_of_its_own_below_the_directory() {
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
    fn other_files_are_no_goldens() {
        for other in [".config/genti/golden/README.md", ".config/genti/golden.out", "t.out", "golden/t/a.out"]
        {
            assert_eq!(tool_of(&RelPath::new(other)), None, "{other}");
        }
    }
}
