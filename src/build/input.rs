//! Input of a generator.

use std::path::{Path, PathBuf};

use super::Error;

/// Input file: its name, and its bytes when the generator was started.
#[derive(Debug)]
pub struct Input {
    pub(super) path: String,
    /// Length of the fixed part of the pattern in `path`, including its `/`.
    pub(super) base: usize,
    /// Absolute path.
    pub(super) place: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Input {
    /// Returns the path relative to the package directory, with `/` as the separator. It is the same on every machine,
    /// so it can be part of the output. Build scripts run in that directory, so the file can also be opened by this
    /// path. The path of an [output of an earlier generator](super::Plan::outputs) is relative to `OUT_DIR`; open it
    /// by its [place](Input::place).
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// Returns the absolute path, for programs that run in another directory. It differs between machines.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().inputs("c/*.c").each(|input, out| {
    ///     out.depends_on(input.place().with_extension("h"))
    /// });
    /// # let _ = plan;
    /// ```
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Returns the file name without its extension: `b` for `proto/a/b.proto`.
    pub fn stem(&self) -> String {
        let stem = self.path().file_stem().unwrap_or_default();
        // The whole path is UTF-8, see `walk`.
        stem.to_string_lossy().into_owned()
    }

    /// Returns the path below the fixed part of the pattern, with another extension: `a/b.rs` for `proto/a/b.proto`,
    /// found by `proto/**/*.proto`, and `rs`. This is a good name for an output. Two inputs share it only if they
    /// differ in nothing but the extension.
    pub fn with_extension(&self, extension: &str) -> PathBuf {
        let below = &self.path[self.base..];
        let name = below.rfind('/').map_or(0, |at| at + 1);
        // The dot of `.hidden` does not begin an extension.
        let end = below[name..].rfind('.').filter(|&at| at > 0).map_or(below.len(), |at| name + at);
        PathBuf::from(format!("{}.{extension}", &below[..end]))
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the text.
    ///
    /// # Errors
    ///
    /// Returns an error with the line if the file is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.bytes).map_err(|error| self.error_at(error.valid_up_to(), "not UTF-8"))
    }

    /// Returns an error in line `line` (from 1) of this file.
    pub fn error(&self, line: u32, message: impl std::fmt::Display) -> Error {
        Error::new(message).at(self.path(), line)
    }

    /// Returns an error at the byte `offset` (from 0) of this file, shown with line and column.
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
        Input { path: path.to_owned(), base, place: PathBuf::new(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn output_names_come_from_the_path_below_the_pattern() {
        let check = |path: &str, base, expected: &str| {
            assert_eq!(input(path, base, "").with_extension("rs"), Path::new(expected), "{path}");
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
