//! What a generator reads.

use std::path::Path;

use super::Error;

/// A file that a generator reads: its name, and its bytes as they were when the generator was started.
#[derive(Debug)]
pub struct Input {
    pub(super) path: String,
    /// How much of `path` the fixed part of the pattern takes, with its `/`.
    pub(super) base: usize,
    pub(super) bytes: Vec<u8>,
}

impl Input {
    /// Its path from the package's directory, with `/`: the same on every machine, so that it may stand in what is
    /// generated. Build scripts run in that directory, so that it can be opened, too.
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// The last part of its path, without the extension: `b` of `proto/a/b.proto`.
    pub fn stem(&self) -> String {
        let stem = self.path().file_stem().unwrap_or_default();
        // All of the path is UTF-8, see `walk`.
        stem.to_string_lossy().into_owned()
    }

    /// Its path below the fixed part of the pattern, with another extension: `a/b.rs` for `proto/a/b.proto`, found by
    /// `proto/**/*.proto`, and `rs`. Good as the name of an output: no two inputs share it that don't differ in the
    /// extension alone.
    pub fn with_extension(&self, extension: &str) -> String {
        let below = &self.path[self.base..];
        let name = below.rfind('/').map_or(0, |at| at + 1);
        // The dot of `.hidden` begins no extension.
        let end = below[name..].rfind('.').filter(|&at| at > 0).map_or(below.len(), |at| name + at);
        format!("{}.{extension}", &below[..end])
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8; the error names the line.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.bytes)
            .map_err(|error| self.error_at(error.valid_up_to(), "this is not UTF-8"))
    }

    /// An error in line `line` (from 1) of this file.
    pub fn error(&self, line: u32, message: impl std::fmt::Display) -> Error {
        Error::new(message).at(self.path.clone(), line)
    }

    /// An error at the byte `offset` (from 0) of this file: shown with its line and column.
    pub fn error_at(&self, offset: usize, message: impl std::fmt::Display) -> Error {
        let before = &self.bytes[..offset.min(self.bytes.len())];
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.error(number(line), message).column(number(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(path: &str, base: usize, text: &str) -> Input {
        Input { path: path.to_owned(), base, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn names_of_outputs_come_from_below_the_pattern() {
        let check = |path: &str, base, expected: &str| {
            assert_eq!(input(path, base, "").with_extension("rs"), expected, "{path}");
        };
        check("proto/a/b.proto", 6, "a/b.rs");
        check("proto/a.b/c", 6, "a.b/c.rs");
        check("x.y.z", 0, "x.y.rs");
        check("d/.hidden", 2, ".hidden.rs");
        assert_eq!(input("proto/a/b.c.proto", 6, "").stem(), "b.c");
    }

    #[test]
    fn an_offset_becomes_a_line_and_a_column_in_characters() {
        let input = input("a.txt", 0, "one\ngröße x");
        assert_eq!(input.error_at(12, "what").to_string(), "a.txt:2:7: what");
        assert_eq!(input.error_at(0, "what").to_string(), "a.txt:1:1: what");
        assert_eq!(input.error_at(999, "what").to_string(), "a.txt:2:8: what");
        assert_eq!(input.error(7, "what").to_string(), "a.txt:7: what");
    }
}
