//! Finds accepted code that still exists in a file, and the `#[cfg(…)]` conditions around it.
//!
//! The file is searched for the tokens of a baseline entry, in the item that the entry names. Conditions are found without a
//! grammar: an attribute applies to the following item, statement, field or match arm. In doubt, its range ends too early rather
//! than too late, because code outside of it counts as compiled. Arguments of macros are opaque, except for `cfg_if!`, whose
//! branches look like attributes.

use std::ops::Range;

use ra_ap_rustc_lexer::TokenKind;

use super::spelling::Spelled;
use super::token::{Delimiter, Token};
use super::tokens::Source;
use crate::model::cfg::Cfg;
use crate::model::finding::Position;
use crate::model::path::RelPath;

/// A file prepared for searching.
pub struct Standing {
    source: Source,
    code: Spelled,
    prose: Spelled,
    regions: Vec<ConditionalRegion>,
}

/// Tokens under a condition.
struct ConditionalRegion {
    tokens: Range<usize>,
    cfg: Cfg,
}

impl Standing {
    /// Reads the file at `path`.
    pub fn new(path: &RelPath, bytes: &[u8]) -> Self {
        let source = Source::new(path, bytes);
        let (code, prose) = (source.spelled_code(), source.spelled_prose());
        let regions = Finder { text: source.text(), tokens: source.tokens() }.regions();
        Self { source, code, prose, regions }
    }

    /// Returns whether any code in the file is conditional.
    pub fn has_conditions(&self) -> bool {
        !self.regions.is_empty()
    }

    /// Returns the conditions of each occurrence of `code` in the item `scope`. If there is no such item, it may have been renamed,
    /// so every occurrence in the file counts.
    pub fn places(&self, scope: &str, code: &str) -> Vec<Vec<Cfg>> {
        if code.is_empty() {
            return vec![self.conditions(None)];
        }
        let mut found = self.code.find(code);
        if found.is_empty() {
            // Code in a comment is compared by words. The comment has the conditions of the token that follows it.
            let found_in_prose = self.prose.find(code);
            found = found_in_prose
                .into_iter()
                .map(|words| {
                    let first = self.source.token_from(self.prose.start(words.start));
                    first..first + 1
                })
                .collect();
        }
        let is_there = |tokens: &Range<usize>| {
            let last = tokens.end.max(tokens.start + 1) - 1;
            [tokens.start, last].iter().any(|at| self.source.scope_of_token(*at) == scope)
        };
        if self.source.has_scope(scope) {
            found.retain(is_there);
        }
        found.into_iter().map(|tokens| self.conditions(Some(tokens.start))).collect()
    }

    /// Returns the conditions of the code at `position`.
    pub fn conditions_at(&self, position: Position) -> Vec<Cfg> {
        self.conditions(self.source.token_at(position))
    }

    /// Returns the conditions of each function called `name`.
    pub fn functions(&self, name: &str) -> Vec<Vec<Cfg>> {
        let label = format!("fn {name}");
        let starts: Vec<_> = self.source.items_of(&label).collect();
        starts.into_iter().map(|at| self.conditions(Some(at))).collect()
    }

    /// Returns the conditions of the token at `at`, or those of the whole file.
    fn conditions(&self, at: Option<usize>) -> Vec<Cfg> {
        let all = self.source.tokens().len();
        let holds = |region: &&ConditionalRegion| match at {
            Some(at) => region.tokens.contains(&at),
            None => region.tokens == (0..all),
        };
        self.regions.iter().filter(holds).map(|region| region.cfg.clone()).collect()
    }
}

/// Finds the conditions of a file.
struct Finder<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl Finder<'_> {
    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text(self.text))
    }

    fn regions(&self) -> Vec<ConditionalRegion> {
        let mut regions = Vec::new();
        // The outer attributes of the current item.
        let mut attributes = 0..0;
        for at in 0..self.tokens.len() {
            if self.word(at) != "#" {
                continue;
            }
            let is_inner = self.word(at + 1) == "!";
            let open = at + 1 + usize::from(is_inner);
            if self.word(open) != "[" {
                continue;
            }
            let close = self.close_of(open);
            let first = if attributes.end == at { attributes.start } else { at };
            attributes = if is_inner { 0..0 } else { first..close + 1 };
            let Some(cfg) = self.condition(open + 1..close) else { continue };
            let tokens = match is_inner {
                true => self.around(at),
                false if at > 0 && self.word(at - 1) == "if" && self.word(close + 1) == "{" => {
                    self.branches(at, close + 1, &cfg, &mut regions)
                }
                false => first..self.end_of(close + 1),
            };
            regions.push(ConditionalRegion { tokens, cfg });
        }
        regions
    }

    /// Returns the condition that the attribute with these tokens sets.
    fn condition(&self, tokens: Range<usize>) -> Option<Cfg> {
        let words: Vec<&str> = tokens.map(|at| self.word(at)).collect();
        match words.as_slice() {
            ["cfg", "(", rest @ ..] => Some(Cfg::read(rest).0),
            ["cfg_attr", "(", rest @ ..] => {
                let (condition, rest) = Cfg::read(rest);
                match rest {
                    [",", "cfg", "(", rest @ ..] => {
                        let under = Cfg::read(rest).0;
                        Some(Cfg::Any(vec![Cfg::Not(Box::new(condition)), under]))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Returns the range of the `cfg_if!` branch that begins at `at`, with its braces at `open`. For the first branch, also adds the
    /// final `else` branch, if any, to `regions`. The branches between have their own attributes.
    fn branches(
        &self,
        at: usize,
        open: usize,
        cfg: &Cfg,
        regions: &mut Vec<ConditionalRegion>,
    ) -> Range<usize> {
        let end = self.close_of(open) + 1;
        // Only the first branch of a chain adds the final one.
        let is_first = !(at > 1 && self.word(at - 2) == "else");
        let (mut next, mut before) = (end, vec![cfg.clone()]);
        while is_first && self.word(next) == "else" {
            if self.word(next + 1) == "{" {
                let close = self.close_of(next + 1);
                let none = Cfg::Not(Box::new(Cfg::Any(before)));
                regions.push(ConditionalRegion { tokens: next..close + 1, cfg: none });
                break;
            }
            let attribute = next + 3;
            if self.word(next + 1) != "if" || self.word(attribute - 1) != "#" || self.word(attribute) != "[" {
                break;
            }
            let close = self.close_of(attribute);
            let Some(other) = self.condition(attribute + 1..close) else { break };
            before.push(other);
            next = self.close_of(close + 1) + 1;
        }
        at..end
    }

    /// Returns the tokens inside the delimiters around `at`, or the whole file.
    fn around(&self, at: usize) -> Range<usize> {
        let mut depth = 0_usize;
        for before in (0..at).rev() {
            match (self.tokens[before].closes(), self.tokens[before].opens()) {
                (Some(_), _) => depth += 1,
                (_, Some(_)) if depth > 0 => depth -= 1,
                (_, Some(_)) => return before + 1..self.close_of(before),
                _ => {}
            }
        }
        0..self.tokens.len()
    }

    /// Returns the index of the delimiter that closes the group at `open`; the end of the file if there is none.
    fn close_of(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in open..self.tokens.len() {
            depth += usize::from(self.tokens[at].opens().is_some());
            if self.tokens[at].closes().is_some() {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
        }
        self.tokens.len()
    }

    /// Returns the index after the construct that begins at `start`, possibly with further attributes.
    fn end_of(&self, mut start: usize) -> usize {
        while self.word(start) == "#" && self.word(start + 1) == "[" {
            start = self.close_of(start + 1) + 1;
        }
        let kind = self.kind_at(start);
        // Whether this looks like a match arm.
        let is_pattern = !STATEMENTS.contains(&self.word(start)) && self.word(start + 1) != "!";
        let mut at = start;
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            if let Some(group) = token.opens() {
                at = self.close_of(at);
                let next = self.word(at + 1);
                let goes_on =
                    [".", "?", "else", "="].contains(&next) || is_pattern && ["|", "if"].contains(&next);
                if group == Delimiter::Braces
                    && kind != ConstructKind::Statement
                    && (kind == ConstructKind::Item || !goes_on)
                {
                    return (at + 1).min(self.tokens.len());
                }
            } else if token.closes().is_some() {
                return at;
            } else if token.kind == TokenKind::Semi
                || token.kind == TokenKind::Comma && kind == ConstructKind::Other
            {
                return at + 1;
            }
            at += 1;
        }
        self.tokens.len()
    }

    fn kind_at(&self, mut at: usize) -> ConstructKind {
        loop {
            match self.word(at) {
                "pub" if self.word(at + 1) == "(" => at = self.close_of(at + 1) + 1,
                "pub" | "unsafe" | "safe" | "async" | "default" | "auto" => at += 1,
                "extern" if self.word(at + 1) == "crate" => return ConstructKind::Statement,
                "extern" => at += 1,
                "const" if matches!(self.word(at + 1), "fn" | "unsafe" | "async" | "extern") => at += 1,
                "fn" | "struct" | "enum" | "impl" | "trait" | "mod" | "macro_rules" => {
                    return ConstructKind::Item;
                }
                "union" if matches!(self.word(at + 2), "{" | "<") => return ConstructKind::Item,
                "let" | "use" | "static" | "type" | "const" => return ConstructKind::Statement,
                text if text.starts_with('"') => at += 1,
                // The block of an `extern "C"`.
                _ => return ConstructKind::Other,
            }
        }
    }
}

/// Tokens that begin a statement with braces.
const STATEMENTS: [&str; 8] = ["{", "if", "match", "for", "while", "loop", "unsafe", "async"];

/// Kind of a construct, by the way in which it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ConstructKind {
    /// Ends with its first braces or a semicolon.
    Item,
    /// Ends with a semicolon.
    Statement,
    /// Ends with its first braces, a semicolon or a comma.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the conditions of each occurrence of `code` in the item `scope` of `text`.
    fn places(text: &str, scope: &str, code: &str) -> Vec<String> {
        let standing = Standing::new(&RelPath::new("a.rs"), text.as_bytes());
        let shown = |cfgs: Vec<Cfg>| cfgs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" & ");
        standing.places(scope, code).into_iter().map(shown).collect()
    }

    #[track_caller]
    fn check(text: &str, conditions: &str) {
        assert_eq!(places(text, "", "here(1)"), [conditions], "{text}");
    }

    #[test]
    fn a_condition_applies_to_the_end_of_its_construct() {
        check("here(1);", "");
        check("#![cfg(unix)] here(1);", "unix");
        check("#[cfg(unix)] here(1); other();", "unix");
        check("#[cfg(unix)] other(); here(1);", "");
        check("#[cfg(unix)] let x = match y { _ => z }.a(); here(1);", "");
        check("#[cfg(unix)] let x = S { a: here(1) };", "unix");
        check("#[cfg(unix)] if a { b() } else { here(1) }", "unix");
        check("#[cfg(unix)] { a() } here(1);", "");
        check("#[cfg(unix)] { a() } if b { here(1) }", "");
        check("f(#[cfg(unix)] a, here(1))", "");
        check("S { #[cfg(unix)] a: b, c: here(1) }", "");
        check("S { #[cfg(unix)] a: here(1), c }", "unix");
        check("match x { #[cfg(unix)] A { b } if c => { a(); here(1) } _ => d }", "unix");
        check("match x { #[cfg(unix)] A { b } => { a(); b() } _ => here(1) }", "");
        check("#[cfg_attr(a, cfg(b))] here(1);", "any(not(a), b)");
        check("#[cfg_attr(a, doc = \"x\")] here(1);", "");
        check("#[allow(x)] #[cfg(unix)] #[deny(y)] here(1);", "unix");
    }

    #[test]
    fn conditions_of_nested_items_are_combined() {
        let text = "#![cfg(a)] #[cfg(b)] pub(crate) mod m { #![cfg(c)] #[cfg(d)] pub fn f<A, B>(x: A) where A: X, { here(1) } fn g() { here(1) } }";
        assert_eq!(places(text, "mod m > fn f", "here(1)"), ["a & b & c & d"]);
        assert_eq!(places(text, "mod m > fn g", "here(1)"), ["a & b & c"]);
        assert_eq!(places(text, "mod m > fn gone", "here(1)"), ["a & b & c & d", "a & b & c"]);
        assert_eq!(places(text, "mod m > fn f", "other(1)"), Vec::<String>::new());
        assert_eq!(places(text, "", ""), ["a"]);
    }

    #[test]
    fn a_position_has_the_conditions_of_its_token() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        let standing = Standing::new(&RelPath::new("a.rs"), text.as_bytes());
        let at = |line, column| {
            let cfgs = standing.conditions_at(Position { line, column });
            cfgs.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!((at(1, 4), at(4, 8), at(9, 1)), (vec![], vec!["test".to_owned()], vec![]));
    }

    #[test]
    fn functions_are_found_by_their_names() {
        let text =
            "#[cfg(a)] mod m { #[test] #[cfg(b)] fn works() {} } #[cfg(c)] fn works_not() {} fn works() {}";
        let standing = Standing::new(&RelPath::new("a.rs"), text.as_bytes());
        let shown: Vec<_> =
            standing.functions("works").into_iter().map(|all| Cfg::All(all).to_string()).collect();
        assert_eq!(shown, ["all(a, b)", "true"]);
    }

    #[test]
    fn branches_of_cfg_if_are_conditions() {
        let text = "cfg_if! { if #[cfg(a)] { fn f() { one(1) } } else if #[cfg(b)] { fn f() { two(1) } } else { fn f() { three(1) } } } fn g() { four(1) }";
        let check = |code: &str, expected: &str| assert_eq!(places(text, "gone", code), [expected], "{code}");
        check("one(1)", "a");
        check("two(1)", "b");
        check("three(1)", "not(any(a, b))");
        check("four(1)", "");
    }

    #[test]
    fn long_code_and_comments_are_found() {
        let list = (0..80).map(|at| at.to_string()).collect::<Vec<_>>().join(" + ");
        let text = format!("#[cfg(unix)] fn f() {{ {list} }}\n#[cfg(a)]\n// one   two\nfn g() {{}}\n");
        let first = (0..32).map(|at| format!("{at}+")).collect::<String>();
        assert_eq!(places(&text, "fn f", &format!("{first}… +95")), ["unix"]);
        assert_eq!(places(&text, "fn f", &format!("{first}… +200")), Vec::<String>::new());
        assert_eq!(places(&text, "fn g", "// one two"), ["a"]);
    }

    #[test]
    fn strange_files_do_not_panic() {
        for text in [
            "#",
            "#[",
            "#![cfg(",
            "#[cfg(a)]",
            "if #[cfg(a)] {",
            "} #[cfg(a)] )",
            "#[cfg(a)] if #[cfg(b)] { } else",
        ] {
            places(text, "", "a");
            places(text, "x", "");
        }
    }
}
