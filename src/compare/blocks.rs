//! Finds the code blocks of doc tests, which identify them across runs.
//!
//! rustdoc names a doc test by its item and the line at which its block begins. The line is a few lines too small for block
//! comments and for attributes between the lines of a comment, and wrong for text from other files and macros. If no block near
//! the line fits the item, the doc test has no code and is identified by its number alone.

use std::collections::BTreeMap;

use super::tokens::{Source, spelled};
use crate::model::finding::{Place, Position, Range};
use crate::model::path::RelPath;
use crate::model::sources::Sources;

/// Maximum distance in lines from the line that rustdoc names to the block.
const BEHIND: u32 = 4;

/// Code blocks of files, which are read on first use.
pub(super) struct Blocks<'a> {
    sources: &'a Sources,
    files: BTreeMap<RelPath, Option<(Source, Vec<Block>)>>,
}

/// A code block.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// Line of its fence, or its first line if it is indented.
    line: u32,
    marker: Marker,
    text: String,
}

/// Syntax that makes a line documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    /// `///`
    Outer,
    /// `//!`
    Inner,
    /// `#[doc = "…"]` or `#![doc = "…"]`
    Attribute,
    /// `/** … */` or `/*! … */`
    Comment,
    /// No marker: the file is not Rust.
    None,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self { sources, files: BTreeMap::new() }
    }

    /// Returns the normalized code of the block of `item` at `place`; empty if there is none.
    pub(super) fn code(&mut self, place: &Place, item: &str) -> String {
        let Some((path, line)) = place.path().zip(place.range().map(|range| range.start.line)) else {
            return String::new();
        };
        let sources = self.sources;
        let file = self.files.entry(path.clone()).or_insert_with(|| {
            let bytes = sources.get(path)?;
            Some((Source::new(path, bytes), blocks(path, &String::from_utf8_lossy(bytes))))
        });
        let Some((source, blocks)) = file else { return String::new() };
        let near = blocks.iter().filter(|block| (line..=line.saturating_add(BEHIND)).contains(&block.line));
        let found = near.min_by_key(|block| block.line).filter(|block| block.is_of(item, line, source));
        found.map_or_else(String::new, |block| spelled(&block.text))
    }
}

impl Block {
    /// Returns whether this is the block of `item` that rustdoc reports at `line`.
    fn is_of(&self, item: &str, line: u32, source: &Source) -> bool {
        let start = Position { line: self.line, column: 1 };
        let scope = source.scope(Range { start, end: start });
        match (item.is_empty(), self.line == line) {
            // The block documents the whole file.
            (true, _) => scope.is_empty() && self.marker != Marker::Outer,
            (false, true) => true,
            // The block must be in the scope of the documented item or of the one around it.
            (false, false) => scope.rsplit(" > ").next().is_some_and(|inner| {
                let names: Vec<&str> = item.split("::").collect();
                inner
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| !word.is_empty() && names.contains(&word))
            }),
        }
    }
}

/// Returns every code block of the documentation in `text`.
fn blocks(path: &RelPath, text: &str) -> Vec<Block> {
    let is_rust = path.file_name().ends_with(b".rs");
    let mut blocks: Vec<Block> = Vec::new();
    let (mut open, mut is_in_comment) = (OpenBlock::Nothing, false);
    let mut was = None;
    for (number, line) in (1..).zip(text.lines()) {
        let marked =
            if is_rust { marked(line, &mut is_in_comment) } else { Some((Marker::None, line.to_owned())) };
        let Some((marker, text)) = marked else {
            (open, was) = (OpenBlock::Nothing, None);
            continue;
        };
        let is_first = was.is_none_or(|(last, was_blank)| last != marker || was_blank);
        if was.is_some_and(|(last, _)| last != marker) {
            open = OpenBlock::Nothing;
        }
        let block = |text: &str| Block { line: number, marker, text: text.to_owned() };
        match open {
            OpenBlock::Fence(char, count)
                if fence(&text)
                    .is_some_and(|(own, more, info)| own == char && more >= count && info.is_empty()) =>
            {
                open = OpenBlock::Nothing;
            }
            OpenBlock::Fence(..) => push(&mut blocks, &text),
            OpenBlock::Nothing | OpenBlock::Indented => match fence(&text) {
                Some((char, count, _)) => {
                    blocks.push(block(""));
                    open = OpenBlock::Fence(char, count);
                }
                None if text.trim().is_empty() => {}
                None if text.starts_with("    ") && open == OpenBlock::Indented => push(&mut blocks, &text),
                None if text.starts_with("    ") && is_first => {
                    blocks.push(block(&text));
                    open = OpenBlock::Indented;
                }
                None => open = OpenBlock::Nothing,
            },
        }
        was = Some((marker, text.trim().is_empty()));
    }
    blocks
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenBlock {
    Nothing,
    /// Fence character and count.
    Fence(char, usize),
    Indented,
}

fn push(blocks: &mut [Block], line: &str) {
    if let Some(block) = blocks.last_mut() {
        block.text.push('\n');
        block.text.push_str(line);
    }
}

/// Parses a fence, possibly in a list item: its character, their count, and the text after them.
fn fence(text: &str) -> Option<(char, usize, &str)> {
    let text = text.trim().trim_start_matches(['-', '*', '+', '>']).trim_start();
    let char = text.chars().next().filter(|char| matches!(char, '`' | '~'))?;
    let count = text.chars().take_while(|next| *next == char).count();
    (count >= 3).then(|| (char, count, text[count..].trim()))
}

/// Returns the documentation in a line of Rust, without its marker.
fn marked(line: &str, is_in_comment: &mut bool) -> Option<(Marker, String)> {
    let trimmed = line.trim();
    let text = |text: &str| text.strip_prefix(' ').unwrap_or(text).to_owned();
    if *is_in_comment {
        *is_in_comment = !trimmed.contains("*/");
        let inner = trimmed.trim_end_matches("*/");
        return Some((Marker::Comment, inner.strip_prefix('*').map_or_else(|| line.to_owned(), text)));
    }
    if let Some(inner) = trimmed.strip_prefix("//!") {
        return Some((Marker::Inner, text(inner)));
    }
    if let Some(inner) = trimmed.strip_prefix("///").filter(|inner| !inner.starts_with('/')) {
        return Some((Marker::Outer, text(inner)));
    }
    if let Some(inner) = trimmed.strip_prefix("/**").or_else(|| trimmed.strip_prefix("/*!")) {
        *is_in_comment = !inner.contains("*/");
        return Some((Marker::Comment, text(inner)));
    }
    let attribute = trimmed.strip_prefix("#![").or_else(|| trimmed.strip_prefix("#["))?;
    let value = attribute.strip_prefix("doc")?.trim_start().strip_prefix('=')?.trim_start();
    let value = value.strip_prefix('"')?.strip_suffix(']')?.trim_end().strip_suffix('"')?;
    Some((Marker::Attribute, value.replace("\\\"", "\"").replace("\\\\", "\\")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, diagnostic, sources};
    use super::*;
    use crate::compare::identity::identify;
    use crate::model::finding::{Diagnostic, FailedTest, Finding};

    const TEXT: &str = include_str!("testdata/documented.rs.txt");

    #[track_caller]
    fn check(item: &str, line: u32, code: &str) {
        let place = diagnostic("src/lib.rs", at(line, 1), "").place;
        assert_eq!(Blocks::new(&sources("src/lib.rs", TEXT)).code(&place, item), code, "{item} {line}");
    }

    /// The lines are those that rustdoc 1.95 reports for this file.
    #[test]
    fn a_block_is_found_at_the_reported_line_or_shortly_after_it() {
        check("star", 5, "assert_eq!(2,3);");
        check("plain", 14, "assert_eq!(3,4);");
        check("attr", 22, "assert_eq!(4,5);");
        check("indented", 29, "assert_eq!(5,6);let x=1;");
        check("indented", 33, "assert_eq!(6,7);");
        check("indented", 36, "assert_eq!(7,8);");
        check("inner", 50, "assert_eq!(9,10);");
        check("inner", 53, "assert_eq!(10,11);");
        check("inner", 57, "let x=1;");
        check("inner", 66, "std::process::abort()");
    }

    #[test]
    fn a_line_without_a_block_of_the_item_has_no_code() {
        // Lines of an included README and of a macro call.
        check("", 5, "");
        check("a", 46, "");
        check("b", 47, "");
        check("star", 0, "");
        check("star", 1000, "");
    }

    #[test]
    fn only_inner_comments_document_the_whole_file() {
        let code = |text: &str| {
            let place = diagnostic("a.rs", at(1, 1), "").place;
            Blocks::new(&sources("a.rs", text)).code(&place, "")
        };
        assert_eq!(code("//! ```\n//! a();\n//! ```\nfn f() {}\n"), "a();");
        assert_eq!(code("/// ```\n/// a();\n/// ```\nfn f() {}\n"), "");
    }

    #[test]
    fn the_whole_text_of_a_markdown_file_is_documentation() {
        let place = diagnostic("README.md", at(3, 1), "").place;
        let code = Blocks::new(&sources("README.md", "# A\n\n```rust\na( 1 );\n```\n")).code(&place, "");
        assert_eq!(code, "a(1);");
    }

    #[test]
    fn strange_files_do_not_panic() {
        for text in
            ["/// ```", "/**", "#[doc = \"", "///", "/// ```\n\n/// ```", "```````", "\u{feff}//! ~~~"]
        {
            for path in ["a.rs", "a.md"] {
                let place = diagnostic(path, at(1, 1), "").place;
                let _ = Blocks::new(&sources(path, text)).code(&place, "a");
            }
        }
    }

    /// Returns the findings for failed doc tests of `f` at these lines of `text`, each with its number.
    fn found(text: &str, failed: &[(u32, usize)]) -> Vec<Finding> {
        let one = |&(line, number): &(u32, usize)| {
            let number = if number > 1 { format!(" #{number}") } else { String::new() };
            let test =
                FailedTest { at: Some(diagnostic("a.rs", at(line, 1), "").place), item: Some("f".into()) };
            let place = Place::Subject(format!("a.rs - f{number}"));
            Diagnostic { place, test: Some(Box::new(test)), ..diagnostic("a.rs", at(line, 1), "boom") }
        };
        identify(
            failed.iter().map(|failed| ("doctest".into(), one(failed))).collect(),
            &sources("a.rs", text),
            &crate::model::halt::Never,
        )
        .unwrap()
    }

    #[test]
    fn a_doc_test_is_identified_by_its_code_and_not_by_its_number() {
        let before = found("/// ```\n/// a();\n/// ```\n/// ```\n/// b();\n/// ```\nfn f() {}\n", &[(4, 2)]);
        let after = found(
            "/// ```\n/// new();\n/// ```\n/// ```\n/// a();\n/// ```\n///\n/// ```\n///   b( ); // b\n/// ```\nfn f() {}\n",
            &[(8, 3)],
        );
        assert_eq!((before[0].code.as_str(), before[0].msg.as_str()), ("b();", "test failed"));
        assert_eq!(before[0].id, after[0].id);
        // Another doc test with the same number is a different finding.
        let other = found("/// ```\n/// a();\n/// ```\n/// ```\n/// c();\n/// ```\nfn f() {}\n", &[(4, 2)]);
        assert_ne!(before[0].id, other[0].id);
    }

    #[test]
    fn identical_doc_tests_are_two_findings() {
        let text = "/// ```\n/// a();\n/// ```\n/// ```\n/// a();\n/// ```\nfn f() {}\n";
        // If the names of the passed ones are unknown, neither has a number.
        let both = found(text, &[(1, 1), (4, 1)]);
        assert_eq!(both.len(), 2);
        assert_eq!(both[0].id, both[1].id);
    }
}
