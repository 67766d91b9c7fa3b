//! Tokens of Rust code, as rustc's lexer finds them.

use std::borrow::Cow;
use std::sync::LazyLock;

use ra_ap_rustc_lexer::{LiteralKind, TokenKind};
use regex::{Captures, Regex};

use super::spelling::{Joint, spell};

/// A token that does not depend on the layout.
#[derive(Clone, Copy)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: TokenKind,
    /// The innermost delimiters around it.
    pub(super) group: Group,
    /// Index of the innermost item around it.
    pub(super) item: Option<usize>,
}

/// A pair of delimiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// `{}`, or the file as a whole.
    Braces,
    /// `()`.
    Parens,
    /// `[]`.
    Brackets,
}

impl Token {
    pub(super) fn text<'a>(&self, text: &'a str) -> &'a str {
        // `without_layout` may insert a comma that is not in the source.
        if self.kind == TokenKind::Comma { "," } else { &text[self.start..self.end] }
    }

    /// Returns the text, without the whitespace that a string literal skips after a `\` at the end of a line.
    pub(super) fn unfolded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        static ESCAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)\\(?:\n\s*|.)").expect("valid"));
        let text = self.text(text);
        match self.kind {
            TokenKind::Literal {
                kind: LiteralKind::Str { .. } | LiteralKind::ByteStr { .. } | LiteralKind::CStr { .. },
                ..
            } => ESCAPE.replace_all(text, |escape: &Captures<'_>| match &escape[0] {
                fold if fold.starts_with("\\\n") => String::new(),
                other => other.to_owned(),
            }),
            _ => Cow::Borrowed(text),
        }
    }

    /// Returns the group that this delimiter opens.
    pub(super) fn opens(&self) -> Option<Group> {
        match self.kind {
            TokenKind::OpenBrace => Some(Group::Braces),
            TokenKind::OpenParen => Some(Group::Parens),
            TokenKind::OpenBracket => Some(Group::Brackets),
            _ => None,
        }
    }

    /// Returns the group that this delimiter closes.
    pub(super) fn closes(&self) -> Option<Group> {
        match self.kind {
            TokenKind::CloseBrace => Some(Group::Braces),
            TokenKind::CloseParen => Some(Group::Parens),
            TokenKind::CloseBracket => Some(Group::Brackets),
            _ => None,
        }
    }

    pub(super) fn joint(&self) -> Joint {
        use TokenKind::*;
        match self.kind {
            Ident
            | InvalidIdent
            | RawIdent
            | ForcedKeywordIdent
            | UnknownPrefix
            | UnknownPrefixLifetime
            | RawLifetime
            | Lifetime { .. }
            | Literal { .. } => Joint::Word,
            CloseParen | CloseBracket | CloseBrace | Gt => Joint::Closing,
            _ => Joint::Tight,
        }
    }
}

/// Spells `tokens` with spacing that does not depend on the source.
pub(super) fn spell_tokens(text: &str, tokens: &[Token]) -> String {
    spell(tokens.iter().map(|token| (token.unfolded(text), token.joint())))
}
