//! Errors in files that users write, each with its place, cause and suggested fix.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the file as the user would write it.
    pub file: Arc<str>,
    /// Content of the file.
    pub text: Arc<str>,
    /// Byte range of the mistake; `None` if it concerns the whole file.
    pub span: Option<Range<usize>>,
    /// Description of the mistake.
    pub message: String,
    /// Suggested fix, shown as `help:`.
    pub help: Option<String>,
}

impl Problem {
    /// Returns the byte range, widened to whole characters and limited to the text. It is empty only at the
    /// end of the text. The parser that reported the span may have counted differently.
    pub fn clamped(&self) -> Option<Range<usize>> {
        let Range { start, end } = self.span.clone()?;
        let is_boundary = |at: &usize| self.text.is_char_boundary(*at);
        let len = self.text.len();
        let start = (0..=start.min(len)).rev().find(is_boundary)?;
        let end = (end.max(start.saturating_add(1)).min(len)..=len).find(is_boundary)?;
        Some(start..end)
    }

    /// Returns the line and column where the mistake begins, both from 1, with columns in characters.
    pub fn position(&self) -> Option<(usize, usize)> {
        let before = &self.text[..self.clamped()?.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}

/// Formats the problem as `file:line:column: message (help)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.position() {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// All mistakes, in the order of files and lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_widened_to_whole_characters() {
        let problem = |span| Problem {
            file: "f".into(),
            text: "a é\n”".into(),
            span: Some(span),
            message: String::new(),
            help: None,
        };
        for (span, clamped, position) in [
            (0..1, 0..1, (1, 1)),
            (2..3, 2..4, (1, 3)),
            (3..3, 2..4, (1, 3)),
            (6..7, 5..8, (2, 1)),
            (8..8, 8..8, (2, 2)),
            (9..usize::MAX, 8..8, (2, 2)),
            (Range { start: 5, end: 1 }, 5..8, (2, 1)),
        ] {
            let problem = problem(span.clone());
            assert_eq!(problem.clamped(), Some(clamped), "{span:?}");
            assert_eq!(problem.position(), Some(position), "{span:?}");
        }
    }
}
