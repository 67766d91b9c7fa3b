//! Errors of generators, with the file and line that they concern.

use std::fmt;
use std::io;
use std::path::Path;

/// Reason why something could not be generated.
///
/// The `?` operator converts errors of other libraries, `anyhow::Error`, `Box<dyn Error + Send + Sync>` and text, with
/// their sources. For an error that cannot be sent between threads, use `.map_err(Error::new)`.
///
/// An error without a file gets the place that its message names (`path:line:column:`, as compilers print it) if that
/// is an input. Otherwise it is shown with the input that was being processed. An [`std::io::Error`] does not say which
/// file it is about, so it never counts as an error in the input. Read files with
/// [`Output::read`](super::Output::read), whose errors name the file.
///
/// ```
/// use genti::build::Error;
///
/// fn port(text: &str) -> Result<u16, Error> {
///     Ok(text.parse::<u16>()?)
/// }
///
/// let error = port("http").unwrap_err().at("services.txt", 3);
/// assert_eq!(error.to_string(), "services.txt:3: invalid digit found in string");
/// ```
pub struct Error {
    pub(super) path: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
    pub(super) message: String,
    /// Set for an error of the file system without a file.
    pub(super) is_io: bool,
}

impl Error {
    /// Creates an error with this message.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { path: None, line: None, column: None, message: message.to_string(), is_io: false }
    }

    /// Sets the place to line `line` (from 1) of the file `path`.
    #[must_use]
    pub fn at(mut self, path: impl AsRef<Path>, line: u32) -> Self {
        self.path = Some(shown(path.as_ref()));
        self.line = Some(line);
        self
    }

    /// Sets the place to the file `path`.
    #[must_use]
    pub fn in_file(mut self, path: impl AsRef<Path>) -> Self {
        self.path = Some(shown(path.as_ref()));
        self
    }

    /// Sets the column (in characters, from 1).
    #[must_use]
    pub fn column(mut self, column: u32) -> Self {
        self.column = Some(column);
        self
    }
}

/// Shows `path:line:column: message` without the parts that are unknown.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            f.write_str(path)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Converts everything that `?` converts to `Box<dyn Error + Send + Sync>`.
impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Error {
    fn from(error: E) -> Self {
        let error: Box<dyn std::error::Error + Send + Sync> = error.into();
        let mut message = error.to_string();
        let mut is_io = error.is::<io::Error>();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            is_io |= cause.is::<io::Error>();
            // Some errors repeat their source in their message.
            if !message.ends_with(&cause_text) {
                message = format!("{message}: {cause_text}");
            }
            source = cause.source();
        }
        Self { is_io, ..Self::new(message) }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// All errors of a run, in the order of the inputs.
#[derive(Debug)]
pub struct Errors(pub(super) Vec<Error>);

impl Errors {
    /// Returns an iterator over the errors.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.0.iter()
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

/// Shows one error per line.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_mark_converts_what_libraries_return() {
        fn boxed() -> Result<(), Error> {
            Err(Box::<dyn std::error::Error + Send + Sync>::from("boxed"))?
        }
        fn text() -> Result<(), Error> {
            Err("text")?
        }
        fn format() -> Result<String, Error> {
            let mut text = String::new();
            fmt::Write::write_char(&mut text, 'a')?;
            Ok(text)
        }
        assert_eq!(boxed().unwrap_err().to_string(), "boxed");
        assert_eq!(text().unwrap_err().to_string(), "text");
        assert_eq!(format().unwrap(), "a");
        let io = Error::from(io::Error::other(io::Error::other("inner")));
        assert!(io.is_io);
        assert_eq!(io.to_string(), "inner");
    }
}
