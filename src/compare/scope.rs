//! Determines the item that contains a token, as a path such as `mod a > impl B > fn c`.
//!
//! One walk over the tokens keeps a stack of open delimiters, without a grammar. An item begins where a statement may begin, with
//! attributes and modifiers, a keyword and a name, and ends with its braces or semicolon. Code that does not parse gives some
//! deterministic result and never a panic. Scopes are displayed and distinguish identical findings, but are not part of ids.

use ra_ap_rustc_lexer::TokenKind;

use super::token::{Delimiter, Token, spell_tokens};

/// Maximum number of tokens in the name of an `impl`.
const MAX_HEADER: usize = 256;

/// An item of a file.
pub(super) struct Item {
    /// Kind and name, such as `fn c`.
    pub(super) label: String,
    /// Index of the enclosing item in the items of the file.
    pub(super) parent: Option<usize>,
}

/// An open delimiter or the file itself, with the state of the walk inside it.
struct Frame {
    group: Delimiter,
    /// The item that encloses the delimiter.
    item: Option<usize>,
    /// Index of the first token of the current statement.
    statement: usize,
    head: Head,
}

/// Position within the current statement.
#[derive(Clone, Copy)]
enum Head {
    /// Only attributes and modifiers so far, so an item may follow.
    Open,
    /// In an item, after its keyword.
    Item {
        id: usize,
        /// True if it ends with its braces (`fn`) rather than with a semicolon (`const`).
        braced: bool,
        /// Number of open `<`. Braces within them belong to generic arguments.
        angles: u32,
    },
    /// In a statement that is not an item.
    Other,
}

/// Finds the items of a file, and sets the group and item of each token.
pub(super) fn find_items(text: &str, tokens: &mut [Token]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut outer: Vec<Frame> = Vec::new();
    let mut frame = Frame::new(Delimiter::Braces, None, 0);
    for at in 0..tokens.len() {
        let kind = tokens[at].kind;
        if let Some(group) = tokens[at].closes() {
            while group == Delimiter::Braces && frame.group != Delimiter::Braces {
                // A closing brace also closes any delimiters left open inside the braces.
                let Some(enclosing) = outer.pop() else { break };
                frame = enclosing;
            }
            if frame.group == group
                && let Some(enclosing) = outer.pop()
            {
                frame = enclosing;
            }
        } else if frame.group == Delimiter::Braces && matches!(frame.head, Head::Open) {
            match Opening::read(text, &tokens[at..]) {
                Opening::Modifier => {}
                Opening::Other => frame.head = Head::Other,
                Opening::Item { label, braced } => {
                    let id = items.len();
                    items.push(Item { label, parent: frame.item });
                    for modifier in &mut tokens[frame.statement..at] {
                        modifier.item = Some(id);
                    }
                    frame.head = Head::Item { id, braced, angles: 0 };
                }
            }
        }
        let arrow = at > 0 && is_arrow(&tokens[at - 1], &tokens[at]);
        let token = &mut tokens[at];
        token.group = frame.group;
        token.item = frame.current();
        if let Head::Item { angles, .. } = &mut frame.head {
            match kind {
                TokenKind::Lt => *angles += 1,
                TokenKind::Gt if !arrow => *angles = angles.saturating_sub(1),
                _ => {}
            }
        }
        if let Some(group) = token.opens() {
            let inner = Frame::new(group, frame.current(), at + 1);
            outer.push(std::mem::replace(&mut frame, inner));
        } else if frame.group == Delimiter::Braces && frame.ends_with(kind) {
            frame.statement = at + 1;
            frame.head = Head::Open;
        }
    }
    items
}

impl Frame {
    fn new(group: Delimiter, item: Option<usize>, statement: usize) -> Self {
        Self { group, item, statement, head: Head::Open }
    }

    fn current(&self) -> Option<usize> {
        match self.head {
            Head::Item { id, .. } => Some(id),
            Head::Open | Head::Other => self.item,
        }
    }

    /// Returns whether a token of this kind, directly inside, ends the statement.
    fn ends_with(&self, kind: TokenKind) -> bool {
        match kind {
            TokenKind::Semi => true,
            TokenKind::CloseBrace => match self.head {
                Head::Item { braced, angles, .. } => braced && angles == 0,
                Head::Open | Head::Other => true,
            },
            _ => false,
        }
    }
}

/// Meaning of a token where an item may begin.
enum Opening {
    /// An item may still follow.
    Modifier,
    /// The keyword of an item.
    Item { label: String, braced: bool },
    /// No item follows in this statement.
    Other,
}

impl Opening {
    /// Classifies the first of `tokens`, looking ahead as far as needed.
    fn read(text: &str, tokens: &[Token]) -> Self {
        let word = |at: usize| tokens.get(at).map_or("", |token| token.text(text));
        let named = |at: usize, braced| match tokens.get(at).map(|token| token.kind) {
            Some(TokenKind::Ident | TokenKind::RawIdent) => {
                Self::Item { label: format!("{} {}", word(0), word(at)), braced }
            }
            _ => Self::Other,
        };
        match word(0) {
            "#" | "!" | "(" | "[" | "{" => Self::Modifier,
            "pub" | "unsafe" | "safe" | "async" | "default" | "auto" | "extern" => Self::Modifier,
            "const" if matches!(word(1), "fn" | "unsafe" | "async" | "extern") => Self::Modifier,
            "const" | "type" => named(1, false),
            "static" => named(if word(1) == "mut" { 2 } else { 1 }, false),
            "mod" | "fn" | "struct" | "enum" | "trait" => named(1, true),
            "union" if matches!(word(2), "{" | "<" | "where") => named(1, true),
            "macro_rules" => named(2, true),
            "impl" => Self::Item { label: impl_label(text, tokens), braced: true },
            _ if matches!(tokens[0].kind, TokenKind::Literal { .. }) => Self::Modifier,
            _ => Self::Other,
        }
    }
}

/// Returns the label of an `impl`, such as `impl Trait<A> for Type`, without its parameters and `where` clause.
fn impl_label(text: &str, tokens: &[Token]) -> String {
    let tokens = &tokens[..tokens.len().min(MAX_HEADER)];
    let mut angles = 0u32;
    let mut first = 1;
    let mut end = tokens.len();
    for (at, token) in tokens.iter().enumerate().skip(1) {
        match token.kind {
            TokenKind::Lt => angles += 1,
            TokenKind::Gt if is_arrow(&tokens[at - 1], token) => {}
            TokenKind::Gt => {
                angles = angles.saturating_sub(1);
                if angles == 0 && first == 1 && tokens[1].kind == TokenKind::Lt {
                    first = at + 1;
                }
            }
            TokenKind::OpenBrace | TokenKind::Semi if angles == 0 => {
                end = at;
                break;
            }
            TokenKind::Ident if angles == 0 && token.text(text) == "where" => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    format!("impl {}", spell_tokens(text, &tokens[first.min(end)..end]))
}

/// Returns whether a `>` belongs to `->` or `=>`, so that it closes nothing.
fn is_arrow(previous: &Token, token: &Token) -> bool {
    token.kind == TokenKind::Gt
        && matches!(previous.kind, TokenKind::Minus | TokenKind::Eq)
        && previous.end == token.start
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, range_of};
    use super::super::tokens::Source;
    use crate::model::path::RelPath;

    /// Checks the scope of the first `HERE` in `text`.
    #[track_caller]
    fn check(text: &str, scope: &str) {
        let source = Source::new(&RelPath::new("a.rs"), text.as_bytes());
        assert_eq!(source.scope(range_of(text, "HERE")), scope, "{text}");
    }

    #[test]
    fn items_are_named_from_the_outside_in() {
        check("mod a { impl B { fn c() { HERE } } }", "mod a > impl B > fn c");
        check("fn a() {} fn b() { if x { y } else { HERE } } fn c() {}", "fn b");
        check("trait T { fn a(&self); fn b(&self) { HERE } }", "trait T > fn b");
        check("struct S { x: HERE }", "struct S");
        check("enum E { A, B(HERE) }", "enum E");
        check("union U { x: HERE }", "union U");
        check("const X: [u8; 2] = [HERE; 2];", "const X");
        check("static mut X: &str = HERE;", "static X");
        check("type X = HERE;", "type X");
        check("macro_rules! m { () => { HERE } }", "macro_rules m");
        check("const _: () = { impl A { fn b() { HERE } } };", "const _ > impl A > fn b");
        check("HERE!();", "");
        check("fn a() {} HERE!();", "");
    }

    #[test]
    fn an_item_begins_with_its_attributes_and_modifiers() {
        check("fn a() {} #[derive(HERE)] pub(crate) struct S;", "struct S");
        check("/// HERE\npub const unsafe extern \"C\" fn f() {}", "fn f");
        check("#[cfg(HERE)] const X: u8 = 1;", "const X");
    }

    #[test]
    fn an_impl_is_named_by_its_trait_and_type() {
        check(
            "impl<T: Clone, const N: usize> From<T> for B<T> where T: X { fn c() { HERE } }",
            "impl From<T> for B<T> > fn c",
        );
        check(
            "unsafe impl<F: Fn() -> u8> A<{ 1 > 2 }> for F { fn c() { HERE } }",
            "impl A<{1> 2}> for F > fn c",
        );
        check("impl <'a> Deref for  &'a mut B { fn c() { HERE } }", "impl Deref for&'a mut B > fn c");
    }

    #[test]
    fn keywords_in_other_places_do_not_begin_items() {
        check("fn a(x: impl B, f: fn(u8)) -> impl C { HERE }", "fn a");
        check("fn a() { let f: fn(u8) = b; HERE }", "fn a");
        check("fn a() { const { HERE } }", "fn a");
        check("fn a() { let union = 1; HERE }", "fn a");
        check("fn a() { vec![1; 2]; f(|| { fn b() {} HERE }) }", "fn a");
        check("fn a() -> [u8; { 1 }] { HERE }", "fn a");
        check("struct A<const N: usize = { 1 }> { x: HERE }", "struct A");
    }

    #[test]
    fn an_inner_comment_belongs_to_its_enclosing_item() {
        check("//! HERE\n\nmod tests {}\n", "");
        check("#![allow(a)]\n//! HERE\nmod tests {}\n", "");
        check("mod a {\n    //! HERE\n    fn b() { c(); }\n}\n", "mod a");
        check("mod a {\n    fn b() { c(); }\n    /// HERE\n    fn d() {}\n}\n", "mod a > fn d");
    }

    #[test]
    fn code_that_does_not_parse_has_some_scope() {
        check("fn a( { HERE", "fn a");
        check("} } fn a() { ) ] HERE", "fn a");
        check("mod m { fn a() { ( } fn b() { HERE", "mod m > fn b");
        check("fn", "");
    }

    #[test]
    fn there_is_no_scope_after_the_last_token() {
        let source = Source::new(&RelPath::new("a.rs"), b"fn a() {}\n\n");
        assert_eq!(source.scope(at(2, 1)), "");
        assert_eq!(source.scope(at(9, 9)), "");
    }
}
