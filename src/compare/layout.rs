//! Removes the tokens that rustfmt adds or removes when code gets wider or narrower:
//!
//! - trailing separators: `f(a, b,)`, `{ return x; }`, `where T: X, {`;
//! - braces around the only expression of a match arm or a closure: `A => { x }` becomes `A => x,`, and `|x| { x }` becomes
//!   `|x| x`;
//! - the comma after the closing brace of a match arm.
//!
//! The result need not be a valid program. It only has to be the same for all layouts of a program.

use ra_ap_rustc_lexer::TokenKind;

use super::token::{Delimiter, Token};

/// An open delimiter.
struct OpenDelimiter {
    group: Delimiter,
    /// Its index in the result.
    at: usize,
    body: Body,
    /// True if it contains a statement that is followed by something.
    statements: bool,
}

/// The construct whose body braces are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Arm,
    Closure,
    Other,
}

/// Returns the tokens that do not depend on the layout. `tokens` contains no whitespace and no comments.
pub(super) fn without_layout(tokens: impl Iterator<Item = Token>) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::new();
    let mut open: Vec<OpenDelimiter> = Vec::new();
    // Braces to remove, from the inside out.
    let mut optional = Vec::new();
    for token in tokens {
        let last = kept.last().map(|token| token.kind);
        if follows_no_element(token.kind, last) {
            kept.pop();
        } else if last == Some(TokenKind::Semi)
            && let Some(open) = open.last_mut()
        {
            open.statements = true;
        }
        if let Some(group) = token.opens() {
            open.push(OpenDelimiter { group, at: kept.len(), body: body_behind(&kept), statements: false });
        } else if let Some(closed) = token.closes().and_then(|group| open.pop_if(|open| open.group == group))
        {
            let empty = kept.len() == closed.at + 1;
            if closed.group == Delimiter::Braces && closed.body != Body::Other && !closed.statements && !empty
            {
                optional.push(closed.at);
                let braced = kept.last().is_some_and(|last| last.kind == TokenKind::CloseBrace);
                if closed.body == Body::Arm && !braced {
                    // The comma that follows an arm without braces.
                    kept.push(Token { start: token.end, kind: TokenKind::Comma, ..token });
                }
                continue;
            }
        } else if token.kind == TokenKind::Comma {
            let in_braces = open.last().is_none_or(|open| open.group == Delimiter::Braces);
            if last == Some(TokenKind::Comma) || (in_braces && last == Some(TokenKind::CloseBrace)) {
                continue;
            }
        }
        kept.push(token);
    }
    optional.sort_unstable();
    let mut at = 0..;
    kept.retain(|_| at.next().is_none_or(|at| optional.binary_search(&at).is_err()));
    kept
}

/// Returns whether `last` is a trailing separator before a token of this `kind`.
fn follows_no_element(kind: TokenKind, last: Option<TokenKind>) -> bool {
    match last {
        Some(TokenKind::Comma) => matches!(
            kind,
            TokenKind::CloseParen
                | TokenKind::CloseBracket
                | TokenKind::CloseBrace
                | TokenKind::Gt
                | TokenKind::OpenBrace
                | TokenKind::Semi
        ),
        Some(TokenKind::Semi) => kind == TokenKind::CloseBrace,
        _ => false,
    }
}

/// Returns the construct whose body a brace after `tokens` would open.
fn body_behind(tokens: &[Token]) -> Body {
    match tokens {
        [.., eq, gt] if gt.kind == TokenKind::Gt && eq.kind == TokenKind::Eq && eq.end == gt.start => {
            Body::Arm
        }
        [.., or] if or.kind == TokenKind::Or => Body::Closure,
        _ => Body::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::range_of;
    use super::super::tokens::Source;
    use crate::model::path::RelPath;

    /// Checks that all of `layouts` give the same code.
    #[track_caller]
    fn check(code: &str, layouts: &[&str]) {
        for text in layouts {
            let file = format!("use x; {text}");
            let source = Source::new(&RelPath::new("a.rs"), file.as_bytes());
            assert_eq!(source.code(range_of(&file, text)), code, "{text}");
        }
    }

    #[test]
    fn trailing_separators_do_not_count() {
        check("foo(a,b,[c],D{d})", &["foo(a, b, [c], D { d })", "foo(a, b, [c,], D { d, },)"]);
        check(
            "fn a<T>(b:u8) where T:X{}",
            &["fn a<T>(b: u8) where T: X {}", "fn a<T,>(b: u8,) where T: X, {}"],
        );
        check("{f();return x}", &["{ f(); return x }", "{ f(); return x; }"]);
    }

    #[test]
    fn the_braces_around_one_expression_do_not_count() {
        check("f(|x|x+1,|y|z)", &["f(|x| x + 1, |y| z)", "f(|x| { x + 1 }, |y| { z })"]);
        check(
            "match a{B=> c,D=> return e,_=> F{g}}",
            &[
                "match a { B => c, D => return e, _ => F { g } }",
                "match a { B => { c } D => { return e; } _ => { F { g } } }",
                "match a { B => { c }, D => { return e }, _ => F { g }, }",
            ],
        );
        check(
            "match a{B=> match c{_=> d} _=> e}",
            &[
                "match a { B => match c { _ => d }, _ => e }",
                "match a { B => { match c { _ => d } } _ => { e } }",
            ],
        );
    }

    #[test]
    fn other_braces_count() {
        check(
            "match a{B=>{c();d} _=>{}}",
            &["match a { B => { c(); d } _ => {} }", "match a { B => { c(); d }, _ => {}, }"],
        );
        check("f(|x|{y;z},||{})", &["f(|x| { y; z }, || {})"]);
        check("if a{b} else{c}", &["if a { b } else { c }"]);
    }
}
