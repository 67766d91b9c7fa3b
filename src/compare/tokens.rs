//! Extracts the flagged code of a finding in a form that identifies the finding and survives reformatting.
//!
//! A [`Source`] is lexed once, with rustc's own lexer, and then asked for any number of ranges. The code of a range consists of
//! its tokens, without whitespace, comments and other layout.
//!
//! - A range of fewer than [`FEW`] tokens is not specific enough, so the statement around it is used. Lines would not do, since
//!   reformatting changes them. A statement extends to the nearest `;`, `{` or `}`, and to the nearest comma outside parentheses,
//!   so elements of a list don't affect one another. It does not include attributes of an item. It does not extend into or out of
//!   the body of a closure or match arm, which may have braces or not, so a line added there does not matter.
//! - A range in a comment or in a file other than Rust is represented by its lines.
//! - A range that covers a whole file is about the file and has no code.
//!
//! Ranges come from tools and may be invalid; this module never panics on them.

use std::borrow::Cow;
use std::ops;

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, strip_shebang, tokenize};

use super::layout::without_layout;
use super::scope::{Item, find_items};
use super::spelling::{Joint, MAX_TOKENS, Spelled, cut_off, spell};
use super::token::{Delimiter, Token, spell_tokens};
use crate::model::finding::{Position, Range};
use crate::model::path::RelPath;

/// A range with fewer tokens is represented by the statement around it.
const FEW: usize = 4;
/// Maximum number of tokens that a statement extends to either side.
const AROUND: usize = 30;

/// A lexed file.
pub(super) struct Source {
    text: String,
    line_starts: Vec<usize>,
    /// `None` if this is not a Rust file.
    rust: Option<Rust>,
}

/// Tokens and items of a Rust file.
struct Rust {
    tokens: Vec<Token>,
    items: Vec<Item>,
}

impl Source {
    /// Reads the file at `path` like rustc: without byte order mark, and with `\n` as line ending.
    pub(super) fn new(path: &RelPath, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let rust = path.file_name().ends_with(b".rs").then(|| Rust::new(&text));
        Self { text, line_starts, rust }
    }

    /// Returns the code of `range`; empty if it is beyond the end of the file.
    pub(super) fn code(&self, range: Range) -> String {
        let Some(span) = self.span(range) else { return String::new() };
        match self.rust.as_ref().and_then(|rust| rust.code(&self.text, span.clone())) {
            Some(code) => code,
            None => spell(self.lines(span).split_whitespace().map(|word| (word, Joint::Word))),
        }
    }

    /// Returns the path of the item around the start of `range`.
    pub(super) fn scope(&self, range: Range) -> String {
        let Some((rust, span)) = self.rust.as_ref().zip(self.span(range)) else { return String::new() };
        if rust.is_all(&span) {
            return String::new();
        }
        let first = rust.first_token(span.start);
        let item = match self.lines(span).trim_start() {
            // An inner comment documents the enclosing item, not the following one.
            line if line.starts_with("//!") => rust.around(first),
            _ => rust.tokens.get(first).and_then(|token| token.item),
        };
        rust.path_of(item)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the tokens; empty for a file that is not Rust.
    pub(super) fn tokens(&self) -> &[Token] {
        self.rust.as_ref().map_or(&[], |rust| &rust.tokens)
    }

    /// Returns the path of the item around the token at `at`.
    pub(super) fn scope_of_token(&self, at: usize) -> String {
        let Some(rust) = &self.rust else { return String::new() };
        rust.path_of(rust.tokens.get(at).and_then(|token| token.item))
    }

    /// Returns whether there is an item with this path.
    pub(super) fn has_scope(&self, scope: &str) -> bool {
        let Some(rust) = &self.rust else { return scope.is_empty() };
        scope.is_empty() || (0..rust.items.len()).any(|at| rust.path_of(Some(at)) == scope)
    }

    /// Returns the first token of each item with this kind and name.
    pub(super) fn items_of<'a>(&'a self, label: &'a str) -> impl Iterator<Item = usize> + 'a {
        let items = self.rust.iter().flat_map(|rust| (0..rust.items.len()).map(move |item| (rust, item)));
        let named = items.filter(move |(rust, item)| rust.items[*item].label == label);
        named.filter_map(|(rust, item)| rust.tokens.iter().position(|token| token.item == Some(item)))
    }

    /// Returns the index of the first token that ends after `offset`.
    pub(super) fn token_from(&self, offset: usize) -> usize {
        self.rust.as_ref().map_or(0, |rust| rust.first_token(offset))
    }

    /// Returns the index of the token at `position`, or the next one.
    pub(super) fn token_at(&self, position: Position) -> Option<usize> {
        Some(self.token_from(self.offset(position)?))
    }

    /// Returns the whole code of the file, spelled as by [`Source::code`].
    pub(super) fn spelled_code(&self) -> Spelled {
        let tokens = self.tokens().iter();
        Spelled::of(tokens.map(|token| (token.unfolded(&self.text), token.joint(), token.start)))
    }

    /// Returns all words of the file, including comments.
    pub(super) fn spelled_prose(&self) -> Spelled {
        let start = |word: &str| word.as_ptr() as usize - self.text.as_ptr() as usize;
        let words = self.text.split_whitespace();
        Spelled::of(words.map(|word| (Cow::Borrowed(word), Joint::Word, start(word))))
    }

    fn span(&self, range: Range) -> Option<ops::Range<usize>> {
        let start = self.offset(range.start)?;
        let end = self.offset(range.end).unwrap_or(self.text.len());
        Some(start..end.max(start))
    }

    /// Converts a position to an offset. Columns beyond the end of a line are clamped to it.
    fn offset(&self, position: Position) -> Option<usize> {
        let line = (position.line as usize).checked_sub(1)?;
        let start = *self.line_starts.get(line)?;
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let text = &self.text[start..end];
        let column = (position.column as usize).saturating_sub(1);
        Some(start + text.char_indices().nth(column).map_or(text.len(), |(at, _)| at))
    }

    /// Returns all lines that `span` touches.
    fn lines(&self, span: ops::Range<usize>) -> &str {
        let last = span.start.max(span.end.saturating_sub(1));
        let line_of = |offset| self.line_starts.partition_point(|&start| start <= offset) - 1;
        let end = self.line_starts.get(line_of(last) + 1).copied().unwrap_or(self.text.len());
        &self.text[self.line_starts[line_of(span.start)]..end]
    }
}

impl Rust {
    fn new(text: &str) -> Self {
        let mut tokens = without_layout(lex(text));
        let items = find_items(text, &mut tokens);
        Self { tokens, items }
    }

    /// Returns the path of `item`; empty for none.
    fn path_of(&self, mut item: Option<usize>) -> String {
        let mut labels = Vec::new();
        while let Some(at) = item {
            labels.push(self.items[at].label.as_str());
            item = self.items[at].parent;
        }
        labels.reverse();
        labels.join(" > ")
    }

    /// Returns the item whose braces are open before the token at `at`.
    fn around(&self, at: usize) -> Option<usize> {
        let mut closed = 0_u32;
        for token in self.tokens[..at.min(self.tokens.len())].iter().rev() {
            match (token.closes(), token.opens()) {
                (Some(_), _) => closed += 1,
                (_, Some(_)) if closed > 0 => closed -= 1,
                (_, Some(_)) => return token.item,
                _ => {}
            }
        }
        None
    }

    /// Returns the code of `span`; `None` if it is in a comment.
    fn code(&self, text: &str, span: ops::Range<usize>) -> Option<String> {
        if self.is_all(&span) {
            return Some(String::new());
        }
        let first = self.first_token(span.start);
        let mut end = first + self.tokens[first..].partition_point(|token| token.start < span.end);
        // A trailing comma depends on whether another element follows.
        if end - first > FEW && self.tokens[end - 1].kind == TokenKind::Comma {
            end -= 1;
        }
        let is_layout = |c: char| c.is_whitespace() || ",;{}".contains(c);
        let tokens = if first == end && !text[span].chars().all(is_layout) {
            return None;
        } else if end - first < FEW {
            self.statement(first..end)
        } else {
            first..end
        };
        Some(spell_tokens(text, &self.tokens[tokens]))
    }

    fn is_all(&self, span: &ops::Range<usize>) -> bool {
        let (first, last) = (self.tokens.first(), self.tokens.last());
        first.zip(last).is_some_and(|(first, last)| span.start <= first.start && last.end <= span.end)
    }

    /// Returns the index of the first token that ends after `offset`.
    fn first_token(&self, offset: usize) -> usize {
        self.tokens.partition_point(|token| token.end <= offset)
    }

    /// Extends `tokens` to the statement around them.
    fn statement(&self, tokens: ops::Range<usize>) -> ops::Range<usize> {
        let least = tokens.start.saturating_sub(AROUND);
        let start = (least..tokens.start).rev().find(|&at| self.separates(at)).map_or(least, |at| at + 1);
        if tokens.end > tokens.start && self.separates(tokens.end - 1) {
            return start..tokens.end;
        }
        // The body of a closure without braces ends with the closure's argument position.
        let in_closure = start > 0 && self.tokens[start - 1].kind == TokenKind::Or;
        let mut depth = 0_i32;
        let most = self.tokens.len().min(tokens.end + AROUND);
        let ends = |at: &usize| {
            let token = &self.tokens[*at];
            depth += i32::from(token.opens().is_some()) - i32::from(token.closes().is_some());
            let is_behind = depth < 0 || (depth == 0 && token.kind == TokenKind::Comma);
            self.separates(*at) || (in_closure && is_behind)
        };
        start..(tokens.end..most).find(ends).unwrap_or(most)
    }

    /// Returns whether the token at `at` separates two statements, list elements or bodies.
    fn separates(&self, at: usize) -> bool {
        let is_fat_arrow = |eq: usize| match self.tokens.get(eq..eq + 2) {
            Some([eq, gt]) => eq.kind == TokenKind::Eq && gt.kind == TokenKind::Gt && eq.end == gt.start,
            _ => false,
        };
        let token = &self.tokens[at];
        match token.kind {
            TokenKind::OpenBrace | TokenKind::CloseBrace | TokenKind::Or => true,
            TokenKind::Semi => token.group == Delimiter::Braces,
            TokenKind::Comma => token.group != Delimiter::Parens,
            TokenKind::Eq => is_fat_arrow(at),
            TokenKind::Gt => at > 0 && is_fat_arrow(at - 1),
            TokenKind::CloseBracket => self.ends_attribute(at),
            _ => false,
        }
    }

    /// Returns whether the `]` at `at` closes an attribute, `#[...]` or `#![...]`.
    fn ends_attribute(&self, at: usize) -> bool {
        let mut closed = 0_u32;
        for open in (0..at).rev() {
            match self.tokens[open].kind {
                TokenKind::CloseBracket => closed += 1,
                TokenKind::OpenBracket if closed > 0 => closed -= 1,
                TokenKind::OpenBracket => {
                    let mut before = self.tokens[..open].iter().rev().map(|token| token.kind);
                    return before.find(|kind| *kind != TokenKind::Bang) == Some(TokenKind::Pound);
                }
                _ => {}
            }
        }
        false
    }
}

/// Spells the Rust code `text` as by [`Source::code`].
pub(super) fn spelled(text: &str) -> String {
    spell_tokens(text, &without_layout(lex(text)))
}

/// Returns the tokens of spelled `code`, and the number of further ones that were only counted.
pub(super) fn words_of(code: &str) -> (Vec<String>, usize) {
    let words = |code: &str| lex(code).map(|token| token.text(code).to_owned()).collect::<Vec<_>>();
    if let Some((head, rest)) = cut_off(code) {
        let words = words(head);
        if words.len() >= MAX_TOKENS {
            return (words, rest);
        }
    }
    (words(code), 0)
}

/// Returns all tokens except whitespace and comments.
fn lex(text: &str) -> impl Iterator<Item = Token> {
    let mut end = strip_shebang(text).unwrap_or(0);
    tokenize(&text[end..], FrontmatterAllowed::Yes).filter_map(move |token| {
        let start = end;
        end += token.len as usize;
        match token.kind {
            TokenKind::Whitespace
            | TokenKind::LineComment { .. }
            | TokenKind::BlockComment { .. }
            | TokenKind::Frontmatter { .. } => None,
            kind => Some(Token { start, end, kind, group: Delimiter::Braces, item: None }),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, range_of};
    use super::*;

    /// Checks the code of the first `flagged` in `text`.
    #[track_caller]
    fn check(text: &str, flagged: &str, code: &str) {
        let source = Source::new(&RelPath::new("src/a.rs"), text.as_bytes());
        assert_eq!(source.code(range_of(text, flagged)), code, "{flagged} in {text}");
    }

    #[test]
    fn code_consists_of_the_tokens_of_the_range() {
        check("let x = foo( a , /* b */ c );", "foo( a , /* b */ c )", "foo(a,c)");
        check("let x: Vec<u8> = y as u8 -> z;", "x: Vec<u8> = y as u8 -> z", "x:Vec<u8>=y as u8-> z");
    }

    #[test]
    fn a_comma_at_the_end_of_the_range_does_not_count() {
        for text in ["match a { B => f(c, d), _ => e }", "match a { B => f(c, d), }"] {
            check(text, "B => f(c, d),", "B=> f(c,d)");
        }
    }

    #[test]
    fn line_continuations_in_strings_do_not_count() {
        for text in [r#"f("a b\n", x, 1)"#, "f(\"a \\\n    b\\n\", x, 1)", "f(\"a \\\r\n\t b\\n\", x, 1)"] {
            check(&format!("g(); {text}"), text, r#"f("a b\n",x,1)"#);
        }
        check("g(); f(\"a\\\\\n  b\", x, 1)", "f(\"a\\\\\n  b\", x, 1)", "f(\"a\\\\\n  b\",x,1)");
        check("g(); f(r\"a\\\n  b\", x, 1)", "f(r\"a\\\n  b\", x, 1)", "f(r\"a\\\n  b\",x,1)");
    }

    #[test]
    fn a_short_range_is_represented_by_its_statement() {
        check("fn b() {\n    return x;\n}", "return x", "return x");
        check("a();\nlet y = foo(x)\n  .bar();\nb();", "foo", "let y=foo(x).bar()");
        check("if a == b { c }", "==", "if a==b");
        check("a(); ; b();", "; b", ";b()");
        check("enum E { A, B(u8), C }", "B", "B(u8)");
        check("let x = [1, f(2, 3), 4];", "2", "f(2,3)");
        check("foo(); // teh\nbar();", "\n", "bar()");
    }

    #[test]
    fn a_statement_does_not_include_attributes() {
        check("#[inline]\n#[cfg(a)]\npub fn go(b: u8) {}", "go", "pub fn go(b:u8)");
        check("#![allow(x)]\nuse a::b;", "b", "use a::b");
        check("#[derive(A, B)] struct S;", "B", "#[derive(A,B)");
        check("let x = [1][i];", "i", "let x=[1][i]");
    }

    #[test]
    fn a_line_added_to_the_body_of_an_arm_or_closure_does_not_matter() {
        for arm in ["A => return x,", "A => { return x }", "A => { return x; }", "A => { y(); return x; }"] {
            check(&format!("match a {{ {arm} _ => {{}} }}"), "return x", "return x");
        }
        for body in ["{ y(); b }", "{ y() }", "{}"] {
            check(&format!("f(&a, |x| {body})?;"), "&a", "f(&a,");
        }
        for body in ["b.c", "{ b.c }", "{ y(); b.c }"] {
            check(&format!("f(|x| {body}, z)?;"), "b", "b.c");
        }
    }

    #[test]
    fn a_statement_ends_with_its_semicolon() {
        check("a();; b();", ";;", "a();;");
    }

    #[test]
    fn a_statement_has_limited_length() {
        let long = format!("f({} HERE {})", "a,".repeat(50), ",b".repeat(50));
        let code = Source::new(&RelPath::new("a.rs"), long.as_bytes()).code(range_of(&long, "HERE"));
        assert_eq!(code, format!("{}HERE{}", "a,".repeat(15), ",b".repeat(15)));
    }

    #[test]
    fn a_range_in_a_comment_is_represented_by_its_lines() {
        check("/// see   [`Foo`]\nfn a() {}", "[`Foo`]", "/// see [`Foo`]");
    }

    #[test]
    fn a_range_of_layout_tokens_is_represented_by_its_statement() {
        check("foo(a, b, c,);", ",)", "foo(a,b,c)");
        check("match a { B => { c } }", "}", "c");
    }

    #[test]
    fn long_code_is_cut_and_counted() {
        let many = "a ".repeat(70);
        check(&format!("b; {many}"), many.trim(), &format!("{}… +6", "a ".repeat(64).trim()));
        let long = format!("let x = {:?}", "é".repeat(100));
        check(&format!("{long}; b"), &long, &format!("let x=\"{}… +38", "é".repeat(63)));
    }

    #[test]
    fn a_range_of_the_whole_file_has_no_code() {
        let text = "// A comment.\n#![allow(a)]\nfn b() {}\nfn c() {}\n";
        check(text, "#![allow(a)]\nfn b() {}\nfn c() {}", "");
        check(text, text, "");
        check(text, "fn b() {}\nfn c() {}", "fn b(){} fn c(){}");
        let source = Source::new(&RelPath::new("a.rs"), text.as_bytes());
        assert_eq!(source.scope(range_of(text, text)), "");
    }

    #[test]
    fn columns_count_characters_from_one() {
        check("f(\"ééé\", a + b + c)", "a + b + c", "a+b+c");
    }

    #[test]
    fn line_endings_and_byte_order_mark_do_not_count() {
        let check = |bytes: &[u8], line| {
            let source = Source::new(&RelPath::new("a.rs"), bytes);
            let range =
                Range { start: Position { line, column: 1 }, end: Position { line: line + 1, column: 13 } };
            assert_eq!(source.code(range), "let x=\"a\nb\"+1;");
        };
        check(b"let x = \"a\nb\"    + 1 ; c", 1);
        check(b"let x = \"a\r\nb\"    + 1 ;\r\nc", 1);
        check(b"\xef\xbb\xbflet x = \"a\r\nb\"    + 1 ;\r\nc", 1);
        check(b"#!/bin/cargo {{ '\nlet x = \"a\nb\"    + 1 ; c", 2);
        check(b"---\n[package]\n---\nlet x = \"a\nb\"    + 1 ; c", 4);
    }

    #[test]
    fn a_range_in_another_file_is_represented_by_its_lines() {
        let text = "[a]\n  b   =\t1\nc = 2\n";
        let source = Source::new(&RelPath::new("Cargo.toml"), text.as_bytes());
        assert_eq!(source.code(range_of(text, "=\t1\n")), "b = 1");
        assert_eq!(source.code(range_of(text, "1\nc")), "b = 1 c = 2");
        assert_eq!(source.scope(range_of(text, "c")), "");
    }

    #[test]
    fn positions_outside_the_text_have_no_code() {
        for (path, text) in [("a.rs", "fn a() {}"), ("a.md", "text"), ("a.rs", ""), ("a.md", "")] {
            let source = Source::new(&RelPath::new(path), text.as_bytes());
            assert_eq!(source.code(at(0, 0)), "");
            assert_eq!(source.code(at(2, 1)), "");
            assert_eq!(source.code(at(u32::MAX, u32::MAX)), "");
        }
    }
}
