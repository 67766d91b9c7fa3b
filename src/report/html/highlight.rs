//! Syntax highlighting of Rust code with the lexer of rustc.

use std::ops::Range;

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, strip_shebang, tokenize};

/// Class of a span of code. The numbers are used by the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A comment or doc comment.
    Comment = 1,
    /// A string, character or byte literal.
    Text = 2,
    /// A number literal.
    Number = 3,
    /// A keyword.
    Keyword = 4,
    /// A lifetime or a label.
    Lifetime = 5,
    /// The name of a macro in a call.
    Macro = 6,
}

/// Keywords, sorted. Most of those that are keywords only in certain places are left out.
const KEYWORDS: [&str; 39] = [
    "Self", "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "type", "union", "unsafe", "use",
    "where", "while",
];

/// Returns the classified spans of `text`, in order.
pub(super) fn classes(text: &str) -> Vec<(Range<usize>, Class)> {
    let mut classes: Vec<(Range<usize>, Class)> = Vec::new();
    let start = strip_shebang(text).unwrap_or(0);
    let mut at = start;
    // The latest word, which is the name of a macro if a `!` follows.
    let mut word: Option<Range<usize>> = None;
    for token in tokenize(&text[start..], FrontmatterAllowed::No) {
        let range = at..at + token.len as usize;
        at = range.end;
        let class = match token.kind {
            TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => Some(Class::Comment),
            TokenKind::Literal { kind, .. } => Some(match kind {
                LiteralKind::Int { .. } | LiteralKind::Float { .. } => Class::Number,
                _ => Class::Text,
            }),
            TokenKind::Lifetime { .. } => Some(Class::Lifetime),
            TokenKind::Ident if KEYWORDS.binary_search(&&text[range.clone()]).is_ok() => Some(Class::Keyword),
            _ => None,
        };
        let name = word.take();
        if let Some(name) = name.filter(|_| token.kind == TokenKind::Bang && !text[at..].starts_with('=')) {
            classes.push((name.start..at, Class::Macro));
        }
        word = (token.kind == TokenKind::Ident && class.is_none()).then(|| range.clone());
        classes.extend(class.map(|class| (range, class)));
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_literals_macros_and_comments_are_classified() {
        let text = "#!/bin/x\nfn a<'b>() { vec![1.5, r#\"x\n\"#]; a!=b /* c */ } // d";
        let shown: Vec<_> = classes(text).into_iter().map(|(range, class)| (&text[range], class)).collect();
        assert_eq!(
            shown,
            [
                ("fn", Class::Keyword),
                ("'b", Class::Lifetime),
                ("vec!", Class::Macro),
                ("1.5", Class::Number),
                ("r#\"x\n\"#", Class::Text),
                ("/* c */", Class::Comment),
                ("// d", Class::Comment),
            ]
        );
    }

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
    }
}
